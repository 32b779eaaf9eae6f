"""A proof pack: every screen of an instrument in its languages, looked at and laid out as a PDF."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from playwright.sync_api import Browser

from pro_app.core.instruments import Instrument
from pro_app.core.library import Library
from pro_app.core.licence import Licence
from pro_app.core.wording import Wording
from pro_app.proof import book
from pro_app.proof.choice import SOURCE
from pro_app.proof.screens import SIZES, Screen, Walk
from pro_app.proof.stage import stage
from pro_app.services.notices import Notices


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be proved: the wordings of an instrument, one a language, in the study whose file
    has this content. The wording in English, if it is among them, is the others' source."""

    content: Mapping[str, Any]
    library: Library
    instrument: Instrument
    wordings: tuple[Wording, ...]
    notices: Notices
    asked_at: datetime
    permissions: Mapping[str, Licence] = field(default_factory=dict)  # by fingerprint
    release: str = ""  # the application's own version

    @property
    def source(self) -> Wording | None:
        """The wording in English, beside which the others are shown."""
        return next((one for one in self.wordings if one.language == SOURCE), None)

    @property
    def targets(self) -> tuple[Wording, ...]:
        """The wordings that a pack has a part for: all but the source, unless it is alone."""
        others = tuple(one for one in self.wordings if one.language != SOURCE)
        return others or self.wordings

    @property
    def count(self) -> int:
        """About how many screens there are in all, to tell how far the pack is."""
        extra = 9 if len(self.instrument.items) > 1 else 8
        return len(self.wordings) * len(SIZES) * (2 * len(self.instrument.items) + extra - 2)


@dataclass(frozen=True, slots=True)
class Pack:
    """A PDF with its number of sheets, and the screens that are in it."""

    pdf: bytes
    sheets: int
    screens: Sequence[Screen]

    @property
    def failed(self) -> list[Screen]:
        """The screens that did not pass."""
        return [one for one in self.screens if one.faults]


def make(
    order: Order,
    browser: Browser,
    tell: Callable[[int], None] = lambda _screens: None,
) -> Pack:
    """Make a pack. `tell` is called with the number of screens taken so far; what it raises ends
    the work.

    Raises DefinitionError where the study does not fit, and Playwright's errors where a page does
    not come.
    """
    found: list[Screen] = []

    def count(screen: Screen) -> None:
        found.append(screen)
        tell(len(found))

    with stage(order.content, order.library, order.wordings) as place:
        for wording in order.wordings:
            for size in SIZES:
                Walk(browser, place, order.instrument, wording, size, count).take()
        study = place.study
    laid = book.lay_out(order, study, found)
    return Pack(book.print_out(browser, laid), len(laid.sheets), found)

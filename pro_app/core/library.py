"""All instruments and their wordings, loaded and checked once at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pro_app.core.instruments import Instrument, load_instruments
from pro_app.core.wording import Wording, load_wordings


@dataclass(frozen=True, eq=False, slots=True)
class Library:
    """Instruments by code, and the shipped wordings by instrument and language.

    What a study may show is told by its `core.licence.Wordings`.
    """

    instruments: Mapping[str, Instrument]
    wordings: Mapping[tuple[str, str], Wording]

    def wording(self, instrument: str, language: str) -> Wording | None:
        """The shipped wording of an instrument in exactly this language."""
        return self.wordings.get((instrument, language))


def load_library(root: Path) -> Library:
    """Everything below `root`. Raises DefinitionError for the first fault."""
    instruments = load_instruments(root)
    wordings = {
        (code, language): wording
        for code, instrument in instruments.items()
        for language, wording in load_wordings(root / code / "wording", instrument).items()
    }
    return Library(instruments, wordings)

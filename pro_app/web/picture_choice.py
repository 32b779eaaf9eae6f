"""What somebody has chosen to see in the room "Pictures": kept in the page's address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from flask import request

from pro_app.core.instruments import Instrument
from pro_app.core.scoring import Scoring
from pro_app.core.study import LANGUAGES
from pro_app.models import Site
from pro_app.services.picture_numbers import Choice
from pro_app.services.rates import Visit
from pro_app.services.studies import CurrentStudy
from pro_app.web.house import house


@dataclass(frozen=True, slots=True)
class Asked:
    """The choices of a page, those alone that there are. `sites` are all that the person may see;
    `covered` says whether these are all of the study."""

    sites: Sequence[Site]
    covered: bool
    site: str
    language: str
    first: date | None
    last: date | None
    instrument: Instrument
    scoring: Scoring
    visit: Visit | None

    def choice(self) -> Choice:
        """The same for who counts."""
        codes: frozenset[str] | None = frozenset(one.code for one in self.sites)
        if self.site:
            codes = frozenset({self.site})
        elif self.covered:
            codes = None
        return Choice(
            self.instrument.code,
            self.scoring.name,
            codes,
            self.language or None,
            self.first,
            self.last,
        )

    @property
    def form(self) -> str:
        """The questionnaire and its scoring as the address names them."""
        return f"{self.instrument.code}.{self.scoring.name}"

    def address(self) -> dict[str, str]:
        """The choices for another page's address."""
        told = {
            "form": self.form,
            "site": self.site,
            "language_of": self.language,
            "from": "" if self.first is None else self.first.isoformat(),
            "to": "" if self.last is None else self.last.isoformat(),
        }
        return {name: value for name, value in told.items() if value}


def asked(study: CurrentStudy, sites: Sequence[Site], covered: bool) -> Asked:
    """What this request's address says; what is not to be had counts as not chosen."""
    given = request.args
    forms = {
        f"{entry.code}.{name}": (entry.code, name)
        for entry in study.instruments
        for name in entry.scorings
    }
    first_form = next(iter(forms))
    code, scoring = forms[given.get("form", "") if given.get("form") in forms else first_form]
    instrument = house().library.instruments[code]
    site, language = given.get("site", ""), given.get("language_of", "")
    timepoint, _slash, occurrence = given.get("visit", "").rpartition("/")
    numbered = occurrence.isascii() and occurrence.isdigit() and len(occurrence) < 7
    return Asked(
        sites,
        covered,
        site if any(one.code == site for one in sites) else "",
        language if language in LANGUAGES else "",
        _day(given.get("from", "")),
        _day(given.get("to", "")),
        instrument,
        instrument.scorings[scoring],
        Visit(timepoint, int(occurrence)) if timepoint and numbered else None,
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None

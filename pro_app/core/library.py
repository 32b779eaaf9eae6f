"""All instruments and their wordings, loaded and checked once at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pro_app.core.instruments import Instrument, load_instruments
from pro_app.core.study import LANGUAGES, StudyDefinition
from pro_app.core.wording import Wording, load_wordings


@dataclass(frozen=True, slots=True)
class Library:
    """Instruments by code, and wordings by instrument and language."""

    instruments: Mapping[str, Instrument]
    wordings: Mapping[tuple[str, str], Wording]

    def wording(self, instrument: str, language: str) -> Wording | None:
        """The wording of an instrument in exactly this language; never another one instead."""
        return self.wordings.get((instrument, language))

    def offered(self, study: StudyDefinition, instrument: str, language: str) -> Wording | None:
        """The wording in which a study may show an instrument: in one of the study's languages,
        and in a live study a licensed one."""
        found = self.wording(instrument, language) if language in study.languages else None
        if found is None or (study.status == "live" and found.kind != "licensed"):
            return None
        return found

    def withheld(self, study: StudyDefinition) -> frozenset[tuple[str, str]]:
        """The pairs of instrument and language that the study may not show."""
        return frozenset(
            (instrument.code, language)
            for instrument in study.instruments
            for language in LANGUAGES  # also one that an amendment has taken away
            if self.offered(study, instrument.code, language) is None
        )


def load_library(root: Path) -> Library:
    """Everything below `root`. Raises DefinitionError for the first fault."""
    instruments = load_instruments(root)
    wordings = {
        (code, language): wording
        for code, instrument in instruments.items()
        for language, wording in load_wordings(root / code / "wording", instrument).items()
    }
    return Library(instruments, wordings)

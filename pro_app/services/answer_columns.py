"""The columns of the answers export: each item's code, its state, and where and when it was given.

Of a submission the sealed answers are told, else those that stand now. An item's own column has
the value that counts, with the approved corrections; `_original` has the one that was given.
Answers that came after closing or submitting do not stand, and are in no column;
`kept_not_counted` says how many.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.instruments import Instrument
from pro_app.core.wording import Wording
from pro_app.models import Answer, Correction
from pro_app.services import corrected
from pro_app.services.answers import COUNTED, newest_by_item

Line = tuple[str, str, str, str, str]  # column, instrument, meaning, code, label
_STATES = {
    "answered": "an option was chosen",
    "skipped": "left unanswered after confirming",
    "not_applicable": "marked as not applicable",
    "not_reached": "neither answered nor skipped",
}
_DETAILS = {  # column's ending: the table's column, and what it means of an item
    "_language": ("language", "language in which {} was answered"),
    "_mode": ("mode", "where {} was answered: own_phone, site_tablet, paper, interview"),
    "_tapped_at": ("answered_at", "{} was tapped; server clock, from the device's clocks"),
    "_received_at": ("received_at", "the answer to {} was received; server clock"),
    "_device_time": ("device_time", "the device's own clock when {} was tapped"),
    "_skew_ms": ("skew_ms", "device clock minus server clock when {} arrived, milliseconds"),
    "_doubt": ("doubt", "doubt about the moment of {}"),
    "_read_aloud": ("read_aloud", "1 if the device had read {} out"),
}
_DOUBTS = {
    "clock_changed": "the device's clock was set between contact, tap and sending",
    "before_opening": "the device's clock said a time before the opening",
    "skew": "the device's clock was wrong by more than two minutes",
}
_VERSIONS = {  # column's ending: what it means of an item
    "_state": "state of {}",
    "_original": "{} as it was given, before any correction",
    "_original_state": "state of {} as it was given, before any correction",
    "_corrections": "corrections of {} in the order of their decisions, separated by spaces",
}
_KEPT = "kept_not_counted"


def names(instrument: Instrument) -> Iterator[str]:
    """The columns of an instrument, in its items' order."""
    yield _KEPT
    for item in instrument.items:
        yield item.code
        yield from (f"{item.code}{ending}" for ending in _VERSIONS)
        yield from (f"{item.code}{ending}" for ending in _DETAILS)


def cells(
    session: Session,
    instrument: Instrument,
    assessment_id: int,
    sealed: Mapping[str, Any] | None,
    corrections: Sequence[Correction],
) -> dict[str, Any]:
    """The cells of an assessment; `sealed` are the answers of its submission, `corrections` the
    approved ones of it, in order."""
    rows = session.execute(
        sa.select(Answer.__table__).where(Answer.assessment_id == assessment_id).order_by(Answer.id)
    ).mappings()
    found = list(rows)
    standing = {
        item: row for item, row in newest_by_item(found).items() if row["state"] != "cleared"
    }
    given: Mapping[str, Any] = standing if sealed is None else sealed
    counting = given if sealed is None else corrected.answers(sealed, corrections)
    told: dict[str, Any] = {_KEPT: sum(row["standing"] not in COUNTED for row in found)}
    for item in instrument.items:
        for ending, version in (("", counting), ("_original", given)):
            answer = version.get(item.code)
            told[f"{item.code}{ending}"] = None if answer is None else answer["code"]
            state = "not_reached" if answer is None else answer["state"]
            told[f"{item.code}{ending}_state"] = state
        own = [one.public_id for one in corrections if one.field == item.code]
        told[f"{item.code}_corrections"] = " ".join(own)
        row = standing.get(item.code)
        if row is not None:
            for ending, (column, _meaning) in _DETAILS.items():
                value = row[column]
                told[f"{item.code}{ending}"] = int(value) if isinstance(value, bool) else value
    return told


def lines(instrument: Instrument, wording: Wording | None) -> Iterator[Line]:
    """The codebook's lines of an instrument's columns."""
    yield (_KEPT, "", "answers kept on the record that came too late to count", "", "")
    for item in instrument.items:
        text = item.topic if wording is None else wording.items[item.code]
        if wording is not None and wording.kind == "demonstration":
            text = f"{text} [demonstration wording, not the validated instrument]"
        yield (item.code, instrument.code, text, "", "")
        for code in item.options.codes:
            label = "" if wording is None else wording.options[item.options.code][code]
            yield (item.code, instrument.code, text, str(code), label)
        for ending, meaning in _VERSIONS.items():
            column, meant = f"{item.code}{ending}", meaning.format(item.code)
            states = _STATES if ending.endswith("_state") else {"": ""}
            for known, label in states.items():
                yield (column, instrument.code, meant, known, label)
        for ending, (_column, meaning) in _DETAILS.items():
            column, meant = f"{item.code}{ending}", meaning.format(item.code)
            codes = _DOUBTS if ending == "_doubt" else {"": ""}
            for known, label in codes.items():
                yield (column, instrument.code, meant, known, label)

"""The pages of a site's copy: read with any browser, without a network, without a script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask import render_template
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from pro_app.config import ROOT
from pro_app.core.assessment import Status
from pro_app.services import checkpoints, participants, site_copy, site_copy_people, trail
from pro_app.services.site_copy import Copy
from pro_app.services.site_copy_people import Person
from pro_app.services.trail import Search
from pro_app.web import locale, staff_words
from pro_app.web.staff_words import Words
from pro_app.web.trail import table_values

STYLES = ("look.css", "staff.css")
TABLES: Words = {
    "assessments": _l("Questionnaires: when they were open, and what became of them"),
    "answers": _l("Answers that count now, a line a questionnaire"),
    "answers_long": _l("Answers, as given and as corrected, a line an item"),
    "scores": _l("Scores that count now, a line a questionnaire"),
    "scores_long": _l("Scores, as first computed and after corrections, a line a scale"),
    "corrections": _l("Corrections, with reasons, decisions and signatures"),
}
OUTCOMES: Words = {
    "requested": _l("waits for a decision"),
    "approved": _l("approved"),
    "rejected": _l("rejected"),
    "retracted": _l("taken back"),
}
DONE = (Status.COMPLETED, Status.COMPLETED_LATE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A participant as the first page lists them: the file, and how many are done of how many."""

    number: str
    language: str
    standing: str | None
    file: str
    done: int
    planned: int
    is_test: bool


def pages(session: Session, copy: Copy, maker: str) -> Iterator[tuple[str, str]]:
    """Every page, and the styles, by the name of its file; `maker` is who asked for the copy."""
    entries = []
    for person in site_copy_people.people(session, copy):
        entry = _entry(person, copy)
        entries.append(entry)
        yield entry.file, _person_page(session, copy, person, entry.is_test)
    first = render_template(
        "copy/file_index.html",
        copy=copy,
        maker=maker,
        people=[one for one in entries if not one.is_test],
        tests=[one for one in entries if one.is_test],
        apart=f"{site_copy.APART}/",
        tables=site_copy.TABLES,
        wordings=[(one, site_copy.wording_name(one)) for one in copy.wordings()],
        newest=checkpoints.newest(session),
        up="",
        **_shared(copy),
    )
    yield "index.html", first
    for name in STYLES:
        yield f"style/{name}", (ROOT / "static" / "css" / name).read_text(encoding="utf-8")


def _entry(person: Person, copy: Copy) -> Entry:
    participant = person.participant
    is_test = participant.is_test and copy.study.is_live
    folder = f"{site_copy.APART}/people" if is_test else "people"
    return Entry(
        number=participant.number,
        language=participant.language,
        standing=participants.standing(participant, copy.now),
        file=f"{folder}/{_safe(participant.number)}_{participant.id}.html",
        done=sum(one.status in DONE for one in person.sheets),
        planned=len(person.sheets),
        is_test=is_test,
    )


def _safe(number: str) -> str:
    """A study number as any system takes it for a file's name."""
    return re.sub(r"[^A-Za-z0-9-]", "_", number)


def _person_page(session: Session, copy: Copy, person: Person, is_test: bool) -> str:
    zone = copy.study.definition.zone
    lines = trail.participant_lines(session, person.participant.id, zone, Search(), answers=True)
    known = [one.known for one in person.sheets]
    return render_template(
        "copy/file_person.html",
        person=person,
        lines=lines,
        up="../../" if is_test else "../",
        is_test=is_test,
        **_shared(copy),
        **table_values(known, copy.study, copy.library, copy.language),
    )


def _shared(copy: Copy) -> dict[str, Any]:
    kinds = {
        one.code: "" if wording is None else wording.kind
        for one in copy.study.instruments
        for wording in [copy.study.wordings.reading(one.code, copy.language, copy.now)]
    }
    return {
        "site": copy.site,
        "made_at": copy.now,
        "words": staff_words,
        "table_names": TABLES,
        "outcomes": OUTCOMES,
        "language_names": locale.NAMES,
        "instruments": {code: one.name for code, one in copy.library.instruments.items()},
        "demonstrations": {code for code, kind in kinds.items() if kind == "demonstration"},
    }

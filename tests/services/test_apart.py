"""Test participants of a live study are in no count, list, table, picture or file of its people,
and those of a reading of the tests have nobody else."""

from __future__ import annotations

import dataclasses
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.definition import DefinitionError
from pro_app.core.library import Library
from pro_app.export.table import Table
from pro_app.models import Correction, Database, Participant
from pro_app.services import (
    alert_load,
    answer_alerts,
    board,
    completion,
    correction_lists,
    export_formats,
    export_source,
    exports,
    participants,
    picture_data,
    rates,
    reachability,
    studies,
    table_pages,
    tables,
    to_enter,
    trail,
)
from pro_app.services.exports import Surroundings, Wanted
from pro_app.services.studies import CurrentStudy
from pro_app.services.tables import Request
from pro_app.services.trail import Search
from tests.conftest import Enrolled, TestClock
from tests.services.apart import REAL, TEST, Apart, live_through
from tests.services.exporting import ADDRESS, untranslated
from tests.services.trial import Trial, trial_content
from tests.services.watching import EVERYTHING

# what differs between two studies whose people have lived through the same
OWN = re.compile(
    r"id$|_by$|corrections?$|^(assessment|receipt|signature|stream|hash|seq|key|study|message|"
    r"detail|requester|signer|sheet|staff|first|object|digest)$"
)
NAMED = re.compile(r"\b(mixed|alone)\b")


@pytest.fixture
def apart(database: Database, library: Library, clock: TestClock) -> Apart:
    return live_through(database, library, clock)


def plain(found: Any) -> Any:
    """A reading as values that can be compared, without what is each study's own."""
    if isinstance(found, Enum):
        return found.value
    if isinstance(found, Correction):
        return found.field, found.old, found.new, found.submission.assessment.participant.number
    if dataclasses.is_dataclass(found) and not isinstance(found, type):
        return {
            one.name: plain(getattr(found, one.name))
            for one in dataclasses.fields(found)
            if not OWN.search(one.name)
        }
    if isinstance(found, dict):
        return {
            str(plain(key)): plain(one) for key, one in found.items() if not OWN.search(str(key))
        }
    if isinstance(found, pl.DataFrame):
        return [plain(row) for row in found.to_dicts()]
    if isinstance(found, str | bytes):
        return found
    if isinstance(found, list | tuple | Iterator):
        return [plain(one) for one in found]
    return found


def request(trial: Trial, study: CurrentStudy, **parts: Any) -> Request:
    return Request(study, trial.library, "en", trial.clock(), **parts)


def rows(table: Table) -> list[Any]:
    return [plain(row) for frame in table.frames() for row in frame.to_dicts()]


def frames_of(session: Session, trial: Trial, study: CurrentStudy) -> Any:
    """All that pictures are computed from."""
    found = picture_data.find(
        trial.database, trial.library, study, Path("none"), None, trial.clock()
    )
    assert found is not None
    told = {code: plain(one.collect()) for code, one in found.frames.rows.items()}
    return told, plain(found.frames.people)


Reading = Callable[[Session, Trial, CurrentStudy], Any]
LISTS: dict[str, Reading] = {
    "numbers": lambda s, t, study: participants.numbers(s, study, None),
    "count": lambda s, t, study: participants.count(s, study, None),
    "counts of sites": lambda s, t, study: participants.counts(s, study, None),
    "lines": lambda s, t, study: list(participants.lines(s, study, t.clock())),
    "board": lambda s, t, study: board.board(s, study, None, t.clock()),
    "people to help": lambda s, t, study: board.counted_people(s, study, None, t.clock()),
    "unused codes": lambda s, t, study: board.unused_codes(s, study, None, t.clock()),
    "wishes for a code": lambda s, t, study: board.requested_codes(s, study, None),
    "calls": lambda s, t, study: reachability.calls(s, study, t.clock()),
    "matrix": lambda s, t, study: completion.matrix(s, study, None, t.clock()),
    "search": lambda s, t, study: completion.matrix(s, study, None, t.clock(), "01"),
    "rates": lambda s, t, study: rates.rates(s, study, None, t.clock()),
    "progress": lambda s, t, study: rates.progress(s, study, None, t.clock()),
    "alerts": lambda s, t, study: answer_alerts.listed(s, study, t.library, EVERYTHING),
    "alerts that wait": lambda s, t, study: answer_alerts.waiting(s, study, EVERYTHING),
    "load of alerts": lambda s, t, study: alert_load.estimate(
        s, study, t.library, study.definition
    ),
    "sheets to check": lambda s, t, study: to_enter.to_check(s, study, None),
    "count of sheets": lambda s, t, study: to_enter.count_to_check(s, study, None, 0),
    "open corrections": lambda s, t, study: correction_lists.open_requests(s, study),
    "decided corrections": lambda s, t, study: correction_lists.decided(s, study, None, 9),
    "pictures": frames_of,
}


def table_of(name: str) -> Reading:
    return lambda s, t, study: rows(tables.table(s, name, request(t, study)))


def pages_of(name: str) -> Reading:
    return lambda s, t, study: rows(table_pages.gradually(s, name, request(t, study)))


READINGS: dict[str, Reading] = {
    **LISTS,
    **{f"table {name}": table_of(name) for name in tables.NAMES},
    **{f"pages of {name}": pages_of(name) for name in tables.NAMES},
    **{
        f"{name} by days": lambda s, t, study, name=name: rows(  # type: ignore[misc]
            tables.table(s, name, request(t, study, days_from="enrolment"))
        )
        for name in tables.NAMES
        if name != "audit"
    },
}


def read(trial: Trial, study: CurrentStudy, reading: Reading) -> str:
    """A reading, in which the studies' names are the same."""
    with trial.database.snapshot() as session:
        return NAMED.sub("study", repr(plain(reading(session, trial, study))))


def test_every_reading_has_the_person_alone_or_the_test_alone(
    apart: Apart, subtests: pytest.Subtests
) -> None:
    """What is read of the study with a test participant is what is read of one without; and of the
    tests alone the very same of the other number."""
    mixed, study = apart.mixed, apart.mixed.study
    for name, reading in READINGS.items():
        with subtests.test(name):
            expected = read(apart.alone, apart.alone.study, reading)
            assert REAL in expected or re.search(r"\b[1-9]", expected), "it tells of somebody"
            of_people = read(mixed, study, reading)
            assert TEST not in of_people
            if "audit" not in name:  # the hash and the times of writing are each stream's own
                assert of_people == expected
            of_tests = read(mixed, study.of_tests(), reading)
            assert REAL not in of_tests
            if "audit" not in name and "participants" not in name and name != "lines":
                assert of_tests.replace(TEST, REAL) == expected


def test_a_study_that_is_not_live_has_test_participants_only(
    trial: Trial, subtests: pytest.Subtests
) -> None:
    for number in ("01-001", "01-002"):
        person = trial.enrol(number)
        assert trial.row(person).is_test
    with trial.database.reading() as session:
        for study in (trial.study, trial.study.of_tests()):
            assert participants.count(session, study, None) == 2


def test_the_trail_of_the_study_and_of_one_person(apart: Apart) -> None:
    """Who has read a test participant's record is found by the number alone."""
    with apart.mixed.database.reading() as session:
        for study, number, other in (
            (apart.mixed.study, REAL, TEST),
            (apart.mixed.study.of_tests(), TEST, REAL),
        ):
            found = trail.study_lines(session, study, None, "", Search())
            assert other not in {one.number for one in found}
            assert any(trail.study_lines(session, study, None, number, Search()))
            assert any(trail.study_lines(session, study, None, other, Search()))


# --- files --------------------------------------------------------------------------------------

FORMS = [
    *((what, form) for what in export_formats.TABLES for form in export_formats.FORMATS),
    *((what, form) for what, forms in export_formats.PACKAGES.items() for form in forms),
]


def unpacked(data: bytes) -> bytes:
    """The bytes of a file, or of all files in it."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return b"\n".join(unpacked(packed.read(name)) for name in packed.namelist())


def test_every_file_has_the_person_alone_or_the_test_alone(
    apart: Apart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """And that of the tests says so, in its name and inside."""
    trial, seen = apart.mixed, set[str]()
    real = tables.table

    def watching(session: Session, name: str, asked: Request) -> Table:
        made = real(session, name, asked)

        def frames() -> Iterator[pl.DataFrame]:
            for frame in made.frames():
                seen.update(frame["participant"])
                yield frame

        return dataclasses.replace(made, frames=frames)

    monkeypatch.setattr(export_source.tables, "table", watching)
    around = Surroundings(trial.study, trial.library, untranslated, trial.clock(), ADDRESS)
    for what, form in FORMS:
        for tests, number in ((False, REAL), (True, TEST)):
            with subtests.test(what, form=form, tests=tests):
                folder = tmp_path / what / form / number
                folder.mkdir(parents=True)
                seen.clear()
                wanted = Wanted(what, form, "en", tests=tests)
                with trial.database.snapshot() as session:
                    made = exports.make(session, around, wanted, folder, lambda *_: None)
                assert seen == {number}
                assert made.name.startswith(f"mixed-{what}{'-test' if tests else ''}.")
                inside = unpacked(made.path.read_bytes())
                assert (b"Test participants" in inside) is tests


def test_what_a_job_asks_for_is_what_it_is_told_as() -> None:
    wanted = Wanted("answers", "csv", "en", tests=True)
    assert wanted.told() == {"tests": "only"}
    assert exports.wanted("answers", "csv", "en", wanted.filters()) == wanted


def test_kept_columns_of_pictures_are_apart(
    apart: Apart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_data, "SMALL", 0)
    trial, study = apart.mixed, apart.mixed.study
    for one, number in ((study, REAL), (study.of_tests(), TEST)):
        look = (trial.database, trial.library, one, tmp_path, None, trial.clock())
        assert picture_data.find(*look) is None
        assert picture_data.make_wanted(trial.database, trial.library, tmp_path, trial.clock()) == 1
        found = picture_data.find(*look)
        assert found is not None
        assert found.fresh
        assert found.frames.people["participant"].to_list() == [number]


def test_columns_of_before_a_study_went_live_are_not_shown(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_data, "SMALL", -1)
    trial.enrol()

    def find() -> picture_data.Source | None:
        return picture_data.find(
            trial.database, trial.library, trial.study, tmp_path, None, trial.clock()
        )

    assert find() is None
    picture_data.make_wanted(trial.database, trial.library, tmp_path, trial.clock())
    assert find() is not None
    trial.amend(lambda content: content.update(status="live"))
    assert find() is None


# --- what stays as it is ------------------------------------------------------------------------


def test_nobody_becomes_a_test_or_a_person_later(apart: Apart) -> None:
    """Whoever writes to the table: a trigger refuses it."""
    for number, is_test in ((REAL, True), (TEST, False)):
        change = sa.update(Participant).where(
            Participant.study_id == apart.mixed.study.id, Participant.number == number
        )
        with (
            pytest.raises(sa.exc.DBAPIError, match="is said at enrolment"),
            apart.mixed.database.writing() as session,
        ):
            session.execute(change.values(is_test=is_test))


def test_the_trail_says_who_is_a_test(apart: Apart) -> None:
    with apart.mixed.database.reading() as session:
        for number, is_test in ((REAL, False), (TEST, True)):
            row = participants.find(session, apart.mixed.study.id, number)
            assert row is not None
            entry = apart.mixed.entries(Enrolled(row.id, number, "en", ""), "enrol")[0]
            assert entry.detail["test"] is is_test


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("live", "test", "a live study stays live"),
        ("live", "demonstration", "a live study stays live"),
        ("demonstration", "test", "made-up participants"),
        ("demonstration", "live", "made-up participants"),
    ],
)
def test_a_status_that_would_mix_people_is_refused(
    database: Database, library: Library, clock: TestClock, before: str, after: str, reason: str
) -> None:
    trial = Trial(database, library, _loaded(database, library, clock, before), clock, {})
    if before == "demonstration":
        trial.enrol()
    with (
        pytest.raises(DefinitionError, match=reason),
        database.writing() as session,
    ):
        studies.load(session, library, _content(library, after), clock())
    with database.reading() as session:
        assert studies.current(session, library, trial.study.id).definition.status == before


def test_a_demonstration_without_anybody_may_become_a_study(
    database: Database, library: Library, clock: TestClock
) -> None:
    for status in ("demonstration", "test", "demonstration", "live"):
        assert _loaded(database, library, clock, status).definition.status == status


def _content(library: Library, status: str) -> dict[str, Any]:
    return trial_content(library) | {"status": status}


def _loaded(database: Database, library: Library, clock: TestClock, status: str) -> CurrentStudy:
    with database.writing() as session:
        return studies.load(session, library, _content(library, status), clock())


def test_a_site_is_not_looked_for_through_the_whole_study(apart: Apart) -> None:
    """SQLite takes the index that matches more columns, unless it is kept from it."""
    study = apart.mixed.study
    with apart.mixed.database.reading() as session:
        bind = session.get_bind()
        if bind.dialect.name != "sqlite":
            return  # PostgreSQL decides by what it knows of the table
        for sites, index in ((frozenset({1}), "ix_participant_site_id"),
                             (None, "ix_participant_counted")):  # fmt: skip
            asked = sa.select(sa.func.count()).select_from(Participant)
            asked = asked.where(participants.among(study, sites))
            text = str(asked.compile(bind, compile_kwargs={"literal_binds": True}))
            plan = session.execute(sa.text(f"EXPLAIN QUERY PLAN {text}")).all()
            assert index in str(plan)

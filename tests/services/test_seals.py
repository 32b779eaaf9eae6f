"""What an assessment says of its submission: written with it, compared with it, and mended."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import sqlalchemy as sa

from pro_app.models import Assessment
from pro_app.services import seals
from pro_app.services.seals import Fault
from tests.conftest import Run
from tests.services.trial import Trial, local


def says(trial: Trial) -> dict[str, bool | None]:
    """What the two assessments of the baseline say, by instrument."""
    with trial.database.reading() as session:
        rows = sa.select(Assessment.instrument, Assessment.sealed_late)
        rows = rows.where(Assessment.timepoint == "baseline")
        return {row[0]: row[1] for row in session.execute(rows)}


def test_a_submission_is_told_beside_the_window(trial: Trial) -> None:
    person = trial.enrol()
    assert says(trial) == {"lupusqol": None, "sf36v1": None}
    trial.complete(person, "baseline", "lupusqol")
    trial.clock.now = local(2026, 12, 6, 22, 59)
    trial.begin(person, "baseline", "sf36v1")
    trial.clock.forward(minutes=2)
    trial.complete(person, "baseline", "sf36v1")
    assert says(trial) == {"lupusqol": False, "sf36v1": True}
    with trial.database.reading() as session:
        assert list(seals.faults(session)) == []


def test_what_differs_is_named_and_mended(trial: Trial) -> None:
    done, open_ = trial.enrol("01-001"), trial.enrol("01-002")
    trial.complete(done, "baseline", "lupusqol")
    sealed = trial.assessments(done)["baseline", 1, "lupusqol"]
    other = trial.assessments(open_)["baseline", 1, "sf36v1"]
    with trial.database.writing() as session:
        for key, late in ((sealed.id, None), (other.id, True)):
            session.execute(
                sa.update(Assessment).where(Assessment.id == key).values(sealed_late=late)
            )
    with trial.database.reading() as session:
        assert list(seals.faults(session)) == [
            Fault(sealed.public_id, None, False),
            Fault(other.public_id, True, None),
        ]
    with trial.database.writing() as session:
        assert seals.mend(session) == 2
        assert list(seals.faults(session)) == []
        assert seals.mend(session) == 0
    with trial.database.reading() as session:
        assert session.get_one(Assessment, sealed.id).sealed_late is False
        assert session.get_one(Assessment, other.id).sealed_late is None


def test_the_command_names_and_mends(run: Run, sqlite_url: str) -> None:
    assert "what is kept twice says the same" in run("db recheck").output
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as bare:
        bare.execute(BARE)  # without its participant: the database looks at keys only when told
        bare.commit()
    told = run("db recheck", code=1).output
    assert "assessment a says True, its submission None" in told
    assert run("db recheck --mend").output == "1 mended\n"
    assert "what is kept twice says the same" in run("db recheck").output


BARE = """
INSERT INTO assessment (public_id, participant_id, timepoint, occurrence, instrument, place,
    opens_at, due_at, closes_at, created_at, scheduled, sealed_late)
VALUES ('a', 1, 't', 1, 'i', 1, '2026-01-01', '2026-01-01', '2026-01-02', '2026-01-01', 1, 1)
"""

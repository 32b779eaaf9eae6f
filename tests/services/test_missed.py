"""Why something was missed: recorded by the site, replaced by a later reason, exported."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from pro_app.models import Assessment
from pro_app.services import missed
from pro_app.services.missed import MissedError
from tests.conftest import Enrolled
from tests.services.people import staff
from tests.services.table_rows import rows
from tests.services.trial import Trial

MYKAD = "900101-14-5678"


@pytest.fixture
def lost(trial: Trial) -> tuple[Enrolled, Assessment]:
    """Somebody whose first questionnaires closed unanswered."""
    person = trial.enrol()
    trial.clock.forward(days=20)
    return person, trial.assessments(person)["baseline", 1, "lupusqol"]


def record(
    trial: Trial, one: tuple[Enrolled, Assessment], code: str, text: str = "", by: int | None = None
) -> None:
    with trial.database.writing() as session:
        missed.record(
            session, trial.study, one[0].id, one[1].public_id, code, text, by, trial.clock()
        )


def exported(trial: Trial) -> dict[str, tuple[str, str | None, str | None]]:
    """Of the start's questionnaires: status, reason and code."""
    return {
        row["instrument"]: (row["status"], row["missed_reason"], row["missed_code"])
        for row in rows(trial, "assessments", timepoints=frozenset({"baseline"}))
    }


def test_the_newest_reason_counts_and_all_stay(
    trial: Trial, lost: tuple[Enrolled, Assessment]
) -> None:
    (ana,) = staff(trial.database, "ana")
    assert exported(trial)["lupusqol"] == ("missed", "not_started", None)
    record(trial, lost, "not_reached")
    record(trial, lost, "too_ill", " in hospital ", ana)
    assert exported(trial) == {
        "lupusqol": ("missed", "not_started", "too_ill"),
        "sf36v1": ("missed", "not_started", None),
    }
    with trial.database.reading() as session:
        history = missed.history(session, lost[0].id)
        assert missed.newest(session, [lost[1].id])[lost[1].id].code == "too_ill"
    assert [(row.code, row.text, row.staff_id) for row in history] == [
        ("not_reached", "", None), ("too_ill", "in hospital", ana),
    ]  # fmt: skip
    told = trial.entries(lost[0], "record_missed_reason")
    assert [(one.actor, one.old, one.new, one.detail) for one in told] == [
        ("site", None, "not_reached", {}),
        (f"staff/{ana}", "not_reached", "too_ill", {"text": "in hospital"}),
    ]
    assert trial.faults() == []


@pytest.mark.parametrize(
    ("code", "text", "reason"),
    [
        ("lazy", "", "must be one of too_ill, refused"),
        ("other", " ", "another reason needs a text"),
        ("other", f"of {MYKAD}", "national identity"),
        ("other", "x" * 501, "more than 500"),
    ],
)
def test_a_reason_that_cannot_be(
    trial: Trial, lost: tuple[Enrolled, Assessment], code: str, text: str, reason: str
) -> None:
    with pytest.raises(MissedError, match=reason):
        record(trial, lost, code, text)
    assert trial.entries(lost[0], "record_missed_reason") == []


def test_only_what_was_missed_has_a_reason(trial: Trial, lost: tuple[Enrolled, Assessment]) -> None:
    other = trial.enrol("01-002")
    soon = trial.assessments(other)["baseline", 1, "lupusqol"]
    with pytest.raises(MissedError, match="not missed: it is open"):
        record(trial, (other, soon), "refused")
    with pytest.raises(MissedError, match="no such questionnaire"):
        record(trial, (other, lost[1]), "refused")
    trial.complete(other, "baseline")
    with pytest.raises(MissedError, match="not missed: it is completed"):
        record(trial, (other, soon), "refused")


def test_the_reason_is_not_told_of_what_is_no_longer_missed(
    trial: Trial, lost: tuple[Enrolled, Assessment]
) -> None:
    """The window was moved after all."""
    record(trial, lost, "technical")
    with trial.database.writing() as session:
        later = trial.clock() + (lost[1].closes_at - lost[1].opens_at)
        session.execute(sa.update(Assessment).values(closes_at=later))
    assert exported(trial)["lupusqol"] == ("open", None, None)

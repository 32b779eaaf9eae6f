"""Enrolling by a file: every fault named, nobody enrolled by halves, and a trail for each."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from pro_app.core.assessment import Status
from pro_app.core.file_table import HIDDEN
from pro_app.core.schedule import Window
from pro_app.models import AuditEntry, Participant, Site
from pro_app.services import assessments, audit, enrolment_file, participants, reach, schedule
from pro_app.services.enrolment_file import Checked, FileRefused
from pro_app.services.studies import CurrentStudy
from pro_app.services.vault import Vault
from tests.conftest import KEY, Enrolled, snapshot
from tests.services.trial import Trial, office

HEADER = "number,site,language,consent_version,consent_on"
GOOD = "01-001,01,ms,1.2,2026-11-20"
MYKAD = "900101-14-5678"
WHO = "staff/7"


def file(*lines: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *lines, ""]).encode()


def check(trial: Trial, data: bytes, sites: set[str] | None = None) -> Checked:
    with trial.database.reading() as session:
        return enrolment_file.check(session, trial.study, data, trial.clock(), sites)


def enrol(trial: Trial, data: bytes, actor: str = WHO) -> int:
    vault = Vault(KEY)
    return enrolment_file.enrol(trial.database, trial.study, vault, data, trial.clock(), actor)


def found(trial: Trial, number: str) -> Enrolled:
    with trial.database.reading() as session:
        row = participants.find(session, trial.study.id, number)
        assert row is not None
        return Enrolled(row.id, row.number, row.language, "")


FULL = f"{HEADER},infusion,enrolment,email"


def test_everybody_is_enrolled_as_by_hand(trial: Trial) -> None:
    data = file(
        "01-001,01,ms,1.2,2026-11-20,,,",
        "02-002,02,ta,1.3,2026-05-01,2026-05-20,2026-05-02,someone@example.org",
        header=FULL,
    )
    assert enrol(trial, data) == 2
    one, two = found(trial, "01-001"), found(trial, "02-002")
    by_hand = trial.enrol("01-003")
    assert trial.windows(one) == trial.windows(by_hand)
    assert {state for state, _ in trial.statuses(one).values()} == {Status.OPEN}
    told = trial.statuses(two)
    assert told["baseline", 1, "lupusqol"] == (Status.MISSED, "not_offered")
    assert told["day_28", 1, "lupusqol"] == (Status.MISSED, "not_offered")
    assert told["month_6", 1, "sf36v1"][0] is Status.OPEN  # open until 4 December
    row = trial.row(two)
    assert (row.language, row.consent_version, row.consent_on) == ("ta", "1.3", date(2026, 5, 1))
    with trial.database.reading() as session:
        assert session.get_one(Site, row.site_id).code == "02"
        assert reach.email_of(session, office(trial), two.id) == "someone@example.org"
        assert not reach.has_email(session, one.id)
    assert [(entry.action, entry.actor) for entry in trial.entries(two)] == [
        ("enrol", WHO), ("set_anchor", WHO), ("set_email", WHO), ("schedule", "system"),
    ]  # fmt: skip
    assert trial.entries(one)[0].detail == {
        "number": "01-001", "language": "ms", "enrolment": "2026-11-23",
        "consent": "1.2 of 2026-11-20", "test": True,
    }  # fmt: skip
    with trial.database.reading() as session:
        stream = audit.study_stream(trial.study.id)
        last = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.stream == stream).order_by(AuditEntry.seq)
        ).all()[-1]
    assert (last.action, last.actor, last.new) == ("enrol_file", WHO, "2")
    assert trial.faults() == []


def test_reminders_are_the_planners(trial: Trial) -> None:
    enrol(trial, file(GOOD))
    person = found(trial, "01-001")
    assert trial.reminders(person) == []
    by_hand = trial.enrol("01-002")
    trial.plan()
    assert [(one.step, one.due_at) for one in trial.reminders(person)] == [
        (one.step, one.due_at) for one in trial.reminders(by_hand)
    ]
    assert trial.reminders(person)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (",01,ms,1,2026-11-20", "line 2, number: is missing"),
        ("01-001,,ms,1,2026-11-20", "line 2, site: is missing"),
        ("01-001,01,,1,2026-11-20", "line 2, language: is missing"),
        ("01-001,01,ms,,2026-11-20", "line 2, consent_version: is missing"),
        ("01-001,01,ms,1,", "line 2, consent_on: is missing"),
        ("1-1,01,ms,1,2026-11-20", r"'1-1': the study number does not fit the pattern \d{2}"),
        ("01-009,01,ms,1,2026-11-20", "line 2, number '01-009': is taken in the study"),
        ("01-001,07,ms,1,2026-11-20", "site '07': the study has no such site; it has 01, 02"),
        ("01-001,01,fr,1,2026-11-20", "language 'fr': the study has no such language; it has ms"),
        ("01-001,01,ms,1,2026-02-30", "consent_on '2026-02-30': is no day like 2026-11-22"),
        ("01-001,01,ms,1,20/11/2026", "consent_on '20/11/2026': is no day"),
        ("01-001,01,ms,1,٢٠٢٦-11-20", "is no day"),
        ("01-001,01,ms,1,0026-11-20", "is no day"),
        ("01-001,01,ms,1,2026-11-24", "consent_on '2026-11-24': lies in the future"),
        (f"01-001,01,ms,{'v' * 41},2026-11-20", "1 to 40 characters"),
        (f"01-001,01,ms,{MYKAD},2026-11-20", f"consent_version '{HIDDEN}': has the shape of a nat"),
        (f"{MYKAD},01,ms,1,2026-11-20", f"number '{HIDDEN}': has the shape of a national identity"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place(trial: Trial, line: str, fault: str) -> None:
    trial.enrol("01-009")
    before = snapshot(trial.database)
    checked = check(trial, file(line))
    assert len(checked.faults) == 1
    assert fault in str(checked.faults[0])
    assert MYKAD not in str(checked.faults[0])
    with pytest.raises(FileRefused) as refused:
        enrol(trial, file("01-002,01,ms,1,2026-11-20", line))
    assert [one._replace(line=2) for one in refused.value.faults] == list(checked.faults)
    assert snapshot(trial.database) == before


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        ("2026-13-01,,", "infusion '2026-13-01': is no day"),
        ("2026-11-24,,", "infusion '2026-11-24': lies in the future"),
        (",2027-01-01,", "enrolment '2027-01-01': lies in the future"),
        (",,nobody", "email 'nobody': is no e-mail address"),
        (f",,a{MYKAD}@example.org", f"email '{HIDDEN}': has the shape"),
    ],
)
def test_a_fault_of_what_need_not_be_there(trial: Trial, cells: str, fault: str) -> None:
    checked = check(trial, file(f"{GOOD},{cells}", header=FULL))
    assert len(checked.faults) == 1
    assert fault in str(checked.faults[0])


def test_all_faults_are_named_at_once_in_their_order(trial: Trial) -> None:
    data = file(
        GOOD,
        "1,07,fr,1,2026-11-99",
        "01-002,01",
        "01-001,01,ms,1,2026-11-20",
        GOOD.replace("01-001", "01-003"),
        header=HEADER.replace("consent_version", "version"),
    )
    told = [(one.line, one.column) for one in check(trial, data).faults]
    assert told == [(1, None), (1, "consent_version"), (3 + 1, None)]
    told = [
        (one.line, one.column)
        for one in check(trial, data.replace(b"version", b"consent_version", 1)).faults
    ]
    assert told == [
        (3, "number"), (3, "site"), (3, "language"), (3, "consent_on"), (4, None), (5, "number"),
    ]  # fmt: skip
    twice = check(trial, data.replace(b"version", b"consent_version", 1)).faults[-1]
    assert twice.reason == "is there twice, first in line 2"


def test_a_national_identity_number_is_found_in_any_column(trial: Trial) -> None:
    checked = check(trial, file(f"{GOOD},{MYKAD}", header=f"{HEADER},remark"))
    told = [str(one) for one in checked.faults]
    assert told[0].startswith("line 1 'remark': is no column")
    assert told[1] == f"line 2, remark '{HIDDEN}': has the shape of a national identity number"


def test_a_site_enrols_its_own_people(trial: Trial) -> None:
    data = file(GOOD, "02-001,02,ms,1,2026-11-20")
    told = [str(one) for one in check(trial, data, {"01"}).faults]
    assert told == ["line 3, site '02': is not a site of yours"]
    assert len(check(trial, data).entrants) == 2


def test_more_than_one_handful(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolment_file, "CHUNK", 3)
    lines = [f"01-{n:03},01,en,1,2026-11-20" for n in range(1, 9)]
    assert enrol(trial, file(*lines)) == 8
    with trial.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Participant)) == 8
    with pytest.raises(FileRefused) as refused:
        enrol(trial, file(*lines, "01-009,01,en,1,2026-11-20"))
    assert len(refused.value.faults) == 8
    assert trial.faults() == []


def test_who_was_faster_is_told(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody enrols the same number between the check and the writing."""
    trial.enrol("01-001")
    monkeypatch.setattr(enrolment_file, "_taken", lambda *_: set())
    before = snapshot(trial.database)
    with pytest.raises(FileRefused) as refused:
        enrol(trial, file("01-002,01,ms,1,2026-11-20", GOOD))
    assert "enrolled meanwhile" in str(refused.value.faults[0])
    assert snapshot(trial.database) == before


def test_the_planner_places_whom_the_enrolling_process_did_not_come_to(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies after the people are there: all are enrolled, and the calendar follows alike."""
    monkeypatch.setattr(enrolment_file, "CHUNK", 2)
    lines = [f"01-{n:03},01,en,1,2026-05-01,2026-05-20,2026-05-02," for n in range(1, 6)]
    entered, calls = schedule.enter, []

    def dies(session: Session, study: CurrentStudy, ids: list[int], now: datetime) -> None:
        calls.append(len(ids))
        if len(calls) == 2:
            raise KeyboardInterrupt
        entered(session, study, ids, now)

    monkeypatch.setattr(schedule, "enter", dies)
    with pytest.raises(KeyboardInterrupt):
        enrol(trial, file(*lines, header=FULL))
    monkeypatch.undo()
    people = [found(trial, f"01-{n:03}") for n in range(1, 6)]
    assert [bool(trial.assessments(one)) for one in people] == [True, True, False, False, False]
    trial.infuse(people[4], date(2026, 5, 20))
    trial.plan()
    told = [trial.statuses(one) for one in people]
    assert told[0]["baseline", 1, "lupusqol"] == (Status.MISSED, "not_offered")
    assert all(one == told[0] for one in told)
    assert len({tuple(sorted(trial.windows(one).items())) for one in people}) == 1
    assert trial.faults() == []


def test_a_visit_opened_by_hand_takes_nothing_from_whom_the_file_has_not_placed(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has one visit is taken for placed: the calendar's own must be there before it."""

    def dies(session: Session, study: CurrentStudy, ids: list[int], now: datetime) -> None:
        raise KeyboardInterrupt

    lines = [f"01-{n:03},01,en,1,2026-05-01,2026-05-20,2026-05-02," for n in (1, 2)]
    monkeypatch.setattr(schedule, "enter", dies)
    with pytest.raises(KeyboardInterrupt):
        enrol(trial, file(*lines, header=FULL))
    monkeypatch.undo()
    opened, other = found(trial, "01-001"), found(trial, "01-002")
    assert trial.assessments(opened) == {}
    now = trial.clock()
    window = Window(now, now, now + timedelta(days=2))
    with trial.database.writing() as session:
        assessments.open_timepoint(session, trial.study, opened.id, "unscheduled", window, now)
    trial.plan()
    told = trial.statuses(opened)
    by_hand = {key for key in told if key[0] == "unscheduled"}
    assert {told[key][0] for key in by_hand} == {Status.OPEN}
    assert {key: value for key, value in told.items() if key not in by_hand} == trial.statuses(
        other
    )
    assert told["baseline", 1, "lupusqol"] == (Status.MISSED, "not_offered")
    assert trial.faults() == []


cells = st.one_of(
    st.sampled_from(["", "01", "01-001", "ms", "2026-11-20", "2026-02-30", MYKAD, '"', "a@b.co"]),
    st.text(max_size=8),
)


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60
)
@given(st.lists(st.lists(cells, min_size=5, max_size=6).map(",".join), min_size=1, max_size=4))
def test_no_text_raises_anything_but_the_named_faults(trial: Trial, lines: list[str]) -> None:
    checked = check(trial, "\n".join([HEADER, *lines]).encode("utf-8", "surrogatepass"))
    assert bool(checked.entrants) != bool(checked.faults)
    assert MYKAD not in " ".join(map(str, checked.faults))

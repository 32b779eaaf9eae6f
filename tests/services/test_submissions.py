"""Submitting: sealed and scored once, whole or not at all, whatever fails and whoever hurries."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Barrier
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa

from pro_app.config import ROOT
from pro_app.core.scoring import score
from pro_app.models import Assessment, AuditEntry, Database, Score, Submission
from pro_app.services import answers, assessments, audit, enrolment, submissions
from tests.conftest import MORNING, Site, snapshot

MINUTE = timedelta(minutes=1)
Result = TypeVar("Result")


@pytest.fixture
def filled(site: Site) -> Assessment:
    """An SF-36 with every item answered: two scorings."""
    assessment = site.open(site.enrol())[1]
    site.answer_all(assessment, place=1)
    return assessment


def stored(database: Database) -> tuple[list[Submission], list[Score]]:
    with database.reading() as session:
        return list(session.scalars(sa.select(Submission))), list(session.scalars(sa.select(Score)))


def audit_faults(database: Database) -> list[audit.Fault]:
    with database.reading() as session:
        return list(audit.verify(session))


def test_submitting_seals_scores_and_records(site: Site, filled: Assessment) -> None:
    site.clock.forward(minutes=5)
    receipt = site.submit(filled)
    (submission,), scores = stored(site.database)
    instrument = site.library.instruments["sf36v1"]
    assert receipt.first
    assert receipt.submitted_at == submission.submitted_at == MORNING + 5 * MINUTE
    assert (submission.started_at, submission.completed_at) == (MORNING, MORNING)
    assert not receipt.late
    assert receipt.code == submissions.short(submission.receipt)
    assert submission.instrument_fingerprint == instrument.fingerprint
    assert submission.study_version == 1
    assert list(submission.answers) == [item.code for item in instrument.items]
    wording = site.library.wording("sf36v1", "en")
    assert wording is not None
    first = instrument.items[0]
    assert submission.answers[first.code] == {
        "state": "answered",
        "code": first.options.codes[1],
        "language": "en",
        "wording": wording.fingerprint,
        "answered_at": MORNING.isoformat(),
    }
    codes = {item: told["code"] for item, told in submission.answers.items()}
    expected = [
        (one.algorithm, one.scale, one.value, one.norm_based, one.answered, one.reason)
        for name in ("rand", "mos_us1990")
        for one in score(instrument.scorings[name], codes)
    ]
    found = [
        (one.algorithm, one.scale, one.value, one.norm_based, one.answered, one.reason)
        for one in scores
    ]
    assert found == expected
    with site.database.reading() as session:
        actions = session.scalars(
            sa.select(AuditEntry.action).where(AuditEntry.action.in_(["submit", "score"]))
        ).all()
    assert actions == ["submit", "score", "score"]
    assert audit_faults(site.database) == []


def test_a_receipt_is_shown_in_three_groups() -> None:
    assert submissions.short("0123456789abcdef" * 4) == "0123-4567-89AB"


def test_the_second_time_it_is_the_first_receipt(site: Site, filled: Assessment) -> None:
    first = site.submit(filled)
    before = snapshot(site.database)
    site.clock.forward(days=30)
    second = site.submit(filled)
    assert (second.code, second.submitted_at, second.late) == (
        first.code,
        first.submitted_at,
        first.late,
    )
    assert not second.first
    assert snapshot(site.database) == before


def test_what_still_waits_is_named_in_its_order(site: Site) -> None:
    assessment = site.open(site.enrol())[0]
    site.answer_all(assessment)
    site.answer(assessment, {"LQ20": "cleared", "LQ03": "cleared", "LQ34": "skipped"})
    with pytest.raises(submissions.Incomplete) as refused:
        site.submit(assessment)
    assert refused.value.items == ("LQ03", "LQ20")
    assert stored(site.database) == ([], [])


def test_skipped_and_not_applicable_are_answers_enough(site: Site) -> None:
    assessment = site.open(site.enrol())[0]
    items = site.library.instruments["lupusqol"].items
    site.answer(
        assessment,
        {one.code: "not_applicable" if one.not_applicable else "skipped" for one in items},
    )
    assert site.submit(assessment).first
    (submission,), scores = stored(site.database)
    assert submission.answers["LQ15"]["state"] == "not_applicable"
    assert {one.reason for one in scores} == {"too_few_answered"}
    assert all(one.value is None for one in scores)


@pytest.mark.parametrize("past_closing", [-1, 0, 119])
def test_until_the_grace_time_ends_it_can_be_submitted(
    site: Site, filled: Assessment, past_closing: int
) -> None:
    site.clock.now = filled.closes_at + past_closing * MINUTE
    receipt = site.submit(filled)
    assert receipt.late is (past_closing >= 0)
    assert site.known(filled).facts.late is receipt.late


def test_outside_its_time_it_is_closed(site: Site, filled: Assessment) -> None:
    before = snapshot(site.database)
    for moment in (filled.opens_at - MINUTE, filled.closes_at + 120 * MINUTE):
        site.clock.now = moment
        with pytest.raises(submissions.Closed):
            site.submit(filled)
    assert snapshot(site.database) == before


def test_after_withdrawal_nothing_is_submitted(site: Site, filled: Assessment) -> None:
    with site.database.writing() as session:
        enrolment.withdraw(session, filled.participant_id, site.clock())
    with pytest.raises(submissions.Closed):
        site.submit(filled)


# --- whole or not at all ------------------------------------------------------------------------


class Simulated(Exception):
    """The failure that a test asked for."""


@contextmanager
def failing_at(database: Database, n: int) -> Iterator[None]:
    """Fail right before the `n`-th statement; the commit counts as one."""
    count = 0

    def fail_at_last(*_anything: Any) -> None:
        nonlocal count
        count += 1
        if count == n:
            raise Simulated

    sa.event.listen(database.engine, "before_cursor_execute", fail_at_last)
    sa.event.listen(database.engine, "commit", fail_at_last)
    try:
        yield
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", fail_at_last)
        sa.event.remove(database.engine, "commit", fail_at_last)


def failures_until(database: Database, action: Callable[[], object]) -> int:
    """Let every statement of the action fail in its turn, until it succeeds: how many failed.

    After each failure the database is as it was before.
    """
    before = snapshot(database)
    for n in range(1, 100):
        try:
            with failing_at(database, n):
                action()
        except Simulated:
            assert snapshot(database) == before, f"something is left of a failure at {n}"
        else:
            return n - 1
    raise AssertionError("it never succeeded")


def test_a_failing_submission_leaves_nothing(site: Site, filled: Assessment) -> None:
    failed = failures_until(site.database, lambda: site.submit(filled))
    assert failed >= 6, "look up, answers, submission, scores, audit, commit"
    assert len(stored(site.database)[0]) == 1
    assert audit_faults(site.database) == []


def test_a_failing_save_leaves_nothing(site: Site) -> None:
    assessment = site.open(site.enrol())[0]
    failed = failures_until(site.database, lambda: site.answer(assessment, {"LQ01": 1, "LQ02": 2}))
    assert failed >= 5, "assessment, earlier rows, answers, audit, commit"
    with site.database.reading() as session:
        assert len(answers.current(session, assessment.id)[0]) == 2
    assert audit_faults(site.database) == []


def test_a_process_killed_while_submitting_leaves_nothing(site: Site, filled: Assessment) -> None:
    """Killed for good, at each statement in turn, until one comes through."""
    before = snapshot(site.database)
    url = site.database.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.services.dying", url, site.clock().isoformat()]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as killed:
        assert killed.stdin is not None
        assert killed.stdout is not None
        for n in range(1, 100):
            killed.stdin.write(f"{filled.public_id} {filled.participant_id} {n}\n")
            killed.stdin.flush()
            signal = killed.stdout.readline().strip()
            if signal == "0":
                break
            assert signal == "9", "the child failed in a way of its own"
            assert snapshot(site.database) == before, f"something is left of a kill at {n}"
        killed.stdin.close()
    assert n > 6
    submitted, scores = stored(site.database)
    assert len(submitted) == 1
    assert {one.scoring for one in scores} == {"rand", "mos_us1990"}
    assert audit_faults(site.database) == []


# --- at the same time ---------------------------------------------------------------------------


def together(*actions: Callable[[], Result]) -> list[Result]:
    """Start all at the same moment, each in a thread of its own."""
    barrier = Barrier(len(actions))

    def start(action: Callable[[], Result]) -> Result:
        barrier.wait()
        return action()

    with ThreadPoolExecutor(len(actions)) as pool:
        return [one.result() for one in [pool.submit(start, action) for action in actions]]


def test_two_at_once_make_one_submission(site: Site, filled: Assessment) -> None:
    receipts = together(*[lambda: site.submit(filled)] * 4)
    assert len({(one.code, one.submitted_at) for one in receipts}) == 1
    assert sorted(one.first for one in receipts) == [False, False, False, True]
    submitted, scores = stored(site.database)
    assert len(submitted) == 1
    assert len(scores) == len({(one.algorithm, one.scale) for one in scores})
    assert audit_faults(site.database) == []


def test_writers_on_one_participants_trail_keep_it_whole(site: Site) -> None:
    """The phone answers, the tablet answers, and the site makes codes and opens questionnaires."""
    person = site.enrol()
    first, second = site.open(person)

    def answering(assessment: Assessment, item: str) -> Callable[[], object]:
        return lambda: [site.answer(assessment, {item: 1}) for _ in range(5)]

    together(
        answering(first, "LQ01"),
        answering(second, site.library.instruments["sf36v1"].items[0].code),
        lambda: [site.new_code(person) for _ in range(3)],
        lambda: [site.open(person, occurrence=one) for one in (2, 3)],
    )
    with site.database.reading() as session:
        stream = audit.participant_stream(person.id)
        found = session.execute(
            sa.select(AuditEntry.action, sa.func.count())
            .where(AuditEntry.stream == stream)
            .group_by(AuditEntry.action)
        )
        counts = dict(map(tuple, found))
    assert counts == {"enrol": 1, "issue_code": 4, "open_assessment": 6, "answer": 10}
    assert audit_faults(site.database) == []


def test_a_writer_without_the_lock_is_refused_by_the_chain(site: Site) -> None:
    """Two writers that both read the same head: the second breaks on the unique (stream, seq)."""
    site.enrol()
    with site.database.reading() as session:
        entry = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert entry is not None
    row = {
        column.name: getattr(entry, column.name)
        for column in AuditEntry.__table__.columns
        if column.name != "id"
    }
    with (
        pytest.raises(sa.exc.IntegrityError, match=r"(?i)unique"),
        site.database.writing() as session,
    ):
        session.execute(sa.insert(AuditEntry), [row])
    assert audit_faults(site.database) == []


def test_holding_ones_own_finds_nobody_elses(site: Site) -> None:
    mine, other = site.enrol("01-001"), site.enrol("01-002")
    assessment = site.open(mine)[0]
    with site.database.writing() as session:
        assert assessments.hold_own(session, assessment.public_id, other.id) is None
        assert assessments.hold_own(session, "unknown", mine.id) is None
        assert assessments.hold_own(session, assessment.public_id, mine.id) is not None

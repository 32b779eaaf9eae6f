"""A batch of a phone's journal: answers and presses on Submit in their order, once each, and the
window judged by when something was tapped, not by when it arrived."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from pro_app.core.assessment import Contact, Status
from pro_app.models import Answer, Assessment, AuditEntry, Submission, SubmitOperation
from pro_app.services import answers, assessments, audit, batches, phones
from pro_app.services.answers import Operation, Origin
from pro_app.services.batches import SUBMITTED, Held, Taken
from tests.conftest import Enrolled, Site, snapshot

JOURNAL = str(uuid.UUID(int=1, version=4))
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass
class Phone:
    """A joined phone, its clock (right unless `wrong`), and one questionnaire."""

    site: Site
    person: Enrolled
    assessment: Assessment
    device_id: int
    tapped: int = 0

    def tap(self, item: str, at: datetime, code: int = 1, **parts: Any) -> Operation:
        """A tap at this moment."""
        self.tapped += 1
        return Operation(
            str(uuid.uuid4()), item, "answered", code, device_time=at, sequence=self.tapped, **parts
        )

    def all_at(self, at: datetime) -> list[Operation]:
        """A tap on every item."""
        items = self.site.library.instruments[self.assessment.instrument].items
        return [self.tap(item.code, at, item.options.codes[0]) for item in items]

    def press(self, at: datetime, **parts: Any) -> Operation:
        """A press on Submit at this moment."""
        self.tapped += 1
        return Operation(
            str(uuid.uuid4()), "", SUBMITTED, device_time=at, sequence=self.tapped, **parts
        )

    def send(self, *operations: Operation, **parts: Any) -> Taken:
        """The server takes a batch now."""
        site, sheet = self.site, self.assessment
        given = {"sent_at": site.clock(), "journal": JOURNAL, **parts}
        with site.database.writing() as session:
            found = assessments.hold_by_phone(
                session, sheet.public_id, self.person.id, self.device_id
            )
            assert found is not None
            held = Held(site.study, found[0], site.library.instruments[sheet.instrument], found[1])
            wording = site.library.wording(sheet.instrument, "en")
            origin = Origin(self.device_id, wording, **given)
            return batches.take(session, held, operations, origin, site.clock(), 0)

    def presses(self) -> list[SubmitOperation]:
        with self.site.database.reading() as session:
            return list(session.scalars(sa.select(SubmitOperation).order_by(SubmitOperation.id)))

    def submission(self) -> Submission | None:
        with self.site.database.reading() as session:
            return session.scalar(sa.select(Submission))

    def status(self) -> Status:
        grace = self.site.study.definition.grace
        return self.site.known(self.assessment).status(self.site.clock(), grace)

    def is_whole(self) -> bool:
        """Whether the trail tells all of it."""
        with self.site.database.reading() as session:
            return not list(audit.verify(session))


@pytest.fixture
def phone(site: Site) -> Phone:
    person = site.enrol()
    device_id = site.join(person)
    return Phone(site, person, site.open(person)[0], device_id)


def test_a_sheet_filled_and_submitted_offline_in_time_counts_a_week_later(phone: Phone) -> None:
    """Tapped and pressed inside the window, in the train; sent long after it had closed."""
    closes_at = phone.assessment.closes_at
    tapped = closes_at - 10 * MINUTE
    operations = [*phone.all_at(tapped), phone.press(tapped + MINUTE)]
    now = phone.site.clock.now = closes_at + 7 * DAY
    assert phone.status() is Status.MISSED
    taken = phone.send(*operations)
    assert (taken.refused, taken.not_counted, taken.closed) == ({}, {}, False)
    assert taken.taken == [one.id for one in operations]
    submission = phone.submission()
    assert submission is not None
    assert (submission.late, submission.submitted_at) == (False, now)
    assert (submission.submit_tapped_at, submission.completed_at) == (tapped + MINUTE, tapped)
    assert taken.receipt is not None
    assert (taken.receipt.submitted_at, taken.receipt.late) == (now, False)
    assert phone.status() is Status.COMPLETED, "as one that was pressed in time"
    (press,) = phone.presses()
    assert (press.outcome, press.tapped_at, press.received_at) == (
        "submitted", tapped + MINUTE, now,
    )  # fmt: skip
    assert (press.journal, press.sequence, press.doubt) == (JOURNAL, len(operations), None)
    assert phone.is_whole()


@pytest.mark.parametrize(
    ("after_closing", "outcome", "late"),
    [(-1, "submitted", False), (0, "submitted", True), (119, "submitted", True),
     (120, "closed", None)],
)  # fmt: skip
def test_the_press_decides_and_not_its_arrival(
    phone: Phone, after_closing: int, outcome: str, late: bool | None
) -> None:
    closes_at = phone.assessment.closes_at
    pressed = closes_at + after_closing * MINUTE
    operations = [*phone.all_at(closes_at - DAY), phone.press(pressed)]
    phone.site.clock.now = closes_at + 5 * DAY
    taken = phone.send(*operations)
    assert [one.outcome for one in phone.presses()] == [outcome]
    submission = phone.submission()
    assert (None if submission is None else submission.late) is late
    assert taken.closed is (outcome == "closed")
    assert (taken.receipt is None) is (submission is None)
    assert len(answers_of(phone)) == len(operations) - 1, "answers are kept in any case"
    assert phone.is_whole()


def test_a_tap_after_closing_makes_what_was_pressed_in_time_late(phone: Phone) -> None:
    """Another phone's tap came before the press did, and is newer: it is what is sealed."""
    closes_at = phone.assessment.closes_at
    given = phone.all_at(closes_at - DAY)
    press = phone.press(closes_at - MINUTE)
    changed = phone.tap("LQ01", closes_at + MINUTE, code=3)
    phone.site.clock.now = closes_at + DAY
    phone.send(*given)
    phone.send(changed)
    phone.send(press)
    submission = phone.submission()
    assert submission is not None
    assert submission.answers["LQ01"]["code"] == 3
    assert (submission.late, submission.submit_tapped_at) == (True, closes_at - MINUTE)


def answers_of(phone: Phone) -> list[Answer]:
    with phone.site.database.reading() as session:
        return list(session.scalars(sa.select(Answer).order_by(Answer.id)))


def test_a_wrong_clock_neither_opens_nor_closes_the_window(phone: Phone) -> None:
    """The phone is three days ahead: by its own word everything came after closing."""
    now = phone.site.clock.now = phone.assessment.closes_at - DAY
    wrong = 3 * DAY
    operations = [*phone.all_at(now - MINUTE + wrong), phone.press(now + wrong)]
    phone.send(*operations, sent_at=now + wrong)
    submission, (press,) = phone.submission(), phone.presses()
    assert submission is not None
    assert (submission.late, submission.submit_tapped_at) == (False, now)
    assert (press.doubt, press.skew_ms) == ("skew", round(wrong / timedelta(milliseconds=1)))
    assert {one.doubt for one in answers_of(phone)} == {"skew"}


def test_a_clock_that_was_set_is_found_out_by_the_last_contact(phone: Phone) -> None:
    """Tapped in time; then the clock was set forward by a month, and everything sent after it."""
    closes_at = phone.assessment.closes_at
    heard = closes_at - 2 * DAY
    tapped = closes_at - MINUTE
    contact = Contact(heard, heard)
    tap = phone.tap("LQ01", tapped, contact=contact)
    now = phone.site.clock.now = closes_at + DAY
    taken = phone.send(tap, sent_at=now + timedelta(days=30))
    (row,) = answers_of(phone)
    assert (row.answered_at, row.standing, row.doubt) == (tapped, "in_time", "clock_changed")
    assert (row.contact_at, row.contact_device_time) == (heard, heard.isoformat())
    assert taken.not_counted == {}


def test_the_first_receipt_is_the_only_one(phone: Phone) -> None:
    now = phone.site.clock()
    operations = [*phone.all_at(now), phone.press(now)]
    first = phone.send(*operations)
    before = snapshot(phone.site.database)
    phone.site.clock.forward(days=1)
    again = phone.send(*operations)
    assert again.receipt is not None
    assert first.receipt is not None
    assert (again.receipt.code, again.receipt.submitted_at) == (
        first.receipt.code, first.receipt.submitted_at,
    )  # fmt: skip
    assert again.taken == first.taken
    assert snapshot(phone.site.database) == before
    other = phone.send(phone.press(phone.site.clock()))
    assert other.receipt is not None
    assert other.receipt.code == first.receipt.code
    assert [one.outcome for one in phone.presses()] == ["submitted", "earlier"]
    assert phone.is_whole()


def test_a_press_that_meets_gaps_seals_nothing_and_says_where(phone: Phone) -> None:
    now = phone.site.clock()
    press = phone.press(now)
    given = [one for one in phone.all_at(now) if one.item not in {"LQ03", "LQ20"}]
    taken = phone.send(*given, press)
    assert taken.missing == ("LQ03", "LQ20")
    assert press.id in taken.taken
    assert (taken.receipt, phone.submission()) == (None, None)
    phone.send(phone.tap("LQ03", now), phone.tap("LQ20", now))
    again = phone.send(press)
    assert again.missing == (), "the same press seals nothing, however late it comes again"
    assert phone.submission() is None
    assert phone.send(phone.press(now)).receipt is not None
    assert [one.outcome for one in phone.presses()] == ["incomplete", "submitted"]


def test_a_batch_is_taken_in_its_order(phone: Phone) -> None:
    """An answer that was tapped after the press is kept, and changes nothing that is sealed."""
    now = phone.site.clock()
    after = phone.tap("LQ01", now, code=4)
    taken = phone.send(*phone.all_at(now), phone.press(now), after)
    assert taken.not_counted == {after.id: "after_submission"}
    submission = phone.submission()
    assert submission is not None
    assert submission.answers["LQ01"]["code"] == 0


def test_what_stood_before_a_press_is_not_told_as_standing_after_it(phone: Phone) -> None:
    """The tablet has cleared an item since: the phone's first answer to it is older, the second
    one newer."""
    now = phone.site.clock()
    tablet = replace(phone, device_id=phone.site.join(replace(
        phone.person, code=phone.site.new_code(phone.person)
    )))  # fmt: skip
    old = phone.tap("LQ01", now - 9 * MINUTE)
    tablet.send(replace(tablet.tap("LQ01", now - 5 * MINUTE), state="cleared", code=None))
    assert phone.send(old).others == {"LQ01": ("cleared", None)}
    new = phone.tap("LQ01", now - MINUTE, code=2)
    assert phone.send(old, phone.press(now - 2 * MINUTE), new).others == {}


def test_what_is_newer_at_a_batchs_own_items_is_told_even_if_it_was_seen(phone: Phone) -> None:
    now = phone.site.clock()
    tablet = replace(phone, device_id=phone.site.join(replace(
        phone.person, code=phone.site.new_code(phone.person)
    )))  # fmt: skip
    newest = tablet.send(tablet.tap("LQ01", now, code=4)).seen
    with phone.site.database.writing() as session:
        known = assessments.hold_own(session, phone.assessment.public_id, phone.person.id)
        assert known is not None
        saved = answers.save(
            session, known, phone.site.library.instruments["lupusqol"],
            [phone.tap("LQ01", now - MINUTE)],
            Origin(phone.device_id, phone.site.library.wording("lupusqol", "en"), now),
            phone.site.study.definition.grace, now, seen=newest,
        )  # fmt: skip
    assert saved.others == {"LQ01": ("answered", 4)}


def test_a_press_of_another_questionnaire_is_refused(phone: Phone) -> None:
    now = phone.site.clock()
    press = phone.press(now)
    phone.send(press)
    other = replace(phone, assessment=phone.site.open(phone.person, occurrence=2)[0])
    taken = other.send(press)
    assert taken.refused == {press.id: "the operation's id is in use"}
    assert taken.taken == []


def test_a_press_for_what_was_cancelled_is_kept_and_seals_nothing(phone: Phone) -> None:
    """A correction has moved the timepoint away while the phone was in the train."""
    now = phone.site.clock()
    phone.send(*phone.all_at(now))
    with phone.site.database.writing() as session:
        session.get_one(Assessment, phone.assessment.id).cancelled_at = now
    assert phone.send(phone.press(now)).closed
    assert [one.outcome for one in phone.presses()] == ["closed"]
    assert phone.submission() is None


def test_the_journals_order_holds_whatever_the_clock_says(phone: Phone) -> None:
    """The clock was set back by an hour between two taps that came in different batches, the
    second one first."""
    now = phone.site.clock.now = phone.assessment.opens_at + timedelta(hours=5)
    first, second = phone.tap("LQ01", now - MINUTE, 1), phone.tap("LQ01", now, 2)
    phone.send(second, sent_at=now)
    phone.send(first, sent_at=now - timedelta(hours=1))
    with phone.site.database.reading() as session:
        current, _ = answers.current(session, phone.assessment.id)
    assert current["LQ01"].code == 2


def test_what_the_phone_says_of_a_tap_is_on_the_record(phone: Phone) -> None:
    now = phone.site.clock()
    run = str(uuid.uuid4())
    wording = phone.site.library.wording("lupusqol", "ta")
    assert wording is not None
    tap = phone.tap(
        "LQ01", now - MINUTE, run=run, monotonic=timedelta(milliseconds=1234.4),
        contact=Contact(now - DAY, now - DAY), aloud=True, wording=wording,
    )  # fmt: skip
    phone.send(tap, phone.tap("LQ02", now), locked=True, run=run, monotonic=timedelta(seconds=61))
    first, second = answers_of(phone)
    assert (first.journal, first.sequence, first.run) == (JOURNAL, 1, run)
    assert (first.monotonic_ms, first.read_aloud) == (1234, True)
    assert (first.language, first.wording) == ("ta", wording.fingerprint)
    assert (second.language, second.read_aloud, second.monotonic_ms) == ("en", False, None)
    assert phone.is_whole()
    with phone.site.database.reading() as session:
        query = sa.select(AuditEntry.detail).where(AuditEntry.action == "answer")
        assert [one.get("locked") for one in session.scalars(query)] == [True, True]


def test_an_answer_in_a_language_without_wording_is_refused(phone: Phone) -> None:
    now = phone.site.clock()
    tap = phone.tap("LQ01", now)
    with phone.site.database.writing() as session:
        known = assessments.hold_own(session, phone.assessment.public_id, phone.person.id)
        assert known is not None
        saved = answers.save(
            session, known, phone.site.library.instruments["lupusqol"], [tap],
            Origin(phone.device_id, None), phone.site.study.definition.grace, now,
        )  # fmt: skip
    assert saved.refused == {tap.id: "there is no wording in this language"}


def test_a_tap_costs_no_more_for_its_journal(phone: Phone) -> None:
    """The hot path: find, look up, insert, head of the trail, entry; the phone's journal comes
    with the first, and is written only when what waits has changed."""
    statements: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        statements.append(statement)

    now = phone.site.clock()
    phone.send(phone.tap("LQ01", now))
    engine = phone.site.database.engine
    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        phone.send(phone.tap("LQ02", now))
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)
    locks = sum("FOR UPDATE" in one for one in statements)
    assert len(statements) - locks == 5, statements


def refusals(phone: Phone) -> list[AuditEntry]:
    with phone.site.database.reading() as session:
        query = sa.select(AuditEntry).where(AuditEntry.action == "refuse_answer")
        return list(session.scalars(query.order_by(AuditEntry.seq)))


def test_what_is_refused_is_on_the_record_once(phone: Phone) -> None:
    """The phone lets go of it: the trail is all that is left of what somebody tapped."""
    now = phone.site.clock()
    odd = [
        phone.tap("LQ99", now),
        phone.tap("LQ01", now, code=77),
        replace(phone.tap("LQ02", now), state="x" * 500),
        phone.tap("LQ\x00\n03", now),
    ]
    for _ in range(2):
        taken = phone.send(*odd, phone.tap("LQ04", now))
        assert set(taken.refused) == {one.id for one in odd}
    told = refusals(phone)
    assert [(one.field, one.detail["operation"], one.detail["code"]) for one in told] == [
        ("LQ99", odd[0].id, 1), ("LQ01", odd[1].id, 77), ("LQ02", odd[2].id, 1),
        ("LQ03", odd[3].id, 1),
    ]  # fmt: skip
    assert all(one.detail["reason"] for one in told)
    assert len(told[2].detail["state"]) == 40
    assert phone.is_whole()


def test_a_phone_that_was_signed_out_meanwhile_gives_nothing(phone: Phone) -> None:
    """It was asked for its own page, waited for the lock, and is out when it gets it."""
    with phone.site.database.writing() as session:
        phones.sign_out(session, phone.person.id, phone.device_id, phone.site.clock())
    with phone.site.database.writing() as session:
        sheet = phone.assessment.public_id
        assert assessments.hold_by_phone(
            session, sheet, phone.person.id, phone.device_id
        ) is None  # fmt: skip

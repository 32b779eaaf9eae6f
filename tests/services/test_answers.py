"""Answers: each operation once, the newest tap wins, nothing is thrown away."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pro_app.models import Answer, Assessment, AuditEntry
from pro_app.services import answers, assessments, audit
from pro_app.services.answers import Operation, Origin, Saved
from tests.conftest import MORNING, Enrolled, Site

MINUTE = timedelta(minutes=1)
PHONE, TABLET = 1, 2


@dataclass(repr=False)
class Sheet:
    """One questionnaire in front of a person with a phone and a tablet."""

    site: Site
    person: Enrolled
    assessment: Assessment
    devices: dict[int, int]

    def another(self) -> Sheet:
        """The same questionnaire once more, empty."""
        self.occurrences += 1
        opened = self.site.open(self.person, occurrence=self.occurrences)
        return replace(self, assessment=opened[0])

    occurrences: int = 1

    def save(
        self,
        *operations: Operation,
        device: int = PHONE,
        sent_at: datetime | None = None,
        seen: int = 0,
        skipping: bool = True,
        language: str = "en",
    ) -> Saved:
        wording = self.site.library.wording(self.assessment.instrument, language)
        assert wording is not None
        with self.site.database.writing() as session:
            known = assessments.hold_own(
                session, self.assessment.public_id, self.assessment.participant_id
            )
            assert known is not None
            return answers.save(
                session,
                known,
                self.site.library.instruments[self.assessment.instrument],
                operations,
                Origin(self.devices[device], wording, sent_at),
                self.site.study.definition.grace,
                self.site.clock(),
                seen,
                skipping,
            )

    def current(self) -> dict[str, str]:
        """What stands, by item: the code, or the name of the state."""
        with self.site.database.reading() as session:
            found, _ = answers.current(session, self.assessment.id)
        return {
            item: str(one.code if one.code is not None else one.state)
            for item, one in found.items()
        }

    def rows(self) -> list[Answer]:
        with self.site.database.reading() as session:
            query = sa.select(Answer).where(Answer.assessment_id == self.assessment.id)
            return list(session.scalars(query.order_by(Answer.id)))


@pytest.fixture
def sheet(site: Site) -> Sheet:
    person = site.enrol()
    phone = site.join(person)
    tablet = site.join(replace(person, code=site.new_code(person)))
    return Sheet(site, person, site.open(person)[0], {PHONE: phone, TABLET: tablet})


def tap(
    item: str = "LQ01",
    code: int | None = 3,
    state: str = "answered",
    at: datetime | None = None,
    operation: str | None = None,
) -> Operation:
    """An operation on an item, with an id of its own."""
    return Operation(
        operation or str(uuid.uuid4()),
        item,
        state,
        None if state != "answered" else code,
        device_time=at,
    )


def test_an_operation_counts_once_however_often_it_comes(sheet: Sheet) -> None:
    one, other = tap("LQ01", 3), tap("LQ02", 4)
    first = sheet.save(one, other)
    for again in (sheet.save(one), sheet.save(other, one), sheet.save(one, one, device=TABLET)):
        assert again.refused == {}
        assert set(again.taken) <= {one.id, other.id}
    assert first.taken == [one.id, other.id]
    assert len(sheet.rows()) == 2
    assert sheet.current() == {"LQ01": "3", "LQ02": "4"}


def test_an_operation_twice_in_one_batch_counts_once(sheet: Sheet) -> None:
    one = tap("LQ01", 3)
    assert sheet.save(one, tap("LQ02", 4), one).refused == {}
    assert len(sheet.rows()) == 2


def test_the_newest_tap_wins_whichever_arrives_first(sheet: Sheet) -> None:
    now = sheet.site.clock()
    old, new = tap(code=1, at=now - 9 * MINUTE), tap(code=2, at=now - 5 * MINUTE)
    sheet.save(new, sent_at=now)
    sheet.save(old, sent_at=now, device=TABLET)
    assert sheet.current() == {"LQ01": "2"}
    assert [row.code for row in sheet.rows()] == [2, 1], "both are kept"


def test_of_taps_at_the_same_moment_the_later_stored_one_wins(sheet: Sheet) -> None:
    now = sheet.site.clock()
    sheet.save(tap(code=1, at=now - MINUTE), sent_at=now)
    sheet.save(tap(code=2, at=now - MINUTE), sent_at=now, device=TABLET)
    assert sheet.current() == {"LQ01": "2"}


@pytest.mark.parametrize(
    "wrong", [timedelta(hours=-7), timedelta(hours=7), timedelta(days=-20_000)]
)
def test_a_device_clock_that_is_wrong_moves_nothing(sheet: Sheet, wrong: timedelta) -> None:
    """The tablet's clock is wrong by hours, or it woke up in 1971; its tap was the older one."""
    now = sheet.site.clock()
    sheet.save(tap(code=2, at=now - 5 * MINUTE), sent_at=now)
    sheet.save(tap(code=1, at=now - 9 * MINUTE + wrong), sent_at=now + wrong, device=TABLET)
    assert sheet.current() == {"LQ01": "2"}
    row = sheet.rows()[-1]
    assert row.answered_at == now - 9 * MINUTE
    assert row.skew_ms == round(wrong.total_seconds() * 1000), "the skew is told, not mended"
    assert row.device_time == (now - 9 * MINUTE + wrong).isoformat()


def test_a_tap_cannot_be_dated_before_the_opening(sheet: Sheet) -> None:
    """The clock was set forward by years between the tap and its sending."""
    now = sheet.site.clock()
    sheet.save(tap(at=now - timedelta(days=9_000)), sent_at=now)
    assert sheet.rows()[0].answered_at == now, "the receipt stands for it"


def test_a_clock_set_back_between_two_taps_of_a_batch_changes_nothing(sheet: Sheet) -> None:
    now = sheet.site.clock()
    first, second = tap(code=1, at=now - MINUTE), tap(code=2, at=now - 30 * MINUTE)
    sheet.save(first, second, sent_at=now)
    assert sheet.current() == {"LQ01": "2"}


def test_an_answer_can_be_taken_back_and_given_again(sheet: Sheet) -> None:
    sheet.save(tap(code=3))
    sheet.save(tap(state="cleared"))
    assert sheet.current() == {}
    sheet.save(tap(code=4))
    assert sheet.current() == {"LQ01": "4"}
    assert [row.state for row in sheet.rows()] == ["answered", "cleared", "answered"]


def test_skipped_and_not_applicable_are_states_of_their_own(sheet: Sheet) -> None:
    sheet.save(tap("LQ01", state="skipped"), tap("LQ15", state="not_applicable"))
    assert sheet.current() == {"LQ01": "skipped", "LQ15": "not_applicable"}
    assert all(row.code is None for row in sheet.rows())


REFUSED = [
    (tap("LQ99"), "there is no item LQ99"),
    (tap("GH1"), "there is no item GH1"),
    (tap("LQ01\x00"), "there is no item LQ01\x00"),
    (tap("LQ01", 5), "LQ01 has no option 5"),
    (tap("LQ01", -1), "LQ01 has no option -1"),
    (tap("LQ01", None), "LQ01 has no option None"),
    (tap("LQ01", state="not_applicable"), "LQ01 always applies"),
    (tap("LQ01", state="not_reached"), "there is no state not_reached"),
    (replace(tap(), state="skipped"), "skipped takes no code"),
    (replace(tap(), state="cleared"), "cleared takes no code"),
]


def test_what_the_instrument_has_no_place_for_is_refused(
    sheet: Sheet, subtests: pytest.Subtests
) -> None:
    for operation, reason in REFUSED:
        good = tap("LQ02", 1)
        with subtests.test(reason):
            saved = sheet.save(operation, good)
            assert saved.refused == {operation.id: reason}
            assert saved.taken == [good.id], "the others of the batch are taken"
            assert sheet.current() == {"LQ02": "1"}


def test_a_study_may_forbid_skipping(sheet: Sheet) -> None:
    skip = tap(state="skipped")
    saved = sheet.save(skip, skipping=False)
    assert saved.refused == {skip.id: "the study does not allow skipping"}


def test_an_operation_of_another_questionnaire_is_refused(sheet: Sheet) -> None:
    one = tap("LQ01", 3)
    sheet.save(one)
    other = sheet.another()
    assert other.save(one).refused == {one.id: "the operation's id is in use"}
    assert other.current() == {}


def test_after_closing_the_grace_time_is_for_what_was_begun(sheet: Sheet) -> None:
    """Typing at the deadline: kept and late; after the grace time kept and not counted."""
    clock, closes_at = sheet.site.clock, sheet.assessment.closes_at
    sheet.save(tap("LQ01", 1))
    clock.now = closes_at + 119 * MINUTE
    late = sheet.save(tap("LQ02", 2))
    clock.now = closes_at + 120 * MINUTE
    too_late = tap("LQ03", 3)
    assert late.not_counted == {}
    assert sheet.save(too_late).not_counted == {too_late.id: "after_closing"}
    assert sheet.save(too_late).not_counted == {too_late.id: "after_closing"}, "told again"
    assert [row.standing for row in sheet.rows()] == ["in_time", "late", "after_closing"]
    assert sheet.current() == {"LQ01": "1", "LQ02": "2"}


def test_what_was_never_begun_has_no_grace_time(sheet: Sheet) -> None:
    sheet.site.clock.now = sheet.assessment.closes_at
    one = tap()
    assert sheet.save(one).not_counted == {one.id: "after_closing"}
    assert sheet.current() == {}
    assert len(sheet.rows()) == 1, "and is kept all the same"


def test_answers_of_one_batch_share_its_beginning(sheet: Sheet) -> None:
    """Answered without network across the deadline, and sent in one go afterwards."""
    closes_at = sheet.assessment.closes_at
    now = sheet.site.clock.now = closes_at + 10 * MINUTE
    saved = sheet.save(
        tap("LQ02", 2, at=closes_at + MINUTE), tap("LQ01", 1, at=closes_at - MINUTE), sent_at=now
    )
    assert saved.not_counted == {}
    assert sorted(row.standing for row in sheet.rows()) == ["in_time", "late"]


def test_a_sheet_filled_offline_in_time_counts_five_days_later(sheet: Sheet) -> None:
    closes_at = sheet.assessment.closes_at
    now = sheet.site.clock.now = closes_at + timedelta(days=5)
    assert sheet.save(tap(at=closes_at - MINUTE), sent_at=now).not_counted == {}
    row = sheet.rows()[0]
    assert (row.standing, row.received_at) == ("in_time", now)


def test_after_submission_answers_are_kept_and_not_counted(sheet: Sheet) -> None:
    sheet.site.answer_all(sheet.assessment)
    sheet.site.submit(sheet.assessment)
    before = sheet.current()
    one = tap("LQ01", 4)
    assert sheet.save(one).not_counted == {one.id: "after_submission"}
    assert sheet.current() == before
    assert sheet.rows()[-1].standing == "after_submission"


def test_every_answer_says_where_it_comes_from(sheet: Sheet) -> None:
    now = sheet.site.clock()
    sheet.save(
        replace(tap(at=now - MINUTE), prompted=True), device=TABLET, sent_at=now, language="ta"
    )
    row = sheet.rows()[0]
    wording = sheet.site.library.wording("lupusqol", "ta")
    assert wording is not None
    assert (row.language, row.wording) == ("ta", wording.fingerprint)
    assert (row.device_id, row.prompted) == (sheet.devices[TABLET], True)
    assert (row.mode, row.originator) == ("own_phone", "participant")
    assert (row.answered_at, row.received_at, row.skew_ms) == (now - MINUTE, now, 0)


def test_each_change_is_on_the_record_with_old_and_new(sheet: Sheet) -> None:
    sheet.save(tap(code=1), tap(code=2), tap(state="skipped"))
    sheet.save(tap(state="cleared"))
    with sheet.site.database.reading() as session:
        entries = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action == "answer").order_by(AuditEntry.seq)
        ).all()
    assert [(one.field, one.old, one.new) for one in entries] == [
        ("LQ01", None, "1"),
        ("LQ01", "1", "2"),
        ("LQ01", "2", "skipped"),
        ("LQ01", "skipped", "cleared"),
    ]


def test_a_device_is_told_what_the_other_one_answered(sheet: Sheet) -> None:
    first = sheet.save(tap("LQ01", 1), tap("LQ02", 2))
    told = sheet.save(tap("LQ03", 3), device=TABLET, seen=0)
    assert told.others == {"LQ01": ("answered", 1), "LQ02": ("answered", 2)}
    back = sheet.save(tap("LQ04", 4), device=PHONE, seen=first.seen)
    assert back.others == {"LQ03": ("answered", 3)}
    assert sheet.save(tap("LQ05", 0), device=PHONE, seen=back.seen).others == {}
    assert first.seen < told.seen < back.seen


def test_a_device_is_told_that_the_other_one_took_an_answer_back(sheet: Sheet) -> None:
    first = sheet.save(tap("LQ01", 1))
    sheet.save(tap("LQ01", state="cleared"), device=TABLET, seen=first.seen)
    told = sheet.save(tap("LQ02", 2), device=PHONE, seen=first.seen)
    assert told.others == {"LQ01": ("cleared", None)}


def test_an_old_tap_that_comes_late_is_not_told_as_new(sheet: Sheet) -> None:
    """The tablet sends a tap that is older than the phone's own: the phone's stands, on both."""
    now = sheet.site.clock()
    first = sheet.save(tap("LQ01", 1, at=now - MINUTE), sent_at=now)
    sheet.save(tap("LQ01", 2, at=now - 9 * MINUTE), sent_at=now, device=TABLET, seen=first.seen)
    told = sheet.save(tap("LQ02", 0), device=PHONE, seen=first.seen)
    assert sheet.current()["LQ01"] == "1"
    assert told.others == {"LQ01": ("answered", 1)}, "what stands, though it is the phone's own"


def test_a_second_window_of_the_same_phone_is_told_too(sheet: Sheet) -> None:
    sheet.save(tap("LQ01", 1))
    assert sheet.save(tap("LQ02", 2), seen=0).others == {"LQ01": ("answered", 1)}


def test_sending_again_tells_the_newest_row(sheet: Sheet) -> None:
    one = tap()
    first = sheet.save(one)
    assert sheet.save(one).seen == first.seen


def test_first_open_finds_the_first_gap(site: Site) -> None:
    assessment = site.open(site.enrol())[0]
    instrument = site.library.instruments["lupusqol"]
    site.answer(assessment, {"LQ01": 1, "LQ02": "skipped", "LQ04": 3})
    with site.database.reading() as session:
        found, _ = answers.current(session, assessment.id)
    assert answers.first_open(instrument, found) == 3
    site.answer_all(assessment)
    with site.database.reading() as session:
        found, _ = answers.current(session, assessment.id)
    assert answers.first_open(instrument, found) is None


# --- any order ----------------------------------------------------------------------------------

ITEMS = ("LQ01", "LQ02", "LQ15")
one_tap = st.tuples(
    st.sampled_from(ITEMS),
    st.sampled_from(["0", "1", "4", "skipped", "cleared"]),
    st.integers(1, 55),  # minutes ago
)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, list[tuple[int, tuple[str, str, int]]]]]:
    """Batches of two devices in order of arrival; taps have ids, and whole batches come again."""
    taps = draw(st.lists(one_tap, min_size=1, max_size=12, unique_by=lambda tap: tap[2]))
    owners = draw(st.lists(st.sampled_from([PHONE, TABLET]), min_size=12, max_size=12))
    numbered = list(enumerate(taps))
    batches = []
    for device in (PHONE, TABLET):
        own = [one for one in numbered if owners[one[0]] == device]
        own.sort(key=lambda one: -one[1][2])  # a device sends in the order of its taps
        cut = draw(st.integers(0, len(own)))
        batches += [(device, part) for part in (own[:cut], own[cut:]) if part]
    again = draw(st.lists(st.sampled_from(batches), max_size=3))
    return draw(st.permutations(batches + again))


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=histories())
def test_any_order_of_arrival_ends_in_the_same_answers(
    sheet: Sheet, history: list[tuple[int, list[tuple[int, tuple[str, str, int]]]]]
) -> None:
    """Whatever is interleaved, split and repeated: of each item the newest tap stands."""
    fresh = sheet.another()
    operations = {
        number: tap(
            item,
            int(answer) if answer.isdigit() else None,
            "answered" if answer.isdigit() else answer,
            at=MORNING - minutes * MINUTE,
        )
        for _, batch in history
        for number, (item, answer, minutes) in batch
    }
    for device, batch in history:
        saved = fresh.save(*(operations[n] for n, _ in batch), device=device, sent_at=MORNING)
        assert (saved.refused, saved.not_counted) == ({}, {})
    stored = {row.operation for row in fresh.rows()}
    assert stored == {one.id for one in operations.values()}, "nothing lost, nothing invented"
    newest: dict[str, Operation] = {}
    for one in sorted(operations.values(), key=lambda one: one.device_time or MORNING):
        newest[one.item] = one
    assert fresh.current() == {
        item: str(one.state if one.code is None else one.code)
        for item, one in newest.items()
        if one.state != "cleared"
    }
    with fresh.site.database.reading() as session:
        assert list(audit.verify(session)) == []

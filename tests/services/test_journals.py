"""The phones' journals: what waits, what was lost with one, and what came after all."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

import pytest
import sqlalchemy as sa

from pro_app.models import Answer, Assessment, AuditEntry, Device, Loss
from pro_app.services import assessments, audit, batches, enrolment, journals
from pro_app.services.answers import Operation, Origin
from pro_app.services.batches import Held, Taken
from tests.conftest import MORNING, Enrolled, Site
from tests.services.test_participants import remarks

OLD, NEW, NEWER = (str(uuid.UUID(int=n, version=4)) for n in (1, 2, 3))


@dataclass
class Phone:
    """A joined phone and one open questionnaire."""

    site: Site
    person: Enrolled
    assessment: Assessment
    device_id: int

    def batch(self, journal: str | None, *operations: Operation, left: int | None = 0) -> Taken:
        """The server takes a batch of this journal."""
        wording = self.site.library.wording(self.assessment.instrument, "en")
        with self.site.database.writing() as session:
            found = assessments.hold_by_phone(
                session, self.assessment.public_id, self.person.id, self.device_id
            )
            assert found is not None
            instrument = self.site.library.instruments[self.assessment.instrument]
            held = Held(self.site.study, found[0], instrument, found[1])
            origin = Origin(self.device_id, wording, journal=journal)
            return batches.take(session, held, operations, origin, self.site.clock(), left)

    def report(
        self, journal: str, left: int = 0, lost: int = 0, persisted: bool | None = None
    ) -> None:
        """The app starts and says how its journal is."""
        now = self.site.clock()
        with self.site.database.writing() as session:
            journals.report(session, self.device_id, journal, left, lost, persisted, now)

    def told(self) -> Device:
        """The phone as the record knows it."""
        with self.site.database.reading() as session:
            return session.get_one(Device, self.device_id)

    def losses(self) -> list[tuple[str | None, str, int, int]]:
        """Journal that is gone, journal that found it out, how many, how many came after all."""
        with self.site.database.reading() as session:
            rows = session.scalars(sa.select(Loss).order_by(Loss.id))
            return [(row.journal, row.found_by, row.count, row.arrived) for row in rows]

    def untold(self) -> int:
        """How many lost answers the person does not know of."""
        with self.site.database.reading() as session:
            return journals.untold(session, self.person.id)

    def entries(self, action: str) -> list[tuple[str | None, str | None]]:
        """Old and new count of every entry of this action."""
        with self.site.database.reading() as session:
            query = sa.select(AuditEntry).where(AuditEntry.action == action)
            found = session.scalars(query.order_by(AuditEntry.id)).all()
            assert {one.actor for one in found} <= {f"participant/device {self.device_id}"}
            return [(one.old, one.new) for one in found]


@pytest.fixture
def phone(site: Site) -> Phone:
    person = site.enrol()
    device_id = site.join(person)
    return Phone(site, person, site.open(person)[0], device_id)


def tap(item: str = "LQ01", code: int = 3) -> Operation:
    return Operation(str(uuid.uuid4()), item, "answered", code)


def test_every_batch_tells_what_still_waits(phone: Phone) -> None:
    phone.batch(OLD, tap("LQ01"), left=2)
    assert (phone.told().journal, phone.told().unsent, phone.told().unsent_at) == (OLD, 2, MORNING)
    phone.site.clock.forward(hours=1)
    phone.batch(OLD, tap("LQ02"), left=1)
    assert (phone.told().unsent, phone.told().unsent_at) == (1, MORNING), (
        "since then something does"
    )
    phone.batch(OLD, tap("LQ03"), left=0)
    assert (phone.told().unsent, phone.told().unsent_at) == (0, None)
    assert phone.losses() == []


def test_an_older_page_says_nothing_of_a_journal(phone: Phone) -> None:
    phone.batch(None, tap(), left=None)
    assert (phone.told().journal, phone.told().unsent) == (None, 0)


def test_a_batch_that_comes_again_does_not_make_more_wait(phone: Phone) -> None:
    first, second = tap("LQ01"), tap("LQ02")
    phone.batch(OLD, first, left=1)
    phone.batch(OLD, second, left=0)
    phone.batch(OLD, first, left=1)
    assert phone.told().unsent == 0
    phone.report(OLD, left=1)
    phone.batch(OLD, second, left=0)
    assert phone.told().unsent == 0, "but it may say that less does"


def test_at_its_start_the_phone_says_what_waits_and_whether_it_stays(phone: Phone) -> None:
    phone.report(OLD, left=3, persisted=False)
    told = phone.told()
    assert (told.journal, told.unsent, told.unsent_at, told.persisted) == (OLD, 3, MORNING, False)
    phone.report(OLD, left=3)
    assert phone.told().persisted is False, "nothing new was said"
    phone.report(OLD, persisted=True)
    assert (phone.told().unsent, phone.told().persisted) == (0, True)


def test_a_new_journal_while_answers_waited_is_a_loss(phone: Phone) -> None:
    phone.batch(OLD, tap(), left=2)
    phone.report(NEW)
    assert phone.losses() == [(OLD, NEW, 2, 0)]
    assert phone.untold() == 2
    assert phone.entries("lose_answers") == [(None, "2")]
    assert (phone.told().journal, phone.told().unsent) == (NEW, 0)


def test_a_new_journal_where_nothing_waited_is_none(phone: Phone) -> None:
    phone.batch(OLD, tap(), left=0)
    phone.report(NEW)
    assert phone.untold() == 0
    assert phone.entries("lose_answers") == []


def test_the_cookie_knows_of_more_than_was_told(phone: Phone) -> None:
    phone.batch(OLD, tap(), left=2)
    phone.report(NEW, lost=5)
    assert phone.losses() == [(OLD, NEW, 5, 0)]


def test_a_loss_is_noted_once_however_often_it_is_reported(phone: Phone) -> None:
    phone.batch(OLD, tap(), left=2)
    for _ in range(3):
        phone.report(NEW, left=1, lost=3)
    assert phone.losses() == [(OLD, NEW, 3, 0)]
    assert phone.entries("lose_answers") == [(None, "3")]


def test_a_batch_may_be_faster_than_the_report(phone: Phone) -> None:
    """The new journal's first batch shows that the old one is gone; the cookie knows more."""
    phone.batch(OLD, tap("LQ01"), left=2)
    phone.batch(NEW, tap("LQ02"), left=0)
    assert phone.losses() == [(OLD, NEW, 2, 0)]
    phone.report(NEW, lost=3)
    assert phone.losses() == [(OLD, NEW, 3, 0)]
    assert phone.entries("lose_answers") == [(None, "2"), ("2", "3")]


def test_a_phone_never_heard_of_can_lose_answers_too(phone: Phone) -> None:
    phone.report(NEW, lost=4)
    assert phone.losses() == [(None, NEW, 4, 0)]
    phone.report(NEW, lost=4)
    assert phone.untold() == 4


def test_what_was_long_on_its_way_is_not_lost(phone: Phone) -> None:
    phone.batch(OLD, tap("LQ01"), left=3)
    phone.report(NEW, lost=3)
    late = tap("LQ02")
    phone.batch(OLD, late, tap("LQ03"), left=1)
    phone.batch(OLD, late, left=0)
    assert phone.losses() == [(OLD, NEW, 3, 2)]
    assert phone.untold() == 1
    assert phone.entries("find_answers") == [(None, "2")]
    assert phone.told().journal == NEW, "and the new journal is still the phone's"
    with phone.site.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Answer)) == 3


def test_a_report_that_was_long_on_its_way_takes_no_journals_place(phone: Phone) -> None:
    phone.batch(OLD, tap(), left=0)
    phone.report(NEW, left=2)
    phone.report(OLD, left=9)
    assert (phone.told().journal, phone.told().unsent) == (NEW, 2)
    assert phone.untold() == 0


def test_each_journal_that_goes_has_its_own_loss(phone: Phone) -> None:
    phone.batch(OLD, tap("LQ01"), left=1)
    phone.report(NEW)
    phone.batch(NEW, tap("LQ02"), left=2)
    phone.report(NEWER)
    assert phone.losses() == [(OLD, NEW, 1, 0), (NEW, NEWER, 2, 0)]
    assert phone.untold() == 3


def test_who_has_seen_a_loss_is_not_told_again(phone: Phone) -> None:
    phone.batch(OLD, tap(), left=2)
    phone.report(NEW)
    with phone.site.database.writing() as session:
        journals.tell(session, phone.person.id, phone.device_id, phone.site.clock())
        journals.tell(session, phone.person.id, phone.device_id, phone.site.clock())
    assert phone.untold() == 0
    assert phone.entries("see_loss") == [(None, "2")]
    phone.report(NEW, lost=3)
    assert phone.untold() == 3, "unless it turns out to be more"


def test_losses_are_a_persons_own(phone: Phone) -> None:
    other = phone.site.enrol("01-002")
    tablet = phone.site.join(replace(phone.person, code=phone.site.new_code(phone.person)))
    phone.batch(OLD, tap(), left=2)
    phone.report(NEW)
    with phone.site.database.writing() as session:
        journals.report(session, tablet, OLD, 1, 0, None, phone.site.clock())
        journals.report(session, tablet, NEWER, 0, 0, None, phone.site.clock())
        assert journals.untold(session, phone.person.id) == 3, "of both phones"
        assert journals.untold(session, other.id) == 0
        assert list(audit.verify(session)) == []


# --- what the site sees -------------------------------------------------------------------------


def test_the_list_says_what_waits_what_is_lost_and_what_may_be(phone: Phone) -> None:
    phone.batch(OLD, tap(), left=2)
    phone.report(NEW, left=3, persisted=False)
    assert remarks(phone.site, phone.person)[:3] == (
        "3 answers wait on a phone since 2026-11-23 09:00",
        "2 answers lost on a phone on 2026-11-23",
        "phone may delete unsent answers",
    )
    phone.report(NEW, left=1, persisted=True)
    found = remarks(phone.site, phone.person)
    assert found[0] == "1 answer waits on a phone since 2026-11-23 09:00"
    assert not any("delete" in one for one in found)
    phone.report(NEW)
    assert remarks(phone.site, phone.person)[0] == "2 answers lost on a phone on 2026-11-23"


def test_a_phone_that_is_signed_out_may_still_hold_answers(phone: Phone) -> None:
    """Until the same browser has joined again: then its journal speaks through the new device."""
    phone.report(OLD, left=2, persisted=False)
    with phone.site.database.writing() as session:
        enrolment.issue_code(session, phone.person.id, "k" * 32, phone.site.clock(), True)
    told = remarks(phone.site, phone.person)
    assert told[-3] == "2 answers wait on a phone that is signed out, since 2026-11-23 09:00"
    new = phone.site.join(replace(phone.person, code=phone.site.new_code(phone.person)))
    replace(phone, device_id=new).report(OLD, left=2)
    assert remarks(phone.site, phone.person)[0] == (
        "2 answers wait on a phone since 2026-11-23 09:00"
    )
    assert sum("wait" in one for one in remarks(phone.site, phone.person)) == 1

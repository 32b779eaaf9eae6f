"""Letters that tell the staff that something waits: neutral, never lost, never two for one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa

from pro_app.core.study import LANGUAGES
from pro_app.delivery import Accepted, Gone, Misconfigured, Outcome, Retry
from pro_app.models import Alarm, AlertLetter, Staff, StaffRole
from pro_app.services import alert_letters, answer_alerts
from pro_app.services.alert_letters import Tally
from tests.conftest import Site
from tests.services.correcting import hire
from tests.services.trial import Letterbox, office
from tests.services.watching import acknowledge, letters_of, submit, watch

TELLING = re.compile(
    r"(?i)lupus|sle\b|sf-?36|car-?t|qol|questionnaire|answer|alert|pain|participant|patient|"
    r"study|trial|01-001|\b0\b|aminah|tan\b"
)


@dataclass
class Mailroom:
    """The worker's side of a watched study."""

    site: Site
    box: Letterbox = field(default_factory=Letterbox)

    def drain(self, **how: object) -> Tally:
        """Send what is due."""
        return alert_letters.drain(office(self.site, mail=how.get("mail", self.box)))  # type: ignore[arg-type]

    def alarms(self) -> list[str]:
        """The codes of the open alarms."""
        with self.site.database.reading() as session:
            return list(session.scalars(sa.select(Alarm.code).order_by(Alarm.code)))


@pytest.fixture
def mailroom(site: Site) -> Mailroom:
    """With a coordinator and an investigator at the site."""
    watch(site)
    hire(site, "Aminah", "coordinator")
    hire(site, "Dr Tan", "investigator")
    return Mailroom(site)


def test_everybody_who_is_to_be_told_gets_one_letter_however_much_waits(
    mailroom: Mailroom,
) -> None:
    submit(mailroom.site, first=0, pain=0)
    assert mailroom.drain() == Tally(sent=2)
    assert [one.to for one in mailroom.box.sent] == ["aminah@hospital.my", "dr.tan@hospital.my"]
    assert {state for _, _, state in letters_of(mailroom.site)} == {"sent"}
    assert mailroom.drain() == Tally()
    assert len(mailroom.box.sent) == 2


def test_a_person_with_two_roles_gets_one_letter(site: Site) -> None:
    watch(site)
    hire(site, "Both", "coordinator", "investigator")
    submit(site, first=0)
    assert letters_of(site) == [("Both", "raised", "planned")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_tells_nothing(mailroom: Mailroom, language: str) -> None:
    with mailroom.site.database.writing() as session:
        session.execute(sa.update(Staff).values(language=language))
    submit(mailroom.site, first=0, pain=0)
    mailroom.drain()
    for letter in mailroom.box.sent:
        assert letter.language == language.replace("_", "-")
        assert "/staff/" in letter.text
        said = f"{letter.subject}\n{letter.text}".replace("https://answers.example.org", "")
        assert TELLING.search(said) is None, said


def test_what_the_server_will_not_take_now_goes_later_and_once(mailroom: Mailroom) -> None:
    submit(mailroom.site, pain=0)
    mailroom.box.answer = Retry(None, None, "timeout")
    assert mailroom.drain() == Tally(retried=1)
    mailroom.box.answer = Accepted(250)
    mailroom.site.clock.forward(minutes=1)
    assert mailroom.drain() == Tally(sent=1)
    first, second = mailroom.box.sent
    assert first.message_id == second.message_id, "a mail program shows it once"


def test_a_worker_that_dies_in_between_leaves_it_to_the_next(mailroom: Mailroom) -> None:
    submit(mailroom.site, pain=0)

    class Death(Exception):
        pass

    def die(_letter: object) -> Outcome:
        raise Death

    mailroom.box.answer = die
    with pytest.raises(Death):
        mailroom.drain()
    mailroom.box.answer = Accepted(250)
    assert mailroom.drain() == Tally(), "the lease holds"
    mailroom.site.clock.forward(seconds=91)
    assert mailroom.drain() == Tally(sent=1)
    assert len({one.message_id for one in mailroom.box.sent}) == 1


def test_an_answer_that_never_came_counts_as_not_sent(mailroom: Mailroom) -> None:
    submit(mailroom.site, pain=0)
    mailroom.box.answer = lambda _letter: None
    assert mailroom.drain() == Tally(retried=1)
    assert letters_of(mailroom.site) == [("Dr Tan", "raised", "planned")]


def test_a_dead_address_is_the_operators_alarm(mailroom: Mailroom) -> None:
    submit(mailroom.site, pain=0)
    mailroom.box.answer = Gone(550)
    assert mailroom.drain() == Tally(failed=1)
    assert letters_of(mailroom.site) == [("Dr Tan", "raised", "failed")]
    assert mailroom.alarms() == ["alert_letter"]
    with mailroom.site.database.reading() as session:
        assert "@" not in session.scalars(sa.select(Alarm.detail)).one()


@pytest.mark.parametrize("how", ["none", "refused"])
def test_without_a_mail_server_that_works_it_waits_and_the_operator_knows(
    mailroom: Mailroom, how: str
) -> None:
    submit(mailroom.site, pain=0)
    mailroom.box.answer = Misconfigured(535, "authentication")
    assert mailroom.drain(mail=None if how == "none" else mailroom.box) == Tally(retried=1)
    assert mailroom.alarms() == ["email_misconfigured"]
    mailroom.box.answer = Accepted(250)
    mailroom.site.clock.forward(minutes=59)
    assert mailroom.drain() == Tally()
    mailroom.site.clock.forward(minutes=1)
    assert mailroom.drain() == Tally(sent=1)


def test_what_was_acknowledged_meanwhile_is_not_written_of(mailroom: Mailroom) -> None:
    answered = submit(mailroom.site, pain=0)
    acknowledge(mailroom.site, answered, "pain", hire(mailroom.site, "Dr Devi", "investigator"))
    assert mailroom.drain() == Tally(cancelled=1)
    assert mailroom.box.sent == []


@pytest.mark.parametrize("how", ["disabled", "ended"])
def test_who_has_left_meanwhile_is_not_written_to(mailroom: Mailroom, how: str) -> None:
    submit(mailroom.site, pain=0)
    now = mailroom.site.clock()
    with mailroom.site.database.writing() as session:
        if how == "disabled":
            session.execute(sa.update(Staff).values(disabled_at=now))
        else:
            session.execute(sa.update(StaffRole).values(ends_at=now))
    assert mailroom.drain() == Tally(cancelled=1)


def test_who_has_no_such_role_any_more_is_not_told(mailroom: Mailroom) -> None:
    with mailroom.site.database.writing() as session:
        session.execute(sa.update(StaffRole).values(ends_at=mailroom.site.clock()))
    submit(mailroom.site, first=0)
    assert letters_of(mailroom.site) == []
    assert mailroom.alarms() == ["alert_untold", "alert_untold"]


def test_an_escalation_is_written_of_anew(mailroom: Mailroom) -> None:
    submit(mailroom.site, first=0)
    mailroom.drain()
    mailroom.site.clock.forward(hours=24)
    answer_alerts.escalate(mailroom.site.database, mailroom.site.clock())
    assert mailroom.drain() == Tally(sent=1)
    assert mailroom.box.sent[-1].to == "dr.tan@hospital.my"
    assert len({one.message_id for one in mailroom.box.sent}) == 3


def test_more_than_a_batch_all_goes(mailroom: Mailroom) -> None:
    for n in range(alert_letters.BATCH + 5):
        hire(mailroom.site, f"Doctor {n}", "investigator")
    submit(mailroom.site, pain=0)
    assert mailroom.drain() == Tally(sent=alert_letters.BATCH + 6)
    assert len({one.to for one in mailroom.box.sent}) == alert_letters.BATCH + 6


def test_a_worker_that_is_to_end_begins_no_batch(mailroom: Mailroom) -> None:
    submit(mailroom.site, pain=0)
    assert alert_letters.drain(office(mailroom.site), lambda: False) == Tally()
    with mailroom.site.database.reading() as session:
        assert session.scalars(sa.select(AlertLetter.lease)).one() is None

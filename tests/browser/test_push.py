"""The whole way of a reminder, with nothing in it that is not real but the push service's machine.

Firefox subscribes by itself in the person's own click; the planner and the drainer send; a relay
of this machine stands where Mozilla's push service is; Firefox decrypts, shows, and is clicked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pro_app.core.library import Library
from pro_app.models import Database, Message, Subscription
from pro_app.services import reachability, sending
from pro_app.services.post_office import PostOffice
from tests.browser import record
from tests.browser.conftest import Server
from tests.browser.firefox import Firefox
from tests.browser.push_relay import DELIVERED, PushRelay
from tests.conftest import PIN, Enrolled, TestClock
from tests.services.trial import Trial, load_trial

LEFT = "aborted due to page navigation"  # a page that is left reads its journal to no end
TAMIL = re.compile(r"[\u0b80-\u0bff ]+")


@pytest.fixture(scope="module")
def relay() -> Iterator[PushRelay]:
    with PushRelay() as found:
        yield found


@pytest.fixture
def trial(sqlite_url: str, library: Library, clock: TestClock) -> Iterator[Trial]:
    database = Database(sqlite_url)
    yield load_trial(database, library, clock)
    database.close()


@pytest.fixture
def server(sqlite_url: str, trial: Trial, clock: TestClock, relay: PushRelay) -> Iterator[Server]:
    found = Server(sqlite_url, clock, push_hosts=(urlsplit(relay.origin).netloc,))
    yield found
    found.close()


@pytest.fixture
def firefox(relay: PushRelay, tmp_path: Path, server: Server) -> Iterator[Firefox]:
    """It looks for problems while the server is there: to find it gone is none of the page's."""
    assert server.url
    with Firefox(relay, tmp_path / "profile", language="ta") as found:
        yield found
        assert [one for one in found.problems() if LEFT not in one] == []


def office_of(server: Server) -> PostOffice:
    return server.app.extensions["pro_app"].post_office  # type: ignore[no-any-return]


def work(server: Server, trial: Trial) -> sending.Tally:
    """What a worker does in a minute."""
    trial.plan()
    return sending.drain(office_of(server))


def fill(firefox: Firefox, css: str, text: str) -> None:
    firefox.wait_for(css)
    firefox.run("document.querySelector(arguments[0]).value = arguments[1]", css, text)


def join(firefox: Firefox, server: Server, person: Enrolled) -> None:
    """Type the card's code, agree to the notice, choose the PIN."""
    firefox.open(f"{server.url}/join/?language={person.language}")
    fill(firefox, "#code", person.code)
    firefox.click("main .btn")
    firefox.click("[name=accept]")
    firefox.click("main .btn")
    fill(firefox, "#pin", PIN)
    fill(firefox, "#again", PIN)
    firefox.click("main .btn")
    firefox.switch_to("/today")


def turn_on(firefox: Firefox, server: Server) -> None:
    """Open the reminders' own page, and press its button."""
    firefox.open(f"{server.url}/reminders/")
    firefox.click("[data-state=off] [data-turn-on]")
    firefox.wait_for("[data-state=on]:not([hidden])")


def test_a_reminder_reaches_a_real_browser_in_tamil_and_opens_the_questionnaire(
    firefox: Firefox, relay: PushRelay, server: Server, trial: Trial, clock: TestClock
) -> None:
    person = trial.enrol(language="ta")
    join(firefox, server, person)
    turn_on(firefox, server)
    assert firefox.notifications() == []
    before = len(relay.acks)
    clock.forward(days=1)
    assert work(server, trial).sent == 2  # one message for both questionnaires
    assert [ack.code for ack in relay.wait_for_ack(before + 1)[before:]] == [DELIVERED]
    assert len(relay.posts) == 1
    (shown,) = firefox.wait_for_notifications(1)
    assert shown["lang"] == "ta"
    assert TAMIL.fullmatch(shown["title"])
    told = f"{shown['title']} {shown['body']}".lower()
    assert not any(word in told for word in ("lupus", "lq", "sf-36", "ஆய்வு", "01-001"))
    firefox.click_notification()
    firefox.switch_to("/unlock")  # the session has ended over night
    fill(firefox, "#pin", PIN)
    firefox.click("main .btn")
    lupusqol = trial.assessments(person)["baseline", 1, "lupusqol"]
    firefox.switch_to(f"/questionnaires/{lupusqol.public_id}")
    record.eventually(lambda: _known(trial), {"accepted", "shown", "opened"})
    with trial.database.reading() as session:
        assert reachability.reachability(session, person.id, trial.clock()).push == "on"
    assert work(server, trial).sent == 0


def test_a_phone_that_was_off_gets_the_newest_reminder_alone(
    firefox: Firefox, relay: PushRelay, server: Server, trial: Trial, clock: TestClock
) -> None:
    person = trial.enrol(language="ta")
    join(firefox, server, person)
    turn_on(firefox, server)
    with firefox.switched_off():
        before = relay.waiting
        for _ in range(3):
            clock.forward(days=1)
            work(server, trial)
        assert relay.waiting == before + 1
    firefox.open(f"{server.url}/today")
    (shown,) = firefox.wait_for_notifications(1)
    assert TAMIL.fullmatch(shown["title"])


def test_a_test_reminder_proves_the_way_and_off_means_off(
    firefox: Firefox, relay: PushRelay, server: Server, trial: Trial, clock: TestClock
) -> None:
    person = trial.enrol(language="ta")
    join(firefox, server, person)
    turn_on(firefox, server)
    firefox.click("[data-state=on] .btn")
    firefox.wait_for_notifications(1)
    firefox.open(f"{server.url}/reminders/")
    firefox.click("[data-state=on] .quiet")
    firefox.wait_for("[data-state=off]:not([hidden])")
    posts = len(relay.posts)
    clock.forward(days=1)
    tally = work(server, trial)
    assert (tally.sent, tally.listed) == (0, 2), "no phone and no address: the site calls"
    assert len(relay.posts) == posts
    with trial.database.reading() as session:
        assert session.query(Subscription).one().secret == b""


def test_a_dead_subscription_is_made_anew_at_the_next_start(
    firefox: Firefox, relay: PushRelay, server: Server, trial: Trial, clock: TestClock
) -> None:
    person = trial.enrol(language="ta")
    join(firefox, server, person)
    turn_on(firefox, server)
    with trial.database.reading() as session:
        row = session.query(Subscription).one()
        endpoint = office_of(server).vault.unlock(row.secret).split("\n")[0]
    relay.expire(endpoint)
    clock.forward(days=1)
    assert work(server, trial).failed >= 2
    with trial.database.reading() as session:
        assert reachability.reachability(session, person.id, trial.clock()).push == "lost"
    firefox.open(f"{server.url}/today")
    fill(firefox, "#pin", PIN)
    firefox.click("main .btn")
    firefox.switch_to("/today")
    record.eventually(lambda: _push(trial, person), "on")  # it has subscribed again by itself


def _known(trial: Trial) -> set[str]:
    """What is known of the one message: the phone itself says that it has shown it."""
    with trial.database.reading() as session:
        message = session.query(Message).one()
        return {one for one in ("accepted", "shown", "opened") if getattr(message, f"{one}_at")}


def _push(trial: Trial, person: Enrolled) -> str:
    with trial.database.reading() as session:
        return reachability.reachability(session, person.id, trial.clock()).push

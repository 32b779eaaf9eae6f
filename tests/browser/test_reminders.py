"""Reminders in real Chromium: asking, the real service worker, coming back after a loss.

Chromium's own `pushManager.subscribe` wants Google's servers; a stub stands for it and keeps its
subscription as a browser does. Everything after it is real: pushes go to the worker by DevTools.
"""

from __future__ import annotations

import json
import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import (
    BrowserContext,
    BrowserType,
    CDPSession,
    Error,
    Page,
    Worker,
    expect,
)

from pro_app.core.library import Library
from pro_app.delivery import Gone, Post
from pro_app.models import Database, Device, Message, Subscription
from pro_app.services import reach, reachability, sending
from pro_app.services.notices import Notices
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import PATIENCE, Phones, RunningClock, Server, Watch
from tests.browser.people import Phone
from tests.browser.test_accessibility import Inspector
from tests.conftest import Enrolled, TestClock
from tests.services.trial import Letterbox, Recorder, Trial, browser, load_trial

STUB = """
(() => {
  const kept = () => JSON.parse(localStorage.getItem("subscription"));
  const bytes = (text) => Uint8Array.from(
    atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0)).buffer;
  const made = ({ endpoint, key }) => ({
    endpoint,
    options: { userVisibleOnly: true, applicationServerKey: bytes(key) },
    unsubscribe: async () => { localStorage.removeItem("subscription"); return true; },
    toJSON: () => ({ endpoint, expirationTime: null, keys: KEYS }),
  });
  PushManager.prototype.getSubscription = async () => kept() && made(kept());
  PushManager.prototype.subscribe = async (options) => {
    if (localStorage.getItem("broken")) throw new DOMException("no push service", "AbortError");
    const n = Number(localStorage.getItem("made") ?? 0) + 1;
    localStorage.setItem("made", n);
    localStorage.setItem("asked", JSON.stringify(options));
    const endpoint = `https://fcm.googleapis.com/fcm/send/${n}`;
    localStorage.setItem("subscription",
      JSON.stringify({ endpoint, key: options.applicationServerKey }));
    return made(kept());
  };
  const ask = Notification.requestPermission;
  Notification.requestPermission = () => {
    localStorage.setItem("gesture", navigator.userActivation.isActive);
    return ask.call(Notification);
  };
})();
"""
NO_PUSH = "delete window.Notification; delete window.PushManager;"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)
FORGOTTEN = 8.0  # seconds after which a push that was not shown is taken for lost
SCRIPTS = {"ms": "LATIN", "en": "LATIN", "zh_Hans": "CJK UNIFIED", "ta": "TAMIL"}


@pytest.fixture
def clock() -> TestClock:
    """Shortly before nine, when the first reminder is due."""
    found = RunningClock()
    found.forward(minutes=-20)
    return found


@pytest.fixture
def web_site(sqlite_url: str, library: Library, clock: TestClock) -> Iterator[Trial]:
    """A site whose study has reminders."""
    database = Database(sqlite_url)
    yield load_trial(database, library, clock)
    database.close()


@pytest.fixture
def pushes(server: Server) -> Recorder:
    """What the application hands to the push services."""
    found, house = Recorder(), server.app.extensions["pro_app"]
    office = replace(house.post_office, post=Post(found, Letterbox()))
    server.app.extensions["pro_app"] = replace(house, post_office=office)
    return found


class Reminded:
    """A person's own phone, and what is known of it on both sides."""

    def __init__(
        self, phone: Phone, person: Enrolled, site: Trial, server: Server, pushes: Recorder
    ) -> None:
        self.phone, self.page, self.person = phone, phone.page, person
        self.site, self.server, self.pushes = site, server, pushes

    @property
    def notices(self) -> Notices:
        """The words of messages."""
        found: Notices = self.server.app.extensions["pro_app"].post_office.notices
        return found

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    def allow(self, setting: str = "granted") -> None:
        """The browser allows reminders (or has `denied` them, or would ask: `prompt`)."""
        wire = self.context.new_cdp_session(self.page)
        permission = {"name": "notifications"}
        origin = self.phone.url
        wire.send(
            "Browser.setPermission",
            {"permission": permission, "setting": setting, "origin": origin},
        )

    def state(self, name: str) -> None:
        """This part of the Reminders page is shown, and no other."""
        expect(self.page.locator(f"[data-state={name}]")).to_be_visible()
        expect(self.page.locator("[data-state]:visible")).to_have_count(1)

    def open(self, path: str = "/reminders/") -> None:
        """Open a page and wait until its script has done its part."""
        self.phone.open(path)
        self.ready()

    def ready(self) -> None:
        """The page's script has done its part."""
        expect(self.page.locator("[data-reminders][data-ready]")).to_have_count(1)

    def turn_on(self) -> None:
        """Allow reminders and press the button."""
        self.allow()
        self.open()
        press(self.page, "[data-turn-on]:visible")
        self.state("on")
        self.ready()

    def ask(self, script: str, given: object = None) -> Any:
        """What the page's script says; once more if it was just being loaded anew."""
        try:
            return self.page.evaluate(script, given)
        except Error:
            self.page.wait_for_load_state()
            return self.page.evaluate(script, given)

    def stored(self, name: str) -> Any:
        """What the stub keeps, as the browser would."""
        text = self.ask("(name) => localStorage.getItem(name)", name)
        return None if text is None else json.loads(text)

    def store(self, name: str, value: object) -> None:
        """Change what the stub keeps; None takes it away."""
        self.page.evaluate(
            "([name, value]) => value === null ? localStorage.removeItem(name)"
            " : localStorage.setItem(name, value)",
            [name, None if value is None else json.dumps(value)],
        )

    def subscriptions(self) -> dict[str, str]:
        """By hash of the endpoint, the state of everything the server knows."""
        with self.site.database.reading() as session:
            rows = session.execute(sa.select(Subscription.endpoint_hash, Subscription.state))
            return {key: state for key, state in rows}  # noqa: C416 (rows are no pairs to dict)

    def living(self, n: int) -> None:
        """The stub's n-th subscription is the living one, on both sides."""
        endpoint = f"https://fcm.googleapis.com/fcm/send/{n}"
        assert self.stored("subscription")["endpoint"] == endpoint
        alive = [key for key, state in self.subscriptions().items() if state == "active"]
        assert alive == [reach.endpoint_hash(endpoint)]

    def push_state(self) -> str:
        """What the site sees."""
        with self.site.database.reading() as session:
            return reachability.reachability(session, self.person.id, self.site.clock()).push

    def posted(self) -> int:
        """How many subscriptions have reached the server."""
        return self.server.asked.count("POST /reminders/subscription")

    def remind(self) -> Message:
        """Nine o'clock: send what is due. The message."""
        self.site.clock.forward(minutes=20)
        self.site.plan()
        sending.drain(self.server.app.extensions["pro_app"].post_office)
        return self.message()

    def message(self) -> Message:
        """The newest message."""
        with self.site.database.reading() as session:
            return session.scalars(sa.select(Message).order_by(Message.id.desc())).first()  # type: ignore[return-value]

    def deliver(self, data: str) -> dict[str, Any]:
        """Deliver a push to the real worker: the notification that is shown."""
        self.page.evaluate(
            "navigator.serviceWorker.ready.then((it) => it.getNotifications())"
            ".then((all) => all.forEach((one) => one.close()))"
        )
        self.until(lambda: not self.notifications())
        wire, registration = self.wire()
        push = {"origin": self.phone.url, "registrationId": registration, "data": data}
        for _ in range(3):  # a Chromium that has just started may forget the first one it shows
            wire.send("ServiceWorker.deliverPushMessage", push)
            if self.comes(self.notifications, FORGOTTEN):
                break
        (shown,) = self.notifications()
        return shown

    def notifications(self) -> list[dict[str, Any]]:
        """What the phone shows."""
        found: list[dict[str, Any]] = self.ask(
            """async () => {
              const registration = await navigator.serviceWorker.ready;
              return (await registration.getNotifications()).map((one) => {
                const { title, body, lang, dir, tag, icon, badge, data } = one;
                return { title, body, lang, dir, tag, icon, badge, data };
              });
            }"""
        )
        return found

    def wire(self) -> tuple[CDPSession, str]:
        """DevTools, and the worker's registration there."""
        self.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        wire = self.context.new_cdp_session(self.page)
        found: list[str] = []
        wire.on(
            "ServiceWorker.workerRegistrationUpdated",
            lambda event: found.extend(one["registrationId"] for one in event["registrations"]),
        )
        wire.send("ServiceWorker.enable")
        self.until(lambda: found)
        return wire, found[-1]

    def worker(self) -> Worker:
        """The worker itself."""
        self.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        self.until(lambda: self.context.service_workers)
        (found,) = self.context.service_workers
        return found

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for something that happens behind the page."""
        assert self.comes(condition, PATIENCE / 1000), "it never happened"

    def comes(self, condition: Callable[[], object], seconds: float) -> bool:
        """Whether something happens within so many seconds, during which pages may change."""
        end = time.monotonic() + seconds
        while not (came := condition()) and time.monotonic() < end:
            self.page.wait_for_timeout(20)
        return bool(came)


Own = Callable[..., Reminded]


@pytest.fixture
def own(
    browser_type: BrowserType,
    browser_type_launch_args: dict[str, Any],
    tmp_path: Path,
    server: Server,
    watch: Watch,
    web_site: Trial,
    pushes: Recorder,
) -> Iterator[Own]:
    """Hands out a person's own phone: a browser with a profile, where notifications exist."""
    contexts: list[BrowserContext] = []

    def launch(**options: Any) -> BrowserContext:
        folder = tmp_path / f"profile-{len(contexts)}"
        context = browser_type.launch_persistent_context(
            folder, **{**browser_type_launch_args, **options}
        )
        contexts.append(context)
        return context

    def make(language: str = "en", stub: str = STUB, **options: Any) -> Reminded:
        person = web_site.enrol(f"01-{len(contexts) + 1:03}", language)
        phone = Phones(launch, server, watch, web_site).of(person, **options)
        given = browser().subscription("https://fcm.googleapis.com/")
        keys = json.dumps({"p256dh": given.p256dh, "auth": given.auth})
        phone.page.context.add_init_script(stub.replace("KEYS", keys))
        return Reminded(phone, person, web_site, server, pushes)

    yield make
    for context in contexts:
        context.close()


# --- turning on and off -------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_from_today_to_a_reminder_on_the_screen(own: Own, language: str) -> None:
    me = own(language)
    me.allow()
    me.open("/today")
    expect(me.page.locator(".invitation")).to_be_visible()
    me.page.locator(".invitation .btn").click()
    me.state("off")
    me.page.locator("[data-turn-on]:visible").click()
    me.state("on")
    me.living(1)
    key = me.server.app.extensions["pro_app"].post_office.application_key
    assert me.stored("asked") == {"userVisibleOnly": True, "applicationServerKey": key}
    assert me.stored("gesture") is True, "asked in the very click"
    me.open("/today")
    expect(me.page.locator(".invitation")).to_have_count(0)
    assert me.posted() == 1, "nothing changed, nothing is sent again"
    message = me.remind()
    (push,) = me.pushes.sent
    seen = me.deliver(push.payload.decode())
    assert seen["title"] == me.notices.fallback(language).title
    for text in (seen["title"], seen["body"]):
        letter = next(one for one in text if one.isalpha())
        assert unicodedata.name(letter).startswith(SCRIPTS[language]), text
    assert (seen["lang"], seen["dir"]) == (language.replace("_", "-"), "ltr")
    assert seen["data"] == {"navigate": f"{me.phone.url}/r/{message.public_id}"}
    assert seen["icon"].endswith("/icons/icon-192.png")
    me.until(lambda: me.message().shown_at is not None)


def test_turning_off_takes_the_browsers_part_back_too(own: Own) -> None:
    me = own()
    me.turn_on()
    me.page.locator("form[action$='/off'] button").click()
    me.state("off")
    me.until(lambda: me.stored("subscription") is None)
    assert set(me.subscriptions().values()) == {"off"}
    me.open("/today")
    assert me.stored("subscription") is None, "it does not come back by itself"
    assert me.posted() == 1
    me.open()
    me.page.locator("[data-turn-on]:visible").click()
    me.state("on")
    me.living(2)


def test_who_refuses_is_told_how_to_change_it(own: Own, watch: Watch) -> None:
    me = own()
    me.allow()
    me.open()
    me.page.evaluate("Notification.requestPermission = async () => 'denied'")
    me.page.locator("[data-turn-on]:visible").click()
    me.state("denied")
    assert me.push_state() == "denied"
    assert me.posted() == 0
    me.page.locator("#email").fill("me@example.org")
    me.page.locator("form[action$='/email'] .btn").click()
    expect(me.page.locator(".done")).to_be_visible()


def test_who_puts_the_question_away_may_be_asked_again(own: Own) -> None:
    me = own()
    me.allow()
    me.open()
    me.page.evaluate("Notification.requestPermission = async () => 'default'")
    me.page.locator("[data-turn-on]:visible").click()
    me.until(lambda: me.push_state() == "off")
    me.state("off")
    expect(me.page.locator("[data-turn-on]:visible")).to_be_enabled()


def test_a_browser_that_refuses_everywhere_says_so(own: Own) -> None:
    me = own()
    me.allow("denied")
    me.open("/today")
    me.until(lambda: me.push_state() == "denied")
    me.open()
    me.state("denied")
    expect(me.page.locator("[data-only=other]")).to_be_visible()
    expect(me.page.locator("[data-only=apple]")).to_be_hidden()
    me.allow()
    me.open()
    me.state("off")


def test_a_phone_without_a_push_service_is_told_and_the_site_knows(own: Own) -> None:
    me = own()
    me.allow()
    me.open()
    me.store("broken", True)
    me.page.locator("[data-turn-on]:visible").click()
    me.state("failed")
    me.until(lambda: me.push_state() == "unsupported")
    me.open("/today")
    me.open()
    me.state("failed")
    assert me.push_state() == "unsupported", "allowed alone is not reached"
    me.store("broken", None)
    me.page.locator("[data-turn-on]:visible").click()
    me.state("on")
    me.living(1)


def test_a_test_reminder_and_its_tap(own: Own) -> None:
    me = own()
    me.turn_on()
    me.page.locator("form[action$='/test'] button").click()
    expect(me.page.locator(".done")).to_contain_text("The test is on its way.")
    (push,) = me.pushes.sent
    seen = me.deliver(push.payload.decode())
    assert seen["title"] == "This is a test"
    me.page.goto(seen["data"]["navigate"])
    expect(me.page.locator(".done")).to_contain_text("The test has reached you.")


# --- coming back --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/today", "/reminders/"])
def test_a_subscription_that_vanished_is_made_anew(own: Own, path: str) -> None:
    me = own()
    me.turn_on()
    me.store("subscription", None)
    me.open(path)
    me.until(lambda: me.posted() == 2)
    me.until(lambda: "off" in me.subscriptions().values())
    me.living(2)


def test_a_subscription_with_another_key_is_made_anew(own: Own) -> None:
    me = own()
    me.turn_on()
    me.store("subscription", {**me.stored("subscription"), "key": "AAAA"})
    me.open("/today")
    me.until(lambda: me.posted() == 2)
    me.until(lambda: "off" in me.subscriptions().values())
    me.living(2)
    key = me.server.app.extensions["pro_app"].post_office.application_key
    assert me.stored("subscription")["key"] == key


def test_a_phone_that_the_service_forgot_comes_back(own: Own) -> None:
    me = own()
    me.turn_on()
    me.pushes.answer = Gone(410)
    me.page.locator("form[action$='/test'] button").click()
    me.until(lambda: me.posted() == 2)
    me.state("on")
    me.living(2)


def test_a_permission_taken_away_and_given_back(own: Own) -> None:
    me = own()
    me.turn_on()
    me.allow("denied")
    me.open("/today")
    me.until(lambda: me.push_state() == "denied")
    me.allow()
    me.open("/today")
    me.until(lambda: me.push_state() == "on")


def test_a_subscription_of_somebody_before_is_given_up(own: Own) -> None:
    me = own()
    me.allow()
    me.open("/today")
    me.store("subscription", {"endpoint": "https://fcm.googleapis.com/x", "key": "AAAA"})
    me.open("/today")
    me.until(lambda: me.stored("subscription") is None)
    assert me.posted() == 0


def test_the_worker_is_never_taken_from_a_cache(own: Own) -> None:
    me = own()
    me.open("/today")
    found = me.page.evaluate(
        "navigator.serviceWorker.ready.then((it) => [it.scope, it.updateViaCache,"
        " it.active.scriptURL])"
    )
    url = me.phone.url
    assert found == [f"{url}/", "none", f"{url}/service-worker.js?language=en"]


def test_the_badge_goes_when_nothing_is_open(own: Own) -> None:
    count = "navigator.clearAppBadge = async () => { localStorage.setItem('cleared', 'true'); };"
    me = own(stub=STUB + count)
    me.open("/today")
    assert me.stored("cleared") is None
    me.site.complete(me.person, "baseline")
    me.open("/today")
    assert me.stored("cleared") is True


# --- the worker ---------------------------------------------------------------------------------


BROKEN = (
    "", "not json", "{}", "[]", "null", '"text"', '{"notification":null}', '{"notification":{}}',
    '{"notification":{"title":""}}', '{"notification":{"title":7}}',
)  # fmt: skip


def test_whatever_comes_something_neutral_is_shown(own: Own) -> None:
    me = own("ta")
    me.turn_on()
    words = me.notices.fallback("ta")
    for data in BROKEN:
        seen = me.deliver(data)
        assert (seen["title"], seen["body"]) == (words.title, words.text), data
        assert (seen["lang"], seen["tag"]) == ("ta", "questions")
    strange = {"title": "Hello", "dir": "sideways", "navigate": "https://evil.example/"}
    seen = me.deliver(json.dumps({"web_push": 8030, "notification": strange}))
    assert seen["title"] == words.title, "an option that the phone does not take"
    strange = {"title": "Hello", "navigate": "https://evil.example/r/x"}
    seen = me.deliver(json.dumps({"web_push": 8030, "notification": strange}))
    assert (seen["title"], seen["data"]) == ("Hello", {"navigate": None}), (
        "a tap never leads elsewhere"
    )
    assert not [one for one in me.server.asked if "/r/" in one]


FOCUS = """() => {
  WindowClient.prototype.focus = async function () { return this; };
  clients.openWindow = async (address) => { self.opened = address; };
}"""  # without a real tap a browser refuses both


def test_a_tap_opens_the_questionnaire_in_the_window_there_is(own: Own) -> None:
    me = own()
    me.turn_on()
    message = me.remind()
    me.open("/today")  # the worker looks after this page
    worker = me.worker()
    worker.evaluate(FOCUS)
    worker.evaluate("(address) => open(new URL(address))", f"{me.phone.url}/r/{message.public_id}")
    first, _ = me.site.assessments(me.person).values()
    me.page.wait_for_url(f"**/questionnaires/{first.public_id}")
    assert me.message().opened_at is not None


def test_a_tap_while_answering_takes_nothing_away(own: Own) -> None:
    me = own()
    me.turn_on()
    message = me.remind()
    first, _ = me.site.assessments(me.person).values()
    address = f"/questionnaires/{first.public_id}/items/3"
    me.phone.open(address)
    me.phone.at(3)
    worker = me.worker()
    worker.evaluate(FOCUS)
    worker.evaluate("(address) => open(new URL(address))", f"{me.phone.url}/r/{message.public_id}")
    me.until(lambda: me.message().opened_at is not None)
    assert me.phone.path == address
    assert f"GET /r/{message.public_id}" not in me.server.asked


def test_a_tap_with_no_window_opens_one(own: Own) -> None:
    me = own()
    me.turn_on()
    message = me.remind()
    worker = me.worker()
    worker.evaluate(FOCUS)
    worker.evaluate("() => { clients.matchAll = async () => []; }")
    address = f"{me.phone.url}/r/{message.public_id}"
    worker.evaluate("(address) => open(new URL(address))", address)
    assert worker.evaluate("self.opened") == address


def test_the_worker_renews_a_subscription_by_itself(own: Own) -> None:
    me = own()
    me.turn_on()
    me.page.locator("footer form button").click()
    me.phone.sees("P1")  # locked: the worker needs no page and no PIN
    worker = me.worker()
    fresh = {
        "endpoint": "https://fcm.googleapis.com/fcm/send/fresh",
        "keys": {
            "p256dh": browser().public_key,
            "auth": browser().auth,
        },
    }
    worker.evaluate("(fresh) => renew(fresh)", fresh)
    alive = [key for key, state in me.subscriptions().items() if state == "active"]
    assert alive == [reach.endpoint_hash("https://fcm.googleapis.com/fcm/send/fresh")]


# --- phones that cannot -------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_iphone_is_told_to_put_the_app_on_the_home_screen(own: Own, language: str) -> None:
    me = own(language, stub=NO_PUSH, user_agent=IPHONE)
    me.open()
    me.state("install")
    expect(me.page.locator("[data-state=install] li")).to_have_count(5)
    me.until(lambda: me.push_state() == "not_installed")
    me.page.locator("[data-state=install] a.btn").click()
    me.phone.sees("F2")
    me.phone.go_on()
    expect(me.page.locator("[data-code]")).to_be_visible()


def test_an_iphones_installed_app_asks_like_any_other(own: Own) -> None:
    standing = "Object.defineProperty(navigator, 'standalone', { value: true });"
    me = own(stub=STUB + standing, user_agent=IPHONE)
    me.turn_on()
    with me.site.database.reading() as session:
        assert session.scalars(sa.select(Device.installed)).all() == [True]


@pytest.mark.parametrize(
    "agent", [IPHONE + " MicroMessenger/8.0.50", "Mozilla/5.0 (Linux; Android 14; wv)"]
)
def test_a_browser_inside_another_app_is_told_to_leave_it(own: Own, agent: str) -> None:
    me = own(stub=NO_PUSH, user_agent=agent)
    me.open()
    me.state("unsupported")
    expect(me.page.locator("#address")).to_have_value(f"{me.phone.url}/")
    me.until(lambda: me.push_state() == "unsupported")


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_javascript_the_other_ways_work(
    phones: Phones, web_site: Trial, pushes: Recorder, language: str
) -> None:
    person = web_site.enrol(language=language)
    phone = phones.of(person, javascript=False)
    page = phone.page
    phone.open("/today")
    page.locator(".invitation .btn").click()
    phone.sees("R1")
    expect(page.locator("noscript p")).to_be_visible()
    expect(page.locator("[data-turn-on]:visible")).to_have_count(0)
    page.locator("#hour").select_option("1140")
    press(page, "form[action$='/hour'] .btn")
    expect(page.locator("#hour")).to_have_value("1140")
    page.locator("#email").fill("not an address")
    press(page, "form[action$='/email'] .btn")
    phone.is_told_of_a_fault()
    expect(page.locator("#email")).to_have_value("not an address")
    page.locator("#email").fill("me@example.org")
    press(page, "form[action$='/email'] .btn")
    expect(page.locator("#email")).to_have_value("me@example.org")
    page.locator("form[action$='/calendar'] button").click()
    feed = page.locator("#feed").input_value()
    assert page.request.get(feed).headers["content-type"].startswith("text/calendar")


def press(page: Page, button: str) -> None:
    """Press a form's button and wait for the page that comes."""
    with page.expect_navigation():
        page.locator(button).click()


@pytest.fixture(autouse=True)
def faults_of_forms(request: pytest.FixtureRequest, watch: Watch) -> None:
    """A refused form is an error to Chromium's console; these tests refuse one."""
    if "without_javascript" in request.node.name or "every_state" in request.node.name:
        watch.expect("status of 422")


# --- looks --------------------------------------------------------------------------------------


def test_the_app_can_be_installed(own: Own) -> None:
    me = own("ta")
    me.open("/today")
    me.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    wire = me.context.new_cdp_session(me.page)
    found = wire.send("Page.getAppManifest")
    assert found["errors"] == []
    assert me.notices.app_name("ta") in found["data"]
    assert wire.send("Page.getInstallabilityErrors")["installabilityErrors"] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_can_be_read_by_everybody(own: Own, language: str) -> None:
    """axe finds nothing, light and dark; nothing is wider than the smallest phone."""
    me = own(language)
    me.allow()
    seen = Inspector(me.phone, language)
    states = ("off", "on", "lost", "denied", "unsupported", "install", "failed")
    me.open("/today")
    seen.look("invitation")
    me.open()
    for state in states:
        me.page.evaluate(
            """(state) => {
              for (const one of document.querySelectorAll("[data-state]")) {
                one.hidden = one.dataset.state !== state;
              }
            }""",
            state,
        )
        seen.look(state)
        fits(me.phone, state)
    me.page.locator("form[action$='/calendar'] button").click()
    me.page.locator("#feed").wait_for()
    me.ready()
    seen.look("calendar")
    me.page.locator("#email").fill("x")
    me.page.locator("form[action$='/email'] .btn").click()
    me.phone.is_told_of_a_fault()
    me.ready()
    seen.look("fault")
    me.turn_on()
    message = me.remind()
    me.site.complete(me.person, "baseline")
    me.site.open(me.person, "unscheduled")
    me.phone.open(f"/r/{message.public_id}")
    me.phone.sees("R2")
    seen.look("answered already")
    fits(me.phone, "answered already")
    me.open("/today")
    seen.look("quiet")
    seen.report(
        "invitation", *states, "calendar", "fault", "answered already", "quiet",
    )  # fmt: skip


def fits(phone: Phone, name: str) -> None:
    """Nothing is wider than a small phone, at the largest text too; buttons are large enough."""
    for width, size in ((320, 0), (360, 2)):
        phone.page.set_viewport_size({"width": width, "height": 740})
        html = phone.page.locator("html")
        html.evaluate("(it, size) => { it.className = `size-${size}`; }", size)
        wide, room = phone.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide <= room, f"{name} at {width}, size {size}"
        for box in phone.page.locator("main .btn:visible, main .field:visible").all():
            found = box.bounding_box()
            assert found is not None
            assert found["height"] >= 48, name
    phone.page.locator("html").evaluate("(it) => { it.className = 'size-0'; }")
    phone.page.set_viewport_size({"width": 360, "height": 740})

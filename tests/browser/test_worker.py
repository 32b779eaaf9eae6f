"""The service worker: it opens the app without network, stays out of everything else, can be
replaced while somebody answers, and be taken back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import url_for
from playwright.sync_api import Response, expect

from pro_app.config import Worker
from pro_app.web import house, pwa
from tests.browser import record
from tests.browser.conftest import Phones, Server, Watch
from tests.browser.people import Phone
from tests.conftest import Site

CACHED = """async () => {
  const found = {};
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      const response = await cache.match(request);
      found[new URL(request.url).pathname] = await response.text();
    }
  }
  return found;
}"""


def cached(phone: Phone) -> dict[str, str]:
    """What the browser keeps for this site, by its path."""
    found: dict[str, str] = phone.page.evaluate(CACHED)
    return found


def new_release(patch: pytest.MonkeyPatch) -> None:
    """The next release of the application has another worker."""
    patch.setitem(pwa.WORKERS, "full", pwa.WORKERS["full"] + "\nconst next = true;")


def update(phone: Phone) -> None:
    """The browser looks for a new worker, as it does by itself once in a while."""
    phone.page.evaluate(
        """async () => {
          const registration = await navigator.serviceWorker.getRegistration();
          await registration.update();
          const fresh = registration.installing;
          if (fresh) await new Promise((done) => fresh.addEventListener('statechange', done));
        }"""
    )


def waiting(phone: Phone) -> bool:
    """Whether a new worker waits for its turn."""
    found: bool = phone.page.evaluate(
        "async () => Boolean((await navigator.serviceWorker.getRegistration()).waiting)"
    )
    return found


def test_no_personal_page_is_kept(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    web_site.answer(lupusqol, {f"LQ{n:02}": 1 for n in range(1, 34)})
    phone = phones.of(person)
    phone.open("/today")
    phone.is_prepared()
    phone.start(1)
    phone.answer({34: 2})
    phone.submit()
    phone.receipt()
    phone.open("/notice")
    kept = cached(phone)
    folders = {path.split("/")[1] for path in kept}
    assert folders == {"offline", "static", "sheets"}
    everything = "".join(kept.values())
    assert 'name="csrf_token"' not in everything
    assert person.number not in everything
    assert lupusqol.public_id not in everything


def test_what_is_sent_never_passes_through_the_worker(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open("/today")
    phone.is_prepared()
    seen: list[Response] = []
    phone.page.on("response", lambda response: seen.append(response))
    phone.start(1)
    phone.at(1)
    phone.choose(2)
    phone.saved()
    phone.page.wait_for_load_state("networkidle")
    by_worker = {(one.request.method, one.from_service_worker) for one in seen}
    assert ("POST", False) in by_worker
    assert ("POST", True) not in by_worker
    assert ("GET", True) in by_worker
    assert record.values(web_site, lupusqol) == {"LQ01": 2}


def test_one_missing_file_does_not_stop_the_worker(
    phones: Phones, web_site: Site, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pwa, "ASSETS", ("js/gone.js", *pwa.ASSETS))
    person = web_site.enrol()
    web_site.open(person)
    phone = phones.of(person)
    phone.open("/today")
    phone.is_prepared()
    server.go_away()
    phone.open("/today")
    phone.sees("N3")


def test_a_file_that_was_missing_is_fetched_at_a_later_start(
    phones: Phones, web_site: Site, server: Server
) -> None:
    person = web_site.enrol()
    web_site.open(person)
    answer, away = server._answer, ["js/offline.js", "/offline"]

    def partly(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"].endswith(tuple(away)):
            start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
            return [b""]
        return answer(environ, start_response)

    server._answer = partly
    phone = phones.of(person)
    phone.open("/today")
    expect(phone.page.locator("[data-phone][data-ready]")).to_have_count(1)
    phone.comes_true("() => navigator.serviceWorker.controller !== null")
    assert not [path for path in cached(phone) if path.endswith(tuple(away))]
    away[:] = ["nothing at all"]
    phone.open("/today")
    phone.is_prepared()
    phone.comes_true(
        "async (url) => Boolean(await caches.match(url))",
        given=next(one for one in server_assets(server) if one.endswith("js/offline.js")),
    )
    server.go_away()
    phone.open("/today")
    phone.sees("N3")


def test_the_release_before_stays_until_the_next_one_is_whole(
    phones: Phones, web_site: Site, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = web_site.enrol()
    web_site.open(person)
    phone = phones.of(person)
    phone.open("/today")
    phone.is_prepared()
    (before,) = releases(phone)
    known, gone = pwa._offline, ["/static/gone.js"]
    monkeypatch.setattr(
        pwa,
        "_offline",
        lambda language: (
            (now := known(language)) | {"version": "next", "assets": now["assets"] + gone}
        ),
    )
    update(phone)
    phone.open("/today")
    phone.is_prepared()
    phone.put_away()
    phone.comes_true(NOBODY_WAITS)
    assert releases(phone) == [before, "app-next"]
    gone.clear()
    update(phone)
    phone.open("/today")
    phone.is_prepared()
    phone.put_away()
    phone.comes_true("async () => (await caches.keys()).join().match(/app-/g).length === 1")
    assert releases(phone) == ["app-next"]


NOBODY_WAITS = """async () => {
  const { waiting, installing, active } = await navigator.serviceWorker.getRegistration();
  return !waiting && !installing && active.state === 'activated';
}"""


def releases(phone: Phone) -> list[str]:
    """The releases of the app that the browser keeps, the oldest first."""
    found: list[str] = phone.page.evaluate(
        "async () => (await caches.keys()).filter((name) => name.startsWith('app-'))"
    )
    return found


def server_assets(server: Server) -> list[str]:
    """The addresses of what the worker keeps."""
    with server.app.test_request_context():
        return [url_for("static", filename=name) for name in pwa.ASSETS]


def test_a_new_release_waits_until_the_questionnaire_is_left(
    phones: Phones, web_site: Site, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    phone.open("/today")
    phone.is_prepared()
    old = [name for name in phone.page.evaluate("caches.keys()") if name.startswith("app-")]
    phone.start(1)
    phone.answer({1: 1, 2: 2})
    phone.page.evaluate("window.before = true")
    monkeypatch.setattr(pwa, "ASSETS", (*pwa.ASSETS, "css/reminders.css"))
    new_release(monkeypatch)
    update(phone)
    assert waiting(phone)
    other = phone.another_window()
    other.open("/today")
    other.is_prepared()
    other.put_away()  # would let the new one in, were nobody answering
    assert waiting(phone)
    phone.answer({3: 3})
    phone.at(4)
    assert phone.page.evaluate("window.before"), "the page was not loaded again"
    everything = {"LQ01": 1, "LQ02": 2, "LQ03": 3}
    record.eventually(lambda: record.values(web_site, lupusqol), everything)
    phone.close()
    phone.sees("P2")
    expect(phone.page.locator("[data-phone][data-ready]")).to_have_count(1)
    assert waiting(phone), "a page asked for while workers change hands may never come"
    phone.put_away()
    phone.comes_true("async () => !(await navigator.serviceWorker.getRegistration()).waiting")
    kept = [name for name in phone.page.evaluate("caches.keys()") if name.startswith("app-")]
    assert len(kept) == len(old) == 1


def set_worker(server: Server, mode: Worker) -> None:
    """The operator sets PRO_WORKER and starts the application again."""
    with server.app.app_context():
        before = house.house()
    house.furnish(server.app, replace(before, settings=replace(before.settings, worker=mode)))


@pytest.mark.parametrize("mode", ["push", "none"])
def test_a_broken_worker_can_be_switched_off(
    phones: Phones, web_site: Site, server: Server, mode: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = "addEventListener('fetch', (event) => event.respondWith(new Response('broken')));"
    monkeypatch.setitem(pwa.WORKERS, "full", broken + pwa._TAKE_OVER)
    person = web_site.enrol()
    web_site.open(person)
    phone = phones.of(person)
    phone.open("/today")
    phone.page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    phone.open("/today")
    expect(phone.page.locator("body")).to_have_text("broken")
    set_worker(server, mode)
    update(phone)
    phone.comes_true("async () => (await caches.keys()).length === 0")
    phone.open("/today")
    phone.sees("P2")
    phone.comes_true(
        "async (left) => (await navigator.serviceWorker.getRegistrations()).length === left",
        given=1 if mode == "push" else 0,
    )


@pytest.fixture
def slow(server: Server) -> Callable[[str], threading.Event]:
    """Hold every request of a path until the event is set."""

    def hold(path: str) -> threading.Event:
        free = threading.Event()
        answer = server._answer

        def late(environ: dict[str, Any], start_response: Any) -> Any:
            if environ["PATH_INFO"] == path:
                free.wait(30)
            return answer(environ, start_response)

        server._answer = late
        return free

    return hold


def test_a_network_that_does_not_answer_is_not_waited_for(
    phones: Phones,
    web_site: Site,
    slow: Callable[[str], threading.Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pwa, "PATIENCE", 3_000)
    person = web_site.enrol()
    web_site.open(person)
    phone = phones.of(person)
    phone.open("/today")
    phone.is_prepared()
    free = slow("/today")
    phone.open("/today")
    phone.sees("N3")
    free.set()


def test_a_page_that_the_phone_does_not_know_is_waited_for(
    phones: Phones,
    web_site: Site,
    slow: Callable[[str], threading.Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Opened by the site since the phone last asked what is due."""
    monkeypatch.setattr(pwa, "PATIENCE", 100)
    person = web_site.enrol()
    phone = phones.of(person)
    phone.open("/today")
    phone.is_prepared()
    sheet = web_site.open(person)[0]
    path = f"/questionnaires/{sheet.public_id}"
    free = slow(path)
    threading.Timer(1.5, free.set).start()
    phone.open(path)
    phone.sees("Q1")


def test_a_gateway_that_stands_alone_counts_as_no_network(
    phones: Phones, web_site: Site, server: Server
) -> None:
    person = web_site.enrol()
    web_site.open(person)
    phone = phones.of(person)
    phone.open("/today")
    phone.is_prepared()

    def alone(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("502 Bad Gateway", [("Content-Type", "text/plain")])
        return [b"bad gateway"]

    server._answer = alone
    phone.page.goto(phone.url + "/today")
    phone.sees("N3")

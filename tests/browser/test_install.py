"""The app on the Home Screen: browsers find nothing that keeps them from installing it, and people
are told the way that their own browser has.

`beforeinstallprompt` comes from Chromium only once it has seen a person use a site for a while; an
event of the same shape stands for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, BrowserType, Locator, Page, expect

from pro_app.models import Device
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Server, Watch
from tests.browser.people import Phone
from tests.browser.test_reminders import IPHONE
from tests.conftest import Enrolled, Site

WECHAT = (
    "Mozilla/5.0 (Linux; Android 14; SM-A155F; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36 MicroMessenger/8.0.49"
)
INSTALLED = "Object.defineProperty(navigator, 'standalone', { value: true });"
OFFER = """(outcome) => {
  window.asked = 0;
  const offer = new Event("beforeinstallprompt", { cancelable: true });
  offer.prompt = () => { window.asked += navigator.userActivation.isActive ? 1 : 100; };
  offer.userChoice = Promise.resolve({ outcome });
  window.dispatchEvent(offer);
  return offer.defaultPrevented;
}"""
GROUND = """async (address) => {
  const picture = new Image();
  picture.src = address;
  await picture.decode();
  const { naturalWidth: side } = picture;
  const paper = new OffscreenCanvas(side, side).getContext("2d");
  paper.drawImage(picture, 0, 0);
  const { data } = paper.getImageData(0, 0, side, side);
  const found = { outside: new Set(), inside: new Set() };
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) {
    const far = Math.hypot(x + .5 - side / 2, y + .5 - side / 2) > .4 * side;
    const place = 4 * (y * side + x);
    found[far ? "outside" : "inside"].add(data.subarray(place, place + 4).join());
  }
  return { outside: [...found.outside], inside: found.inside.size };
}"""


@pytest.fixture
def profile(
    browser_type: BrowserType,
    browser_type_launch_args: dict[str, Any],
    tmp_path: Path,
    server: Server,
    watch: Watch,
    web_site: Site,
) -> Iterator[Phones]:
    """Hands out phones with a profile on disk: a browser in private mode installs nothing."""
    contexts: list[BrowserContext] = []

    def launch(**options: Any) -> BrowserContext:
        folder = tmp_path / f"profile-{len(contexts)}"
        context = browser_type.launch_persistent_context(
            folder, **{**browser_type_launch_args, **options}
        )
        contexts.append(context)
        return context

    yield Phones(launch, server, watch, web_site)
    for context in contexts:
        context.close()


@pytest.fixture
def person(web_site: Site) -> Enrolled:
    """Somebody with nothing to do today."""
    return web_site.enrol()


def section(phone: Phone, path: str = "/today") -> Locator:
    """The section of a page; its script has done its part."""
    phone.open(path)
    expect(phone.page.locator("[data-install][data-ready]")).to_have_count(1)
    return phone.page.locator("[data-install]")


def offer(page: Page, outcome: str) -> None:
    """The browser can install, and its own question will be answered like this."""
    assert page.evaluate(OFFER, outcome) is True, "the browser does not ask by itself"


def shows(place: Locator, state: str) -> None:
    """This part of the section is shown, and no other."""
    expect(place.locator(f"[data-state={state}]")).to_be_visible()
    expect(place.locator("[data-state]:visible")).to_have_count(1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_browsers_find_the_app_installable(profile: Phones, web_site: Site, language: str) -> None:
    phone = profile.of(web_site.enrol(language=language))
    phone.open("/today")
    phone.reads(language)
    wire = phone.page.context.new_cdp_session(phone.page)
    manifest = wire.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert f"language={language}" in manifest["url"]
    assert wire.send("Page.getInstallabilityErrors")["installabilityErrors"] == []


def test_the_sign_lies_within_what_every_phone_shows(phones: Phones) -> None:
    page = phones.new().page
    page.goto(f"{phones.new().url}/join/")
    for size in (192, 512):
        found = page.evaluate(GROUND, f"/icons/maskable-{size}.png")
        assert found["outside"] == ["11,102,95,255"], "ground to the very corner, and no sign"
        assert found["inside"] > 2, "the sign"
    assert "0,0,0,0" in page.evaluate(GROUND, "/icons/icon-192.png")["outside"], "round corners"


def test_accepted(phones: Phones, person: Enrolled) -> None:
    phone = phones.of(person)
    place = section(phone)
    expect(place).to_be_hidden()
    offer(phone.page, "accepted")
    shows(place, "prompt")
    place.get_by_role("button", name="Put on my Home Screen").click()
    expect(place).to_be_hidden()
    assert phone.page.evaluate("window.asked") == 1, "once, in the very click"
    phone.page.evaluate("window.dispatchEvent(new Event('appinstalled'))")
    expect(place).to_be_hidden()


@pytest.mark.parametrize("where", ["the browser's question", "Not now"])
def test_put_off_for_a_month(phones: Phones, person: Enrolled, where: str) -> None:
    phone = phones.of(person)
    place = section(phone)
    offer(phone.page, "dismissed")
    name = "Not now" if where == "Not now" else "Put on my Home Screen"
    place.get_by_role("button", name=name).click()
    expect(place).to_be_hidden()
    section(phone)
    offer(phone.page, "dismissed")
    expect(place).to_be_hidden()
    phone.page.evaluate("localStorage['install.putOff'] -= 29 * 24 * 3600 * 1000")
    section(phone)
    offer(phone.page, "dismissed")
    expect(place).to_be_hidden()
    phone.page.evaluate("localStorage['install.putOff'] -= 2 * 24 * 3600 * 1000")
    section(phone)
    offer(phone.page, "dismissed")
    shows(place, "prompt")


def test_nobody_is_asked_before_the_first_questionnaire_is_done(
    phones: Phones, web_site: Site, person: Enrolled
) -> None:
    first, _second = web_site.open(person)
    phone = phones.of(person)
    place = section(phone)
    offer(phone.page, "accepted")
    expect(place).to_be_hidden()
    web_site.answer_all(first)
    web_site.submit(first)
    section(phone)
    offer(phone.page, "accepted")
    shows(place, "prompt")  # though one is open still


def test_an_iphone_tells_the_steps_and_leads_to_a_code(phones: Phones, person: Enrolled) -> None:
    phone = phones.of(person, user_agent=IPHONE)
    place = section(phone)
    shows(place, "apple")
    expect(place.locator("ol li")).to_have_count(3)
    expect(place.locator("li svg")).to_be_visible()
    link = place.get_by_role("link", name="Make a code for it").locator("visible=true")
    expect(link).to_have_attribute("href", "/phone/code")
    place.get_by_role("button", name="Not now").click()
    expect(section(phone)).to_be_hidden()


def test_inside_a_chat_the_way_leads_out(phones: Phones, person: Enrolled, server: Server) -> None:
    phone = phones.of(person, user_agent=WECHAT)
    place = section(phone)
    shows(place, "elsewhere")
    expect(place.get_by_label("Address to copy")).to_have_value(f"{server.url}/")


def test_the_app_itself_says_nothing_of_it_on_today(phones: Phones, person: Enrolled) -> None:
    phone = phones.of(person, user_agent=IPHONE)
    phone.page.context.add_init_script(INSTALLED)
    expect(section(phone)).to_be_hidden()
    shows(section(phone, "/phone/"), "installed")


def test_nothing_is_put_on_a_phone_that_is_not_ones_own(
    phones: Phones, web_site: Site, person: Enrolled
) -> None:
    phone = phones.of(person)
    with web_site.database.writing() as session:
        session.execute(sa.update(Device).values(shared=True))
    for path, page in (("/today", "P2"), ("/phone/", "F1")):
        phone.open(path)
        phone.sees(page)
        expect(phone.page.locator("[data-install]")).to_have_count(0)


def test_the_page_about_the_phone_always_says_how_things_stand(
    phones: Phones, web_site: Site, person: Enrolled
) -> None:
    web_site.open(person)
    phone = phones.of(person)
    place = section(phone, "/phone/")
    shows(place, "menu")
    offer(phone.page, "dismissed")
    shows(place, "prompt")
    expect(place.get_by_role("button", name="Not now")).to_have_count(0)
    place.get_by_role("button", name="Put on my Home Screen").click()
    shows(place, "menu")
    offer(phone.page, "accepted")
    place.get_by_role("button", name="Put on my Home Screen").click()
    phone.page.evaluate("window.dispatchEvent(new Event('appinstalled'))")
    shows(place, "installed")


def test_a_tap_on_the_icon_takes_no_question_away(
    phones: Phones, web_site: Site, person: Enrolled
) -> None:
    """Chromium hands `launchQueue` where the tap points; a stub hands it to whoever listens."""
    sheet = web_site.open(person, closes=timedelta(days=3))[0]
    phone = phones.of(person)
    phone.page.context.add_init_script(
        "Object.defineProperty(window, 'launchQueue',"
        " { value: { setConsumer(listener) { this.go = listener; } } })"
    )
    tap = "(path) => launchQueue.go?.({ targetURL: location.origin + path })"
    section(phone)
    phone.page.evaluate(tap, "/")
    phone.page.evaluate(tap, "/today")
    phone.sees("P2")
    phone.page.evaluate(tap, "/reminders/")
    phone.sees("R1")
    phone.open(f"/questionnaires/{sheet.public_id}/items/2")
    phone.at(2)
    phone.page.evaluate(tap, "/reminders/")
    phone.at(2)

"""Fingerprint, face or screen lock in a real browser, with Chromium's own authenticator."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import CDPSession, Locator, expect

from pro_app.models import Device, Participant, Passkey
from tests.browser import record
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Watch
from tests.browser.people import Phone
from tests.conftest import Enrolled, Site


class Finger:
    """The phone's sensor, and the keys that it opens."""

    def __init__(self, phone: Phone, keys: list[dict[str, Any]] | None = None) -> None:
        self._chromium: CDPSession = phone.page.context.new_cdp_session(phone.page)
        self._chromium.send("WebAuthn.enable")
        made = self._chromium.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )
        self._id = {"authenticatorId": made["authenticatorId"]}
        for key in keys or []:
            self._chromium.send("WebAuthn.addCredential", {**self._id, "credential": key})

    @property
    def keys(self) -> list[dict[str, Any]]:
        """What the phone's maker would bring to the person's next phone."""
        found: list[dict[str, Any]] = self._chromium.send("WebAuthn.getCredentials", self._id)[
            "credentials"
        ]
        return found

    def is_a_strangers(self) -> None:
        """From now on the sensor does not know the finger."""
        self._chromium.send("WebAuthn.setUserVerified", {**self._id, "isUserVerified": False})


def button(phone: Phone) -> Locator:
    return phone.page.locator("[data-passkey] button")


def set_up(phone: Phone) -> Finger:
    """On the page This phone, let the finger open the app from now on."""
    finger = Finger(phone)
    phone.open("/phone/")
    phone.sees("F1")
    button(phone).click()
    expect(phone.page.locator(".done")).to_be_visible()
    expect(phone.page.locator("button[name=passkey]")).to_have_count(1)
    return finger


def lock(phone: Phone) -> None:
    phone.page.locator("footer form button").click()
    phone.sees("P1")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_finger_opens_the_phone_at_the_very_questionnaire(
    phones: Phones, web_site: Site, language: str
) -> None:
    person = web_site.enrol(language=language)
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person)
    finger = set_up(phone)
    (key,) = finger.keys
    assert (key["rpId"], key["isResidentCredential"]) == ("localhost", True)
    lock(phone)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/1")
    phone.sees("P1")
    button(phone).click()
    phone.at(1)
    phone.reads(language)
    phone.choose(2)
    phone.saved()
    with web_site.database.reading() as session:
        (kept,) = session.scalars(sa.select(Passkey))
    assert kept.used_at is not None
    assert kept.sign_count > 0


@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
def test_an_app_that_starts_empty_finds_its_person_in_five_taps(
    phones: Phones, web_site: Site, old: bool
) -> None:
    """The icon on an iPhone, or a new phone that has the person's keys."""
    person = web_site.enrol("01-007")
    lupusqol, _ = web_site.open(person)
    web_site.answer(lupusqol, {"LQ01": 2, "LQ02": 3})
    keys = set_up(phones.of(person)).keys
    icon = phones.new()
    if old:  # a browser that does not read or write passkeys as JSON
        icon.page.add_init_script(
            "delete PublicKeyCredential.parseCreationOptionsFromJSON;"
            "delete PublicKeyCredential.parseRequestOptionsFromJSON;"
            "delete PublicKeyCredential.prototype.toJSON;"
        )
    Finger(icon, keys)
    taps = icon.count_taps()
    icon.open("/")
    icon.sees("J1")
    button(icon).click()
    icon.sees("J6")
    expect(icon.page.locator("main")).to_contain_text("ends with 07")
    icon.go_on()
    icon.sees("J4")
    icon.type_pin()
    icon.sees("P2")
    assert taps() == 5
    icon.start(1)
    icon.at(3)
    assert record.count(web_site, Participant) == 1
    assert record.count(web_site, Device) == 2


def test_setting_up_works_in_an_old_browser_too(phones: Phones, web_site: Site) -> None:
    phone = phones.of(web_site.enrol())
    phone.page.add_init_script(
        "delete PublicKeyCredential.parseCreationOptionsFromJSON;"
        "delete PublicKeyCredential.parseRequestOptionsFromJSON;"
        "delete PublicKeyCredential.prototype.toJSON;"
    )
    set_up(phone)
    lock(phone)
    button(phone).click()
    phone.sees("P2")


def test_setting_up_twice_on_one_phone_is_said(phones: Phones, web_site: Site) -> None:
    phone = phones.of(web_site.enrol())
    set_up(phone)
    button(phone).click()
    expect(phone.page.locator("[data-passkey] [role=alert]")).to_have_text(
        "It is set up on this phone already."
    )


def test_a_strangers_finger_opens_nothing_and_the_pin_still_does(
    phones: Phones, web_site: Site
) -> None:
    phone = phones.of(web_site.enrol())
    finger = set_up(phone)
    lock(phone)
    finger.is_a_strangers()
    button(phone).click()
    expect(phone.page.locator("[data-passkey] [role=alert]")).to_be_visible()
    phone.unlock()
    phone.sees("P2")


def test_another_persons_finger_on_a_joined_phone_is_refused_without_a_word_of_either(
    phones: Phones, web_site: Site, watch: Watch
) -> None:
    watch.expect("status of 422")
    person, other = web_site.enrol("01-007"), web_site.enrol("02-099")
    keys = set_up(phones.of(other)).keys
    phone = phones.of(person, unlocked=False)
    Finger(phone, keys)
    phone.open("/join/")
    phone.sees("J1")
    button(phone).click()
    line = phone.page.locator("[data-passkey] [role=alert]")
    expect(line).to_have_text("That did not open anything here. Please use your PIN or a code.")
    for telling in ("07", "99"):
        assert telling not in phone.page.locator("main").inner_text()
    phone.open("/today")
    phone.sees("P1")


def test_what_was_posted_before_locking_goes_on_after_the_finger(
    phones: Phones, web_site: Site, watch: Watch
) -> None:
    watch.expect("status of 401")
    phone = phones.of(web_site.enrol())
    set_up(phone)
    phone.open("/phone/code")
    phone.sees("F2")
    web_site.clock.forward(minutes=31)
    phone.go_on()
    phone.sees("P1")
    button(phone).click()
    phone.sees("F2")
    expect(phone.page.locator("[data-code]")).to_be_visible()


def test_where_a_phone_cannot_do_it_nothing_is_offered(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    phone = phones.of(person)
    phone.open("/phone/")
    phone.sees("F1")
    expect(phone.page.locator("[data-unable]")).to_be_visible()
    expect(button(phone)).to_be_hidden()
    stranger = phones.new()
    stranger.open("/join/")
    stranger.sees("J1")
    expect(button(stranger)).to_be_hidden()
    phone.open("/today")
    lock(phone)
    expect(phone.page.locator("[data-passkey]")).to_have_count(0)


def test_a_removed_passkey_opens_nothing(phones: Phones, web_site: Site, watch: Watch) -> None:
    watch.expect("status of 422")
    phone = phones.of(web_site.enrol())
    keys = set_up(phone).keys
    phone.page.locator("button[name=passkey]").click()
    expect(phone.page.locator("button[name=passkey]")).to_have_count(0)
    icon = phones.new()
    Finger(icon, keys)
    icon.open("/")
    button(icon).click()
    expect(icon.page.locator("[data-passkey] [role=alert]")).to_be_visible()
    icon.open("/")
    icon.sees("J1")


def test_passkeys_of_two_people_on_one_browser_stay_apart(phones: Phones, web_site: Site) -> None:
    """A family's phone: the locked app asks for its own person's key alone."""
    people: list[Enrolled] = [web_site.enrol("01-007"), web_site.enrol("01-008")]
    keys = [key for person in people for key in set_up(phones.of(person)).keys]
    phone = phones.of(Enrolled(people[0].id, "01-007", "en", web_site.new_code(people[0])))
    Finger(phone, keys)
    phone.open("/today")
    lock(phone)
    button(phone).click()
    phone.sees("P2")
    expect(phone.page.locator(".ahead dd").first).to_have_text("07")

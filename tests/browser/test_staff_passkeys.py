"""Staff sign in with a passkey, and forms outlive their desk, in a real browser."""

from __future__ import annotations

import re
from base64 import b32decode

import pytest
from playwright.sync_api import expect

from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Watch
from tests.browser.people import Phone
from tests.browser.test_coordinator import (
    DESK,
    EMAIL,
    invited,
    looked_through,
    press,
    set_up,
    signed_in,
)
from tests.browser.test_passkeys import Finger
from tests.conftest import Site, TestClock
from tests.services.test_staff_sign_in import PASSWORD, code_at

OLD = """
delete PublicKeyCredential.parseCreationOptionsFromJSON;
delete PublicKeyCredential.parseRequestOptionsFromJSON;
delete PublicKeyCredential.prototype.toJSON;
"""
WAY_IN = "Sign in with a passkey"


def add_passkey(desk: Phone, name: str = "computer at the ward") -> Finger:
    """Add a passkey on the desk's own sensor."""
    finger = Finger(desk)
    desk.open("/staff/account/")
    desk.page.get_by_role("link", name="Add a passkey").click()
    desk.page.locator("#name").fill(name)
    press(desk.page, "Add the passkey")
    expect(desk.page.get_by_role("status")).to_contain_text("The passkey is added")
    expect(desk.page.get_by_text(name).first).to_be_visible()
    return finger


def sign_out(desk: Phone) -> None:
    desk.page.locator(".menu summary").click()
    press(desk.page, "Sign out of your account")
    expect(desk.page.locator("h1")).to_have_text("Sign in")


@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
def test_a_finger_signs_in_and_proves_to_be_there(
    phones: Phones, web_site: Site, clock: TestClock, watch: Watch, old: bool
) -> None:
    watch.expect("status of 401")
    desk = signed_in(phones, web_site, "en")
    page = desk.page
    if old:  # a browser that does not read or write passkeys as JSON
        page.add_init_script(OLD)
    finger = add_passkey(desk)
    (key,) = finger.keys
    assert (key["rpId"], key["isResidentCredential"]) == ("localhost", True)
    sign_out(desk)
    press(page, WAY_IN)
    expect(page.get_by_text("Since you were last here")).to_be_visible()
    press(page, "I have read this")
    expect(page.get_by_text("Since you were last here")).to_have_count(0)
    clock.forward(minutes=6)
    desk.open("/staff/account/password")
    expect(page.locator("h1")).to_have_text("Is it you?")
    press(page, "Confirm with a passkey")
    expect(page.locator("h1")).to_have_text("Change the password")


def test_a_step_that_weighs_is_done_by_the_finger_at_once(
    phones: Phones, web_site: Site, clock: TestClock, watch: Watch
) -> None:
    watch.expect("status of 401")
    web_site.enrol("01-301")
    desk = signed_in(phones, web_site, "en")
    add_passkey(desk)
    desk.open("/staff/test/participants/01-301")
    clock.forward(minutes=6)
    desk.page.get_by_label("Has withdrawn from the study").check()
    desk.page.get_by_label(re.compile("Yes. All phones")).check()
    press(desk.page, "Put on record")
    press(desk.page, "Confirm with a passkey")
    expect(desk.page.get_by_text("withdrawn", exact=True)).to_be_visible()


def test_what_is_refused_is_said(phones: Phones, web_site: Site, watch: Watch) -> None:
    watch.expect("status of 422")
    desk = signed_in(phones, web_site, "en")
    finger = add_passkey(desk)
    page = desk.page
    desk.open("/staff/account/passkeys/new")
    page.locator("#name").fill("900101-14-5678")
    press(page, "Add the passkey")
    expect(page.get_by_role("alert")).to_contain_text("identity card number")
    page.locator("#name").fill("the same once more")
    press(page, "Add the passkey")
    expect(page.get_by_role("alert")).to_contain_text("has a passkey for your account already")
    desk.open("/staff/account/")
    page.get_by_role("button", name="Remove – computer at the ward").click()
    expect(page.get_by_role("status")).to_contain_text("removed")
    sign_out(desk)
    press(page, WAY_IN)
    expect(page.get_by_role("alert")).to_contain_text("did not open anything here")
    finger.is_a_strangers()
    press(page, WAY_IN)
    expect(page.get_by_role("alert")).to_contain_text("use your password and a code")


def test_a_page_that_was_left_asks_for_the_proof_again(
    phones: Phones, web_site: Site, clock: TestClock, watch: Watch
) -> None:
    watch.expect("status of 401")
    desk = signed_in(phones, web_site, "en")
    add_passkey(desk)
    page = desk.page
    desk.open("/staff/account/passkeys/new")
    page.locator("#name").fill("my phone")
    clock.forward(minutes=6)
    press(page, "Add the passkey")
    expect(page.locator("h1")).to_have_text("Is it you?")
    press(page, "Confirm with a passkey")
    expect(page.locator("h1")).to_have_text("Add a passkey")
    page.locator("#name").fill("my phone")
    clock.forward(minutes=16)
    press(page, "Add the passkey")
    expect(page.locator("h1")).to_have_text("Sign in")


def test_without_scripts_or_sensor_nothing_is_offered(phones: Phones, web_site: Site) -> None:
    for options in ({"javascript": False}, {}):
        desk = phones.new("en", **options)
        if not options:
            desk.page.add_init_script("delete window.PublicKeyCredential")
        desk.open("/staff/sign-in")
        expect(desk.page.locator("#email")).to_be_visible()
        expect(desk.page.get_by_role("button", name=WAY_IN)).to_be_hidden()


def test_what_was_typed_goes_on_after_the_finger(
    phones: Phones, web_site: Site, clock: TestClock, watch: Watch
) -> None:
    watch.expect("status of 401", "status of 422")
    desk = signed_in(phones, web_site, "en")
    add_passkey(desk)
    page = desk.page
    desk.open("/staff/test/enrol")
    page.locator("#number").fill("nonsense")
    page.get_by_label("Bahasa Melayu").check()
    page.locator("#consent_version").fill("2.0")
    page.locator("#consent_on").fill("2026-11-20")
    clock.forward(minutes=16)
    press(page, "Enrol, and show the joining card")
    expect(page.get_by_text("What you have entered is kept")).to_be_visible()
    press(page, WAY_IN)
    expect(page.get_by_text("Press once more")).to_be_visible()
    press(page, "Continue")
    expect(page.locator("#number")).to_have_value("nonsense")
    expect(page.locator("#consent_version")).to_have_value("2.0")
    expect(page.get_by_role("alert")).to_be_visible()


def test_what_was_typed_goes_on_after_password_and_code(
    phones: Phones, web_site: Site, clock: TestClock, watch: Watch
) -> None:
    watch.expect("status of 401")
    _, code = invited(web_site)
    desk = phones.new("en", viewport=DESK, has_touch=False)
    page = desk.page
    desk.open(f"/staff/invitation#{code}")
    set_up(desk, web_site, code)
    desk.open("/staff/account/second-factor")
    key = b32decode(page.locator(".key").inner_text().replace(" ", "")).hex()
    page.locator("#code").fill(code_at(clock(), key))
    press(page, "Connect this app")
    web_site.enrol("01-301")
    desk.open("/staff/test/participants/01-301")
    other = desk.another_window()
    other.open("/staff/account/")
    sign_out(other)
    page.get_by_label("Has withdrawn from the study").check()
    page.get_by_label(re.compile("Yes. All phones")).check()
    press(page, "Put on record")
    clock.forward(seconds=60)
    page.locator("#email").fill(EMAIL)
    page.locator("#password").fill(PASSWORD)
    press(page, "Continue")
    page.locator("#code").fill(code_at(clock(), key))
    press(page, "Sign in")
    expect(page.get_by_text("Press once more")).to_be_visible()
    press(page, "Continue")
    expect(page.get_by_text("withdrawn", exact=True)).to_be_visible()


def test_who_works_in_one_tab_keeps_the_others(phones: Phones, web_site: Site) -> None:
    desk = signed_in(phones, web_site, "en")
    tabs = [desk, desk.another_window()]
    desk.page.clock.install()  # of the whole browser
    for tab in tabs:
        tab.open("/staff/test/enrol")
    warnings = [tab.page.locator("dialog[data-stay]") for tab in tabs]

    def pass_minutes(minutes: float) -> None:
        desk.page.clock.fast_forward(int(minutes * 60_000))

    pass_minutes(10)
    with tabs[0].page.expect_response("**/staff/stay") as answer:
        tabs[0].page.locator("#number").press_sequentially("01-30")
        pass_minutes(0.1)
    assert answer.value.status == 204
    pass_minutes(5)
    for warning in warnings:
        expect(warning).to_be_hidden()
    pass_minutes(9.5)
    for warning in warnings:
        expect(warning).to_be_visible()
    press(tabs[1].page, "I am still here")
    for warning in warnings:
        expect(warning).to_be_hidden()
    pass_minutes(14.5)
    for warning in warnings:
        expect(warning).to_be_visible()


PATHS = ("/staff/account/", "/staff/account/password", "/staff/account/second-factor",
         "/staff/account/recovery-codes", "/staff/account/passkeys/new")  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_account_is_accessible_and_fits_a_phone(
    phones: Phones, web_site: Site, language: str
) -> None:
    desk = signed_in(phones, web_site, language)
    found = looked_through(desk, PATHS)
    assert found == []

"""Alerts on a desk and on a phone: from the board to the acknowledgement."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from pro_app.services import staff_sign_in
from tests.browser.conftest import Phones, Watch
from tests.browser.people import Phone
from tests.browser.test_coordinator import DESK, invited, looked_through, press
from tests.conftest import Site
from tests.services.correcting import hire
from tests.services.watching import acknowledge, submit
from tests.services.watching import watch as watch_answers

NUMBER = "01-301"
PATHS = ("/staff/test/today", "/staff/test/alerts", f"/staff/test/participants/{NUMBER}",
         f"/staff/test/participants/{NUMBER}/alerts")  # fmt: skip
CHECKED_ROLES = ("coordinator", "investigator")


def at_desk(phones: Phones, site: Site, role: str) -> Phone:
    """A browser of somebody with a role at all sites, signed in."""
    staff_id, _ = invited(site, "en", role)
    desk = phones.new("en", viewport=DESK, has_touch=False)
    with site.database.writing() as session:
        token = staff_sign_in.start(session, staff_id, site.clock(), "code")
    cookie = {"name": "staff", "value": token, "url": desk.url, "httpOnly": True}
    desk.page.context.add_cookies([cookie])  # type: ignore[list-item]
    return desk


def raised(site: Site) -> None:
    """Two alerts that wait, and one that somebody has acknowledged."""
    watch_answers(site)
    done = submit(site, "01-300", first=1)
    acknowledge(site, done, "first_answer", hire(site, "Siti Zainab", "coordinator"))
    site.clock.forward(minutes=5)
    submit(site, NUMBER, first=0, pain=0)


def test_from_the_board_to_the_acknowledgement(
    phones: Phones, web_site: Site, watch: Watch
) -> None:
    watch.expect("status of 422")
    raised(web_site)
    desk = at_desk(phones, web_site, "investigator")
    page = desk.page
    desk.open("/staff/test/today")
    figure = page.locator(".figures > div").first
    expect(figure).to_contain_text("Alerts not acknowledged")
    figure.get_by_role("link", name="2", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Alerts")
    page.locator(".row", has_text="Pain").get_by_role("link", name="View").click()
    pain = page.locator("section", has=page.get_by_role("heading", name="Pain", exact=True))
    expect(pain).to_contain_text("0.0")
    pain.get_by_label("What was done").fill("Called, comes in on Wednesday")
    pain.get_by_role("button", name="Acknowledge this alert").click()
    expect(pain).to_contain_text("Called, comes in on Wednesday")
    expect(page.get_by_role("button", name="Acknowledge this alert")).to_have_count(1)
    page.get_by_label("What was done").fill("Card 900101-14-5678")
    press(page, "Acknowledge this alert")
    expect(page.get_by_role("alert")).to_contain_text("without an identity card number")
    expect(page.get_by_label("What was done")).to_have_value("Card 900101-14-5678")


@pytest.mark.parametrize("role", CHECKED_ROLES)
def test_alerts_are_accessible_and_fit_a_phone(phones: Phones, web_site: Site, role: str) -> None:
    raised(web_site)
    desk = at_desk(phones, web_site, role)
    found = looked_through(desk, PATHS)
    assert found == []

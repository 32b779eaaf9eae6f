"""Why a questionnaire was missed, as a browser meets it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.models import Assessment, MissedReason
from tests.conftest import Site, TestClock
from tests.web.test_staff import Desk, at, invite

if TYPE_CHECKING:
    from tests.web.test_staff_languages import Sighted

MYKAD = "900101-14-5678"
NUMBER = "01-384"


@pytest.fixture
def lost(web_site: Site, clock: TestClock) -> Assessment:
    """A questionnaire that closed unanswered."""
    found = web_site.open(web_site.enrol(NUMBER))[0]
    clock.forward(days=5)
    return found


@pytest.fixture
def desk(app: Flask, web_site: Site, lost: Assessment, clock: TestClock) -> Desk:
    """A coordinator's browser, set up and signed in."""
    found = Desk(app, clock)
    found.set_up(invite(web_site))
    return found


def page_of(site: Site, about: Assessment) -> str:
    return at(site, f"/participants/{NUMBER}/missed/{about.public_id}")


def codes(site: Site) -> list[str]:
    with site.database.reading() as session:
        return list(session.scalars(sa.select(MissedReason.code).order_by(MissedReason.id)))


def test_a_reason_shows_wherever_the_visit_does_and_its_history_stays(
    desk: Desk, web_site: Site, lost: Assessment
) -> None:
    page = page_of(web_site, lost)
    desk.get(page)
    desk.post(page, reason="not_reached", text="")
    assert desk.path == at(web_site, f"/participants/{NUMBER}/paper")
    assert "could not be reached" in desk.page.text
    desk.get(page)
    desk.post(page, reason="too_ill", text="in hospital")
    desk.get(at(web_site, f"/participants/{NUMBER}"))
    assert "too ill to answer" in desk.page.text
    assert "could not be reached" not in desk.page.text
    desk.get(page)
    assert desk.page.text.index("<h3>too ill") < desk.page.text.index("<h3>could not be reached")
    assert "in hospital" in desk.page.text
    assert codes(web_site) == ["not_reached", "too_ill"]


@pytest.mark.parametrize(
    ("code", "text", "field"),
    [
        ("", "rang twice", "reason"),
        ("lazy", "rang twice", "reason"),
        ("other", " ", "text"),
        ("too_ill", f"of {MYKAD}", "text"),
        ("too_ill", "x" * 501, "text"),
    ],
)
def test_a_fault_is_named_and_nothing_is_lost(
    desk: Desk, web_site: Site, lost: Assessment, code: str, text: str, field: str
) -> None:
    page = page_of(web_site, lost)
    desk.get(page)
    desk.post(page, 422, reason=code, text=text)
    assert f'href="#{field}"' in desk.page.text
    assert f'id="{field}-fault"' in desk.page.text
    assert text in desk.page.text
    assert codes(web_site) == []


def test_what_is_not_missed_needs_no_reason(desk: Desk, web_site: Site) -> None:
    about = web_site.open(web_site.enrol("01-302"))[0]
    page = at(web_site, f"/participants/01-302/missed/{about.public_id}")
    desk.get(page)
    assert "This questionnaire is not missed." in desk.page.text
    desk.get(at(web_site, "/enrol"))
    desk.post(page, 422, reason="too_ill")
    assert "not missed any more" in desk.page.text


def test_somebody_elses_questionnaire_is_not_found(
    desk: Desk, web_site: Site, lost: Assessment
) -> None:
    web_site.enrol("01-302")
    page = at(web_site, f"/participants/01-302/missed/{lost.public_id}")
    desk.get(at(web_site, "/enrol"))
    token = desk.page.token()
    assert desk.client.get(page).status_code == 404
    given = {"csrf_token": token, "reason": "too_ill"}
    assert desk.client.post(page, data=given).status_code == 404


def walk(desk: Sighted, site: Site) -> None:
    """The page, and what may go wrong there, in one language."""
    person = site.enrol(NUMBER)
    (lost,) = site.open(person, "month_3", timedelta(days=-3), timedelta(days=-1))
    page = page_of(site, lost)
    desk.get(page)
    for code, text in (("", ""), ("other", ""), ("site", MYKAD), ("site", "1" * 501)):
        desk.post(page, 422, reason=code, text=text)
    for code in ("too_ill", "refused", "not_reached", "technical", "site", "other"):
        desk.get(page)
        desk.post(page, reason=code, text="1")
        desk.get(at(site, f"/participants/{NUMBER}"))
    desk.get(page)
    coming = site.open(person)[0]
    desk.get(page_of(site, coming))
    desk.get(page)
    desk.post(page_of(site, coming), 422, reason="site")


def test_every_page_and_fault_is_there(app: Flask, web_site: Site, clock: TestClock) -> None:
    from tests.web.test_staff_languages import Sighted

    desk = Sighted(app, clock, "en")
    desk.set_up(invite(web_site))
    walk(desk, web_site)
    assert desk.pages > 20

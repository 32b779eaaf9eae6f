"""Opening, closing, grace, and submitting once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pro_app.models import Assessment
from tests.browser import record
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Server, Watch
from tests.browser.people import Phone, expect
from tests.conftest import Enrolled, Site, TestClock

GONE = "status of 410"
SHORT = timedelta(minutes=10)  # the test study's grace time is 120 minutes


def almost_done(site: Site, person: Enrolled) -> Assessment:
    """29 items of the LupusQoL answered, and ten minutes left."""
    lupusqol, _ = site.open(person, closes=SHORT)
    given: dict[str, int | str] = {f"LQ{n:02}": 1 for n in range(1, 30)}
    site.answer(lupusqol, given, person.language)
    return lupusqol


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_closing_while_one_answers_costs_nothing(
    phones: Phones, web_site: Site, clock: TestClock, javascript: bool, language: str
) -> None:
    person = web_site.enrol(language=language)
    lupusqol = almost_done(web_site, person)
    phone = phones.of(person, javascript=javascript)
    phone.open("/today")
    phone.start(1)
    phone.at(30)
    clock.forward(minutes=15)
    phone.answer(dict.fromkeys(range(30, 35), 2))
    phone.submit()
    code = phone.receipt()
    (submission,) = record.submissions(web_site, lupusqol)
    assert submission.late
    assert submission.receipt.upper().startswith(code.replace("-", ""))
    assert len(submission.answers) == 34
    standings = {row.item: row.standing for row in record.taps(web_site, lupusqol)}
    assert standings["LQ29"] == "in_time"
    assert standings["LQ30"] == standings["LQ34"] == "late"
    assert len(record.scores(web_site, lupusqol)) == 8


def after_grace(
    phones: Phones, site: Site, clock: TestClock, javascript: bool, language: str
) -> tuple[Phone, Assessment]:
    """A phone that shows item 30, whose time and grace time end just now."""
    person = site.enrol(language=language)
    lupusqol = almost_done(site, person)
    clock.forward(minutes=125)
    phone = phones.of(person, javascript=javascript)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/30")
    phone.at(30)
    clock.forward(minutes=10)
    return phone, lupusqol


def is_closed(phone: Phone, language: str) -> None:
    """The page says, in the person's language, that it has closed, and leads to Today."""
    phone.sees("Q92")
    phone.reads(language)
    assert phone.page.locator("main p").count() >= 2
    phone.go_on()
    phone.sees("P2")


@pytest.mark.parametrize("language", LANGUAGES)
def test_after_the_grace_time_an_answer_is_kept_for_the_record(
    phones: Phones, web_site: Site, watch: Watch, clock: TestClock, language: str
) -> None:
    watch.expect(GONE)
    phone, lupusqol = after_grace(phones, web_site, clock, True, language)
    phone.choose(2)
    phone.is_told("closed")
    last = record.taps(web_site, lupusqol)[-1]
    assert (last.item, last.code, last.standing) == ("LQ30", 2, "after_closing")
    assert "LQ30" not in record.values(web_site, lupusqol)
    response = phone.page.goto(phone.page.url)
    assert response is not None
    assert response.status == 410
    is_closed(phone, language)
    assert record.submissions(web_site, lupusqol) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_after_the_grace_time_without_a_script(
    phones: Phones, web_site: Site, watch: Watch, clock: TestClock, language: str
) -> None:
    watch.expect(GONE)
    phone, lupusqol = after_grace(phones, web_site, clock, False, language)
    phone.choose(2)
    with phone.page.expect_navigation() as navigation:
        phone.next()
    assert navigation.value is not None
    assert navigation.value.status == 410
    assert record.taps(web_site, lupusqol)[-1].standing == "after_closing"
    is_closed(phone, language)


def test_after_the_grace_time_nothing_is_submitted(
    phones: Phones, web_site: Site, watch: Watch, clock: TestClock
) -> None:
    watch.expect(GONE)
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person, closes=SHORT)
    web_site.answer_all(lupusqol)
    clock.forward(minutes=125)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/review")
    clock.forward(minutes=10)
    phone.submit()
    is_closed(phone, "en")
    assert record.submissions(web_site, lupusqol) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_before_opening(phones: Phones, web_site: Site, watch: Watch, language: str) -> None:
    watch.expect("status of 403")
    person = web_site.enrol(language=language)
    lupusqol, _ = web_site.open(person, opens=timedelta(days=1))
    phone = phones.of(person)
    for path in ("", "/items/1", "/review"):
        response = phone.page.goto(f"{phone.url}/questionnaires/{lupusqol.public_id}{path}")
        assert response is not None
        assert response.status == 403
        phone.sees("Q92")
        phone.reads(language)


def test_somebody_elses_questionnaire_is_not_there(
    phones: Phones, web_site: Site, watch: Watch
) -> None:
    watch.expect("status of 404")
    person, other = web_site.enrol(), web_site.enrol("02-001", "ta")
    lupusqol, _ = web_site.open(other)
    web_site.answer_all(lupusqol)
    phone = phones.of(person)
    for path in ("", "/items/1", "/review", "/receipt"):
        response = phone.page.goto(f"{phone.url}/questionnaires/{lupusqol.public_id}{path}")
        assert response is not None
        assert response.status == 404
        phone.sees("E1")


@pytest.mark.parametrize("told", [True, False])
def test_two_windows_submit_once(
    phones: Phones, web_site: Site, server: Server, told: bool
) -> None:
    """One window hears from the other that it is done; where it cannot, it may press, too."""
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    web_site.answer_all(lupusqol, place=2)
    phone = phones.of(person)
    if not told:
        phone.page.context.add_init_script("delete self.BroadcastChannel")
    other = phone.another_window()
    for window in (phone, other):
        window.open(f"/questionnaires/{lupusqol.public_id}/review")
    phone.submit()
    if not told:
        other.submit()
    assert phone.receipt() == other.receipt()
    server.quiet()
    only_once(web_site, lupusqol)


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"])
def test_a_double_tap_submits_once(
    phones: Phones, web_site: Site, server: Server, javascript: bool
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    web_site.answer_all(lupusqol, place=2)
    phone = phones.of(person, javascript=javascript)
    phone.open(f"/questionnaires/{lupusqol.public_id}/review")
    phone.page.locator(".foot .btn").dblclick(no_wait_after=True)
    phone.receipt()
    server.quiet()
    only_once(web_site, lupusqol)


def test_going_back_and_submitting_again_shows_the_first_receipt(
    phones: Phones, web_site: Site
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    web_site.answer_all(lupusqol, place=2)
    phone = phones.of(person)
    phone.open("/today")
    phone.open(f"/questionnaires/{lupusqol.public_id}/review")
    phone.submit()
    first = phone.receipt()
    phone.page.go_back()
    if phone.page.locator(".review").count():
        phone.submit()
    assert phone.receipt() == first
    phone.page.reload()
    assert phone.receipt() == first
    only_once(web_site, lupusqol)


def only_once(site: Site, assessment: Assessment) -> None:
    """One submission, and every score of it once."""
    assert len(record.submissions(site, assessment)) == 1
    assert len(record.scores(site, assessment)) == 8


def test_the_review_leads_to_what_is_missing(phones: Phones, web_site: Site, watch: Watch) -> None:
    watch.expect("status of 422")
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    given: dict[str, int | str] = {f"LQ{n:02}": 1 for n in range(1, 35) if n != 21}
    web_site.answer(lupusqol, given)
    phone = phones.of(person)
    phone.open(f"/questionnaires/{lupusqol.public_id}/review")
    phone.submit()
    expect(phone.page.locator("main [role=alert]")).to_be_focused()
    assert phone.page.title().startswith("Error")
    phone.page.locator("main [role=alert] a").click()
    phone.at(21)
    phone.choose(0)
    phone.saved()
    assert record.submissions(web_site, lupusqol) == []

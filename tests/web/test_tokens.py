"""The room where tokens for programs are made and ended."""

from __future__ import annotations

import re
from html import escape
from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict

from pro_app.services import api_tokens
from pro_app.services.api_tokens import Holder, Line
from pro_app.web import api_document
from tests.conftest import Site, TestClock
from tests.pages import Browser
from tests.services.test_api_tokens import make, maker_at
from tests.web.test_staff import at
from tests.web.test_staff_access import sign_in
from tests.web.test_trail import entries, place

GIVEN: dict[str, Any] = {
    "name": "Analysis in R", "scope": ["answers", "codebook"], "site": ["01"], "days": "90",
    "reason": "The first report",
}  # fmt: skip


def send(browser: Browser, where: Site, status: int = 200, **other: Any) -> None:
    """Send the form that makes a token; its page may have several of a field."""
    data = MultiDict({"csrf_token": browser.page.token(), **GIVEN, **other})
    browser.response = browser.client.post(at(where, "/tokens"), data=data, headers=browser.accept)
    browser._see(status)


def shown(browser: Browser) -> str:
    """The token on the page."""
    found = re.search(r"proapp_[\w-]{43}", browser.page.text)
    assert found is not None
    return found[0]


def lines(site: Site) -> list[Line]:
    with site.database.reading() as session:
        return api_tokens.listed(session, site.study.id, site.clock())


def look(site: Site, token: str) -> Holder | None:
    with site.database.reading() as session:
        return api_tokens.holder(session, token, site.clock())


@pytest.fixture
def researcher(app: Flask, web_site: Site) -> Browser:
    browser = sign_in(app, web_site, "researcher", place(web_site, "01"))
    browser.get(at(web_site, "/tokens"))
    return browser


def test_a_token_is_made_and_shown_once(researcher: Browser, web_site: Site) -> None:
    send(researcher, web_site, days_only="yes")
    token = shown(researcher)
    known = look(web_site, token)
    assert known is not None
    assert (known.scopes, known.sites, known.days_only) == (
        {"answers", "codebook"}, {"01"}, True,
    )  # fmt: skip
    assert researcher.response.headers["Cache-Control"] == "no-store"
    researcher.get(at(web_site, "/tokens"))
    assert token not in researcher.page.text
    assert "Analysis in R" in researcher.page.text
    (entry,) = entries(web_site.database, "make_token")
    assert (entry.detail["reason"], entry.detail["site"]) == ("The first report", "01")
    assert token not in str(vars(entry))


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "900101-14-5678"}, "name"),
        ({"scope": []}, "scope"),
        ({"scope": ["contacts"]}, "scope"),
        ({"site": []}, "site"),
        ({"site": ["02"]}, "site"),
        ({"site": ["*"]}, "site"),
        ({"scope": ["audit"], "days_only": "yes"}, "scope"),
        ({"days": "4000"}, "days"),
        ({"days": ""}, "days"),
        ({"reason": ""}, "reason"),
        ({"reason": "for 900101-14-5678"}, "reason"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_lost(
    researcher: Browser, web_site: Site, other: dict[str, Any], field: str
) -> None:
    send(researcher, web_site, 422, **other)
    assert f'href="#{field}"' in researcher.page.text
    values = {str(one.get("name")): one.get("value") for one in researcher.page.all("input")}
    given = GIVEN | other
    assert values["name"] == given["name"]
    checked = [one["value"] for one in researcher.page.all("input") if "checked" in one]
    checked = [one for one in checked if one != "yes"]
    assert set(checked) == {*given["scope"], *given["site"]} & {*api_tokens.SCOPES, "01"}
    assert lines(web_site) == []


def test_to_make_and_to_end_one_asks_for_a_fresh_proof(
    researcher: Browser, web_site: Site, clock: TestClock
) -> None:
    send(researcher, web_site)
    (line,) = lines(web_site)
    clock.forward(minutes=6)
    researcher.get(at(web_site, "/tokens"))
    send(researcher, web_site, 401)
    carried = [one["value"] for one in researcher.page.all("input") if one.get("name") == "scope"]
    assert carried == GIVEN["scope"], "all of several"
    assert "Make the token" in researcher.page.text
    researcher.get(at(web_site, "/tokens"))
    researcher.post(at(web_site, "/tokens/end"), 401, token=line.public_id, reason="over")
    assert "End this token" in researcher.page.text
    assert [one.state for one in lines(web_site)] == ["living"]


def test_a_token_is_ended_with_a_reason(researcher: Browser, web_site: Site) -> None:
    send(researcher, web_site)
    token, (line,) = shown(researcher), lines(web_site)
    researcher.get(at(web_site, "/tokens"))
    end = at(web_site, "/tokens/end")
    researcher.post(end, 422, token=line.public_id, reason="")
    assert 'href="#end-reason"' in researcher.page.text
    researcher.post(end, token=line.public_id, reason="The laptop is lost")
    assert look(web_site, token) is None
    (entry,) = entries(web_site.database, "revoke_token")
    assert entry.detail["reason"] == "The laptop is lost"
    researcher.post(end, 422, token=line.public_id, reason="Once more")
    assert 'href="#end-token"' in researcher.page.text


def test_a_researcher_sees_and_ends_the_own_ones_alone(researcher: Browser, web_site: Site) -> None:
    make(web_site, maker_at(web_site, "Other"), name="of somebody else")
    (line,) = lines(web_site)
    researcher.get(at(web_site, "/tokens"))
    assert "of somebody else" not in researcher.page.text
    researcher.post(at(web_site, "/tokens/end"), 422, token=line.public_id, reason="not mine")
    assert [one.state for one in lines(web_site)] == ["living"]


def test_the_administrator_sees_and_ends_all_and_makes_none(app: Flask, web_site: Site) -> None:
    make(web_site, maker_at(web_site, "Rita"))
    (line,) = lines(web_site)
    browser = sign_in(app, web_site, "administrator", None)
    browser.get(at(web_site, "/tokens"))
    assert "Rita" in browser.page.text
    assert not [one for one in browser.page.all("input") if one.get("name") == "scope"]
    browser.post(at(web_site, "/tokens/end"), token=line.public_id, reason="The study is over")
    assert [one.state for one in lines(web_site)] == ["revoked"]
    data = {"csrf_token": browser.page.token(), **GIVEN}
    assert browser.client.post(at(web_site, "/tokens"), data=data).status_code == 403


def test_who_covers_every_site_may_choose_them_all(app: Flask, web_site: Site) -> None:
    browser = sign_in(app, web_site, "investigator", None)
    browser.get(at(web_site, "/tokens"))
    send(browser, web_site, site=["*"])
    known = look(web_site, shown(browser))
    assert known is not None
    assert known.sites is None


def test_how_programs_read_is_told_to_everybody(app: Flask, web_site: Site) -> None:
    browser = Browser(app)
    browser.get("/api/v1/")
    text = browser.page.text
    for words in ("/studies/{study}/answers_long", "read_scores.py", "study_days_from", "RFC 9457"):
        assert words in text
    for path, item in api_document.document("", None, {})["paths"].items():
        (line,) = [one for one in text.splitlines() if f"<code>{path}</code></th>" in one]
        assert escape(item["get"]["summary"]) in line
        named = re.findall(r"<code>(\w+)</code> ", line)
        told = [one["$ref"].rpartition("/")[2] for one in item["get"]["parameters"]]
        assert named == [one for one in told if one not in {"study", "table"}]
    assert not browser.page.all("script")


def walk(desk: Any, site: Site) -> None:
    """Every page of the tokens, with every fault; the desk may do everything."""
    page = at(site, "/tokens")
    desk.get(page)
    desk.post(page, 422, name="", scope="", site="", days="", reason="")
    desk.post(page, 422, name="900101-14-5678", scope="x", site="9", days="90", reason="x" * 501)
    given = {"name": "x", "scope": "answers", "site": "*", "days": "30", "reason": "test"}
    desk.post(page, 422, **given | {"scope": "contacts"})
    desk.post(page, 422, **given | {"site": "99"})
    desk.post(page, **given | {"days_only": "yes"})
    (line,) = lines(site)
    desk.get(page)
    desk.post(f"{page}/end", 422, token=line.public_id, reason="")
    desk.post(f"{page}/end", 422, token="none", reason="test")
    desk.post(f"{page}/end", token=line.public_id, reason="test")
    desk.get(page)


def walk_api(desk: Any, site: Site) -> None:
    """How programs read."""
    desk.get("/api/v1/")


def test_the_walk_reaches_every_page(app: Flask, web_site: Site) -> None:
    desk = sign_in(app, web_site, "investigator", None)
    walk(desk, web_site)
    walk_api(desk, web_site)

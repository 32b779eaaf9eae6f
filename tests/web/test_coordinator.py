"""The board of a large study on pages: lists that go on, and what is counted elsewhere."""

from __future__ import annotations

import re

import pytest

from pro_app.services import enrolment
from pro_app.web import staff_words
from tests.conftest import Site
from tests.web.test_staff import Desk, at, desk

__all__ = ["desk"]


def test_the_boards_lists_go_on_on_pages_of_their_own(
    desk: Desk, web_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [f"01-30{n}" for n in range(1, 6)]
    for number in numbers:
        web_site.open(web_site.enrol(number))
        with web_site.database.writing() as session:
            enrolment.request_code(session, web_site.study.id, number, web_site.clock())
    monkeypatch.setattr("pro_app.services.board.LIMIT", 2)
    for name in ("people", "codes", "requests"):
        seen = []
        for page in ("1", "2", "3", "4", "x"):
            desk.get(at(web_site, f"/today/{name}?page={page}"))
            assert "5 lines in all" in desk.page.text
            seen.append(re.findall(r"/participants/(01-30\d)\"", desk.page.text))
        assert [one for part in seen[:4] for one in part] == numbers
        assert seen[4] == seen[0]
    desk.get(at(web_site, "/today/calls"))
    desk.get(at(web_site, "/today/nothing"), 404)


def test_what_takes_long_to_count_is_counted_on_its_own_page(
    desk: Desk, web_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in ("01-301", "01-302"):
        web_site.open(web_site.enrol(number))
    desk.get(at(web_site, "/today"))
    assert "0 / 4" in desk.page.text
    monkeypatch.setattr("pro_app.services.board.COUNTABLE", 1)
    desk.get(at(web_site, "/today"))
    assert "0 / 4" not in desk.page.text
    assert "Count it now" in desk.page.text
    assert re.findall(r"<dd>(\d+)</dd>", desk.page.text)[:1] == ["2"], "all else is there"


def test_each_reason_leads_to_its_one_action_but_for_none_known() -> None:
    assert staff_words.REASON.keys() - staff_words.ACTION.keys() == {"none_known"}
    assert staff_words.ACTION.keys() <= staff_words.REASON.keys()


def test_the_action_leads_to_a_place_on_the_page(desk: Desk, web_site: Site) -> None:
    web_site.open(web_site.enrol("01-301"))
    desk.get(at(web_site, "/today"))
    assert "/participants/01-301#way-in" in desk.page.text
    desk.get(at(web_site, "/participants/01-301"))
    places = {one.get("id") for _, one in desk.page.tags}
    assert {anchor for anchor, _ in staff_words.ACTION.values()} <= places


def walk(desk: Desk, site: Site) -> None:
    """Every list of the board, empty and not."""
    for filled in (False, True):
        if filled:
            site.open(site.enrol("01-361"))
            with site.database.writing() as session:
                enrolment.request_code(session, site.study.id, "01-361", site.clock())
        for name in ("people", "calls", "codes", "requests"):
            desk.get(at(site, f"/today/{name}"))


def test_the_walk(desk: Desk, web_site: Site) -> None:
    walk(desk, web_site)
    assert "01-361" in desk.page.text

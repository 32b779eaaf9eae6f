"""Calls and notes about one participant, as a browser meets them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.models import Call
from tests.conftest import Site, TestClock
from tests.web.test_staff import Desk, at, invite, signed_in

if TYPE_CHECKING:
    from tests.web.test_staff_languages import Sighted

MYKAD = "900101-14-5678"
NUMBER = "01-383"
CALL = {"channel": "telephone", "outcome": "no_answer", "text": "", "about": "", "day": "",
        "time": ""}  # fmt: skip


@pytest.fixture
def desk(app: Flask, web_site: Site, clock: TestClock) -> Desk:
    """A coordinator's browser, set up and signed in."""
    found = Desk(app, clock)
    found.set_up(invite(web_site))
    return found


def log_of(site: Site) -> str:
    return at(site, f"/participants/{NUMBER}/calls")


def kept(site: Site) -> list[Call]:
    with site.database.reading() as session:
        return list(session.scalars(sa.select(Call).order_by(Call.id)))


def test_a_call_from_the_board_and_back(desk: Desk, web_site: Site) -> None:
    about = web_site.open(web_site.enrol(NUMBER))[0]
    desk.get(at(web_site, "/today"))
    link = re.search(r'href="([^"]*calls[^"]*)"[^>]*>Log a call', desk.page.text)
    assert link is not None
    desk.get(link[1].replace("&amp;", "&"))
    assert f'value="{about.public_id}" selected' in desk.page.text
    back = re.search(r'name="back" value="(\w+)"', desk.page.text)
    assert back is not None
    desk.post(log_of(web_site), **CALL | {"about": about.public_id}, back=back[1])
    assert desk.path == at(web_site, "/today")
    assert re.search(r"last call 23 Nov 2026, \d\d:\d\d: nobody answered", desk.page.text)
    (call,) = kept(web_site)
    assert (call.channel, call.outcome, call.assessment_id) == (
        "telephone", "no_answer", about.id,
    )  # fmt: skip
    assert call.staff_id is not None


def test_the_log_is_newest_first_with_names(desk: Desk, web_site: Site) -> None:
    web_site.enrol(NUMBER)
    page = log_of(web_site)
    desk.get(page)
    assert "Nothing has been logged yet." in desk.page.text
    desk.post(page, **CALL)
    assert desk.path == page
    earlier = {"channel": "visit", "outcome": "reached", "day": "2026-11-20", "time": "10:30"}
    desk.post(page, **CALL | earlier)
    desk.clock.forward(minutes=1)
    desk.post(page, **CALL | {"channel": "note", "text": "prefers mornings"})
    heads = re.findall(r"<h3>(.*?)</h3>", desk.page.text)
    assert heads == [
        "note", "telephone call · nobody answered",
        "visit to the clinic · spoke with the participant",
    ]  # fmt: skip
    assert "20 Nov 2026, 10:30 · Aminah" in desk.page.text
    assert "prefers mornings" in desk.page.text
    assert [one.outcome for one in kept(web_site)] == ["no_answer", "reached", None]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"channel": ""}, "channel"),
        ({"outcome": ""}, "outcome"),
        ({"channel": "note", "text": " "}, "text"),
        ({"text": f"her number is {MYKAD}"}, "text"),
        ({"text": "x" * 2001}, "text"),
        ({"day": "soon"}, "day"),
        ({"day": "0001-01-01", "time": "00:00"}, "day"),
        ({"day": "2026-11-20"}, "time"),
        ({"time": "10:00"}, "time"),
        ({"day": "2026-11-24", "time": "10:00"}, "day"),
        ({"about": "nothing"}, "about"),
    ],
)
def test_a_fault_is_named_and_nothing_is_lost(
    desk: Desk, web_site: Site, given: dict[str, str], field: str
) -> None:
    web_site.enrol(NUMBER)
    desk.get(log_of(web_site))
    sent = {"text": "rang twice"} | given
    desk.post(log_of(web_site), 422, **CALL | sent, back="today")
    assert f'href="#{field}"' in desk.page.text
    assert f'id="{field}-fault"' in desk.page.text
    assert sent["text"] in desk.page.text
    assert 'name="back" value="today"' in desk.page.text
    assert kept(web_site) == []


def test_an_investigator_reads_and_does_not_write(
    app: Flask, desk: Desk, web_site: Site, clock: TestClock
) -> None:
    web_site.enrol(NUMBER)
    desk.get(log_of(web_site))
    desk.post(log_of(web_site), **CALL)
    reader = signed_in(app, web_site, clock, "investigator", None)
    reader.get(log_of(web_site))
    assert "nobody answered" in reader.page.text
    assert "<textarea" not in reader.page.text
    reader.get(at(web_site, "/today"))
    assert "Log a call" not in reader.page.text


def walk(desk: Sighted, site: Site) -> None:
    """The log, and what may go wrong there, in one language."""
    about = site.open(site.enrol(NUMBER))[0]
    page = log_of(site)
    desk.get(page)
    for given in (
        {"channel": ""}, {"outcome": ""}, {"channel": "note"}, {"text": MYKAD},
        {"text": "1" * 2001}, {"day": "soon"}, {"time": "10:00"}, {"about": "nothing"},
        {"day": "2026-11-24", "time": "10:00"},
    ):  # fmt: skip
        desk.post(page, 422, **CALL | given)
    for channel in ("telephone", "visit", "other"):
        desk.post(page, **CALL | {"channel": channel, "about": about.public_id})
    for outcome in ("wrong_number", "message_left", "declined", "will_answer", "reached"):
        desk.post(page, **CALL | {"outcome": outcome})
        desk.get(at(site, "/today"))
        desk.get(page)
    desk.post(page, **CALL | {"channel": "note", "text": "1"})


def test_every_page_and_fault_is_there(app: Flask, web_site: Site, clock: TestClock) -> None:
    from tests.web.test_staff_languages import Sighted

    desk = Sighted(app, clock, "en")
    desk.set_up(invite(web_site))
    walk(desk, web_site)
    assert desk.pages > 25

"""What a phone's journal sends and hears: the phone is enough to give answers, not to read any."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from pro_app.models import Answer, Assessment, AuditEntry, Device, Loss, Submission
from pro_app.services import enrolment
from tests.conftest import Enrolled, Site, snapshot
from tests.pages import Browser

JOURNAL, NEXT = (str(uuid.UUID(int=n, version=4)) for n in (1, 2))
HERE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def person(web_site: Site) -> Enrolled:
    return web_site.enrol()


@pytest.fixture
def sheet(web_site: Site, person: Enrolled) -> Assessment:
    return web_site.open(person)[0]


@pytest.fixture
def phone(app: Flask, person: Enrolled) -> Browser:
    found = Browser(app)
    found.join(person)
    return found


@pytest.fixture
def locked(phone: Browser) -> Browser:
    phone.post("/lock")
    return phone


def tap(item: str = "LQ01", code: int = 1, **parts: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "item": item, "state": "answered", "code": code, **parts}


def press(**parts: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "state": "submitted", **parts}


def send(browser: Browser, sheet: Assessment, *operations: Any, **parts: Any) -> TestResponse:
    """As the worker sends: without a page, and so without a token."""
    body = {"journal": JOURNAL, "left": 0, "operations": list(operations), **parts}
    return browser.client.post(
        f"/questionnaires/{sheet.public_id}/answers", json=body, headers=HERE
    )


def everything(web_site: Site, sheet: Assessment, **parts: Any) -> list[dict[str, Any]]:
    items = web_site.library.instruments[sheet.instrument].items
    return [tap(item.code, item.options.codes[0], **parts) for item in items]


def stored(web_site: Site) -> list[tuple[str, int | None, str]]:
    with web_site.database.reading() as session:
        query = sa.select(Answer.item, Answer.code, Answer.language).order_by(Answer.id)
        return [tuple(row) for row in session.execute(query)]


def test_a_locked_phone_gives_answers_and_hears_nobodys(
    locked: Browser, web_site: Site, sheet: Assessment
) -> None:
    web_site.answer(sheet, {"LQ02": 4})
    answer = send(locked, sheet, tap("LQ01", 3))
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["locked"] is True
    assert "others" not in answer.json
    assert answer.json["at"] == web_site.clock().isoformat()
    assert answer.headers["Cache-Control"] == "no-store"
    assert ("LQ01", 3, "en") in stored(web_site)
    with web_site.database.reading() as session:
        details = session.scalars(
            sa.select(AuditEntry.detail).where(AuditEntry.action == "answer")
        ).all()
    assert [one.get("locked") for one in details] == [None, True]


def test_an_unlocked_phone_hears_what_others_gave(
    phone: Browser, web_site: Site, sheet: Assessment
) -> None:
    web_site.answer(sheet, {"LQ02": 4})
    told = send(phone, sheet, tap("LQ01", 3)).json
    assert told is not None
    assert told["others"] == {"LQ02": ["answered", 4]}
    assert "locked" not in told


def test_a_phone_that_is_not_joined_keeps_what_it_has(
    app: Flask, phone: Browser, web_site: Site, sheet: Assessment, person: Enrolled
) -> None:
    with web_site.database.writing() as session:
        enrolment.withdraw(session, person.id, web_site.clock())
    before = snapshot(web_site.database)
    stranger = Browser(app)
    for browser in (phone, stranger):
        answer = send(browser, sheet, tap())
        assert (answer.status_code, answer.json) == (401, {"error": "device"})
    assert snapshot(web_site.database) == before


def test_nobody_elses_page_sends_anything(
    phone: Browser, web_site: Site, sheet: Assessment
) -> None:
    before = snapshot(web_site.database)
    path = f"/questionnaires/{sheet.public_id}/answers"
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {}):
        for where in (path, "/journal"):
            assert phone.client.post(where, json={}, headers=headers).status_code == 400
    assert snapshot(web_site.database) == before


def test_somebody_elses_questionnaire_is_unknown(
    phone: Browser, web_site: Site, person: Enrolled
) -> None:
    other = web_site.open(web_site.enrol("01-002"))[0]
    assert send(phone, other, tap()).status_code == 404
    assert stored(web_site) == []


def test_before_its_time_the_phone_is_told_to_come_again(
    phone: Browser, web_site: Site, person: Enrolled
) -> None:
    coming = web_site.open(person, "month_3", timedelta(days=3), timedelta(days=5))[0]
    answer = send(phone, coming, tap("GH01"))
    assert (answer.status_code, answer.json) == (409, {"error": "early"})
    assert stored(web_site) == []


def test_each_operation_is_recorded_in_its_own_language(
    phone: Browser, web_site: Site, sheet: Assessment
) -> None:
    """The language was changed half way, without network; all of it comes in one batch."""
    operations = [tap("LQ01", language="ta"), tap("LQ02"), tap("LQ03", language="zh_Hans")]
    assert send(phone, sheet, *operations, language="ms").status_code == 200
    assert [row[2] for row in stored(web_site)] == ["ta", "ms", "zh_Hans"]
    assert send(phone, sheet, tap("LQ04")).status_code == 200
    assert stored(web_site)[-1][2] == "en", "the person's own, where nothing is said"


@pytest.mark.parametrize(
    ("language", "moment"),
    [("en", "Monday, 23 Nov 2026, 09:00 (Kuala Lumpur)"),
     ("ms", "Isnin, 23 Nov 2026, 09:00 (Kuala Lumpur)")],
)  # fmt: skip
def test_a_press_among_the_answers_brings_the_receipt(
    app: Flask, web_site: Site, language: str, moment: str
) -> None:
    person = web_site.enrol("01-003", language)
    sheet = web_site.open(person)[0]
    phone = Browser(app, language)
    phone.join(person)
    phone.post("/lock")
    operations = [*everything(web_site, sheet), press()]
    told = send(phone, sheet, *operations).json
    assert told is not None
    assert told["receipt"] == {
        "code": told["receipt"]["code"], "moment": moment, "late": False,
    }  # fmt: skip
    assert len(told["receipt"]["code"]) == 14
    assert "taken" not in told, "all were"
    web_site.clock.forward(days=1)
    again = send(phone, sheet, *operations).json
    assert again is not None
    assert again["receipt"] == told["receipt"]
    phone.get(f"/questionnaires/{sheet.public_id}/receipt")
    assert told["receipt"]["code"] in phone.unlock().text


def test_a_press_that_meets_gaps_is_told_which(
    phone: Browser, web_site: Site, sheet: Assessment
) -> None:
    operations = [one for one in everything(web_site, sheet) if one["item"] != "LQ03"]
    told = send(phone, sheet, *operations, press()).json
    assert told is not None
    assert told["missing"] == ["LQ03"]
    assert "taken" not in told
    assert "receipt" not in told


def test_a_press_inside_the_window_counts_however_late_it_comes(
    phone: Browser, web_site: Site, sheet: Assessment
) -> None:
    """Closed on the 26th at nine; pressed an hour before, sent on the 30th."""
    clock = {"device_time": "2026-11-26T08:00:00.000+08:00"}
    operations = [*everything(web_site, sheet, **clock), press(**clock)]
    web_site.clock.now = sheet.closes_at + timedelta(days=4)
    told = send(phone, sheet, *operations, sent_at="2026-11-30T09:00:00.000+08:00").json
    assert told is not None
    assert told["receipt"]["late"] is False
    assert not {"not_counted", "closed"} & set(told)
    with web_site.database.reading() as session:
        (submission,) = session.scalars(sa.select(Submission))
    assert submission.submitted_at == web_site.clock()
    assert submission.submit_tapped_at == sheet.closes_at - timedelta(hours=1)


def test_a_press_after_its_time_is_told_so(
    phone: Browser, web_site: Site, sheet: Assessment
) -> None:
    clock = {"device_time": "2026-11-26T08:00:00.000+08:00"}
    operations = [*everything(web_site, sheet, **clock),
                  press(device_time="2026-11-27T08:00:00.000+08:00")]  # fmt: skip
    web_site.clock.now = sheet.closes_at + timedelta(days=4)
    told = send(phone, sheet, *operations, sent_at="2026-11-30T09:00:00.000+08:00").json
    assert told is not None
    assert told["closed"] is True
    assert not {"receipt", "not_counted", "taken"} & set(told)
    assert len(stored(web_site)) == 34


def test_everything_a_phone_may_say_of_a_tap_is_taken(
    phone: Browser, web_site: Site, sheet: Assessment
) -> None:
    run, now = str(uuid.uuid4()), web_site.clock()
    operation = tap(
        sequence=12, prompted=True, aloud=True, language="ta", run=run, monotonic=1234.5,
        device_time="2026-11-23T08:59:00.000+08:00",
        contact={"at": (now - timedelta(minutes=9)).isoformat(),
                 "device_time": "2026-11-23T08:51:00.000+08:00"},
    )  # fmt: skip
    sent = {"sent_at": "2026-11-23T09:00:00.000+08:00", "run": run, "monotonic": 61234.5}
    assert send(phone, sheet, operation, **sent, left=3, seen=0).status_code == 200
    with web_site.database.reading() as session:
        (row,) = session.scalars(sa.select(Answer))
        device = session.scalars(sa.select(Device)).one()
    assert (row.journal, row.sequence, row.run, row.monotonic_ms) == (JOURNAL, 12, run, 1234)
    assert (row.answered_at, row.doubt) == (now - timedelta(minutes=1), None)
    assert (row.contact_at, row.read_aloud, row.prompted) == (
        now - timedelta(minutes=9), True, True,
    )  # fmt: skip
    assert (device.journal, device.unsent) == (JOURNAL, 3)


# --- /journal -----------------------------------------------------------------------------------


def report(browser: Browser, **body: Any) -> TestResponse:
    return browser.client.post("/journal", json={"journal": JOURNAL, **body}, headers=HERE)


def test_a_phone_reports_its_journal_and_hears_of_losses(
    locked: Browser, web_site: Site, sheet: Assessment
) -> None:
    now = web_site.clock().isoformat()
    first = report(locked, left=2, lost=0, persisted=False)
    assert (first.status_code, first.json) == (200, {"at": now, "loss": None})
    gone = report(locked, journal=NEXT, lost=3)
    assert gone.json == {"at": now, "loss": {"count": 3}}
    assert report(locked, journal=NEXT, lost=3).json == gone.json, "until the person has seen it"
    assert report(locked, journal=NEXT, told=True).json == {"at": now, "loss": None}
    with web_site.database.reading() as session:
        device = session.scalars(sa.select(Device)).one()
        loss = session.scalars(sa.select(Loss)).one()
    assert (device.journal, device.unsent, device.persisted) == (NEXT, 0, False)
    assert (loss.count, loss.told_at) == (3, web_site.clock())


@pytest.mark.parametrize(
    "body",
    [None, [], "journal", {}, {"journal": "mine"}, {"journal": None},
     {"journal": JOURNAL, "left": -1}, {"journal": JOURNAL, "left": "2"},
     {"journal": JOURNAL, "lost": 2**31},
     {"journal": JOURNAL, "lost": True}, {"journal": JOURNAL, "persisted": 1}],
)  # fmt: skip
def test_reports_of_another_shape_are_refused(phone: Browser, web_site: Site, body: Any) -> None:
    before = snapshot(web_site.database)
    answer = phone.client.post(
        "/journal", data=json.dumps(body), content_type="application/json", headers=HERE
    )
    assert answer.status_code == 422
    assert snapshot(web_site.database) == before


def test_a_stranger_reports_nothing(app: Flask, web_site: Site) -> None:
    answer = report(Browser(app))
    assert (answer.status_code, answer.json) == (401, {"error": "device"})

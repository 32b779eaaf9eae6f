"""What the house writes down for its operator: faults, and nothing of what people sent."""

from __future__ import annotations

import logging
import uuid
from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.services import answers
from pro_app.services.answers import Operation
from tests.conftest import KEY, PIN, Site, make_app
from tests.pages import Browser

CANARY = "canary-7d1f"


@pytest.fixture
def written(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that any part writes, SQLAlchemy's own lines apart, which nobody turns on."""
    caplog.set_level(logging.INFO)
    return caplog


def test_a_whole_way_leaves_nothing_in_the_log(
    app: Flask, web_site: Site, written: pytest.LogCaptureFixture
) -> None:
    person = web_site.enrol("01-987")
    sheet = web_site.open(person)[0]
    browser = Browser(app)
    browser.join(person)
    browser.get(f"/questionnaires/{sheet.public_id}/items/1")
    operation = {"id": str(uuid.uuid4()), "item": "LQ01", "state": "answered", "code": 3}
    body = {"language": "en", "operations": [operation]}
    browser.send(f"/questionnaires/{sheet.public_id}/answers", body)
    browser.post(f"/questionnaires/{sheet.public_id}/items/2", choice="4", action="next")
    browser.get("/today")
    browser.post("/lock")
    browser.unlock("864202", status=422)
    browser.unlock()
    device, session = (browser.client.get_cookie(name) for name in ("device", "session"))
    assert device is not None
    assert session is not None
    for secret in (
        person.code, PIN, "864202", person.number, device.value, session.value, KEY,
        operation["id"], sheet.public_id,
    ):  # fmt: skip
        assert str(secret) not in written.text


@pytest.mark.parametrize("where", ["services", "database", "cause"])
def test_a_fault_is_told_without_what_was_sent(
    app: Flask,
    web_site: Site,
    written: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    """The log says what broke and where in the code; messages may quote an answer, so none is."""
    person = web_site.enrol()
    sheet = web_site.open(person)[0]
    browser = Browser(app)
    browser.join(person)
    browser.get(f"/questionnaires/{sheet.public_id}/items/1")

    def fail(session: object, *_rest: object, **_more: object) -> None:
        if where == "services":
            raise ValueError(f"cannot take {CANARY}")
        if where == "cause":
            try:
                raise KeyError(CANARY)
            except KeyError as error:
                raise ValueError(CANARY) from error
        assert isinstance(session, sa.Connection | sa.orm.Session)
        session.execute(sa.text("INSERT INTO attempt (kind) VALUES (:kind)"), {"kind": CANARY})

    monkeypatch.setattr(answers, "save", fail)
    page = browser.post(
        f"/questionnaires/{sheet.public_id}/items/1", status=500, choice="1", action="next"
    )
    assert CANARY not in page.text
    assert CANARY not in written.text
    name = "IntegrityError" if where == "database" else "ValueError"
    assert f"{name} in questionnaire.answer" in written.text
    assert "test_logs.py" in written.text, "the place in the code is told"


def test_a_refused_row_is_told_without_its_values(
    site: Site, written: pytest.LogCaptureFixture
) -> None:
    """PostgreSQL quotes the whole row in its message: the log must not."""
    person = site.enrol()
    sheet = site.open(person)[0]
    url = site.database.engine.url.render_as_string(hide_password=False)
    app = make_app(url, site.clock)
    browser = Browser(app)
    browser.join(person)
    browser.get(f"/questionnaires/{sheet.public_id}/items/1")
    with pytest.MonkeyPatch.context() as patch:
        known = Operation(CANARY, "LQ01", "answered", 3)
        patch.setattr("pro_app.web.questionnaire.posted", lambda *_: known)
        patch.setattr(
            "pro_app.services.answers._row",
            lambda *_: {
                **ROW,
                "operation": CANARY,
                "assessment_id": sheet.id,
                "answered_at": site.clock(),
                "received_at": site.clock(),
            },
        )
        browser.post(
            f"/questionnaires/{sheet.public_id}/items/1", status=500, choice="3", action="next"
        )
    app.extensions["pro_app"].database.close()
    assert "IntegrityError in questionnaire.answer" in written.text
    assert CANARY not in written.text


ROW = {  # impossible: the database refuses the mode
    "item": "LQ01", "state": "answered", "code": 3, "prompted": False, "device_time": None,
    "skew_ms": None, "language": "en", "wording": "x", "mode": CANARY, "originator": "participant",
    "device_id": None,
}  # fmt: skip


def test_without_its_database_the_house_says_so_in_a_page(
    app: Flask, web_site: Site, written: pytest.LogCaptureFixture
) -> None:
    house = app.extensions["pro_app"]
    broken = type(house.database)("sqlite:////nowhere/at/all/pro_app.sqlite3")
    app.extensions["pro_app"] = replace(house, database=broken)
    browser = Browser(app)
    page = browser.get("/unlock")  # without cookies nobody is looked up
    page = browser.post("/join/new-code", status=500, number="01-001")
    assert "The fault is ours." in page.text
    assert browser.client.get("/health").status_code == 500
    assert "OperationalError in" in written.text
    app.extensions["pro_app"] = house


def test_guessing_is_counted_without_keeping_addresses(app: Flask, web_site: Site) -> None:
    browser = Browser(app)
    browser.get("/join/")
    browser.post("/join/", status=422, code="ABCDEFGH")
    with web_site.database.reading() as session:
        (source,) = session.scalars(sa.text("SELECT source FROM attempt"))
    assert len(source) == 64
    assert "127.0.0.1" not in source

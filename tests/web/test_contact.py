"""Address, hour and consent on a participant's page: who may, what is on record, what is not."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.models import ROLES, AuditEntry, Participant
from pro_app.services import reach, tables
from tests.conftest import Site, TestClock, snapshot
from tests.services import table_rows
from tests.web.test_staff import PASSWORD, Desk, at, desk
from tests.web.test_staff_access import OTHER, OWN, places, sign_in

__all__ = ["desk", "places"]

ADDRESS = "somebody.secret@mail.example"
PAGE = "/participants/01-301"


def kept(site: Site, app: Flask, participant_id: int) -> str | None:
    with site.database.reading() as session:
        return reach.email_of(session, app.extensions["pro_app"].post_office, participant_id)


def told(site: Site, participant_id: int) -> list[tuple[str, str]]:
    """Action and actor of a participant's trail, since the enrolment."""
    with site.database.reading() as session:
        rows = session.execute(
            sa.select(AuditEntry.action, AuditEntry.actor)
            .where(AuditEntry.stream == f"participant/{participant_id}")
            .order_by(AuditEntry.seq)
        )
        return [(row[0], row[1].partition("/")[0]) for row in rows]


def test_an_address_is_set_looked_at_changed_and_removed(
    app: Flask, desk: Desk, web_site: Site
) -> None:
    person = web_site.enrol("01-301")
    page = at(web_site, PAGE)
    desk.get(page)
    assert "Enter an e-mail address" in desk.page.text
    desk.post(f"{page}/contact")
    desk.post(f"{page}/contact/change", email=ADDRESS, action="save")
    assert desk.path == page
    assert ADDRESS not in desk.page.text, "shown to who asks for it, not in passing"
    assert kept(web_site, app, person.id) == ADDRESS
    desk.post(f"{page}/contact")
    assert f'value="{ADDRESS}"' in desk.page.text
    desk.post(f"{page}/contact/change", email=f"new.{ADDRESS}", action="save")
    assert kept(web_site, app, person.id) == f"new.{ADDRESS}"
    desk.post(f"{page}/contact/change", email=f"new.{ADDRESS}", action="remove")
    assert kept(web_site, app, person.id) is None
    done = [one for one in told(web_site, person.id) if one[1] == "staff"]
    assert [action for action, _ in done] == [
        "read_contact", "set_email", "read_contact", "set_email", "remove_email",
    ]  # fmt: skip


@pytest.mark.parametrize("typed", ["", "nobody", "a900101-14-5678@mail.example"])
def test_what_is_no_address_is_said_and_stays_typed(
    app: Flask, desk: Desk, web_site: Site, typed: str
) -> None:
    person = web_site.enrol("01-301")
    page = at(web_site, PAGE)
    desk.get(page)
    desk.post(f"{page}/contact/change", 422, email=typed, action="save")
    assert f'value="{typed}"' in desk.page.text
    assert 'href="#email"' in desk.page.text
    assert kept(web_site, app, person.id) is None


def test_looking_and_changing_ask_for_a_proof(
    app: Flask, desk: Desk, web_site: Site, clock: TestClock
) -> None:
    person = web_site.enrol("01-301")
    page = at(web_site, PAGE)
    set_address(app, web_site, person.id)
    clock.forward(minutes=6)
    desk.get(page)
    before = snapshot(web_site.database)
    desk.post(f"{page}/contact", 401)
    assert ADDRESS not in desk.page.text
    desk.post(f"{page}/contact/change", 401, email="x@mail.example", action="save")
    assert snapshot(web_site.database)["contact"] == before["contact"]
    assert snapshot(web_site.database)["audit_entry"] == before["audit_entry"]
    clock.forward(seconds=60)
    carried = {"carry_to": f"{page}/contact", "method": "post"}
    desk.post("/staff/verify", **carried, password=PASSWORD, code=desk.shown())
    desk.post(f"{page}/contact")
    assert ADDRESS in desk.page.text


def set_address(app: Flask, site: Site, participant_id: int) -> None:
    office = app.extensions["pro_app"].post_office
    with site.database.writing() as session:
        reach.set_email(session, office, participant_id, None, ADDRESS, site.clock())


def test_who_takes_part_no_more_has_no_address(app: Flask, desk: Desk, web_site: Site) -> None:
    person = web_site.enrol("01-301")
    page = at(web_site, PAGE)
    desk.get(page)
    desk.post(f"{page}/end", what="study", sure="yes")
    assert "e-mail address" not in desk.page.text
    desk.post(f"{page}/contact/change", 422, email=ADDRESS, action="save")
    assert kept(web_site, app, person.id) is None


def test_removal_touches_no_study_data(app: Flask, desk: Desk, web_site: Site) -> None:
    person = web_site.enrol("01-301")
    sheet = web_site.open(person)[0]
    web_site.answer_all(sheet)
    web_site.submit(sheet)
    set_address(app, web_site, person.id)
    page = at(web_site, PAGE)
    desk.get(page)
    before = snapshot(web_site.database)
    desk.post(f"{page}/contact/change", action="remove")
    after = snapshot(web_site.database)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"contact", "audit_entry"}


@pytest.mark.parametrize("place", ["own", "other", "all"])
@pytest.mark.parametrize("role", [None, *ROLES])
def test_nobody_else_ever_gets_the_address(
    app: Flask, web_site: Site, places: dict[str, int | None], role: str | None, place: str
) -> None:
    with web_site.database.reading() as session:
        ids = {one.number: one.id for one in session.scalars(sa.select(Participant))}
    for number in (OWN, OTHER):
        set_address(app, web_site, ids[number])
    browser = sign_in(app, web_site, role, places[place])
    browser.get("/staff/")
    token = browser.page.token()
    seen = set()
    for number in (OWN, OTHER):
        page = at(web_site, f"/participants/{number}")
        for method, path in (
            ("GET", page), ("POST", f"{page}/contact"), ("GET", f"{page}/contact"),
            ("GET", at(web_site, "/today")), ("GET", at(web_site, "/completion")),
        ):  # fmt: skip
            data = {"csrf_token": token} if method == "POST" else None
            response = browser.client.open(path, method=method, data=data)
            if ADDRESS in response.text:
                seen.add((number, method))
        answer = browser.client.post(
            f"{page}/contact/change", data={"csrf_token": token, "email": ""}
        )
        assert ADDRESS not in answer.text
    allowed = {"own": {OWN}, "other": {OTHER}, "all": {OWN, OTHER}}[place]
    expected = {(number, "POST") for number in allowed} if role == "coordinator" else set()
    assert seen == expected


def test_the_address_is_in_no_trail_and_no_export(app: Flask, desk: Desk, web_site: Site) -> None:
    person = web_site.enrol("01-301")
    sheet = web_site.open(person)[0]
    web_site.answer_all(sheet)
    web_site.submit(sheet)
    page = at(web_site, PAGE)
    desk.get(page)
    desk.post(f"{page}/contact/change", email=ADDRESS, action="save")
    desk.post(f"{page}/contact")
    assert ADDRESS in desk.page.text
    rows = snapshot(web_site.database)
    assert ADDRESS not in json.dumps(rows, default=str), "in no row but encrypted"
    for name in tables.NAMES:
        written = json.dumps(table_rows.rows(web_site, name), default=str)
        assert ADDRESS not in written
        assert person.number in written or name in {"reminders", "corrections"}


def test_the_hour_is_one_of_the_studys(desk: Desk, web_site: Site) -> None:
    person = web_site.enrol("01-301")
    page = at(web_site, PAGE)
    desk.get(page)
    minutes = web_site.study.definition.reminders.hours()
    desk.post(f"{page}/hour", minute=str(minutes[1]))
    assert desk.path == page
    chosen = [one for one in desk.page.all("option") if "selected" in one]
    assert str(minutes[1]) in [str(one.get("value")) for one in chosen]
    desk.post(f"{page}/hour", 422, minute="3")
    assert 'id="minute-fault"' in desk.page.text
    with web_site.database.reading() as session:
        assert session.get_one(Participant, person.id).reminder_minute == minutes[1]
    desk.post(f"{page}/hour", minute="")
    with web_site.database.reading() as session:
        assert session.get_one(Participant, person.id).reminder_minute is None


def test_a_newer_consent_is_recorded(desk: Desk, web_site: Site) -> None:
    person = web_site.enrol("01-301")
    page = at(web_site, PAGE)
    desk.get(page)
    assert "No consent is on record." in desk.page.text
    desk.post(f"{page}/consent", consent_version="2.1", consent_on="2026-11-20")
    assert "version 2.1, signed on 2026-11-20" in desk.page.text
    for version, day, field in (
        ("", "2026-11-20", "consent_version"),
        ("900101-14-5678", "2026-11-20", "consent_version"),
        ("2.2", "2030-01-01", "consent_on"),
        ("2.2", "soon", "consent_on"),
    ):
        desk.post(f"{page}/consent", 422, consent_version=version, consent_on=day)
        assert f'id="{field}-fault"' in desk.page.text
        assert f'name="consent_version" value="{version}"' in desk.page.text
    with web_site.database.reading() as session:
        row = session.get_one(Participant, person.id)
    assert (row.consent_version, str(row.consent_on)) == ("2.1", "2026-11-20")
    assert ("record_consent", "staff") in told(web_site, person.id)


def walk(desk: Desk, site: Site) -> None:
    """Every page and fault of address, hour and consent."""
    site.enrol("01-351", language="ta")
    page = at(site, "/participants/01-351")
    desk.get(page)
    desk.post(f"{page}/contact")
    desk.post(f"{page}/contact/change", 422, email="", action="save")
    desk.post(f"{page}/contact/change", 422, email="nobody", action="save")
    desk.post(f"{page}/contact/change", email=ADDRESS, action="save")
    desk.post(f"{page}/hour", 422, minute="3")
    desk.post(f"{page}/consent", 422, consent_version="", consent_on="")
    desk.post(f"{page}/consent", 422, consent_version="2", consent_on="")
    desk.post(f"{page}/consent", consent_version="2", consent_on="2026-11-20")
    desk.post(f"{page}/end", what="study", sure="yes")
    desk.post(f"{page}/contact/change", 422, email=ADDRESS, action="save")


def test_the_walk(desk: Desk, web_site: Site) -> None:
    walk(desk, web_site)
    assert "takes part no more" in desk.page.text

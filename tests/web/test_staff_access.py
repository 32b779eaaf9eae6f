"""Every page of the staff by every role, at the own site, another one, and in no study at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.models import ROLES, Database, Site, Study
from pro_app.services import staff, staff_sign_in
from tests.conftest import Enrolled, TestClock, snapshot
from tests.conftest import Site as Place
from tests.pages import Browser
from tests.web.test_access import STAFF, address, rules

OWN, OTHER = "01-101", "02-202"


@pytest.fixture
def places(web_site: Place) -> dict[str, int | None]:
    """Two sites with a participant each: by name the id; `all` is every site of the study."""
    web_site.enrol(OWN)
    with web_site.database.writing() as session:
        own = session.scalars(sa.select(Site.id).where(Site.code == "01")).one()
        other = session.scalars(sa.select(Site.id).where(Site.code == "02")).first()
        if other is None:
            second = Site(study_id=web_site.study.id, code="02", name="Second")
            session.add(second)
            session.flush()
            other = second.id
    person = web_site.enrol(OTHER)
    with web_site.database.writing() as session:
        session.execute(
            sa.text("UPDATE participant SET site_id = :site WHERE id = :id"),
            {"site": other, "id": person.id},
        )
    return {"own": own, "other": other, "all": None}


def sign_in(app: Flask, site: Place, role: str | None, place: int | None) -> Browser:
    """A browser of somebody with this role there, or with none."""
    now = site.clock()
    with site.database.writing() as session:
        email = f"{role}-{place}@hospital.example"
        person = staff.add(session, email, "Somebody", "en", date(2026, 1, 5), now)
        if role is not None:
            staff.grant(session, person.id, site.study.id, place, role, now)
        token = staff_sign_in.start(session, person.id, now, "code")
    browser = Browser(app)
    browser.client.set_cookie("staff", token)
    return browser


def asks(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Endpoint, method and address of everything that is for a role, about the own participant."""
    sheet: Any = type("Sheet", (), {"public_id": "A" * 16})
    for rule in rules(app):
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            if STAFF.get(rule.endpoint):
                yield rule.endpoint, method, address(rule, sheet, app)


@pytest.mark.parametrize("place", ["own", "other", "all"])
@pytest.mark.parametrize("role", [None, *ROLES])
def test_each_role_sees_its_own_and_nothing_else(
    app: Flask,
    web_site: Place,
    places: dict[str, int | None],
    subtests: pytest.Subtests,
    role: str | None,
    place: str,
) -> None:
    browser = sign_in(app, web_site, role, places[place])
    browser.get("/staff/")
    token = browser.page.token()
    met = 0
    for endpoint, method, path in asks(app):
        with subtests.test(endpoint, method=method):
            data = {"csrf_token": token} if method == "POST" else None
            response = browser.client.open(path, method=method, data=data)
            allowed = role in (STAFF[endpoint] or ())
            foreign = place == "other" and OWN in path
            if role is None:
                assert response.status_code == 404, "not even that the study is there"
            elif not allowed:
                assert response.status_code == 403
            elif foreign:
                assert response.status_code == 404
            else:
                assert response.status_code in {200, 303, 422}
            if role is None or not allowed or place == "other":
                assert OWN not in response.text.replace(path, "")
            met += 1
    assert met >= 12


def test_another_study_is_not_there(
    app: Flask, web_site: Place, places: dict[str, int | None]
) -> None:
    with web_site.database.writing() as session:
        session.add(Study(code="elsewhere", created_at=web_site.clock()))
    browser = sign_in(app, web_site, "coordinator", None)
    for code in ("elsewhere", "nowhere"):
        assert browser.client.get(f"/staff/{code}/completion").status_code == 404


def test_a_list_holds_the_own_site_alone(
    app: Flask, web_site: Place, places: dict[str, int | None]
) -> None:
    for role, place in product(("coordinator", "investigator"), ("own", "other", "all")):
        browser = sign_in(app, web_site, role, places[place])
        browser.get(f"/staff/{web_site.study.definition.code}/completion")
        seen = {number for number in (OWN, OTHER) if number in browser.page.text}
        assert seen == {"own": {OWN}, "other": {OTHER}, "all": {OWN, OTHER}}[place]
        site = {"own": "02", "other": "01"}.get(place)
        if site is not None:
            browser.get(f"/staff/{web_site.study.definition.code}/completion?site={site}")
            assert {OWN, OTHER} & seen == {n for n in (OWN, OTHER) if n in browser.page.text}


def test_reading_changes_nothing(
    app: Flask, web_site: Place, places: dict[str, int | None], subtests: pytest.Subtests
) -> None:
    hands = one_of_each(app, web_site)
    before = snapshot(web_site.database)
    for endpoint, method, path in asks(app):
        if method == "GET":
            with subtests.test(endpoint):
                assert allowed(hands, endpoint).client.get(path).status_code == 200
                assert snapshot(web_site.database) == before


def one_of_each(app: Flask, site: Place) -> dict[str, Browser]:
    """A browser of each role, those who see no answers first."""
    order = ("coordinator", "administrator", "researcher", "investigator")
    return {role: sign_in(app, site, role, None) for role in order}


def allowed(hands: dict[str, Browser], endpoint: str) -> Browser:
    """The first of them whom a page is for."""
    return next(one for role, one in hands.items() if role in (STAFF[endpoint] or ()))


def test_of_an_investigators_reading_the_record_alone_tells(
    app: Flask, web_site: Place, places: dict[str, int | None], subtests: pytest.Subtests
) -> None:
    """To show answers on a participant's record is itself put on it: the one entry, and nothing
    else, that a page writes because it was opened."""
    with web_site.database.reading() as session:
        own = session.scalars(sa.text("SELECT id FROM participant WHERE number = '01-101'")).one()
    sheet = web_site.open(Enrolled(own, OWN, "en", ""))[0]
    web_site.answer(sheet, {"LQ01": 1})
    browser = sign_in(app, web_site, "investigator", None)
    for endpoint, method, path in asks(app):
        if method == "GET" and "investigator" in (STAFF[endpoint] or ()):
            with subtests.test(endpoint):
                before = snapshot(web_site.database)
                assert browser.client.get(path).status_code == 200
                after = snapshot(web_site.database)
                written = after.pop("audit_entry")[len(before.pop("audit_entry")) :]
                assert after == before
                assert [row[5] for row in written] == READS.get(endpoint, [])


READS = {"trail.participant": ["read_record"]}  # what opening a page puts on the record


def test_nothing_is_done_without_a_token_of_the_page(
    app: Flask, web_site: Place, places: dict[str, int | None], subtests: pytest.Subtests
) -> None:
    hands = one_of_each(app, web_site)
    before = snapshot(web_site.database)
    for endpoint, method, path in asks(app):
        if method == "POST":
            with subtests.test(endpoint):
                sent = {"what": "death", "sure": "yes"}
                answer = allowed(hands, endpoint).client.post(path, data=sent)
                assert answer.status_code == 400
    assert snapshot(web_site.database) == before


def test_a_role_that_has_ended_shows_nothing_from_then_on(
    app: Flask, web_site: Place, places: dict[str, int | None], clock: TestClock
) -> None:
    browser = sign_in(app, web_site, "coordinator", None)
    path = f"/staff/{web_site.study.definition.code}/completion"
    browser.get(path)
    end_roles(web_site.database, clock)
    assert browser.client.get(path).status_code == 404


def end_roles(database: Database, clock: TestClock) -> None:
    with database.writing() as session:
        session.execute(sa.text("UPDATE staff_role SET ends_at = begins_at"))

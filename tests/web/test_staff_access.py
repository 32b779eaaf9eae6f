"""Every page of the staff by every role, at the own site, another one, and in no study at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from pro_app.models import (
    ROLES,
    Assessment,
    AuditEntry,
    Correction,
    Database,
    Site,
    Study,
    Transcription,
)
from pro_app.services import staff, staff_sign_in
from tests.conftest import Site as Place
from tests.conftest import TestClock, snapshot
from tests.pages import Browser
from tests.services.correcting import WANTED, hire, submission_of
from tests.web.test_access import ACCOUNT, ANALYSTS, CORRECTION, STAFF, address, rules

OWN, OTHER = "01-101", "02-202"
READS = {  # to read answers is itself put on record, as this action
    "investigator.answers": "read_answers",
    "receipts.detail": "read_answers",
    "corrections.detail": "read_answers",
    "pictures.trajectory": "read_answers",
    "trail.participant": "read_record",
}
PRIVATE = {"exports.download", "proof_pack.download"}  # of who asked for it, and of nobody else
SHEET = "A" * 16  # the public name of the own participant's questionnaire, and of its paper


@pytest.fixture
def places(web_site: Place) -> dict[str, int | None]:
    """Two sites with a participant each, and somebody of the staff at the first: by name the id;
    `all` is every site of the study."""
    submitted, unanswered = web_site.open(web_site.enrol(OWN))
    ask_for_a_correction(web_site, submitted)
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
        colleague = staff.add(
            session, "colleague@hospital.example", "Colleague", "en", date(2026, 1, 5),
            web_site.clock(),
        )  # fmt: skip
        colleague.public_id = ACCOUNT
        staff.grant(session, colleague.id, web_site.study.id, own, "coordinator", web_site.clock())
        sheet_of_paper(session, unanswered)
    return {"own": own, "other": other, "all": None}


def ask_for_a_correction(site: Place, sheet: Assessment) -> None:
    """The own participant has submitted a questionnaire, and somebody asks for a correction."""
    site.answer_all(sheet)
    site.submit(sheet)
    requester = hire(site, "Somebody Else", "coordinator")
    wanted = {name: getattr(WANTED, name) for name in WANTED.__slots__ if name != "item"}
    with site.database.writing() as session:
        correction = Correction(
            public_id=CORRECTION,
            submission_id=submission_of(site, sheet),
            field=WANTED.item,
            old="0",
            requester_id=requester,
            requested_at=site.clock(),
            **wanted,
        )
        session.add(correction)


def sheet_of_paper(session: Session, assessment: Assessment) -> None:
    """A sheet of this assessment that waits for a second person, both under one known name."""
    now = assessment.created_at
    first = staff.add(session, "first@hospital.example", "First", "en", date(2026, 1, 5), now)
    session.execute(
        sa.update(Assessment).where(Assessment.id == assessment.id).values(public_id=SHEET)
    )
    sheet = Transcription(
        public_id=SHEET, assessment_id=assessment.id, mode="paper", state="to_check",
        completed_on=now.date(), reference="", language="en", wording="", values={}, settled={},
        entered_by=first.id, entered_at=now,
    )  # fmt: skip
    session.add(sheet)


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
    """Endpoint, method and address of everything that is for a role, about the own participant;
    handing the browser over as a tablet, which ends the session, comes last."""
    sheet: Any = type("Sheet", (), {"public_id": SHEET})
    for rule in sorted(rules(app), key=lambda rule: rule.endpoint == "tablet_start.start"):
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
            foreign = place == "other" and (OWN in path or ACCOUNT in path)
            if role is None:
                assert response.status_code == 404, "not even that the study is there"
            elif not allowed:
                assert response.status_code == 403
            elif foreign or endpoint in PRIVATE:
                assert response.status_code == 404
            else:
                assert response.status_code in {200, 303, 422}
            if role is None or not allowed or place == "other":
                assert OWN.encode() not in response.data.replace(path.encode(), b"")
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
    """But one thing: the trail is told who has read answers, and of nothing else."""
    browsers = {role: sign_in(app, web_site, role, None) for role in ROLES}
    before = snapshot(web_site.database)
    for endpoint, method, path in asks(app):
        for role in STAFF[endpoint] or ():
            if method == "GET" and endpoint not in PRIVATE:
                with subtests.test(endpoint, role=role):
                    assert browsers[role].client.get(path).status_code == 200
                    after = snapshot(web_site.database)
                    if endpoint in READS and role in ANALYSTS:
                        told = last_entry(web_site.database)
                        assert (told.action, told.old, told.new) == (READS[endpoint], None, None)
                        assert after["audit_entry"][:-1] == before["audit_entry"]
                        before["audit_entry"] = after["audit_entry"]
                    assert after == before


def last_entry(database: Database) -> AuditEntry:
    """What the trail was told last."""
    with database.reading() as session:
        query = sa.select(AuditEntry).order_by(AuditEntry.id.desc())
        return session.scalars(query.limit(1)).one()


def test_nothing_is_done_without_a_token_of_the_page(
    app: Flask, web_site: Place, places: dict[str, int | None], subtests: pytest.Subtests
) -> None:
    browsers = {role: sign_in(app, web_site, role, None) for role in ROLES}
    before = snapshot(web_site.database)
    for endpoint, method, path in asks(app):
        for role in STAFF[endpoint] or ():
            if method == "POST":
                with subtests.test(endpoint, role=role):
                    sent = {"what": "death", "sure": "yes", "outcome": "approved"}
                    answer = browsers[role].client.post(path, data=sent)
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

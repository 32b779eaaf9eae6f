"""Signing off a participant's data on its page: what waits, who signed, and what voids it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.models import SignOff
from pro_app.services import audit, sign_off
from tests.conftest import Site, TestClock
from tests.services.correcting import Desk as Hands
from tests.services.test_staff_sign_in import PASSWORD
from tests.web.test_corrections import INVESTIGATOR, NUMBER, count, hands, page, plain, sign
from tests.web.test_staff import Desk, invite

SURE = {"milestone": "baseline/1", "sure": "yes"}


@pytest.fixture
def doctor(app: Flask, web_site: Site, clock: TestClock) -> Desk:
    """An investigator's browser."""
    found = Desk(app, clock)
    found.set_up(invite(web_site, "investigator", INVESTIGATOR))
    return found


def finished(site: Site, number: str = NUMBER) -> Hands:
    """Somebody whose first timepoint is done: the hands that can correct its LupusQoL."""
    sheets = site.open(site.enrol(number))
    for one in sheets:
        site.answer_all(one, place=1)
        site.submit(one)
    return hands(site, sheets[0])


def test_a_complete_milestone_is_signed_with_password_and_code(
    doctor: Desk, web_site: Site
) -> None:
    finished(web_site)
    path = page(web_site, "/sign-off")
    doctor.get(path)
    assert "Complete, and not signed yet." in doctor.page.text
    assert "Covers 2 questionnaires" in doctor.page.text
    sign(doctor, path, **SURE)
    assert doctor.path == path
    assert "Signed, and it holds" in doctor.page.text
    with web_site.database.reading() as session:
        signed = session.scalars(sa.select(SignOff)).one()
        assert list(audit.verify(session)) == []
    assert (signed.milestone, signed.name) == ("baseline/1", "Aminah")
    assert signed.meaning.startswith("I have reviewed this participant's data")
    assert signed.meaning in doctor.page.text.replace("&#39;", "'")


def test_what_was_signed_and_holds_is_not_offered_again(doctor: Desk, web_site: Site) -> None:
    finished(web_site)
    path = page(web_site, "/sign-off")
    doctor.get(path)
    sign(doctor, path, **SURE)
    offered = [one["value"] for one in doctor.page.all("option")]
    assert "baseline/1" not in offered
    assert "end" in offered
    sign(doctor, path, 422, **SURE)
    assert count(web_site, SignOff) == 1


def test_a_later_correction_voids_it_visibly_and_it_can_be_signed_anew(
    doctor: Desk, web_site: Site
) -> None:
    behind = finished(web_site)
    path = page(web_site, "/sign-off")
    doctor.get(path)
    sign(doctor, path, **SURE)
    waiting = behind.request(new="3")
    doctor.get(path)
    assert "1 correction waits for a decision." in doctor.page.text
    assert "Signed, and it holds" in doctor.page.text
    sign(doctor, path, 422, **SURE)
    behind.decide(waiting)
    doctor.get(path)
    assert "Void: the data have changed since it was signed" in doctor.page.text
    sign(doctor, path, **SURE)
    told = plain(doctor)
    assert told.count("Void: the data have changed since it was signed") == 1
    assert "Signed, and it holds" in told


def test_what_can_still_be_answered_is_in_the_way(doctor: Desk, web_site: Site) -> None:
    sheets = web_site.open(web_site.enrol(NUMBER))
    web_site.answer_all(sheets[0])
    web_site.submit(sheets[0])
    path = page(web_site, "/sign-off")
    doctor.get(path)
    assert "1 questionnaire can still be answered." in doctor.page.text
    assert "There is nothing to sign now." in doctor.page.text
    assert not [one for one in doctor.page.all("input") if one.get("name") == "password"]
    sign(doctor, path, 422, **SURE)
    assert count(web_site, SignOff) == 0


@pytest.mark.parametrize(
    ("field", "parts"),
    [
        ("milestone", {"milestone": ""}),
        ("milestone", {"milestone": "month_9/1"}),
        ("sure", {"sure": "no"}),
        ("password", {"password": ""}),
        ("password", {"code": "000000"}),
        ("password", {"password": "not this one at all"}),
    ],
)
def test_a_faulty_signature_signs_nothing(
    doctor: Desk, web_site: Site, field: str, parts: dict[str, str]
) -> None:
    finished(web_site)
    path = page(web_site, "/sign-off")
    doctor.get(path)
    sign(doctor, path, 422, **{**SURE, **parts})
    assert f'href="#{field}"' in doctor.page.text
    assert PASSWORD not in doctor.page.text
    assert count(web_site, SignOff) == 0


def test_data_that_change_at_the_last_moment_are_to_be_looked_at_again(
    doctor: Desk, web_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished(web_site)
    path = page(web_site, "/sign-off")
    doctor.get(path)

    def refuse(*_given: object) -> None:
        raise sign_off.Refused("a correction waits for its decision")

    monkeypatch.setattr(sign_off, "sign", refuse)
    sign(doctor, path, 422, **SURE)
    assert "changed just now" in doctor.page.text


def test_a_coordinator_does_not_sign(app: Flask, web_site: Site, clock: TestClock) -> None:
    finished(web_site)
    nurse = Desk(app, clock)
    nurse.set_up(invite(web_site))
    nurse.get(page(web_site))
    assert "Sign-off" not in nurse.page.text
    nurse.get(page(web_site, "/sign-off"), 403)


def walk(desk: Desk, site: Site) -> None:
    """The page of milestones in every state, and every fault."""
    site.enrol("01-313")
    desk.get(page(site, "/sign-off", "01-313"))
    behind = finished(site, "01-314")
    path = page(site, "/sign-off", "01-314")
    desk.get(path)
    desk.post(path, 422)
    sign(desk, path, 422, **SURE, password="not this one at all")
    sign(desk, path, **SURE)
    waiting = behind.request(reason="1", evidence="2", confirmed_on=desk.clock().date())
    desk.get(path)
    desk.post(path, 422)
    behind.decide(waiting)
    desk.get(path)


def test_the_walk_is_walked(doctor: Desk, web_site: Site) -> None:
    walk(doctor, web_site)
    assert count(web_site, SignOff) == 1
    assert "Void" in doctor.page.text

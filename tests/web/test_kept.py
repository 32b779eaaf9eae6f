"""A form whose desk was signed out meanwhile: kept for its person, and for nobody else."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.models import Participant
from pro_app.services import kept_forms
from pro_app.services.kept_forms import KeptForm
from pro_app.services.vault import Vault
from tests.authenticator import Key
from tests.conftest import KEY, MORNING, Site, snapshot
from tests.pages import Browser
from tests.services.test_staff_sign_in import PASSWORD
from tests.web.test_staff import EMAIL, ENROLMENT, Desk, at, desk, hidden, invite
from tests.web.test_staff_passkeys import make, open_by

__all__ = ["desk"]

TYPED = "01-555"


def numbers(site: Site) -> list[str]:
    """Who is enrolled."""
    with site.database.reading() as session:
        return list(session.scalars(sa.select(Participant.number)))


def sign_in(desk: Desk, email: str = EMAIL) -> None:
    """Password and code on the pages that are shown, with what these carry."""
    desk.clock.forward(seconds=60)
    carried = {"kept": hidden(desk)["kept"]}
    desk.post("/staff/sign-in", email=email, password=PASSWORD, **carried)
    assert hidden(desk)["kept"] == carried["kept"]
    desk.post("/staff/sign-in/code", code=desk.shown(), **carried)


def send_on(desk: Desk) -> None:
    """Press once more."""
    form = next(one for one in desk.page.all("form") if "/enrol" in str(one.get("action")))
    given = {one: value for one, value in hidden(desk).items() if one in ENROLMENT}
    desk.post(str(form["action"]), **given)


@pytest.mark.parametrize("how", ["idle", "another tab", "another tab, and the browser anew"])
def test_what_was_typed_goes_on_after_signing_in(desk: Desk, web_site: Site, how: str) -> None:
    page = desk.get(at(web_site, "/enrol"))
    if how == "idle":
        desk.clock.forward(minutes=16)
    else:
        desk.post("/staff/sign-out")
        desk.page = page
    if how.endswith("anew"):
        desk.client.delete_cookie("session")
    desk.post(at(web_site, "/enrol"), 401, **ENROLMENT)
    assert numbers(web_site) == []
    assert TYPED not in desk.page.text, "nobody at the desk reads it"
    assert "What you have entered is kept" in desk.page.text
    if how.endswith("anew"):  # a browser takes the new page's own cookie
        assert desk.client.get_cookie("session") is not None
    sign_in(desk)
    assert "Press once more" in desk.page.text
    assert f'value="{TYPED}"' in desk.page.text
    assert numbers(web_site) == [], "signing in alone sends nothing"
    send_on(desk)
    assert numbers(web_site) == [TYPED]


def test_a_wrong_password_on_the_way_loses_nothing(desk: Desk, web_site: Site) -> None:
    desk.get(at(web_site, "/enrol"))
    desk.clock.forward(minutes=16)
    desk.post(at(web_site, "/enrol"), 401, **ENROLMENT)
    kept = hidden(desk)["kept"]
    desk.post("/staff/sign-in", 422, email=EMAIL, password="not this one at all", kept=kept)
    assert hidden(desk)["kept"] == kept
    desk.post("/staff/sign-in", email=EMAIL, password=PASSWORD, kept=kept)
    desk.post("/staff/sign-in/code", 422, code="000000", kept=kept)
    assert hidden(desk)["kept"] == kept


def test_a_passkey_goes_on_with_it_too(desk: Desk, web_site: Site) -> None:
    key = Key()
    make(desk, key)
    desk.get(at(web_site, "/enrol"))
    desk.clock.forward(minutes=16)
    desk.post(at(web_site, "/enrol"), 401, **ENROLMENT)
    kept = hidden(desk)["kept"]
    answer = open_by(desk, key)
    assert answer.json is not None
    desk.post("/staff/kept", kept=kept, csrf_token=answer.json["csrf"])
    send_on(desk)
    assert numbers(web_site) == [TYPED]


def test_it_is_never_handed_to_somebody_else(app: Flask, desk: Desk, web_site: Site) -> None:
    desk.get(at(web_site, "/enrol"))
    desk.clock.forward(minutes=16)
    desk.post(at(web_site, "/enrol"), 401, **ENROLMENT)
    kept, page = hidden(desk)["kept"], desk.page
    other = Desk(app, desk.clock)
    other.set_up(invite(web_site, email="other@hospital.example"))
    desk.secret, desk.page = other.secret, page
    sign_in(desk, "other@hospital.example")
    assert desk.path == at(web_site, "/today")
    assert TYPED not in desk.page.text
    desk.get(at(web_site, "/today"))
    desk.post("/staff/kept", kept=kept)
    assert TYPED not in desk.page.text
    assert numbers(web_site) == []


def test_who_has_signed_in_again_in_another_tab_sends_it_once_more(
    desk: Desk, web_site: Site
) -> None:
    page = desk.get(at(web_site, "/enrol"))
    desk.post("/staff/sign-out")
    desk.sign_in()
    desk.page = page
    desk.post(at(web_site, "/enrol"), 400, **ENROLMENT)
    assert "signed in anew" in desk.page.text
    assert numbers(web_site) == []
    send_on(desk)
    assert numbers(web_site) == [TYPED]


def test_a_page_of_another_person_is_refused_by_the_next_one(
    app: Flask, desk: Desk, web_site: Site
) -> None:
    page = desk.get(at(web_site, "/enrol"))
    desk.post("/staff/sign-out")
    other = Desk(app, desk.clock)
    other.set_up(invite(web_site, email="other@hospital.example"))
    desk.secret = other.secret
    desk.sign_in("other@hospital.example")
    desk.page = page
    desk.post(at(web_site, "/enrol"), 400, **ENROLMENT)
    assert TYPED not in desk.page.text
    assert numbers(web_site) == []


def test_a_page_of_another_site_gets_nothing_kept(app: Flask, desk: Desk, web_site: Site) -> None:
    """Whoever makes a browser send a form has no token of the person whose desk it is."""
    desk.clock.forward(minutes=16)
    stranger = Browser(app)
    stranger.get("/staff/sign-in")
    before = snapshot(web_site.database)
    for token in (stranger.page.token(), "1.forged", "", "Ijk5LmFhIg.aaaaaa.bbbbbb"):
        data = {"csrf_token": token, **ENROLMENT}
        answer = desk.client.post(at(web_site, "/enrol"), data=data)
        assert (answer.status_code, answer.location[:14]) == (303, "/staff/sign-in")
    assert snapshot(web_site.database) == before


def test_no_proof_is_asked_for_what_comes_from_elsewhere(
    app: Flask, desk: Desk, web_site: Site
) -> None:
    """Else the person would send on what somebody else has entered."""
    web_site.enrol("01-301")
    desk.get("/staff/")
    desk.clock.forward(minutes=6)
    stranger = Browser(app)
    stranger.get("/staff/sign-in")
    for token in (stranger.page.token(), "forged", ""):
        data = {"csrf_token": token, "what": "death", "sure": "yes"}
        answer = desk.client.post(at(web_site, "/participants/01-301/end"), data=data)
        assert answer.status_code == 400
        assert "death" not in answer.text


def test_a_proof_that_comes_too_late_keeps_what_it_carried(desk: Desk, web_site: Site) -> None:
    web_site.enrol("01-301")
    page = at(web_site, "/participants/01-301")
    desk.clock.forward(minutes=6)
    desk.get(page)
    given = {"what": "study", "sure": "yes", "reason": "moves abroad"}
    desk.post(f"{page}/end", 401, **given)
    desk.clock.forward(minutes=16)
    carried = {"carry_to": f"{page}/end", "method": "post", **given}
    desk.post("/staff/verify", 401, **carried, password=PASSWORD, code=desk.shown())
    sign_in(desk)
    assert 'value="moves abroad"' in desk.page.text
    assert PASSWORD not in desk.page.text
    desk.post(f"{page}/end", **given)
    assert "withdrawn" in desk.page.text


def test_a_press_without_a_field_is_not_kept(desk: Desk, web_site: Site) -> None:
    desk.get(at(web_site, "/enrol"))
    desk.clock.forward(minutes=16)
    desk.post("/staff/sign-out")
    assert desk.path == "/staff/sign-in"
    assert 'name="kept"' not in desk.page.text


def test_a_seal_opens_for_its_owner_and_a_while() -> None:
    vault, form = Vault(KEY), KeptForm("/staff/x", [("a", "1"), ("a", "ஒன்று")])
    sealed = kept_forms.seal(vault, 7, form, MORNING)
    assert sealed is not None
    assert kept_forms.unseal(vault, sealed, 7, MORNING + kept_forms.LIFE) == form
    later = MORNING + 2 * kept_forms.LIFE
    assert kept_forms.unseal(vault, sealed, 7, later) is None
    assert kept_forms.unseal(vault, sealed, 8, MORNING) is None
    assert kept_forms.unseal(Vault("another key of an installation"), sealed, 7, MORNING) is None
    for wrong in ("", "x", "ü", sealed[:-8], "AAAA" * 20):
        assert kept_forms.unseal(vault, wrong, 7, MORNING) is None
    long = KeptForm("/staff/x", [("a", "x" * kept_forms.LONGEST)])
    assert kept_forms.seal(vault, 7, long, MORNING) is None

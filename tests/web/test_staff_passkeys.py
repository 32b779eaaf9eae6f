"""Staff sign in with a passkey, and prove to be there: what the page's script and the study say.

See also tests/browser/test_staff_passkeys.py.
"""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from pro_app.models import AuditEntry, StaffPasskey
from pro_app.services import credentials, staff
from tests.authenticator import PRESENT, Key
from tests.conftest import KEY, Site
from tests.pages import Browser
from tests.web.test_staff import EMAIL, Desk, at, desk, invite

__all__ = ["desk"]
INDEX = "/staff/account/"


def make(desk: Desk, key: Key, name: str = "ward", **how: Any) -> TestResponse:
    """Add this key as a passkey, as the page's script does."""
    desk.get("/staff/account/passkeys/new")
    options = desk.send("/staff/account/passkeys/options", {"name": name})
    if options.status_code != 200:
        return options
    given = key.make(options.json, **how)  # type: ignore[arg-type]
    return desk.send("/staff/account/passkeys", {"name": name, "credential": given})


def open_by(desk: Browser, key: Key, use: str = "sign-in", **how: Any) -> TestResponse:
    """Sign in, or prove to be there, with this key on the page that is shown."""
    options = desk.send("/staff/passkey/opening", {})
    given = key.open(options.json, **how)  # type: ignore[arg-type]
    return desk.send(f"/staff/passkey/{use}", {"credential": given})


def actions(site: Site) -> list[str]:
    """What the trail tells of the person's account."""
    with site.database.reading() as session:
        person = staff.find(session, EMAIL)
        assert person is not None
        return list(
            session.scalars(
                sa.select(AuditEntry.action)
                .where(AuditEntry.stream == staff.stream(person.id))
                .order_by(AuditEntry.seq)
            )
        )


def test_a_passkey_signs_in_without_password_and_code(desk: Desk, web_site: Site) -> None:
    key = Key()
    answer = make(desk, key, "computer at the ward")
    assert answer.json == {"to": INDEX}
    desk.get(INDEX)
    assert "computer at the ward" in desk.page.text
    desk.post("/staff/sign-out")
    answer = open_by(desk, key)
    assert answer.status_code == 200
    assert answer.json is not None
    desk.get(answer.json["to"])
    assert desk.path == at(web_site, "/today")
    desk.get(INDEX)
    assert "signed in with a passkey" in desk.page.text
    assert actions(web_site)[-3:] == ["add_passkey", "sign_out", "sign_in"]


def test_it_leads_to_the_page_that_was_asked_for(desk: Desk, web_site: Site) -> None:
    key = Key()
    make(desk, key)
    desk.clock.forward(minutes=16)
    desk.get(at(web_site, "/enrol"))
    assert desk.path == "/staff/sign-in"
    answer = open_by(desk, key)
    assert answer.json is not None
    assert answer.json["to"] == at(web_site, "/enrol")


def test_it_proves_to_be_there_and_changes_the_token(desk: Desk) -> None:
    key = Key()
    make(desk, key)
    desk.clock.forward(minutes=6)
    desk.get("/staff/account/password", 401)
    assert 'data-staff-passkey="verify"' in desk.page.text
    before = desk.client.get_cookie("staff")
    assert open_by(desk, key, "verify").status_code == 200
    after = desk.client.get_cookie("staff")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    desk.get("/staff/account/password")


def test_a_step_offers_no_passkey_to_who_has_none(desk: Desk) -> None:
    desk.clock.forward(minutes=6)
    desk.get("/staff/account/password", 401)
    assert "data-staff-passkey" not in desk.page.text


@pytest.mark.parametrize(
    ("name", "words"),
    [("", "Please give"), ("x" * 61, "at most 60"), ("900101-14-5678", "identity card")],
)
def test_a_passkey_wants_a_name(desk: Desk, name: str, words: str) -> None:
    answer = make(desk, Key(), name)
    assert answer.status_code == 422
    assert answer.json is not None
    assert words in answer.json["fault"]


def test_what_is_not_as_asked_for_is_not_kept(desk: Desk, web_site: Site) -> None:
    assert make(desk, Key(), flags=PRESENT).status_code == 422, "nobody was verified"
    assert make(desk, Key("elsewhere.example")).status_code == 422
    assert make(desk, Key(), origin="https://elsewhere.example").status_code == 422
    key = Key()
    assert make(desk, key).status_code == 200
    assert make(desk, key).status_code == 422, "once is enough"
    body: dict[str, Any] = {"name": "ward", "credential": None}
    assert desk.send("/staff/account/passkeys", body).status_code == 422, "nothing was asked"
    with web_site.database.reading() as session:
        assert len(session.scalars(sa.select(StaffPasskey)).all()) == 1


def test_more_than_the_most_are_not_taken(
    desk: Desk, web_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "MOST", 1)
    monkeypatch.setattr("pro_app.web.account.MOST", 1)
    make(desk, Key())
    assert make(desk, Key()).status_code == 422
    assert "Remove one to add another" in desk.get(INDEX).text


def test_a_passkey_that_is_removed_opens_nothing(desk: Desk, web_site: Site) -> None:
    key = Key()
    make(desk, key)
    desk.get(INDEX)
    number = next(str(one["value"]) for one in desk.page.all("button") if "value" in one
                  and one.get("name") == "passkey")  # fmt: skip
    for wrong in ("999", "x", ""):
        desk.post("/staff/account/passkeys/remove", passkey=wrong)
        assert "ward" in desk.page.text
    desk.post("/staff/account/passkeys/remove", passkey=number)
    assert "You have no passkey yet" in desk.page.text
    desk.post("/staff/sign-out")
    assert open_by(desk, key).status_code == 422
    assert "remove_passkey" in actions(web_site)


def test_nobody_removes_or_uses_another_persons_passkey(
    app: Flask, desk: Desk, web_site: Site
) -> None:
    key = Key()
    make(desk, key)
    other = Desk(app, desk.clock)
    other.set_up(invite(web_site, email="other@hospital.example"))
    other.get(INDEX)
    other.post("/staff/account/passkeys/remove", passkey="1")
    assert "ward" in desk.get(INDEX).text
    other.get(INDEX)
    assert open_by(other, key, "verify").status_code == 422


def test_nonsense_and_answers_that_come_twice_open_nothing(desk: Desk, web_site: Site) -> None:
    key = Key()
    make(desk, key)
    desk.post("/staff/sign-out")
    for body in ({}, {"credential": 3}, {"credential": {"id": "x"}}, {"credential": {"id": None}}):
        desk.send("/staff/passkey/opening", {})
        assert desk.send("/staff/passkey/sign-in", body).status_code == 422
    given = key.open(desk.send("/staff/passkey/opening", {}).json)  # type: ignore[arg-type]
    kept = desk.client.get_cookie("session")
    assert kept is not None
    assert desk.send("/staff/passkey/sign-in", {"credential": given}).status_code == 200
    thief = Browser(desk.client.application)
    thief.client.set_cookie("session", kept.value)
    thief.page = desk.page
    thief.response = thief.send("/staff/passkey/sign-in", {"credential": given})
    assert thief.response.status_code == 422, "a challenge opens once, whoever has its cookie"


def test_wrong_passkeys_make_the_account_wait_as_wrong_passwords_do(
    desk: Desk, web_site: Site
) -> None:
    key = Key()
    make(desk, key)
    desk.post("/staff/sign-out")
    for _ in range(5):
        answer = open_by(desk, key, flags=PRESENT)
        assert answer.status_code == 422
    assert answer.json is not None
    assert "Please wait 1 minute" in answer.json["fault"]
    assert "wait" in str(open_by(desk, key).json), "not even the right one, while it waits"
    desk.clock.forward(minutes=2)
    assert open_by(desk, key).status_code == 200
    assert actions(web_site).count("refuse_passkey") == 5


def test_a_renewal_by_invitation_ends_all_passkeys(desk: Desk, web_site: Site) -> None:
    key = Key()
    make(desk, key)
    with web_site.database.writing() as session:
        person = staff.find(session, EMAIL)
        assert person is not None
        code = staff.invite(session, person.id, KEY, web_site.clock())
    desk.post("/staff/sign-out")
    desk.set_up(code)
    desk.get(INDEX)
    desk.post("/staff/sign-out")
    assert open_by(desk, key).status_code == 422

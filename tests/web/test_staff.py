"""The staff's way in, and a coordinator's pages, as a browser without scripts meets them."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.models import AuditEntry, Participant
from pro_app.services import secrets, staff, staff_sign_in
from tests.conftest import KEY, Site, TestClock
from tests.pages import Browser
from tests.services.test_staff_sign_in import PASSWORD, code_at

EMAIL = "nurse@hospital.example"


class Desk(Browser):
    """A browser on a desk of the site."""

    def __init__(self, app: Flask, clock: TestClock, language: str = "en") -> None:
        super().__init__(app, language)
        self.clock = clock
        self.secret = ""
        self.recovery: list[str] = []

    def set_up(self, code: str) -> None:
        """Use an invitation."""
        self.get("/staff/invitation")
        self.post("/staff/invitation", code=code)
        self.connect()
        self.post("/staff/set-up", password=PASSWORD, again=PASSWORD, code=self.shown())
        self.recovery = re.findall(r"<li>(\w{4} \w{4} \w{4})</li>", self.page.text)

    def connect(self) -> None:
        """Type the key of the page into an authenticator app."""
        from base64 import b32decode

        key = re.search(r'class="key">([A-Z2-7 ]+)<', self.page.text)
        assert key is not None
        self.secret = b32decode(key[1].replace(" ", "")).hex()

    def shown(self) -> str:
        """What the app shows now."""
        return code_at(self.clock(), self.secret)

    def sign_in(self, email: str = EMAIL, password: str = PASSWORD) -> None:
        """Address, password, code."""
        self.clock.forward(seconds=60)  # the last code has opened once
        self.get("/staff/sign-in")
        self.post("/staff/sign-in", email=email, password=password)
        self.post("/staff/sign-in/code", code=self.shown())


def invite(
    site: Site, role: str = "coordinator", email: str = EMAIL, place: int | None = None
) -> str:
    """A person of the staff with a role at one site or all: the invitation's code."""
    now = site.clock()
    with site.database.writing() as session:
        person = staff.add(session, email, "Aminah", "en", date(2026, 1, 5), now)
        staff.grant(session, person.id, site.study.id, place, role, now)
        return staff.invite(session, person.id, KEY, now)


@pytest.fixture
def desk(app: Flask, web_site: Site, clock: TestClock) -> Desk:
    """A coordinator's browser, set up and signed in."""
    found = Desk(app, clock)
    found.set_up(invite(web_site))
    return found


def at(site: Site, path: str = "") -> str:
    return f"/staff/{site.study.definition.code}{path}"


def test_an_invitation_leads_to_an_open_account(desk: Desk, web_site: Site) -> None:
    assert len(set(desk.recovery)) == 10
    desk.get("/staff/")
    assert desk.path == at(web_site, "/today")
    assert "Aminah" in desk.page.text
    desk.post("/staff/sign-out")
    assert desk.path == "/staff/sign-in"
    desk.sign_in()
    assert desk.path == at(web_site, "/today")


def test_a_recovery_code_stands_in_for_the_phone(desk: Desk, web_site: Site) -> None:
    desk.post("/staff/sign-out")
    desk.get("/staff/sign-in")
    desk.post("/staff/sign-in", email=EMAIL, password=PASSWORD)
    desk.post("/staff/sign-in/code", code=desk.recovery[4])
    assert desk.path == at(web_site, "/today")


def test_what_is_wrong_is_said_alike_for_known_and_unknown(desk: Desk) -> None:
    desk.post("/staff/sign-out")
    said = []
    for email in (EMAIL, "nobody@hospital.example"):
        desk.get("/staff/sign-in")
        desk.post("/staff/sign-in", 422, email=email, password="not this one at all")
        said.append(re.sub(r'value="[^"]*"', "", desk.page.text))
    assert said[0] == said[1]
    desk.get("/staff/sign-in/code")
    assert desk.path == "/staff/sign-in", "no code without the password"


@pytest.mark.parametrize(
    ("password", "again", "field"),
    [
        ("short", "short", "password"),
        (PASSWORD, PASSWORD + "x", "again"),
        (PASSWORD, PASSWORD, "code"),
    ],
)
def test_a_fault_at_setting_up_is_named_and_the_picture_stays(
    app: Flask, web_site: Site, clock: TestClock, password: str, again: str, field: str
) -> None:
    browser = Desk(app, clock)
    browser.get("/staff/invitation")
    browser.post("/staff/invitation", code=invite(web_site))
    browser.connect()
    before, code = browser.secret, "000000" if field == "code" else browser.shown()
    browser.post("/staff/set-up", 422, password=password, again=again, code=code)
    assert f'href="#{field}"' in browser.page.text
    browser.connect()
    assert browser.secret == before
    assert PASSWORD not in browser.page.text


def test_a_dead_invitation_opens_nothing(app: Flask, web_site: Site, clock: TestClock) -> None:
    code = invite(web_site)
    clock.forward(hours=25)
    browser = Desk(app, clock)
    browser.get("/staff/invitation")
    browser.post("/staff/invitation", 422, code=code)
    browser.get("/staff/set-up")
    assert browser.path == "/staff/invitation"


def test_a_stolen_cookie_is_dead_after_signing_out(desk: Desk, web_site: Site) -> None:
    cookie = desk.client.get_cookie("staff")
    assert cookie is not None
    desk.get(at(web_site, "/completion"))
    desk.post("/staff/sign-out")
    desk.client.set_cookie("staff", cookie.value)
    desk.get(at(web_site, "/completion"))
    assert desk.path == "/staff/sign-in"


def test_a_desk_that_is_left_is_signed_out_and_comes_back_to_the_page(
    desk: Desk, web_site: Site, clock: TestClock
) -> None:
    desk.get(at(web_site, "/enrol"))
    clock.forward(minutes=14)
    desk.get(at(web_site, "/enrol"))
    clock.forward(minutes=16)
    desk.get(at(web_site, "/enrol"))
    assert desk.path == "/staff/sign-in"
    assert "signed out" in desk.page.text
    clock.forward(seconds=60)
    desk.post("/staff/sign-in", email=EMAIL, password=PASSWORD)
    desk.post("/staff/sign-in/code", code=desk.shown())
    assert desk.path == at(web_site, "/enrol")


def test_a_language_is_the_persons_own(desk: Desk) -> None:
    desk.get("/staff/")
    desk.post("/staff/language", language="ta", back="/staff/")
    assert desk.page.all("html")[0]["lang"] == "ta"
    desk.post("/staff/language", language="ta", back="https://elsewhere.example/")
    assert desk.response.request.path.startswith("/staff/")


ENROLMENT = {
    "site": "01", "number": "01-555", "language": "ta", "consent_version": "2.0",
    "consent_on": "2026-11-20", "email": "",
}  # fmt: skip


def test_enrolling_shows_a_card_whose_code_joins(
    app: Flask, desk: Desk, web_site: Site, clock: TestClock
) -> None:
    desk.get(at(web_site, "/enrol"))
    desk.post(at(web_site, "/enrol"), **ENROLMENT)
    assert "01-555" in desk.page.text
    card = re.search(r'lang="ta".*?class="big">([A-Z0-9 ]+)<', desk.page.text, re.DOTALL)
    assert card is not None, "the card is in the participant's language"
    phone = Browser(app, "ta")
    phone.get("/join/")
    phone.post("/join/", code=card[1])
    phone.post("/join/notice", accept="yes")
    phone.post("/join/pin", pin="246813", again="246813")
    assert phone.path == "/today"
    with web_site.database.reading() as session:
        person = session.scalars(sa.select(Participant).where(Participant.number == "01-555")).one()
        actors = set(
            session.scalars(
                sa.select(AuditEntry.actor).where(
                    AuditEntry.stream == f"participant/{person.id}",
                    AuditEntry.action.in_(["enrol", "issue_code"]),
                )
            )
        )
        known = staff.find(session, EMAIL)
        assert known is not None
    assert (person.language, person.consent_version) == ("ta", "2.0")
    assert actors == {staff.stream(known.id)}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("site", "99"),
        ("number", "x"),
        ("number", "900101-14-5678"),
        ("language", "fr"),
        ("consent_version", ""),
        ("consent_on", "2030-01-01"),
        ("consent_on", "yesterday"),
        ("email", "nobody"),
    ],
)
def test_a_faulty_enrolment_enrols_nobody_and_loses_nothing(
    desk: Desk, web_site: Site, field: str, value: str
) -> None:
    given = ENROLMENT | {"email": "person@mail.example", field: value}
    desk.get(at(web_site, "/enrol"))
    desk.post(at(web_site, "/enrol"), 422, **given)
    assert f'href="#{field}"' in desk.page.text
    kept = [str(one.get("value")) for one in desk.page.all("input")]
    for name in ("number", "consent_version", "email"):
        assert given[name] in kept
    with web_site.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Participant)) == 0


def test_a_number_is_taken_once(desk: Desk, web_site: Site) -> None:
    for status in (200, 422):
        desk.get(at(web_site, "/enrol"))
        desk.post(at(web_site, "/enrol"), status, **ENROLMENT)
    assert "taken" in desk.page.text


def test_a_participants_page_says_what_was_and_will_be_and_no_answer(
    desk: Desk, web_site: Site
) -> None:
    person = web_site.enrol("01-301")
    sheet = web_site.open(person)[0]
    web_site.answer(sheet, {"LQ01": 3})
    desk.get(at(web_site, "/completion"))
    assert "01-301" in desk.page.text
    desk.get(at(web_site, "/participants/01-301"))
    assert "half answered" in desk.page.text
    assert "LQ01" not in desk.page.text
    assert web_site.library.instruments["lupusqol"].name in desk.page.text


def test_the_board_says_whom_to_help_and_why(desk: Desk, web_site: Site) -> None:
    person = web_site.enrol("01-301")
    web_site.open(person)
    desk.get(at(web_site, "/today"))
    assert "01-301" in desk.page.text
    assert "no phone is joined" in desk.page.text
    assert "joining code not used yet" in desk.page.text
    figures = re.findall(r"<dd>(\d+)</dd>", desk.page.text)
    assert figures[0] == "1", "one visit is open"


def test_rates_stand_in_a_table_with_their_figures(desk: Desk, web_site: Site) -> None:
    person = web_site.enrol("01-301")
    sheet = web_site.open(person)[0]
    web_site.answer_all(sheet)
    web_site.submit(sheet)
    desk.get(at(web_site, "/rates"))
    assert re.search(r"<small>1 / \d+</small>", desk.page.text)


def test_an_anchor_is_shown_before_it_is_set(desk: Desk, web_site: Site) -> None:
    person = web_site.enrol("01-301")
    page = at(web_site, "/participants/01-301")
    desk.get(page)
    desk.post(f"{page}/anchor", anchor="enrolment", day="2026-11-20")
    assert "20" in desk.page.text
    assert anchors(web_site, person.id) == {"enrolment": date(2026, 11, 23)}, "only looked at"
    desk.post(f"{page}/anchor/set", anchor="enrolment", day="2026-11-20")
    assert desk.path == page
    assert anchors(web_site, person.id) == {"enrolment": date(2026, 11, 20)}
    desk.post(f"{page}/anchor", 422, anchor="enrolment", day="soon")
    desk.post(f"{page}/anchor", 422, anchor="enrolment", day="")
    desk.post(f"{page}/anchor/set", 422, anchor="enrolment", day="")
    assert anchors(web_site, person.id) == {"enrolment": date(2026, 11, 20)}


def anchors(site: Site, participant_id: int) -> dict[str, date]:
    from pro_app.services import schedule

    with site.database.reading() as session:
        return schedule.anchors(session, participant_id)


def test_pausing_resuming_and_another_language(
    desk: Desk, web_site: Site, clock: TestClock
) -> None:
    person = web_site.enrol("01-301")
    page = at(web_site, "/participants/01-301")
    desk.get(page)
    until = (clock() + timedelta(days=9)).date().isoformat()
    desk.post(f"{page}/pause", reason="hospital", until=until)
    assert "reminders paused" in desk.page.text
    desk.post(f"{page}/resume")
    assert "reminders paused" not in desk.page.text
    desk.post(f"{page}/language", language="zh_Hans")
    with web_site.database.reading() as session:
        assert session.get_one(Participant, person.id).language == "zh_Hans"


@pytest.mark.parametrize("what", ["questionnaires", "study", "death"])
def test_an_end_needs_a_tick_and_lets_no_phone_in(
    app: Flask, desk: Desk, web_site: Site, what: str
) -> None:
    person = web_site.enrol("01-301")
    phone = Browser(app)
    phone.join(person)
    page = at(web_site, "/participants/01-301")
    desk.get(page)
    desk.post(f"{page}/end", 422, what=what)
    phone.get("/today")
    assert phone.path == "/today"
    desk.get(page)
    desk.post(f"{page}/end", what=what, sure="yes")
    assert ("died" if what == "death" else "withdrawn") in desk.page.text
    phone.get("/today")
    assert phone.path == "/join/"


def test_a_national_identity_number_is_no_reason(desk: Desk, web_site: Site) -> None:
    web_site.enrol("01-301")
    page = at(web_site, "/participants/01-301")
    desk.get(page)
    desk.post(f"{page}/end", 422, what="study", sure="yes", reason="900101-14-5678 has moved")
    with web_site.database.reading() as session:
        assert session.scalars(sa.select(Participant.withdrawn_at)).all() == [None]


def test_a_new_card_kills_the_older_code(app: Flask, desk: Desk, web_site: Site) -> None:
    person = web_site.enrol("01-301")
    page = at(web_site, "/participants/01-301")
    desk.get(page)
    desk.post(f"{page}/code", kind="joining")
    phone = Browser(app)
    phone.get("/join/")
    phone.post("/join/", 422, code=person.code)


def test_a_step_that_weighs_asks_again_and_loses_nothing(
    desk: Desk, web_site: Site, clock: TestClock
) -> None:
    person = web_site.enrol("01-301")
    page = at(web_site, "/participants/01-301")
    clock.forward(minutes=6)
    desk.get(page)
    given = {"what": "study", "sure": "yes", "reason": "moves abroad"}
    desk.post(f"{page}/end", 401, **given)
    assert 'value="moves abroad"' in desk.page.text
    carried = {"carry_to": f"{page}/end", "method": "post", **given}
    desk.post("/staff/verify", 422, **carried, password="not this one at all", code="000000")
    assert 'value="moves abroad"' in desk.page.text
    clock.forward(seconds=60)
    before = desk.client.get_cookie("staff")
    desk.post("/staff/verify", **carried, password=PASSWORD, code=desk.shown())
    after = desk.client.get_cookie("staff")
    assert before is not None
    assert after is not None
    assert before.value != after.value, "the session goes on under another token"
    desk.post(f"{page}/end", **{one: value for one, value in hidden(desk).items() if one in given})
    with web_site.database.reading() as session:
        found = session.get_one(Participant, person.id)
    assert found.withdrawn_at is not None
    assert found.withdrawal_reason == "moves abroad"


def hidden(desk: Desk) -> dict[str, str]:
    """The hidden fields of the page that is shown."""
    return {
        str(one.get("name")): str(one.get("value"))
        for one in desk.page.all("input")
        if one.get("type") == "hidden"
    }


def signed_in(app: Flask, site: Site, clock: TestClock, role: str, place: int | None) -> Browser:
    """Somebody with a role, without the way there."""
    browser = Browser(app)
    with site.database.writing() as session:
        email = f"{role}{place}@hospital.example"
        person = staff.add(session, email, role, "en", date(2026, 1, 5), clock())
        staff.grant(session, person.id, site.study.id, place, role, clock())
        token = staff_sign_in.start(session, person.id, clock(), "code")
    browser.client.set_cookie("staff", token)
    return browser


def test_secrets_of_staff_are_hashed(desk: Desk, web_site: Site) -> None:
    with web_site.database.reading() as session:
        known = staff.find(session, EMAIL)
        assert known is not None
    assert PASSWORD not in str(known.password_hash)
    assert bytes.fromhex(desk.secret) not in bytes(known.totp_secret or b"")
    assert desk.secret.encode() not in bytes(known.totp_secret or b"")
    assert secrets.password_matches(str(known.password_hash), PASSWORD)

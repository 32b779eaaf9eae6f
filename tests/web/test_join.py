"""Joining a phone: code, notice, PIN; and what happens with codes and PINs that are wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.models import CodeRequest, Device, Participant
from pro_app.services import enrolment, secrets, sessions, studies
from tests.conftest import PIN, Enrolled, Site, snapshot
from tests.pages import Browser, Page


def count(site: Site, model: type[object]) -> int:
    with site.database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def main_text(page: Page) -> str:
    """The page's main part, without what differs at every load."""
    return page.text.partition("<main")[2].partition("</main>")[0]


def test_a_participant_joins_and_sees_today(app: Flask, web_site: Site) -> None:
    person = web_site.enrol()
    web_site.open(person)
    browser = Browser(app)
    browser.join(person)
    assert browser.path == "/today"
    assert "There are 2 questionnaires for you" in browser.page.text


def test_a_code_may_be_typed_as_people_type(app: Flask, web_site: Site) -> None:
    code = web_site.enrol().code.lower()
    browser = Browser(app)
    browser.get("/join/")
    browser.post("/join/", code=f" {code[:4]} - {code[4:]} ")
    assert browser.path == "/join/notice"


@pytest.mark.parametrize("typed", ["", "ABC", "ABCDEFGHJ", "....", "<script>alert(1)</script>"])
def test_a_code_of_another_length_is_asked_for_again(
    app: Flask, web_site: Site, typed: str
) -> None:
    web_site.enrol()
    browser = Browser(app)
    browser.get("/join/")
    page = browser.post("/join/", status=422, code=typed)
    assert "8 letters and digits" in page.text
    assert page.text.count("Error:") == 1
    assert "<script>alert" not in page.text


def test_every_dead_code_gets_the_same_page(app: Flask, web_site: Site) -> None:
    used, expired, replaced, gone = (web_site.enrol(f"01-00{n}") for n in range(1, 5))
    device = web_site.join(used)
    web_site.new_code(replaced)
    with web_site.database.writing() as session:
        sessions.set_pin(session, device, PIN, web_site.clock())
        enrolment.withdraw(session, gone.id, web_site.clock())
    pages = set()
    browser = Browser(app)
    for code in ("ABCDEFGH", used.code, replaced.code, gone.code, expired.code):
        if code == expired.code:
            web_site.clock.forward(hours=72)
        browser.get("/join/")
        page = browser.post("/join/", status=422, code=code)
        pages.add(main_text(page))
    assert len(pages) == 1
    page = Page(pages.pop())
    assert "This code does not open anything" in page.text
    assert {one.get("href") for one in page.all("a")} == {"/join/", "/join/new-code"}


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many wrong tries an hour are enough; fewer than outside, the number is tested there."""
    monkeypatch.setattr(enrolment, "TRIES", 5)
    return 5


def test_many_wrong_codes_an_hour_are_enough(app: Flask, web_site: Site, tries: int) -> None:
    person = web_site.enrol()
    browser = Browser(app)
    browser.get("/join/")
    for _ in range(tries):
        browser.post("/join/", status=422, code="ABCDEFGH")
    other = Browser(app)
    other.get("/join/")
    page = other.post("/join/", status=429, code=person.code)
    assert "Please wait a while" in page.text
    web_site.clock.now += timedelta(hours=1)
    other.get("/join/")
    other.post("/join/", code=person.code)
    assert other.path == "/join/notice"


def test_the_cards_language_is_taken_and_kept(app: Flask, web_site: Site) -> None:
    person = web_site.enrol(language="ta")
    browser = Browser(app, "en")
    browser.get("/join/?language=ta")
    assert browser.page.all("html")[0]["lang"] == "ta"
    browser.post("/join/", code=person.code)
    assert browser.page.all("html")[0]["lang"] == "ta"
    browser.get("/join/?language=fr")
    assert browser.page.all("html")[0]["lang"] == "ta"


def test_the_notice_is_in_the_chosen_language_malay_and_english(app: Flask, web_site: Site) -> None:
    person = web_site.enrol()
    browser = Browser(app, "zh_Hans")
    browser.get("/join/")
    page = browser.post("/join/", code=person.code)
    shown = [one.get("lang") for one in page.tags_of("notice")]
    assert shown == ["zh-Hans", "ms", "en"]
    assert "我们收集什么" in page.text
    assert "Apa yang dikumpul" in page.text
    assert "What we collect" in page.text


def test_only_the_end_of_the_number_is_shown_before_joining(app: Flask, web_site: Site) -> None:
    person = web_site.enrol("01-042")
    browser = Browser(app)
    browser.get("/join/")
    page = browser.post("/join/", code=person.code)
    assert "Your study number ends with 42" in page.text
    assert "01-042" not in page.text


def test_nobody_joins_without_agreeing(app: Flask, web_site: Site) -> None:
    person = web_site.enrol()
    browser = Browser(app)
    browser.get("/join/")
    browser.post("/join/", code=person.code)
    page = browser.post("/join/notice", status=422)
    assert "Please tick the box" in page.text
    assert count(web_site, Device) == 0
    browser.post("/join/notice", accept="yes")
    assert browser.path == "/join/pin"


def test_the_notice_needs_a_code_first(app: Flask) -> None:
    browser = Browser(app)
    browser.get("/join/notice")
    assert browser.path == "/join/"
    browser.post("/join/notice", status=422, accept="yes")


def test_a_code_that_dies_meanwhile_joins_nobody(app: Flask, web_site: Site) -> None:
    person = web_site.enrol()
    browser = Browser(app)
    browser.get("/join/")
    browser.post("/join/", code=person.code)
    web_site.new_code(person)
    page = browser.post("/join/notice", status=422, accept="yes")
    assert "This code does not open anything" in page.text
    assert count(web_site, Device) == 0


def test_a_double_tap_on_join_is_one_joining(app: Flask, web_site: Site) -> None:
    """The second tap finds the code used up: by this very phone, which goes on to its PIN."""
    person = web_site.enrol()
    browser = Browser(app)
    browser.get("/join/")
    browser.post("/join/", code=person.code)
    data = {"csrf_token": browser.page.token(), "accept": "yes"}
    answers = [browser.client.post("/join/notice", data=data) for _ in range(2)]
    assert [one.location for one in answers] == ["/join/pin", "/join/pin"]
    assert count(web_site, Device) == 1


def test_a_lost_answer_to_join_strands_nobody(app: Flask, web_site: Site) -> None:
    """The phone is bound, but its cookie never arrived: Join works again, and so does the code."""
    person = web_site.enrol()
    browser = Browser(app)
    browser.get("/join/")
    browser.post("/join/", code=person.code)
    data = {"csrf_token": browser.page.token(), "accept": "yes"}
    kept = browser.client.get_cookie("session")
    assert kept is not None
    lost = browser.client.post("/join/notice", data=data)
    assert lost.location == "/join/pin"
    for cookie in ("device", "session"):  # of before the answer
        browser.client.delete_cookie(cookie)
    browser.client.set_cookie("session", kept.value)
    web_site.clock.forward(minutes=2)
    browser.post("/join/notice", accept="yes")
    assert browser.path == "/join/pin"
    other = Browser(app)  # and nothing at all had arrived here
    other.get("/join/")
    other.post("/join/", code=person.code)
    assert "Welcome back" in other.page.text
    other.post("/join/notice")
    other.post("/join/pin", pin=PIN, again=PIN)
    assert other.path == "/today"
    with web_site.database.reading() as session:
        revoked = [one.revoked_at is not None for one in session.scalars(sa.select(Device))]
    assert revoked == [True, True, False], "whoever has the PIN has the phone"
    late = Browser(app)
    late.get("/join/")
    late.post("/join/", status=422, code=person.code)


def test_a_used_code_does_not_come_back_after_a_quarter_of_an_hour(
    app: Flask, web_site: Site
) -> None:
    person = web_site.enrol()
    web_site.join(person)
    web_site.clock.now += timedelta(minutes=15)
    browser = Browser(app)
    browser.get("/join/")
    browser.post("/join/", status=422, code=person.code)


# --- who is known already -----------------------------------------------------------------------


def rejoin(app: Flask, site: Site, person: Enrolled) -> Browser:
    """A second phone, before what comes after the code."""
    browser = Browser(app)
    browser.get("/join/")
    browser.post("/join/", code=site.new_code(person))
    return browser


def test_who_has_accepted_the_notice_is_welcomed_back(app: Flask, web_site: Site) -> None:
    person = web_site.enrol("01-007", "ta")
    web_site.join(person)
    browser = rejoin(app, web_site, person)
    page = browser.page
    assert "Welcome back" in page.text
    assert "Your study number ends with 07" in page.text
    assert page.tags_of("notice") == []
    browser.post("/join/notice")
    browser.post("/join/pin", pin=PIN, again=PIN)
    assert browser.path == "/today"
    assert page.all("html")[0]["lang"] == "en", "nobody has chosen on this phone yet"
    assert browser.page.all("html")[0]["lang"] == "ta", "what the person had chosen stays"


def test_the_notice_comes_again_after_a_year_or_when_it_is_new(app: Flask, web_site: Site) -> None:
    person = web_site.enrol()
    web_site.join(person)
    web_site.clock.now += timedelta(days=365)
    assert "Welcome back" in rejoin(app, web_site, person).page.text
    web_site.clock.now += timedelta(seconds=1)
    browser = rejoin(app, web_site, person)
    assert "Before you join" in browser.page.text
    browser.post("/join/notice", status=422)
    browser.post("/join/notice", accept="yes")
    assert "Welcome back" in rejoin(app, web_site, person).page.text
    content = study_content(web_site)
    content["notice"] = {**dict(content["notice"]), "version": "2"}  # type: ignore[call-overload]
    with web_site.database.writing() as session:
        studies.load(session, web_site.library, content, web_site.clock())
    assert "Before you join" in rejoin(app, web_site, person).page.text


def at_pin(app: Flask, site: Site) -> Browser:
    """A phone that has joined and is to choose its PIN."""
    return at_pin_of(app, site, "01-246")


def at_pin_of(app: Flask, site: Site, number: str) -> Browser:
    """The same, of a person with this number."""
    browser = Browser(app)
    browser.get("/join/")
    browser.post("/join/", code=site.enrol(number).code)
    browser.post("/join/notice", accept="yes")
    return browser


@pytest.mark.parametrize(
    ("pin", "again", "told"),
    [
        ("", "", "The PIN has 6 digits."),
        ("12345", "12345", "The PIN has 6 digits."),
        ("12345x", "12345x", "The PIN has 6 digits."),
        ("123456", "123456", "easy to guess"),
        ("801246", "801246", "easy to guess"),
        (PIN, "246814", "The two PINs are not the same"),
        (PIN, "", "The two PINs are not the same"),
    ],
)
def test_a_pin_that_cannot_be_taken_is_told_why(
    app: Flask, web_site: Site, pin: str, again: str, told: str
) -> None:
    browser = at_pin(app, web_site)
    page = browser.post("/join/pin", status=422, pin=pin, again=again)
    assert told in page.text
    assert pin not in page.text or not pin, "a PIN is never sent back"
    browser.get("/today")
    assert browser.path == "/join/pin", "nothing opens before there is a PIN"
    browser.post("/join/pin", pin=PIN, again=PIN)
    assert browser.path == "/today"


def test_a_double_tap_on_the_pin_is_one_pin(app: Flask, web_site: Site) -> None:
    browser = at_pin(app, web_site)
    data = {"csrf_token": browser.page.token(), "pin": PIN, "again": PIN}
    answers = [browser.client.post("/join/pin", data=data) for _ in range(2)]
    assert [one.location for one in answers] == ["/today", "/today"]
    browser.get("/join/pin")
    assert browser.path == "/today"


def test_two_pins_at_the_same_moment_are_no_fault_of_ours(
    app: Flask, web_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second tap is past the check when the first one's PIN is stored."""
    fault = secrets.pin_fault
    for second, leads in ((PIN, "/today"), ("975310", "/unlock")):
        browser = at_pin(app, web_site) if second == PIN else at_pin_of(app, web_site, "01-247")
        with web_site.database.reading() as session:
            device = session.scalars(sa.select(Device.id).order_by(Device.id.desc())).first()
        assert device is not None

        def meanwhile(pin: str, number: str, device: int = device) -> str | None:
            with web_site.database.writing() as session:
                sessions.set_pin(session, device, PIN, web_site.clock())
            return fault(pin, number)

        monkeypatch.setattr(secrets, "pin_fault", meanwhile)
        data = {"csrf_token": browser.page.token(), "pin": second, "again": second}
        answer = browser.client.post("/join/pin", data=data)
        assert (answer.status_code, answer.location) == (303, leads)
        monkeypatch.setattr(secrets, "pin_fault", fault)


def test_a_phone_without_a_pin_cannot_be_unlocked(app: Flask, web_site: Site) -> None:
    browser = at_pin(app, web_site)
    browser.get("/unlock")
    assert browser.path == "/join/pin"
    browser.post("/unlock", pin=PIN)
    assert browser.path == "/join/pin"


def test_the_bare_address_leads_where_the_phone_belongs(app: Flask, web_site: Site) -> None:
    browser = Browser(app)
    browser.get("/")
    assert browser.path == "/join/"
    browser.join(web_site.enrol())
    page = browser.get("/")
    assert "<span data-page-code>P2</span>" in page.text
    page = browser.get("/join/")
    assert "This phone is already joined" in page.text, "the code may be somebody else's"
    browser.get("/today")
    browser.post("/lock")
    browser.get("/")
    assert browser.path == "/unlock"


def test_a_new_phone_finds_the_half_finished_questionnaire(app: Flask, web_site: Site) -> None:
    """Lost phone: a new code, the same person, the same item; never a second participant."""
    person = web_site.enrol()
    sheet = web_site.open(person)[0]
    old = Browser(app)
    old.join(person)
    web_site.answer(sheet, {"LQ01": 2, "LQ02": 3})
    new = Browser(app)
    new.join(replace(person, code=web_site.new_code(person)), pin="135790")
    assert "Continue at question 3" in new.page.text
    new.get(f"/questionnaires/{sheet.public_id}")
    assert new.path.endswith("/items/3")
    assert count(web_site, Participant) == 1


def test_a_phone_that_joins_as_somebody_else_belongs_to_them(app: Flask, web_site: Site) -> None:
    first, second = web_site.enrol("01-001"), web_site.enrol("01-002")
    sheet = web_site.open(first)[0]
    browser = Browser(app)
    browser.join(first)
    browser.post("/lock")
    browser.get("/join/")
    page = browser.post("/join/", code=second.code)
    assert "This phone is already joined" in page.text
    browser.post("/join/notice", accept="yes")
    browser.post("/join/pin", pin=PIN, again=PIN)
    assert browser.path == "/today"
    browser.get(f"/questionnaires/{sheet.public_id}", status=404)
    with web_site.database.reading() as session:
        revoked = [one.revoked_at is not None for one in session.scalars(sa.select(Device))]
    assert revoked == [True, False]


# --- links --------------------------------------------------------------------------------------


def test_a_link_waits_until_the_person_has_joined(app: Flask, web_site: Site) -> None:
    person = web_site.enrol()
    sheet = web_site.open(person)[1]
    browser = Browser(app)
    browser.get(f"/questionnaires/{sheet.public_id}")
    assert browser.path == "/join/"
    browser.post("/join/", code=person.code)
    browser.post("/join/notice", accept="yes")
    browser.post("/join/pin", pin=PIN, again=PIN)
    assert browser.path == f"/questionnaires/{sheet.public_id}"


def test_a_link_for_somebody_else_shows_nothing_of_either(app: Flask, web_site: Site) -> None:
    owner, reader = web_site.enrol("01-001"), web_site.enrol("01-002")
    sheet = web_site.open(owner)[0]
    browser = Browser(app)
    browser.join(reader)
    browser.get(f"/questionnaires/{sheet.public_id}", status=404)
    browser.post("/lock")
    browser.get(f"/questionnaires/{sheet.public_id}")
    assert browser.path == "/unlock"
    page = browser.unlock(status=404)
    assert "There is nothing here" in page.text
    assert "01-00" not in page.text


def test_where_one_was_going_is_not_where_the_next_one_goes(app: Flask, web_site: Site) -> None:
    first, second = web_site.enrol("01-001"), web_site.enrol("01-002")
    sheet = web_site.open(first)[0]
    browser = Browser(app)
    browser.join(first)
    browser.post("/lock")
    browser.get(f"/questionnaires/{sheet.public_id}")
    browser.get("/join/")
    browser.post("/join/", code=second.code)
    browser.post("/join/notice", accept="yes")
    browser.post("/join/pin", pin=PIN, again=PIN)
    assert browser.path == "/today"


# --- asking for a new code ----------------------------------------------------------------------


def test_asking_gets_the_same_answer_whether_the_number_is_known(
    app: Flask, web_site: Site
) -> None:
    known, gone = web_site.enrol("01-001"), web_site.enrol("01-002")
    with web_site.database.writing() as session:
        enrolment.withdraw(session, gone.id, web_site.clock())
    browser, pages = Browser(app), set()
    for number in (known.number, gone.number, "01-999", "=1+1"):
        browser.get("/join/new-code")
        pages.add(main_text(browser.post("/join/new-code", number=number)))
    assert len(pages) == 1
    assert count(web_site, CodeRequest) == 1


def test_asking_holds_the_participant_before_the_tries(app: Flask, web_site: Site) -> None:
    """As a wrong finger does: in another order the two would wait for each other for ever."""
    person, written = web_site.enrol(), []
    engine = app.extensions["pro_app"].database.engine
    sa.event.listen(
        engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_: written.append(statement.split("(")[0].strip()),
    )
    browser = Browser(app)
    browser.get("/join/new-code")
    browser.post("/join/new-code", number=person.number)
    order = [one for one in written if "code_request" in one or "attempt" in one]
    changed = [one for one in order if one.startswith(("INSERT", "DELETE"))]
    assert changed[0] == "INSERT INTO code_request"
    assert any("attempt" in one for one in changed[1:])


def test_asking_without_a_number_is_asked_again(app: Flask, web_site: Site) -> None:
    before = snapshot(web_site.database)
    browser = Browser(app)
    browser.get("/join/new-code")
    page = browser.post("/join/new-code", status=422, number="   ")
    assert "Please type your study number" in page.text
    assert snapshot(web_site.database) == before


def test_asking_has_its_limit_too(app: Flask, web_site: Site, tries: int) -> None:
    person = web_site.enrol()
    browser = Browser(app)
    browser.get("/join/new-code")
    data = {"csrf_token": browser.page.token(), "number": "01-999"}
    statuses = [
        browser.client.post("/join/new-code", data=data).status_code for _ in range(tries + 1)
    ]
    assert statuses == [200] * tries + [429]
    web_site.clock.forward(hours=1)
    browser.post("/join/new-code", number=person.number)
    assert count(web_site, CodeRequest) == 1
    browser.get("/join/")
    browser.post("/join/", code=person.code)
    assert browser.path == "/join/notice", "asking does not use up the tries of codes"


# --- without a study, and with several ----------------------------------------------------------


def test_with_several_studies_the_code_tells_which(app: Flask, web_site: Site) -> None:
    person = web_site.enrol()
    content = study_content(web_site) | {"code": "other"}
    content["name"] = {language: f"Other {language}" for language in content["name"]}
    with web_site.database.writing() as session:
        studies.load(session, web_site.library, content, web_site.clock())
    browser = Browser(app)
    assert "Test Study" not in browser.get("/join/").text
    assert "Health study" in browser.page.text
    page = browser.post("/join/", code=person.code)
    assert "Test Study" in page.text
    browser.post("/join/notice", accept="yes")
    assert "Test Study" in browser.page.text


def study_content(site: Site) -> dict[str, object]:
    from pro_app.models import StudyVersion

    with site.database.reading() as session:
        return dict(session.scalars(sa.select(StudyVersion.definition)).one())


def test_a_study_of_two_languages_is_never_shown_in_a_third(app: Flask, web_site: Site) -> None:
    content = study_content(web_site) | {"languages": ["ms", "en"]}
    for name in ("name", "notice"):
        content[name] = {
            key: one for key, one in dict(content[name]).items() if key not in {"zh_Hans", "ta"}
        }
    content["timepoints"] = [
        {**one, "label": {key: one["label"][key] for key in ("ms", "en")}}
        for one in content["timepoints"]  # type: ignore[attr-defined]
    ]
    with web_site.database.writing() as session:
        web_site.study = studies.load(session, web_site.library, content, web_site.clock())
    person = web_site.enrol()
    web_site.open(person, "month_3", opens=timedelta(days=3), closes=timedelta(days=5))
    browser = Browser(app, "ta")
    browser.get("/join/?language=ta")
    assert browser.page.all("html")[0]["lang"] == "ms", "the study's first language"
    browser.join(person)
    assert browser.page.all("html")[0]["lang"] == "ms"
    browser.post("/settings", back="/today", language="zh_Hans")
    assert browser.page.all("html")[0]["lang"] == "ms"
    browser.post("/settings", back="/today", language="en")
    assert "Month 3" in browser.page.text
    with web_site.database.reading() as session:
        kept = session.get_one(Participant, person.id)
        assert (kept.language, kept.notice_language) == ("en", "ms")

"""The rooms around the questionnaires: PIN, Today, settings, practice, notice."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.core.library import Library
from pro_app.models import AuditEntry, Device, Participant, StudyVersion
from pro_app.services import studies
from pro_app.web.house import House
from tests.conftest import PIN, Enrolled, Site, snapshot
from tests.pages import Browser

WRONG = "135790"


@pytest.fixture
def person(web_site: Site) -> Enrolled:
    return web_site.enrol()


@pytest.fixture
def phone(app: Flask, person: Enrolled) -> Browser:
    """The person's phone, joined and open."""
    found = Browser(app)
    found.join(person)
    return found


def lock(phone: Browser) -> None:
    phone.get("/today")
    phone.post("/lock")


# --- the PIN ------------------------------------------------------------------------------------


def test_the_right_pin_opens(phone: Browser) -> None:
    lock(phone)
    assert phone.path == "/unlock"
    phone.unlock(f" {PIN} ")
    assert phone.path == "/today"
    phone.get("/unlock")
    assert phone.path == "/today"


def test_wrong_pins_are_told_with_what_to_do(phone: Browser, web_site: Site) -> None:
    lock(phone)
    for _ in range(4):
        assert "This is not the right PIN" in phone.unlock(WRONG, status=422).text
    assert "Please wait 15 minutes" in phone.unlock(WRONG, status=422).text
    web_site.clock.forward(minutes=14, seconds=1)
    assert "Please wait 1 minutes" in phone.unlock(PIN, status=422).text
    web_site.clock.forward(seconds=59)
    for _ in range(4):
        assert "This is not the right PIN" in phone.unlock(WRONG, status=422).text
    assert "There were 10 wrong PINs" in phone.unlock(WRONG, status=422).text
    page = phone.unlock(PIN, status=422)
    assert "There were 10 wrong PINs" in page.text
    assert any(one.get("href") == "/join/new-code" for one in page.all("a"))


def test_a_page_left_open_asks_for_the_pin_in_place(phone: Browser, web_site: Site) -> None:
    """The page's script sends the PIN as JSON, and goes on with a token that works."""
    sheet = web_site.open(Enrolled(1, "01-001", "en", ""))[0]
    phone.get(f"/questionnaires/{sheet.public_id}/items/1")
    web_site.clock.forward(hours=9)
    path, body = f"/questionnaires/{sheet.public_id}/answers", {"language": "en", "operations": []}
    taken = phone.send(path, body)
    assert taken.json is not None
    assert taken.json["locked"] is True, "what was tapped is taken, and the PIN is due"
    wrong = phone.send("/unlock", {"pin": WRONG})
    assert wrong.status_code == 422
    assert wrong.json is not None
    assert "This is not the right PIN" in wrong.json["fault"]
    assert phone.send("/unlock", ["nonsense"]).status_code == 422
    right = phone.send("/unlock", {"pin": PIN})
    assert right.json is not None
    assert phone.send(path, body, token=right.json["csrf"]).status_code == 200
    assert phone.send(path, body).status_code == 200, "the page's own token works still"


def test_what_was_posted_after_the_session_ended_is_not_lost(
    phone: Browser, web_site: Site
) -> None:
    """Without JavaScript: the answer waits on the PIN page and is saved by the right PIN."""
    sheet = web_site.open(Enrolled(1, "01-001", "en", ""))[0]
    path = f"/questionnaires/{sheet.public_id}/items/1"
    phone.get(path)
    web_site.clock.forward(minutes=31)
    page = phone.post(path, status=401, choice="3", action="next")
    assert "Your last answer is kept" in page.text

    def carried() -> dict[str, str]:
        fields = phone.page.all("input")
        hidden = [one for one in fields if one.get("type") == "hidden"]
        return {str(one["name"]): str(one["value"]) for one in hidden}

    assert carried()["choice"] == "3"
    phone.post("/unlock", status=422, **{**carried(), "pin": WRONG})
    assert carried()["choice"] == "3", "a wrong PIN loses nothing either"
    fields = {**carried(), "pin": PIN}
    opened = phone.client.post("/unlock", data=fields)
    assert (opened.status_code, opened.location) == (307, path), "the same is posted there"
    saved = phone.client.post(opened.location, data=fields)
    assert (saved.status_code, saved.location) == (303, path.replace("items/1", "items/2"))
    phone.get(path)
    assert [one["value"] for one in phone.page.all("input") if "checked" in one] == ["3"]


def test_locking_and_opening_again_shows_the_same(phone: Browser, web_site: Site) -> None:
    """Schedule, place and settings do not depend on the session."""
    sheet = web_site.open(Enrolled(1, "01-001", "en", ""))[0]
    web_site.answer(sheet, {"LQ01": 1})
    web_site.open(Enrolled(1, "01-001", "en", ""), "month_3", timedelta(days=9), timedelta(days=10))
    before = phone.get("/today").text.partition("<main")[2].partition("</main>")[0]
    lock(phone)
    phone.unlock()
    after = phone.page.text.partition("<main")[2].partition("</main>")[0]
    assert after == before


# --- Today --------------------------------------------------------------------------------------


def test_nothing_to_do(phone: Browser) -> None:
    page = phone.get("/today")
    assert "There is nothing to do today" in page.text
    assert "0 questionnaires" in page.text


def test_today_follows_the_work(phone: Browser, person: Enrolled, web_site: Site) -> None:
    lupusqol, sf36 = web_site.open(person)
    web_site.open(person, "month_3", timedelta(days=90), timedelta(days=97))
    page = phone.get("/today")
    assert "There are 2 questionnaires for you" in page.text
    assert "34 questions · about 6 minutes" in page.text
    assert "Open until Thursday, 26 Nov 2026, 09:00 (Kuala Lumpur)" in page.text
    assert "Month 3 · Sunday, 21 Feb 2027" in page.text
    assert "Your last answer" not in page.text
    web_site.clock.forward(minutes=9)
    web_site.answer(lupusqol, {"LQ01": 1, "LQ02": 2})
    page = phone.get("/today")
    assert "Continue at question 3" in page.text
    assert "Your last answer was received on Monday, 23 Nov 2026, 09:09 (Kuala Lumpur)" in page.text
    web_site.answer_all(lupusqol)
    assert "Check and submit" in phone.get("/today").text
    web_site.submit(lupusqol)
    page = phone.get("/today")
    assert "There is 1 questionnaire for you" in page.text
    assert "1 questionnaire<" in page.text
    assert sf36.public_id in page.text
    assert lupusqol.public_id not in page.text


def test_what_was_begun_can_be_finished_in_the_grace_time(
    phone: Browser, person: Enrolled, web_site: Site
) -> None:
    lupusqol, _ = web_site.open(person)
    web_site.answer(lupusqol, {"LQ01": 1})
    web_site.clock.now = lupusqol.closes_at + timedelta(minutes=20)
    phone.get("/today")
    page = phone.unlock()
    assert "There is 1 questionnaire for you" in page.text
    assert "The time is over, but you can still finish what you began." in page.text


def test_no_score_is_shown_anywhere(phone: Browser, person: Enrolled, web_site: Site) -> None:
    lupusqol, _ = web_site.open(person)
    web_site.answer_all(lupusqol, place=1)
    web_site.submit(lupusqol)
    instrument = web_site.library.instruments["lupusqol"]
    scales = [scale.name for scale in instrument.scorings["lupusqol"].scales]
    for path in ("/today", f"/questionnaires/{lupusqol.public_id}/receipt"):
        text = phone.get(path).text.partition("<main")[2]
        assert not any(name in text for name in scales)
        assert "25.0" not in text


def test_a_questionnaire_without_its_wording_is_not_offered(
    app: Flask, phone: Browser, person: Enrolled, web_site: Site
) -> None:
    """No silent English inside a Tamil questionnaire: the person is told, and may choose."""
    lupusqol, sf36 = web_site.open(person)
    lack(app, web_site, ("lupusqol", "ta"))
    phone.get("/today")
    page = phone.post("/settings", back="/today", language="ta")
    links = [str(one.get("href")) for one in page.all("a")]
    assert f"/questionnaires/{sf36.public_id}" in links
    assert f"/questionnaires/{lupusqol.public_id}" not in links
    page = phone.get(f"/questionnaires/{lupusqol.public_id}", status=404)
    offered = {
        str(one["value"])
        for one in page.all("button")
        if one.get("name") == "language" and "btn" in str(one.get("class"))
    }
    assert offered == {"ms", "en", "zh_Hans"}
    for path in ("/items/1", "/review"):
        phone.get(f"/questionnaires/{lupusqol.public_id}{path}", status=404)
    phone.get(f"/questionnaires/{lupusqol.public_id}", status=404)
    phone.post("/settings", back=f"/questionnaires/{lupusqol.public_id}", language="ms")
    assert phone.path == f"/questionnaires/{lupusqol.public_id}"
    assert phone.page.all("html")[0]["lang"] == "ms"


def lack(app: Flask, site: Site, *missing: tuple[str, str]) -> None:
    """Serve without these wordings."""
    house: House = app.extensions["pro_app"]
    wordings = {key: one for key, one in site.library.wordings.items() if key not in missing}
    lacking = Library(site.library.instruments, wordings)
    app.extensions["pro_app"] = replace(house, library=lacking)


def test_a_live_study_shows_no_demonstration_wording(
    phone: Browser, person: Enrolled, web_site: Site
) -> None:
    lupusqol, _ = web_site.open(person)
    reload(web_site, status="live")
    assert "is not ready in your language" in phone.get("/today").text
    page = phone.get(f"/questionnaires/{lupusqol.public_id}", status=404)
    assert "You can answer it in one of these languages" not in page.text


def reload(site: Site, **changed: object) -> None:
    """Load the study again with these changes: its next version."""
    with site.database.writing() as session:
        query = sa.select(StudyVersion.definition).order_by(StudyVersion.id.desc())
        content = copy.deepcopy(dict(session.scalars(query).first() or {}))
        content.update(changed)
        studies.load(session, site.library, content, site.clock())


def test_an_amended_protocol_does_not_break_today(
    phone: Browser, person: Enrolled, web_site: Site
) -> None:
    """What was opened under an earlier version stays, though the protocol has it no more."""
    lupusqol, _ = web_site.open(person)
    web_site.open(person, "month_3", timedelta(days=90), timedelta(days=97))
    with web_site.database.reading() as session:
        content = session.scalars(sa.select(StudyVersion.definition)).one()
    reload(
        web_site,
        timepoints=[{**content["timepoints"][0], "instruments": ["sf36v1"]}],
        instruments=content["instruments"][1:2],
    )
    page = phone.get("/today")
    assert "There are 2 questionnaires for you" in page.text
    assert "21 Feb 2027" in page.text
    web_site.answer_all(lupusqol)
    phone.get(f"/questionnaires/{lupusqol.public_id}/review")
    phone.post(f"/questionnaires/{lupusqol.public_id}/submit")
    assert "Your answers have been received" in phone.page.text


# --- settings -----------------------------------------------------------------------------------


def test_language_and_text_size_follow_the_person(
    phone: Browser, app: Flask, person: Enrolled, web_site: Site
) -> None:
    phone.get("/today")
    phone.post("/settings", back="/today", language="zh_Hans")
    phone.post("/settings", back="/practice", text_size="2")
    assert phone.path == "/practice"
    other = Browser(app)
    other.join(Enrolled(person.id, person.number, "en", web_site.new_code(person)))
    assert other.page.all("html")[0]["class"] == "size-2"
    with web_site.database.reading() as session:
        entries = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action == "change_setting")
        ).all()
    assert ("language", "en", "zh_Hans") in [(one.field, one.old, one.new) for one in entries]


def test_before_joining_the_phone_keeps_its_own_choice(app: Flask, web_site: Site) -> None:
    before = snapshot(web_site.database)
    phone = Browser(app, "en")
    phone.get("/join/")
    phone.post("/settings", back="/join/", language="ta")
    phone.post("/settings", back="/join/", text_size="1")
    page = phone.get("/join/new-code")
    assert (page.all("html")[0]["lang"], page.all("html")[0]["class"]) == ("ta", "size-1")
    assert snapshot(web_site.database) == before


@pytest.mark.parametrize("wrong", [{"language": "fr"}, {"text_size": "3"}, {"text_size": "x"}, {}])
def test_settings_that_are_none_change_nothing(
    phone: Browser, web_site: Site, wrong: dict[str, str]
) -> None:
    phone.get("/today")
    before = snapshot(web_site.database)
    phone.post("/settings", back="/today", **wrong)
    assert snapshot(web_site.database) == before


def test_a_made_up_cookie_chooses_nothing(app: Flask) -> None:
    phone = Browser(app, "ms")
    phone.client.set_cookie("language", "fr")
    phone.client.set_cookie("text_size", "9")
    page = phone.get("/join/")
    assert (page.all("html")[0]["lang"], page.all("html")[0]["class"]) == ("ms", "size-0")


# --- notice and practice ------------------------------------------------------------------------


def test_the_notice_comes_again_after_a_year(
    phone: Browser, person: Enrolled, web_site: Site
) -> None:
    web_site.clock.forward(days=365)
    phone.get("/today")
    phone.unlock()
    assert phone.path == "/today"
    web_site.clock.forward(seconds=1)
    sheet = web_site.open(person)[0]
    phone.get(f"/questionnaires/{sheet.public_id}")
    assert phone.path == "/notice"
    assert "What we collect" in phone.page.text
    phone.get("/today")
    assert phone.path == "/notice", "nothing else before it is accepted"
    phone.get(f"/questionnaires/{sheet.public_id}")
    phone.post("/notice")
    assert phone.path == f"/questionnaires/{sheet.public_id}"
    phone.get("/today")
    assert phone.path == "/today"
    with web_site.database.reading() as session:
        assert session.get_one(Participant, person.id).notice_at == web_site.clock()


def test_a_new_notice_is_shown_at_once(phone: Browser, person: Enrolled, web_site: Site) -> None:
    part = [{"heading": "New", "text": "Something has changed."}]
    reload(web_site, notice={"version": "2", "ms": part, "en": part, "zh_Hans": part, "ta": part})
    phone.get("/today")
    assert phone.path == "/notice"
    assert "Something has changed." in phone.page.text
    phone.post("/notice")
    assert phone.path == "/today"
    with web_site.database.reading() as session:
        kept = session.get_one(Participant, person.id)
        assert (kept.notice_version, kept.notice_language) == ("2", "en")


def test_an_answer_is_taken_though_a_notice_waits(
    phone: Browser, person: Enrolled, web_site: Site
) -> None:
    """What somebody has tapped is never thrown away for a page that they have not seen yet."""
    sheet = web_site.open(person)[0]
    phone.get(f"/questionnaires/{sheet.public_id}/items/1")
    part = [{"heading": "New", "text": "Something has changed."}]
    reload(web_site, notice={"version": "2", "ms": part, "en": part, "zh_Hans": part, "ta": part})
    data = {"csrf_token": phone.page.token(), "choice": "2", "action": "next"}
    phone.client.post(f"/questionnaires/{sheet.public_id}/items/1", data=data)
    assert web_site.known(sheet).facts.started_at is not None


def test_the_notice_can_be_read_at_any_time(phone: Browser) -> None:
    page = phone.get("/today")
    assert any(one.get("href") == "/notice" for one in page.all("a"))
    assert "Your answers." in phone.get("/notice").text


def test_practice_keeps_nothing(phone: Browser, web_site: Site) -> None:
    before = snapshot(web_site.database)
    page = phone.get("/practice")
    assert "This is only for practice" in page.text
    (form,) = [one for one in page.all("form") if one.get("method") != "post"]
    assert form["action"] == "/today"
    phone.get("/today?practice=2")
    assert snapshot(web_site.database) == before


def test_every_page_says_that_nobody_watches_and_whom_to_call(app: Flask, phone: Browser) -> None:
    for reader in (phone, Browser(app)):
        for path in ("/today", "/practice", "/notice", "/join/new-code"):
            text = reader.get(path).text
            assert "Nobody watches your answers as you give them" in text
            assert "03-5550 0100" in text
            assert "999" in text


def test_devices_are_used_and_never_shared(phone: Browser, web_site: Site) -> None:
    web_site.clock.forward(days=1)
    phone.get("/today")
    phone.unlock()
    with web_site.database.reading() as session:
        assert session.scalars(sa.select(Device.used_at)).one() == web_site.clock()


def test_what_closes_at_midnight_is_open_until_the_end_of_its_day(
    phone: Browser, person: Enrolled, web_site: Site
) -> None:
    lupusqol, _ = web_site.open(person, closes=timedelta(hours=39))  # Tuesday's end
    for path in ("/today", f"/questionnaires/{lupusqol.public_id}"):
        assert "Tuesday, 24 Nov 2026, 24:00" in phone.get(path).text
    web_site.clock.forward(hours=39)
    phone.get(f"/questionnaires/{lupusqol.public_id}")
    assert "Tuesday, 24 Nov 2026, 24:00" in phone.unlock(status=410).text

"""Answering by plain forms and by the page's script: what is chosen is what is kept and shown."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.models import Answer, StudyVersion
from pro_app.services import studies
from tests.conftest import Enrolled, Site
from tests.pages import Browser


@pytest.fixture
def person(web_site: Site) -> Enrolled:
    return web_site.enrol()


@pytest.fixture
def browser(app: Flask, person: Enrolled) -> Browser:
    found = Browser(app)
    found.join(person)
    return found


def kept(site: Site) -> list[tuple[str, str, int | None, str]]:
    """Item, state, code and language of every stored answer, in order."""
    with site.database.reading() as session:
        rows = session.execute(
            sa.select(Answer.item, Answer.state, Answer.code, Answer.language).order_by(Answer.id)
        )
        return [tuple(row) for row in rows]


def checked(browser: Browser) -> list[str | None]:
    return [i["value"] for i in browser.page.all("input") if "checked" in i]


def operation(item: str, code: int) -> dict[str, object]:
    return {"id": str(uuid.uuid4()), "item": item, "state": "answered", "code": code}


def test_the_language_changes_on_a_question_without_an_answer(
    browser: Browser, web_site: Site, person: Enrolled
) -> None:
    first, _second = web_site.open(person)
    browser.get(f"/questionnaires/{first.public_id}/items/1")
    browser.post(f"/questionnaires/{first.public_id}/items/1", language="ta")
    assert browser.path.endswith("/items/1")
    assert browser.page.all("html")[0]["lang"] == "ta"
    browser.post(f"/questionnaires/{first.public_id}/items/1", text_size="2")
    assert browser.page.all("html")[0]["class"] == "size-2"
    assert kept(web_site) == []


def test_what_was_chosen_is_shown_at_every_place(
    browser: Browser, web_site: Site, person: Enrolled
) -> None:
    """Also where the option's code is the question's own number."""
    first, second = web_site.open(person)
    for assessment in (first, second):
        items = web_site.library.instruments[assessment.instrument].items
        for item in items[:6]:
            for code in item.options.codes:
                web_site.clock.forward(seconds=1)
                web_site.answer(assessment, {item.code: code})
                browser.get(f"/questionnaires/{assessment.public_id}/items/{item.n}")
                assert checked(browser) == [str(code)], item.code


def test_an_answer_is_recorded_in_the_language_it_was_seen_in(
    browser: Browser, web_site: Site, person: Enrolled
) -> None:
    first, _second = web_site.open(person)
    path = f"/questionnaires/{first.public_id}/items/1"
    page = browser.get(path)
    browser.post("/settings", language="ta", back="/today")  # in another window
    browser.page = page
    browser.post(path, choice="2", shown_in="en")
    assert kept(web_site) == [("LQ01", "answered", 2, "en")]


def test_an_answer_to_a_wording_that_is_no_longer_offered_is_kept(
    browser: Browser, web_site: Site, person: Enrolled
) -> None:
    """The sheet was open when the study stopped offering it: what was tapped is not lost."""
    first, _second = web_site.open(person)
    path = f"/questionnaires/{first.public_id}"
    browser.get(f"{path}/items/1")

    with web_site.database.writing() as session:  # live, without a single licence
        newest = session.scalars(sa.select(StudyVersion)).one()
        content = dict(newest.definition) | {"status": "live"}
        studies.load(session, web_site.library, content, web_site.clock())
    body = {"language": "en", "seen": 0, "operations": [operation("LQ01", 3)]}
    assert browser.send(f"{path}/answers", body).status_code == 200
    browser.post(f"{path}/items/2", status=404, choice="1", shown_in="en")
    assert kept(web_site) == [("LQ01", "answered", 3, "en"), ("LQ02", "answered", 1, "en")]


def test_two_windows_of_one_phone_learn_of_each_other(
    browser: Browser, web_site: Site, person: Enrolled
) -> None:
    first, _second = web_site.open(person)
    path = f"/questionnaires/{first.public_id}"
    browser.get(f"{path}/items/1")
    mine = {"language": "en", "seen": 0, "operations": [operation("LQ21", 3)]}
    seen = browser.send(f"{path}/answers", mine).get_json()["seen"]
    theirs = {"language": "en", "seen": 0, "operations": [operation("LQ01", 1)]}
    told = browser.send(f"{path}/answers", theirs).get_json()
    assert told["others"] == {"LQ21": ["answered", 3]}
    again = {"language": "en", "seen": seen, "operations": [operation("LQ22", 0)]}
    assert browser.send(f"{path}/answers", again).get_json()["others"] == {"LQ01": ["answered", 1]}


def test_a_card_on_a_phone_that_has_joined_is_not_swallowed(
    browser: Browser, web_site: Site, person: Enrolled
) -> None:
    other = web_site.enrol("01-002")
    page = browser.get("/join/?language=ms")
    assert browser.path == "/join/"
    assert "remark" in page.text
    browser.post("/join/", code=other.code)
    browser.post("/join/notice", accept="yes")
    browser.post("/join/pin", pin="135792", again="135792")
    assert ">02<" in browser.get("/today").text


def test_a_study_speaks_its_own_languages_alone(app: Flask, web_site: Site) -> None:
    """A phone in a language that the protocol lacks gets the study's first one, everywhere."""
    with web_site.database.writing() as session:
        from pro_app.services import studies

        content = dict(session.scalars(sa.select(studies.StudyVersion.definition)).one())
        narrow = {
            key: {lang: text for lang, text in value.items() if lang in {"ms", "en"}}
            if key == "name"
            else value
            for key, value in content.items()
        }
        narrow["languages"] = ["ms", "en"]
        narrow["timepoints"] = [
            {**one, "label": {lang: one["label"][lang] for lang in ("ms", "en")}}
            for one in content["timepoints"]
        ]
        narrow["notice"] = {
            k: v for k, v in content["notice"].items() if k in {"version", "ms", "en"}
        }
        web_site.study = studies.load(session, web_site.library, narrow, web_site.clock())
    person = web_site.enrol()
    browser = Browser(app, "ta")
    browser.join(person)
    assert browser.page.all("html")[0]["lang"] == "ms"
    browser.post("/settings", language="ta", back="/today")
    assert browser.page.all("html")[0]["lang"] == "ms"
    assert not any(button.get("value") == "ta" for button in browser.page.all("button"))

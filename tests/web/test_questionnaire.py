"""A questionnaire from its start page to the receipt, without JavaScript, and what can go amiss."""

from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pro_app.models import Answer, Assessment, Score, Submission
from tests.conftest import PIN, Enrolled, Site, snapshot
from tests.pages import Browser, Page
from tests.services import table_rows


@pytest.fixture
def person(web_site: Site) -> Enrolled:
    return web_site.enrol()


@pytest.fixture
def lupusqol(web_site: Site, person: Enrolled) -> Assessment:
    """The first of two open questionnaires."""
    return web_site.open(person)[0]


@pytest.fixture
def phone(app: Flask, person: Enrolled, lupusqol: Assessment) -> Browser:
    """The person's phone, joined and open, on Today."""
    found = Browser(app)
    found.join(person)
    return found


def path(sheet: Assessment, rest: str = "") -> str:
    return f"/questionnaires/{sheet.public_id}{rest}"


def chosen(page: Page) -> list[str | None]:
    return [one["value"] for one in page.all("input") if "checked" in one]


def stored(site: Site) -> list[tuple[Any, ...]]:
    """Item, state, code and whether the question to skip had been shown, of every answer."""
    with site.database.reading() as session:
        query = sa.select(Answer.item, Answer.state, Answer.code, Answer.prompted)
        return [tuple(row) for row in session.execute(query.order_by(Answer.id))]


# --- one item a screen --------------------------------------------------------------------------


def test_the_start_page_says_what_it_is_and_how_long(phone: Browser, lupusqol: Assessment) -> None:
    page = phone.get(path(lupusqol))
    assert "34 questions · about 6 minutes" in page.text
    assert "Open until Thursday, 26 Nov 2026, 09:00 (Kuala Lumpur)" in page.text
    assert any(one.get("href") == path(lupusqol, "/items/1") for one in page.all("a"))


def test_an_item_has_one_group_of_equal_options_and_nothing_chosen(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    wording = web_site.library.wording("lupusqol", "en")
    assert wording is not None
    for item in web_site.library.instruments["lupusqol"].items:
        page = phone.get(path(lupusqol, f"/items/{item.n}"))
        options = [one for one in page.all("input") if one.get("type") == "radio"]
        codes = [str(code) for code in item.options.codes]
        expected = codes + (["not_applicable"] if item.not_applicable else [])
        assert [one["value"] for one in options] == expected
        assert {one["name"] for one in options} == {"choice"}
        assert chosen(page) == []
        assert len(page.all("fieldset")) == 1
        assert f"Question {item.n} of 34" in page.text
        assert wording.items[item.code] in page.text


@pytest.mark.parametrize("n", [0, 35, 999, -1, "x"])
def test_there_is_no_item_beyond_the_last(phone: Browser, lupusqol: Assessment, n: object) -> None:
    phone.get(path(lupusqol, f"/items/{n}"), status=404)
    phone.get("/today")
    phone.post(path(lupusqol, f"/items/{n}"), status=404, choice="1")


def test_next_keeps_the_answer_and_goes_on(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    phone.get(path(lupusqol, "/items/1"))
    page = phone.post(path(lupusqol, "/items/1"), choice="3", action="next")
    assert phone.path.endswith("/items/2")
    assert chosen(page) == []
    page = phone.post(path(lupusqol, "/items/2"), choice="2", action="back")
    assert phone.path.endswith("/items/1")
    assert chosen(page) == ["3"]
    phone.post(path(lupusqol, "/items/1"), choice="3", action="back")
    assert phone.path == path(lupusqol)
    assert stored(web_site) == [("LQ01", "answered", 3, False), ("LQ02", "answered", 2, False)]


def test_next_without_an_answer_asks_and_only_then_can_be_skipped(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    phone.get(path(lupusqol, "/items/1"))
    page = phone.post(path(lupusqol, "/items/1"), status=422, action="next")
    assert re.search(r'class="prompt" role="alert" tabindex="-1" autofocus', page.text)
    assert stored(web_site) == []
    phone.post(path(lupusqol, "/items/1"), action="skip", prompted="yes")
    assert phone.path.endswith("/items/2")
    assert stored(web_site) == [("LQ01", "skipped", None, True)]
    page = phone.get(path(lupusqol, "/items/1"))
    assert '<p class="left">' in page.text, "that it was left is said"
    assert chosen(page) == []
    phone.post(path(lupusqol, "/items/1"), action="next")
    assert phone.path.endswith("/items/2"), "and it is not asked again"


def test_an_answer_after_the_question_is_recorded_as_prompted(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    phone.get(path(lupusqol, "/items/1"))
    phone.post(path(lupusqol, "/items/1"), status=422, action="next")
    phone.post(path(lupusqol, "/items/1"), choice="0", action="next", prompted="yes")
    assert stored(web_site) == [("LQ01", "answered", 0, True)]


def test_an_answer_can_be_cleared(phone: Browser, web_site: Site, lupusqol: Assessment) -> None:
    phone.get(path(lupusqol, "/items/1"))
    phone.post(path(lupusqol, "/items/1"), choice="1", action="next")
    phone.get(path(lupusqol, "/items/1"))
    page = phone.post(path(lupusqol, "/items/1"), choice="1", action="clear")
    assert phone.path.endswith("/items/1")
    assert chosen(page) == []
    phone.post(path(lupusqol, "/items/1"), action="clear")
    assert [state for _, state, _, _ in stored(web_site)] == ["answered", "cleared"]


def test_the_same_answer_again_is_no_change(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    """Back and forth through the sheet, or the same page sent twice: one answer each."""
    phone.get(path(lupusqol, "/items/15"))
    for _ in range(3):
        phone.post(path(lupusqol, "/items/15"), choice="not_applicable", action="next")
    assert stored(web_site) == [("LQ15", "not_applicable", None, False)]
    page = phone.get(path(lupusqol, "/items/15"))
    assert chosen(page) == ["not_applicable"]


def test_closing_keeps_what_was_chosen_and_the_place(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    web_site.answer(lupusqol, {"LQ01": 1, "LQ02": 2})
    phone.get(path(lupusqol))
    assert phone.path.endswith("/items/3")
    phone.post(path(lupusqol, "/items/3"), choice="4", action="close")
    assert phone.path == "/today"
    phone.get(path(lupusqol))
    assert phone.path.endswith("/items/4")
    phone.get(path(lupusqol, "?again=1"))
    assert phone.path == path(lupusqol), "the start page can be read again"


@pytest.mark.parametrize(
    "forged",
    [
        {"choice": "5"}, {"choice": "-1"}, {"choice": "x"}, {"choice": "01"}, {"choice": "９"},
        {"choice": "9" * 5_000}, {"choice": "not_applicable"}, {"choice": ""},
    ],
)  # fmt: skip
def test_a_choice_that_the_item_does_not_have_is_refused(
    phone: Browser, web_site: Site, lupusqol: Assessment, forged: dict[str, str]
) -> None:
    phone.get(path(lupusqol, "/items/1"))
    phone.post(path(lupusqol, "/items/1"), status=422, action="next", **forged)
    assert stored(web_site) == []


def test_a_language_switch_at_item_17_changes_the_words_and_nothing_else(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    """Item 17 comes again in Tamil with its answer; each answer keeps its own language."""
    phone.get(path(lupusqol, "/items/16"))
    phone.post(path(lupusqol, "/items/16"), choice="1", action="next")
    page = phone.post(path(lupusqol, "/items/17"), choice="2", action="next", language="ta")
    assert phone.path.endswith("/items/17")
    assert page.all("html")[0]["lang"] == "ta"
    assert chosen(page) == ["2"]
    wording = web_site.library.wording("lupusqol", "ta")
    assert wording is not None
    assert wording.items["LQ17"] in page.text
    assert all(text in page.text for text in wording.options["frequency"].values())
    phone.post(path(lupusqol, "/items/17"), choice="2", action="next")
    phone.post(path(lupusqol, "/items/18"), choice="3", action="next")
    languages = {row["item"]: row["language"] for row in table_rows.rows(web_site, "answers_long")}
    assert [languages[f"LQ{n}"] for n in (16, 17, 18)] == ["en", "en", "ta"]


# --- review, submission, receipt ----------------------------------------------------------------


def test_the_review_shows_every_item_in_the_questionnaires_own_words(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    items = web_site.library.instruments["lupusqol"].items
    given: dict[str, int | str] = {item.code: item.n % 5 for item in items}
    given |= {"LQ02": "skipped", "LQ15": "not_applicable"}
    del given["LQ20"]
    web_site.answer(lupusqol, given)
    page = phone.get(path(lupusqol, "/review"))
    wording = web_site.library.wording("lupusqol", "en")
    assert wording is not None
    rows = re.findall(
        r'<span class="question">(\d+)\. (.*?)</span>\s*<span class="answer[^"]*">(.*?)</span>',
        page.text,
    )
    assert len(rows) == 34
    expected = {"LQ02": "Left unanswered", "LQ15": "Does not apply to me", "LQ20": "Not answered"}
    for item, (n, question, answer) in zip(items, rows, strict=True):
        assert (int(n), question) == (item.n, wording.items[item.code])
        if item.code in expected:
            assert answer.startswith(expected[item.code])
        else:
            assert answer == wording.options["frequency"][item.n % 5]
    assert "1 question still waits for you." in page.text
    links = [str(one.get("href")) for one in page.all("a")]
    assert path(lupusqol, "/items/20") in links
    assert path(lupusqol, "/items/7?from=review") in links


def test_a_change_from_the_review_leads_back_to_it(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    web_site.answer_all(lupusqol)
    page = phone.get(path(lupusqol, "/items/7?from=review"))
    carried = {one["name"]: one["value"] for one in page.all("input") if one["type"] == "hidden"}
    assert carried["from"] == "review"
    phone.post(path(lupusqol, "/items/7"), choice="4", action="next", **{"from": "review"})
    assert phone.path.endswith("/review")


def test_the_last_item_leads_to_the_review(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    web_site.answer_all(lupusqol)
    phone.get(path(lupusqol, "/items/34"))
    phone.post(path(lupusqol, "/items/34"), choice="1", action="next")
    assert phone.path.endswith("/review")
    phone.get(path(lupusqol))
    assert phone.path.endswith("/review"), "a whole sheet goes on there"


def test_submitting_too_early_says_what_waits(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    web_site.answer(lupusqol, {"LQ01": 1})
    phone.get(path(lupusqol, "/review"))
    page = phone.post(path(lupusqol, "/submit"), status=422)
    assert "33 questions still wait for you." in page.text
    assert "<title>Error: " in page.text
    with web_site.database.reading() as session:
        assert session.scalars(sa.select(Submission)).all() == []


def test_a_double_submit_is_one_submission_and_one_receipt(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    web_site.answer_all(lupusqol)
    phone.get(path(lupusqol, "/review"))
    data = {"csrf_token": phone.page.token()}
    answers = [phone.client.post(path(lupusqol, "/submit"), data=data) for _ in range(3)]
    assert {(one.status_code, one.location) for one in answers} == {
        (303, path(lupusqol, "/receipt"))
    }
    with web_site.database.reading() as session:
        (submission,) = session.scalars(sa.select(Submission))
        scores = session.scalars(sa.select(Score.scale)).all()
    assert len(scores) == len(set(scores)) == 8
    page = phone.get(path(lupusqol, "/receipt"))
    code = submission.receipt[:12].upper()
    assert f"Your receipt: {code[:4]}-{code[4:8]}-{code[8:]}" in page.text
    assert "They reached the study on Monday, 23 Nov 2026, 09:00 (Kuala Lumpur)" in page.text
    assert "after the time was over" not in page.text
    assert "Go to the next questionnaire" in page.text


def test_after_submitting_every_page_leads_to_the_receipt(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    """The browser's Back shows no sheet that looks as if it could still be changed."""
    web_site.answer_all(lupusqol)
    web_site.submit(lupusqol)
    for rest in ("", "/items/1", "/review"):
        phone.get(path(lupusqol, rest))
        assert phone.path.endswith("/receipt")
    before = len(stored(web_site))
    phone.post(path(lupusqol, "/items/1"), choice="4", action="next")
    assert phone.path.endswith("/receipt")
    assert len(stored(web_site)) == before + 1, "kept for the record"


def test_there_is_no_receipt_before_submitting(phone: Browser, lupusqol: Assessment) -> None:
    phone.get(path(lupusqol, "/receipt"))
    assert phone.path == path(lupusqol)


# --- too early, too late ------------------------------------------------------------------------


def test_before_its_time_it_says_when(phone: Browser, web_site: Site, person: Enrolled) -> None:
    coming = web_site.open(person, "month_3", timedelta(days=3), timedelta(days=5))[0]
    before = snapshot(web_site.database)
    for rest in ("", "/items/1", "/review"):
        page = phone.get(path(coming, rest), status=403)
        assert "It opens on Thursday, 26 Nov 2026, 09:00 (Kuala Lumpur)." in page.text
        assert "2 questionnaires are open for you now." in page.text
    phone.post(path(coming, "/items/1"), status=403, choice="1")
    phone.post(path(coming, "/submit"), status=403)
    early = phone.send(path(coming, "/answers"), batch(tap("GH01", 1)))
    assert (early.status_code, early.json) == (409, {"error": "early"})
    assert snapshot(web_site.database) == before


def test_yesterdays_link_says_what_is_open_now(
    phone: Browser, web_site: Site, person: Enrolled, lupusqol: Assessment
) -> None:
    web_site.open(person, "month_3", timedelta(days=3), timedelta(days=5))
    web_site.clock.forward(days=4)
    phone.get(path(lupusqol))
    page = phone.unlock(status=410)
    assert "It was open until Thursday, 26 Nov 2026, 09:00 (Kuala Lumpur)." in page.text
    assert "1 questionnaire is open for you now." in page.text


def test_an_answer_at_the_deadline_is_kept_and_counted_late(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    web_site.clock.now = lupusqol.closes_at - timedelta(minutes=1)
    phone.get(path(lupusqol, "/items/1"))
    phone.unlock()
    phone.post(path(lupusqol, "/items/1"), choice="1", action="next")
    web_site.clock.forward(minutes=5)
    phone.post(path(lupusqol, "/items/2"), choice="2", action="next")
    assert phone.path.endswith("/items/3")
    web_site.answer_all(lupusqol)
    phone.get(path(lupusqol, "/review"))
    page = phone.post(path(lupusqol, "/submit"))
    assert "They came after the time was over." in page.text


def test_an_answer_after_the_grace_time_is_kept_and_said_not_to_count(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    phone.get(path(lupusqol, "/items/1"))
    web_site.clock.now = lupusqol.closes_at
    phone.send("/unlock", {"pin": PIN})
    page = phone.post(path(lupusqol, "/items/1"), status=410, choice="1", action="next")
    assert "Your last answer came too late to count." in page.text
    with web_site.database.reading() as session:
        assert session.scalars(sa.select(Answer.standing)).all() == ["after_closing"]
    phone.get("/today")
    phone.post(path(lupusqol, "/submit"), status=410)


# --- the script's requests ----------------------------------------------------------------------


def tap(item: str = "LQ01", code: Any = 1, **parts: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "item": item, "state": "answered", "code": code, **parts}


def batch(*operations: Any, **parts: Any) -> dict[str, Any]:
    return {"language": "en", "seen": 0, "operations": list(operations), **parts}


def test_taps_are_taken_with_their_times(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    phone.get(path(lupusqol, "/items/1"))
    body = batch(
        tap(device_time="2026-11-23T11:58:00.000+08:00", prompted=True),
        sent_at="2026-11-23T12:00:00.000+08:00",  # three hours ahead
        language="ta",
    )
    answer = phone.send(path(lupusqol, "/answers"), body)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    with web_site.database.reading() as session:
        (row,) = session.scalars(sa.select(Answer))
    assert answer.json == {"at": web_site.clock().isoformat(), "seen": row.id}
    assert row.answered_at == web_site.clock() - timedelta(minutes=2)
    assert (row.skew_ms, row.language, row.prompted) == (3 * 3_600_000, "ta", True)


def test_what_is_refused_or_not_counted_is_told(
    phone: Browser, web_site: Site, lupusqol: Assessment
) -> None:
    phone.get(path(lupusqol, "/items/1"))
    good, bad = tap("LQ01", 1), tap("LQ01", 9)
    told = phone.send(path(lupusqol, "/answers"), batch(good, bad)).json
    assert told is not None
    assert told["refused"] == {bad["id"]: "LQ01 has no option 9"}
    assert told["taken"] == [good["id"]]
    again = phone.send(path(lupusqol, "/answers"), batch(good)).json
    assert again == {"at": told["at"], "seen": told["seen"]}
    web_site.answer_all(lupusqol)
    web_site.submit(lupusqol)
    late = tap("LQ01", 4)
    told = phone.send(path(lupusqol, "/answers"), batch(late, seen=10_000)).json
    assert told is not None
    assert told["not_counted"] == {late["id"]: "after_submission"}


SHAPES: dict[str, Any] = {
    "nothing": None,
    "a list": [],
    "a number": 7,
    "a text": "operations",
    "a language that is none": batch() | {"language": "fr"},
    "a language that is a list": batch() | {"language": ["en"]},
    "no operations": {"language": "en"},
    "operations that are no list": batch() | {"operations": {}},
    "too many": batch(*[{}] * 501),
    "an operation that is a text": batch("LQ01"),
    "an operation that is nothing": batch(None),
    "no id": batch({"item": "LQ01", "state": "skipped"}),
    "an id that is no UUID": batch(tap() | {"id": "1"}),
    "an id that is a number": batch(tap() | {"id": 1}),
    "an id that is nothing": batch(tap() | {"id": None}),
    "no item": batch({"id": str(uuid.uuid4()), "state": "skipped"}),
    "no state": batch({"id": str(uuid.uuid4()), "item": "LQ01"}),
    "half a code": batch(tap(code=2.9)),
    "a whole code with a point": batch(tap(code=2.0)),
    "a code that is a text": batch(tap(code="2")),
    "a code that is true": batch(tap(code=True)),
    "a code that is a list": batch(tap(code=[2])),
    "an endless code": batch(tap(code=float("inf"))),
    "a huge code": batch(tap(code=10**40)),
    "a moment without offset": batch(tap(device_time="2026-11-23T12:00:00")),
    "a moment that is none": batch(tap(device_time="yesterday")),
    "a moment that is a number": batch(tap(device_time=1764000000)),
    "sent at no moment": batch(tap(), sent_at="now"),
    "seen that is a text": batch(tap(), seen="0"),
    "seen that is huge": batch(tap(), seen=10**40),
    "seen that is nothing": batch(tap(), seen=None),
    "a language of an operation that is none": batch(tap(language="fr")),
    "a journal that is no UUID": batch(tap(), journal="mine"),
    "a run that is no UUID": batch(tap(run=7)),
    "a number before the first": batch(tap(sequence=-1)),
    "a number that is huge": batch(tap(sequence=2**31)),
    "half a number": batch(tap(sequence=1.5)),
    "less than nothing left": batch(tap(), left=-1),
    "an endless run": batch(tap(monotonic=float("inf"))),
    "a run of no length": batch(tap(monotonic=float("nan"))),
    "a run before its beginning": batch(tap(monotonic=-1)),
    "a run of ages": batch(tap(), monotonic=1e300),
    "a run that is true": batch(tap(monotonic=True)),
    "a contact that is a text": batch(tap(contact="2026-11-23T12:00:00+08:00")),
    "half a contact": batch(tap(contact={"at": "2026-11-23T12:00:00+08:00"})),
    "a contact at no moment": batch(tap(contact={"at": "now", "device_time": "now"})),
    "a contact beyond all clocks": batch(
        tap(contact={"at": "9999-12-31T23:59:59-14:00", "device_time": "9999-12-31T23:59:59+00:00"})
    ),
}


def test_bodies_of_another_shape_are_refused(
    phone: Browser, web_site: Site, lupusqol: Assessment, subtests: pytest.Subtests
) -> None:
    phone.get(path(lupusqol, "/items/1"))
    before = snapshot(web_site.database)
    for name, body in SHAPES.items():
        with subtests.test(name):
            answer = phone.client.post(
                path(lupusqol, "/answers"),
                data=json.dumps(body),
                content_type="application/json",
                headers={"X-CSRFToken": phone.page.token()},
            )
            assert answer.status_code == 422, answer.text
            assert answer.json is not None
            assert answer.json["error"] == "body"
    assert snapshot(web_site.database) == before


def test_a_body_that_is_no_json_is_refused(phone: Browser, lupusqol: Assessment) -> None:
    phone.get(path(lupusqol, "/items/1"))
    for kind, status in (("application/json", 400), ("text/plain", 415)):
        answer = phone.client.post(
            path(lupusqol, "/answers"),
            data="{",
            content_type=kind,
            headers={"X-CSRFToken": phone.page.token()},
        )
        assert answer.status_code == status


def test_a_body_that_is_too_large_is_refused(phone: Browser, lupusqol: Assessment) -> None:
    phone.get(path(lupusqol, "/items/1"))
    answer = phone.send(path(lupusqol, "/answers"), batch(tap(padding="x" * 1_000_001)))
    assert answer.status_code == 413


anything: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        [
            "LQ01",
            "answered",
            "skipped",
            "submitted",
            "en",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            str(uuid.UUID(int=7)),
        ]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
operations = st.fixed_dictionaries(
    {"id": st.uuids().map(str) | anything, "item": anything, "state": anything},
    optional={
        "code": anything,
        "device_time": anything,
        "prompted": anything,
        "sequence": anything,
        "run": st.uuids().map(str) | anything,
        "monotonic": st.floats(0, 1e6) | anything,
        "contact": st.fixed_dictionaries({"at": anything, "device_time": anything}) | anything,
    },
)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    body=st.fixed_dictionaries(
        {"language": st.just("en") | anything, "operations": st.lists(operations) | anything},
        optional={
            "sent_at": anything,
            "seen": anything,
            "journal": st.uuids().map(str) | anything,
            "left": st.integers(0, 9) | anything,
            "run": st.uuids().map(str) | anything,
            "monotonic": st.floats(0, 1e6) | anything,
        },
    )
    | anything
)
def test_no_body_breaks_the_house(phone: Browser, lupusqol: Assessment, body: Any) -> None:
    """Whatever is sent is taken or refused; nothing makes a fault of ours."""
    if not hasattr(phone, "ready"):
        phone.get(path(lupusqol, "/items/1"))
        phone.ready = True  # type: ignore[attr-defined]
    answer = phone.client.post(
        path(lupusqol, "/answers"),
        data=json.dumps(body),
        content_type="application/json",
        headers={"X-CSRFToken": phone.page.token()},
    )
    assert answer.status_code in {200, 422}, answer.text


@pytest.mark.parametrize(
    ("tapped", "sent"),
    [
        ("0001-01-01T00:00:00+14:00", "2026-11-23T09:00:00+08:00"),
        ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"),
        ("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"),
        ("1970-01-01T00:00:00+00:00", "1970-01-01T00:01:00+00:00"),
        ("2026-11-23T09:00:00.123456+05:30:15.123456", "2026-11-23T09:00:00+08:00"),
    ],
)
def test_no_clock_is_too_wrong_for_an_answer(
    phone: Browser, web_site: Site, lupusqol: Assessment, tapped: str, sent: str
) -> None:
    phone.get(path(lupusqol, "/items/1"))
    body = batch(tap(device_time=tapped), sent_at=sent)
    assert phone.send(path(lupusqol, "/answers"), body).status_code == 200
    assert stored(web_site) == [("LQ01", "answered", 1, False)]


# --- when the house itself fails ----------------------------------------------------------------


def test_a_fault_of_ours_is_said_in_the_persons_words(
    app: Flask, phone: Browser, lupusqol: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.get(path(lupusqol, "/items/1"))

    def fail(*_anything: object, **_more: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr("pro_app.services.answers.save", fail)
    page = phone.post(path(lupusqol, "/items/1"), status=500, choice="1", action="next")
    assert "The fault is ours." in page.text
    assert "on purpose" not in page.text
    phone.get(path(lupusqol, "/items/1"))
    answer = phone.send(path(lupusqol, "/answers"), batch(tap()))
    assert (answer.status_code, answer.json) == (500, {"error": "server"})


def test_pages_that_are_not_there_are_ours_too(phone: Browser) -> None:
    assert "There is nothing here" in phone.get("/nothing", status=404).text
    assert PIN not in phone.page.text

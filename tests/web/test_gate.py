"""A live study shows licensed wording alone: what participants see when a licence ends, a version
changes, a language is lacking, or a way of reading is not permitted."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.core.wording import Wording, short
from pro_app.models import Answer, Assessment
from pro_app.services import studies
from tests.conftest import Enrolled, Site, TestClock
from tests.pages import Browser, Page
from tests.services.going_live import enrol, go_live
from tests.services.licensing import license_one, renew
from tests.services.table_rows import rows
from tests.web.test_staff import Desk, desk
from tests.web.test_tablet import LIST, confirm, hand_over

__all__ = ["desk"]

DAY = timedelta(days=1)


@pytest.fixture
def live(web_site: Site) -> Site:
    go_live(web_site)
    return web_site


@pytest.fixture
def person(live: Site) -> Enrolled:
    return enrol(live)


@pytest.fixture
def sheet(live: Site, person: Enrolled) -> Assessment:
    return live.open(person)[0]


@pytest.fixture
def phone(app: Flask, person: Enrolled, sheet: Assessment) -> Browser:
    found = Browser(app, "ta")
    found.join(person)
    return found


def licensed(site: Site, version: str, **terms: Any) -> Wording:
    """LupusQoL in Tamil, each text with the version's mark, from today on."""
    with site.database.writing() as session:
        given = {"from_on": site.clock().date()} | terms
        read = license_one(
            session, site.study, site.library, "lupusqol", "ta", site.clock(), version,
            f" [{version}]", **given,
        )  # fmt: skip
        site.study = studies.current(session, site.library, site.study.id)
    return read


def end(site: Site, **terms: Any) -> None:
    """What is licensed in Tamil today is so no more."""
    with site.database.writing() as session:
        given = {"modes": frozenset[str]()} | terms
        site.study = renew(
            session, site.study, site.library, "lupusqol", "ta", site.clock(), **given
        )


def path(sheet: Assessment, rest: str = "") -> str:
    return f"/questionnaires/{sheet.public_id}{rest}"


def unlocked(phone: Browser, address: str) -> Page:
    """A page, after the PIN that a new day asks for."""
    phone.get(address)
    phone.unlock()
    return phone.get(address)


def wordings(site: Site) -> list[str]:
    with site.database.reading() as session:
        return list(session.scalars(sa.select(Answer.wording).order_by(Answer.id)))


def first_item(site: Site) -> str:
    read = site.library.wording("lupusqol", "ta")
    assert read is not None
    return read.items["LQ01"]


def test_without_a_licence_nothing_opens_and_no_other_language_is_shown(
    live: Site, phone: Browser, sheet: Assessment
) -> None:
    end(live)
    page = phone.get(path(sheet), status=404)
    assert first_item(live) not in page.text
    english = live.library.wording("lupusqol", "en")
    assert english is not None
    assert english.instruction not in page.text
    phone.get(path(sheet, "/items/1"), status=404)
    plan = phone.client.get("/plan").get_json()["questionnaires"]
    assert (plan[0]["sheet"], plan[0]["wording"], plan[0]["instruction"]) == (None, None, None)
    assert plan[1]["sheet"] is not None
    assert path(sheet) not in {one.get("href") for one in phone.get("/today").all("a")}
    (row, _) = rows(live, "assessments")
    assert (row["status"], row["not_expected_reason"]) == ("not_expected", "no_wording")


def test_expiry_during_a_questionnaire_lets_it_be_finished(
    live: Site, phone: Browser, sheet: Assessment, clock: TestClock
) -> None:
    read = licensed(live, "2", until=clock().date())
    phone.get(path(sheet, "/items/1"))
    phone.post(path(sheet, "/items/1"), choice="3", action="next", shown_in="ta")
    clock.forward(days=1)
    assert "[2]" in unlocked(phone, path(sheet, "/items/2")).text
    phone.post(path(sheet, "/items/2"), choice="3", action="next", shown_in="ta")
    assert wordings(live) == [read.fingerprint] * 2
    for code in live.library.instruments["lupusqol"].items:
        phone.post(path(sheet, f"/items/{code.n}"), choice="3", action="next", shown_in="ta")
    phone.get(path(sheet, "/review"))
    phone.post(path(sheet, "/submit"))
    assert phone.path == path(sheet, "/receipt")
    row = rows(live, "assessments")[0]
    assert (row["status"], row["wordings"]) == ("completed", read.fingerprint)
    assert (row["wording_versions"], row["demonstration"]) == ("2", 0)
    scored = [*rows(live, "scores"), *rows(live, "scores_long")]
    assert len(scored) > 8
    for row in scored:
        assert (row["mode"], row["languages"]) == ("own_phone", "ta")
        assert (row["wordings"], row["wording_versions"]) == (read.fingerprint, "2")


def test_a_new_version_during_a_questionnaire_comes_with_the_next_one(
    live: Site, phone: Browser, sheet: Assessment, person: Enrolled, clock: TestClock
) -> None:
    phone.get(path(sheet, "/items/1"))
    phone.post(path(sheet, "/items/1"), choice="3", action="next", shown_in="ta")
    (first,) = set(wordings(live))
    clock.forward(days=1)
    second = licensed(live, "2")
    assert "[2]" not in unlocked(phone, path(sheet, "/items/2")).text
    phone.post(path(sheet, "/items/2"), choice="3", action="next", shown_in="ta")
    assert set(wordings(live)) == {first}
    later = live.open(person, occurrence=2)[0]
    assert "[2]" in phone.get(path(later, "/items/1")).text
    phone.post(path(later, "/items/1"), choice="3", action="next", shown_in="ta")
    assert wordings(live)[-1] == second.fingerprint
    long = {
        (row["occurrence"], row["wording_version"])
        for row in rows(live, "answers_long")
        if row["wording"]
    }
    assert long == {(1, "1"), (2, "2")}


def test_an_answer_tells_the_wording_that_was_on_the_screen(
    live: Site, phone: Browser, sheet: Assessment, clock: TestClock
) -> None:
    """A page that lay open, or a sheet that was answered without network, while a new version
    came: what was seen is what is recorded."""
    page = phone.get(path(sheet, "/items/1"))
    (seen,) = (one["value"] for one in page.all("input") if one.get("name") == "wording")
    plan = phone.client.get("/plan").get_json()["questionnaires"][0]
    assert plan["wording"] == seen
    second = licensed(live, "2")
    phone.post(path(sheet, "/items/1"), choice="3", action="next", shown_in="ta", wording=str(seen))
    body = {
        "operations": [
            {"id": str(uuid.uuid4()), "item": f"LQ0{n}", "state": "answered", "code": 1,
             "language": "ta", "wording": name}
            for n, name in ((2, seen), (3, short(second)), (4, "f" * 12))
        ]
    }  # fmt: skip
    answer = phone.client.post(
        path(sheet, "/answers"), json=body, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status_code == 200
    told = [one[:12] for one in wordings(live)]
    assert told == [seen, seen, short(second), short(second)], "an unknown name is no wording"


def test_a_licence_for_phones_opens_nothing_on_the_tablet(
    live: Site, phone: Browser, person: Enrolled, sheet: Assessment, desk: Desk
) -> None:
    asked = f"/staff/test/participants/{person.number}/tablet"
    assert "2 questionnaires are open" in desk.get(asked).text
    end(live, modes=frozenset({"phone"}))
    phone.get(path(sheet, "/items/1"))
    assert "1 questionnaire is open" in desk.get(asked).text
    hand_over(desk, live, person.number)
    confirm(desk, person.number[-2:])
    if desk.path == "/tablet/notice":
        desk.post("/tablet/notice", accept="yes")
    page = desk.get(LIST)
    assert f"{LIST}/{sheet.public_id}" not in {one.get("href") for one in page.all("a")}
    desk.get(f"{LIST}/{sheet.public_id}/items/1")
    assert desk.path == LIST
    assert first_item(live) not in desk.page.text


def test_what_opens_after_the_licence_has_ended_is_not_expected(
    live: Site, person: Enrolled, clock: TestClock
) -> None:
    end(live)
    clock.forward(days=1)
    live.open(person, opens=timedelta(), closes=DAY)
    states = {row["instrument"]: row for row in rows(live, "assessments")}
    assert states["lupusqol"]["status"] == "not_expected"
    assert states["lupusqol"]["not_expected_reason"] == "no_wording"
    assert states["sf36v1"]["status"] == "open"


def test_the_sheet_of_a_stored_wording_is_found_by_a_process_that_never_rendered_it(
    live: Site, phone: Browser, sheet: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = licensed(live, "2")
    address = phone.client.get("/plan").get_json()["questionnaires"][0]["sheet"]
    monkeypatch.setattr("pro_app.web.sheets._rendered", {})
    answer = phone.client.get(address)
    assert answer.status_code == 200
    assert read.items["LQ34"] in answer.get_data(as_text=True)

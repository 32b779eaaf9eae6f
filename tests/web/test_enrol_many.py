"""Enrolling many by page: every fault with its place, exactly the file looked at, and cards."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.core.file_table import REASONS
from pro_app.models import AuditEntry, Participant
from pro_app.models import Site as SiteRow
from pro_app.services import enrolment
from pro_app.web import enrol_many, file_words
from tests.conftest import Site, TestClock, snapshot
from tests.pages import Browser, Page
from tests.web.test_staff import Desk, at, desk, hidden, invite

__all__ = ["desk"]

HEADER = "number,site,language,consent_version,consent_on,enrolment,email"
MYKAD = "900101-14-5678"
GOOD = (
    "01-401,01,ms,1.2,2026-11-20,,",
    "01-402,01,ta,1.2,2026-11-20,2026-11-21,someone@mail.example",
    "01-403,01,zh_Hans,1.2,2026-11-20,,",
)


def upload(desk: Desk, site: Site, *lines: str, status: int = 200, header: str = HEADER) -> Page:
    """Choose a file and look for faults."""
    desk.get(at(site, "/enrol/many"))
    data = "\n".join([header, *lines]).encode()
    given = {"csrf_token": desk.page.token(), "file": (io.BytesIO(data), "people.csv")}
    desk.response = desk.client.post(at(site, "/enrol/many"), data=given, headers=desk.accept)
    return desk._see(status)


def enrol(desk: Desk, site: Site, status: int = 200, **other: str) -> Page:
    """Press the button below a file without faults."""
    fields = {name: value for name, value in hidden(desk).items() if name in {"packed", "sha256"}}
    return desk.post(at(site, "/enrol/many/enrol"), status, **fields | other)


def numbers(site: Site) -> list[str]:
    with site.database.reading() as session:
        return list(session.scalars(sa.select(Participant.number).order_by(Participant.number)))


def rows(page: Page) -> list[tuple[str, ...]]:
    """The table of faults: line, column, reason."""
    found = re.findall(
        r'<th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td>', page.text, re.DOTALL
    )
    return [tuple(re.sub("<[^>]+>", "", cell) for cell in row) for row in found]


def test_a_look_enrols_nobody_and_the_button_exactly_this_file(desk: Desk, web_site: Site) -> None:
    before = snapshot(web_site.database)
    upload(desk, web_site, *GOOD)
    assert "3 participants can be enrolled" in desk.page.text
    assert snapshot(web_site.database) == before
    enrol(desk, web_site)
    assert desk.path == at(web_site, "/enrol/many/cards")
    assert numbers(web_site) == ["01-401", "01-402", "01-403"]
    assert "3 participants of yours were enrolled" in desk.page.text
    with web_site.database.reading() as session:
        entries = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action.in_(["enrol", "enrol_file"]))
        ).all()
        people = session.scalars(sa.select(Participant)).all()
    assert {one.actor.partition("/")[0] for one in entries} == {"staff"}
    assert len(entries) == 4
    assert all(one.scheduled_version for one in people)


def test_every_fault_is_named_with_its_place_and_no_value(desk: Desk, web_site: Site) -> None:
    lines = (
        "1-1,01,ms,1.2,2026-11-20,,",
        "01-402,09,fr,1.2,2026-11-99,,nobody",
        f"01-403,01,ms,{MYKAD},2030-01-01,,",
        "01-404,01",
        "01-402,01,ms,,2026-11-20,,",
    )
    upload(desk, web_site, *lines, status=422)
    told = rows(desk.page)
    assert [row[:2] for row in told] == [
        ("2", "number"), ("3", "site"), ("3", "language"), ("3", "consent_on"), ("3", "email"),
        ("4", "consent_version"), ("4", "consent_on"), ("5", "–"), ("6", "number"),
        ("6", "consent_version"),
    ]  # fmt: skip
    assert "This is not a study number of this site." in told[0][2]
    assert "first in line 3" in told[8][2]
    assert "There are 10 faults" in desk.page.text
    for value in ("1-1", "2026-11-99", "nobody", MYKAD):
        assert value not in " ".join(" ".join(row) for row in told)
    assert numbers(web_site) == []


def test_faults_of_the_whole_file(desk: Desk, web_site: Site) -> None:
    for data, said in (
        ((), "no line below it"),
        (("\0",), "not text"),
        (("\udce9",), "CSV UTF-8"),
    ):
        desk.get(at(web_site, "/enrol/many"))
        text = "\n".join([HEADER, *data]).encode("utf-8", "surrogateescape")
        given = {"csrf_token": desk.page.token(), "file": (io.BytesIO(text), "people.csv")}
        desk.response = desk.client.post(at(web_site, "/enrol/many"), data=given)
        desk._see(422)
        assert said in rows(desk.page)[0][2]
    upload(desk, web_site, GOOD[0], header=HEADER.replace("language", "tongue"), status=422)
    assert [row[:2] for row in rows(desk.page)] == [("1", "–"), ("1", "language")]


def test_no_file_is_said_beside_the_field(desk: Desk, web_site: Site) -> None:
    desk.get(at(web_site, "/enrol/many"))
    desk.post(at(web_site, "/enrol/many"), 422)
    assert 'href="#file"' in desk.page.text
    assert 'aria-invalid="true"' in desk.page.text


def test_many_faults_are_cut_with_their_number(
    desk: Desk, web_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrol_many, "SHOWN", 2)
    upload(desk, web_site, "x,01,ms,1,2026-11-20,,", "y,01,fr,1,2026-11-20,,", status=422)
    assert len(rows(desk.page)) == 2
    assert "The first 2 of 3." in desk.page.text


@pytest.mark.parametrize("field", ["packed", "sha256"])
@pytest.mark.parametrize("value", ["", "eJwDAAAAAAE=", "not base64 at all"])
def test_another_file_than_the_one_looked_at_is_refused(
    desk: Desk, web_site: Site, field: str, value: str
) -> None:
    upload(desk, web_site, *GOOD)
    enrol(desk, web_site, 422, **{field: value})
    assert numbers(web_site) == []
    assert "choose the file again" in desk.page.text


def test_who_was_faster_and_pressing_twice_enrol_nobody_more(desk: Desk, web_site: Site) -> None:
    upload(desk, web_site, *GOOD)
    fields = hidden(desk)
    web_site.enrol("01-402")
    enrol(desk, web_site, 422)
    assert numbers(web_site) == ["01-402"]
    assert [row[:2] for row in rows(desk.page)] == [("3", "number")]
    upload(desk, web_site, GOOD[0])
    fields = hidden(desk)
    enrol(desk, web_site)
    cards = desk.path
    enrol(desk, web_site, packed=fields["packed"], sha256=fields["sha256"])
    assert desk.path == cards, "who presses twice is where the first press led"
    assert numbers(web_site) == ["01-401", "01-402"]


def test_a_coordinator_enrols_at_the_own_sites_alone(
    app: Flask, web_site: Site, clock: TestClock
) -> None:
    with web_site.database.writing() as session:
        own = session.scalars(sa.select(SiteRow.id).where(SiteRow.code == "01")).one()
        other = session.scalar(sa.select(SiteRow.id).where(SiteRow.code == "02"))
        if other is None:
            session.add(SiteRow(study_id=web_site.study.id, code="02", name="There"))
    desk = Desk(app, clock)
    desk.set_up(invite(web_site, place=own))
    upload(desk, web_site, GOOD[0], "02-401,02,ms,1,2026-11-20,,", status=422)
    assert rows(desk.page) == [("3", "site", "This is not a site of yours.")]
    everywhere = Desk(app, clock)
    everywhere.set_up(invite(web_site, email="all@hospital.example"))
    upload(everywhere, web_site, *GOOD)
    enrol(everywhere, web_site)
    with web_site.database.writing() as session:
        elsewhere = session.scalars(sa.select(SiteRow.id).where(SiteRow.code == "02")).one()
        session.execute(
            sa.update(Participant).where(Participant.number != "01-401").values(site_id=elsewhere)
        )
    desk.get(at(web_site, "/enrol/many/cards"))
    desk.get(re.search(r'href="([^"]+cards\?file=[0-9a-f]+)"', desk.page.text)[1])  # type: ignore[index]
    assert "01-401" in desk.page.text
    assert not re.search("01-40[23]", desk.page.text)


def test_the_example_is_a_file_that_can_be_filled_in(desk: Desk, web_site: Site) -> None:
    answer = desk.client.get(at(web_site, "/enrol/many/template.csv"))
    assert answer.mimetype == "text/csv"
    header, line = answer.data.decode("utf-8-sig").splitlines()
    assert header.startswith("number,site,language,consent_version,consent_on,")
    upload(desk, web_site, line.replace("number", "01-777"), header=header)
    assert "1 participant can be enrolled" in desk.page.text


def test_cards_are_printed_in_parts_in_each_ones_language_and_their_codes_join(
    app: Flask, desk: Desk, web_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrol_many, "CARDS", 2)
    upload(desk, web_site, *GOOD)
    enrol(desk, web_site)
    assert "01-401 – 01-402" in desk.page.text
    file = hidden(desk)["file"]
    desk.post(at(web_site, "/enrol/many/cards"), file=file, part="1")
    cards = re.findall(
        r'class="joining-card" lang="([^"]+)".*?class="big">([A-Z0-9 ]+)<',
        desk.page.text,
        re.DOTALL,
    )
    assert [language for language, _ in cards] == ["ms", "ta"]
    phone = Browser(app, "ms")
    phone.get("/join/")
    phone.post("/join/", code=cards[0][1])
    phone.post("/join/notice", accept="yes")
    phone.post("/join/pin", pin="246813", again="246813")
    assert phone.path == "/today"
    desk.get(at(web_site, f"/enrol/many/cards?file={file}"))
    assert "1 was made before" in desk.page.text, "and the one who has joined needs none"
    known = re.search(r'name="known" value="([1-9]\d*)"', desk.page.text)
    assert known is not None
    desk.post(at(web_site, "/enrol/many/cards"), file=file, part="1", known=known[1])
    assert desk.page.text.count("joining-card") == 1
    desk.post(at(web_site, "/enrol/many/cards"), file=file, part="2")
    assert 'lang="zh-Hans"' in desk.page.text


@pytest.mark.parametrize("known", [{"known": "0"}, {"known": "x"}, {}])
def test_nobodys_cards_are_made_dead_unseen(
    desk: Desk, web_site: Site, known: dict[str, str]
) -> None:
    """Two people, or one who presses twice, with the page on which no card was made yet."""
    upload(desk, web_site, *GOOD)
    enrol(desk, web_site)
    cards, asked = at(web_site, "/enrol/many/cards"), {"file": hidden(desk)["file"], "part": "1"}
    desk.post(cards, **asked, known="0")
    printed = codes_on(desk)
    before = snapshot(web_site.database)
    desk.post(cards, 422, **asked, **known)
    assert "were made since this page was opened" in desk.page.text
    assert "joining-card" not in desk.page.text
    assert snapshot(web_site.database) == before
    desk.post(cards, **asked, known=hidden(desk)["known"])
    assert not set(codes_on(desk)) & set(printed), "asked again, knowing of them, they are made"


def test_a_part_is_made_as_a_whole(desk: Desk, web_site: Site) -> None:
    upload(desk, web_site, *GOOD)
    enrol(desk, web_site)
    asked = {"file": hidden(desk)["file"], "part": "1", "known": "0"}
    before = snapshot(web_site.database)
    with pytest.MonkeyPatch.context() as patch:
        real, calls = enrolment.issue_code, []

        def fails_at_the_second(*given: Any, **more: Any) -> str:
            calls.append(given)
            if len(calls) == 2:
                raise RuntimeError
            return real(*given, **more)

        patch.setattr(enrolment, "issue_code", fails_at_the_second)
        desk.post(at(web_site, "/enrol/many/cards"), 500, **asked)
    assert snapshot(web_site.database) == before
    with web_site.database.writing() as session:
        people = session.scalars(sa.select(Participant.id).order_by(Participant.id)).all()
        enrolment.withdraw(session, people[0], web_site.clock())
    desk.post(at(web_site, "/enrol/many/cards"), **asked)
    assert len(codes_on(desk)) == len(people) - 1, "the others' cards, of who has not left"


def codes_on(desk: Desk) -> list[str]:
    """The codes on the cards that are shown."""
    return re.findall(r'class="big">([A-Z0-9 ]+)<', desk.page.text)


@pytest.mark.parametrize(("file", "part"), [("", "1"), ("f" * 64, "1"), (None, "9"), (None, "x")])
def test_no_cards_of_what_is_not_there(
    desk: Desk, web_site: Site, file: str | None, part: str
) -> None:
    upload(desk, web_site, *GOOD)
    enrol(desk, web_site)
    chosen = hidden(desk)["file"] if file is None else file
    before = snapshot(web_site.database)
    desk.post(at(web_site, "/enrol/many/cards"), 422, file=chosen, part=part)
    assert "joining-card" not in desk.page.text
    assert snapshot(web_site.database) == before


def test_every_fault_has_words() -> None:
    assert file_words.REASONS.keys() == REASONS.keys()
    for code, text in REASONS.items():
        named = set(re.findall(r"\{(\w+)", text))
        assert set(re.findall(r"%\((\w+)\)", str(file_words.REASONS[code]))) <= named


def walk(desk: Desk, site: Site) -> None:
    """Every page of enrolling many, and every fault of a file."""
    desk.get(at(site, "/enrol/many/cards"))
    desk.get(at(site, "/enrol/many"))
    desk.post(at(site, "/enrol/many"), 422)
    site.enrol("01-499")
    wrong = (
        "1-1,01,ms,1.2,2026-11-20,,", "01-402,09,fr,1.2,2026-11-99,,nobody",
        f"01-403,01,ms,{MYKAD},2030-01-01,,", "01-404,01", "01-402,01,ms,,2026-11-20,,",
        "01-499,01,ms,1,2026-11-20,,", f"{'9' * 41},01,ms,{'v' * 41},2026-11-20,,",
    )  # fmt: skip
    upload(desk, site, *wrong, status=422)
    upload(desk, site, status=422)
    upload(desk, site, '"', status=422)
    upload(desk, site, "\0", status=422)
    upload(desk, site, GOOD[0], header=f"{HEADER},,site,tongue", status=422)
    upload(desk, site, GOOD[0], header=HEADER.replace("language,", ""), status=422)
    upload(desk, site, f"01-401,01,{desk_language(desk)},1.2,2026-11-20,,")
    enrol(desk, site, 422, sha256="")
    upload(desk, site, f"01-401,01,{desk_language(desk)},1.2,2026-11-20,,")
    enrol(desk, site)
    file, known = hidden(desk)["file"], hidden(desk)["known"]
    desk.post(at(site, "/enrol/many/cards"), file=file, part="1", known=known)
    desk.post(at(site, "/enrol/many/cards"), 422, file=file, part="1", known=known)
    desk.get(at(site, "/enrol/many/cards"))
    desk.get(at(site, f"/enrol/many/cards?file={file}"))
    desk.post(at(site, "/enrol/many/cards"), 422, file=file, part="9")


def desk_language(desk: Desk) -> str:
    """The language that the desk's pages are in, for a card of the same."""
    return str(desk.page.all("html")[0]["lang"]).replace("-", "_")


def test_the_walk(desk: Desk, web_site: Site) -> None:
    walk(desk, web_site)
    assert "01-401" in numbers(web_site)

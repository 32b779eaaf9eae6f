"""The record on pages: who sees what of it, the search, and the file that is taken away."""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.config import ROOT
from pro_app.core.schedule import Kind
from pro_app.models import AuditEntry, Database
from pro_app.models import Site as SiteRow
from pro_app.services import staff, trail
from pro_app.web import trail_words
from tests.conftest import Enrolled, Site, TestClock, snapshot
from tests.pages import Browser
from tests.services.licensing import license_one
from tests.web.test_staff import at
from tests.web.test_staff_access import sign_in

RECORD = "/participants/01-101/record"
REASON = "Query 7 of the monitor"


def place(site: Site, code: str) -> int:
    with site.database.reading() as session:
        return session.scalars(sa.select(SiteRow.id).where(SiteRow.code == code)).one()


def live(site: Site, number: str = "01-101") -> Enrolled:
    """Somebody who has changed an answer and submitted; another one elsewhere."""
    person = site.enrol(number)
    device = site.join(person)
    first, second = site.open(person)
    site.answer(first, {"LQ01": 2})
    site.answer(first, {"LQ01": 4, "LQ02": "skipped"})
    site.answer_all(second)
    site.submit(second, device)
    return person


@pytest.fixture
def lived(web_site: Site) -> Site:
    live(web_site)
    web_site.enrol("02-202")
    return web_site


def entries(database: Database, action: str) -> list[AuditEntry]:
    with database.reading() as session:
        found = sa.select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)
        return list(session.scalars(found))


def body(browser: Browser) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", browser.page.text).split())


# --- a participant's record ---------------------------------------------------------------------


def test_an_investigator_reads_answers_and_that_is_on_record(app: Flask, lived: Site) -> None:
    browser = sign_in(app, lived, "investigator", None)
    browser.get(at(lived, RECORD) + "?field=LQ01")
    text = body(browser)
    assert "Answered a question" in text
    wording = lived.library.wording("lupusqol", "en")
    assert wording is not None
    for code in (2, 4):
        assert f"{code} {next(iter(wording.options.values()))[code]}" in text
    assert "Demonstration wording" in text
    (read,) = entries(lived.database, "read_record")
    assert read.stream.startswith("participant/")
    assert (read.actor[:6], read.detail) == ("staff/", {"field": "LQ01"})
    browser.get(at(lived, RECORD) + "?action=read_record")
    assert "Read answers on the record" in body(browser)
    assert len(entries(lived.database, "read_record")) == 1, "no answer was on that page"


def test_an_old_answer_is_told_in_the_words_that_were_read(app: Flask, web_site: Site) -> None:
    person = web_site.enrol("01-101")
    sheet = web_site.open(person)[0]
    for version, code in (("1", 2), ("2", 4)):
        with web_site.database.writing() as session:
            wording = license_one(
                session, web_site.study, web_site.library, sheet.instrument, "en",
                web_site.clock(), version, f" [{version}]",
            )  # fmt: skip
        web_site.answer(sheet, {"LQ01": code}, wording=wording)
    web_site.answer(sheet, {"LQ01": 1}, "ms")
    browser = sign_in(app, web_site, "investigator", None)
    browser.get(at(web_site, RECORD) + "?field=LQ01")
    shipped = {one: web_site.library.wording("lupusqol", one) for one in ("en", "ms")}
    said = {
        (one, code): next(iter(wording.options.values()))[code]
        for one, wording in shipped.items()
        if wording is not None
        for code in (1, 2, 4)
    }
    first, second = f"2 {said['en', 2]} [1]", f"4 {said['en', 4]} [2]"
    assert [line.split(" Details ")[0].split(" LQ01 ")[-1] for line in lines(browser)] == [
        f"{second} 1 {said['en', 1]} [2] {said['ms', 1]}",  # today's English beside what was read
        f"{first} {second}",
        f"– no value {first}",
    ]


def lines(browser: Browser) -> list[str]:
    """The rows of the table as they read."""
    rows = re.findall(r"<tr>\n<td>.*?</tr>", browser.page.text, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", one).split()) for one in rows]


def test_a_coordinator_sees_that_it_was_answered_and_not_what(app: Flask, lived: Site) -> None:
    browser = sign_in(app, lived, "coordinator", None)
    before = snapshot(lived.database)
    browser.get(at(lived, RECORD))
    text = body(browser)
    assert "Answered a question" in text
    assert "Left out: it holds answers or scores." in text
    assert "left unanswered" not in text
    wording = lived.library.wording("lupusqol", "en")
    assert wording is not None
    for options in wording.options.values():
        for label in options.values():
            assert label not in text
    assert snapshot(lived.database) == before, "reading status is not put on record"


def test_a_coordinators_file_has_no_answers_either(app: Flask, lived: Site) -> None:
    for role, sees in (("coordinator", False), ("investigator", True)):
        browser = sign_in(app, lived, role, None)
        browser.get(at(lived, RECORD))
        table = download(browser, at(lived, RECORD))
        answers = [row for row in table if row["action"] == "answer"]
        assert len(answers) > 30
        for row in answers:
            assert (row["new"] != "") is sees
            assert (row["detail"] != "") is sees
            assert row["withheld"] == str(int(not sees))
        harmless = [row for row in table if row["action"] == "enrol"]
        assert harmless[0]["withheld"] == "0"


def download(browser: Browser, path: str, status: int = 200, **fields: str) -> list[dict[str, str]]:
    data = {"csrf_token": browser.page.token(), "reason": REASON, **fields}
    browser.response = browser.client.post(path, data=data)
    assert browser.response.status_code == status
    assert browser.response.headers["Cache-Control"] == "no-store"
    assert "attachment" in browser.response.headers["Content-Disposition"]
    table = list(csv.DictReader(io.StringIO(browser.response.text), strict=True))
    browser.response.close()
    return table


def test_the_file_is_what_was_searched_and_is_on_record(app: Flask, lived: Site) -> None:
    browser = sign_in(app, lived, "investigator", None)
    browser.get(at(lived, RECORD) + "?field=LQ01")
    table = download(browser, at(lived, RECORD), field="LQ01")
    assert [(row["old"], row["new"]) for row in table] == [("2", "4"), ("", "2")]
    (entry,) = entries(lived.database, "export")
    assert entry.detail == {
        "participant": "01-101",
        "site": "01",
        "filter": {"field": "LQ01"},
        "rows": 2,
        "reason": REASON,
        "sha256": hashlib.sha256(browser.response.data).hexdigest(),
    }
    assert (entry.new, entry.actor[:6]) == ("record", "staff/")


@pytest.mark.parametrize("reason", ["", "x" * 501, "for 900101-14-5678"])
def test_a_file_needs_a_reason_and_nothing_typed_is_lost(
    app: Flask, lived: Site, reason: str
) -> None:
    browser = sign_in(app, lived, "investigator", None)
    browser.get(at(lived, RECORD))
    browser.post(at(lived, RECORD), 422, reason=reason, field="LQ01", **{"from": "2026-11-01"})
    assert 'href="#reason"' in browser.page.text
    assert 'id="reason-fault"' in browser.page.text
    values = [one.get("value") for one in browser.page.all("input")]
    assert {"LQ01", "2026-11-01", reason[:80]} <= {str(one or "")[:80] for one in values}
    assert entries(lived.database, "export") == []


def test_a_file_asks_for_a_fresh_proof(app: Flask, lived: Site, clock: TestClock) -> None:
    browser = sign_in(app, lived, "investigator", None)
    browser.get(at(lived, RECORD))
    clock.forward(minutes=6)
    browser.post(at(lived, RECORD), 401, reason=REASON, field="LQ01")
    assert entries(lived.database, "export") == []


def test_a_spreadsheet_runs_nothing_of_it(app: Flask, lived: Site) -> None:
    with lived.database.writing() as session:
        person = session.scalars(sa.text("SELECT id FROM participant WHERE number='01-101'")).one()
        trail.note_reading(session, person, trail.Search(about="=1+1"), "=cmd", lived.clock())
    browser = sign_in(app, lived, "coordinator", None)
    browser.get(at(lived, RECORD))
    (row,) = download(browser, at(lived, RECORD), action="read_record")
    assert row["actor"] == "'=cmd"


def test_the_search_by_what_who_and_day(app: Flask, lived: Site, clock: TestClock) -> None:
    clock.forward(days=2)
    sheet = lived.open(lived_person(lived), "month_3")[0]
    browser = sign_in(app, lived, "investigator", None)
    seen = {}
    for search in (
        "action=enrol", "who=participant", "who=system", "from=2026-11-25", "to=2026-11-24",
        f"about=assessment/{sheet.public_id}", "who=staff/999",
    ):  # fmt: skip
        browser.get(at(lived, RECORD) + f"?{search}")
        seen[search] = body(browser)
    assert "Enrolled the participant" in seen["action=enrol"].partition("When Who")[2]
    assert "the system" not in seen["who=participant"].partition("When Who")[2]
    assert "Computed scores" in seen["who=system"].partition("When Who")[2]
    assert "Opened a questionnaire" in seen["from=2026-11-25"].partition("When Who")[2]
    assert "Joined with a phone" not in seen["from=2026-11-25"].partition("When Who")[2]
    assert "Joined with a phone" in seen["to=2026-11-24"].partition("When Who")[2]
    own = seen[f"about=assessment/{sheet.public_id}"].partition("When Who")[2]
    assert "Month 3" in own
    assert "Start ·" not in own
    assert "Nothing on the record fits this search." in seen["who=staff/999"]
    browser.get(at(lived, RECORD) + "?from=yesterday&field=LQ01", 422)
    assert 'id="from-fault"' in browser.page.text


def lived_person(site: Site) -> Enrolled:
    with site.database.reading() as session:
        found = session.execute(
            sa.text("SELECT id, number, language FROM participant WHERE number = '01-101'")
        ).one()
    return Enrolled(found.id, found.number, found.language, "")


def test_pages_follow_each_other_without_gap_or_repeat(app: Flask, lived: Site) -> None:
    browser = sign_in(app, lived, "coordinator", None)
    browser.get(at(lived, RECORD))
    seen: list[str] = []
    while True:
        seen += re.findall(r'<time datetime="[^"]+">', browser.page.text)
        later = re.search(r'href="([^"]+before=\d+)"', browser.page.text)
        if later is None:
            break
        browser.get(later[1].replace("&amp;", "&"))
    with lived.database.reading() as session:
        person = lived_person(lived).id
        count = session.scalar(
            sa.select(sa.func.count()).where(AuditEntry.stream == f"participant/{person}")
        )
    assert len(seen) == count


# --- the study's record -------------------------------------------------------------------------


def test_the_studys_record_has_sign_ins_roles_exports_and_who_read(app: Flask, lived: Site) -> None:
    reader = sign_in(app, lived, "investigator", None)
    reader.get(at(lived, RECORD))
    download(reader, at(lived, RECORD))
    browser = sign_in(app, lived, "administrator", None)
    browser.get(at(lived, "/record"))
    text = body(browser)
    for said in (
        "Signed in", "Gave a role", "Made an account", "Exported data", "Loaded the study",
        "Read answers on the record", "About participant 01-101",
    ):  # fmt: skip
        assert said in text
    assert "Answered a question" not in text.partition("When Who")[2]
    assert "hospital.example" not in text, "no contact data"


def test_an_administrator_finds_a_participant_and_no_answer(app: Flask, lived: Site) -> None:
    browser = sign_in(app, lived, "administrator", None)
    browser.get(at(lived, "/record") + "?participant=01-101")
    text = body(browser)
    assert "Computed scores" in text
    assert "Left out: it holds answers or scores." in text
    assert "left unanswered" not in text
    table = download(browser, at(lived, "/record"), participant="01-101")
    assert len(table) > 30
    assert all(row["new"] == row["detail"] == "" for row in table if row["action"] == "answer")
    browser.get(at(lived, "/record") + "?participant=99-999")
    assert "Nothing on the record fits this search." in body(browser)


def test_an_investigator_sees_the_own_sites_alone(app: Flask, lived: Site) -> None:
    other = sign_in(app, lived, "investigator", place(lived, "02"))
    other.get(at(lived, "/participants/02-202/record"))
    download(other, at(lived, "/participants/02-202/record"))
    browser = sign_in(app, lived, "investigator", place(lived, "01"))
    browser.get(at(lived, "/record"))
    assert "Loaded the study" in body(browser), "what concerns every site"
    assert "02-202" not in browser.page.text
    assert "Exported data" not in body(browser).partition("When Who")[2]
    download(browser, at(lived, "/record"))
    browser.get(at(lived, "/record"))
    assert "Exported data" in body(browser).partition("When Who")[2], "the own file"
    other.get(at(lived, "/record"))
    assert len(re.findall("Exported data", body(other).partition("When Who")[2])) == 1
    assert len(re.findall(r"Signed in", body(browser).partition("When Who")[2])) == 1
    browser.get(at(lived, "/record") + "?participant=02-202")
    assert "Nothing on the record fits this search." in body(browser)
    table = download((browser.get(at(lived, "/record")), browser)[1], at(lived, "/record"))
    assert not [row for row in table if "02-202" in str(row)]
    browser.get(at(lived, "/record"))
    browser.post(at(lived, "/record"), 422)
    assert 'href="#reason"' in browser.page.text


def test_a_file_about_a_participant_is_of_the_own_sites(app: Flask, lived: Site) -> None:
    browser = sign_in(app, lived, "investigator", place(lived, "01"))
    browser.get(at(lived, "/record"))
    for number in ("02-202", "99-999", "90010114-5678"):
        browser.post(at(lived, "/record"), 422, participant=number, reason=REASON)
        assert 'id="participant-fault"' in browser.page.text
        assert f'value="{number}"' in browser.page.text, "what was typed is there to be mended"
    assert entries(lived.database, "export") == []
    download(browser, at(lived, "/record"), participant="01-101")
    everywhere = sign_in(app, lived, "administrator", None)
    everywhere.get(at(lived, "/record"))
    download(everywhere, at(lived, "/record"), participant="02-202")
    told = [entry.detail for entry in entries(lived.database, "export")]
    assert [(one["participant"], one["site"]) for one in told] == [
        ("01-101", "01"),
        ("02-202", "02"),
    ]


@pytest.mark.parametrize("field", ["about", "field", "action", "who"])
def test_nothing_that_looks_like_an_identity_number_comes_on_the_record(
    app: Flask, lived: Site, field: str
) -> None:
    typed = "x 900101-14-5678"
    browser = sign_in(app, lived, "investigator", None)
    for path in (at(lived, RECORD), at(lived, "/record")):
        browser.get(f"{path}?{field}={typed}", 422)
        assert "looks like an identity card number" in browser.page.text
        browser.post(path, 422, reason=REASON, **{field: typed})
    with lived.database.reading() as session:
        details = session.scalars(sa.select(AuditEntry.detail)).all()
    assert not [one for one in details if "900101" in str(one)]
    assert entries(lived.database, "export") == []


def test_tasks_in_another_study_are_not_told(app: Flask, lived: Site) -> None:
    browser = sign_in(app, lived, "administrator", None)
    with lived.database.writing() as session:
        known = staff.find(session, "administrator-None@hospital.example")
        assert known is not None
        staff.record(
            session, known.id, "grant_role", "site", lived.clock(), new="coordinator",
            detail={"study": "elsewhere", "site": None},
        )  # fmt: skip
    browser.get(at(lived, "/record"))
    assert "elsewhere" not in browser.page.text


def test_the_index_is_what_finds_them(lived: Site) -> None:
    """The entries of a study's record are found among millions without looking at the others."""
    with lived.database.reading() as session:
        query = trail._office(session, lived.study, None, "", trail.Search())
        text = str(query.compile(session.get_bind(), compile_kwargs={"literal_binds": True}))
        plan = " ".join(str(row) for row in session.execute(sa.text(f"EXPLAIN QUERY PLAN {text}")))
    assert "ix_audit_entry_watched" in plan


# --- words --------------------------------------------------------------------------------------


def test_every_action_that_the_code_writes_has_a_word_and_a_rule() -> None:
    written = set(actions_of(ROOT / "pro_app"))
    assert written - set(trail_words.ACTION) == set()
    assert set(trail_words.ACTION) >= trail.HARMLESS
    assert len(written) > 70
    assert set(trail_words.ACTION) - written == set(), "a word for an action that nobody writes"


def actions_of(folder: Path) -> Iterator[str]:
    """Every action that is put on record anywhere: the second argument of `Entry`, or `action`,
    followed through the functions that hand it on."""
    functions: dict[str, list[tuple[ast.FunctionDef, ast.Module]]] = {}
    modules = [
        ast.parse(path.read_text(encoding="utf-8"))
        for path in folder.rglob("*.py")
        if path.parent.name != "core"
    ]
    for module in modules:
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef):
                functions.setdefault(node.name, []).append((node, module))
    for module in modules:
        for function in (one for one in ast.walk(module) if isinstance(one, ast.FunctionDef)):
            for call in calls(function, "Entry"):
                given = argument(call, 1, "action")
                if given is not None:
                    yield from constants(given, function, module, modules)


def calls(node: ast.AST, name: str) -> Iterator[ast.Call]:
    for one in ast.walk(node):
        if isinstance(one, ast.Call):
            called = one.func
            if (isinstance(called, ast.Name) and called.id == name) or (
                isinstance(called, ast.Attribute) and called.attr == name
            ):
                yield one


def argument(call: ast.Call, place: int, name: str) -> ast.expr | None:
    named = [one.value for one in call.keywords if one.arg == name]
    if named:
        return named[0]
    return call.args[place] if len(call.args) > place else None


def constants(
    node: ast.expr, function: ast.FunctionDef, module: ast.Module, modules: list[ast.Module]
) -> Iterator[str]:
    """The texts that an expression can be; a test fails for one that cannot be followed."""
    if isinstance(node, ast.JoinedStr):  # of the schedule's changes
        (_, ending) = node.values
        assert isinstance(ending, ast.Constant)
        yield from (f"{one.value}{ending.value}" for one in Kind if one is not Kind.NEW)
        return
    if isinstance(node, ast.Name):
        names = [one.arg for one in (*function.args.args, *function.args.kwonlyargs)]
        if node.id in names:
            found = 0
            for other in modules:
                for caller in (o for o in ast.walk(other) if isinstance(o, ast.FunctionDef)):
                    for call in calls(caller, function.name):
                        if not same(call, other, module):
                            continue
                        given = argument(call, names.index(node.id), node.id)
                        if given is not None and not isinstance(given, ast.Starred):
                            found += 1
                            yield from constants(given, caller, other, modules)
            assert found, f"{function.name} is never called with {node.id}"
            return
        assigned = [
            one.value
            for scope in (function, module)
            for one in ast.walk(scope)
            if isinstance(one, ast.Assign)
            and any(isinstance(to, ast.Name) and to.id == node.id for to in one.targets)
        ]
        assert assigned, f"{node.id} in {function.name}"
        yield from constants(assigned[0], function, module, modules)
        return
    if isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.IfExp):
        yield from constants(node.body, function, module, modules)
        yield from constants(node.orelse, function, module, modules)
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Dict):
        for value in node.value.values:
            yield from constants(value, function, module, modules)
    else:
        raise AssertionError(f"{ast.unparse(node)} in {function.name}")


def same(call: ast.Call, where: ast.Module, module: ast.Module) -> bool:
    """Whether a call is one of a function of this module: in it, or by the module's name."""
    if isinstance(call.func, ast.Name):
        return where is module
    names = {one.name for one in module.body if isinstance(one, ast.FunctionDef)}
    return (
        isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "staff"
        and {"grant", "invite", "disable"} <= names
    )


# --- every page, for the languages --------------------------------------------------------------


def walk(desk: Any, site: Site) -> None:
    """Every page of the record, with every fault; the desk is an investigator's."""
    live(site, "01-411")
    page = at(site, "/participants/01-411/record")
    desk.get(page)
    desk.get(f"{page}?field=LQ01")
    desk.get(f"{page}?who=staff/999")
    desk.get(f"{page}?from=soon&to=later", 422)
    desk.get(page)
    desk.post(page, 422, reason="")
    desk.post(page, 422, reason="x" * 501)
    desk.get(at(site, "/record"))
    desk.get(at(site, "/record?participant=01-411"))
    desk.get(at(site, "/record?participant=99-999"))
    desk.get(at(site, "/record"))
    desk.post(at(site, "/record"), 422, reason="900101-14-5678")


def test_the_walk_reaches_every_page(app: Flask, web_site: Site) -> None:
    walk(sign_in(app, web_site, "investigator", None), web_site)

"""What programs read with a token: exactly the tables, page by page, and nothing beyond."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from pro_app.export import csv, jsonl
from pro_app.models import StaffRole, Study
from pro_app.services import api_tokens, audit, enrolment, staff, tables
from pro_app.services.api_tokens import SCOPES
from pro_app.services.tables import NAMES, Request
from pro_app.web import api_document, api_request, token_access
from tests.conftest import Site, TestClock, snapshot
from tests.services.correcting import hire
from tests.services.test_api_tokens import grant, make, maker_at
from tests.web.test_staff_access import sign_in
from tests.web.test_trail import entries

EVERYTHING = frozenset(SCOPES)
STUDY = "/api/v1/studies/test"
PEOPLE = ("01-001", "01-002", "01-003", "02-001", "02-002")


@pytest.fixture
def lived(web_site: Site) -> Site:
    """Two sites: submitted, half done, nothing, withdrawn, corrected by nobody."""
    people = [web_site.enrol(number) for number in PEOPLE]
    for person, place in zip(people[:3], (1, 2, 3), strict=True):
        for sheet in web_site.open(person):
            web_site.answer_all(sheet, place)
            web_site.answer(
                sheet, {"LQ02" if sheet.instrument == "lupusqol" else "GH01": "skipped"}
            )
            if person.number != "01-003":
                web_site.submit(sheet)
    web_site.open(people[3])
    with web_site.database.writing() as session:
        enrolment.withdraw(session, people[3].id, web_site.clock())
    return web_site


class Program:
    """A program with a token."""

    def __init__(self, app: Flask, token: str | None) -> None:
        self.client, self.token = app.test_client(use_cookies=False), token

    def ask(self, path: str, accept: str | None = None, **more: Any) -> TestResponse:
        """An answer, whatever it is."""
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        if accept is not None:
            headers["Accept"] = accept
        return self.client.get(path, headers=headers, **more)

    def read(self, path: str) -> Any:
        """The JSON of a right answer."""
        answer = self.ask(path)
        assert answer.status_code == 200, answer.text
        return answer.json

    def refused(self, path: str, status: int, parameter: str | None = None) -> str:
        """Why a request is turned down."""
        answer = self.ask(path)
        assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
        told = answer.json
        assert told is not None
        assert told["status"] == status
        assert told.get("parameter") == parameter
        return str(told["detail"])

    def pages(self, path: str, accept: str | None = None) -> Iterator[TestResponse]:
        """The pages from this one on."""
        following: str | None = path
        while following is not None:
            answer = self.ask(following, accept)
            assert answer.status_code == 200, answer.text
            yield answer
            following = next_of(answer)


def next_of(answer: TestResponse) -> str | None:
    """The next page, as the headers name it."""
    links = [one for one in answer.headers["Link"].split(", ") if 'rel="next"' in one]
    if answer.mimetype == "application/json":
        assert answer.json is not None
        assert bool(links) is (answer.json["next"] is not None)
    return links[0].partition("<")[2].partition(">")[0] if links else None


def program(app: Flask, site: Site, **wish: Any) -> Program:
    """A program of a researcher of every site, or as the wish says."""
    number = len(app.extensions.setdefault("makers", []))
    app.extensions["makers"].append(number)
    maker = maker_at(site, f"Maker {number}", None)
    return Program(app, make(site, maker, **{"scopes": EVERYTHING, "sites": None} | wish))


def exported(site: Site, name: str, path: Path, form: Any = jsonl.write, **parts: Any) -> bytes:
    """A table as a researcher's exports have it."""
    with site.database.snapshot() as session:
        request = Request(site.study, site.library, "en", site.clock(), own_words=False, **parts)
        form(tables.table(session, name, request), path)
    return path.read_bytes()


# --- the document -------------------------------------------------------------------------------


def validator(document: Any, name: str) -> Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for one in node:
            yield from references(one)


def test_the_document_holds_together(app: Flask, lived: Site) -> None:
    for who in (Program(app, None), program(app, lived)):
        document = who.read("/api/v1/openapi.json")
        assert document["openapi"] == "3.1.0"
        assert document["info"].keys() >= {"title", "version"}
        operations = {}
        for path, item in document["paths"].items():
            assert item.keys() == {"get"}, "nothing can be changed"
            operation = item["get"]
            operations[operation["operationId"]] = path
            assert "200" in operation["responses"]
            given = [
                document["components"]["parameters"][one["$ref"].rpartition("/")[2]]
                for one in operation["parameters"]
            ]
            in_path = {one["name"] for one in given if one["in"] == "path"}
            assert in_path == {part[1:-1] for part in path.split("/") if part.startswith("{")}
            assert all(one["required"] for one in given if one["in"] == "path")
            assert len({one["name"] for one in given}) == len(given)
        assert len(operations) == len(document["paths"])
        for one in set(references(document)):
            found = document
            for part in one.removeprefix("#/").split("/"):
                found = found[part]
        for schema in document["components"]["schemas"].values():
            Draft202012Validator.check_schema(schema)
        rules = {
            one.rule.removeprefix("/api/v1").replace("<", "{").replace(">", "}")
            for one in app.url_map.iter_rules()
            if one.endpoint.startswith("api.") and one.endpoint != "api.index"
        }
        named = {f"/studies/{{study}}/{name}" for name in NAMES}
        assert (rules - {"/studies/{study}/{table}"}) | named == set(document["paths"])
    assert set(api_document.TABLES) == set(NAMES)


def test_without_a_token_the_document_tells_of_no_study(app: Flask, lived: Site) -> None:
    told = Program(app, None).ask("/api/v1/openapi.json").text
    assert json.loads(told)["components"]["parameters"]["study"]["schema"] == {"type": "string"}
    for word in ("/studies/test", "LQ01", "lupusqol", "Test Study"):
        assert word not in told
    assert "LQ01" in program(app, lived).ask("/api/v1/openapi.json").text
    assert (
        "LQ01"
        not in program(app, lived, scopes=frozenset({"scores"})).ask("/api/v1/openapi.json").text
    )


def test_every_path_answers_as_the_document_says(
    app: Flask, lived: Site, subtests: pytest.Subtests
) -> None:
    who = program(app, lived)
    document = who.read("/api/v1/openapi.json")
    (root,) = [urlsplit(one["url"]).path for one in document["servers"]]
    parameters = document["components"]["parameters"]
    for path, item in document["paths"].items():
        for table in NAMES if "{table}" in path else [None]:
            with subtests.test(path, table=table):
                (code,) = parameters["study"]["schema"]["enum"]
                asked = path.replace("{study}", code).replace("{table}", str(table))
                answer = who.ask(root + asked)
                assert answer.status_code == 200, answer.text
                forms = item["get"]["responses"]["200"]["content"]
                schema = forms[answer.mimetype]["schema"]
                if "$ref" in schema:
                    name = schema["$ref"].rpartition("/")[2]
                    faults = validator(document, name).iter_errors(answer.json)
                    assert [one.message for one in faults][:3] == []


def test_every_problem_answers_as_the_document_says(app: Flask, lived: Site) -> None:
    who = program(app, lived, scopes=frozenset({"scores"}))
    document = who.read("/api/v1/openapi.json")
    for path, status in (
        (f"{STUDY}/scores?limit=0", 400), (f"{STUDY}/answers", 403), (f"{STUDY}/nothing", 404),
        ("/api/v1/studies/none", 404), ("/api/v1/none", 404),
    ):  # fmt: skip
        answer = who.ask(path)
        assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
        assert list(validator(document, "problem").iter_errors(answer.json)) == []
    assert who.ask(f"{STUDY}/scores", "text/html").status_code == 406
    refused = who.client.post(f"{STUDY}/scores")
    assert (refused.status_code, refused.mimetype) == (405, "application/problem+json")
    assert set(refused.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


# --- the rows -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_pages_together_are_the_exported_table(
    app: Flask, lived: Site, tmp_path: Path, name: str
) -> None:
    """In each form and with pages of any size, to the byte where the form is an export's."""
    who = program(app, lived)
    before = audit_count(lived)
    lines = exported(lived, name, tmp_path / "whole.jsonl")
    for limit in (1, 7, 5000):
        address = f"{STUDY}/{name}?limit={limit}"
        found = [one.data for one in who.pages(address, "application/x-ndjson")]
        assert b"".join(found) == lines
        assert len(found) == 1 or limit < 5000
    table = exported(lived, name, tmp_path / "whole.csv", csv.write_exact)
    header = table.partition(b"\n")[0] + b"\n"
    found = [one.data for one in who.pages(f"{STUDY}/{name}?limit=20", "text/csv")]
    assert all(one.startswith(header) for one in found)
    assert header + b"".join(one.removeprefix(header) for one in found) == table
    rows = [row for one in who.pages(f"{STUDY}/{name}?limit=20") for row in one.json["rows"]]  # type: ignore[index]
    assert rows == [json.loads(line) for line in lines.splitlines()]
    assert audit_count(lived) > before


def audit_count(site: Site) -> int:
    with site.database.reading() as session:
        return audit.count(session)


def test_a_page_holds_whole_participants(app: Flask, lived: Site) -> None:
    who = program(app, lived)
    sizes = []
    for answer in who.pages(f"{STUDY}/answers_long?limit=80"):
        assert answer.json is not None
        rows = answer.json["rows"]
        sizes.append(sorted({row["participant"] for row in rows}))
        assert len(rows) <= 80 or len(sizes[-1]) == 1
    assert [one for several in sizes for one in several] == ["01-001", "01-002", "01-003"]


def test_what_is_written_meanwhile_moves_no_row(app: Flask, lived: Site) -> None:
    who = program(app, lived)
    first = who.read(f"{STUDY}/participants?limit=2")
    lived.enrol("01-000")  # before what was read
    lived.enrol("01-009")
    second = who.read(first["next"])
    numbers = [[row["participant"] for row in one["rows"]] for one in (first, second)]
    assert numbers == [["01-001", "01-002"], ["01-003", "01-009"]]


def test_all_pages_are_as_of_the_same_moment(app: Flask, lived: Site, clock: TestClock) -> None:
    who = program(app, lived)
    first = who.read(f"{STUDY}/assessments?limit=1")
    clock.forward(days=10)  # what was open is missed by now
    later = [one.json for one in who.pages(first["next"])]
    assert {one["as_of"] for one in later if one} == {first["as_of"]}
    states = {row["status"] for one in later if one for row in one["rows"]}
    assert "missed" not in states
    again = who.read(f"{STUDY}/assessments?limit=5000")
    assert "missed" in {row["status"] for row in again["rows"]}
    moment = first["as_of"].replace("+", "%2B")
    one = who.ask(f"{STUDY}/assessments?as_of={moment}")
    clock.forward(hours=1)
    assert who.ask(f"{STUDY}/assessments?as_of={moment}").data == one.data, "to the byte"


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ("site=02", {"sites": frozenset({"02"})}),
        ("site=01&site=02", {"sites": frozenset({"01", "02"})}),
        ("instrument=sf36v1", {"instruments": frozenset({"sf36v1"})}),
        ("timepoint=baseline", {"timepoints": frozenset({"baseline"})}),
        ("study_days_from=enrolment", {"days_from": "enrolment"}),
    ],
)
def test_filters_are_the_tables_own(
    app: Flask, lived: Site, tmp_path: Path, query: str, parts: dict[str, Any]
) -> None:
    who = program(app, lived)
    found = who.pages(f"{STUDY}/assessments?{query}&limit=1", "application/x-ndjson")
    lines = exported(lived, "assessments", tmp_path / "whole.jsonl", **parts)
    assert b"".join(one.data for one in found) == lines
    (last, *_) = reversed(entries(lived.database, "export"))
    assert last.detail["filter"]["limit"] == 1


def test_times_have_the_studys_offset_and_absences_are_null(app: Flask, lived: Site) -> None:
    (row, *_) = program(app, lived).read(f"{STUDY}/answers")["rows"]
    assert row["instrument"] == "lupusqol"
    assert row["completed_at"].endswith("+08:00")
    assert datetime.fromisoformat(row["completed_at"]) == lived.clock()
    assert (row["LQ02"], row["skipped"]) == (None, "LQ02")
    assert isinstance(row["LQ01"], int)
    others = [name for name in row if name.startswith("GH")]
    assert others
    assert {row[name] for name in others} == {None}, "of another questionnaire"


def test_labels_and_notes_are_in_the_language_asked_for(app: Flask, lived: Site) -> None:
    who = program(app, lived)
    told = who.read(f"{STUDY}/codebook/answers?language=ta")
    (item,) = [one for one in told["columns"] if one["name"] == "LQ01"]
    assert any("\u0b80" <= letter <= "\u0bff" for letter in item["label"])
    assert {one["code"] for one in item["missing"]} == {-7, -8, -9}
    assert len(item["codes"]) == 5
    assert told["notes"], "that the wording is a demonstration"
    english = who.read(f"{STUDY}/codebook/answers")
    assert [one["name"] for one in english["columns"]] == [one["name"] for one in told["columns"]]
    answer = who.ask(f"{STUDY}/answers", "text/csv")
    assert unquote(answer.headers["Notes"]) == " ".join(english["notes"])
    assert who.read(f"{STUDY}/answers")["notes"] == english["notes"]
    address = f"{STUDY}/codebook/answers?language=en"
    assert f'{address}>; rel="describedby"' in answer.headers["Link"]


def test_a_study_without_data_is_empty(app: Flask, web_site: Site) -> None:
    who = program(app, web_site)
    for name in NAMES:
        page = who.read(f"{STUDY}/{name}")
        assert (page["rows"], page["next"]) == ([], None)
        assert who.ask(f"{STUDY}/{name}", "application/x-ndjson").data == b""
        names = [one["name"] for one in who.read(f"{STUDY}/codebook/{name}")["columns"]]
        assert who.ask(f"{STUDY}/{name}", "text/csv").text == ",".join(names) + "\n"


def test_the_protocol_is_told(app: Flask, lived: Site) -> None:
    maker = maker_at(lived, "Rita")
    who = Program(app, make(lived, maker, scopes=frozenset({"scores"})))
    (study,) = who.read("/api/v1/studies")["studies"]
    assert study["url"] == "http://localhost/api/v1/studies/test"
    told = who.read(study["url"])
    assert [one["code"] for one in told["sites"]] == ["01"], "of the token's sites"
    assert told["tables"] == ["scores", "scores_long"]
    assert [one["code"] for one in told["timepoints"]] == ["baseline", "month_3"]
    (lupusqol, *_) = told["instruments"]
    assert lupusqol["items"] == 34
    assert lupusqol["scorings"][0]["algorithm"].startswith("lupusqol@")


# --- who may ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", SCOPES)
def test_a_token_reads_the_tables_of_its_scopes_alone(
    app: Flask, lived: Site, subtests: pytest.Subtests, scope: str
) -> None:
    who = program(app, lived, scopes=frozenset({scope}))
    for name in NAMES:
        with subtests.test(name):
            reads = name in SCOPES[scope]
            assert who.ask(f"{STUDY}/{name}").status_code == (200 if reads else 403)
            explains = reads or scope == "codebook"
            assert who.ask(f"{STUDY}/codebook/{name}").status_code == (200 if explains else 403)


@pytest.mark.parametrize("name", NAMES)
def test_a_token_reads_its_sites_alone(app: Flask, lived: Site, name: str) -> None:
    wish = {"scopes": EVERYTHING}
    who = Program(app, make(lived, maker_at(lived, "Rita"), **wish))
    everybody = program(app, lived, **wish)
    (other,) = [Program(app, make(lived, maker_at(lived, "Omar", "02"), sites=frozenset({"02"}),
                                  **wish))]  # fmt: skip
    told = [one.ask(f"{STUDY}/{name}?limit=5000").text for one in (who, other, everybody)]
    seen = [{number for number in PEOPLE if f'"{number}"' in text} for text in told]
    assert seen[0] == {one for one in seen[2] if one.startswith("01")}
    assert seen[1] == {one for one in seen[2] if one.startswith("02")}
    if name in {"participants", "assessments"}:
        assert seen[0]
        assert seen[1]
    assert "'01'" in other.refused(f"{STUDY}/{name}?site=01", 400, "site")
    after = api_request.cursor("01-000")
    assert "01-0" not in other.ask(f"{STUDY}/{name}?after={after}").text


def test_a_codebook_names_the_sites_of_the_token_alone(app: Flask, lived: Site) -> None:
    who = program(app, lived, sites=frozenset({"02"}))
    columns = who.read(f"{STUDY}/codebook/answers")["columns"]
    (site,) = (one for one in columns if one["name"] == "site")
    assert [one["code"] for one in site["codes"]] == ["02"]


def test_nobody_is_let_in_without_a_good_token(
    app: Flask, lived: Site, subtests: pytest.Subtests
) -> None:
    before = snapshot(lived.database)
    whole = ("/api/v1/studies", STUDY, f"{STUDY}/codebook/answers", f"{STUDY}/answers")
    for path in (*whole, f"{STUDY}/none"):
        with subtests.test(path):
            answer = Program(app, None).ask(path)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="pro-app"'
            for wrong in ("Basic YTpi", "Bearer", "Bearer ", "Token x"):
                given = {"Authorization": wrong}
                answer = app.test_client().get(path, headers=given)
                assert answer.status_code == 401, wrong
            assert "answers" not in answer.text
    assert snapshot(lived.database) == before, "nothing is written for who shows nothing"
    for wrong in ("proapp_x", "x" * 10_000, "né"):
        answer = Program(app, None).client.get(STUDY, headers={"Authorization": f"Bearer {wrong}"})
        assert answer.status_code == 401
        assert "invalid_token" in answer.headers["WWW-Authenticate"]


def test_a_session_of_the_staff_opens_nothing(app: Flask, lived: Site) -> None:
    for role in ("researcher", "investigator", "administrator"):
        browser = sign_in(app, lived, role, None)
        assert browser.client.get(f"{STUDY}/answers").status_code == 401


@pytest.mark.parametrize("how", ["revoked", "over", "role", "account", "site"])
def test_a_token_that_is_dead_reads_nothing(
    app: Flask, lived: Site, clock: TestClock, how: str
) -> None:
    maker = maker_at(lived, "Rita")
    who = Program(app, make(lived, maker, scopes=EVERYTHING))
    assert who.ask(f"{STUDY}/answers").status_code == 200
    with lived.database.writing() as session:
        if how == "revoked":
            (line,) = api_tokens.listed(session, lived.study.id, clock())
            api_tokens.revoke(session, lived.study, line.public_id, "lost", clock(), maker)
        elif how in {"role", "site"}:
            (role,) = session.scalars(sa.select(StaffRole).where(StaffRole.staff_id == maker))
            staff.end_role(session, maker, role.id, clock())
        elif how == "account":
            staff.disable(session, maker, clock())
    clock.forward(days=90) if how == "over" else clock.forward(seconds=1)
    if how == "site":
        grant(lived, maker, "02")
    for path in ("/api/v1/studies", STUDY, f"{STUDY}/answers", "/api/v1/openapi.json"):
        assert "opens nothing" in who.refused(path, 401)


def test_another_study_is_as_unknown_as_none(app: Flask, lived: Site) -> None:
    with lived.database.writing() as session:
        session.add(Study(code="elsewhere", created_at=lived.clock()))
    who = program(app, lived)
    for path in ("", "/answers", "/codebook/answers"):
        said = {
            who.refused(f"/api/v1/studies/{code}{path}", 404).replace(code, "")
            for code in ("elsewhere", "nowhere")
        }
        assert len(said) == 1


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("sites=01", "sites"),
        ("site=99", "site"),
        ("site=", "site"),
        ("instrument=none", "instrument"),
        ("timepoint=none", "timepoint"),
        ("language=fr", "language"),
        ("language=en&language=ta", "language"),
        ("study_days_from=never", "study_days_from"),
        ("limit=0", "limit"),
        ("limit=5001", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=٣", "limit"),
        ("after=???", "after"),
        ("after=", "after"),
        ("after=AAAA", "after"),
        ("as_of=yesterday", "as_of"),
        ("as_of=2026-11-20T00:00:00", "as_of"),
        ("as_of=2099-01-01T00:00:00Z", "as_of"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(
    app: Flask, lived: Site, query: str, parameter: str
) -> None:
    who = program(app, lived)
    before = audit_count(lived)
    assert who.refused(f"{STUDY}/answers?{query}", 400, parameter)
    assert audit_count(lived) == before


def test_tables_without_visits_take_no_such_filter(app: Flask, lived: Site) -> None:
    who = program(app, lived)
    who.refused(f"{STUDY}/participants?timepoint=baseline", 400, "timepoint")
    who.refused(f"{STUDY}/audit?study_days_from=enrolment", 400, "study_days_from")
    who.refused(f"{STUDY}/codebook/answers?site=01", 400, "site")


def test_a_token_for_study_days_lets_no_date_out(app: Flask, lived: Site) -> None:
    who = program(app, lived, days_only=True, scopes=EVERYTHING - {"audit"})
    year = str(lived.clock().year)
    for name in sorted(set(NAMES) - {"audit"}):
        assert "enrolment" in who.refused(f"{STUDY}/{name}", 400, "study_days_from")
        page = who.read(f"{STUDY}/{name}?study_days_from=enrolment")
        told = [row for row in page["rows"] if year in json.dumps(row)]
        assert told == []
    row = who.read(f"{STUDY}/participants?study_days_from=enrolment")["rows"][0]
    assert row["enrolled_day"] == 1
    assert who.ask(f"{STUDY}/audit?study_days_from=enrolment").status_code == 403


def test_a_token_for_study_days_tries_no_dates_out(
    app: Flask, lived: Site, clock: TestClock
) -> None:
    """On which date something opened would be told by what was open as of any date."""
    who = program(app, lived, days_only=True, scopes=EVERYTHING - {"audit"})
    path = f"{STUDY}/assessments?study_days_from=enrolment&limit=1"
    first = who.read(path)
    clock.forward(hours=23)
    assert who.read(first["next"])["as_of"] == first["as_of"]
    clock.forward(hours=2)
    assert "24 hours" in who.refused(first["next"], 400, "as_of")
    program(app, lived).read(f"{STUDY}/assessments?as_of=2026-11-01T00:00:00Z")


def test_what_people_wrote_is_for_investigators_alone(app: Flask, lived: Site) -> None:
    names = ("audit", "corrections")
    maker = hire(lived, "Investigator of all", "investigator", at=None)
    reads = Program(app, make(lived, maker, scopes=EVERYTHING, sites=None))
    for name, column in zip(names, ("detail", "evidence"), strict=True):
        for who, there in ((reads, True), (program(app, lived), False)):
            columns = who.read(f"{STUDY}/codebook/{name}")["columns"]
            assert (column in {one["name"] for one in columns}) is there
            assert all((column in row) is there for row in who.read(f"{STUDY}/{name}")["rows"])


# --- what is kept of it -------------------------------------------------------------------------


def test_a_page_is_on_record_with_filter_and_checksum(app: Flask, lived: Site) -> None:
    maker = maker_at(lived, "Ivan", None)
    who = Program(app, make(lived, maker, scopes=EVERYTHING, sites=frozenset({"01", "02"})))
    answer = who.ask(f"{STUDY}/answers?instrument=lupusqol&limit=1")
    told = entries(lived.database, "export")
    assert [one.detail["site"] for one in told] == ["01", "02"], "each site finds its own"
    (entry, _) = told
    assert (entry.actor, entry.new) == (f"staff/{maker}", "answers")
    assert entry.stream == f"study/{lived.study.id}"
    assert entry.detail["sha256"] == hashlib.sha256(answer.data).hexdigest()
    assert entry.detail["rows"] == len(answer.json["rows"])  # type: ignore[index]
    assert entry.detail["filter"] == {"language": "en", "instrument": ["lupusqol"], "limit": 1}
    who.ask(f"{STUDY}/answers?site=01")
    assert [one.detail["site"] for one in entries(lived.database, "export")][2:] == ["01"]
    program(app, lived).ask(f"{STUDY}/answers")
    assert "site" not in entries(lived.database, "export")[-1].detail, "of the whole study"
    with lived.database.reading() as session:
        assert list(audit.verify(session)) == []


def test_reading_changes_nothing_else(app: Flask, lived: Site) -> None:
    who = program(app, lived)
    document = who.read("/api/v1/openapi.json")
    before = snapshot(lived.database)
    for path in document["paths"]:
        asked = "/api/v1" + path.replace("{study}", "test").replace("{table}", "answers")
        assert who.ask(asked).status_code == 200
    after = snapshot(lived.database)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"api_token", "audit_entry"}
    told = after["audit_entry"]
    assert told[: len(before["audit_entry"])] == before["audit_entry"]
    assert len(told) == len(before["audit_entry"]) + len(NAMES), "one a page"
    used = [index for index, (old, new) in enumerate(zip(before["api_token"][0],
                                                         after["api_token"][0], strict=True))
            if old != new]  # fmt: skip
    assert len(used) == 1
    assert after["api_token"][0][used[0]] == lived.clock()


def test_the_token_is_written_nowhere(
    app: Flask, lived: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    who = program(app, lived)
    assert who.token is not None
    for path in (f"{STUDY}/answers", f"{STUDY}/none", f"{STUDY}/answers?limit=x"):
        answer = who.ask(path)
        assert who.token not in answer.text + str(answer.headers)
    broken = who.token[:-1] + ("a" if who.token[-1] != "a" else "b")
    Program(app, broken).ask(STUDY)

    def fail(*_given: object) -> None:
        raise RuntimeError(f"about {who.token}")

    monkeypatch.setattr("pro_app.web.api.pages.page", fail)
    answer = who.ask(f"{STUDY}/answers")
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert "RuntimeError in api.rows" in caplog.text
    for secret in (who.token, broken, who.token.removeprefix(api_tokens.PREFIX)):
        assert secret not in caplog.text
        assert secret not in str(snapshot(lived.database))


def test_answers_belong_to_no_cache_no_cookie_and_no_other_site(app: Flask, lived: Site) -> None:
    who = program(app, lived)
    for path in ("/api/v1/openapi.json", "/api/v1/studies", f"{STUDY}/answers", f"{STUDY}/none"):
        for accept in (None, "text/csv"):
            headers = who.ask(path, accept).headers
            assert headers["Cache-Control"] == "no-store"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "Set-Cookie" not in headers
            assert not [name for name in headers.keys() if name.startswith("Access-Control")]  # noqa: SIM118


def test_the_form_is_what_accept_names(app: Flask, lived: Site) -> None:
    who = program(app, lived)
    for accept, form in (
        (None, "application/json"), ("*/*", "application/json"),
        ("application/*", "application/json"), ("text/csv", "text/csv"),
        ("text/html, text/csv;q=0.5", "text/csv"),
        ("application/x-ndjson, */*;q=0.1", "application/x-ndjson"),
    ):  # fmt: skip
        assert who.ask(f"{STUDY}/scores", accept).mimetype == form, accept
    assert who.ask(f"{STUDY}/scores", "image/png").status_code == 406


# --- how much -----------------------------------------------------------------------------------


def test_wrong_tokens_are_counted_and_stopped(
    app: Flask, lived: Site, monkeypatch: pytest.MonkeyPatch, clock: TestClock
) -> None:
    monkeypatch.setattr(enrolment, "TRIES", 3)
    who, wrong = program(app, lived), Program(app, "proapp_" + "x" * 43)
    assert [wrong.ask(STUDY).status_code for _ in range(5)] == [401, 401, 401, 429, 429]
    assert int(wrong.ask(STUDY).headers["Retry-After"]) > 0
    with lived.database.reading() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM attempt WHERE kind = 'token'")) == 3
    assert who.ask(STUDY).status_code == 200, "a right one from there goes on"
    clock.forward(seconds=enrolment.TRY_PERIOD.total_seconds() + 1)
    assert wrong.ask(STUDY).status_code == 401


def test_a_token_asks_so_often_a_minute(
    app: Flask, lived: Site, monkeypatch: pytest.MonkeyPatch, clock: TestClock
) -> None:
    monkeypatch.setattr(token_access, "PER_MINUTE", 3)
    who, other = program(app, lived), program(app, lived)
    assert [who.ask(STUDY).status_code for _ in range(3)] == [200] * 3
    clock.forward(seconds=20)
    refused = who.ask(STUDY)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "40")
    assert other.ask(STUDY).status_code == 200
    clock.forward(seconds=40)
    assert who.ask(STUDY).status_code == 200


def test_a_token_asks_so_much_at_once(clock: TestClock) -> None:
    limits = token_access.Limits()
    assert [limits.enter(1, clock()) for _ in range(3)] == [None, None, 1]
    assert [limits.enter(2, clock()) for _ in range(2)] == [None, 1], "of all tokens together"
    limits.leave(1)
    assert limits.enter(2, clock()) is None
    limits.leave(2)
    limits.leave(2)
    limits.leave(1)
    clock.forward(minutes=1)
    assert limits.enter(1, clock() + timedelta(seconds=1)) is None


def test_a_place_is_free_again_whatever_happened(
    app: Flask, lived: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = program(app, lived)
    with monkeypatch.context() as patch:
        patch.setattr("pro_app.web.api.pages.page", lambda *_: 1 / 0)
        assert [who.ask(f"{STUDY}/answers").status_code for _ in range(5)] == [500] * 5
    for path in (f"{STUDY}/none", f"{STUDY}/answers?limit=x", f"{STUDY}/answers") * 3:
        assert who.ask(path).status_code != 429


def test_links_keep_what_was_asked(app: Flask, lived: Site) -> None:
    who = program(app, lived)
    query = "site=01&site=02&instrument=lupusqol&language=ta&study_days_from=enrolment&limit=1"
    page = who.read(f"{STUDY}/answers?{query}")
    given = parse_qs(urlsplit(page["next"]).query)
    assert given == {**parse_qs(query), "as_of": given["as_of"], "after": given["after"]}


def test_reading_json_lines_needs_no_other_reader(app: Flask, lived: Site) -> None:
    """pandas reads a page of each form as it is."""
    import pandas

    who = program(app, lived)
    one = pandas.read_json(
        io.BytesIO(who.ask(f"{STUDY}/scores_long", "application/x-ndjson").data), lines=True
    )
    other = pandas.read_csv(io.BytesIO(who.ask(f"{STUDY}/scores_long", "text/csv").data))
    assert list(one.columns) == list(other.columns)
    assert one["value"].tolist() == pytest.approx(other["value"].tolist(), rel=0, nan_ok=True)

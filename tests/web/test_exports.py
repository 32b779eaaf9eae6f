"""Exports: who may ask for what, and a file that only who asked can have, broken off or not."""

from __future__ import annotations

import csv
import hashlib
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from pro_app.models import AuditEntry, ExportJob, StaffRole, StaffSession
from pro_app.models import Site as SiteRow
from pro_app.services import export_formats, staff
from pro_app.web import export_words
from tests.conftest import Site, TestClock, make_app
from tests.pages import Browser
from tests.services.exporting import REASON, Shop
from tests.services.test_exports import content
from tests.web.test_staff import at
from tests.web.test_staff_access import sign_in

FORM = {"what": "participants", "format": "csv_exact", "language": "en", "reason": REASON}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "exports"


@pytest.fixture
def app(web_site: Site, sqlite_url: str, clock: TestClock, folder: Path) -> Any:
    made = make_app(sqlite_url, clock, exports=folder)
    yield made
    made.extensions["pro_app"].database.close()


@pytest.fixture
def shop(web_site: Site, folder: Path) -> Shop:
    """Two sites with a participant each, and a worker."""
    second_site(web_site)
    for number in ("01-101", "02-202"):
        web_site.enrol(number)
    return Shop(web_site, folder)


def second_site(site: Site) -> None:
    with site.database.writing() as session:
        if "02" not in {*session.scalars(sa.select(SiteRow.code))}:
            session.add(SiteRow(study_id=site.study.id, code="02", name="Second"))


def place(site: Site, code: str) -> int:
    with site.database.reading() as session:
        return session.scalars(sa.select(SiteRow.id).where(SiteRow.code == code)).one()


@pytest.fixture
def researcher(app: Flask, shop: Shop) -> Browser:
    return sign_in(app, shop.site, "researcher", None)


def ask(browser: Browser, site: Site, status: int = 200, **parts: Any) -> None:
    """Fill the form in and send it."""
    browser.get(at(site, "/exports"))
    browser.post(at(site, "/exports"), status, **{**FORM, **parts})


def newest(site: Site) -> ExportJob:
    with site.database.reading() as session:
        return session.scalars(sa.select(ExportJob).order_by(ExportJob.id.desc())).first() or (
            pytest.fail("no job")
        )


def fetch(browser: Browser, site: Site, **headers: str) -> TestResponse:
    path = at(site, f"/exports/{newest(site).public_id}/file")
    answer = browser.client.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    assert answer.data is not None  # read before the file is closed
    answer.close()
    return answer


def told(site: Site, action: str) -> list[AuditEntry]:
    with site.database.reading() as session:
        return list(session.scalars(sa.select(AuditEntry).where(AuditEntry.action == action)))


# --- the form -----------------------------------------------------------------------------------


def test_everything_offered_has_words() -> None:
    assert [*export_words.WHAT] == [*export_formats.TABLES]
    assert {*export_words.FORMAT} == {*export_formats.FORMATS}
    packages = {f"{what}/{one}" for what, forms in export_formats.PACKAGES.items() for one in forms}
    assert {*export_words.PACKAGE} == packages


def test_a_package_brings_its_format(researcher: Browser, shop: Shop) -> None:
    ask(researcher, shop.site, what="redcap/csv", format="xlsx")
    job = newest(shop.site)
    assert (job.what, job.format) == ("redcap", "csv")
    shop.make()
    assert fetch(researcher, shop.site).data[:2] == b"PK"
    page = researcher.get(at(shop.site, f"/exports?like={job.public_id}"))
    checked = [one.get("value") for one in page.all("input") if "checked" in one]
    assert checked == ["redcap/csv", "csv"]
    ask(researcher, shop.site, 422, what="redcap/sav")


def test_a_researcher_finds_the_exports(researcher: Browser, shop: Shop) -> None:
    page = researcher.get("/staff/")
    assert at(shop.site, "/exports") in [one.get("href") for one in page.all("a")]
    researcher.get(at(shop.site, "/exports"))
    assert "You have not asked for an export yet." in researcher.page.text


def test_from_the_form_to_the_file(researcher: Browser, shop: Shop) -> None:
    ask(researcher, shop.site)
    assert researcher.path == at(shop.site, "/exports")
    assert "waits for its turn" in researcher.page.text
    assert fetch(researcher, shop.site).status_code == 404
    assert told(shop.site, "export") == []
    shop.make()
    researcher.get(at(shop.site, "/exports"))
    job = newest(shop.site)
    assert str(job.sha256) in researcher.page.text
    answer = fetch(researcher, shop.site)
    assert answer.status_code == 200
    assert hashlib.sha256(answer.data).hexdigest() == job.sha256
    assert answer.headers["Cache-Control"] == "no-store"
    assert "test-participants" in answer.headers["Content-Disposition"]
    (entry,) = told(shop.site, "export")
    assert (entry.detail["sha256"], entry.detail["reason"]) == (job.sha256, REASON)
    (fetched,) = told(shop.site, "fetch_export")
    assert (fetched.actor, fetched.detail["sha256"]) == (f"staff/{job.staff_id}", job.sha256)


def test_what_is_ticked_narrows_it(researcher: Browser, shop: Shop) -> None:
    sheet = shop.site.open(shop.site.enrol("01-301"))[0]
    shop.site.answer_all(sheet)
    researcher.get(at(shop.site, "/exports"))
    chosen: dict[str, Any] = {
        **FORM, "what": "assessments", "sites": ["01"], "instruments": [sheet.instrument],
        "timepoints": ["baseline"], "days_from": "enrolment",
    }  # fmt: skip
    researcher.post(at(shop.site, "/exports"), **chosen)
    assert newest(shop.site).filters == {
        "sites": ["01"], "instruments": [sheet.instrument], "timepoints": ["baseline"],
        "days_from": "enrolment",
    }  # fmt: skip
    shop.make()
    text = content(shop.file(newest(shop.site)), "assessments.csv")
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["participant"], row["opens_day"]) == ("01-301", "1")
    assert "opens_at" not in row
    assert "2026" not in text, "no date leaves"


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"reason": ""}, "reason"),
        ({"reason": "of 900101-14-5678"}, "reason"),
        ({"what": "contacts"}, "what"),
        ({"format": "doc"}, "format"),
        ({"language": "fr"}, "language"),
        ({"sites": "99"}, "sites"),
        ({"instruments": "eq5d"}, "instruments"),
        ({"timepoints": "never"}, "timepoints"),
        ({"days_from": "never"}, "days_from"),
        ({"what": "audit", "days_from": "enrolment"}, "days_from"),
    ],
)
def test_a_fault_is_named_and_nothing_is_lost(
    researcher: Browser, shop: Shop, parts: dict[str, str], field: str
) -> None:
    ask(researcher, shop.site, 422, **parts)
    page = researcher.page
    assert f'href="#{field}"' in page.text
    assert any(one.get("id") == field for _, one in page.tags)
    chosen = [one.get("value") for one in page.all("input") if "checked" in one]
    if field not in {"what", "format"} and "what" not in parts:
        assert {"participants", "csv_exact"} <= {*chosen}
    with shop.site.database.reading() as session:
        assert session.scalars(sa.select(ExportJob)).all() == []


def test_asking_needs_a_fresh_proof(
    app: Flask, researcher: Browser, shop: Shop, clock: TestClock
) -> None:
    clock.forward(minutes=6)
    ask(researcher, shop.site, 401)
    with shop.site.database.reading() as session:
        assert session.scalars(sa.select(ExportJob)).all() == []
    assert 'value="participants"' in researcher.page.text, "what was chosen is carried"


def test_too_many_at_once_are_refused(researcher: Browser, shop: Shop) -> None:
    for _ in range(5):
        ask(researcher, shop.site)
    ask(researcher, shop.site, 422)
    assert "Several of your exports wait already" in researcher.page.text


def test_a_form_can_be_filled_in_as_before(researcher: Browser, shop: Shop) -> None:
    ask(researcher, shop.site, what="scores", sites="01")
    shop.make()
    with shop.site.database.writing() as session:
        session.execute(sa.update(ExportJob).values(state="expired"))
    page = researcher.get(at(shop.site, "/exports"))
    (again,) = [str(a["href"]) for a in page.all("a") if "like=" in str(a.get("href"))]
    page = researcher.get(again)
    checked = [one.get("value") for one in page.all("input") if "checked" in one]
    assert checked == ["scores", "csv_exact", "01"]
    assert REASON in page.text


# --- whose it is --------------------------------------------------------------------------------


def test_an_investigator_of_one_site_is_offered_that_site_alone(app: Flask, shop: Shop) -> None:
    browser = sign_in(app, shop.site, "investigator", place(shop.site, "01"))
    ask(browser, shop.site)
    shown = [one.get("value") for one in browser.page.all("input") if one.get("name") == "sites"]
    assert shown == ["01"]
    shop.make()
    assert fetch(browser, shop.site).status_code == 200
    text = content(shop.file(newest(shop.site)), "participants.csv")
    assert "01-101" in text
    assert "02-202" not in text
    ask(browser, shop.site, 422, sites="02")


def test_somebody_elses_export_is_as_unknown_as_none(
    app: Flask, researcher: Browser, shop: Shop
) -> None:
    ask(researcher, shop.site)
    shop.make()
    job = newest(shop.site).public_id
    for role in ("researcher", "investigator"):
        other = sign_in(app, shop.site, role, place(shop.site, "01"))
        for path in (f"/exports/{job}/file", "/exports/nothing/file"):
            assert other.client.get(at(shop.site, path)).status_code == 404
        assert job not in other.get(at(shop.site, "/exports")).text
        answer = other.client.get(at(shop.site, "/exports/jobs"))
        assert answer.json == {"jobs": {}, "undone": False}


def test_a_role_that_has_ended_meanwhile_opens_no_file(
    researcher: Browser, shop: Shop, clock: TestClock
) -> None:
    """First another site is all that is left; then nothing is."""
    ask(researcher, shop.site)
    shop.make()
    assert fetch(researcher, shop.site).status_code == 200
    here = place(shop.site, "01")
    with shop.site.database.writing() as session:
        role = session.scalars(sa.select(StaffRole).where(StaffRole.role == "researcher")).one()
        staff.grant(session, role.staff_id, shop.site.study.id, here, "investigator", clock())
        staff.end_role(session, role.staff_id, role.id, clock())
    clock.forward(seconds=1)
    assert fetch(researcher, shop.site).status_code == 404
    assert newest(shop.site).public_id not in researcher.get(at(shop.site, "/exports")).text
    with shop.site.database.writing() as session:
        for one in session.scalars(sa.select(StaffRole)):
            staff.end_role(session, one.staff_id, one.id, clock())
    clock.forward(seconds=1)
    assert fetch(researcher, shop.site).status_code == 404
    assert len(told(shop.site, "fetch_export")) == 1


# --- downloading --------------------------------------------------------------------------------


@pytest.fixture
def ready(researcher: Browser, shop: Shop) -> bytes:
    """The researcher's export is made: its bytes."""
    ask(researcher, shop.site)
    shop.make()
    return shop.file(newest(shop.site)).read_bytes()


def test_a_download_that_broke_off_goes_on(researcher: Browser, shop: Shop, ready: bytes) -> None:
    job = newest(shop.site)
    first = fetch(researcher, shop.site, Range="bytes=0-99")
    assert (first.status_code, first.data) == (206, ready[:100])
    assert first.headers["Accept-Ranges"] == "bytes"
    etag = first.headers["ETag"]
    assert etag == f'"{job.sha256}"', "strong, so that pieces may be put together"
    rest = fetch(researcher, shop.site, Range="bytes=100-", If_Range=etag)
    assert (rest.status_code, first.data + rest.data) == (206, ready)
    assert rest.headers["Content-Range"] == f"bytes 100-{len(ready) - 1}/{len(ready)}"
    assert len(told(shop.site, "fetch_export")) == 1


def test_pieces_of_two_files_are_never_put_together(
    researcher: Browser, shop: Shop, ready: bytes
) -> None:
    other = fetch(researcher, shop.site, Range="bytes=100-", If_Range='"0123"')
    assert (other.status_code, other.data) == (200, ready)


def test_what_is_there_already_is_not_sent_again(
    researcher: Browser, shop: Shop, ready: bytes
) -> None:
    answer = fetch(researcher, shop.site, If_None_Match=f'"{newest(shop.site).sha256}"')
    assert (answer.status_code, answer.data) == (304, b"")
    path = at(shop.site, f"/exports/{newest(shop.site).public_id}/file")
    head = researcher.client.head(path)
    head.close()
    assert (head.status_code, head.content_length) == (200, len(ready))
    assert told(shop.site, "fetch_export") == [], "nothing has left"


def test_a_piece_that_there_is_not_is_refused(
    researcher: Browser, shop: Shop, ready: bytes
) -> None:
    answer = fetch(researcher, shop.site, Range=f"bytes={len(ready)}-")
    assert answer.status_code == 416
    assert told(shop.site, "fetch_export") == []


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_file_that_is_not_whole_is_not_sent(
    researcher: Browser, shop: Shop, ready: bytes, damage: str
) -> None:
    path = shop.file(newest(shop.site))
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(ready[:-1])
    answer = fetch(researcher, shop.site)
    assert answer.status_code == 404
    assert "The file is not on the server any more" in answer.text


def test_a_file_whose_time_is_over_is_gone(researcher: Browser, shop: Shop, ready: bytes) -> None:
    with shop.site.database.writing() as session:
        session.execute(sa.update(ExportJob).values(state="expired"))
    assert fetch(researcher, shop.site).status_code == 404
    assert "removed after seven days" in researcher.get(at(shop.site, "/exports")).text


# --- how far it is ------------------------------------------------------------------------------


def test_the_open_page_asks_how_far_it_is(researcher: Browser, shop: Shop) -> None:
    ask(researcher, shop.site)
    job = newest(shop.site)
    with shop.site.database.writing() as session:
        session.execute(
            sa.update(ExportJob).values(
                state="running", percent=43, rows_done=12_400, lease="x",
                lease_until=shop.site.clock(),
            )
        )  # fmt: skip
    answer = researcher.client.get(at(shop.site, "/exports/jobs"))
    assert answer.json is not None
    assert answer.json["undone"] is True
    piece = answer.json["jobs"][job.public_id]
    assert f'id="job-{job.public_id}"' in piece
    assert '<progress aria-label="Progress" max="100" value="43">' in piece
    assert "43 per cent" in piece
    page = researcher.get(at(shop.site, "/exports")).text
    assert piece.strip() in page, "the same piece, so that only what changes is replaced"


def test_an_open_page_keeps_nobody_signed_in(
    researcher: Browser, shop: Shop, clock: TestClock
) -> None:
    """It asks every two seconds; a desk that was left is signed out all the same."""
    ask(researcher, shop.site)
    for minute in range(1, 16):
        clock.forward(minutes=1)
        answer = researcher.client.get(at(shop.site, "/exports/jobs"))
        assert answer.status_code == (200 if minute < 15 else 303)
    assert (answer.status_code, answer.location) == (303, "/staff/sign-in?over=1")
    with researcher.client.session_transaction() as session:
        assert "staff_next" not in session, "nobody is led to a page for scripts"


def test_reading_the_form_is_work(researcher: Browser, shop: Shop, clock: TestClock) -> None:
    for _ in range(16):
        clock.forward(minutes=1)
        researcher.get(at(shop.site, "/exports"))
    with shop.site.database.reading() as session:
        assert session.scalars(sa.select(StaffSession.seen_at)).one() == clock()


# --- the codebook -------------------------------------------------------------------------------


@pytest.mark.parametrize("what", export_formats.TABLES)
def test_every_table_has_a_page_that_explains_it(
    researcher: Browser, shop: Shop, what: str
) -> None:
    page = researcher.get(at(shop.site, f"/exports/codebook?what={what}"))
    assert "<code" in page.text
    assert "01-101" not in page.text, "columns, and no row"


def test_the_codebook_speaks_the_language_of_the_labels(researcher: Browser, shop: Shop) -> None:
    page = researcher.get(at(shop.site, "/exports/codebook?what=answers&language=ta"))
    assert page.all("html")[0]["lang"] == "en"
    assert any(one.get("lang") == "ta" for one in page.all("tbody"))
    assert "LQ01" in page.text
    assert "-7" in page.text
    wording = shop.site.library.wording("lupusqol", "ta")
    assert wording is not None
    options = shop.site.library.instruments["lupusqol"].items[0].options.code
    assert wording.options[options][0] in page.text
    researcher.get(at(shop.site, "/exports/codebook?what=contacts"), 404)


@pytest.mark.parametrize(("form", "kind"), [("csv", "text/csv"), ("xlsx", "spreadsheetml")])
def test_the_codebook_can_be_taken_along(
    researcher: Browser, shop: Shop, form: str, kind: str
) -> None:
    page = researcher.get(at(shop.site, "/exports/codebook?what=scores&language=zh_Hans"))
    (link,) = [str(a["href"]) for a in page.all("a") if f"scores.{form}" in str(a.get("href"))]
    answer = researcher.client.get(link)
    assert kind in str(answer.content_type)
    assert "test-scores_codebook" in answer.headers["Content-Disposition"]
    if form == "csv":
        assert "LQPH" in answer.text
        assert answer.text.startswith("\ufeff"), "for a spreadsheet"
    else:
        assert answer.data.startswith(b"PK")
    answer.close()
    for path in ("contacts.csv", "scores.doc"):
        assert researcher.client.get(at(shop.site, f"/exports/codebook/{path}")).status_code == 404


# --- every page in every language ---------------------------------------------------------------


def walk(desk: Any, site: Site) -> None:
    """Every page, with an export in every state."""
    desk.get(at(site, "/exports"))
    desk.post(at(site, "/exports"), 422, what="x", format="x", language="x", reason="")
    desk.post(at(site, "/exports"), **{**FORM, "reason": "hospital"})
    now = site.clock()
    with site.database.writing() as session:
        job = session.scalars(sa.select(ExportJob)).one()
        values = {name: getattr(job, name) for name in
                  ("study_id", "staff_id", "what", "format", "language", "reason")}  # fmt: skip
        common = {**values, "requested_at": now, "as_of": now, "rows_done": 3, "attempts": 1}
        made = {"file_name": "a.csv", "size": 1_234_567, "sha256": "0" * 64, "finished_at": now,
                "expires_at": now + timedelta(days=7)}  # fmt: skip
        filters = {"sites": ["01"], "timepoints": ["baseline"], "days_from": "enrolment"}
        rows: list[dict[str, Any]] = [
            {"state": "running", "percent": 40, "lease": "x", "lease_until": now},
            {"state": "done", **made},
            {"state": "expired", **made, "size": 900},
            *({"state": "failed", "error": code, "finished_at": now} for code in
              (*export_words.ERROR, "abandoned")),
        ]  # fmt: skip
        for place, row in enumerate(rows):
            session.add(ExportJob(public_id=f"job{place}", filters=filters, **common, **row))
    desk.get(at(site, "/exports"))
    desk.get(at(site, "/exports/job1/file"), 404)  # it was never made
    for what in export_formats.TABLES:
        desk.get(at(site, f"/exports/codebook?what={what}"))


def test_the_walk_reaches_every_page(app: Flask, web_site: Site) -> None:
    walk(sign_in(app, web_site, "researcher", None), web_site)

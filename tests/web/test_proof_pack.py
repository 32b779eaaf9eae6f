"""Proof packs on a page: who may ask for one, how far it is, and a file of who asked alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from pro_app.models import AuditEntry, ExportJob, StaffRole
from pro_app.services import export_jobs, export_making, staff
from pro_app.services.export_making import Workshop
from pro_app.services.export_source import Tell
from pro_app.services.exports import ExportRefused, Made
from pro_app.services.studies import CurrentStudy
from pro_app.web import export_words
from tests.conftest import Site, TestClock
from tests.pages import Browser
from tests.services.exporting import Shop
from tests.web.test_exports import app, folder
from tests.web.test_staff import at
from tests.web.test_staff_access import sign_in

__all__ = ["app", "folder"]
PACK = b"%PDF-1.4 a pack"


@dataclass
class Maker:
    """Makes a pack of a few bytes instead of driving a browser; it may refuse."""

    failed: bool = False
    refusal: str | None = None
    asked: list[str] = field(default_factory=list)

    def __call__(
        self, session: Session, study: CurrentStudy, job: ExportJob, folder: Path, tell: Tell
    ) -> Made:
        self.asked.append(str(job.filters["wording"]))
        if self.refusal is not None:
            raise ExportRefused("no", self.refusal)
        tell(3, 50)
        path = folder / "pack.pdf"
        path.write_bytes(PACK)
        verdict = "failed" if self.failed else "passed"
        digest = hashlib.sha256(PACK).hexdigest()
        return Made(path, f"test-{verdict}.pdf", 6, len(PACK), digest, {"wordings": self.asked})


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def workshop(web_site: Site, folder: Path, maker: Maker) -> Workshop:
    return replace(Shop(web_site, folder).workshop, prove=maker)


@pytest.fixture
def administrator(app: Flask, web_site: Site) -> Browser:
    return sign_in(app, web_site, "administrator", None)


def fingerprint(site: Site, instrument: str = "lupusqol", language: str = "ta") -> str:
    wording = site.library.wording(instrument, language)
    assert wording is not None
    return wording.fingerprint


def ask(browser: Browser, site: Site, status: int = 200, **parts: str) -> None:
    """Fill the form in and send it."""
    browser.get(at(site, "/proof"))
    browser.post(at(site, "/proof"), status, **{"wording": fingerprint(site), **parts})


def newest(site: Site) -> ExportJob:
    with site.database.reading() as session:
        return session.scalars(sa.select(ExportJob).order_by(ExportJob.id.desc())).first() or (
            pytest.fail("no job")
        )


def test_a_pack_is_asked_for_made_and_downloaded_on_record(
    administrator: Browser, web_site: Site, workshop: Workshop, maker: Maker
) -> None:
    ask(administrator, web_site)
    job = newest(web_site)
    assert (job.what, job.format, job.language, job.state) == ("proof", "pdf", "ta", "waiting")
    told = administrator.client.get(at(web_site, "/proof/jobs")).get_json()
    assert told["undone"] is True
    assert [*told["jobs"]] == [job.public_id]
    assert export_making.drain(workshop) == 1
    assert maker.asked == [fingerprint(web_site)]
    page = administrator.get(at(web_site, "/proof"))
    assert "The pack passed: no screen has a fault." in page.text
    answer = administrator.client.get(at(web_site, f"/proof/{job.public_id}/file"))
    assert (answer.status_code, answer.data, answer.mimetype) == (200, PACK, "application/pdf")
    answer.close()
    with web_site.database.reading() as session:
        made, fetched = session.scalars(
            sa.select(AuditEntry)
            .where(AuditEntry.action.in_(("export", "fetch_export")))
            .order_by(AuditEntry.id)
        )
    assert (made.new, made.detail["wordings"], made.detail["rows"]) == ("proof", maker.asked, 6)
    assert made.detail["sha256"] == fetched.detail["sha256"] == hashlib.sha256(PACK).hexdigest()


def test_a_pack_that_failed_says_so(
    administrator: Browser, web_site: Site, workshop: Workshop, maker: Maker
) -> None:
    maker.failed = True
    ask(administrator, web_site)
    export_making.drain(workshop)
    page = administrator.get(at(web_site, "/proof"))
    assert "The pack failed: its first pages list the screens that have faults." in page.text
    assert f"/proof/{newest(web_site).public_id}/file" in page.text


@pytest.mark.parametrize("code", ["browser", "wording"])
def test_why_none_could_be_made_is_said(
    administrator: Browser, web_site: Site, workshop: Workshop, maker: Maker, code: str
) -> None:
    maker.refusal = code
    ask(administrator, web_site)
    export_making.drain(workshop)
    assert newest(web_site).error == code
    assert str(export_words.ERROR[code]) in administrator.get(at(web_site, "/proof")).text


def test_where_none_are_made_the_job_says_so(
    administrator: Browser, web_site: Site, workshop: Workshop
) -> None:
    ask(administrator, web_site)
    export_making.drain(replace(workshop, prove=None))
    assert newest(web_site).error == "browser"


def test_packs_and_exports_are_listed_apart(app: Flask, web_site: Site, workshop: Workshop) -> None:
    both = sign_in(app, web_site, "investigator", None)
    ask(both, web_site)
    export_making.drain(workshop)
    job = newest(web_site)
    assert job.public_id not in both.get(at(web_site, "/exports")).text
    assert both.client.get(at(web_site, f"/exports/{job.public_id}/file")).status_code == 404
    assert job.public_id in both.get(at(web_site, "/proof")).text


def test_a_colleague_cannot_have_it(
    app: Flask, administrator: Browser, web_site: Site, workshop: Workshop
) -> None:
    ask(administrator, web_site)
    export_making.drain(workshop)
    path = at(web_site, f"/proof/{newest(web_site).public_id}/file")
    colleague = sign_in(app, web_site, "investigator", None)
    assert colleague.client.get(path).status_code == 404


def test_whose_role_has_ended_gets_none(
    administrator: Browser, web_site: Site, workshop: Workshop, clock: TestClock
) -> None:
    ask(administrator, web_site)
    with web_site.database.writing() as session:
        for one in session.scalars(sa.select(StaffRole)):
            staff.end_role(session, one.staff_id, one.id, clock())
    clock.forward(seconds=1)
    export_making.drain(workshop)
    assert newest(web_site).error == "role"


def test_what_is_not_the_studys_is_refused(administrator: Browser, web_site: Site) -> None:
    for wording in ("", "0" * 64):
        ask(administrator, web_site, 422, wording=wording)
    with web_site.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ExportJob)) == 0


def test_only_so_many_wait(administrator: Browser, web_site: Site) -> None:
    for _ in range(export_jobs.MOST_WAITING):
        ask(administrator, web_site)
    ask(administrator, web_site, 422)
    assert administrator.page.text.count("Several wait already.") >= 1


def test_the_page_says_where_no_browser_is(
    administrator: Browser, web_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = str(export_words.ERROR["browser"])
    monkeypatch.setattr("pro_app.wiring.proof_hindrance", lambda: None)
    assert said not in administrator.get(at(web_site, "/proof")).text
    monkeypatch.setattr("pro_app.wiring.proof_hindrance", lambda: "no Chromium")
    assert said in administrator.get(at(web_site, "/proof")).text


def test_the_study_page_leads_there(administrator: Browser, web_site: Site) -> None:
    page = administrator.get(at(web_site, "/protocol"))
    assert at(web_site, "/proof") in [one["href"] for one in page.all("a")]


def walk(desk: Any, site: Site) -> None:
    """Every page, with a pack in every state."""
    desk.get(at(site, "/proof"))
    desk.post(at(site, "/proof"), 422, wording="x")
    desk.post(at(site, "/proof"), wording=fingerprint(site))
    now = site.clock()
    with site.database.writing() as session:
        job = session.scalars(sa.select(ExportJob)).one()
        same = ("study_id", "staff_id", "what", "format", "language", "reason", "filters")
        values = {name: getattr(job, name) for name in same}
        common = {**values, "requested_at": now, "as_of": now, "rows_done": 3, "attempts": 1}
        made = {"size": 1_234_567, "sha256": "0" * 64, "finished_at": now,
                "expires_at": now + timedelta(days=7)}  # fmt: skip
        rows: list[dict[str, Any]] = [
            {"state": "running", "percent": 40, "lease": "x", "lease_until": now},
            {"state": "done", "file_name": "test-passed.pdf", **made},
            {"state": "done", "file_name": "test-failed.pdf", **made},
            {"state": "expired", "file_name": "test-passed.pdf", **made},
            *({"state": "failed", "error": code, "finished_at": now}
              for code in export_words.ERROR),
        ]  # fmt: skip
        for place, row in enumerate(rows):
            session.add(ExportJob(public_id=f"job{place}", **common, **row))
    desk.get(at(site, "/proof"))
    desk.get(at(site, "/proof/job1/file"), 404)  # it was never made


def test_the_walk_reaches_every_page(administrator: Browser, web_site: Site) -> None:
    walk(administrator, web_site)

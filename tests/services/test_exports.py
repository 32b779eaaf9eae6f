"""Exports: what is made of data, and the jobs that make it, whoever dies meanwhile."""

from __future__ import annotations

import csv
import hashlib
import io
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from pro_app.config import ROOT
from pro_app.export import watched
from pro_app.export.table import TableError
from pro_app.models import Alarm, ExportJob, Participant, StaffRole
from pro_app.models import Site as SiteRow
from pro_app.services import (
    enrolment,
    export_formats,
    export_jobs,
    export_making,
    exports,
    staff,
    tables,
)
from pro_app.services.export_jobs import JobRefused
from pro_app.services.export_making import LEASE, LIFE, MAKING
from pro_app.services.exports import ExportRefused, Surroundings, Wanted
from tests.conftest import Site, TestClock
from tests.services.exporting import ADDRESS, REASON, WANTED, Shop, untranslated


@pytest.fixture
def shop(site: Site, tmp_path: Path) -> Shop:
    """Two sites with somebody at each; a researcher of all, an investigator of the first."""
    with site.database.writing() as session:
        known = {*session.scalars(sa.select(SiteRow.code))}
        for code in {"01", "02"} - known:
            session.add(SiteRow(study_id=site.study.id, code=code, name=code))
    site.enrol("01-001")
    site.enrol("02-001")
    found = Shop(site, tmp_path / "exports")
    found.hire("Researcher", "researcher")
    found.hire("Investigator", "investigator", at="01")
    return found


def surroundings(shop: Shop) -> Surroundings:
    return Surroundings(
        shop.site.study, shop.site.library, untranslated, shop.site.clock(), ADDRESS
    )


def content(path: Path, name: str) -> str:
    """A file of an export: in a ZIP file, or alone."""
    if not zipfile.is_zipfile(path):
        return path.read_text(encoding="utf-8")
    with zipfile.ZipFile(path) as packed:
        return packed.read(name).decode()


def numbers(shop: Shop, job: ExportJob) -> list[str]:
    """Whose rows an export of participants has."""
    text = content(shop.file(job), "participants.csv")
    return [row["participant"] for row in csv.DictReader(io.StringIO(text))]


# --- what is made -------------------------------------------------------------------------------


def test_every_table_is_offered_and_nothing_else() -> None:
    assert sorted(export_formats.TABLES) == sorted(tables.NAMES)


@pytest.mark.parametrize("form", [*export_formats.FORMATS, "packages"])
def test_same_data_same_bytes(
    shop: Shop, tmp_path: Path, form: str, subtests: pytest.Subtests
) -> None:
    sheet = shop.site.open(shop.site.enrol("01-002"))[0]
    shop.site.answer_all(sheet)
    shop.site.submit(sheet)
    around = surroundings(shop)
    packages = [(what, one) for what, forms in export_formats.PACKAGES.items() for one in forms]
    every = packages if form == "packages" else [(what, form) for what in export_formats.TABLES]
    for what, one in every:
        seen = []
        with subtests.test(what, form=one):
            for name in ("first", "second"):
                folder = tmp_path / what / one / name
                folder.mkdir(parents=True)
                wanted = Wanted(what, one, "ta")
                with shop.site.database.snapshot() as session:
                    made = exports.make(session, around, wanted, folder, lambda *_: None)
                seen.append(made.path.read_bytes())
                assert made.sha256 == hashlib.sha256(seen[-1]).hexdigest()
                assert made.size == len(seen[-1])
                assert exports.media_type(made.name).count("/") == 1
            assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"what": "contacts"}, "what"),
        ({"format": "doc"}, "format"),
        ({"language": "fr"}, "language"),
    ],
)
def test_what_nobody_can_have_is_refused(parts: dict[str, str], code: str) -> None:
    with pytest.raises(ExportRefused) as refused:
        exports.check(replace(WANTED, **parts))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("what", "form"),
    [*(("answers", one) for one in export_formats.FORMATS),
     *((what, one) for what, forms in export_formats.PACKAGES.items() for one in forms)],
)  # fmt: skip
def test_how_often_tables_are_read_is_what_the_progress_reckons_with(
    shop: Shop, tmp_path: Path, what: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    real = watched.watched

    def counting(table: Any, begin: Any) -> Any:
        return real(table, lambda: begun.append(table.name) or begin())  # type: ignore[func-returns-value]

    monkeypatch.setattr(watched, "watched", counting)
    shop.site.answer_all(shop.site.open(shop.site.enrol("01-002"))[0])
    with shop.site.database.snapshot() as session:
        exports.write(session, surroundings(shop), Wanted(what, form, "en"), tmp_path)
    assert len(begun) == export_formats.find(what, form).passes, begun


def test_how_far_it_is_never_goes_back_and_is_not_the_end_before_the_end(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in range(3, 8):
        shop.site.enrol(f"01-00{place}")
    real = tables.table

    def by_the_row(*about: Any) -> Any:
        table = real(*about)

        def frames() -> Any:
            for frame in table.frames():
                yield from frame.iter_slices(1)

        return replace(table, frames=frames)

    monkeypatch.setattr(tables, "table", by_the_row)
    seen: list[tuple[int, int | None]] = []
    around = surroundings(shop)
    with shop.site.database.snapshot() as session:
        exports.write(session, around, WANTED, tmp_path, lambda *far: seen.append(far))
    assert [rows for rows, _ in seen] == list(range(1, 8))
    shares = [share for _, share in seen if share is not None]
    assert shares == sorted(shares)
    assert len(shares) == 7
    assert 0 < shares[0] < shares[-1] < 100


# --- asking -------------------------------------------------------------------------------------


def test_a_role_at_one_site_gets_that_site_alone(shop: Shop) -> None:
    own, every = shop.ask("Investigator"), shop.ask("Researcher")
    assert shop.make() == 2
    assert (numbers(shop, own), numbers(shop, every)) == (["01-001"], ["01-001", "02-001"])
    assert shop.job(own).filters == {"sites": ["01"]}
    assert shop.job(every).filters == {}


def test_another_site_cannot_be_asked_for(shop: Shop) -> None:
    for sites in ({"02"}, {"01", "02"}):
        with pytest.raises(JobRefused, match="not the person's own"):
            shop.ask("Investigator", sites=frozenset(sites))


@pytest.mark.parametrize("role", ["coordinator", "administrator"])
def test_other_roles_can_ask_for_nothing(shop: Shop, role: str) -> None:
    shop.hire("Somebody", role)
    with pytest.raises(JobRefused, match="not the person's own"):
        shop.ask("Somebody")


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"sites": frozenset({"99"})}, "sites"),
        ({"instruments": frozenset({"eq5d"})}, "instruments"),
        ({"timepoints": frozenset({"never"})}, "timepoints"),
        ({"days_from": "never"}, "days_from"),
        ({"what": "audit", "days_from": "enrolment"}, "dated"),
    ],
)
def test_what_the_study_has_not_is_refused(shop: Shop, parts: dict[str, Any], code: str) -> None:
    with pytest.raises(JobRefused) as refused:
        shop.ask(**parts)
    assert refused.value.code == code


def test_nobody_fills_the_queue(shop: Shop) -> None:
    for _ in range(export_jobs.MOST_WAITING):
        shop.ask()
    with pytest.raises(JobRefused) as refused:
        shop.ask()
    assert refused.value.code == "waiting"
    shop.ask("Investigator")
    shop.make()
    shop.ask()


def test_jobs_are_ones_own(shop: Shop, clock: TestClock) -> None:
    mine = shop.ask()
    clock.forward(minutes=1)
    newer, other = shop.ask(), shop.ask("Investigator")
    with shop.site.database.reading() as session:
        study, me = shop.site.study.id, shop.people["Researcher"]
        found = export_jobs.listed(session, study, me, clock())
        assert [one.id for one in found] == [newer.id, mine.id]
        assert export_jobs.find(session, study, me, mine.public_id, clock()) is not None
        assert export_jobs.find(session, study, me, other.public_id, clock()) is None
        assert export_jobs.find(session, study + 1, me, mine.public_id, clock()) is None


def test_what_a_role_no_longer_covers_is_nobodys(shop: Shop, clock: TestClock) -> None:
    own, every = shop.ask("Investigator"), shop.ask()
    shop.make()
    with shop.site.database.writing() as session:
        for role in session.scalars(sa.select(StaffRole)):
            staff.end_role(session, role.staff_id, role.id, clock())
    clock.forward(minutes=1)
    with shop.site.database.writing() as session:
        here = session.scalars(sa.select(SiteRow.id).where(SiteRow.code == "01")).one()
        me = shop.people["Researcher"]
        session.add(
            StaffRole(staff_id=me, study_id=shop.site.study.id, site_id=here, role="researcher",
                      begins_at=clock())
        )  # fmt: skip
        session.flush()
        assert not export_jobs.is_own(session, session.get_one(ExportJob, own.id), clock())
        assert not export_jobs.is_own(session, session.get_one(ExportJob, every.id), clock())
        assert export_jobs.listed(session, shop.site.study.id, me, clock()) == []


TOLD = "Her brother Mazlan drove her home"


def withdrawn_with_a_reason(shop: Shop) -> None:
    """Somebody has told the record why, in words that leave with nobody but an investigator."""
    with shop.site.database.writing() as session:
        person = session.scalars(sa.select(Participant).where(Participant.number == "01-001")).one()
        enrolment.withdraw(session, person.id, shop.site.clock(), reason=TOLD)


def trail_of(shop: Shop, job: ExportJob) -> str:
    return content(shop.file(job), "audit.csv")


def test_what_people_wrote_leaves_for_investigators_of_all_its_sites_alone(shop: Shop) -> None:
    withdrawn_with_a_reason(shop)
    me = shop.hire("Both", "researcher", at=None)
    with shop.site.database.writing() as session:
        here = session.scalars(sa.select(SiteRow.id).where(SiteRow.code == "01")).one()
        session.add(
            StaffRole(staff_id=me, study_id=shop.site.study.id, site_id=here, role="investigator",
                      begins_at=shop.site.clock())
        )  # fmt: skip
    own, other = shop.ask("Investigator", what="audit"), shop.ask("Researcher", what="audit")
    first = shop.ask("Both", what="audit", sites=frozenset({"01"}))
    every = shop.ask("Both", what="audit")
    assert shop.make() == 4
    assert [TOLD in trail_of(shop, one) for one in (own, other, first, every)] == [
        True, False, True, False,
    ]  # fmt: skip
    assert "withdraw" in trail_of(shop, other)
    assert "detail" not in trail_of(shop, other).splitlines()[0]
    told = [one.detail["filter"].get("own_words") for one in shop.entries()]
    assert told == [None, "left out", None, "left out"]
    assert shop.ask("Researcher", what="scores").filters == {}


def test_whose_investigators_role_has_ended_fetches_no_words(shop: Shop, clock: TestClock) -> None:
    withdrawn_with_a_reason(shop)
    me = shop.hire("Both", "investigator", "researcher", at=None)
    job, scores = shop.ask("Both", what="audit"), shop.ask("Both", what="scores")
    shop.make()
    with shop.site.database.writing() as session:
        mine = sa.select(StaffRole).where(
            StaffRole.staff_id == me, StaffRole.role == "investigator"
        )
        staff.end_role(session, me, session.scalars(mine).one().id, clock())
    clock.forward(minutes=1)
    with shop.site.database.reading() as session:
        listed = export_jobs.listed(session, shop.site.study.id, me, clock())
        assert [one.id for one in listed] == [scores.id]
        found = export_jobs.find(session, shop.site.study.id, me, job.public_id, clock())
        assert found is None


# --- making -------------------------------------------------------------------------------------


def test_a_file_is_on_record_before_it_can_be_had(shop: Shop, clock: TestClock) -> None:
    asked = shop.ask("Investigator", days_from="enrolment", instruments=frozenset({"lupusqol"}))
    clock.forward(minutes=5)
    shop.make()
    job = shop.job(asked)
    assert (job.state, job.percent, job.error, job.lease) == ("done", 100, None, None)
    assert job.expires_at == clock() + LIFE
    made = shop.file(job).read_bytes()
    assert (len(made), hashlib.sha256(made).hexdigest()) == (job.size, job.sha256)
    assert shop.file(job).stat().st_mode & 0o077 == 0
    (entry,) = shop.entries()
    assert (entry.actor, entry.new) == (f"staff/{job.staff_id}", "participants")
    assert entry.stream == f"study/{shop.site.study.id}"
    assert entry.detail == {
        "format": "csv_exact", "language": "en", "reason": REASON, "rows": 1, "site": "01",
        "as_of": asked.as_of.isoformat(), "sha256": job.sha256,
        "filter": {"sites": "01", "instruments": "lupusqol", "days_from": "enrolment"},
    }  # fmt: skip
    assert [one.name for one in shop.folder.iterdir()] == [job.public_id]


def test_each_chosen_site_finds_its_entry(shop: Shop) -> None:
    shop.ask(sites=frozenset({"01", "02"}))
    shop.make()
    assert [one.detail["site"] for one in shop.entries()] == ["01", "02"]


def test_a_lease_keeps_others_away_until_it_ends(shop: Shop, clock: TestClock) -> None:
    shop.ask()
    assert export_making.claim(shop.workshop) is not None
    clock.forward(seconds=LEASE.total_seconds() - 1)
    assert export_making.claim(shop.workshop) is None
    clock.forward(seconds=1)
    assert export_making.claim(shop.workshop) is not None


def test_a_lease_made_under_a_clock_that_was_set_forward_holds_nobody_up(
    shop: Shop, clock: TestClock
) -> None:
    shop.ask()
    clock.forward(days=400)
    assert export_making.claim(shop.workshop) is not None
    clock.forward(days=-400)
    assert export_making.claim(shop.workshop) is not None


def test_who_waits_longest_is_first(shop: Shop, clock: TestClock) -> None:
    first = shop.ask()
    clock.forward(minutes=1)
    second = shop.ask("Investigator")
    lease = export_making.claim(shop.workshop)
    assert shop.job(first).lease == lease
    assert shop.job(second).state == "waiting"


def test_every_frame_renews_the_lease_and_says_how_far_it_is(
    shop: Shop, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, seen = shop.ask(), []

    def look(*_about: Any) -> bool:
        clock.forward(minutes=4)
        job = shop.job(asked)
        seen.append((job.state, job.lease_until, job.rows_done))
        return True

    shop.make(look)
    state, until, _ = seen[1]  # the first look is before the job is taken
    assert state == "running"
    assert until is not None
    assert shop.job(asked).state == "done"
    assert len(seen) >= 3, "and after each frame"


def test_whose_lease_has_ended_leaves_the_other_ones_file(
    shop: Shop, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that hung goes on when another one has made the file already."""
    asked, real = shop.ask(), exports.make
    calls: list[str] = []

    def hang(*about: Any) -> Any:
        made = real(*about)
        if not calls:
            calls.append("hung")
            clock.forward(seconds=LEASE.total_seconds() + 1)
            shop.site.enrol("01-009")  # so that the two files differ
            shop.make()
        return made

    monkeypatch.setattr(exports, "make", hang)
    shop.make()
    job = shop.job(asked)
    assert (job.state, job.attempts) == ("done", 2)
    assert hashlib.sha256(shop.file(job).read_bytes()).hexdigest() == job.sha256
    assert "01-009" in numbers(shop, job)
    assert len(shop.entries()) == 1


def test_a_worker_that_is_told_to_end_puts_the_job_back(shop: Shop) -> None:
    asked = shop.ask()
    going = iter([True, False, False])
    assert shop.make(lambda: next(going)) == 1
    job = shop.job(asked)
    assert (job.state, job.attempts, job.lease) == ("waiting", 0, None)
    assert shop.make() == 1
    assert shop.job(asked).state == "done"


def test_a_killed_workers_job_is_taken_again(
    shop: Shop, clock: TestClock, database_url: str
) -> None:
    asked = shop.ask()
    killed = subprocess.run(
        [sys.executable, "-m", "tests.services.exporting", database_url, str(shop.folder),
         clock().isoformat()],
        cwd=ROOT,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    assert shop.job(asked).state == "running"
    assert shop.make() == 0, "the lease still holds"
    left = [one.name for one in shop.folder.iterdir()]
    assert [one for one in left if one.startswith(MAKING)] == left != []
    clock.forward(seconds=LEASE.total_seconds())
    assert shop.make() == 1
    assert numbers(shop, asked) == ["01-001", "02-001"]
    assert len(shop.entries()) == 1
    export_making.tidy(shop.workshop)
    assert [one.name for one in shop.folder.iterdir()] == [asked.public_id]


def test_a_job_that_ends_every_worker_is_given_up(shop: Shop, clock: TestClock) -> None:
    asked = shop.ask()
    for _ in range(export_making.MOST_ATTEMPTS):
        assert export_making.claim(shop.workshop) is not None
        clock.forward(seconds=LEASE.total_seconds())
    assert export_making.claim(shop.workshop) is None
    job = shop.job(asked)
    assert (job.state, job.error) == ("failed", "abandoned")
    with shop.site.database.reading() as session:
        assert session.scalars(sa.select(Alarm.code)).all() == ["export"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TableError("too long"), "format"),
        (OSError(28, "No space left on device"), "disk"),
        (ZeroDivisionError("LQ01 is 4"), "fault"),
    ],
)
def test_a_failure_is_told_without_what_was_in_hand(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    error: Exception, code: str,
) -> None:  # fmt: skip
    def fail(*_about: Any) -> Any:
        raise error

    monkeypatch.setattr(exports, "make", fail)
    asked = shop.ask()
    shop.make()
    job = shop.job(asked)
    assert (job.state, job.error, job.sha256) == ("failed", code, None)
    assert "LQ01" not in caplog.text
    assert shop.entries() == []
    assert list(shop.folder.iterdir()) == []


def test_a_database_that_restarts_fails_no_job(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, real = shop.ask(), exports.make
    faults = iter([OperationalError("SELECT 1", {}, Exception("gone"))])

    def once(*about: Any) -> Any:
        for fault in faults:
            raise fault
        return real(*about)

    monkeypatch.setattr(exports, "make", once)
    assert shop.make() == 2
    assert shop.job(asked).state == "done"


def test_a_role_that_ended_meanwhile_gets_no_file(shop: Shop, clock: TestClock) -> None:
    asked = shop.ask()
    with shop.site.database.writing() as session:
        staff.disable(session, shop.people["Researcher"], clock())
    clock.forward(minutes=1)
    shop.make()
    job = shop.job(asked)
    assert (job.state, job.error) == ("failed", "role")
    assert list(shop.folder.iterdir()) == []


# --- afterwards ---------------------------------------------------------------------------------


def test_a_file_is_removed_when_its_time_is_over(shop: Shop, clock: TestClock) -> None:
    old = shop.ask()
    shop.make()
    clock.forward(days=6)
    young = shop.ask()
    shop.make()
    clock.forward(days=1)
    assert export_making.is_due(shop.site.database, clock())
    assert export_making.tidy(shop.workshop) == 1
    assert (shop.job(old).state, shop.job(young).state) == ("expired", "done")
    assert [one.name for one in shop.folder.iterdir()] == [young.public_id]
    assert not export_making.is_due(shop.site.database, clock())
    assert export_making.tidy(shop.workshop) == 0


def test_without_exports_nothing_is_due_and_nothing_is_made(shop: Shop, clock: TestClock) -> None:
    assert not export_making.is_due(shop.site.database, clock())
    assert (shop.make(), export_making.tidy(shop.workshop)) == (0, 0)
    assert not shop.folder.exists()
    shop.ask()
    assert export_making.is_due(shop.site.database, clock())


def test_a_download_is_told_once_and_its_continuation_is_not(shop: Shop, clock: TestClock) -> None:
    asked = shop.ask("Investigator")
    shop.make()

    def fetch(resumed: bool) -> int:
        with shop.site.database.writing() as session:
            export_jobs.note_fetch(session, asked.id, clock(), resumed)
        return len(shop.entries("fetch_export"))

    assert fetch(resumed=False) == 1
    clock.forward(hours=23)
    assert fetch(resumed=True) == 1
    assert fetch(resumed=False) == 2
    clock.forward(hours=25)
    assert fetch(resumed=True) == 3, "from the middle, and nothing tells of the beginning"
    entry = shop.entries("fetch_export")[0]
    assert (entry.actor, entry.new) == (f"staff/{shop.people['Investigator']}", "participants")
    told = {"format": "csv_exact", "site": "01", "sha256": shop.job(asked).sha256}
    assert entry.detail == told


def test_two_workers_make_each_job_once(shop: Shop, clock: TestClock) -> None:
    asked = [shop.ask(), shop.ask("Investigator")]
    leases = {export_making.claim(shop.workshop) for _ in range(2)}
    assert {shop.job(one).lease for one in asked} == leases
    assert export_making.claim(shop.workshop) is None


def test_a_zip_file_tells_of_no_machine_and_no_moment(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    for one in (first, second):
        pl.DataFrame({"n": [1]}).write_csv(one)
    seen = []
    for mode in (0o600, 0o755):
        first.chmod(mode)
        exports.pack([first, second], tmp_path / "packed.zip")
        seen.append((tmp_path / "packed.zip").read_bytes())
    assert seen[0] == seen[1]
    with zipfile.ZipFile(tmp_path / "packed.zip") as packed:
        assert packed.testzip() is None
        assert {one.date_time for one in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_time_that_was_asked_for_counts_and_not_that_of_the_making(
    shop: Shop, clock: TestClock
) -> None:
    """Statuses are those of when it was asked for, however long it waited."""
    sheet = shop.site.open(shop.site.enrol("01-005"), closes=timedelta(hours=1))[0]
    asked = shop.ask(what="assessments")
    clock.forward(hours=2)
    shop.make()
    text = content(shop.file(asked), "assessments.csv")
    states = {row["instrument"]: row["status"] for row in csv.DictReader(io.StringIO(text))}
    assert states[sheet.instrument] == "open"

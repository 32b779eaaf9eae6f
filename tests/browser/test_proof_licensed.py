"""Proof packs of licensed wordings: which are proved, and how a worker makes what was asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from pro_app.core.library import Library
from pro_app.models import Database, ExportJob
from pro_app.proof import book, choice, job, making
from pro_app.proof import browser as own_browser
from pro_app.proof import pack as packs
from pro_app.services import export_making, pack_jobs, studies
from pro_app.services.export_making import Workshop
from pro_app.services.studies import CurrentStudy
from tests.browser.proving import PHONE, content, made_library, pages
from tests.conftest import Site, TestClock
from tests.services.exporting import Shop
from tests.services.licensing import license_one


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library of the toy alone, in English and Malay."""
    return made_library(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def site(sqlite_url: str, toy: Library, clock: TestClock) -> Iterator[Site]:
    """A study of the toy, of which nothing is licensed yet."""
    database = Database(sqlite_url)
    with database.writing() as session:
        study = studies.load(session, toy, content(), clock())
    yield Site(database, toy, study, clock)
    database.close()


def licensed(site: Site, language: str, version: str, **terms: object) -> str:
    """License a marked text of the toy: its fingerprint. The site's study has it from now on."""
    now, mark = site.clock(), f" [{version}]"
    with site.database.writing() as session:
        made = license_one(
            session, site.study, site.library, "toy", language, now, version, mark, **terms
        )
        session.flush()
        site.study = studies.current(session, site.library, site.study.id)
    return made.fingerprint


def names(study: CurrentStudy, language: str, wanted: str | None = None) -> list[tuple[str, str]]:
    """Language and version of what is proved."""
    found = choice.chosen(study, "toy", [language], wanted)
    return [(one.language, one.version) for one in found]


def test_where_nothing_is_licensed_the_demonstration_is_proved(site: Site) -> None:
    assert names(site.study, "ms") == [("en", ""), ("ms", "")]
    assert names(site.study, "en") == [("en", "")]


def test_the_newest_is_proved_also_before_it_is_in_force(site: Site) -> None:
    licensed(site, "ms", "1")
    assert names(site.study, "ms") == [("en", ""), ("ms", "1")]
    licensed(site, "ms", "2", from_on=site.clock().date() + timedelta(days=30))
    assert names(site.study, "ms") == [("en", ""), ("ms", "2")]


def test_a_version_or_a_fingerprint_names_another_one(site: Site) -> None:
    first = licensed(site, "ms", "1")
    licensed(site, "ms", "2", from_on=date(2021, 1, 1))
    assert names(site.study, "ms", "1") == [("en", ""), ("ms", "1")]
    assert names(site.study, "ms", first[:8]) == [("en", ""), ("ms", "1")]
    shipped = site.library.wordings["toy", "ms"].fingerprint
    assert names(site.study, "ms", shipped) == [("en", ""), ("ms", "")]
    for wanted in (first[:7], "3", ""):
        with pytest.raises(choice.NoWording):
            names(site.study, "ms", wanted)


def test_the_source_is_of_the_same_version_where_there_is_one(site: Site) -> None:
    for version, day in (("1", date(2020, 1, 1)), ("2", date(2021, 1, 1))):
        licensed(site, "en", version, from_on=day)
    licensed(site, "ms", "1")
    assert names(site.study, "ms") == [("en", "1"), ("ms", "1")]
    licensed(site, "ms", "3", from_on=date(2022, 1, 1))
    assert names(site.study, "ms") == [("en", "2"), ("ms", "3")]


def test_the_newest_licence_stands_on_the_cover(site: Site) -> None:
    fingerprint = licensed(site, "ms", "1")
    licensed(site, "ms", "1", from_on=date(2021, 1, 1), holder="The owner", number="N-77")
    with site.database.reading() as session:
        order = making.order(session, site.library, site.study, "toy", ["ms"], None, site.clock())
    assert {one: licence.number for one, licence in order.permissions.items()} == {
        fingerprint: "N-77"
    }
    laid = book.lay_out(order, site.study.definition, [])
    cover = laid.page.partition("</section>")[0]
    assert "The owner, N-77, 2021-01-01 to 2099-12-31" in cover
    assert "version 1" in cover


@pytest.fixture
def workshop(
    site: Site, tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> Workshop:
    """A worker that makes packs of one size, with the tests' browser."""
    monkeypatch.setattr(own_browser, "opened", lambda: nullcontext(browser))
    monkeypatch.setattr(packs, "SIZES", (PHONE,))

    def prove(session: object, study: CurrentStudy, *rest: object) -> object:
        return job.prove(session, site.library, study, *rest, site.clock())  # type: ignore[arg-type]

    return replace(Shop(site, tmp_path / "exports").workshop, prove=prove)  # type: ignore[arg-type]


def ask(site: Site, shop: Shop, language: str) -> ExportJob:
    """An administrator asks for what is read in a language."""
    wording = site.study.wordings.reading("toy", language)
    assert wording is not None
    with site.database.writing() as session:
        return pack_jobs.ask(
            session, site.study, shop.people["Administrator"], wording, site.clock()
        )


def test_a_worker_makes_the_pack_and_tells_how_far_it_is(
    site: Site, workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    licensed(site, "en", "2")
    shop = Shop(site, tmp_path / "exports")
    shop.hire("Administrator", "administrator")
    asked = ask(site, shop, "en")
    told: list[tuple[int, int | None]] = []
    go_on = export_making._Making._go_on

    def listen(self: export_making._Making, rows: int, percent: int | None) -> None:
        told.append((rows, percent))
        go_on(self, rows, percent)

    monkeypatch.setattr(export_making._Making, "_go_on", listen)
    assert export_making.drain(workshop) == 1
    done = shop.job(asked)
    assert (done.state, done.error, done.file_name) == ("done", None, "test-toy-en-passed.pdf")
    assert told[0] == (1, 7)
    assert told[-1] == (13, 95)
    pdf = shop.file(asked).read_bytes()
    assert (done.size, done.sha256) == (len(pdf), hashlib.sha256(pdf).hexdigest())
    assert pages(pdf) > 10
    assert [one.name for one in workshop.folder.iterdir()] == [asked.public_id]
    (entry,) = shop.entries()
    assert entry.detail["wordings"] == [asked.filters["wording"]]
    assert "Choose" not in str(entry.detail)


def test_a_worker_that_stops_puts_the_pack_back(
    site: Site, workshop: Workshop, tmp_path: Path
) -> None:
    shop = Shop(site, tmp_path / "exports")
    shop.hire("Administrator", "administrator")
    asked = ask(site, shop, "en")
    rounds = iter([True, True])
    assert export_making.drain(workshop, lambda: next(rounds, False)) == 1
    assert shop.job(asked).state == "waiting"
    assert list(workshop.folder.iterdir()) == []


def test_a_wording_that_is_gone_fails_the_job(
    site: Site, workshop: Workshop, tmp_path: Path
) -> None:
    shop = Shop(site, tmp_path / "exports")
    shop.hire("Administrator", "administrator")
    asked = ask(site, shop, "ms")
    with site.database.writing() as session:  # the study drops the language
        amended = {**content(), "languages": ["en", "zh_Hans", "ta"]}
        (visit,) = amended["timepoints"]
        for labels in (amended["name"], visit["label"]):
            del labels["ms"]
        studies.load(session, site.library, amended, site.clock())
    export_making.drain(workshop)
    assert (shop.job(asked).state, shop.job(asked).error) == ("failed", "wording")


def test_without_a_browser_the_job_says_so(
    site: Site, workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(site, tmp_path / "exports")
    shop.hire("Administrator", "administrator")
    asked = ask(site, shop, "en")
    monkeypatch.setattr(own_browser, "hindrance", lambda: own_browser.NO_CHROMIUM)
    export_making.drain(workshop)
    assert shop.job(asked).error == "browser"

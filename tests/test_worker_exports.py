"""The worker's exports: in a thread of their own, one at a time, woken from the web."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from pro_app import wiring, worker
from pro_app.models import ExportJob
from pro_app.services import export_making
from pro_app.worker import Ticker, make_consumer, make_queue
from tests.conftest import Site, TestClock
from tests.services.exporting import Shop
from tests.test_worker import settings_for, until


@pytest.fixture
def shop(site: Site, tmp_path: Path) -> Shop:
    site.enrol("01-001")
    found = Shop(site, tmp_path / "exports")
    found.hire("Researcher", "researcher")
    return found


@pytest.fixture
def ticker(database_url: str, shop: Shop, clock: TestClock) -> Iterator[Ticker]:
    found = Ticker(replace(settings_for(database_url), exports=shop.folder), clock)
    yield found
    found.close()


def state(shop: Shop, job: ExportJob) -> str:
    return shop.job(job).state


def test_a_tick_makes_what_waits(ticker: Ticker, shop: Shop) -> None:
    job = shop.ask()
    ticker.tick()
    until(lambda: state(shop, job) == "done", "the export")
    assert shop.file(job).stat().st_size == shop.job(job).size


def test_a_tick_removes_what_is_over(ticker: Ticker, shop: Shop, clock: TestClock) -> None:
    job = shop.ask()
    shop.make()
    clock.forward(days=7)
    ticker.tick()
    until(lambda: not shop.file(job).exists(), "the file is gone")
    assert state(shop, job) == "expired"


def test_where_nothing_waits_no_thread_begins(ticker: Ticker, shop: Shop) -> None:
    ticker.tick()
    assert ticker._exporter is None


def test_a_long_export_holds_no_reminder_up_and_has_no_second_beside_it(
    ticker: Ticker, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, calls = Event(), Event(), []

    def drain(*_about: Any) -> int:
        calls.append(1)
        begun.set()
        assert go_on.wait(60)
        return 0

    monkeypatch.setattr(export_making, "drain", drain)
    shop.ask()
    ticker.tick()
    assert begun.wait(60)
    ticker.tick()  # which comes to its end while the export is being made
    ticker.export()
    assert calls == [1]
    go_on.set()


def test_to_close_waits_for_the_export_at_hand(
    ticker: Ticker, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is told to end by `going`, and puts its job back."""
    job = shop.ask()
    ticker.going = iter([True, False, False, False]).__next__
    ticker.export()
    ticker.close()
    assert (state(shop, job), shop.job(job).attempts) == ("waiting", 0)


def test_what_goes_wrong_is_logged_without_what_was_in_hand(
    ticker: Ticker, shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_about: Any) -> int:
        raise ZeroDivisionError("LQ01 is 4")

    with monkeypatch.context() as patch:
        patch.setattr(export_making, "drain", fail)
        ticker.export()
        ticker.close()
    assert "ZeroDivisionError" in caplog.text
    assert "LQ01" not in caplog.text
    job = shop.ask()
    ticker.export()
    until(lambda: state(shop, job) == "done", "the next one goes on")


# --- waking -------------------------------------------------------------------------------------


def test_a_worker_is_woken_from_another_process(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[int] = []
    monkeypatch.setattr(Ticker, "export", lambda _self: woken.append(1))
    url = f"sqlite:///{tmp_path / 'queue.sqlite3'}"
    settings = settings_for(sqlite_url, queue=url)
    consumer, _ = make_consumer(settings, clock=False, embedded=True)
    consumer.start()
    wiring.wake_for_exports(settings)
    until(lambda: woken == [1], "the worker is woken")
    consumer.stop(graceful=True)
    consumer.huey.storage.close()


def test_a_queue_that_is_not_there_loses_no_export(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The row is there, and the next tick finds it."""
    settings = settings_for(sqlite_url, queue="postgresql://nobody@127.0.0.1:1/none")
    with caplog.at_level(logging.WARNING):
        wiring.wake_for_exports(settings)
    assert "no worker could be woken" in caplog.text
    assert "nobody" not in caplog.text


def test_a_queue_in_memory_has_nobody_else_to_wake() -> None:
    worker.wake_for_exports("sqlite://")
    queue = make_queue("sqlite://")
    assert len(queue) == 0

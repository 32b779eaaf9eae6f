"""The server is killed at every step of a sync: each tap is in the record once all the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser import record
from tests.browser.conftest import Phones, Watch
from tests.browser.dying import STEPS, STORED
from tests.browser.faults import RECEIPT, SAVED, answering, comes_through, presses, rows, trail
from tests.browser.killing import ServerProcess
from tests.conftest import Site, TestClock


@pytest.fixture
def web_site(site: Site) -> Site:
    """On both databases."""
    return site


@pytest.fixture
def server(database_url: str, web_site: Site, clock: TestClock) -> Iterator[ServerProcess]:
    found = ServerProcess(database_url, clock)
    yield found
    found.close()


def test_each_answer_is_in_the_record_once_wherever_the_server_dies(
    phones: Phones, web_site: Site, server: ServerProcess, watch: Watch, clock: TestClock
) -> None:
    watch.expect("net::ERR_")
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    server.start()
    phone = answering(phones, lupusqol, person)
    expected: list[tuple[str, str, int | None]] = []
    for n, step in enumerate(STEPS, start=1):
        phone.at(n)
        server.kill()
        server.start(dies=step)
        phone.choose(n % 5)
        server.died()
        phone.waiting(1)
        tap = (f"LQ{n:02}", "answered", n % 5)
        assert rows(web_site, lupusqol) == [*expected, *([tap] if step in STORED else [])], step
        server.start()
        comes_through(phone, clock, SAVED)
        expected.append(tap)
        assert rows(web_site, lupusqol) == expected, step
        phone.next()
    assert trail(web_site, lupusqol, "answer") == len(STEPS)
    assert record.values(web_site, lupusqol) == {item: code for item, _, code in expected}


def test_each_questionnaire_is_submitted_once_wherever_the_server_dies(
    phones: Phones, web_site: Site, server: ServerProcess, watch: Watch, clock: TestClock
) -> None:
    watch.expect("net::ERR_")
    person = web_site.enrol()
    server.start()
    first = phones.of(person, own_time=True)
    first.open("/today")
    first.is_prepared()
    for occurrence, step in enumerate(STEPS, start=1):
        (assessment,) = web_site.open(person, "month_3", occurrence=occurrence)
        web_site.answer_all(assessment)
        phone = first.another_window()
        phone.open(f"/questionnaires/{assessment.public_id}/review")
        phone.is_prepared()
        server.kill()
        server.start(dies=step)
        phone.submit()
        server.died()
        before = [one.receipt for one in record.submissions(web_site, assessment)]
        assert len(before) == int(step in STORED), step
        server.start()
        comes_through(phone, clock, RECEIPT)
        (submission,) = record.submissions(web_site, assessment)
        assert submission.receipt in (before or [submission.receipt])
        assert phone.receipt().replace("-", "").lower() == submission.receipt[:12]
        assert presses(web_site, assessment) == ["submitted"], step
        assert trail(web_site, assessment, "submit") == 1
        assert trail(web_site, assessment, "press_submit") == 1
        phone.page.close()

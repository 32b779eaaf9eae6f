"""What the tests of broken networks, browsers and servers look at and wait for."""

from __future__ import annotations

from contextlib import suppress

import sqlalchemy as sa
from playwright.sync_api import Error, expect

from pro_app.models import Assessment, AuditEntry, SubmitOperation
from tests.browser import record
from tests.browser.conftest import PATIENCE, Phones
from tests.browser.people import Phone
from tests.conftest import Enrolled, Site, TestClock

LONGEST_WAIT = 31  # seconds between two tries of a phone, at most, and one
TRIES = 30
SAVED, RECEIPT = ".state .saved", "[data-page-code]:text-is('Q91')"
JOURNAL_IS_EMPTY = """() => new Promise((resolve, reject) => {
  const opening = indexedDB.open("journal");
  opening.onerror = reject;
  opening.onsuccess = () => {
    const counting = opening.result.transaction("entries").objectStore("entries").count();
    counting.onsuccess = () => { opening.result.close(); resolve(counting.result === 0); };
  };
})"""


def time_passes(phone: Phone, clock: TestClock) -> None:
    """As long as a phone waits between two tries."""
    clock.forward(seconds=LONGEST_WAIT)
    phone.page.clock.fast_forward(LONGEST_WAIT * 1000)


def rows(site: Site, assessment: Assessment) -> list[tuple[str, str, int | None]]:
    """What is in the record, in the order in which it came."""
    return [(row.item, row.state, row.code) for row in record.taps(site, assessment)]


def trail(site: Site, assessment: Assessment, action: str) -> int:
    """How often the audit trail tells of it."""
    query = sa.select(sa.func.count()).where(
        AuditEntry.object == f"assessment/{assessment.public_id}", AuditEntry.action == action
    )
    with site.database.reading() as database:
        return database.scalar(query) or 0


def presses(site: Site, assessment: Assessment) -> list[str]:
    """What came of each press on Submit."""
    query = sa.select(SubmitOperation.outcome).where(SubmitOperation.assessment_id == assessment.id)
    with site.database.reading() as database:
        return list(database.scalars(query))


def answering(phones: Phones, assessment: Assessment, person: Enrolled, n: int = 1) -> Phone:
    """A phone whose person is at question n; its clock goes with the test's."""
    phone = phones.of(person, own_time=True)
    phone.open(f"/questionnaires/{assessment.public_id}/items/{n}")
    phone.at(n)
    return phone


def comes_through(phone: Phone, clock: TestClock, shown: str) -> None:
    """What waits is sent by itself, and the page shows it.

    If a try had failed only just then, the next was planned after the time had passed: more passes.
    """
    for _ in range(TRIES):
        time_passes(phone, clock)
        with suppress(AssertionError, Error):  # not yet, or the page is just being left
            expect(phone.page.locator(shown)).to_be_visible(timeout=1_000)
            return nothing_waits(phone, 1_000)
    page = phone.page.locator("[data-page-code]").inner_text()
    raise AssertionError(f"nothing is sent by itself; the page is {page}")


def nothing_waits(phone: Phone, milliseconds: int = PATIENCE) -> None:
    """The phone's journal is empty, whatever the page says."""
    phone.comes_true(JOURNAL_IS_EMPTY, patience=milliseconds / 1000)

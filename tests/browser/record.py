"""What the database holds after a person's doings: read by the tests, never written."""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa

from pro_app.models import Answer, Assessment, Device, Participant, Score, Submission
from pro_app.services import answers
from tests.conftest import Site

DEADLINE = 30.0  # seconds; a busy machine is no fault
PAUSE = 0.02


def eventually(look: Callable[[], object], expected: object) -> None:
    """What a phone sends by itself, with nothing to be seen of it on any page, is there in time.

    For what comes, never for what must not come: that is there until it is too late to look.
    """
    end = time.monotonic() + DEADLINE
    while (found := look()) != expected and time.monotonic() < end:
        time.sleep(PAUSE)
    assert found == expected


def taps(site: Site, assessment: Assessment, item: str | None = None) -> list[Answer]:
    """Every stored operation, in the order in which it was stored."""
    query = sa.select(Answer).where(Answer.assessment_id == assessment.id).order_by(Answer.id)
    if item is not None:
        query = query.where(Answer.item == item)
    with site.database.reading() as database:
        return list(database.scalars(query))


def current(site: Site, assessment: Assessment) -> dict[str, answers.Current]:
    """The current answers by item."""
    with site.database.reading() as database:
        return answers.current(database, assessment.id)[0]


def values(site: Site, assessment: Assessment) -> dict[str, int | str]:
    """The current answers as codes, or the name of the state."""
    return {
        item: answer.state if answer.code is None else answer.code
        for item, answer in current(site, assessment).items()
    }


def submissions(site: Site, assessment: Assessment) -> list[Submission]:
    """The submissions: one at most."""
    with site.database.reading() as database:
        query = sa.select(Submission).where(Submission.assessment_id == assessment.id)
        return list(database.scalars(query))


def scores(site: Site, assessment: Assessment) -> dict[tuple[str, str], Score]:
    """The stored scores by scoring and scale."""
    with site.database.reading() as database:
        query = sa.select(Score).join(Submission).where(Submission.assessment_id == assessment.id)
        return {(one.scoring, one.scale): one for one in database.scalars(query)}


def count(site: Site, table: type[Participant] | type[Device]) -> int:
    """How many rows there are."""
    with site.database.reading() as database:
        return database.scalar(sa.select(sa.func.count()).select_from(table)) or 0

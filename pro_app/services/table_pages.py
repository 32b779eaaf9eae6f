"""A study's tables read some participants at a time: a page of a large study is had without
ordering all the rest of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.export.table import Table
from pro_app.models import Participant, Site
from pro_app.services import tables
from pro_app.services.tables import Request

FEWEST, MOST = 50, 10_000  # participants at a time


def gradually(session: Session, name: str, request: Request) -> Table:
    """One of `tables.NAMES`, for who reads only its beginning. Raises TablesError as `tables.table`
    does.

    The rows are the same as of `tables.table`. Ever more participants are read at a time, because
    a table may have few rows, or none, of many of them.
    """
    whole = tables.table(session, name, request)

    def frames() -> Iterator[Any]:
        after, people = request.after, FEWEST
        while (last := _last(session, replace(request, after=after), people)) is not None:
            part = replace(request, after=after, people=people)
            yield from tables.table(session, name, part).frames()
            after, people = last, min(people * 2, MOST)

    return replace(whole, frames=frames)


def _last(session: Session, request: Request, people: int) -> str | None:
    """The study number of the last of so many participants; None where there is none."""
    numbers = (
        sa.select(Participant.number)
        .join(Site, Site.id == Participant.site_id)
        .where(*request.among())
        .order_by(Participant.number)
        .limit(people)
    )
    found = session.scalars(numbers).all()
    return found[-1] if found else None

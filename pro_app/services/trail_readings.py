"""In which wording a value stood that an entry of the record tells of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import Answer, Assessment


class Read(NamedTuple):
    """What a person read: its language, and the fingerprint of the wording."""

    language: str
    wording: str


class _Told(NamedTuple):
    """An answer as entries tell of it: its number, its operation, and the value."""

    id: int
    operation: str
    value: str
    read: Read


Readings = Mapping[tuple[str, str], Sequence[_Told]]


def readings(session: Session, rows: Iterable[Any]) -> Readings:
    """Every answer to the items that these entries are about, by the object and the field of an
    entry, in the order in which they were stored."""
    wanted = {(row["object"], row["field"]) for row in rows if row["field"] is not None}
    names = {name.removeprefix("assessment/") for name, _ in wanted if "assessment/" in name}
    found: dict[tuple[str, str], list[_Told]] = defaultdict(list)
    query = (
        sa.select(
            Assessment.public_id, Answer.item, Answer.id, Answer.operation, Answer.state,
            Answer.code, Answer.language, Answer.wording,
        )
        .join(Assessment, Assessment.id == Answer.assessment_id)
        .where(Assessment.public_id.in_(sorted(names)), Answer.item.in_({one for _, one in wanted}))
        .order_by(Answer.id)
    )  # fmt: skip
    for name, item, number, operation, state, code, language, wording in session.execute(query):
        value = str(code) if state == "answered" else str(state)
        told = _Told(number, operation, value, Read(language, wording))
        found[f"assessment/{name}", item].append(told)
    return found


def before_and_after(known: Readings, row: Any) -> tuple[Read | None, Read | None]:
    """In which wordings the old and the new value of an entry were read: the wording of that very
    answer, else of the last one before it with the value, else of the last one at all."""
    told = known.get((row["object"], row["field"]), ())
    operation = row["detail"].get("operation")
    own = next((one for one in told if one.operation == operation), None)
    earlier = told if own is None else [one for one in told if one.id < own.id]
    after = _last(told, row["new"]) if own is None else own.read
    return _last(earlier, row["old"]), after


def _last(told: Sequence[_Told], value: str | None) -> Read | None:
    if value is None or not told:
        return None
    return next((one.read for one in reversed(told) if one.value == value), told[-1].read)

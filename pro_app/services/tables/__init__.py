"""The tables of a study that researchers take out. Every format and every picture is fed by them.

Participants are study numbers; contact data are in none of them. Of moments there may be study
days instead (`Request.days_from`), so that no date leaves, and what people wrote
in their own words can be left out (`Request.own_words`).
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from pro_app.export.table import Table
from pro_app.services.tables import (
    answered,
    assessed,
    days,
    items,
    logs,
    own_words,
    people,
    scored,
)
from pro_app.services.tables.request import Request, TablesError

__all__ = ["NAMES", "Request", "TablesError", "table"]

_MAKERS = {
    "participants": people.participants,
    "assessments": assessed.assessments,
    "answers": answered.answers,
    "answers_long": items.answers_long,
    "scores": scored.scores,
    "scores_long": scored.scores_long,
    "reminders": logs.reminders,
    "corrections": logs.corrections,
    "audit": logs.audit_entries,
}
NAMES = tuple(_MAKERS)


def table(session: Session, name: str, request: Request) -> Table:
    """One of NAMES. Its frames are read from `session` when they are asked for; for rows that fit
    together let the session see one moment (`Database.snapshot`).

    Raises TablesError for a name, site, instrument, visit or anchor that the study has not.
    """
    if name not in _MAKERS:
        raise TablesError(f"there is no table {name!r}; there are {', '.join(NAMES)}")
    request.check(session)
    made = _MAKERS[name](session, request)
    if not request.own_words:
        made = own_words.left_out(made)
    return made if request.days_from is None else days.counted(session, made, request)

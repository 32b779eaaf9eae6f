"""What a program asks for: the parameters of an address, checked; also as OpenAPI describes them.

A parameter that is not known is refused, because a mistyped filter would read everything.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import request

from pro_app.core.study import LANGUAGES
from pro_app.services.api_tokens import Holder
from pro_app.services.studies import CurrentStudy
from pro_app.web.problems import Problem

MOST_ROWS = 5_000  # of a page
USUAL_ROWS = 1_000
WITHOUT_VISITS = frozenset({"participants", "audit"})
# statuses of any moment would tell, by trying, on which date each window opened and closed
ONE_READING = timedelta(hours=24)  # how far back `as_of` goes for a token of study days
DATED = "audit"  # tells dates in words: it cannot be had by study days
MANY = {"schema": {"type": "array", "items": {"type": "string"}}, "style": "form", "explode": True}
TEXT = {"schema": {"type": "string"}}
LANGUAGE: dict[str, Any] = {
    "description": "The language of labels.",
    "schema": {"type": "string", "enum": list(LANGUAGES), "default": "en"},
}
DAYS_FROM: dict[str, Any] = {
    "description": (
        "An anchor's code: moments and days become study days counted from it, by CDISC's rule "
        "(the anchor's day is 1, the day before it -1), and no date leaves. A token for study days "
        "alone needs it."
    ),
    **TEXT,
}
OF_CODEBOOK: Mapping[str, dict[str, Any]] = {
    "language": LANGUAGE,
    "study_days_from": DAYS_FROM,
}
OF_TABLE: Mapping[str, dict[str, Any]] = {
    "site": {"description": "The code of a site; may be repeated.", **MANY},
    "instrument": {"description": "The code of a questionnaire; may be repeated.", **MANY},
    "timepoint": {"description": "The code of a visit; may be repeated.", **MANY},
    **OF_CODEBOOK,
    "test": {
        "description": (
            "1: the test participants of a live study, and nobody else. They are in no other "
            "answer. A study that is not live has test participants only."
        ),
        "schema": {"type": "string", "enum": ["0", "1"], "default": "0"},
    },
    "as_of": {
        "description": (
            "The moment as of which statuses such as missed are told: ISO 8601 with an offset, not "
            "in the future; now if left out. The links to further pages repeat it. A token for "
            "study days alone takes one of the last 24 hours."
        ),
        "schema": {"type": "string", "format": "date-time"},
    },
    "limit": {
        "description": (
            "At most so many rows. A page holds whole participants: where one participant alone "
            "has more, that one's rows are the page."
        ),
        "schema": {
            "type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": USUAL_ROWS,
        },
    },
    "after": {
        "description": (
            "Where the page begins, as the link to the next page names it. Pages go by study "
            "number: what is written while you read moves no row from one page to another."
        ),
        **TEXT,
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of a table. Codes are known ones; `sites` None is every site, and never more
    than the token reads. `after` is a study number; `tests`: of test participants alone."""

    language: str
    days_from: str | None
    sites: frozenset[str] | None = None
    instruments: frozenset[str] | None = None
    timepoints: frozenset[str] | None = None
    as_of: datetime | None = None
    limit: int = USUAL_ROWS
    after: str | None = None
    tests: bool = False

    def told(self) -> dict[str, Any]:
        """What narrows it, as the record has it."""
        found: dict[str, Any] = {
            "language": self.language,
            "study_days_from": self.days_from,
            "instrument": None if self.instruments is None else sorted(self.instruments),
            "timepoint": None if self.timepoints is None else sorted(self.timepoints),
            "after": self.after,
            "limit": self.limit,
            "test": "1" if self.tests else None,
        }
        return {name: value for name, value in found.items() if value is not None}


def parameters(table: str) -> Mapping[str, dict[str, Any]]:
    """The parameters of a table: those of participants and of the record have no questionnaire."""
    left_out = {"instrument", "timepoint"} if table in WITHOUT_VISITS else set()
    if table == DATED:
        left_out.add("study_days_from")
    return {name: one for name, one in OF_TABLE.items() if name not in left_out}


def of_codebook(table: str, study: CurrentStudy) -> Query:
    """What is asked of a table's codebook. Raises Problem."""
    _only({name: one for name, one in parameters(table).items() if name in OF_CODEBOOK})
    return Query(_language(), _days_from(study))


def of_table(table: str, study: CurrentStudy, known: Holder, now: datetime) -> Query:
    """What is asked of a table, but whether there is such a timepoint. Raises Problem."""
    if known.days_only and table == DATED:
        raise Problem(403, f"This token reads study days alone, and {table} tells dates in words.")
    _only(parameters(table))
    query = Query(
        _language(),
        _days_from(study),
        _sites(study, known),
        _several("instrument", [one.code for one in study.instruments]),
        frozenset(request.args.getlist("timepoint")) or None,
        _as_of(now),
        _limit(),
        _after(),
        _one_of("test", request.args.get("test", "0"), ("0", "1")) == "1",
    )
    if known.days_only and query.days_from is None:
        codes = ", ".join(one.code for one in study.definition.anchors)
        detail = f"This token reads study days alone: say from which anchor ({codes})."
        raise Problem(400, detail, "study_days_from")
    if known.days_only and query.as_of is not None and now - query.as_of > ONE_READING:
        detail = "This token reads study days alone: as_of can be of the last 24 hours."
        raise Problem(400, detail, "as_of")
    return query


def cursor(number: str) -> str:
    """A study number as addresses name it."""
    return base64.urlsafe_b64encode(number.encode()).decode().rstrip("=")


def page_parameters(query: Query, now: datetime, after: str) -> dict[str, Any]:
    """The parameters of the page after a study number: what was asked, as of the same moment."""
    told = replace(query, after=None).told()
    sites = request.args.getlist("site")
    as_of = (query.as_of or now).astimezone(UTC).isoformat()
    return {**told, **({"site": sites} if sites else {}), "as_of": as_of, "after": cursor(after)}


def _only(known: Mapping[str, Any]) -> None:
    for name in request.args:
        if name not in known:
            raise Problem(400, f"There is no parameter {name!r}: {', '.join(known)}.", name)
        if known[name].get("style") is None and len(request.args.getlist(name)) > 1:
            raise Problem(400, f"{name} can be given only once.", name)


def _one_of(name: str, value: str, codes: Iterable[str]) -> str:
    known = list(codes)
    if value not in known:
        listed = ", ".join(known) or "none"
        raise Problem(400, f"{value!r} is no {name} here: {listed}.", name)
    return value


def _language() -> str:
    return _one_of("language", request.args.get("language", "en"), LANGUAGES)


def _days_from(study: CurrentStudy) -> str | None:
    given = request.args.get("study_days_from")
    if given is None:
        return None
    return _one_of("study_days_from", given, [one.code for one in study.definition.anchors])


def _several(name: str, codes: Iterable[str]) -> frozenset[str] | None:
    given = request.args.getlist(name)
    return frozenset(_one_of(name, one, codes) for one in given) if given else None


def _sites(study: CurrentStudy, known: Holder) -> frozenset[str] | None:
    """The sites that are asked for, of those that the token reads; all of those if none is."""
    codes = [one.code for one in study.definition.sites]
    read = codes if known.sites is None else sorted(known.sites)
    return _several("site", read) or known.sites


def _as_of(now: datetime) -> datetime | None:
    given = request.args.get("as_of")
    if given is None:
        return None
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        detail = f"{given!r} is no moment with an offset, like 2027-03-01T09:00:00+08:00."
        raise Problem(400, f"{detail} In an address + is %2B.", "as_of")
    if found > now:
        raise Problem(400, f"{given!r} is in the future.", "as_of")
    return found


def _limit() -> int:
    given = request.args.get("limit", str(USUAL_ROWS))
    if not (given.isascii() and given.isdigit() and len(given) < 9):
        raise Problem(400, f"{given!r} is no number of rows.", "limit")
    if not 1 <= int(given) <= MOST_ROWS:
        raise Problem(400, f"A page has 1 to {MOST_ROWS} rows.", "limit")
    return int(given)


def _after() -> str | None:
    given = request.args.get("after")
    if given is None:
        return None
    try:
        padded = given + "=" * (-len(given) % 4)
        found = base64.urlsafe_b64decode(padded.encode("ascii")).decode()
    except (binascii.Error, UnicodeError):
        found = ""
    if not found or not found.isprintable() or len(found) > 40 or cursor(found) != given:
        raise Problem(400, "This is not where a page ends: take the link as it is.", "after")
    return found

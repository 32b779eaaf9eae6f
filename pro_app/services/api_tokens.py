"""Tokens by which a person of staff lets programs read a study: made, listed, ended, looked up.

A token reads no more than its maker may see: at each use it is the maker's account, roles and
sites of that moment that count, and of those what the token was made for. When a role comes back,
so does what its tokens read, unless they were revoked or are over.
"""

from __future__ import annotations

import hmac
import secrets as randomness
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import ApiToken, Staff, Study
from pro_app.services import audit, by_staff, participants, secrets, staff
from pro_app.services.studies import CurrentStudy

PREFIX = "proapp_"  # so that a token is known for one where it should not be, such as in a commit
READERS = ("researcher", "investigator")  # roles that make tokens, and that these read by
OWN_WORDS = ("investigator",)  # of them who may also read what people wrote in their own words
SCOPES: Mapping[str, tuple[str, ...]] = {  # by scope, the tables that it opens
    "participants": ("participants",),
    "assessments": ("assessments",),
    "answers": ("answers", "answers_long"),
    "scores": ("scores", "scores_long"),
    "reminders": ("reminders",),
    "corrections": ("corrections",),
    "audit": ("audit",),
    "codebook": (),  # what the columns of every table mean, and no row
}
LIVES = (30, 90, 180, 365)  # days
USUAL_LIFE = 90
LONGEST_NAME = 80  # characters
MOST = 20  # living tokens of one person in one study
USED_EVERY = timedelta(minutes=1)  # how exactly the last use is kept


class TokenError(Exception):
    """A token that cannot be made or ended as asked; `code` names what is wrong."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Wish:
    """The token that somebody wants: its name, what it reads (`SCOPES`), the codes of the sites
    (None: every site), whether times leave as study days only, for how many days, and why."""

    name: str
    scopes: frozenset[str]
    sites: frozenset[str] | None
    days_only: bool
    days: int
    reason: str


@dataclass(frozen=True, slots=True)
class Holder:
    """What a token that was shown reads now. `sites` are codes; None is every site of the study."""

    token_id: int
    public_id: str
    study_id: int
    staff_id: int
    scopes: frozenset[str]
    sites: frozenset[str] | None
    days_only: bool
    last_used_at: datetime | None
    own_words: bool = False  # whether its maker is an investigator of all of these sites

    def reads(self, table: str) -> bool:
        """Whether it opens the rows of a table."""
        return any(table in SCOPES[scope] for scope in self.scopes)

    def explains(self, table: str) -> bool:
        """Whether it opens the codebook of a table."""
        return "codebook" in self.scopes or self.reads(table)


@dataclass(frozen=True, slots=True)
class Line:
    """A token as lists show it. `state` is `living`, `expired`, `revoked`, or `asleep`: its maker
    may not read here now."""

    public_id: str
    name: str
    maker: str
    maker_id: int
    scopes: tuple[str, ...]
    sites: tuple[str, ...] | None
    days_only: bool
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    state: str


def make(session: Session, study: CurrentStudy, maker_id: int, wish: Wish, now: datetime) -> str:
    """A new token, which nobody can read again afterwards.

    Raises TokenError: `name`, `identity` (a name with a national identity number), `scopes`,
    `dated` (the record tells dates in words, which is more than study days), `sites` (none, or one
    that is not the maker's), `days`, `many`, `role` (the maker may not read here). The reason is
    the caller's to check.
    """
    _hold_study(session, study.id)
    sites = _checked(session, study, maker_id, wish, now)
    token = PREFIX + secrets.new_token()
    row = ApiToken(
        public_id=randomness.token_hex(8),
        study_id=study.id,
        staff_id=maker_id,
        name=_tidy(wish.name),
        token_hash=secrets.token_hash(token),
        scopes=[one for one in SCOPES if one in wish.scopes],
        sites=None if sites is None else sorted(sites),
        days_only=wish.days_only,
        created_at=now,
        expires_at=now + timedelta(days=wish.days),
    )
    session.add(row)
    session.flush()
    detail = {
        "token": row.public_id,
        "name": row.name,
        "scopes": row.scopes,
        "days_only": row.days_only,
        "expires_at": row.expires_at.astimezone(UTC).isoformat(),
        "reason": wish.reason,
    }
    _record(session, study, "make_token", staff.stream(maker_id), detail, sites, now)
    return token


def _tidy(name: str) -> str:
    return " ".join(name.split())


def _checked(
    session: Session, study: CurrentStudy, maker_id: int, wish: Wish, now: datetime
) -> frozenset[str] | None:
    """The sites of a token that can be made; raises TokenError for any other."""
    name = _tidy(wish.name)
    if not name or len(name) > LONGEST_NAME:
        raise TokenError("name")
    by_staff.free_text(name, _Identity)
    if not wish.scopes or not wish.scopes <= SCOPES.keys():
        raise TokenError("scopes")
    if wish.days_only and "audit" in wish.scopes:
        raise TokenError("dated")
    if wish.days not in LIVES:
        raise TokenError("days")
    every = frozenset(one.code for one in participants.sites(session, study.id, None))
    sites = _sites_within(wish.sites, coverage(session, study.id, maker_id, now), every)
    if _count_living(session, study.id, maker_id, now) >= MOST:
        raise TokenError("many")
    return sites


class _Identity(TokenError):
    """A name that holds what looks like a national identity number."""

    def __init__(self, _text: str) -> None:
        super().__init__("identity")


def _sites_within(
    wanted: frozenset[str] | None, covered: frozenset[str] | None, every: frozenset[str]
) -> frozenset[str] | None:
    """The sites that a new token names, of `every` one of the study: never more than its maker
    covers."""
    if covered is not None and not covered:
        raise TokenError("role")
    if wanted is None and covered is not None:
        raise TokenError("sites")
    if wanted is not None and (not wanted or not wanted <= (every if covered is None else covered)):
        raise TokenError("sites")
    return wanted


def coverage(
    session: Session,
    study_id: int,
    staff_id: int,
    now: datetime,
    roles: Sequence[str] = READERS,
) -> frozenset[str] | None:
    """The codes of the sites whose data a person may read in a study now by these roles; None: of
    every site, nothing: of none."""
    person = session.get_one(Staff, staff_id)
    found = staff.posts(session, staff_id, study_id, now)
    places = [sites for role, sites in found.items() if role in roles]
    if person.disabled_at is not None or not places:
        return frozenset()
    if any(sites is None for sites in places):
        return None
    ids = frozenset().union(*(sites for sites in places if sites is not None))
    return frozenset(one.code for one in participants.sites(session, study_id, ids))


def revoke(
    session: Session,
    study: CurrentStudy,
    public_id: str,
    reason: str,
    now: datetime,
    by: int | None,
    maker_id: int | None = None,
) -> None:
    """End a token at once; who does it by the id, None at the command line. With `maker_id` only
    one of that person's. Raises TokenError `token`: there is no such living one."""
    _hold_study(session, study.id)
    found = session.scalar(
        sa.select(ApiToken).where(
            ApiToken.public_id == public_id,
            ApiToken.study_id == study.id,
            ApiToken.revoked_at.is_(None),
            *(() if maker_id is None else (ApiToken.staff_id == maker_id,)),
        )
    )
    if found is None:
        raise TokenError("token")
    found.revoked_at = now
    session.flush()
    detail = {"token": found.public_id, "name": found.name, "reason": reason}
    sites = None if found.sites is None else frozenset(found.sites)
    _record(session, study, "revoke_token", by_staff.actor_of(by), detail, sites, now)


def listed(
    session: Session, study_id: int, now: datetime, maker_id: int | None = None
) -> list[Line]:
    """The tokens of a study, the newest first; with `maker_id` that person's alone."""
    query = (
        sa.select(ApiToken, Staff.name)
        .join(Staff, Staff.id == ApiToken.staff_id)
        .where(ApiToken.study_id == study_id)
        .order_by(ApiToken.id.desc())
    )
    if maker_id is not None:
        query = query.where(ApiToken.staff_id == maker_id)
    rows = session.execute(query).all()
    covered = {
        one: coverage(session, study_id, one, now) for one in {row.staff_id for row, _ in rows}
    }
    return [
        Line(
            public_id=row.public_id,
            name=row.name,
            maker=maker,
            maker_id=row.staff_id,
            scopes=tuple(row.scopes),
            sites=None if row.sites is None else tuple(row.sites),
            days_only=row.days_only,
            created_at=row.created_at,
            expires_at=row.expires_at,
            last_used_at=row.last_used_at,
            revoked_at=row.revoked_at,
            state=_state(row, covered[row.staff_id], now),
        )
        for row, maker in rows
    ]


def _state(row: ApiToken, covered: frozenset[str] | None, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    if row.expires_at <= now:
        return "expired"
    return "living" if _effective(row, covered) != frozenset() else "asleep"


def _effective(row: ApiToken, covered: frozenset[str] | None) -> frozenset[str] | None:
    """The sites that a token reads, of those that its maker covers."""
    if row.sites is None:
        return covered
    named = frozenset(row.sites)
    return named if covered is None else named & covered


def holder(session: Session, token: str, now: datetime) -> Holder | None:
    """What a token reads now; None for one that is unknown, revoked, over, or whose maker may read
    nothing of it any more.

    It is found by the hash of 256 random bits, so the time that takes tells nothing of others.
    """
    hashed = secrets.token_hash(token)
    row = session.scalar(sa.select(ApiToken).where(ApiToken.token_hash == hashed))
    if row is None or not hmac.compare_digest(row.token_hash, hashed):
        return None
    if row.revoked_at is not None or row.expires_at <= now:
        return None
    sites = _effective(row, coverage(session, row.study_id, row.staff_id, now))
    if sites is not None and not sites:
        return None
    readable = coverage(session, row.study_id, row.staff_id, now, OWN_WORDS)
    return Holder(
        row.id,
        row.public_id,
        row.study_id,
        row.staff_id,
        frozenset(row.scopes),
        sites,
        row.days_only,
        row.last_used_at,
        readable is None or (sites is not None and sites <= readable),
    )


def touch(session: Session, known: Holder, now: datetime) -> None:
    """Keep when a token was last used, to the minute."""
    if known.last_used_at is None or now - known.last_used_at >= USED_EVERY:
        session.execute(
            sa.update(ApiToken).where(ApiToken.id == known.token_id).values(last_used_at=now)
        )


def note_reading(
    session: Session,
    study: CurrentStudy,
    known: Holder,
    table: str,
    detail: Mapping[str, Any],
    sites: frozenset[str] | None,
    now: datetime,
) -> None:
    """Put on the study's record that a token has read a page of a table: an entry for each of the
    sites that were read, so that each finds its own; one entry for every site (None)."""
    _hold_study(session, study.id)
    told = {"token": known.public_id, **detail}
    _record(session, study, "export", staff.stream(known.staff_id), told, sites, now, table)
    touch(session, known, now)


def _record(
    session: Session,
    study: CurrentStudy,
    action: str,
    actor: str,
    detail: Mapping[str, Any],
    sites: frozenset[str] | None,
    now: datetime,
    new: str | None = None,
) -> None:
    """Put on the study's stream, which is held, what was done: for each site, or once for every
    one."""
    about = f"study/{study.definition.code}"
    places: Sequence[Mapping[str, str]] = (
        [{}] if sites is None else [{"site": code} for code in sorted(sites)]
    )
    entries = [
        audit.Entry(actor, action, about, new=new, detail={**place, **detail}) for place in places
    ]
    audit.record(session, audit.study_stream(study.id), now, entries)


def _hold_study(session: Session, study_id: int) -> None:
    session.execute(sa.select(Study.id).where(Study.id == study_id).with_for_update())


def _count_living(session: Session, study_id: int, staff_id: int, now: datetime) -> int:
    counted = (
        sa.select(sa.func.count())
        .select_from(ApiToken)
        .where(
            ApiToken.study_id == study_id,
            ApiToken.staff_id == staff_id,
            ApiToken.revoked_at.is_(None),
            ApiToken.expires_at > now,
        )
    )
    return session.scalar(counted) or 0

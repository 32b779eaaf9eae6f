"""The files by which people were enrolled, and who of each still needs a joining card."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import AuditEntry, Device, JoiningCode, Participant
from pro_app.services import audit, enrolment, participants, secrets
from pro_app.services.enrolment_file import ENROLLED
from pro_app.services.studies import CurrentStudy


class CodesMade(Exception):
    """Somebody has made codes for these people since the page was opened."""


@dataclass(frozen=True, slots=True)
class EnrolledFile:
    """A file whose people were enrolled `at` a moment, known by its SHA-256: how many, of whom
    `own` are at the sites of the person who asks."""

    sha256: str
    at: datetime
    people: int
    own: int


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody of such a file. `code`: the number of the newest code, 0 if no card was made yet;
    `joined`: a phone is there; `gone`: takes part no more, and gets no card."""

    id: int
    number: str
    language: str
    code: int
    joined: bool
    gone: bool

    @property
    def coded(self) -> bool:
        """Whether a card was made."""
        return self.code > 0

    @property
    def waits(self) -> bool:
        """Whether a card is of use."""
        return not (self.joined or self.gone)


def files(
    session: Session, study: CurrentStudy, site_ids: frozenset[int] | None
) -> list[EnrolledFile]:
    """The files with people of these sites (None: of all), the newest first."""
    rows = session.execute(
        sa.select(Participant.created_at, sa.func.count())
        .where(
            participants.everybody(study, site_ids),
            Participant.created_at.in_(sa.select(AuditEntry.at).where(*_of(study))),
        )
        .group_by(Participant.created_at)
    )
    own = {at: count for at, count in rows}  # noqa: C416 (rows are no pairs to dict)
    entries = session.scalars(
        sa.select(AuditEntry).where(*_of(study)).order_by(AuditEntry.seq.desc())
    )
    return [
        EnrolledFile(str(one.detail["sha256"]), one.at, int(one.new or 0), own[one.at])
        for one in entries
        if own.get(one.at)
    ]


def _of(study: CurrentStudy) -> tuple[sa.ColumnElement[bool], ...]:
    return AuditEntry.stream == audit.study_stream(study.id), AuditEntry.action == ENROLLED


def people(
    session: Session, study: CurrentStudy, file: EnrolledFile, site_ids: frozenset[int] | None
) -> Sequence[Entered]:
    """Who of a file is at these sites, by number."""
    code = (
        sa.select(sa.func.max(JoiningCode.id))
        .where(JoiningCode.participant_id == Participant.id, JoiningCode.kind == "joining")
        .correlate(Participant)
    )
    phone = sa.select(Device.id).where(
        Device.participant_id == Participant.id, Device.revoked_at.is_(None)
    )
    gone = sa.or_(Participant.withdrawn_at.is_not(None), Participant.died_at.is_not(None))
    rows = session.execute(
        sa.select(
            Participant.id,
            Participant.number,
            Participant.language,
            sa.func.coalesce(code.scalar_subquery(), 0),
            phone.exists(),
            gone,
        )
        .where(participants.everybody(study, site_ids), Participant.created_at == file.at)
        .order_by(Participant.number)
    )
    return [Entered(*row[:4], *map(bool, row[4:])) for row in rows]


def newest_code(people: Sequence[Entered]) -> int:
    """The number of the newest code of these people: what a page that offers new ones knows."""
    return max((one.code for one in people), default=0)


def make_codes(
    session: Session,
    people: Sequence[Entered],
    codes: Sequence[secrets.Code],
    known: int,
    now: datetime,
    actor: str,
) -> list[tuple[Entered, str]]:
    """Give each of these people a code, all in the caller's transaction; whoever has left the
    study meanwhile gets none.

    `known` is what `newest_code` said when the codes were asked for. Raises CodesMade when there
    are newer ones, which somebody may be printing: they are not made dead unseen.
    """
    for one in sorted(people, key=lambda one: one.id):
        audit.lock_stream(session, one.id)
    newest = sa.select(sa.func.max(JoiningCode.id)).where(
        JoiningCode.participant_id.in_([one.id for one in people]), JoiningCode.kind == "joining"
    )
    if (session.scalar(newest) or 0) > known:
        raise CodesMade
    given = []
    for one, code in zip(people, codes, strict=True):
        with suppress(enrolment.EnrolmentError):
            enrolment.issue_code(session, one.id, "", now, actor=actor, made=code)
            given.append((one, code.text))
    return given

"""What the site should know of the phones: what waits there, what was lost, which clocks erred."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from pro_app.core.assessment import Doubt
from pro_app.models import Answer, Assessment, Device, Loss, Participant, SubmitOperation
from pro_app.services.studies import CurrentStudy, counted

Remark = tuple[int, str]  # participant and text


def of_study(session: Session, study: CurrentStudy) -> Mapping[int, Sequence[str]]:
    """The remarks on every participant's phones that have any, by the participant's id."""
    zone = study.definition.zone
    found: dict[int, list[str]] = defaultdict(list)
    for participant_id, text in (
        *_waiting(session, study, zone),
        *_lost(session, study, zone),
        *_unkept(session, study),
        *_doubtful(session, study),
    ):
        found[participant_id].append(text)
    return found


def heard_again() -> sa.ColumnElement[bool]:
    """Whether a device's phone joined again. One that was signed out keeps what waits there; when
    it joins again, its journal speaks for both."""
    again = aliased(Device)
    later = sa.select(again.id).where(
        again.participant_id == Device.participant_id,
        again.journal == Device.journal,
        again.id > Device.id,
    )
    return later.correlate(Device).exists()


def _waiting(session: Session, study: CurrentStudy, zone: ZoneInfo) -> Iterator[Remark]:
    """What a phone said of answers that have not arrived."""
    rows = session.execute(
        sa.select(Device.participant_id, Device.unsent, Device.unsent_at, Device.revoked_at)
        .join(Participant, Participant.id == Device.participant_id)
        .where(counted(study), Device.unsent > 0, ~heard_again())
        .order_by(Device.id)
    )
    for participant_id, unsent, since, revoked_at in rows:
        answers = "1 answer waits" if unsent == 1 else f"{unsent} answers wait"
        phone = "a phone" if revoked_at is None else "a phone that is signed out,"
        moment = "" if since is None else f" since {since.astimezone(zone):%Y-%m-%d %H:%M}"
        yield participant_id, f"{answers} on {phone}{moment}"


def _lost(session: Session, study: CurrentStudy, zone: ZoneInfo) -> Iterator[Remark]:
    missing = Loss.count - Loss.arrived
    rows = session.execute(
        sa.select(Device.participant_id, missing, Loss.noticed_at)
        .join(Device, Device.id == Loss.device_id)
        .join(Participant, Participant.id == Device.participant_id)
        .where(counted(study), missing > 0)
        .order_by(Loss.id)
    )
    for participant_id, count, noticed_at in rows:
        answers = "1 answer" if count == 1 else f"{count} answers"
        day = noticed_at.astimezone(zone)
        yield participant_id, f"{answers} lost on a phone on {day:%Y-%m-%d}"


def _unkept(session: Session, study: CurrentStudy) -> Iterator[Remark]:
    rows = session.scalars(
        sa.select(Device.participant_id)
        .join(Participant, Participant.id == Device.participant_id)
        .where(
            counted(study),
            Device.persisted.is_(False),
            Device.revoked_at.is_(None),
        )
        .distinct()
    )
    for participant_id in rows:
        yield participant_id, "phone may delete unsent answers"


def _doubtful(session: Session, study: CurrentStudy) -> Iterator[Remark]:
    """Answers and presses on Submit whose moments are to be looked at, by kind of doubt."""
    told: dict[tuple[int, str], tuple[int, int]] = {}
    for table in (Answer, SubmitOperation):
        rows = session.execute(
            sa.select(
                Assessment.participant_id,
                table.doubt,
                sa.func.count(),
                sa.func.max(sa.func.abs(sa.func.coalesce(table.skew_ms, 0))),
            )
            .join(Assessment, Assessment.id == table.assessment_id)
            .join(Participant, Participant.id == Assessment.participant_id)
            .where(counted(study), table.doubt.is_not(None))
            .group_by(Assessment.participant_id, table.doubt)
        )
        for participant_id, doubt, count, skew in rows:
            before = told.get((participant_id, doubt), (0, 0))
            told[participant_id, doubt] = before[0] + count, max(before[1], skew)
    for (participant_id, doubt), (count, skew) in sorted(told.items()):
        yield participant_id, _doubt_text(doubt, count, timedelta(milliseconds=skew))


def _doubt_text(doubt: str, count: int, skew: timedelta) -> str:
    taps = "1 tap" if count == 1 else f"{count} taps"
    if doubt == Doubt.SKEW:
        return f"clock of a phone was wrong by {_span(skew)} ({taps})"
    if doubt == Doubt.CLOCK_CHANGED:
        return f"clock of a phone was changed while answers waited ({taps})"
    return f"clock of a phone said a time before the opening ({taps})"


def _span(span: timedelta) -> str:
    """A span as people say it, rounded."""
    if span < timedelta(minutes=90):
        return f"{round(span / timedelta(minutes=1))} min"
    if span < timedelta(hours=36):
        return f"{round(span / timedelta(hours=1))} h"
    return f"{round(span / timedelta(days=1))} days"

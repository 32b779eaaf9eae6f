"""The journals of the phones: what waits there, and what was lost with one that is gone.

A phone writes every tap into its browser's journal before it sends it. With each batch, and when
the app starts, it says how the journal is named and how many entries still wait. A browser whose
storage was removed comes back with a journal of another name: what waited in the old one is lost,
unless it is still on its way.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import Device, Loss, Transaction
from pro_app.services import audit


class State(NamedTuple):
    """What is known of a phone's journal: its name, and how many entries wait as last told."""

    device_id: int
    journal: str | None
    unsent: int


def heard(
    session: Transaction,
    participant_id: int,
    state: State,
    journal: str,
    left: int,
    new: int,
    now: datetime,
) -> None:
    """A batch of this journal came: `new` of its entries were not known yet, `left` others wait.

    The caller holds the participant's stream. A batch that brings nothing new was sent before:
    it may tell that less waits, and nothing else. The ordinary tap changes nothing here.
    """
    if journal == state.journal:
        unsent = left if new else min(left, state.unsent)
        if unsent != state.unsent:
            _keep(session, state.device_id, journal, unsent, now)
    elif new and not _arrived(session, participant_id, state.device_id, journal, new, now):
        _replace(session, participant_id, state, journal, 0, now)
        _keep(session, state.device_id, journal, left, now)


def report(
    session: Session,
    device_id: int,
    journal: str,
    left: int,
    lost: int,
    persisted: bool | None,
    now: datetime,
) -> None:
    """What a phone says when its app starts: `left` entries wait in the journal of this name,
    `lost` have vanished by the word of a second witness, and whether the browser has promised
    to keep them (`persisted`; None: it does not say).

    Safe to repeat: a loss is noted once for each journal that finds one.
    """
    participant_id = session.scalars(_owner, {"device": device_id}).one()
    audit.lock_stream(session, participant_id)
    state = State(device_id, *session.execute(_told, {"device": device_id}).one())
    if journal != state.journal and _loss_of(session, device_id, journal) is not None:
        return  # long on its way: another journal has taken its place
    if journal != state.journal:
        _replace(session, participant_id, state, journal, lost, now)
    elif lost:
        _note_loss(session, participant_id, device_id, None, journal, lost, now)
    _keep(session, device_id, journal, left, now)
    if persisted is not None:
        session.execute(
            sa.update(Device).where(Device.id == device_id).values(persisted=persisted),
            execution_options={"synchronize_session": False},
        )


_owner = sa.select(Device.participant_id).where(Device.id == sa.bindparam("device"))
_told = sa.select(Device.journal, Device.unsent).where(Device.id == sa.bindparam("device"))
_device = Device.__table__
_keep_told = (
    sa.update(_device)  # type: ignore[arg-type]
    .where(_device.c.id == sa.bindparam("device"))
    .values(
        journal=sa.bindparam("name"),
        unsent=sa.bindparam("count"),
        unsent_at=sa.case(
            (sa.bindparam("count") == 0, None),
            (
                sa.and_(_device.c.unsent > 0, _device.c.journal == sa.bindparam("name")),
                _device.c.unsent_at,
            ),
            else_=sa.bindparam("now", type_=_device.c.unsent_at.type),
        ),
    )
)


def _keep(session: Transaction, device_id: int, journal: str, unsent: int, now: datetime) -> None:
    """Note what waits now; `unsent_at` stays as long as anything does."""
    told = {"device": device_id, "name": journal, "count": unsent, "now": now}
    session.execute(_keep_told, told)


def _replace(
    session: Transaction,
    participant_id: int,
    state: State,
    journal: str,
    lost: int,
    now: datetime,
) -> None:
    """A journal of another name speaks: the one before is gone, and what waited there is lost.

    It is kept that it is gone even if nothing waited, so that a batch of it that was long on its
    way is known as such.
    """
    count = max(state.unsent, lost)  # what was told is certain; the second witness knows later
    if state.journal is not None or count:
        _note_loss(session, participant_id, state.device_id, state.journal, journal, count, now)


def _note_loss(
    session: Transaction,
    participant_id: int,
    device_id: int,
    gone: str | None,
    found_by: str,
    count: int,
    now: datetime,
) -> None:
    """Note a loss, or that one is greater than was known; on the record unless it is nothing."""
    which = sa.and_(Loss.device_id == device_id, Loss.found_by == found_by)
    known = session.execute(sa.select(Loss.count).where(which)).scalar()
    if known is None:
        row = {
            "device_id": device_id, "journal": gone, "found_by": found_by, "count": count,
            "arrived": 0, "noticed_at": now,
        }  # fmt: skip
        session.execute(sa.insert(Loss), row)
    elif count > known:
        session.execute(sa.update(Loss).where(which).values(count=count, told_at=None))
    else:
        return
    if count:
        old = None if not known else str(known)
        _record(session, participant_id, device_id, "lose_answers", old, str(count), now)


def _loss_of(session: Transaction, device_id: int, journal: str) -> int | None:
    """The loss whose journal is this one: it is gone, and what comes of it was long on its way."""
    return session.execute(_gone, {"device": device_id, "journal": journal}).scalar()


_gone = sa.select(Loss.id).where(
    Loss.device_id == sa.bindparam("device"), Loss.journal == sa.bindparam("journal")
)


def _arrived(
    session: Transaction,
    participant_id: int,
    device_id: int,
    journal: str,
    new: int,
    now: datetime,
) -> bool:
    """Whether the batch is of a journal that is gone; what it brings is not lost after all."""
    loss_id = _loss_of(session, device_id, journal)
    if loss_id is None:
        return False
    session.execute(sa.update(Loss).where(Loss.id == loss_id).values(arrived=Loss.arrived + new))
    _record(session, participant_id, device_id, "find_answers", None, str(new), now)
    return True


_missing = sa.case((Loss.count > Loss.arrived, Loss.count - Loss.arrived), else_=0)


def untold(session: Transaction, participant_id: int) -> int:
    """How many answers were lost on the participant's phones that they do not know of yet."""
    found = session.execute(
        sa.select(sa.func.coalesce(sa.func.sum(_missing), 0))
        .join(Device, Device.id == Loss.device_id)
        .where(Device.participant_id == participant_id, Loss.told_at.is_(None))
    )
    return int(found.scalar_one())


def tell(session: Session, participant_id: int, device_id: int, now: datetime) -> None:
    """The participant has seen, on this phone, what was lost."""
    audit.lock_participant(session, participant_id)
    count = untold(session, participant_id)
    own = sa.select(Device.id).where(Device.participant_id == participant_id)
    session.execute(
        sa.update(Loss).where(Loss.device_id.in_(own), Loss.told_at.is_(None)).values(told_at=now),
        execution_options={"synchronize_session": False},
    )
    if count:
        _record(session, participant_id, device_id, "see_loss", None, str(count), now)


def _record(
    session: Transaction,
    participant_id: int,
    device_id: int,
    action: str,
    old: str | None,
    new: str,
    now: datetime,
) -> None:
    entry = audit.Entry(
        f"participant/device {device_id}", action, f"device/{device_id}", "count", old, new
    )
    audit.record(session, audit.participant_stream(participant_id), now, [entry])

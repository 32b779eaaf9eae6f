"""What somebody who may do everything in the database can do to the trail and to the data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import AuditEntry, Base
from pro_app.services import audit, enrolment, phones, sessions, trail_export
from tests.conftest import PIN, Site

TRIGGERS = ("answer", "audit_checkpoint", "audit_entry", "audit_head", "score", "submission")
Tampering = Callable[[Session], object]


def live(site: Site) -> Site:
    """A full life: two people, joined, wrong PINs, settings, answers, one submission, an export."""
    person = site.enrol()
    device = site.join(person)
    with site.database.writing() as session:
        sessions.set_pin(session, device, PIN, site.clock())
        for pin in ("111222", PIN):
            sessions.check_pin(session, device, pin, site.clock())
        token = sessions.start(session, device, site.clock())
        now_is = sessions.person_of_session(session, token, site.clock())
        assert now_is is not None
        phones.change_setting(session, now_is, "language", "ms", site.clock())
        sessions.end(session, token, site.clock())
    lupusqol, sf36 = site.open(person)
    site.answer(lupusqol, {"LQ01": 1, "LQ02": "skipped", "LQ03": 4})
    site.answer(lupusqol, {"LQ01": "cleared"})
    site.answer_all(sf36)
    site.submit(sf36, device)
    other = site.enrol("01-002")
    site.open(other)
    with site.database.writing() as session:
        enrolment.request_code(session, site.study.id, other.number, site.clock())
        enrolment.withdraw(session, other.id, site.clock())
        enrolment.readmit(session, other.id, site.clock())
        told = trail_export.Told("answers", {"exact": False}, "for the tests")
        trail_export.note(session, site.study, told, "0" * 64, "site", site.clock())
    return site


def drop_triggers(session: Session) -> None:
    """What somebody who may do everything does first."""
    for name in TRIGGERS:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(sa.text(f"DROP TRIGGER append_only ON {name}"))
        else:
            session.execute(sa.text(f"DROP TRIGGER append_only_update_{name}"))
            session.execute(sa.text(f"DROP TRIGGER append_only_delete_{name}"))


def entries_of(session: Session, action: str) -> list[AuditEntry]:
    query = sa.select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)
    return list(session.scalars(query))


def change(session: Session, entry: AuditEntry, **values: Any) -> None:
    session.execute(sa.update(AuditEntry).where(AuditEntry.id == entry.id).values(**values))


def remove(session: Session, entry: AuditEntry) -> None:
    session.execute(sa.delete(AuditEntry).where(AuditEntry.id == entry.id))


def rehash(session: Session, entry: AuditEntry, **values: Any) -> None:
    """Change an entry and give it the hash that fits."""
    row = {one.name: getattr(entry, one.name) for one in AuditEntry.__table__.columns} | values
    change(session, entry, **values, hash=audit.entry_hash(row))


def swap(session: Session, one: AuditEntry, other: AuditEntry) -> None:
    """Put each of two entries in the other's place, all but their places in the chain."""
    names = ("at", "actor", "action", "object", "field", "old", "new", "detail", "hash")
    kept = [{name: getattr(entry, name) for name in names} for entry in (one, other)]
    change(session, one, **kept[1])
    change(session, other, **kept[0])


def table(name: str) -> sa.Table:
    return Base.metadata.tables[name]


def edit(session: Session, name: str, **values: Any) -> None:
    """Change a table's first row."""
    rows = table(name)
    first = sa.select(sa.func.min(rows.c.id)).scalar_subquery()
    session.execute(sa.update(rows).where(rows.c.id == first).values(**values))


def drop_first(session: Session, name: str) -> None:
    rows = table(name)
    first = session.scalar(sa.select(sa.func.min(rows.c.id)))
    session.execute(sa.delete(rows).where(rows.c.id == first))


def add_score(session: Session) -> None:
    rows = table("score")
    row = dict(session.execute(sa.select(rows).limit(1)).mappings().one())
    del row["id"]
    session.execute(sa.insert(rows), {**row, "algorithm": "made up"})


def cut_tail(session: Session) -> None:
    """Remove the end of the trail: the submission's entry and those of its scores."""
    for action in ("submit", "score"):
        for entry in entries_of(session, action):
            remove(session, entry)

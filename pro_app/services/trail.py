"""The audit trail as people read it: searched, newest first, page by page, with names for actors.

Entries that hold answers or scores are told without their values to whoever may not see those.
Which entries are harmless is listed here; what is not listed is held back.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.corrections import PLACES
from pro_app.models import Answer, AuditEntry, Participant, Site, Staff, StaffRole, SubmitOperation
from pro_app.models.audit import WATCHED
from pro_app.services import audit, audit_rows, trail_readings
from pro_app.services.participants import among, everybody
from pro_app.services.studies import CurrentStudy
from pro_app.services.trail_readings import Read

PAGE = 50  # entries
AT_ONCE = 500  # entries of an export
READ = "read_record"
Sites = frozenset[int] | None  # ids; None: every site of the study

# what may be told whole to who sees status alone
HARMLESS = frozenset({
    "accept_notice", "accept_transcription", "add_passkey", "add_staff", "begin_transcription",
    "cancelled_assessment", "change", "change_password", "change_setting", "confirm_at_tablet",
    "confirm_clock", "confirm_translation", "disable_staff", "discard_transcription",
    "end_other_sessions", "end_role",
    "end_tablet", "enrol", "enrol_file", "export", "fetch_export", "find_answers",
    "finish_transcription", "grant_role", "invite_staff", "issue_code", "join", "join_by_card",
    "license_wording", "print_sheets", "record_wording", "store_wording",
    "join_by_passkey", "keep_conflict", "load_study", "lock", "log_call", "lose_answers",
    "make_calendar", "make_passkey", "make_token", "moved_assessment", "open_assessment",
    "open_by_passkey", "pause_reminders", "press_submit", "read_answers", "read_contact",
    "read_news", "read_record", "read_transcription", "readmit", "record_consent", "record_death",
    "record_missed_reason", "refuse_passkey", "remove_email", "remove_passkey",
    "renew_recovery_codes", "renew_second_factor", "request_code", "restored_assessment",
    "resume_reminders", "return_transcription", "revoke_device", "revoke_passkey", "revoke_token",
    "schedule", "score_file", "see_loss", "set_anchor", "set_email", "set_pin", "set_up_sign_in",
    "sign_in", "sign_off", "sign_out", "start_tablet", "stays_assessment", "submit", "subscribe",
    "undo_death", "unlock", "unsubscribe", "use_recovery_code", "verify_again", "withdraw",
    "wrong_at_tablet", "wrong_code", "wrong_password", "wrong_pin",
})  # fmt: skip
# that there is an alert says something of answers: for who sees status alone there are none here
ALERTS = frozenset(
    {"acknowledge_alert", "escalate_alert", "lift_alert", "raise_alert", "raise_alert_again"}
)
# harmless where they are not about an answer, but about where a submission belongs
CORRECTIONS = ("correct", "reject_correction", "request_correction", "retract_correction")


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; empty means everything. Days are those of the study's zone, both
    included; `before` is the key of the last entry of the page before."""

    about: str = ""
    field: str = ""
    action: str = ""
    who: str = ""  # `participant`, `site`, `system`, or `staff/ID`
    first: date | None = None
    last: date | None = None
    before: int | None = None

    def told(self) -> dict[str, str]:
        """What narrows it, as the trail and an address have it."""
        days = {"from": self.first, "to": self.last}
        named = {"about": self.about, "field": self.field, "action": self.action, "who": self.who}
        given = named | {name: day.isoformat() for name, day in days.items() if day is not None}
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class Line:
    """An entry, with what the page says besides it.

    `name` is the person of staff who did it, `number` the participant whose stream it is.
    `at` is the server's clock; `device_time` the phone's own, as the phone wrote it, and
    `skew_ms` by how many milliseconds that clock was ahead. `old_read` and `new_read` are the
    wordings in which the values of an answer were read. `withheld`: its values are left out.
    """

    key: int
    stream: str
    seq: int
    at: datetime
    actor: str
    action: str
    object: str
    field: str | None
    old: str | None
    new: str | None
    hash: str
    detail: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    withheld: bool = False
    holds_answers: bool = False
    name: str | None = None
    number: str | None = None
    device_time: str | None = None
    skew_ms: int | None = None
    old_read: Read | None = None
    new_read: Read | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a record; `before` opens the next one, None on the last."""

    lines: list[Line]
    before: int | None

    @property
    def shows_answers(self) -> bool:
        """Whether values of answers or scores are on it."""
        return any(one.holds_answers and not one.withheld for one in self.lines)


def of_participant(
    session: Session, participant_id: int, zone: ZoneInfo, search: Search, *, answers: bool
) -> Page:
    """A page of a participant's record; `answers`: with the values of answers and scores."""
    return _page(session, _own(participant_id, zone, search), answers=answers)


def of_study(
    session: Session, study: CurrentStudy, sites: Sites, number: str, search: Search
) -> Page:
    """A page of what concerns these sites outside the participants' own records, and who has read
    those; with a study number, what concerns that participant. Never with answers."""
    return _page(session, _office(session, study, sites, number, search), answers=False)


def participant_lines(
    session: Session, participant_id: int, zone: ZoneInfo, search: Search, *, answers: bool
) -> Iterator[Line]:
    """All entries that `of_participant` finds, on whatever page."""
    return _all(session, _own(participant_id, zone, search), answers=answers)


def study_lines(
    session: Session, study: CurrentStudy, sites: Sites, number: str, search: Search
) -> Iterator[Line]:
    """All entries that `of_study` finds, on whatever page."""
    return _all(session, _office(session, study, sites, number, search), answers=False)


def note_reading(
    session: Session, participant_id: int, search: Search, actor: str, now: datetime
) -> None:
    """Put on a participant's record that somebody has read answers there."""
    audit.lock_participant(session, participant_id)
    entry = audit.Entry(actor, READ, "participant", detail=search.told())
    audit.record(session, audit.participant_stream(participant_id), now, [entry])


# --- which entries ------------------------------------------------------------------------------

_COLUMNS = (
    AuditEntry.stream, AuditEntry.seq, AuditEntry.at, AuditEntry.actor, AuditEntry.action,
    AuditEntry.object, AuditEntry.field, AuditEntry.old, AuditEntry.new, AuditEntry.hash,
    AuditEntry.detail,
)  # fmt: skip
Found = sa.Select[Any]


def _own(participant_id: int, zone: ZoneInfo, search: Search) -> Found:
    # by the number in the stream, whose index is in that order
    query = sa.select(AuditEntry.seq.label("key"), *_COLUMNS).order_by(AuditEntry.seq.desc())
    query = query.where(AuditEntry.stream == audit.participant_stream(participant_id))
    if search.before is not None:
        query = query.where(AuditEntry.seq < search.before)
    return query.where(*_narrowed(zone, search))


def _office(
    session: Session, study: CurrentStudy, sites: Sites, number: str, search: Search
) -> Found:
    query = sa.select(AuditEntry.id.label("key"), *_COLUMNS).order_by(AuditEntry.id.desc())
    watched = sa.and_(sa.text(f"({WATCHED})"), _concerning(study, sites))
    if number:
        person = session.scalar(
            sa.select(Participant.id).where(everybody(study, sites), Participant.number == number)
        )
        if person is None:
            return query.where(sa.false())
        named = AuditEntry.detail["participant"].as_string() == number
        own = AuditEntry.stream == audit.participant_stream(person)
        query = query.where(sa.or_(own, sa.and_(named, watched)))
    else:
        query = query.where(watched)
    if search.before is not None:
        query = query.where(AuditEntry.id < search.before)
    return query.where(*_narrowed(study.definition.zone, search))


def _concerning(study: CurrentStudy, sites: Sites) -> sa.ColumnElement[bool]:
    """Entries of the study, of the staff who have or had a task at these sites, and of those who
    read participants' records there."""
    staff = sa.select(sa.literal("staff/").concat(sa.cast(StaffRole.staff_id, sa.String))).where(
        StaffRole.study_id == study.id
    )
    people = sa.select(sa.literal("participant/").concat(sa.cast(Participant.id, sa.String)))
    people = people.where(among(study, sites))
    if sites is not None:
        staff = staff.where(sa.or_(StaffRole.site_id.is_(None), StaffRole.site_id.in_(sites)))
    # as an expression, so that no database looks through all the streams instead of the few
    # entries that are watched
    stream = AuditEntry.stream.concat("")
    return sa.or_(
        sa.and_(stream == audit.study_stream(study.id), _of_sites(study, sites)),
        sa.and_(stream.in_(staff), _of_study(study), _named_sites(study, sites)),
        stream.in_(people),
    )


def _of_sites(study: CurrentStudy, sites: Sites) -> sa.ColumnElement[bool]:
    return sa.true() if sites is None else audit_rows.concerning(study.id, sites)


def _of_study(study: CurrentStudy) -> sa.ColumnElement[bool]:
    named = AuditEntry.detail["study"].as_string()
    return sa.or_(named.is_(None), named == study.definition.code)


def _named_sites(study: CurrentStudy, sites: Sites) -> sa.ColumnElement[bool]:
    if sites is None:
        return sa.true()
    codes = sa.select(Site.code).where(Site.study_id == study.id, Site.id.in_(sites))
    named = AuditEntry.detail["site"].as_string()
    return sa.or_(named.is_(None), named.in_(codes))


def _narrowed(zone: ZoneInfo, search: Search) -> Iterator[sa.ColumnElement[bool]]:
    if search.about:
        yield AuditEntry.object == search.about
    if search.field:
        yield AuditEntry.field == search.field
    if search.action:
        yield AuditEntry.action == search.action
    if search.who == "participant":
        yield sa.or_(AuditEntry.actor == search.who, AuditEntry.actor.startswith("participant/"))
    elif search.who:
        yield AuditEntry.actor == search.who
    if search.first is not None:
        yield AuditEntry.at >= datetime.combine(search.first, time(), zone)
    if search.last is not None and search.last < date.max:
        yield AuditEntry.at < datetime.combine(search.last + timedelta(days=1), time(), zone)


# --- entries as lines ---------------------------------------------------------------------------


def _page(session: Session, query: Found, *, answers: bool) -> Page:
    rows = session.execute(_for(query, answers).limit(PAGE + 1)).mappings().all()
    lines = _lines(session, rows[:PAGE], answers=answers)
    return Page(lines, lines[-1].key if len(rows) > PAGE else None)


def _all(session: Session, query: Found, *, answers: bool) -> Iterator[Line]:
    found = session.execute(_for(query, answers).execution_options(yield_per=AT_ONCE)).mappings()
    for rows in found.partitions():
        yield from _lines(session, rows, answers=answers)


def _for(query: Found, answers: bool) -> Found:
    return query if answers else query.where(AuditEntry.action.not_in(ALERTS))


def _lines(session: Session, rows: Sequence[Any], *, answers: bool) -> list[Line]:
    lines = [_line(row, answers=answers) for row in rows]
    names = staff_names(session, {one for row in rows for one in (row["actor"], row["object"])})
    numbers = _numbers(session, {row["stream"] for row in rows})
    times = _device_times(session, rows)
    known = trail_readings.readings(session, rows) if answers else {}
    told = []
    for row, line in zip(rows, lines, strict=True):
        device_time, skew = times.get(str(row["detail"].get("operation")), (None, None))
        old_read, new_read = trail_readings.before_and_after(known, row)
        told.append(
            replace(
                line,
                name=names.get(line.actor),
                number=numbers.get(line.stream),
                device_time=device_time,
                skew_ms=skew,
                old_read=old_read,
                new_read=new_read,
            )
        )
    return told


def _line(row: Any, *, answers: bool) -> Line:
    harmless = row["action"] in HARMLESS or _moves_submission(row)
    line = Line(**row, holds_answers=not harmless)
    if answers:
        return line
    line = replace(line, seq=0, hash="")  # a gap in the numbers would tell of what is left out
    if harmless:
        return replace(line, detail=_without_alerts(line.detail))
    return replace(line, old=None, new=None, detail={}, withheld=True)


def _without_alerts(detail: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry tells besides alerts that were read or looked for."""
    found = {name: value for name, value in detail.items() if name != "alerts"}
    for told in (found, found.get("filter")):
        if isinstance(told, dict) and told.get("action") in ALERTS:
            found = {name: one for name, one in found.items() if name not in {"action", "filter"}}
    return found


def _moves_submission(row: Any) -> bool:
    """Whether it is a correction of where a submission belongs, which holds no answer."""
    return row["action"] in CORRECTIONS and row["field"] in PLACES.values()


def staff_names(session: Session, actors: Iterable[str]) -> dict[str, str]:
    """The names of those of the actors who are persons of staff."""
    ids = {int(one[6:]) for one in actors if one.startswith("staff/") and one[6:].isdigit()}
    rows = session.execute(sa.select(Staff.id, Staff.name).where(Staff.id.in_(sorted(ids))))
    return {f"staff/{staff_id}": name for staff_id, name in rows}


def _numbers(session: Session, streams: Iterable[str]) -> dict[str, str]:
    ids = sorted(int(one[12:]) for one in streams if one.startswith("participant/"))
    rows = session.execute(
        sa.select(Participant.id, Participant.number).where(Participant.id.in_(ids))
    )
    return {audit.participant_stream(place): number for place, number in rows}


def _device_times(
    session: Session, rows: Iterable[Any]
) -> dict[str, tuple[str | None, int | None]]:
    """By operation, when it was made by the phone's own clock, and how far that was ahead."""
    wanted = [str(row["detail"]["operation"]) for row in rows if "operation" in row["detail"]]
    found: dict[str, tuple[str | None, int | None]] = {}
    for kind in (Answer, SubmitOperation):
        known = session.execute(
            sa.select(kind.operation, kind.device_time, kind.skew_ms).where(
                kind.operation.in_(wanted)
            )
        )
        found |= {operation: (device_time, skew) for operation, device_time, skew in known}
    return found


# --- what there is to choose from ---------------------------------------------------------------


def actions(session: Session, participant_id: int, *, answers: bool) -> list[str]:
    """The actions on a participant's record that `of_participant` may find."""
    return _distinct(session, AuditEntry.action, participant_id, answers)


def actors(session: Session, participant_id: int, *, answers: bool) -> dict[str, str | None]:
    """Who has done something that `of_participant` may find, as `Search.who` has it, and the
    names."""
    kinds = [_kind(one) for one in _distinct(session, AuditEntry.actor, participant_id, answers)]
    names = staff_names(session, kinds)
    return {one: names.get(one) for one in sorted(set(kinds), key=lambda one: names.get(one, one))}


def _kind(actor: str) -> str:
    return "participant" if actor.startswith("participant") else actor


def _distinct(session: Session, column: Any, participant_id: int, answers: bool) -> list[str]:
    stream = audit.participant_stream(participant_id)
    found = sa.select(column).where(AuditEntry.stream == stream).distinct()
    return list(session.scalars(_for(found, answers)))


def people(session: Session, study: CurrentStudy, sites: Sites) -> dict[str, str | None]:
    """The staff who have or had a task at these sites, as `Search.who` has them."""
    query = sa.select(Staff.id, Staff.name).join(StaffRole, StaffRole.staff_id == Staff.id)
    query = query.where(StaffRole.study_id == study.id).distinct().order_by(Staff.name, Staff.id)
    if sites is not None:
        query = query.where(sa.or_(StaffRole.site_id.is_(None), StaffRole.site_id.in_(sites)))
    return {f"staff/{staff_id}": name for staff_id, name in session.execute(query)}

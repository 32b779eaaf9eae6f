"""Alerts on answers, where the protocol says that answers are watched for care; else nothing here
happens.

A submission is looked at in the transaction that makes it, by the version of the study that it is
made under, and again when a correction of its answers is approved. An alert is never removed.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core import alerts
from pro_app.core.alerts import COORDINATOR, INVESTIGATOR, Codes, Rule, Values
from pro_app.core.corrections import ANSWER, APPROVED
from pro_app.core.instruments import Instrument
from pro_app.core.library import Library
from pro_app.core.scoring import score
from pro_app.core.study import StudyDefinition
from pro_app.models import (
    AnswerAlert,
    Assessment,
    Correction,
    CorrectionDecision,
    Database,
    Participant,
    Staff,
    Submission,
)
from pro_app.services import alert_letters, audit, by_staff, signing, studies
from pro_app.services.studies import CurrentStudy, counted

SYSTEM = "system"
LONGEST = 2000  # characters of what was done
MOST = 200  # alerts on one page

Sites = frozenset[int] | None  # see `web.staff_access`; None: every site of the study


class AlertError(Exception):
    """An alert that cannot be acknowledged; the message says why."""


class NoteError(AlertError):
    """What was done is missing, too long, or holds what it must not."""


# --- raising ------------------------------------------------------------------------------------


def look(
    session: Session,
    definition: StudyDefinition,
    instrument: Instrument,
    submission: Submission,
    codes: Codes,
    now: datetime,
) -> list[audit.Entry]:
    """Raise what the answers of a submission raise and have not raised before, and note what they
    raise no more. `definition` is the version that the submission was made under.

    Returns the entries for the participant's stream, which the caller holds and writes to. They
    tell the rule, never an answer.
    """
    rules = definition.monitoring.rules_of(instrument.code)
    if not rules:
        return []
    found = alerts.raised(rules, codes, values_of(instrument, rules, codes))
    known = {
        one.rule: one
        for one in session.scalars(
            sa.select(AnswerAlert).where(AnswerAlert.submission_id == submission.id)
        )
    }
    entries = []
    for rule in rules:
        alert = known.get(rule.code)
        if rule in found and alert is None:
            entries.append(_raise(session, rule, submission, now))
        elif rule in found and alert is not None and alert.lifted_at is not None:
            entries.append(_raise_again(session, rule, alert, now))
        elif rule not in found and alert is not None and alert.lifted_at is None:
            alert.lifted_at = now
            entries.append(_entry(SYSTEM, "lift_alert", alert))
    session.flush()
    return entries


def values_of(instrument: Instrument, rules: tuple[Rule, ...], codes: Codes) -> Values:
    """The scores that the rules look at, of answers that are not on record as they are."""
    return {
        (one.scoring, one.scale): one.value
        for name in alerts.scorings(rules)
        for one in score(instrument.scorings[name], codes)
    }


def _raise(session: Session, rule: Rule, submission: Submission, now: datetime) -> audit.Entry:
    alert = AnswerAlert(
        public_id=secrets.token_urlsafe(12),
        submission=submission,
        rule=rule.code,
        raised_at=now,
        due_at=now + rule.within,
        for_coordinators=COORDINATOR in rule.recipients,
        escalate_to=rule.escalate_to,
    )
    session.add(alert)
    _tell(session, alert, rule.recipients, "raised", now)
    return _entry(SYSTEM, "raise_alert", alert, *rule.recipients)


def _raise_again(session: Session, rule: Rule, alert: AnswerAlert, now: datetime) -> audit.Entry:
    """Answers were corrected there and back. Nobody is told a second time of what somebody has
    acknowledged: the investigator who signed the correction has just seen it."""
    alert.lifted_at = None
    if alert.acknowledged_at is None:
        alert.raised_at, alert.due_at, alert.escalated_at = now, now + rule.within, None
        _tell(session, alert, rule.recipients, "raised", now)
    return _entry(SYSTEM, "raise_alert_again", alert, *rule.recipients)


def _tell(
    session: Session, alert: AnswerAlert, roles: tuple[str, ...], step: str, now: datetime
) -> None:
    participant = alert.submission.assessment.participant
    alert_letters.plan(session, alert, participant, roles, step, now)


def _entry(actor: str, action: str, alert: AnswerAlert, *told: str) -> audit.Entry:
    detail = {"alert": alert.public_id} | ({"told": list(told)} if told else {})
    about = f"assessment/{alert.submission.assessment.public_id}"
    return audit.Entry(actor, action, about, new=alert.rule, detail=detail)


# --- what becomes of them -----------------------------------------------------------------------


def escalate(database: Database, now: datetime) -> int:
    """Hand on every alert that nobody has acknowledged in time, once: how many."""
    with database.reading() as session:
        late = session.execute(
            sa.select(AnswerAlert.id, Assessment.participant_id)
            .join(Submission, Submission.id == AnswerAlert.submission_id)
            .join(Assessment, Assessment.id == Submission.assessment_id)
            .where(_unescalated(now))
            .order_by(AnswerAlert.due_at)
        ).all()
    done = 0
    for alert_id, participant_id in late:
        with database.writing() as session:
            audit.lock_participant(session, participant_id)
            # as it is now that nobody else can change it
            alert = session.scalar(
                sa.select(AnswerAlert).where(AnswerAlert.id == alert_id, _unescalated(now))
            )
            if alert is None:
                continue
            alert.escalated_at = now
            alert.for_coordinators |= alert.escalate_to == COORDINATOR
            _tell(session, alert, (alert.escalate_to,), "escalated", now)
            entry = _entry(SYSTEM, "escalate_alert", alert, alert.escalate_to)
            session.flush()
            audit.record(session, audit.participant_stream(participant_id), now, [entry])
            done += 1
    return done


def _unescalated(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        AnswerAlert.acknowledged_at.is_(None),
        AnswerAlert.escalated_at.is_(None),
        AnswerAlert.due_at <= now,
    )


def acknowledge(
    session: Session,
    participant_id: int,
    public_id: str,
    note: str,
    staff_id: int,
    now: datetime,
) -> AnswerAlert:
    """Put on record that somebody has seen an alert, and what was done. The trail tells of it
    without the text.

    For an investigator of the site, and for a coordinator who has been told of the alert. Raises
    NoteError, or AlertError where there is no such alert or somebody was faster.
    """
    participant = audit.lock_participant(session, participant_id)
    alert = session.scalar(
        sa.select(AnswerAlert)
        .join(AnswerAlert.submission)
        .join(Submission.assessment)
        .where(AnswerAlert.public_id == public_id, Assessment.participant_id == participant_id)
    )
    if alert is None:
        raise AlertError("there is no such alert")
    roles = (INVESTIGATOR, COORDINATOR) if alert.for_coordinators else (INVESTIGATOR,)
    try:
        person = signing.allowed(session, staff_id, roles, participant, now)
    except signing.NotAllowed as error:
        raise AlertError(str(error)) from error
    if alert.acknowledged_at is not None:
        raise AlertError("somebody has acknowledged this alert")
    text = by_staff.free_text(note, NoteError, LONGEST)
    if not text:
        raise NoteError("what was done is missing")
    alert.acknowledged_at, alert.acknowledger, alert.note = now, person, text
    session.flush()
    entry = _entry(signing.actor(person), "acknowledge_alert", alert)
    audit.record(session, audit.participant_stream(participant_id), now, [entry])
    return alert


# --- what there is to see -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Whose:
    """For whose eyes: the sites at which the reader is an investigator, who sees every alert
    there, and a coordinator, who sees those of which coordinators are told."""

    investigator: Sites
    coordinator: Sites

    def covers(self) -> sa.ColumnElement[bool]:
        """The alerts that the reader may know of."""
        return sa.or_(
            _at(self.investigator),
            sa.and_(AnswerAlert.for_coordinators, _at(self.coordinator)),
        )


def _at(sites: Sites) -> sa.ColumnElement[bool]:
    return sa.true() if sites is None else Participant.site_id.in_(sorted(sites))


@dataclass(frozen=True, slots=True)
class Listed:
    """An alert without the answers that raised it. `names` is the rule's, by language;
    `acknowledged_by` the name of who did. `misplaced`: by a correction the questionnaire belongs
    to another participant or timepoint, or nowhere."""

    public_id: str
    number: str
    rule: str
    names: dict[str, str]
    instrument: str
    timepoint: str
    occurrence: int
    raised_at: datetime
    due_at: datetime
    escalated_at: datetime | None
    lifted_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    note: str | None
    misplaced: bool

    def is_overdue(self, now: datetime) -> bool:
        """Whether somebody should have acknowledged it by now."""
        return self.acknowledged_at is None and self.due_at <= now


def waiting(
    session: Session, study: CurrentStudy, whose: Whose, participant_id: int | None = None
) -> int:
    """How many alerts nobody has acknowledged; of one participant if it is named."""
    if not study.watched:
        return 0
    query = (
        sa.select(sa.func.count(AnswerAlert.id))
        .join(AnswerAlert.submission)
        .join(Submission.assessment)
        .join(Assessment.participant)
        .where(_of(study, participant_id), AnswerAlert.acknowledged_at.is_(None), whose.covers())
    )
    return session.scalar(query) or 0


def listed(
    session: Session,
    study: CurrentStudy,
    library: Library,
    whose: Whose,
    participant_id: int | None = None,
    most: int = MOST,
) -> list[Listed]:
    """The alerts of a study, or of one participant: first those that wait, the oldest first, then
    the acknowledged ones, the newest first; at most `most` of each."""
    if not study.watched:
        return []
    acknowledged = AnswerAlert.acknowledged_at
    found: list[Listed] = []
    for where, order in (
        (acknowledged.is_(None), AnswerAlert.raised_at.asc()),
        (acknowledged.is_not(None), acknowledged.desc()),
    ):
        query = _rows(_of(study, participant_id), whose).where(where)
        query = query.order_by(order, AnswerAlert.id).limit(most)
        for alert, version, assessment, number, name, misplaced in session.execute(query):
            names = _names(session, study, library, version, alert.rule)
            found.append(_listed(alert, assessment, number, names, name, misplaced))
    return found


_misplaced = sa.exists().where(
    Correction.submission_id == AnswerAlert.submission_id,
    Correction.kind != ANSWER,
    CorrectionDecision.correction_id == Correction.id,
    CorrectionDecision.outcome == APPROVED,
)


def _of(study: CurrentStudy, participant_id: int | None) -> sa.ColumnElement[bool]:
    """Whose alerts: those who count, or this one participant's."""
    if participant_id is None:
        return counted(study)
    return (Participant.study_id == study.id) & (Participant.id == participant_id)


def _rows(
    own: sa.ColumnElement[bool], whose: Whose
) -> sa.Select[AnswerAlert, int, Assessment, str, str | None, bool]:
    """The alerts of these participants that the reader may know of, without any answer."""
    return (
        sa.select(
            AnswerAlert,
            Submission.study_version,
            Assessment,
            Participant.number,
            Staff.name,
            _misplaced,
        )
        .join(AnswerAlert.submission)
        .join(Submission.assessment)
        .join(Assessment.participant)
        .outerjoin(AnswerAlert.acknowledger)
        .where(own, whose.covers())
    )


def _names(
    session: Session, study: CurrentStudy, library: Library, version: int, code: str
) -> dict[str, str]:
    definition = studies.definition_of(session, library, study, version)
    rule = definition.monitoring.rule(code)
    return {} if rule is None else dict(rule.names)


def _listed(
    alert: AnswerAlert,
    assessment: Assessment,
    number: str,
    names: dict[str, str],
    acknowledged_by: str | None,
    misplaced: bool,
) -> Listed:
    return Listed(
        public_id=alert.public_id,
        number=number,
        rule=alert.rule,
        names=names,
        instrument=assessment.instrument,
        timepoint=assessment.timepoint,
        occurrence=assessment.occurrence,
        raised_at=alert.raised_at,
        due_at=alert.due_at,
        escalated_at=alert.escalated_at,
        lifted_at=alert.lifted_at,
        acknowledged_at=alert.acknowledged_at,
        acknowledged_by=acknowledged_by,
        note=alert.note,
        misplaced=misplaced,
    )

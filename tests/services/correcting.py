"""The people and hands of tests about corrections: staff with roles, requests and decisions."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import (
    Assessment,
    Correction,
    CorrectionDecision,
    Staff,
    StaffRole,
    Submission,
)
from pro_app.models import Site as SiteRow
from pro_app.services import corrections
from pro_app.services.corrections import Verdict, Wanted
from tests.conftest import Site

WANTED = Wanted(
    kind="answer",
    item="LQ01",
    new="3",
    reason_code="mistaken_tap",
    reason="The neighbouring answer was tapped",
    evidence="Visit note of 23 November, page 2",
    originator="participant",
    confirmation="Confirmed by telephone, read back to the participant",
    confirmed_on=date(2026, 11, 23),
)
ADMINISTRATIVE = replace(
    WANTED, item=None, reason_code="mix_up", confirmation=None, confirmed_on=None
)
APPROVED = Verdict(True, "I approve this correction", "Seen in the source record")
REJECTED = Verdict(False, "I reject this correction", "The source record does not show it")


@dataclass
class Desk:
    """The site's desk: who works there, and one submission to correct."""

    site: Site
    assessment: Assessment
    submission_id: int
    coordinator: int
    investigator: int
    second: int  # another investigator

    def request(self, wanted: Wanted = WANTED, by: int | None = None, **parts: Any) -> Correction:
        """Ask for a correction, by default as the coordinator."""
        with self.site.database.writing() as session:
            return self.request_in(session, replace(wanted, **parts), by)

    def request_in(self, session: Session, wanted: Wanted, by: int | None = None) -> Correction:
        """The same in a transaction at hand."""
        return corrections.request(
            session,
            self.site.study,
            self.site.library,
            self.submission_id,
            wanted,
            by or self.coordinator,
            self.site.clock(),
        )

    def decide(
        self, correction: Correction, verdict: Verdict = APPROVED, by: int | None = None
    ) -> CorrectionDecision:
        """Decide, by default as the investigator."""
        with self.site.database.writing() as session:
            return self.decide_in(session, correction, verdict, by)

    def decide_in(
        self,
        session: Session,
        correction: Correction,
        verdict: Verdict = APPROVED,
        by: int | None = None,
    ) -> CorrectionDecision:
        """The same in a transaction at hand."""
        return corrections.decide(
            session,
            self.site.study,
            self.site.library,
            correction.id,
            verdict,
            by or self.investigator,
            self.site.clock(),
        )

    def retract(self, correction: Correction, by: int | None = None) -> CorrectionDecision:
        """Take a request back, by default as the coordinator."""
        with self.site.database.writing() as session:
            now = self.site.clock()
            who = by or self.coordinator
            return corrections.retract(session, self.site.study, correction.id, who, now)

    def correct(self, wanted: Wanted = WANTED, **parts: Any) -> Correction:
        """Ask and approve."""
        correction = self.request(wanted, **parts)
        self.decide(correction)
        return correction

    def effective(self) -> dict[str, dict[str, Any]]:
        """The answers that count now."""
        with self.site.database.reading() as session:
            return corrections.effective(session, session.get_one(Submission, self.submission_id))

    def state(self, correction: Correction) -> str:
        """A correction's state, as the database has it."""
        with self.site.database.reading() as session:
            return session.get_one(Correction, correction.id).state


def hire(
    site: Site,
    name: str,
    *roles: str,
    at: str | None = "01",
    begins_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> int:
    """A person of staff with roles at a site, or at all of them (`at` None): the id."""
    with site.database.writing() as session:
        staff = Staff(
            public_id=secrets.token_urlsafe(16),
            name=name,
            email=f"{name.replace(' ', '.').lower()}@hospital.my",
            language="en",
            created_at=site.clock(),
        )
        session.add(staff)
        session.flush()
        place = sa.select(SiteRow.id).where(SiteRow.study_id == site.study.id, SiteRow.code == at)
        for role in roles:
            session.add(
                StaffRole(
                    staff_id=staff.id,
                    study_id=site.study.id,
                    site_id=session.scalar(place),
                    role=role,
                    begins_at=begins_at or site.clock() - timedelta(days=30),
                    ends_at=ends_at,
                )
            )
        return staff.id


def open_desk(site: Site) -> Desk:
    """A desk with a submitted LupusQoL whose answers are all 1, but LQ02 skipped."""
    lupusqol, _ = site.open(site.enrol())
    site.answer_all(lupusqol, place=1)
    site.answer(lupusqol, {"LQ02": "skipped"})
    site.submit(lupusqol)
    return Desk(
        site,
        lupusqol,
        submission_of(site, lupusqol),
        coordinator=hire(site, "Aminah Coordinator", "coordinator"),
        investigator=hire(site, "Dr Tan Investigator", "investigator"),
        second=hire(site, "Dr Devi Investigator", "investigator", at=None),
    )


def submission_of(site: Site, assessment: Assessment) -> int:
    """The id of an assessment's submission."""
    with site.database.reading() as session:
        found = sa.select(Submission.id).where(Submission.assessment_id == assessment.id)
        return session.scalars(found).one()


def outcome(action: Callable[[], object]) -> str:
    """`done`, or the name of the refusal."""
    try:
        action()
    except corrections.Refused as refused:
        return type(refused).__name__
    return "done"


def signed_rows(participant_id: int, now: datetime) -> list[tuple[str, dict[str, Any]]]:
    """A row for every table that holds what somebody of the staff asked for or signed."""
    staff = {"public_id": "s", "name": "S", "email": "s", "language": "en", "created_at": now}
    correction = {
        "public_id": "c", "submission_id": 1, "kind": "wrong_timepoint", "field": "timepoint",
        "old": "baseline/1", "new": "void", "originator": "site", "requester_id": 1,
        "reason_code": "other", "reason": "r", "evidence": "e", "requested_at": now,
    }  # fmt: skip
    decision = {
        "correction_id": 1, "outcome": "retracted", "staff_id": 1, "name": "S", "comment": "",
        "decided_at": now,
    }  # fmt: skip
    score = {
        "correction_id": 1, "scoring": "s", "algorithm": "a", "scale": "S", "value": 1.0,
        "receipt": {},
    }  # fmt: skip
    sign_off = {
        "public_id": "o", "participant_id": participant_id, "milestone": "end", "staff_id": 1,
        "name": "S", "meaning": "m", "signed_at": now, "signature": "0" * 64,
    }  # fmt: skip
    return [
        ("staff", staff | {"failures": 0}),
        ("correction", correction),
        ("correction_decision", decision),
        ("corrected_score", score),
        ("sign_off", sign_off),
    ]

"""A study that goes live with made-up licensed wording."""

from __future__ import annotations

import copy
from typing import Any

import sqlalchemy as sa

from pro_app.models import StudyVersion
from pro_app.services import enrolment, studies
from pro_app.services.consents import Consent
from tests.conftest import KEY, Enrolled, Site
from tests.services.licensing import license_all


def go_live(site: Site, **terms: Any) -> None:
    """Mark the study live, and license every instrument in every language."""
    with site.database.writing() as session:
        newest = session.scalars(sa.select(StudyVersion).order_by(StudyVersion.id.desc())).first()
        assert newest is not None
        content = copy.deepcopy(newest.definition) | {"status": "live"}
        study = studies.load(session, site.library, content, site.clock())
        site.study = license_all(session, study, site.library, site.clock(), **terms)


def enrol(
    site: Site, number: str = "01-001", language: str = "ta", is_test: bool = False
) -> Enrolled:
    """A person of a live study, or somebody who tries it, with a consent and a code."""
    now = site.clock()
    with site.database.writing() as session:
        found = enrolment.add_participant(
            session, site.study, number[:2], number, language, now,
            consent=Consent("1.0", now.date()), is_test=is_test,
        )  # fmt: skip
        code = enrolment.issue_code(session, found.id, KEY, now)
        return Enrolled(found.id, number, language, code)

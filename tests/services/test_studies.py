"""Studies: versions of a study file, and records that stay under the version they were made in."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from pro_app.core.instruments import DefinitionError
from pro_app.models import AuditEntry, StudyVersion, Submission
from pro_app.models import Site as Place
from pro_app.services import studies
from pro_app.services.studies import CurrentStudy
from tests.conftest import Site

Content = dict[str, Any]


def content_of(site: Site) -> Content:
    """The content of the version in force, to be changed."""
    with site.database.reading() as session:
        newest = session.scalars(sa.select(StudyVersion).order_by(StudyVersion.id.desc())).first()
        assert newest is not None
        return copy.deepcopy(newest.definition)


def load(site: Site, content: Content) -> CurrentStudy:
    with site.database.writing() as session:
        site.study = studies.load(session, site.library, content, site.clock())
    return site.study


def versions(site: Site) -> list[int]:
    with site.database.reading() as session:
        return list(session.scalars(sa.select(StudyVersion.number).order_by(StudyVersion.id)))


def test_the_same_content_makes_no_new_version(site: Site) -> None:
    again = load(site, content_of(site))
    assert again.version == 1
    assert versions(site) == [1]


def test_changed_content_is_the_next_version(site: Site) -> None:
    content = content_of(site) | {"grace_minutes": 0}
    assert load(site, content).version == 2
    assert load(site, content).version == 2
    with site.database.reading() as session:
        found = studies.current(session, site.library, site.study.id)
        entries = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action == "load_study").order_by(AuditEntry.seq)
        ).all()
    assert (found.version, found.definition.grace) == (2, timedelta())
    assert [(one.old, one.new) for one in entries] == [(None, "1"), ("1", "2")]


def test_going_back_to_an_earlier_content_is_a_version_too(site: Site) -> None:
    first = content_of(site)
    load(site, first | {"grace_minutes": 0})
    assert load(site, first).version == 3
    assert site.study.definition.grace == timedelta(hours=2)


def test_the_same_content_in_two_studies_is_two_studies(site: Site) -> None:
    other = load(site, content_of(site) | {"code": "other"})
    assert other.version == 1
    with site.database.reading() as session:
        assert studies.find(session, None) is None, "which one is meant must be said"
        found = studies.find(session, "other")
        assert found is not None
        assert found.id == other.id
        assert studies.find(session, "unknown") is None
        assert studies.current(session, site.library, other.id).definition.code == "other"


def test_a_faulty_content_changes_nothing(site: Site) -> None:
    with pytest.raises(DefinitionError):
        load(site, content_of(site) | {"grace_minutes": -1})
    assert versions(site) == [1]


def test_sites_are_added_and_renamed_and_never_removed(site: Site) -> None:
    content = content_of(site)
    content["sites"] = [{"code": "02", "name": "Elsewhere"}, {"code": "03", "name": "New"}]
    load(site, content)
    with site.database.reading() as session:
        found = session.execute(sa.select(Place.code, Place.name).order_by(Place.code))
        assert [tuple(one) for one in found] == [
            ("01", "Here"), ("02", "Elsewhere"), ("03", "New"),
        ]  # fmt: skip


def test_a_submission_keeps_the_version_it_was_made_under(site: Site) -> None:
    person = site.enrol()
    first, second = site.open(person)
    site.answer_all(first)
    site.submit(first)
    load(site, content_of(site) | {"grace_minutes": 0})
    site.answer_all(second)
    site.submit(second)
    with site.database.reading() as session:
        kept = session.execute(
            sa.select(Submission.assessment_id, Submission.study_version).order_by(Submission.id)
        )
        assert [tuple(one) for one in kept] == [(first.id, 1), (second.id, 2)]


def test_what_an_earlier_version_asked_for_is_still_scored(site: Site) -> None:
    """The protocol drops an instrument, a scoring and a timepoint; what was opened goes on."""
    person = site.enrol()
    lupusqol, sf36 = site.open(person)
    content = content_of(site)
    content["instruments"] = [
        {"code": "sf36v1", "scorings": ["rand"]},
        {"code": "sf36v2", "scorings": ["us1998"]},
    ]
    content["timepoints"] = [content["timepoints"][1]]
    load(site, content)
    assert [one.code for one in site.study.instruments] == ["lupusqol", "sf36v1", "sf36v2"]
    assert site.study.scorings("sf36v1") == ("rand", "mos_us1990")
    for assessment in (lupusqol, sf36):
        site.answer_all(assessment)
        assert site.submit(assessment).first
    with pytest.raises(KeyError):
        site.study.scorings("eq5d")


def test_the_definition_in_force_is_read_once(site: Site) -> None:
    with site.database.reading() as session:
        one = studies.current(session, site.library, site.study.id)
        other = studies.current(session, site.library, site.study.id)
    assert one.definition is other.definition
    assert studies.parsed(site.database.engine, site.library, site.study.id, 1, "unknown") is None

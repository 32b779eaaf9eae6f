"""Storing wordings and their licences: what is on record, and what two do at once."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from threading import Barrier

import pytest
import sqlalchemy as sa

from pro_app.models import AuditEntry, StoredLicence, StoredWording, StudyVersion
from pro_app.services import audit, studies
from pro_app.services import wordings as services
from pro_app.services.wordings import WordingRefused
from tests.conftest import Site
from tests.services.licensing import license_one


def test_two_who_store_a_version_at_once_store_one_text(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both look before either writes, where the database lets two write at once."""
    known = services._known
    both = Barrier(1 if site.database.engine.dialect.name == "sqlite" else 2)

    looked: set[int] = set()

    def look(session: object, wording: object) -> StoredWording | None:
        found = known(session, wording)  # type: ignore[arg-type]
        if id(session) not in looked:
            looked.add(id(session))
            both.wait(10)
        return found

    monkeypatch.setattr(services, "_known", look)

    def store(mark: str) -> str:
        try:
            with site.database.writing() as session:
                found = license_one(
                    session, site.study, site.library, "lupusqol", "ta", site.clock(), "1", mark
                )
        except WordingRefused as refused:
            return refused.code
        return found.fingerprint

    with ThreadPoolExecutor(2) as pool:
        same = set(pool.map(store, ("", "")))
    assert len(same) == 1
    assert "version_taken" not in same
    with site.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count(StoredWording.id))) == 1
        assert session.scalar(sa.select(sa.func.count(StoredLicence.id))) == 2


def test_of_two_texts_for_one_version_the_second_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, hidden = services._known, [True]

    def look(session: object, wording: object) -> StoredWording | None:
        """As for somebody who looked before the other had written."""
        return None if hidden and hidden.pop() else known(session, wording)  # type: ignore[arg-type]

    with site.database.writing() as session:
        license_one(session, site.study, site.library, "lupusqol", "ta", site.clock(), "1", " a")
    monkeypatch.setattr(services, "_known", look)
    with pytest.raises(WordingRefused) as refused, site.database.writing() as session:
        license_one(session, site.study, site.library, "lupusqol", "ta", site.clock(), "1", " b")
    assert (refused.value.code, hidden) == ("version_taken", [])


def test_a_licences_last_day_is_one_of_the_study(site: Site) -> None:
    """In Kuala Lumpur the first of December has begun."""
    now = datetime(2026, 11, 30, 17, 0, tzinfo=UTC)
    last, today = date(2026, 11, 30), date(2026, 12, 1)
    common = ("lupusqol", "ta", now)
    with site.database.writing() as session:
        with pytest.raises(WordingRefused) as refused:
            license_one(session, site.study, site.library, *common, until=last)
        assert refused.value.code == "until"
        license_one(session, site.study, site.library, *common, until=today)
        license_one(session, site.study, site.library, *common, until=last, study_id=None)


def test_a_new_study_is_told_what_is_licensed_for_every_study(site: Site) -> None:
    with site.database.writing() as session:
        license_one(
            session, site.study, site.library, "lupusqol", "ta", site.clock(), study_id=None
        )
        license_one(session, site.study, site.library, "lupusqol", "ms", site.clock())
    stored = site.clock()
    site.clock.forward(days=3)
    with site.database.writing() as session:
        content = copy.deepcopy(session.scalars(sa.select(StudyVersion.definition)).one())
        new = studies.load(session, site.library, content | {"code": "second"}, site.clock())
        again = content | {"code": "second", "name": content["name"]}
        studies.load(session, site.library, again, site.clock())
    with site.database.reading() as session:
        stream = audit.study_stream(new.id)
        told = session.scalars(
            sa.select(AuditEntry).where(
                AuditEntry.stream == stream, AuditEntry.action == "license_wording"
            )
        ).all()
    assert [(one.object, one.actor) for one in told] == [("wording/lupusqol/ta", "site")]
    assert told[0].detail["stored_at"] == stored.isoformat()

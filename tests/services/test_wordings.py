"""Storing wordings and their licences: what is on record, and what two do at once."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Barrier

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.models import AuditEntry, StoredLicence, StoredWording, StudyVersion
from pro_app.models import Site as SiteRow
from pro_app.services import audit, stored_wordings, studies
from pro_app.services import wordings as services
from pro_app.services.wordings import Terms, WordingRefused
from tests.conftest import Site
from tests.services.licensing import FILE, UNTIL, license_one


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


def test_a_text_that_was_changed_in_the_database_is_shown_to_nobody(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By somebody who may do everything there; whoever has read it before, reads it as it was."""
    with site.database.writing() as session:
        found = license_one(
            session, site.study, site.library, "lupusqol", "ta", site.clock()
        ).fingerprint
        before = stored_wordings.read(session, {found})
    with site.database.engine.connect() as connection, Session(connection) as session:
        sqlite = connection.dialect.name == "sqlite"
        trigger = "append_only_update_wording" if sqlite else "append_only ON wording"
        session.execute(sa.text(f"DROP TRIGGER {trigger}"))
        row = session.scalars(sa.select(StoredWording)).one()
        row.texts = row.texts | {"items.LQ01": "Something else."}
        session.flush()
        assert stored_wordings.read(session, {found}) == before
        monkeypatch.setattr(stored_wordings, "_read", {})
        with pytest.raises(LookupError, match="was changed"):
            stored_wordings.read(session, {found})
        session.rollback()  # with the trigger


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


def told(site: Site, study_id: int) -> list[tuple[str, str, dict[str, object]]]:
    """What a study's record has of wordings: actor, action and details."""
    with site.database.reading() as session:
        found = session.scalars(
            sa.select(AuditEntry)
            .where(
                AuditEntry.stream == audit.study_stream(study_id),
                AuditEntry.object == "wording/lupusqol/ta",
            )
            .order_by(AuditEntry.id)
        )
        return [(one.actor, one.action, dict(one.detail)) for one in found]


def another(site: Site) -> int:
    """The id of a second study, with sites of its own."""
    with site.database.writing() as session:
        content = copy.deepcopy(session.scalars(sa.select(StudyVersion.definition)).one())
        changed = content | {"code": "second"}
        return studies.load(session, site.library, changed, site.clock()).id


def test_storing_licensing_and_ending_are_on_the_record_of_their_study(site: Site) -> None:
    other = another(site)
    shipped = site.library.wording("lupusqol", "ta")
    assert shipped is not None
    day = site.clock().date()
    phone = Terms("Owner", "L-1", frozenset({"phone"}), day, UNTIL, site.study.id)
    with site.database.writing() as session:
        stored = services.store(
            session, site.library.instruments["lupusqol"], "ta", "1", dict(shipped.texts()), FILE,
            phone, "staff/1", site.clock(), ["items.LQ01"],
        )  # fmt: skip
        ending = replace(phone, modes=frozenset(), until=day, reason=" The contract is over ")
        services.renew(session, stored.fingerprint[:8], ending, "staff/2", site.clock())
    common = {"fingerprint": stored.fingerprint, "holder": "Owner", "number": "L-1", "site": None}
    days = {"from": day.isoformat(), "until": UNTIL.isoformat()}
    over = {"modes": [], "reason": "The contract is over", "until": day.isoformat()}
    assert told(site, site.study.id) == [
        ("staff/1", "store_wording", {
            "fingerprint": stored.fingerprint, "file": FILE, "compared": ["items.LQ01"],
        }),
        ("staff/1", "license_wording", {**common, **days, "modes": ["phone"]}),
        ("staff/2", "license_wording", {**common, **days, **over}),
    ]  # fmt: skip
    assert told(site, other) == []
    every = replace(phone, study_id=None)
    with site.database.writing() as session:
        services.renew(session, stored.fingerprint, every, "site", site.clock())
    for study_id in (site.study.id, other):
        assert told(site, study_id)[-1][:2] == ("site", "license_wording")


def test_terms_that_cannot_be(site: Site) -> None:
    other, day = another(site), site.clock().date()
    with site.database.reading() as session:
        elsewhere = session.scalars(sa.select(SiteRow.id).where(SiteRow.study_id == other)).first()
    with site.database.writing() as session:
        read = license_one(session, site.study, site.library, "lupusqol", "ta", site.clock())
    one_day = Terms("Owner", "L", frozenset({"phone"}), day, day, site.study.id)
    past = day - timedelta(days=1)
    for name, terms, code in (
        (read.fingerprint[:7], one_day, "unknown"),
        ("", one_day, "unknown"),
        ("%" * 8, one_day, "unknown"),
        ("_" * 64, one_day, "unknown"),
        (read.fingerprint, replace(one_day, modes=frozenset({"letter"})), "modes"),
        (read.fingerprint, replace(one_day, until=past), "until"),
        (read.fingerprint, replace(one_day, from_on=past, until=past), "until"),
        (read.fingerprint, replace(one_day, site_id=elsewhere), "site"),
    ):
        with pytest.raises(WordingRefused) as refused, site.database.writing() as session:
            services.renew(session, name, terms, "site", site.clock())
        assert refused.value.code == code, name
    nothing: frozenset[str] = frozenset()
    about = (site.study, site.library, "lupusqol", "ta", site.clock(), "2", " b")
    with pytest.raises(WordingRefused) as refused, site.database.writing() as session:
        license_one(session, *about, modes=nothing)
    assert refused.value.code == "modes", "a text is stored to be read"
    ended = replace(one_day, modes=nothing, from_on=past, until=past)
    with site.database.writing() as session:
        services.renew(session, read.fingerprint, one_day, "site", site.clock())
        services.renew(session, read.fingerprint, ended, "site", site.clock())

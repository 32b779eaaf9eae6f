"""Translations whose source has changed, on both databases."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa

from pro_app.core.wording import Wording
from pro_app.models import AuditEntry, Study, StudyVersion
from pro_app.services import audit, studies, translations, wordings
from pro_app.services.studies import CurrentStudy
from pro_app.services.translations import CONFIRMED, ConfirmationRefused, Doubted
from pro_app.services.wordings import Terms
from tests.conftest import Site
from tests.services.licensing import FILE, FROM, UNTIL, license_one

CANARY = "zebra canary"


def english(site: Site, version: str, **changes: str) -> CurrentStudy:
    """Store an English version, with other texts at some places."""
    shipped = site.library.wording("lupusqol", "en")
    assert shipped is not None
    texts = dict(shipped.texts()) | {
        place.replace("__", "."): text for place, text in changes.items()
    }
    day = FROM + timedelta(days=int(version))
    terms = Terms("Owner", "L", frozenset({"phone"}), day, UNTIL, site.study.id)
    with site.database.writing() as session:
        wordings.store(
            session, site.library.instruments["lupusqol"], "en", version, texts, FILE, terms,
            "site", site.clock(),
        )  # fmt: skip
        return studies.current(session, site.library, site.study.id)


def malay(site: Site, version: str = "1", mark: str = " x") -> Wording:
    with site.database.writing() as session:
        return license_one(
            session, site.study, site.library, "lupusqol", "ms", site.clock(), version, mark
        )


def doubted(site: Site, study: CurrentStudy) -> list[Doubted]:
    with site.database.reading() as session:
        return translations.doubted(session, study, site.clock())


def test_a_translation_is_listed_where_its_source_changed_until_it_is_confirmed(
    site: Site,
) -> None:
    english(site, "1")
    told = malay(site)
    study = english(site, "2", items__LQ01=CANARY, items__LQ02="Another sentence?")
    (one,) = doubted(site, study)
    assert (one.translation.fingerprint, one.source.version) == (told.fingerprint, "2")
    assert [(part.place, part.after) for part in one.places] == [
        ("items.LQ01", CANARY),
        ("items.LQ02", "Another sentence?"),
    ]
    assert one.places[0].translated == told.items["LQ01"]
    assert CANARY not in repr(one)
    with site.database.writing() as session:
        translations.confirm(
            session, study, told.fingerprint, one.source.fingerprint, "items.LQ01", "staff/1",
            site.clock(),
        )  # fmt: skip
        entry = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert entry is not None
        assert (entry.action, entry.actor) == ("confirm_translation", "staff/1")
        assert entry.detail["place"] == "items.LQ01"
        assert CANARY not in json.dumps(entry.detail)
    (left,) = doubted(site, study)
    assert [part.place for part in left.places] == ["items.LQ02"]
    with site.database.writing() as session:
        for source, place, code in (
            (one.source.fingerprint, "items.LQ01", "settled"),
            (one.source.fingerprint, "items.LQ09", "settled"),
            ("0" * 64, "items.LQ02", "changed"),
        ):
            with pytest.raises(ConfirmationRefused) as refused:
                translations.confirm(
                    session, study, told.fingerprint, source, place, "staff/1", site.clock()
                )
            assert refused.value.code == code


def test_what_was_confirmed_holds_for_a_later_source_that_says_the_same_there(site: Site) -> None:
    english(site, "1")
    told = malay(site)
    study = english(site, "2", items__LQ01="A new sentence?")
    (one,) = doubted(site, study)
    with site.database.writing() as session:
        translations.confirm(
            session, study, told.fingerprint, one.source.fingerprint, "items.LQ01", "staff/1",
            site.clock(),
        )  # fmt: skip
    study = english(site, "3", items__LQ01="A new sentence?", items__LQ05="More?")
    (left,) = doubted(site, study)
    assert [part.place for part in left.places] == ["items.LQ05"]
    study = english(site, "4", items__LQ01="Once more new?")
    (again,) = doubted(site, study)
    assert [part.place for part in again.places] == ["items.LQ01"]


def test_a_newer_translation_settles_it_and_so_does_a_source_that_goes_back(site: Site) -> None:
    english(site, "1")
    malay(site)
    study = english(site, "2", items__LQ01="A new sentence?")
    assert len(doubted(site, study)) == 1
    malay(site, "2", " y")
    with site.database.reading() as session:
        study = studies.current(session, site.library, site.study.id)
    assert doubted(site, study) == []
    study = english(site, "3")
    (one,) = doubted(site, study)
    assert [part.place for part in one.places] == ["items.LQ01"]


def test_a_translation_stored_before_any_source_is_one_of_the_first(site: Site) -> None:
    malay(site)
    study = english(site, "1")
    assert doubted(site, study) == []
    study = english(site, "2", instruction="Please read this first.")
    (one,) = doubted(site, study)
    assert [part.place for part in one.places] == ["instruction"]


def test_what_was_confirmed_is_on_the_record_of_every_study_that_reads_it(site: Site) -> None:
    with site.database.writing() as session:
        content = session.scalars(sa.select(StudyVersion.definition)).one()
        for code in ("second", "third"):
            studies.load(session, site.library, dict(content) | {"code": code}, site.clock())
        streams = {
            one.code: audit.study_stream(one.id) for one in session.scalars(sa.select(Study))
        }
    own = site.study.definition.code
    english(site, "1")
    first = malay(site)
    second = english(site, "2", items__LQ01="A new sentence?", items__LQ02="Another sentence?")
    assert recorded(site, second, first, "items.LQ01") == {streams[own]}
    with site.database.writing() as session:
        for_all = Terms("Owner", "L", frozenset({"phone"}), FROM, UNTIL)
        wordings.renew(session, first.fingerprint, for_all, "site", site.clock())
        study = studies.current(session, site.library, site.study.id)
    assert recorded(site, study, first, "items.LQ02") == set(streams.values())


def recorded(site: Site, study: CurrentStudy, told: Wording, place: str) -> set[str]:
    """Confirm a translation at a place: the streams that tell of it."""
    (one,) = doubted(site, study)
    with site.database.writing() as session:
        translations.confirm(
            session, study, told.fingerprint, one.source.fingerprint, place, "staff/1",
            site.clock(),
        )  # fmt: skip
        entries = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == CONFIRMED))
        return {one.stream for one in entries if one.detail["place"] == place}


def test_a_translation_that_comes_is_doubted_and_one_that_ended_is_not(site: Site) -> None:
    today = site.clock().date()
    english(site, "1")
    english(site, "2", items__LQ01="A new sentence?")
    tomorrow = today + timedelta(days=1)
    with site.database.writing() as session:
        common = (session, site.study, site.library, "lupusqol", "ms", site.clock(), "1", " x")
        license_one(*common, from_on=tomorrow, until=tomorrow)
    study = english(site, "3", items__LQ02="Another sentence?")
    (one,) = doubted(site, study)
    assert one.source.version == "3"
    site.clock.forward(days=1)
    assert len(doubted(site, study)) == 1, "it is its last day"
    site.clock.forward(days=1)
    assert doubted(site, study) == []


def test_the_source_is_the_english_that_is_read_last(site: Site) -> None:
    """Not the one that was stored last, nor one that was taken back."""
    english(site, "9")
    malay(site)
    study = english(site, "2", items__LQ01="Of an earlier day?")
    assert doubted(site, study) == []
    with site.database.writing() as session:
        early = next(one for one in study.wordings.licences if one.version == "2")
        today = site.clock().date()
        ended = Terms("Owner", "L", frozenset(), today, today, site.study.id)
        wordings.renew(session, early.wording, ended, "site", site.clock())
        study = studies.current(session, site.library, site.study.id)
    assert doubted(site, study) == []

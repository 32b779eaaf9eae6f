"""Who is affected when a licence ends, on both databases."""

from __future__ import annotations

import copy
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from pro_app.core import licence_state
from pro_app.core.licence_state import ENDED, IN_FORCE, LATER, REPLACED, TAKEN_BACK
from pro_app.core.schedule import local
from pro_app.models import Assessment, Participant, StudyVersion
from pro_app.models import Site as SiteRow
from pro_app.services import studies, wording_ends, wording_licences
from pro_app.services.studies import CurrentStudy
from pro_app.services.wordings import WordingRefused
from tests.conftest import Site
from tests.services import going_live
from tests.services.licensing import license_all, license_one, renew


def today(site: Site) -> date:
    return site.clock().astimezone(site.study.definition.zone).date()


def go_live(site: Site, until: date) -> CurrentStudy:
    """The tests' study live, everything licensed until a day."""
    going_live.go_live(site, until=until)
    return site.study


def test_who_needs_a_text_after_its_last_day_is_told_by_site(site: Site) -> None:
    until = today(site) + timedelta(days=10)
    study = go_live(site, until)
    first, second = going_live.enrol(site, "01-001", "ta"), going_live.enrol(site, "01-002", "ta")
    other = going_live.enrol(site, "01-003", "en")
    for person in (first, second, other):
        site.open(person, closes=timedelta(days=20))
    site.open(first, opens=timedelta(days=15), closes=timedelta(days=30), occurrence=2)
    site.open(second, opens=timedelta(days=1), closes=timedelta(days=5), occurrence=2)
    with site.database.reading() as session:
        found = wording_ends.ending(session, study, site.clock())
        named = {(one.ending.licence.instrument, one.ending.licence.language): one for one in found}
        assert {one.ending.on for one in found} == {until + timedelta(days=1)}
        tamil = named["lupusqol", "ta"]
        assert [
            (one.site, one.people, one.numbers, one.assessments, one.first)
            for one in tamil.affected
        ] == [("01", 2, ("01-001", "01-002"), 3, until + timedelta(days=1))]
        assert named["lupusqol", "en"].people == 1
        assert named["lupusqol", "ms"].people == 0
        nowhere = wording_ends.ending(session, study, site.clock(), frozenset())
        assert nowhere == []
        soon = wording_ends.ending(session, study, site.clock(), within=timedelta(days=10))
        assert soon == [], "the first day without is the eleventh"
        night = site.clock() + timedelta(days=10, hours=16)  # the eleventh day, one in the morning
        assert wording_ends.ending(session, study, night) == [], "it has ended already"


def of_site(site: Site, code: str) -> int:
    with site.database.reading() as session:
        own = sa.select(SiteRow.id).where(SiteRow.study_id == site.study.id, SiteRow.code == code)
        return session.scalars(own).one()


def test_a_sites_own_licence_concerns_its_people_alone(site: Site) -> None:
    study = go_live(site, today(site) + timedelta(days=300))
    first, second = of_site(site, "01"), of_site(site, "02")
    for number in ("01-001", "02-001"):
        site.open(going_live.enrol(site, number, "en"), closes=timedelta(days=20))
    with site.database.writing() as session:
        until = today(site) + timedelta(days=3)
        study = renew(
            session, study, site.library, "lupusqol", "en", site.clock(), site_id=second,
            until=until,
        )  # fmt: skip
    after = site.clock() + timedelta(days=5)
    with site.database.reading() as session:
        for covered, told in (
            (None, ["02"]), (frozenset({first, second}), ["02"]), (frozenset({second}), ["02"]),
            (frozenset({first}), []),
        ):  # fmt: skip
            ends = wording_ends.ending(session, study, site.clock(), covered)
            assert [part.site for one in ends for part in one.affected] == told
            now = wording_ends.unread(session, study, after, covered)
            assert [part.site for one in now for part in one.affected] == told


def test_what_closes_when_the_licence_ends_or_is_taken_back_is_not_affected(site: Site) -> None:
    study = go_live(site, today(site) + timedelta(days=10))
    midnight = timedelta(days=11, hours=-9)
    person, other = (going_live.enrol(site, f"01-00{n}", "en") for n in (1, 2))
    site.open(person, closes=midnight)
    site.open(other, closes=midnight + timedelta(minutes=1))
    with site.database.reading() as session:
        found = wording_ends.ending(session, study, site.clock())
        assert {part.numbers for one in found for part in one.affected} == {("01-002",)}
    with site.database.writing() as session:
        of_other = Assessment.participant_id == other.id
        session.execute(sa.update(Assessment).where(of_other).values(cancelled_at=site.clock()))
    with site.database.reading() as session:
        assert not any(one.people for one in wording_ends.ending(session, study, site.clock()))


def test_who_has_begun_or_is_done_or_has_left_is_not_affected(site: Site) -> None:
    study = go_live(site, today(site) + timedelta(days=3))
    begun, done, gone, dead = (going_live.enrol(site, f"01-00{n}", "en") for n in (1, 2, 3, 4))
    sheets = {
        one.id: site.open(one, closes=timedelta(days=20))[0] for one in (begun, done, gone, dead)
    }
    site.answer(sheets[begun.id], {"LQ01": 1})
    site.answer_all(sheets[done.id])
    site.submit(sheets[done.id])
    with site.database.writing() as session:
        person = session.get_one(Participant, gone.id)
        person.withdrawn_at, person.withdrew_from = site.clock(), "study"
        session.get_one(Participant, dead.id).died_at = site.clock()
    with site.database.reading() as session:
        found = wording_ends.ending(session, study, site.clock())
    people = {
        (one.ending.licence.instrument, one.ending.licence.language): one.people for one in found
    }
    assert people["lupusqol", "en"] == 0
    assert people["sf36v1", "en"] == 2, "those two have not begun the other questionnaire"


def test_test_participants_are_not_counted(site: Site) -> None:
    person = site.enrol("01-001")
    study = go_live(site, today(site) + timedelta(days=3))
    site.open(person, closes=timedelta(days=20))
    with site.database.reading() as session:
        assert not any(one.people for one in wording_ends.ending(session, study, site.clock()))


def test_a_renewal_goes_on_and_one_with_fewer_ways_says_which(site: Site) -> None:
    until = today(site) + timedelta(days=10)
    study = go_live(site, until)
    with site.database.writing() as session:
        study = renew(
            session, study, site.library, "lupusqol", "en", site.clock(),
            from_on=until + timedelta(days=1),
        )  # fmt: skip
        study = renew(
            session, study, site.library, "lupusqol", "ms", site.clock(),
            from_on=until, modes=frozenset({"phone", "paper"}),
        )  # fmt: skip
    with site.database.reading() as session:
        found = wording_ends.ending(session, study, site.clock())
    named = {
        (one.ending.licence.instrument, one.ending.licence.language): one.ending for one in found
    }
    assert ("lupusqol", "en") not in named
    assert named["lupusqol", "ms"].modes == {"tablet", "interview", "aloud"}
    assert (named["lupusqol", "ms"].on, named["lupusqol", "ms"].back) == (until, None)


def test_a_gap_tells_when_it_is_over(site: Site) -> None:
    until = today(site) + timedelta(days=10)
    study = go_live(site, until)
    person = going_live.enrol(site, "01-001", "en")
    after = until + timedelta(days=6)
    site.open(person, opens=timedelta(days=16, hours=-9), closes=timedelta(days=20))
    with site.database.writing() as session:
        study = renew(session, study, site.library, "lupusqol", "en", site.clock(), from_on=after)
    with site.database.reading() as session:
        found = wording_ends.ending(session, study, site.clock())
    one = next(
        one for one in found
        if (one.ending.licence.instrument, one.ending.licence.language) == ("lupusqol", "en")
    )  # fmt: skip
    assert (one.ending.on, one.ending.back, one.people) == (until + timedelta(days=1), after, 0)


def test_who_cannot_read_anything_now(site: Site) -> None:
    until = today(site) + timedelta(days=1)
    study = go_live(site, until)
    person = going_live.enrol(site, "01-001", "ta")
    site.open(person, closes=timedelta(days=20))
    with site.database.reading() as session:
        assert wording_ends.unread(session, study, site.clock()) == []
        later = site.clock() + timedelta(days=4)
        found = wording_ends.unread(session, study, later)
        assert [
            (one.instrument, one.language, sum(part.people for part in one.affected))
            for one in found
        ] == [("lupusqol", "ta", 1), ("sf36v1", "ta", 1)]
        assert wording_ends.unread(session, study, later, frozenset()) == []


def test_a_test_study_shows_the_demonstration_and_nobody_is_affected(site: Site) -> None:
    site.open(site.enrol("01-001"), closes=timedelta(days=20))
    with site.database.writing() as session:
        study = license_all(
            session, site.study, site.library, site.clock(), until=today(site) + timedelta(days=1)
        )
    with site.database.reading() as session:
        assert wording_ends.ending(session, study, site.clock()) == []
        assert wording_ends.unread(session, study, site.clock() + timedelta(days=9)) == []


def test_states_of_licences(site: Site) -> None:
    now, day = site.clock(), today(site)
    tomorrow = day + timedelta(days=1)
    with site.database.writing() as session:
        given = (session, site.study, site.library)
        license_one(*given, "lupusqol", "en", now, "1", " a")
        license_one(*given, "lupusqol", "en", now, "2", " b", from_on=day)
        license_one(*given, "lupusqol", "en", now, "3", " c", from_on=tomorrow)
        license_one(*given, "lupusqol", "ms", now, "1", " d", from_on=tomorrow, until=tomorrow)
        study = studies.current(session, site.library, site.study.id)
        ms = study.wordings.licences[-1].wording
        with pytest.raises(WordingRefused, match="no such wording is read"):
            wording_licences.end(session, study, ms, day, None, "why", "site", now)
        with pytest.raises(WordingRefused, match="today or on a later day"):
            wording_licences.end(
                session, study, ms, day - timedelta(days=1), None, "why", "site", now
            )
        two = study.wordings.licences[1].wording
        wording_licences.end(session, study, two, day, None, "why", "site", now)
        study = studies.current(session, site.library, site.study.id)
    assert [one.state for one in licence_state.standings(study.wordings, day)] == [
        REPLACED, REPLACED, LATER, LATER, TAKEN_BACK,
    ]  # fmt: skip
    after = licence_state.standings(study.wordings, tomorrow + timedelta(days=1))
    assert [one.state for one in after] == [REPLACED, REPLACED, IN_FORCE, ENDED, REPLACED]
    assert all(one.everywhere for one in after if one.state == IN_FORCE)


def test_ending_a_text_leaves_a_site_what_it_reads_in_its_place(site: Site) -> None:
    now, day = site.clock(), today(site)
    with site.database.writing() as session:
        row = SiteRow(study_id=site.study.id, code="08", name="")
        session.add(row)
        session.flush()
        given = (session, site.study, site.library)
        every = license_one(*given, "lupusqol", "en", now, "1", " a")
        own = license_one(*given, "lupusqol", "en", now, "2", " b", site_id=row.id)
        study = studies.current(session, site.library, site.study.id)
        text = every.fingerprint
        ended = wording_licences.end(session, study, text, day, None, "why", "site", now)
        others = set(study.wordings.sites) - {row.id}
        assert {one.site_id for one in ended} == others
        assert others
        study = studies.current(session, site.library, site.study.id)
    read = {
        place: licence.wording
        for place in study.wordings.sites
        if (licence := study.wordings.in_force("lupusqol", "en", now, place)) and licence.modes
    }
    assert read == {row.id: own.fingerprint}


def end(site: Site, study: CurrentStudy, day: date, site_id: int | None) -> CurrentStudy:
    """End what is read in English from a day on; the study with it."""
    with site.database.writing() as session:
        read = study.wordings.reading("lupusqol", "en", site.clock())
        assert read is not None
        wording_licences.end(
            session, study, read.fingerprint, day, site_id, "why", "site", site.clock()
        )
        return studies.current(session, site.library, study.id)


def read_at(site: Site, study: CurrentStudy, day: date) -> list[str]:
    """The sites at which English can be read at noon of a day."""
    noon = local(day, 12 * 60, study.definition.zone)
    return [
        code
        for code in ("01", "02")
        if study.wordings.offered("lupusqol", "en", "phone", noon, of_site(site, code))
    ]


def test_an_end_is_of_its_site_and_of_its_study_alone(site: Site) -> None:
    day = today(site) + timedelta(days=3)
    going_live.go_live(site, study_id=None)  # for every study
    with site.database.writing() as session:
        newest = sa.select(StudyVersion).order_by(StudyVersion.id.desc())
        content = copy.deepcopy(session.scalars(newest.limit(1)).one().definition)
        other = studies.load(session, site.library, content | {"code": "other"}, site.clock())
    study = end(site, site.study, day, of_site(site, "02"))
    assert read_at(site, study, day) == ["01"]
    study = end(site, study, day, None)
    assert read_at(site, study, day - timedelta(days=1)) == ["01", "02"]
    assert read_at(site, study, day) == []
    with site.database.reading() as session:
        found = studies.current(session, site.library, other.id).wordings
    ended = [one for one in found.licences if not one.modes]
    assert ended == [], "the other study reads on"


def test_only_what_is_read_can_be_ended(site: Site) -> None:
    """On its last day, by the study's clocks; not after it, and not twice."""
    until = today(site) + timedelta(days=3)
    study = go_live(site, until)
    with pytest.raises(WordingRefused) as refused:
        end(site, study, until + timedelta(days=1), None)
    assert refused.value.code == "not_read"
    first, second = of_site(site, "01"), of_site(site, "02")
    study = end(site, study, until, first)
    assert read_at(site, study, until) == ["02"]
    with pytest.raises(WordingRefused) as refused:
        end(site, study, until, first)
    assert refused.value.code == "not_read"
    site.clock.forward(hours=16)  # the next day has begun in Kuala Lumpur, and not in UTC
    with pytest.raises(WordingRefused) as refused:
        end(site, study, site.clock().date(), second)
    assert refused.value.code == "past"

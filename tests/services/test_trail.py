"""The record as people read it, on both databases: what is found, in which order, and who by."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from pro_app.core.library import Library
from pro_app.models import Participant, Study
from pro_app.models import Site as SiteRow
from pro_app.services import answers, assessments, audit, trail, trail_export
from pro_app.services.answers import Operation, Origin
from pro_app.services.trail import Line, Search
from tests.conftest import Enrolled, Site
from tests.services.correcting import ADMINISTRATIVE, hire, open_desk

EVERYTHING = Search()


def read(site: Site, person: int, search: Search = EVERYTHING, answers: bool = True) -> trail.Page:
    with site.database.reading() as session:
        zone = site.study.definition.zone
        return trail.of_participant(session, person, zone, search, answers=answers)


def office(
    site: Site, sites: frozenset[int] | None, number: str = "", search: Search = EVERYTHING
) -> list[Line]:
    with site.database.reading() as session:
        return trail.of_study(session, site.study, sites, number, search).lines


def site_id(site: Site, code: str) -> int:
    with site.database.reading() as session:
        return session.scalars(sa.select(SiteRow.id).where(SiteRow.code == code)).one()


def test_pages_turn_by_key_newest_first(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    person = site.enrol()
    sheet = site.open(person)[0]
    site.answer_all(sheet)
    whole = read(site, person.id)
    monkeypatch.setattr(trail, "PAGE", 7)
    seen: list[int] = []
    search = EVERYTHING
    while True:
        page = read(site, person.id, search)
        assert len(page.lines) <= 7
        seen += [one.seq for one in page.lines]
        if page.before is None:
            break
        search = replace(search, before=page.before)
    assert seen == list(range(len(seen), 0, -1))
    assert seen == [one.seq for one in whole.lines]


def test_names_and_both_clocks(site: Site, library: Library) -> None:
    desk = open_desk(site)
    correction = desk.request()
    person = desk.assessment.participant_id
    (asked,) = read(site, person, Search(action="request_correction")).lines
    assert (asked.name, asked.old, asked.new) == ("Aminah Coordinator", "1", "3")
    assert asked.detail["correction"] == correction.public_id
    only = read(site, person, Search(who=f"staff/{desk.coordinator}"))
    assert [one.action for one in only.lines] == ["request_correction"]
    with site.database.reading() as session:
        assert (
            trail.actors(session, person, answers=True)[f"staff/{desk.coordinator}"]
            == "Aminah Coordinator"
        )


def test_a_phones_own_clock_stands_beside_ours(site: Site, library: Library) -> None:
    person = site.enrol()
    first, _ = site.open(person)
    device = site.join(person)
    wording = library.wording("lupusqol", "en")
    wrong = site.clock().astimezone(site.study.definition.zone) + timedelta(minutes=7)
    tap = Operation(str(uuid.uuid4()), "LQ01", "answered", 3, device_time=wrong)
    with site.database.writing() as session:
        known = assessments.hold_own(session, first.public_id, person.id)
        assert known is not None
        origin = Origin(device, wording, sent_at=wrong)
        instrument, grace = library.instruments["lupusqol"], site.study.definition.grace
        answers.save(session, known, instrument, [tap], origin, grace, site.clock())
    (line,) = read(site, person.id, Search(field="LQ01")).lines
    assert line.at == site.clock()
    assert (line.device_time, line.skew_ms) == ("2026-11-23T09:07:00+08:00", 7 * 60_000)


def test_what_is_held_back_from_who_sees_status_alone(site: Site) -> None:
    desk = open_desk(site)
    desk.correct()
    desk.correct(ADMINISTRATIVE, kind="wrong_timepoint", new="void")
    person = desk.assessment.participant_id
    page = read(site, person, answers=False)
    assert not page.shows_answers
    held = {one.action for one in page.lines if one.withheld}
    assert held == {"answer", "score", "request_correction", "correct"}
    for line in page.lines:
        if line.withheld:
            assert (line.old, line.new, dict(line.detail)) == (None, None, {})
    places = [one for one in page.lines if one.field == "timepoint"]
    assert [one.new for one in places] == ["void", "void"], "where it belongs is no answer"
    assert read(site, person).shows_answers


def test_an_action_that_nobody_knows_is_held_back(site: Site) -> None:
    person = site.enrol()
    with site.database.writing() as session:
        audit.lock_participant(session, person.id)
        entry = audit.Entry("system", "invented", "participant", old="1", new="2")
        audit.record(session, audit.participant_stream(person.id), site.clock(), [entry])
    assert read(site, person.id, answers=False).lines[0].withheld


def test_days_are_those_of_the_studys_zone(site: Site) -> None:
    person = site.enrol()  # nine in the morning of the 23rd in Kuala Lumpur
    site.clock.forward(hours=14, minutes=59)
    site.join(person)
    site.clock.forward(minutes=2)  # past midnight there
    site.open(person)
    day = date(2026, 11, 23)
    before, after = Search(last=day), Search(first=date(2026, 11, 24))
    assert {one.action for one in read(site, person.id, before).lines} >= {"enrol", "join"}
    assert {one.action for one in read(site, person.id, after).lines} == {"open_assessment"}
    assert read(site, person.id, Search(last=date.max)).lines
    assert not read(site, person.id, Search(last=date.min)).lines


def exported(at: Site, actor: str, **detail: object) -> None:
    told = trail_export.Told("record", detail, "why")
    with at.database.writing() as session:
        trail_export.note(session, at.study, told, "0" * 64, actor, at.clock())


@pytest.fixture
def two_sites(site: Site) -> tuple[Site, Enrolled, Enrolled]:
    """A participant and an investigator at each of two sites."""
    one, other = site.enrol("01-101"), site.enrol("02-202")
    for code in ("01", "02"):
        person = hire(site, f"Investigator {code}", "investigator", at=code)
        exported(site, f"staff/{person}", participant=f"{code}-{code[1]}0{code[1]}", site=code)
        with site.database.writing() as session:
            whose = one.id if code == "01" else other.id
            trail.note_reading(session, whose, EVERYTHING, f"staff/{person}", site.clock())
    exported(site, "site")
    return site, one, other


def test_each_site_finds_its_own_and_what_concerns_all(
    two_sites: tuple[Site, Enrolled, Enrolled],
) -> None:
    site, _one, _other = two_sites
    found = office(site, frozenset({site_id(site, "01")}))
    assert [one.detail.get("participant") for one in found if one.action == "export"] == [
        None, "01-101",
    ]  # fmt: skip
    assert [one.number for one in found if one.action == "read_record"] == ["01-101"]
    assert "load_study" in {one.action for one in found}
    assert "02" not in str([(one.detail, one.number) for one in found])
    whole = office(site, None)
    assert [one.number for one in whole if one.action == "read_record"] == ["02-202", "01-101"]
    assert [one.key for one in whole] == sorted((one.key for one in whole), reverse=True)


def test_a_number_finds_the_participant_at_the_own_sites(
    two_sites: tuple[Site, Enrolled, Enrolled],
) -> None:
    site, _one, other = two_sites
    own = frozenset({site_id(site, "02")})
    found = {one.action for one in office(site, own, "02-202")}
    assert found == {"enrol", "issue_code", "read_record", "export"}
    assert office(site, own, "01-101") == []
    sheet = site.open(other)[0]
    site.answer(sheet, {"LQ01": 1})
    (line,) = office(site, own, "02-202", Search(action="answer"))
    assert line.withheld


def test_an_own_entry_of_no_known_kind_is_not_told_to_one_site(site: Site) -> None:

    with site.database.writing() as session:
        session.execute(sa.select(Study).with_for_update())
        entry = audit.Entry("site", "enrol_file", "study/test", new="12")
        audit.record(session, audit.study_stream(site.study.id), site.clock(), [entry])
    assert "enrol_file" in {one.action for one in office(site, None)}
    assert "enrol_file" not in {one.action for one in office(site, frozenset({1}))}


def test_reading_is_chained_like_everything_else(site: Site) -> None:
    person = site.enrol()
    with site.database.writing() as session:
        trail.note_reading(session, person.id, Search(field="LQ01"), "staff/1", site.clock())
    with site.database.reading() as session:
        assert list(audit.verify(session)) == []
        assert session.get_one(Participant, person.id).number == "01-001"
    (line,) = read(site, person.id, Search(action="read_record")).lines
    assert line.detail == {"field": "LQ01"}

"""Corrections as the site's people meet them: asked for, decided with a signature, signed off."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.models import (
    Assessment,
    AuditEntry,
    Correction,
    CorrectionDecision,
    SignOff,
    Staff,
)
from pro_app.services import audit, correction_lists, corrections, participants, staff
from tests.conftest import Enrolled, Site, TestClock
from tests.services.correcting import ADMINISTRATIVE, REJECTED, WANTED, hire, submission_of
from tests.services.correcting import Desk as Hands
from tests.services.test_staff_sign_in import PASSWORD
from tests.web.test_staff import Desk, at, invite

NUMBER = "01-301"
INVESTIGATOR = "tan@hospital.example"
ASKED = {
    "kind": "answer", "item": "LQ01", "new": "3", "originator": "participant",
    "reason_code": "mistaken_tap", "reason": "The neighbouring answer was tapped",
    "evidence": "Visit note of 23 November, page 2", "confirmed": "yes",
    "confirmation": "By telephone, read back", "confirmed_on": "2026-11-23",
}  # fmt: skip


def page(site: Site, path: str = "", number: str = NUMBER) -> str:
    return at(site, f"/participants/{number}{path}")


@pytest.fixture
def nurse(app: Flask, web_site: Site, clock: TestClock) -> Desk:
    """A coordinator's browser."""
    found = Desk(app, clock)
    found.set_up(invite(web_site))
    return found


@pytest.fixture
def doctor(app: Flask, web_site: Site, clock: TestClock) -> Desk:
    """An investigator's browser."""
    found = Desk(app, clock)
    found.set_up(invite(web_site, "investigator", INVESTIGATOR))
    return found


@pytest.fixture
def sheet(web_site: Site) -> Assessment:
    """A submitted LupusQoL: every answer 1, but LQ02 skipped and LQ15 not applicable."""
    return submitted(web_site)


def submitted(site: Site, number: str = NUMBER) -> Assessment:
    first = site.open(site.enrol(number, language="ta"))[0]
    site.answer_all(first, place=1)
    site.answer(first, {"LQ02": "skipped", "LQ15": "not_applicable"}, language="ta")
    site.submit(first)
    return first


def hands(site: Site, sheet: Assessment) -> Hands:
    """Other people of the site, who ask and decide behind the scene."""
    return Hands(
        site,
        sheet,
        submission_of(site, sheet),
        hire(site, "Aminah Hassan", "coordinator"),
        hire(site, "Doctor Devi", "investigator"),
        0,
    )


def ask(desk: Desk, site: Site, sheet: Assessment, status: int = 200, **parts: str) -> None:
    """Go through the pages of a request, and send it."""
    given = {"questionnaire": sheet.public_id, **ASKED, **parts}
    start = page(site, "/corrections/new")
    desk.get(start)
    about = f"?questionnaire={given['questionnaire']}&kind={given['kind']}"
    desk.get(start + about)
    if given["kind"] == "answer":
        desk.get(f"{start}{about}&item={given['item']}")
    desk.post(start, status, **given)


def only(site: Site, number: str = NUMBER) -> Correction:
    """The participant's newest request."""
    with site.database.reading() as session:
        person = participants.find(session, site.study.id, number)
        assert person is not None
        return correction_lists.of_participant(session, person.id)[0]


def count(site: Site, table: type[Correction | CorrectionDecision | SignOff]) -> int:
    with site.database.reading() as session:
        return session.scalar(sa.select(sa.func.count(table.id))) or 0


def entries(site: Site, action: str) -> list[AuditEntry]:
    with site.database.reading() as session:
        query = sa.select(AuditEntry).where(AuditEntry.action == action)
        return list(session.scalars(query.order_by(AuditEntry.id)))


def sign(desk: Desk, path: str, status: int = 200, **parts: str) -> None:
    """Send a form with password and code; the last code has opened once."""
    desk.clock.forward(seconds=60)
    desk.post(path, status, **{"password": PASSWORD, "code": desk.shown(), **parts})


def plain(desk: Desk) -> str:
    """What the page says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", desk.page.text).split())


# --- asking -------------------------------------------------------------------------------------


def test_a_coordinator_asks_step_by_step(nurse: Desk, web_site: Site, sheet: Assessment) -> None:
    ask(nurse, web_site, sheet)
    assert nurse.path == page(web_site, "/corrections")
    assert "waits for a decision" in nurse.page.text
    found = only(web_site)
    assert (found.kind, found.field, found.old, found.new) == ("answer", "LQ01", "1", "3")
    assert (found.reason, found.evidence) == (ASKED["reason"], ASKED["evidence"])
    assert (found.confirmation, str(found.confirmed_on)) == (ASKED["confirmation"], "2026-11-23")
    assert (found.originator, found.requester.name) == ("participant", "Aminah")
    (entry,) = entries(web_site, "request_correction")
    assert entry.actor == staff.stream(found.requester_id)


def test_values_are_chosen_and_never_typed(nurse: Desk, web_site: Site, sheet: Assessment) -> None:
    start = f"{page(web_site, '/corrections/new')}?questionnaire={sheet.public_id}&kind=answer"
    nurse.get(f"{start}&item=LQ15")
    offered = [one["value"] for one in nurse.page.all("input") if one.get("name") == "new"]
    assert offered == ["0", "1", "2", "3", "4", "skipped", "not_applicable"]
    assert all("checked" not in one for one in nurse.page.all("input")), "nothing is preselected"
    nurse.get(f"{start}&item=LQ01")
    offered = [one["value"] for one in nurse.page.all("input") if one.get("name") == "new"]
    assert "not_applicable" not in offered


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("new", "9"),
        ("new", ""),
        ("new", "not_applicable"),
        ("originator", "sponsor"),
        ("reason_code", ""),
        ("reason", " "),
        ("reason", "of 900101-14-5678"),
        ("evidence", "x" * 2_001),
        ("confirmed", "no"),
        ("confirmation", ""),
        ("confirmed_on", ""),
        ("confirmed_on", "2026-11-22"),
        ("confirmed_on", "2026-11-24"),
    ],
)
def test_a_faulty_request_asks_for_nothing_and_loses_nothing(
    nurse: Desk, web_site: Site, sheet: Assessment, field: str, value: str
) -> None:
    ask(nurse, web_site, sheet, 422, **{field: value})
    assert f'href="#{field}"' in nurse.page.text
    assert f'id="{field}-fault"' in nurse.page.text
    kept = {**ASKED, field: value.strip()}
    for name in ("reason", "evidence", "confirmation"):
        assert f">{kept[name]}</textarea>" in nurse.page.text
    assert count(web_site, Correction) == 0


def test_steps_that_were_left_out_are_asked_for(
    nurse: Desk, web_site: Site, sheet: Assessment
) -> None:
    start = page(web_site, "/corrections/new")
    nurse.get(start)
    assert not nurse.page.tags_of("fault")
    nurse.get(f"{start}?questionnaire={sheet.public_id}")  # as the page of answers links to it
    nurse.get(f"{start}?questionnaire={sheet.public_id}&sent=", 422)  # no kind was chosen
    nurse.get(f"{start}?questionnaire=none&kind=", 422)
    assert 'href="#questionnaire"' in nurse.page.text
    assert 'href="#kind"' in nurse.page.text
    nurse.get(f"{start}?questionnaire={sheet.public_id}&kind=answer&item=LQ99", 422)
    assert 'href="#which"' in nurse.page.text
    nurse.post(start, 422)
    nurse.post(start, 422, questionnaire=sheet.public_id, kind="answer")
    assert count(web_site, Correction) == 0


def test_somebody_elses_questionnaire_is_not_offered(
    nurse: Desk, web_site: Site, sheet: Assessment
) -> None:
    other = submitted(web_site, "01-302")
    start = page(web_site, "/corrections/new")
    nurse.get(start)
    assert sheet.public_id in nurse.page.text
    assert other.public_id not in nurse.page.text
    nurse.post(start, 422, **{**ASKED, "questionnaire": other.public_id})
    assert count(web_site, Correction) == 0


def test_where_nothing_was_submitted_there_is_nothing_to_correct(
    nurse: Desk, web_site: Site
) -> None:
    web_site.open(web_site.enrol(NUMBER))
    nurse.get(page(web_site, "/corrections/new"))
    assert "nothing to correct" in nurse.page.text


def test_a_wrong_timepoint_offers_the_participants_others_and_nowhere(
    nurse: Desk, web_site: Site, sheet: Assessment
) -> None:
    web_site.open(Enrolled(sheet.participant_id, NUMBER, "ta", ""), "month_3")
    about = f"?questionnaire={sheet.public_id}&kind=wrong_timepoint"
    nurse.get(page(web_site, "/corrections/new") + about)
    offered = [one["value"] for one in nurse.page.all("option")]
    assert offered[:3] == ["", "month_3/1", "void"]
    ask(nurse, web_site, sheet, kind="wrong_timepoint", new="month_3/1")
    found = only(web_site)
    assert (found.field, found.old, found.new) == ("timepoint", "baseline/1", "month_3/1")
    assert found.confirmation is None


def test_another_participant_is_one_of_the_same_site(
    nurse: Desk, web_site: Site, sheet: Assessment
) -> None:
    web_site.enrol("01-302")
    web_site.enrol("02-101")
    about = f"?questionnaire={sheet.public_id}&kind=wrong_participant"
    nurse.get(page(web_site, "/corrections/new") + about)
    offered = [one["value"] for one in nurse.page.all("option")]
    assert offered[:3] == ["", "01-302", "void"]
    ask(nurse, web_site, sheet, 422, kind="wrong_participant", new="02-101")
    ask(nurse, web_site, sheet, kind="wrong_participant", new="01-302")
    assert only(web_site).new == "01-302"


def test_who_is_told_that_it_is_so_already_has_read_an_answer(
    nurse: Desk, web_site: Site, sheet: Assessment
) -> None:
    ask(nurse, web_site, sheet, 422, new="1")
    assert 'href="#new"' in nurse.page.text
    (entry,) = entries(web_site, "read_answers")
    assert (entry.object, entry.field) == (f"assessment/{sheet.public_id}", "LQ01")
    assert (entry.old, entry.new) == (None, None)


def test_who_asked_takes_it_back_and_nobody_else(
    nurse: Desk, doctor: Desk, web_site: Site, sheet: Assessment
) -> None:
    ask(nurse, web_site, sheet)
    path = page(web_site, f"/corrections/{only(web_site).public_id}")
    doctor.get(path)
    assert "Take this request back" not in doctor.page.text
    doctor.post(f"{path}/retract", 422)
    nurse.get(path)
    nurse.post(f"{path}/retract", 422, comment="of 900101-14-5678")
    assert 'id="retracting-fault"' in nurse.page.text
    nurse.post(f"{path}/retract", comment="asked by mistake")
    assert "taken back" in nurse.page.text
    assert "asked by mistake" in nurse.page.text
    nurse.post(f"{path}/retract", 422)
    assert only(web_site).state == "retracted"


# --- deciding -----------------------------------------------------------------------------------


def test_an_investigator_approves_with_password_and_code(
    nurse: Desk, doctor: Desk, web_site: Site, sheet: Assessment
) -> None:
    ask(nurse, web_site, sheet)
    doctor.get(at(web_site, "/corrections"))
    assert "Look and decide" in doctor.page.text
    path = page(web_site, f"/corrections/{only(web_site).public_id}")
    doctor.get(path)
    told = plain(doctor)
    assert "1 Often" in told, "the value in force"
    assert "3 Rarely" in told
    assert "LQPH" in told, "the score that would change"
    assert "25.0 32.1" in told
    sign(doctor, path, outcome="approved", comment="Seen in the visit note")
    assert doctor.path == path
    decision = only(web_site).decision
    assert decision is not None
    assert (decision.outcome, decision.comment) == ("approved", "Seen in the visit note")
    meaning = "I have looked at the evidence, and I approve this correction."
    assert str(decision.meaning).startswith(meaning)
    assert meaning in doctor.page.text
    assert str(decision.signature) in doctor.page.text
    assert "The signature holds" in doctor.page.text
    with web_site.database.reading() as session:
        assert session.get_one(Staff, decision.staff_id).email == INVESTIGATOR
        assert list(audit.verify(session)) == []


@pytest.mark.parametrize(
    ("field", "parts"),
    [
        ("outcome", {"outcome": ""}),
        ("comment", {"comment": "  "}),
        ("comment", {"comment": "of 900101-14-5678"}),
        ("password", {"password": ""}),
        ("password", {"code": ""}),
        ("password", {"password": "not this one at all"}),
        ("password", {"code": "000000"}),
    ],
)
def test_a_faulty_decision_decides_nothing_and_keeps_what_was_typed(
    doctor: Desk, web_site: Site, sheet: Assessment, field: str, parts: dict[str, str]
) -> None:
    correction = hands(web_site, sheet).request()
    path = page(web_site, f"/corrections/{correction.public_id}")
    doctor.get(path)
    given = {"outcome": "approved", "comment": "Seen in the visit note", **parts}
    sign(doctor, path, 422, **given)
    assert f'href="#{field}"' in doctor.page.text
    assert PASSWORD not in doctor.page.text
    if field == "password":
        assert ">Seen in the visit note</textarea>" in doctor.page.text
    assert count(web_site, CorrectionDecision) == 0


def test_a_code_signs_once(doctor: Desk, web_site: Site, sheet: Assessment) -> None:
    behind = hands(web_site, sheet)
    first, second = behind.request(), behind.request(item="LQ03")
    paths = [page(web_site, f"/corrections/{one.public_id}") for one in (first, second)]
    doctor.get(paths[0])
    doctor.clock.forward(seconds=60)
    given = {"outcome": "rejected", "comment": "Not in the source", "password": PASSWORD}
    code = doctor.shown()
    doctor.post(paths[0], **given, code=code)
    doctor.get(paths[1])
    doctor.post(paths[1], 422, **given, code=code)
    assert count(web_site, CorrectionDecision) == 1


def test_wrong_signatures_are_counted_and_make_one_wait(
    doctor: Desk, web_site: Site, sheet: Assessment
) -> None:
    path = page(web_site, f"/corrections/{hands(web_site, sheet).request().public_id}")
    doctor.get(path)
    given = {"outcome": "approved", "comment": "Seen"}
    for _ in range(5):
        sign(doctor, path, 422, **given, password="not this one at all")
    doctor.post(path, 422, **given, password=PASSWORD, code=doctor.shown())
    assert "too many wrong tries" in doctor.page.text
    assert len(entries(web_site, "wrong_password")) == 5
    assert count(web_site, CorrectionDecision) == 0


def test_four_eyes_decide_and_the_page_says_so(
    doctor: Desk, web_site: Site, sheet: Assessment
) -> None:
    ask(doctor, web_site, sheet)
    path = page(web_site, f"/corrections/{only(web_site).public_id}")
    doctor.get(path)
    assert "Another investigator has to decide" in doctor.page.text
    assert not [one for one in doctor.page.all("input") if one.get("name") == "password"]
    sign(doctor, path, 422, outcome="approved", comment="Seen")
    assert count(web_site, CorrectionDecision) == 0


def test_a_stale_request_can_only_be_rejected_and_the_page_says_why(
    doctor: Desk, web_site: Site, sheet: Assessment
) -> None:
    behind = hands(web_site, sheet)
    stale = behind.request(new="4")
    behind.correct(new="3")
    path = page(web_site, f"/corrections/{stale.public_id}")
    doctor.get(path)
    assert "It can only be rejected" in doctor.page.text
    offered = [one["value"] for one in doctor.page.all("input") if one.get("name") == "outcome"]
    assert offered == ["rejected"]
    sign(doctor, path, 422, outcome="approved", comment="Seen")
    sign(doctor, path, outcome="rejected", comment="Asked for again")
    assert "rejected" in doctor.page.text


def test_what_somebody_else_decided_meanwhile_stays_decided(
    doctor: Desk, web_site: Site, sheet: Assessment
) -> None:
    behind = hands(web_site, sheet)
    correction = behind.request()
    path = page(web_site, f"/corrections/{correction.public_id}")
    doctor.get(path)
    behind.decide(correction, REJECTED)
    sign(doctor, path, 422, outcome="approved", comment="Seen")
    assert "decided or taken back meanwhile" in doctor.page.text
    assert count(web_site, CorrectionDecision) == 1


def test_a_race_that_only_the_service_sees_is_told_in_words(
    doctor: Desk, web_site: Site, sheet: Assessment, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = page(web_site, f"/corrections/{hands(web_site, sheet).request().public_id}")
    doctor.get(path)

    def refuse(*_given: object) -> None:
        raise corrections.Stale("moved between the look and the decision")

    monkeypatch.setattr(corrections, "decide", refuse)
    sign(doctor, path, 422, outcome="approved", comment="Seen")
    assert "can only be rejected" in doctor.page.text
    assert "between the look" not in doctor.page.text


# --- who sees what ------------------------------------------------------------------------------


def test_a_coordinator_sees_what_is_asked_for_and_no_value_in_force(
    nurse: Desk, web_site: Site, sheet: Assessment
) -> None:
    behind = hands(web_site, sheet)
    waiting, approved = behind.request(new="3"), behind.correct(item="LQ05", new="4")
    for path in (at(web_site, "/corrections"), page(web_site, "/corrections"),
                 *(page(web_site, f"/corrections/{one.public_id}")
                   for one in (waiting, approved))):  # fmt: skip
        nurse.get(path)
        told = plain(nurse)
        assert "1 Often" not in told, path
        assert "LQPH" not in told, path
        assert not [one for one in nurse.page.all("input") if one.get("name") == "password"]
    assert "4 Never" not in told, "it counts now"
    assert entries(web_site, "read_answers") == []
    nurse.get(page(web_site))
    assert f'href="{page(web_site, "/answers")}"' not in nurse.page.text


def test_an_investigators_look_at_a_request_is_put_on_record(
    doctor: Desk, web_site: Site, sheet: Assessment
) -> None:
    correction = hands(web_site, sheet).request()
    doctor.get(page(web_site, f"/corrections/{correction.public_id}"))
    (entry,) = entries(web_site, "read_answers")
    assert (entry.object, entry.field) == (f"assessment/{sheet.public_id}", "LQ01")
    assert entry.detail == {"correction": correction.public_id}
    with web_site.database.reading() as session:
        known = staff.find(session, INVESTIGATOR)
        assert known is not None
        assert entry.actor == staff.stream(known.id)


def test_the_room_lists_the_oldest_first_and_what_was_decided_lately(
    doctor: Desk, web_site: Site, sheet: Assessment
) -> None:
    behind = hands(web_site, sheet)
    made = [behind.request(item=item) for item in ("LQ03", "LQ01", "LQ04")]
    behind.decide(made[1], REJECTED)
    doctor.get(at(web_site, "/corrections"))
    waiting, decided = doctor.page.text.split("Lately decided")
    assert re.findall("<code[^>]*>(LQ..)</code>", waiting) == ["LQ03", "LQ04"]
    assert re.findall("<code[^>]*>(LQ..)</code>", decided) == ["LQ01"]


def test_a_request_is_found_under_its_own_participant_alone(
    doctor: Desk, web_site: Site, sheet: Assessment
) -> None:
    correction = hands(web_site, sheet).request()
    web_site.enrol("01-302")
    doctor.get(at(web_site, f"/participants/01-302/corrections/{correction.public_id}"), 404)
    doctor.get(page(web_site, "/corrections/nothing"), 404)
    assert entries(web_site, "read_answers") == []


# --- all pages, for the languages ---------------------------------------------------------------


WALKED = "01-311"
NAMES = frozenset({"LQ"})  # of the items, in Latin letters in any language


def walk(desk: Desk, site: Site) -> None:
    """Every page about corrections and every fault: for somebody who is coordinator and
    investigator."""
    sheet = submitted(site, WALKED)
    start = page(site, "/corrections/new", WALKED)
    for path in (at(site, "/corrections"), page(site, "/corrections", WALKED), start):
        desk.get(path)
    desk.get(f"{start}?questionnaire=none&kind=", 422)
    desk.get(f"{start}?questionnaire={sheet.public_id}&kind=answer")
    desk.get(f"{start}?questionnaire={sheet.public_id}&kind=answer&item=LQ99", 422)
    for kind in ("wrong_timepoint", "wrong_participant"):
        desk.get(f"{start}?questionnaire={sheet.public_id}&kind={kind}")
        desk.post(start, 422, questionnaire=sheet.public_id, kind=kind)
    words = {"reason": "1", "evidence": "2", "confirmation": "3"}
    asked = {**ASKED, **words, "questionnaire": sheet.public_id}
    day = desk.clock().date()
    for faulty in ({"new": ""}, {"new": "1"}, {"confirmed_on": "2020-01-01"},
                   {"reason": "900101-14-5678"}, {"evidence": "1" * 2_001}):  # fmt: skip
        desk.post(start, 422, **{**asked, "confirmed_on": str(day), **faulty})
    desk.post(start, 422, questionnaire=sheet.public_id, kind="answer", item="LQ15")
    desk.post(start, **{**asked, "confirmed_on": str(day)})
    own = page(site, f"/corrections/{only(site, WALKED).public_id}", WALKED)
    desk.get(own)
    desk.post(own, 422, outcome="approved")
    desk.post(f"{own}/retract", 422, comment="900101-14-5678")
    desk.post(f"{own}/retract")
    desk.post(f"{own}/retract", 422)
    decide(desk, site, sheet)
    for path in (at(site, "/corrections"), page(site, "/corrections", WALKED), start):
        desk.get(path)


def decide(desk: Desk, site: Site, sheet: Assessment) -> None:
    """The decision and its faults, of requests that others have made."""
    behind = Hands(site, sheet, submission_of(site, sheet), hire(site, "Aminah", "coordinator"),
                   hire(site, "nurse", "investigator"), 0)  # fmt: skip
    wanted = replace(WANTED, reason="1", evidence="2", confirmation="3",
                     confirmed_on=desk.clock().date())  # fmt: skip
    mark = replace(ADMINISTRATIVE, kind="wrong_timepoint", new="void", reason="1", evidence="2")
    made = [behind.request(wanted, new="4"), behind.request(wanted, new="2"), behind.request(mark)]
    made.append(behind.request(wanted, item="LQ02", new="0"))
    paths = [page(site, f"/corrections/{one.public_id}", WALKED) for one in made]
    for path in paths:
        desk.get(path)
    desk.post(paths[0], 422)
    sign(desk, paths[0], 422, outcome="approved", comment="1", password="not this one at all")
    sign(desk, paths[0], outcome="approved", comment="1")
    desk.get(paths[1])
    desk.post(paths[1], 422, outcome="approved", comment="1")
    desk.post(paths[0], 422, outcome="approved", comment="1")
    desk.post(f"{paths[1]}/retract", 422)
    for path in paths[2:]:
        sign(desk, path, outcome="approved", comment="1")


def test_the_walk_is_walked(doctor: Desk, web_site: Site) -> None:
    with web_site.database.writing() as session:
        known = staff.find(session, INVESTIGATOR)
        assert known is not None
        staff.grant(session, known.id, web_site.study.id, None, "coordinator", web_site.clock())
    walk(doctor, web_site)
    assert count(web_site, CorrectionDecision) == 4

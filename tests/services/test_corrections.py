"""Corrections: asked for, decided with a signature, applied in order; nothing is ever lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pro_app.core import corrections as rules
from pro_app.core.scoring import score
from pro_app.models import (
    AuditEntry,
    Base,
    CorrectedScore,
    Correction,
    CorrectionDecision,
    Database,
    Score,
    Staff,
    StaffRole,
    Submission,
)
from pro_app.services import (
    audit,
    correction_lists,
    correction_preview,
    corrections,
    studies,
)
from pro_app.services.corrections import Decided, NotAllowed, Refused, Stale, Wanted
from tests.conftest import Site, snapshot
from tests.services.correcting import (
    ADMINISTRATIVE,
    APPROVED,
    REJECTED,
    WANTED,
    Desk,
    hire,
    open_desk,
    outcome,
)
from tests.services.test_submissions import together

RECORD = ("answer", "submission", "score")


@pytest.fixture
def desk(site: Site) -> Desk:
    return open_desk(site)


def faults(database: Database) -> list[audit.Fault]:
    with database.reading() as session:
        return list(audit.verify(session))


def told(desk: Desk, *actions: str) -> list[AuditEntry]:
    """The participant's entries of some actions, in order."""
    stream = audit.participant_stream(desk.assessment.participant_id)
    query = sa.select(AuditEntry).where(AuditEntry.stream == stream, AuditEntry.action.in_(actions))
    with desk.site.database.reading() as session:
        return list(session.scalars(query.order_by(AuditEntry.seq)))


# --- the way of a correction --------------------------------------------------------------------


def test_an_approved_correction_changes_what_counts_and_nothing_that_was(desk: Desk) -> None:
    before = snapshot(desk.site.database)
    sealed = desk.effective()
    assert (sealed["LQ01"]["state"], sealed["LQ01"]["code"]) == ("answered", 1)
    correction = desk.request()
    assert desk.state(correction) == "requested"
    assert desk.effective() == sealed, "a request alone changes nothing"
    desk.site.clock.forward(hours=2)
    decision = desk.decide(correction)
    assert desk.state(correction) == "approved"
    assert desk.effective() == sealed | {"LQ01": sealed["LQ01"] | {"code": 3}}
    assert (decision.name, decision.meaning) == ("Dr Tan Investigator", APPROVED.meaning)
    assert decision.decided_at == desk.site.clock()
    after = snapshot(desk.site.database)
    assert all(after[table] == before[table] for table in RECORD)
    assert faults(desk.site.database) == []


def test_a_rejected_or_retracted_one_stays_on_record_and_changes_nothing(desk: Desk) -> None:
    sealed = desk.effective()
    rejected, retracted = desk.request(), desk.request(item="LQ03")
    desk.decide(rejected, REJECTED)
    desk.retract(retracted)
    assert desk.effective() == sealed
    assert (desk.state(rejected), desk.state(retracted)) == ("rejected", "retracted")
    with desk.site.database.reading() as session:
        found = correction_lists.of_submission(session, desk.submission_id)
        assert [(one.public_id, one.state) for one in found] == [
            (rejected.public_id, "rejected"),
            (retracted.public_id, "retracted"),
        ]
        assert session.scalar(sa.select(sa.func.count(CorrectedScore.id))) == 0
    assert faults(desk.site.database) == []


def test_the_trail_tells_field_values_who_and_why(desk: Desk) -> None:
    correction = desk.request()
    desk.decide(correction)
    other = desk.request(item="LQ02", new="0")
    desk.decide(other, REJECTED)
    third = desk.request(item="LQ04")
    desk.retract(third)
    entries = told(desk, "request_correction", "correct", "reject_correction", "retract_correction")
    coordinator, investigator = f"staff/{desk.coordinator}", f"staff/{desk.investigator}"
    assert [(one.action, one.actor, one.field, one.old, one.new) for one in entries] == [
        ("request_correction", coordinator, "LQ01", "1", "3"),
        ("correct", investigator, "LQ01", "1", "3"),
        ("request_correction", coordinator, "LQ02", "skipped", "0"),
        ("reject_correction", investigator, "LQ02", "skipped", "0"),
        ("request_correction", coordinator, "LQ04", "1", "3"),
        ("retract_correction", coordinator, "LQ04", "1", "3"),
    ]
    assert {one.object for one in entries} == {f"assessment/{desk.assessment.public_id}"}
    assert [one.detail["correction"] for one in entries[:2]] == [correction.public_id] * 2
    assert all(one.detail["reason"] == WANTED.reason for one in entries)
    assert entries[1].detail["comment"] == APPROVED.comment


def test_scores_are_added_beside_the_old_ones_and_are_those_of_the_answers_now(
    site: Site,
) -> None:
    sf36 = site.open(site.enrol())[1]
    site.answer_all(sf36, place=1)
    site.submit(sf36)
    desk = replace(open_desk_at(site), assessment=sf36, submission_id=submission_id(site))
    instrument = site.library.instruments["sf36v1"]
    first, second = instrument.items[2].code, instrument.items[3].code
    corrected = [
        desk.correct(item=first, new="3"),
        desk.correct(item=second, new="skipped"),
        desk.correct(item=first, new="1"),
    ]
    with site.database.reading() as session:
        original = session.scalars(sa.select(Score)).all()
        found = {
            one.public_id: session.scalars(
                sa.select(CorrectedScore)
                .where(CorrectedScore.correction_id == one.id)
                .order_by(CorrectedScore.id)
            ).all()
            for one in corrected
        }
        submission = session.get_one(Submission, desk.submission_id)
        sealed = {item: one["code"] for item, one in submission.answers.items()}
    steps = [{first: 3}, {first: 3, second: None}, {first: 1, second: None}]
    for one, step in zip(corrected, steps, strict=True):
        expected = afresh(site, "sf36v1", sealed | step)
        assert [values(row) for row in found[one.public_id]] == expected
    assert [values(row) for row in original] == afresh(site, "sf36v1", sealed)
    assert {row.algorithm for row in found[corrected[0].public_id]} == {
        instrument.scorings[name].algorithm for name in ("rand", "mos_us1990")
    }
    codes = {item: one["code"] for item, one in desk.effective().items()}
    assert [values(row) for row in found[corrected[-1].public_id]] == afresh(site, "sf36v1", codes)
    assert faults(site.database) == []


def open_desk_at(site: Site) -> Desk:
    """A desk whose assessment is yet to be put there."""
    return Desk(
        site,
        assessment=None,  # type: ignore[arg-type]
        submission_id=0,
        coordinator=hire(site, "Aminah Coordinator", "coordinator"),
        investigator=hire(site, "Dr Tan Investigator", "investigator"),
        second=0,
    )


def submission_id(site: Site) -> int:
    with site.database.reading() as session:
        return session.scalars(sa.select(Submission.id)).one()


def values(row: Any) -> tuple[Any, ...]:
    return (
        row.algorithm, row.scale, row.value, row.norm_based, row.answered, row.reason,
        row.receipt if isinstance(row.receipt, dict) else row.receipt(),
    )  # fmt: skip


def afresh(site: Site, code: str, codes: dict[str, int | None]) -> list[tuple[Any, ...]]:
    instrument = site.library.instruments[code]
    return [
        values(one)
        for name in site.study.scorings(code)
        for one in score(instrument.scorings[name], codes)
    ]


def test_a_second_correction_starts_from_the_value_in_force(desk: Desk) -> None:
    desk.correct(new="3")
    second = desk.request(new="0")
    assert (second.old, second.new) == ("3", "0")
    with pytest.raises(Refused, match="LQ01 is 3 already"):
        desk.request(new="3")
    desk.decide(second)
    back = desk.correct(new="1")
    assert back.old == "0"
    assert desk.effective()["LQ01"]["code"] == 1


def test_every_kind_of_value_can_be_given_and_taken(desk: Desk) -> None:
    desk.correct(item="LQ02", new="4")
    desk.correct(item="LQ03", new="skipped")
    desk.correct(item="LQ15", new="not_applicable")
    found = {item: (one["state"], one["code"]) for item, one in desk.effective().items()}
    assert found["LQ02"] == ("answered", 4)
    assert found["LQ03"] == ("skipped", None)
    assert found["LQ15"] == ("not_applicable", None)


def test_what_the_scores_would_become_is_what_they_become(desk: Desk) -> None:
    correction = desk.request()
    with desk.site.database.reading() as session:
        own = session.get_one(Correction, correction.id)
        told = correction_preview.score_changes(session, desk.site.study, desk.site.library, own)
        originals = {one.scale: one.value for one in session.scalars(sa.select(Score))}
    desk.decide(correction)
    with desk.site.database.reading() as session:
        after = {one.scale: one.value for one in session.scalars(sa.select(CorrectedScore))}
    assert {one.before.scale: one.before.value for one in told} == {
        scale: value for scale, value in originals.items() if value != after[scale]
    }
    assert all(one.after.value == after[one.after.scale] for one in told)
    assert [(one.title, one.name) for one in told] == [
        ("LupusQoL domain scores", "physical health")
    ]


def test_a_mark_on_a_submission_would_change_no_score(desk: Desk) -> None:
    correction = desk.request(ADMINISTRATIVE, kind="wrong_timepoint", new="void")
    with desk.site.database.reading() as session:
        own = session.get_one(Correction, correction.id)
        library = desk.site.library
        assert correction_preview.score_changes(session, desk.site.study, library, own) == []


# --- administrative corrections -----------------------------------------------------------------


def test_a_wrong_timepoint_marks_the_submission_and_moves_nothing(desk: Desk) -> None:
    before = snapshot(desk.site.database)
    correction = desk.correct(ADMINISTRATIVE, kind="wrong_timepoint", new="month_3/1")
    assert (correction.field, correction.old) == ("timepoint", "baseline/1")
    after = snapshot(desk.site.database)
    assert all(after[table] == before[table] for table in (*RECORD, "assessment"))
    assert after["corrected_score"] == [], "the answers are what they were"
    second = desk.correct(ADMINISTRATIVE, kind="wrong_timepoint", new="void")
    assert second.old == "month_3/1"
    back = desk.correct(ADMINISTRATIVE, kind="wrong_timepoint", new="baseline/1")
    assert back.old == "void"
    assert faults(desk.site.database) == []


def test_a_wrong_participant_is_another_one_of_the_study_or_nobody(desk: Desk) -> None:
    with pytest.raises(Refused, match="no participant with this number"):
        desk.request(ADMINISTRATIVE, kind="wrong_participant", new="01-002")
    desk.site.enrol("01-002")
    correction = desk.correct(ADMINISTRATIVE, kind="wrong_participant", new="01-002")
    assert (correction.field, correction.old) == ("participant", "01-001")
    assert desk.correct(ADMINISTRATIVE, kind="wrong_participant", new="void").old == "01-002"


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"new": "month_9/1"}, "no timepoint 'month_9/1'"),
        ({"new": "month_3"}, "no timepoint 'month_3'"),
        ({"new": "month_3/0"}, "no timepoint 'month_3/0'"),
        ({"new": "month_3/²"}, "no timepoint"),
        ({"new": "baseline/1"}, "timepoint is baseline/1 already"),
        ({"new": "void", "item": "LQ01"}, "names no item"),
        ({"new": "void", "confirmation": "yes"}, "only a new answer is confirmed"),
        ({"new": "void", "confirmed_on": date(2026, 11, 23)}, "only a new answer is confirmed"),
    ],
)
def test_where_it_is_said_to_belong_must_be_a_place_of_the_study(
    desk: Desk, parts: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Refused, match=reason):
        desk.request(ADMINISTRATIVE, kind="wrong_timepoint", **parts)


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"kind": "other"}, "no correction of the kind 'other'"),
        ({"item": "LQ99"}, "lupusqol has no item 'LQ99'"),
        ({"item": None}, "lupusqol has no item None"),
        ({"new": "5"}, "LQ01 has no option '5'"),
        ({"new": "03"}, "LQ01 has no option '03'"),
        ({"new": ""}, "LQ01 has no option ''"),
        ({"new": "cleared"}, "LQ01 has no option 'cleared'"),
        ({"new": "not_applicable"}, "LQ01 cannot be marked as not applicable"),
        ({"new": "1"}, "LQ01 is 1 already"),
        ({"item": "LQ02", "new": "skipped"}, "LQ02 is skipped already"),
        ({"reason_code": "because"}, "no reason 'because'"),
        ({"originator": "sponsor"}, "wish of the participant or of the site"),
        ({"reason": "  "}, "the reason is missing"),
        ({"evidence": ""}, "the evidence is missing"),
        ({"confirmation": None}, "the participant's confirmation is missing"),
        ({"confirmed_on": None}, "day of the participant's confirmation is missing"),
        ({"confirmed_on": date(2026, 11, 24)}, "not in the future"),
        ({"confirmed_on": date(2026, 11, 22)}, "confirms after answering"),
        ({"reason": "of 900101-14-5678"}, "the reason holds .* national identity"),
        ({"evidence": "IC 900101145678"}, "the evidence holds .* national identity"),
        ({"confirmation": "by 900101-14-5678"}, "confirmation holds .* national identity"),
        ({"reason": "x" * 2_001}, "the reason is longer than 2000"),
    ],
)
def test_a_request_that_cannot_be_is_refused_and_leaves_nothing(
    desk: Desk, parts: dict[str, Any], reason: str
) -> None:
    before = snapshot(desk.site.database)
    with pytest.raises(Refused, match=reason):
        desk.request(**parts)
    assert snapshot(desk.site.database) == before


def test_where_the_study_does_not_allow_skipping_a_correction_does_not_either(
    desk: Desk,
) -> None:
    with desk.site.database.writing() as session:
        content = newest(session) | {"skipping": False}
        desk.site.study = studies.load(session, desk.site.library, content, desk.site.clock())
    with pytest.raises(Refused, match="does not allow skipping"):
        desk.request(new="skipped")


def newest(session: Any) -> dict[str, Any]:
    table = Base.metadata.tables["study_version"]
    found: dict[str, Any] = session.scalars(sa.select(table.c.definition)).one()
    return found


def test_a_submission_of_another_study_or_none_is_refused(desk: Desk) -> None:
    with pytest.raises(Refused, match="no such submission"):
        replace(desk, submission_id=desk.submission_id + 1).request()
    desk.site.study = replace(desk.site.study, id=desk.site.study.id + 1)
    with pytest.raises(Refused, match="no such submission"):
        desk.request()


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (replace(APPROVED, meaning=""), "the meaning of the signature is missing"),
        (replace(APPROVED, comment=" "), "the comment is missing"),
        (replace(REJECTED, comment="of 900101-14-5678"), "the comment holds .* national identity"),
    ],
)
def test_a_decision_needs_its_words(desk: Desk, verdict: Any, reason: str) -> None:
    correction = desk.request()
    with pytest.raises(Refused, match=reason):
        desk.decide(correction, verdict)
    assert desk.state(correction) == "requested"


def test_what_is_decided_stays_so(desk: Desk) -> None:
    rejected, retracted, approved = (desk.request(new=one) for one in "234")
    desk.decide(rejected, REJECTED)
    desk.retract(retracted)
    desk.decide(approved)
    for one, state in ((rejected, "rejected"), (retracted, "retracted"), (approved, "approved")):
        with pytest.raises(Decided, match=f"is {state} already"):
            desk.decide(one, by=desk.second)
        with pytest.raises(Decided, match=f"is {state} already"):
            desk.retract(one)
    assert desk.effective()["LQ01"]["code"] == 4


def test_a_stale_request_can_only_be_rejected(desk: Desk) -> None:
    first, second = desk.request(new="3"), desk.request(new="4")
    desk.decide(first)
    with desk.site.database.reading() as session:
        requests = correction_lists.open_requests(session, desk.site.study)
        assert [corrections.is_stale(session, one) for one in requests] == [True]
    with pytest.raises(Stale, match="LQ01 was 1 when this was asked for and is 3 now"):
        desk.decide(second)
    assert desk.effective()["LQ01"]["code"] == 3
    desk.decide(second, REJECTED)
    assert desk.state(second) == "rejected"


# --- who may ------------------------------------------------------------------------------------


def test_four_eyes_decide(desk: Desk) -> None:
    correction = desk.request(by=desk.investigator)
    for verdict in (APPROVED, REJECTED):
        with pytest.raises(NotAllowed, match="does not decide on it"):
            desk.decide(correction, verdict, by=desk.investigator)
    desk.decide(correction, by=desk.second)
    assert desk.state(correction) == "approved"


def test_only_who_asked_retracts(desk: Desk) -> None:
    correction = desk.request()
    with pytest.raises(NotAllowed, match="only who made a request"):
        desk.retract(correction, by=desk.investigator)
    desk.retract(correction)


def test_who_is_not_an_investigator_there_and_then_does_not_decide(desk: Desk) -> None:
    site, now = desk.site, desk.site.clock()
    minute = timedelta(minutes=1)
    refused = [
        desk.coordinator,
        hire(site, "An Administrator", "administrator", "coordinator", "researcher", at=None),
        hire(site, "Of Site Two", "investigator", at="02"),
        hire(site, "Not Yet", "investigator", begins_at=now + minute),
        hire(site, "No More", "investigator", ends_at=now),
        hire(site, "Never"),
        999,
    ]
    correction = desk.request(by=desk.second)
    for one in refused:
        with pytest.raises(NotAllowed, match="only a person who is investigator"):
            desk.decide(correction, by=one)
    just = hire(site, "Just In Time", "investigator", begins_at=now, ends_at=now + minute)
    with site.database.writing() as session:
        session.get_one(Staff, desk.investigator).disabled_at = now
    with pytest.raises(NotAllowed):
        desk.decide(correction)
    desk.decide(correction, by=just)


def test_a_role_in_another_study_is_none_here(desk: Desk) -> None:
    with desk.site.database.writing() as session:
        study = Base.metadata.tables["study"]
        added = session.execute(sa.insert(study).values(code="other", created_at=desk.site.clock()))
        other = added.inserted_primary_key
        session.execute(
            sa.update(StaffRole)
            .where(StaffRole.staff_id == desk.second)
            .values(study_id=other[0] if other else None)
        )
    correction = desk.request()
    with pytest.raises(NotAllowed):
        desk.decide(correction, by=desk.second)


def test_a_researcher_asks_for_nothing(desk: Desk) -> None:
    researcher = hire(desk.site, "A Researcher", "researcher", at=None)
    with pytest.raises(NotAllowed, match="coordinator or investigator"):
        desk.request(by=researcher)


# --- lists --------------------------------------------------------------------------------------


def test_what_waits_is_listed_by_site_the_oldest_first(desk: Desk) -> None:
    waiting = [desk.request(item=item).id for item in ("LQ03", "LQ01")]
    desk.decide(desk.request(item="LQ04"))
    site_id = site_of(desk)
    with desk.site.database.reading() as session:

        def listed(site_ids: list[int] | None) -> list[int]:
            found = correction_lists.open_requests(session, desk.site.study, site_ids)
            return [one.id for one in found]

        assert listed(None) == listed([site_id]) == waiting
        assert listed([]) == listed([site_id + 1]) == []
        other = replace(desk.site.study, id=desk.site.study.id + 1)
        assert correction_lists.open_requests(session, other) == []
        first = correction_lists.open_requests(session, desk.site.study)[0]
    assert first.submission.assessment.participant.number == "01-001"


def test_what_was_decided_is_listed_the_newest_first(desk: Desk) -> None:
    first, second, third = (desk.request(item=item) for item in ("LQ03", "LQ01", "LQ04"))
    desk.request(item="LQ05")
    desk.decide(second)
    desk.retract(third)
    desk.decide(first, REJECTED)
    participant_id = desk.assessment.participant_id
    with desk.site.database.reading() as session:
        study = desk.site.study
        found = correction_lists.decided(session, study, None, 2)
        assert [one.id for one in found] == [first.id, third.id]
        assert correction_lists.decided(session, study, [site_of(desk) + 1], 2) == []
        own = correction_lists.of_participant(session, participant_id)
        assert [one.state for one in own] == ["requested", "retracted", "approved", "rejected"]
        assert correction_lists.of_participant(session, participant_id + 1) == []
        one = correction_lists.find(session, participant_id, first.public_id)
        assert one is not None
        assert one.requester.name == "Aminah Coordinator"
        assert correction_lists.find(session, participant_id + 1, first.public_id) is None


def site_of(desk: Desk) -> int:
    with desk.site.database.reading() as session:
        table = Base.metadata.tables["site"]
        return int(session.scalars(sa.select(table.c.id).where(table.c.code == "01")).one())


# --- signatures and the trail -------------------------------------------------------------------


def drop_triggers(session: Any) -> None:
    for name in ("correction", "correction_decision", "corrected_score", "submission"):
        if session.get_bind().dialect.name == "postgresql":
            session.execute(sa.text(f"DROP TRIGGER append_only ON {name}"))
        else:
            session.execute(sa.text(f"DROP TRIGGER append_only_update_{name}"))
            session.execute(sa.text(f"DROP TRIGGER append_only_delete_{name}"))


EDITS: dict[str, dict[str, Any]] = {
    "correction": {
        "kind": "wrong_timepoint", "field": "LQ04", "old": "0", "new": "4",
        "originator": "site", "reason_code": "other", "reason": "x", "evidence": "x",
        "confirmation": "x", "confirmed_on": date(2026, 11, 22), "public_id": "x",
    },
    "correction_decision": {
        "outcome": "rejected", "name": "x", "meaning": "x", "comment": "x", "signature": "0" * 64,
    },
    "corrected_score": {"value": 1.5, "answered": 1, "scale": "XX"},
}  # fmt: skip


def test_a_direct_edit_is_found(desk: Desk, subtests: pytest.Subtests) -> None:
    """Each alone: it is taken back before the next."""
    desk.correct()
    assert faults(desk.site.database) == []
    for table, edits in EDITS.items():
        rows = Base.metadata.tables[table]
        first = sa.select(sa.func.min(rows.c.id)).scalar_subquery()
        for column, value in edits.items():
            change = {column: value}
            if column == "kind":
                change |= {"confirmation": None, "confirmed_on": None}
            with subtests.test(f"{table}.{column}"), desk.site.database.reading() as session:
                drop_triggers(session)
                session.execute(sa.update(rows).where(rows.c.id == first).values(**change))
                found = [one.reason for one in audit.verify(session)]
            assert any("is not as the trail tells it" in one for one in found)
            assert any("tells of data that are gone or were changed" in one for one in found)
    with desk.site.database.reading() as session:
        drop_triggers(session)
        session.execute(sa.delete(Base.metadata.tables["corrected_score"]))
        session.execute(sa.delete(Base.metadata.tables["correction_decision"]))
        found = [one.reason for one in audit.verify(session)]
    assert found == ["tells of data that are gone or were changed"] * 2


def test_the_signature_is_bound_to_all_that_was_signed(
    desk: Desk, subtests: pytest.Subtests
) -> None:
    correction = desk.correct()
    tables = Base.metadata.tables
    edits: list[tuple[str, str, Any]] = [
        *(("correction", name, value) for name, value in EDITS["correction"].items()
          if name != "kind"),
        *(("correction_decision", name, value)
          for name, value in EDITS["correction_decision"].items()),
        ("submission", "receipt", "f" * 64),
        ("staff", "public_id", "somebody else"),
    ]  # fmt: skip
    for table, column, value in edits:
        with subtests.test(f"{table}.{column}"), desk.site.database.reading() as session:
            decision = session.scalars(sa.select(CorrectionDecision)).one()
            assert decision.correction_id == correction.id
            assert corrections.signature_holds(session, decision)
            session.expunge_all()
            drop_triggers(session)
            rows = tables[table]
            statement = sa.update(rows).values({column: value})
            if table == "staff":
                statement = statement.where(rows.c.id == desk.investigator)
            session.execute(statement)
            decision = session.scalars(sa.select(CorrectionDecision)).one()
            assert not corrections.signature_holds(session, decision)


def test_a_later_name_does_not_change_the_signed_one(desk: Desk) -> None:
    desk.correct()
    with desk.site.database.writing() as session:
        session.get_one(Staff, desk.investigator).name = "Dr Tan Married"
    with desk.site.database.reading() as session:
        decision = session.scalars(sa.select(CorrectionDecision)).one()
        assert decision.name == "Dr Tan Investigator"
        assert corrections.signature_holds(session, decision)
    assert faults(desk.site.database) == []


# --- at the same time ---------------------------------------------------------------------------


def test_of_two_investigators_at_once_one_decides(desk: Desk) -> None:
    correction = desk.request()
    found = together(
        lambda: outcome(lambda: desk.decide(correction, by=desk.investigator)),
        lambda: outcome(lambda: desk.decide(correction, REJECTED, by=desk.second)),
    )
    assert sorted(found) == ["Decided", "done"]
    with desk.site.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count(CorrectionDecision.id))) == 1
    assert faults(desk.site.database) == []


def test_of_two_corrections_of_one_item_at_once_one_is_stale(desk: Desk) -> None:
    one, other = desk.request(new="3"), desk.request(new="4")
    found = together(
        lambda: outcome(lambda: desk.decide(one, by=desk.investigator)),
        lambda: outcome(lambda: desk.decide(other, by=desk.second)),
    )
    assert sorted(found) == ["Stale", "done"]
    assert faults(desk.site.database) == []


# --- a model ------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["LQ01", "LQ02", "LQ15"]),
        st.sampled_from(["0", "1", "4", "skipped", "not_applicable"]),
        st.sampled_from(["approve", "approve", "reject", "retract", "wait"]),
        st.integers(0, 3),  # how many requests come before it is decided
    ),
    max_size=8,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_corrections_in_order_equal_a_dictionary(
    desk: Desk, steps: list[tuple[str, str, str, int]]
) -> None:
    """Requests and decisions in any order do what a plain dictionary would."""
    allowed = {"LQ15": {"0", "1", "4", "skipped", "not_applicable"}}
    model = {item: rules.value_of(one) for item, one in desk.effective().items()}
    todo = [(place, 0, place) for place in range(len(steps))]
    todo += [(place + step[3], 1, place) for place, step in enumerate(steps)]
    made: dict[int, Correction] = {}
    waiting: dict[tuple[str, str], int] = {}  # what was asked for and not decided yet
    with desk.site.database.reading() as session:  # taken back at its end
        for _moment, turn, place in sorted(todo):
            item, new, verb, _ = steps[place]
            if turn == 0:
                fits = new in allowed.get(item, {"0", "1", "4", "skipped"}) and model[item] != new
                wanted: Wanted = replace(WANTED, item=item, new=new)
                if fits and (item, new) in waiting:
                    twice = desk.request_in(session, wanted)
                    assert twice.id == waiting[item, new], "it is the one that waits already"
                elif fits:
                    made[place] = desk.request_in(session, wanted)
                    waiting[item, new] = made[place].id
                else:
                    with pytest.raises(Refused):
                        desk.request_in(session, wanted)
            elif (correction := made.get(place)) is not None and verb != "wait":
                del waiting[item, new]
                carry_out(desk, session, correction, verb, model)
        submission = session.get_one(Submission, desk.submission_id)
        found = corrections.effective(session, submission)
        assert {item: rules.value_of(one) for item, one in found.items()} == model
        assert list(audit.verify(session)) == []


def carry_out(
    desk: Desk, session: Any, correction: Correction, verb: str, model: dict[str, str]
) -> None:
    """One decision, in the database and in the model."""
    if verb == "retract":
        now = desk.site.clock()
        corrections.retract(session, desk.site.study, correction.id, desk.coordinator, now)
    elif verb == "reject":
        desk.decide_in(session, correction, REJECTED)
    elif model[correction.field] == correction.old:
        desk.decide_in(session, correction)
        model[correction.field] = correction.new
    else:
        with pytest.raises(Stale):
            desk.decide_in(session, correction)

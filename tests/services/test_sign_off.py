"""Signing off: bound to the data as they are; whatever changes them later voids it visibly."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pro_app import verify
from pro_app.models import Assessment, Base, SignOff, Staff
from pro_app.services import audit, audit_export, enrolment, sign_off
from pro_app.services.audit_rows import WHOLE
from pro_app.services.signing import NotAllowed, Refused
from tests.conftest import Enrolled, Site
from tests.services.correcting import ADMINISTRATIVE, REJECTED, Desk, hire, submission_of
from tests.services.test_submissions import together

MEANING = "I have reviewed these data and confirm them as complete"


@dataclass
class Signing:
    """One person with a first and a second timepoint, and an investigator's hands."""

    site: Site
    person: Enrolled
    desk: Desk  # of the first timepoint's LupusQoL
    later: Assessment  # of the second timepoint, open

    def sign(self, milestone: str = "baseline/1", by: int | None = None, **parts: Any) -> SignOff:
        """Sign, by default as the investigator."""
        given = {"participant_id": self.person.id, "meaning": MEANING, **parts}
        with self.site.database.writing() as session:
            return sign_off.sign(
                session,
                self.site.study,
                given["participant_id"],
                milestone,
                given["meaning"],
                by or self.desk.investigator,
                self.site.clock(),
            )

    def standing(self) -> list[tuple[str, bool]]:
        """Each sign-off's milestone, and whether it holds."""
        with self.site.database.reading() as session:
            found = sign_off.standing(session, self.person.id)
        return [(one.sign_off.milestone, one.holds) for one in found]

    def finish(self) -> None:
        """Answer and submit the second timepoint."""
        self.site.answer_all(self.later)
        self.site.submit(self.later)

    def faults(self) -> list[audit.Fault]:
        """What the trail shows to be wrong."""
        with self.site.database.reading() as session:
            return list(audit.verify(session))


@pytest.fixture
def signing(site: Site) -> Signing:
    person = site.enrol()
    first = site.open(person)
    for assessment in first:
        site.answer_all(assessment, place=1)
        site.submit(assessment)
    desk = Desk(
        site,
        first[0],
        submission_of(site, first[0]),
        coordinator=hire(site, "Aminah Coordinator", "coordinator"),
        investigator=hire(site, "Dr Tan Investigator", "investigator"),
        second=hire(site, "Dr Devi Investigator", "investigator", at=None),
    )
    site.clock.forward(days=90)
    (later,) = site.open(person, "month_3")
    return Signing(site, person, desk, later)


def test_a_sign_off_says_who_when_and_what_it_means_and_holds(signing: Signing) -> None:
    signed = signing.sign()
    assert (signed.name, signed.meaning) == ("Dr Tan Investigator", MEANING)
    assert signed.signed_at == signing.site.clock()
    assert len(signed.signature) == 64
    assert signing.standing() == [("baseline/1", True)]
    signing.site.clock.forward(days=400)
    assert signing.standing() == [("baseline/1", True)]
    assert signing.faults() == []


def test_it_is_told_in_the_trail(signing: Signing) -> None:
    signed = signing.sign()
    with signing.site.database.reading() as session:
        table = Base.metadata.tables["audit_entry"]
        entry = session.execute(sa.select(table).where(table.c.action == "sign_off")).one()
    assert (entry.actor, entry.object) == (f"staff/{signing.desk.investigator}", "participant")
    assert entry.new == "baseline/1"
    assert entry.detail["signature"] == signed.signature
    assert entry.detail["meaning"] == MEANING


def test_the_milestones_are_the_timepoints_in_their_order_and_the_end(signing: Signing) -> None:
    with signing.site.database.reading() as session:
        found = sign_off.milestones(session, signing.person.id)
    assert found == ["baseline/1", "month_3/1", "end"]


def test_a_later_correction_voids_it_and_the_data_can_be_signed_anew(signing: Signing) -> None:
    signing.sign()
    request = signing.desk.request(new="3", confirmed_on=signing.site.clock().date())
    assert signing.standing() == [("baseline/1", True)], "a request changes no data"
    signing.desk.decide(request, REJECTED)
    assert signing.standing() == [("baseline/1", True)]
    signing.desk.correct(new="3", confirmed_on=signing.site.clock().date())
    assert signing.standing() == [("baseline/1", False)]
    signing.sign()
    assert signing.standing() == [("baseline/1", False), ("baseline/1", True)]
    signing.desk.correct(new="1", confirmed_on=signing.site.clock().date())
    assert signing.standing() == [("baseline/1", False)] * 2, "the old value again is a change"
    assert signing.faults() == []


def test_a_mark_on_a_submission_voids_it(signing: Signing) -> None:
    signing.sign()
    signing.desk.correct(ADMINISTRATIVE, kind="wrong_timepoint", new="void")
    assert signing.standing() == [("baseline/1", False)]


def test_later_timepoints_do_not_touch_an_earlier_milestone(signing: Signing) -> None:
    signing.sign()
    signing.finish()
    assert signing.standing() == [("baseline/1", True)]
    signing.sign("month_3/1")
    signing.sign("end")
    assert [holds for _, holds in signing.standing()] == [True] * 3
    signing.desk.correct(new="3", confirmed_on=signing.site.clock().date())
    assert [holds for _, holds in signing.standing()] == [False] * 3, "they cover it all"


def test_what_comes_to_the_end_later_voids_the_end_alone(signing: Signing) -> None:
    signing.finish()
    for milestone in ("month_3/1", "end"):
        signing.sign(milestone)
    signing.site.clock.forward(days=90)
    (more,) = signing.site.open(signing.person, "month_3", occurrence=2)
    assert [holds for _, holds in signing.standing()] == [True, True]
    signing.site.answer_all(more)
    signing.site.submit(more)
    assert [holds for _, holds in signing.standing()] == [True, False]


def test_what_can_still_be_answered_is_not_signed_off(signing: Signing) -> None:
    for milestone in ("month_3/1", "end"):
        with pytest.raises(Refused, match="month_3/1 sf36v2 can still be answered"):
            signing.sign(milestone)
    signing.site.clock.now = signing.later.closes_at + timedelta(hours=3)
    signing.sign("month_3/1")
    assert signing.standing() == [("month_3/1", True)]


def test_the_overview_says_what_is_covered_and_what_is_in_the_way(signing: Signing) -> None:
    site = signing.site

    def seen() -> list[tuple[str, int, list[str], int, bool]]:
        with site.database.reading() as session:
            found = sign_off.overview(session, site.study, signing.person.id, site.clock())
        return [
            (one.code, len(one.covered), [each.instrument for each in one.unfinished],
             one.waiting, one.is_ready)
            for one in found
        ]  # fmt: skip

    open_still = [("month_3/1", 3, ["sf36v2"], 0, False), ("end", 3, ["sf36v2"], 0, False)]
    assert seen() == [("baseline/1", 2, [], 0, True), *open_still]
    signing.finish()
    signing.desk.request(confirmed_on=site.clock().date())
    assert seen() == [
        ("baseline/1", 2, [], 1, False),
        ("month_3/1", 3, [], 1, False),
        ("end", 3, [], 1, False),
    ]


def test_nothing_at_all_is_not_signed_off(signing: Signing) -> None:
    person = signing.site.enrol("01-002")
    with pytest.raises(Refused, match="no questionnaire to be signed off"):
        signing.sign("end", participant_id=person.id)


def test_after_withdrawal_the_end_can_be_signed(signing: Signing) -> None:
    with signing.site.database.writing() as session:
        enrolment.withdraw(session, signing.person.id, signing.site.clock())
    signing.sign("end")
    assert signing.standing() == [("end", True)]


def test_a_correction_that_waits_is_decided_first(signing: Signing) -> None:
    request = signing.desk.request(confirmed_on=signing.site.clock().date())
    with pytest.raises(Refused, match="a correction waits"):
        signing.sign()
    signing.desk.retract(request)
    signing.sign()


@pytest.mark.parametrize("milestone", ["month_9/1", "baseline", "baseline/2", ""])
def test_a_milestone_that_is_none_is_refused(signing: Signing, milestone: str) -> None:
    with pytest.raises(Refused, match="has no milestone"):
        signing.sign(milestone)


def test_words_and_people_are_checked(signing: Signing) -> None:
    site = signing.site
    with pytest.raises(Refused, match="the meaning of the signature is missing"):
        signing.sign(meaning=" ")
    with pytest.raises(Refused, match="national identity"):
        signing.sign(meaning="of 900101-14-5678")
    now = site.clock()
    for one in (
        signing.desk.coordinator,
        hire(site, "Of Site Two", "investigator", at="02"),
        hire(site, "Not Yet", "investigator", begins_at=now + timedelta(minutes=1)),
        hire(site, "No More", "investigator", ends_at=now),
    ):
        with pytest.raises(NotAllowed):
            signing.sign(by=one)
    assert signing.standing() == []


def test_the_same_person_signs_the_same_once_another_one_may_too(signing: Signing) -> None:
    signing.sign()
    with pytest.raises(Refused, match="has signed off baseline/1, and that holds"):
        signing.sign()
    signing.sign(by=signing.desk.second)
    assert signing.standing() == [("baseline/1", True)] * 2


def test_signing_twice_at_once_is_signing_once(signing: Signing) -> None:
    def try_it() -> str:
        try:
            return signing.sign().milestone
        except Refused:
            return "refused"

    assert sorted(together(try_it, try_it)) == ["baseline/1", "refused"]
    assert signing.standing() == [("baseline/1", True)]
    assert signing.faults() == []


EDITS: list[tuple[str, dict[str, Any]]] = [
    ("sign_off", {"name": "x"}),
    ("sign_off", {"meaning": "x"}),
    ("sign_off", {"milestone": "end"}),
    ("sign_off", {"signature": "0" * 64}),
    ("sign_off", {"public_id": "x"}),
    ("submission", {"answers": {}}),
    ("submission", {"receipt": "0" * 64}),
    ("score", {"value": 1.5}),
    ("corrected_score", {"value": 1.5}),
    ("correction", {"new": "4"}),
    ("correction_decision", {"signature": "0" * 64}),
]


@pytest.mark.parametrize(
    ("table", "values"), EDITS, ids=[f"{table}.{next(iter(one))}" for table, one in EDITS]
)
def test_a_direct_edit_voids_it_and_is_found(
    signing: Signing, table: str, values: dict[str, Any]
) -> None:
    signing.desk.correct(new="3", confirmed_on=signing.site.clock().date())
    signing.sign()
    rows = Base.metadata.tables[table]
    first = sa.select(sa.func.min(rows.c.id)).scalar_subquery()
    with signing.site.database.reading() as session:
        postgresql = session.get_bind().dialect.name == "postgresql"
        trigger = f"append_only ON {table}" if postgresql else f"append_only_update_{table}"
        session.execute(sa.text(f"DROP TRIGGER {trigger}"))
        session.execute(sa.update(rows).where(rows.c.id == first).values(**values))
        assert [one.holds for one in sign_off.standing(session, signing.person.id)] == [False]
        assert list(audit.verify(session))
    assert signing.standing() == [("baseline/1", True)]


def test_the_export_carries_what_was_signed_and_its_verifier_checks_it(
    signing: Signing, tmp_path: Path
) -> None:
    signing.desk.correct(new="3", confirmed_on=signing.site.clock().date())
    signing.desk.retract(signing.desk.request(new="0", confirmed_on=signing.site.clock().date()))
    signing.sign()
    path = tmp_path / "trail.zip"
    nothing: dict[str, str | None] = {"study": None, "participant": None}
    with signing.site.database.snapshot() as session:
        audit_export.write(session, path, nothing, WHOLE)
    assert verify.main([str(path)]) == 0
    with zipfile.ZipFile(path) as archive:
        lines = {
            kind: archive.read(f"data/{kind}.jsonl").decode().splitlines()
            for kind in ("corrections", "decisions", "corrected_scores", "sign_offs")
        }
    counts = {kind: len(found) for kind, found in lines.items()}
    assert counts.pop("corrected_scores") > 1
    assert counts == {"corrections": 2, "decisions": 2, "sign_offs": 1}
    for kind, (first, *_) in lines.items():
        stream = f"participant/{signing.person.id}"
        row = json.loads(first)
        assert row["stream"] == stream
        name = "value" if kind == "corrected_scores" else "public_id"
        changed = row | {name if name in row else "comment": "1"}
        ((_, said),) = verify.data_digests(kind, [row])
        ((_, other),) = verify.data_digests(kind, [changed])
        assert said != other


def test_somebody_elses_name_later_changes_nothing(signing: Signing) -> None:
    signing.sign()
    with signing.site.database.writing() as session:
        session.get_one(Staff, signing.desk.investigator).name = "Dr Tan Married"
    assert signing.standing() == [("baseline/1", True)]

"""A new version of a scoring adds its scores beside the old ones; nothing is lost or done twice."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
import sqlalchemy as sa

from pro_app.core.library import Library
from pro_app.core.scoring import Scoring, score
from pro_app.models import Score, Submission
from pro_app.services import answer_record, audit, rescoring, tables
from pro_app.services.tables import Request
from tests.conftest import Run, Site
from tests.services.correcting import Desk, open_desk
from tests.services.test_tables import KEY

OLD, NEW = "lupusqol", "lupusqol@000000000002"


@pytest.fixture
def desk(site: Site) -> Desk:
    return open_desk(site)


def amended(library: Library) -> Library:
    """The same instruments, with a version of LupusQoL's scoring that counts from 0 to 50."""
    instrument = library.instruments[OLD]
    scoring: Scoring = instrument.scorings[OLD]
    scales = tuple(replace(one, highest=one.highest * Fraction(2)) for one in scoring.scales)
    newer = replace(scoring, scales=scales, algorithm=NEW)
    changed = replace(instrument, scorings={OLD: newer})
    return Library({**library.instruments, OLD: changed}, library.wordings)


def amend(desk: Desk) -> int:
    """The new version comes into force, and what was submitted is scored by it."""
    desk.site.library = amended(desk.site.library)
    return rescore(desk)


def rescore(desk: Desk) -> int:
    site = desk.site
    with site.database.snapshot() as session:
        people = rescoring.people(session, site.study, site.library)
    added = 0
    for person in people:
        with site.database.writing() as session:
            added += rescoring.rescore(session, site.study, site.library, person, site.clock())
    return added


def stored(desk: Desk) -> dict[str, list[float | None]]:
    with desk.site.database.reading() as session:
        rows = session.execute(
            sa.select(Score.algorithm, Score.value)
            .where(Score.submission_id == desk.submission_id)
            .order_by(Score.id)
        ).all()
    found: dict[str, list[float | None]] = {}
    for algorithm, value in rows:
        found.setdefault(algorithm, []).append(value)
    return found


def test_scores_of_a_new_version_stand_beside_the_old_ones(desk: Desk) -> None:
    before = stored(desk)
    assert rescore(desk) == 0, "nothing is to be done while no version is new"
    assert amend(desk) == 1
    after = stored(desk)
    (old,) = before
    assert list(after) == [old, NEW]
    assert after[old] == before[old]
    assert after[NEW] == [None if one is None else one / 2 for one in after[old]]
    assert rescore(desk) == 0
    assert stored(desk) == after


def test_what_is_to_be_scored_is_counted_beforehand(desk: Desk) -> None:
    site = desk.site
    library = amended(site.library)
    with site.database.reading() as session:
        assert rescoring.pending(session, site.study, site.library) == []
        (one,) = rescoring.pending(session, site.study, library)
    assert (one.instrument, one.scoring.algorithm, one.count) == (OLD, NEW, 1)


def test_the_trail_tells_of_it_and_nothing_of_it_is_a_fault(desk: Desk) -> None:
    desk.correct()
    assert amend(desk) == 2, "the answers as submitted, and after the correction"
    with desk.site.database.snapshot() as session:
        assert list(audit.verify(session)) == []


def test_corrected_answers_are_scored_anew_too(desk: Desk) -> None:
    for n in range(1, 10):
        desk.correct(item=f"LQ{n:02}", new="4")
    amend(desk)
    site = desk.site
    with site.database.snapshot() as session:
        request = Request(site.study, site.library, "en", site.clock())
        long = [
            row
            for frame in tables.table(session, "scores_long", request).frames()
            for row in frame.to_dicts()
        ]
        (wide,) = (
            row
            for frame in tables.table(session, "scores", request).frames()
            for row in frame.to_dicts()
            if row["instrument"] == OLD
        )
        submission = session.get_one(Submission, desk.submission_id)
        codes = {item: one["code"] for item, one in desk.effective().items()}
        first = {item: one["code"] for item, one in submission.answers.items()}
    scoring = site.library.instruments[OLD].scorings[OLD]
    newer = [row for row in long if row["algorithm"] == NEW]
    assert [row["value"] for row in newer] == [one.value for one in score(scoring, codes)]
    assert [row["original_value"] for row in newer] == [one.value for one in score(scoring, first)]
    assert wide["lupusqol_algorithm"] == NEW
    assert [wide[f"lupusqol_{row['scale']}"] for row in newer] == [row["value"] for row in newer]
    assert len(
        {(*(row[name] for name in KEY), row["algorithm"], row["scale"]) for row in long}
    ) == (len(long))


def test_what_an_old_version_has_not_scored_says_so(desk: Desk) -> None:
    """A correction that was decided after the new version came has no scores by the old one."""
    amend(desk)
    desk.correct(new="4")
    site = desk.site
    with site.database.snapshot() as session:
        request = Request(site.study, site.library, "en", site.clock())
        (frame,) = tables.table(session, "scores_long", request).frames()
    for row in frame.to_dicts():
        if row["instrument"] == OLD:
            old = row["algorithm"] != NEW
            assert (row["reason"] == "replaced") == old
            assert row["original_value"] is not None


def test_the_investigator_sees_each_version_in_a_table_of_its_own(desk: Desk) -> None:
    amend(desk)
    site = desk.site
    with site.database.snapshot() as session:
        record = answer_record.answer_record(
            session, site.study, site.library, desk.assessment.participant_id, site.clock()
        )
    (sheet,) = record.sheets
    assert [(table.algorithm == NEW, table.in_force) for table in sheet.scores] == [
        (False, False), (True, True),
    ]  # fmt: skip


def test_the_command_says_what_it_finds(loaded: Run) -> None:
    assert "scored by the versions in force" in loaded("rescore --dry-run").output
    assert "scored by the versions in force" in loaded("rescore").output

"""The codes and names of tests: CDISC's where it has them, ours where not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pro_app.config import ROOT
from pro_app.core.instruments import RECALLS, load_instruments
from pro_app.core.study import StudyInstrument
from pro_app.core.wording import load_wordings
from pro_app.export.cdisc import Source
from pro_app.export.cdisc_terms import INTERVALS, terms
from pro_app.export.sdtm import qs
from pro_app.export.table import TableError
from tests.export.cdisc_study import Hand, rows_of

BEFORE, AFTER = date(2027, 3, 2), date(2027, 4, 5)


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    return Hand(tmp_path)


def real(hand: Hand, *entries: StudyInstrument) -> Source:
    """A source with the house's own instruments."""
    library = load_instruments(ROOT / "questionnaires")
    wordings = {
        (code, language): wording
        for code, one in library.items()
        for language, wording in load_wordings(
            ROOT / "questionnaires" / code / "wording", one
        ).items()
    }
    told = hand.source()
    tables = (told.participants, told.assessments, told.answers, told.scores)
    return Source(told.definition, entries, library, wordings.values(), *tables)


def test_the_houses_questionnaires_have_their_codes(hand: Hand) -> None:
    source = real(
        hand,
        StudyInstrument("lupusqol", ("lupusqol",)),
        StudyInstrument("sf36v1", ("rand", "mos_us1990")),
        StudyInstrument("sf36v2", ("us1998",)),
    )
    found = terms(source)
    names = {one.QSTESTCD: one.QSTEST for one in found}
    assert len(names) == len(set(names.values())) == len(found)
    assert len(found) == 34 + 8 + 36 + (36 + 18) + (36 + 18)
    assert all(len(code) <= 8 and len(name) <= 40 for code, name in names.items())
    assert names["LQ05"] == "LQ-Climbing stairs"
    assert names["LQPH"] == "LQ-LQPH 0-100 score"
    assert names["R360102"] == "R3601-Health vs earlier"
    assert names["SF36103A"] == "SF361-Vigorous activity"
    assert names["SF36120"] == "SF361-PF norm-based score"
    assert names["SF36128"] == "SF361-PCS norm-based score"
    by_code = {one.QSTESTCD: one for one in found}
    assert by_code["LQ05"].QSSCAT == "PHYSICAL HEALTH"
    assert (by_code["SF36102"].QSSCAT, by_code["SF36102"].QSEVLINT) == (None, None)
    assert (by_code["SF36109A"].QSEVLINT, by_code["LQPH"].QSEVLINT) == ("-P4W", "-P4W")
    assert set(RECALLS) == set(INTERVALS)


def test_answers_stand_in_every_category_that_the_study_scores(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, {"GH01": 2}, instrument="sf36v1")
    hand.sheet("day_28", AFTER, status="missed", missed_reason="not_started", instrument="sf36v1")
    one, both = ("mos_us1990",), ("rand", "mos_us1990")
    found = {
        scorings: rows_of(qs(real(hand, StudyInstrument("sf36v1", scorings))), "QSCAT", "QSTESTCD")
        for scorings in (one, both)
    }
    assert found[one] == [("SF36 V1.0 STANDARD", "SF36101"), ("SF36 V1.0 STANDARD", "QSALL")]
    assert found[both] == [
        ("RAND-36 V1.0", "R360101"), ("SF36 V1.0 STANDARD", "SF36101"),
        ("RAND-36 V1.0", "QSALL"), ("SF36 V1.0 STANDARD", "QSALL"),
    ]  # fmt: skip


def test_codes_that_two_instruments_share_are_refused(hand: Hand) -> None:
    source = hand.source()
    twice = Source(
        source.definition, [*source.asked, StudyInstrument("other", ("plain",))],
        {"toy": hand.toy, "other": hand.toy},
        hand.wordings.values(),
        source.participants, source.assessments, source.answers, source.scores,
    )  # fmt: skip
    with pytest.raises(TableError, match="QSTESTCD 'T1' is too long or there twice"):
        qs(twice)

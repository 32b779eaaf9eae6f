"""ADaM ADQS of small studies whose values are written out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pro_app.config import ROOT
from pro_app.core.instruments import load_instruments
from pro_app.core.study import StudyInstrument
from pro_app.export.adam import COLUMNS, KEYS, adqs
from pro_app.export.cdisc_terms import parameters
from tests.export.cdisc_study import Hand, at, rows_of

ALL = {"Q1": 1, "Q2": 2, "Q3": 2}
BEFORE, INFUSION, AFTER = date(2027, 3, 2), date(2027, 3, 8), date(2027, 4, 5)


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    return Hand(tmp_path)


def of(hand: Hand, *names: str, code: str = "T4", **parts: Any) -> list[tuple[Any, ...]]:
    """The rows of one parameter."""
    found = rows_of(adqs(hand.source(**parts)), "PARAMCD", *names)
    return [row[1:] for row in found if row[0] == code]


def test_names_and_labels_are_as_short_as_cdisc_asks() -> None:
    for one in COLUMNS:
        assert len(one.name) <= 8
        assert len(one.label) <= 40
        assert one.name == one.name.upper()
    assert set(KEYS) <= {one.name for one in COLUMNS}


def test_a_study_without_data_has_its_columns(hand: Hand) -> None:
    assert rows_of(adqs(hand.source())) == []
    hand.person("01-001")
    assert rows_of(adqs(hand.source())) == []
    assert adqs(hand.source()).title == "Analysis of QS, demonstration wording"
    licensed = replace(hand.source(), wordings=())
    assert adqs(licensed).title == "Questionnaires Analysis"


def test_one_participant_before_and_after_the_infusion(hand: Hand) -> None:
    """100/3 - 18.75 in binary fractions is what a reader of the two gets, bit for bit."""
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, ALL, scores={"TWO": 18.75, "SUM": None})
    hand.sheet("day_28", AFTER, ALL, scores={"TWO": 100 / 3}, status="completed_late", late=1)
    told = ("trial", "trial-01-001", "01")
    score = ("T4", "Toy, plain: first and second (0-100)", 1, "TOY")
    summary = ("T5", "Toy, plain: both (norm-based)", 3, "TOY")
    norm = ("TTWON", "Toy, plain: first and second (norm-based)", 4, "TOY")
    first = (1.0, "START", "Start", 1.0, BEFORE, -6)
    tail = (None, 2, 2, None, "plain@1", "SUBMISSION", "own_phone", "en")
    missing = (None, 2, 2, "TOO FEW ITEMS ANSWERED", *tail[4:])
    start = (*first, 18.75, 18.75, None, "Y", "Y", *tail, None, None)
    later = (
        3.0,
        "DAY 28",
        "Day 28",
        3.0,
        AFTER,
        29,
        100 / 3,
        18.75,
        100 / 3 - 18.75,
        None,
        "Y",
        *tail,
        "Y",
        None,
    )
    assert rows_of(adqs(hand.source())) == [
        (*told, *score, *start),
        (*told, *score, *later),
        (*told, *summary, *first, None, None, None, None, None, *missing, None, None),
        (*told, *norm, *start),
        (*told, *norm, *later),
    ]  # fmt: skip


def test_norm_based_scores_are_parameters_of_their_own(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, ALL, scores={"TWO": 18.75, "ONE": 100.0})
    hand.change("scores_long", norm_based=79.26829268292683)
    assert rows_of(adqs(hand.source()), "PARAMCD", "PARAM", "AVAL") == [
        ("T4", "Toy, plain: first and second (0-100)", 18.75),
        ("TONE", "Toy, plain: third (0-100)", 100.0),
        ("TTWON", "Toy, plain: first and second (norm-based)", 18.75),
        ("TONEN", "Toy, plain: third (norm-based)", 79.26829268292683),
    ]


def flags(hand: Hand) -> list[tuple[object, ...]]:
    return of(hand, "AVISIT", "VISITNUM", "AVAL", "BASE", "CHG", "ABLFL", "ANL01FL")


def test_the_baseline_is_the_last_score_before_the_infusion(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, ALL, scores={"TWO": 50.0})
    hand.sheet("unscheduled", date(2027, 3, 5), ALL, scores={"TWO": 60.0})
    hand.sheet("day_0", INFUSION, ALL, scores={"TWO": 70.0})
    hand.sheet("day_28", AFTER, ALL, scores={"TWO": 75.5})
    assert flags(hand) == [
        ("Start", 1.0, 50.0, 60.0, None, None, "Y"),
        ("Extra visit", 1.501, 60.0, 60.0, None, "Y", None),
        ("Infusion day", 2.0, 70.0, 60.0, 10.0, None, "Y"),
        ("Day 28", 3.0, 75.5, 60.0, 15.5, None, "Y"),
    ]


def test_a_baseline_on_the_day_of_the_infusion_counts_and_one_after_it_does_not(
    hand: Hand,
) -> None:
    for number, day in ((1, INFUSION), (2, date(2027, 3, 9))):
        hand.person(f"01-00{number}")
        hand.sheet("baseline", day, ALL, scores={"TWO": 50.0})
        hand.sheet("day_28", AFTER, ALL, scores={"TWO": 40.0})
    assert [row[3:6] for row in flags(hand)] == [
        (50.0, None, "Y"), (50.0, -10.0, None), (None, None, None), (None, None, None),
    ]  # fmt: skip


def test_the_last_is_what_was_answered_last(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, ALL, scores={"TWO": 50.0}, completed_at=at(date(2027, 3, 7)))
    hand.sheet("unscheduled", date(2027, 3, 5), ALL, scores={"TWO": 60.0})
    assert of(hand, "AVISIT", "BASE", "CHG", "ABLFL") == [
        ("Start", 50.0, None, "Y"), ("Extra visit", 50.0, None, None),
    ]  # fmt: skip


def test_without_an_infusion_there_is_no_baseline_yet(hand: Hand) -> None:
    hand.person("01-001", infusion=None)
    hand.sheet("baseline", BEFORE, ALL, scores={"TWO": 50.0})
    assert of(hand, "ADT", "ADY", "BASE", "ABLFL", "ANL01FL") == [(BEFORE, None, None, None, "Y")]


def test_of_a_repeated_visit_the_nearest_to_its_day_is_analysed(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("day_28", date(2027, 4, 7), ALL, scores={"TWO": 50.0}, days_off=2)
    hand.sheet("day_28", date(2027, 4, 2), ALL, scores={"TWO": 60.0}, occurrence=2, days_off=-3)
    hand.sheet("day_28", date(2027, 4, 6), ALL, scores={"TWO": 70.0}, occurrence=3, days_off=1)
    hand.sheet("day_28", date(2027, 4, 5), ALL, scores={"TWO": 80.0}, occurrence=4, days_off=None)
    found = of(hand, "AVISIT", "AVISITN", "VISITNUM", "ANL01FL")
    assert found == [
        ("Day 28", 3.0, 3.0, None), ("Day 28", 3.0, 3.001, None), ("Day 28", 3.0, 3.002, "Y"),
        ("Day 28", 3.0, 3.003, None),
    ]  # fmt: skip


def test_a_visit_that_the_protocol_repeats_is_several(hand: Hand) -> None:
    hand.person("01-001")
    for occurrence, year in enumerate((2028, 2029), 1):
        day = date(year, 3, 8)
        hand.sheet("yearly", day, ALL, scores={"TWO": 50.0}, occurrence=occurrence)
    assert of(hand, "AVISIT", "AVISITN", "ANL01FL") == [
        ("Month 12", 4.0, "Y"), ("Month 24", 4.001, "Y"),
    ]  # fmt: skip


def test_what_was_never_submitted_has_scores_but_no_flag(hand: Hand) -> None:
    hand.person("01-001")
    half = {"Q1": 3, "Q2": "not_reached", "Q3": "not_reached"}
    hand.sheet("baseline", BEFORE, half, status="missed", scores={"TWO": 100.0})
    hand.sheet("day_28", AFTER, half, status="not_expected", scores={"TWO": 100.0})
    hand.sheet("yearly", date(2028, 3, 8), half, status="in_progress", scores={"TWO": 1.0})
    names = ("AVISIT", "AVAL", "ABLFL", "ANL01FL", "SCBASIS", "ADT")
    assert of(hand, *names) == [
        ("Start", 100.0, None, None, "PARTIAL", BEFORE),
        ("Day 28", 100.0, None, None, "PARTIAL", AFTER),
    ]


def test_missed_and_withdrawn_visits_have_no_rows(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, status="missed", missed_reason="not_started")
    hand.sheet("day_28", AFTER, status="not_expected", not_expected_reason="withdrawn")
    hand.sheet("yearly", date(2028, 3, 8), ALL, scores={"TWO": 50.0}, void=1)
    assert rows_of(adqs(hand.source())) == []


def test_a_corrected_score_counts_and_says_so(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, ALL, scores={"TWO": 18.75})
    hand.change("scores_long", value=50.0, correction="c-1")
    assert of(hand, "AVAL", "BASE", "CORRFL") == [(50.0, 50.0, "Y")]


def test_of_two_versions_of_a_scoring_the_newer_counts(hand: Hand) -> None:
    """And a change from a baseline of another version is no change."""
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, ALL, scores={"TWO": 18.75})
    hand.sheet("day_28", AFTER, ALL, scores={"TWO": 50.0})
    newer = hand.rows["scores_long"][-1] | {"algorithm": "plain@2", "value": 51.0}
    hand.rows["scores_long"].append(newer)
    assert of(hand, "AVAL", "SCALGO", "BASE", "CHG", "ABLFL") == [
        (18.75, "plain@1", 18.75, None, "Y"), (51.0, "plain@2", None, None, None),
    ]  # fmt: skip


def test_the_date_is_the_studys_own(hand: Hand) -> None:
    """Half past midnight in Kuala Lumpur is still the day before in UTC."""
    hand.person("01-001")
    hand.sheet("baseline", INFUSION, ALL, scores={"TWO": 5.0}, completed_at=at(INFUSION, 0, 30))
    assert of(hand, "ADT", "ADY") == [(INFUSION, 1)]


def test_with_study_days_no_date_leaves(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, ALL, scores={"TWO": 18.75})
    hand.sheet("unscheduled", INFUSION, ALL, scores={"TWO": 20.0})
    hand.sheet("day_28", AFTER, ALL, scores={"TWO": 50.0})
    names = [one.name for one in COLUMNS if one.name != "ADT"]
    counted = adqs(hand.source(days_from="infusion"))
    assert rows_of(counted, *names) == rows_of(adqs(hand.source()), *names)
    assert set(rows_of(counted, "ADT")) == {(None,)}


def test_without_an_infusion_there_are_no_study_days_but_rows_to_analyse(hand: Hand) -> None:
    hand.person("01-001", infusion=None)
    hand.sheet("baseline", BEFORE, ALL, scores={"TWO": 18.75})
    found = of(hand, "ADY", "ABLFL", "ANL01FL", days_from="infusion")
    assert found == [(None, None, "Y")]


def test_rows_are_named_by_their_keys_and_in_order(hand: Hand) -> None:
    for number in ("01-001", "01-002"):
        hand.person(number)
        for occurrence in (1, 2):
            hand.sheet("day_28", AFTER, ALL, scores={"TWO": 5.0, "ONE": 0.0}, occurrence=occurrence)
    found = [row for row in rows_of(adqs(hand.source()), *KEYS) if row[2] != "TONEN"]
    assert found == [
        ("trial", f"trial-{number}", code, visit)
        for number in ("01-001", "01-002")
        for code in ("T4", "TONE", "TTWON")
        for visit in (3.0, 3.001)
    ]


def test_the_houses_scores_have_their_parameters(hand: Hand) -> None:
    asked = [
        StudyInstrument("lupusqol", ("lupusqol",)),
        StudyInstrument("sf36v1", ("rand", "mos_us1990")),
        StudyInstrument("sf36v2", ("us1998",)),
    ]
    library = load_instruments(ROOT / "questionnaires")
    source = replace(hand.source(), asked=asked, instruments=library, wordings=())
    found = {one.PARAMCD: one for one in parameters(source)}
    assert len(found) == 8 + 8 + 18 + 18
    assert len({one.PARAM for one in found.values()}) == len(found)
    assert all(len(code) <= 8 for code in found)
    assert {one.PARAMN for one in found.values()} == set(range(1, len(found) + 1))
    assert found["LQPH"].PARAM == "LupusQoL, lupusqol: physical health (0-100)"
    assert found["R36PAIN"].PARAM == "SF-36 version 1, rand: pain (0-100)"
    assert found["SF36114"].PARAM == "SF-36 version 1, mos_us1990: bodily pain (0-100)"
    assert found["SF36122"].PARAM == "SF-36 version 1, mos_us1990: bodily pain (norm-based)"
    assert found["SF36328"].scale == "PCS"
    assert (found["R36PAIN"].PARCAT1, found["SF36328"].PARCAT1) == (
        "RAND-36 V1.0", "SF36 V2.0 STANDARD",
    )  # fmt: skip

"""SDTM QS and SUPPQS of small studies whose values are written out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from pro_app.export import cdisc
from pro_app.export.sdtm import QS_COLUMNS, qs
from pro_app.export.sdtm_supplement import COLUMNS, suppqs
from pro_app.export.table import Table, TableError
from tests.export.cdisc_study import NOTES, Hand, at, rows_of

ALL = {"Q1": 1, "Q2": 2, "Q3": 2}
BEFORE, INFUSION, AFTER = date(2027, 3, 2), date(2027, 3, 8), date(2027, 4, 5)
Cells = tuple[object, ...]


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    return Hand(tmp_path)


def only(table: Table, test: str, *names: str) -> list[Cells]:
    """The rows of one test."""
    return [row[1:] for row in rows_of(table, "QSTESTCD", *names) if row[0] == test]


def test_a_study_without_data_has_its_columns(hand: Hand) -> None:
    for table in (qs(hand.source()), suppqs(hand.source())):
        assert rows_of(table) == []
        assert table.language == "en"
        assert table.notes == NOTES
    hand.person("01-001")
    assert rows_of(qs(hand.source())) == []


@pytest.mark.parametrize("columns", [QS_COLUMNS, COLUMNS])
def test_names_and_labels_are_as_short_as_cdisc_asks(columns: tuple[cdisc.Column, ...]) -> None:
    for one in columns:
        assert len(one.name) <= 8
        assert len(one.label) <= 40
        assert one.name == one.name.upper()


def test_one_questionnaire_of_one_participant(hand: Hand) -> None:
    """Two days after enrolment, six before the infusion; the summary needs a scale that is not
    there."""
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, ALL, scores={"TWO": 18.75, "ONE": 100.0, "SUM": None})
    head = ("trial", "QS", "trial-01-001")
    tail = (1.0, "START", "2027-03-02T09:00:00+08:00", -6)
    group = "baseline/1/TOY"
    assert rows_of(qs(hand.source())) == [
        (*head, 1, group, "T1", "T-First", "TOY", "FIRST AND SECOND", "Always", "1", 1.0,
         None, None, "Y", None, *tail, "-P4W"),
        (*head, 2, group, "T2", "T-Second", "TOY", "FIRST AND SECOND", "Sometimes", "2", 2.0,
         None, None, "Y", None, *tail, "-P4W"),
        (*head, 3, group, "T3", "T-Third", "TOY", "THIRD", "No", "2", 2.0,
         None, None, "Y", None, *tail, None),
        (*head, 4, group, "T4", "T-TWO 0-100 score", "TOY", "FIRST AND SECOND", "18.75", "18.75",
         18.75, None, None, "Y", "Y", *tail, "-P4W"),
    ]  # fmt: skip
    word = hand.wordings["toy", "en"].fingerprint
    assert rows_of(suppqs(hand.source()), "IDVAR", "IDVARVAL", "QNAM", "QLABEL", "QVAL") == [
        ("QSGRPID", group, "QSTIMEPT", "Timepoint of the Protocol", "baseline"),
        ("QSGRPID", group, "QSOCCNUM", "Occurrence of the Timepoint", "1"),
        ("QSGRPID", group, "QSMODE", "Mode of Administration", "own_phone"),
        ("QSGRPID", group, "QSLANG", "Languages of Administration", "en"),
        ("QSGRPID", group, "QSWORD", "Fingerprints of the Wordings", word),
        ("QSGRPID", group, "QSDEMO", "Demonstration Wording, Not Validated", "Y"),
        ("QSGRPID", group, "QSALGO", "Scoring Algorithm and Version", "plain@1"),
    ]
    assert set(rows_of(suppqs(hand.source()), "STUDYID", "RDOMAIN", "USUBJID", "QEVAL")) == {
        ("trial", "QS", "trial-01-001", None)
    }


def test_absences_keep_their_kinds(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, {"Q1": "skipped", "Q2": "not_applicable", "Q3": 1})
    names = ("QSTESTCD", "QSORRES", "QSSTRESC", "QSSTRESN", "QSSTAT", "QSREASND", "QSLOBXFL")
    assert rows_of(qs(hand.source()), *names) == [
        ("T1", None, None, None, "NOT DONE", "LEFT UNANSWERED BY SUBJECT", None),
        ("T2", None, None, None, "NOT DONE", "NOT APPLICABLE", None),
        ("T3", "Yes", "1", 1.0, None, None, "Y"),
    ]


def test_half_a_form_is_dated_by_its_last_tap_and_told_to_be_half(hand: Hand) -> None:
    hand.person("01-001")
    half = {"Q1": 3, "Q2": "not_reached", "Q3": "not_reached"}
    hand.sheet("baseline", BEFORE, half, status="missed", missed_reason="partial",
               missed_code="too_ill", scores={"TWO": 100.0})  # fmt: skip
    hand.sheet("day_28", AFTER, half, status="in_progress")
    names = ("QSTESTCD", "QSSTRESN", "QSREASND", "QSDTC", "QSDRVFL")
    assert rows_of(qs(hand.source()), *names) == [
        ("T1", 3.0, None, "2027-03-02T08:57:00+08:00", None),
        ("T2", None, "NOT REACHED", "2027-03-02T08:57:00+08:00", None),
        ("T3", None, "NOT REACHED", "2027-03-02T08:57:00+08:00", None),
        ("T4", 100.0, None, "2027-03-02T08:57:00+08:00", "Y"),
    ]
    told = dict(rows_of(suppqs(hand.source()), "QNAM", "QVAL"))
    assert (told["QSPART"], told["QSMISRSN"]) == ("Y", "TOO ILL")


def test_a_missed_questionnaire_is_one_record_with_its_reason(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, status="missed", missed_reason="not_started")
    hand.sheet("day_28", AFTER, status="missed", missed_reason="not_started",
               missed_code="not_reached")  # fmt: skip
    hand.sheet("yearly", date(2028, 3, 8), status="open")
    names = ("QSSEQ", "QSTESTCD", "QSTEST", "QSCAT", "QSORRES", "QSSTAT", "QSREASND", "QSLOBXFL",
             "VISITNUM", "VISIT", "QSDTC", "QSDY")  # fmt: skip
    whole = ("QSALL", "Questionnaire", "TOY", None, "NOT DONE")
    assert rows_of(qs(hand.source()), *names) == [
        (1, *whole, "NOT STARTED", None, 1.0, "START", None, None),
        (2, *whole, "SUBJECT COULD NOT BE REACHED", None, 3.0, "DAY 28", None, None),
    ]


def test_nothing_stands_for_what_is_not_expected_but_what_was_begun_stays(hand: Hand) -> None:
    hand.person("01-001")
    gone = {"status": "not_expected", "not_expected_reason": "withdrawn"}
    hand.sheet("baseline", BEFORE, {"Q1": 2, "Q2": "not_reached", "Q3": "not_reached"}, **gone)
    hand.sheet("day_28", AFTER, **gone)
    assert rows_of(qs(hand.source()), "QSTESTCD", "VISIT", "QSSTRESN") == [
        ("T1", "START", 2.0), ("T2", "START", None), ("T3", "START", None),
    ]  # fmt: skip


def test_a_submission_without_answers_is_not_done(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE)
    assert rows_of(qs(hand.source()), "QSTESTCD", "QSREASND") == [
        ("QSALL", "SUBMITTED WITHOUT ANSWERS")
    ]


def test_a_correction_counts_and_both_values_stay(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, ALL, scores={"TWO": 18.75})
    hand.change("answers_long", code=1, corrections="c-1 c-2 c-3 c-4")
    hand.change("scores_long", value=50.0, correction="c-4")
    hand.sheet("day_28", AFTER, ALL, scores={"TWO": 18.75})
    hand.change("answers_long", code=None, state="skipped", corrections="c-5")
    hand.change("scores_long", correction="c-5")  # the same score as before
    assert only(qs(hand.source()), "T3", "QSORRES", "QSSTRESN", "QSREASND") == [
        ("Yes", 1.0, None), (None, None, "LEFT UNANSWERED BY SUBJECT"),
    ]  # fmt: skip
    assert only(qs(hand.source()), "T4", "QSSTRESN") == [(50.0,), (18.75,)]
    told = rows_of(suppqs(hand.source()), "IDVAR", "IDVARVAL", "QNAM", "QVAL")
    assert [row for row in told if row[0] == "QSSEQ"] == [
        ("QSSEQ", "3", "QSOLDRES", "2"),
        ("QSSEQ", "3", "QSCORR", "c-1 c-2 c-3"),
        ("QSSEQ", "3", "QSCORR1", "c-4"),
        ("QSSEQ", "4", "QSOLDRES", "18.75"),
        ("QSSEQ", "4", "QSCORR", "c-4"),
        ("QSSEQ", "7", "QSOLDRES", "2"),
        ("QSSEQ", "7", "QSCORR", "c-5"),
    ]


def test_what_a_correction_calls_void_is_left_out(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, ALL, scores={"TWO": 18.75}, void=1)
    hand.sheet("day_28", AFTER, ALL, scores={"TWO": 18.75})
    assert {row[0] for row in rows_of(qs(hand.source()), "VISIT")} == {"DAY 28"}
    assert only(qs(hand.source()), "T1", "QSSEQ") == [(1,)]


def test_study_days_have_no_day_0(hand: Hand) -> None:
    for number, day in enumerate((7, 8, 9), 1):
        hand.person(f"01-00{number}")
        hand.sheet("baseline", date(2027, 3, day), {"Q1": 1})
    hand.person("01-004", infusion=None)
    hand.sheet("baseline", BEFORE, {"Q1": 1})
    found = rows_of(qs(hand.source()), "USUBJID", "QSSEQ", "QSDY", "QSLOBXFL")
    assert found == [
        ("trial-01-001", 1, -1, "Y"),
        ("trial-01-002", 1, 1, "Y"),
        ("trial-01-003", 1, 2, None),
        ("trial-01-004", 1, None, None),
    ]


def test_the_day_is_the_studys_own(hand: Hand) -> None:
    """Half past midnight in Kuala Lumpur is still the day before in UTC."""
    hand.person("01-001")
    hand.sheet("baseline", INFUSION, {"Q1": 1}, completed_at=at(INFUSION, 0, 30))
    assert rows_of(qs(hand.source()), "QSDTC", "QSDY") == [("2027-03-08T00:30:00+08:00", 1)]


def test_the_last_result_before_the_infusion_is_marked_for_each_test(hand: Hand) -> None:
    """Of the baseline and a visit opened by hand the later; where that has no answer, the earlier.
    The visit that the protocol puts on the day of the infusion does not come before it."""
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, ALL)
    hand.sheet("unscheduled", date(2027, 3, 5), {"Q1": 3, "Q2": "skipped", "Q3": 1})
    hand.sheet("day_0", INFUSION, ALL)
    hand.sheet("day_28", AFTER, ALL)
    marked = rows_of(qs(hand.source()), "QSTESTCD", "VISITNUM", "QSLOBXFL")
    assert [row[:2] for row in marked if row[2] == "Y"] == [
        ("T2", 1.0), ("T1", 1.501), ("T3", 1.501),
    ]  # fmt: skip


def test_last_is_what_was_answered_last_not_what_was_opened_last(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, {"Q1": 1}, completed_at=at(date(2027, 3, 7)))
    hand.sheet("unscheduled", date(2027, 3, 5), {"Q1": 2})
    assert rows_of(qs(hand.source()), "QSDY", "QSLOBXFL") == [(-1, "Y"), (-3, None)]


def test_another_anchor_can_be_the_reference(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", date(2027, 3, 1), {"Q1": 1})
    hand.sheet("day_28", AFTER, {"Q1": 1})
    source = hand.source(reference="enrolment")
    assert rows_of(qs(source), "QSDY", "QSLOBXFL") == [(1, "Y"), (36, None)]
    with pytest.raises(TableError, match="no anchor 'surgery'; it has enrolment, infusion"):
        hand.source(reference="surgery")


def test_visits_are_numbered_by_the_protocol(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("unscheduled", date(2027, 2, 27), {"Q1": 1})
    hand.sheet("baseline", BEFORE, {"Q1": 1})
    hand.sheet("day_28", AFTER, {"Q1": 1})
    hand.sheet("day_28", date(2027, 4, 6), {"Q1": 1}, occurrence=2)
    hand.sheet("unscheduled", AFTER, {"Q1": 1}, occurrence=2)  # on the day that day 28 is due
    hand.sheet("former", date(2027, 4, 8), {"Q1": 1})  # an earlier version's
    hand.sheet("yearly", date(2028, 3, 8), {"Q1": 1})
    hand.sheet("yearly", date(2029, 3, 8), {"Q1": 1}, occurrence=2)
    hand.person("01-002")
    hand.sheet("unscheduled", date(2027, 4, 7), {"Q1": 1})
    assert rows_of(qs(hand.source()), "USUBJID", "VISITNUM", "VISIT") == [
        ("trial-01-001", 0.501, "EXTRA VISIT 0.501"),
        ("trial-01-001", 1.0, "START"),
        ("trial-01-001", 3.0, "DAY 28"),
        ("trial-01-001", 3.001, "DAY 28 (2)"),
        ("trial-01-001", 3.502, "EXTRA VISIT 3.502"),
        ("trial-01-001", 3.503, "FORMER 3.503"),
        ("trial-01-001", 4.0, "MONTH 12"),
        ("trial-01-001", 4.001, "MONTH 24"),
        ("trial-01-002", 0.501, "EXTRA VISIT 0.501"),
    ]


def test_results_are_in_the_words_that_were_read(hand: Hand) -> None:
    """And in the code where those words are not at hand any more."""
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, {"Q1": 1, "Q2": 3}, language="ta")
    hand.change("answers_long", wording="gone")
    found = rows_of(qs(hand.source()), "QSORRES", "QSSTRESC", "QSSTRESN")
    assert found == [("எப்போதும்", "1", 1.0), ("3", "3", 3.0)]


def test_a_long_list_goes_on_under_the_next_name(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, ALL, wordings=" ".join(letter * 64 for letter in "abcd"))
    told = [row for row in rows_of(suppqs(hand.source()), "QNAM", "QVAL") if "WORD" in row[0]]
    assert told == [("QSWORD", " ".join(x * 64 for x in "abc")), ("QSWORD1", "d" * 64)]
    assert all(len(value) <= 200 for _, value in told)


def test_late_answers_say_so(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, ALL, status="completed_late", late=1)
    assert ("QSLATE", "Y") in rows_of(suppqs(hand.source()), "QNAM", "QVAL")


def test_with_study_days_no_date_leaves(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, ALL, scores={"TWO": 18.75})
    hand.sheet("day_0", INFUSION, {"Q1": 1, "Q2": "not_reached"}, status="missed")
    hand.sheet("unscheduled", date(2027, 3, 10), ALL)
    names = [one.name for one in QS_COLUMNS if one.name != "QSDTC"]
    dated, counted = qs(hand.source()), qs(hand.source(days_from="infusion"))
    assert rows_of(counted, *names) == rows_of(dated, *names)
    assert set(rows_of(counted, "QSDTC")) == {(None,)}
    with pytest.raises(TableError, match="days count from 'infusion'"):
        hand.source(days_from="infusion", reference="enrolment")


@pytest.mark.parametrize("people", [1, 2, 100])
def test_rows_are_the_same_however_many_people_are_taken_at_once(
    hand: Hand, monkeypatch: pytest.MonkeyPatch, people: int
) -> None:
    for n in range(1, 8):
        hand.person(f"01-{n:03}")
        if n % 3:
            hand.sheet("baseline", BEFORE, ALL, scores={"TWO": 18.75})
            hand.sheet("day_28", AFTER, status="missed", missed_reason="not_started")
    monkeypatch.setattr(cdisc, "PEOPLE", people)
    found = rows_of(qs(hand.source()), "USUBJID", "QSSEQ", "QSTESTCD")
    assert found == [
        (f"trial-01-{n:03}", seq, code)
        for n in (1, 2, 4, 5, 7)
        for seq, code in enumerate(("T1", "T2", "T3", "T4", "QSALL"), 1)
    ]


def test_tables_in_another_order_are_refused(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdisc, "PEOPLE", 1)
    for number in ("01-001", "01-002"):
        hand.person(number)
        hand.sheet("baseline", BEFORE, ALL)
    hand.rows["participants"].reverse()
    with pytest.raises(TableError, match="assessments: participant '01-002' is out of order"):
        rows_of(qs(hand.source()))


def test_a_subject_is_study_site_and_number(hand: Hand) -> None:
    hand.person("01-001")
    hand.sheet("baseline", BEFORE, {"Q1": 1})
    hand.person("007", site="02")
    hand.sheet("baseline", BEFORE, {"Q1": 1})
    assert rows_of(qs(hand.source()), "USUBJID") == [("trial-01-001",), ("trial-02-007",)]
    hand.person("001")
    with pytest.raises(TableError, match="the same USUBJID"):
        rows_of(qs(hand.source()))


def test_a_title_says_of_demonstration_wording(hand: Hand) -> None:
    titles = [one(hand.source()).title for one in (qs, suppqs)]
    assert titles == [
        "Questionnaires, demonstration wording",
        "Qualifiers for QS, demonstration wording",
    ]
    assert all(len(title) <= 40 for title in titles)
    source = hand.source()
    licensed = replace(source, wordings=())
    assert suppqs(licensed).title == "Supplemental Qualifiers for QS"

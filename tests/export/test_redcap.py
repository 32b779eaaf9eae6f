"""The ZIP for REDCap, against REDCap's own rules."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro_app.export import redcap
from pro_app.export.redcap_fields import HEADER, Names, dictionary, forms
from pro_app.export.table import NOT_APPLICABLE, NOT_REACHED, SKIPPED, Column, Table, TableError
from tests.export import redcap_rules, samples

INSTRUMENTS = {"lupusqol": "LupusQoL", "sf36v1": "SF-36"}
STATUSES = {"not_due": "还没到", "open": "open", "completed": "முடிந்தது", "completed_late": "late",
            "missed": "missed"}  # fmt: skip
KEY = (
    Column("study", "text", "study code"),
    Column("site", "text", "site code", {"01": "Kuala Lumpur | UKM", "02": "Ipoh\nHospital"}),
    Column("participant", "text", "study number"),
    Column("timepoint", "text", "visit", {
        "baseline": "அடிப்படை", "month-3": "第3个月", "yearly_after_the_infusion": "year",
        "yearly_after_the_infusion_b": "year b",
    }),
    Column("occurrence", "integer", "occurrence"),
    Column("instrument", "text", "instrument", INSTRUMENTS),
    Column("status", "text", "state", STATUSES),
)  # fmt: skip
ODD = {0: "a|b", 1: "[status] <b>", 2: "line\nbreak", 3: "一半, 的时间", 4: 'never, "quoted"'}
ANSWERS = (
    *KEY,
    Column("completed_at", "moment", "last answer"),
    Column("due_on", "day", "due"),
    Column("corrected", "integer", "corrected", {0: "no", 1: "yes"}),
    Column("languages", "text", "languages"),
    Column("LQ01", "integer", "படிக்கட்டு [மாதிரி]", samples.FREQUENCY, samples.MISSING, "lupusqol"),
    Column("GH01_sf36v1", "integer", "健康", ODD, samples.MISSING, "sf36v1"),
)
SCORES = (
    *KEY,
    Column("corrected", "integer", "corrected", {0: "no", 1: "yes"}),
    Column("basis", "text", "basis", {"submission": "s", "partial": "p"}),
    Column("lupusqol_algorithm", "text", "version"),
    Column("lupusqol_LQPH", "number", "Physical health", group="lupusqol"),
    Column("lupusqol_LQPH_n", "integer", "Physical health, items", group="lupusqol"),
    Column("mos_us1990_algorithm", "text", "version"),
    Column("mos_us1990_PF_norm", "number", "PF", group="sf36v1"),
)
AT = datetime(2027, 2, 28, 16, 30, 5, 123456, tzinfo=UTC)
DUE = date(2027, 3, 1)
GIVEN: list[tuple[object, ...]] = [
    ("trial", "01", "01-001", "baseline", 1, "lupusqol", "completed", AT, DUE, 0, "ta ms", 4, None),
    ("trial", "01", "01-001", "baseline", 1, "sf36v1", "missed", None, DUE, 0, None, None,
     NOT_REACHED),
    ("trial", "01", "01-001", "month-3", 1, "lupusqol", "open", None, DUE, None, None, NOT_REACHED,
     None),
    ("trial", "01", "01-001", "yearly_after_the_infusion", 1, "lupusqol", "completed_late", AT, DUE,
     1, "=1+1", NOT_APPLICABLE, None),
    ("trial", "01", "01-001", "yearly_after_the_infusion", 2, "lupusqol", "not_due", None, DUE,
     None, None, NOT_REACHED, None),
    ("trial", "02", "02-001", "baseline", 1, "sf36v1", "completed", AT, DUE, 0, "zh", None,
     SKIPPED),
]  # fmt: skip
SCORED: list[tuple[object, ...]] = [
    (*GIVEN[0][:7], 0, "submission", "v1", 100 / 3, 8, None, None),
    (*GIVEN[3][:7], 1, "submission", "v1", None, 0, None, None),
    (*GIVEN[5][:7], 0, "submission", None, None, None, "v2", -1.5e-7),
]


def table(name: str, columns: tuple[Column, ...], rows: list[tuple[object, ...]]) -> Table:
    def frames() -> Iterator[pl.DataFrame]:
        for start in range(0, len(rows), 2):
            yield pl.DataFrame(rows[start : start + 2], schema=made.schema(), orient="row")

    made = Table(name, "பதில்கள்", "trial", "ta", "Asia/Kuala_Lumpur", columns, frames, samples.NOTES)
    return made


@pytest.fixture
def taken(tmp_path: Path) -> Path:
    path = tmp_path / "redcap.zip"
    redcap.write(table("answers", ANSWERS, GIVEN), table("scores", SCORES, SCORED), path)
    return path


def test_redcap_takes_every_file(taken: Path) -> None:
    dictionary, rows, texts = redcap_rules.check(taken)
    assert [line["Variable / Field Name"] for line in dictionary] == [
        "record_id", "study", "site",
        "lupusqol_status", "lupusqol_completed_at", "lupusqol_due_on", "lupusqol_corrected",
        "lupusqol_languages", "lq01", "lupusqol_basis", "lupusqol_algorithm", "lupusqol_lqph",
        "lupusqol_lqph_n",
        "sf36v1_status", "sf36v1_completed_at", "sf36v1_due_on", "sf36v1_corrected",
        "sf36v1_languages", "gh01_sf36v1", "sf36v1_basis", "mos_us1990_algorithm",
        "mos_us1990_pf_norm",
    ]  # fmt: skip
    assert len(rows) == 2 + 4
    assert list(texts) == ["data_dictionary.csv", "data.csv", "events.csv",
                           "instrument_event_mappings.csv", "README.txt"]  # fmt: skip


def test_a_visit_is_one_row_of_all_its_instruments(taken: Path) -> None:
    _, rows, _ = redcap_rules.check(taken)
    first, baseline, month, year, second, other = rows
    told = {name: cell for name, cell in first.items() if cell}
    assert told == {"record_id": "01-001", "redcap_event_name": "participant_arm_1",
                    "study": "trial", "site": "01", "participant_complete": "2"}  # fmt: skip
    assert {name: cell for name, cell in baseline.items() if cell} == {
        "record_id": "01-001", "redcap_event_name": "baseline_arm_1", "redcap_repeat_instance": "1",
        "lupusqol_status": "completed", "lupusqol_completed_at": "2027-03-01 00:30:05",
        "lupusqol_due_on": "2027-03-01", "lupusqol_corrected": "0", "lupusqol_languages": "ta ms",
        "lq01": "4", "lupusqol_basis": "submission", "lupusqol_algorithm": "v1",
        "lupusqol_lqph": "33.333333333333336", "lupusqol_lqph_n": "8", "lupusqol_complete": "2",
        "sf36v1_status": "missed", "sf36v1_due_on": "2027-03-01", "sf36v1_corrected": "0",
        "gh01_sf36v1": "-9", "sf36v1_complete": "0",
    }  # fmt: skip
    assert month["redcap_event_name"] == "month_3_arm_1"
    assert month["lupusqol_complete"] == "0"
    assert year["redcap_event_name"] == "yearly_after_the_i_arm_1"
    assert year["lupusqol_languages"] == "=1+1", "a machine reads it: exact"
    assert (year["lq01"], year["redcap_repeat_instance"]) == ("-8", "1")
    assert second["record_id"] == other["record_id"] == "02-001"
    assert (other["gh01_sf36v1"], other["mos_us1990_pf_norm"]) == ("-7", "-0.00000015")


def test_labels_are_intact_and_without_what_redcap_acts_on(taken: Path) -> None:
    dictionary, _, texts = redcap_rules.check(taken)
    lines = {line["Variable / Field Name"]: line for line in dictionary}
    assert redcap_rules.choices(lines["lq01"]) == {
        str(code): text for code, text in samples.FREQUENCY.items()
    }
    assert lines["lq01"]["Field Label"] == "படிக்கட்டு (மாதிரி)"
    assert redcap_rules.choices(lines["gh01_sf36v1"]) == {
        "0": "a/b", "1": "(status) &lt;b&gt;", "2": "line break", "3": "一半, 的时间",
        "4": 'never, "quoted"',
    }  # fmt: skip
    assert redcap_rules.choices(lines["site"]) == {
        "01": "Kuala Lumpur / UKM",
        "02": "Ipoh Hospital",
    }
    assert lines["lupusqol_completed_at"]["Field Note"] == "Asia/Kuala_Lumpur"
    for name in ("lupusqol_status", "sf36v1_status"):
        assert samples.NOTES[0] in lines[name]["Section Header"], "a person sees it on every form"
    assert samples.NOTES[0] in texts["README.txt"]
    assert redcap_rules.missing_codes(texts["README.txt"]) == {
        str(code): text for code, text in samples.MISSING.items()
    }


def test_events_have_the_forms_that_anybody_has_there(taken: Path) -> None:
    _, _, texts = redcap_rules.check(taken)
    assert texts["events.csv"].splitlines()[1:] == [
        "participant,1,,", "baseline,1,,அடிப்படை", "month 3,1,,第3个月",
        "yearly after the i,1,,year", "yearly after the 2,1,,year b",
    ]  # fmt: skip
    assert texts["instrument_event_mappings.csv"].splitlines()[1:] == [
        "1,participant_arm_1,participant",
        "1,baseline_arm_1,lupusqol", "1,baseline_arm_1,sf36v1",
        "1,month_3_arm_1,lupusqol", "1,yearly_after_the_i_arm_1,lupusqol",
        "1,yearly_after_the_2_arm_1,lupusqol", "1,yearly_after_the_2_arm_1,sf36v1",
    ]  # fmt: skip


def test_no_data_still_makes_a_project(tmp_path: Path) -> None:
    path = tmp_path / "redcap.zip"
    redcap.write(table("answers", ANSWERS, []), table("scores", SCORES, []), path)
    dictionary, rows, texts = redcap_rules.check(path)
    assert rows == []
    assert len(dictionary) == 22
    assert len(texts["instrument_event_mappings.csv"].splitlines()) == 2 + 4 * 2


def test_same_tables_same_bytes(taken: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    redcap.write(table("answers", ANSWERS, GIVEN), table("scores", SCORES, SCORED), again)
    assert again.read_bytes() == taken.read_bytes()
    with zipfile.ZipFile(again) as archive:
        assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize(
    ("given", "scored", "said"),
    [
        ([*GIVEN, GIVEN[0]], SCORED, "answers: the rows of 01-001 do not stand together"),
        ([GIVEN[0], GIVEN[0]], [], "answers: 01-001 has an assessment twice"),
        (GIVEN[5:], SCORED, "scores: 01-001 has scores, but no answers in the same order"),
        (GIVEN, [(*SCORED[0][:-1], 1.0)], "scores: lupusqol has mos_us1990_PF_norm"),
        ([(*GIVEN[0][:3], "unknown", *GIVEN[0][4:])], [], "no label says what unknown lupusqol is"),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    tmp_path: Path, given: list[tuple[object, ...]], scored: list[tuple[object, ...]], said: str
) -> None:
    with pytest.raises(TableError, match=said):
        redcap.write(
            table("answers", ANSWERS, given), table("scores", SCORES, scored), tmp_path / "x.zip"
        )


def test_names_are_short_and_given_once() -> None:
    names = Names({"taken"})
    assert names.new("Taken") == "taken_2"
    assert names.new("1st-Item") == "v_1st_item"
    assert names.new("x") == "v_x"
    long = "a_very_long_name_of_a_column_of_an_instrument"
    assert names.new(long) == "a_very_long_name_of_a_colu"
    assert names.new(long) == "a_very_long_name_of_a_co_2"


@given(st.lists(st.text("a|,[]{}<>&\n\t க்一-1'\"", max_size=9), min_size=1, max_size=5))
def test_no_label_breaks_the_dictionary(texts: list[str]) -> None:
    column = Column("LQ01", "integer", texts[0], dict(enumerate(texts)), {}, "lupusqol")
    made = table("answers", (*KEY, column), [])
    named = forms(made, table("scores", SCORES, []))
    file = io.StringIO()
    written = csv.DictWriter(file, HEADER)
    written.writeheader()
    written.writerows(dictionary(made, named))
    (line,) = (
        one
        for one in redcap_rules.check_dictionary(file.getvalue())
        if one["Variable / Field Name"] == "lq01"
    )
    assert list(redcap_rules.choices(line)) == [str(code) for code in range(len(texts))]


def test_study_days_are_whole_numbers(tmp_path: Path) -> None:
    columns = tuple(
        Column("completed_day", "integer", "day") if one.name == "completed_at" else one
        for one in ANSWERS
    )
    rows = [(*row[:7], None if row[7] is None else -3, *row[8:]) for row in GIVEN]
    answers = table("answers", columns, rows)
    path = tmp_path / "redcap.zip"
    redcap.write(answers, table("scores", SCORES, SCORED), path)
    _, found, _ = redcap_rules.check(path)
    assert found[1]["lupusqol_completed_day"] == "-3"

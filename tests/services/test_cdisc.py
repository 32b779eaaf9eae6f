"""CDISC's datasets of a trial as it was lived, against the tables and the scoring engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import polars as pl
import pytest

from pro_app.core.scoring import score
from pro_app.export.adam import KEYS, adqs
from pro_app.export.cdisc import Source
from pro_app.export.dataset_json import Made, write
from pro_app.export.sdtm import qs
from pro_app.export.sdtm_supplement import suppqs
from pro_app.export.table import Table
from pro_app.services import tables
from pro_app.services.tables import Request
from tests.export.dataset_json_rules import SCHEMA, faults
from tests.services.correcting import Desk, hire, submission_of
from tests.services.trial import Trial

INFUSION = date(2026, 11, 30)  # a week after enrolling
Row = dict[str, Any]


@pytest.fixture
def lived(trial: Trial) -> Trial:
    """One answers in two languages, is corrected, and misses the SF-36 of day 28; one withdraws
    half way, one is enrolled and does nothing."""
    first = trial.enrol("01-001", language="ta")
    lupusqol = trial.assessments(first)["baseline", 1, "lupusqol"]
    trial.answer_all(lupusqol, place=1)
    trial.answer(lupusqol, {"LQ02": "skipped", "LQ03": 4}, language="ta")
    trial.answer(lupusqol, {"LQ15": "not_applicable", "LQ16": "not_applicable"})
    trial.submit(lupusqol, trial.join(first))
    trial.complete(first, "baseline", "sf36v1")
    trial.infuse(first, INFUSION)
    second = trial.enrol("01-002")
    trial.begin(second, "baseline")
    trial.withdraw(second)
    trial.enrol("02-001")
    trial.clock.forward(days=35)
    trial.complete(first, "day_28", "lupusqol")
    staff = {
        "coordinator": hire(trial, "Aminah Coordinator", "coordinator"),
        "investigator": hire(trial, "Dr Tan Investigator", "investigator"),
    }
    desk = Desk(trial, lupusqol, submission_of(trial, lupusqol), **staff, second=0)
    desk.correct(new="3")
    trial.clock.forward(days=5)
    return trial


@contextmanager
def source(trial: Trial, **parts: Any) -> Iterator[Source]:
    """What the datasets are made of, read at one moment."""
    request = Request(trial.study, trial.library, "en", trial.clock(), **parts)
    names = ("participants", "assessments", "answers_long", "scores_long")
    with trial.database.snapshot() as session:
        found = [tables.table(session, name, request) for name in names]
        study, library = trial.study, trial.library
        yield Source(
            study.definition, study.instruments, library.instruments,
            list(study.wordings.every()), *found,
            **parts,
        )  # fmt: skip


def rows(table: Table) -> list[Row]:
    return pl.concat([table.empty(), *table.frames()]).to_dicts()


def test_every_answer_is_there_once_for_each_category(lived: Trial) -> None:
    with source(lived) as found:
        records, answers = rows(qs(found)), rows(found.answers)
    first = [row for row in records if row["USUBJID"] == "trial-01-001"]
    assert [row["QSSEQ"] for row in first] == list(range(1, len(first) + 1))
    by_place = {(row["VISIT"], row["QSTESTCD"]): row for row in first}
    checked = 0
    for answer in answers:
        if answer["participant"] != "01-001":
            continue
        visit = {"baseline": "START", "day_28": "DAY 28"}[answer["timepoint"]]
        for category in found.instruments[answer["instrument"]].cdisc.values():
            row = by_place[visit, category.items[answer["item"]]]
            assert row["QSSTRESN"] == answer["code"]
            assert (row["QSSTAT"] is None) == (answer["state"] == "answered")
            checked += 1
    items = [row for row in first if row["QSDRVFL"] is None and row["QSTESTCD"] != "QSALL"]
    assert checked == len(items) == 34 + 36 * 2 + 34
    changed = by_place["START", "LQ01"]
    assert (changed["QSSTRESC"], changed["QSORRES"], changed["QSDY"]) == ("3", "Rarely", -7)
    assert changed["QSDTC"] == "2026-11-23T09:00:00+08:00"
    tamil = lived.library.wordings["lupusqol", "ta"].options["frequency"][4]
    assert by_place["START", "LQ03"]["QSORRES"] == tamil
    assert by_place["START", "LQ15"]["QSREASND"] == "NOT APPLICABLE"
    missed = [row for row in first if row["QSTESTCD"] == "QSALL"]
    assert [(row["QSCAT"], row["VISIT"], row["QSREASND"]) for row in missed] == [
        ("RAND-36 V1.0", "DAY 28", "NOT STARTED"),
        ("SF36 V1.0 STANDARD", "DAY 28", "NOT STARTED"),
    ]


def test_who_withdrew_keeps_what_was_answered_and_who_did_nothing_missed_it(lived: Trial) -> None:
    with source(lived) as found:
        records, analysed = rows(qs(found)), rows(adqs(found))
    gone = [row for row in records if row["USUBJID"] == "trial-01-002"]
    assert [row["QSSTRESN"] for row in gone] == [0.0] + [None] * 33
    silent = [row for row in records if row["USUBJID"] == "trial-02-001"]
    assert {(row["QSTESTCD"], row["QSREASND"]) for row in silent} == {("QSALL", "NOT STARTED")}
    assert {row["USUBJID"] for row in analysed} == {"trial-01-001"}


def test_the_items_scored_again_give_the_analysis_values_bit_for_bit(lived: Trial) -> None:
    with source(lived) as found:
        records, analysed = rows(qs(found)), rows(adqs(found))
    codes = {
        (row["VISIT"], row["QSTESTCD"]): row["QSSTRESC"]
        for row in records
        if row["USUBJID"] == "trial-01-001"
    }
    checked = 0
    for row in analysed:
        name = row["SCALGO"].partition("@")[0]
        instrument = next(
            one for one in found.instruments.values()
            if one.cdisc.get(row["PARCAT1"]) and name in one.scorings
        )  # fmt: skip
        items = {
            item: int(codes[row["VISIT"], code])
            for item, code in instrument.cdisc[row["PARCAT1"]].items.items()
            if codes[row["VISIT"], code] is not None
        }
        scores = {one.scale: one for one in score(instrument.scorings[name], items)}
        by_title = {title: code for code, title in instrument.scorings[name].names().items()}
        title, _, unit = row["PARAM"].partition(": ")[2].rpartition(" (")
        again = scores[by_title[title]]
        norm = unit == "norm-based)" and again.norm_based is not None
        assert row["AVAL"] == (again.norm_based if norm else again.value)
        assert row["NITEMANS"] == again.answered
        in_qs = codes.get((row["VISIT"], row["PARAMCD"]))
        assert in_qs is None or float(in_qs) == row["AVAL"]
        checked += 1
    assert checked == 8 + 8 + 18 + 8


def test_the_baseline_comes_before_the_infusion(lived: Trial) -> None:
    with source(lived) as found:
        analysed = rows(adqs(found))
    by_key = {(row["PARAMCD"], row["AVISIT"]): row for row in analysed}
    first, later = by_key["LQPH", "Start"], by_key["LQPH", "Day 28"]
    assert (first["ADY"], first["ABLFL"], first["CORRFL"], first["CHG"]) == (-7, "Y", "Y", None)
    assert (later["ADT"], later["ADY"]) == (date(2026, 12, 28), 29)
    assert later["CHG"] == later["AVAL"] - first["AVAL"] != 0
    intimate = by_key["LQINT", "Start"]
    assert (intimate["AVAL"], intimate["NITEMANS"], intimate["NITEMS"]) == (None, 0, 2)
    assert intimate["AVREASND"] == "TOO FEW ITEMS ANSWERED"


def test_the_qualifiers_tell_where_it_comes_from(lived: Trial) -> None:
    with source(lived) as found:
        told, records = rows(suppqs(found)), rows(qs(found))
    start = {
        row["QNAM"]: row["QVAL"]
        for row in told
        if (row["USUBJID"], row["IDVARVAL"]) == ("trial-01-001", "baseline/1/LUPUSQOL")
    }
    assert start["QSLANG"] == "en ta"
    assert len(start["QSWORD"].split()) == 2
    assert start["QSALGO"].startswith("lupusqol@")
    changed = next(row for row in told if row["QNAM"] == "QSOLDRES")
    of = next(
        row for row in records
        if (row["USUBJID"], str(row["QSSEQ"])) == (changed["USUBJID"], changed["IDVARVAL"])
    )  # fmt: skip
    assert (of["QSTESTCD"], of["QSSTRESC"], changed["QVAL"]) == ("LQ01", "3", "1")


def test_by_study_days_all_else_is_the_same_and_no_date_is_left(lived: Trial) -> None:
    for make, dates in ((qs, {"QSDTC"}), (suppqs, set()), (adqs, {"ADT"})):
        with source(lived) as found:
            dated = rows(make(found))
        with source(lived, days_from="infusion") as found:
            counted = rows(make(found))
        assert all(row[name] is None for row in counted for name in dates)
        assert [{**row, **dict.fromkeys(dates)} for row in dated] == counted


def test_the_files_keep_the_rules(lived: Trial, tmp_path: Path) -> None:
    made = Made(lived.clock(), "A hospital", "0.1.0", KEYS)
    for make in (qs, suppqs, adqs):
        path = tmp_path / "written.json"
        with source(lived) as found:
            write(make(found), path, made)
        document = json.loads(path.read_text(encoding="utf-8"))
        if make is adqs:
            jsonschema.validate(document, SCHEMA)
            assert list(faults(document)) == []
        assert document["records"] > 40
        assert document["label"].endswith("demonstration wording")


def test_a_study_without_anybody_has_empty_datasets(trial: Trial) -> None:
    with source(trial) as found:
        assert [rows(make(found)) for make in (qs, suppqs, adqs)] == [[], [], []]
    trial.enrol()  # whose baseline is open
    with source(trial) as found:
        assert [rows(make(found)) for make in (qs, suppqs, adqs)] == [[], [], []]

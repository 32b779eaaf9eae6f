"""The real tables in the files of SPSS, Stata, SAS and REDCap, each cell as another reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pyreadstat
import pytest

from pro_app.core.study import LANGUAGES
from pro_app.export import redcap, sas, spss, stata
from pro_app.export.statistical import KINDS, whole
from pro_app.export.table import Table
from pro_app.services import enrolment, tables
from pro_app.services.tables import NAMES, Request
from tests.conftest import Site
from tests.export import redcap_rules

READ = {
    ".sav": (spss.write, lambda path: pyreadstat.read_sav(path, output_format="polars")),
    ".dta": (stata.write, lambda path: pyreadstat.read_dta(path, output_format="polars")),
    ".xpt": (sas.write, lambda path: pyreadstat.read_xport(path, output_format="polars")),
}


def request(site: Site, language: str = "en", **parts: Any) -> Request:
    return Request(site.study, site.library, language, site.clock(), **parts)


def live(site: Site) -> None:
    """One who submitted one questionnaire and half did the other, and one who withdrew."""
    first = site.enrol("01-002")
    lupusqol, sf36 = site.open(first)
    site.answer_all(lupusqol, place=2)
    site.answer(lupusqol, {"LQ02": "skipped", "LQ15": "not_applicable"}, language="ta")
    site.submit(lupusqol, site.join(first))
    site.answer(sf36, {"GH01": "skipped"})
    site.open(first, occurrence=2)
    other = site.enrol("01-001")
    site.open(other)
    with site.database.writing() as session:
        enrolment.withdraw(session, other.id, site.clock())


def compare(read: pl.DataFrame, made: Table) -> None:
    """Every cell, with kinds of absence and missing texts as nothing."""
    expected = made.blanked(whole(made, 32_767))
    assert read.columns == expected.columns
    assert read.height == expected.height
    for one in made.columns:
        cells, wanted = read[one.name], expected[one.name]
        if one.kind == "text":
            assert cells.fill_null("").to_list() == wanted.fill_null("").to_list(), one.name
        elif one.kind == "moment":
            apart = (cells.cast(pl.Datetime("us")) - wanted).dt.total_microseconds().abs()
            assert apart.null_count() == wanted.null_count()
            assert (apart <= 5).all()
        elif one.kind == "day":
            assert cells.cast(pl.Date).to_list() == wanted.to_list()
        else:
            assert cells.cast(pl.Float64).to_list() == wanted.cast(pl.Float64).to_list(), one.name


@pytest.mark.parametrize("name", NAMES)
def test_every_table_comes_back_from_every_package(site: Site, tmp_path: Path, name: str) -> None:
    live(site)
    for days_from in (None, "enrolment") if name != "audit" else (None,):
        with site.database.snapshot() as session:
            made = tables.table(session, name, request(site, "ta", days_from=days_from))
            for suffix, (write, read) in READ.items():
                path = tmp_path / f"{name}{suffix}"
                write(made, path)
                compare(read(path)[0], made)
                content = path.read_bytes()
                write(made, path)
                assert path.read_bytes() == content


@pytest.mark.parametrize("name", NAMES)
def test_every_table_without_rows_is_a_file(site: Site, tmp_path: Path, name: str) -> None:
    with site.database.snapshot() as session:
        made = tables.table(session, name, request(site, instruments=frozenset({"lupusqol"})))
        for suffix, (write, read) in READ.items():
            write(made, tmp_path / f"{name}{suffix}")
            compare(read(tmp_path / f"{name}{suffix}")[0], made)


def test_skipped_and_not_applicable_are_apart_in_a_real_file(site: Site, tmp_path: Path) -> None:
    live(site)
    with site.database.snapshot() as session:
        made = tables.table(session, "answers", request(site))
        stata.write(made, tmp_path / "answers.dta")
        spss.write(made, tmp_path / "answers.sav")
        rows = whole(made, 32_767)
    lettered, _ = pyreadstat.read_dta(
        tmp_path / "answers.dta", output_format="dict", user_missing=True
    )
    coded, _ = pyreadstat.read_sav(
        tmp_path / "answers.sav", output_format="polars", user_missing=True
    )
    for name in ("LQ02", "LQ15", "GH01_sf36v1"):
        assert coded[name].cast(pl.Int32).to_list() == rows[name].to_list()
        tags = [cell if isinstance(cell, str) else None for cell in lettered[name]]
        assert tags == [KINDS.get(code) for code in rows[name]]
    assert "a" in lettered["LQ02"]
    assert "b" in lettered["LQ15"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_redcap_takes_the_real_tables_in_every_language(
    site: Site, tmp_path: Path, language: str
) -> None:
    live(site)
    for number, days_from in enumerate((None, "enrolment")):
        with site.database.snapshot() as session:
            asked = request(site, language, days_from=days_from)
            made = [tables.table(session, name, asked) for name in ("answers", "scores")]
            redcap.write(*made, tmp_path / f"{number}.zip")
            answers = whole(made[0], 32_767).rows(named=True)
            scores = whole(made[1], 32_767).rows(named=True)
        _, rows, _ = redcap_rules.check(tmp_path / f"{number}.zip")
        found = {
            (row["record_id"], row["redcap_event_name"], row["redcap_repeat_instance"]): row
            for row in rows
        }
        compared = 0
        for row in answers:
            if row["status"] == "not_due":
                continue
            event = row["timepoint"].replace("-", "_")[:18]
            line = found[row["participant"], f"{event}_arm_1", str(row["occurrence"])]
            for item in (
                ("LQ01", "LQ02", "LQ15") if row["instrument"] == "lupusqol" else ("GH01_sf36v1",)
            ):
                assert line[item.lower()] == str(row[item])
                compared += 1
        for row in scores:
            line = found[row["participant"], f"{row['timepoint']}_arm_1", str(row["occurrence"])]
            if row["lupusqol_LQPH"] is not None:
                assert float(line["lupusqol_lqph"]) == row["lupusqol_LQPH"]
                compared += 1
        assert compared > 5

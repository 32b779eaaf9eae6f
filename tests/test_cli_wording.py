"""The commands `wording`: a template is written, filled in, and looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pro_app.cli import main
from pro_app.config import ROOT
from pro_app.core.wording import made, places
from pro_app.export.fhir import Form, one_questionnaire
from tests.conftest import Run, kept_library
from tests.core.toy import write_toy
from tests.services.wording_files import csv_file, sentences, workbook

SF36 = kept_library(ROOT / "questionnaires").instruments["sf36v1"]
CHECK = ("--instrument", "sf36v1", "--language", "en")


def run(*arguments: str | Path) -> Result:
    """A command of the group; no settings and no database are needed."""
    result = CliRunner().invoke(main, ["wording", *map(str, arguments)], env={})
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def test_a_template_is_written_filled_in_and_found_good(tmp_path: Path) -> None:
    told = run("template", "sf36v1", "--language", "en", "--out", tmp_path)
    paths = [tmp_path / f"sf36v1-en-template.{ending}" for ending in ("xlsx", "csv")]
    assert told.output.splitlines() == [str(path) for path in paths]
    for path in paths:
        empty = run("check", path, *CHECK)
        assert empty.exit_code == 1
        *lines, last = empty.output.splitlines()
        assert len(lines) == len(places(SF36))
        sheet = "sheet wording, " if path.suffix == ".xlsx" else ""
        assert lines[0] == f"{sheet}row 2, instruction: the text is empty"
        assert last == f"Error: {len(lines)} faults; nothing was taken from the file"
    texts = sentences(SF36, "en")
    paths[0].write_bytes(workbook(SF36, "en", None, texts))
    paths[1].write_text(csv_file(SF36, None, texts), encoding="utf-8", newline="")
    for path in paths:
        good = run("check", path, *CHECK)
        assert (good.exit_code, good.output) == (0, f"{len(texts)} texts, no fault\n")


def test_doubts_are_told_and_can_be_confirmed(tmp_path: Path) -> None:
    path = tmp_path / "filled.csv"
    texts = {**sentences(SF36, "en"), "items.BP1": "How much [pain] did you have?"}
    path.write_text(csv_file(SF36, None, texts), encoding="utf-8", newline="")
    doubted = run("check", path, *CHECK)
    assert doubted.exit_code == 1
    assert doubted.output.splitlines() == [
        "row 76, items.BP1: there is a placeholder: [...]",
        "If a doubtful text is the owner's all the same, name its key with --confirm.",
        "Error: 1 fault; nothing was taken from the file",
    ]
    sure = run("check", path, *CHECK, "--confirm", "items.BP1")
    assert (sure.exit_code, sure.output.splitlines()) == (
        0,
        [f"{len(texts)} texts, no fault", "confirmed to be the owner's: items.BP1"],
    )


def test_a_file_of_fhir_is_looked_at_too(tmp_path: Path) -> None:
    path, texts = tmp_path / "form.json", sentences(SF36, "en")

    def write(changes: dict[str, str]) -> None:
        wording = made(SF36, "en", "licensed", "ours", "1", {**texts, **changes})
        form = Form(SF36, {"en": wording})
        path.write_bytes(one_questionnaire(form, "en", "https://pro.example.org", str))

    write({})
    assert run("check", path, *CHECK).output == f"{len(texts)} texts, no fault\n"
    write({"items.BP1": "How [much] pain?"})
    told = run("check", path, *CHECK)
    assert told.exit_code == 1
    assert "items.BP1: there is a placeholder" in told.output
    assert "Error: 1 fault; nothing was taken from the file" in told.output


def test_what_the_system_refuses_is_told_in_a_line(tmp_path: Path) -> None:
    taken = tmp_path / "sf36v1-en-template.xlsx"
    taken.mkdir()
    told = run("template", "sf36v1", "--language", "en", "--out", tmp_path)
    assert (told.exit_code, told.output) == (1, f"Error: {taken}: Is a directory\n")


def test_bytes_that_are_no_text_are_told_in_a_line(loaded: Run) -> None:
    told = loaded("study timeline", "caf\udce9", code=1).output
    assert told == "Error: what was typed is not UTF-8\n"


def test_an_instrument_of_the_site_s_own_folder(tmp_path: Path) -> None:
    write_toy(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    told = run("template", "toy", "--language", "ta", "--out", out, "--root", tmp_path)
    assert [Path(line).name for line in told.output.splitlines()] == [
        "toy-ta-template.xlsx",
        "toy-ta-template.csv",
    ]
    assert sorted(one.name for one in out.iterdir()) == [
        "toy-ta-template.csv",
        "toy-ta-template.xlsx",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["template", "sf12", "--language", "en"], 'no instrument "sf12". There are: lupusqol,'),
        (["template", "sf36v1", "--language", "fr"], "'fr' is not one of 'ms', 'en', 'zh_Hans'"),
        (["check", "nowhere.xlsx", *CHECK], "'nowhere.xlsx' does not exist"),
    ],
)
def test_what_cannot_be_asked(arguments: list[str], told: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.output

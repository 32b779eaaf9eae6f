"""The commands `score` and `instruments`, as a person at a shell meets them."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pro_app.cli_score import QUESTIONNAIRES, instruments, score
from tests.core.toy import write_toy

ITEMS = [f"LQ{n:02}" for n in range(1, 35)]
HEADER = ",".join(["id", *ITEMS])
GOOD = f"{HEADER}\nP1,{','.join('4' * 34)}\n=P2,{','.join(['NA'] * 14)},3,,{','.join('0' * 18)}\n"


def run(*arguments: str | Path, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(score, [str(one) for one in arguments], input=stdin)


def ask(*arguments: str | Path) -> Result:
    return CliRunner().invoke(instruments, [str(one) for one in arguments])


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    path = tmp_path / "answers.csv"
    path.write_text(GOOD, encoding="utf-8")
    return path


# --- score --------------------------------------------------------------------------------------


def test_scores_go_to_standard_output(answers: Path) -> None:
    result = run("lupusqol", answers)
    assert (result.exit_code, result.stderr) == (0, "")
    first, second = csv.DictReader(io.StringIO(result.stdout))
    assert list(first)[:3] == ["id", "LQPH", "LQPH_answered"]
    assert list(first)[-1] == "problems"
    assert (first["id"], first["LQPH"], first["LQPH_answered"]) == ("P1", "100.0", "8")
    assert (second["id"], second["LQPH"], second["LQPH_answered"]) == ("=P2", "", "0")
    assert (second["LQINT"], second["LQINT_answered"], second["LQFAT"]) == ("75.0", "1", "0.0")


def test_scores_go_to_a_file(answers: Path, tmp_path: Path) -> None:
    result = run("lupusqol", answers, "--output", tmp_path / "scores.csv")
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "scores.csv").read_text() == run("lupusqol", answers).stdout


def test_standard_input_and_output_of_a_real_process() -> None:
    command = "from pro_app.cli_score import score; score()"
    done = subprocess.run(
        [sys.executable, "-c", command, "lupusqol", "--scoring", "lupusqol", "-"],
        input=b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode(),
        capture_output=True,
        check=True,
    )
    assert done.stdout.splitlines()[1].startswith(b"P1,100.0,8,100.0,3,")
    assert b"\r" not in done.stdout
    assert done.stderr == b""


def test_help_and_small_files_need_neither_numpy_nor_polars(answers: Path) -> None:
    code = (
        "import sys\n"
        "from pro_app.cli_score import score\n"
        f"score(['lupusqol', {str(answers)!r}], standalone_mode=False)\n"
        "assert not {'numpy', 'polars', 'flask', 'sqlalchemy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_faulty_file_is_refused(tmp_path: Path, answers: Path) -> None:
    rows = "".join(f"P{n},5{',4' * 33}\n" for n in range(60))
    answers.write_text(f"{HEADER}\n{rows}")
    result = run("lupusqol", answers, "--output", tmp_path / "scores.csv")
    assert (result.exit_code, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert lines[0] == 'line 2, column LQ01: "5" is not one of 0, 1, 2, 3, 4'
    assert len(lines) == 51
    assert lines[50] == "and 10 more; 60 problems in all"
    assert [path.name for path in tmp_path.iterdir()] == ["answers.csv"]
    assert run("lupusqol", answers).stdout == ""


def test_invalid_values_as_missing(answers: Path) -> None:
    answers.write_text(f"{HEADER}\nP1,5{',4' * 33}\n")
    result = run("lupusqol", answers, "--invalid", "missing")
    assert result.exit_code == 0
    (line,) = csv.DictReader(io.StringIO(result.stdout))
    assert (line["LQPH_answered"], line["problems"]) == ("7", "LQ01=5")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["eq5d", "x.csv"],
            'There is no instrument "eq5d". There are: lupusqol, sf36v1, sf36v2.',
        ),
        (["../sf36v1", "x.csv"], "There is no instrument"),
        (
            ["sf36v1", "x.csv"],
            "sf36v1 has several scorings: name one with --scoring. There are: rand, mos_us1990.",
        ),
        (
            ["sf36v1", "x.csv", "--scoring", "us1998"],
            'sf36v1 has no scoring "us1998". There are: rand, mos_us1990.',
        ),
        (["lupusqol", "none.csv"], "none.csv cannot be read: No such file or directory."),
        (["lupusqol", "-", "--invalid", "zero"], "'zero' is not one of 'refuse', 'missing'"),
    ],
)
def test_what_cannot_be_done_is_told_with_exit_code_2(arguments: list[str], told: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


def test_an_output_that_cannot_be_written(answers: Path, tmp_path: Path) -> None:
    result = run("lupusqol", answers, "--output", tmp_path / "none" / "scores.csv")
    assert result.exit_code == 2
    assert result.stderr.endswith("scores.csv cannot be written: No such file or directory.\n")


def test_the_help_warns_of_formulas() -> None:
    assert "begins with = + - or @ stays as it is" in " ".join(run("--help").stdout.split())


# --- instruments --------------------------------------------------------------------------------


def test_list() -> None:
    result = ask("list")
    assert result.exit_code == 0
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [
        "lupusqol",
        "sf36v1",
        "sf36v2",
    ]
    assert "36 items, scoring rand, mos_us1990, wording en, ms, ta, zh_Hans" in result.stdout


def test_show() -> None:
    result = ask("show", "sf36v1")
    assert result.exit_code == 0
    for text in (
        "  22  BP2      8    extent 1,2,3,4,5  past_4_weeks  pain hinders work",
        "health vs earlier, in no scale",
        "  PF: physical functioning",
        "10 to 30 put on 0 to 100; at least 5 of 10; higher is better",
        "norm: mean 84.52404, sd 22.8949 (US general population 1990)",
        "algorithm mos_us1990@",
        "Med Care 1992;30:473-483",
    ):
        assert text in result.stdout
    assert "may be not applicable" in ask("show", "lupusqol").stdout


def test_show_of_an_unknown_instrument() -> None:
    result = ask("show", "eq5d")
    assert result.exit_code == 2
    assert "There are: lupusqol, sf36v1, sf36v2." in result.stderr


def test_check_of_the_instruments_at_hand() -> None:
    result = ask("check")
    assert result.exit_code == 0, result.stdout
    assert all(line.startswith("ok: ") for line in result.stdout.splitlines())
    assert len(result.stdout.splitlines()) == 3 + 12


def test_check_of_a_folder(tmp_path: Path) -> None:
    result = ask("check", write_toy(tmp_path))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1] == "ok: toy, wording en, demonstration"


def test_check_tells_every_fault(tmp_path: Path) -> None:
    root = tmp_path / "questionnaires"
    shutil.copytree(QUESTIONNAIRES, root)
    _damage(root / "sf36v1/scoring.toml", "sd = 22.8949", "sd = -22.8949")
    _damage(root / "lupusqol/wording/en.toml", 'kind = "demonstration"', 'kind = "draft"')
    shutil.copy(root / "sf36v2/wording/en.toml", root / "sf36v2/wording/ms.toml")
    _damage(root / "sf36v2/wording/ms.toml", 'language = "en"', 'language = "ms"')
    result = ask("check", "--root", root)
    assert result.exit_code == 1
    faults = [line for line in result.stdout.splitlines() if not line.startswith("ok: ")]
    assert faults == [
        f'{root}/lupusqol/wording/en.toml: kind: "draft" is not one of demonstration',
        f"{root}/sf36v1/scoring.toml: mos_us1990.norms.scales.PF.sd: must be above 0",
        f"{root}/sf36v2/wording/ms.toml: instruction: has the same text as en",
    ]


def _damage(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_faulty_definition_stops_the_other_commands(tmp_path: Path) -> None:
    write_toy(tmp_path, ("scoring.toml", "sd = 10 ", "sd = 0 "))
    for result in (ask("list", "--root", tmp_path), run("toy", "-", "--root", tmp_path)):
        assert result.exit_code == 1
        assert "scoring.toml: plain.norms.scales.TWO.sd: must be above 0" in result.stderr


def test_check_of_nothing(tmp_path: Path) -> None:
    result = ask("check", "--root", tmp_path)
    assert result.exit_code == 1
    assert "holds no instrument" in result.stderr

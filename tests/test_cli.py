"""The commands of `pro-app`, as an operator types them: what they print and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from pro_app.cli import main
from pro_app.config import ROOT
from pro_app.core.library import Library
from pro_app.models import Database, JoiningCode
from pro_app.services import joining
from tests.conftest import Run

STUDY = Path(__file__).parent / "study.toml"
UNKNOWN = "        push: no phone has joined; e-mail: none\n"  # how a person can be reached
WINDOW = ("--opens", "2020-01-01T08:00", "--closes", "2090-01-01T08:00")


def test_the_database_is_made_and_upgraded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRO_DATABASE_URL")
    told = run("study load", STUDY, code=1)
    assert told.output == "Error: the database is not up to date: run `pro-app db upgrade`\n"
    for _ in range(2):
        assert run("db upgrade").output == "the database is up to date\n"
    assert run("study load", STUDY).output == "study test, version 1\n"


ALL = [
    f"study load {STUDY}", "participant add 01-001 --language en", "participant code 01-001",
    "participant withdraw 01-001", "participant readmit 01-001", "participant list",
    f"assessment open 01-001 baseline {' '.join(WINDOW)}", "export answers", "verify-audit",
    "audit checkpoint", "audit export trail.zip",
]  # fmt: skip


def test_no_command_touches_a_database_that_is_not_upgraded(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    monkeypatch.setenv("PRO_DATABASE_URL", f"sqlite:///{tmp_path / 'new.sqlite3'}")
    for command in ALL:
        with subtests.test(command):
            assert "run `pro-app db upgrade`" in run(command, code=1).output


def test_a_setting_that_is_wrong_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRO_SECRET_KEY", "short")
    told = run("participant list", code=1).output
    assert told == "Error: PRO_SECRET_KEY: must be at least 32 random characters long\n"


def test_a_study_is_loaded_and_changed(loaded: Run, tmp_path: Path) -> None:
    assert loaded("study load", STUDY).output == "study test, version 1\n"
    changed = tmp_path / "study.toml"
    text = STUDY.read_text(encoding="utf-8")
    changed.write_text(text.replace("grace_minutes = 120", "grace_minutes = 60"), encoding="utf-8")
    assert loaded("study load", changed).output == "study test, version 2\n"


def test_a_faulty_study_file_is_told_in_one_line(run: Run, tmp_path: Path) -> None:
    faulty = tmp_path / "study.toml"
    text = STUDY.read_text(encoding="utf-8")
    faulty.write_text(text.replace("Asia/Kuala_Lumpur", "Asia/Atlantis"), encoding="utf-8")
    told = run("study load", faulty, code=1).output
    assert told == f"Error: {faulty}: zone: 'Asia/Atlantis' is not a time zone\n"
    assert "does not exist" in run("study load", tmp_path / "none.toml", code=2).output


def code_in(output: str) -> str:
    """The joining code that a command printed."""
    line = next(line for line in output.splitlines() if line.startswith("code  "))
    return line.removeprefix("code  ")[:9].replace(" ", "")


def test_a_participant_is_enrolled_with_link_code_and_picture(loaded: Run) -> None:
    told = loaded("participant add 01-001 --language ta").output
    code = code_in(told)
    assert f"link  https://pro.example.org/join/?language=ta#{code}" in told.splitlines()
    assert "(one use, 72 hours)" in told
    assert "█" in told or "▄" in told, "a QR picture"
    assert loaded("participant list").output == f"01-001  ta\n        code not used\n{UNKNOWN}"


def test_a_new_code_replaces_the_old_one(loaded: Run) -> None:
    first = code_in(loaded("participant add 01-001 --language ms").output)
    told = loaded("participant code 01-001").output
    assert code_in(told) != first
    assert "language=ms#" in told


def test_a_lost_phone_is_shut_out_with_the_new_code(loaded: Run, sqlite_url: str) -> None:
    loaded("participant add 01-001 --language ms")
    database = Database(sqlite_url)
    with database.writing() as session:
        code = session.scalars(sa.select(JoiningCode)).one()
        assert joining.bind_device(session, code.id, "1", "ms", code.created_at) is not None
    assert code_in(loaded("participant code 01-001").output)
    assert "code not used" not in loaded("participant list").output
    assert code_in(loaded("participant code 01-001 --phone-lost").output)
    assert "code not used" in loaded("participant list").output
    database.close()


IMPOSSIBLE = [
    ("participant add 1 --language en", "does not fit the pattern"),
    ("participant add 900101-14-5678 --language en", "national identity number"),
    ("participant add 01-001 --language fr", "the study has no language 'fr'"),
    ("participant add 01-001 --language en --site 09", "the study has no site '09'"),
    ("participant add 01-002 --language en", "the study number 01-002 is taken"),
    ("participant code 01-003", "there is no participant '01-003'"),
    ("participant withdraw 01-003", "there is no participant '01-003'"),
    ("participant readmit 01-003", "there is no participant '01-003'"),
    ("participant readmit 01-002", "01-002 has not withdrawn"),
    ("participant list --study other", "there is no study 'other'"),
    (f"assessment open 01-003 baseline {' '.join(WINDOW)}", "there is no participant"),
    (f"assessment open 01-002 day_1 {' '.join(WINDOW)}", "the study has no timepoint 'day_1'"),
    (
        "assessment open 01-002 baseline --opens 2026-11-23T08:00 --closes 2026-11-22T08:00",
        "the window must open, be due and close in this order",
    ),
]


def test_what_cannot_be_done_is_told_in_one_line(loaded: Run, subtests: pytest.Subtests) -> None:
    loaded("participant add 01-002 --language en")
    for command, told in IMPOSSIBLE:
        with subtests.test(command):
            output = loaded(command, code=1).output
            assert output.startswith("Error: ")
            assert told in output
            assert output.count("\n") == 1
    assert loaded("participant list").output == f"01-002  en\n        code not used\n{UNKNOWN}"


def test_withdrawing_and_coming_back(loaded: Run) -> None:
    loaded("participant add 01-001 --language en")
    assert loaded("participant withdraw 01-001").output == "01-001 has withdrawn\n"
    assert "withdrawn" in loaded("participant list").output
    assert "readmit first" in loaded("participant code 01-001", code=1).output
    told = loaded("participant readmit 01-001").output
    assert "`pro-app participant code 01-001`" in told
    assert code_in(loaded("participant code 01-001").output)


def test_questionnaires_are_opened_in_the_studys_time(loaded: Run, sqlite_url: str) -> None:
    loaded("participant add 01-001 --language en")
    told = loaded("assessment open 01-001 baseline", *WINDOW).output.splitlines()
    assert [line.split("  ")[0] for line in told] == ["lupusqol", "sf36v1"]
    assert all("https://pro.example.org/questionnaires/" in line for line in told)
    database = Database(sqlite_url)
    with database.reading() as session:
        opens = session.scalar(sa.text("SELECT opens_at FROM assessment LIMIT 1"))
    database.close()
    assert str(opens).startswith("2020-01-01 00:00:00"), "eight o'clock in Kuala Lumpur"
    assert (
        "01-001 has baseline already"
        in loaded("assessment open 01-001 baseline", *WINDOW, code=1).output
    )
    loaded("assessment open 01-001 baseline --occurrence 2", *WINDOW)
    listed = loaded("participant list").output
    assert listed.count("baseline lupusqol: open") == 2


BAD_DATES = [
    ("--opens", "tomorrow", "'tomorrow' is not like 2026-11-22T08:00"),
    ("--closes", "2026-13-01", "is not like 2026-11-22T08:00"),
    ("--opens", "2026-11-22", "lacks the time of day"),
    ("--due", "2026-11-31T08:00", "is not like 2026-11-22T08:00"),
    ("--opens", "2026-11-22T08:00+08:00", "the time is the study's, without an offset"),
    ("--occurrence", "0", "0 is not in the range x>=1"),
]


def test_bad_dates_name_their_option(loaded: Run, subtests: pytest.Subtests) -> None:
    loaded("participant add 01-001 --language en")
    for option, text, told in BAD_DATES:
        with subtests.test(option, text=text):
            command = [*WINDOW, option, text]
            output = loaded("assessment open 01-001 baseline", *command, code=2).output
            assert option in output
            assert told in output


def test_a_wording_that_is_lacking_is_told_in_the_list(
    loaded: Run, monkeypatch: pytest.MonkeyPatch, library: Library
) -> None:
    lacking = Library(
        library.instruments,
        {key: one for key, one in library.wordings.items() if key != ("lupusqol", "ta")},
    )
    monkeypatch.setattr("pro_app.core.library.load_library", lambda _root: lacking)
    loaded("participant add 01-001 --language ta")
    loaded("assessment open 01-001 baseline", *WINDOW)
    assert "baseline lupusqol: not expected (no wording in ta)" in loaded("participant list").output


def test_with_several_studies_one_must_be_named(loaded: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    text = STUDY.read_text(encoding="utf-8")
    other.write_text(text.replace('code = "test"', 'code = "other"'), encoding="utf-8")
    loaded("study load", other)
    assert "name the study with --study" in loaded("participant list", code=1).output
    loaded("participant add 01-001 --language en --study other")
    assert loaded("participant list --study test").output == ""
    assert "01-001" in loaded("participant list --study other").output


def test_a_whole_trail_is_said_to_be_whole(loaded: Run) -> None:
    loaded("participant add 01-001 --language en")
    assert loaded("verify-audit").output == "3 entries, no fault\n"
    assert loaded("verify-audit --json").output == ""


def test_a_trail_that_was_touched_ends_in_an_error(loaded: Run, sqlite_url: str) -> None:
    loaded("participant add 01-001 --language en")
    database = Database(sqlite_url)
    with database.writing() as session:
        session.execute(sa.text("DROP TRIGGER append_only_update_audit_entry"))
        session.execute(sa.text("UPDATE audit_entry SET actor = 'nobody' WHERE action = 'enrol'"))
    database.close()
    told = loaded("verify-audit", code=1)
    assert told.stdout == "participant/1 entry 1: was changed after it was written\n"
    assert told.stderr == "Error: 1 faults in 3 entries\n"
    as_json = loaded("verify-audit --json", code=1).stdout
    assert json.loads(as_json) == {
        "stream": "participant/1",
        "seq": 1,
        "reason": "was changed after it was written",
    }


def test_help_needs_neither_the_web_nor_the_sums() -> None:
    """The command line starts quickly: heavy packages are imported by whom they serve."""
    program = (
        "import sys; from pro_app.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'flask', 'numpy', 'polars', 'sqlalchemy', 'alembic', 'waitress', 'argon2',\n"
        "         'huey', 'psycopg', 'pycurl', 'babel', 'cryptography'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "Questionnaires of clinical trials" in told
    assert told.splitlines()[-1] == "heavy: []"


def test_every_command_explains_itself() -> None:
    def walk(command: object, path: tuple[str, ...]) -> None:
        assert getattr(command, "help", None), path
        for name, one in getattr(command, "commands", {}).items():
            walk(one, (*path, name))

    walk(main, ("pro-app",))

"""The commands of `staff`: who is told of an invitation, and the register."""

from __future__ import annotations

import email
from pathlib import Path

import pytest

from pro_app.models import Database
from pro_app.services import secrets, staff, staff_sign_in
from tests.conftest import KEY, MORNING, Run
from tests.services.test_staff_sign_in import PASSWORD, SECRET, VAULT

EMAIL = "chief@hospital.example"


def add(run: Run) -> None:
    """Somebody who administers, and has not opened the account."""
    person = ("--name", "Aminah", "--trained-on", "2026-01-05", "--role", "administrator")
    run("staff add", EMAIL, *person)


def test_the_owner_of_an_open_account_hears_of_another_invitation(
    loaded: Run, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRO_DEMO", "1")  # letters are files
    monkeypatch.setenv("PRO_PUBLIC_URL", "http://localhost")
    letters = tmp_path / "instance" / "letters"
    add(loaded)
    loaded("staff invite", EMAIL)
    assert not letters.exists(), "the account was never opened"
    database = Database(sqlite_url)
    with database.writing() as session:
        person = staff.find(session, EMAIL)
        assert person is not None
        hashed = secrets.code_hash(staff.invite(session, person.id, KEY, MORNING), KEY)
        staff_sign_in.set_up(session, hashed, PASSWORD, SECRET, VAULT, MORNING)
    database.close()
    loaded("staff invite", EMAIL)
    (letter,) = [email.message_from_bytes(one.read_bytes()) for one in letters.iterdir()]
    assert (letter["To"], letter["Subject"]) == (EMAIL, "An invitation to open your account anew")


def test_the_list_names_everybody_with_a_role(loaded: Run) -> None:
    assert loaded("staff list").output == "nobody yet\n"
    add(loaded)
    loaded("staff grant", EMAIL, "coordinator", "--site", "01")
    lines = [" ".join(one.split()) for one in loaded("staff list").output.splitlines()]
    assert [line.split(" trained ")[0] for line in lines] == [
        f"Aminah {EMAIL} administrator every site",
        f"Aminah {EMAIL} coordinator 01",
    ]

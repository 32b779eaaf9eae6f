"""The command `study ready`: what is missing line by line, and 1 while anything is."""

from __future__ import annotations

import pytest

from pro_app.services import readiness
from tests.conftest import Run


def test_what_is_missing_is_told_and_ends_with_1(loaded: Run) -> None:
    told = loaded("study ready", "test", code=1).output.splitlines()
    assert "nobody can be called at '03-5550 0100': put the study team's telephone in" in told
    assert "site 01 has no coordinator: pro-app staff add ... --site 01" in told
    assert "PRO_MAIL_URL is not set: no e-mail stands in for a message that cannot go" in told
    assert any(
        line.startswith("lupusqol has no licensed wording that is valid at every site in ms, en")
        for line in told
    )
    assert not any("PRO_VAPID_SUBJECT" in line or "PRO_AUDIT_KEY" in line for line in told)
    assert loaded("study ready", code=1).output.splitlines() == told, "the only study there is"


def test_a_key_made_beside_the_data_is_told(loaded: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRO_AUDIT_KEY")
    told = loaded("study ready", "test", code=1).output
    assert "PRO_AUDIT_KEY is the one made beside the data" in told


def test_nothing_missing_ends_well(loaded: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "missing", lambda *_everything: [])
    told = loaded("study ready", "test").output
    assert told == "nothing is missing; the study is marked test\n"


def test_a_study_that_is_not_there(loaded: Run) -> None:
    assert "there is no study 'else'" in loaded("study ready", "else", code=1).output

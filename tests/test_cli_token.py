"""Tokens for programs at the command line: listed and ended."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from pro_app.core.library import Library
from pro_app.models import AuditEntry, Database
from pro_app.services import api_tokens, staff, studies
from tests.conftest import Run, TestClock
from tests.services.test_api_tokens import WISH


@pytest.fixture
def token(
    loaded: Run, sqlite_url: str, library: Library, clock: TestClock,
    monkeypatch: pytest.MonkeyPatch,
) -> str:  # fmt: skip
    """A researcher's token for the first site, at the moment of the test's clock."""
    monkeypatch.setattr("pro_app.cli_token.now", clock)
    database = Database(sqlite_url)
    with database.writing() as session:
        found = studies.find(session, None)
        assert found is not None
        study = studies.current(session, library, found.id)
        person = staff.add(
            session, "rita@hospital.example", "Rita", "en", date(2026, 1, 5), clock()
        )
        staff.grant(session, person.id, study.id, None, "researcher", clock())
        made = api_tokens.make(session, study, person.id, api_tokens.Wish(**WISH), clock())
    database.close()
    return made


def test_none_are_listed_as_none(loaded: Run) -> None:
    assert loaded("token list").output == "none yet\n"


def test_tokens_are_listed_and_ended(loaded: Run, sqlite_url: str, token: str) -> None:
    (line,) = loaded("token list").output.splitlines()
    name, *_ = line.split()
    for word in ("Analysis", "Rita", "answers,codebook", "site 01", "living", "until"):
        assert word in line
    assert token not in line
    assert token.removeprefix("proapp_") not in line
    assert "a reason is needed" in loaded("token revoke --reason", " ", name, code=1).output
    loaded("token revoke --reason", "The laptop is lost", name)
    assert "revoked" in loaded("token list").output
    again = loaded("token revoke --reason", "once more", name, code=1).output
    assert f"there is no living token '{name}'" in again
    database = Database(sqlite_url)
    with database.reading() as session:
        query = sa.select(AuditEntry).where(AuditEntry.action == "revoke_token")
        (entry,) = session.scalars(query)
    database.close()
    assert (entry.actor, entry.detail["reason"]) == ("site", "The laptop is lost")

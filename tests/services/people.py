"""The site's people, for tests of what they do."""

from __future__ import annotations

from pro_app.models import Database, Staff
from tests.conftest import MORNING


def staff(database: Database, *names: str) -> list[int]:
    """Accounts of these people: their ids."""
    people = [
        Staff(
            public_id=name, name=name, email=f"{name}@example.org", language="en",
            created_at=MORNING,
        )
        for name in names
    ]  # fmt: skip
    with database.writing() as session:
        session.add_all(people)
        session.flush()
        return [one.id for one in people]

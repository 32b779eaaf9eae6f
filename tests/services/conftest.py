"""What the tests of the services share beside `tests/conftest.py`."""

from __future__ import annotations

import pytest

from pro_app.core.library import Library
from pro_app.models import Database
from tests.conftest import TestClock
from tests.services.trial import Trial, load_trial


@pytest.fixture
def trial(database: Database, library: Library, clock: TestClock) -> Trial:
    """The site of a trial with a calendar and reminders, on both databases."""
    return load_trial(database, library, clock)

"""Started by test_submissions: submits in child processes that kill themselves midway.

Reads lines `public_id participant_id n` and answers each with the signal that ended the child, 0
if it came to its end. The child dies right before its `n`-th statement; the commit counts as one.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pro_app.config import ROOT
from pro_app.core.library import Library, load_library
from pro_app.models import Database
from pro_app.services import assessments, studies, submissions


def submit(
    url: str, library: Library, public_id: str, participant_id: int, n: int, now: datetime
) -> None:
    database = Database(url)
    count = 0

    def die_at_last(*_anything: Any) -> None:
        nonlocal count
        count += 1
        if count == n:
            os.kill(os.getpid(), signal.SIGKILL)

    with database.writing() as session:
        study = studies.current(session, library, 1)
        known = assessments.hold_own(session, public_id, participant_id)
        assert known is not None
        sa.event.listen(database.engine, "before_cursor_execute", die_at_last)
        sa.event.listen(database.engine, "commit", die_at_last)
        instrument = library.instruments[known.instrument]
        submissions.submit(session, study, known, instrument, None, now)


def main(url: str, now: datetime) -> None:
    library = load_library(ROOT / "questionnaires")
    for line in sys.stdin:
        public_id, participant_id, n = line.split()
        child = os.fork()
        if child == 0:
            submit(url, library, public_id, int(participant_id), int(n), now)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.WTERMSIG(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], datetime.fromisoformat(sys.argv[2]))

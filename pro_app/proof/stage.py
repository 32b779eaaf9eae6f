"""The stage of a proof: the real application, in a study of its own, with a made-up participant.

The study is the site's own with the status of a test and one visit, which is open now. Its
database is a file that is gone when the stage is; the wordings are kept in memory alone, so that no
sentence of theirs is ever on the disk.
"""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from waitress import create_server

from pro_app import create_app
from pro_app.config import Settings
from pro_app.core.library import Library
from pro_app.core.schedule import Window
from pro_app.core.study import StudyDefinition
from pro_app.core.wording import Wording
from pro_app.delivery.vapid import VapidKey
from pro_app.migrations import upgrade
from pro_app.models import Database
from pro_app.services import assessments, enrolment, studies
from pro_app.services.audit_key import AuditKey
from pro_app.services.studies import CurrentStudy
from pro_app.web.house import furnish

VISIT = "proof"
OPEN = timedelta(days=7)  # how long the visit is open still
THREADS = 8


def now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Guest:
    """A made-up participant who has not joined yet: the code that joins a phone, and the address of
    the questionnaire that is open."""

    language: str
    code: str
    address: str


class Stage:
    """An application that answers at `url`; made by `stage`."""

    def __init__(self, url: str, database: Database, study: CurrentStudy, key: str) -> None:
        self.url = url
        self._database, self._study, self._key = database, study, key
        self._numbers = count(1)

    @property
    def study(self) -> StudyDefinition:
        """The definition of the stage's study."""
        return self._study.definition

    def guest(self, language: str) -> Guest:
        """A new participant, for whom the questionnaire is open."""
        moment = now()
        site, number = self.study.sites[0].code, f"00-{next(self._numbers):03}"
        window = Window(moment, moment, moment + OPEN)
        with self._database.writing() as session:
            person = enrolment.add_participant(session, self._study, site, number, language, moment)
            (opened,) = assessments.open_timepoint(
                session, self._study, person.id, VISIT, window, moment
            )
            code = enrolment.issue_code(session, person.id, self._key, moment)
            return Guest(language, code, f"/questionnaires/{opened.public_id}")


def staged(content: Mapping[str, Any], instrument: str) -> dict[str, Any]:
    """A study file's content as the stage plays it: a test with one visit and one site, whose
    study numbers are the stage's own."""
    site = {name: content["sites"][0][name] for name in ("code", "name")}
    visit = {"code": VISIT, "label": dict(content["name"]), "instruments": [instrument]}
    kept = {name: value for name, value in content.items() if name != "anchors"}
    return {
        **kept, "status": "test", "number_pattern": r"00-\d{3}", "sites": [site],
        "timepoints": [visit],
    }  # fmt: skip


@contextmanager
def stage(
    content: Mapping[str, Any], library: Library, wordings: Sequence[Wording]
) -> Iterator[Stage]:
    """A stage on which these wordings, all of one instrument, are in force; it is removed whatever
    happens.

    `content` is the study file's. Raises DefinitionError where the study does not fit.
    """
    (instrument,) = {one.instrument for one in wordings}
    shown = replace(library, wordings={(one.instrument, one.language): one for one in wordings})
    with TemporaryDirectory(prefix="proof-") as folder, _listening() as door:
        url = f"http://localhost:{door.getsockname()[1]}"
        settings = _settings(Path(folder), url)
        database = Database(settings.database_url)
        try:
            upgrade(database)
            with database.writing() as session:
                study = studies.load(session, shown, staged(content, instrument), now())
            with _served(settings, shown, door):
                yield Stage(url, database, study, settings.secret_key)
        finally:
            database.close()


def _listening() -> socket.socket:
    """A socket on a free port of this machine, which nobody else reaches."""
    return socket.create_server(("127.0.0.1", 0))


def _settings(folder: Path, url: str) -> Settings:
    """Keys that are made for this one stage; no mail goes out, and no worker runs."""
    return Settings(
        database_url=f"sqlite:///{folder / 'stage.sqlite3'}",
        secret_key=secrets.token_hex(32),
        vapid_key=VapidKey.new().text(),
        audit_key=AuditKey.new().text(),
        queue_url="sqlite://",
        public_url=url,
        worker="none",
        instance=folder,
    )


@contextmanager
def _served(settings: Settings, library: Library, door: socket.socket) -> Iterator[None]:
    """The application with this library, answering in threads of its own."""
    app = create_app(settings, now)
    house = app.extensions["pro_app"]
    furnish(app, replace(house, library=library))
    server = create_server(app, sockets=[door], threads=THREADS, ident=None)
    thread = threading.Thread(target=server.run, name="stage")
    thread.start()
    try:
        yield
    finally:
        server.trigger.pull_trigger(lambda: server.asyncore.close_all(server._map))
        thread.join()
        server.task_dispatcher.shutdown()
        house.database.close()

"""What the page benchmarks share: a small study of their own, its people signed in, a real server.

`python benchmarks/_house.py serve FOLDER PORT` is the server: waitress with the application on the
SQLite file of FOLDER, and two views more, `/hello` and `/cpu`.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import waitress
from flask import Flask, Response, url_for
from flask import session as flask_session
from flask_wtf.csrf import generate_csrf

from pro_app import create_app
from pro_app.config import ROOT, Settings
from pro_app.core.library import Library, load_library
from pro_app.core.schedule import Window
from pro_app.core.study_file import read_study_file
from pro_app.delivery.vapid import VapidKey
from pro_app.migrations import upgrade
from pro_app.models import Database, Device
from pro_app.services import answers, assessments, enrolment, secrets, studies
from pro_app.services.answers import Operation, Origin
from pro_app.services.audit_key import AuditKey
from pro_app.services.studies import CurrentStudy
from pro_app.web import access

KEY = "0123456789abcdef-key-of-the-benchmarks"
STUDY = ROOT / "tests" / "study.toml"
LANGUAGES = {"ms": "ms", "en": "en", "zh_Hans": "zh-Hans", "ta": "ta"}
INSTRUMENT, TIMEPOINT = "sf36v1", "baseline"  # 36 items
HELLO = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hello</title>
<link rel="icon" type="image/svg+xml" href="{icon}">
</head>
<body><main><h1>Hello</h1></main></body>
</html>
"""


@dataclass(frozen=True)
class Person:
    """A participant who is signed in: what the browser would send, and two open questionnaires.

    `fresh` has no answer yet, `half` has its first half answered; `seen` is its newest row.
    """

    language: str
    cookies: dict[str, str]
    csrf: str
    fresh: str
    half: str
    seen: int

    @property
    def cookie(self) -> str:
        """The Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())


def make_app(folder: Path, port: int = 80) -> Flask:
    """The application on the folder's database, and the views that are measured against."""
    app = create_app(
        Settings(
            database_url=f"sqlite:///{folder / 'pro_app.sqlite3'}",
            secret_key=KEY,
            vapid_key=VapidKey.new().text(),
            audit_key=AuditKey.new().text(),
            queue_url="sqlite://",
            public_url=f"http://localhost:{port}",
        )
    )

    with app.test_request_context("/"):
        page = HELLO.format(icon=url_for("static", filename="icons/icon.svg"))

    @access.audience("public")
    def hello() -> str:
        return page

    @access.audience("public")
    def cpu() -> Response:
        return Response(str(time.process_time_ns()), mimetype="text/plain")

    for view in (hello, cpu):
        view.impersonal = True  # type: ignore[attr-defined]
        app.add_url_rule(f"/{view.__name__}", view_func=view)
    return app


def build(folder: Path, languages: list[str]) -> tuple[Library, list[Person]]:
    """A study in a new database, with one person for each entry of `languages`, signed in."""
    database = Database(f"sqlite:///{folder / 'pro_app.sqlite3'}")
    upgrade(database)
    library = load_library(ROOT / "questionnaires")
    now = datetime.now(UTC)
    with database.writing() as session:
        study = studies.load(session, library, read_study_file(STUDY, library.instruments), now)
    app = make_app(folder)
    people = [
        _person(app, database, library, study, f"01-{place:03}", language, now)
        for place, language in enumerate(languages, start=1)
    ]
    database.close()
    return library, people


def _person(
    app: Flask,
    database: Database,
    library: Library,
    study: CurrentStudy,
    number: str,
    language: str,
    now: datetime,
) -> Person:
    token = secrets.new_token()
    wording = library.wording(INSTRUMENT, language)
    assert wording is not None
    instrument = library.instruments[INSTRUMENT]
    window = Window(now - timedelta(hours=1), now, now + timedelta(days=3))
    with database.writing() as session:
        person = enrolment.add_participant(session, study, "01", number, language, now)
        version = study.definition.notice.version
        enrolment.accept_notice(session, person, version, language, "participant", now)
        device = Device(
            participant_id=person.id,
            token_hash=secrets.token_hash(token),
            pin_hash="$",
            created_at=now,
            used_at=now,
        )
        session.add(device)
        session.flush()
        fresh, half = (
            next(
                one
                for one in assessments.open_timepoint(
                    session, study, person.id, TIMEPOINT, window, now, occurrence
                )
                if one.instrument == INSTRUMENT
            ).public_id
            for occurrence in (1, 2)
        )
        known = assessments.hold_own(session, half, person.id)
        assert known is not None
        given = [
            Operation(secrets.new_token()[:36], item.code, "answered", item.options.codes[0])
            for item in instrument.items[: len(instrument.items) // 2]
        ]
        origin = Origin(device.id, wording)
        grace = study.definition.grace
        saved = answers.save(session, known, instrument, given, origin, grace, now)
        device_id = device.id
    with app.test_request_context("/"):
        access.begin_session(device_id)
        csrf = generate_csrf()
        serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
        signed = serializer.dumps(dict(flask_session))
    cookies = {"session": signed, "device": token}
    return Person(language, cookies, csrf, fresh, half, saved.seen)


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """The server of the folder, in a process of its own, while it runs: its port on localhost."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    address = f"http://localhost:{port}"
    command = [sys.executable, __file__, "serve", str(folder), str(port)]
    process = subprocess.Popen(command)
    try:
        for _ in range(1_200):
            try:
                urllib.request.urlopen(f"{address}/hello").close()  # noqa: S310 (our own address)
                break
            except OSError:
                assert process.poll() is None, "the server did not start"
                time.sleep(0.05)
        else:
            raise TimeoutError("the server does not answer")
        yield port
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    _, _, place, number = sys.argv
    waitress.serve(
        make_app(Path(place), int(number)),
        host="127.0.0.1",
        port=int(number),
        threads=8,
        ident=None,
    )

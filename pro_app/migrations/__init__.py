"""Migrations of the database, run by Alembic without a configuration file."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from pro_app.models import Database

HERE = Path(__file__).parent


def configuration(database: Database | None = None) -> Config:
    """Alembic's configuration, with the engine to work on."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.attributes["engine"] = None if database is None else database.engine
    return config


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the database up to a revision, the newest one if none is named."""
    command.upgrade(configuration(database), revision)


def downgrade(database: Database, revision: str) -> None:
    """Take the database back to a revision; `base` is an empty one."""
    command.downgrade(configuration(database), revision)


def is_current(database: Database) -> bool:
    """Whether the database is at the newest revision."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == _newest()


@cache
def _newest() -> str | None:
    return ScriptDirectory.from_config(configuration()).get_current_head()

"""A workshop for tests of exports, and hands that ask for them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pro_app.config import ROOT
from pro_app.core.library import load_library
from pro_app.export.watched import watched
from pro_app.models import AuditEntry, Database, ExportJob
from pro_app.services import export_jobs, export_making, tables
from pro_app.services.export_making import Workshop
from pro_app.services.exports import Wanted
from tests.conftest import Site
from tests.services.correcting import hire

ADDRESS = "https://answers.example.org"
REASON = "Analysis of the baseline"
WANTED = Wanted("participants", "csv_exact", "en")


def untranslated(_language: str) -> Callable[[str], str]:
    """Words of no catalogue."""
    return str


@dataclass
class Shop:
    """A site, a folder for its exports, and who asks for them."""

    site: Site
    folder: Path
    people: dict[str, int] = field(default_factory=dict)

    @property
    def workshop(self) -> Workshop:
        """Where they are made, by the site's clock."""
        return Workshop(
            self.site.database,
            self.site.library,
            self.folder,
            untranslated,
            self.site.clock,
            ADDRESS,
        )

    def hire(self, name: str, *roles: str, at: str | None = None) -> int:
        """Somebody with these roles, as `correcting.hire`."""
        self.people[name] = hire(self.site, name, *roles, at=at)
        return self.people[name]

    def ask(self, who: str = "Researcher", wanted: Wanted = WANTED, **parts: Any) -> ExportJob:
        """Somebody asks for an export."""
        with self.site.database.writing() as session:
            return export_jobs.ask(
                session, self.site.study, self.people[who], replace(wanted, **parts), REASON,
                self.site.clock(),
            )  # fmt: skip

    def make(self, going: Callable[[], bool] = lambda: True) -> int:
        """A worker comes by."""
        return export_making.drain(self.workshop, going)

    def job(self, job: ExportJob) -> ExportJob:
        """The job's row as it is now."""
        with self.site.database.reading() as session:
            return session.get_one(ExportJob, job.id)

    def file(self, job: ExportJob) -> Path:
        """The job's file."""
        return self.workshop.file(job.public_id)

    def entries(self, action: str = "export") -> list[AuditEntry]:
        """What the record tells of exports."""
        with self.site.database.reading() as session:
            wanted = sa.select(AuditEntry).where(AuditEntry.action == action)
            return list(session.scalars(wanted.order_by(AuditEntry.id)))


def die_of(signal_number: int) -> Callable[..., Any]:
    """A `tables.table` whose first frame is this process's end."""

    def table(*about: Any) -> Any:
        return watched(real(*about), lambda: lambda *_: os.kill(os.getpid(), signal_number))

    real = tables.table
    return table


def main(url: str, folder: str, now: str) -> None:
    """A worker in a process of its own, which is killed in the middle of its first export."""
    moment = datetime.fromisoformat(now)
    tables.table = die_of(signal.SIGKILL)
    database, library = Database(url), load_library(ROOT / "questionnaires")
    shop = Workshop(database, library, Path(folder), untranslated, lambda: moment, ADDRESS)
    export_making.drain(shop)


if __name__ == "__main__":
    main(*sys.argv[1:])

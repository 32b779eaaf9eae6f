"""Rows of the tables that leave, for tests."""

from __future__ import annotations

from typing import Any

import polars as pl

from pro_app.export.table import Table
from pro_app.services import tables
from pro_app.services.tables import Request
from tests.conftest import Site

Row = dict[str, Any]


def asked(site: Site, **parts: Any) -> Request:
    return Request(site.study, site.library, "en", site.clock(), **parts)


def taken(site: Site, name: str, **parts: Any) -> tuple[Table, pl.DataFrame]:
    """A table and all its rows; every frame fits the table."""
    with site.database.snapshot() as session:
        made = tables.table(session, name, asked(site, **parts))
        frames = list(made.frames())
    for frame in frames:
        assert frame.schema == pl.Schema(made.schema())
    return made, pl.concat([made.empty(), *frames])


def rows(site: Site, name: str, **parts: Any) -> list[Row]:
    return taken(site, name, **parts)[1].to_dicts()


def one(found: list[Row], **wanted: Any) -> Row:
    """The one row with these cells."""
    fitting = [row for row in found if wanted.items() <= row.items()]
    assert len(fitting) == 1, fitting
    return fitting[0]

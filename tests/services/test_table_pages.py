"""Tables read some participants at a time are the tables."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pro_app.export import page as pages
from pro_app.export.table import Table
from pro_app.services import table_pages, tables
from pro_app.services.tables import NAMES, Request, TablesError
from tests.conftest import Site

# an order in which capitals, digits and dashes would tell databases apart
PEOPLE = ("01-001", "01-002", "01-010", "02-001", "02-009", "02-010", "02-100")


@pytest.fixture
def lived(site: Site) -> Site:
    """Two sites: every other person has submitted something, the rest has nothing at all."""
    for n, number in enumerate(PEOPLE):
        person = site.enrol(number)
        if n % 2:
            for sheet in site.open(person):
                site.answer_all(sheet, n)
                site.submit(sheet)
    return site


def rows(table: Table) -> pl.DataFrame:
    return pl.concat([table.empty(), *table.frames()])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fewest", [1, 3, 100])
def test_nothing_is_lost_between_parts(
    lived: Site, monkeypatch: pytest.MonkeyPatch, name: str, fewest: int
) -> None:
    monkeypatch.setattr(table_pages, "FEWEST", fewest)
    monkeypatch.setattr(table_pages, "MOST", 2 * fewest)
    common = (lived.study, lived.library, "en", lived.clock())
    for more in ({}, {"sites": frozenset({"02"})}, {"after": "01-002"}, {"after": "02-100"}):
        request = Request(*common, **more)  # type: ignore[arg-type]
        with lived.database.snapshot() as session:
            whole = rows(tables.table(session, name, request))
            assert_frame_equal(rows(table_pages.gradually(session, name, request)), whole)


@pytest.mark.parametrize("limit", [1, 2, 3, 5000])
def test_pages_go_on_where_the_last_one_ended(lived: Site, limit: int) -> None:
    found, after = [], None
    with lived.database.snapshot() as session:
        request = Request(lived.study, lived.library, "en", lived.clock())
        whole = rows(tables.table(session, "assessments", request))
        while True:
            request = Request(lived.study, lived.library, "en", lived.clock(), after=after)
            page = pages.page(table_pages.gradually(session, "assessments", request), limit)
            found.append(page.rows)
            assert page.rows.height <= limit or page.rows["participant"].n_unique() == 1
            if page.after is None:
                break
            assert page.rows["participant"][-1] == page.after
            after = page.after
    told = pl.concat(found)
    assert told["participant"].to_list() == whole["participant"].to_list()
    assert told["instrument"].to_list() == whole["instrument"].to_list()


def test_what_the_study_has_not_is_refused_at_once(lived: Site) -> None:
    request = Request(
        lived.study, lived.library, "en", lived.clock(), timepoints=frozenset({"never"})
    )
    with lived.database.snapshot() as session, pytest.raises(TablesError, match="never"):
        table_pages.gradually(session, "answers", request)

"""In which wording the old and the new value of an entry were read."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from pro_app.models import Answer, Assessment
from pro_app.services import trail_readings
from pro_app.services.trail_readings import Read
from tests.conftest import Site
from tests.services.licensing import license_one

Given = tuple[str, int | str]  # the wording's version and the value


@pytest.fixture
def sheet(site: Site) -> Assessment:
    return site.open(site.enrol())[0]


def answer(site: Site, sheet: Assessment, given: Sequence[Given]) -> dict[str, str]:
    """Answers to the first item, one after the other, each as read in its version: the versions by
    fingerprint."""
    versions = {}
    for version, value in given:
        with site.database.writing() as session:
            wording = license_one(
                session, site.study, site.library, sheet.instrument, "en", site.clock(), version,
                f" [{version}]",
            )  # fmt: skip
        versions[wording.fingerprint] = version
        site.answer(sheet, {"LQ01": value}, wording=wording)
    return versions


def read(
    site: Site, sheet: Assessment, versions: dict[str, str], **entry: Any
) -> tuple[str | None, str | None]:
    """The versions in which the old and the new value of an entry were read."""
    row = {"object": f"assessment/{sheet.public_id}", "field": "LQ01", "detail": {}, **entry}
    with site.database.reading() as session:
        known = trail_readings.readings(session, [row])
    old, new = trail_readings.before_and_after(known, row)
    return _version(old, versions), _version(new, versions)


def _version(found: Read | None, versions: dict[str, str]) -> str | None:
    assert found is None or found.language == "en"
    return None if found is None else versions[found.wording]


def operations(site: Site, sheet: Assessment) -> list[str]:
    with site.database.reading() as session:
        own = sa.select(Answer.operation).where(Answer.assessment_id == sheet.id)
        return list(session.scalars(own.order_by(Answer.id)))


def test_an_entry_of_an_answer_tells_that_very_answers(site: Site, sheet: Assessment) -> None:
    """The same value given again, in another wording: each time as it was read then."""
    versions = answer(site, sheet, [("1", 2), ("2", 4), ("3", 2), ("4", 4)])
    told = [
        read(site, sheet, versions, old=old, new=new, detail={"operation": operation})
        for operation, (old, new) in zip(
            operations(site, sheet),
            [(None, "2"), ("2", "4"), ("4", "2"), ("2", "4")],
            strict=True,
        )
    ]
    assert told == [(None, "1"), ("1", "2"), ("2", "3"), ("3", "4")]


def test_an_entry_of_no_answer_tells_the_last_with_the_value(site: Site, sheet: Assessment) -> None:
    """A correction, say, whose new value nobody read: then as the last answer was read."""
    given: list[Given] = [("1", 2), ("2", 4), ("3", 2), ("4", "skipped"), ("5", 1)]
    versions = answer(site, sheet, given)
    assert read(site, sheet, versions, old="2", new="4") == ("3", "2")
    assert read(site, sheet, versions, old="skipped", new="5") == ("4", "5")
    other = {"detail": {"operation": str(uuid.uuid4())}}
    assert read(site, sheet, versions, old="4", new="2", **other) == ("2", "3")


def test_nothing_is_told_of_what_nobody_answered(site: Site, sheet: Assessment) -> None:
    versions = answer(site, sheet, [("1", 2)])
    assert read(site, sheet, versions, old="2", new="3", field="LQ02") == (None, None)
    assert read(site, sheet, versions, old="2", new="3", object="assessment/x") == (None, None)
    assert read(site, sheet, versions, old=None, new=None) == (None, None)

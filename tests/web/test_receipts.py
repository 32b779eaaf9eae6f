"""Scores by study number, each down to its arithmetic, for researchers; never for other roles."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.core.scoring import half_up, score
from pro_app.models import AuditEntry
from pro_app.web.house import furnish
from tests.conftest import Site, TestClock
from tests.services.test_rescoring import amended, rescore
from tests.web.test_coordinator import at
from tests.web.test_corrections import WALKED, hands, submitted
from tests.web.test_staff import Desk
from tests.web.test_staff_access import sign_in

NUMBER = "01-777"


@pytest.fixture
def desk(app: Flask, web_site: Site, clock: TestClock) -> Desk:
    """A researcher's browser."""
    return sign_in(app, web_site, "researcher", None)


def shown(desk: Desk, scale: str) -> str:
    """What the page says of a scale, up to the next one."""
    rows = desk.page.text.split("</code> <small")
    (place,) = (n for n, row in enumerate(rows) if row.endswith(f">{scale}"))
    return rows[place + 1]


def test_a_score_opens_to_the_answers_it_is_made_of(desk: Desk, web_site: Site) -> None:
    submitted(web_site, NUMBER)
    desk.get(at(web_site, f"/scores?number={NUMBER}"))
    desk.get(at(web_site, f"/scores/{NUMBER}"))
    scoring = web_site.library.instruments["lupusqol"].scorings["lupusqol"]
    codes: dict[str, int | None] = dict.fromkeys(scoring.options, 1)
    codes |= {"LQ02": None, "LQ15": None}
    for one in score(scoring, codes):
        told = shown(desk, one.scale)
        assert one.value is not None
        assert half_up(one.value) in told
        assert f"{one.answered} of {one.of} answered" in told
        assert all(item.name in told for item in one.inputs)
        assert one.algorithm in told
    assert "Demonstration wording" in desk.page.text


def test_who_read_them_is_on_record(desk: Desk, web_site: Site) -> None:
    submitted(web_site, NUMBER)
    desk.get(at(web_site, f"/scores/{NUMBER}"))
    with web_site.database.reading() as session:
        told = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert told is not None
    assert (told.action, told.old, told.new) == ("read_answers", None, None)


def test_older_versions_stand_beside_the_newest(app: Flask, desk: Desk, web_site: Site) -> None:
    behind = hands(web_site, submitted(web_site, NUMBER))
    web_site.library = amended(web_site.library)
    assert rescore(behind) == 1
    furnish(app, replace(app.extensions["pro_app"], library=web_site.library))
    desk.get(at(web_site, f"/scores/{NUMBER}"))
    assert desk.page.text.count("an earlier version of the scoring") == 1


def test_an_unknown_number_and_one_elsewhere_are_the_same(app: Flask, web_site: Site) -> None:
    submitted(web_site, NUMBER)
    with web_site.database.reading() as session:
        other = session.scalar(sa.text("SELECT id FROM site WHERE code = '02'"))
    desk = sign_in(app, web_site, "researcher", other)
    for number in (NUMBER, "09-999"):
        desk.get(at(web_site, f"/scores?number={number}"), 422)
        assert "No participant at your sites" in desk.page.text
        desk.get(at(web_site, f"/scores/{number}"), 404)


def walk(desk: Desk, site: Site) -> None:
    """Every page, with scores, corrected ones, and none."""
    desk.get(at(site, "/scores"))
    desk.get(at(site, "/scores?number=09-999"), 422)
    person = site.enrol("01-712")
    desk.get(at(site, "/scores/01-712"))
    for sheet in site.open(person):
        site.answer_all(sheet)
        site.submit(sheet)
    desk.get(at(site, "/scores/01-712"))


def test_a_correction_stands_beside_what_was_submitted(desk: Desk, web_site: Site) -> None:
    hands(web_site, submitted(web_site, WALKED)).correct(new="3")
    desk.get(at(web_site, f"/scores/{WALKED}"))
    assert "After the correction of" in desk.page.text


def test_the_walk_is_walked(desk: Desk, web_site: Site) -> None:
    walk(desk, web_site)

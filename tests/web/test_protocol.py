"""The room "Study": the protocol as a picture, its words, and what is missing before it is live."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.core.library import Library
from pro_app.core.reminders import Channel, Step
from pro_app.core.schedule import Offset, Repeat, Timepoint
from pro_app.core.study_file import parse_study, read_study_file
from pro_app.models import Site as SiteRow
from pro_app.services import studies
from pro_app.services.readiness import CODES, Missing
from pro_app.web import protocol_picture, protocol_words
from tests.conftest import MORNING, Site, TestClock
from tests.services.licensing import license_all, license_one, renew
from tests.services.trial import TRIAL
from tests.web.test_staff import Desk, at, invite

TODAY = date(2026, 11, 23)
DEMONSTRATION = Path(protocol_words.__file__).parents[1] / "demo" / "study.toml"


@pytest.fixture
def desk(app: Flask, web_site: Site, clock: TestClock) -> Desk:
    """The browser of the study's administrator."""
    found = Desk(app, clock)
    found.set_up(invite(web_site, "administrator"))
    return found


def calendar(site: Site) -> None:
    """The tests' study, with the trial's calendar and reminders."""
    library = site.library
    content = read_study_file(TRIAL, library.instruments) | {"code": "test"}
    content["timepoints"][1]["retroactive"] = True
    with site.database.writing() as session:
        site.study = studies.load(session, library, content, site.clock())


def drawn(library: Library, path: Path, **changes: Any) -> protocol_picture.Picture:
    content = read_study_file(path, library.instruments) | changes
    study = parse_study(content, library.instruments)
    names = {code: one.name for code, one in library.instruments.items()}
    return protocol_picture.picture(study, names, lambda one, _times: one.labels["ta"], TODAY)


def test_the_picture_shows_each_timepoint_once_in_order(library: Library) -> None:
    found = drawn(library, DEMONSTRATION)
    first, second, by_hand = found.panels
    assert [panel.anchor for panel in found.panels] == ["enrolment", "infusion", None]
    assert (first.months, second.months) == (False, True)
    codes = [row.code for panel in found.panels for row in panel.rows]
    assert codes[0] == "baseline"
    assert codes[1:-1] == [
        "day_28", "month_2", "month_3", "month_6", "month_9", "month_12", "month_18", "month_24",
        "yearly",
    ]  # fmt: skip
    dues = [row.bars[0].due for row in second.rows]
    assert dues == sorted(dues), "time goes to the right"
    assert len(second.rows[-1].bars) == 1, "once more before the end of 2029, if it began today"
    assert by_hand.rows[0].bars == ()
    for panel in found.panels:
        for row in panel.rows:
            assert row.asked == (True, True)
            assert panel.y < row.y < row.y + row.height <= panel.bottom
            for bar in row.bars:
                assert found.left <= bar.x <= bar.due <= bar.x + bar.length
                assert bar.x + bar.length <= found.right + protocol_picture.SHORTEST
                assert bar.grace > 0


def test_the_numbers_of_the_axis_stand_apart(library: Library) -> None:
    for panel in drawn(library, DEMONSTRATION).panels[:2]:
        places = sorted(tick.x for tick in panel.ticks)
        assert all(b - a >= protocol_picture.TICK_GAP for a, b in pairwise(places))
        assert 0 in {tick.count for tick in panel.ticks}
        assert len(places) > 2


def test_a_protocol_without_a_day_0_counts_from_1(library: Library) -> None:
    content = read_study_file(TRIAL, library.instruments)
    anchors = [content["anchors"][0] | {"first_day": 1}]
    found = drawn(library, TRIAL, anchors=anchors)
    panel = next(one for one in found.panels if one.anchor == "infusion")
    assert panel.months
    short = [one for one in content["timepoints"] if one["code"] in {"baseline", "day_28"}]
    found = drawn(library, TRIAL, anchors=anchors, timepoints=short)
    panel = next(one for one in found.panels if one.anchor == "infusion")
    assert [tick.count for tick in panel.ticks] == [1, 8, 15, 22, 29]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Month 3", ("Month 3",)),
        ("a visit between the others", ("a visit", "between", "the others")),
        ("Kunjungantambahan", ("Kunjungant", "ambahan")),
        ("第二十八个月的访视", ("第二十八个", "月的访视")),
        ("", ()),
    ],
)
def test_labels_are_broken_where_they_are_too_long(text: str, lines: tuple[str, ...]) -> None:
    assert protocol_picture.wrapped(text, 10) == lines
    assert all(protocol_picture.letters(line) <= 10 for line in lines)


def test_tamil_signs_take_less_room_than_letters() -> None:
    assert protocol_picture.letters("கி") < 2 * protocol_picture.letters("க")
    assert protocol_picture.letters("க்") == protocol_picture.letters("க")


def test_the_room_says_what_the_protocol_says(desk: Desk, web_site: Site) -> None:
    calendar(web_site)
    web_site.enrol("01-301")
    desk.get(at(web_site, "/protocol"))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", desk.page.text))
    for words in (
        "3 days before at 06:00", "3 days after at 23:00", "28 days after", "on the day itself",
        "to be answered before: Infusion", "every 12 months until 31 Dec 2029", "Month 36",
        "also expected of those whose time for it had passed", "they are read by the eye alone",
        "Messages go between 08:00 and 20:00", "on the day it opens",
        "when 50 % of the time is over", "day 1, 09:00",
        "left out if an earlier message was opened",
        "time to finish what was begun: 2 hours", "demonstration wording", "03-5550 0100",
        "things are missing",
    ):  # fmt: skip
        assert words in text, words
    assert "01-301" not in text
    sites = re.findall(r"<th scope=\"row\">(\d\d)</th><td>\w+</td><td>(\d+)</td>", desk.page.text)
    assert sites == [("01", "1"), ("02", "0")]
    versions = re.findall(r"<th scope=\"row\">(\d)</th><td>", desk.page.text)
    assert versions[-2:] == ["2", "1"], "the newest first"
    (picture,) = [one for one in desk.page.all("svg") if one.get("role") == "img"]
    assert picture["aria-labelledby"] == "picture-title picture-text"


def test_who_works_at_one_site_is_not_told_how_many_the_others_have(
    app: Flask, web_site: Site, clock: TestClock
) -> None:
    from tests.web.test_register import place

    desk = Desk(app, clock)
    desk.set_up(invite(web_site, "coordinator", place=place(web_site, "01")))
    desk.get(at(web_site, "/protocol"))
    assert "another site than yours" in desk.page.text
    assert "/register" not in desk.page.text


def test_a_language_without_a_licence_is_not_shown_in_a_live_study(
    app: Flask, desk: Desk, web_site: Site
) -> None:
    content = read_study_file(TRIAL, web_site.library.instruments)
    content |= {"code": "test", "status": "live"}
    with web_site.database.writing() as session:
        study = studies.load(session, web_site.library, content, web_site.clock())
    desk.get(at(web_site, "/protocol"))
    assert desk.page.text.count("is not shown") == 8
    with web_site.database.writing() as session:
        license_all(session, study, web_site.library, web_site.clock())
    desk.get(at(web_site, "/protocol"))
    assert "is not shown" not in desk.page.text
    assert "no licensed wording" not in desk.page.text
    with web_site.database.writing() as session:
        study = studies.current(session, web_site.library, study.id)
        renew(
            session, study, web_site.library, "lupusqol", "ta", web_site.clock(),
            modes=frozenset(),
        )  # fmt: skip
    desk.get(at(web_site, "/protocol"))
    assert desk.page.text.count("is not shown") == 1
    assert "LupusQoL has no licensed wording that is valid at every site." in desk.page.text


def test_licences_of_single_sites_are_told_with_their_site(desk: Desk, web_site: Site) -> None:
    now = web_site.clock()
    with web_site.database.writing() as session:
        places = {one.code: one.id for one in session.scalars(sa.select(SiteRow))}
        for site, number in (("01", "1"), ("02", "2")):
            license_one(
                session, web_site.study, web_site.library, "lupusqol", "ta", now, number,
                f" [{number}]", holder=f"Owner {number}", site_id=places[site],
            )  # fmt: skip
    desk.get(at(web_site, "/protocol"))
    (row,) = [
        " ".join(re.sub(r"<[^>]+>", " ", one).split())
        for one in desk.page.text.split("<tr>")
        if "Owner 1" in one
    ]
    assert "Site 01 : Owner 1" in row.replace("01:", "01 :")
    assert "Site 02 : Owner 2" in row.replace("02:", "02 :")


def test_of_a_licence_that_ends_too_early_the_last_day_is_told(desk: Desk, web_site: Site) -> None:
    calendar(web_site)
    with web_site.database.writing() as session:
        study, now = web_site.study, web_site.clock()
        ends = now.astimezone(study.definition.zone).date() + timedelta(days=1)
        license_all(session, study, web_site.library, now, until=ends)
    desk.get(at(web_site, "/protocol"))
    (row, *_) = [
        re.sub(r"<[^>]+>", " ", one)
        for one in desk.page.text.split("<li")
        if "ends before the follow-up does" in one
    ]
    assert f"{ends.day} {ends:%b %Y}" in row
    assert ":00" not in row, "all of the day counts"


def test_each_missing_thing_has_words_and_a_remedy(app: Flask) -> None:
    said = []
    with app.test_request_context():
        for code in CODES:
            missing = Missing(code, "02", ("ms", "ta"), 3, MORNING)
            ready = protocol_words.ready(missing, {}, lambda moment: f"{moment:%d.%m.}")
            assert ready.what.endswith("."), code
            assert ready.remedy.endswith("."), code
            assert "%" not in ready.what, code
            said.append(ready.what)
    assert len(set(said)) == len(CODES)


def timepoint(**parts: Any) -> Timepoint:
    return Timepoint("one", {"en": "One"}, ("lupusqol",), "infusion", **parts)


def test_distances_and_repeats_are_told_in_words(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "en"}):
        dues = [
            (Offset(0, "days"), 0, "on the day itself"),
            (Offset(1, "days"), 1, "on the day itself"),
            (Offset(1, "days"), 0, "1 day after"),
            (Offset(-7, "days"), 0, "7 days before"),
            (Offset(1, "months"), 0, "1 month after"),
            (Offset(-2, "months"), 0, "2 months before"),
        ]
        for offset, first_day, words in dues:
            one = timepoint(offset=offset, first_day=first_day)
            assert protocol_words.due(one) == words
        repeats = [
            (Repeat(Offset(1, "days"), times=5), "every day, 5 times in all"),
            (Repeat(Offset(7, "days"), times=5), "every 7 days, 5 times in all"),
            (Repeat(Offset(1, "months"), times=5), "every month, 5 times in all"),
            (Repeat(Offset(7, "days"), until=TODAY), "every 7 days until 23 Nov 2026"),
            (Repeat(Offset(3, "months"), until=TODAY), "every 3 months until 23 Nov 2026"),
            (None, ""),
        ]
        for repeat, words in repeats:
            assert protocol_words.repeats(timepoint(repeat=repeat)) == words
        one = timepoint(repeat=Repeat(Offset(7, "days"), times=5))
        assert protocol_words.row_label(one, 5) == "One, 5 times"
        assert protocol_words.opens(timepoint()) == "on the due day at 00:00"
        assert protocol_words.closes(timepoint()) == "on the due day at 24:00"
        assert protocol_words.span(timedelta(minutes=90)) == "90 minutes"
        steps = [
            (Step("a", Channel.PUSH, after_days=1), "1 day after it opens"),
            (Step("a", Channel.PUSH, before_days=0), "on the day it closes"),
            (Step("a", Channel.PUSH, before_days=2), "2 days before it closes"),
        ]
        for step, words in steps:
            assert protocol_words.step(step) == words


def walk(desk: Desk, site: Site) -> None:
    """The room, with a calendar and without, by whoever may read it."""
    desk.get(at(site, "/protocol"))
    before = site.study
    calendar(site)
    desk.get(at(site, "/protocol"))
    site.study = before


def test_the_walk_goes_through(desk: Desk, web_site: Site) -> None:
    walk(desk, web_site)

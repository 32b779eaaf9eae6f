"""The room "Pictures": every number in its tables worked out by hand, and who sees whose."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.core.library import Library
from pro_app.models import AuditEntry, Database
from pro_app.models import Site as SiteRow
from pro_app.services import picture_data
from tests.conftest import Site, TestClock
from tests.pages import Browser
from tests.services.picture_life import live, trial_of
from tests.services.trial import Trial
from tests.web.test_staff import at
from tests.web.test_staff_access import sign_in

LUPUSQOL, RAND = "form=lupusqol.lupusqol", "form=sf36v1.rand"
GROUPS = ("", "/changes", "/completion", "/distribution", "/reliability")


@pytest.fixture
def trial(web_site: Site, clock: TestClock) -> Trial:
    """The trial with its calendar, as the study of the tests' addresses."""
    found = trial_of(web_site.database, web_site.library, clock, "test")
    web_site.study = found.study
    return found


def desk_of(app: Flask, site: Site, role: str = "researcher", place: str | None = None) -> Browser:
    """A browser of somebody with this role, at one site or all."""
    site_id = None
    if place is not None:
        with site.database.reading() as session:
            site_id = session.scalar(sa.select(SiteRow.id).where(SiteRow.code == place))
    return sign_in(app, site, role, site_id)


@pytest.fixture(scope="module")
def lived_template(
    sqlite_template: Path, library: Library, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, datetime]:
    """A database in which the trial was lived through, once for all tests, and the moment then."""
    path = tmp_path_factory.mktemp("lived") / "template.sqlite3"
    shutil.copy(sqlite_template, path)
    clock, database = TestClock(), Database(f"sqlite:///{path}")
    live(trial_of(database, library, clock, "test"))
    database.close()
    return path, clock()


@pytest.fixture
def sqlite_url(request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path) -> str:
    """A copy of that one for tests of what was lived, an empty one for the others."""
    path, template = tmp_path / "pro_app.sqlite3", sqlite_template
    if "lived" in request.fixturenames:
        template, _ = request.getfixturevalue("lived_template")
    shutil.copy(template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def lived(app: Flask, trial: Trial, lived_template: tuple[Path, datetime]) -> Browser:
    """A researcher's browser, after the trial was lived through."""
    trial.clock.now = lived_template[1]
    return desk_of(app, trial)


def rows(desk: Browser, number: int = 0) -> list[list[str]]:
    """The cells of a table of the page, row by row, without its head."""
    tables = re.findall(r"<table.*?</table>", desk.page.text, re.DOTALL)
    body = re.sub(r"<thead>.*?</thead>", "", tables[number], flags=re.DOTALL)
    found = re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)
    return [
        [" ".join(re.sub(r"<[^>]+>", " ", one).split())
         for one in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
        for row in found
    ]  # fmt: skip


def of(desk: Browser, first: str, number: int = 0) -> list[list[str]]:
    """The rows that begin so, without that."""
    return [row[1:] for row in rows(desk, number) if row[0].split()[0] == first]


def test_means_with_intervals(lived: Browser, trial: Trial) -> None:
    """At baseline 25, 50, 0 and 87.5 (corrected from 100; the void 75 is left out): mean 40.625,
    SD 37.33, half the interval t(3) 3.1824 x 37.33 / 2 = 59.39."""
    lived.get(at(trial, f"/pictures?{LUPUSQOL}"))
    assert of(lived, "LQPH") == [
        ["Start", "4", "40.6", "37.3", "−18.8 to 100.0"],
        ["Day 28", "2", "50.0", "0.0", "50.0 to 50.0"],
        ["Month 12", "1", "75.0", "–", "–"],
        ["Month 24", "1", "100.0", "–", "–"],
    ]
    first = of(lived, "LQPAIN")[0]
    assert first == ["Start", "4", "43.8", "42.7", "−24.2 to 111.7"], "100 as it was given"


def test_changes_from_baseline(lived: Browser, trial: Trial) -> None:
    """01-001: 25 to 50, 75, 100; 01-002: 50 to 50. Of two, SD 25/sqrt 2, t(1) = 12.706."""
    lived.get(at(trial, f"/pictures/changes?{LUPUSQOL}"))
    assert of(lived, "LQPH") == [
        ["Day 28", "2", "+12.5", "17.7", "−146.3 to +171.3"],
        ["Month 12", "1", "+50.0", "–", "–"],
        ["Month 24", "1", "+75.0", "–", "–"],
    ]
    text = lived.page.text
    assert "due and answered on or before this day: Infusion" in text
    assert "McElhone" in text
    assert 'class="band"' not in text, "a range over all domains is no band of one"
    lived.get(at(trial, "/pictures/changes?form=sf36v1.mos_us1990"))
    assert "There is nothing to show yet" in lived.page.text
    assert "Colangelo" in lived.page.text
    assert "better from +2.1 points on; worse from −2.2 points on" in lived.page.text


def test_what_became_of_every_questionnaire(lived: Browser, trial: Trial) -> None:
    """Baseline, LupusQoL: five submitted (one of them void), one half answered. Day 28: 01-003 has
    withdrawn; 01-004, 02-001 and 02-002 never began. Six people were enrolled."""
    lived.get(at(trial, f"/pictures/completion?{LUPUSQOL}"))
    figures = re.findall(r"<dd>(\d+)</dd>", lived.page.text)
    assert figures == ["6", "1", "0"]
    # expected, in time, late, open, partial, not begun, not offered, withdrawn, later, void, rates
    assert rows(lived) == [
        ["Start", "6", "5", "0", "0", "1", "0", "0", "0", "0", "1", "83 % 5 / 6", "83 % 5 / 6"],
        ["Day 28", "5", "2", "0", "0", "0", "3", "0", "1", "0", "0", "40 % 2 / 5", "33 % 2 / 6"],
        ["Month 3", "5", "0", "0", "0", "0", "5", "0", "1", "0", "0", "0 % 0 / 5", "0 % 0 / 6"],
        ["Month 6", "5", "0", "0", "0", "0", "5", "0", "1", "0", "0", "0 % 0 / 5", "0 % 0 / 6"],
        ["Month 12", "5", "1", "0", "0", "0", "4", "0", "1", "0", "0", "20 % 1 / 5", "17 % 1 / 6"],
        ["Month 24", "5", "1", "0", "4", "0", "0", "0", "1", "0", "0", "20 % 1 / 5", "17 % 1 / 6"],
    ]
    assert rows(lived, 1)[0] == ["Start", "1", "1"]
    assert "too ill to answer" in lived.page.text
    lived.get(at(trial, "/pictures/completion"))
    assert rows(lived)[0][1:4] == ["11", "6", "0"], "SF-36 too: one submitted, one not expected"
    assert rows(lived)[0][-1] == "50 % 6 / 12"


def test_completion_is_what_the_room_for_it_says(lived: Browser, trial: Trial, app: Flask) -> None:
    lived.get(at(trial, "/pictures/completion"))
    here = [row[-2:] for row in rows(lived)]
    other = desk_of(app, trial, "investigator")
    other.get(at(trial, "/rates"))
    there = [[row[1], row[3]] for row in rows(other)]
    assert here == there


def test_spread_floor_and_ceiling(lived: Browser, trial: Trial) -> None:
    """0, 25, 50, 87.5: quarters of type 7 at 18.75 and 59.375, median 37.5."""
    lived.get(at(trial, f"/pictures/distribution?{LUPUSQOL}"))
    found = of(lived, "LQPH")
    assert found[0] == [
        "Start", "4", "0.0", "18.8", "37.5", "59.4", "87.5", "25 % 1 / 4", "0 % 0 / 4",
    ]  # fmt: skip
    assert found[-1][-2:] == ["0 % 0 / 1", "100 % 1 / 1"]
    lived.get(at(trial, "/pictures/distribution?form=sf36v1.mos_us1990"))
    assert of(lived, "PCS")[0][-2:] == ["–", "–"], "a summary has no floor"


def test_alpha_and_what_is_left_out_by_language(lived: Browser, trial: Trial) -> None:
    """At baseline PAIN, whose items everybody answered alike: 1 among all four; one a language is
    too few, English has two. 02-001's corrected LQ01 differs from the rest of its scale."""
    lived.get(at(trial, f"/pictures/reliability?{LUPUSQOL}"))
    (pain,) = of(lived, "LQPAIN")
    assert pain == ["3", "1.00 n 4", "– n 1", "1.00 n 2", "– n 1"]
    (physical,) = of(lived, "LQPH")
    assert physical[1].endswith("n 3"), "01-002 left LQ02 out"
    (second,) = of(lived, "LQ02", 1)
    assert second == ["0 0 %", "0 0 %", "0 0 %", "0 0 %", "1 100 %", "0 0 %"]
    (fifteenth,) = of(lived, "LQ15", 1)
    assert fifteenth[-2:] == ["0 0 %", "1 100 %"]
    lived.get(at(trial, f"/pictures/reliability?{LUPUSQOL}&visit=day_28/1"))
    assert of(lived, "LQPAIN") == [["3", "– n 2", "– n 1", "– n 1"]]
    assert 'value="day_28/1" selected' in lived.page.text


def test_one_participants_way(lived: Browser, trial: Trial) -> None:
    lived.get(at(trial, f"/pictures/participants/01-001?{LUPUSQOL}"))
    found = [[row[0], row[2], row[3]] for row in rows(lived)]
    assert found == [
        ["Start", "✓ done in time", "25.0"],
        ["Day 28", "✓ done in time", "50.0"],
        ["Month 3", "! missed", "–"],
        ["Month 6", "! missed", "–"],
        ["Month 12", "✓ done in time", "75.0"],
        ["Month 24", "✓ done in time", "100.0"],
    ]
    lived.get(at(trial, f"/pictures/participants/02-002?{LUPUSQOL}"))
    assert rows(lived)[0][2:4] == ["✓ done in time declared void", "–"]
    lived.get(at(trial, f"/pictures/participants/01-003?{LUPUSQOL}"))
    assert [row[2] for row in rows(lived)][:2] == ["✓ done in time", "– not expected"]
    lived.get(at(trial, f"/pictures/participants/02-001?{LUPUSQOL}"))
    assert rows(lived)[0][3] == "87.5", "what counts now"
    with trial.database.reading() as session:
        told = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "read_answers"))
        assert [(one.object, one.detail) for one in told] == [
            ("participant", {"form": "lupusqol.lupusqol"})
        ] * 4


def test_a_participant_is_found_by_number(app: Flask, lived: Browser, trial: Trial) -> None:
    lived.get(at(trial, f"/pictures/participants?number=01-002&{RAND}"))
    assert lived.path == at(trial, "/pictures/participants/01-002")
    assert "PF" in lived.page.text
    lived.get(at(trial, "/pictures/participants?number=01-999"), 422)
    assert "no participant with this study number" in lived.page.text
    other = desk_of(app, trial, "investigator", "01")
    other.get(at(trial, "/pictures/participants?number=02-001"), 422)
    other.get(at(trial, "/pictures/participants/02-001"), 404)
    other.get(at(trial, "/pictures/participants/01-001"))
    assert at(trial, "/participants/01-001/answers") in other.page.text
    lived.get(at(trial, "/pictures/participants/01-001"))
    assert at(trial, "/participants/01-001/answers") not in lived.page.text, "not a researcher's"


def test_filters_are_kept_in_the_address(lived: Browser, trial: Trial) -> None:
    lived.get(at(trial, f"/pictures?{LUPUSQOL}&site=02"))
    assert of(lived, "LQPH") == [["Start", "1", "87.5", "–", "–"]]
    assert "site=02" in str([one.get("href") for one in lived.page.all("a")])
    lived.get(at(trial, f"/pictures?{LUPUSQOL}&language_of=ta"))
    alone = ["1", "50.0", "–", "–"]
    assert of(lived, "LQPH") == [["Start", *alone], ["Day 28", *alone]]
    lived.get(at(trial, f"/pictures?{LUPUSQOL}&from=2027-01-01&to=2027-06-30"))
    assert of(lived, "LQPH") == [["Day 28", "2", "50.0", "0.0", "50.0 to 50.0"]]
    lived.get(at(trial, f"/pictures/completion?{LUPUSQOL}&from=2027-01-01&to=2027-06-30"))
    assert [row[0] for row in rows(lived) if row[1] != "0"] == ["Day 28", "Month 3", "Month 6"]
    assert "Completed, of all planned" not in lived.page.text
    lived.get(at(trial, "/pictures?form=x&site=99&language_of=x&from=soon&to=-1&visit=x/y"))
    assert of(lived, "LQPH")[0][1] == "4", "what is not to be had is not chosen"


def test_who_works_at_one_site_sees_its_people_alone(
    app: Flask, lived: Browser, trial: Trial
) -> None:
    for role in ("researcher", "investigator"):
        desk = desk_of(app, trial, role, "02")
        desk.get(at(trial, f"/pictures?{LUPUSQOL}&site=01"))
        assert of(desk, "LQPH") == [["Start", "1", "87.5", "–", "–"]]
        desk.get(at(trial, "/pictures/completion"))
        assert re.findall(r"<dd>(\d+)</dd>", desk.page.text) == ["2", "0", "0"]


def test_small_groups_are_named(lived: Browser, trial: Trial) -> None:
    for path in ("", "/changes", "/distribution"):
        lived.get(at(trial, f"/pictures{path}?{LUPUSQOL}"))
        assert "fewer than 5 people" in lived.page.text


@pytest.mark.parametrize("people", [0, 1])
def test_a_study_without_data(app: Flask, trial: Trial, people: int) -> None:
    if people:
        trial.enrol()
    desk = desk_of(app, trial)
    for path in GROUPS:
        desk.get(at(trial, f"/pictures{path}"))
        if path != "/completion":
            assert "There is nothing to show yet" in desk.page.text, path
    desk.get(at(trial, "/pictures/completion"))
    assert re.findall(r"<dd>(\d+)</dd>", desk.page.text)[0] == str(people)
    assert [row[0] for row in rows(desk)] == ["Start", "Day 28", "Month 3", "Month 6", "Month 12"]
    desk.get(at(trial, "/pictures/participants"))
    if people:
        desk.get(at(trial, "/pictures/participants/01-001"))


def test_a_study_without_a_calendar(app: Flask, web_site: Site) -> None:
    """Visits by hand alone: the day of enrolment tells what is baseline."""
    person = web_site.enrol("01-001")
    first, _ = web_site.open(person)
    web_site.answer_all(first, place=1)
    web_site.submit(first)
    web_site.clock.forward(days=30)
    again, _ = web_site.open(person, occurrence=2)
    web_site.answer_all(again, place=3)
    web_site.submit(again)
    desk = desk_of(app, web_site)
    desk.get(at(web_site, f"/pictures/changes?{LUPUSQOL}"))
    assert of(desk, "LQPH") == [["baseline/2", "1", "+50.0", "–", "–"]] or of(desk, "LQPH") == [
        ["Start", "1", "+50.0", "–", "–"]
    ]
    desk.get(at(web_site, "/pictures/completion"))
    assert rows(desk)[0][-1] == "– 0 / 0", "a visit by hand has no population"


def test_a_large_study_says_as_of_when_it_is(
    app: Flask, lived: Browser, trial: Trial, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    house = app.extensions["pro_app"]
    settings = replace(house.settings, instance=tmp_path)
    app.extensions["pro_app"] = replace(house, settings=settings)
    monkeypatch.setattr(picture_data, "SMALL", 0)
    for path in (*GROUPS, "/participants/01-001"):
        lived.get(at(trial, f"/pictures{path}"))
        assert "are being prepared" in lived.page.text
    folder = tmp_path / "pictures"
    assert picture_data.make_wanted(trial.database, trial.library, folder, trial.clock()) == 1
    lived.get(at(trial, f"/pictures?{LUPUSQOL}"))
    assert "Something has changed" not in lived.page.text
    assert of(lived, "LQPH")[0][1] == "4"
    trial.enrol("01-009")
    lived.get(at(trial, f"/pictures?{LUPUSQOL}"))
    assert "Something has changed since; newer pictures are being prepared" in lived.page.text
    other = desk_of(app, trial, "investigator", "02")
    other.get(at(trial, f"/pictures?{LUPUSQOL}"))
    assert of(other, "LQPH") == [["Start", "1", "87.5", "–", "–"]], "from the same columns"


def test_every_picture_has_its_name_and_its_table(lived: Browser, trial: Trial) -> None:
    for path in (*GROUPS, "/participants/01-001"):
        lived.get(at(trial, f"/pictures{path}?{LUPUSQOL}"))
        drawn = [one for one in lived.page.all("svg") if one.get("role") == "img"]
        assert drawn
        ids = [str(one.get("id")) for _, one in lived.page.tags if one.get("id")]
        assert len(ids) == len(set(ids))
        for one in drawn:
            assert set(str(one["aria-labelledby"]).split()) <= set(ids)
        assert lived.page.all("caption")
        assert all(one.get("scope") for one in lived.page.all("th"))


def test_there_is_no_picture_of_another_name(lived: Browser, trial: Trial) -> None:
    for name in ("means", "nothing"):
        lived.get(at(trial, f"/pictures/{name}"), 404)


def walk(desk: Any, site: Site) -> None:
    """Every page of the room, with data and without."""
    before = site.study
    trial = trial_of(site.database, site.library, site.clock, "test")  # type: ignore[arg-type]
    now = site.clock()
    for filled in (False, True):
        if filled:
            for number in ("01-301", "02-302"):
                person = trial.enrol(number, desk.language if number < "02" else "ms")
                trial.complete(person, "baseline")
                trial.infuse(person, date(2026, 12, 4))
            gone = trial.enrol("01-303", "en")
            trial.begin(gone, "baseline")
            trial.withdraw(gone)
        for path in GROUPS:
            for form in (LUPUSQOL, "form=sf36v1.mos_us1990"):
                desk.get(at(site, f"/pictures{path}?{form}"))
        desk.get(at(site, "/pictures/completion?from=2026-01-01"))
        desk.get(at(site, "/pictures/participants"))
    desk.get(at(site, "/pictures/participants?number=99"), 422)
    desk.get(at(site, "/pictures/participants?number=01-301"))
    desk.get(at(site, f"/pictures/participants/01-303?{LUPUSQOL}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picture_data, "find", lambda *_, **__: None)
        desk.get(at(site, "/pictures"))
    site.clock.now = now  # type: ignore[attr-defined]
    site.study = before


def test_the_walk_goes_through(app: Flask, web_site: Site) -> None:
    desk: Any = desk_of(app, web_site)
    desk.language = "en"
    walk(desk, web_site)

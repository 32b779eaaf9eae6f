"""What an investigator sees of one participant's answers and scores, and who else does not."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.core.library import Library
from pro_app.models import Assessment, CorrectedScore, Score, Submission
from pro_app.services import staff
from tests.conftest import Site, TestClock
from tests.services.correcting import ADMINISTRATIVE
from tests.web.test_corrections import (
    INVESTIGATOR,
    NUMBER,
    WALKED,
    entries,
    hands,
    page,
    plain,
    submitted,
)
from tests.web.test_staff import Desk, invite


@pytest.fixture
def doctor(app: Flask, web_site: Site, clock: TestClock) -> Desk:
    """An investigator's browser."""
    found = Desk(app, clock)
    found.set_up(invite(web_site, "investigator", INVESTIGATOR))
    return found


@pytest.fixture
def sheet(web_site: Site) -> Assessment:
    """A submitted LupusQoL: every answer 1, but LQ02 skipped and LQ15 not applicable."""
    return submitted(web_site)


def row(desk: Desk, item: str) -> str:
    """What the table of answers says of an item."""
    table = desk.page.text.partition('<table class="answers"')[2]
    found = re.search(rf"<tr[^>]*>\s*<th[^>]*>(<a[^>]*>)?<code[^>]*>{item}<.*?</tr>", table, re.S)
    assert found is not None
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


def test_every_answer_stands_with_its_question_label_and_code(
    doctor: Desk, web_site: Site, sheet: Assessment
) -> None:
    doctor.get(page(web_site, "/answers"))
    wording = web_site.library.wording("lupusqol", "en")
    assert wording is not None
    for code, text in wording.items.items():
        assert text in doctor.page.text, code
    assert "1 Often" in row(doctor, "LQ01")
    assert "left unanswered" in row(doctor, "LQ02")
    assert "does not apply" in row(doctor, "LQ15")
    with web_site.database.reading() as session:
        receipt = session.scalars(sa.select(Submission.receipt)).one()
    assert f"{receipt[:4]}-{receipt[4:8]}-{receipt[8:12]}".upper() in doctor.page.text
    assert "on the participant's own phone" in doctor.page.text
    assert 'class="demo">Demonstration wording' in doctor.page.text


def test_what_was_read_in_another_language_stands_beside_it(
    doctor: Desk, web_site: Site, sheet: Assessment
) -> None:
    doctor.get(page(web_site, "/answers"))
    english, tamil = (web_site.library.wording("lupusqol", one) for one in ("en", "ta"))
    assert english is not None
    assert tamil is not None
    assert english.items["LQ02"] in row(doctor, "LQ02")
    assert tamil.items["LQ02"] in row(doctor, "LQ02")
    assert f'lang="ta">{tamil.items["LQ02"]}<' in doctor.page.text
    assert tamil.items["LQ03"] not in doctor.page.text, "answered in English"


def test_a_corrected_answer_and_its_scores_stand_beside_the_original(
    doctor: Desk, web_site: Site, sheet: Assessment
) -> None:
    behind = hands(web_site, sheet)
    web_site.clock.forward(minutes=10)
    correction = behind.correct(new="3")
    behind.request(new="4")
    doctor.get(page(web_site, "/answers"))
    told = row(doctor, "LQ01")
    assert "As submitted: 1 Often" in told
    assert "Corrected: 3 Rarely" in told
    assert "Approved by Doctor Devi on 23 Nov 2026, 09:10" in told
    assert "4 Never" not in told, "not decided yet"
    assert page(web_site, f"/corrections/{correction.public_id}") in doctor.page.text
    scores = re.search(r"<tr><th[^>]*><code[^>]*>LQPH<.*?</tr>\n<tr><th[^>]*><code[^>]*>LQPAIN<",
                       doctor.page.text, re.DOTALL)  # fmt: skip
    assert scores is not None
    assert re.findall(r"<strong>([\d.]+)</strong>", scores[0]) == ["25.0", "32.1"]
    with web_site.database.reading() as session:
        values = [
            session.scalars(sa.select(table.value).where(table.scale == "LQPH")).one()
            for table in (Score, CorrectedScore)
        ]
    assert [f"{value:.12g}" in scores[0] for value in values] == [True, True], "the arithmetic"


def test_the_arithmetic_can_be_done_by_hand(
    doctor: Desk, web_site: Site, sheet: Assessment
) -> None:
    doctor.get(page(web_site, "/answers"))
    formulas = re.findall(r'class="formula"[^>]*>([^<]+)<', doctor.page.text)
    assert "100 × (1 − 0) ÷ (4 − 0) = 25" in formulas
    assert "7 of 8 answered" in doctor.page.text
    assert "At least 4 answers are needed." in doctor.page.text


def test_norms_and_summaries_have_their_arithmetic_too(doctor: Desk, web_site: Site) -> None:
    second = web_site.open(web_site.enrol(NUMBER))[1]
    web_site.answer_all(second, place=1)
    first = web_site.library.instruments["sf36v1"].items[2].code
    web_site.answer(second, {first: "skipped"})
    web_site.submit(second)
    doctor.get(page(web_site, "/answers"))
    with web_site.database.reading() as session:
        found = session.scalars(sa.select(Score).where(Score.scale == "PCS")).one()
    told = plain(doctor)
    assert f"50 + 10 × Σ z × c = {found.value:.12g}" in told
    assert "stands in for a missing answer" in told
    assert "norm-based:" in told
    assert re.search(r"Raw value of the two items|Sum of the values used", told)


def test_a_score_that_is_missing_says_why(doctor: Desk, web_site: Site) -> None:
    first = web_site.open(web_site.enrol(NUMBER))[0]
    items = web_site.library.instruments["lupusqol"].items
    web_site.answer(first, {one.code: "skipped" for one in items})
    web_site.submit(first)
    doctor.get(page(web_site, "/answers"))
    assert doctor.page.text.count("too few answers") == 8


def test_a_mark_on_the_whole_questionnaire_is_told(
    doctor: Desk, web_site: Site, sheet: Assessment
) -> None:
    hands(web_site, sheet).correct(ADMINISTRATIVE, kind="wrong_timepoint", new="month_3/1")
    doctor.get(page(web_site, "/answers"))
    assert "It belongs to the timepoint: Month 3" in plain(doctor)


def test_what_is_not_submitted_shows_how_far_it_is_and_no_answer(
    doctor: Desk, web_site: Site
) -> None:
    sheets = web_site.open(web_site.enrol(NUMBER))
    web_site.answer(sheets[0], {"LQ01": 2, "LQ03": "skipped"})
    doctor.get(page(web_site, "/answers"))
    assert "2 of 34 questions" in doctor.page.text
    assert "half answered" in doctor.page.text
    assert "Sometimes" not in doctor.page.text
    assert "Nothing has been submitted yet." in doctor.page.text


def test_each_view_is_put_on_record_without_a_value(
    doctor: Desk, web_site: Site, sheet: Assessment
) -> None:
    for _ in range(2):
        doctor.get(page(web_site, "/answers"))
    found = entries(web_site, "read_answers")
    assert len(found) == 2
    with web_site.database.reading() as session:
        known = staff.find(session, INVESTIGATOR)
        assert known is not None
    assert {one.actor for one in found} == {staff.stream(known.id)}
    assert {one.object for one in found} == {"participant"}
    assert all((one.old, one.new, one.field) == (None, None, None) for one in found)
    assert found[0].detail == {"assessments": [sheet.public_id]}


def test_a_coordinator_reads_no_answer_and_nothing_is_put_on_record(
    app: Flask, web_site: Site, clock: TestClock, sheet: Assessment
) -> None:
    nurse = Desk(app, clock)
    nurse.set_up(invite(web_site))
    nurse.get(page(web_site, "/answers"), 403)
    assert entries(web_site, "read_answers") == []


def walk(desk: Desk, site: Site) -> None:
    """The page of answers without and with submissions, corrections and marks."""
    person = site.enrol("01-312", language="ta")
    desk.get(page(site, "/answers", "01-312"))
    site.answer(site.open(person)[0], {"LQ01": 1})
    desk.get(page(site, "/answers", "01-312"))
    desk.get(page(site, "/answers", WALKED))


def test_the_walk_is_walked(doctor: Desk, web_site: Site) -> None:
    behind = hands(web_site, submitted(web_site, WALKED))
    behind.correct(new="3")
    behind.correct(ADMINISTRATIVE, kind="wrong_timepoint", new="void")
    walk(doctor, web_site)
    assert "Corrected:" in doctor.page.text


def test_a_new_wording_is_told_of(
    app: Flask, doctor: Desk, web_site: Site, sheet: Assessment
) -> None:
    doctor.get(page(web_site, "/answers"))
    assert "The wording has changed" not in doctor.page.text
    house = app.extensions["pro_app"]
    old = house.library.wording("lupusqol", "ta")
    wordings = {**house.library.wordings, ("lupusqol", "ta"): replace(old, fingerprint="f" * 64)}
    library = Library(house.library.instruments, wordings)
    app.extensions["pro_app"] = replace(house, library=library)
    doctor.get(page(web_site, "/answers"))
    assert "The wording has changed" in doctor.page.text
    app.extensions["pro_app"] = house

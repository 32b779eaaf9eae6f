"""FHIR files of a study's own tables: valid, and the same answers as the wide table's."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from fhir.resources.R4B.questionnaire import Questionnaire
from fhir.resources.R4B.questionnaireresponse import QuestionnaireResponse

from pro_app.catalogues import words
from pro_app.core.scoring import score
from pro_app.export import fhir
from pro_app.services import enrolment, fhir_forms, tables
from pro_app.services.tables import Request
from tests.conftest import Site
from tests.export.fhir_reading import codes_of, flat, ours
from tests.export.fhir_samples import BASE
from tests.services.correcting import ADMINISTRATIVE, open_desk

KEY = ("participant", "timepoint", "occurrence", "instrument")


def written(site: Site, language: str = "ta", **parts: Any) -> tuple[list[Any], list[Any]]:
    """The questionnaires and the responses of everything that the study has."""
    asked = Request(site.study, site.library, language, site.clock(), words(language), **parts)
    questionnaires, responses = io.BytesIO(), io.BytesIO()
    with site.database.snapshot() as session:
        found = [tables.table(session, name, asked) for name in ("assessments", "answers_long")]
        forms = fhir_forms.forms(asked)
        fhir.write_questionnaires(found[0], forms, BASE, questionnaires)
        fhir.write_responses(found[0], found[1], forms, BASE, responses)
    return tuple(  # type: ignore[return-value]
        [json.loads(line) for line in out.getvalue().splitlines()]
        for out in (questionnaires, responses)
    )


@pytest.fixture
def lived(site: Site) -> Site:
    """Submitted and corrected, moved elsewhere, repeated, half done, withdrawn half way."""
    desk = open_desk(site)
    desk.correct()
    person = site.enrol("01-777", language="zh_Hans")
    lupusqol, sf36 = site.open(person)
    site.answer(lupusqol, {"LQ01": 1, "LQ02": "skipped", "LQ15": "not_applicable"})
    site.answer_all(sf36, place=1)
    site.submit(sf36)
    again = site.open(person, occurrence=2)[0]
    site.answer_all(again, place=0)
    site.answer(again, {"LQ03": 4}, language="zh_Hans")
    site.submit(again)
    leaving = site.enrol("01-778")
    site.answer(site.open(leaving)[0], {"LQ01": 3})
    with site.database.writing() as session:
        enrolment.withdraw(session, leaving.id, site.clock())
    return site


def test_every_resource_of_a_study_is_valid(lived: Site) -> None:
    questionnaires, responses = written(lived)
    known = {}
    for raw in questionnaires:
        Questionnaire.model_validate(raw)
        known[f"{raw['url']}|{raw['version']}"] = {one["linkId"] for one in flat(raw["item"])}
    for raw in responses:
        QuestionnaireResponse.model_validate(raw)
        links = {one["linkId"] for one in flat(raw["item"])}
        assert links <= known[raw["questionnaire"]]
        assert raw["language"] == "ta"
    assert {one["status"] for one in responses} == {
        "amended", "completed", "in-progress", "stopped",
    }  # fmt: skip
    assert {one["id"] for one in questionnaires} == {"lupusqol", "sf36v1", "sf36v2"}


def test_the_answers_are_those_of_the_wide_table(lived: Site) -> None:
    asked = Request(lived.study, lived.library, "en", lived.clock())
    with lived.database.snapshot() as session:
        wide = tables.table(session, "answers", asked)
        rows = pl.concat([wide.empty(), *wide.frames()]).to_dicts()
    by_key = {tuple(str(row[name]) for name in KEY): row for row in rows}
    names = {
        (one.group, one.name.removesuffix(f"_{one.group}")): one.name
        for one in wide.columns
        if one.group
    }
    responses = written(lived)[1]
    for raw in responses:
        key = tuple(raw["identifier"]["value"].split("/"))
        for item, code in codes_of(raw).items():
            assert by_key[key][names[key[3], item]] == code
    begun = [row for row in rows if row["mode"] is not None]
    assert len(responses) == len(begun) == 5


def test_the_answers_scored_again_give_the_exported_scores_bit_for_bit(lived: Site) -> None:
    asked = Request(lived.study, lived.library, "en", lived.clock())
    with lived.database.snapshot() as session:
        made = tables.table(session, "scores_long", asked)
        rows = pl.concat([made.empty(), *made.frames()]).to_dicts()
    scores: dict[tuple[str, ...], dict[tuple[str, str], float | None]] = {}
    for row in rows:
        own = scores.setdefault(tuple(str(row[name]) for name in KEY), {})
        own[row["scoring"], row["scale"]] = row["value"]
    responses = {tuple(one["identifier"]["value"].split("/")): one for one in written(lived)[1]}
    for key, expected in scores.items():
        codes = {item: code for item, code in codes_of(responses[key]).items() if code >= 0}
        scorings = lived.library.instruments[key[3]].scorings
        for name in {name for name, _ in expected}:
            for found in score(scorings[name], codes):
                assert expected[name, found.scale] == found.value
    assert len(scores) >= 3


def test_what_belongs_elsewhere_is_entered_in_error(site: Site) -> None:
    desk = open_desk(site)
    desk.correct(replace(ADMINISTRATIVE, kind="wrong_participant", new="void"))
    assert [one["status"] for one in written(site)[1]] == ["entered-in-error"]


def test_by_study_days_no_date_leaves(lived: Site) -> None:
    responses = written(lived, days_from="enrolment")[1]
    assert not [one for one in responses if "authored" in one]
    assert "2026-" not in json.dumps(responses)
    days = [ours(one, "study-day") for one in responses if one["status"] == "amended"]
    assert days
    assert all(one[0]["valueInteger"] == 1 for one in days)


def test_instruments_that_are_asked_for_alone(lived: Site) -> None:
    questionnaires, responses = written(lived, instruments=frozenset({"sf36v1"}))
    assert [one["id"] for one in questionnaires] == ["sf36v1"]
    assert {one["identifier"]["value"].rpartition("/")[2] for one in responses} == {"sf36v1"}


def test_a_form_that_closed_half_answered_is_stopped(site: Site) -> None:
    sheet = site.open(site.enrol())[0]
    site.answer(sheet, {"LQ01": 2})
    site.clock.now = sheet.closes_at + timedelta(days=9)
    (raw,) = written(site)[1]
    assert raw["status"] == "stopped"
    assert "authored" in raw
    assert codes_of(raw)["LQ01"] == 2

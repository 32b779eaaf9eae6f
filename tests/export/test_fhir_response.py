"""QuestionnaireResponses: by R4's rules, and what they say of every kind of assessment."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from datetime import datetime

import polars as pl
import pytest
from fhir.resources.R4B.questionnaireresponse import QuestionnaireResponse

from pro_app.export import fhir
from pro_app.export.table import TableError
from tests.export import fhir_samples as samples
from tests.export.fhir_reading import (
    ID,
    codes_of,
    flat,
    items_of,
    lines,
    ours,
    response_of,
)
from tests.export.fhir_samples import ABSENT, BASE, SHEETS, Sheet

RESPONSE_STATUSES = {"in-progress", "completed", "amended", "entered-in-error", "stopped"}
URI = re.compile(r"\S+")
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def test_the_library_would_have_found_a_fault() -> None:
    """A reader that takes anything proves nothing."""
    raw = lines("QuestionnaireResponse")[0]
    for damage in ({"status": None}, {"item": [{"answer": []}]}, {"authored": "soon"}):
        with pytest.raises(ValueError, match="validation error"):
            QuestionnaireResponse.model_validate(raw | damage)


def test_r4s_own_rules_for_responses() -> None:
    known = {f"{one['url']}|{one['version']}": one for one in lines("Questionnaire")}
    responses = lines("QuestionnaireResponse")
    assert len({one["id"] for one in responses}) == len(responses)
    for raw in responses:
        assert ID.fullmatch(raw["id"])
        assert URI.fullmatch(raw["questionnaire"])
        assert raw["status"] in RESPONSE_STATUSES
        assert DATE_TIME.fullmatch(raw["authored"])
        assert "answer" not in {key for one in raw["item"] for key in one}  # of groups
        form = {one["linkId"]: one for one in flat(known[raw["questionnaire"]]["item"])}
        parents = {
            child["linkId"]: one["linkId"] for one in form.values() for child in one.get("item", [])
        }
        for group in raw["item"]:
            for one in group["item"]:
                assert parents[one["linkId"]] == group["linkId"]
                options = [
                    (option["valueCoding"]["system"], option["valueCoding"]["code"])
                    for option in form[one["linkId"]]["answerOption"]
                ]
                for answer in one.get("answer", []):
                    coding = answer["valueCoding"]
                    assert (coding["system"], coding["code"]) in options
                assert len(one.get("answer", [])) <= 1, "the items do not repeat"


def test_responses_turned_back_into_codes_are_the_answers() -> None:
    expected = [
        {item: ABSENT.get(said, said) for item, said in sheet.answers().items()}
        for sheet in SHEETS
        if sheet.rest is not None
    ]
    assert [codes_of(raw) for raw in lines("QuestionnaireResponse")] == expected


def test_displays_are_the_wording_of_the_tables_language() -> None:
    for raw in lines("QuestionnaireResponse"):
        instrument = raw["identifier"]["value"].rpartition("/")[2]
        wording = samples.library().wordings[instrument, "ta"]
        definition = samples.library().instruments[instrument]
        assert raw["language"] == "ta"
        for code, item in items_of(raw).items():
            for answer in item.get("answer", []):
                coding = answer["valueCoding"]
                texts = wording.options[definition.item(code).options.code]
                assert coding["display"] == texts[int(coding["code"])]


def test_states_of_assessments() -> None:
    statuses = [one["status"] for one in lines("QuestionnaireResponse")]
    assert statuses == [
        "completed", "completed", "completed", "completed", "in-progress", "amended", "stopped",
        "stopped", "entered-in-error",
    ]  # fmt: skip


def test_a_corrected_answer_stands_beside_what_it_was() -> None:
    items = items_of(response_of(SHEETS[6]))
    (first,), (second,) = ours(items["LQ01"], "original"), ours(items["LQ02"], "original")
    assert items["LQ01"]["answer"][0]["valueCoding"]["code"] == "4"
    assert first["extension"][0]["valueCoding"]["code"] == "3"
    assert first["extension"][1] == {"url": "correction", "valueString": "C-1"}
    assert second["extension"][0] == {"url": "absent", "valueCode": "asked-declined"}
    assert not ours(items["LQ03"], "original")


def test_a_repeated_visit_is_another_response() -> None:
    first, second = response_of(SHEETS[2]), response_of(SHEETS[3])
    assert first["id"] != second["id"]
    visits = [ours(one, "visit")[0]["extension"] for one in (first, second)]
    assert [visit[1]["valuePositiveInt"] for visit in visits] == [1, 2]
    assert visits[0][0]["valueCoding"]["code"] == "month-3"
    assert visits[0][0]["valueCoding"]["display"] == "第三个月"
    assert [ours(one, "late")[0]["valueBoolean"] for one in (first, second)] == [False, True]


def test_who_when_how_and_by_which_wording() -> None:
    raw = response_of(SHEETS[2])
    assert raw["subject"] == {
        "type": "Patient",
        "identifier": {
            "system": f"{BASE}/fhir/NamingSystem/trial.participants",
            "value": "01-001",
        },
    }
    assert raw["authored"] == "2027-03-01T00:30:00+08:00"
    assert datetime.fromisoformat(raw["authored"]) == samples.DONE
    mode = raw["extension"][0]["valueCodeableConcept"]["coding"]
    assert [(one["code"], one["display"]) for one in mode] == [
        ("WRITTEN", "written"),
        ("paper", "纸上"),
    ]
    wording = samples.library().wordings["lupusqol", "ta"].fingerprint
    assert [one["valueString"] for one in ours(raw, "wording-fingerprint")] == [wording]
    assert [one["valueString"] for one in ours(raw, "site")] == ["01"]
    assert [one["valueCode"] for one in ours(raw, "answered-in")] == ["ta"]


def test_two_languages_are_told_apart_item_by_item() -> None:
    raw = response_of(SHEETS[1])
    assert [one["valueCode"] for one in ours(raw, "answered-in")] == ["ta", "zh-Hans"]
    items = list(items_of(raw).values())
    assert [ours(one, "answered-in")[0]["valueCode"] for one in items[:2]] == ["zh-Hans", "ta"]
    assert not ours(items_of(response_of(SHEETS[0]))["LQ01"], "answered-in")


def test_study_days_leave_no_date() -> None:
    out = io.BytesIO()
    made, answers = samples.in_days(samples.assessments()), samples.in_days(samples.answers_long())
    fhir.write_responses(made, answers, samples.forms(), BASE, out)
    assert b"2027" not in out.getvalue()
    first = json.loads(out.getvalue().splitlines()[0])
    assert "authored" not in first
    assert ours(first, "study-day")[0]["valueInteger"] == -3
    QuestionnaireResponse.model_validate(first)


@pytest.mark.parametrize(
    ("assessments", "answers", "told"),
    [
        (SHEETS[1:], SHEETS[:1], "is not among the assessments"),
        (SHEETS[::-1], SHEETS, "out of order"),
        ((Sheet("1-1", given={"LQ01": 9}),), (Sheet("1-1", given={"LQ01": 9}),), "no code 9"),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    assessments: tuple[Sheet, ...], answers: tuple[Sheet, ...], told: str
) -> None:
    with pytest.raises(TableError, match=told):
        fhir.write_responses(
            samples.assessments(assessments), samples.answers_long(answers), samples.forms(), BASE,
            io.BytesIO(),
        )  # fmt: skip


def test_an_item_that_no_form_has_is_refused() -> None:
    answers = samples.answers_long(SHEETS[:1])
    (frame,) = answers.frames()
    strange = frame.with_columns(pl.col("item").replace("LQ34", "LQ99"))
    made = dataclasses.replace(answers, frames=lambda: iter([strange]))
    with pytest.raises(TableError, match="lupusqol has no item LQ99"):
        fhir.write_responses(samples.assessments(), made, samples.forms(), BASE, io.BytesIO())


def test_a_table_without_a_column_is_refused() -> None:
    made = samples.answers_long()
    short = dataclasses.replace(made, columns=made.columns[:-3])
    with pytest.raises(TableError, match="answers_long: there is no column language, wording"):
        fhir.write_responses(samples.assessments(), short, samples.forms(), BASE, io.BytesIO())

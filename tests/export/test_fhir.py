"""FHIR R4 files as a whole, as readers that are not ours see them.

fhir.resources has R4B and no R4 of its own. R4B (4.3.0) left Questionnaire and
QuestionnaireResponse as they are in R4 (4.0.1), so its models stand for both.
"""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from pathlib import Path

import pytest
from fhir.resources.R4B.questionnaire import Questionnaire
from fhir.resources.R4B.questionnaireresponse import QuestionnaireResponse

from pro_app.export import fhir
from pro_app.export.table import TableError
from tests.export import fhir_samples as samples
from tests.export.fhir_reading import (
    archive,
    lines,
)
from tests.export.fhir_samples import BASE


def test_every_resource_is_valid() -> None:
    questionnaires, responses = lines("Questionnaire"), lines("QuestionnaireResponse")
    for raw in questionnaires:
        read = Questionnaire.model_validate(raw)
        assert read.status == "active"
        assert json.loads(read.model_dump_json()) == json.loads(json.dumps(raw))
    for raw in responses:
        answered = QuestionnaireResponse.model_validate(raw)
        assert answered.questionnaire == raw["questionnaire"]
    assert (len(questionnaires), len(responses)) == (2, 9)


def test_r_reads_both_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(archive())) as opened:
        opened.extractall(tmp_path)
    script = (
        "library(jsonlite)\n"
        "q <- stream_in(file('Questionnaire.ndjson', encoding = 'UTF-8'), verbose = FALSE,"
        " simplifyVector = FALSE)\n"
        "r <- stream_in(file('QuestionnaireResponse.ndjson', encoding = 'UTF-8'),"
        " verbose = FALSE, simplifyVector = FALSE)\n"
        "first <- r[[1]]$item[[1]]$item[[1]]\n"
        "cat(toJSON(list(title = q[[1]]$title, text = q[[1]]$item[[1]]$text, n = length(r),"
        " display = first$answer[[1]]$valueCoding$display,"
        " who = r[[1]]$subject$identifier$value), auto_unbox = TRUE))\n"
    )
    done = subprocess.run(
        ["Rscript", "--vanilla", "-e", script], cwd=tmp_path, capture_output=True, check=True,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    tamil = samples.library().wordings["lupusqol", "ta"]
    assert json.loads(done.stdout.decode("utf-8")) == {
        "title": lines("Questionnaire")[0]["title"],
        "text": tamil.instruction,
        "n": 9,
        "display": tamil.options["frequency"][0],
        "who": "01-001",
    }


def test_demonstration_wording_is_marked_on_everything() -> None:
    words = "Demonstration wording, not the validated questionnaire"
    for raw in (*lines("Questionnaire"), *lines("QuestionnaireResponse")):
        (marked,) = raw["meta"]["tag"]
        assert (marked["code"], marked["display"]) == ("demonstration", words)
    for raw in lines("Questionnaire"):
        assert raw["experimental"] is True
        assert words in raw["title"]
        assert raw["copyright"]
    with zipfile.ZipFile(io.BytesIO(archive())) as opened:
        assert samples.NOTES[0] in opened.read("README.txt").decode("utf-8")


def test_the_same_data_give_the_same_bytes() -> None:
    assert archive() == archive()
    with zipfile.ZipFile(io.BytesIO(archive())) as opened:
        names = opened.namelist()
        assert names == [
            "README.txt", "Questionnaire.ndjson", "QuestionnaireResponse.ndjson",
            "StructureDefinition.ndjson", "CodeSystem.ndjson",
        ]  # fmt: skip
        assert {info.date_time for info in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_frames_of_any_size_give_the_same_file() -> None:
    out = io.BytesIO()
    fhir.write_responses(
        samples.assessments(at_once=1), samples.answers_long(at_once=1), samples.forms(), BASE, out
    )
    with zipfile.ZipFile(io.BytesIO(archive())) as opened:
        assert out.getvalue() == opened.read("QuestionnaireResponse.ndjson")


def test_a_study_without_data_has_its_questionnaires() -> None:
    assert lines("QuestionnaireResponse", ()) == []
    assert len(lines("Questionnaire", ())) == 2


@pytest.mark.parametrize("base", ["", "pro.example.org", "ftp://x", "https://a b"])
def test_an_address_that_is_none_is_refused(base: str) -> None:
    with pytest.raises(TableError, match="no address"):
        fhir.write_questionnaires(samples.assessments(), samples.forms(), base, io.BytesIO())

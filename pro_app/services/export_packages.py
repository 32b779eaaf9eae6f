"""What the packages of other standards need of a study besides its tables."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from pro_app.export import cdisc as datasets
from pro_app.export import cdisc_package
from pro_app.export import fhir as resources
from pro_app.export.dataset_json import Made
from pro_app.services import fhir_forms
from pro_app.services.export_source import Source

SYSTEM = "pro-app"


def cdisc(source: Source, folder: Path, form: str) -> Sequence[Path]:
    """SDTM's QS with its qualifiers and ADaM's ADQS, in one of `cdisc_package.FORMS`. Days count
    from the anchor that was asked for, else from the first that is not enrolment."""
    request = source.request
    study, library = request.study, request.library
    asked = {one.code for one in request.asked()}
    found = datasets.Source(
        definition=study.definition,
        asked=[one for one in study.instruments if one.code in asked],
        instruments=library.instruments,
        wordings=list(study.wordings.every()),
        participants=source.table("participants"),
        assessments=source.table("assessments"),
        answers=source.table("answers_long"),
        scores=source.table("scores_long"),
        days_from=request.days_from,
    )
    originator = study.definition.names.get("en", study.definition.code)
    made = Made(request.now, originator, f"{SYSTEM} {metadata.version(SYSTEM)}")
    return cdisc_package.write(found, folder, form, made)


def fhir(source: Source, folder: Path) -> Sequence[Path]:
    """FHIR's Questionnaires and QuestionnaireResponses, in one ZIP file."""
    path = folder / "fhir.zip"
    with path.open("wb") as file:
        resources.write(
            source.table("assessments"),
            source.table("answers_long"),
            fhir_forms.forms(source.request),
            source.address,
            file,
        )
    return [path]

"""The study's questionnaires with their wordings, as a FHIR export has them."""

from __future__ import annotations

from pro_app.core.study import LANGUAGES
from pro_app.export.fhir import Form
from pro_app.services.tables import Request


def forms(request: Request) -> list[Form]:
    """A form for each instrument asked for, in the study's languages and the one asked for."""
    study, wordings = request.study.definition, request.study.wordings
    wanted = [one for one in LANGUAGES if one in study.languages or one == request.language]
    return [
        Form(
            instrument,
            {
                language: wording
                for language in wanted
                if (wording := wordings.reading(instrument.code, language, request.now)) is not None
            },
        )
        for instrument in request.asked()
    ]

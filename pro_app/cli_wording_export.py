"""The command `wording export`: an instrument's definition and wordings as a file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pro_app.cli_desk import Desk, desk, now
from pro_app.config import ROOT, read_settings
from pro_app.core.study import LANGUAGES

if TYPE_CHECKING:
    from pro_app.core.instruments import Instrument
    from pro_app.core.wording import Wording


@click.command("export")
@click.argument("instrument")
@click.option(
    "--language",
    "languages",
    multiple=True,
    type=click.Choice(LANGUAGES),
    help="may be repeated, the first is the file's own; every language there is, if left out",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["fhir"]),
    default="fhir",
    show_default=True,
    help="fhir: a Questionnaire of FHIR R4 in JSON, with translations",
)
@click.option("--study", "study_code", help="the wordings of this study; else those shipped")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="the file"
)
def wording_export(
    instrument: str, languages: Sequence[str], form: str, study_code: str | None, out: Path
) -> None:
    """Write the definition of INSTRUMENT with its wordings to a file, for other programs.

    The same file can be read again, also when another program has saved it. It tells nothing of
    the scoring, which FHIR has no place for. Of a study it is put on the study's record.
    """
    if not out.parent.is_dir():
        raise click.BadParameter(f"there is no folder {str(out.parent)!r}", param_hint="--out")
    at = None if study_code is None else desk()
    definition, wordings = _shipped(instrument) if at is None else _of(at, study_code, instrument)
    wanted = tuple(languages) or tuple(wordings)
    lacking = [one for one in wanted if one not in wordings]
    if lacking or not wanted:
        named = ", ".join(lacking) or "any language"
        raise click.ClickException(f"{instrument} has no wording in {named}")
    data = _fhir(definition, {one: wordings[one] for one in dict.fromkeys(wanted)})
    if at is not None:
        _note(at, study_code, instrument, form, wanted, hashlib.sha256(data).hexdigest())
    out.write_bytes(data)
    click.echo(f"{out}: {instrument} in {', '.join(dict.fromkeys(wanted))}")


def _shipped(code: str) -> tuple[Instrument, Mapping[str, Wording]]:
    """An instrument, and the wordings by language that come with the system."""
    from pro_app.core.library import load_library

    library = load_library(ROOT / "questionnaires")
    definition = _definition(library.instruments, code)
    found = {one.language: one for one in library.wordings.values() if one.instrument == code}
    return definition, found


def _of(at: Desk, study_code: str | None, code: str) -> tuple[Instrument, Mapping[str, Wording]]:
    """An instrument, and the wordings by language that are read in a study now."""
    definition = _definition(at.library.instruments, code)
    with at.database.reading() as session:
        study = at.study(session, study_code)
    if code not in {one.code for one in study.instruments}:
        raise click.ClickException(f"the study has no instrument {code!r}")
    found = {
        language: wording
        for language in study.definition.languages
        if (wording := study.wordings.reading(code, language, now())) is not None
    }
    return definition, found


def _definition(known: Mapping[str, Instrument], code: str) -> Instrument:
    if code not in known:
        raise click.UsageError(
            f'There is no instrument "{code}". There are: {", ".join(known) or "none"}.'
        )
    return known[code]


def _fhir(instrument: Instrument, wordings: Mapping[str, Wording]) -> bytes:
    from pro_app.export.fhir import Form, one_questionnaire

    language = next(iter(wordings))
    return one_questionnaire(Form(instrument, wordings), language, read_settings().public_url, str)


def _note(
    at: Desk, study_code: str | None, code: str, form: str, languages: Sequence[str], digest: str
) -> None:
    """Put on the study's record that texts have left, which may be licensed ones."""
    from pro_app.services import trail_export
    from pro_app.services.trail_export import Told

    detail: dict[str, object] = {
        "format": form, "instrument": code, "language": " ".join(languages),
    }  # fmt: skip
    with at.database.writing() as session:
        study = at.study(session, study_code)
        trail_export.note(session, study, Told("wording", detail, ""), digest, "site", now())

"""The commands that store licensed wording: `wording import`, `renew` and `end`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pro_app.cli_desk import Day, Desk, desk, now, study_option
from pro_app.core.licence import MODES
from pro_app.core.study import LANGUAGES

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pro_app.services.studies import CurrentStudy
    from pro_app.services.wording_import import AnyFault, ReadFile
    from pro_app.services.wordings import Terms

FEWEST = 8  # characters of a fingerprint that name a wording


def _modes(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> frozenset[str]:
    found = frozenset(one.strip() for one in (value or "").split(",") if one.strip())
    unknown = sorted(found - set(MODES))
    if unknown or not found:
        named = ", ".join(map(repr, unknown)) or "none"
        raise click.BadParameter(f"some of {','.join(MODES)}, not {named}")
    return found


def terms_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what a licence permits."""
    for option in reversed((
        click.option("--holder", required=True, help="Who holds the licence."),
        click.option("--licence", "number", required=True, help="Its number."),
        click.option(
            "--modes", required=True, callback=_modes, metavar="MODE,...",
            help=f"How the text may be read: {', '.join(MODES)}.",
        ),
        click.option("--valid-until", "until", required=True, type=Day(), help="The last day."),
        click.option("--from", "from_on", type=Day(), help="The first day. Default: today."),
        click.option("--study", "study_code", help="Only for this study. Default: every study."),
        click.option("--site", "site_code", help="Only for this site of the study."),
    )):  # fmt: skip
        command = option(command)
    return command


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--instrument", help="Needed where the file does not say it.")
@click.option("--language", type=click.Choice(LANGUAGES), help="Likewise.")
@click.option("--version", required=True, help="The owner's name for this text.")
@terms_options
@click.option(
    "--confirm",
    "confirmed",
    multiple=True,
    metavar="KEY",
    help="A doubtful text that you have compared with the owner's: it really is so. Repeatable.",
)
def wording_import(
    file: Path,
    instrument: str | None,
    language: str | None,
    version: str,
    confirmed: tuple[str, ...],
    **given: Any,
) -> None:
    """Store the licensed text of a filled FILE: XLSX, CSV, or FHIR in JSON.

    Every fault is told; with any, nothing is stored. The same command is repeated for every
    language.
    """
    from pro_app.cli_wording import start_of
    from pro_app.services import wording_import as importing
    from pro_app.services import wordings

    at, data = desk(), start_of(file)
    said = importing.named(data, at.library) if None in (instrument, language) else (None, None)
    code, chosen = instrument or said[0], language or said[1]
    if code is None or chosen is None:
        raise click.UsageError("The file does not say it: name --instrument and --language.")
    if code not in at.library.instruments:
        there = ", ".join(at.library.instruments)
        raise click.UsageError(f'There is no instrument "{code}". There are: {there}.')
    with at.database.writing() as session:
        studies, terms = _terms(at, session, **given)
        found = _read(at, session, data, code, chosen, confirmed)
        moment = now()
        made = wordings.store(
            session, at.library.instruments[code], chosen, version, found.texts, found.sha256,
            terms, "site", moment, found.confirmed,
        )  # fmt: skip
        _from_when(studies, code, chosen, made.fingerprint, terms)
    click.echo(f"{code} {chosen}, version {made.version}: {len(found.texts)} texts")
    _told(made.fingerprint, terms, given)


def _read(
    at: Desk, session: Session, data: bytes, code: str, language: str, confirmed: Sequence[str]
) -> ReadFile:
    from pro_app.services import wording_file
    from pro_app.services import wording_import as importing

    stored = importing.stored(session, code)
    wanted = wording_file.wanted_of(at.library, code, language, stored)
    try:
        return importing.read(data, wanted, confirmed)
    except importing.ImportRefused as refused:
        tell(refused.faults, "nothing was stored")
        raise AssertionError from None  # `tell` has stopped


def tell(faults: Sequence[AnyFault], outcome: str) -> None:
    """Print every fault and stop; `outcome` says what was not done."""
    from pro_app.core.wording_faults import Fault

    for one in faults:
        if isinstance(one, Fault) and one.sheet and one.row is None and one.key:
            click.echo(f"{one.sheet}, {one.key}: {one.reason}")  # a path in a JSON file
        else:
            click.echo(one)
    if any(isinstance(one, Fault) and one.doubtful for one in faults):
        click.echo("If a doubtful text is the owner's all the same, name its key with --confirm.")
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    raise click.ClickException(f"{count}; {outcome}")


def _terms(
    at: Desk,
    session: Session,
    study_code: str | None,
    site_code: str | None,
    from_on: date | None,
    **given: Any,
) -> tuple[list[CurrentStudy], Terms]:
    """The studies that are meant, and the terms."""
    import sqlalchemy as sa

    from pro_app.models import Study
    from pro_app.services import participants, studies
    from pro_app.services.wordings import Terms

    if site_code is not None and study_code is None:
        raise click.UsageError("A site is one of a study: name it with --study.")
    if study_code is not None:
        meant = [at.study(session, study_code)]
    else:
        ids = session.scalars(sa.select(Study.id).order_by(Study.id)).all()
        meant = [studies.current(session, at.library, one) for one in ids]
    site_id = None
    if site_code is not None:
        known = {one.code: one.id for one in participants.sites(session, meant[0].id, None)}
        if site_code not in known:
            raise click.ClickException(f"the study has no site {site_code!r}")
        site_id = known[site_code]
    first = from_on or (_today(meant[0]) if meant else now().date())
    study_id = meant[0].id if study_code is not None else None
    return meant, Terms(from_on=first, study_id=study_id, site_id=site_id, **given)


def _today(study: CurrentStudy) -> date:
    return now().astimezone(study.definition.zone).date()


def _from_when(
    studies: Sequence[CurrentStudy], code: str, language: str, text: str, terms: Terms
) -> None:
    """Stop where the day is one on which somebody may already have read another text."""
    from pro_app.services import wording_import as importing

    for one in studies:
        first = importing.earliest(one.wordings, code, language, text, terms, _today(one))
        if first is not None and terms.from_on < first:
            raise click.ClickException(
                f"another wording is in force in {one.definition.code}: this one can begin on "
                f"{first}, and not earlier; say so with --from. Nothing was stored"
            )


def _told(fingerprint: str, terms: Terms, given: dict[str, Any]) -> None:
    where = f"study {given['study_code']}" if given["study_code"] else "every study"
    where += f", site {given['site_code']}" if given["site_code"] else ", every site"
    click.echo(f"fingerprint {fingerprint}")
    click.echo(f"licensed from {terms.from_on} until {terms.until} for {where}")


@click.command("renew")
@click.argument("fingerprint")
@terms_options
@click.option("--reason", default="", help="Why, for the record.")
def wording_renew(fingerprint: str, **given: Any) -> None:
    """License the stored wording with this FINGERPRINT (or its beginning) anew."""
    from pro_app.services import wordings

    at = desk()
    with at.database.writing() as session:
        studies, terms = _terms(at, session, **given)
        licence = wordings.renew(session, _hex(fingerprint), terms, "site", now())
        row = licence.wording
        _from_when(studies, row.instrument, row.language, row.fingerprint, terms)
        text = row.fingerprint
    _told(text, terms, given)


@click.command("end")
@click.argument("fingerprint")
@click.option("--from", "from_on", required=True, type=Day(), help="The first day without it.")
@study_option
@click.option("--site", "site_code", help="Only at this site of the study.")
@click.option("--reason", default="", help="Why, for the record.")
def wording_end(
    fingerprint: str, from_on: date, study_code: str | None, site_code: str | None, reason: str
) -> None:
    """Read the wording with this FINGERPRINT no more in a study from a day on."""
    from pro_app.services import participants, wording_licences

    at = desk()
    with at.database.writing() as session:
        study = at.study(session, study_code)
        sites = {one.code: one.id for one in participants.sites(session, study.id, None)}
        if site_code is not None and site_code not in sites:
            raise click.ClickException(f"the study has no site {site_code!r}")
        site_id = None if site_code is None else sites[site_code]
        wording_licences.end(
            session, study, _hex(fingerprint), from_on, site_id, reason, "site", now()
        )
    click.echo(f"not read any more from {from_on}")


def _hex(fingerprint: str) -> str:
    found = fingerprint.strip().lower()
    if len(found) < FEWEST or set(found) - set("0123456789abcdef"):
        raise click.UsageError(f"A fingerprint is at least {FEWEST} digits and letters a to f.")
    return found

"""The command `wording list`: what is licensed, what ends, and what should be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from pro_app.cli_desk import desk, now, study_option

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy.orm import Session

    from pro_app.core.licence_state import Standing
    from pro_app.services.studies import CurrentStudy
    from pro_app.services.wording_ends import Affected

HEADER = (
    "instrument", "language", "version", "fingerprint", "holder", "number", "modes", "site", "from",
    "until", "state",
)  # fmt: skip


@click.command("list")
@study_option
def wording_list(study_code: str | None) -> None:
    """Every licence of a study, in columns between tabs; below, what ends within 90 days and whom
    that affects, and which translations' source has changed."""
    from pro_app.core import licence_state

    at = desk()
    with at.database.reading() as session:
        study = at.study(session, study_code)
        today = now().astimezone(study.definition.zone).date()
        codes = _site_codes(session, study)
        click.echo("\t".join(HEADER))
        for one in licence_state.standings(study.wordings, today):
            click.echo("\t".join(_columns(one, codes)))
        for line in (*_ends(session, study), *_doubted(session, study)):
            click.echo(line)


def _site_codes(session: Session, study: CurrentStudy) -> dict[int | None, str]:
    from pro_app.services import participants

    return {one.id: one.code for one in participants.sites(session, study.id, None)}


def _columns(one: Standing, codes: dict[int | None, str]) -> Iterator[str]:
    licence = one.licence
    yield from (licence.instrument, licence.language, licence.version, licence.wording[:12])
    yield from (licence.holder, licence.number, ",".join(sorted(licence.modes)) or "none")
    yield "every site" if licence.site is None else codes.get(licence.site, "?")
    yield from (licence.from_on.isoformat(), licence.until.isoformat())
    yield _state(one, licence.from_on)


def _state(one: Standing, from_on: date) -> str:
    words = {
        "in_force": "in force",
        "later": f"from {from_on}",
        "ended": "ended",
        "taken_back": "ended",
        "replaced": "replaced",
    }
    return words[one.state]


def _ends(session: Session, study: CurrentStudy) -> Iterator[str]:
    from pro_app.services import wording_ends

    for one in wording_ends.ending(session, study, now()):
        licence, modes = one.ending.licence, ",".join(sorted(one.ending.modes))
        back = "" if one.ending.back is None else f" until {one.ending.back}"
        yield f"ends: {licence.instrument} {licence.language} {modes} from {one.ending.on}{back}"
        yield from _affected(one.affected)
    for gone in wording_ends.unread(session, study, now()):
        yield f"cannot be read now: {gone.instrument} {gone.language}"
        yield from _affected(gone.affected)


def _affected(found: tuple[Affected, ...]) -> Iterator[str]:
    for one in found:
        yield (
            f"  site {one.site}: {one.people} participants, {one.assessments} questionnaires, "
            f"first on {one.first}"
        )


def _doubted(session: Session, study: CurrentStudy) -> Iterator[str]:
    from pro_app.services import translations

    for one in translations.doubted(session, study, now()):
        said = one.translation
        yield (
            f"source changed: {one.instrument} {said.language} {said.version}, since "
            f"{one.source.version}: {', '.join(changed.place for changed in one.places)}"
        )

"""The commands of `staff`: accounts, what they may do where, and the register."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

from pro_app.cli_desk import Day, Desk, desk, now, study_option
from pro_app.cli_text import columns, moment_text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from pro_app.models import Staff

FAULTS = {
    "email": "this is not an e-mail address",
    "known": "this address has an account already",
    "name": "a name has 1 to 120 characters, and no national identity number",
    "language": "the language must be ms, en, zh_Hans or ta",
    "training": "the day of training must be known, and not lie in the future",
    "disabled": "this account has ended",
    "role": "the role must be administrator, coordinator, investigator or researcher",
    "site": "the study has no such site",
    "had": "this person has that role already",
}
site_option = click.option("--site", "site_code", help="the site's code; every site if left out")


@click.group("staff")
def staff_group() -> None:
    """People of the sites and the study: accounts, roles, invitations."""


@staff_group.command("add")
@click.argument("email")
@click.option("--name", required=True, help="first and last name")
@click.option("--language", default="en", show_default=True, help="ms, en, zh_Hans or ta")
@click.option("--trained-on", type=Day(), help="the day of the training that comes before access")
@click.option("--role", required=True)
@site_option
@study_option
def staff_add(
    email: str,
    name: str,
    language: str,
    trained_on: date | None,
    role: str,
    site_code: str | None,
    study_code: str | None,
) -> None:
    """An account for the person with this EMAIL, with a role; print the invitation."""
    from pro_app.services import staff

    at = desk()
    with at.database.writing() as session:
        study_id, site_id = _place(at, session, study_code, site_code)
        try:
            person = staff.add(session, email, name, language, trained_on, now())
            staff.grant(session, person.id, study_id, site_id, role, now())
            code = staff.invite(session, person.id, at.settings.secret_key, now())
        except staff.StaffError as error:
            raise click.ClickException(FAULTS[error.code]) from error
    _print_invitation(at, code)


@staff_group.command("invite")
@click.argument("email")
def staff_invite(email: str) -> None:
    """Another invitation: for whom the first has expired, or who has lost password or phone."""
    from pro_app.services import account_mail, staff

    at = desk()
    with at.database.writing() as session:
        person = _person(session, email)
        opened = person.password_hash is not None
        try:
            code = staff.invite(session, person.id, at.settings.secret_key, now())
        except staff.StaffError as error:
            raise click.ClickException(FAULTS[error.code]) from error
    if opened:
        account_mail.tell_invited(at.office(), person.id)
    _print_invitation(at, code)


@staff_group.command("grant")
@click.argument("email")
@click.argument("role")
@site_option
@study_option
def staff_grant(email: str, role: str, site_code: str | None, study_code: str | None) -> None:
    """Let the person do one thing more: a ROLE at a site, or at all."""
    from pro_app.services import staff

    at = desk()
    with at.database.writing() as session:
        study_id, site_id = _place(at, session, study_code, site_code)
        try:
            staff.grant(session, _person(session, email).id, study_id, site_id, role, now())
        except staff.StaffError as error:
            raise click.ClickException(FAULTS[error.code]) from error


@staff_group.command("end")
@click.argument("email")
@click.argument("role")
@site_option
@study_option
def staff_end(email: str, role: str, site_code: str | None, study_code: str | None) -> None:
    """Take a ROLE away from now on."""
    from pro_app.services import staff

    at = desk()
    with at.database.writing() as session:
        place = _place(at, session, study_code, site_code)
        person = _person(session, email)
        found = [
            one.id
            for one in staff.living_roles(session, person.id, now())
            if (one.study_id, one.site_id) == place and one.role == role
        ]
        if not found:
            raise click.ClickException("this person has no such role there")
        staff.end_role(session, person.id, found[0], now())


@staff_group.command("disable")
@click.argument("email")
def staff_disable(email: str) -> None:
    """End an account: roles, sessions and invitations are dead at once."""
    from pro_app.services import staff

    at = desk()
    with at.database.writing() as session:
        staff.disable(session, _person(session, email).id, now())


@staff_group.command("list")
@study_option
def staff_list(study_code: str | None) -> None:
    """The register: who may or might do what, where, from when until when."""
    from pro_app.services import register

    at = desk()
    with at.database.reading() as session:
        study = at.study(session, study_code)
        zone = study.definition.zone
        lines = [
            (
                one.name,
                one.email,
                one.role,
                one.site or "every site",
                f"trained {one.trained_on}",
                f"from {moment_text(one.begins_at, zone)}",
                "" if one.ends_at is None else f"until {moment_text(one.ends_at, zone)}",
            )
            for one in register.lines(session, study.id)
        ]
    for line in columns(lines) if lines else ("nobody yet",):
        click.echo(line)


def _place(
    at: Desk, session: Session, study_code: str | None, site_code: str | None
) -> tuple[int, int | None]:
    """The ids of a study and of one of its sites."""
    from pro_app.services import participants

    study = at.study(session, study_code)
    if site_code is None:
        return study.id, None
    sites = participants.sites(session, study.id, None)
    found = next((one.id for one in sites if one.code == site_code), None)
    if found is None:
        raise click.ClickException(FAULTS["site"])
    return study.id, found


def _person(session: Session, email: str) -> Staff:
    from pro_app.services import staff

    found = staff.find(session, email)
    if found is None:
        raise click.ClickException(f"nobody has the address {email!r}")
    return found


def _print_invitation(at: Desk, code: str) -> None:
    parts = " ".join(code[place : place + 4] for place in range(0, len(code), 4))
    click.echo(f"code  {parts}   (one use, 24 hours)")
    click.echo(f"link  {at.settings.public_url}/staff/invitation#{code}")

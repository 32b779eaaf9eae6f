"""The commands of `token`: which tokens let programs read a study, and ending one."""

from __future__ import annotations

import click

from pro_app.cli_desk import desk, now, study_option
from pro_app.cli_text import columns, moment_text


@click.group("token")
def token_group() -> None:
    """Tokens by which researchers' programs read a study. They are made in the staff's pages."""


@token_group.command("list")
@study_option
def token_list(study_code: str | None) -> None:
    """Every token of a study, the newest first."""
    from pro_app.services import api_tokens

    at = desk()
    with at.database.reading() as session:
        study = at.study(session, study_code)
        zone = study.definition.zone
        lines = [
            (
                one.public_id,
                one.name,
                one.maker,
                ",".join(one.scopes),
                "every site" if one.sites is None else f"site {','.join(one.sites)}",
                "study days" if one.days_only else "",
                one.state,
                f"until {moment_text(one.expires_at, zone)}",
                ""
                if one.last_used_at is None
                else f"last used {moment_text(one.last_used_at, zone)}",
            )
            for one in api_tokens.listed(session, study.id, now())
        ]
    for line in columns(lines) if lines else ("none yet",):
        click.echo(line)


@token_group.command("revoke")
@click.argument("token")
@click.option("--reason", required=True, help="why; it is put on record")
@study_option
def token_revoke(token: str, reason: str, study_code: str | None) -> None:
    """End the TOKEN of this name, as `list` shows it, at once."""
    from pro_app.services import api_tokens, trail_export

    at = desk()
    with at.database.writing() as session:
        study = at.study(session, study_code)
        try:
            why = trail_export.reason(reason)
            api_tokens.revoke(session, study, token, why, now(), None)
        except trail_export.ExportError as error:
            raise click.ClickException(str(error)) from error
        except api_tokens.TokenError as error:
            raise click.ClickException(f"there is no living token {token!r}") from error

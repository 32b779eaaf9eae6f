"""`pro-app demo`: the demonstration study, built anew and served on this machine."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import click
import waitress

from pro_app import create_app
from pro_app.cli_participant import joining_link, print_joining
from pro_app.cli_serve import embedded_worker, end_by_sigterm
from pro_app.config import ROOT, read_settings
from pro_app.core.library import load_library
from pro_app.demo.people import PEOPLE, build
from pro_app.migrations import upgrade
from pro_app.models import Database


def run(port: int) -> None:
    """Build the study in a fresh SQLite file, print what to open, and serve until stopped."""
    instance = ROOT / "instance" / "demo"
    instance.mkdir(parents=True, exist_ok=True)
    for leftover in instance.glob("pro_app.sqlite3*"):
        leftover.unlink()
    settings = read_settings(
        {
            "PRO_INSTANCE": str(instance),
            "PRO_DEMO": "1",
            "PRO_PUBLIC_URL": os.environ.get("PRO_PUBLIC_URL", f"http://localhost:{port}"),
            **{k: v for k, v in os.environ.items() if k.startswith("PRO_SECRET_KEY")},
        }
    )
    database = Database(settings.database_url)
    upgrade(database)
    library = load_library(ROOT / "questionnaires")
    with database.writing() as session:
        codes = build(session, library, settings.secret_key, datetime.now(UTC))
    app = create_app(settings)
    languages = {one.number: one.language for one in PEOPLE}
    for number, code in codes.items():
        print_joining(settings, code, languages[number])
        click.echo(
            f"join as {number}:             {joining_link(settings, code, languages[number])}"
        )
    click.echo(f"people who have joined:  {settings.public_url}/demo")
    click.echo("Ctrl-C stops the demonstration.", err=False)
    with embedded_worker(settings):
        end_by_sigterm()
        waitress.serve(app, host="127.0.0.1", port=port, threads=8, ident=None)

"""The examples in R and Python, run against a served application, say what the exports say."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import polars as pl
import pytest
from waitress import create_server

from pro_app.config import ROOT
from pro_app.services import tables
from pro_app.services.tables import Request
from tests.conftest import Site, TestClock, make_app
from tests.services.test_api_tokens import make, maker_at

EXAMPLES = ROOT / "deploy" / "examples"
PATIENCE = 300  # seconds; a busy machine is no fault


@pytest.fixture
def lived(web_site: Site) -> Site:
    """Enough people for several pages: one submits both questionnaires, one a half of one."""
    for n in range(1, 9):
        for sheet in web_site.open(web_site.enrol(f"01-00{n}")):
            web_site.answer_all(sheet, n)
            if n != 8:
                web_site.submit(sheet)
    return web_site


@pytest.fixture
def address(lived: Site, sqlite_url: str, clock: TestClock) -> Iterator[str]:
    """The address of a served application; its links lead to itself."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    app = make_app(sqlite_url, clock, url)
    server = create_server(app, sockets=[listening], threads=2)
    running = threading.Thread(target=server.run)
    running.start()
    yield url
    server.trigger.pull_trigger(lambda: server.asyncore.close_all(server._map))
    running.join(PATIENCE)
    assert not running.is_alive()
    server.task_dispatcher.shutdown()
    app.extensions["pro_app"].database.close()


def expected(site: Site) -> list[tuple[str, str, int, str]]:
    """What the examples print, made of the table itself."""
    with site.database.snapshot() as session:
        request = Request(site.study, site.library, "en", site.clock())
        frames = list(tables.table(session, "scores_long", request).frames())
    means = (
        pl.concat(frames)
        .group_by("scoring", "scale")
        .agg(pl.col("value").count().alias("n"), pl.col("value").mean().alias("mean"))
        .sort("scoring", "scale")
    )
    return [
        (scoring, scale, n, "NA" if mean is None else f"{mean:.4f}")
        for scoring, scale, n, mean in means.iter_rows()
    ]


def printed(command: list[str], address: str, token: str) -> list[list[str]]:
    """The lines of an example's table, each by its cells."""
    known = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    told = subprocess.run(
        command,
        env={**known, "PRO_APP_ADDRESS": address, "PRO_APP_TOKEN": token},
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert token not in told.stdout + told.stderr
    lines = told.stdout.splitlines()
    assert lines[0].startswith("Note: "), "the wording is a demonstration"
    start = lines.index("scoring\tscale\tn\tmean")
    return [line.split("\t") for line in lines[start + 1 :]]


@pytest.mark.parametrize("rows", [5000, 40])
@pytest.mark.parametrize("example", ["read_scores.py", "read_scores.R"])
def test_an_example_reads_what_the_exports_have(
    lived: Site, address: str, example: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one page and on several."""
    monkeypatch.setattr("pro_app.web.api_request.MOST_ROWS", 5000)
    path = EXAMPLES / example
    text = path.read_text(encoding="utf-8")
    assert "limit=5000" in text
    command = [sys.executable, "-c", text.replace("limit=5000", f"limit={rows}")]
    if example.endswith(".R"):
        program = shutil.which("Rscript")
        assert program is not None, "R is needed"
        command = [program, "-e", text.replace("limit=5000", f"limit={rows}")]
    token = make(lived, maker_at(lived, "Rita"), scopes=frozenset({"scores"}))
    wanted = expected(lived)
    assert len(wanted) > 20
    found = [(scoring, scale, int(n), mean) for scoring, scale, n, mean in
             printed(command, address, token)]  # fmt: skip
    assert sorted(found) == wanted

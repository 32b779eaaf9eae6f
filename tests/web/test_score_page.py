"""Scoring a file by page: the same scores and faults as the command line's, and nothing is kept."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask import Flask

from pro_app.cli_score import score as score_command
from pro_app.core.file_table import HIDDEN
from pro_app.core.scoring import half_up
from pro_app.models import AuditEntry
from pro_app.services import score_file, staff
from pro_app.services.score_file_faults import PROBLEMS_SHOWN, REASONS
from pro_app.web import score_page, score_words
from tests.conftest import Site, TestClock, snapshot
from tests.pages import Browser, Page
from tests.services.csv_files import HEADER, row, table
from tests.services.test_score_file_rows import FAULTS
from tests.web.test_staff import EMAIL, Desk, at, invite
from tests.web.test_staff_access import sign_in

PATH = "/scoring"
MOS = "sf36v1/mos_us1990"
GOOD = table(
    row("P1"),
    row("=P2", PF01="3", MH1="6"),
    row("ஆறு", RP1="", RP2="", RP3=""),
    row("病人", HT="NA"),
)
MYKAD = "900101-14-5678"


@pytest.fixture
def desk(app: Flask, web_site: Site) -> Browser:
    """A researcher's browser."""
    return sign_in(app, web_site, "researcher", None)


def upload(desk: Browser, site: Site, data: bytes, status: int = 200, **fields: str) -> Page:
    """Choose algorithm and file, and score."""
    desk.get(at(site, PATH))
    given = {"scoring": MOS, "csrf_token": desk.page.token(), **fields}
    sent = {**given, "file": (io.BytesIO(data), "answers.csv")}
    desk.response = desk.client.post(at(site, PATH), data=sent, headers=desk.accept)
    return desk._see(status)


def carried(desk: Browser) -> dict[str, str]:
    """What the first form of the page that carries a file would send."""
    inputs = [one for one in desk.page.all("input") if one.get("type") == "hidden"]
    start = next(n for n, one in enumerate(inputs) if one.get("name") == "packed")
    return {str(one["name"]): str(one["value"]) for one in inputs[start : start + 3]}


def downloaded(desk: Browser, site: Site) -> bytes:
    """The scored file, by the button of the page that is shown."""
    data = {"csrf_token": desk.page.token(), **carried(desk)}
    response = desk.client.post(at(site, f"{PATH}/scores.csv"), data=data, buffered=True)
    assert response.status_code == 200
    assert response.mimetype == "text/csv"
    assert response.headers["Cache-Control"] == "no-store"
    assert (
        "attachment; filename=sf36v1-mos_us1990-scores.csv"
        in response.headers["Content-Disposition"]
    )
    return response.data


def cells(page: Page) -> list[list[str]]:
    """The rows of the page's table, as they are read."""
    body = re.findall(r"<tbody[^>]*>(.*?)</tbody>", page.text, re.DOTALL)[0]
    return [
        [
            html.unescape(re.sub("<[^>]+>", "", cell)).strip()
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.DOTALL)
        ]
        for line in re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.DOTALL)
    ]


def by_command(data: bytes, folder: Path, invalid: str = "refuse") -> tuple[int, bytes, list[str]]:
    """What `pro-app score` makes of the same file: exit code, scores, and faults."""
    source, target = folder / "in.csv", folder / "out.csv"
    source.write_bytes(data)
    command = ["sf36v1", str(source), "--scoring", "mos_us1990", "--output", str(target)]
    done = CliRunner().invoke(score_command, [*command, "--invalid", invalid])
    return (
        done.exit_code,
        target.read_bytes() if target.exists() else b"",
        done.stderr.splitlines(),
    )


# --- scores -------------------------------------------------------------------------------------


def test_the_scores_are_the_command_lines(desk: Browser, web_site: Site, tmp_path: Path) -> None:
    upload(desk, web_site, GOOD)
    assert "4 rows were scored." in desk.page.text
    assert (0, downloaded(desk, web_site), []) == by_command(GOOD, tmp_path)


def test_a_large_file_goes_the_fast_way_and_says_the_same(
    desk: Browser, web_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = table(*(row(f"P{n}", PF01=str(n % 3 + 1)) for n in range(500)))
    monkeypatch.setattr(score_file, "FAST_FROM", 1)
    upload(desk, web_site, data)
    fast = downloaded(desk, web_site)
    monkeypatch.undo()
    assert (0, fast, []) == by_command(data, tmp_path)


def test_the_summary_tells_what_the_file_says(desk: Browser, web_site: Site) -> None:
    upload(desk, web_site, GOOD)
    page = desk.page
    lines = list(csv.DictReader(io.StringIO(downloaded(desk, web_site).decode())))
    assert len(cells(page)) == 10
    for name, scored, without, mean, _sd, lowest, highest in cells(page):
        code = name.split()[0]
        values = [float(line[code]) for line in lines if line[code]]
        assert int(scored) == len(values)
        assert int(without.split()[0]) == 4 - len(values)
        assert mean == half_up(sum(values) / len(values))
        assert (lowest, highest) == (half_up(min(values)), half_up(max(values)))
    missing = {line[0].split()[0]: line[2] for line in cells(page)}
    assert missing["RP"] == "1 too few answers"
    assert missing["PCS"] == "1 needs all scales"
    assert missing["PF"] == "0"


def test_the_algorithm_and_its_sources_are_named(desk: Browser, web_site: Site) -> None:
    upload(desk, web_site, GOOD)
    scoring = web_site.library.instruments["sf36v1"].scorings["mos_us1990"]
    text = html.unescape(desk.page.text)
    for said in (scoring.algorithm, scoring.title, *scoring.sources, scoring.norm_source):
        assert str(said) in text
    assert "It is a file for programs" in text


def test_invalid_values_may_count_as_missing(desk: Browser, web_site: Site, tmp_path: Path) -> None:
    data = table(row("P1", PF01="9"), row("P2"))
    upload(desk, web_site, data, invalid="missing")
    assert "In 1 row a value counted as missing" in desk.page.text
    assert (0, downloaded(desk, web_site), []) == by_command(data, tmp_path, "missing")


# --- faults -------------------------------------------------------------------------------------


def test_every_fault_of_the_command_line_is_told(
    desk: Browser, web_site: Site, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    for data, expected in FAULTS:
        if not data:
            continue  # said beside the field
        with subtests.test(expected[0]):
            upload(desk, web_site, data, status=422)
            assert by_command(data, tmp_path) == (2, b"", expected)
            told = cells(desk.page)
            assert len(told) == len(expected)
            for (line, column, value, reason), sentence in zip(told, expected, strict=True):
                place = re.match(r"line (\d+)(?:, column ([^:]+))?: ", sentence)
                assert line == (place[1] if place else "the whole file")
                assert column == ((place and place[2]) or "–")
                assert value in {"–", "E4"} or f'"{value}"' in sentence
                assert reason


def test_every_fault_has_its_words(app: Flask) -> None:
    assert score_words.REASONS.keys() == REASONS.keys()
    with app.test_request_context():
        for code, sentence in REASONS.items():
            names = set(re.findall(r"\{(\w+)\}", sentence)) - {"value"}
            assert set(re.findall(r"%\((\w+)\)s", str(score_words.REASONS[code]))) == names


def test_a_value_that_tells_who_somebody_is_is_not_repeated(desk: Browser, web_site: Site) -> None:
    header = HEADER.replace("PF01", MYKAD)
    upload(desk, web_site, table(row("P1", PF02=MYKAD, PF03="x" * 90), header=header), status=422)
    assert MYKAD not in desk.page.text
    assert cells(desk.page)[0][1:3] == [HIDDEN, HIDDEN]
    upload(desk, web_site, table(row("P1", PF02=MYKAD, PF03="<b>" * 30)), status=422)
    assert [line[2] for line in cells(desk.page)] == [HIDDEN, "<b>" * 20 + "..."]
    assert "<b>" not in desk.page.text


def test_the_first_fifty_are_shown_and_all_are_counted(desk: Browser, web_site: Site) -> None:
    upload(desk, web_site, table(*(row(f"P{n}", PF01="7") for n in range(120))), status=422)
    assert "There are 120 faults in the file." in desk.page.text
    assert f"The first {PROBLEMS_SHOWN} of 120." in desk.page.text
    assert len(cells(desk.page)) == PROBLEMS_SHOWN


def test_a_file_with_wrong_values_alone_can_be_scored_all_the_same(
    desk: Browser, web_site: Site, tmp_path: Path
) -> None:
    data = table(row("P1", PF01="9"), row("P2"))
    upload(desk, web_site, data, status=422)
    desk.post(at(web_site, PATH), **carried(desk))
    assert (0, downloaded(desk, web_site), []) == by_command(data, tmp_path, "missing")
    upload(desk, web_site, table(row("P1", PF01="9"), row("P1")), status=422)
    assert "packed" not in desk.page.text


def test_what_is_wrong_with_the_form_is_said_beside_the_field(
    desk: Browser, web_site: Site, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    monkeypatch.setattr(score_page, "MOST_BYTES", 5_000)
    for data, scoring, named in (
        (b"", MOS, ["file"]),
        (GOOD, "", ["scoring"]),
        (GOOD, "sf36v1/us1998", ["scoring"]),
        (GOOD, "../x/y", ["scoring"]),
        (b"", "x", ["scoring", "file"]),
        (b"x" * 5_001, MOS, ["file"]),
    ):
        with subtests.test(scoring=scoring, size=len(data)):
            upload(desk, web_site, data, 422, scoring=scoring)
            assert re.findall(r'<li><a href="#(\w+)">', desk.page.text) == named


def test_what_was_chosen_stays_chosen(desk: Browser, web_site: Site) -> None:
    upload(desk, web_site, b"", 422, scoring="sf36v2/us1998", invalid="missing")
    checked = [one.get("value") for one in desk.page.all("input") if "checked" in one]
    assert checked == ["sf36v2/us1998", "missing"]


def test_a_download_without_its_file_asks_for_it_again(desk: Browser, web_site: Site) -> None:
    upload(desk, web_site, GOOD)
    fields = carried(desk)
    for damage in ({"packed": ""}, {"packed": "AAAA"}, {"scoring": "no/no"}):
        desk.get(at(web_site, PATH))
        desk.post(at(web_site, f"{PATH}/scores.csv"), 422, **fields | damage)
        assert 'href="#file"' in desk.page.text


# --- what is kept -------------------------------------------------------------------------------


def test_only_that_it_was_done_is_put_on_record(desk: Browser, web_site: Site) -> None:
    before = snapshot(web_site.database)
    upload(desk, web_site, table(row("P1", PF01="9")), status=422)
    assert snapshot(web_site.database) == before
    upload(desk, web_site, GOOD)
    downloaded(desk, web_site)
    after = snapshot(web_site.database)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"audit_entry"}
    with web_site.database.reading() as session:
        entry = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action == "score_file")
        ).one()
    scoring = web_site.library.instruments["sf36v1"].scorings["mos_us1990"]
    assert (entry.new, entry.actor.partition("/")[0]) == ("4", "staff")
    told = entry.detail if isinstance(entry.detail, dict) else json.loads(entry.detail)
    assert told == {
        "instrument": "sf36v1",
        "algorithm": scoring.algorithm,
        "sha256": hashlib.sha256(GOOD).hexdigest(),
    }


def test_the_log_tells_nothing_of_the_file(
    desk: Browser, web_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    upload(desk, web_site, table(row("somebody-known", PF01="9")), status=422)
    upload(desk, web_site, table(row("somebody-known")))
    assert "somebody-known" not in caplog.text


def test_a_researcher_comes_to_the_room_at_once(desk: Browser, web_site: Site) -> None:
    desk.get("/staff/")
    assert desk.path.startswith(at(web_site))
    assert f'href="{at(web_site, PATH)}"' in desk.page.text


def test_files_to_fill_in_have_every_column(desk: Browser, web_site: Site) -> None:
    for code, instrument in web_site.library.instruments.items():
        response = desk.client.get(at(web_site, f"{PATH}/template/{code}.csv"))
        assert response.text == ",".join(["id", *(one.code for one in instrument.items)]) + "\r\n"
    assert desk.client.get(at(web_site, f"{PATH}/template/none.csv")).status_code == 404


def walk(desk: Desk, site: Site) -> None:
    """The form, every fault, and scores with and without values that count as missing."""
    with site.database.writing() as session:
        person = staff.find(session, EMAIL)
        assert person is not None
        staff.grant(session, person.id, site.study.id, None, "researcher", site.clock())
    upload(desk, site, b"", 422, scoring="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(score_page, "MOST_BYTES", 5_000)
        upload(desk, site, b"x" * 5_001, 422)
    for data, _ in FAULTS:
        if data:
            upload(desk, site, data, 422)
    upload(desk, site, table(*(row(f"P{n}", PF01="7") for n in range(60))), 422)
    upload(desk, site, table(row("P1", PF01="7")), invalid="missing")
    upload(desk, site, GOOD)
    desk.post(at(site, f"{PATH}/scores.csv"), 422, scoring="", packed="")


def test_the_walk(app: Flask, web_site: Site, clock: TestClock) -> None:
    desk = Desk(app, clock)
    desk.set_up(invite(web_site))
    walk(desk, web_site)
    with web_site.database.reading() as session:
        entries = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "score_file"))
        assert [one.new for one in entries] == ["1", "4"]

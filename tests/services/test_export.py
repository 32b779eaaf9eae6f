"""Exports: the same columns always, a row per assessment, every cell explained."""

from __future__ import annotations

import copy
import csv
import hashlib
import io
import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pro_app.core.scoring import score
from pro_app.models import Assessment, AuditEntry, StudyVersion
from pro_app.services import assessments, batches, enrolment, export, studies
from pro_app.services.answers import Operation, Origin
from pro_app.services.export import Request
from tests.conftest import Site
from tests.services.correcting import ADMINISTRATIVE, REJECTED, Desk, open_desk
from tests.services.csv_files import FORMS, exactly, output
from tests.services.test_submissions import together

Row = dict[str, str]


@dataclass
class Export:
    """What came out: columns, rows, and the codebook's lines by column."""

    columns: list[str]
    rows: list[Row]

    def row(self, **wanted: str) -> Row:
        """The one row with these cells."""
        found = [row for row in self.rows if wanted.items() <= row.items()]
        assert len(found) == 1
        return found[0]


def request_for(site: Site, what: str, language: str = "en", exact: bool = False) -> Request:
    with site.database.reading() as session:
        study = studies.current(session, site.library, site.study.id)
    return Request(what, study, site.library, language, exact, site.clock())


def exported(site: Site, what: str = "answers", exact: bool = False) -> Export:
    file = io.StringIO()
    with site.database.reading() as session:
        digest = export.write_rows(session, request_for(site, what, exact=exact), file)
    assert digest == hashlib.sha256(file.getvalue().encode()).hexdigest()
    reader = csv.DictReader(io.StringIO(file.getvalue()), strict=True)
    return Export(list(reader.fieldnames or ()), list(reader))


def codebook(site: Site, what: str = "answers", language: str = "en") -> list[Row]:
    file = io.StringIO()
    export.write_codebook(request_for(site, what, language), file)
    return list(csv.DictReader(io.StringIO(file.getvalue()), strict=True))


@pytest.fixture
def lived(site: Site) -> Site:
    """Two people: one submitted, one half done, one repeated, one withdrawn."""
    first = site.enrol("01-002")
    lupusqol, sf36 = site.open(first)
    site.answer_all(lupusqol, place=2)
    site.answer(lupusqol, {"LQ02": "skipped", "LQ15": "not_applicable"}, language="ta")
    site.submit(lupusqol, site.join(first))
    site.answer_all(sf36, place=1)
    site.submit(sf36)
    site.open(first, occurrence=2)
    other = site.enrol("01-001")
    site.open(other)
    with site.database.writing() as session:
        enrolment.withdraw(session, other.id, site.clock())
    return site


@pytest.mark.parametrize("what", ["answers", "scores"])
def test_columns_are_the_same_with_and_without_data(site: Site, what: str) -> None:
    empty = exported(site, what)
    assert empty.rows == []
    site.answer_all(site.open(site.enrol())[0])
    full = exported(site, what)
    assert full.columns == empty.columns
    assert len(full.columns) == len(set(full.columns))
    assert len(full.rows) == 2


def test_every_item_has_its_code_state_and_language(lived: Site) -> None:
    found = exported(lived)
    for instrument in ("lupusqol", "sf36v1", "sf36v2"):
        for item in lived.library.instruments[instrument].items:
            assert {item.code, f"{item.code}_state", f"{item.code}_language"} <= set(found.columns)
    row = found.row(participant="01-002", instrument="lupusqol", occurrence="1")
    assert (row["LQ01"], row["LQ01_state"], row["LQ01_language"]) == ("2", "answered", "en")
    assert (row["LQ02"], row["LQ02_state"], row["LQ02_language"]) == ("", "skipped", "ta")
    assert (row["LQ15"], row["LQ15_state"], row["LQ15_language"]) == ("", "not_applicable", "ta")
    sf36 = lived.library.instruments["sf36v1"].items[0].code
    assert row[f"{sf36}_state"] == "", "an item of another instrument has no state here"


def test_there_is_one_row_per_assessment_in_a_fixed_order(lived: Site) -> None:
    found = exported(lived)
    keys = [
        (row["participant"], row["timepoint"], row["occurrence"], row["instrument"], row["order"])
        for row in found.rows
    ]
    assert keys == [
        ("01-001", "baseline", "1", "lupusqol", "1"),
        ("01-001", "baseline", "1", "sf36v1", "2"),
        ("01-002", "baseline", "1", "lupusqol", "1"),
        ("01-002", "baseline", "2", "lupusqol", "1"),
        ("01-002", "baseline", "1", "sf36v1", "2"),
        ("01-002", "baseline", "2", "sf36v1", "2"),
    ]
    assert exported(lived).rows == found.rows


def test_each_row_tells_its_state_and_where_it_comes_from(lived: Site) -> None:
    found = exported(lived)
    done = found.row(participant="01-002", instrument="lupusqol", occurrence="1")
    assert done["study"] == "test"
    assert (done["study_version"], done["site"], done["status"]) == ("1", "01", "completed")
    assert (done["late"], done["mode"], done["missed_reason"]) == ("0", "own_phone", "")
    fingerprint = lived.library.instruments["lupusqol"].fingerprint
    assert done["instrument_fingerprint"] == fingerprint
    assert len(done["receipt"]) == 14
    waiting = found.row(participant="01-002", instrument="lupusqol", occurrence="2")
    assert (waiting["status"], waiting["mode"], waiting["receipt"]) == ("open", "", "")
    assert waiting["LQ01_state"] == "not_reached"
    gone = found.row(participant="01-001", instrument="sf36v1")
    assert gone["status"] == "not_expected"


def test_times_carry_the_studys_offset(lived: Site) -> None:
    row = exported(lived).row(participant="01-002", instrument="lupusqol", occurrence="1")
    assert row["opens_at"] == "2026-11-23T08:00:00+08:00"
    assert row["closes_at"] == "2026-11-26T09:00:00+08:00"
    for name in ("due_at", "started_at", "completed_at", "submitted_at"):
        assert row[name].endswith("+08:00")


def test_partial(site: Site) -> None:
    """20 of 34 answered when the window closes: the domains whose own rule is met are scored."""
    lupusqol, _ = site.open(site.enrol())
    items = site.library.instruments["lupusqol"].items
    given: dict[str, int | str] = {item.code: item.n % 5 for item in items[:20]}
    given |= {"LQ09": "skipped", "LQ15": "not_applicable"}
    site.answer(lupusqol, given)
    site.clock.now = lupusqol.closes_at + timedelta(hours=2)
    answers = exported(site).row(instrument="lupusqol")
    assert (answers["status"], answers["missed_reason"]) == ("missed", "partial")
    assert answers["submitted_at"] == answers["receipt"] == ""
    states = {item.code: answers[f"{item.code}_state"] for item in items}
    assert (states["LQ09"], states["LQ15"]) == ("skipped", "not_applicable")
    assert [states[item.code] for item in items[20:]] == ["not_reached"] * 14
    scores = exported(site, "scores").row(instrument="lupusqol")
    assert scores["basis"] == "partial"
    scoring = site.library.instruments["lupusqol"].scorings["lupusqol"]
    codes = {item: value for item, value in given.items() if isinstance(value, int)}
    by_scale = {one.scale: one for one in score(scoring, codes)}
    for scale, one in by_scale.items():
        stem = f"lupusqol_{scale}"
        assert scores[stem] == ("" if one.value is None else repr(one.value))
        assert scores[f"{stem}_reason"] == (one.reason or "")
        assert scores[f"{stem}_answered"] == str(one.answered)
    reasons = {one.reason for one in by_scale.values()}
    assert reasons == {None, "too_few_answered"}, "the example has domains of both kinds"
    other = exported(site, "scores").row(instrument="sf36v1")
    assert (other["status"], other["missed_reason"], other["basis"]) == (
        "missed", "not_started", "",
    )  # fmt: skip


def test_what_is_still_open_has_no_scores_yet(site: Site) -> None:
    lupusqol, _ = site.open(site.enrol())
    site.answer_all(lupusqol)
    row = exported(site, "scores").row(instrument="lupusqol")
    assert (row["status"], row["basis"], row["lupusqol_algorithm"]) == ("in_progress", "", "")


def test_exported_answers_give_the_exported_scores_bit_for_bit(lived: Site) -> None:
    answers, scores = exported(lived), exported(lived, "scores")
    checked = 0
    for row, scored in zip(answers.rows, scores.rows, strict=True):
        if scored["basis"] != "submission":
            continue
        instrument = lived.library.instruments[row["instrument"]]
        codes = {item.code: int(row[item.code]) for item in instrument.items if row[item.code]}
        for name in lived.study.definition.instrument(instrument.code).scorings:
            for one in score(instrument.scorings[name], codes):
                stem = f"{name}_{one.scale}"
                assert scored[f"{name}_algorithm"] == one.algorithm
                assert scored[stem] == ("" if one.value is None else repr(one.value))
                norm = one.norm_based
                assert scored[f"{stem}_norm"] == ("" if norm is None else repr(norm))
                checked += 1
    assert checked > 20


def test_the_sealed_answers_are_exported_not_later_ones(lived: Site) -> None:
    before = exported(lived).row(participant="01-002", instrument="lupusqol", occurrence="1")
    with lived.database.reading() as session:
        assessment = session.scalars(sa.select(Assessment).order_by(Assessment.id)).first()
        assert assessment is not None
    saved = lived.answer(assessment, {"LQ01": 4})
    assert list(saved.not_counted.values()) == ["after_submission"]
    after = exported(lived).row(participant="01-002", instrument="lupusqol", occurrence="1")
    assert (before["kept_not_counted"], after["kept_not_counted"]) == ("0", "1")
    assert after == before | {"kept_not_counted": "1"}


def test_clocks_and_doubts_are_exported_with_each_answer(site: Site) -> None:
    """Answered offline by a phone that is three hours ahead, read aloud, submitted in time, and
    arriving a day after closing; one more tap came too late to count."""
    person = site.enrol()
    device_id = site.join(person)
    lupusqol, _ = site.open(person)
    tapped = lupusqol.closes_at - timedelta(hours=1)
    wrong = timedelta(hours=3)
    parts: dict[str, Any] = {"device_time": tapped + wrong, "aloud": True}
    given = [
        Operation(str(uuid.uuid4()), item.code, "answered", item.options.codes[0], **parts)
        for item in site.library.instruments["lupusqol"].items
    ]
    press = Operation(str(uuid.uuid4()), "", batches.SUBMITTED, device_time=tapped + wrong)
    now = site.clock.now = lupusqol.closes_at + timedelta(days=1)
    with site.database.writing() as session:
        found = assessments.hold_by_phone(session, lupusqol.public_id, person.id, device_id)
        assert found is not None
        instrument = site.library.instruments["lupusqol"]
        held = batches.Held(site.study, found[0], instrument, found[1])
        origin = Origin(device_id, site.library.wording("lupusqol", "en"), now + wrong)
        batches.take(session, held, [*given, press, replace(given[0], id=OTHER)], origin, now)
    row = exported(site).row(instrument="lupusqol")
    assert (row["status"], row["late"]) == ("completed", "0")
    assert row["submit_tapped_at"] == row["LQ01_tapped_at"] == "2026-11-26T08:00:00+08:00"
    assert row["submitted_at"] == row["LQ01_received_at"] == "2026-11-27T09:00:00+08:00"
    assert row["LQ01_device_time"] == (tapped + wrong).isoformat()
    assert row["submit_skew_ms"] == row["LQ01_skew_ms"] == "10800000"
    assert row["submit_doubt"] == row["LQ01_doubt"] == "skew"
    assert (row["LQ01_read_aloud"], row["kept_not_counted"]) == ("1", "1")
    other = exported(site).row(instrument="sf36v1")
    assert (other["submit_tapped_at"], other["kept_not_counted"]) == ("", "0")


OTHER = str(uuid.UUID(int=9, version=4))


def test_a_late_submission_says_so(site: Site) -> None:
    lupusqol, _ = site.open(site.enrol())
    site.answer_all(lupusqol)
    site.clock.now = lupusqol.closes_at + timedelta(hours=1)
    site.submit(lupusqol)
    row = exported(site).row(instrument="lupusqol")
    assert (row["status"], row["late"]) == ("completed_late", "1")


def test_an_amended_protocol_loses_no_column_and_no_answer(lived: Site) -> None:
    """Version 2 drops an instrument and a scoring: what version 1 collected is still exported."""
    before = exported(lived), exported(lived, "scores")
    with lived.database.writing() as session:
        newest = session.scalars(sa.select(StudyVersion)).one()
        content: dict[str, Any] = copy.deepcopy(newest.definition)
        content["instruments"] = [
            {"code": "sf36v1", "scorings": ["mos_us1990"]},
            {"code": "sf36v2", "scorings": ["us1998"]},
        ]
        content["timepoints"] = content["timepoints"][1:]
        studies.load(session, lived.library, content, lived.clock())
    after = exported(lived), exported(lived, "scores")
    for old, new in zip(before, after, strict=True):
        assert new.columns == old.columns
        for was, now_is in zip(old.rows, new.rows, strict=True):
            if was["status"] == "completed":
                assert now_is == was, "and its study version is the one it was made under"
            else:
                assert now_is["study_version"] == "2"


@pytest.mark.parametrize("what", ["answers", "scores"])
@pytest.mark.parametrize("language", ["ms", "en", "zh_Hans", "ta"])
def test_the_codebook_explains_every_column_and_every_code(
    web_site: Site, what: str, language: str
) -> None:
    lines = codebook(web_site, what, language)
    columns = exported(web_site, what).columns
    assert list(dict.fromkeys(line["column"] for line in lines)) == columns
    assert all(line["meaning"] for line in lines)
    if what == "scores":
        return
    for entry in web_site.study.definition.instruments:
        own = [line for line in lines if line["instrument"] == entry.code]  # versions share columns
        labels = {(line["column"], line["code"]): line["label"] for line in own}
        wording = web_site.library.wording(entry.code, language)
        assert wording is not None
        for item in web_site.library.instruments[entry.code].items:
            told = next(line["meaning"] for line in own if line["column"] == item.code)
            mark = "[demonstration wording, not the validated instrument]"
            assert told == f"{wording.items[item.code]} {mark}"
            for code in item.options.codes:
                assert labels[item.code, str(code)] == wording.options[item.options.code][code]
            states = {code for column, code in labels if column == f"{item.code}_state"}
            doubts = {code for column, code in labels if column == f"{item.code}_doubt"}
            assert doubts == {"clock_changed", "before_opening", "skew"}
            assert states == {"answered", "skipped", "not_applicable", "not_reached"}


def test_codes_in_the_data_are_codes_of_the_codebook(lived: Site) -> None:
    for what in ("answers", "scores"):
        lines = codebook(lived, what)
        known: dict[str, set[str]] = {}
        for line in lines:
            if line["code"]:
                known.setdefault(line["column"], {""}).add(line["code"])
        assert known
        for row in exported(lived, what).rows:
            for column, codes in known.items():
                assert row[column] in codes


def test_without_the_wording_the_codebook_has_the_topics(web_site: Site) -> None:
    lines = codebook(web_site, language="fr")
    topic = web_site.library.instruments["lupusqol"].items[0].topic
    assert next(line["meaning"] for line in lines if line["column"] == "LQ01") == topic


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_run_is_made_harmless(text: str) -> None:
    assert export.cell(text, exact=False) == f"'{text}"
    assert export.cell(text, exact=True) == text


@pytest.mark.parametrize("value", [-3, -0.1, 1e-300, "01-001", "a=b", "", None])
def test_other_cells_stay_what_they_are(value: Any) -> None:
    for exact in (True, False):
        found = export.cell(value, exact)
        assert (float(found) if isinstance(value, float) else found) == value


def test_a_risky_study_number_reaches_the_file_harmless_or_exact(site: Site) -> None:
    with site.database.writing() as session:
        content = dict(session.scalars(sa.select(StudyVersion.definition)).one())
        content["number_pattern"] = ".+"
        site.study = studies.load(session, site.library, content, site.clock())
        found = enrolment.add_participant(session, site.study, "01", "=1+1", "en", site.clock())
    site.open(replace(site.enrol("01-009"), id=found.id))
    assert exported(site).rows[0]["participant"] == "'=1+1"
    assert exported(site, exact=True).rows[0]["participant"] == "=1+1"


def test_both_files_are_written_beside_each_other(lived: Site, tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    with lived.database.reading() as session:
        digest = export.write_files(session, request_for(lived, "answers"), path)
    assert sorted(one.name for one in tmp_path.iterdir() if one.suffix == ".csv") == [
        "answers.csv",
        "answers_codebook.csv",
    ]
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert b"\r" not in path.read_bytes()
    assert "ta" in path.read_text(encoding="utf-8")


def test_a_failure_leaves_the_files_that_were_there(
    lived: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "answers.csv"
    path.write_text("old", encoding="utf-8")
    (tmp_path / "answers_codebook.csv").write_text("old too", encoding="utf-8")
    names = {one.name for one in tmp_path.iterdir()}
    for part in ("rows", "_codebook"):

        def break_off(*_anything: object) -> Any:
            yield from ()
            raise OSError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(export, part, break_off)
            with pytest.raises(OSError, match="full"), lived.database.reading() as session:
                export.write_files(session, request_for(lived, "answers"), path)
        assert path.read_text(encoding="utf-8") == "old"
        assert (tmp_path / "answers_codebook.csv").read_text(encoding="utf-8") == "old too"
        assert {one.name for one in tmp_path.iterdir()} == names


def test_an_export_is_on_the_studys_record(site: Site) -> None:
    with site.database.writing() as session:
        export.note(session, request_for(site, "scores", exact=True), "f" * 64)
    with site.database.reading() as session:
        entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "export")).one()
    assert (entry.stream, entry.new) == (f"study/{site.study.id}", "scores")
    assert entry.detail == {"exact": True, "sha256": "f" * 64}


def test_two_exports_at_once_are_both_on_the_record(site: Site) -> None:
    request = request_for(site, "answers")

    def noting() -> None:
        with site.database.writing() as session:
            export.note(session, request, "f" * 64)

    together(*[noting] * 4)
    with site.database.reading() as session:
        noted = sa.select(sa.func.count()).where(AuditEntry.action == "export")
        assert session.scalar(noted) == 4


# --- corrections --------------------------------------------------------------------------------


@pytest.fixture
def desk(site: Site) -> Desk:
    return open_desk(site)


def test_a_corrected_answer_is_exported_with_the_original_and_the_corrections(desk: Desk) -> None:
    before = exported(desk.site).row(instrument="lupusqol")
    first, second = desk.correct(new="3"), desk.correct(new="0")
    third = desk.correct(item="LQ02", new="4")
    desk.decide(desk.request(item="LQ03", new="4"), REJECTED)
    desk.request(item="LQ04", new="4")
    row = exported(desk.site).row(instrument="lupusqol")
    ids = f"{first.public_id} {second.public_id}"
    assert changed(before, row) == {
        "LQ01": ("1", "0"),
        "LQ01_corrections": ("", ids),
        "LQ02": ("", "4"),
        "LQ02_state": ("skipped", "answered"),
        "LQ02_corrections": ("", third.public_id),
        "corrections": ("", f"{ids} {third.public_id}"),
    }
    assert (row["LQ01_original"], row["LQ01_original_state"]) == ("1", "answered")
    assert (row["LQ02_original"], row["LQ02_original_state"]) == ("", "skipped")
    other = exported(desk.site).row(instrument="sf36v1")
    assert (other["void"], other["corrections"]) == ("", "")


def changed(before: Row, after: Row) -> dict[str, tuple[str, str]]:
    """The cells that differ."""
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}


def test_without_corrections_original_and_current_are_the_same(lived: Site) -> None:
    compared = 0
    for what in ("answers", "scores"):
        found = exported(lived, what)
        names = [name for name in found.columns if "_original" in name]
        for row in found.rows:
            for name in names:
                assert row[name] == row[name.replace("_original", "")]
                compared += bool(row[name])
            assert row["corrections"] == ""
    assert compared > 200


def test_scores_are_exported_of_both_and_score_reads_the_current_answers(desk: Desk) -> None:
    """`pro-app score` takes an item's own column: the answers that count now. The columns of the
    original answers under the items' names give the original scores."""
    before = exported(desk.site, "scores").row(instrument="lupusqol")
    last = [desk.correct(item=f"LQ{n:02}", new="4") for n in range(1, 10)][-1]
    answers = exported(desk.site).row(instrument="lupusqol")
    scores = exported(desk.site, "scores").row(instrument="lupusqol")
    assert (before["score_correction"], scores["score_correction"]) == ("", last.public_id)
    assert scores["basis"] == "submission"
    form = FORMS["lupusqol"]
    differing = 0
    for version in ("", "_original"):
        header = ",".join(["id", *form.codes])
        cells = ",".join(["1", *(answers[f"{code}{version}"] for code in form.codes)])
        (scored,) = output(exactly(f"{header}\n{cells}\n".encode(), form))
        for table in form.tables.scales:
            stem = f"lupusqol_{table.code}"
            assert scores[f"{stem}{version}"] == scored[table.code]
            assert scores[f"{stem}{version}_answered"] == scored[f"{table.code}_answered"]
            assert scores[f"{stem}_original"] == before[stem]
            differing += scores[stem] != before[stem]
    assert differing, "the example has scores that the corrections change"


def test_a_void_submission_is_marked_and_keeps_its_data(desk: Desk) -> None:
    before = [exported(desk.site, what).row(instrument="lupusqol") for what in KINDS]
    assert {row["void"] for row in before} == {"0"}
    first = desk.correct(ADMINISTRATIVE, kind="wrong_timepoint", new="month_3/1")
    second = desk.correct(ADMINISTRATIVE, kind="wrong_participant", new="void")
    for what, old in zip(KINDS, before, strict=True):
        row = exported(desk.site, what).row(instrument="lupusqol")
        assert changed(old, row) == {
            "void": ("0", "1"),
            "belongs_to_timepoint": ("", "month_3/1"),
            "belongs_to_participant": ("", "void"),
            "corrections": ("", f"{first.public_id} {second.public_id}"),
        }


def test_a_mark_that_was_taken_back_marks_nothing(desk: Desk) -> None:
    for place in ("void", "baseline/1"):
        desk.correct(ADMINISTRATIVE, kind="wrong_timepoint", new=place)
    row = exported(desk.site).row(instrument="lupusqol")
    assert (row["void"], row["belongs_to_timepoint"]) == ("0", "")
    assert len(row["corrections"].split()) == 2


KINDS = ("answers", "scores")


def test_the_log_of_corrections_tells_each_with_its_signature(desk: Desk) -> None:
    assert exported(desk.site, "corrections").rows == []
    approved = desk.correct(reason="=1+1")
    rejected = desk.request(item="LQ03")
    desk.decide(rejected, REJECTED)
    waiting = desk.request(item="LQ04")
    found = exported(desk.site, "corrections")
    lines = codebook(desk.site, "corrections")
    assert [line["column"] for line in lines] == found.columns
    assert all(line["meaning"] for line in lines)
    row, other, last = found.rows
    told = (row["correction"], row["participant"], row["field"], row["old"], row["new"])
    assert told == (approved.public_id, "01-001", "LQ01", "1", "3")
    assert (row["state"], row["signer"]) == ("approved", "Dr Tan Investigator")
    assert (row["requester"], row["reason"]) == ("Aminah Coordinator", "'=1+1")
    assert (row["decided_at"], row["confirmed_on"]) == ("2026-11-23T09:00:00+08:00", "2026-11-23")
    assert len(row["signature"]) == 64
    answers = exported(desk.site).row(instrument="lupusqol")
    assert row["receipt"] == answers["receipt"]
    assert (other["correction"], other["state"]) == (rejected.public_id, "rejected")
    assert (last["correction"], last["state"]) == (waiting.public_id, "requested")
    assert (last["signature"], last["signer"]) == ("", "")

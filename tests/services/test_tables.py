"""The tables that leave: a row for everything, each cell from the record."""

from __future__ import annotations

import io
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from pro_app.core.library import Library
from pro_app.core.scoring import score
from pro_app.export.table import NOT_APPLICABLE, NOT_REACHED, SKIPPED
from pro_app.models import Assessment, SealedCodes
from pro_app.services import assessments, batches, enrolment, schedule, sealed_codes, tables
from pro_app.services.answers import Operation, Origin
from pro_app.services.tables import NAMES, TablesError, labels
from tests.conftest import Site
from tests.services.correcting import ADMINISTRATIVE, REJECTED, Desk, open_desk
from tests.services.csv_files import FORMS, exactly, output
from tests.services.table_rows import Row, asked, one, rows, taken
from tests.services.trial import Trial

SCORED = (("lupusqol", "lupusqol"), ("sf36v1", "rand"), ("sf36v1", "mos_us1990"))
KEY = ("participant", "timepoint", "occurrence", "instrument")


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


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_the_same_with_and_without_data(site: Site, name: str) -> None:
    empty, frame = taken(site, name)
    assert frame.is_empty()
    sheet = site.open(site.enrol())[0]
    site.answer_all(sheet)
    site.submit(sheet)
    full, frame = taken(site, name)
    assert full.columns == empty.columns
    assert frame.height > 0 or name in ("reminders", "corrections")
    assert all(column.label for column in full.columns)


def test_there_is_one_row_per_assessment_in_a_fixed_order(lived: Site) -> None:
    for name in ("assessments", "answers"):
        found = rows(lived, name)
        assert [tuple(row[column] for column in KEY) for row in found] == [
            ("01-001", "baseline", 1, "lupusqol"),
            ("01-001", "baseline", 1, "sf36v1"),
            ("01-002", "baseline", 1, "lupusqol"),
            ("01-002", "baseline", 2, "lupusqol"),
            ("01-002", "baseline", 1, "sf36v1"),
            ("01-002", "baseline", 2, "sf36v1"),
        ]
        assert rows(lived, name) == found


def test_an_item_has_its_code_or_the_kind_of_its_absence(lived: Site) -> None:
    found = rows(lived, "answers")
    done = one(found, participant="01-002", instrument="lupusqol", occurrence=1)
    assert (done["LQ01"], done["LQ02"], done["LQ15"]) == (2, SKIPPED, NOT_APPLICABLE)
    assert (done["skipped"], done["not_applicable"]) == ("LQ02", "LQ15")
    assert (done["languages"], done["mode"], done["status"]) == ("en ta", "own_phone", "completed")
    assert done["PF01_sf36v1"] is None, "an item of another instrument has nothing here"
    waiting = one(found, participant="01-002", instrument="lupusqol", occurrence=2)
    assert (waiting["LQ01"], waiting["skipped"], waiting["mode"]) == (NOT_REACHED, None, None)
    assert (waiting["corrected"], waiting["void"]) == (None, None)
    gone = one(found, participant="01-001", instrument="sf36v1")
    assert gone["status"] == "not_expected"


def test_items_that_two_instruments_share_are_told_apart_unless_one_is_asked_for(
    lived: Site,
) -> None:
    both, _ = taken(lived, "answers")
    names = {column.name for column in both.columns}
    assert {"GH01_sf36v1", "GH01_sf36v2", "LQ01"} <= names
    alone, frame = taken(lived, "answers", instruments=frozenset({"sf36v1"}))
    assert "GH01" in {column.name for column in alone.columns}
    assert set(frame["instrument"]) == {"sf36v1"}


def test_labels_are_in_the_language_asked_for(lived: Site) -> None:
    with lived.database.reading() as session:
        request = replace(asked(lived), language="ta")
        made = tables.table(session, "answers", request)
    column = next(each for each in made.columns if each.name == "LQ01")
    wording = lived.library.wording("lupusqol", "ta")
    assert wording is not None
    assert column.label.startswith(wording.items["LQ01"])
    assert "[demonstration wording]" in column.label
    options = lived.library.instruments["lupusqol"].item("LQ01").options.code
    assert column.codes == dict(wording.options[options])
    assert made.notes == ("Demonstration wording, not the validated questionnaire.",)


@pytest.mark.parametrize("name", NAMES)
def test_every_code_that_a_column_has_is_explained(lived: Site, name: str) -> None:
    made, frame = taken(lived, name)
    for column in made.columns:
        if column.codes:
            known = {*column.codes, *column.missing, None}
            assert set(frame[column.name].to_list()) <= known, column.name


def test_an_assessment_tells_where_it_comes_from(lived: Site) -> None:
    found = rows(lived, "assessments")
    done = one(found, participant="01-002", instrument="lupusqol", occurrence=1)
    assert (done["study_version"], done["site"], done["late"], done["order"]) == (1, "01", False, 1)
    fingerprint = lived.library.instruments["lupusqol"].fingerprint
    assert done["instrument_fingerprint"] == fingerprint
    wordings = [lived.library.wording("lupusqol", language) for language in ("en", "ta")]
    assert done["wordings"] == " ".join(each.fingerprint for each in wordings if each)
    assert (done["demonstration"], len(done["receipt"])) == (1, 14)
    assert done["opens_at"] == datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
    gone = one(found, participant="01-001", instrument="lupusqol")
    assert (gone["status"], gone["not_expected_reason"]) == ("not_expected", "withdrawn")
    assert (gone["receipt"], gone["demonstration"]) == (None, None)


def half(site: Site) -> dict[str, int | str]:
    """20 of 34 answered when the window closes."""
    lupusqol, _ = site.open(site.enrol())
    items = site.library.instruments["lupusqol"].items
    given: dict[str, int | str] = {item.code: item.n % 5 for item in items[:20]}
    given |= {"LQ09": "skipped", "LQ15": "not_applicable"}
    site.answer(lupusqol, given)
    site.clock.now = lupusqol.closes_at + timedelta(hours=2)
    return given


def test_half_a_form_has_its_answers_and_the_scores_that_its_rule_allows(site: Site) -> None:
    given = half(site)
    found = one(rows(site, "assessments"), instrument="lupusqol")
    assert (found["status"], found["missed_reason"], found["mode"]) == (
        "missed", "partial", "own_phone",
    )  # fmt: skip
    answers = one(rows(site, "answers"), instrument="lupusqol")
    assert [answers["LQ09"], answers["LQ15"], answers["LQ21"]] == [-7, -8, -9]
    scoring = site.library.instruments["lupusqol"].scorings["lupusqol"]
    codes = {item: value for item, value in given.items() if isinstance(value, int)}
    wide = one(rows(site, "scores"), instrument="lupusqol")
    long = rows(site, "scores_long", instruments=frozenset({"lupusqol"}))
    assert wide["basis"] == "partial"
    for expected in score(scoring, codes):
        line = one(long, scale=expected.scale)
        assert wide[f"lupusqol_{expected.scale}"] == line["value"] == expected.value
        assert wide[f"lupusqol_{expected.scale}_n"] == line["answered"] == expected.answered
        assert (line["reason"], line["items"]) == (expected.reason, expected.of)
    assert {line["reason"] for line in long} == {None, "too_few_answered"}
    other = one(rows(site, "assessments"), instrument="sf36v1")
    assert (other["missed_reason"], other["mode"]) == ("not_started", None)
    assert not [row for row in rows(site, "scores") if row["instrument"] == "sf36v1"]


def test_what_is_still_open_has_no_scores_yet(site: Site) -> None:
    lupusqol, _ = site.open(site.enrol())
    site.answer_all(lupusqol)
    assert rows(site, "scores") == rows(site, "scores_long") == []
    assert one(rows(site, "answers"), instrument="lupusqol")["LQ01"] == 0


def test_answers_scored_again_give_the_scores_bit_for_bit(lived: Site) -> None:
    """By the engine of `pro-app score`, from the table as a file."""
    checked = 0
    for code, name in SCORED:
        form, instruments = FORMS[name], frozenset({code})
        answers = taken(lived, "answers", instruments=instruments)
        scored = taken(lived, "scores", instruments=instruments)[1].to_dicts()
        blank = answers[0].blanked(answers[1]).filter(pl.col("completed_at").is_not_null())
        file = io.BytesIO()
        blank.select(pl.col("participant").alias("id"), *form.codes).write_csv(file)
        for line, row in zip(output(exactly(file.getvalue(), form)), scored, strict=True):
            for table in form.tables.scales:
                value = row[f"{name}_{table.code}"]
                assert line[table.code] == ("" if value is None else repr(value))
                checked += 1
    assert checked > 20


def test_one_line_an_item_tells_how_it_came(site: Site) -> None:
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
        late = replace(given[0], id=str(uuid.uuid4()))
        batches.take(session, held, [*given, press, late], origin, now)
    long = rows(site, "answers_long")
    assert [line["n"] for line in long] == list(range(1, 35))
    line = long[0]
    assert (line["code"], line["state"], line["language"], line["read_aloud"]) == (
        0, "answered", "en", True,
    )  # fmt: skip
    assert (line["tapped_at"], line["received_at"]) == (tapped, now)
    assert line["device_time"] == (tapped + wrong).isoformat()
    assert (line["skew_ms"], line["doubt"]) == (10_800_000, "skew")
    told = one(rows(site, "assessments"), instrument="lupusqol")
    assert (told["submit_tapped_at"], told["submitted_at"]) == (tapped, now)
    assert (told["submit_skew_ms"], told["submit_doubt"]) == (10_800_000, "skew")
    assert told["kept_not_counted"] == 1
    other = one(rows(site, "assessments"), instrument="sf36v1")
    assert (other["submit_tapped_at"], other["kept_not_counted"]) == (None, 0)


def test_wide_and_long_say_the_same(lived: Site) -> None:
    wide = {tuple(row[name] for name in KEY): row for row in rows(lived, "answers")}
    long = rows(lived, "answers_long")
    states = {SKIPPED: "skipped", NOT_APPLICABLE: "not_applicable", NOT_REACHED: "not_reached"}
    assert len(long) == 34 + 36
    for line in long:
        row = wide[tuple(line[name] for name in KEY)]
        column = line["item"] if line["item"] in row else f"{line['item']}_{line['instrument']}"
        value = row[column]
        assert line["state"] == states.get(value, "answered")
        assert line["code"] == (None if value < 0 else value)
    line = one(long, item="LQ15")
    assert (line["label"], line["language"]) == (None, "ta")
    wording = lived.library.wording("lupusqol", "en")
    assert wording is not None
    options = lived.library.instruments["lupusqol"].item("LQ01").options.code
    assert one(long, item="LQ01")["label"] == wording.options[options][2]


def test_every_scale_has_a_name_in_the_catalogues(library: Library) -> None:
    named = set(labels.scales(str))
    for instrument in library.instruments.values():
        for scoring in instrument.scorings.values():
            assert set(scoring.names().values()) <= named


# --- corrections --------------------------------------------------------------------------------


@pytest.fixture
def desk(site: Site) -> Desk:
    return open_desk(site)


def test_a_corrected_answer_counts_and_the_first_one_stands_beside_it(desk: Desk) -> None:
    first, second = desk.correct(new="3"), desk.correct(new="0")
    third = desk.correct(item="LQ02", new="4")
    desk.decide(desk.request(item="LQ03", new="4"), REJECTED)
    desk.request(item="LQ04", new="4")
    wide = one(rows(desk.site, "answers"), instrument="lupusqol")
    assert (wide["LQ01"], wide["LQ02"], wide["corrected"], wide["skipped"]) == (0, 4, 1, None)
    long = rows(desk.site, "answers_long")
    line, skipped = one(long, item="LQ01"), one(long, item="LQ02")
    assert (line["code"], line["original_code"]) == (0, 1)
    assert line["corrections"] == f"{first.public_id} {second.public_id}"
    assert (skipped["state"], skipped["original_state"]) == ("answered", "skipped")
    told = one(rows(desk.site, "assessments"), instrument="lupusqol")
    ids = [first.public_id, second.public_id, third.public_id]
    assert told["corrections"] == " ".join(ids)


def test_scores_are_of_the_corrected_answers_with_the_first_ones_beside(desk: Desk) -> None:
    before = rows(desk.site, "scores_long", instruments=frozenset({"lupusqol"}))
    last = [desk.correct(item=f"LQ{n:02}", new="4") for n in range(1, 10)][-1]
    after = rows(desk.site, "scores_long", instruments=frozenset({"lupusqol"}))
    assert [line["original_value"] for line in after] == [line["value"] for line in before]
    assert {line["correction"] for line in after} == {last.public_id}
    values = [(line["value"], line["original_value"]) for line in after]
    assert any(now != first for now, first in values)
    wide = one(rows(desk.site, "scores"), instrument="lupusqol")
    assert (wide["score_correction"], wide["corrected"]) == (last.public_id, 1)
    assert [wide[f"lupusqol_{line['scale']}"] for line in after] == [now for now, _ in values]


def test_a_void_submission_is_marked_and_keeps_its_data(desk: Desk) -> None:
    desk.correct(ADMINISTRATIVE, kind="wrong_timepoint", new="month_3/1")
    desk.correct(ADMINISTRATIVE, kind="wrong_participant", new="void")
    told = one(rows(desk.site, "assessments"), instrument="lupusqol")
    assert (told["void"], told["belongs_to_timepoint"], told["belongs_to_participant"]) == (
        1, "month_3/1", "void",
    )  # fmt: skip
    assert one(rows(desk.site, "answers"), instrument="lupusqol")["void"] == 1
    desk.correct(ADMINISTRATIVE, kind="wrong_timepoint", new="baseline/1")
    desk.correct(ADMINISTRATIVE, kind="wrong_participant", new="01-001")
    assert one(rows(desk.site, "assessments"), instrument="lupusqol")["void"] == 0


def test_the_logs_have_a_row_for_each_entry(desk: Desk) -> None:
    assert rows(desk.site, "corrections") == []
    approved = desk.correct()
    waiting = desk.request(item="LQ04")
    found = rows(desk.site, "corrections")
    assert [row["correction"] for row in found] == [approved.public_id, waiting.public_id]
    assert [row["state"] for row in found] == ["approved", "requested"]
    assert (found[0]["confirmed_on"], found[0]["decided_at"]) == (
        date(2026, 11, 23), desk.site.clock(),
    )  # fmt: skip
    trail = rows(desk.site, "audit")
    assert {row["participant"] for row in trail} == {"01-001"}
    assert [row["seq"] for row in trail] == list(range(1, len(trail) + 1))
    assert {"answer", "submit", "score", "request_correction"} <= {row["action"] for row in trail}


def test_words_of_people_are_left_out_for_who_may_not_open_the_record(desk: Desk) -> None:
    desk.correct()
    words = {row["reason"] for row in rows(desk.site, "corrections")}
    names = {row["signer"] for row in rows(desk.site, "corrections")}
    assert all(words)
    for name in NAMES:
        whole, found = (taken(desk.site, name, own_words=kept)[1] for kept in (True, False))
        assert whole.select(found.columns).equals(found)
        assert not any(told in found.write_csv() for told in words | names)
    kept = taken(desk.site, "corrections", own_words=False)[1].columns
    assert {"reason_code", "old", "new", "state", "signature", "decided_at"} <= set(kept)
    days = taken(desk.site, "corrections", own_words=False, days_from="enrolment")[1].columns
    assert "decided_day" in days


# --- what is asked for --------------------------------------------------------------------------


def test_only_what_is_asked_for_leaves(lived: Site) -> None:
    elsewhere = lived.enrol("02-001")
    lived.open(elsewhere)
    for name in NAMES:
        found = rows(lived, name, sites=frozenset({"02"}))
        assert {row["participant"] for row in found} <= {"02-001"}
        assert found or name in (
            "answers_long",
            "scores",
            "scores_long",
            "reminders",
            "corrections",
        )
    visits = rows(lived, "assessments", timepoints=frozenset({"baseline"}))
    assert visits == rows(lived, "assessments")
    assert rows(lived, "assessments", timepoints=frozenset({"month_3"})) == []


def test_a_table_of_one_site_names_no_other(lived: Site) -> None:
    for name in NAMES:
        made, _frame = taken(lived, name, sites=frozenset({"02"}))
        for column in made.columns:
            if column.name == "site":
                assert list(column.codes) in ([], ["02"])


def test_people_are_read_by_pages_of_whole_people(lived: Site) -> None:
    lived.open(lived.enrol("02-001"))
    whole = rows(lived, "assessments")
    paged: list[Row] = []
    after: str | None = None
    while part := rows(lived, "assessments", after=after, people=1):
        assert len({row["participant"] for row in part}) == 1
        paged += part
        after = part[-1]["participant"]
    assert paged == whole


@pytest.mark.parametrize(
    ("asked_for", "told"),
    [
        ({"sites": frozenset({"09"})}, "no site '09'; it has 01, 02"),
        ({"instruments": frozenset({"x"})}, "no instrument 'x'"),
        ({"timepoints": frozenset({"day_9"})}, "no timepoint 'day_9'"),
        ({"days_from": "infusion"}, "no anchor 'infusion'"),
    ],
)
def test_what_the_study_has_not_is_named(lived: Site, asked_for: dict[str, Any], told: str) -> None:
    with pytest.raises(TablesError, match=told):
        rows(lived, "answers", **asked_for)
    with pytest.raises(TablesError, match="no table 'names'; there are participants, "):
        rows(lived, "names")


def test_no_date_leaves_with_study_days(trial: Trial) -> None:
    person = trial.enrol("01-001", on=date(2026, 11, 20))
    with trial.database.writing() as session:
        schedule.set_anchor(
            session, trial.study, trial.library.instruments, person.id, "infusion",
            date(2026, 11, 23), trial.clock(),
        )  # fmt: skip
    for name in NAMES:
        if name == "audit":
            with pytest.raises(TablesError, match="tells dates in words"):
                rows(trial, name, days_from="infusion")
            continue
        made, _ = taken(trial, name, days_from="infusion")
        assert not [each.name for each in made.columns if each.kind in ("moment", "day")]
        assert "device_time" not in {each.name for each in made.columns}
    person_row = one(rows(trial, "participants", days_from="infusion"))
    assert (person_row["enrolled_day"], person_row["anchor_infusion_day"]) == (-3, 1)


def test_study_days_know_no_day_0_and_go_by_the_studys_zone(trial: Trial) -> None:
    """The infusion is on the 23rd; the window of the 24th opens on the 23rd in UTC."""
    person = trial.enrol("01-001", on=date(2026, 11, 20))
    with trial.database.writing() as session:
        schedule.set_anchor(
            session, trial.study, trial.library.instruments, person.id, "infusion",
            date(2026, 11, 23), trial.clock(),
        )  # fmt: skip
    dated, counted = rows(trial, "assessments"), rows(trial, "assessments", days_from="infusion")
    zone = trial.study.definition.zone
    assert dated
    for row, other in zip(dated, counted, strict=True):
        apart = (row["due_at"].astimezone(zone).date() - date(2026, 11, 23)).days
        assert other["due_day"] == (apart + 1 if apart >= 0 else apart)
        assert other["due_day"] != 0


# --- the answers by the byte --------------------------------------------------------------------


def test_answers_by_the_byte_are_those_that_were_sealed(lived: Site) -> None:
    with lived.database.writing() as session:
        assert list(sealed_codes.faults(session)) == []
        whole = rows(lived, "answers")
        session.execute(sa.delete(SealedCodes))
    assert rows(lived, "answers") == whole, "they are read from the submission itself then"
    with lived.database.writing() as session:
        assert len(list(sealed_codes.faults(session))) == 2
        assert sealed_codes.mend(session) == 2
        assert list(sealed_codes.faults(session)) == []


def test_answers_by_the_byte_of_other_items_are_not_read(lived: Site) -> None:
    """An instrument whose items have changed their order since: the submission itself is read."""
    whole = rows(lived, "answers")
    with lived.database.writing() as session:
        session.execute(sa.update(SealedCodes).values(layout="another"))
    assert rows(lived, "answers") == whole
    with lived.database.reading() as session:
        assert len(list(sealed_codes.faults(session))) == 2


def test_more_assessments_than_a_frame_holds_are_all_there(
    lived: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {name: rows(lived, name) for name in NAMES}
    monkeypatch.setattr("pro_app.services.tables.request.AT_ONCE", 1)
    monkeypatch.setattr("pro_app.services.tables.items.AT_ONCE", 1)
    for name in NAMES:
        assert rows(lived, name) == whole[name]
    with lived.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Assessment)) == 6

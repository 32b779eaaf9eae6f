"""The numbers of the pictures: from columns the same as by the rules one by one, and by hand."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import pytest

from pro_app.core import statistics
from pro_app.core.library import Library
from pro_app.core.licence import Wordings
from pro_app.core.scoring import score
from pro_app.core.study_file import parse_study
from pro_app.services import picture_numbers
from pro_app.services.picture_frames import SEVERAL
from pro_app.services.picture_numbers import Choice, Lacking, Reliability
from pro_app.services.rates import Visit
from pro_app.services.studies import CurrentStudy
from tests.services.picture_samples import Sample
from tests.services.trial import trial_content

BASELINE, DAY_28 = date(2026, 11, 23), date(2027, 1, 1)
INFUSION = date(2026, 12, 4)
LUPUSQOL = Choice("lupusqol", "lupusqol")


def sample_of(library: Library, **changes: Any) -> Sample:
    definition = parse_study(trial_content(library) | changes, library.instruments)
    return Sample(
        CurrentStudy(1, 1, definition, definition.instruments, Wordings(definition, library)),
        library,
    )


@pytest.fixture
def sample(library: Library) -> Sample:
    return sample_of(library)


def series(sample: Sample, kind: Any = "score", **choice: Any) -> dict[str, Any]:
    """LQPH by visit: n, mean and values."""
    frames, scoring = sample.frames(), sample.library.instruments["lupusqol"].scorings["lupusqol"]
    asked = Choice("lupusqol", "lupusqol", **choice)
    found = picture_numbers.series(frames.rows["lupusqol"], frames.visits, scoring, asked, kind)
    (own,) = [one for one in found if one.scale == "LQPH"]
    return {
        f"{one.visit.timepoint}/{one.visit.occurrence}": (one.interval.mean, one.values)
        for one in own.points
    }


def many(sample: Sample, people: int, instrument: str = "lupusqol") -> None:
    """People who answer by chance, now and then not at all."""
    chance = random.Random(6)  # noqa: S311 (the same every time)
    asked = sample.library.instruments[instrument]
    scoring = asked.scorings[sample.study.scorings(instrument)[-1]]
    for n in range(people):
        number = sample.person(f"0{1 + n % 2}-{n:03}", infusion=INFUSION)
        for timepoint, day in (("baseline", BASELINE), ("day_28", DAY_28)):
            codes = {
                item.code: chance.choice(item.options.codes) if chance.random() > 0.04 else -7
                for item in asked.items
            }
            given = {item: None if code < 0 else code for item, code in codes.items()}
            scores = {one.scale: one.value for one in score(scoring, given)}
            named = {f"{scoring.name}_{scale}": value for scale, value in scores.items()}
            sample.sheet(number, timepoint, day, instrument=instrument, answers=codes)
            sample.sheets[-1] |= named


@pytest.mark.parametrize("people", [5, 40])
def test_means_are_those_of_the_rules_one_by_one(sample: Sample, people: int) -> None:
    many(sample, people)
    frames, scoring = sample.frames(), sample.library.instruments["lupusqol"].scorings["lupusqol"]
    rows = frames.rows["lupusqol"]
    told: dict[tuple[str, str], list[float]] = {}
    for sheet in sample.sheets:
        for scale in scoring.outputs():
            if sheet.get(f"lupusqol_{scale}") is not None:
                place = told.setdefault((scale, sheet["timepoint"]), [])
                place.append(sheet[f"lupusqol_{scale}"])
    checked = 0
    for one in picture_numbers.series(rows, frames.visits, scoring, LUPUSQOL, "score"):
        for point in one.points:
            values = told[one.scale, point.visit.timepoint]
            expected = statistics.summary(values)
            assert expected is not None
            assert point.interval.n == expected.n
            found = (point.interval.mean, point.interval.low, point.interval.high)
            assert found == pytest.approx((expected.mean, expected.low, expected.high), rel=1e-12)
            assert point.values == (tuple(sorted(values)) if people == 5 else ())
            checked += 1
    for scale, spreads in picture_numbers.spreads(rows, frames.visits, scoring, LUPUSQOL).items():
        for spread in spreads:
            box = statistics.box(told[scale, spread.visit.timepoint], (0, 100))
            assert spread.box == box
            checked += 1
    assert checked == 2 * 2 * 8


def test_every_change_is_from_the_own_baseline(sample: Sample) -> None:
    many(sample, 30)
    frames, scoring = sample.frames(), sample.library.instruments["lupusqol"].scorings["lupusqol"]
    found = picture_numbers.series(
        frames.rows["lupusqol"], frames.visits, scoring, LUPUSQOL, "change"
    )
    for one in found:
        name = f"lupusqol_{one.scale}"
        pairs = zip(sample.sheets[::2], sample.sheets[1::2], strict=True)
        values = [
            after[name] - before[name]
            for before, after in pairs
            if None not in (before[name], after[name])
        ]
        expected = statistics.summary(values)
        assert expected is not None
        (point,) = one.points
        assert point.visit == Visit("day_28", 1)
        assert (point.interval.n, point.interval.mean) == pytest.approx((expected.n, expected.mean))


@pytest.mark.parametrize(
    ("instrument", "name"),
    [("lupusqol", "lupusqol"), ("sf36v1", "mos_us1990"), ("sf36v1", "rand")],
)
def test_alpha_is_that_of_the_final_values_one_by_one(
    sample: Sample, instrument: str, name: str
) -> None:
    """Reversed items are turned, and the two of bodily pain depend on each other."""
    many(sample, 60, instrument)
    frames, scoring = sample.frames(), sample.library.instruments[instrument].scorings[name]
    choice = Choice(instrument, name)
    found = picture_numbers.reliability(frames.rows[instrument], 0, scoring, choice, ["en", "ta"])
    sheets = [one for one in sample.sheets if one["timepoint"] == "baseline"]
    for scale in scoring.scales:
        rows = []
        for sheet in sheets:
            codes = {item: sheet[item] for item in scoring.options}
            given = {item: None if code < 0 else code for item, code in codes.items()}
            (made,) = [one for one in score(scoring, given) if one.scale == scale.code]
            rows.append([None if one.imputed else one.final for one in made.inputs])
        n, alpha = statistics.alpha_of(rows)
        assert 20 < n < 60
        assert found[scale.code][""].alpha == pytest.approx(alpha, rel=1e-9)
        assert found[scale.code]["en"].alpha == pytest.approx(alpha, rel=1e-9), "all in English"
        assert (found[scale.code][""].n, found[scale.code]["en"].n) == (n, n)
        assert found[scale.code]["ta"] == Reliability(0, len(scale.items), None)


def test_what_items_lack_by_language(sample: Sample) -> None:
    for number, languages in (("01-001", "en"), ("01-002", "ta"), ("01-003", "en ta")):
        sample.person(number, infusion=INFUSION)
        sample.sheet(
            number, "baseline", BASELINE, answers={"LQ01": -7, "LQ02": -8, "LQ03": 0},
            languages=languages,
        )  # fmt: skip
    sample.person("01-004")
    sample.sheet("01-004", "baseline", BASELINE, status="missed", answers={"LQ01": -7})
    sample.sheet("01-001", "day_28", DAY_28, answers={"LQ03": -7})
    frames = sample.frames()
    rows, instrument = frames.rows["lupusqol"], sample.library.instruments["lupusqol"]
    found = picture_numbers.lacking(rows, 0, instrument, LUPUSQOL)
    assert set(found) == {"en", "ta", SEVERAL}
    for by_item in found.values():
        assert [by_item[f"LQ0{n}"] for n in (1, 2, 3)] == [
            Lacking(1, 1, 0), Lacking(1, 0, 1), Lacking(1, 0, 0),
        ]  # fmt: skip
    assert picture_numbers.lacking(rows, None, instrument, LUPUSQOL)["en"]["LQ03"].n == 2


# --- the baseline -------------------------------------------------------------------------------


def test_the_last_one_before_treatment_is_the_baseline(sample: Sample) -> None:
    """An extra visit comes between the first one and the infusion; it is not itself a change."""
    sample.person("01-001", infusion=INFUSION)
    sample.sheet("01-001", "baseline", BASELINE, LQPH=10.0)
    sample.sheet("01-001", "unscheduled", date(2026, 12, 1), LQPH=40.0)
    sample.sheet("01-001", "day_28", DAY_28, LQPH=60.0)
    assert series(sample, "change") == {"day_28/1": (20.0, (20.0,))}


@pytest.mark.parametrize(
    ("done", "change"), [("2026-12-04", 50.0), ("2026-12-05", None), ("2026-12-01", 50.0)]
)
def test_what_was_answered_after_the_day_is_no_baseline(
    sample: Sample, done: str, change: float | None
) -> None:
    sample.person("01-001", infusion=INFUSION)
    day = date.fromisoformat(done)
    sample.sheet("01-001", "baseline", BASELINE, LQPH=10.0)
    sample.sheets[-1]["completed_at"] = sample.sheets[-1]["completed_at"].replace(
        month=day.month, day=day.day
    )
    sample.sheet("01-001", "day_28", DAY_28, LQPH=60.0)
    expected = {} if change is None else {"day_28/1": (change, (change,))}
    assert series(sample, "change") == expected


def test_days_are_those_of_the_studys_zone(sample: Sample) -> None:
    """Half past midnight in Kuala Lumpur is the day before in UTC."""
    sample.person("01-001", infusion=INFUSION)
    sample.sheet("01-001", "baseline", BASELINE, LQPH=10.0)
    late = sample.sheets[-1]["completed_at"].replace(month=12, day=4, hour=16, minute=30)
    sample.sheets[-1]["completed_at"] = late
    sample.sheet("01-001", "day_28", DAY_28, LQPH=60.0)
    assert series(sample, "change") == {}


@pytest.mark.parametrize("infusion", [None, date(2026, 11, 22)])
def test_who_has_no_baseline_has_no_change(sample: Sample, infusion: date | None) -> None:
    """Not infused yet, or before the first visit."""
    sample.person("01-001", infusion=infusion)
    sample.sheet("01-001", "baseline", BASELINE, LQPH=10.0)
    sample.sheet("01-001", "day_28", DAY_28, LQPH=60.0)
    assert series(sample, "change") == {}


def test_void_and_partial_ones_are_neither_baseline_nor_change(sample: Sample) -> None:
    sample.person("01-001", infusion=INFUSION)
    sample.sheet("01-001", "baseline", BASELINE, LQPH=10.0)
    sample.sheet("01-001", "unscheduled", date(2026, 12, 1), LQPH=90.0, void=1)
    sample.sheet("01-001", "day_28", DAY_28, status="missed", missed_reason="partial", LQPH=60.0)
    sample.sheet("01-001", "month_3", date(2027, 3, 4), LQPH=30.0)
    assert series(sample) == {"baseline/1": (10.0, (10.0,)), "month_3/1": (30.0, (30.0,))}
    assert series(sample, "change") == {"month_3/1": (20.0, (20.0,))}


def test_a_protocol_without_a_visit_before_takes_the_first(library: Library) -> None:
    timepoints = [one for one in trial_content(library)["timepoints"] if one["code"] != "baseline"]
    sample = sample_of(library, timepoints=timepoints)
    sample.person("01-001", infusion=INFUSION)
    sample.sheet("01-001", "day_28", DAY_28, LQPH=60.0)
    sample.sheet("01-001", "month_3", date(2027, 3, 4), LQPH=30.0)
    assert series(sample, "change") == {"month_3/1": (-30.0, (-30.0,))}


def test_a_choice_of_days_keeps_the_baseline_before_them(sample: Sample) -> None:
    sample.person("01-001", infusion=INFUSION)
    sample.person("02-001", "ta", infusion=INFUSION)
    for number, before, after in (("01-001", 10.0, 60.0), ("02-001", 20.0, 30.0)):
        sample.sheet(number, "baseline", BASELINE, LQPH=before)
        sample.sheet(number, "day_28", DAY_28, LQPH=after)
    days = {"first": date(2026, 12, 31), "last": DAY_28}
    assert series(sample, "change", **days) == {"day_28/1": (30.0, (10.0, 50.0))}
    assert series(sample, **days) == {"day_28/1": (45.0, (30.0, 60.0))}
    assert series(sample, "change", language="ta") == {"day_28/1": (10.0, (10.0,))}
    assert series(sample, sites=frozenset({"01"}))["day_28/1"] == (60.0, (60.0,))
    assert series(sample, sites=frozenset()) == {}


def test_repeated_visits_stand_in_the_protocols_order(sample: Sample) -> None:
    sample.person("01-001", infusion=INFUSION)
    for occurrence in (2, 1):
        sample.sheet(
            "01-001", "yearly", date(2026 + occurrence, 12, 4), occurrence=occurrence, LQPH=1.0
        )
    sample.sheet("01-001", "of_an_older_version", DAY_28, LQPH=2.0)
    sample.sheet("01-001", "baseline", BASELINE, LQPH=3.0)
    assert list(series(sample)) == ["baseline/1", "yearly/1", "yearly/2", "of_an_older_version/1"]

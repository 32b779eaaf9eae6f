"""Study files: anchors, timepoints and reminders as read, and every refusal with its place."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from pro_app.core.instruments import DefinitionError
from pro_app.core.library import Library
from pro_app.core.reminders import Channel, Rules, Step
from pro_app.core.schedule import DAY, MOST_OCCURRENCES, Anchor, Offset, Repeat
from pro_app.core.study import StudyDefinition
from pro_app.core.study_file import parse_study
from tests.core.test_study import GOOD, Content, again, drop, put

CALENDAR = tomllib.loads("""
[[anchors]]
code = "infusion"
label = { ms = "Infusi", en = "Infusion", zh_Hans = "输注", ta = "உட்செலுத்தல்" }
first_day = 1

[[timepoints]]
code = "baseline"
label = { ms = "Permulaan", en = "Start", zh_Hans = "开始", ta = "ஆரம்பம்" }
instruments = ["lupusqol", "sf36v1"]
anchor = "enrolment"
offset = { days = 0 }
after_days = 14
precedes = "infusion"

[[timepoints]]
code = "day_28"
label = { ms = "Hari 28", en = "Day 28", zh_Hans = "第28天", ta = "நாள் 28" }
instruments = ["lupusqol"]
anchor = "infusion"
offset = { days = 28 }
before_days = 2
after_days = 7
opens = "08:00"
closes = "20:30"
retroactive = true

[[timepoints]]
code = "quarterly"
label = { ms = "B {count}", en = "Month {count}", zh_Hans = "第{count}个月", ta = "மாதம் {count}" }
instruments = ["sf36v2"]
anchor = "infusion"
offset = { months = 3 }
repeat = { every = { months = 3 }, until = "2029-12-31" }

[[timepoints]]
code = "flare"
label = { ms = "Serangan", en = "Flare", zh_Hans = "发作", ta = "தாக்கம்" }
instruments = ["lupusqol"]

[reminders]
hours = ["09:00", "20:00"]
usual = "10:00"
spread_minutes = 45

[[reminders.steps]]
code = "first"
channel = "push"
after_days = 0

[[reminders.steps]]
code = "half"
channel = "email"
share = 0.5
unless_opened = true

[[reminders.steps]]
code = "call"
channel = "coordinator"
before_days = 1
urgent = true
""")  # fmt: skip
FULL = GOOD | CALENDAR


def read(content: Content, library: Library) -> StudyDefinition:
    return parse_study(content, library.instruments, file="study.toml")


def test_anchors_are_read_and_enrolment_is_always_one(library: Library) -> None:
    study = read(FULL, library)
    assert [(one.code, one.first_day) for one in study.anchors] == [
        ("enrolment", 0), ("infusion", 1),
    ]  # fmt: skip
    assert study.anchor("infusion").labels["ms"] == "Infusi"
    with pytest.raises(KeyError):
        study.anchor("biopsy")


def test_a_study_may_name_enrolment_itself(library: Library) -> None:
    content = copy.deepcopy(FULL)
    content["anchors"].append({**content["anchors"][0], "code": "enrolment"})
    del content["timepoints"][0]["offset"]
    content["timepoints"][0]["offset"] = {"days": 1}
    study = read(content, library)
    assert [one.code for one in study.anchors] == ["infusion", "enrolment"]
    assert study.timepoint("baseline").first_day == 1


def test_timepoints_are_read_with_their_place_in_the_calendar(library: Library) -> None:
    study = read(FULL, library)
    baseline, day_28, quarterly, flare = study.timepoints
    assert (baseline.anchor, baseline.offset, baseline.first_day) == (
        "enrolment", Offset(0, "days"), 0,
    )  # fmt: skip
    assert (baseline.before, baseline.after, baseline.opens, baseline.closes) == (0, 14, 0, DAY)
    assert (baseline.precedes, baseline.retroactive, baseline.repeat) == ("infusion", False, None)
    assert (day_28.before, day_28.after, day_28.opens, day_28.closes) == (2, 7, 480, 1230)
    assert (day_28.offset, day_28.first_day, day_28.retroactive) == (Offset(28, "days"), 1, True)
    assert quarterly.repeat == Repeat(Offset(3, "months"), until=date(2029, 12, 31))
    assert quarterly.label("en", 4) == "Month 12"
    assert (flare.anchor, flare.instruments) == (None, ("lupusqol",))


def test_reminders_are_read(library: Library) -> None:
    assert read(FULL, library).reminders == Rules(
        steps=(
            Step("first", Channel.PUSH, after_days=0),
            Step("half", Channel.EMAIL, share=0.5, unless_opened=True),
            Step("call", Channel.COORDINATOR, before_days=1, urgent=True),
        ),
        first=540,
        last=1200,
        usual=600,
        spread=45,
    )


def test_a_study_without_calendar_and_reminders_has_none(library: Library) -> None:
    study = read(GOOD, library)
    languages = dict.fromkeys(study.languages, "enrolment")
    assert study.anchors == (Anchor("enrolment", languages),)
    assert study.reminders.steps == ()
    assert {one.anchor for one in study.timepoints} == {None}


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (put("timepoints", 1, "closes", to="24:00"), ("closes", DAY)),
        (put("timepoints", 1, "closes", to="00:00"), ("closes", 0)),
        (put("timepoints", 1, "opens", to="23:59"), ("opens", 1439)),
        (put("timepoints", 1, "before_days", to=366), ("before", 366)),
        (put("timepoints", 1, "offset", to={"days": -1}), ("offset", Offset(-1, "days"))),
        (put("timepoints", 1, "offset", to={"months": 0}), ("offset", Offset(0, "months"))),
        (
            put("timepoints", 1, "repeat", to={"every": {"days": 25}, "times": MOST_OCCURRENCES}),
            ("repeat", Repeat(Offset(25, "days"), times=MOST_OCCURRENCES)),
        ),
        (
            put("timepoints", 1, "repeat", to={"every": {"months": 1}, "times": 1}),
            ("repeat", Repeat(Offset(1, "months"), times=1)),
        ),
    ],
)  # fmt: skip
def test_what_a_timepoint_may_say(
    library: Library, edit: Callable[[Content], None], found: tuple[str, object]
) -> None:
    content = copy.deepcopy(FULL)
    edit(content)
    assert getattr(read(content, library).timepoint("day_28"), found[0]) == found[1]


def visit(*path: str | int, to: object) -> Callable[[Content], None]:
    """An edit of the timepoint Day 28."""
    return put("timepoints", 1, *path, to=to)


def step(*path: str | int, to: object) -> Callable[[Content], None]:
    """An edit of the first step."""
    return put("reminders", "steps", 0, *path, to=to)


def every(distance: int, unit: str = "days", **end: Any) -> dict[str, object]:
    return {"every": {unit: distance}, **end}


def twice(content: Content) -> None:
    content["reminders"]["steps"] *= 2


CLOCK = 'must be a time like "08:00", at most "24:00"'
FAR = "must be between -10000 and 10000"
DATE = 'must be a day like "2029-12-31"'
AT = "timepoints[2]"
ANCHORS = [
    (put("anchors", to="infusion"), "anchors", "must be a list"),
    (put("anchors", to=[]), "anchors", "needs at least one"),
    (put("anchors", 0, to="infusion"), "anchors[1]", "must be a table"),
    (again("anchors"), "anchors", "two entries have the code 'infusion'"),
    (drop("anchors", 0, "code"), "anchors[1].code", "is missing"),
    (put("anchors", 0, "code", to="Infusion"), "anchors[1].code", "only small letters"),
    (drop("anchors", 0, "label"), "anchors[1].label", "is missing"),
    (drop("anchors", 0, "label", "ta"), "anchors[1].label.ta", "is missing"),
    (put("anchors", 0, "label", "fr", to="x"), "anchors[1].label.fr", "is not known"),
    (put("anchors", 0, "first_day", to=2), "anchors[1].first_day", "must be between 0 and 1"),
    (put("anchors", 0, "first_day", to=True), "anchors[1].first_day", "a whole number"),
    (put("anchors", 0, "days", to=1), "anchors[1].days", "is not known"),
]
PLACES = [
    (visit("anchor", to="biopsy"), f"{AT}.anchor", "there is no anchor 'biopsy'"),
    (visit("anchor", to=1), f"{AT}.anchor", "must be text"),
    (visit("precedes", to="biopsy"), f"{AT}.precedes", "there is no anchor 'biopsy'"),
    (visit("precedes", to=["infusion"]), f"{AT}.precedes", "must be text"),
    (drop("timepoints", 1, "offset"), f"{AT}.offset", "is missing"),
    (visit("offset", to=28), f"{AT}.offset", "must be a table"),
    (visit("offset", to={}), f"{AT}.offset", "needs either days or months"),
    (visit("offset", to={"days": 1, "months": 1}), f"{AT}.offset", "needs either days or months"),
    (visit("offset", to={"weeks": 4}), f"{AT}.offset.weeks", "is not known"),
    (visit("offset", to={"days": 1.5}), f"{AT}.offset.days", "must be a whole number"),
    (visit("offset", to={"days": 10_001}), f"{AT}.offset.days", FAR),
    (visit("offset", to={"months": -10_001}), f"{AT}.offset.months", FAR),
    (visit("offset", to={"days": 0}), f"{AT}.offset.days", "there is no day 0 of infusion"),
    (visit("before_days", to=-1), f"{AT}.before_days", "must be between 0 and 366"),
    (visit("after_days", to=367), f"{AT}.after_days", "must be between 0 and 366"),
    (visit("after_days", to="7"), f"{AT}.after_days", "must be a whole number"),
    (visit("opens", to="8:00"), f"{AT}.opens", CLOCK),
    (visit("opens", to=8), f"{AT}.opens", CLOCK),
    (visit("opens", to="24:00"), f"{AT}.opens", "must be earlier than 24:00"),
    (visit("closes", to="24:01"), f"{AT}.closes", CLOCK),
    (visit("closes", to="20:60"), f"{AT}.closes", CLOCK),
    (visit("closes", to="20:30\n"), f"{AT}.closes", CLOCK),
    (visit("retroactive", to=1), f"{AT}.retroactive", "must be true or false"),
] + [
    (put("timepoints", 3, key, to=1), f"timepoints[4].{key}", "means nothing without an anchor")
    for key in (
        "offset", "before_days", "after_days", "opens", "closes", "repeat", "precedes",
        "retroactive",
    )
]  # fmt: skip
REPEATS = [
    (visit("repeat", to="monthly"), f"{AT}.repeat", "must be a table"),
    (visit("repeat", to={"times": 3}), f"{AT}.repeat.every", "is missing"),
    (visit("repeat", to=every(7)), f"{AT}.repeat", "needs either until or times"),
    (
        visit("repeat", to=every(7, times=3, until="2029-12-31")),
        f"{AT}.repeat", "needs either until or times",
    ),
    (visit("repeat", to=every(7, unit="weeks")), f"{AT}.repeat", "needs either until or times"),
    (visit("repeat", to=every(7, unit="weeks", times=2)), f"{AT}.repeat.every.weeks", "not known"),
    (visit("repeat", to=every(7, count=2)), f"{AT}.repeat.count", "is not known"),
    (visit("repeat", to=every(0, times=3)), f"{AT}.repeat.every.days", "between 1 and 10000"),
    (visit("repeat", to=every(-1, times=3)), f"{AT}.repeat.every.days", "between 1 and 10000"),
    (visit("repeat", to=every(7, times=0)), f"{AT}.repeat.times", "between 1 and 400"),
    (visit("repeat", to=every(7, times=401)), f"{AT}.repeat.times", "between 1 and 400"),
    (visit("repeat", to=every(5_000, times=3)), f"{AT}.repeat.times", "between 1 and 2"),
    (visit("repeat", to=every(7, times="3")), f"{AT}.repeat.times", "must be a whole number"),
    (visit("repeat", to=every(7, until=date(2029, 1, 1))), f"{AT}.repeat.until", "must be text"),
    (visit("repeat", to=every(7, until="2029-02-30")), f"{AT}.repeat.until", DATE),
    (visit("repeat", to=every(7, until="20291231")), f"{AT}.repeat.until", DATE),
    (visit("repeat", to=every(7, until="2029-W01-1")), f"{AT}.repeat.until", DATE),
    (visit("repeat", to=every(7, until="9999-12-31")), f"{AT}.repeat.until", DATE),
    (visit("label", "en", to="Day {count}"), f"{AT}.label.en", "{count} needs a repeat"),
    (put("timepoints", 3, "label", "ta", to="{count}"), "timepoints[4].label.ta", "{count} needs"),
    (
        put("timepoints", 2, "repeat", "every", to={"days": 90}),
        "timepoints[3].label.ms", "{count} needs a repeat in the offset's own unit",
    ),
]  # fmt: skip
REMINDERS = [
    (put("reminders", to=[]), "reminders", "must be a table"),
    (put("reminders", "quiet", to=1), "reminders.quiet", "is not known"),
    (drop("reminders", "hours"), "reminders.hours", "is missing"),
    (drop("reminders", "usual"), "reminders.usual", "is missing"),
    (drop("reminders", "steps"), "reminders.steps", "is missing"),
    (put("reminders", "hours", to="09:00"), "reminders.hours", "must be a list"),
    (put("reminders", "hours", to=["09:00"]), "reminders.hours", "needs two times"),
    (put("reminders", "hours", to=["09:00", 20]), "reminders.hours", CLOCK),
    (put("reminders", "hours", to=["20:00", "09:00"]), "reminders", "begin before they end"),
    (put("reminders", "hours", to=["09:01", "10:00"]), "reminders", "hold no full hour"),
    (put("reminders", "usual", to="10"), "reminders.usual", CLOCK),
    (put("reminders", "usual", to="10:30"), "reminders", "usual hour must be a full hour"),
    (put("reminders", "usual", to="20:00"), "reminders", "usual hour must be a full hour"),
    (put("reminders", "usual", to="24:00"), "reminders", "usual hour must be a full hour"),
    (put("reminders", "spread_minutes", to=601), "reminders.spread_minutes", "between 0 and 600"),
    (put("reminders", "hours", to=["09:00", "10:44"]), "reminders", "the spread after it"),
    (put("reminders", "steps", to={}), "reminders.steps", "must be a list"),
    (put("reminders", "steps", to=[]), "reminders.steps", "needs at least one"),
    (twice, "reminders.steps", "two entries have the code 'first'"),
]
ONE = "reminders.steps[1]"
STEPS = [
    (put("reminders", "steps", 0, to="push"), ONE, "must be a table"),
    (drop("reminders", "steps", 0, "code"), f"{ONE}.code", "is missing"),
    (drop("reminders", "steps", 0, "channel"), f"{ONE}.channel", "is missing"),
    (step("code", to="First"), f"{ONE}.code", "only small letters"),
    (step("channel", to="sms"), f"{ONE}.channel", "must be one of push, email, coordinator"),
    (step("channel", to=1), f"{ONE}.channel", "must be text"),
    (step("text", to="Hello"), f"{ONE}.text", "is not known"),
    (drop("reminders", "steps", 0, "after_days"), ONE, "exactly one of after_days"),
    (step("before_days", to=1), ONE, "exactly one of after_days"),
    (step("after_days", to=-1), f"{ONE}.after_days", "must be between 0 and 366"),
    (step("after_days", to=367), f"{ONE}.after_days", "must be between 0 and 366"),
    (step("after_days", to=1.5), f"{ONE}.after_days", "must be a whole number"),
    (step("urgent", to="yes"), f"{ONE}.urgent", "must be true or false"),
    (step("unless_opened", to=0), f"{ONE}.unless_opened", "must be true or false"),
] + [
    (
        put("reminders", "steps", 1, "share", to=share),
        "reminders.steps[2].share", "must be a number from 0 to 1",
    )
    for share in (-0.1, 1.1, "0.5", True, float("nan"), float("inf"))
]  # fmt: skip


@pytest.mark.parametrize(
    ("edit", "place", "reason"), [*ANCHORS, *PLACES, *REPEATS, *REMINDERS, *STEPS]
)
def test_a_faulty_calendar_is_refused_with_place_and_reason(
    library: Library, edit: Callable[[Content], None], place: str, reason: str
) -> None:
    content = copy.deepcopy(FULL)
    edit(content)
    with pytest.raises(DefinitionError) as refused:
        read(content, library)
    assert (refused.value.file, refused.value.place) == ("study.toml", place)
    assert reason in refused.value.reason
    assert str(refused.value).startswith(f"study.toml: {place}: ")


@pytest.mark.parametrize(
    ("opens", "closes"), [("08:00", "08:00"), ("08:00", "07:59"), ("00:00", "00:00")]
)
def test_a_window_that_is_never_open_is_refused(library: Library, opens: str, closes: str) -> None:
    content = copy.deepcopy(FULL)
    content["timepoints"][1] |= {"opens": opens, "closes": closes, "after_days": 0}
    with pytest.raises(DefinitionError) as refused:
        read(content, library)
    assert (refused.value.place, refused.value.reason) == (
        "timepoints[2].closes", "must be later than opens",
    )  # fmt: skip


def test_a_window_over_midnight_may_close_earlier_than_it_opens(library: Library) -> None:
    content = copy.deepcopy(FULL)
    content["timepoints"][1] |= {"opens": "20:00", "closes": "08:00", "after_days": 1}
    assert read(content, library).timepoint("day_28").closes == 480

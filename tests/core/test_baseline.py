"""The rule of the baseline: from the protocol alone."""

from __future__ import annotations

from typing import Any

import pytest

from pro_app.core.baseline import Baseline, baseline, reference_anchor
from pro_app.core.library import Library
from pro_app.core.study import StudyDefinition
from pro_app.core.study_file import parse_study
from tests.services.trial import trial_content


def study(library: Library, **changes: Any) -> StudyDefinition:
    return parse_study(trial_content(library) | changes, library.instruments)


def visits(library: Library, *codes: str) -> list[dict[str, Any]]:
    return [one for one in trial_content(library)["timepoints"] if one["code"] in codes]


def test_treatment_begins_with_the_first_anchor_besides_enrolment(library: Library) -> None:
    assert reference_anchor(study(library)) == "infusion"
    assert baseline(study(library), "lupusqol") == Baseline("infusion")
    content = trial_content(library)
    del content["anchors"]
    content["timepoints"] = visits(library, "baseline", "unscheduled")
    del content["timepoints"][0]["precedes"]
    assert reference_anchor(parse_study(content, library.instruments)) == "enrolment"


def test_a_protocol_that_asks_nothing_before_takes_its_first_visit(library: Library) -> None:
    later = study(library, timepoints=visits(library, "day_28", "month_3", "unscheduled"))
    assert baseline(later, "sf36v1") == Baseline("infusion", "day_28")


@pytest.mark.parametrize(
    ("first_day", "offset", "before"),
    [
        (0, {"days": 0}, True),
        (0, {"days": -1}, True),
        (0, {"days": 1}, False),
        (1, {"days": 1}, True),
        (1, {"days": -1}, True),
        (1, {"days": 2}, False),
        (1, {"months": 1}, False),
        (0, {"months": -1}, True),
    ],
)
def test_a_visit_on_the_day_itself_or_before_it_is_one(
    library: Library, first_day: int, offset: dict[str, int], before: bool
) -> None:
    (visit,) = visits(library, "day_28")
    anchors = [trial_content(library)["anchors"][0] | {"first_day": first_day}]
    found = study(library, anchors=anchors, timepoints=[visit | {"offset": offset}])
    assert baseline(found, "lupusqol") == Baseline("infusion", None if before else "day_28")


def test_visits_by_hand_alone_are_compared_with_the_day(library: Library) -> None:
    found = study(library, timepoints=visits(library, "unscheduled"))
    assert baseline(found, "lupusqol") == Baseline("infusion")

"""Which of a participant's questionnaires is the baseline that change is counted from: one rule."""

from __future__ import annotations

from dataclasses import dataclass

from pro_app.core.schedule import ENROLMENT, Timepoint
from pro_app.core.study import StudyDefinition


@dataclass(frozen=True, slots=True)
class Baseline:
    """How the baseline of an instrument is found.

    `visit` None: the last submitted one that was due, and completed, on or before the day of
    `anchor`. Otherwise the protocol asks nothing by that day, and it is the timepoint `visit`, at
    its first occurrence.
    """

    anchor: str
    visit: str | None = None


def reference_anchor(study: StudyDefinition) -> str:
    """The anchor that treatment is counted from: the protocol's first one besides enrolment, or
    enrolment where there is no other."""
    return next((one.code for one in study.anchors if one.code != ENROLMENT), ENROLMENT)


def baseline(study: StudyDefinition, instrument: str) -> Baseline:
    """The rule for an instrument of a study."""
    anchor = reference_anchor(study)
    asked = [one for one in study.timepoints if instrument in one.instruments]
    planned = [one for one in asked if one.anchor is not None]
    if not planned or any(_comes_before(one, anchor) for one in planned):
        return Baseline(anchor)
    return Baseline(anchor, planned[0].code)


def _comes_before(timepoint: Timepoint, anchor: str) -> bool:
    """Whether a visit of the calendar is due on or before the anchor's day. One that counts from
    enrolment is, unless enrolment is the reference itself."""
    if timepoint.anchor == anchor:
        own_day = timepoint.first_day if timepoint.offset.unit == "days" else 0
        return timepoint.offset.count <= own_day
    return timepoint.anchor == ENROLMENT

"""What the room "Pictures" calls things, in the page's language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from pro_app.core.baseline import Baseline
from pro_app.core.instruments import Difference, Instrument
from pro_app.core.scoring import half_up
from pro_app.core.study import StudyDefinition
from pro_app.services.picture_counts import Counts
from pro_app.services.picture_numbers import Lacking, Reliability
from pro_app.services.rates import Visit
from pro_app.web import locale, picture_panels, staff_words
from pro_app.web.picture_panels import Rows, Scale
from pro_app.web.staff_words import Words

MISSED: Words = {  # why, as the record shows: see core.assessment.missed_reason
    "partial": _l("half answered"),
    "not_started": _l("not begun"),
    "not_offered": _l("over before the study knew of it"),
}
ENDED: Words = {  # see core.assessment.not_expected_reason
    "withdrawn": _l("withdrawn"),
    "died": _l("died"),
    "cancelled": _l("taken back by the calendar"),
    "no_wording": _l("no wording in the participant's language"),
}
PART: Words = {  # of a bar
    "completed": _l("done in time"),
    "late": _l("done late"),
    "open": _l("can be answered now"),
    "partial": _l("missed, half answered"),
    "missed": _l("missed, not begun"),
    "withdrawn": _l("not expected: withdrawn"),
    "died": _l("not expected: died"),
    "other": _l("not expected: another reason"),
}


def tabs() -> list[tuple[str, str]]:
    """The pictures, and what they are called."""
    return [
        ("means", _("Means")),
        ("changes", _("Change from baseline")),
        ("completion", _("Completion and missing")),
        ("distribution", _("Distribution")),
        ("reliability", _("Consistency")),
        ("find", _("One participant")),
    ]


def form(instrument: Instrument, scoring: str) -> str:
    """A questionnaire and its scoring: `SF-36 · RAND 36-Item Health Survey 1.0`; the name once
    where the scoring's title begins with it."""
    title = instrument.scorings[scoring].title
    return title if title.startswith(instrument.name) else f"{instrument.name} · {title}"


def in_order(study: StudyDefinition, visits: Iterable[Visit]) -> list[Visit]:
    """Visits in the protocol's order; what it names no more last."""
    order = {one.code: place for place, one in enumerate(study.timepoints)}
    return sorted(visits, key=lambda one: (order.get(one.timepoint, len(order)), one))


def baseline(study: StudyDefinition, rule: Baseline, language: str) -> str:
    """The rule of the baseline as a sentence."""
    if rule.visit is not None:
        visit = staff_words.timepoint(study, rule.visit, 1, language)
        first: str = _(
            "The protocol asks nothing before treatment begins. Baseline is the first visit, "
            "%(visit)s.",
            visit=visit,
        )
        return first
    anchor = staff_words.anchor(study, rule.anchor, language)
    if rule.anchor == "enrolment":
        at_enrolment: str = _(
            "Baseline is the last questionnaire that was due and answered on or before the day "
            "of enrolment."
        )
        return at_enrolment
    text: str = _(
        "Baseline is the last questionnaire that was due and answered on or before this day: "
        "%(anchor)s.",
        anchor=anchor,
    )
    return text


def bands(difference: Difference, axis: Scale) -> Iterator[tuple[float, float, str]]:
    """The ranges of the axis in which a difference matters, from the smallest one on, and what it
    is there: upwards or downwards, as the scale has it."""
    named = (
        (difference.mid_improve, str(_("better"))),
        (difference.mid_deteriorate, str(_("worse"))),
    )
    for smallest, text in named:
        if smallest is not None and 0 < smallest < axis.high:
            yield smallest, axis.high, text
        elif smallest is not None and axis.low < smallest < 0:
            yield axis.low, smallest, text


def parts(one: Counts) -> list[tuple[str, int]]:
    """The parts of a visit's bar."""
    ended = dict(one.ended)
    died, withdrawn = ended.pop("died", 0), ended.pop("withdrawn", 0)
    partial = one.missed.get("partial", 0)
    return [
        ("completed", one.rate.submitted - one.rate.late),
        ("late", one.rate.late),
        ("open", one.open + one.in_progress),
        ("partial", partial),
        ("missed", sum(one.missed.values()) - partial),
        ("withdrawn", withdrawn),
        ("died", died),
        ("other", sum(ended.values())),
    ]


def language_name(code: str) -> str:
    """A language in which a questionnaire was answered; "" stands for all together."""
    if code == "":
        return str(_("all languages together"))
    return locale.NAMES.get(code) or str(_("in several languages"))


def two_places(value: float) -> str:
    """A coefficient, as it is printed."""
    return half_up(value, 2).replace("-", "−")


def alpha_rows(
    alphas: Mapping[str, Mapping[str, Reliability]], language: str
) -> list[tuple[str, float | None, str, float]]:
    """The tracks of a language: each scale's alpha, where there is one."""
    return [
        (scale, one.alpha, "–" if one.alpha is None else two_places(one.alpha), 0.0)
        for scale, by_language in alphas.items()
        if (one := by_language[language]) is not None
    ]


def lacking_tracks(
    lacking: Mapping[str, Mapping[str, Lacking]], languages: Sequence[str]
) -> dict[str, Rows]:
    """By language a track for each item: the share left out, and behind it the one that did not
    apply. All have one measure, the largest share there is."""
    shares = [
        (one.skipped + one.not_applicable) / one.n
        for language in languages
        for one in lacking[language].values()
    ]
    most = max([0.05, *shares])
    return {
        language: picture_panels.tracks(
            [
                (
                    code,
                    one.skipped / one.n,
                    picture_panels.percent(one.skipped + one.not_applicable, one.n),
                    one.not_applicable / one.n,
                )
                for code, one in lacking[language].items()
            ],
            most,
        )
        for language in languages
    }

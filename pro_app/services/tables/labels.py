"""What the columns of the tables mean, and their codes, in the language asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pro_app.core.wording import Wording
from pro_app.export.table import Column, Kind
from pro_app.services.tables.request import Request

Words = Callable[[str], str]
Codes = Mapping[str, str]


def yes_no(_: Words) -> Mapping[int, str]:
    """0 and 1."""
    return {0: _("no"), 1: _("yes")}


def statuses(_: Words) -> Codes:
    """The states of an assessment, see `core.assessment.Status`."""
    return {
        "not_due": _("not due yet"),
        "open": _("open"),
        "in_progress": _("half answered"),
        "completed": _("done in time"),
        "completed_late": _("done late"),
        "missed": _("missed"),
        "not_expected": _("not expected"),
    }


def modes(_: Words) -> Codes:
    """Where and how it was answered."""
    return {
        "own_phone": _("own phone"),
        "site_tablet": _("tablet of the site"),
        "paper": _("on paper"),
        "interview": _("interview"),
    }


def states(_: Words) -> Codes:
    """What became of an item."""
    return {
        "answered": _("answered"),
        "skipped": _("left unanswered, after confirming"),
        "not_applicable": _("does not apply"),
        "not_reached": _("not reached"),
    }


def doubts(_: Words) -> Codes:
    """What is doubtful about a moment, see `core.assessment.Doubt`."""
    return {
        "clock_changed": _("the phone's clock was set between contact, tap and sending"),
        "before_opening": _("the phone's clock said a time before the opening"),
        "skew": _("the phone's clock was wrong by more than two minutes"),
    }


def reasons(_: Words) -> Codes:
    """Why there is no score."""
    return {
        "too_few_answered": _("fewer items answered than the scoring asks for"),
        "needs_all_scales": _("one of the scales that it is computed from is missing"),
        "replaced": _("what was corrected is scored by a newer version only"),
    }


def scales(_: Words) -> tuple[str, ...]:
    """The names of the instruments' scales, which stand in their definitions in English."""
    return (
        _("physical health"), _("pain"), _("planning"), _("intimate relationships"),
        _("burden to others"), _("emotional health"), _("body image"), _("fatigue"),
        _("physical functioning"), _("role limitations due to physical health"),
        _("role limitations due to emotional problems"), _("energy/fatigue"),
        _("emotional well-being"), _("social functioning"), _("general health"),
        _("role limitations, physical"), _("bodily pain"), _("vitality"),
        _("role limitations, emotional"), _("mental health"), _("physical component summary"),
        _("mental component summary"),
    )  # fmt: skip


def key(request: Request) -> tuple[Column, ...]:
    """The columns that name an assessment."""
    _, language = request.words, request.language
    sites: Codes = {
        one.code: one.name
        for one in request.study.definition.sites
        if request.sites is None or one.code in request.sites
    }
    visits: Codes = {
        one.code: (one.label(language) or one.code).replace("{count}", "…")
        for one in request.study.definition.timepoints
    }
    instruments: Codes = {one.code: one.name for one in request.asked()}
    return (
        Column("study", "text", _("study code")),
        Column("site", "text", _("site code"), sites),
        Column("participant", "text", _("study number")),
        Column("timepoint", "text", _("visit of the protocol"), visits),
        Column("occurrence", "integer", _("1, or 2 and more for a repeated visit")),
        Column("instrument", "text", _("instrument"), instruments),
    )


def status(request: Request) -> Column:
    """The state that an assessment is in."""
    _ = request.words
    return Column("status", "text", _("state of the assessment"), statuses(_))


def flag(name: str, label: str, request: Request) -> Column:
    """A column of 0 and 1."""
    return Column(name, "integer", label, yes_no(request.words))


def plain(name: str, label: str, kind: Kind = "text") -> Column:
    """A column without codes."""
    return Column(name, kind, label)


def completed(request: Request) -> Column:
    """When the answers were complete."""
    _ = request.words
    return plain("completed_at", _("last answer before submitting; server clock"), "moment")


def late(request: Request) -> Column:
    """Whether it came after closing."""
    _ = request.words
    return flag("late", _("submitted after closing, within the grace time"), request)


def mode(request: Request) -> Column:
    """Where it was answered."""
    _ = request.words
    return Column("mode", "text", _("where and how it was answered"), modes(_))


def void(request: Request) -> Column:
    """Whether it is to be left out."""
    _ = request.words
    label = _("a correction says that it belongs elsewhere or nowhere: leave it out")
    return flag("void", label, request)


def wording_versions(request: Request) -> Column:
    """Which versions of licensed text were read."""
    _ = request.words
    return plain("wording_versions", _("versions of the licensed wordings, in the same order"))


def notes(request: Request) -> tuple[str, ...]:
    """What must be said beside data of the instruments: whose words the people have read."""
    _ = request.words
    shown = [
        found
        for one in request.asked()
        for language in request.study.definition.languages
        if (found := request.study.wordings.reading(one.code, language, request.now)) is not None
    ]
    if any(one.kind == "demonstration" for one in shown):
        return (_("Demonstration wording, not the validated questionnaire."),)
    return ()


def item_label(topic: str, code: str, wording: Wording | None, request: Request) -> str:
    """An item in the language asked for; its topic where there is no wording in it."""
    _ = request.words
    if wording is None:
        return topic
    text = wording.items[code]
    if wording.kind == "demonstration":
        mark = _("demonstration wording")
        return f"{text} [{mark}]"
    return text

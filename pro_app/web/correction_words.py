"""What the pages about answers, corrections and sign-off call things, in the page's language."""

from __future__ import annotations

from datetime import date

from babel.dates import format_date
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from pro_app.core.corrections import VOID, WRONG_TIMEPOINT
from pro_app.core.study import StudyDefinition
from pro_app.services import signing
from pro_app.web import locale, staff_words
from pro_app.web.staff_words import Words

ANSWER_STATE: Words = {
    "skipped": _l("left unanswered"),
    "not_applicable": _l("does not apply"),
    "not_reached": _l("not reached"),
}
MODE: Words = {
    "own_phone": _l("on the participant's own phone"),
    "site_tablet": _l("on the site's tablet"),
    "paper": _l("on paper"),
    "interview": _l("in an interview"),
}
NO_SCORE: Words = {
    "too_few_answered": _l("too few answers"),
    "needs_all_scales": _l("needs all scales"),
}
KIND: Words = {
    "answer": _l("An answer is wrong"),
    "wrong_timepoint": _l("It was filed at the wrong timepoint"),
    "wrong_participant": _l("It belongs to another participant"),
}
STATE: Words = {
    "requested": _l("waits for a decision"),
    "approved": _l("approved"),
    "rejected": _l("rejected"),
    "retracted": _l("taken back"),
}
REASON: Words = {
    "mistaken_tap": _l("tapped by mistake"),
    "misunderstood": _l("the question was misunderstood"),
    "transcription": _l("copied wrongly from paper"),
    "technical": _l("a technical fault"),
    "mix_up": _l("people or visits were mixed up"),
    "other": _l("another reason"),
}
ORIGINATOR: Words = {
    "participant": _l("It is the participant's wish"),
    "site": _l("It is the site's wish"),
}


def milestone(study: StudyDefinition, code: str, language: str) -> str:
    """A timepoint with its occurrence (`month_3/1`) as the protocol labels it, or the end."""
    timepoint, _slash, occurrence = code.rpartition("/")
    if not timepoint:
        text: str = _("End of the participant's data")
        return text
    return staff_words.timepoint(study, timepoint, int(occurrence), language)


def place(study: StudyDefinition, kind: str, value: str, language: str) -> str:
    """Where a submission belongs, by a correction of an administrative kind."""
    if value == VOID and kind == WRONG_TIMEPOINT:
        text: str = _("It belongs to no timepoint, and is to be left out")
    elif value == VOID:
        text = _("It belongs to no participant, and is to be left out")
    elif kind == WRONG_TIMEPOINT:
        label = milestone(study, value, language)
        text = _("It belongs to the timepoint: %(place)s", place=label)
    else:
        text = _("It belongs to participant %(number)s", number=value)
    return text


def day_text(day: date, language: str) -> str:
    """A day in few words: `25 Nov 2026`."""
    pattern = "y年M月d日" if language == "zh_Hans" else "d MMM y"
    return str(format_date(day, pattern, locale=locale.parsed(language)))


def raw(rule: str, value: str) -> str:
    """How the values of the items became one; `rule` is a score's, see `core.scoring`."""
    sentences = {
        "mean": _("Mean of the values used: %(value)s.", value=value),
        "prorated_sum": _("Sum of the values used: %(value)s.", value=value),
    }
    way = rule.partition("/")[0]
    return sentences.get(way) or str(_("Raw value of the two items: %(value)s.", value=value))


def text_fault(given: str, missing: str, *, needed: bool = True) -> str | None:
    """What to say of a free text that cannot be kept; `missing` if it is empty."""
    faults = {
        "missing": missing,
        "long": _(
            "This text is too long. Please use at most %(count)d characters.",
            count=signing.LONGEST,
        ),
        "identity": _("This text holds what looks like an identity card number. Please remove it."),
    }
    fault = signing.text_fault(given, needed=needed)
    return None if fault is None else faults[fault]

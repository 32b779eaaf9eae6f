"""What is typed from paper or in an interview, as values; and what is wrong with it, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from pro_app.core.instruments import Instrument
from pro_app.services.by_staff import Refusal
from pro_app.services.paper import Paper, TranscriptionError, Value
from pro_app.web import staff_forms

Form = Mapping[str, str]
IDENTITY = _l("The text holds what looks like an identity card number. Please take it out.")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, beside which field (None: about all of it) or at which items."""

    field: str | None
    text: LazyString
    items: tuple[str, ...] = ()


# by a refusal's code: the field that it is about, and the words
FAULTS: Mapping[str, tuple[str | None, LazyString]] = {
    "day": ("completed_on", _l("Please enter the day on which it was answered.")),
    "time": ("completed_time", _l("This is not a time of the day.")),
    "future": ("completed_on", _l("This moment has not come yet.")),
    "before_opening": (
        "completed_on",
        _l("On that day this questionnaire was not open yet. Please look at the day again."),
    ),
    "withdrawn": ("completed_on", _l("The participant had withdrawn by that day.")),
    "died": ("completed_on", _l("The participant had died by that day.")),
    "language": ("language", _l("Please choose the language in which it was answered.")),
    "wording": (
        "wording",
        _l("In this language no paper has this code at its foot. Please choose it again."),
    ),
    "text_long": ("reference", _l("The text is too long. At most 120 characters are kept.")),
    "identity": ("reference", IDENTITY),
    "missing": (
        None,
        _l("These questions have no value yet. What you have entered is still there."),
    ),
    "value": (None, _l("Please choose a value for these questions again.")),
    "cancelled": (
        None,
        _l("The calendar has changed, and this questionnaire is not planned any more."),
    ),
    "submitted": (None, _l("This questionnaire has been submitted already.")),
    "being_entered": (None, _l("Somebody is entering this questionnaire already.")),
    "somebody_elses": (None, _l("Somebody else has begun this sheet and has to finish it.")),
    "own": (None, _l("You have entered this sheet yourself. Somebody else has to check it.")),
    "state": (
        None,
        _l("Somebody has worked on this sheet meanwhile. This page shows how it stands now."),
    ),
    "other": (None, _l("This cannot be done as it was asked for.")),
}
OF_REMARK: Mapping[str, tuple[str | None, LazyString]] = {
    "remark": ("remark", _l("Please say why, in a few words.")),
    "text_long": ("remark", _l("The text is too long. At most 500 characters are kept.")),
    "identity": ("remark", IDENTITY),
}


def fault_of(error: Refusal, remark: bool = False) -> Fault:
    """A refusal in words: of a sheet, or of the remark with which one is given back."""
    said = OF_REMARK if remark and error.code in OF_REMARK else FAULTS
    field, text = said.get(error.code, FAULTS["other"])
    return Fault(field, text, error.items)


def paper(form: Form) -> Paper:
    """What stands on the paper beside the answers. Raises TranscriptionError for what cannot."""
    on = staff_forms.day(form.get("completed_on", ""))
    if on is None:
        raise TranscriptionError("there is no day", "day")
    clock = form.get("completed_time", "")
    at = staff_forms.time_of_day(clock)
    if clock and at is None:
        raise TranscriptionError("this is no time", "time")
    code = form.get("wording", "")
    return Paper(
        on, form.get("language", ""), at, form.get("reference", ""), "" if code == "none" else code
    )


def values(form: Form, instrument: Instrument) -> dict[str, Value]:
    """The items that have a value, as it was sent; whether it can be, the service says."""
    found: dict[str, Value] = {}
    for item in instrument.items:
        text = form.get(f"item-{item.code}", "")
        if text:
            found[item.code] = int(text) if text in map(str, item.options.codes) else text
    return found

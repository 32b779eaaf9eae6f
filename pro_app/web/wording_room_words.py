"""What the room "Wording" says: states, refusals, faults of files, and where texts stand."""

from __future__ import annotations

from collections.abc import Iterable

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from pro_app.core import licence_state
from pro_app.core.licence import MODES
from pro_app.core.wording_faults import Fault
from pro_app.services.wording_import import AnyFault
from pro_app.services.wordings import (
    LONGEST_HOLDER,
    LONGEST_NUMBER,
    LONGEST_VERSION,
    WordingRefused,
)
from pro_app.web import fhir_words, wording_words
from pro_app.web.protocol_words import MODE
from pro_app.web.staff_words import Words

STATE: Words = {  # see core.licence_state.STATES
    licence_state.IN_FORCE: _l("in force"),
    licence_state.LATER: _l("comes later"),
    licence_state.ENDED: _l("over"),
    licence_state.TAKEN_BACK: _l("ended before its last day"),
    licence_state.REPLACED: _l("replaced"),
}
FIELDS = {  # by a refusal's code, the field that it is about
    "version": "version", "version_taken": "version", "holder": "holder", "number": "number",
    "modes": "modes", "until": "until", "site": "site", "past": "from_on", "early": "from_on",
    "text_long": "holder", "identity": "holder", "not_read": "from_on", "text": "file",
    "day": "from_on", "instrument": "instrument", "language": "language", "reason": "reason",
}  # fmt: skip


def says(code: str) -> str:
    """What was refused, in plain words."""
    words = {
        "instrument": _("Please choose the questionnaire."),
        "language": _("Please choose the language."),
        "version": _(
            "Please enter the owner's name for this text: at most %(most)d letters, digits, "
            "spaces, and . ( ) + -",
            most=LONGEST_VERSION,
        ),
        "version_taken": _(
            "This version is stored already, with another text. Please enter another version."
        ),
        "holder": _("Please enter who holds the licence."),
        "number": _("Please enter the number of the licence."),
        "modes": _("Please tick how the text may be read."),
        "day": _("Please enter the first day."),
        "until": _("Please enter the last day. It cannot lie in the past or before the first day."),
        "site": _("Please choose the site."),
        "past": _("Please enter today or a later day."),
        "early": _(
            "Another text is in force. Somebody may be reading it today, so this one can begin "
            "tomorrow at the earliest."
        ),
        "text_long": _(
            "This is too long: at most %(holder)d characters for the holder and %(number)d for the "
            "number.",
            holder=LONGEST_HOLDER,
            number=LONGEST_NUMBER,
        ),
        "identity": _("Never enter the number of an identity card."),
        "not_read": _("This wording is not read there on that day."),
        "text": _("The file holds a text that cannot be shown. Please check it once more."),
        "reason": _("Please enter the reason, in at most 500 characters."),
    }
    return str(words[code])


def refused(error: WordingRefused) -> dict[str, str]:
    """By field, what was refused."""
    field = error.items[0] if error.items else FIELDS[error.code]
    return {field: says(error.code)}


def modes(found: Iterable[str]) -> list[str]:
    """How a text may be read, in words and in their order."""
    chosen = set(found)
    return [str(MODE[one]) for one in MODES if one in chosen]


def fault_place(fault: AnyFault) -> str:
    """Where in the file: sheet and row, or the path in a JSON file."""
    return wording_words.place(fault) if isinstance(fault, Fault) else fhir_words.place(fault)


def fault_key(fault: AnyFault) -> str:
    """The place in the wording; "" where there is none."""
    return fault.key or "" if isinstance(fault, Fault) else ""


def fault_reason(fault: AnyFault) -> str:
    """What is wrong, without any text of the file."""
    return wording_words.reason(fault) if isinstance(fault, Fault) else fhir_words.reason(fault)


def doubtful(fault: AnyFault) -> bool:
    """Whether the owner's text may truly be like this."""
    return isinstance(fault, Fault) and fault.doubtful

"""What can be wrong with a FHIR file of wordings, in the page's language, without its texts."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from pro_app.core.json_file import Fault
from pro_app.web.staff_words import Words

REASONS: Words = {  # by the codes of core.json_file.REASONS
    "empty": _l("The file is empty."),
    "too_large": _l("The file has more than %(most)s bytes."),
    "encoding": _l("The file is not UTF-8."),
    "not_json": _l("This is no JSON file: line %(line)s, column %(column)s."),
    "too_deep": _l("The file has more than %(most)s levels."),
    "key_twice": _l("The key %(key)s is there twice."),
    "surrogate": _l("Half a character stands here."),
    "kind": _l("Something else must stand here: %(wanted)s."),
    "resource": _l("This is %(found)s, not a Questionnaire."),
    "release": _l("The file is of FHIR %(found)s, not of R4."),
    "unknown_instrument": _l(
        "There is no such questionnaire here. None can be added from FHIR, which tells nothing of "
        "its scoring."
    ),
    "instrument": _l("This is the questionnaire %(found)s, not %(wanted)s."),
    "unsupported": _l(
        "%(field)s cannot be taken over: it would change what is asked, or leave a text elsewhere."
    ),
    "link_missing": _l("%(link)s is missing."),
    "link_unknown": _l("This questionnaire has no %(link)s."),
    "link_twice": _l("%(link)s is there twice."),
    "link_elsewhere": _l("%(link)s belongs to another group."),
    "link_order": _l("%(wanted)s should stand here."),
    "type": _l("The type is %(found)s; it must be %(wanted)s."),
    "prefix": _l("The number is %(found)s; it must be %(wanted)s."),
    "group_text": _l("A group has no text of its own. Lead-ins and recall periods are items."),
    "not_applicable": _l("Whether “not applicable” is offered differs from the questionnaire."),
    "recall": _l("The recall period is %(found)s; it must be %(wanted)s."),
    "option_count": _l("There are %(found)s options; there must be %(wanted)s."),
    "option_code": _l("The option is %(found)s; it must be %(wanted)s."),
    "option_twice": _l("The option %(found)s is there twice."),
    "option_order": _l("The options stand in another order."),
    "option_kind": _l("An option must be a valueCoding with a code and a display."),
    "option_set": _l("The options are those of %(found)s; they must be those of %(wanted)s."),
    "ordinal": _l("The figure of option %(code)s is not its code."),
    "option_differs": _l("In %(language)s, option %(code)s has another text than at %(first)s."),
    "text_missing": _l("The text is missing."),
    "text_empty": _l("The text is empty."),
    "language_missing": _l("The file does not say its language."),
    "language_unknown": _l("The language %(found)s is none of these: %(known)s."),
    "language_twice": _l("%(language)s is there twice."),
    "translation": _l("A translation must have one language and one content."),
    "translation_missing": _l("The text is missing in %(language)s."),
}


def reason(fault: Fault) -> str:
    """What is wrong, without any text of the file."""
    return str(REASONS[fault.code]) % dict(fault.about)


def place(fault: Fault) -> str:
    """Where in the file, for people and for programs."""
    if not fault.path:
        return str(_("the whole file"))
    return f"{fault.link} · {fault.path}" if fault.link else fault.path

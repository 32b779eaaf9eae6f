"""What all pages about one participant share: who, how things stand, and the other pages."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _

from pro_app.models import Participant
from pro_app.services import participants
from pro_app.web import staff_words
from pro_app.web.house import house
from pro_app.web.staff_access import PEOPLE, is_watched


def pages() -> list[tuple[str, str, tuple[str, ...]]]:
    """The pages about one participant: endpoint, name, and whose they are."""
    return [
        ("participant_page.overview", _("Overview"), PEOPLE),
        ("calls.index", _("Calls and notes"), PEOPLE),
        ("entry.index", _("On paper"), PEOPLE),
        ("investigator.answers", _("Answers"), ("investigator",)),
        ("corrections.of_participant", _("Corrections"), PEOPLE),
        ("sign_off.milestones", _("Sign-off"), ("investigator",)),
        *([("alerts.of_participant", _("Alerts"), PEOPLE)] if is_watched() else []),
        ("trail.participant", _("Record"), PEOPLE),
    ]


def frame(person: Participant, tab: str) -> dict[str, Any]:
    """The values of `participant_page/base.html`, of a participant in an open database session;
    `tab` is the endpoint of the page."""
    return {
        "known": person,
        "site": person.site.code,
        "standing": participants.standing(person, house().clock()),
        "instruments": {code: one.name for code, one in house().library.instruments.items()},
        "words": staff_words,
        "person_pages": pages(),
        "tab": tab,
        "room": "coordinator.matrix",
    }

"""What the staff's pages call things, in the page's language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from babel.dates import format_date
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from pro_app.core.assessment import Status
from pro_app.core.schedule import ENROLMENT
from pro_app.core.study import StudyDefinition

Words = Mapping[str, LazyString]

STANDING: Words = {  # see services.participants.standing
    "died": _l("died"),
    "withdrawn": _l("withdrawn"),
    "no_questionnaires": _l("wants no more questionnaires"),
    "paused": _l("reminders paused"),
}
STATUS: Words = {
    Status.NOT_DUE.value: _l("not due yet"),
    Status.OPEN.value: _l("open"),
    Status.IN_PROGRESS.value: _l("half answered"),
    Status.COMPLETED.value: _l("done in time"),
    Status.COMPLETED_LATE.value: _l("done late"),
    Status.MISSED.value: _l("missed"),
    Status.NOT_EXPECTED.value: _l("not expected"),
}
SIGNS = {  # shape besides colour: see css/staff.css
    Status.NOT_DUE.value: "·",
    Status.OPEN.value: "●",
    Status.IN_PROGRESS.value: "◐",
    Status.COMPLETED.value: "✓",
    Status.COMPLETED_LATE.value: "L",
    Status.MISSED.value: "!",
    Status.NOT_EXPECTED.value: "–",
}
ROLE: Words = {
    "administrator": _l("administrator"),
    "coordinator": _l("coordinator"),
    "investigator": _l("investigator"),
    "researcher": _l("researcher"),
}
ACCOUNT: Words = {  # see services.register.Account
    "active": _l("open"),
    "invited": _l("invited"),
    "expired": _l("waits for an invitation"),
    "ended": _l("account ended"),
}
PUSH: Words = {
    "on": _l("messages are turned on"),
    "lost": _l("lost: the phone has to turn them on again"),
    "denied": _l("refused on the phone"),
    "unsupported": _l("this browser has none"),
    "not_installed": _l("the app is not on the home screen yet"),
    "off": _l("messages are turned off"),
    "no_phone": _l("no phone is joined"),
}
EMAIL: Words = {
    "on": _l("an address is known"),
    "bounced": _l("came back as undeliverable"),
    "none": _l("no address is known"),
}
REASON: Words = {  # see services.hindrances.Hindrance
    "unsynced": _l("answers wait on the phone"),
    "no_device": _l("no phone is joined"),
    "paused": _l("reminders are paused"),
    "half_answered": _l("half answered"),
    "push_lost": _l("messages do not reach the phone any more"),
    "email_bounced": _l("e-mails come back"),
    "push_denied": _l("messages are refused on the phone"),
    "reminders_off": _l("reminders are off"),
    "never_opened": _l("reminded, but never opened"),
    "none_known": _l("no reason known"),
}
ACTION: Mapping[str, tuple[str, LazyString]] = {  # what mends a reason, and where on the page
    "unsynced": ("reach", _l("See the phones")),
    "no_device": ("way-in", _l("Make a joining card")),
    "paused": ("pause", _l("Send reminders again")),
    "half_answered": ("reach", _l("See how to reach")),
    "push_lost": ("reach", _l("See how to reach")),
    "email_bounced": ("contact", _l("Change the e-mail address")),
    "push_denied": ("contact", _l("Enter an e-mail address")),
    "reminders_off": ("contact", _l("Enter an e-mail address")),
    "never_opened": ("reach", _l("See how to reach")),
}
CHANNEL: Words = {
    "push": _l("message on the phone"),
    "email": _l("e-mail"),
    "coordinator": _l("list of calls"),
}
REMINDER: Words = {
    "planned": _l("planned"),
    "sent": _l("sent"),
    "listed": _l("on the list"),
    "failed": _l("could not go"),
    "cancelled": _l("cancelled"),
    "expired": _l("too late to send"),
}
CHANGE: Words = {
    "new": _l("new"),
    "moved": _l("moves"),
    "stays": _l("stays, because it was begun or done"),
    "cancelled": _l("is cancelled"),
    "restored": _l("is planned again"),
}
CALLED_BY: Words = {  # see models.call.CHANNELS
    "telephone": _l("telephone call"),
    "visit": _l("visit to the clinic"),
    "other": _l("message, e-mail or another way"),
    "note": _l("note"),
}
OUTCOME: Words = {
    "reached": _l("spoke with the participant"),
    "will_answer": _l("will answer the questionnaire"),
    "declined": _l("does not want to answer it"),
    "no_answer": _l("nobody answered"),
    "message_left": _l("left a message"),
    "wrong_number": _l("wrong number"),
}
MISSED: Words = {  # see models.assessment.MISSED_CODES
    "too_ill": _l("too ill to answer"),
    "refused": _l("did not want to answer"),
    "not_reached": _l("could not be reached"),
    "technical": _l("the phone or the app did not work"),
    "site": _l("the site did not do its part"),
    "other": _l("another reason"),
}
MODE: Words = {  # see models.assessment.MODES
    "own_phone": _l("on the own phone"),
    "site_tablet": _l("on the site's tablet"),
    "paper": _l("on paper"),
    "interview": _l("in an interview"),
}
SHEET: Words = {  # see models.transcription.TRANSCRIPTION_STATES
    "draft": _l("being entered"),
    "returned": _l("given back to be entered again"),
    "to_check": _l("waits for a second person"),
    "accepted": _l("accepted"),
    "discarded": _l("put aside"),
}


def timepoint(study: StudyDefinition, code: str, occurrence: int, language: str) -> str:
    """A timepoint as the protocol labels it; its code where an older version had it."""
    try:
        label = study.timepoint(code).label(language, occurrence)
    except KeyError:
        label = None
    if label is not None:
        return label
    return code if occurrence == 1 else f"{code}/{occurrence}"


def anchor(study: StudyDefinition, code: str, language: str) -> str:
    """An anchor as the protocol labels it; the one that every protocol has may have no label."""
    try:
        label = study.anchor(code).labels.get(language, code)
    except KeyError:
        label = code
    return str(_l("Day of enrolment")) if label == ENROLMENT else label


def plain_day(on: date, language: str) -> str:
    """A day by the calendar, in few words: `25 Nov 2026`."""
    return str(format_date(on, "y年M月d日" if language == "zh_Hans" else "d MMM y", language))

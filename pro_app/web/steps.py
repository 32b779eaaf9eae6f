"""What a step is called that waits: for a proof of who it is, or for one more press.

Whoever presses on should see what that does; the button's own words say it, or a heading's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import current_app, request
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from pro_app.web.staff_words import Words

STEPS: Words = {  # by endpoint
    "account.change_password": _l("Change the password"),
    "account.end_others": _l("Sign out everywhere else"),
    "account.new_passkey": _l("Add a passkey"),
    "account.password": _l("Change the password"),
    "account.read_news": _l("I have read this"),
    "account.recovery_codes": _l("Make new recovery codes"),
    "account.remove_passkey": _l("Remove"),
    "account.renew_recovery_codes": _l("Make ten new codes"),
    "account.renew_second_factor": _l("Connect this app"),
    "account.second_factor": _l("Connect another authenticator app"),
    "alerts.acknowledge": _l("Acknowledge this alert"),
    "calls.log": _l("Calls and notes"),
    "contact.change": _l("Save the address"),
    "contact.look": _l("See or change the e-mail address"),
    "copy.make": _l("Make and download the copy"),
    "correction_request.ask": _l("Ask for this correction"),
    "corrections.decide": _l("Sign this decision"),
    "corrections.retract": _l("Take this request back"),
    "device.make_code": _l("Make the code"),
    "device.remove": _l("Remove"),
    "device.sign_out": _l("Sign out of this phone"),
    "enrol.enrol": _l("Enrol, and show the joining card"),
    "enrol_many.check": _l("Look for faults"),
    "enrol_many.enrol": _l("Enrol"),
    "enrol_many.print_cards": _l("Make these cards"),
    "exports.ask": _l("Make the export"),
    "entry.begin": _l("On to the questions"),
    "entry.check": _l("Check by entering it again"),
    "entry.discard": _l("Put this sheet aside for good"),
    "entry.give_back": _l("Give it back to who entered it"),
    "entry.save": _l("Save"),
    "entry.settle": _l("Settle and submit"),
    "missed.record": _l("Save the reason"),
    "participant.accept_notice": _l("I have read this and agree"),
    "participant_page.choose_hour": _l("Save the time"),
    "participant_page.end": _l("End of participation"),
    "participant_page.look_at_anchor": _l("See what changes"),
    "participant_page.new_code": _l("New joining card"),
    "participant_page.pause": _l("Pause reminders"),
    "participant_page.record_consent": _l("Record this consent"),
    "participant_page.resume": _l("Send reminders again"),
    "participant_page.revoke_phone": _l("Sign this phone out"),
    "participant_page.set_anchor": _l("Save this day"),
    "participant_page.set_language": _l("Language"),
    "printing.sheets": _l("Make the sheets"),
    "proof_pack.ask": _l("Make the proof pack"),
    "questionnaire.answer": _l("Answer"),
    "questionnaire.submit": _l("Submit my answers"),
    "register.add": _l("Add, and show the invitation"),
    "register.end": _l("End the account"),
    "register.end_role": _l("End the role"),
    "register.grant": _l("Give the role"),
    "register.renew": _l("Renew the invitation"),
    "reminders.choose_hour": _l("Save the time"),
    "reminders.later": _l("Not now"),
    "reminders.make_calendar": _l("Make my calendar address"),
    "reminders.send_test": _l("Send me a test reminder"),
    "reminders.set_email": _l("Save the address"),
    "reminders.turn_off": _l("Turn off on this phone"),
    "scoring.score": _l("Score the file"),
    "scoring.scores": _l("Download the scores"),
    "sign_off.sign": _l("Sign this milestone"),
    "tablet.accept_notice": _l("I have read this and agree"),
    "tablet.stop": _l("Stop, and give the tablet back"),
    "tablet_sheet.answer": _l("Answer"),
    "tablet_sheet.submit": _l("Submit my answers"),
    "tablet_start.start": _l("Sign out, and hand the tablet over"),
    "tokens.make": _l("Make the token"),
    "tokens.revoke": _l("End this token"),
    "trail.export_participant": _l("Download the file"),
    "trail.export_study": _l("Download the file"),
    "translations.confirm": _l("The translation still says the same"),
    "wording_licence.end": _l("End this licence"),
    "wording_licence.renew": _l("Renew this licence"),
    "wording_recordings.add": _l("Store these recordings"),
    "wording_recordings.index": _l("Recordings"),
    "wording_upload.check": _l("Look for faults"),
    "wording_upload.form": _l("Bring a licensed text"),
    "wording_upload.store": _l("Store this text"),
}
_ANSWERING: Words = {
    "clear": _l("Clear answer"),
    "skip": _l("Leave it unanswered"),
    "stop": _l("Stop here"),
}
CHOICES: Mapping[tuple[str, str], Words] = {  # by endpoint and field: what a value makes of it
    ("contact.change", "action"): {"remove": _l("Remove the address")},
    ("entry.save", "action"): {"save": _l("Save and go on later")},
    ("participant_page.end", "what"): {
        "questionnaires": _l("Wants no more questionnaires, stays in the study"),
        "study": _l("Has withdrawn from the study"),
        "death": _l("Has died"),
    },
    ("participant_page.new_code", "kind"): {"recovery": _l("New recovery card")},
    ("questionnaire.answer", "action"): _ANSWERING,
    ("reminders.set_email", "action"): {"remove": _l("Remove my e-mail address")},
    ("tablet_sheet.answer", "action"): _ANSWERING,
}


@dataclass(frozen=True, slots=True)
class Step:
    """What goes on, and about which participant if it is about one."""

    name: LazyString
    number: str | None


def step(path: str, fields: Iterable[tuple[str, str]], method: str = "POST") -> Step | None:
    """The step at this address; None for one that has no name, as choosing a language."""
    adapter = current_app.create_url_adapter(request)
    assert adapter is not None  # noqa: S101 (there is one in every request)
    try:
        endpoint, values = adapter.match(urlsplit(path).path, method)
    except (HTTPException, RequestRedirect):
        return None
    name = STEPS.get(endpoint)
    if name is None:
        return None
    for field, value in fields:
        name = CHOICES.get((endpoint, field), {}).get(value, name)
    return Step(name, values.get("number"))

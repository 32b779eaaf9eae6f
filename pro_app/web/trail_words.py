"""What the record calls things, in the page's language: actions, fields, and what is told of them.

An action that the code puts on the record and that has no word here fails a test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from pro_app.services.trail import Line
from pro_app.web.correction_words import REASON
from pro_app.web.staff_words import Words

PARTICIPANT: Words = {
    "accept_notice": _l("Accepted the privacy notice"),
    "acknowledge_alert": _l("Acknowledged an alert"),
    "confirm_at_tablet": _l("Confirmed at the tablet who they are"),
    "end_tablet": _l("Ended answering on the site's tablet"),
    "escalate_alert": _l("Passed an alert on that nobody had acknowledged in time"),
    "lift_alert": _l("Noted that an alert is not raised any more"),
    "raise_alert": _l("Raised an alert"),
    "raise_alert_again": _l("Raised an alert again"),
    "read_answers": _l("Read answers"),
    "read_contact": _l("Looked at the e-mail address"),
    "read_transcription": _l("Read what two people entered from paper"),
    "start_tablet": _l("Handed the site's tablet over"),
    "wrong_at_tablet": _l("Gave a wrong PIN or number at the tablet"),
    "accept_transcription": _l("Took over answers from paper or an interview"),
    "answer": _l("Answered a question"),
    "begin_transcription": _l("Began to enter a paper questionnaire or an interview"),
    "cancelled_assessment": _l("Cancelled a questionnaire"),
    "change": _l("Changed a setting"),
    "change_setting": _l("Changed a setting"),
    "check_transcription": _l("Checked what was entered from paper"),
    "correct": _l("Approved a correction"),
    "discard_transcription": _l("Discarded what was entered"),
    "enrol": _l("Enrolled the participant"),
    "enter_transcription": _l("Entered answers from paper or an interview"),
    "find_answers": _l("Found again answers that were believed lost on the phone"),
    "finish_transcription": _l("Finished entering, for a second person to check"),
    "issue_code": _l("Made a joining code or recovery card"),
    "join": _l("Joined with a phone"),
    "join_by_card": _l("Joined with the recovery card"),
    "join_by_passkey": _l("Joined with fingerprint, face or screen lock"),
    "keep_conflict": _l("Kept answers from paper apart: the phone was first"),
    "lock": _l("Locked the app"),
    "log_call": _l("Wrote down a call or note"),
    "lose_answers": _l("Lost answers that waited on the phone"),
    "make_calendar": _l("Made a calendar of reminders"),
    "make_passkey": _l("Set up fingerprint, face or screen lock"),
    "moved_assessment": _l("Moved a questionnaire"),
    "open_assessment": _l("Opened a questionnaire"),
    "open_by_passkey": _l("Opened the app with fingerprint, face or screen lock"),
    "pause_reminders": _l("Paused reminders"),
    "press_submit": _l("Pressed the button to submit"),
    "print_sheets": _l("Printed questionnaires on paper"),
    "read_record": _l("Read answers on the record"),
    "readmit": _l("Took the participant in again"),
    "record_consent": _l("Put a consent on record"),
    "record_death": _l("Put a death on record"),
    "record_missed_reason": _l("Wrote down why a questionnaire was missed"),
    "refuse_answer": _l("Refused an answer that had no place"),
    "refuse_passkey": _l("Refused fingerprint, face or screen lock"),
    "reject_correction": _l("Rejected a correction"),
    "remove_email": _l("Removed the e-mail address"),
    "request_code": _l("Asked for a new joining code"),
    "request_correction": _l("Asked for a correction"),
    "restored_assessment": _l("Planned a questionnaire again"),
    "resume_reminders": _l("Let reminders go on"),
    "retract_correction": _l("Took back the wish for a correction"),
    "return_transcription": _l("Gave back what was entered, to be entered again"),
    "revoke_device": _l("Signed a phone out"),
    "revoke_passkey": _l("Removed fingerprint, face or screen lock"),
    "schedule": _l("Planned questionnaires"),
    "score": _l("Computed scores"),
    "see_loss": _l("Was told of answers that were lost"),
    "set_anchor": _l("Set a date that the calendar counts from"),
    "set_email": _l("Set the e-mail address"),
    "set_pin": _l("Chose a PIN"),
    "settle_transcription": _l("Settled where two entries differed"),
    "sign_off": _l("Signed off data"),
    "stays_assessment": _l("Left a questionnaire where it was, because it was begun or done"),
    "submit": _l("Submitted a questionnaire"),
    "subscribe": _l("Turned reminders on"),
    "undo_death": _l("Took back a death that was recorded by mistake"),
    "unlock": _l("Opened the app with the PIN"),
    "unsubscribe": _l("Turned reminders off"),
    "withdraw": _l("Put a withdrawal on record"),
    "wrong_pin": _l("Typed a wrong PIN"),
}
OFFICE: Words = {
    "add_staff": _l("Made an account"),
    "add_passkey": _l("Added a passkey"),
    "change_password": _l("Changed the password"),
    "confirm_translation": _l("Confirmed that a translation still says the same"),
    "confirm_clock": _l("Confirmed that the server's clock is right"),
    "disable_staff": _l("Ended an account"),
    "end_other_sessions": _l("Signed out everywhere else"),
    "end_role": _l("Took a role away"),
    "enrol_file": _l("Enrolled participants from a file"),
    "export": _l("Exported data"),
    "fetch_export": _l("Downloaded an export"),
    "grant_role": _l("Gave a role"),
    "invite_staff": _l("Sent an invitation"),
    "license_wording": _l("Licensed a wording"),
    "load_study": _l("Loaded the study's definition"),
    "make_token": _l("Made a token for programs"),
    "print_sheets": _l("Printed questionnaires on paper"),
    "read_news": _l("Has read what happened to the account"),
    "record_wording": _l("Added recordings of a wording"),
    "remove_passkey": _l("Removed a passkey"),
    "renew_recovery_codes": _l("Made new recovery codes"),
    "renew_second_factor": _l("Connected another authenticator app"),
    "score_file": _l("Scored a file that is not of the study"),
    "revoke_token": _l("Ended a token for programs"),
    "set_up_sign_in": _l("Set up password and second factor"),
    "sign_in": _l("Signed in"),
    "sign_out": _l("Signed out"),
    "store_wording": _l("Stored a wording"),
    "use_recovery_code": _l("Used a recovery code"),
    "verify_again": _l("Gave password and code again"),
    "wrong_code": _l("Gave a wrong code"),
    "wrong_password": _l("Gave a wrong password"),
}
ACTION: Words = {**PARTICIPANT, **OFFICE}
FIELD: Words = {
    "consent": _l("consent"),
    "count": _l("number of answers"),
    "email": _l("e-mail address"),
    "enrolment": _l("day of enrolment"),
    "language": _l("language"),
    "missed_code": _l("reason for missing"),
    "notice_version": _l("version of the notice"),
    "participant": _l("participant"),
    "permission": _l("permission to send messages"),
    "reminder_minute": _l("hour of reminders"),
    "text_size": _l("size of the text"),
    "timepoint": _l("timepoint"),
    "version": _l("version of the protocol"),
    "window": _l("when it is open"),
    "withdrew_from": _l("withdrawal"),
    "wording": _l("version of the wording"),
}
VALUE: Words = {
    "cleared": _l("answer taken back"),
    "not_applicable": _l("does not apply"),
    "not_reached": _l("not reached"),
    "skipped": _l("left unanswered"),
    "void": _l("belongs nowhere"),
}
WHY = (  # what the record tells of reasons, in the order of telling
    "reason_code", "reason", "originator_reason", "text", "meaning", "evidence", "confirmation",
    "comment", "remark",
)  # fmt: skip
DETAIL: Words = {
    "algorithm": _l("algorithm"),
    "as_of": _l("state of"),
    "by": _l("by means of"),
    "channel": _l("channel"),
    "copies": _l("copies"),
    "compared": _l("compared with the owner's text"),
    "correction": _l("correction"),
    "device": _l("phone"),
    "file": _l("checksum of the file"),
    "filter": _l("what was searched for"),
    "fingerprint": _l("checksum of the wording"),
    "format": _l("format"),
    "from": _l("from"),
    "holder": _l("holder of the licence"),
    "instrument": _l("questionnaire"),
    "items": _l("questions"),
    "kind": _l("kind"),
    "language": _l("language"),
    "mode": _l("way of answering"),
    "modes": _l("ways of reading"),
    "number": _l("number"),
    "occurrence": _l("occurrence"),
    "operation": _l("number of the operation"),
    "place": _l("place in the wording"),
    "participant": _l("participant"),
    "receipt": _l("receipt"),
    "recordings": _l("checksums of the recordings"),
    "rows": _l("rows"),
    "sha256": _l("checksum of the file"),
    "signature": _l("signature"),
    "site": _l("site"),
    "source": _l("version of the source"),
    "stored_at": _l("stored on"),
    "study": _l("study"),
    "timepoint": _l("timepoint"),
    "until": _l("until"),
}
TECHNICAL = frozenset({"digest"})  # for the verifier alone


def action(code: str) -> str:
    """An action in words; its name where another release wrote it."""
    return str(ACTION.get(code, code))


def who(actor: str, name: str | None = None) -> str:
    """Who did something: a person of staff by name, the rest by what they are."""
    if name is not None:
        return name
    kind = actor.partition("/")[0]
    named = {
        "participant": _("the participant"),
        "system": _("the system"),
        "site": _("the site, at the command line"),
    }
    return str(named.get(kind, _("a person of staff")))


def thing(object_: str) -> str | None:
    """What an entry is about, where that is neither the participant nor a questionnaire."""
    kind, _slash, code = object_.partition("/")
    named = {
        "device": _("phone %(code)s", code=code),
        "passkey": _("key %(code)s of a phone", code=code),
        "transcription": _("entry from paper or an interview"),
    }
    return named.get(kind)


def why(line: Line) -> list[str]:
    """The reasons that an entry tells, as they were written; those of a correction by a code, in
    words."""
    told = [(name, str(line.detail[name])) for name in WHY if line.detail.get(name)]
    return [str(REASON.get(text, text)) if name == "reason_code" else text for name, text in told]


def more(line: Line) -> Iterator[tuple[str | None, str, str]]:
    """Whatever else an entry tells: its name in words if it has one, its name, and the value."""
    for name, value in line.detail.items():
        if name in WHY or name in TECHNICAL or value in (None, "", {}, []):
            continue
        label = None if name not in DETAIL else str(DETAIL[name])
        yield label, name, value if isinstance(value, str) else plain(value)


def plain(value: Any) -> str:
    """A value of the record as it is kept."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def instant(text: str | None) -> datetime | None:
    """The moment that a value of the record is, with its offset; None for any other value."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def stamp(moment: datetime | str | None, zone: ZoneInfo | None = None) -> str:
    """A moment to the second with its offset, in the zone or as it is; a text that is no moment as
    it was written."""
    found = instant(moment) if isinstance(moment, str) else moment
    if found is None:
        return str(moment or "")
    text = (found if zone is None else found.astimezone(zone)).isoformat(" ", "seconds")
    return f"{text[:-6]} {text[-6:]}"


def labelled(words: Mapping[str, Any], code: str | None) -> str | None:
    """A code in words; None where there are none for it."""
    return None if code is None or code not in words else str(words[code])

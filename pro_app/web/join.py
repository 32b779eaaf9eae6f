"""Joining: a code or a passkey, the privacy notice unless it is known, this phone, a PIN."""

from __future__ import annotations

from datetime import datetime

from flask import (
    Blueprint,
    abort,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from pro_app.core.study import LANGUAGES
from pro_app.models import JoiningCode, Participant
from pro_app.services import enrolment, joining, passkeys, secrets, sessions, studies
from pro_app.services.sessions import PinResult
from pro_app.web import access, layout
from pro_app.web.house import house

blueprint = Blueprint("join", __name__, url_prefix="/join")
Page = str | BaseResponse | tuple[str, int]
LENGTHS = (secrets.CODE_LENGTH, secrets.RECOVERY_LENGTH)


@blueprint.get("/")
@access.audience("public")
def code() -> Page:
    """Type the code, or find it filled in from the QR picture's address. A phone that has joined
    is told so: the code may be somebody else's."""
    response = make_response(render_template("join/code.html", typed="", fault=None))
    language = request.args.get("language")
    if language in LANGUAGES:  # the card's language, unless another one is chosen here
        access.keep_choice(response, "language", language)
    return response


@blueprint.post("/")
@access.audience("public")
def check_code() -> Page:
    """Look the code up. Unknown, used, expired and replaced ones get the same answer."""
    typed = secrets.tidy_code(request.form.get("code", ""))
    if len(typed) not in LENGTHS:
        fault = _("The code has 8 letters and digits, or 12 on a recovery card. Please look again.")
        return render_template("join/code.html", typed=typed, fault=fault), 422
    settings, now = house().settings, house().clock()
    source = secrets.source_hash(request.remote_addr or "", settings.secret_key)
    hashed = secrets.code_hash(typed, settings.secret_key)  # slow: nobody waits for it to write
    with house().database.writing() as database:
        if enrolment.too_many_tries(database, "code", source, now):
            abort(429)
        found = enrolment.find_code(database, hashed, now)
        if found is None:
            enrolment.note_try(database, "code", source, now)
    if found is None:
        return render_template("join/dead_code.html"), 422
    session.pop("joining_passkey", None)
    session["joining"] = found.id
    return redirect(url_for("join.notice"), 303)


def join_by_passkey(passkey_id: int, opened_at: datetime) -> str:
    """Go on as with a code, after a passkey was opened: where to."""
    session.pop("joining", None)
    session["joining_passkey"] = [passkey_id, opened_at.isoformat()]
    return url_for("join.notice")


@blueprint.get("/notice")
@access.audience("public")
def notice() -> Page:
    """The study, the number's end to compare, and the privacy notice; to who has accepted it
    lately, a welcome."""
    found = _joining()
    if found is None:
        return redirect(url_for("join.code"))
    return _notice_page(found, fault=None)


def _notice_page(found: Participant, fault: str | None) -> str:
    study = _study_of(found)
    before = g.person or g.locked
    values = {
        "number_end": found.number[-2:],
        "owner": found.public_id,
        "other": before is not None and before.participant_id != found.id,
    }
    if _is_known(found, study):
        return render_template("join/welcome.html", **values)
    return render_template("join/notice.html", sections=notice_sections(), fault=fault, **values)


def _study_of(found: Participant) -> studies.CurrentStudy:
    """The participant's study, which the page is about from now on."""
    with house().database.reading() as database:
        g.study = studies.current(database, house().library, found.study_id)
    study: studies.CurrentStudy = g.study
    return study


def _is_known(found: Participant, study: studies.CurrentStudy) -> bool:
    """Whether the notice need not be shown: this person has accepted it lately."""
    version = study.definition.notice.version
    return joining.notice_is_accepted(found, version, house().clock())


def notice_sections() -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """The notice in the page's language first, then Malay and English."""
    study = layout.study()
    if study is None:
        abort(404)
    sections = study.definition.notice.sections
    order = dict.fromkeys([layout.language(), "ms", "en"])
    return [(language, sections[language]) for language in order if language in sections]


def _joining() -> Participant | None:
    """The participant whose code was given in this browser, or passkey opened, while it lives."""
    now, code_id = house().clock(), session.get("joining")
    opened = _opened_passkey()
    with house().database.reading() as database:
        if code_id is not None:
            code = database.get(JoiningCode, code_id)
            lives = code is not None and enrolment.opens(database, code, now)
            return database.get(Participant, code.participant_id) if code and lives else None
        if opened is not None:
            passkey = passkeys.opened(database, *opened, now)
            return database.get(Participant, passkey.participant_id) if passkey else None
    return None


def _opened_passkey() -> tuple[int, datetime] | None:
    """Which passkey was opened in this browser, and when."""
    passkey_id, moment = session.get("joining_passkey", (None, ""))
    return None if passkey_id is None else (passkey_id, datetime.fromisoformat(moment))


@blueprint.post("/notice")
@access.audience("public")
def accept_notice() -> Page:
    """Accept the notice: the code is used up and this phone is bound to the participant.

    A second tap finds the code used by this very phone, which goes on as after the first.
    """
    found = _joining()
    if found is None and g.locked is not None and not g.locked.has_pin:
        return redirect(url_for("join.pin"), 303)
    if found is None and "joining_passkey" in session:
        return redirect(url_for("join.code"), 303)
    if found is None:
        return render_template("join/dead_code.html"), 422
    study = _study_of(found)
    known = _is_known(found, study)
    if not known and request.form.get("accept") != "yes":
        fault = _("Please tick the box if you have read this and agree.")
        return _notice_page(found, fault), 422
    shared = request.form.get("shared") == "yes"
    bound = _bind(study, None if known else study.definition.notice.version, shared)
    for name in ("joining", "joining_passkey", "token"):
        session.pop(name, None)
    if bound is None:
        return render_template("join/dead_code.html"), 422
    before = g.person or g.locked
    if before is not None and before.participant_id != found.id:
        session.pop("next", None)  # where the other one was going
    response = redirect(url_for("join.pin"), 303)
    access.keep_device(response, bound[0], shared)
    for name in ("language", "text_size"):
        if shared and name in request.cookies:  # chosen before it was known whose phone this is
            access.keep_choice(response, name, request.cookies[name], shared)
    return response


def _bind(study: studies.CurrentStudy, version: str | None, shared: bool) -> tuple[str, int] | None:
    """Bind this browser by the code or the passkey: the device's token and id."""
    before = g.person or g.locked
    replaces = None if before is None else before.device_id
    language, now, opened = _language_in(study), house().clock(), _opened_passkey()
    with house().database.writing() as database:
        if opened is None:
            return joining.bind_device(
                database, session["joining"], version, language, now, replaces, shared
            )
        return joining.bind_by_passkey(database, *opened, version, language, now, replaces, shared)


def _language_in(study: studies.CurrentStudy) -> str:
    """The page's language if the study has it, else the study's first."""
    language, known = layout.language(), study.definition.languages
    return language if language in known else known[0]


@blueprint.get("/pin")
@access.audience("device")
def pin() -> Page:
    """Choose a PIN for this phone."""
    if access.owner().has_pin:
        return redirect(url_for("participant.today"))
    return render_template("join/pin.html", fault=None)


@blueprint.post("/pin")
@access.audience("device")
def set_pin() -> Page:
    """Keep the PIN's hash and begin the first session."""
    device = access.owner()
    if device.has_pin:
        return redirect(url_for("participant.today"), 303)
    chosen = request.form.get("pin", "").strip()
    faults = {
        "shape": _("The PIN has 6 digits."),
        "easy": _("This PIN is easy to guess. Please choose another one."),
    }
    fault = faults.get(secrets.pin_fault(chosen, device.number) or "")
    if fault is None and chosen != request.form.get("again", "").strip():
        fault = _("The two PINs are not the same. Please type them again.")
    if fault is not None:
        return render_template("join/pin.html", fault=fault), 422
    if not _keep_pin(device.device_id, chosen):
        return redirect(url_for("participant.unlock"), 303)
    access.begin_session(device.device_id, device.shared)
    return redirect(access.next_page(), 303)


def _keep_pin(device_id: int, chosen: str) -> bool:
    """Set the PIN. Where a second tap on the same button came first, it is the same PIN."""
    try:
        with house().database.writing() as database:
            sessions.set_pin(database, device_id, chosen, house().clock())
    except enrolment.EnrolmentError:
        with house().database.writing() as database:
            check = sessions.check_pin(database, device_id, chosen, house().clock())
        return check.result is PinResult.RIGHT
    return True


@blueprint.get("/new-code")
@access.audience("public")
def new_code() -> Page:
    """Ask the study team for a new code."""
    return render_template("join/new_code.html", number="", asked=False, fault=None)


@blueprint.post("/new-code")
@access.audience("public")
def ask_new_code() -> Page:
    """Note the wish. The answer is the same whether the number exists or not."""
    number = request.form.get("number", "").strip()
    if not number:
        fault = _("Please type your study number. It is on your card.")
        return render_template("join/new_code.html", number=number, asked=False, fault=fault), 422
    study, now = layout.study(), house().clock()
    source = secrets.source_hash(request.remote_addr or "", house().settings.secret_key)
    with house().database.writing() as database:
        if enrolment.too_many_tries(database, "number", source, now):
            abort(429)
        # the participant is held before the tries, as by all who need both
        enrolment.request_code(database, None if study is None else study.id, number, now)
        enrolment.note_try(database, "number", source, now)
    return render_template("join/new_code.html", number=number, asked=True, fault=None)


def pin_fault_text(check: sessions.PinCheck) -> str:
    """What a wrong PIN is answered with."""
    text: str = _("This is not the right PIN. Please try again.")
    if check.result is PinResult.WAIT and check.wait_until is not None:
        minutes = -(-(check.wait_until - house().clock()).total_seconds() // 60)
        text = _(
            "There were 5 wrong PINs. Please wait %(minutes)d minutes, then try again.",
            minutes=int(minutes),
        )
    if check.result is PinResult.SITE:
        text = _("There were 10 wrong PINs. The study team can give you a new code.")
    return text

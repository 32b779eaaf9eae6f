"""Joining: a code from the site, the privacy notice, this phone, a PIN."""

from __future__ import annotations

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
from pro_app.services import enrolment, secrets, studies
from pro_app.services.enrolment import PinResult
from pro_app.web import access, layout
from pro_app.web.house import house

blueprint = Blueprint("join", __name__, url_prefix="/join")
Page = str | BaseResponse | tuple[str, int]


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
    if len(typed) != secrets.CODE_LENGTH:
        fault = _("The code has 8 letters and digits. Please look at your card again.")
        return render_template("join/code.html", typed=typed, fault=fault), 422
    settings, now = house().settings, house().clock()
    source = secrets.source_hash(request.remote_addr or "", settings.secret_key)
    with house().database.writing() as database:
        if enrolment.too_many_tries(database, "code", source, now):
            abort(429)
        found = enrolment.find_code(database, typed, settings.secret_key, now)
        if found is None:
            enrolment.note_try(database, "code", source, now)
    if found is None:
        return render_template("join/dead_code.html"), 422
    session["joining"] = found.id
    return redirect(url_for("join.notice"), 303)


@blueprint.get("/notice")
@access.audience("public")
def notice() -> Page:
    """The study, the number's end to compare, and the privacy notice."""
    found = _joining()
    if found is None:
        return redirect(url_for("join.code"))
    return _notice_page(found, fault=None)


def _notice_page(found: Participant, fault: str | None) -> str:
    with house().database.reading() as database:
        g.study = studies.current(database, house().library, found.study_id)
    other = (g.person or g.locked) is not None
    return render_template(
        "join/notice.html",
        sections=notice_sections(),
        number_end=found.number[-2:],
        fault=fault,
        other=other,
    )


def notice_sections() -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """The notice in the page's language first, then Malay and English."""
    study = layout.study()
    if study is None:
        abort(404)
    sections = study.definition.notice.sections
    order = dict.fromkeys([layout.language(), "ms", "en"])
    return [(language, sections[language]) for language in order if language in sections]


def _joining() -> Participant | None:
    """The participant whose code was given in this browser, while the code lives."""
    code_id, now = session.get("joining"), house().clock()
    if code_id is None:
        return None
    with house().database.reading() as database:
        found = database.get(JoiningCode, code_id)
        if found is None or found.used_at or found.replaced_at or now >= found.expires_at:
            return None
        return database.get(Participant, found.participant_id)


@blueprint.post("/notice")
@access.audience("public")
def accept_notice() -> Page:
    """Accept the notice: the code is used up and this phone is bound to the participant.

    A second tap finds the code used by this very phone, which goes on as after the first.
    """
    found = _joining()
    if found is None and g.locked is not None and not g.locked.has_pin:
        return redirect(url_for("join.pin"), 303)
    if found is None:
        return render_template("join/dead_code.html"), 422
    if request.form.get("accept") != "yes":
        fault = _("Please tick the box if you have read this and agree.")
        return _notice_page(found, fault), 422
    before = g.person or g.locked
    with house().database.writing() as database:
        study = studies.current(database, house().library, found.study_id)
        bound = enrolment.bind_device(
            database,
            session["joining"],
            study.definition.notice.version,
            _language_in(study),
            house().clock(),
            replaces=None if before is None else before.device_id,
        )
    session.pop("joining", None)
    session.pop("token", None)
    if bound is None:
        return render_template("join/dead_code.html"), 422
    response = redirect(url_for("join.pin"), 303)
    access.keep_device(response, bound[0])
    return response


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
    with house().database.writing() as database:
        enrolment.set_pin(database, device.device_id, chosen, house().clock())
    access.begin_session(device.device_id)
    return redirect(access.next_page(), 303)


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
        enrolment.note_try(database, "number", source, now)
        enrolment.request_code(database, None if study is None else study.id, number, now)
    return render_template("join/new_code.html", number=number, asked=True, fault=None)


def pin_fault_text(check: enrolment.PinCheck) -> str:
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

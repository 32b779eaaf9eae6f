"""The participant's rooms around the questionnaires: PIN, Today, settings, practice, notice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flask import Blueprint, g, jsonify, redirect, render_template, request, session, url_for
from flask_wtf.csrf import generate_csrf
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from pro_app.core.licence import PHONE
from pro_app.models import Participant
from pro_app.services import answers, assessments, enrolment, journals, phones, reach, sessions
from pro_app.services.assessments import Known
from pro_app.services.sessions import PinResult
from pro_app.web import access, join, layout, phone
from pro_app.web.house import house

blueprint = Blueprint("participant", __name__)
Page = str | BaseResponse | tuple[str, int]


@blueprint.get("/unlock")
@access.audience("device")
def unlock() -> Page:
    """Ask for the PIN."""
    if g.person is not None:
        return redirect(url_for("participant.today"))
    if not g.locked.has_pin:
        return redirect(url_for("join.pin"))
    return render_template("participant/unlock.html", carry_to=None, fields=[], fault=None)


@blueprint.post("/unlock")
@access.audience("device")
@access.from_worker
def check_pin() -> Page:
    """Check the PIN; then on to where the person was going, with what was posted there."""
    device = g.person or g.locked
    if not device.has_pin:
        return redirect(url_for("join.pin"), 303)
    body = request.get_json() if request.is_json else request.form
    pin = str(body.get("pin", "")) if isinstance(body, Mapping) else ""
    with house().database.writing() as database:
        check = sessions.check_pin(database, device.device_id, pin.strip(), house().clock())
    if check.result is PinResult.RIGHT:
        return _opened(device)
    fault = join.pin_fault_text(check)
    if request.is_json:
        response = jsonify(error="pin", fault=fault)
        response.status_code = 422
        return response
    carry_to = request.form.get("carry_to")
    return access.carry(carry_to, fault) if carry_to else _unlock_fault(fault)


def _unlock_fault(fault: str) -> Page:
    page = render_template("participant/unlock.html", carry_to=None, fields=[], fault=fault)
    return page, 422


def _opened(device: sessions.Person) -> Page:
    access.begin_session(device.device_id, device.shared)
    response: BaseResponse
    if request.is_json:
        response = jsonify(csrf=generate_csrf())
    else:
        carry_to = request.form.get("carry_to", "")
        if access.is_local(carry_to):
            response = redirect(carry_to, 307)  # the browser posts the carried fields there
        else:
            response = redirect(access.next_page(), 303)
    access.keep_device(response, request.cookies[access.device_cookie()], device.shared)
    return response


@blueprint.post("/lock")
@access.audience("device")
def lock() -> Page:
    """End the session; the phone stays joined and asks for the PIN. One that is not the person's
    own is signed out, by a page that first sends what waits there."""
    token = session.pop("token", None)
    if token is not None:
        with house().database.writing() as database:
            sessions.end(database, token, house().clock())
    session.pop("next", None)
    if access.owner().shared:
        session["leaving"] = True
        return redirect(url_for("device.ask_sign_out"), 303)
    return redirect(url_for("participant.unlock"), 303)


@blueprint.get("/today")
@access.audience("participant")
def today() -> str:
    """What there is to do."""
    study, now, person = layout.study(), house().clock(), access.person()
    assert study is not None  # noqa: S101 (a participant has a study)
    with house().database.reading() as database:
        found = assessments.today(database, study.definition, person.participant_id, now)
        open_now = cards(database, found.open)
        own = reach.phone(database, person.participant_id, person.device_id)
        has_email = reach.has_email(database, person.participant_id)
        lost = journals.untold(database, person.participant_id)
    upcoming = None
    if found.next is not None:
        points = {point.code: point for point in study.definition.timepoints}
        point = points.get(found.next.timepoint)
        label = point and point.label(layout.language(), found.next.occurrence)
        upcoming = (label, found.next.facts.opens_at)
    return render_template(
        "participant/today.html",
        cards=open_now,
        upcoming=upcoming,
        found=found,
        lost=lost,
        reminders=phone.state(own),
        undecided=not has_email and phone.is_undecided(own),
        has_email=has_email,
        facts=phone.facts(own),
    )


def cards(database: Session, known: Iterable[Known], mode: str = PHONE) -> list[dict[str, object]]:
    """What the cards of these open assessments show where they are read in a mode."""
    return [_card(database, place, one, mode) for place, one in enumerate(known, start=1)]


def _card(database: Session, place: int, known: Known, mode: str) -> dict[str, object]:
    """What a card shows of an open assessment."""
    instrument = house().library.instruments[known.instrument]
    given, _newest = answers.current(database, known.id)
    return {
        "place": place,
        "id": known.public_id,
        "items": len(instrument.items),
        "minutes": instrument.minutes,
        "closes_at": known.facts.closes_at,
        "late": house().clock() >= known.facts.closes_at,
        "begun": bool(given),
        "continue_at": answers.first_open(instrument, given),
        "offered": _is_offered(known, mode),
    }


def _is_offered(known: Known, mode: str) -> bool:
    study, now = layout.study(), house().clock()
    if study is None:
        return False
    return known.wording(study.wordings, layout.language(), mode, now) is not None


@blueprint.post("/settings")
@access.audience("public")
def settings() -> Page:
    """Language and text size: of the participant, or, before joining, of this browser."""
    back = request.form.get("back", "/")
    response = redirect(back if access.is_local(back) else "/", 303)
    change_settings(response)
    return response


def change_settings(response: BaseResponse) -> None:
    """Take over the posted `language` and `text_size`, wherever they were posted."""
    for field, known in (("language", layout.languages()), ("text_size", ("0", "1", "2"))):
        value = request.form.get(field, "")
        if value not in known:
            continue
        if g.person is not None:
            with house().database.writing() as database:
                phones.change_setting(database, g.person, field, value, house().clock())
        access.keep_choice(response, field, value)


@blueprint.get("/practice")
@access.audience("participant")
def practice() -> Page:
    """A question of our own to try the screen with. Nothing is sent or kept."""
    return render_template("participant/practice.html")


@blueprint.get("/notice")
@access.audience("participant")
def notice() -> Page:
    """The privacy notice again: to read at any time, to accept when it is new or a year old."""
    return render_template("participant/notice.html", sections=join.notice_sections())


notice.before_notice = True  # type: ignore[attr-defined]


@blueprint.post("/notice")
@access.audience("participant")
def accept_notice() -> Page:
    """Accept the notice that is in force."""
    study, person, now = layout.study(), access.person(), house().clock()
    assert study is not None  # noqa: S101
    with house().database.writing() as database:
        found = database.get(Participant, person.participant_id, with_for_update=True)
        assert found is not None  # noqa: S101
        enrolment.accept_notice(
            database,
            found,
            study.definition.notice.version,
            layout.language(),
            f"participant/device {person.device_id}",
            now,
        )
    return redirect(access.next_page(), 303)

"""The demonstration's entrance: step into the shoes of a person who has joined.

Registered where PRO_DEMO is set, which works on this machine alone, as in `pro-app demo`; it
opens devices of demonstration studies only.
"""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, abort, redirect, render_template, session, url_for
from werkzeug.wrappers import Response as BaseResponse

from pro_app.demo import site
from pro_app.demo.people import PEOPLE
from pro_app.models import Device, Participant
from pro_app.services import audit, secrets, staff, staff_sign_in, studies
from pro_app.web import access, layout, staff_access, staff_words
from pro_app.web.house import house

blueprint = Blueprint("demo", __name__, url_prefix="/demo")
PIN = "246813"


@blueprint.get("/")
@access.audience("public")
def people() -> str:
    """The people of the demonstration and the stage each is at."""
    joined = [person for person in PEOPLE if person.joined]
    return render_template(
        "demo/people.html",
        people=joined,
        pin=PIN,
        staff_people=site.STAFF,
        password=site.PASSWORD,
        code=site.code_now(house().clock()),
        words=staff_words,
    )


@blueprint.post("/staff/<account>")
@access.audience("public")
def enter_staff(account: str) -> BaseResponse:
    """Sign this browser in as somebody of the demonstration's staff."""
    now = house().clock()
    known = next((one for one in site.STAFF if one.account == account), None)
    with house().database.writing() as database:
        person = None if known is None else staff.find(database, known.email)
        if person is None:
            abort(404)
        staff.choose_language(database, person.id, layout.language(), now)
        token = staff_sign_in.start(database, person.id, now, "demonstration")
    response = redirect(url_for("staff.home"), 303)
    staff_access.keep(response, token)
    return response


@blueprint.post("/<number>")
@access.audience("public")
def enter(number: str) -> BaseResponse:
    """Make this browser a device of the person, with a known PIN and an open session."""
    now = house().clock()
    with house().database.writing() as database:
        participant = database.scalar(sa.select(Participant).where(Participant.number == number))
        if participant is None:
            abort(404)
        study = studies.current(database, house().library, participant.study_id)
        if study.definition.status != "demonstration":
            abort(404)
        token = secrets.new_token()
        device = Device(
            participant_id=participant.id,
            token_hash=secrets.token_hash(token),
            pin_hash=secrets.pin_hash(PIN),
            created_at=now,
            used_at=now,
        )
        database.add(device)
        database.flush()
        device_id = device.id
        entry = audit.Entry(f"participant/device {device_id}", "join", f"device/{device_id}")
        audit.lock_participant(database, participant.id)
        audit.record(database, audit.participant_stream(participant.id), now, [entry])
    session.pop("token", None)
    access.begin_session(device_id)
    response = redirect(url_for("participant.today"), 303)
    access.keep_device(response, token)
    return response

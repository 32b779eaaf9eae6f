"""The participant's reminders: this phone, the hour, e-mail, the calendar, and what a tap opens."""

from __future__ import annotations

from datetime import timedelta

from flask import (
    Blueprint,
    Response,
    g,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response as BaseResponse

from pro_app.core.assessment import Status
from pro_app.core.reminders import HOUR
from pro_app.models import Participant
from pro_app.services import assessments, calendar, reach, reminders, sessions, studies
from pro_app.services.assessments import Known
from pro_app.web import access, layout, locale, participant, phone
from pro_app.web.house import house

blueprint = Blueprint("reminders", __name__)
Page = str | BaseResponse | tuple[str, int]

OPEN = frozenset({Status.OPEN, Status.IN_PROGRESS})
DONE = frozenset({Status.COMPLETED, Status.COMPLETED_LATE})

SAID = {
    "off": _l("Reminders on this phone are off."),
    "hour": _l("The time is saved."),
    "email": _l("Your e-mail address is saved."),
    "email_removed": _l("Your e-mail address is removed."),
    "calendar": _l(
        "Your calendar address is ready. If you had one before, it does not work any more."
    ),
    "reached": _l("The test has reached you. Reminders work on this phone."),
    "accepted": _l(
        "The test is on its way. It should come within a minute. Tap it when you see it."
    ),
}
FAULTS = {
    "gone": _l("This phone cannot be reached any more. Please turn reminders on again."),
    "retry": _l("The message service is busy. Please try again in some minutes."),
    "misconfigured": _l(
        "The test could not be sent. The fault is ours. Please tell the study team."
    ),
    "none": _l("Reminders are not on. Please turn them on first."),
    "wait": _l("A test was sent just now. Please wait half a minute."),
}


@blueprint.get("/reminders/")
@access.audience("participant")
def index() -> Page:
    """How to be reminded: what is set now, and everything that can be changed. Nothing of it is
    for a phone that is not the person's own."""
    if access.person().shared:
        return redirect(url_for("device.index"))
    return _page()


def _page(fault: str | None = None, field: str = "phone", typed: str | None = None) -> str:
    """The page; with a fault of one of its fields, what was typed there is kept."""
    study, person, office, now = (
        layout.study(),
        access.person(),
        house().post_office,
        house().clock(),
    )
    assert study is not None  # noqa: S101 (a participant has a study)
    definition, language = study.definition, layout.language()
    with house().database.reading() as database:
        own = reach.phone(database, person.participant_id, person.device_id)
        email = reach.email_of(database, office, person.participant_id)
        row = database.get_one(Participant, person.participant_id)
        chosen, feed_id = row.reminder_minute, row.calendar_id
    said = session.pop("said", None)
    feed = f"{office.public_url}{url_for('reminders.feed', secret=feed_id)}" if feed_id else None
    return render_template(
        "reminders/index.html",
        own=own,
        state=phone.state(own),
        undecided=phone.is_undecided(own),
        facts=phone.facts(own),
        app_name=office.notices.app_name(language),
        example=office.notices.reminder(language, 1, now + timedelta(days=3), definition.zone),
        address=f"{office.public_url}/",
        hours={minute: _hour(minute) for minute in definition.reminders.hours()},
        usual=_hour(definition.reminders.usual),
        place=locale.zone_name(definition.zone.key, language),
        chosen=chosen,
        mails=email is not None or office.post.mail is not None,
        email=email,
        typed=email if typed is None else typed,
        feed=feed,
        webcal=None if feed is None else f"webcal:{feed.partition(':')[2]}",
        fault=fault or FAULTS.get(str(said)),
        field=field,
        said=SAID.get(str(said)),
    )


def _hour(minute: int) -> str:
    return f"{minute // HOUR:02}:{minute % HOUR:02}"


def _back(said: str) -> BaseResponse:
    """To the page again, which says what was done."""
    session["said"] = said
    return redirect(url_for("reminders.index"), 303)


# --- this phone ---------------------------------------------------------------------------------


@blueprint.post("/reminders/subscription")
@access.audience("participant")
def subscribe() -> BaseResponse:
    """Take this browser's subscription."""
    return _taken(access.person())


@blueprint.post("/reminders/renewal")
@access.audience("device")
@access.from_worker
def renew() -> BaseResponse:
    """Take the subscription that the browser made in place of its last one, by itself and maybe
    while the phone is locked. It turns nothing on that was off."""
    person = access.owner()
    with house().database.reading() as database:
        own = reach.phone(database, person.participant_id, person.device_id)
    if own.subscribed is None and not own.lost:
        return _refused("off")
    return _taken(person)


def _taken(person: sessions.Person) -> BaseResponse:
    if person.shared:
        return _refused("shared")
    office, ids = house().post_office, (person.participant_id, person.device_id)
    try:
        with house().database.writing() as database:
            content = request.get_json()
            reach.subscribe_json(database, office, *ids, content, house().clock())
    except reach.ReachError as error:
        return _refused(error.code)
    return jsonify(taken=True)


def _refused(code: str) -> BaseResponse:
    response = jsonify(error=code)
    response.status_code = 422
    return response


@blueprint.post("/reminders/report")
@access.audience("participant")
def report() -> BaseResponse:
    """Keep what the browser says of itself, so that the site knows why nothing reaches it."""
    content = request.get_json()
    given = content if isinstance(content, dict) else {}
    permission, installed = str(given.get("permission")), given.get("installed") is True
    person = access.person()
    ids = (person.participant_id, person.device_id)
    try:
        with house().database.writing() as database:
            reach.report(database, *ids, permission, installed, house().clock())
    except reach.ReachError as error:
        return _refused(error.code)
    return jsonify(taken=True)


@blueprint.post("/reminders/test")
@access.audience("participant")
def send_test() -> BaseResponse:
    """Send a test to this phone: the only proof that the whole way works."""
    person = access.person()
    ids = (person.participant_id, person.device_id)
    return _back(reach.send_test(house().post_office, *ids, layout.language()))


@blueprint.post("/reminders/off")
@access.audience("participant")
def turn_off() -> BaseResponse:
    """No more reminders on this phone. The browser's own part goes with the next page."""
    person = access.person()
    with house().database.writing() as database:
        reach.unsubscribe(database, person.participant_id, person.device_id, house().clock())
    return _back("off")


@blueprint.post("/reminders/later")
@access.audience("participant")
def later() -> BaseResponse:
    """Not now: Today does not ask any more on this phone."""
    response = redirect(url_for("participant.today"), 303)
    access.keep_choice(response, phone.LATER, "later")
    return response


# --- the hour, e-mail, calendar -----------------------------------------------------------------


@blueprint.post("/reminders/hour")
@access.audience("participant")
def choose_hour() -> Page:
    """Take the hour; an empty one is the study's usual."""
    study, person = layout.study(), access.person()
    assert study is not None  # noqa: S101
    typed = request.form.get("hour", "")
    hours = {str(minute): minute for minute in study.definition.reminders.hours()}
    if typed and typed not in hours:
        return _page(_("Please choose one of the times."), "hour"), 422
    actor = f"participant/device {person.device_id}"
    with house().database.writing() as database:
        reminders.choose_hour(
            database, study, person.participant_id, hours.get(typed), actor, house().clock()
        )
    return _back("hour")


@blueprint.post("/reminders/email")
@access.audience("participant")
def set_email() -> Page:
    """Take or remove the e-mail address."""
    person = access.person()
    remove = request.form.get("action") == "remove"
    typed = request.form.get("email", "").strip()
    if not typed and not remove:
        return _page(_("Please type your e-mail address."), "email", typed), 422
    ids = (person.participant_id, person.device_id)
    try:
        with house().database.writing() as database:
            given = "" if remove else typed
            reach.set_email(database, house().post_office, *ids, given, house().clock())
    except reach.ReachError:
        fault = _("This is not an e-mail address. One looks like name@example.com.")
        return _page(fault, "email", typed), 422
    return _back("email_removed" if remove else "email")


@blueprint.post("/reminders/calendar")
@access.audience("participant")
def make_calendar() -> BaseResponse:
    """A calendar address; whoever had an older one sees nothing any more."""
    with house().database.writing() as database:
        calendar.address(database, access.person().participant_id, house().clock(), anew=True)
    return _back("calendar")


@blueprint.get("/calendar/<secret>.ics")
@access.audience("public")
def feed(secret: str) -> Response:
    """A participant's calendar; its address is the key, and opens nothing else."""
    with house().database.reading() as database:
        found = calendar.find(database, secret)
        if found is None:
            return Response(status=404, mimetype="text/plain")
        study = studies.current(database, house().library, found.study_id)
        office, now = house().post_office, house().clock()
        body = calendar.feed(database, office, study.definition, found, now)
    response = Response(body, mimetype="text/calendar")
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response


feed.impersonal = True  # type: ignore[attr-defined]


# --- what a tap opens ---------------------------------------------------------------------------


@blueprint.get("/r/<message>")
@access.audience("device")
def opened(message: str) -> Page:
    """A reminder was tapped: on to the questionnaire that it told of.

    Somebody else's message is as unknown as none, and tells nothing of anybody.
    """
    if request.method == "HEAD":  # a program that looks at links, not a person
        return Response()
    owner, now = access.owner(), house().clock()
    with house().database.writing() as database:
        known = reach.opened(database, message, owner.participant_id, now)
    if g.person is None:
        return access.to_sign_in()
    if not known:
        return redirect(url_for("participant.today"))
    return _told(message)


def _told(message: str) -> Page:
    study, person, now = layout.study(), access.person(), house().clock()
    assert study is not None  # noqa: S101
    with house().database.reading() as database:
        if reach.is_test(database, message):
            return _back("reached")
        told = reach.told_of(database, message, person.participant_id)
        if not told:  # a later message tells of the same
            return redirect(url_for("participant.today"))
        first = next((one for one in told if _status(one, study) in OPEN), None)
        if first is not None:
            return redirect(url_for("questionnaire.start", public_id=first.public_id))
        found = assessments.today(database, study.definition, person.participant_id, now)
        cards = participant.cards(database, found.open)
    missed = [one.facts.closes_at for one in told if _status(one, study) not in DONE]
    closed_at = max(missed, default=None)
    return render_template("reminders/closed.html", cards=cards, closed_at=closed_at)


def _status(known: Known, study: studies.CurrentStudy) -> Status:
    return known.status(house().clock(), study.definition.grace)


@blueprint.post("/r/<message>/<any(shown, opened):what>")
@access.audience("device")
@access.from_worker
def note(message: str, what: str) -> Response:
    """The worker's word that a message was shown, or tapped where no page was opened for it."""
    owner, now = access.owner(), house().clock()
    with house().database.writing() as database:
        if what == "shown":
            reach.shown(database, message, owner.participant_id, now)
        else:
            reach.opened(database, message, owner.participant_id, now)
    return Response(status=204)

"""Answering on the site's tablet: what is open, one item a page, review, submission.

Every answer is stored before the next page comes, and nothing of it stays in the browser. With
`static/js/tablet.js` a page whose answer finds no network says so, keeps it on the screen and sends
it again until it has arrived; without that script the browser's own reload does. Sent twice, it
counts once: a page has a name, and an answer takes its own from the page and what was chosen.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from flask import Blueprint, abort, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from pro_app.core.assessment import Stamp, Status, tapped_at
from pro_app.core.instruments import Instrument, Item
from pro_app.core.licence import TABLET
from pro_app.core.study import StudyDefinition
from pro_app.core.wording import Wording, short
from pro_app.models import Transaction
from pro_app.services import answers, assessments, submissions, tablet
from pro_app.services.answers import Current, Operation, Saved
from pro_app.services.assessments import Known
from pro_app.services.studies import CurrentStudy
from pro_app.web import layout, participant, questionnaire, sheets, tablet_access
from pro_app.web.house import house
from pro_app.web.tablet import change_settings
from pro_app.web.tablet_access import guest, on_tablet

blueprint = Blueprint("tablet_sheet", __name__, url_prefix="/tablet/questionnaires")
Page = str | BaseResponse | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Sheet:
    """An assessment that is open to the guest now, and the words it is shown in."""

    assessment: Known
    instrument: Instrument
    wording: Wording


class NotOpen(Exception):
    """There is nothing to answer here: back to what is open. `closed` says that time is over."""

    def __init__(self, closed: bool = False) -> None:
        super().__init__()
        self.closed = closed


@blueprint.errorhandler(NotOpen)
def _not_open(error: NotOpen) -> Page:
    return _to_list("closed" if error.closed else None)


def _to_list(said: str | None = None) -> BaseResponse:
    return redirect(url_for(".listed", said=said), 303)


def _study() -> CurrentStudy:
    found = layout.study()
    assert found is not None  # noqa: S101 (a participant has a study)
    return found


def _definition() -> StudyDefinition:
    return _study().definition


def _own(database: Transaction, public_id: str, hold: bool = False) -> Known:
    find = assessments.hold_own if hold else assessments.find_own
    found = find(database, public_id, guest().participant_id)
    return abort(404) if found is None else found


def _sheet(assessment: Known) -> Sheet:
    """The sheet of an open assessment. Raises NotOpen, also for one that has no wording in the
    participant's language: the list says so."""
    state = assessment.status(house().clock(), _definition().grace)
    if state not in {Status.OPEN, Status.IN_PROGRESS}:
        raise NotOpen(closed=state is Status.MISSED)
    now, language = house().clock(), layout.language()
    wording = assessment.wording(_study().wordings, language, TABLET, now)
    if wording is None:
        raise NotOpen
    return Sheet(assessment, house().library.instruments[assessment.instrument], wording)


@blueprint.get("")
@on_tablet("answering")
def listed() -> str:
    """What is open, and nothing that is done."""
    with house().database.reading() as database:
        found = assessments.today(database, _definition(), guest().participant_id, house().clock())
        cards = participant.cards(database, found.open, TABLET)
    return render_template("tablet/listed.html", cards=cards, said=request.args.get("said"))


@blueprint.get("/<public_id>")
@on_tablet("answering")
def start(public_id: str) -> Page:
    """What it is about; a questionnaire that was begun goes on where it was left."""
    with house().database.reading() as database:
        sheet = _sheet(_own(database, public_id))
        given, _newest = answers.current(database, sheet.assessment.id)
    if given and request.args.get("again") is None:
        n = answers.first_open(sheet.instrument, given)
        if n is None:
            return redirect(url_for(".review", public_id=public_id))
        return redirect(url_for(".item", public_id=public_id, n=n))
    voices = sheets.recordings(_study(), sheet.assessment, sheet.wording)
    return render_template("tablet/sheet_start.html", sheet=sheet, sound=sheets.instruction(voices))


@blueprint.get("/<public_id>/items/<int:n>")
@on_tablet("answering")
def item(public_id: str, n: int) -> str:
    """One item."""
    with house().database.reading_rows() as database:
        sheet = _sheet(_own(database, public_id))
        given, _newest = answers.current(database, sheet.assessment.id)
    shown = _item(sheet.instrument, n)
    return _item_page(sheet, shown, given.get(shown.code))


def _hidden(given: Mapping[str, Current]) -> frozenset[str]:
    """The items whose answers from before are not shown."""
    return frozenset(code for code, one in given.items() if _seen(one) is None)


def _seen(answer: Current | None) -> Current | None:
    """An answer as the page knows it: one that is hidden is none. The same choice is then stored
    again, so that nobody learns from the page that it was the same."""
    return None if answer is None or guest().hides(answer.answered_at) else answer


def _item(instrument: Instrument, n: int) -> Item:
    if not 1 <= n <= len(instrument.items):
        abort(404)
    return instrument.items[n - 1]


def _item_page(sheet: Sheet, shown: Item, state: Current | None, prompting: bool = False) -> str:
    voices = sheets.recordings(_study(), sheet.assessment, sheet.wording)
    texts = sheets.rendered(
        sheet.instrument, sheet.wording, _definition().skipping, voices or sheets.SILENT
    )
    seen = _seen(state)
    body = questionnaire.chosen_html(texts.items[shown.n - 1], seen, prompting)
    return render_template(
        "tablet/item.html",
        sheet=sheet,
        wording_name=short(sheet.wording),
        title=texts.titles[shown.n - 1],
        page_code=f"Q{shown.n}",
        body=Markup(body),  # noqa: S704 (rendered by a template, see `sheets.rendered`)
        saved=seen is not None and seen.state != "skipped",
        earlier=seen is not state,
        review=request.values.get("from") == "review",
        prompting=prompting,
        page_name=uuid.uuid4(),
        aloud=voices is not None,
    )


@blueprint.post("/<public_id>/items/<int:n>")
@on_tablet("answering", late=True)
def answer(public_id: str, n: int) -> Page:
    """Keep the choice, then do what the button says."""
    action = request.form.get("action", "next")
    with house().database.writing() as database:
        assessment = _own(database, public_id, hold=True)
        instrument = house().library.instruments[assessment.instrument]
        shown = _item(instrument, n)
        if house().clock() < assessment.facts.opens_at:
            raise NotOpen
        given, _newest = answers.current(database, assessment.id)
        operation = questionnaire.posted(shown, _seen(given.get(shown.code)), action)
        saved = Saved()
        if operation is not None:
            saved = _save(database, assessment, instrument, operation)
            given, _newest = answers.current(database, assessment.id)
    if saved.refused:
        abort(422)
    if not guest().lives(house().clock()):
        return tablet_access.ended("idle")
    if saved.not_counted:  # too late, or submitted on a phone meanwhile
        raise NotOpen(closed=assessment.submission_id is None)
    changing = "language" in request.form or "text_size" in request.form
    if action == "next" and not changing and shown.code not in given:
        return _item_page(_sheet(assessment), shown, None, prompting=True), 422
    change_settings()
    return redirect(_onward(public_id, shown, len(instrument.items), action, changing), 303)


def _save(
    database: Transaction, assessment: Known, instrument: Instrument, operation: Operation
) -> Saved:
    """Store what was posted, in the wording that the person saw."""
    wording = questionnaire.seen_wording(_study(), assessment)
    code = "" if operation.code is None else operation.code
    name = f"{assessment.public_id} {operation.item} {operation.state} {code}"
    operation = replace(
        operation, id=str(uuid.uuid5(_page_name(), name)), device_time=_clock("device_time")
    )
    origin = guest().origin(wording, _clock("sent_at"))
    definition = _definition()
    return answers.save(
        database, assessment, instrument, [operation], origin, definition.grace, house().clock(),
        skipping=definition.skipping,
    )  # fmt: skip


def _page_name() -> uuid.UUID:
    """The name of the page that was posted; one that is spoilt is as good as none."""
    try:
        return uuid.UUID(request.form.get("page_name", ""))
    except ValueError:
        return uuid.uuid4()


def _clock(field: str) -> datetime | None:
    """What the tablet's own clock said, which only the script sends."""
    try:
        found = datetime.fromisoformat(request.form.get(field, ""))
    except ValueError:
        return None
    return None if found.tzinfo is None else found


def _onward(public_id: str, shown: Item, of: int, action: str, changing: bool) -> str:
    """The page that follows an item's page."""
    review = request.form.get("from") == "review"
    if action == "stop":
        return url_for("tablet.ask_stop")
    if action == "clear" or changing:
        address = url_for(".item", public_id=public_id, n=shown.n)
        return f"{address}?from=review" if review else address
    if action == "back" and not review:
        if shown.n == 1:
            return url_for(".start", public_id=public_id, again=1)
        return url_for(".item", public_id=public_id, n=shown.n - 1)
    if review or shown.n == of:
        return url_for(".review", public_id=public_id)
    return url_for(".item", public_id=public_id, n=shown.n + 1)


@blueprint.get("/<public_id>/review")
@on_tablet("answering")
def review(public_id: str) -> str:
    """Every item and its answer, before anything is final."""
    with house().database.reading() as database:
        sheet = _sheet(_own(database, public_id))
        given, _newest = answers.current(database, sheet.assessment.id)
    return _review_page(sheet, given)


def _review_page(sheet: Sheet, given: dict[str, Current], refused: bool = False) -> str:
    missing = [item.n for item in sheet.instrument.items if item.code not in given]
    return render_template(
        "tablet/review.html",
        sheet=sheet,
        given=given,
        hidden=_hidden(given),
        missing=missing,
        refused=refused,
    )


@blueprint.post("/<public_id>/submit")
@on_tablet("answering", late=True)
def submit(public_id: str) -> Page:
    """Seal the answers; after the last questionnaire that is open, the tablet goes back."""
    now = house().clock()
    with house().database.writing() as database:
        assessment = _own(database, public_id, hold=True)
        instrument = house().library.instruments[assessment.instrument]
        given, _newest = answers.current(database, assessment.id)
        tap, sending = Stamp(_clock("device_time")), Stamp(_clock("sent_at"))
        pressed = tapped_at(tap, sending, now, assessment.facts.opens_at).moment
        try:
            last = tablet.submit(database, _study(), assessment, instrument, guest(), now, pressed)
        except submissions.Closed:
            raise NotOpen(closed=True) from None
        except submissions.Incomplete:
            if not guest().lives(now):
                return tablet_access.ended("idle")
            return _review_page(_sheet(assessment), given, refused=True), 422
    if last:
        return tablet_access.ended("submitted")
    return _to_list("received") if guest().lives(now) else tablet_access.ended("idle")

"""Answering: the start page, one item a screen, review, submission, receipt.

Every page works without JavaScript. With it, `static/js/questionnaire.js` fetches the whole sheet
once (the same items by the same template), moves between them without a request, and sends each
tap as an operation to `take_operations`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import (
    Blueprint,
    abort,
    g,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_wtf.csrf import generate_csrf
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from pro_app.core.assessment import Status
from pro_app.core.instruments import Instrument, Item
from pro_app.core.licence import PHONE
from pro_app.core.study import LANGUAGES, StudyDefinition
from pro_app.core.wording import Wording, short
from pro_app.models import Transaction
from pro_app.services import answers, assessments, batches, submissions
from pro_app.services.answers import Current, Operation, Origin, Saved
from pro_app.services.assessments import Known
from pro_app.services.batches import Taken
from pro_app.services.studies import CurrentStudy
from pro_app.web import access, batch, files, frame, layout, locale, sheets
from pro_app.web.house import house
from pro_app.web.participant import change_settings

blueprint = Blueprint("questionnaire", __name__)
Page = str | BaseResponse | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Sheet:
    """An assessment that is open to this person now, and the words it is shown in."""

    assessment: Known
    instrument: Instrument
    wording: Wording


class NotOpen(Exception):
    """Carries the page that is shown instead of the sheet."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page


@blueprint.errorhandler(NotOpen)
def _not_open(error: NotOpen) -> Page:
    return error.page


def _study() -> CurrentStudy:
    found = layout.study()
    if found is None:
        abort(404)
    return found


def _definition() -> StudyDefinition:
    return _study().definition


def _own(database: Transaction, public_id: str, hold: bool = False) -> Known:
    find = assessments.hold_own if hold else assessments.find_own
    found = find(database, public_id, access.person().participant_id)
    if found is None:
        abort(404)
    return found


def _sheet(assessment: Known) -> Sheet:
    """The sheet of an open assessment; NotOpen with the page that says why not."""
    place, definition = house(), _definition()
    state = assessment.status(place.clock(), definition.grace)
    if state in {Status.COMPLETED, Status.COMPLETED_LATE}:
        raise NotOpen(redirect(url_for(".receipt", public_id=assessment.public_id), 303))
    if state is Status.NOT_DUE:
        raise NotOpen((_closed_page(assessment, "early"), 403))
    if state not in {Status.OPEN, Status.IN_PROGRESS}:
        raise NotOpen((_closed_page(assessment, "closed"), 410))
    instrument = place.library.instruments.get(assessment.instrument)
    wording = _offered(assessment, layout.language())
    if instrument is None or wording is None:
        raise NotOpen((_unoffered_page(assessment), 404))
    return Sheet(assessment, instrument, wording)


def _offered(assessment: Known, language: str) -> Wording | None:
    return assessment.wording(_study().wordings, language, PHONE, house().clock())


def _closed_page(assessment: Known, why: str, kept: bool = False) -> str:
    with house().database.reading() as database:
        found = assessments.today(
            database, _definition(), assessment.participant_id, house().clock()
        )
    return render_template(
        "questionnaire/closed.html",
        why=why,
        kept=kept,
        opens_at=assessment.facts.opens_at,
        closes_at=assessment.facts.closes_at,
        open_now=len(found.open),
    )


def _unoffered_page(assessment: Known) -> str:
    """Only languages that have the wording are offered; never another one unasked."""
    offered = [
        language
        for language in _definition().languages
        if _offered(assessment, language) is not None
    ]
    return render_template("questionnaire/unoffered.html", offered=offered)


@blueprint.get("/questionnaires/<public_id>")
@access.audience("participant")
def start(public_id: str) -> Page:
    """What it is about; a questionnaire that was begun goes on where it was left."""
    with house().database.reading() as database:
        sheet = _sheet(_own(database, public_id))
        given, _newest = answers.current(database, sheet.assessment.id)
    if given and request.args.get("again") is None:
        n = answers.first_open(sheet.instrument, given)
        page = url_for(".review", public_id=public_id)
        return redirect(page if n is None else url_for(".item", public_id=public_id, n=n))
    voices = sheets.recordings(_study(), sheet.assessment, sheet.wording)
    return render_template(
        "questionnaire/start.html", sheet=sheet, sound=sheets.instruction(voices)
    )


@blueprint.get("/questionnaires/<public_id>/items/<int:n>")
@access.audience("participant")
def item(public_id: str, n: int) -> Page:
    """One item."""
    with house().database.reading_rows() as database:
        sheet = _sheet(_own(database, public_id))
        given, newest = answers.current(database, sheet.assessment.id)
    return _item_page(sheet, _item(sheet.instrument, n), given, newest, prompting=False)


def _item(instrument: Instrument, n: int) -> Item:
    if not 1 <= n <= len(instrument.items):
        abort(404)
    return instrument.items[n - 1]


def _item_page(
    sheet: Sheet, shown: Item, given: dict[str, Current], newest: int, prompting: bool
) -> str:
    state = given.get(shown.code)
    voices = sheets.recordings(_study(), sheet.assessment, sheet.wording)
    texts = sheets.rendered(
        sheet.instrument, sheet.wording, _definition().skipping, voices or sheets.SILENT
    )
    start = url_for(".start", public_id=sheet.assessment.public_id)
    sent = request.form if request.method == "POST" else request.args
    person, wording = access.person(), sheet.wording
    aloud = voices is not None
    key = (person.study_fingerprint, person.text_size, wording.fingerprint, texts.version, aloud)
    return frame.fill(
        "questionnaire/item.html",
        key,
        {  # nothing of the assessment but what the key tells
            "sheet": {"instrument": sheet.instrument, "wording": wording},
            "sheet_version": texts.version,
            "wording_name": short(wording),
            "aloud": aloud,
        },
        {
            "csrf_token": generate_csrf(),
            "start": start,
            "action": f"{start}/items/{shown.n}",
            "title": texts.titles[shown.n - 1],
            "page_code": f"Q{shown.n}",
            "body": Markup(chosen_html(texts.items[shown.n - 1], state, prompting)),  # noqa: S704 (rendered by a template, see `rendered`)
            "review": _FROM_REVIEW if sent.get("from") == "review" else "",
            "prompted": _PROMPTED if prompting else "",
            "unsaved": _HIDDEN if state is None or state.state == "skipped" else "",
            "newest": newest,
            "given": htmlsafe_json_dumps(
                {code: [answer.state, answer.code] for code, answer in given.items()}
            ),
        },
    )


_FROM_REVIEW = Markup('<input type="hidden" name="from" value="review">')
_PROMPTED = Markup('<input type="hidden" name="prompted" value="yes">')
_HIDDEN = Markup(" hidden")


def chosen_html(body: str, answer: Current | None, prompting: bool) -> str:
    """The item with the answer chosen that was given, or with the question whether to skip it."""
    if prompting:
        return body.replace('tabindex="-1" hidden>', 'tabindex="-1" autofocus>', 1)
    if answer is None:
        return body
    if answer.state == "skipped":
        return body.replace('class="left" hidden>', 'class="left">', 1)
    value = answer.state if answer.code is None else str(answer.code)
    option = f'name="choice" value="{value}"'  # and not the progress bar's value
    return body.replace(option, f"{option} checked", 1)


@blueprint.get("/sheets/<version>")
@access.audience("public")
def sheet(version: str) -> Page:
    """All items of a wording in one document, the same for everybody, to be kept by the phone. Its
    address tells nobody what it is about."""
    found = sheets.find(version)
    return abort(404) if found is None else files.lasting(found.sheet, "text/html")


sheet.impersonal = True  # type: ignore[attr-defined]


@blueprint.post("/questionnaires/<public_id>/items/<int:n>")
@access.audience("participant")
def answer(public_id: str, n: int) -> Page:
    """An item's page without JavaScript: keep the choice, then do what the button says."""
    action = request.form.get("action", "next")
    now = house().clock()
    with house().database.writing() as database:
        assessment = _own(database, public_id, hold=True)
        instrument = house().library.instruments[assessment.instrument]
        wording = seen_wording(_study(), assessment)
        shown = _item(instrument, n)
        if wording is None or now < assessment.facts.opens_at:
            raise NotOpen(_sheet_or_page(assessment))
        given, _newest = answers.current(database, assessment.id)
        operation = posted(shown, given.get(shown.code), action)
        saved = Saved()
        if operation is not None:
            saved = _save(database, assessment, instrument, wording, [operation])
            given, _newest = answers.current(database, assessment.id)
    if saved.refused:
        abort(422)
    if saved.not_counted and assessment.submission_id is None:
        return _closed_page(assessment, "closed", kept=True), 410
    changing = "language" in request.form or "text_size" in request.form
    if action == "next" and not changing and shown.code not in given:
        return _item_page(_sheet(assessment), shown, given, _newest, prompting=True), 422
    response = redirect(_onward(assessment, shown, len(instrument.items), action), 303)
    change_settings(response)
    return response


def seen_wording(study: CurrentStudy, assessment: Known) -> Wording | None:
    """The wording that the person saw when answering: what was seen is what is recorded, also
    when the study would no longer show it."""
    language, seen = request.form.get("shown_in"), request.form.get("wording")
    if language not in LANGUAGES:
        language = layout.language()
    at = assessment.facts.started_at or house().clock()
    return study.wordings.read_as(assessment.instrument, str(language), seen, at)


def _sheet_or_page(assessment: Known) -> Page:
    try:
        _sheet(assessment)
    except NotOpen as reason:
        return reason.page
    return abort(404)


def posted(shown: Item, before: Current | None, action: str) -> Operation | None:
    """What the posted page did to the item; None if that is how it stands already."""
    choice = request.form.get("choice")
    code: int | None = None
    if action == "clear":
        state = "cleared"
    elif action == "skip":
        state = "skipped"
    elif choice is None:
        return None
    elif choice == "not_applicable":
        state = "not_applicable"
    else:
        known = {str(one): one for one in shown.options.codes}
        state, code = "answered", known.get(choice, -1)
    if (before is None and state == "cleared") or (
        before is not None and (before.state, before.code) == (state, code)
    ):
        return None
    prompted = request.form.get("prompted") == "yes"
    heard = shown.code in request.form.get("read_aloud", "").split()
    return Operation(str(uuid.uuid4()), shown.code, state, code, prompted, aloud=heard)


def _onward(assessment: Known, shown: Item, of: int, action: str) -> str:
    """The page that follows an item's page."""
    public_id = assessment.public_id
    review = request.form.get("from") == "review"
    if action == "close":
        return url_for("participant.today")
    if action == "clear" or "language" in request.form or "text_size" in request.form:
        address = url_for(".item", public_id=public_id, n=shown.n)
        return f"{address}?from=review" if review else address
    if action == "back" and not review:
        if shown.n == 1:
            return url_for(".start", public_id=public_id, again=1)
        return url_for(".item", public_id=public_id, n=shown.n - 1)
    if review or shown.n == of:
        return url_for(".review", public_id=public_id)
    return url_for(".item", public_id=public_id, n=shown.n + 1)


def _save(
    database: Transaction,
    assessment: Known,
    instrument: Instrument,
    wording: Wording,
    operations: list[Operation],
) -> Saved:
    definition = _definition()
    return answers.save(
        database,
        assessment,
        instrument,
        operations,
        Origin(access.person().device_id, wording),
        definition.grace,
        house().clock(),
        skipping=definition.skipping,
    )


@blueprint.post("/questionnaires/<public_id>/answers")
@access.audience("device")
@access.from_worker
def take_operations(public_id: str) -> Page:
    """A batch of a phone's journal, each operation taken once however often it comes.

    Body: see `batch.read`. The phone is enough to give answers; what others gave is told only
    when it is unlocked. Answer: `at` (the server's clock), `seen` (the newest row), and, where
    there is something to tell: `taken` (ids; left out when it is all of them), `refused` (id:
    reason), `not_counted` (id: standing), `others` (item: state and code), `locked` (the PIN is
    due), `receipt` (`code`, `moment`, `late`), `missing` (items that a press on Submit met
    without an answer), `closed` (a press on Submit came after its time).
    """
    try:
        sent = batch.read(request.get_json())
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return _told({"error": "body", "reason": str(error)}, 422)
    now, owner, place = house().clock(), access.owner(), house().database
    with place.writing() if sent.presses else place.writing_rows() as database:
        found = assessments.hold_by_phone(
            database, public_id, owner.participant_id, owner.device_id
        )
        if found is None:
            abort(404)
        assessment, phone = found
        if now < assessment.facts.opens_at:
            return _told({"error": "early"}, 409)
        instrument = house().library.instruments[assessment.instrument]
        held = batches.Held(_study(), assessment, instrument, phone)
        operations = sent.worded(_study().wordings, assessment, owner.language, now)
        origin = sent.origin(owner.device_id, locked=g.person is None)
        taken = batches.take(database, held, operations, origin, now, sent.left, sent.seen)
    return _told(_told_of(taken, len(sent.operations), now))


def _told(body: dict[str, Any], status: int = 200) -> BaseResponse:
    response = jsonify(body)
    response.status_code = status
    return response


def _told_of(taken: Taken, count: int, now: datetime) -> dict[str, Any]:
    """What the phone is told of its batch of so many operations."""
    told: dict[str, Any] = {"at": now.isoformat(), "seen": taken.seen}
    locked = g.person is None
    for name in ("refused", "not_counted", *(() if locked else ("others",))):
        if getattr(taken, name):
            told[name] = getattr(taken, name)
    if len(taken.taken) < count:
        told["taken"] = taken.taken
    if locked:
        told["locked"] = True
    if taken.receipt is not None:
        language = access.owner().language
        moment = locale.moment_text(taken.receipt.submitted_at, _definition().zone, language)
        late = taken.receipt.late
        told["receipt"] = {"code": taken.receipt.code, "moment": moment, "late": late}
    if taken.missing is not None:
        told["missing"] = taken.missing
    if taken.closed:
        told["closed"] = True
    return told


@blueprint.get("/questionnaires/<public_id>/review")
@access.audience("participant")
def review(public_id: str) -> Page:
    """Every item and its answer, before anything is final."""
    with house().database.reading() as database:
        sheet = _sheet(_own(database, public_id))
        given, _newest = answers.current(database, sheet.assessment.id)
    return _review_page(sheet, given)


def _review_page(sheet: Sheet, given: dict[str, Current], refused: bool = False) -> str:
    missing = [item.n for item in sheet.instrument.items if item.code not in given]
    return render_template(
        "questionnaire/review.html", sheet=sheet, given=given, missing=missing, refused=refused
    )


@blueprint.post("/questionnaires/<public_id>/submit")
@access.audience("participant")
def submit(public_id: str) -> Page:
    """Seal the answers. The second time leads to the first receipt."""
    with house().database.writing() as database:
        assessment = _own(database, public_id, hold=True)
        instrument = house().library.instruments[assessment.instrument]
        given, _newest = answers.current(database, assessment.id)
        try:
            submissions.submit(
                database, _study(), assessment, instrument, access.person().device_id,
                house().clock(),
            )  # fmt: skip
        except submissions.Closed:
            raise NotOpen(_sheet_or_page(assessment)) from None
        except submissions.Incomplete:
            return _review_page(_sheet(assessment), given, refused=True), 422
    return redirect(url_for(".receipt", public_id=public_id), 303)


@blueprint.get("/questionnaires/<public_id>/receipt")
@access.audience("participant")
def receipt(public_id: str) -> Page:
    """That the answers have reached the study, when, and what to quote."""
    with house().database.reading() as database:
        assessment = _own(database, public_id)
        found = submissions.receipt_of(database, assessment.id)
        if found is None:
            return redirect(url_for(".start", public_id=public_id))
        more = assessments.today(
            database, _definition(), assessment.participant_id, house().clock()
        )
    return render_template("questionnaire/receipt.html", receipt=found, more=len(more.open))

"""The participant's rooms on the site's tablet: who it is, the notice, stopping, the end."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import force_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from pro_app.services import tablet
from pro_app.services.tablet import Confirmation
from pro_app.web import access, join, layout, tablet_access
from pro_app.web.house import house
from pro_app.web.tablet_access import guest, on_tablet

blueprint = Blueprint("tablet", __name__, url_prefix="/tablet")
Page = str | BaseResponse | tuple[str, int]
THANKED = ("submitted", "stopped", "refused")  # ends that the page speaks of; else it is neutral


@blueprint.get("/")
@on_tablet("handed", once=True)
def hand_over() -> str:
    """To who holds the tablet now, in the language of the staff: whom to give it to."""
    wish = request.args.get("language", "")
    with force_locale(wish if wish in layout.languages() else layout.language()):
        return render_template("tablet/hand_over.html")


@blueprint.get("/confirm")
@on_tablet("handed", once=True)
def confirm() -> str:
    """Ask the participant who they are."""
    return _confirm_page(request.args.get("by", ""))


def _confirm_page(wish: str, typed: str = "", fault: str | None = None) -> str:
    """`wish` is `number` for who has a PIN and does not remember it; `typed` is no PIN."""
    with house().database.reading_rows() as database:
        pin = tablet.has_pin(database, guest().participant_id)
    by = "pin" if pin and wish != "number" else "number"
    return render_template("tablet/confirm.html", by=by, typed=typed, has_pin=pin, fault=fault)


@blueprint.post("/confirm")
@on_tablet("handed", once=True)
def check() -> Page:
    """Check the PIN or the number's end; too many wrong ones end the session."""
    by = "pin" if request.form.get("by") == "pin" else "number"
    given = request.form.get("given", "").strip()
    with house().database.writing() as database:
        found = tablet.confirm(database, guest(), by, given, house().clock())
    if found is Confirmation.OVER:
        return tablet_access.ended("refused")
    if found is Confirmation.RIGHT:
        return redirect(url_for("tablet_sheet.listed"), 303)
    if by == "pin":
        return _confirm_page(by, fault=_("This is not the right PIN. Please try again.")), 422
    fault = _("This is not the end of your number. Please look at your card, and try again.")
    return _confirm_page(by, given, fault), 422


@blueprint.get("/notice")
@on_tablet("confirmed", once=True)
def notice() -> str:
    """The privacy notice, when it is new or a year old."""
    return _notice_page()


def _notice_page(fault: str | None = None) -> str:
    return render_template("tablet/notice.html", sections=join.notice_sections(), fault=fault)


@blueprint.post("/notice")
@on_tablet("confirmed", once=True)
def accept_notice() -> Page:
    """Accept the notice that is in force."""
    if request.form.get("accept") != "yes":
        return _notice_page(_("Please tick the box if you have read this and agree.")), 422
    study = layout.study()
    assert study is not None  # noqa: S101 (a participant has a study)
    version, language = study.definition.notice.version, layout.language()
    with house().database.writing() as database:
        tablet.accept_notice(database, guest(), version, language, house().clock())
    return redirect(url_for("tablet_sheet.listed"), 303)


@blueprint.post("/settings")
@on_tablet("confirmed")
def settings() -> BaseResponse:
    """Language and text size of the participant."""
    change_settings()
    back = request.form.get("back", "")
    return redirect(back if access.is_local(back) else url_for("tablet_sheet.listed"), 303)


def change_settings() -> None:
    """Take over the posted `language` and `text_size`. The browser keeps neither."""
    for field, known in (("language", layout.languages()), ("text_size", ("0", "1", "2"))):
        value = request.form.get(field, "")
        if value in known:
            with house().database.writing() as database:
                tablet.change_setting(database, guest(), field, value, house().clock())


@blueprint.post("/stay")
@on_tablet("handed")
def stay() -> Response:
    """Still there."""
    with house().database.writing() as database:
        tablet.touch(database, guest(), house().clock())
    return Response(status=204)


@blueprint.post("/idle")
@on_tablet("handed")
def idle() -> BaseResponse:
    """Nobody has done anything on the page for too long."""
    return _end("idle")


@blueprint.get("/stop")
@on_tablet("confirmed")
def ask_stop() -> str:
    """What stopping means, before it is done."""
    return render_template("tablet/stop.html")


@blueprint.post("/stop")
@on_tablet("confirmed")
def stop() -> BaseResponse:
    """The participant gives the tablet back before the end."""
    return _end("stopped")


def _end(how: str) -> BaseResponse:
    with house().database.writing() as database:
        tablet.end(database, guest(), how, house().clock())
    return tablet_access.ended(how)


@blueprint.get("/over")
@on_tablet("over")
def over() -> str:
    """The tablet shows nothing of anybody; the staff sign in to use it again."""
    how = request.args.get("how", "")
    return render_template("tablet/over.html", how=how if how in THANKED else None)

"""Translations whose English source was changed: read side by side, and confirmed one by one."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pro_app.services import translations
from pro_app.services.translations import ConfirmationRefused
from pro_app.web import locale, staff_access
from pro_app.web.house import house
from pro_app.web.staff_access import Page, staff_only

blueprint = Blueprint("translations", __name__, url_prefix="/staff/<study>/wording/translations")
blueprint.url_value_preprocessor(staff_access.take_study)
READERS = ("administrator", "investigator")


@blueprint.get("")
@staff_only(*READERS)
def index() -> str:
    """Each place with its old source, its new source, and the translation."""
    return _page(None)


def _page(fault: str | None) -> str:
    here = staff_access.post()
    with house().database.snapshot() as database:
        found = translations.doubted(database, here.study, house().clock())
    return render_template(
        "translations/index.html",
        found=found,
        fault=fault,
        names=locale.NAMES,
        instruments={code: one.name for code, one in house().library.instruments.items()},
        room="protocol.index",
    )


@blueprint.post("")
@staff_only(*READERS, fresh=True)
def confirm() -> Page:
    """Put on record that the translation still says the same at a place."""
    here, given = staff_access.post(), request.form
    said = {
        "settled": _("This is settled already. Here is what is left."),
        "changed": _("The English text has changed once more. Please read it again."),
    }
    try:
        with house().database.writing() as database:
            translations.confirm(
                database, here.study, given.get("wording", ""), given.get("source", ""),
                given.get("place", ""), here.person.actor, house().clock(),
            )  # fmt: skip
    except ConfirmationRefused as refused:
        return _page(said[refused.code]), 422
    return redirect(url_for("translations.index", study=here.study.definition.code), 303)

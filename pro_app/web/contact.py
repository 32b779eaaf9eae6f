"""A participant's e-mail address: looked at, changed and removed by the own site's coordinator.

To look is to post: the look is on record, and no address that can be opened shows it.
"""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pro_app.models import Participant
from pro_app.services import reach
from pro_app.services.reach import ReachError
from pro_app.web import participant_frame, staff_access
from pro_app.web.house import house
from pro_app.web.staff_access import Page, staff_only

blueprint = Blueprint(
    "contact", __name__, url_prefix="/staff/<study>/participants/<number>/contact"
)
blueprint.url_value_preprocessor(staff_access.take_study)


@blueprint.post("")
@staff_only("coordinator", fresh=True)
def look(number: str) -> str:
    """The address, to be read to its owner or changed."""
    here, person = staff_access.post(), staff_access.participant(number, "coordinator")
    with house().database.writing() as database:
        office, actor = house().post_office, here.person.actor
        email = reach.read_email(database, office, person.id, actor, house().clock())
    return _page(person.id, email or "", email is not None)


def _page(participant_id: int, typed: str, known: bool, fault: str | None = None) -> str:
    """`known`: there is an address already."""
    with house().database.reading() as database:
        frame = participant_frame.frame(
            database.get_one(Participant, participant_id), "participant_page.overview"
        )
    return render_template("contact/email.html", typed=typed, has=known, fault=fault, **frame)


@blueprint.post("/change")
@staff_only("coordinator", fresh=True)
def change(number: str) -> Page:
    """Take another address, or with the button that says so none."""
    here, person = staff_access.post(), staff_access.participant(number, "coordinator")
    typed = request.form.get("email", "").strip()
    remove = request.form.get("action") == "remove"
    fault = None
    if not remove and (person.withdrawn_at or person.died_at):
        fault = _("This participant takes part no more. No address can be kept.")
    elif not remove and not typed:
        fault = _("Please enter an address, or remove the one that is kept.")
    if fault is None:
        try:
            with house().database.writing() as database:
                reach.set_email(
                    database,
                    house().post_office,
                    person.id,
                    None,
                    "" if remove else typed,
                    house().clock(),
                    here.person.actor,
                )
        except ReachError:
            fault = _("This is not an e-mail address we can write to.")
    if fault is not None:
        with house().database.reading() as database:
            known = reach.has_email(database, person.id)
        return _page(person.id, typed, known, fault), 422
    study = here.study.definition.code
    return redirect(url_for("participant_page.overview", study=study, number=number), 303)

"""Signing off one participant's data, milestone by milestone; later changes void it visibly."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pro_app.models import Participant
from pro_app.services import sign_off
from pro_app.services.sign_off import Milestone, Standing
from pro_app.services.signing import Refused
from pro_app.web import correction_words, participant_frame, proof, staff_access
from pro_app.web.house import house
from pro_app.web.staff_access import Page, staff_only

blueprint = Blueprint("sign_off", __name__, url_prefix="/staff/<study>/participants/<number>")
blueprint.url_value_preprocessor(staff_access.take_study)


@blueprint.get("/sign-off")
@staff_only("investigator")
def milestones(number: str) -> str:
    """The milestones: what each covers, what it waits for, who has signed, and whether it holds."""
    return _page(staff_access.participant(number, "investigator"), {})


def _page(person: Participant, faults: dict[str, str]) -> str:
    here, now = staff_access.post(), house().clock()
    grace = here.study.definition.grace
    with house().database.reading() as database:
        person = database.get_one(Participant, person.id)
        found = sign_off.overview(database, here.study, person.id, now)
        standing = sign_off.standing(database, person.id)
        values = participant_frame.frame(person, "sign_off.milestones")
    return render_template(
        "sign_off/milestones.html",
        found=found,
        signed={
            one.code: [each for each in standing if each.sign_off.milestone == one.code]
            for one in found
        },
        signable=_signable(found, standing),
        status=lambda one: one.status(now, grace).value,
        meaning=_meaning(),
        given=request.form,
        faults=faults,
        terms=correction_words,
        **values,
    )


def _signable(found: list[Milestone], standing: list[Standing]) -> list[str]:
    """The milestones that are ready and that the person has no valid signature under yet."""
    own = staff_access.post().person.staff_id
    held = {
        one.sign_off.milestone for one in standing if one.holds and one.sign_off.staff_id == own
    }
    return [one.code for one in found if one.is_ready and one.code not in held]


def _meaning() -> str:
    """What the signature means."""
    text: str = _(
        "I have reviewed this participant's data up to this milestone, with their corrections and "
        "scores, and I confirm that they are complete and agree with the source record."
    )
    return text


@blueprint.post("/sign-off")
@staff_only("investigator")
def sign(number: str) -> Page:
    """Sign a milestone with password and code."""
    here, now = staff_access.post(), house().clock()
    person = staff_access.participant(number, "investigator")
    wish = request.form.get("milestone", "")
    with house().database.reading() as database:
        found = sign_off.overview(database, here.study, person.id, now)
        signable = _signable(found, sign_off.standing(database, person.id))
    faults = {}
    if wish not in signable:
        faults["milestone"] = _("Please choose a milestone that can be signed.")
    if request.form.get("sure") != "yes":
        faults["sure"] = _("Please confirm what your signature means.")
    if not request.form.get("password") or not request.form.get("code"):
        faults["password"] = _("Please sign with your password and a code.")
    if not faults and (wrong := proof.fault()) is not None:
        faults["password"] = wrong
    if faults:
        return _page(person, faults), 422
    try:
        with house().database.writing() as database:
            staff_id = here.person.staff_id
            sign_off.sign(database, here.study, person.id, wish, _meaning(), staff_id, now)
    except Refused:
        changed = _("The data have changed just now. Please look at them again before you sign.")
        return _page(person, {"milestone": changed}), 422
    study_code = here.study.definition.code
    return redirect(url_for(".milestones", study=study_code, number=number), 303)

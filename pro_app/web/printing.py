"""Printing questionnaires on paper, for when the phone or the network cannot be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template, request
from flask_babel import force_locale
from flask_babel import gettext as _
from markupsafe import Markup

from pro_app.core.schedule import Timepoint
from pro_app.models import Participant, Site
from pro_app.services import participants, printing
from pro_app.services.printing import FOOT, MOST_COPIES, Order, PrintRefused, Sheet
from pro_app.web import locale, staff_access, staff_words
from pro_app.web.house import house
from pro_app.web.staff_access import PEOPLE, Page, staff_only

blueprint = Blueprint("printing", __name__, url_prefix="/staff/<study>/print")
blueprint.url_value_preprocessor(staff_access.take_study)

MOST_REPEATS = 12  # of a visit that is repeated without end, as a choice


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit as it can be chosen; `key` names it in the form."""

    timepoint: Timepoint
    occurrence: int

    @property
    def key(self) -> str:
        return f"{self.timepoint.code}/{self.occurrence}"


class Fault(Exception):
    """What is wrong with an order: beside which field, in words."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(field)
        self.field, self.text = field, text


@blueprint.get("")
@staff_only(*PEOPLE)
def form() -> str:
    """The page on which one chooses what is printed."""
    given = {name: request.args.get(name, "") for name in ("number", "visit", "language", "site")}
    known = _known(given["number"])
    if known is not None and not given["language"]:
        given["language"] = known.language
    return _form_page(given, request.args.getlist("instrument"), None)


def _form_page(given: Mapping[str, str], chosen: Sequence[str], fault: Fault | None) -> str:
    here = staff_access.post()
    return render_template(
        "printing/form.html",
        given=given,
        chosen=chosen,
        fault=fault,
        instruments=_names(),
        visits=list(_visits()),
        sites=_sites(),
        spoken={code: locale.NAMES[code] for code in here.study.definition.languages},
        most=MOST_COPIES,
        words=staff_words,
        room="entry.to_check",
    )


def _names() -> dict[str, str]:
    """The study's instruments by code."""
    known = house().library.instruments
    return {
        one.code: known[one.code].name for one in staff_access.post().study.definition.instruments
    }


def _visits() -> Iterator[Visit]:
    for one in staff_access.post().study.definition.timepoints:
        times = 1 if one.repeat is None else one.repeat.times or MOST_REPEATS
        yield from (Visit(one, occurrence) for occurrence in range(1, times + 1))


def _sites() -> Sequence[Site]:
    here = staff_access.post()
    with house().database.reading() as database:
        return participants.sites(database, here.study.id, here.covers(*PEOPLE))


def _known(number: str) -> Participant | None:
    """The participant of this number, if it is one of the own sites."""
    here = staff_access.post()
    covered = here.covers(*PEOPLE)
    with house().database.reading() as database:
        found = participants.find(database, here.study.id, number) if number else None
    return found if found is not None and (covered is None or found.site_id in covered) else None


@blueprint.post("")
@staff_only(*PEOPLE)
def sheets() -> Page:
    """The sheets, to be printed by the browser; that they were made is on record."""
    here, given, now = staff_access.post(), request.form, house().clock()
    try:
        person = _person(given.get("number", "").strip())
        visit = next((one for one in _visits() if one.key == given.get("visit")), None)
        order = _order(given, person, visit)
    except Fault as fault:
        return _form_page(given, given.getlist("instrument"), fault), 422
    with house().database.writing() as database:
        printing.note(database, here.study, order, here.person.actor, now)
    number = None if person is None else person.number
    drawn = [draw(one, order, number, visit) for one in order.sheets]
    return render_template(
        "printing/sheets.html",
        sheets=drawn * order.copies,
        order=order,
        number=number,
        room="entry.to_check",
    )


def _person(number: str) -> Participant | None:
    person = _known(number)
    if number and person is None:
        raise Fault("number", _("No participant at your sites has this study number."))
    return person


def _order(given: Mapping[str, str], person: Participant | None, visit: Visit | None) -> Order:
    """What was asked for. Raises Fault."""
    here = staff_access.post()
    language, copies = given.get("language", ""), given.get("copies", "1")
    if language not in here.study.definition.languages:
        raise Fault("language", _("Please choose the language."))
    if not (copies.isascii() and copies.isdigit() and 1 <= int(copies[:6]) <= MOST_COPIES):
        raise Fault("copies", _("From 1 to %(most)s copies can be made.", most=MOST_COPIES))
    codes = _codes(visit)
    if not codes:
        raise Fault("instrument", _("Please choose a questionnaire or a visit."))
    site = _site(given.get("site", ""), person)
    where = None if site is None else site.id
    now = house().clock()
    try:
        found = printing.sheets(here.study, house().library, codes, language, where, now)
    except PrintRefused as refused:
        if refused.code == "site":
            raise Fault("site", _("Please choose the site.")) from refused
        names = ", ".join(_names()[code] for code in refused.items)
        said = _("In this language there is no wording for paper now: %(names)s.", names=names)
        raise Fault("language", said) from refused
    return Order(
        found,
        language,
        1 if person is not None else int(copies),
        None if person is None else person.id,
        None if site is None else site.code,
        None if visit is None else visit.timepoint.code,
        1 if visit is None else visit.occurrence,
    )


def _codes(visit: Visit | None) -> list[str]:
    """The instruments chosen; without any, those of the visit."""
    wanted = set(request.form.getlist("instrument"))
    own = list(visit.timepoint.instruments) if visit is not None else []
    order = [*own, *(code for code in _names() if code not in own)]
    return [code for code in order if code in wanted] if wanted else own


def _site(code: str, person: Participant | None) -> Site | None:
    """The participant's site; without one the site chosen, or the only one of one's own."""
    own = _sites()
    if person is not None:
        return next(one for one in own if one.id == person.site_id)
    if len(own) == 1:
        return own[0]
    return next((one for one in own if one.code == code), None)


def draw(sheet: Sheet, order: Order, number: str | None, visit: Visit | None) -> Markup:
    """One sheet in its language; without number and visit with lines in their place."""
    study = staff_access.post().study.definition
    language = order.language
    with force_locale(language):
        label = None if visit is None else visit.timepoint.label(language, visit.occurrence)
        drawn = render_template(
            "printing/_sheet.html",
            instrument=sheet.instrument,
            wording=sheet.wording,
            items=sheet.instrument.items,
            number=number,
            site_code=order.site,
            visit=label,
            title=study.names[language],
            sheet_language=locale.html_language(language),
            foot=sheet.wording.fingerprint[:FOOT],
        )
    return Markup(drawn)  # noqa: S704 (a template of ours)

"""What every page's frame needs: language, text size, the study's name, whom to call."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import current_app, g, request
from flask_babel import get_locale
from flask_babel import gettext as _
from sqlalchemy.exc import SQLAlchemyError

from pro_app.core.study import LANGUAGES, StudyDefinition
from pro_app.services import studies
from pro_app.services.sessions import Person
from pro_app.services.studies import CurrentStudy
from pro_app.services.tablet import Guest
from pro_app.web import locale
from pro_app.web.house import house


def language() -> str:
    """The language of this page."""
    return str(get_locale())


def study() -> CurrentStudy | None:
    """The study of this request: the person's, or the installation's if it has only one."""
    if "study" not in g:
        person = g.get("person") or g.get("locked") or g.get("guest")
        try:
            g.study = _only_study() if person is None else _study_of(person)
        except SQLAlchemyError:  # the page that says so needs no study
            g.study = None
    found: CurrentStudy | None = g.study
    return found


def _study_of(person: Person | Guest) -> CurrentStudy:
    known = studies.parsed(
        house().database.engine,
        house().library,
        person.study_id,
        person.study_version,
        person.study_fingerprint,
    )
    if known is not None:
        return known
    with house().database.reading() as database:
        return studies.current(database, house().library, person.study_id)


def _only_study() -> CurrentStudy | None:
    with house().database.reading() as database:
        only = studies.find(database, None)
        return None if only is None else studies.current(database, house().library, only.id)


def languages() -> tuple[str, ...]:
    """The languages that pages are offered in: the study's, or all while none is known and for
    the staff."""
    found = study()
    view = current_app.view_functions.get(request.endpoint or "")
    for_staff = getattr(view, "audience", None) == "staff"
    return LANGUAGES if found is None or for_staff else found.definition.languages


def help_text(study: StudyDefinition) -> str:
    """Whether answers are watched, and whom to call, on every page."""
    promise = study.monitoring.promise.get(language())
    if promise is not None:
        promised: str = _(
            "%(promise)s Nobody watches in between: please never rely on it. If you feel unwell, "
            "call %(telephone)s. In an emergency, call %(emergency)s.",
            promise=promise,
            telephone=study.telephone,
            emergency=study.emergency,
        )
        return promised
    text: str = _(
        "Nobody watches your answers as you give them. If you feel unwell, call %(telephone)s. "
        "In an emergency, call %(emergency)s.",
        telephone=study.telephone,
        emergency=study.emergency,
    )
    return text


def words() -> dict[str, Any]:
    """Names that all templates know."""
    found = study()
    chosen = language()
    definition = None if found is None else found.definition

    def moment(value: datetime) -> str:
        assert definition is not None  # noqa: S101 (pages with moments belong to a study)
        return locale.moment_text(value, definition.zone, chosen)

    def end(value: datetime) -> str:
        assert definition is not None  # noqa: S101
        return locale.end_text(value, definition.zone, chosen)

    def day(value: datetime) -> str:
        assert definition is not None  # noqa: S101
        return locale.day_text(value, definition.zone, chosen)

    def short(value: datetime, ends: bool = False) -> str:
        assert definition is not None  # noqa: S101
        return locale.short_text(value, definition.zone, chosen, end=ends)

    return {
        "help": "" if definition is None else help_text(definition),
        "language": chosen,
        "html_language": locale.html_language(chosen),
        "html_language_of": locale.html_language,
        "languages": {code: locale.NAMES[code] for code in languages()},
        "text_size": locale.chosen_text_size(),
        "study": definition,
        "study_name": None if definition is None else definition.names.get(chosen),
        "person": g.get("person"),
        "staff": g.get("staff"),
        "post": g.get("post"),
        "here": request.path,
        "moment": moment,
        "end": end,
        "day": day,
        "short": short,
        "zone_name": None if definition is None else locale.zone_name(definition.zone.key, chosen),
    }

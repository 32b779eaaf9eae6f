"""The coordinators' rooms: what needs somebody today, who has done what, and how complete it is."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, abort, render_template, request
from sqlalchemy.orm import Session

from pro_app.services import (
    answer_alerts,
    completion,
    participants,
    reachability,
    to_enter,
    wording_ends,
)
from pro_app.services import board as morning
from pro_app.services import rates as completion_rates
from pro_app.web import alerts, staff_access, staff_words
from pro_app.web.house import house
from pro_app.web.staff_access import PEOPLE, Post, staff_only

blueprint = Blueprint("coordinator", __name__, url_prefix="/staff/<study>")
blueprint.url_value_preprocessor(staff_access.take_study)


@blueprint.get("/today")
@staff_only(*PEOPLE)
def board() -> str:
    """What needs somebody this morning: whom to help and why, whom to call, who cannot get in."""
    here, now = staff_access.post(), house().clock()
    with house().database.snapshot() as database:
        covered = here.covers(*PEOPLE)
        few = participants.count(database, here.study, covered) <= morning.COUNTABLE
        found = morning.board(database, here.study, covered, now, progress=few)
        sites = participants.sites(database, here.study.id, covered)
        sheets = to_enter.count_to_check(database, here.study, covered, here.person.staff_id)
        ends = wording_ends.ending(database, here.study, now, covered)
        gone = wording_ends.unread(database, here.study, now, covered)
        alarming = answer_alerts.waiting(database, here.study, alerts.whose(here))
        tests = _tests(database, here)
    return render_template(
        "coordinator/board.html",
        alerts=alarming,
        tests=tests,
        found=found,
        unread=sum(person.people for one in gone for person in one.affected),
        ends=[one for one in ends if one.people],
        to_check=sheets,
        sites=sites,
        now=now,
        may=here.may("coordinator"),
        words=staff_words,
        instruments={code: one.name for code, one in house().library.instruments.items()},
        room="coordinator.board",
    )


def _tests(database: Session, here: Post) -> int:
    """How many test participants a live study has, where they are not shown already."""
    if not here.study.is_live or here.study.tests:
        return 0
    return participants.count(database, here.study.of_tests(), here.covers(*PEOPLE))


LISTS = ("people", "calls", "codes", "requests")


@blueprint.get("/today/<name>")
@staff_only(*PEOPLE)
def more(name: str) -> str:
    """One of the board's lists, page by page."""
    if name not in LISTS:
        abort(404)
    here, now, text = staff_access.post(), house().clock(), request.args.get("page", "1")
    page = max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1
    study, library, covered = here.study, house().library, here.covers(*PEOPLE)
    offset = (page - 1) * morning.LIMIT
    found: Sequence[object]
    with house().database.snapshot() as database:
        if name == "people":
            found, total = morning.counted_people(
                database, study, covered, now, morning.LIMIT, offset
            )
        elif name == "calls":
            found, total = reachability.counted_calls(
                database, study, now, covered, morning.LIMIT, offset
            )
        elif name == "codes":
            found, total = morning.unused_codes(
                database, study, covered, now, morning.LIMIT, offset
            )
        else:
            found, total = morning.requested_codes(database, study, covered, morning.LIMIT, offset)
    return render_template(
        "coordinator/more.html",
        name=name,
        found=found,
        total=total,
        page=page,
        pages=max(1, -(-total // morning.LIMIT)),
        may=here.may("coordinator"),
        words=staff_words,
        instruments={code: one.name for code, one in library.instruments.items()},
        room="coordinator.board",
    )


@blueprint.get("/rates")
@staff_only(*PEOPLE)
def rates() -> str:
    """Completion of what was expected and of everybody enrolled, as a picture and a table."""
    here, now = staff_access.post(), house().clock()
    with house().database.snapshot() as database:
        covered = here.covers(*PEOPLE)
        found = completion_rates.rates(database, here.study, covered, now)
    return render_template(
        "coordinator/rates.html", found=found, words=staff_words, room="coordinator.rates"
    )


@blueprint.get("/completion")
@staff_only(*PEOPLE)
def matrix() -> str:
    """Every participant by every timepoint, searched by number and turned page by page."""
    here, now = staff_access.post(), house().clock()
    search, page = request.args.get("q", "").strip(), request.args.get("page", "1")
    with house().database.snapshot() as database:
        covered = here.covers(*PEOPLE)
        sites = participants.sites(database, here.study.id, covered)
        chosen = [one for one in sites if one.code == request.args.get("site")]
        found = completion.matrix(
            database,
            here.study,
            frozenset(one.id for one in chosen) if chosen else covered,
            now,
            search,
            int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
        )
        test = None if here.study.tests else _test(database, here, search)
    return render_template(
        "coordinator/matrix.html",
        found=found,
        sites=sites,
        site=chosen[0].code if chosen else "",
        search=search,
        test=test,
        words=staff_words,
        instruments={code: one.name for code, one in house().library.instruments.items()},
        room="coordinator.matrix",
    )


def _test(database: Session, here: Post, number: str) -> str | None:
    """The number again if a test participant of a live study has it, whom no list has."""
    found = participants.find(database, here.study.id, number) if here.study.is_live else None
    covered = here.covers(*PEOPLE)
    if found is None or not found.is_test or (covered is not None and found.site_id not in covered):
        return None
    return found.number

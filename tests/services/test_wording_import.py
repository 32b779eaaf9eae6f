"""What a wording that comes takes the place of, and from which day it may be read."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from pro_app.core.licence import Licence
from pro_app.core.wording import Wording
from pro_app.services import studies, wording_licences
from pro_app.services.studies import CurrentStudy
from pro_app.services.wording_import import earliest, in_place
from pro_app.services.wordings import Terms
from tests.conftest import Site
from tests.core.test_licence import CODE, EVERY, FIRST, ONE, TWO, licence, wordings
from tests.services.licensing import FROM, UNTIL, license_one

DAY = timedelta(days=1)
TODAY = FIRST + timedelta(days=5)
TOMORROW = TODAY + timedelta(days=1)
ENDED = frozenset[str]()


def begins(*licences: Licence, text: Wording = TWO, site: int | None = None) -> int | None:
    """How many days from today a text may be read at the earliest; None: whenever."""
    terms = Terms("Owner", "L", EVERY, TODAY, TOMORROW, 1, site)
    found = earliest(wordings(*licences), CODE, "ta", text.fingerprint, terms, TODAY)
    return None if found is None else (found - TODAY).days


def test_no_other_text_begins_on_a_day_on_which_one_is_read() -> None:
    assert begins() is None, "nobody has read anything"
    assert begins(licence(1, first=6)) is None
    assert begins(licence(1)) == 1
    assert begins(licence(1), text=ONE) == 0, "the same text goes on"
    assert begins(licence(1, last=3)) == 0, "nobody has begun it today"
    assert begins(licence(1, last=5)) == 1


def test_each_site_counts_for_what_comes_for_all() -> None:
    own = (licence(1), licence(2, TWO, 1, site=2))
    assert begins(*own) == 1, "the first site reads another text"
    assert begins(*own, site=2) == 0
    assert begins(*own, site=1) == 1
    assert begins(licence(1, site=2), site=1) is None


@pytest.mark.parametrize(("site", "number"), [(None, 1), (1, 1), (2, 2)])
def test_what_is_shown_beside_is_what_its_site_reads(site: int | None, number: int) -> None:
    of = wordings(licence(1), licence(2, TWO, 1, site=2))
    found = in_place(of, CODE, "ta", TODAY, site)
    assert found is not None
    assert found.id == number


def test_an_end_is_nothing_to_show_beside() -> None:
    of = wordings(licence(1), licence(2, ONE, 3, 3, ENDED, site=1))
    assert in_place(of, CODE, "ta", TODAY, 1) is None
    other = in_place(of, CODE, "ta", TODAY, None)
    assert other is not None
    assert other.id == 1, "where there is any"


def current(site: Site) -> CurrentStudy:
    with site.database.reading() as session:
        return studies.current(session, site.library, site.study.id)


def first_day(site: Site, text: str, today: date) -> date | None:
    """Of a text for every site, by its fingerprint."""
    terms = Terms("Owner", "L-2", frozenset({"phone"}), today, UNTIL, site.study.id)
    return earliest(current(site).wordings, "lupusqol", "en", text, terms, today)


def test_another_text_waits_for_a_day_on_which_nobody_has_begun(site: Site) -> None:
    now = site.clock()
    today = now.astimezone(site.study.definition.zone).date()
    last = today + 5 * DAY
    with site.database.writing() as session:
        given = (session, site.study, site.library, "lupusqol", "en", now)
        own = license_one(*given, "1", " a", until=last).fingerprint
    assert first_day(site, own, today) == today
    assert first_day(site, "another", today) == today + DAY
    assert first_day(site, "another", last) == last + DAY
    assert first_day(site, "another", last + DAY) == last + DAY, "it ended yesterday"
    with site.database.writing() as session:
        wording_licences.end(session, current(site), own, today, None, "why", "site", now)
    assert first_day(site, "another", today) == today + DAY, "it could be begun this morning"
    assert first_day(site, "another", today + DAY) == today + DAY
    assert first_day(site, "another", FROM - DAY) is None, "nothing had begun"

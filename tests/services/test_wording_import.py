"""From which day a text may be read where another one is, or was, on both databases."""

from __future__ import annotations

from datetime import date, timedelta

from pro_app.services import studies, wording_import, wording_licences
from pro_app.services.studies import CurrentStudy
from pro_app.services.wordings import Terms
from tests.conftest import Site
from tests.services.licensing import FROM, UNTIL, license_one

DAY = timedelta(days=1)


def current(site: Site) -> CurrentStudy:
    with site.database.reading() as session:
        return studies.current(session, site.library, site.study.id)


def earliest(site: Site, text: str, today: date) -> date | None:
    """Of a text for every site, by its fingerprint."""
    terms = Terms("Owner", "L-2", frozenset({"phone"}), today, UNTIL, site.study.id)
    wordings = current(site).wordings
    return wording_import.earliest(wordings, "lupusqol", "en", text, terms, today)


def test_another_text_waits_for_a_day_on_which_nobody_has_begun(site: Site) -> None:
    now = site.clock()
    today = now.astimezone(site.study.definition.zone).date()
    last = today + 5 * DAY
    with site.database.writing() as session:
        given = (session, site.study, site.library, "lupusqol", "en", now)
        own = license_one(*given, "1", " a", until=last).fingerprint
    assert earliest(site, own, today) == today
    assert earliest(site, "another", today) == today + DAY
    assert earliest(site, "another", last) == last + DAY
    assert earliest(site, "another", last + DAY) == last + DAY, "it ended yesterday"
    with site.database.writing() as session:
        wording_licences.end(session, current(site), own, today, None, "why", "site", now)
    assert earliest(site, "another", today) == today + DAY, "it could be begun this morning"
    assert earliest(site, "another", today + DAY) == today + DAY
    assert earliest(site, "another", FROM - DAY) is None, "nothing had begun"

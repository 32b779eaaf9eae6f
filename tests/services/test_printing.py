"""What may be printed, in which wording, and that it is on the right record; on both databases."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from pro_app.models import AuditEntry
from pro_app.services import audit, paper, printing, studies
from pro_app.services.paper import Paper, TranscriptionError
from pro_app.services.printing import Order, PrintRefused
from tests.conftest import Site
from tests.services.licensing import license_one

DAY = date(2026, 11, 23)


def current(site: Site) -> studies.CurrentStudy:
    with site.database.reading() as session:
        return studies.current(session, site.library, site.study.id)


def test_the_wording_for_paper_is_printed_and_recorded(site: Site) -> None:
    with site.database.writing() as session:
        stored = license_one(
            session, site.study, site.library, "lupusqol", "ta", site.clock(), "1", " அ"
        )
    study, now = current(site), site.clock()
    found = printing.sheets(study, site.library, ["lupusqol", "sf36v1"], "ta", None, now)
    shipped = site.library.wordings["sf36v1", "ta"]
    prints = [one.wording.fingerprint for one in found]
    assert prints == [stored.fingerprint, shipped.fingerprint]
    person = site.enrol("01-700")
    with site.database.writing() as session:
        own = Order(found, "ta", participant_id=person.id, site="01", timepoint="baseline")
        printing.note(session, study, own, "site", now)
        printing.note(session, study, Order(found[:1], "ta", copies=4), "site", now)
    with site.database.snapshot() as session:
        wanted = sa.select(AuditEntry).where(AuditEntry.action == "print_sheets")
        rows = list(session.scalars(wanted.order_by(AuditEntry.id)))
        assert list(audit.verify(session)) == []
    assert [one.stream for one in rows] == [
        audit.participant_stream(person.id),
        audit.study_stream(study.id),
    ]
    assert rows[0].detail["fingerprint"] == {
        "lupusqol": stored.fingerprint,
        "sf36v1": shipped.fingerprint,
    }
    assert "site" not in rows[1].detail
    assert rows[1].detail["copies"] == 4


def test_nothing_is_printed_in_a_language_without_wording(site: Site) -> None:
    with pytest.raises(PrintRefused) as caught:
        printing.sheets(site.study, site.library, ["lupusqol"], "fr", None, site.clock())
    assert caught.value.items == ("lupusqol",)
    with pytest.raises(PrintRefused):
        printing.sheets(site.study, site.library, [], "en", None, site.clock())


def test_without_a_site_only_what_every_site_may_print(site: Site) -> None:
    now, given = site.clock(), (site.study, site.library, "lupusqol", "ta", site.clock())
    place = site.study.wordings.sites[0]
    with site.database.writing() as session:
        stored = license_one(session, *given, "1", " அ")
        own = license_one(session, *given, "2", " ஆ", site_id=place)
    study = current(site)
    for where, wanted in ((place, own), (site.study.wordings.sites[1], stored)):
        (sheet,) = printing.sheets(study, site.library, ["lupusqol"], "ta", where, now)
        assert sheet.wording.fingerprint == wanted.fingerprint
    with pytest.raises(PrintRefused) as caught:
        printing.sheets(study, site.library, ["lupusqol"], "ta", None, now)
    assert (caught.value.code, caught.value.items) == ("site", ("lupusqol",))


def test_the_versions_that_a_paper_can_have(site: Site) -> None:
    now, made = site.clock(), {}
    with site.database.writing() as session:
        for version, first in (("1", 1), ("2", 10)):
            made[version] = license_one(
                session, site.study, site.library, "lupusqol", "ta", now, version,
                f" {version}", from_on=date(2026, 11, first),
            )  # fmt: skip
        ended = license_one(
            session, site.study, site.library, "lupusqol", "ms", now, "1", " 1",
            from_on=date(2026, 1, 1), until=now.date(),
        )  # fmt: skip
    study = current(site)
    every = paper.versions(study, "lupusqol")
    found = [one.fingerprint for one in every if one.language in {"ta", "ms"}]
    shipped = {code: site.library.wordings["lupusqol", code] for code in ("ta", "ms")}
    wanted = (ended, shipped["ms"], made["2"], made["1"], shipped["ta"])
    assert found == [one.fingerprint for one in wanted]
    for on, read in (
        (date(2026, 11, 9), made["1"]), (date(2026, 11, 10), made["2"]),
        (date(2026, 10, 31), shipped["ta"]),
    ):  # fmt: skip
        answered = paper.read_from(study, "lupusqol", Paper(on, "ta"), now)
        assert answered.fingerprint == read.fingerprint
    for one in (made["1"], shipped["ta"]):
        told = Paper(DAY, "ta", wording=one.fingerprint[:12])
        assert paper.read_from(study, "lupusqol", told, now).fingerprint == one.fingerprint
    for code in (made["1"].fingerprint[:7], ended.fingerprint[:12], "x"):
        with pytest.raises(TranscriptionError) as caught:
            paper.read_from(study, "lupusqol", Paper(DAY, "ta", wording=code), now)
        assert caught.value.code == "wording"

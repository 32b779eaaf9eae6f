"""Tokens for programs: what they read is never more than their maker may, and they end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from pro_app.models import ApiToken, AuditEntry, StaffRole
from pro_app.services import api_tokens, audit, staff, studies
from pro_app.services.api_tokens import Holder, TokenError, Wish
from tests.conftest import Site, snapshot
from tests.services.correcting import hire

WISH: dict[str, Any] = {
    "name": "Analysis", "scopes": frozenset({"answers", "codebook"}), "sites": frozenset({"01"}),
    "days_only": False, "days": 90, "reason": "The first report",
}  # fmt: skip


def make(site: Site, maker: int, **other: Any) -> str:
    with site.database.writing() as session:
        return api_tokens.make(session, site.study, maker, Wish(**WISH | other), site.clock())


def look(site: Site, token: str) -> Holder | None:
    with site.database.reading() as session:
        return api_tokens.holder(session, token, site.clock())


def entries(site: Site, action: str) -> list[AuditEntry]:
    with site.database.reading() as session:
        query = sa.select(AuditEntry).where(AuditEntry.action == action).order_by(AuditEntry.id)
        return list(session.scalars(query))


def maker_at(site: Site, name: str, place: str | None = "01") -> int:
    """A researcher there: the id."""
    return hire(site, name, "researcher", at=place)


@pytest.fixture
def maker(site: Site) -> int:
    return maker_at(site, "Rita")


def test_a_token_reads_what_it_was_made_for(site: Site, maker: int) -> None:
    token = make(site, maker)
    assert token.startswith("proapp_")
    assert len(token) == len("proapp_") + 43, "256 bits"
    known = look(site, token)
    assert known is not None
    assert (known.study_id, known.staff_id) == (site.study.id, maker)
    assert known.sites == {"01"}
    assert known.reads("answers")
    assert known.reads("answers_long")
    assert not known.reads("scores")
    assert known.explains("scores"), "the codebook of every table"
    assert look(site, token + "x") is None
    assert look(site, token.removeprefix("proapp_")) is None


def test_only_its_hash_is_kept(site: Site, maker: int) -> None:
    token = make(site, maker)
    kept = str(snapshot(site.database))
    assert token not in kept
    assert token.removeprefix("proapp_") not in kept
    assert entries(site, "make_token")[0].detail["name"] == "Analysis"


@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": "for 900101-14-5678"}, "identity"),
        ({"scopes": frozenset()}, "scopes"),
        ({"scopes": frozenset({"contacts"})}, "scopes"),
        ({"scopes": frozenset({"audit"}), "days_only": True}, "dated"),
        ({"days": 366}, "days"),
        ({"days": 0}, "days"),
        ({"sites": frozenset()}, "sites"),
        ({"sites": frozenset({"02"})}, "sites"),
        ({"sites": frozenset({"01", "02"})}, "sites"),
        ({"sites": None}, "sites"),
    ],
)
def test_what_cannot_be_had_is_named(
    site: Site, maker: int, other: dict[str, Any], code: str
) -> None:
    before = snapshot(site.database)
    with pytest.raises(TokenError) as refused:
        make(site, maker, **other)
    assert refused.value.code == code
    assert snapshot(site.database) == before


@pytest.mark.parametrize("role", ["coordinator", "administrator"])
def test_other_roles_make_none(site: Site, role: str) -> None:
    person = hire(site, "Other", role, at=None)
    with pytest.raises(TokenError, match="role"):
        make(site, person, sites=None)


def test_who_covers_every_site_names_none_that_is_not_there(site: Site) -> None:
    with pytest.raises(TokenError, match="sites"):
        make(site, maker_at(site, "Rita", None), sites=frozenset({"99"}))


def test_there_are_not_too_many(site: Site, maker: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_tokens, "MOST", 2)
    make(site, maker)
    make(site, maker)
    with pytest.raises(TokenError, match="many"):
        make(site, maker)
    site.clock.forward(days=90)
    make(site, maker)


def test_a_token_is_over_at_its_time(site: Site, maker: int) -> None:
    token = make(site, maker, days=30)
    site.clock.forward(days=30, seconds=-1)
    assert look(site, token) is not None
    site.clock.forward(seconds=1)
    assert look(site, token) is None


def test_a_revoked_token_is_dead_at_once_and_on_record(site: Site, maker: int) -> None:
    token = make(site, maker)
    known = look(site, token)
    assert known is not None
    with site.database.writing() as session:
        api_tokens.revoke(
            session, site.study, known.public_id, "laptop lost", site.clock(), maker, maker
        )
    assert look(site, token) is None
    (entry,) = entries(site, "revoke_token")
    assert (entry.stream, entry.actor) == (f"study/{site.study.id}", f"staff/{maker}")
    assert entry.detail == {
        "site": "01", "token": known.public_id, "name": "Analysis", "reason": "laptop lost",
    }  # fmt: skip
    with site.database.writing() as session, pytest.raises(TokenError, match="token"):
        api_tokens.revoke(session, site.study, known.public_id, "again", site.clock(), maker)


def test_nobody_revokes_anothers_but_who_may(site: Site, maker: int) -> None:
    known = look(site, make(site, maker))
    other = hire(site, "Other", "researcher", at=None)
    assert known is not None
    with site.database.writing() as session, pytest.raises(TokenError, match="token"):
        api_tokens.revoke(
            session, site.study, known.public_id, "not mine", site.clock(), other, other
        )
    with site.database.writing() as session:
        api_tokens.revoke(session, site.study, known.public_id, "ended", site.clock(), None)
    assert entries(site, "revoke_token")[0].actor == "site"


def test_it_follows_its_makers_role(site: Site, maker: int) -> None:
    token = make(site, maker)
    with site.database.writing() as session:
        (role,) = session.scalars(sa.select(StaffRole).where(StaffRole.staff_id == maker))
        staff.end_role(session, maker, role.id, site.clock())
    site.clock.forward(seconds=1)
    assert look(site, token) is None
    with site.database.reading() as session:
        (line,) = api_tokens.listed(session, site.study.id, site.clock())
    assert line.state == "asleep"


def test_it_dies_with_the_account(site: Site, maker: int) -> None:
    token = make(site, maker)
    with site.database.writing() as session:
        staff.disable(session, maker, site.clock())
    assert look(site, token) is None


def test_it_follows_its_makers_sites(site: Site) -> None:
    """Made for the whole study; then the maker keeps one site of it, and later another one."""
    maker = hire(site, "Ivan", "investigator", at=None)
    whole, second = make(site, maker, sites=None), make(site, maker, sites=frozenset({"02"}))
    for token, sites in ((whole, None), (second, {"02"})):
        known = look(site, token)
        assert known is not None
        assert known.sites == sites
    with site.database.writing() as session:
        (role,) = session.scalars(sa.select(StaffRole).where(StaffRole.staff_id == maker))
        staff.end_role(session, maker, role.id, site.clock())
    site.clock.forward(seconds=1)
    grant(site, maker, "01")
    known = look(site, whole)
    assert known is not None
    assert known.sites == {"01"}
    assert look(site, second) is None


def grant(site: Site, person: int, code: str) -> None:
    with site.database.writing() as session:
        place = session.scalar(sa.text("SELECT id FROM site WHERE code = :c"), {"c": code})
        session.add(
            StaffRole(staff_id=person, study_id=site.study.id, site_id=place, role="researcher",
                      begins_at=site.clock())
        )  # fmt: skip


def test_other_roles_of_the_maker_open_nothing(site: Site) -> None:
    """A coordinator of every site who is researcher at one reads that one."""
    maker = hire(site, "Both", "coordinator", at=None)
    grant(site, maker, "01")
    assert look(site, make(site, maker)) is not None
    with pytest.raises(TokenError, match="sites"):
        make(site, maker, sites=frozenset({"02"}))


def test_lists_are_by_person_and_by_study(site: Site, maker: int) -> None:
    other = hire(site, "Other", "researcher", at=None)
    make(site, maker, name="first")
    make(site, other, name="second", sites=None, days_only=True)
    with site.database.writing() as session:
        session.execute(sa.text("UPDATE api_token SET revoked_at = created_at WHERE id = 1"))
    with site.database.reading() as session:
        lines = api_tokens.listed(session, site.study.id, site.clock())
        own = api_tokens.listed(session, site.study.id, site.clock(), maker)
        nothing = api_tokens.listed(session, site.study.id + 1, site.clock())
    assert [(one.name, one.maker, one.state) for one in lines] == [
        ("second", "Other", "living"), ("first", "Rita", "revoked"),
    ]  # fmt: skip
    assert (lines[0].sites, lines[0].days_only, lines[1].sites) == (None, True, ("01",))
    assert [one.name for one in own] == ["first"]
    assert nothing == []


def test_reading_is_on_record_for_each_site(site: Site, maker: int) -> None:
    token = make(site, maker)
    known = look(site, token)
    assert known is not None
    now = site.clock()
    with site.database.writing() as session:
        study = studies.current(session, site.library, site.study.id)
        detail = {"rows": 3, "sha256": "0" * 64}
        for sites in (frozenset({"01", "02"}), None):
            api_tokens.note_reading(session, study, known, "answers", detail, sites, now)
    told = entries(site, "export")
    assert [one.detail.get("site") for one in told] == ["01", "02", None]
    assert {one.new for one in told} == {"answers"}
    assert {one.detail["token"] for one in told} == {known.public_id}
    with site.database.reading() as session:
        assert list(audit.verify(session)) == []
        assert session.scalars(sa.select(ApiToken.last_used_at)).one() == now


def test_the_last_use_is_kept_to_the_minute(site: Site, maker: int) -> None:
    token = make(site, maker)
    seen = []
    for step in (0, 30, 60):
        site.clock.forward(seconds=step)
        known = look(site, token)
        assert known is not None
        with site.database.writing() as session:
            api_tokens.touch(session, known, site.clock())
        with site.database.reading() as session:
            seen.append(session.scalars(sa.select(ApiToken.last_used_at)).one())
    assert seen[1] == seen[0]
    assert seen[2] - seen[0] == timedelta(seconds=90)

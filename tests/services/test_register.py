"""The register of a study's staff: how accounts stand, who is found, and what one site is told."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from pro_app.services import delegation, register, staff, staff_sign_in
from pro_app.services.delegation import Newcomer
from tests.conftest import KEY
from tests.conftest import Site as Place
from tests.services.test_delegation import LATER, NEWCOMER, account_id, administrator, here


def test_the_register_tells_how_each_account_stands(site: Place) -> None:
    with site.database.writing() as session:
        scope = administrator(session, site.study.id, "chief@hospital.example")
        delegation.add(session, scope, NEWCOMER, "coordinator", here(session), KEY, LATER)
        gone = Newcomer("gone@hospital.example", "Gone", "ms", date(2026, 1, 5))
        added = delegation.add(session, scope, gone, "researcher", None, KEY, LATER)
        delegation.end_account(session, scope, account_id(session, added.public_id), LATER)
        staff_sign_in.start(session, scope.staff_id, LATER, "code")

    def told(moment: timedelta, sites: frozenset[int] | None = None) -> dict[str, str]:
        with site.database.reading() as session:
            found = register.register(session, site.study.id, sites, LATER + moment)
            return {one.name: one.state for one in found.accounts}

    assert told(timedelta()) == {"Aminah": "invited", "Gone": "ended", "Somebody": "active"}
    assert told(timedelta(days=1))["Aminah"] == "expired"
    with site.database.reading() as session:
        elsewhere = frozenset({here(session, "02")})
        found = register.register(session, site.study.id, None, LATER, living=True)
    assert told(timedelta(), elsewhere) == {"Gone": "ended", "Somebody": "active"}
    assert [(one.name, one.signed_in_at) for one in found.accounts] == [
        ("Aminah", None),
        ("Somebody", LATER),
    ]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("aminah", ["Aminah"]),
        ("NURSE@", ["Aminah"]),
        ("some", ["Somebody"]),
        ("%", []),
        ("_", []),
        ("", ["Aminah", "Somebody"]),
    ],
)
def test_people_are_found_by_part_of_name_or_address(
    site: Place, search: str, found: list[str]
) -> None:
    with site.database.writing() as session:
        scope = administrator(session, site.study.id, "chief@hospital.example")
        delegation.add(session, scope, NEWCOMER, "coordinator", None, KEY, LATER)
    with site.database.reading() as session:
        page = register.register(session, site.study.id, None, LATER, search, page=99)
    assert [one.name for one in page.accounts] == found
    assert (page.total, page.page, page.pages) == (len(found), 1, 1)


def test_roles_that_hold_stand_first_and_are_the_readers_own_or_not(site: Place) -> None:
    with site.database.writing() as session:
        scope = administrator(session, site.study.id, "chief@hospital.example")
        added = delegation.add(session, scope, NEWCOMER, "coordinator", here(session), KEY, LATER)
        staff_id = account_id(session, added.public_id)
        (first,) = staff.living_roles(session, staff_id, LATER)
        delegation.end_role(session, scope, staff_id, first.id, LATER)
        delegation.grant(session, scope, staff_id, "researcher", None, LATER)
        sites = frozenset({here(session)})
    with site.database.reading() as session:
        local = register.account(session, site.study.id, sites, added.public_id, LATER)
        other = register.account(session, site.study.id + 1, None, added.public_id, LATER)
        nobody = register.account(session, site.study.id, None, "nobody", LATER)
    assert local is not None
    told = [(one.role, one.site, one.living, one.own) for one in local.roles]
    assert told == [("researcher", None, True, False), ("coordinator", "01", False, True)]
    assert (other, nobody) == (None, None)

"""The register of the staff: people are added, invited, given roles, and their roles end."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.models import AuditEntry, Staff, StaffRole, Study
from pro_app.models import Site as Place
from pro_app.services import audit, staff
from tests.conftest import Site, TestClock
from tests.web.test_staff import EMAIL, Desk, at, invite

NEW = "test@hospital.example"
PERSON = {
    "name": "Aminah Hassan", "email": NEW, "language": "ms", "trained_on": "2026-11-02",
    "role": "coordinator", "site": "01",
}  # fmt: skip


def place(site: Site, code: str) -> int:
    """The id of a site."""
    with site.database.reading() as session:
        return session.scalars(sa.select(Place.id).where(Place.code == code)).one()


@pytest.fixture
def desk(app: Flask, web_site: Site, clock: TestClock) -> Desk:
    """The browser of the study's administrator."""
    found = Desk(app, clock)
    found.set_up(invite(web_site, "administrator"))
    return found


@pytest.fixture
def local_desk(app: Flask, web_site: Site, clock: TestClock) -> Desk:
    """The browser of the administrator of site 01 alone, where there is one of the study, too."""
    Desk(app, clock).set_up(invite(web_site, "administrator"))
    found = Desk(app, clock)
    email = "site@hospital.example"
    found.set_up(invite(web_site, "administrator", email, place(web_site, "01")))
    return found


def known(site: Site, email: str = NEW) -> Staff:
    with site.database.reading() as session:
        found = staff.find(session, email)
        assert found is not None
        return found


def page_of(site: Site, email: str = NEW) -> str:
    return at(site, f"/register/{known(site, email).public_id}")


def living(site: Site, email: str = NEW) -> list[tuple[str, int | None]]:
    """What a person may do now."""
    with site.database.reading() as session:
        found = staff.living_roles(session, known(site, email).id, site.clock())
        return [(one.role, one.site_id) for one in found]


def role_id(site: Site, email: str = NEW, role: str = "coordinator") -> str:
    with site.database.reading() as session:
        found = staff.living_roles(session, known(site, email).id, site.clock())
        return str(next(one.id for one in found if one.role == role))


def add(desk: Desk, site: Site, status: int = 200, /, **given: str) -> None:
    desk.get(at(site, "/register/new"))
    desk.post(at(site, "/register/new"), status, **PERSON | given)


def code_of(desk: Desk) -> str:
    """The code of the invitation that is shown."""
    found = re.search(r'class="big">([A-Z0-9 ]+)<', desk.page.text)
    assert found is not None
    return found[1]


def test_an_administrator_comes_to_the_register(desk: Desk, web_site: Site) -> None:
    desk.get("/staff/")
    assert desk.path == at(web_site, "/register")
    assert EMAIL in desk.page.text
    assert "/enrol" not in desk.page.text


def test_somebody_is_added_and_follows_the_invitation(
    app: Flask, desk: Desk, web_site: Site, clock: TestClock
) -> None:
    add(desk, web_site)
    code = code_of(desk)
    assert f"/staff/invitation#{code.replace(' ', '')}<" in desk.page.text
    desk.get(at(web_site, "/register"))
    assert "invited" in desk.page.text
    assert code not in desk.page.text, "shown once"
    colleague = Desk(app, clock, "ms")
    colleague.set_up(code)
    colleague.get("/staff/")
    assert colleague.path == at(web_site, "/today")
    desk.get(page_of(web_site))
    assert "has not signed in yet" not in desk.page.text
    assert living(web_site) == [("coordinator", place(web_site, "01"))]


def test_all_of_it_is_on_the_trail_in_the_administrators_name(desk: Desk, web_site: Site) -> None:
    add(desk, web_site)
    page = page_of(web_site)
    desk.get(page)
    desk.post(f"{page}/roles", role="researcher", site="*")
    desk.post(f"{page}/roles/end", role=role_id(web_site), day="2026-12-31")
    desk.post(f"{page}/invitation")
    desk.get(page)
    desk.post(f"{page}/end", sure="yes")
    me = staff.stream(known(web_site, EMAIL).id)
    with web_site.database.reading() as session:
        rows = session.execute(
            sa.select(AuditEntry.actor, AuditEntry.action)
            .where(AuditEntry.stream == staff.stream(known(web_site).id))
            .order_by(AuditEntry.seq)
        ).all()
        text = " ".join(
            str(row) for row in session.execute(sa.select(AuditEntry.detail, AuditEntry.new)).all()
        )
        assert list(audit.verify(session)) == []
    assert [tuple(row) for row in rows] == [
        (me, "add_staff"), (me, "grant_role"), (me, "invite_staff"), (me, "grant_role"),
        (me, "end_role"), (me, "invite_staff"), (me, "end_role"), (me, "end_role"),
        (me, "disable_staff"),
    ]  # fmt: skip
    assert "Aminah" not in text
    assert NEW not in text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("name", " "),
        ("name", "Aminah 900101-14-5678"),
        ("language", "fr"),
        ("trained_on", ""),
        ("trained_on", "2026-11-24"),
        ("role", "king"),
        ("site", "99"),
        ("site", ""),
    ],
)
def test_a_fault_adds_nobody_and_loses_nothing(
    desk: Desk, web_site: Site, field: str, value: str
) -> None:
    add(desk, web_site, 422, **{field: value})
    assert f'href="#{field}"' in desk.page.text
    assert f'id="{field}-fault"' in desk.page.text
    assert f'aria-describedby="{field}-fault"' in desk.page.text
    kept = [str(one.get("value")) for one in desk.page.all("input")]
    for name in {"name", "email", "trained_on"} - {field}:
        assert PERSON[name] in kept
    with web_site.database.reading() as session:
        assert staff.find(session, NEW) is None


def test_who_has_an_account_elsewhere_gets_the_role_and_no_more_is_told(
    desk: Desk, web_site: Site, clock: TestClock
) -> None:
    elsewhere(web_site)
    add(desk, web_site, name="Somebody Else")
    assert "Siti" in desk.page.text
    assert "Somebody Else" not in desk.page.text
    assert 'class="big"' not in desk.page.text, "the account's invitation is another study's"
    page = page_of(web_site)
    desk.get(page)
    assert "other roles, too" in desk.page.text
    assert "elsewhere" not in desk.page.text, "not even where"
    desk.post(f"{page}/invitation", 422)
    assert "not yours to administer" in desk.page.text
    desk.post(f"{page}/end", sure="yes")
    assert known(web_site).disabled_at is None, "the other study's account is left alone"
    with web_site.database.reading() as session:
        assert staff.roles_by_study(session, known(web_site).id, clock()) == {
            "elsewhere": {"researcher"}
        }


def elsewhere(site: Site, email: str = NEW, name: str = "Siti") -> None:
    """Somebody with a role in another study."""
    now = site.clock()
    with site.database.writing() as session:
        study = Study(code="elsewhere", created_at=now)
        session.add(study)
        session.flush()
        person = staff.add(session, email, name, "en", date(2026, 1, 5), now)
        staff.grant(session, person.id, study.id, None, "researcher", now)


def test_people_of_another_study_are_not_in_the_register(desk: Desk, web_site: Site) -> None:
    elsewhere(web_site)
    desk.get(at(web_site, "/register"))
    assert "Siti" not in desk.page.text
    desk.get(page_of(web_site), 404)


def test_a_role_is_not_given_twice_nor_to_an_ended_account(desk: Desk, web_site: Site) -> None:
    add(desk, web_site)
    add(desk, web_site, 422)
    assert "has this role there already" in desk.page.text
    page = page_of(web_site)
    desk.get(page)
    desk.post(f"{page}/roles", 422, role="coordinator", site="01")
    desk.post(f"{page}/roles", 422, role="", site="01")
    assert 'id="role-fault"' in desk.page.text
    desk.post(f"{page}/end", 422)
    assert living(web_site) != []
    desk.post(f"{page}/end", sure="yes")
    assert "account ended" in desk.page.text
    assert living(web_site) == []
    add(desk, web_site, 422)
    assert "has ended" in desk.page.text


def test_a_role_ends_at_once_or_at_the_end_of_a_day(
    desk: Desk, web_site: Site, clock: TestClock
) -> None:
    add(desk, web_site)
    page = page_of(web_site)
    desk.get(page)
    for day in ("2026-11-22", "soon", "9999-12-31"):
        desk.post(f"{page}/roles/end", 422, role=role_id(web_site), day=day)
        assert f'value="{day}"' in desk.page.text
    desk.post(f"{page}/roles/end", role=role_id(web_site), day="2026-11-24")
    assert "24 Nov 2026, 24:00" in desk.page.text
    assert living(web_site) != []
    desk.post(f"{page}/roles/end", role=role_id(web_site), day="2026-12-24")
    assert "24 Nov 2026, 24:00" in desk.page.text, "an end is not put off"
    clock.now += timedelta(hours=39)  # the first minute of the 25th in Kuala Lumpur
    assert living(web_site) == []
    with web_site.database.writing() as session:
        staff.grant(session, known(web_site).id, web_site.study.id, None, "researcher", clock())
    desk.sign_in()
    desk.get(page)
    desk.post(f"{page}/roles/end", role=role_id(web_site, role="researcher"))
    assert living(web_site) == []


def test_a_role_of_somebody_else_is_not_ended_by_its_number(desk: Desk, web_site: Site) -> None:
    add(desk, web_site)
    mine = role_id(web_site, EMAIL, "administrator")
    page = page_of(web_site)
    desk.get(page)
    for role in (mine, "99999"):
        desk.post(f"{page}/roles/end", 422, role=role)
    for role in ("x", ""):
        data = {"role": role, "csrf_token": desk.page.token()}
        assert desk.client.post(f"{page}/roles/end", data=data).status_code == 422
    assert living(web_site, EMAIL) == [("administrator", None)]


def test_a_renewed_invitation_replaces_the_first_and_what_was_lost(
    app: Flask, desk: Desk, web_site: Site, clock: TestClock
) -> None:
    add(desk, web_site)
    first, page = code_of(desk), page_of(web_site)
    clock.forward(hours=25)
    desk.sign_in()
    desk.get(page)
    assert "waits for an invitation" in desk.page.text
    desk.post(f"{page}/invitation")
    second = code_of(desk)
    colleague = Desk(app, clock)
    colleague.get("/staff/invitation")
    colleague.post("/staff/invitation", 422, code=first)
    colleague.set_up(second)
    desk.get(page)
    desk.post(f"{page}/invitation")
    again = Desk(app, clock)
    again.set_up(code_of(desk))
    colleague.get(at(web_site, "/today"))
    assert colleague.path == "/staff/sign-in", "what opened the account before is dead"


def test_the_last_administrator_stays(
    app: Flask, desk: Desk, web_site: Site, clock: TestClock
) -> None:
    mine, own = page_of(web_site, EMAIL), role_id(web_site, EMAIL, "administrator")
    desk.get(mine)
    desk.post(f"{mine}/roles/end", 422, role=own)
    assert "Nobody else with an open account would administer this" in desk.page.text
    add(desk, web_site, role="administrator", site="*")
    code = code_of(desk)
    desk.get(mine)
    desk.post(f"{mine}/roles/end", 422, role=own)  # the other one cannot sign in yet
    Desk(app, clock).set_up(code)
    desk.get(mine)
    desk.post(f"{mine}/roles/end", role=own)
    assert living(web_site, EMAIL) == []
    desk.get(at(web_site, "/register"), 404)


def test_nobody_gives_to_themselves_or_ends_themselves(desk: Desk, web_site: Site) -> None:
    mine = page_of(web_site, EMAIL)
    desk.get(mine)
    desk.post(f"{mine}/roles", 422, role="investigator", site="01")
    assert "Nobody gives a role to themselves" in desk.page.text
    add(desk, web_site, 422, email=EMAIL, role="investigator")
    assert "Nobody gives a role to themselves" in desk.page.text
    desk.get(mine)
    desk.post(f"{mine}/end", 422, sure="yes")
    assert living(web_site, EMAIL) == [("administrator", None)]


def test_an_administrator_of_one_site_manages_that_site_alone(
    local_desk: Desk, web_site: Site
) -> None:
    desk, other = local_desk, place(web_site, "02")
    invite(web_site, "coordinator", "there@hospital.example", other)
    desk.get(at(web_site, "/register"))
    assert "there@hospital.example" not in desk.page.text
    desk.get(page_of(web_site, "there@hospital.example"), 404)
    for site in ("02", "*"):
        add(desk, web_site, 422, site=site)
        assert 'id="site-fault"' in desk.page.text
    add(desk, web_site)
    whole = page_of(web_site, EMAIL)
    desk.get(whole)
    assert "administrator" in desk.page.text, "who is in charge of every site is told"
    desk.post(f"{whole}/roles/end", 422, role=role_id(web_site, EMAIL, "administrator"))
    desk.get(whole)
    desk.post(f"{whole}/invitation", 422)
    desk.get(whole)
    desk.post(f"{whole}/end", 422, sure="yes")
    assert living(web_site, EMAIL) == [("administrator", None)]


def test_the_register_is_searched_and_turned(desk: Desk, web_site: Site) -> None:
    now = web_site.clock()
    with web_site.database.writing() as session:
        for n in range(60):
            email = f"person-{n:02}@hospital.example"
            person = staff.add(session, email, f"Person {n:02}", "en", date(2026, 1, 5), now)
            staff.grant(session, person.id, web_site.study.id, None, "researcher", now)
        staff.disable(session, person.id, now)
    desk.get(at(web_site, "/register"))
    assert "61 persons" in desk.page.text
    assert "Person 48" in desk.page.text
    assert "Person 55" not in desk.page.text
    desk.get(at(web_site, "/register?page=2"))
    assert "Person 55" in desk.page.text
    desk.get(at(web_site, "/register?q=PERSON-07"))
    assert re.findall(r"Person \d\d", desk.page.text) == ["Person 07"]
    desk.get(at(web_site, "/register?q=person 59&living=yes"))
    assert "Nobody in the register fits" in desk.page.text
    desk.get(at(web_site, "/register?q=%25"))
    assert "Nobody in the register fits" in desk.page.text, "a sign is a sign"


def test_weighty_steps_ask_again(desk: Desk, web_site: Site, clock: TestClock) -> None:
    add(desk, web_site)
    clock.forward(minutes=6)
    page = page_of(web_site)
    desk.get(page)
    desk.post(f"{page}/end", 401, sure="yes")
    desk.get(page)
    desk.post(f"{page}/roles", 401, role="researcher", site="*")
    desk.get(page)
    desk.post(f"{page}/invitation", 401)
    desk.get(page)
    desk.post(f"{page}/roles/end", 401, role=role_id(web_site))
    desk.get(at(web_site, "/register/new"))
    desk.post(at(web_site, "/register/new"), 401, **PERSON)
    assert f'value="{NEW}"' in desk.page.text
    assert len(living(web_site)) == 1


def test_no_participant_is_told_of(desk: Desk, web_site: Site) -> None:
    web_site.enrol("01-301")
    for path in ("/participants/01-301", "/today", "/completion"):
        desk.get(at(web_site, path), 403)


def walk(desk: Desk, site: Site) -> None:
    """Every page of the register, and every fault it can tell of, by a study's administrator."""
    desk.get(at(site, "/register"))
    desk.get(at(site, "/register?q=nobody"))
    desk.get(at(site, "/register/new"))
    wrong = {"email": "x", "name": "", "language": "", "trained_on": "", "role": "", "site": ""}
    desk.post(at(site, "/register/new"), 422, **wrong)
    given = PERSON | {"name": "Aminah"}
    desk.post(at(site, "/register/new"), **given)
    page = page_of(site)
    desk.get(at(site, "/register/new"))
    desk.post(at(site, "/register/new"), 422, **given)
    desk.get(page)
    desk.post(f"{page}/roles", 422, role="", site="")
    desk.post(f"{page}/roles", role="investigator", site="*")
    desk.post(f"{page}/roles/end", 422, role=role_id(site), day="soon")
    desk.post(f"{page}/roles/end", role=role_id(site), day="2026-12-31")
    desk.post(f"{page}/invitation")
    desk.get(page)
    desk.post(f"{page}/end", 422)
    desk.post(f"{page}/end", sure="yes")
    desk.get(at(site, "/register"))
    with site.database.reading() as session:
        administrators = sa.select(Staff.email).join(StaffRole).where(
            StaffRole.role == "administrator"
        )  # fmt: skip
        own = session.scalars(administrators).first()
    assert own is not None
    mine = page_of(site, own)
    desk.get(mine)
    desk.post(f"{mine}/roles/end", 422, role=role_id(site, own, "administrator"))
    desk.post(f"{mine}/roles", 422, role="coordinator", site="01")
    elsewhere(site, "elsewhere@hospital.example", "Aminah")
    desk.get(at(site, "/register/new"))
    desk.post(at(site, "/register/new"), **given | {"email": "elsewhere@hospital.example"})
    there = page_of(site, "elsewhere@hospital.example")
    desk.get(there)
    desk.post(f"{there}/invitation", 422)


def test_the_walk_goes_through(desk: Desk, web_site: Site) -> None:
    walk(desk, web_site)

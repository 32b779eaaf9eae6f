"""The room "Wording": a licensed text is looked through, shown, and stored; nothing of it leaks."""

from __future__ import annotations

import html
import io
import json
import logging
import re
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.core.wording import places
from pro_app.models import AuditEntry, StoredLicence, StoredWording
from pro_app.services import staff_sign_in
from tests.conftest import Site, TestClock, snapshot
from tests.pages import Browser, Page
from tests.services import going_live
from tests.services.licensing import license_one
from tests.services.wording_files import sentences, workbook
from tests.web.test_staff import Desk, at, invite
from tests.web.test_staff_access import sign_in

CANARY = "Zebracanary"
TERMS = {
    "instrument": "lupusqol", "language": "en", "version": "1.0", "holder": "The owner",
    "number": "L-77", "modes": ["phone", "paper"], "site": "*",
}  # fmt: skip


@pytest.fixture
def desk(app: Flask, web_site: Site) -> Browser:
    """An administrator's browser."""
    return sign_in(app, web_site, "administrator", None)


def today(site: Site) -> date:
    return site.clock().astimezone(site.study.definition.zone).date()


def filled(site: Site, language: str = "en", **changes: str) -> bytes:
    """A filled template; the canary is part of its instruction."""
    instrument = site.library.instruments["lupusqol"]
    texts = sentences(instrument, language)
    texts["instruction"] = f"{texts['instruction']} {CANARY}."
    texts |= {place.replace("__", "."): text for place, text in changes.items()}
    return workbook(instrument, language, None, texts)


def fields(at_site: Site, /, **changes: object) -> dict[str, object]:
    first = today(at_site)
    return {
        **TERMS, "from_on": first.isoformat(),
        "until": (first + timedelta(days=40)).isoformat(), **changes,
    }  # fmt: skip


def send(desk: Browser, site: Site, path: str, status: int, given: dict[str, object]) -> Page:
    given = {"csrf_token": desk.page.token(), **given}
    desk.response = desk.client.post(
        at(site, path), data=given, headers=desk.accept, follow_redirects=True
    )
    return desk._see(status)


def look(
    desk: Browser, at_site: Site, data: bytes, status: int = 200, /, **changes: object
) -> Page:
    """Choose the file, tell the licence, and have it looked through."""
    desk.get(at(at_site, "/wording/new"))
    sent = {**fields(at_site, **changes), "file": (io.BytesIO(data), "filled.xlsx")}
    return send(desk, at_site, "/wording/new", status, sent)


def carried(page: Page) -> dict[str, object]:
    """What the preview's button sends."""
    start = page.text.index('/wording/new/store"')
    part = page.text[start : page.text.index("</form>", start)]
    found: dict[str, object] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', part):
        if name in ("modes", "confirm"):
            known = found.setdefault(name, [])
            assert isinstance(known, list)
            known.append(html.unescape(value))
        else:
            found[name] = html.unescape(value)
    return found


def store(desk: Browser, site: Site, status: int = 200, **changes: object) -> Page:
    return send(desk, site, "/wording/new/store", status, carried(desk.page) | changes)


def rows(site: Site) -> tuple[int, int]:
    """How many texts and licences are stored."""
    with site.database.reading() as session:
        return (
            session.scalar(sa.select(sa.func.count()).select_from(StoredWording)) or 0,
            session.scalar(sa.select(sa.func.count()).select_from(StoredLicence)) or 0,
        )


def wrong(desk: Browser) -> str:
    """What the page says is wrong, above all else."""
    found = re.search(r'<div class="fault"[^>]*>(.*?)</div>', desk.page.text, re.DOTALL)
    assert found is not None
    return html.unescape(" ".join(re.sub("<[^>]+>", " ", found[1]).split()))


def walk(desk: Desk, site: Site) -> None:
    """Every page of the room, with faults, a preview, what ends, and a translation to confirm."""
    first = today(site)
    with site.database.writing() as session:
        given = (session, site.study, site.library, "lupusqol")
        license_one(*given, "en", site.clock(), until=first + timedelta(days=20))
        license_one(*given, "ms", site.clock())
        license_one(*given, "en", site.clock(), "2", " b", from_on=first + timedelta(days=1))
    desk.get(at(site, "/wording"))
    desk.get(at(site, "/wording/ending"))
    desk.get(at(site, "/wording/translations"))
    desk.post(at(site, "/wording/translations"), 422)
    desk.get(at(site, "/wording/licence/renew"))
    desk.post(at(site, "/wording/licence/renew"), 422)
    desk.get(at(site, "/wording/licence/end"))
    desk.post(at(site, "/wording/licence/end"), 422)
    desk.get(at(site, "/wording/new"))
    desk.post(at(site, "/wording/new"), 422)


def walk_upload(desk: Desk, site: Site) -> None:
    """The form with faults in the file, and what a file without any would change."""
    look(desk, site, filled(site, items__LQ01="", items__LQ02="How [much]?"), 422)
    later = (today(site) + timedelta(days=2)).isoformat()
    look(desk, site, filled(site), from_on=later)


def test_every_page_of_the_room(app: Flask, web_site: Site, clock: TestClock) -> None:
    desk = Desk(app, clock)
    desk.set_up(invite(web_site, "administrator"))
    walk(desk, web_site)
    walk_upload(desk, web_site)


# --- bringing a text -----------------------------------------------------------------------------


def test_a_file_is_looked_through_shown_and_stored(desk: Browser, web_site: Site) -> None:
    data = filled(web_site)
    page = look(desk, web_site, data)
    count = len(places(web_site.library.instruments["lupusqol"]))
    assert f"{count} texts, {count} changed" in page.text
    assert "nothing: it is the first licensed text" in page.text
    assert CANARY in page.text
    assert rows(web_site) == (0, 0)
    page = store(desk, web_site)
    assert desk.path.endswith("/wording")
    assert rows(web_site) == (1, 1)
    for told in ("The owner", "L-77", "on one&#39;s own phone, on paper", "40 days are left"):
        assert told in page.text
    assert CANARY not in page.text
    with web_site.database.reading() as session:
        entries = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action.in_(["store_wording", "license_wording"]))
        ).all()
        assert {one.action for one in entries} == {"store_wording", "license_wording"}
        assert all(one.actor.startswith("staff/") for one in entries)
        assert CANARY not in json.dumps([one.detail for one in entries])
        text = session.scalars(sa.select(StoredWording)).one().texts["instruction"]
        assert CANARY in text


def test_a_second_version_is_shown_beside_the_first(desk: Browser, web_site: Site) -> None:
    look(desk, web_site, filled(web_site))
    store(desk, web_site)
    tomorrow = (today(web_site) + timedelta(days=1)).isoformat()
    data = filled(web_site, items__LQ03="This is another sentence of ours.")
    page = look(desk, web_site, data, version="1.1", from_on=tomorrow)
    assert "texts, 1 changed" in page.text
    assert page.text.count('class="why">changed') == 1
    store(desk, web_site)
    assert rows(web_site) == (2, 2)
    assert "Comes later" in desk.page.text


def test_another_text_cannot_begin_on_a_day_on_which_one_is_read(
    desk: Browser, web_site: Site
) -> None:
    look(desk, web_site, filled(web_site))
    store(desk, web_site)
    other = filled(web_site, items__LQ03="Another sentence.")
    look(desk, web_site, other, 422, version="1.1")
    assert "this one can begin tomorrow at the earliest" in wrong(desk)
    assert rows(web_site) == (1, 1)


def test_every_fault_is_told_and_nothing_is_stored_or_told_of_the_text(
    desk: Browser, web_site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    before = snapshot(web_site.database)
    data = filled(web_site, items__LQ01="", items__LQ02=f"Is {CANARY} [much] of it?")
    page = look(desk, web_site, data, 422)
    assert "Nothing was stored. There are 2 faults in the file." in wrong(desk)
    assert "The text is empty." in page.text
    assert "A placeholder was left in the text" in page.text
    assert "I have compared it" in page.text
    assert 'value="L-77"' in page.text, "what was typed is kept"
    assert CANARY not in page.text
    assert CANARY not in caplog.text
    after = snapshot(web_site.database)
    assert after["wording"] == before["wording"]
    assert after["audit_entry"] == before["audit_entry"]


def test_doubts_alone_are_confirmed_without_choosing_the_file_again(
    desk: Browser, web_site: Site
) -> None:
    data = filled(web_site, items__LQ02="How [much] of it do you drink?")
    page = look(desk, web_site, data, 422)
    packed = re.search(r'name="packed" value="([^"]+)"', page.text)
    assert packed is not None
    sent = {**fields(web_site), "packed": packed[1], "confirm": ["items.LQ02"]}
    page = send(desk, web_site, "/wording/new", 200, sent)
    assert "Compared with the owner's text" in page.text
    store(desk, web_site)
    assert rows(web_site) == (1, 1)
    with web_site.database.reading() as session:
        entry = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action == "store_wording")
        ).one()
        assert entry.detail["compared"] == ["items.LQ02"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"instrument": "sf12"}, "Please choose the questionnaire."),
        ({"language": "fr"}, "Please choose the language."),
        ({"version": "<b>"}, "Please enter the owner's name for this text"),
        ({"holder": " "}, "Please enter who holds the licence."),
        ({"number": ""}, "Please enter the number of the licence."),
        ({"modes": []}, "Please tick how the text may be read."),
        ({"from_on": "soon"}, "Please enter the first day."),
        ({"until": ""}, "Please enter the last day."),
        ({"site": "77"}, "Please choose the site."),
    ],
)
def test_what_is_missing_of_the_licence_is_told(
    desk: Browser, web_site: Site, changes: dict[str, object], told: str
) -> None:
    look(desk, web_site, filled(web_site), 422, **changes)
    assert told in wrong(desk)
    assert rows(web_site) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"until": "2020-01-01"}, "Please enter the last day."),
        ({"holder": "900101-14-5678"}, "Never enter the number of an identity card."),
        ({"sha256": "0" * 64}, "Nothing was stored. Please choose the file again."),
        ({"packed": "nonsense"}, "Nothing was stored. Please choose the file again."),
    ],
)
def test_what_cannot_be_stored(
    desk: Browser, web_site: Site, changes: dict[str, object], told: str
) -> None:
    look(desk, web_site, filled(web_site))
    store(desk, web_site, 422, **changes)
    assert told in wrong(desk)
    assert CANARY not in desk.page.text
    assert rows(web_site) == (0, 0)


def test_a_version_is_one_text(desk: Browser, web_site: Site) -> None:
    look(desk, web_site, filled(web_site))
    store(desk, web_site)
    tomorrow = (today(web_site) + timedelta(days=1)).isoformat()
    other = filled(web_site, items__LQ03="Another one.")
    page = look(desk, web_site, other, 422, from_on=tomorrow)
    assert "This version is stored already, with another text." in wrong(desk)
    kept = {one["name"]: one["value"] for one in page.all("input") if one.get("type") == "hidden"}
    again = fields(web_site, from_on=tomorrow, version="1.1") | {"packed": kept["packed"]}
    page = send(desk, web_site, "/wording/new", 200, again)  # the file is not chosen again
    assert "texts, 1 changed" in page.text
    look_of_two = carried(page)
    store(desk, web_site)
    desk.response = desk.client.get(at(web_site, "/wording/new"))
    send(desk, web_site, "/wording/new/store", 422, look_of_two | {"version": "1.0"})
    assert "This version is stored already, with another text." in wrong(desk)
    assert rows(web_site) == (2, 2)


def test_a_file_of_another_format_or_of_nothing_is_refused(desk: Browser, web_site: Site) -> None:
    look(desk, web_site, b"%PDF-1.7 " + CANARY.encode(), 422)
    assert "This is a PDF file." in desk.page.text
    look(desk, web_site, b"", 422)
    assert "Please choose a file that is not empty." in wrong(desk)
    look(desk, web_site, b'{"resourceType": "Patient"}', 422)
    assert "This is Patient, not a Questionnaire." in desk.page.text
    assert rows(web_site) == (0, 0)


def test_storing_asks_for_a_fresh_proof_and_loses_nothing(
    desk: Browser, web_site: Site, clock: TestClock
) -> None:
    look(desk, web_site, filled(web_site))
    clock.forward(seconds=staff_sign_in.FRESH.total_seconds() + 1)
    page = store(desk, web_site, 401)
    assert "Store this text" in page.text
    assert 'name="packed"' in page.text
    assert rows(web_site) == (0, 0)


def test_the_template_is_downloaded(desk: Browser, web_site: Site) -> None:
    desk.get(at(web_site, "/wording"))
    path = at(web_site, "/wording/template/lupusqol/ta.xlsx")
    assert path in desk.page.text
    response = desk.client.get(path)
    assert response.data.startswith(b"PK")
    assert "lupusqol-ta-template.xlsx" in response.headers["Content-Disposition"]
    assert desk.client.get(at(web_site, "/wording/template/sf12/ta.xlsx")).status_code == 404
    assert desk.client.get(at(web_site, "/wording/template/lupusqol/fr.xlsx")).status_code == 404


# --- licences ------------------------------------------------------------------------------------


def stored_text(site: Site) -> str:
    with site.database.writing() as session:
        return license_one(
            session, site.study, site.library, "lupusqol", "en", site.clock(),
            until=today(site) + timedelta(days=30),
        ).fingerprint  # fmt: skip


def test_a_licence_is_renewed_with_a_reason(desk: Browser, web_site: Site) -> None:
    text = stored_text(web_site)
    page = desk.get(at(web_site, f"/wording/licence/renew?of={text}"))
    assert f'value="{text}" selected' in page.text
    given = fields(web_site, wording=text, holder="New owner", number="L-2", reason="")
    send(desk, web_site, "/wording/licence/renew", 422, given)
    assert "Please enter the reason" in wrong(desk)
    assert rows(web_site) == (1, 1)
    given["reason"] = "The contract goes on."
    send(desk, web_site, "/wording/licence/renew", 200, given)
    assert rows(web_site) == (1, 2)
    assert "New owner" in desk.page.text
    with web_site.database.reading() as session:
        entry = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert entry is not None
        assert entry.detail["reason"] == "The contract goes on."


def test_a_licence_is_renewed_from_no_earlier_day(desk: Browser, web_site: Site) -> None:
    text = stored_text(web_site)
    desk.get(at(web_site, "/wording/licence/renew"))
    day = (today(web_site) - timedelta(days=1)).isoformat()
    given = fields(web_site, wording=text, reason="Why", from_on=day)
    send(desk, web_site, "/wording/licence/renew", 422, given)
    assert "Please enter today or a later day." in wrong(desk)
    assert rows(web_site) == (1, 1)


def test_a_licence_is_ended_with_a_reason(desk: Browser, web_site: Site) -> None:
    text = stored_text(web_site)
    desk.get(at(web_site, f"/wording/licence/end?of={text}"))
    day = today(web_site)
    for changes, told in (
        ({"wording": "0" * 64}, "Please choose the wording."),
        ({"from_on": (day - timedelta(days=1)).isoformat()}, "Please enter today or a later day."),
        ({"from_on": "2099-01-01"}, "This wording is not read there on that day."),
        ({"from_on": ""}, "Please enter the first day."),
        ({"reason": ""}, "Please enter the reason"),
        ({"reason": "900101-14-5678"}, "Never enter the number of an identity card."),
        ({"site": ""}, "Please choose the site."),
    ):
        given = {
            "wording": text, "from_on": day.isoformat(), "site": "*", "reason": "Taken back",
            **changes,
        }  # fmt: skip
        send(desk, web_site, "/wording/licence/end", 422, given)
        assert told in wrong(desk)
        (field,) = changes
        assert f'href="#{field}"' in desk.page.text
    assert rows(web_site) == (1, 1)
    given = {"wording": text, "from_on": day.isoformat(), "site": "*", "reason": "Taken back"}
    page = send(desk, web_site, "/wording/licence/end", 200, given)
    assert rows(web_site) == (1, 2)
    assert "No licensed text is in force." in page.text


def test_who_administers_one_site_licenses_for_that_one_alone(app: Flask, web_site: Site) -> None:
    with web_site.database.reading() as session:
        own = session.scalar(sa.text("SELECT id FROM site WHERE code = '01'"))
    desk = sign_in(app, web_site, "administrator", own)
    look(desk, web_site, filled(web_site), 422)
    assert "Please choose the site." in wrong(desk)
    look(desk, web_site, filled(web_site), site="01")
    store(desk, web_site)
    with web_site.database.reading() as session:
        assert session.scalars(sa.select(StoredLicence)).one().site_id == own


# --- who is affected -----------------------------------------------------------------------------


def go_live(site: Site, until: date) -> None:
    """Live, everything licensed until a day, and somebody who needs it longer."""
    going_live.go_live(site, until=until)
    site.open(going_live.enrol(site, "01-041"), closes=timedelta(days=30))


def test_the_coordinator_is_told_who_is_affected_before_it_ends(app: Flask, web_site: Site) -> None:
    go_live(web_site, today(web_site) + timedelta(days=5))
    desk = sign_in(app, web_site, "coordinator", None)
    page = desk.get(at(web_site, "/today"))
    assert "The licences of 2 texts end soon" in page.text
    page = desk.get(at(web_site, "/wording/ending"))
    assert "01-041" in page.text
    assert "Nobody here has a questionnaire to answer after these end" in page.text
    assert "1 participant, 1 questionnaire" in page.text
    assert desk.client.get(at(web_site, "/wording")).status_code == 403


def test_an_administrator_sees_how_many_and_not_who(desk: Browser, web_site: Site) -> None:
    go_live(web_site, today(web_site) + timedelta(days=5))
    for path in ("/wording", "/wording/ending"):
        page = desk.get(at(web_site, path))
        assert "1 participant, 1 questionnaire" in page.text
        assert "01-041" not in page.text


def test_another_site_hears_nothing_of_them(app: Flask, web_site: Site) -> None:
    with web_site.database.writing() as session:
        session.execute(
            sa.text("INSERT INTO site (study_id, code, name) VALUES (:study, '09', 'Other')"),
            {"study": web_site.study.id},
        )
        other = session.scalar(sa.text("SELECT id FROM site WHERE code = '09'"))
    go_live(web_site, today(web_site) + timedelta(days=5))
    desk = sign_in(app, web_site, "coordinator", other)
    assert "end soon" not in desk.get(at(web_site, "/today")).text
    assert "01-041" not in desk.get(at(web_site, "/wording/ending")).text


def test_today_says_who_cannot_read_now(app: Flask, web_site: Site, clock: TestClock) -> None:
    go_live(web_site, today(web_site) + timedelta(days=1))
    clock.forward(days=4)
    desk = sign_in(app, web_site, "coordinator", None)
    assert "cannot read a questionnaire now" in desk.get(at(web_site, "/today")).text
    assert "01-041" in desk.get(at(web_site, "/wording/ending")).text


# --- translations --------------------------------------------------------------------------------


def test_an_investigator_confirms_a_translation(app: Flask, web_site: Site) -> None:
    first = today(web_site)
    with web_site.database.writing() as session:
        given = (session, web_site.study, web_site.library, "lupusqol")
        license_one(*given, "en", web_site.clock())
        license_one(*given, "ms", web_site.clock())
        license_one(*given, "en", web_site.clock(), "2", " b", from_on=first + timedelta(days=1))
    desk = sign_in(app, web_site, "investigator", None)
    count = len(places(web_site.library.instruments["lupusqol"]))
    assert f"has changed at {count} places" in desk.get(at(web_site, "/wording")).text
    page = desk.get(at(web_site, "/wording/translations"))
    assert page.text.count("The translation still says the same") == count
    names = ("wording", "source", "place")
    values = [re.search(f'name="{one}" value="([^"]+)"', page.text) for one in names]
    sent = {name: one[1] for name, one in zip(names, values, strict=True) if one is not None}
    assert sent["place"] == "instruction"
    page = desk.post(at(web_site, "/wording/translations"), **sent)
    assert page.text.count("The translation still says the same") == count - 1
    desk.post(at(web_site, "/wording/translations"), 422, **sent)
    assert "This is settled already." in wrong(desk)
    sent |= {"place": "items.LQ01", "source": "0" * 64}
    desk.post(at(web_site, "/wording/translations"), 422, **sent)
    assert "The English text has changed once more." in wrong(desk)

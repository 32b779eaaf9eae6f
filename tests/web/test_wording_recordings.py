"""The page of recordings: what is stored, what is refused, and that nothing is stored by halves."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from pro_app.core.wording import Wording
from pro_app.models import AuditEntry, Recording
from pro_app.services.recordings import LARGEST
from tests.conftest import Site, TestClock
from tests.pages import Browser
from tests.services.licensing import license_one
from tests.sounds import WAV, mp3
from tests.web.test_staff import Desk, at, invite
from tests.web.test_staff_access import sign_in


@pytest.fixture
def desk(app: Flask, web_site: Site) -> Browser:
    """An administrator's browser."""
    return sign_in(app, web_site, "administrator", None)


@pytest.fixture
def wording(web_site: Site) -> Wording:
    return licensed(web_site)


def licensed(site: Site) -> Wording:
    with site.database.writing() as session:
        return license_one(session, site.study, site.library, "lupusqol", "ms", site.clock())


def page(site: Site, wording: Wording) -> str:
    return f"{at(site, '/wording/recordings')}?of={wording.fingerprint}"


def send(
    browser: Browser, address: str, files: dict[str, bytes] | list[tuple[str, bytes]], status: int
) -> None:
    named = files.items() if isinstance(files, dict) else files
    chosen = [(io.BytesIO(content), name) for name, content in named]
    browser.post(address, status, files=chosen)
    browser.response.request.environ["wsgi.input"].close()  # a file where they are large


def stored(site: Site) -> list[str]:
    with site.database.reading() as session:
        return list(session.scalars(sa.select(Recording.item).order_by(Recording.item)))


def walk(desk: Desk, site: Site) -> None:
    """The page before and after, with a fault, and after a proof that came too late."""
    desk.get(at(site, "/wording/recordings"))
    address = page(site, licensed(site))
    desk.get(at(site, "/wording/recordings"))
    desk.get(address)
    desk.post(address, 422)
    send(desk, address, {"LQ01.mp3": mp3("one")}, 200)
    desk.get(f"{address}&again=1")


def test_recordings_are_stored_heard_and_on_record(
    desk: Browser, web_site: Site, wording: Wording
) -> None:
    desk.get(at(web_site, "/wording"))
    assert page(web_site, wording) in {one.get("href") for one in desk.page.all("a")}
    desk.get(page(web_site, wording))
    assert "0 of 35 recorded" in desk.page.text
    send(
        desk, page(web_site, wording), {"LQ01.mp3": mp3("one"), "instruction.mp3": mp3("all")}, 200
    )
    assert "2 of 35 recorded" in desk.page.text
    assert wording.items["LQ01"] in desk.page.text
    heard = [str(one["src"]) for one in desk.page.all("audio")]
    assert [desk.client.get(one).data for one in heard] == [mp3("all"), mp3("one")]
    with web_site.database.reading() as session:
        entry = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action == "record_wording")
        ).one()
    assert entry.actor.startswith("staff/")
    assert entry.detail["items"] == ["instruction", "LQ01"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], "Please choose the recordings."),
        ([("LQ99.mp3", mp3("x"))], "No question of this questionnaire is called: LQ99"),
        ([("LQ01.mp3", mp3("x")), ("LQ01.m4a", mp3("y"))], "There are two files of: LQ01"),
        ([("LQ01.mp3", mp3("x")), ("LQ02.mp3", mp3("x"))], "came more than once: LQ01, LQ02"),
        ([("LQ01.mp3", mp3("x")), ("LQ02.wav", WAV)], "Too large for phones"),
        ([("LQ01.mp3", mp3("x")), ("LQ02.mp3", b"text")], "No whole recording in MP3"),
        ([("LQ01.mp3", mp3("x")), ("LQ02.mp3", bytes(LARGEST + 9))], "Larger than 1 MB"),
    ],
)
def test_with_a_fault_nothing_is_stored(
    desk: Browser, web_site: Site, wording: Wording, files: list[tuple[str, bytes]], said: str
) -> None:
    desk.get(page(web_site, wording))
    send(desk, page(web_site, wording), files, 422)
    assert said in desk.page.text
    assert stored(web_site) == []


def test_a_recording_never_changes(desk: Browser, web_site: Site, wording: Wording) -> None:
    address = page(web_site, wording)
    desk.get(address)
    send(desk, address, {"LQ03.mp3": mp3("before")}, 200)
    send(desk, address, {"LQ03.mp3": mp3("after"), "LQ04.mp3": mp3("four")}, 422)
    assert "There is a recording already, and it never changes: LQ03" in desk.page.text
    assert stored(web_site) == ["LQ03"]


def test_a_proof_that_is_too_old_is_asked_for_and_stores_nothing(
    desk: Browser, web_site: Site, clock: TestClock, wording: Wording
) -> None:
    address = page(web_site, wording)
    desk.get(address)
    clock.now += timedelta(minutes=6)
    send(desk, address, {"LQ01.mp3": mp3("one")}, 401)
    assert stored(web_site) == []


def test_of_any_other_text_it_says_which_there_are(desk: Browser, web_site: Site) -> None:
    shipped = web_site.library.wording("lupusqol", "ms")
    assert shipped is not None
    assert "No licensed text is in force." in desk.get(page(web_site, shipped)).text
    own = licensed(web_site)
    for address in (page(web_site, shipped), at(web_site, "/wording/recordings")):
        desk.get(address)
        assert page(web_site, own) in {one.get("href") for one in desk.page.all("a")}
        assert shipped.items["LQ01"] not in desk.page.text
        send(desk, address, {"LQ01.mp3": mp3("one")}, 422)
    assert stored(web_site) == []


def test_every_page(app: Flask, web_site: Site, clock: TestClock) -> None:
    desk = Desk(app, clock)
    desk.set_up(invite(web_site, "administrator"))
    walk(desk, web_site)

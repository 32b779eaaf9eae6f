"""Recordings on a phone and at the site's tablet: played with and without network, and recorded
with the answer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from pro_app.core.library import Library
from pro_app.core.study_file import read_study_file
from pro_app.models import Assessment, Database
from pro_app.services import recordings, studies
from tests.browser import record
from tests.browser.conftest import Phones, Server, Watch
from tests.browser.people import Phone
from tests.browser.test_offline import REFUSED, cold, network_is_back, prepared
from tests.browser.test_tablet import Tablet, tablet
from tests.conftest import MORNING, Site, TestClock
from tests.services import licensing
from tests.sounds import mp3

__all__ = ["tablet"]

SECONDS = 1.5  # of a recording
PLAYER = """(() => {
  const Plain = window.Audio;
  window.played = [];
  window.Audio = function (address) {
    const audio = new Plain(address);
    window.played.push(audio);
    return audio;
  };
  Object.defineProperty(window, "speechSynthesis", { value: { getVoices: () => [] } });
})();"""
LAST = "() => { const one = window.played.at(-1); return { path: new URL(one.src).pathname, "
LAST += "time: one.currentTime, ended: one.ended, paused: one.paused, length: one.duration }; }"
PARTS = """async (path) => {
  const answers = [];
  for (const asked of ["bytes=0-1", "bytes=100-", "bytes=-5", "bytes=999999-", null]) {
    const found = await fetch(path, asked ? { headers: { Range: asked } } : {});
    const { size } = await found.blob();
    answers.push([found.status, size, found.headers.get("Content-Range")]);
  }
  return answers;
}"""
KEPT = """async () => {
  const kept = await (await caches.open("sounds")).keys();
  return kept.map(({ url }) => new URL(url).pathname);
}"""


def voice(n: int) -> bytes:
    return mp3(f"LQ{n:02}", SECONDS)


def path_of(n: int) -> str:
    return f"/sounds/{hashlib.sha256(voice(n)).hexdigest()}"


@pytest.fixture
def web_site(sqlite_url: str, library: Library, clock: TestClock) -> Iterator[Site]:
    """The first two items of the English LupusQoL have a recording."""
    database = Database(sqlite_url)
    content = read_study_file(Path(__file__).parents[1] / "study.toml", library.instruments)
    with database.writing() as session:
        study = studies.load(session, library, content | {"read_aloud": True}, MORNING)
        wording = licensing.license_one(session, study, library, "lupusqol", "en", MORNING)
        files = {f"LQ{n:02}": voice(n) for n in (1, 2)}
        recordings.add(session, wording.fingerprint, files, "site", MORNING)
        study = studies.current(session, library, study.id)
    yield Site(database, library, study, clock)
    database.close()


class Listener:
    """What a person hears of a page."""

    def __init__(self, phone: Phone) -> None:
        self.phone, self.page = phone, phone.page
        self.button = phone.page.locator(".aloud")

    def plays(self, n: int) -> None:
        """The n-th item's recording can be heard."""
        self.phone.comes_true(f"() => {{ const {{ path, time }} = ({LAST})(); "
                              f"return path === '{path_of(n)}' && time > 0; }}")  # fmt: skip

    def is_over(self) -> None:
        """It was played to its end."""
        self.phone.comes_true(f"() => ({LAST})().ended")
        found = self.page.evaluate(LAST)
        assert found["length"] == pytest.approx(SECONDS, abs=0.1)
        assert found["time"] == pytest.approx(found["length"], abs=0.1)
        expect(self.button).to_have_text("Read aloud")


def begin(phones: Phones, site: Site) -> tuple[Phone, Assessment]:
    """A phone at the first question."""
    person = site.enrol()
    assessment = site.open(person)[0]
    phone = phones.of(person)
    phone.page.context.add_init_script(PLAYER)
    phone.open(f"/questionnaires/{assessment.public_id}/items/1")
    phone.at(1)
    return phone, assessment


def heard(site: Site, assessment: Assessment) -> list[tuple[str, bool]]:
    return [(tap.item, tap.read_aloud) for tap in record.taps(site, assessment)]


def test_a_recording_is_played_and_the_answer_tells_so(phones: Phones, web_site: Site) -> None:
    phone, assessment = begin(phones, web_site)
    me = Listener(phone)
    phone.choose(0)
    phone.saved()
    me.button.click()
    expect(me.button).to_have_text("Stop")
    me.plays(1)
    me.is_over()
    phone.choose(2)
    phone.saved()
    phone.next()
    phone.at(2)
    me.button.click()
    me.plays(2)
    phone.next()
    phone.choose(1)
    phone.saved()
    phone.next()
    phone.at(3)
    expect(me.button).to_have_count(0)
    assert heard(web_site, assessment) == [("LQ01", False), ("LQ01", True), ("LQ02", True)]


@pytest.mark.parametrize("how", ["stop", "choose", "next"])
def test_it_stops(phones: Phones, web_site: Site, how: str) -> None:
    phone, _ = begin(phones, web_site)
    me = Listener(phone)
    phone.choose(1)
    phone.saved()
    me.button.click()
    me.plays(1)
    if how == "stop":
        me.button.click()
    elif how == "choose":
        phone.choose(3)
    else:
        phone.next()
        phone.at(2)
    phone.comes_true(f"() => ({LAST})().paused")
    expect(me.button).to_have_text("Read aloud")
    assert me.page.evaluate(LAST)["ended"] is False


def test_without_network_what_is_kept_is_played(
    phones: Phones, web_site: Site, server: Server, watch: Watch
) -> None:
    watch.expect(REFUSED, "status of 416")
    phone, _, (assessment, _) = prepared(phones, web_site, "en")
    for n in (1, 2):
        phone.comes_true(f"async () => ({KEPT})().then((kept) => kept.includes('{path_of(n)}'))")
    phone.page.context.add_init_script(PLAYER)
    server.go_away()
    size = len(voice(2))
    assert phone.page.evaluate(PARTS, path_of(2)) == [
        [206, 2, f"bytes 0-1/{size}"],
        [206, size - 100, f"bytes 100-{size - 1}/{size}"],
        [206, 5, f"bytes {size - 5}-{size - 1}/{size}"],
        [416, 0, f"bytes */{size}"],
        [200, size, None],
    ]
    phone = cold(phone, f"/questionnaires/{assessment.public_id}/items/1")
    phone.at(1)
    me = Listener(phone)
    me.button.click()
    me.plays(1)
    me.is_over()
    phone.choose(2)
    phone.next()
    phone.at(2)
    phone.choose(2)
    server.come_back()
    network_is_back(phone)
    record.eventually(lambda: heard(web_site, assessment), [("LQ01", True), ("LQ02", False)])


def test_what_is_no_longer_wanted_goes(phones: Phones, web_site: Site, server: Server) -> None:
    phone, _, (assessment, _) = prepared(phones, web_site, "en")
    phone.comes_true(f"async () => (await ({KEPT})()).length === 2")
    web_site.answer_all(assessment)
    web_site.submit(assessment)
    phone.open("/today")
    phone.comes_true(f"async () => (await ({KEPT})()).length === 0")


def test_a_recording_that_is_not_there_is_told(
    phones: Phones, web_site: Site, server: Server, watch: Watch
) -> None:
    watch.expect(REFUSED)
    phone, assessment = begin(phones, web_site)
    me = Listener(phone)
    server.go_away()
    me.button.click()
    expect(me.button).to_have_text("Cannot be read aloud now")
    server.come_back()
    me.button.click()
    me.plays(1)
    phone.choose(1)
    record.eventually(lambda: heard(web_site, assessment), [("LQ01", True)])


def test_the_tablet_plays_it_too(web_site: Site, tablet: Tablet) -> None:
    person = web_site.enrol("01-246", "en")
    assessment = web_site.open(person)[0]
    tablet.page.context.add_init_script(PLAYER)
    tablet.hand_over(person)
    tablet.take("46")
    tablet.begin()
    tablet.shows(1)
    me = Listener(tablet)
    me.button.click()
    me.plays(1)
    tablet.choose(2)
    tablet.next()
    tablet.shows(2)
    tablet.choose(1)
    tablet.next()
    tablet.shows(3)
    expect(me.button).to_have_count(0)
    assert heard(web_site, assessment) == [("LQ01", True), ("LQ02", False)]

"""Reading aloud: who is offered it, what is said in which order and language, and when it stops.

A Chromium without a window has no voices; a stub stands for the phone's and says what it was given.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pro_app.core.library import Library
from pro_app.core.study_file import read_study_file
from pro_app.models import Assessment, Database
from pro_app.services import studies
from tests.browser import record
from tests.browser.answering import LANGUAGES
from tests.browser.conftest import Phones, Server
from tests.browser.people import Phone, expect
from tests.conftest import MORNING, Site, TestClock

VOICES = """
(() => {
  const voices = VOICES, said = [];
  let queue = [], changed = () => {};
  class Utterance { constructor(text) { this.text = text; } }
  const begin = () => {
    const [one] = queue;
    if (!one) return;
    const { text, lang, voice } = one;
    said.push({ text, lang, voice: voice.name });
    one.onstart?.();
  };
  const synthesis = {
    getVoices: () => voices,
    addEventListener: (name, listener) => { if (name === "voiceschanged") changed = listener; },
    speak: (one) => { if (queue.push(one) === 1) begin(); },
    cancel: () => { const dropped = queue; queue = []; dropped.forEach((one) => one.onerror?.()); },
  };
  Object.defineProperty(window, "speechSynthesis", { value: synthesis });
  Object.defineProperty(window, "SpeechSynthesisUtterance", { value: Utterance });
  window.mouth = {
    said: () => said,
    speaking: () => queue.length > 0,
    goOn: () => { queue.shift()?.onend?.(); begin(); },
    finish: () => { while (queue.length) window.mouth.goOn(); },
    bring: (voice) => { voices.push(voice); changed(); },
  };
})();
"""
OWN = {"ms": "ms-MY", "en": "en-GB", "zh_Hans": "zh_CN", "ta": "ta-IN"}  # Android writes zh_CN
OTHERS = {  # voices that will not do for this language
    "ms": ("id-ID", "en-US"),
    "en": ("ms-MY", "zh-CN"),
    "zh_Hans": ("zh-TW", "zh-HK"),
    "ta": ("te-IN", "hi-IN"),
}


def voice(lang: str, local: bool = True) -> dict[str, object]:
    return {"name": f"{lang} {'here' if local else 'afar'}", "lang": lang, "localService": local}


@pytest.fixture
def allowed() -> bool:
    """Whether the study lets phones read aloud."""
    return True


@pytest.fixture
def web_site(sqlite_url: str, library: Library, clock: TestClock, allowed: bool) -> Iterator[Site]:
    database = Database(sqlite_url)
    content = read_study_file(Path(__file__).parents[1] / "study.toml", library.instruments)
    content |= {"read_aloud": True} if allowed else {}
    with database.writing() as session:
        study = studies.load(session, library, content, MORNING)
    yield Site(database, library, study, clock)
    database.close()


class Listener:
    """A person's phone with voices of its own, at the first question."""

    def __init__(
        self, phones: Phones, site: Site, language: str, *voices: dict[str, object], **options: Any
    ) -> None:
        self.site, self.language = site, language
        person = site.enrol(language=language)
        self.assessment: Assessment = site.open(person)[0]
        self.phone: Phone = phones.of(person, **options)
        self.page = self.phone.page
        self.page.context.add_init_script(VOICES.replace("VOICES", json.dumps(voices)))
        self.phone.open(f"/questionnaires/{self.assessment.public_id}/items/1")
        self.phone.at(1)
        self.button = self.page.locator(".aloud")

    def texts(self, n: int) -> list[str]:
        """What the n-th item consists of, from the wording itself."""
        instrument = self.site.library.instruments[self.assessment.instrument]
        wording = self.site.library.wording(self.assessment.instrument, self.language)
        assert wording is not None
        item = instrument.items[n - 1]
        section = item.section
        return [
            *([wording.recalls[section.code]] if section.recall != "none" else []),
            *([wording.leads[section.code]] if section.lead else []),
            wording.items[item.code],
            *(wording.options[item.options.code][code] for code in item.options.codes),
        ]

    def mouth(self, what: str) -> Any:
        """What the voice does or did."""
        return self.page.evaluate(f"mouth.{what}()")

    def said(self) -> list[str]:
        return [one["text"] for one in self.mouth("said")]

    def is_silent(self) -> None:
        """Nothing is said, and the button offers to read."""
        expect(self.button).to_have_text("Read aloud")
        assert self.mouth("speaking") is False


@pytest.mark.parametrize("language", LANGUAGES)
def test_question_and_options_are_read_in_their_order_and_language(
    phones: Phones, web_site: Site, language: str
) -> None:
    others = [voice(lang) for lang in OTHERS[language]]
    afar, own = voice(OWN[language], local=False), voice(OWN[language])
    me = Listener(phones, web_site, language, *others, afar, own)
    me.button.click()
    assert me.said() == me.texts(1)[:1], "one after the other"
    me.mouth("finish")
    assert me.said() == me.texts(1)
    assert {one["lang"] for one in me.mouth("said")} == {OWN[language]}
    assert {one["voice"] for one in me.mouth("said")} == {own["name"]}, "the phone's own voice"
    expect(me.page.locator("form[data-read=LQ01]")).to_have_count(1)
    me.phone.next()
    expect(me.phone.prompt).to_be_visible()
    me.phone.choose(2)
    me.phone.next()
    me.phone.at(2)
    me.button.click()
    me.mouth("finish")
    assert me.said() == me.texts(1) + me.texts(2)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_button_without_a_voice_of_ones_own_in_the_language(
    phones: Phones, web_site: Site, language: str
) -> None:
    others = [voice(lang) for lang in OTHERS[language]]
    me = Listener(phones, web_site, language, *others, voice(OWN[language], local=False))
    me.page.wait_for_load_state("networkidle")
    expect(me.button).to_have_count(0)
    below = "document.querySelector('.opt').getBoundingClientRect().top"
    before = me.page.evaluate(below)
    me.page.evaluate("(voice) => mouth.bring(voice)", voice(OWN[language]))
    expect(me.button).to_be_visible()
    assert me.page.evaluate(below) == before, "a late voice moves no option under the finger"


@pytest.mark.parametrize("how", ["stop", "choose", "next", "hide"])
def test_it_stops(phones: Phones, web_site: Site, how: str) -> None:
    me = Listener(phones, web_site, "en", voice("en-US"))
    me.phone.choose(1)
    me.phone.saved()
    me.button.click()
    expect(me.button).to_have_text("Stop")
    me.mouth("goOn")
    if how == "stop":
        me.button.click()
    elif how == "choose":
        me.phone.choose(3)
    elif how == "next":
        me.phone.next()
        me.phone.at(2)
    else:
        me.page.evaluate(
            "Object.defineProperty(document, 'hidden', { value: true });"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
    me.is_silent()
    assert me.said() == me.texts(1)[:2]


def test_it_works_by_keyboard_and_can_be_heard_again(phones: Phones, web_site: Site) -> None:
    me = Listener(phones, web_site, "en", voice("en-US"))
    me.button.focus()
    me.page.keyboard.press("Enter")
    me.phone.at(1)
    me.mouth("finish")
    me.is_silent()
    me.page.keyboard.press("Space")
    me.mouth("finish")
    assert me.said() == me.texts(1) * 2
    me.phone.has_chosen(None)


def test_an_answer_to_a_question_that_was_heard_is_recorded_as_such(
    phones: Phones, web_site: Site
) -> None:
    me = Listener(phones, web_site, "en", voice("en-US"))
    me.phone.choose(0)
    me.phone.saved()
    me.button.click()
    me.mouth("goOn")  # the recall period is over, the question has begun
    me.phone.choose(2)
    me.phone.saved()
    me.phone.next()
    me.phone.at(2)
    me.phone.choose(1)
    me.phone.saved()
    taps = record.taps(web_site, me.assessment)
    heard = [(tap.item, tap.read_aloud) for tap in taps]
    assert heard == [("LQ01", False), ("LQ01", True), ("LQ02", False)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", [0, 1, 2])
def test_the_button_can_be_hit_on_a_narrow_phone(
    phones: Phones, web_site: Site, language: str, size: int
) -> None:
    narrow = {"width": 320, "height": 640}
    me = Listener(phones, web_site, language, voice(OWN[language]), viewport=narrow)
    me.page.evaluate("(size) => { document.documentElement.className = `size-${size}`; }", size)
    box = me.button.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 48
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= narrow["width"]
    assert me.page.evaluate("document.documentElement.scrollWidth") <= narrow["width"]


@pytest.mark.parametrize("allowed", [False])
def test_nothing_of_it_is_there_where_the_study_does_not_allow_it(
    phones: Phones, web_site: Site, server: Server
) -> None:
    me = Listener(phones, web_site, "en", voice("en-US"))
    me.phone.choose(1)
    me.phone.saved()
    expect(me.button).to_have_count(0)
    assert [path for path in server.asked if "aloud" in path] == []
    assert "aloud" not in me.page.content()

"""The screens of a questionnaire, one after another, as a participant's phone shows them.

A real browser joins with a code, reads the notice, chooses a PIN and answers every item with its
first option. Each screen is looked at (`checks`) and taken as pictures: one of what the phone shows
at first, and more where one has to scroll.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page

from pro_app.core.instruments import Instrument, Item
from pro_app.core.wording import Wording
from pro_app.proof.checks import SCRIPT, Expected, Fault, sorted_out
from pro_app.proof.stage import Guest, Stage

PIN = "246813"
PATIENCE = 60_000  # milliseconds to wait for a page on a busy machine
QUALITY = 65  # of pictures, in hundredths: letters are clean, and a pack can be sent by mail
OWN_TEXT = 16  # pixels: a browser's text at 100 %
PAGE_TEXT = 1.125  # of that: what the pages set
OVERLAP = 2.5  # of the text's size: what two pictures have in common, so that no line is lost


@dataclass(frozen=True, slots=True)
class Size:
    """A phone's screen in CSS pixels, and the text size set in its browser, in hundredths. `scale`
    is the number of dots a pixel, so that pictures are sharp in print (300 an inch)."""

    width: int
    height: int
    text: int
    scale: float

    def __str__(self) -> str:
        return f"{self.width} × {self.height}, text {self.text} %"


SIZES = (Size(360, 740, 100, 2), Size(320, 640, 200, 1.25))


@dataclass(frozen=True, slots=True)
class Screen:
    """What a phone shows: `kind` (a key of `KINDS`), the item's code if it shows one, the page's
    own code; pictures (JPEG) from top to bottom, the faults, and what is only to be known."""

    kind: str
    item: str
    page: str
    language: str
    size: Size
    pictures: tuple[bytes, ...] = field(repr=False)
    faults: tuple[Fault, ...]
    notes: tuple[Fault, ...] = ()

    @property
    def place(self) -> tuple[str, str, Size]:
        """What it has in common with the same screen in another language."""
        return self.kind, self.item, self.size

    @property
    def key(self) -> tuple[str, str, str, Size]:
        """Which screen of a pack it is."""
        return self.language, *self.place


KINDS = {
    "notice": "Privacy notice, on joining",
    "start": "Instructions",
    "unanswered": "Not answered",
    "prompt": "Next was pressed without an answer",
    "left": "Left unanswered",
    "answered": "Answered with the first option",
    "missing": "Review, one question not answered",
    "review": "Review",
    "receipt": "Receipt",
}
Tell = Callable[[Screen], None]


@dataclass(slots=True)
class Walk:
    """One participant's way through a questionnaire in one language on one phone. `tell` is called
    with every screen; what it raises ends the walk."""

    browser: Browser
    stage: Stage
    instrument: Instrument
    wording: Wording
    size: Size
    tell: Tell
    screens: list[Screen] = field(default_factory=list)

    def take(self) -> list[Screen]:
        """Go the whole way: its screens."""
        guest = self.stage.guest(self.wording.language)
        with self._phone() as page:
            self._join(page, guest)
            self._answer(page, guest)
            self._submit(page, guest)
        return self.screens

    @contextmanager
    def _phone(self) -> Iterator[Page]:
        """A new phone with this screen, which forgets everything afterwards."""
        context = self.browser.new_context(
            viewport={"width": self.size.width, "height": self.size.height},
            device_scale_factor=self.size.scale,
            has_touch=True,
            is_mobile=True,
            color_scheme="light",
            reduced_motion="reduce",
            locale=self._html_language,
            timezone_id=self.stage.study.zone.key,
            service_workers="block",
        )
        try:
            context.set_default_timeout(PATIENCE)
            context.add_init_script(path=SCRIPT)
            page = context.new_page()
            text = OWN_TEXT * self.size.text // 100
            context.new_cdp_session(page).send(
                "Page.setFontSizes", {"fontSizes": {"standard": text, "fixed": text}}
            )
            yield page
        finally:
            context.close()

    @property
    def _html_language(self) -> str:
        return self.wording.language.replace("_", "-")

    def _expect(self, *texts: tuple[str, tuple[str, ...]], options: int | None = None) -> Expected:
        return Expected(self._html_language, texts, options)

    def _join(self, page: Page, guest: Guest) -> None:
        """From the card's code to Today; the privacy notice is one of the screens."""
        page.goto(f"{self.stage.url}/join/?language={guest.language}#{guest.code}")
        _shows(page, "J1")
        _press(page, "main .btn")
        _shows(page, "J3")
        sections = self.stage.study.notice.sections[guest.language]
        notice = self._expect(
            ("div.notice h2", tuple(heading for heading, _ in sections)),
            ("div.notice p", tuple(text for _, text in sections)),
        )
        self._keep(page, "notice", notice)
        page.locator("label.opt:has(#accept)").click()
        _press(page, "main .btn")
        _shows(page, "J4")
        page.locator("form[data-pin][data-ready]").wait_for()
        page.locator("#pin").fill(PIN)
        page.locator("#again").fill(PIN)
        _press(page, "main .btn")
        _shows(page, "P2")

    def _answer(self, page: Page, guest: Guest) -> None:
        page.goto(f"{self.stage.url}{guest.address}?again=1")
        _shows(page, "Q1")
        start = self._expect(("p.lead", (self.wording.instruction,)))
        self._keep(page, "start", start, whole=True)
        for item in self.instrument.items:
            if item is self.instrument.items[-1] and item.n > 1:
                self._review(page, guest, "missing")
            self._item(page, guest, item)

    def _item(self, page: Page, guest: Guest, item: Item) -> None:
        """An item before and after its answer; the first one also as it can be left out."""
        expected = self._expected_of(item)
        self._open(page, guest, item)
        self._keep(page, "unanswered", expected, item)
        if item.n == 1:
            _press(page, ".foot button[value=next]")
            page.locator(".prompt").wait_for()
            self._keep(page, "prompt", expected, item)
            if self.stage.study.skipping:
                with page.expect_response(lambda answer: answer.url.endswith("/answers")):
                    _press(page, ".prompt button[value=skip]")
                self._open(page, guest, item)
                page.locator(".left").wait_for()
                self._keep(page, "left", expected, item)
        # not by a tap: where a fault keeps the option from one, the walk goes on and tells of it
        page.locator(".opt input").first.evaluate("(option) => option.click()")
        page.locator(".state > .saved").wait_for()
        self._keep(page, "answered", expected, item)

    def _expected_of(self, item: Item) -> Expected:
        wording, section = self.wording, item.section
        above = [wording.recalls[section.code]] if section.recall != "none" else []
        above += [wording.leads[section.code]] if section.lead else []
        options = wording.options[item.options.code]
        return self._expect(
            ("legend .recall", tuple(above)),
            ("legend h1", (wording.items[item.code],)),
            (".opt:not(.apart) > span", tuple(options[code] for code in item.options.codes)),
            options=len(item.options.codes) + item.not_applicable,
        )

    def _open(self, page: Page, guest: Guest, item: Item) -> None:
        page.goto(f"{self.stage.url}{guest.address}/items/{item.n}")
        _shows(page, f"Q{item.n}")
        page.locator("form[data-questionnaire][data-ready]").wait_for(state="attached")

    def _review(self, page: Page, guest: Guest, kind: str) -> None:
        """Every item with its answer: the first option of those that have one."""
        page.goto(f"{self.stage.url}{guest.address}/review")
        _shows(page, "Q90")
        wording, items = self.wording, self.instrument.items
        answered = items if kind == "review" else items[:-1]
        expected = self._expect(
            (".review .question", tuple(f"{one.n}. {wording.items[one.code]}" for one in items)),
            (
                ".review .answer:not(.none)",
                tuple(wording.options[one.options.code][one.options.codes[0]] for one in answered),
            ),
        )
        self._keep(page, kind, expected, top=kind == "missing")

    def _submit(self, page: Page, guest: Guest) -> None:
        self._review(page, guest, "review")
        page.locator("form[data-submit] .btn").evaluate("(button) => button.click()")
        _shows(page, "Q91")
        self._keep(page, "receipt", self._expect())

    def _keep(
        self,
        page: Page,
        kind: str,
        expected: Expected,
        item: Item | None = None,
        whole: bool = False,
        top: bool = False,
    ) -> None:
        """Look at the screen and take its pictures. `whole`: with what stands at the end of every
        page; `top`: only what is seen at first."""
        page.wait_for_load_state()
        page.evaluate("document.fonts.ready.then(() => undefined)")
        faults, notes = sorted_out(
            page.evaluate("(one) => proof(one)", expected.told()), self.size.text
        )
        pictures = tuple(_pictures(page, self.size, whole, top))
        code = page.locator("[data-page-code]").inner_text()
        self.screens.append(
            Screen(
                kind, "" if item is None else item.code, code, self.wording.language, self.size,
                pictures, faults, notes,
            )
        )  # fmt: skip
        self.tell(self.screens[-1])


def _shows(page: Page, code: str) -> None:
    """The page with this code has come."""
    exactly = re.compile(f"^{code}$")  # Q1 is not Q10
    page.locator("[data-page-code]", has_text=exactly).wait_for(state="attached")
    page.wait_for_load_state()


def _press(page: Page, place: str) -> None:
    """Press a button, also one that a fault hides: the walk tells of it and goes on."""
    page.locator(place).first.evaluate("(button) => button.click()")


def _pictures(page: Page, size: Size, whole: bool, top: bool) -> Iterator[bytes]:
    """What the phone shows at first, then what it shows at each scrolling on, to the end of the
    content."""
    extent = page.evaluate("(whole) => extent(whole)", whole)
    wanted = OWN_TEXT * PAGE_TEXT * size.text / 100
    if abs(extent["font"] - wanted) > 1:
        raise RuntimeError(f"the text is {extent['font']} px high, not {wanted}")
    at = 0
    while True:
        page.evaluate("(at) => scrollTo({ top: at, behavior: 'instant' })", at)
        yield page.screenshot(type="jpeg", quality=QUALITY, animations="disabled")
        if top or at + extent["seen"] >= extent["end"] - 1:
            break
        at += extent["seen"] - round(OVERLAP * extent["font"])
    page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")

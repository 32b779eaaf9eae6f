"""What a person does with the app, in their own words."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import Error, Locator, Page, expect

from tests.conftest import PIN, Enrolled
from tests.pages import LANGUAGES

DEADLINE = 30.0  # seconds; a busy machine is no fault
PAUSE = 20  # milliseconds


class Phone:
    """One browser window, and what the person does with it."""

    def __init__(self, page: Page, url: str, javascript: bool) -> None:
        self.page = page
        self.url = url
        self.javascript = javascript

    def another_window(self) -> Phone:
        """A second window of the same browser."""
        return Phone(self.page.context.new_page(), self.url, self.javascript)

    # where the person is

    @property
    def path(self) -> str:
        """The address without the host."""
        return self.page.url.removeprefix(self.url)

    def open(self, path: str) -> None:
        """Type an address, or follow a link from elsewhere."""
        self.page.goto(self.url + path)

    def sees(self, page_code: str) -> None:
        """The page with this code is shown with its looks; its script, if any, is ready."""
        expect(self.page.locator("[data-page-code]")).to_have_text(page_code)
        self.page.wait_for_load_state()
        if self.javascript and re.fullmatch(r"Q\d+", page_code):
            expect(self.page.locator("form[data-questionnaire]:not([data-ready])")).to_have_count(0)

    def reads(self, language: str) -> None:
        """The page is in this language."""
        expect(self.page.locator("html")).to_have_attribute("lang", LANGUAGES[language])

    def is_prepared(self) -> None:
        """The phone has at hand what it needs without network."""
        expect(self.page.locator("[data-phone][data-ready]")).to_have_count(1)
        self.comes_true("() => navigator.serviceWorker.controller !== null")
        self.comes_true("async () => Boolean(await caches.match('/offline'))")

    def put_away(self) -> None:
        """Nobody sees the app for a while; a window under test is never hidden by itself."""
        turn = """async (hidden) => {
          Object.defineProperty(document, 'hidden', { configurable: true, value: hidden });
          document.dispatchEvent(new Event('visibilitychange'));
          if (hidden) await new Promise((done) => setTimeout(done, 2_000));
        }"""
        self.page.evaluate(turn, True)
        self.page.evaluate(turn, False)

    def comes_true(self, script: str, given: object = None, patience: float = DEADLINE) -> None:
        """The page's answer to a script becomes true within so many seconds.

        Playwright's `wait_for_function` takes a promise for true, whatever it promises.
        """
        end = time.monotonic() + patience
        while not self._answer(script, given):
            if time.monotonic() > end:
                raise AssertionError(f"never came true: {script}")
            self.page.wait_for_timeout(PAUSE)

    def _answer(self, script: str, given: object) -> object:
        try:
            return self.page.evaluate(script, given)
        except Error as error:
            if "context was destroyed" in str(error):  # the page was left meanwhile
                return False
            raise

    # the way in

    def scan(self, person: Enrolled) -> None:
        """Follow the QR picture on the joining card, and go on."""
        self.open(f"/join/?language={person.language}#{person.code}")

    def type_code(self, code: str) -> None:
        """Type the card's code, and go on."""
        self.page.locator("#code").fill(code)
        self.go_on()

    def go_on(self) -> None:
        """Press the page's main button."""
        self.page.locator("main .btn").first.click()

    def accept_notice(self) -> None:
        """Agree to the privacy notice on the way in."""
        self.sees("J3")
        self.page.locator("label.opt:has(#accept)").click()
        self.go_on()

    def say_who_it_is(self) -> None:
        """Agree to the notice, or, known from before, go on from the welcome."""
        self.page.locator("main form[data-leaving]").wait_for()
        if self.page.locator("#accept").count():
            return self.accept_notice()
        self.sees("J6")
        return self.go_on()

    def on_somebody_elses_phone(self) -> None:
        """Say that this is not the person's own phone."""
        self.page.locator("label.opt:has([name=shared])").click()

    def choose_pin(self, pin: str = PIN) -> None:
        """Set the PIN."""
        self.sees("J4")
        self._pin_is_ready()
        self.page.locator("#pin").fill(pin)
        self.page.locator("#again").fill(pin)
        self.go_on()

    def type_pin(self, pin: str = PIN) -> None:
        """Set the PIN with finger and keys."""
        self.sees("J4")
        for field in ("#pin", "#again"):
            self.page.locator(field).click()
            self.page.keyboard.type(pin)
        self.go_on()

    def count_taps(self) -> Callable[[], int]:
        """How often the person has to press something from now on."""
        taps: list[None] = []
        self.page.expose_function("tapped", lambda: taps.append(None))
        self.page.add_init_script("addEventListener('pointerup', () => tapped(), true)")
        return lambda: len(taps)

    def join(self, person: Enrolled) -> None:
        """From the card through code, notice and PIN."""
        self.scan(person)
        self.sees("J1")
        if not self.javascript:
            self.page.locator("#code").fill(person.code)
        self.go_on()
        self.say_who_it_is()
        self.choose_pin()

    def unlock(self, pin: str = PIN) -> None:
        """Give the PIN on its page."""
        self.sees("P1")
        self._pin_is_ready()
        self.page.locator("#pin").fill(pin)
        self.go_on()

    def _pin_is_ready(self) -> None:
        if self.javascript:
            expect(self.page.locator("form[data-pin][data-ready]")).to_have_count(1)

    def unlock_without_network(self, pin: str = PIN) -> None:
        """Give the PIN on the page that the phone itself shows."""
        self.sees("N2")
        self.page.locator("#offline-pin").fill(pin)
        self.go_on()

    def unlock_here(self, pin: str = PIN) -> None:
        """Give the PIN in the window over the questionnaire."""
        self.dialog.locator("#pin").fill(pin)
        self.dialog.locator(".btn").click()

    @property
    def dialog(self) -> Locator:
        """The window over the questionnaire that asks for the PIN."""
        return self.page.locator("dialog[open]")

    def is_told_of_a_fault(self) -> None:
        """The page says, aloud too, what is wrong with what was typed."""
        expect(self.page.locator("main [role=alert]").first).to_be_visible()

    def forget(self, cookie: str) -> None:
        """The browser loses one of its cookies."""
        self.page.context.clear_cookies(name=cookie)

    # answering

    def start(self, card: int = 1) -> None:
        """Press a card's button on Today, and the start page's if it comes."""
        self.page.locator(".card .btn").nth(card - 1).click()
        self.page.locator("a.btn[href$='/items/1'], .item, .review").first.wait_for()
        begin = self.page.locator("a.btn[href$='/items/1']")
        if begin.count():
            begin.click()

    def at(self, n: int) -> None:
        """Question n is shown, and answers."""
        ready = "[data-ready]" if self.javascript else ""
        expect(
            self.page.locator(f"form[data-questionnaire]{ready} .item[data-n='{n}']")
        ).to_have_count(1)

    @property
    def options(self) -> Locator:
        """The rows that can be chosen."""
        return self.page.locator(".opt")

    def choose(self, place: int) -> None:
        """Tap an option's row, counted from 0."""
        self.options.nth(place).click()

    def has_chosen(self, place: int | None) -> None:
        """This option, or none, is the chosen one."""
        expect(self.page.locator(".opt input:checked")).to_have_count(0 if place is None else 1)
        if place is not None:
            expect(self.options.nth(place).locator("input")).to_be_checked()

    def not_applicable(self) -> None:
        """Say that the question does not apply."""
        self.page.locator(".opt.apart").click()

    def next(self) -> None:
        """Press Next."""
        self.page.locator(".foot button[value=next]").click()

    def back(self) -> None:
        """Press Back."""
        self.page.locator(".foot button[value=back]").click()

    def clear(self) -> None:
        """Take the answer back."""
        self.page.locator("button[value=clear]").click()

    @property
    def prompt(self) -> Locator:
        """The question whether to leave the item unanswered."""
        return self.page.locator(".prompt")

    def skip(self) -> None:
        """Press Next without an answer, and confirm that it stays so."""
        self.next()
        expect(self.prompt).to_be_visible()
        self.page.locator("button[value=skip]").click()

    def close(self) -> None:
        """Press the cross."""
        self.page.locator(".close").click()

    def saved(self) -> None:
        """The page says that what was answered has reached the study."""
        expect(self.page.locator(".state .saved")).to_be_visible()

    def nothing_waits(self) -> None:
        """Nothing is under way although the page, at an open question, has gone on already.

        Without a script a page comes after what it was sent is stored: there is nothing to see.
        """
        if self.javascript:
            expect(self.page.locator(".state")).to_have_text("")

    def is_told(self, word: str, count: int = 0) -> None:
        """The page says one of the things that its script can say."""
        told = self.page.locator("#words").evaluate(
            "(words, name) => words.content.querySelector(`[data-word=${name}]`).textContent", word
        )
        expect(self.page.locator(".state")).to_have_text(told.replace("{count}", str(count)))

    def waiting(self, count: int) -> None:
        """The page says how many answers wait for the network, kept on the phone."""
        self.is_told("one" if count == 1 else "many", count)

    def must_stay(self) -> None:
        """The page says that answers wait in it alone."""
        self.is_told("open")

    def keeps_nothing(self) -> None:
        """The browser has no place for a page's data, as in some private windows."""
        self.page.add_init_script("Object.defineProperty(window, 'indexedDB', {value: undefined})")

    def answer(self, places: dict[int, int]) -> None:
        """Answer questions by number, one after the other, going on after each."""
        for n, place in places.items():
            self.at(n)
            self.choose(place)
            self.next()

    # language, text size, the end

    def switch_language(self, language: str) -> None:
        """Choose another language in the menu."""
        self.page.locator(".menu summary").click()
        with self.page.expect_navigation():  # also to the language that it is in
            self.page.locator(f"button[name=language][value={language}]").click()
        self.reads(language)

    def text_size(self, size: int) -> None:
        """Choose a text size in the menu."""
        self.page.locator(".menu summary").click()
        with self.page.expect_navigation():
            self.page.locator(f"button[name=text_size][value='{size}']").click()
        expect(self.page.locator(f"html.size-{size}")).to_have_count(1)

    def change(self, n: int) -> None:
        """On the review page, follow question n."""
        self.page.locator(".review a").nth(n - 1).click()
        self.at(n)

    def submit(self) -> None:
        """On the review page, submit."""
        self.sees("Q90")
        self.page.locator(".foot .btn").click()

    def receipt(self) -> str:
        """The code on the receipt."""
        self.sees("Q91")
        found = re.search(
            r"[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}", self.page.locator("main").inner_text()
        )
        assert found is not None
        return found[0]

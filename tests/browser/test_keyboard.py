"""Everything by the keyboard alone, and the focus always in sight."""

from __future__ import annotations

import pytest

from tests.browser import record
from tests.browser.conftest import Phones
from tests.browser.people import Phone, expect
from tests.conftest import PIN, Site

SMALLEST = {"width": 320, "height": 480}  # the foot is not sticky here
LOW = {"width": 320, "height": 568}  # and here it is

# What is wrong with the focus, if anything: the focused element must be in the window, be the
# topmost thing at its own middle, and have a ring (an option's ring is around its row).
FAULT_OF_FOCUS = """() => {
  const focused = document.activeElement;
  if (!focused || focused === document.body) return "nothing is focused";
  const shown = focused.closest(".opt") ?? focused;
  const name = shown.outerHTML.slice(0, 80);
  const box = shown.getBoundingClientRect();
  if (box.width < 1 || box.height < 1) return `no size: ${name}`;
  if (box.top < -1 || box.bottom > innerHeight + 1) return `outside the window: ${name}`;
  const foot = shown.closest(".foot") ? null : document.querySelector(".foot");
  const edge = foot?.getBoundingClientRect();
  const behind = edge && box.bottom > edge.top + 1 && box.top < edge.bottom - 1;
  if (behind) return `behind the foot: ${name}`;
  const line = shown.getClientRects()[0];
  const top = document.elementFromPoint(line.x + line.width / 2, line.y + line.height / 2);
  if (!shown.contains(top) && !top?.contains(shown)) return `covered by ${top?.outerHTML}: ${name}`;
  const style = getComputedStyle(shown);
  const heading = focused.matches("h1, .prompt, .fault");
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return ring || heading ? "" : `no ring: ${name}`;
}"""


class Keyboard:
    """A phone with a keyboard and no pointer."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone

    def press(self, key: str) -> None:
        """Press a key; if the page stays, the focus must be in sight afterwards."""
        self.phone.page.keyboard.press(key)

    def look(self) -> None:
        """The focus is in sight."""
        assert self.phone.page.evaluate(FAULT_OF_FOCUS) == ""

    def tab_to(self, selector: str) -> None:
        """Tab until the element is focused, looking at each place on the way."""
        target = self.phone.page.locator(selector)
        self.phone.page.wait_for_load_state()  # before its looks come nothing has a ring
        for _ in range(40):
            if target.evaluate_all("found => found.includes(document.activeElement)"):
                return
            self.press("Tab")
            self.look()
        raise AssertionError(f"{selector} is not reached by Tab")

    def tab_through(self) -> int:
        """Tab through the whole page, looking at each stop; how many there were."""
        for stops in range(100):
            self.press("Tab")
            if self.phone.page.evaluate("document.activeElement === document.body"):
                return stops
            self.look()
        raise AssertionError("the focus goes in circles")

    def type(self, text: str) -> None:
        """Type into the focused field."""
        self.phone.page.keyboard.type(text)


def test_joining_and_a_questionnaire_by_keyboard(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol(language="ta")
    _, sf36 = web_site.open(person)
    phone = phones.new("ta", viewport=LOW, has_touch=False)
    keys = Keyboard(phone)
    phone.scan(person)
    phone.sees("J1")
    keys.tab_to("#code")
    keys.press("Enter")
    phone.sees("J3")
    keys.tab_to("#accept")
    keys.press("Space")
    keys.look()
    keys.tab_to("main .btn")
    keys.press("Enter")
    phone.sees("J4")
    keys.tab_to("#pin")
    keys.type(PIN)
    keys.tab_to("#again")
    keys.type(PIN)
    keys.press("Enter")
    phone.sees("P2")
    keys.tab_to(".card + .card .btn")
    keys.press("Enter")
    keys.phone.page.locator("a.btn[href$='/items/1']").wait_for()
    keys.tab_to(".foot .btn")
    keys.press("Enter")

    expected: dict[str, int | str] = {}
    for item in web_site.library.instruments["sf36v1"].items:
        phone.at(item.n)
        phone.has_chosen(None)
        codes = item.options.codes
        if item.n == 4:  # left unanswered: Next, the question, its button
            keys.tab_to(".foot button[value=next]")
            keys.press("Enter")
            expect(phone.prompt).to_be_focused()
            keys.look()
            keys.tab_to("button[value=skip]")
            keys.press("Enter")
            expected[item.code] = "skipped"
            continue
        keys.tab_to("[name=choice]")
        keys.press("Space")  # Space takes the first option, the arrows go on from there
        keys.look()
        place = item.n % len(codes)
        for _ in range(place):
            phone.saved()
            keys.press("ArrowDown")
            keys.look()
        phone.has_chosen(place)
        expected[item.code] = codes[place]
        if item.n == 2:
            keys.tab_to("button[value=clear]")
            keys.press("Enter")
            phone.has_chosen(None)
            keys.look()
            phone.nothing_waits()
            keys.press("Space")
            expected[item.code] = codes[0]
        if item.n % 2:  # Enter in the options goes on, as the Next button does
            keys.press("Enter")
        else:
            keys.tab_to(".foot button[value=next]")
            keys.press("Enter")
    phone.sees("Q90")
    keys.tab_to(".foot .btn")
    keys.press("Enter")
    phone.sees("Q91")
    assert record.values(web_site, sf36) == expected


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "plain"])
def test_enter_in_an_option_goes_on_and_does_not_close(
    phones: Phones, web_site: Site, javascript: bool
) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person, javascript=javascript)
    keys = Keyboard(phone)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/3")
    phone.at(3)
    keys.tab_to("[name=choice]")
    keys.press("ArrowDown")
    keys.press("Enter")
    phone.at(4)
    phone.nothing_waits()
    assert record.values(web_site, lupusqol) == {"LQ03": 1}


def test_back_close_and_menu_by_keyboard(phones: Phones, web_site: Site) -> None:
    person = web_site.enrol()
    lupusqol, _ = web_site.open(person)
    phone = phones.of(person, viewport=LOW)
    keys = Keyboard(phone)
    phone.open(f"/questionnaires/{lupusqol.public_id}/items/3")
    phone.at(3)
    keys.tab_to("[name=choice]")
    keys.press("Space")
    keys.tab_to(".foot button[value=back]")
    keys.press("Space")
    phone.at(2)
    keys.tab_to("[name=choice]")
    keys.press("Space")
    phone.page.keyboard.press("Shift+Tab")
    keys.look()
    assert phone.page.evaluate("document.activeElement.tagName") == "SUMMARY"
    keys.press("Enter")
    keys.tab_to("button[name=language][value=ta]")
    keys.press("Enter")
    phone.reads("ta")
    phone.at(2)
    phone.has_chosen(0)
    keys.tab_to(".close")
    keys.press("Enter")
    phone.sees("P2")


@pytest.mark.parametrize(
    ("path", "least"),
    [
        ("/today", 5),
        ("/practice", 6),
        ("/notice", 6),
        ("/questionnaires/{id}?again=1", 5),
        ("/questionnaires/{id}/items/15", 8),
        ("/questionnaires/{id}/review", 38),
    ],
)
@pytest.mark.parametrize("size", [SMALLEST, LOW], ids=["480", "568"])
def test_every_stop_of_the_focus_is_in_sight(
    phones: Phones, web_site: Site, path: str, least: int, size: dict[str, int]
) -> None:
    person = web_site.enrol(language="ta")
    lupusqol, _ = web_site.open(person)
    web_site.answer_all(lupusqol, place=1)
    phone = phones.of(person, viewport=size)
    phone.open(path.format(id=lupusqol.public_id))
    if "/items/" in path:
        phone.at(15)
    assert Keyboard(phone).tab_through() >= least

"""The pack as a book: sheets of A4 on which the pictures stand, source beside translation.

Every sheet is laid out here, so that each can say its number and of which wordings it is; the
browser only prints them. Pictures and page are handed to it from memory: nothing is on the disk.
The book is in English, the language in which owners and boards review; the screens are in theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from playwright.sync_api import Browser, Route

from pro_app.config import ROOT
from pro_app.core.study import StudyDefinition
from pro_app.core.wording import Wording
from pro_app.proof.checks import CHECKS
from pro_app.proof.screens import KINDS, SIZES, Screen, Size
from pro_app.services.notices import Words

if TYPE_CHECKING:
    from pro_app.proof.pack import Order

Thing = TypeVar("Thing")
Key = tuple[str, str, str, Size]
ADDRESS = "https://proof.invalid/"  # never asked for on a network
PATIENCE = 300_000  # milliseconds that printing may take
LINES = 30  # of a list on a sheet
LANGUAGES = {"ms": "Malay", "en": "English", "zh_Hans": "Simplified Chinese", "ta": "Tamil"}
CLOSES = timedelta(days=7)  # of the messages' example


@dataclass(frozen=True, slots=True)
class Frame:
    """The layout of a size's sheets: pictures side by side, over the whole sheet, and rows."""

    columns: int
    rows: int


FRAMES = {SIZES[0]: Frame(4, 1), SIZES[1]: Frame(8, 2)}


@dataclass(frozen=True, slots=True)
class Slot:
    """A picture on a sheet: its screen, its name (None: an empty place), and which of the screen's
    pictures it is, of how many."""

    screen: Screen
    picture: str | None
    n: int
    of: int

    @property
    def caption(self) -> str:
        """What the participant has done."""
        return KINDS[self.screen.kind]


@dataclass(frozen=True, slots=True)
class Column:
    """One language's side of a sheet: its rows of pictures."""

    wording: Wording
    rows: tuple[tuple[Slot, ...], ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of the book. `kind` is the name of its template; `values` are what that shows."""

    kind: str
    title: str
    values: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Book:
    """Sheets, and the pictures on them by name."""

    sheets: list[Sheet] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    page: str = ""


def lay_out(order: Order, study: StudyDefinition, screens: Sequence[Screen]) -> Book:
    """The whole book of these screens."""
    book = Book()
    body = [
        sheet
        for target in order.targets
        for sheet in (
            *_messages(order, study, target),
            *_screens(book, order, target, screens),
        )
    ]
    front = list(_front(order, study, screens, body))
    book.sheets = [*front, *body]
    book.page = _room().get_template("proof/book.html").render(
        sheets=book.sheets, order=order, study=study, languages=LANGUAGES, kinds=KINDS,
        style=(ROOT / "templates/proof/book.css").read_text(encoding="utf-8"),
        failed=any(one.faults for one in screens),
    )  # fmt: skip
    return book


def _room() -> Environment:
    return Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _front(
    order: Order, study: StudyDefinition, screens: Sequence[Screen], body: Sequence[Sheet]
) -> Iterator[Sheet]:
    """What the pack is, what was found, and where each screen stands."""
    faults = [(one, fault) for one in screens for fault in one.faults]
    notes = [(one, note) for one in screens for note in one.notes]
    fault_sheets = list(_chunks(faults, LINES))
    listed = list(_chunks(_order_of(order, screens), LINES))
    before = 2 + len(fault_sheets) + len(listed)
    places = _places(body, before)
    yield Sheet("cover", "Proof pack", {
        "moment": order.asked_at.astimezone(study.zone), "utc": order.asked_at.astimezone(UTC),
        "faults": len(faults), "failed": sum(bool(one.faults) for one in screens),
        "screens": len(screens), "sizes": SIZES,
        "pictures": sum(len(one.pictures) for one in screens),
    })  # fmt: skip
    yield Sheet("checks", "What every screen was looked at for", {
        "checks": [
            (text, sum(fault.check == name for _, fault in faults),
             sum(note.check == name for _, note in notes))
            for name, text in CHECKS.items()
        ],
    })  # fmt: skip
    for part in fault_sheets:
        yield Sheet("faults", "Faults", {"faults": part, "places": places})
    for some in listed:
        yield Sheet("list", "List of screens", {"screens": some, "places": places})


def _order_of(order: Order, screens: Sequence[Screen]) -> list[Screen]:
    """The screens by language and size, as they were taken."""
    languages = [one.language for one in order.wordings]
    return sorted(screens, key=lambda one: (languages.index(one.language), SIZES.index(one.size)))


def _places(body: Sequence[Sheet], before: int) -> dict[Key, int]:
    """By screen the number of the sheet on which it first stands."""
    found: dict[Key, int] = {}
    for number, sheet in enumerate(body, before + 1):
        for column in sheet.values.get("columns", ()):  # type: ignore[attr-defined]
            for row in column.rows:
                for slot in row:
                    found.setdefault(slot.screen.key, number)
    return found


def _screens(
    book: Book, order: Order, target: Wording, screens: Sequence[Screen]
) -> Iterator[Sheet]:
    """The sheets of a language: at each size the screens one after another, each item on a new
    sheet, beside the same screens of the source."""
    source = order.source
    beside = () if source is None or source is target else (source,)
    for size in SIZES:
        mine = [one for one in screens if one.size == size]
        for places in _groups([one.place for one in mine if one.language == target.language]):
            columns = [
                [next(one for one in mine if (one.language, one.place) == (wording.language, place))
                 for place in places]
                for wording in (*beside, target)
            ]  # fmt: skip
            yield from _of_group(book, size, (*beside, target), columns)


def _groups(places: Iterable[tuple[str, str, Size]]) -> Iterator[list[tuple[str, str, Size]]]:
    """Neighbours that show the same item; what shows none stands alone."""
    group: list[tuple[str, str, Size]] = []
    for place in places:
        if group and (not place[1] or place[1] != group[-1][1]):
            yield group
            group = []
        group.append(place)
    if group:
        yield group


def _of_group(
    book: Book, size: Size, wordings: Sequence[Wording], columns: Sequence[Sequence[Screen]]
) -> Iterator[Sheet]:
    frame = FRAMES[size]
    wide = frame.columns // len(wordings)
    many = [max(len(one.pictures) for one in same) for same in zip(*columns, strict=True)]
    sides = [
        list(_chunks(_slots(book, screens, many, wide, frame.rows), wide)) for screens in columns
    ]
    for at in range(0, len(sides[0]), frame.rows):
        parts = [
            Column(wording, tuple(side[at : at + frame.rows]))
            for wording, side in zip(wordings, sides, strict=True)
        ]
        shown = [slot.screen for row in parts[-1].rows for slot in row]
        faulty = any(slot.screen.faults for part in parts for row in part.rows for slot in row)
        first = columns[-1][0]
        yield Sheet("screens", first.item or KINDS[first.kind], {
            "columns": parts, "size": size, "item": first.item, "faulty": faulty,
            "pages": list(dict.fromkeys(one.page for one in shown)),
            "states": list(dict.fromkeys(KINDS[one.kind] for one in shown)), "wide": wide,
        })  # fmt: skip


def _slots(
    book: Book, screens: Sequence[Screen], many: Sequence[int], wide: int, rows: int
) -> Iterator[Slot]:
    """A language's pictures, with empty places so that the same screens stand beside each other;
    where a sheet has several rows, each screen begins a new one."""
    for screen, most in zip(screens, many, strict=True):
        places = most if rows == 1 else -(-most // wide) * wide
        for n in range(places):
            name = None
            if n < len(screen.pictures):
                name = f"{len(book.pictures) + 1}.jpg"
                book.pictures[name] = screen.pictures[n]
            yield Slot(screen, name, n + 1, len(screen.pictures))


def _chunks(things: Iterable[Thing], size: int) -> Iterator[tuple[Thing, ...]]:
    rest = iter(things)
    while part := tuple(islice(rest, size)):
        yield part


def _messages(order: Order, study: StudyDefinition, target: Wording) -> Iterator[Sheet]:
    """The messages that are sent beside the app, plainly as title and text."""
    source = order.source
    wordings = (target,) if source is None or source is target else (source, target)
    columns = [(one, list(_said(order, study, one.language))) for one in wordings]
    yield Sheet("messages", "Reminders, letters and calendar", {"messages": columns})


def _said(order: Order, study: StudyDefinition, language: str) -> Iterator[tuple[str, Words]]:
    notices, closes = order.notices, order.asked_at + CLOSES
    remind = partial(notices.reminder, language, closes_at=closes, zone=study.zone)
    one = remind(waiting=1)
    letter = notices.letter(language, one, "https://study.example/")
    yield "Reminder on the lock screen", one
    yield "Reminder, where two sets are open", remind(waiting=2)
    yield "Where a phone cannot read what it was sent", notices.fallback(language)
    yield "Test message, on the person's own wish", notices.test(language)
    yield "E-mail", Words(one.title, letter)
    yield "Entry in the person's calendar", Words(notices.calendar(language), "")
    yield "Name of the installed app", Words(notices.app_name(language), "")


class Overfull(Exception):
    """A sheet whose content does not fit on it; nothing is cut off silently."""


def print_out(browser: Browser, book: Book) -> bytes:
    """The book as a PDF, a page a sheet. Raises Overfull."""
    context = browser.new_context(java_script_enabled=True, color_scheme="light", offline=True)
    try:
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.route("**/*", partial(_hand_over, book))
        page.goto(ADDRESS)
        page.evaluate("document.fonts.ready.then(() => undefined)")
        full = page.evaluate(
            "[...document.querySelectorAll('.sheet')].flatMap((one, at) => "
            "one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1 "
            "? [at + 1] : [])"
        )
        if full:
            raise Overfull(f"sheets {full} hold more than fits on them")
        return page.pdf(prefer_css_page_size=True, print_background=True, outline=True, tagged=True)
    finally:
        context.close()


def _hand_over(book: Book, route: Route) -> None:
    name = route.request.url.removeprefix(ADDRESS)
    if not name:
        route.fulfill(body=book.page, content_type="text/html; charset=utf-8")
    elif name in book.pictures:
        route.fulfill(body=book.pictures[name], content_type="image/jpeg")
    else:
        route.abort()

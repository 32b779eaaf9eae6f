"""Every page in every language: no word of another one, and demonstration wording is marked."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from functools import cache
from html.parser import HTMLParser

import pytest
import sqlalchemy as sa
from babel.messages.pofile import read_po
from flask import Flask, Response, template_rendered
from jinja2 import Template

from pro_app.config import ROOT
from pro_app.core.library import Library
from pro_app.delivery import Accepted, Gone, Misconfigured, Post, Retry
from pro_app.models import Assessment, Message, Reminder, StudyVersion
from pro_app.services import assessments, enrolment, studies
from pro_app.web.house import House
from tests.authenticator import Key
from tests.conftest import PIN, Enrolled, Site
from tests.pages import LANGUAGES, Browser, Page
from tests.services.trial import Letterbox, Recorder, subscribe, trial_content

MARK = "Demonstration wording, not the validated questionnaire"
# Latin words of a page in any script; {count} is for the script, the last three an example
LATIN = {"PIN", "Aa", "count", "iPhone", "iPad", "JavaScript", "WhatsApp", "name", "example", "com"}
STAFF_FOLDERS = {
    "staff",
    "coordinator",
    "enrol",
    "participant_page",
    "register",
    "protocol",
    "printing",
    "translations",
    "wording",
    "wording_licence",
    "wording_recordings",
    "wording_upload",
    "tablet",
    "investigator",
    "corrections",
    "correction_request",
    "sign_off",
    "calls",
    "entry",
    "missed",
    "trail",
    "copy",
    "alerts",
    "account",
    "enrol_many",
    "contact",
    "scoring",
    "receipts",
    "exports",
    "proof_pack",
    "pictures",
    "tokens",
    "api",
}
# receipts, codes and keys, in groups of four
RECEIPT = re.compile(r"[0-9A-F]{4}(-[0-9A-F]{4}){2}|\b([A-Z0-9]{4} )+[A-Z0-9]{4}\b")
VOID = {"meta", "link", "input", "br", "img", "hr", "progress"}


@cache
def translations(language: str) -> dict[str, str]:
    """English sentence (its last form) -> translation (its last form)."""
    path = ROOT / "translations" / language / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        found = [message for message in read_po(file, locale=language) if message.id]
    last = [
        tuple(text[-1] if isinstance(text, tuple) else text for text in (one.id, one.string))
        for one in found
    ]
    return {str(english): str(text) for english, text in last}


@cache
def english() -> dict[str, re.Pattern[str]]:
    """How each English sentence of the interface looks on a page, values and all."""

    def seen(sentence: str) -> re.Pattern[str]:
        parts = [re.escape(part) for part in re.split(r"%\(\w+\)[sd]|\{\w+\}", sentence)]
        return re.compile(r"(?<!\w)" + r".{1,60}?".join(parts) + r"(?!\w)")

    return {sentence: seen(sentence) for sentence in translations("en")}


@cache
def english_in(text: str, language: str) -> str | None:
    """A sentence in English that a text of this language holds."""
    translated = translations(language)
    for sentence, seen in english().items():
        if translated[sentence] != sentence and seen.search(text):
            return sentence
    return None


class Words(HTMLParser):
    """The texts of a page that are in the page's own language."""

    def __init__(self, page: str, language: str) -> None:
        super().__init__()
        self.language = language
        self.open: list[tuple[str, bool]] = []  # tag, and whether it is in the page's language
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        own = self.open[-1][1] if self.open else True
        if "lang" in given:
            own = given["lang"] == self.language
        if tag in {"script", "style"}:
            own = False
        if tag not in VOID:
            self.open.append((tag, own))
        if own:
            names = ("aria-label", "title", "placeholder", "alt", "data-title")
            self.texts += [str(given[name]) for name in names if name in given]
            said = [text for name, text in given.items() if name.startswith("data-") and text]
            self.texts += [text for text in said if " " in text or not text.isascii()]
            if given.get("name") == "description":
                self.texts.append(str(given["content"]))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open and self.open[-1][1]:
            self.texts.append(" ".join(data.split()))


def latin(text: str) -> set[str]:
    """The words in Latin letters of a text, without receipts, checksums and places for values."""
    bare = re.sub(r"\{\w+\}|\b[0-9a-f]{12}\b", "", RECEIPT.sub("", text))
    return set(re.findall(r"[A-Za-z]{2,}", bare))


class Reader(Browser):
    """A browser that reads every page that it opens, in its one language."""

    names = LATIN  # words in Latin letters that any page may have

    def __init__(self, app: Flask, language: str) -> None:
        super().__init__(app, language)
        self.language = language
        self.pages = 0

    def _see(self, status: int) -> Page:
        page = super()._see(status)
        self.pages += 1
        html = LANGUAGES[self.language]
        assert page.all("html")[0]["lang"] == html, self.path
        if self.language == "en":
            return page
        for text in Words(page.text, html).texts:
            found = english_in(text, self.language)
            assert found is None, f"{found!r} in {self.path}: {text!r}"
            if self.language in {"zh_Hans", "ta"}:
                assert latin(text) <= self.names, f"in {self.path}: {text!r}"
        return page

    def marked(self) -> None:
        """The page says that its wording is not the validated questionnaire."""
        shown = translations(self.language)[MARK]
        assert re.search(rf'<\w+ class="demo">{re.escape(shown)}</', self.page.text), self.path


@pytest.fixture
def rendered(app: Flask) -> set[str]:
    """The templates that were rendered."""
    found: set[str] = set()

    def note(_sender: Flask, template: Template, **_context: object) -> None:
        found.add(str(template.name))

    template_rendered.connect(note, app, weak=False)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_is_in_its_language(
    app: Flask,
    web_site: Site,
    rendered: set[str],
    language: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    person = web_site.enrol("01-246", language)
    reader = Reader(app, language)
    strangers_pages(reader, monkeypatch)
    join(reader, person)
    lupusqol, sf36 = (sheet.public_id for sheet in web_site.open(person))
    later = web_site.open(person, "month_3", timedelta(days=90), timedelta(days=97))[0]
    for path in ("/today", "/practice", "/notice"):
        reader.get(path)
    reminders(reader, app, web_site, person)
    for public_id, instrument in ((lupusqol, "lupusqol"), (sf36, "sf36v1")):
        fill_in(reader, f"/questionnaires/{public_id}", web_site, instrument)
    reader.get(f"/questionnaires/{later.public_id}", status=403)
    second = web_site.open(person, occurrence=2)[0]
    late(reader, web_site, f"/questionnaires/{second.public_id}")
    locked_pages(reader, web_site, f"/questionnaires/{second.public_id}")
    fresh = Enrolled(person.id, person.number, language, web_site.new_code(person))
    not_offered(app, web_site, fresh, language)
    this_phone(reader, app, web_site, person)
    extending = {
        str(path.relative_to(ROOT / "templates"))
        for path in (ROOT / "templates").rglob("*.html")
        if "{% extends" in path.read_text(encoding="utf-8")
        and path.parent.name not in STAFF_FOLDERS  # see test_staff_languages
    }
    kept = {"questionnaire/item.html"}  # rendered once for all, see `frame`
    assert extending - kept - rendered == {"demo/people.html", "offline/shell.html"}
    assert reader.pages > 100


def strangers_pages(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody sees who has not joined, and every way in which it goes wrong."""
    reader.get("/join/")
    reader.post("/join/", status=422, code="ABC")
    reader.post("/join/", status=422, code="ABCDEFGH")
    reader.get("/join/new-code")
    reader.post("/join/new-code", status=422, number="")
    reader.post("/join/new-code", number="01-999")
    reader.get("/nothing", status=404)
    reader.get("/join/")
    reader.response = reader.client.post("/join/", headers=reader.accept)
    reader._see(400)
    reader.response = reader.client.put("/health", headers=reader.accept)
    reader._see(405)
    reader.get("/join/")
    reader.post("/join/", status=413, code="A" * 1_000_001)
    with monkeypatch.context() as patch:
        patch.setattr(enrolment, "TRIES", 1)
        reader.get("/join/")
        reader.post("/join/", status=429, code="ABCDEFGH")
    with monkeypatch.context() as patch:
        patch.setattr(enrolment, "find_code", None)
        reader.get("/join/")
        reader.post("/join/", status=500, code="ABCDEFGH")


def join(reader: Reader, person: Enrolled) -> None:
    """Join, making every mistake on the way."""
    reader.get("/join/")
    reader.post("/join/", code=person.code)
    reader.post("/join/notice", status=422)
    reader.post("/join/notice", accept="yes")
    for pin, again in (("1", "1"), ("123456", "123456"), (PIN, "975318")):
        reader.post("/join/pin", status=422, pin=pin, again=again)
    reader.post("/join/pin", pin=PIN, again=PIN)
    reader.get("/join/")


def reminders(reader: Reader, app: Flask, site: Site, person: Enrolled) -> None:
    """How to be reminded in every state of the phone, every fault, and where late taps lead."""
    house: House = app.extensions["pro_app"]
    office = replace(house.post_office, post=Post(Recorder(), Letterbox()))
    app.extensions["pro_app"] = replace(house, post_office=office)
    with site.database.writing() as session:
        content = dict(session.scalars(sa.select(StudyVersion.definition)).one())
        content["reminders"] = trial_content(site.library)["reminders"]
        studies.load(session, site.library, content, site.clock())
    path = "/reminders/"
    reader.get("/today")
    for permission in ("default", "denied", "unsupported", "install", "granted"):
        reader.get(path)
        reader.send(f"{path}report", {"permission": permission, "installed": False})
        reader.get("/today")
    reader.get(path)
    reader.post(f"{path}test")
    subscribe(site, person, 1)
    reader.get("/today")
    for answer in (Accepted(201), Retry(503, None, "server"), Misconfigured(403, "x"), Gone(410)):
        office.post.push.answer = answer  # type: ignore[attr-defined]
        reader.get(path)
        reader.post(f"{path}test")
        reader.post(f"{path}test")
        site.clock.forward(seconds=31)
    reader.post(f"{path}hour", status=422, hour="x")
    reader.post(f"{path}hour", hour="600")
    reader.post(f"{path}email", status=422, email="")
    reader.post(f"{path}email", status=422, email="x")
    reader.get("/today")
    reader.post(f"{path}email", email="me@example.org")
    reader.get("/today")
    reader.post(f"{path}email", action="remove")
    reader.post(f"{path}calendar")
    reader.post(f"{path}off")
    reader.post(f"{path}later")
    (closed,) = site.open(person, "month_3", timedelta(days=-2), timedelta(days=-1), occurrence=9)
    reader.get(tap(site, person, closed))
    app.extensions["pro_app"] = house


def tap(site: Site, person: Enrolled, assessment: Assessment) -> str:
    """What the tap on a reminder of this assessment opens."""
    now = site.clock()
    owner = {"participant_id": person.id, "channel": "push", "created_at": now}
    with site.database.writing() as session:
        message = Message(public_id="told-of-one", day=now.date(), **owner)
        session.add(message)
        session.flush()
        moments = {"planned_for": now, "due_at": now, "expires_at": now}
        told = {"assessment_id": assessment.id, "message_id": message.id}
        session.add(Reminder(step="opening", state="sent", **owner, **moments, **told))
    return "/r/told-of-one"


def fill_in(reader: Reader, path: str, site: Site, instrument: str) -> None:
    """A questionnaire from the start page to the receipt, with every state of an item."""
    items = site.library.instruments[instrument].items
    wording = site.library.wording(instrument, reader.language)
    assert wording is not None
    assert wording.instruction in reader.get(path).text
    reader.marked()
    for item in items:
        page = reader.get(f"{path}/items/{item.n}")
        reader.marked()
        assert wording.items[item.code] in page.text
        if item.n == 1:
            reader.post(f"{path}/items/1", status=422, action="next")
            reader.marked()
            reader.post(f"{path}/items/1", action="skip", prompted="yes")
            reader.get(f"{path}/items/1")
        elif item.not_applicable:
            reader.post(f"{path}/items/{item.n}", choice="not_applicable", action="next")
        elif item.n not in {2, len(items)}:
            choice = str(item.options.codes[0])
            reader.post(f"{path}/items/{item.n}", choice=choice, action="next")
    reader.get(f"{path}/review")
    reader.marked()
    reader.post(f"{path}/submit", status=422)
    reader.marked()
    for n in (2, len(items)):
        choice = str(items[n - 1].options.codes[-1])
        reader.post(f"{path}/items/{n}", choice=choice, action="close")
    reader.get("/today")
    reader.get(f"{path}/review")
    reader.marked()
    reader.post(f"{path}/submit")
    assert reader.path.endswith("/receipt")


def late(reader: Reader, site: Site, path: str) -> None:
    """Closing time: the grace time, a late receipt, an answer too late, a closed page."""
    items = site.library.instruments["lupusqol"].items
    reader.get(f"{path}/items/1")
    for item in items[:-1]:
        reader.post(f"{path}/items/{item.n}", choice="1", action="next")
    site.clock.forward(days=3, minutes=5)
    reader.get("/today")
    reader.unlock()
    reader.post(f"{path}/items/34", choice="1", action="next")
    reader.post(f"{path}/submit")
    assert reader.path.endswith("/receipt")
    other = path.rpartition("/")[0]
    with site.database.reading() as session:
        known = assessments.of_participant(session, 1)
    closed = next(one for one in known if one.occurrence == 2 and one.instrument == "sf36v1")
    reader.get(f"{other}/{closed.public_id}", status=410)
    reader.post(f"{other}/{closed.public_id}/items/1", status=410, choice="1", action="next")
    reader.get("/today")


def locked_pages(reader: Reader, site: Site, path: str) -> None:
    """The PIN page and its faults, what a page left open shows, a notice that is due."""
    reader.get("/today")
    reader.response = reader.client.post(
        f"{path}/items/3", data={"csrf_token": "stale", "choice": "1"}, headers=reader.accept
    )
    reader._see(400)
    reader.get("/today")
    site.clock.forward(minutes=31)
    reader.post(f"{path}/items/3", status=401, choice="1", action="next")
    for _ in range(4):
        reader.unlock("864202", status=422)
    site.clock.forward(days=366)
    reader.get("/today")
    reader.unlock("864202", status=422)
    site.clock.forward(minutes=15)
    reader.unlock()
    assert reader.path == "/notice"
    reader.post("/notice")
    for _ in range(2):
        reader.get("/today")
        reader.post("/lock")
        for _ in range(5):
            reader.unlock("864202", status=422)
        site.clock.forward(minutes=15)


def this_phone(reader: Reader, app: Flask, site: Site, person: Enrolled) -> None:
    """Passkeys and their faults, a code for another place, somebody else's phone, leaving."""
    reader.get("/today")
    reader.post("/lock")
    site.clock.forward(hours=24)
    reader.response = reader.client.get("/join/", headers=reader.accept)
    reader._see(200)
    reader.post("/join/", code=site.new_code(person))
    reader.post("/join/notice")
    reader.post("/join/pin", pin=PIN, again=PIN)
    reader.get("/phone/")
    options = reader.send("/phone/passkey/options", {}).json
    assert options is not None
    told = [reader.send("/phone/passkey", {}), reader.send("/phone/open", {})]
    options = reader.send("/phone/passkey/options", {}).json
    reader.send("/phone/passkey", {"credential": Key().make(options or {})})
    for _ in range(2):
        reader.get("/phone/")
        reader.post("/phone/passkey/remove", passkey="1")
    for status in (*[200] * 5, 429):
        reader.get("/phone/code")
        reader.post("/phone/code", status=status)
    reader.get("/phone/sign-out")
    reader.post("/phone/sign-out")
    assert reader.path == "/phone/signed-out"
    if reader.language != "en":
        for answer in told:
            assert answer.json["fault"] not in translations("en"), "in another language"  # type: ignore[index]
    borrowed = Reader(app, reader.language)
    borrowed.get("/join/")
    borrowed.post("/join/", code=site.new_code(person))
    borrowed.post("/join/notice", shared="yes")
    borrowed.post("/join/pin", pin=PIN, again=PIN)
    borrowed.get("/phone/")
    borrowed.get("/phone/code", status=403)
    borrowed.get("/today")
    borrowed.post("/lock")
    borrowed.get("/unlock")


def not_offered(app: Flask, site: Site, person: Enrolled, language: str) -> None:
    """A questionnaire that is not ready in the language: the card, and the page."""
    house: House = app.extensions["pro_app"]
    wordings = {
        key: one for key, one in site.library.wordings.items() if key != ("lupusqol", language)
    }
    lacking = Library(site.library.instruments, wordings)
    app.extensions["pro_app"] = replace(house, library=lacking)
    reader = Reader(app, language)
    reader.get("/join/")
    reader.post("/join/", code=person.code)
    reader.post("/join/notice", accept="yes")
    reader.post("/join/pin", pin=PIN, again=PIN)
    sheet = site.open(person, occurrence=3)[0]
    reader.get("/today")
    reader.get(f"/questionnaires/{sheet.public_id}", status=404)
    app.extensions["pro_app"] = house


@pytest.mark.parametrize("language", [one for one in LANGUAGES if one != "en"])
def test_the_page_without_network_is_in_its_language(
    app: Flask, web_site: Site, language: str
) -> None:
    assert web_site.study.definition.languages
    response = app.test_client().get(f"/offline?language={language}")
    texts = Words(response.text, LANGUAGES[language]).texts
    assert len(texts) > 60
    for text in texts:
        assert not any(seen.search(text) for seen in english().values()), text
        if language != "ms":
            assert latin(text) <= LATIN, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sheet_is_in_its_language(app: Flask, web_site: Site, language: str) -> None:
    """All items in one document: the same words as on the items' own pages."""
    person = web_site.enrol(language=language)
    sheet = web_site.open(person)[0]
    reader = Reader(app, language)
    reader.join(person)
    page = reader.get(f"/questionnaires/{sheet.public_id}/items/1")
    (form,) = [one for one in page.all("form") if "data-sheet" in one]
    response: Response = reader.client.get(str(form["data-sheet"]))
    document = f'<html lang="{LANGUAGES[language]}"><body>{response.text}</body></html>'
    texts = Words(document, LANGUAGES[language]).texts
    wording = web_site.library.wording("lupusqol", language)
    assert wording is not None
    assert set(wording.items.values()) <= set(texts)
    if language != "en":
        for text in texts:
            assert not any(seen.search(text) for seen in english().values()), text


def test_the_check_itself_finds_what_it_looks_for() -> None:
    page = (
        '<html lang="ms"><body><p>Open until Monday</p><p lang="en">Language</p>'
        '<button aria-label="Back">‹</button><script>Next</script></body></html>'
    )
    texts = Words(page, "ms").texts
    found = {
        sentence for sentence, seen in english().items() for text in texts if seen.search(text)
    }
    assert found == {"Open until %(moment)s", "Open", "Back", "until %(day)s", "until"}

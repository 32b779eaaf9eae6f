"""Takes pictures: `make pictures`.

The README's and, for browsers that offer to install the app, those of the manifest come from the
demonstration study; the icons are drawn from their SVG files.
"""

from __future__ import annotations

import base64
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from pro_app.core.library import load_library
from pro_app.web.wording import XLSX
from tests.services.wording_files import sentences, workbook

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "pro_app" / "demo" / "pictures"
ICONS = ROOT / "static" / "icons"
SCREENS = ROOT / "static" / "pictures"
LANGUAGES = ("ms", "en", "zh_Hans", "ta")
SHARPNESS = 1.5  # pixels of the manifest's pictures for one of the page's
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]


@contextmanager
def demonstration() -> Iterator[str]:
    """The demonstration study, served as `make demo` serves it: its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from pro_app.cli import main; main()", "demo"]
    server = subprocess.Popen([*command, "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL)
    address = f"http://localhost:{port}"
    try:
        while server.poll() is None:
            try:
                urllib.request.urlopen(f"{address}/health", timeout=1).close()  # noqa: S310
                break
            except OSError:
                continue
        yield address
    finally:
        server.terminate()
        server.wait()


def phone(browser: Browser, address: str, number: str, dark: bool = False) -> Page:
    """A phone of a person of the demonstration, on Today."""
    page = browser.new_page(
        viewport={"width": 360, "height": 740},
        device_scale_factor=1.5,
        color_scheme="dark" if dark else "light",
    )
    page.goto(f"{address}/demo/")
    page.click(f"form[action$='{number}'] button")
    return page


def item(page: Page, n: int, place: int | None = None) -> None:
    """Open item `n` of the first open questionnaire, and choose the option at `place`."""
    page.locator("main a.btn").first.click()
    page.goto(page.url.split("/items/")[0].split("?")[0] + f"/items/{n}")
    page.wait_for_selector("form[data-ready]")
    if place is not None:
        page.locator(".opt").nth(place).click()
        page.wait_for_selector(".state .saved")


def take(browser: Browser, address: str) -> None:
    """All pictures."""
    for number, language in (
        ("01-005", "ms"),
        ("01-004", "en"),
        ("01-003", "zh_Hans"),
        ("01-002", "ta"),
    ):
        page = phone(browser, address, number)
        page.screenshot(path=PICTURES / f"today_{language}.png")
        if number != "01-005":
            item(page, 3, 1)
            page.screenshot(path=PICTURES / f"item_{language}.png")
        page.close()
    page = phone(browser, address, "01-003")
    page.click("summary")
    page.click("button[value=ms]")
    item(page, 12, 2)
    page.screenshot(path=PICTURES / "item_ms.png")
    page.click("button[value=close]")
    page.close()
    page = phone(browser, address, "01-002", dark=True)
    item(page, 16)
    page.screenshot(path=PICTURES / "item_dark.png")
    page.close()
    page = phone(browser, address, "01-004")
    page.locator("[data-phone][data-ready]").wait_for(state="attached")
    page.wait_for_function("() => navigator.serviceWorker.controller !== null")
    page.evaluate(
        """async () => {
          while (!(await caches.match('/offline'))) await new Promise((go) => setTimeout(go, 50));
        }"""
    )
    page.context.set_offline(True)
    page.goto(f"{address}/today")
    link = page.locator(".card .btn").first.get_attribute("href")
    page.goto(f"{address}{link}/items/5")
    page.wait_for_selector("form[data-ready]")
    page.locator(".opt").nth(1).click()
    page.wait_for_selector(".state .waiting")
    page.screenshot(path=PICTURES / "offline.png")
    page.close()
    page = phone(browser, address, "01-005")
    page.goto(f"{address}/reminders/")
    page.wait_for_selector("[data-state=off] [data-turn-on]:visible")
    page.screenshot(path=PICTURES / "reminders.png")
    page.close()


STAFFS = {  # account -> path in the demonstration study -> the picture's name
    "coordinator": {
        "today": "board",
        "completion": "matrix",
        "rates": "rates",
        "enrol": "enrol",
        "enrol/many": "enrol_many",
        "participants/01-002": "participant",
        "participants/01-002/calls": "calls",
        "participants/01-004/corrections": "corrections",
        "participants/01-002/tablet": "tablet",
    },
    "colleague": {"to-check": "to_check"},
    "investigator": {
        "participants/01-004/answers": "answers",
        "participants/01-005/sign-off": "sign_off",
        "participants/01-004/record": "record",
        "copy": "copy",
    },
    "administrator": {
        "register": "register",
        "protocol": "protocol",
        "wording": "wording",
        "proof": "proof",
    },
}


def take_staffs(browser: Browser, address: str) -> None:
    """The rooms of the site's people on a desk."""
    for account, pictures in STAFFS.items():
        page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        page.goto(f"{address}/demo/")
        page.click(f"form[action$='staff/{account}'] button")
        for path, name in pictures.items():
            page.goto(f"{address}/staff/demonstration/{path}")
            page.screenshot(path=PICTURES / f"{name}.png")
        if account == "coordinator":
            page.goto(f"{address}/staff/account/")
            page.screenshot(path=PICTURES / "account.png")
            page.goto(f"{address}/staff/demonstration/participants/01-001")
            page.locator("form[action$='code'] .btn").first.click()
            page.screenshot(path=PICTURES / "card.png")
            page.goto(f"{address}/staff/demonstration/print")
            page.locator("[name=instrument]").first.check()
            page.locator("#language").select_option("ta")
            page.locator("form.box .btn").click()
            page.wait_for_selector(".paper")
            page.screenshot(path=PICTURES / "print.png")
        if account == "administrator":
            bring_text(page, f"{address}/staff/demonstration")
            page.screenshot(path=PICTURES / "wording_preview.png")
        if account == "colleague":
            page.goto(f"{address}/staff/demonstration/to-check")
            page.locator("main a[href*='/paper/']").first.click()
            page.screenshot(path=PICTURES / "paper.png")
        if account == "investigator":
            page.goto(f"{address}/staff/demonstration/corrections")
            page.locator("main a[href*='/corrections/c']").first.click()
            page.screenshot(path=PICTURES / "decision.png", full_page=True)
        page.close()


def bring_text(page: Page, rooms: str) -> None:
    """As far as the page that shows each text beside the English; they are made up."""
    instrument = load_library(ROOT / "questionnaires").instruments["lupusqol"]
    filled = workbook(instrument, "ta", None, sentences(instrument, "ta"))
    page.goto(f"{rooms}/wording/new")
    page.locator("#instrument").select_option("lupusqol")
    page.locator("#language").select_option("ta")
    page.locator("#file").set_input_files({"name": "ta.xlsx", "mimeType": XLSX, "buffer": filled})
    for field, text in (("version", "1.0"), ("holder", "An owner"), ("number", "L-77")):
        page.fill(f"#{field}", text)
    page.locator("#modes").check()
    page.fill("#until", "2029-12-31")
    page.locator("#site").select_option("*")
    page.locator(".brought > .btn").click()
    page.locator(".texts").wait_for()
    page.locator("main h2").last.evaluate("it => scrollBy(0, it.getBoundingClientRect().top - 330)")


RESEARCHERS = {  # path in the demonstration study -> the picture's name
    "pictures": "means",
    "pictures/changes?form=sf36v1.mos_us1990": "changes",
    "pictures/completion": "missing",
    "pictures/participants/01-012": "trajectory",
}
ROWS = 5  # of the file that is scored


def take_researchers(browser: Browser, address: str) -> None:
    """The researcher's rooms on a desk."""
    page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page.goto(f"{address}/demo/")
    page.click("form[action$='staff/researcher'] button")
    rooms = f"{address}/staff/demonstration"
    for path, name in RESEARCHERS.items():
        page.goto(f"{rooms}/{path}")
        shown = page.locator(".panels") if name == "changes" else page  # the last ones have bands
        shown.screenshot(path=PICTURES / f"{name}.png")
    page.goto(f"{rooms}/scores/01-004")
    page.locator(".scores summary").nth(1).click()
    page.screenshot(path=PICTURES / "receipts.png")
    for what, form in (("answers", "sav"), ("scores", "xlsx")):
        page.goto(f"{rooms}/exports")
        page.locator(f"[name=what][value={what}]").check()
        page.locator(f"[name=format][value={form}]").check()
        page.fill("#reason", "The trial's first report")
        page.locator("form.box .btn").click()
        page.locator(".job").first.locator("a[download]").wait_for()
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=PICTURES / "exports.png")
    page.goto(f"{rooms}/scoring")
    page.locator("[value='lupusqol/lupusqol']").check()
    items = [f"LQ{n:02}" for n in range(1, 35)]
    lines = [["id", *items]]
    lines += [[f"P{n}", *(str((n * place) % 5) for place in range(34))] for n in range(ROWS)]
    data = "\n".join(",".join(line) for line in lines).encode()
    page.locator("#file").set_input_files(
        {"name": "answers.csv", "mimeType": "text/csv", "buffer": data}
    )
    page.locator("main .sheet .btn").click()
    page.wait_for_selector("#scales")
    page.screenshot(path=PICTURES / "score_file.png")
    page.goto(f"{rooms}/tokens")
    page.fill("#name", "The monthly figures")
    page.locator("[name=scope][value=scores]").check()
    page.locator("[name=site]").first.check()
    page.fill("#reason", "The trial's first report")
    page.locator("form.sheet .btn").click()
    page.wait_for_selector(".key")
    page.goto(f"{rooms}/tokens")
    page.screenshot(path=PICTURES / "programs.png")
    page.close()


def draw_icons(browser: Browser) -> None:
    """The icons in the sizes that browsers want: a tile with round corners, and, for phones that
    cut icons into shapes of their own, one whose ground fills the square."""
    for source, name, size in (
        ("icon.svg", "icon-192.png", 192),
        ("icon.svg", "icon-512.png", 512),
        ("maskable.svg", "maskable-192.png", 192),
        ("maskable.svg", "maskable-512.png", 512),
        ("maskable.svg", "touch-180.png", 180),
    ):
        page = browser.new_page(viewport={"width": size, "height": size})
        drawing = base64.b64encode((ICONS / source).read_bytes()).decode()
        page.set_content(
            f"<style>body {{ margin: 0 }} img {{ display: block }}</style>"
            f'<img width="{size}" height="{size}" src="data:image/svg+xml;base64,{drawing}">'
        )
        page.screenshot(path=ICONS / name, omit_background=True)
        page.close()


def take_screens(browser: Browser, address: str) -> None:
    """Today and the practice question in each language, for the manifest: no study's name, no
    visit, no number, and nothing of an instrument."""
    for language in LANGUAGES:
        page = browser.new_page(viewport={"width": 360, "height": 740}, reduced_motion="reduce")
        page.goto(f"{address}/demo/")
        page.click("form[action$='01-003'] button")
        page.click("summary")
        page.click(f"button[value={language}]")
        page.wait_for_selector(f"html[lang={language.replace('_', '-')}]")
        page.wait_for_selector("[data-reminders][data-ready]", state="attached")
        manifest = page.evaluate(
            "fetch(document.querySelector('link[rel=manifest]').href).then((it) => it.json())"
        )
        page.evaluate(
            """(name) => {
              document.querySelector(".bar strong").textContent = name;
              document.querySelector(".ahead").remove();
            }""",
            manifest["name"],
        )
        keep_screen(page, f"today-{language}")
        page.goto(f"{address}/practice")
        page.locator(".opt").nth(1).click()
        keep_screen(page, f"practice-{language}")
        page.close()


def keep_screen(page: Page, name: str) -> None:
    """The page as it stands, small enough for a phone that may never need it."""
    wire = page.context.new_cdp_session(page)
    clip = {"x": 0, "y": 0, "width": 360, "height": 740, "scale": SHARPNESS}
    how = {"format": "webp", "quality": 25, "clip": clip}
    shot = wire.send("Page.captureScreenshot", how)
    (SCREENS / f"{name}.webp").write_bytes(base64.b64decode(shot["data"]))


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    SCREENS.mkdir(exist_ok=True)
    with demonstration() as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        draw_icons(chromium)
        take_screens(chromium, address)
        take(chromium, address)
        take_staffs(chromium, address)
        take_researchers(chromium, address)
        chromium.close()

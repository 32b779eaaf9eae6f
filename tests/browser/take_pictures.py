"""Takes the README's pictures from the demonstration study: `make pictures`."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "pro_app" / "demo" / "pictures"
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
    page.goto(page.url.split("/items/")[0] + "/review")
    page.screenshot(path=PICTURES / "review.png")
    page.close()
    page = phone(browser, address, "01-005")
    page.goto(f"{address}/reminders/")
    page.wait_for_selector("[data-state=off] [data-turn-on]:visible")
    page.screenshot(path=PICTURES / "reminders.png")
    page.close()


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    with demonstration() as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        take(chromium, address)
        chromium.close()

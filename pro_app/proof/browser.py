"""The browser that a proof is made with: whether it is there, and one for a whole pack."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")  # as systems call it
START = 120_000  # milliseconds that a browser may take to start on a busy machine
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


class BrowserFailed(Exception):
    """The browser failed in the middle of a proof; the message says how, without any text that
    stood on its screens."""


class NoBrowser(Exception):
    """What a proof is made with is not installed; the message says what to do, in one sentence."""


NO_PLAYWRIGHT = "a proof needs Playwright: install pro-app[proof]"
NO_CHROMIUM = "a proof needs Chromium: install your system's, or run `playwright install chromium`"


def hindrance() -> str | None:
    """Why no proof can be made on this machine, in a sentence; None if one can, as far as can be
    told without starting a browser."""
    if find_spec("playwright") is None:
        return NO_PLAYWRIGHT
    downloaded = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache/ms-playwright"
    if _of_the_system() is None and not any(Path(downloaded).glob("chromium*")):
        return NO_CHROMIUM
    return None


def _of_the_system() -> str | None:
    return next((found for one in NAMES if (found := shutil.which(one))), None)


@contextmanager
def opened() -> Iterator[Browser]:
    """A browser without a window, for as long as the block lasts. Raises NoBrowser, and
    BrowserFailed if it does not start, and for whatever of Playwright's the block raises."""
    fault = hindrance()
    if fault is not None:
        raise NoBrowser(fault)
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        browser = _launched(playwright)
        try:
            yield browser
        except Error as error:  # not what it says: that may hold a licensed text
            raise BrowserFailed(f"the browser failed: {type(error).__name__}") from None
        finally:
            browser.close()


def _launched(playwright: Playwright) -> Browser:
    own = Path(playwright.chromium.executable_path)
    found = str(own) if own.is_file() else _of_the_system()
    if found is None:
        raise NoBrowser(NO_CHROMIUM)
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()  # Chromium has none for root
    from playwright.sync_api import Error

    chromium = playwright.chromium
    try:
        return chromium.launch(executable_path=found, args=[*QUIET, *sandbox], timeout=START)
    except Error as error:  # it says what the program wrote, on many lines
        said = f"{found} does not start: {type(error).__name__}; try it by hand"
        raise BrowserFailed(said) from None

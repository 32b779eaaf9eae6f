"""Browsers and servers as processes of their own, which a test can kill at any moment."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, Playwright

from pro_app.config import ROOT
from tests.conftest import TestClock, make_app

START = 120.0  # seconds until a process must be there
END = 30.0  # and gone
PAUSE = 0.01


class Chromium:
    """A browser whose profile is a folder, as on a phone. `starts` are the seconds each took."""

    def __init__(self, playwright: Playwright, command: str, arguments: list[str], profile: Path):
        self._playwright = playwright
        self._command = [
            command, *arguments, "--headless=new", "--remote-debugging-port=0",
            "--window-size=360,740", f"--user-data-dir={profile}", "about:blank",
        ]  # fmt: skip
        self._told = profile / "DevToolsActivePort"
        self._process: subprocess.Popen[bytes] | None = None
        self._browser: Browser | None = None
        self.starts: list[float] = []

    def start(self) -> Page:
        """Open it; its window."""
        begun = time.monotonic()
        self._told.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            self._command,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TZ": "Asia/Kuala_Lumpur"},
        )
        address = f"http://127.0.0.1:{self._port(begun + START)}"
        self._browser = self._playwright.chromium.connect_over_cdp(address, timeout=START * 1000)
        context = self._browser.contexts[0]
        page = context.pages[0] if context.pages else context.new_page()
        self.starts.append(time.monotonic() - begun)
        return page

    def _port(self, end: float) -> int:
        """Where it listens to us: it writes that down when it is there."""
        while time.monotonic() < end:
            with suppress(FileNotFoundError):
                told = self._told.read_text()
                if "\n" in told:
                    return int(told.split()[0])
            time.sleep(PAUSE)
        raise AssertionError("the browser does not start")

    def kill(self) -> None:
        """All of its processes at once, without a word."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._gone()

    def close(self) -> None:
        """As a person closes it: it writes down what it has in mind."""
        assert self._browser is not None
        with suppress(Error):
            self._browser.new_browser_cdp_session().send("Browser.close")
        self._gone()

    def _gone(self) -> None:
        assert self._process is not None
        assert self._browser is not None
        self._process.wait(END)
        wait_for_end_of_group(self._process.pid)
        with suppress(Error):
            self._browser.close()
        self._process = self._browser = None

    def end(self) -> None:
        """Whatever the test has left."""
        if self._process is not None:
            self.kill()


def wait_for_end_of_group(group: int) -> None:
    """Until no process of the group runs: the next one wants its files."""
    end = time.monotonic() + END
    while running := _running(group):
        assert time.monotonic() < end, f"still there: {running}"
        time.sleep(PAUSE)


def _running(group: int) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _parent, its_group = (
                (process / "stat").read_text().rpartition(")")[2].split()[:3]
            )
            if int(its_group) == group and state not in "ZX":
                found.append(process.name)
    return found


class ServerProcess:
    """The application as a process of its own, see `dying`. It may be told where to die."""

    def __init__(self, database_url: str, clock: TestClock) -> None:
        self._kept = socket.socket()  # bound all the time, so that nobody takes the port meanwhile
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._kept.bind(("127.0.0.1", 0))
        port = self._kept.getsockname()[1]
        self.url = f"http://localhost:{port}"
        self.app = make_app(database_url, clock, self.url)  # has the key; it answers nobody
        self._clock = clock
        self._order = {"url": database_url, "port": port}
        self._pid: int | None = None
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.browser.dying"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def _ask(self, **order: object) -> int:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps({**self._order, **order}) + "\n")
        self._parent.stdin.flush()
        return int(self._parent.stdout.readline())

    def start(self, dies: str | None = None) -> None:
        """Answer. It dies at this step of the next sync, see `dying.STEPS`."""
        self._pid = self._ask(do="start", now=self._clock().isoformat(), dies=dies)

    def died(self) -> None:
        """Wait until it has killed itself."""
        assert self._ask(do="wait", pid=self._pid) == -signal.SIGKILL
        self._pid = None

    def kill(self) -> None:
        """Now."""
        assert self._pid is not None
        os.kill(self._pid, signal.SIGKILL)
        self.died()

    def close(self) -> None:
        """For good."""
        if self._pid is not None:
            self.kill()
        self._parent.communicate(timeout=END)
        self._kept.close()
        self.app.extensions["pro_app"].database.close()

"""Firefox without a screen, driven by Mozilla's own protocol: the browser with a real push client.

Chromium gets pushes from Google's servers only; Firefox takes any push service, see `push_relay`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from tests.browser.push_relay import PATIENCE, PushRelay

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of a package underneath, on import
    from marionette_driver.by import By  # type: ignore[import-untyped]
    from marionette_driver.errors import (  # type: ignore[import-untyped]
        MarionetteException,
        NoSuchElementException,
        StaleElementException,
    )
    from marionette_driver.marionette import Marionette  # type: ignore[import-untyped]

Found = TypeVar("Found")
START = 120.0  # seconds for the first window of all
CRASH = "Firefox crashed, or did not end; see firefox.log in its profile"
PAUSE = 0.02  # between two looks at a condition which nobody reports

PREFS: dict[str, bool | int | str] = {
    # The push client and notifications
    "alerts.useSystemBackend": False,  # Firefox draws them; the system's service is not there
    "dom.push.connection.enabled": True,
    "dom.push.retryBaseInterval": 200,  # milliseconds
    "dom.push.testing.allowInsecureServerURL": True,
    "dom.webnotifications.disable_open_click_delay": 60_000,  # a slow machine may open a window
    "network.disable-localhost-when-offline": True,
    "permissions.default.desktop-notification": 1,
    "toolkit.legacyUserProfileCustomizations.stylesheets": True,  # see USER_CHROME
    # The driver
    "marionette.port": 0,  # any free one, which Firefox writes into its profile
    "remote.prefs.recommended": False,  # they would turn the push client off
    "focusmanager.testmode": True,
    "dom.disable_open_during_load": False,
    "dom.input_events.security.minNumTicks": 0,
    "dom.input_events.security.minTimeElapsedInMS": 0,
    # An empty window, and no work besides it
    "app.update.disabledForTesting": True,
    "browser.aboutwelcome.enabled": False,
    "browser.cache.disk.enable": False,
    "browser.ml.enable": False,
    "browser.newtabpage.enabled": False,
    "browser.newtabpage.activity-stream.testing.shouldInitializeFeeds": False,
    "browser.pagethumbnails.capturing_disabled": True,
    "browser.sessionstore.resume_from_crash": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.couldRestoreSession.count": -1,
    "browser.startup.homepage_override.mstone": "ignore",
    "browser.startup.page": 0,
    "browser.tabs.warnOnClose": False,
    "browser.warnOnQuit": False,
    "browser.translations.enable": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "dom.ipc.processPrelaunch.enabled": False,
    "dom.ipc.reportProcessHangs": False,
    "extensions.enabledScopes": 5,
    "startup.homepage_welcome_url": "",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "trailhead.firstrun.didSeeAboutWelcome": True,
    # No word to anybody outside
    "app.normandy.enabled": False,
    "app.update.auto": False,
    "browser.discovery.enabled": False,
    "browser.region.network.url": "",
    "browser.region.update.enabled": False,
    "browser.safebrowsing.blockedURIs.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "browser.topsites.contile.enabled": False,
    "browser.urlbar.suggest.searches": False,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.usage.uploadEnabled": False,
    "extensions.blocklist.enabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "geo.provider.network.url": "",
    "identity.fxaccounts.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "media.gmp-provider.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "network.prefetch-next": False,
    "network.trr.mode": 5,  # no names asked over HTTPS
    "security.certerrors.mitm.priming.enabled": False,
    "security.OCSP.enabled": 0,
    "security.remote_settings.crlite_filters.enabled": False,
    "security.remote_settings.intermediates.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.server": "data:,",
    # Whoever asks all the same asks `_Outside`
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.failover_direct": False,
}

# A phone keeps a notification until somebody touches it; Firefox's own fades after some seconds.
USER_CHROME = "#alertBox[animate]:not([clicked], [closing]) { animation: none !important; }"

CLICK = """
    const [title, body] = arguments;
    const found = [...Services.wm.getEnumerator("alert:alert")].filter(
        (window) =>
            window.gIsActive &&
            (title === null ||
                (window.document.getElementById("alertTitleLabel").value === title &&
                    window.document.getElementById("alertTextLabel").textContent === body)));
    if (found.length === 1) {
        found[0].document.getElementById("alertTitleLabel").click();
    }
    return found.length;
"""
URLS = """
    return [...Services.wm.getEnumerator("navigator:browser")].flatMap(
        (window) => window.gBrowser.tabs.map((tab) => tab.linkedBrowser.currentURI.spec));
"""
NOTIFICATIONS = """
    const registration = await navigator.serviceWorker.ready;
    return (await registration.getNotifications()).map(
        ({title, body, lang, tag, data}) => ({title, body, lang, tag, data}));
"""
PROBLEMS = """
    const storage = Cc["@mozilla.org/consoleAPI-storage;1"].getService(Ci.nsIConsoleAPIStorage);
    return [
        ...Services.console.getMessageArray()
            .filter((one) => one instanceof Ci.nsIScriptError)
            .filter((one) => one.category === "content javascript")
            .map((one) => `${one.errorMessage} ${one.sourceName}:${one.lineNumber}`),
        ...storage.getEvents()
            .filter((one) => one.innerID === "ServiceWorker")
            .map((one) => `service worker of ${one.ID}: ${one.level} ${[...one.arguments]}`),
    ];
"""


class _Outside:
    """Every proxy of this Firefox: it notes who was asked for, and hangs up."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.asked: list[str] = []
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed: over
                return
            with connection:
                connection.settimeout(1)
                try:
                    line = connection.recv(4096).split(b"\r\n")[0].decode("ascii", "replace")
                except OSError:
                    line = "a connection that said nothing"
                self.asked.append(line)  # before the answer: who hears it may look here at once
                with suppress(OSError):
                    connection.sendall(b"HTTP/1.1 502 Outside\r\nContent-Length: 0\r\n\r\n")

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


class Firefox:
    """One phone. What it knows is in `profile_dir`.

    Leaving it fails if a request to anywhere but this machine was tried.
    """

    def __init__(
        self,
        relay: PushRelay,
        profile_dir: Path,
        language: str = "en",
        timezone: str = "Asia/Kuala_Lumpur",
        prefs: Mapping[str, bool | int | str] | None = None,
    ) -> None:
        self._relay = relay
        self._profile = profile_dir
        self._language = language
        self._timezone = timezone
        self._prefs = dict(prefs or {})
        self._driver: Any = None
        self._process: subprocess.Popen[bytes] | None = None

    # Its life

    def __enter__(self) -> Firefox:
        self._outside = _Outside()
        try:
            self._write_profile()
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        code = None
        try:
            code = self._quit()
        finally:
            self._end()
        if kind is None:
            assert code == 0, CRASH
            assert self.outside == [], "Firefox asked somebody outside"

    @contextmanager
    def switched_off(self) -> Iterator[None]:
        """The phone is off meanwhile; afterwards it has no page open, and its profile still."""
        code = self._quit()
        self._kill()  # whatever is left of its processes
        assert code == 0, CRASH
        try:
            yield
        finally:
            self._start()

    def _write_profile(self) -> None:
        (self._profile / "chrome").mkdir(parents=True, exist_ok=True)
        (self._profile / "chrome" / "userChrome.css").write_text(USER_CHROME)
        prefs = {
            **PREFS,
            "dom.push.serverURL": self._relay.url,
            "intl.accept_languages": self._language,
            "network.proxy.http_port": self._outside.port,
            "network.proxy.ssl_port": self._outside.port,
            **self._prefs,
        }
        (self._profile / "user.js").write_text(
            "".join(
                f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
                for name, value in prefs.items()
            )
        )

    def _start(self) -> None:
        port_file = self._profile / "MarionetteActivePort"
        port_file.unlink(missing_ok=True)
        with (self._profile / "firefox.log").open("ab") as log:
            self._process = process = subprocess.Popen(
                [
                    "firefox-esr",
                    "--headless",
                    "--marionette",
                    "--remote-allow-system-access",  # clicks on notifications need it
                    "--no-remote",
                    "--profile",
                    str(self._profile),
                ],
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(self._profile),  # Firefox refuses a home of another user
                    "TMPDIR": str(self._profile),
                    "TZ": self._timezone,
                    "LANG": "C.UTF-8",
                    "MOZ_CRASHREPORTER_DISABLE": "1",
                    "MOZ_DISABLE_NONLOCAL_CONNECTIONS": "1",  # past the proxy: ends Firefox
                    "MOZ_HEADLESS": "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        def port() -> int:
            if process.poll() is not None:
                log = (self._profile / "firefox.log").read_text(errors="replace")
                raise RuntimeError(f"Firefox ended by itself:\n{log}")
            return int(port_file.read_text() or 0) if port_file.exists() else 0

        self._driver = Marionette(port=self._until(port, "Firefox's start", START))
        self._driver.start_session()

    def _quit(self) -> int | None:
        """As a person does, so that the profile is whole; the exit status, if it did end."""
        if self._driver is None or self._process is None:  # it never came up
            return None
        with suppress(OSError, MarionetteException, subprocess.TimeoutExpired):
            self._driver._send_message("Marionette:Quit", {"flags": ["eForceQuit"]})
            return self._process.wait(PATIENCE)
        return None

    def _kill(self) -> None:
        """Nothing of Firefox may outlive the test, whatever happened."""
        if self._driver is not None:
            self._driver.cleanup_ran = True  # or its finalizer speaks with a browser that is gone
            if self._driver.client is not None:
                self._driver.client.close()
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._driver = self._process = None

    def _end(self) -> None:
        self._kill()
        self._outside.close()

    # What page objects need

    def open(self, url: str) -> None:
        """In the tab at hand."""
        self._driver.navigate(url)

    def run(self, script: str, *args: Any) -> Any:
        """The body of a function in the page; its `arguments` are `args`."""
        return self._driver.execute_script(script, script_args=args, sandbox=None)

    def run_async(self, script: str, *args: Any, patience: float = PATIENCE) -> Any:
        """The same for an async function: it may `await`, and says what went wrong."""
        outcome = self._driver.execute_async_script(
            f"""
            const given = [...arguments];
            const done = given.pop();
            (async function () {{
                {script}
            }})(...given).then(
                (value) => done({{value: value === undefined ? null : value}}),
                (error) => done({{error: String(error)}}));
            """,
            script_args=args,
            sandbox=None,
            script_timeout=round(patience * 1000),
        )
        if "error" in outcome:
            raise RuntimeError(outcome["error"])
        return outcome["value"]

    def wait_for(self, css: str) -> None:
        """Until such an element can be seen."""
        self._shown(css)

    def click(self, css: str) -> None:
        """As a person does: the page has the right to ask for permissions by it."""
        self._shown(css).click()

    def text(self, css: str) -> str:
        return str(self._shown(css).text)

    def _shown(self, css: str) -> Any:
        def find() -> Any:
            try:
                element = self._driver.find_element(By.CSS_SELECTOR, css)
                return element if element.is_displayed() else None
            except (NoSuchElementException, StaleElementException):
                return None

        return self._until(find, f"{css} in {self._driver.get_url()}")

    def go_offline(self) -> None:
        """No network, this machine's own services included; the driver stays."""
        self._offline(True)

    def go_online(self) -> None:
        self._offline(False)

    def _offline(self, offline: bool) -> None:
        self._chrome("Services.io.offline = arguments[0];", offline)

    @property
    def outside(self) -> list[str]:
        """The requests to anywhere but this machine. None got there."""
        return self._outside.asked

    # Notifications and windows

    def notifications(self) -> list[dict[str, Any]]:
        """Those of the page's service worker that are still there, in no order."""
        found: list[dict[str, Any]] = self.run_async(NOTIFICATIONS)
        return found

    def wait_for_notifications(self, number: int) -> list[dict[str, Any]]:
        """Exactly so many."""

        def count() -> list[list[dict[str, Any]]]:
            found = self.notifications()
            return [found] if len(found) == number else []

        return self._until(count, f"{number} notifications")[0]

    def click_notification(self, tag: str | None = None) -> None:
        """Click the one with this tag, or the only one, on the window which Firefox shows it in.

        Without the system's service Firefox opens a small window of its own for each, whose click
        handler tells the notification service, which starts the service worker if it sleeps: the
        very way of a person's click, with the true notification and the right to open a window.
        The window does not know the tag, so it is found by title and body; two that look alike
        are refused.
        """
        title = body = None
        if tag is not None:
            found = [one for one in self.notifications() if one["tag"] == tag]
            assert found, f"no notification with the tag {tag}"
            title, body = found[0]["title"], found[0]["body"]

        number = self._until(
            lambda: self._chrome(CLICK, title, body), f"the window of a notification, tag {tag}"
        )
        assert number == 1, f"{number} notifications look alike: which one?"

    def current_urls(self) -> list[str]:
        """Of all tabs, the oldest first."""
        found: list[str] = self._chrome(URLS)
        return found

    def switch_to(self, part: str) -> None:
        """Go on in the tab whose URL has this part, once there is one."""

        def find() -> bool:
            for handle in self._driver.window_handles:
                self._driver.switch_to_window(handle)
                if part in self._driver.get_url():
                    return True
            return False

        self._until(find, f"a tab with {part}")

    def problems(self) -> list[str]:
        """What pages and service workers threw since the start.

        Of a service worker Firefox keeps that it threw, not the words; and of neither what they
        wrote to their console themselves.
        """
        found: list[str] = self._chrome(PROBLEMS)
        return found

    def _chrome(self, script: str, *args: Any) -> Any:
        """In the browser's own part, not the page."""
        with self._driver.using_context(Marionette.CONTEXT_CHROME):
            return self._driver.execute_script(script, script_args=args)

    def _until(self, look: Callable[[], Found], what: str, patience: float = PATIENCE) -> Found:
        """What `look` finds, as soon as that is true."""
        deadline = time.monotonic() + patience
        while not (found := look()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited in vain for {what}")
            time.sleep(PAUSE)
        return found

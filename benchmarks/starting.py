"""From the icon to Today and to the first item, on a slow phone whose browser was not running.

Lighthouse's phone, applied and not simulated: 150 ms a round trip, 1.6 Mbit/s, a processor four
times slower; a new connection costs two round trips more, as TCP and TLS 1.3 do. The phone has
been here before: the worker and what it keeps are on disk, nothing is in memory. Told is when the
largest part of the page stands, from the start of the navigation; five starts each, their median.
The reference is a hello written by hand, from the same server in the same run.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from _house import Person, build, serving
from _wire import Wire
from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright

STARTS = 5
TRIP, RATE, SLOWER = 0.150, 1_638_400 / 8, 4  # seconds, bytes per second, times
LARGEST = """() => new Promise((resolve) => {
  const told = (list) => list.getEntries().length && resolve(list.getEntries().pop().startTime);
  new PerformanceObserver(told).observe({ type: 'largest-contentful-paint', buffered: true });
})"""
READY = "form[data-questionnaire][data-ready]"


def start(playwright: Playwright, profile: Path) -> BrowserContext:
    """The browser, from its profile on disk."""
    return playwright.chromium.launch_persistent_context(
        str(profile),
        executable_path="/usr/bin/chromium",
        viewport={"width": 360, "height": 640},
        device_scale_factor=2,
        is_mobile=True,
        has_touch=True,
    )


def prepare(playwright: Playwright, profile: Path, person: Person, origin: str) -> None:
    """The person has opened the app once."""
    context = start(playwright, profile)
    context.add_cookies(
        [
            {"name": name, "value": value, "url": origin, "expires": 2**31}
            for name, value in person.cookies.items()
        ]
    )
    page = context.new_page()
    page.goto(f"{origin}/today")
    page.locator("[data-phone][data-ready]").wait_for(state="attached")
    page.wait_for_function("() => navigator.serviceWorker.controller !== null")
    page.evaluate(
        """async () => {
          const has = async () => await caches.match('/offline')
            && (await (await caches.open('sheets')).keys()).length;
          while (!(await has())) await new Promise((go) => setTimeout(go, 50));
        }"""
    )
    context.close()


def largest(page: Page, address: str, ready: str) -> float:
    """Seconds until the largest part of the page stood, and then that it answers."""
    wire = page.context.new_cdp_session(page)
    wire.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.goto(address)
    found: float = page.evaluate(LARGEST)
    page.locator(ready).first.wait_for(state="attached")
    return found / 1000


def main() -> int:
    good = True
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder, profile = Path(name), Path(name) / "profile"
        _library, (person,) = build(folder, ["ta"])
        with serving(folder) as port:
            wire = Wire(port, TRIP, RATE)
            prepare(playwright, profile, person, wire.origin)
            rows = (
                ("hello, by hand", "/hello", "h1", None),
                ("icon to Today", "/", ".card", 1.0),
                ("first item", f"/questionnaires/{person.fresh}/items/1", READY, 1.5),
            )
            print(f"{'median of ' + str(STARTS):20}{'seconds':>9}{'x hello':>9}   goal")
            hello = 1.0
            for label, path, ready, goal in rows:
                times = []
                for _ in range(STARTS):
                    context = start(playwright, profile)
                    times.append(largest(context.pages[0], wire.origin + path, ready))
                    context.close()
                median = statistics.median(times)
                hello = median if goal is None else hello
                line = f"{label:20}{median:9.2f}{median / hello:9.2f}"
                if goal is not None:
                    good = good and median <= goal
                    line += f"   <= {goal} s {'reached' if median <= goal else 'MISSED'}"
                print(line + ("   reference" if goal is None else ""), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""Wrong passwords, at addresses that open an account and at others: nobody hears a difference."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from flask import Flask

from tests.conftest import Site, TestClock, snapshot
from tests.pages import Browser
from tests.web.test_staff import EMAIL, Desk, desk

__all__ = ["desk"]


def told(app: Flask, clock: TestClock, email: str, waits: list[int]) -> list[tuple[int, str, Any]]:
    """What somebody hears who tries wrong passwords at an address, waiting so many minutes."""
    browser, found = Browser(app), []
    for minutes in waits:
        browser.get("/staff/sign-in")
        browser.response = browser.client.post(
            "/staff/sign-in",
            data={"csrf_token": browser.page.token(), "email": email, "password": "x" * 20},
            headers=browser.accept,
        )
        answer = browser.response
        headers = sorted(
            (name, value) for name, value in answer.headers if name != "Content-Length"
        )
        plain = re.sub(r'name="csrf_token" value="[^"]*"', "", answer.text)
        found.append((answer.status_code, plain, headers))
        clock.forward(minutes=minutes)
    return found


def test_nobody_finds_out_who_has_an_account(
    app: Flask, desk: Desk, web_site: Site, clock: TestClock
) -> None:
    """Byte by byte but for tokens, over days: waits, their growth, and when they are forgotten."""
    now = clock()
    waits = [0, 0, 0, 0, 0, 0, 1, 1, 2, 4, 9, 16, 16, 60, 0, 23 * 60, 0, 25 * 60, 0, 0, 0, 0, 0, 0]
    heard = []
    for email in (EMAIL, f" {EMAIL.upper()}", "nobody@hospital.example", "no address", "ünï"):
        with web_site.database.writing() as session:
            session.execute(sa.text("UPDATE staff SET failures=0, wait_until=NULL, failed_at=NULL"))
        clock.now = now
        heard.append(told(app, clock, email, waits))
    assert "wait" in str(heard[0])
    assert all(one == heard[0] for one in heard[1:])


def test_tries_at_unknown_addresses_are_forgotten_after_a_day(
    app: Flask, web_site: Site, clock: TestClock
) -> None:
    for day in range(3):
        told(app, clock, f"nobody{day}@hospital.example", [0] * 6 + [25 * 60])
    rows = snapshot(web_site.database)["staff_stranger"]
    assert len(rows) == 1
    assert "nobody" not in str(rows), "no address is kept"

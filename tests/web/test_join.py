"""Joining a phone: code, notice, PIN; and what happens with codes and PINs that are wrong."""

from __future__ import annotations

from flask import Flask

from tests.conftest import Site
from tests.pages import Browser


def test_a_participant_joins_and_sees_today(app: Flask, web_site: Site) -> None:
    person = web_site.enrol()
    web_site.open(person)
    browser = Browser(app)
    browser.join(person)
    assert browser.path == "/today"
    assert "There are 2 questionnaires for you" in browser.page.text

"""The recovery card: what a participant keeps in a drawer for a lost phone or a forgotten PIN.

A page to print on A6 that needs nothing but itself. It names no study, questionnaire or person:
the app's neutral name, the end of the study number, and the code.
"""

from __future__ import annotations

import re
from datetime import datetime
from gettext import translation
from zoneinfo import ZoneInfo

import segno
from babel.dates import format_date
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from pro_app.catalogues import CATALOGUES, compile_catalogues
from pro_app.config import ROOT

GROUP = 4  # characters that stand together


def card(
    link: str, address: str, code: str, number: str, language: str, until: datetime, zone: ZoneInfo
) -> str:
    """The card as an HTML page: `link` is behind its QR picture, `address` is to be typed, `until`
    is when the code dies."""
    compile_catalogues()
    words = translation("messages", str(CATALOGUES), [language], fallback=language == "en")
    room = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=True,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    room.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]
    day = "y年M月d日" if language == "zh_Hans" else "d MMM y"
    picture = segno.make(link, error="m").svg_inline(scale=4, border=4)
    return room.get_template(
        "card.html"
    ).render(
        html_language=language.replace("_", "-"),
        picture=Markup(picture),  # noqa: S704 (a drawing of squares)
        address=address,
        code=" ".join(re.findall(f".{{1,{GROUP}}}", code)),
        number_end=number[-2:],
        until=format_date(until.astimezone(zone), day, locale=language),
    )

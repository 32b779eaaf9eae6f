"""What the tests of proof packs share: a made-up questionnaire in two languages, and its walks."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from pro_app.catalogues import CATALOGUES
from pro_app.core.instruments import load_instrument
from pro_app.core.library import Library
from pro_app.core.study import LANGUAGES
from pro_app.core.wording import load_wording
from pro_app.proof.pack import Order
from pro_app.proof.screens import SIZES, Screen, Size, Walk
from pro_app.proof.stage import Stage
from pro_app.services.notices import Notices
from tests.core.toy import WORDING, write_toy

PHONE = SIZES[0]
SOON = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
MALAY = {
    "Choose one answer.": "Pilih satu jawapan.",
    "How often": "Berapa kerap",
    "In the past 4 weeks": "Dalam 4 minggu yang lalu",
    "Always": "Sentiasa",
    "Sometimes": "Kadang-kadang",
    "Never": "Tidak pernah",
    "Yes": "Ya",
    "No": "Tidak",
    "was it cold?": "adakah cuaca sejuk?",
    "was it warm?": "adakah cuaca panas?",
    "Is it over?": "Adakah ia sudah tamat?",
}


def made_library(folder: Path, **other: str) -> Library:
    """The toy alone, in English and Malay, below a folder; some Malay words replaced."""
    root = write_toy(folder)
    text = WORDING.replace('"en"', '"ms"')
    for english, translated in MALAY.items():
        text = text.replace(f'"{english}"', f'"{translated}"')
    for word, instead in other.items():
        assert text.count(word) == 1
        text = text.replace(word, instead)
    (root / "wording" / "ms.toml").write_text(text, encoding="utf-8")
    instrument = load_instrument(root)
    return Library(
        {"toy": instrument},
        {
            ("toy", one): load_wording(root / "wording" / f"{one}.toml", instrument)
            for one in ("en", "ms")
        },
    )


def content() -> dict[str, Any]:
    """The tests' study with the toy as its only instrument."""
    found = tomllib.loads((Path(__file__).parents[1] / "study.toml").read_text("utf-8"))
    visit = {**found["timepoints"][0], "instruments": ["toy"]}
    toy = {"code": "toy", "scorings": ["plain"]}
    return {**found, "instruments": [toy], "timepoints": [visit]}


def an_order(library: Library, *languages: str) -> Order:
    """An order for a pack of the toy in these languages."""
    return Order(
        content(), library, library.instruments["toy"],
        tuple(library.wordings["toy", one] for one in languages),
        Notices(CATALOGUES, LANGUAGES), SOON, release="1",
    )  # fmt: skip


def a_walk(
    browser: Browser,
    place: Stage,
    library: Library,
    language: str,
    size: Size = PHONE,
    tell: Callable[[Screen], None] = lambda _screen: None,
) -> Walk:
    """A walk through the toy."""
    wording = library.wordings["toy", language]
    return Walk(browser, place, library.instruments["toy"], wording, size, tell)


def pages(pdf: bytes) -> int:
    """How many pages a PDF of Chromium's has."""
    return len(re.findall(rb"/Type /Page\n", pdf))

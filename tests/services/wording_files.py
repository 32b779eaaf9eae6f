"""Templates of licensed wording as a program fills them in, with made-up sentences of ours."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping

import openpyxl
from openpyxl.workbook import Workbook

from pro_app.core.instruments import Instrument
from pro_app.core.wording import Wording, places
from pro_app.core.wording_template import COLUMNS
from pro_app.export import wording_template

DRINKS = {
    "ms": ["teh", "kopi", "air kelapa", "jus tembikai", "sirap", "susu", "soya", "barli"],
    "en": ["tea", "coffee", "coconut water", "juice", "syrup", "milk", "barley", "cocoa"],
    "zh_Hans": ["茶", "咖啡", "椰子水", "果汁", "糖水", "牛奶", "豆浆", "可可"],
    "ta": ["தேநீர்", "காபி", "இளநீர்", "பழச்சாறு", "பானகம்", "பால்", "மோர்", "கஞ்சி"],
}
PLACES = {
    "ms": ["rumah", "kedai", "taman", "pejabat", "pasar", "sekolah", "pantai", "kampung",
           "stesen", "ladang", "dewan", "kantin"],
    "en": ["house", "shop", "garden", "office", "market", "school", "park", "village",
           "station", "farm", "hall", "canteen"],
    "zh_Hans": ["家里", "商店", "花园", "公司", "市场", "学校", "海边", "村子", "车站", "农场",
                "大厅", "食堂"],
    "ta": ["வீட்டில்", "கடையில்", "பூங்காவில்", "அலுவலகத்தில்", "சந்தையில்", "பள்ளியில்",
           "கடற்கரையில்", "கிராமத்தில்", "நிலையத்தில்", "தோட்டத்தில்", "மண்டபத்தில்", "உணவகத்தில்"],
}  # fmt: skip
SENTENCES = {
    "ms": "Saya suka minum {drink} di {place} pada hari ini.",
    "en": "Today I like to drink {drink} in the {place}.",
    "zh_Hans": "今天我喜欢在{place}喝{drink}。",
    "ta": "நான் இன்று {place} {drink} குடிக்க விரும்புகிறேன்.",
}


def sentences(instrument: Instrument, language: str) -> dict[str, str]:
    """A sentence for each place of an instrument; no two are the same."""
    return {
        place: SENTENCES[language].format(
            drink=DRINKS[language][n % 8], place=PLACES[language][n // 8]
        )
        for n, place in enumerate(places(instrument))
    }


def workbook(
    instrument: Instrument,
    language: str,
    wording: Wording | None,
    texts: Mapping[str, object],
    change: Callable[[Workbook], object] | None = None,
) -> bytes:
    """The template as a workbook, filled in by openpyxl and then damaged by `change`."""
    data = wording_template.workbook(instrument, language, wording)
    book = openpyxl.load_workbook(io.BytesIO(data))
    sheet = book["wording"]
    for row in sheet.iter_rows(min_row=2):
        row[-1].value = texts[row[0].value]
    if change is not None:
        change(book)
    return saved(book)


def saved(book: Workbook) -> bytes:
    """The workbook's bytes."""
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def csv_file(
    instrument: Instrument,
    wording: Wording | None,
    texts: Mapping[str, str],
    delimiter: str = ",",
    change: Callable[[list[list[str]]], object] | None = None,
) -> str:
    """The template as CSV, filled in, and its rows then damaged by `change`."""
    data = wording_template.csv_file(instrument, wording).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(data, newline="")))
    for row in rows[1:]:
        row[-1] = texts[row[0]]
    if change is not None:
        change(rows)
    target = io.StringIO(newline="")
    csv.writer(target, delimiter=delimiter).writerows(rows)
    return target.getvalue()


def row_of(instrument: Instrument, key: str) -> int:
    """The row in which a place stands."""
    return places(instrument).index(key) + 2


def cell(instrument: Instrument, key: str, column: str = "text") -> str:
    """The name of a cell, such as F2."""
    return f"{'ABCDEF'[COLUMNS.index(column)]}{row_of(instrument, key)}"

"""A made-up instrument of another shape than those that are shipped, with made-up licensed texts:
five items, options of three and four, one of them reversed, a sum where more is worse."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

CODE = "vigour"
INSTRUMENT = """\
code = "vigour"
name = "Vigour 5"
version = "2"
rights = "ours"
minutes = 1
sources = ["a test"]
items = [
  { code = "V1", paper = "1", options = "degree", topic = "tired by noon" },
  { code = "V2", paper = "2", options = "degree", topic = "rested" },
  { code = "V3", paper = "3", options = "degree", topic = "small jobs" },
  { code = "V4", paper = "4", options = "degree", topic = "lying down", not_applicable = true },
  { code = "V5", paper = "5", options = "amount", topic = "moving about" },
]

[options.degree]
codes = [0, 1, 2, 3]
first = "not at all"
last = "very much"

[options.amount]
codes = [1, 2, 3]
first = "less"
last = "more"

[[sections]]
code = "main"
recall = "past_4_weeks"
items = ["V1", "V2", "V3", "V4"]

[[sections]]
code = "end"
recall = "none"
items = ["V5"]
"""
SCORING = """\
[vigour]
title = "Vigour scores"
sources = ["a test"]

[[vigour.recodes]]
items = ["V1", "V3", "V4"]
values = { 0 = 0, 1 = 1, 2 = 2, 3 = 3 }

[[vigour.recodes]]
items = ["V2"]
values = { 0 = 3, 1 = 2, 2 = 1, 3 = 0 }

[[vigour.recodes]]
items = ["V5"]
values = { 1 = 1, 2 = 2, 3 = 3 }

[[vigour.scales]]
code = "BURDEN"
name = "burden"
items = ["V1", "V2", "V3", "V4"]
raw = "sum"
reported = "raw"
minimum = 3
lowest = 0
highest = 12
direction = "higher_worse"

[[vigour.scales]]
code = "MOVING"
name = "moving about"
items = ["V5"]
raw = "mean"
minimum = 1
lowest = 1
highest = 3
direction = "higher_better"
"""
PLACES = (
    "instruction", "recalls.main", "options.degree.0", "options.degree.1", "options.degree.2",
    "options.degree.3", "options.amount.1", "options.amount.2", "options.amount.3", "items.V1",
    "items.V2", "items.V3", "items.V4", "items.V5",
)  # fmt: skip
_TEXTS = {
    "en": (
        "Think of the past four weeks. For each sentence, choose what fits best.",
        "In the past four weeks",
        "Not at all", "A little", "Quite a lot", "Very much",
        "Less than before", "The same as before", "More than before",
        "I was tired by noon.",
        "I woke up rested.",
        "Small jobs wore me out.",
        "I had to lie down during the day.",
        "Compared with last month, I moved about:",
    ),
    "ms": (
        "Fikirkan empat minggu yang lalu. Bagi setiap ayat, pilih yang paling sesuai.",
        "Dalam empat minggu yang lalu",
        "Tidak langsung", "Sedikit", "Agak banyak", "Sangat banyak",
        "Kurang daripada dahulu", "Sama seperti dahulu", "Lebih daripada dahulu",
        "Menjelang tengah hari saya sudah penat.",
        "Saya bangun tidur dengan rasa segar.",
        "Kerja kecil pun meletihkan saya.",
        "Saya terpaksa berbaring pada waktu siang.",
        "Berbanding dengan bulan lalu, saya bergerak:",
    ),
    "zh_Hans": (
        "请回想过去四周。每句话请选最合适的一项。",
        "在过去四周里",
        "完全没有", "有一点", "比较多", "非常多",
        "比以前少", "和以前一样", "比以前多",
        "到了中午我就累了。",
        "我醒来时觉得休息够了。",
        "一点小事就让我疲倦。",
        "白天我得躺下来休息。",
        "与上个月相比，我的活动：",
    ),
    "ta": (
        "கடந்த நான்கு வாரங்களை நினைத்துப் பாருங்கள். ஒவ்வொரு வாக்கியத்துக்கும் மிகப் பொருத்தமானதைத் தேர்ந்தெடுங்கள்.",
        "கடந்த நான்கு வாரங்களில்",
        "சிறிதும் இல்லை", "கொஞ்சம்", "ஓரளவு அதிகம்", "மிக அதிகம்",
        "முன்பைவிடக் குறைவு", "முன்பு போலவே", "முன்பைவிட அதிகம்",
        "நண்பகலுக்குள் எனக்குச் சோர்வு வந்தது.",
        "தூங்கி எழுந்தபோது புத்துணர்ச்சியாக இருந்தது.",
        "சிறு வேலைகளே என்னைக் களைப்படையச் செய்தன.",
        "பகலில் நான் படுத்து ஓய்வெடுக்க வேண்டியிருந்தது.",
        "கடந்த மாதத்துடன் ஒப்பிட்டால், நான் நடமாடியது:",
    ),
}  # fmt: skip
TEXTS: Mapping[str, Mapping[str, str]] = {
    language: dict(zip(PLACES, texts, strict=True)) for language, texts in _TEXTS.items()
}
STUDY = """\
code = "vigorous"
status = "{status}"
zone = "Asia/Kuala_Lumpur"
languages = ["ms", "en", "zh_Hans", "ta"]
number_pattern = '\\d{{2}}-\\d{{3}}'
grace_minutes = 120
skipping = true

[name]
ms = "Kajian Tenaga"
en = "Vigour Study"
zh_Hans = "活力研究"
ta = "உற்சாக ஆய்வு"

[contact]
telephone = "03-7967 1234"
emergency = "999"

[[sites]]
code = "01"
name = "Here"

[[instruments]]
code = "vigour"
scorings = ["vigour"]

[[timepoints]]
code = "start"
label = {{ ms = "Permulaan", en = "Start", zh_Hans = "开始", ta = "ஆரம்பம்" }}
instruments = ["vigour"]
anchor = "enrolment"
offset = {{ days = 0 }}
before_days = 0
after_days = 7
opens = "00:00"
closes = "23:00"

[notice]
version = "1"
approval = "MREC 2026-123"
ms = [{{ heading = "Apa yang dikumpul", text = "Jawapan anda." }}]
en = [{{ heading = "What we collect", text = "Your answers." }}]
zh_Hans = [{{ heading = "我们收集什么", text = "您的回答。" }}]
ta = [{{ heading = "நாங்கள் சேகரிப்பது", text = "உங்கள் பதில்கள்." }}]
"""


def write(folder: Path) -> Path:
    """Write the instrument below `folder`, without any wording."""
    own = folder / CODE
    own.mkdir()
    (own / "instrument.toml").write_text(INSTRUMENT, "utf-8")
    (own / "scoring.toml").write_text(SCORING, "utf-8")
    return own

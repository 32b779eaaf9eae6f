"""The staff's style sheet: what a selector says of a property is said once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from pro_app.config import ROOT

RULE = re.compile(r"([^{};]+)\{([^{}]*)\}")
MEDIA = re.compile(r"(@[^{;]+)\{((?:[^{}]*\{[^{}]*\})*[^{}]*)\}")
COMMA = re.compile(r",(?![^(]*\))")  # between selectors, not inside one


def said(text: str) -> Iterator[tuple[str, str, str]]:
    """Each property that a sheet sets: under which condition, for which selector."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    for condition, rules in MEDIA.findall(text):
        yield from _of_rules(" ".join(condition.split()), rules)
    yield from _of_rules("", MEDIA.sub("", text))


def _of_rules(condition: str, text: str) -> Iterator[tuple[str, str, str]]:
    for selectors, body in RULE.findall(text):
        names = [one.partition(":")[0].strip() for one in body.split(";") if ":" in one]
        for selector in COMMA.split(selectors):
            for name in dict.fromkeys(names):  # once: older browsers need two values of one rule
                yield condition, " ".join(selector.split()), name


def test_the_sheet_is_read_as_a_browser_reads_it() -> None:
    text = (
        "/* a {b: c} */ .a, .b:is(.c, .d) { x: 1; x: 2; y: 3; }"
        "@media (p) { .a { x: 3 } } .a { x: 4; }"
    )
    assert list(said(text)) == [
        ("@media (p)", ".a", "x"), ("", ".a", "x"), ("", ".a", "y"),
        ("", ".b:is(.c, .d)", "x"), ("", ".b:is(.c, .d)", "y"), ("", ".a", "x"),
    ]  # fmt: skip


def test_no_room_says_again_what_another_has_said() -> None:
    text = (ROOT / "static/css/staff.css").read_text("utf-8")
    twice = [place for place, count in Counter(said(text)).items() if count > 1]
    assert twice == [], "the later one overrules the first, which only misleads"

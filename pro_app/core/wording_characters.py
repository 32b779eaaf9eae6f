"""The characters of a licensed text: what no page may show, and what was left to be replaced."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

from pro_app.core.wording_faults import number_of
from pro_app.core.wording_scripts import Found

MOST_CHARACTERS = 1_000  # of a text
PLACEHOLDERS = (  # how each is told, and what it looks like
    ("{...}", re.compile(r"\{[^{}]*\}")),
    ("<...>", re.compile(r"<[^<>]+>")),
    ("[...]", re.compile(r"\[[^\[\]]*\]")),
    ("%s", re.compile(r"%(\(\w+\))?[sdif](?![A-Za-z])")),
    ("&...;", re.compile(r"&(#\w+|[a-z]+);", re.IGNORECASE)),
    ("TODO", re.compile(r"(?<![A-Za-z])(TODO|TBD|TBC|FIXME)(?![A-Za-z])")),
    ("xxx", re.compile(r"(?<![a-z])x{3,}(?![a-z])", re.IGNORECASE)),
    ("lorem ipsum", re.compile(r"lorem\s+ipsum", re.IGNORECASE)),
    ("___", re.compile(r"_{2,}")),
    ("???", re.compile(r"[?？]{3,}")),
)
LINE_BREAKS = frozenset("\n\r\v\f\x85\u2028\u2029")
JOINERS = frozenset("\u200c\u200d")  # Tamil is written with them
NEGATIVE = re.compile(r"(?<!\w)-(?=\d)")  # a hyphen that is a minus sign
LOST = "\ufffd"
# UTF-8 that was read as Windows-1252: a letter for the first byte, then what no word has
_LATER = "[\u0080-\u00bfŒœŠšŸŽžƒˆ˜–—‘’‚“”„†‡•…‰‹›€™]"
GARBLED = re.compile(f"[ÂÃ]{_LATER}|[à-ï]{_LATER}{{2}}")
# how a workbook writes a character that its XML cannot hold
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def character_faults(text: str, language: str) -> Iterator[Found]:
    """What is wrong with the characters of a text that is not empty; each code once."""
    if _is_space(text[0]) or _is_space(text[-1]):
        yield "outer_space", {}
    if any(_is_space(one) and _is_space(after) for one, after in pairwise(text)):
        yield "double_space", {}
    if not unicodedata.is_normalized("NFC", text):
        yield "not_nfc", {}
    told = set()
    for character in text:
        code = _fault_of(character, language)
        if code is not None and code not in told:
            told.add(code)
            yield code, {"character": number_of(character)} if code != "line_break" else {}
    if escaped := ESCAPED.search(text):
        yield "control", {"character": f"U+{escaped[1].upper()}"}
    if LOST not in text and (garbled := GARBLED.search(text)):
        yield "garbled", {"character": number_of(garbled[0][0])}


def _is_space(character: str) -> bool:
    return unicodedata.category(character) == "Zs" or character == "\t"


def _fault_of(character: str, language: str) -> str | None:
    if character in LINE_BREAKS:
        return "line_break"
    if character == LOST:
        return "garbled"
    category = unicodedata.category(character)
    if category == "Cc":
        return "control"
    if category == "Cf":
        return None if language == "ta" and character in JOINERS else "invisible"
    return "unusual" if category in ("Cn", "Co", "Cs") else None


def placeholder(text: str) -> str | None:
    """The sign of the first kind of placeholder in a text, if there is any."""
    return next((sign for sign, pattern in PLACEHOLDERS if pattern.search(text)), None)


def folded(text: str) -> str:
    """A text by its letters, digits and symbols alone, to find texts that are nearly the same."""
    plain = NEGATIVE.sub("\u2212", unicodedata.normalize("NFC", text).casefold())
    return "".join(one for one in plain if unicodedata.category(one)[0] in "LMNS")

"""What every screen is looked at for, by `checks.js` in the page itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("checks.js")

# by name, as the script has them: what holds where a screen has passed
CHECKS: Mapping[str, str] = {
    "sideways": "The page does not scroll sideways.",
    "cut": "No text is cut off by its box.",
    "edge": "No text leaves its row, its button or the screen.",
    "broken": "No word is broken over two lines. (In enlarged text this is only noted: a word that "
    "is longer than its line goes on in the next one, and nothing is lost.)",
    "options": "Every option is there, can be reached and tapped, is at least 48 px high, and all "
    "are equally wide.",
    "buttons": "Every button can be reached and tapped.",
    "glyphs": "The screen's fonts have every letter.",
    "language": "Every text is marked with its language.",
    "wording": "Every text on the screen is exactly the wording's.",
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What a screen must show: texts by CSS selector, in order, in a language as HTML names it; and
    the number of options to choose from, if it has any."""

    language: str
    texts: tuple[tuple[str, tuple[str, ...]], ...]
    options: int | None = None

    def told(self) -> dict[str, object]:
        """As the script takes it."""
        texts: list[tuple[str, Sequence[str]]] = [(one, list(many)) for one, many in self.texts]
        return {"language": self.language, "texts": texts, "options": self.options}


@dataclass(frozen=True, slots=True)
class Fault:
    """A check that a screen failed, and what failed it. No text of a wording is quoted: faults are
    also written where licensed texts must not be."""

    check: str
    detail: str


def sorted_out(
    found: Sequence[Sequence[str]], text: int
) -> tuple[tuple[Fault, ...], tuple[Fault, ...]]:
    """What the script found, each once with its number: the faults, and what is only noted at this
    text size (in hundredths)."""
    counted = Counter((check, detail) for check, detail in found)
    each = [
        (Fault(check, detail if times == 1 else f"{detail} ({times} times)"))
        for (check, detail), times in counted.items()
    ]
    noted = [one for one in each if one.check == "broken" and text > 100]
    return tuple(one for one in each if one not in noted), tuple(noted)

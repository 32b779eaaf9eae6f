"""A JSON file that other programs made, read strictly: every fault has its path in the file.

Pure, and careful with what it reads: nothing of the file's texts is ever part of a fault.
"""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

MOST_BYTES = 2_000_000
DEEPEST = 40  # objects and lists within each other; a Questionnaire of ours has about 15
HIDDEN = "(hidden)"

REASONS: Mapping[str, str] = {  # what can be wrong with a file, by its code
    "empty": "is empty",
    "too_large": "has more than {most:,} bytes",
    "encoding": "is not UTF-8",
    "not_json": "is no JSON: line {line}, column {column}",
    "too_deep": "has more than {most} levels",
    "key_twice": "the key {key} is there twice",
    "surrogate": "holds half of a character",
    "kind": "must be {wanted}",
    # of a FHIR Questionnaire, see services.fhir_wording
    "resource": "is {found}, not a Questionnaire",
    "release": "is of FHIR {found}, not of R4",
    "unknown_instrument": (
        "no questionnaire of this installation is called so; one cannot be added from FHIR, which "
        "tells nothing of its scoring"
    ),
    "instrument": "is {found}, not {wanted}",
    "unsupported": "{field} cannot be taken over; the answers and texts must stand in the item",
    "link_missing": "{link} is missing",
    "link_unknown": "the definition has no {link}",
    "link_twice": "{link} is there twice",
    "link_elsewhere": "{link} belongs to another group",
    "link_order": "stands where {wanted} should stand",
    "type": "is of type {found}, the definition says {wanted}",
    "prefix": "is numbered {found}, the definition says {wanted}",
    "group_text": "a group has no text of its own here; lead-ins and recall periods are items",
    "not_applicable": "says {found} to “not applicable”, the definition says {wanted}",
    "recall": "asks about {found}, the definition says {wanted}",
    "option_count": "has {found} options, the definition {wanted}",
    "option_code": "has the option {found} where the definition has {wanted}",
    "option_twice": "the option {found} is there twice",
    "option_order": "has the options in another order than the definition",
    "option_kind": "an option must be a valueCoding with a code and a display",
    "option_set": "has options of the set {found}, the definition says {wanted}",
    "ordinal": "the figure of option {code} is not its code",
    "option_differs": "the text of option {code} in {language} is not the one that {first} has",
    "text_missing": "has no text",
    "text_empty": "has an empty text",
    "language_missing": "does not say its language",
    "language_unknown": "the language {found} is none of {known}",
    "language_twice": "is there twice in {language}",
    "translation": "a translation must have one language and one content",
    "translation_missing": "is not there in {language}",
}


class Fault(NamedTuple):
    """What is wrong: at which path of the file ("": the whole file), at which link id of the
    Questionnaire ("": none). `code` is one of REASONS; `about` are the values it names."""

    path: str
    link: str
    code: str
    about: tuple[tuple[str, str | int], ...] = ()

    @property
    def reason(self) -> str:
        """What is wrong, in English."""
        return REASONS[self.code].format(**dict(self.about))

    def __str__(self) -> str:
        link = f" ({self.link})" if self.link else ""
        return f"{self.path or 'the file'}{link}: {self.reason}"


class Refused(Exception):
    """A file that cannot be taken over; `faults` are all that were found, in its order."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = faults


def fault(path: str, link: str, code: str, /, **about: str | int) -> Fault:
    """A fault with the values that its sentence names."""
    return Fault(path, link, code, tuple(about.items()))


def shown(value: object) -> str:
    """A code or number of the file as it can be shown; a text could be a licensed one."""
    text = str(value)
    return text if re.fullmatch(r"[A-Za-z0-9._:|-]{1,60}", text) else HIDDEN


class _Object(dict[str, Any]):
    """An object of the file that remembers which of its keys came twice."""

    doubled: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    made = _Object(pairs)
    if len(made) < len(pairs):
        counted = Counter(key for key, _ in pairs)
        made.doubled = tuple(key for key, count in counted.items() if count > 1)
    return made


def read(data: bytes) -> Any:
    """The value of a file's bytes. Raises Refused."""
    if len(data) > MOST_BYTES:
        raise Refused((fault("", "", "too_large", most=MOST_BYTES),))
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused((fault("", "", "encoding"),)) from error
    if not text.strip():
        raise Refused((fault("", "", "empty"),))
    if _depth(text) > DEEPEST:
        raise Refused((fault("", "", "too_deep", most=DEEPEST),))
    try:
        found = json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        place = {"line": error.lineno, "column": error.colno}
        raise Refused((fault("", "", "not_json", **place),)) from error
    except ValueError as error:  # NaN, or a number of thousands of digits
        raise Refused((fault("", "", "kind", wanted="JSON with numbers that are some"),)) from error
    if faults := tuple(_faults(found, "")):
        raise Refused(faults)
    return found


def _depth(text: str) -> int:
    """How many objects and lists stand within each other, told before anything is built."""
    deepest = depth = 0
    # a text without an end reaches to the file's, so that nothing is looked at twice
    for one in re.finditer(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', text, re.DOTALL):
        mark = one.group()
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _no_number(_name: str) -> None:
    raise ValueError("no number of JSON")


def _faults(value: Any, path: str) -> Iterator[Fault]:
    """Keys that came twice, and texts that are none."""
    if isinstance(value, _Object):
        for key in value.doubled:
            yield fault(path, "", "key_twice", key=shown(key))
        for key, one in value.items():
            yield from _faults(one, below(path, key))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from _faults(one, f"{path}[{place}]")
    elif isinstance(value, str) and any("\ud800" <= one <= "\udfff" for one in value):
        yield fault(path, "", "surrogate")


def below(path: str, key: str) -> str:
    """The path of a key of what stands at `path`."""
    return f"{path}.{shown(key)}" if path else shown(key)

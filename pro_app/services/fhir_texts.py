"""The texts of a FHIR resource in all their languages, and the faults found while they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pro_app.core.json_file import Fault, below, fault, shown
from pro_app.export.fhir_terms import TRANSLATION

# the languages, by the tags that tools write; looked up in small letters
TAGS: Mapping[str, str] = {
    "ms": "ms",
    "en": "en",
    "zh-hans": "zh_Hans",
    "zh-cn": "zh_Hans",
    "ta": "ta",
}
KNOWN = "ms, en, zh-Hans, zh-CN, ta"
DEFINITIONS = "/fhir/StructureDefinition/"  # in the addresses of our own extensions


class Texts:
    """What was found so far: `texts` and their `paths` in the file by language and place, and
    the `faults`, each once. `language` is the resource's own, "" where it does not say."""

    def __init__(self) -> None:
        self.faults: dict[Fault, None] = {}
        self.texts: dict[str, dict[str, str]] = {}
        self.paths: dict[str, dict[str, str]] = {}
        self.language = ""
        self._unknown: set[str] = set()  # tags already told of
        self._first: dict[str, str] = {}  # the link at which a place's text was first

    def add(self, path: str, link: str, code: str, /, **about: str | int) -> None:
        """Put a fault down."""
        self.faults[fault(path, link, code, **about)] = None

    def tag(self, value: object, path: str, link: str) -> str:
        """The language of a tag; "" and a fault where it is none of ours."""
        found = TAGS.get(value.lower(), "") if isinstance(value, str) else ""
        if not found and str(value) not in self._unknown:
            self._unknown.add(str(value))
            self.add(path, link, "language_unknown", found=shown(value), known=KNOWN)
        return found

    def text(self, one: Mapping[str, Any], name: str, path: str, link: str, place: str) -> None:
        """Take over a text with its translations; without a place they are only looked at."""
        at = below(path, name)
        if name not in one:
            self.add(at, link, "text_missing")
        if self.language:
            self._keep(self.language, place, one.get(name), at, link)
        companion = one.get(f"_{name}", {})
        if not isinstance(companion, dict):
            self.add(below(path, f"_{name}"), link, "kind", wanted="an object")
            return
        seen = {self.language}
        for at, text in self._translations(companion, below(path, f"_{name}"), link):
            language = self.tag(text["lang"], at, link)
            if language and language in seen:
                self.add(at, link, "language_twice", language=language)
            elif language:
                seen.add(language)
                self._keep(language, place, text["content"], at, link)

    def _translations(
        self, companion: Mapping[str, Any], path: str, link: str
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """The translations of a text with their paths, each with `lang` and `content`."""
        for place, one in self.extensions(companion, path, link):
            if one.get("url") != TRANSLATION:
                continue
            at, found = f"{path}.extension[{place}]", list(parts(one))
            if sorted(key for key, _ in found) == ["content", "lang"]:
                yield at, dict(found)
            else:
                self.add(at, link, "translation")

    def _keep(self, language: str, place: str, text: object, path: str, link: str) -> None:
        """Keep a text of a place; what was there before, an option's, must have been the same."""
        if place:
            self.paths.setdefault(language, {}).setdefault(place, path)
        if text is None:  # told of already
            return
        if not isinstance(text, str):
            self.add(path, link, "kind", wanted="a text")
        elif not text.strip():
            self.add(path, link, "text_empty")
        elif place:
            first = self._first.setdefault(place, link)
            if self.texts.setdefault(language, {}).setdefault(place, text) != text:
                code = place.rpartition(".")[2]
                about = {"code": code, "language": language, "first": first}
                self.add(path, link, "option_differs", **about)

    def refuse(self, one: Mapping[str, Any], fields: tuple[str, ...], path: str, link: str) -> None:
        """Refuse the fields of an element that cannot be taken over."""
        for field in fields:
            if field in one:
                self.add(below(path, field), link, "unsupported", field=field)

    def extensions(
        self, one: Mapping[str, Any], path: str, link: str
    ) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The extensions of an element, with their places in its list."""
        found = one.get("extension", [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            self.add(below(path, "extension"), link, "kind", wanted="a list of extensions")
            return
        yield from enumerate(found)

    def ours(self, one: Mapping[str, Any], name: str, value: str, path: str, link: str) -> object:
        """The value of an extension of ours; None where it is not there."""
        for _, extension in self.extensions(one, path, link):
            if str(extension.get("url", "")).endswith(DEFINITIONS + name):
                return extension.get(value)
        return None


def parts(extension: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The parts of an extension that has several: their names and values."""
    found = extension.get("extension")
    for one in found if isinstance(found, list) else ():
        if isinstance(one, dict):
            values = [value for key, value in one.items() if key.startswith("value")]
            yield str(one.get("url")), values[0] if len(values) == 1 else None

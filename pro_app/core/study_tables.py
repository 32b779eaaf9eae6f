"""Tables of a study file, read strictly: what is missing, unknown or of another kind is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pro_app.core.instruments import DefinitionError

_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class Tables:
    """The tables of one study file; every refusal says where."""

    def __init__(self, file: str) -> None:
        self.file = file

    def refuse(self, place: str, reason: str) -> DefinitionError:
        return DefinitionError(self.file, place, reason)

    def table(self, content: Any, place: str, keys: set[str], optional: set[str]) -> dict[str, Any]:
        if not isinstance(content, dict):
            raise self.refuse(place, "must be a table")
        for key in sorted(keys - content.keys()):
            raise self.refuse(f"{place}.{key}".lstrip("."), "is missing")
        for key in sorted(content.keys() - keys - optional):
            raise self.refuse(f"{place}.{key}".lstrip("."), "is not known")
        return content

    def value(self, table: Mapping[str, Any], key: str, kind: type, place: str = "") -> Any:
        found = table[key]
        if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
            wanted = {str: "text", int: "a whole number", bool: "true or false", list: "a list"}
            raise self.refuse(f"{place}.{key}".lstrip("."), f"must be {wanted[kind]}")
        if found == "":
            raise self.refuse(f"{place}.{key}".lstrip("."), "is empty")
        return found

    def texts(self, content: Any, languages: tuple[str, ...], place: str) -> dict[str, str]:
        """One text for every language of the study."""
        table = self.table(content, place, set(languages), set())
        return {language: self.value(table, language, str, place) for language in languages}

    def codes(self, table: Mapping[str, Any], key: str, place: str = "") -> list[str]:
        found: list[Any] = self.value(table, key, list, place)
        if not all(isinstance(one, str) for one in found):
            raise self.refuse(f"{place}.{key}".lstrip("."), "must be a list of texts")
        return found

    def tables(self, content: Mapping[str, Any], key: str, within: str) -> list[Any]:
        found = self.value(content, key, list, within)
        place = f"{within}.{key}".lstrip(".")
        if not found:
            raise self.refuse(place, "needs at least one")
        codes = [entry.get("code") for entry in found if isinstance(entry, dict)]
        for code in codes:
            if code is not None and codes.count(code) > 1:
                raise self.refuse(place, f"two entries have the code {code!r}")
        return list(found)

    def code(self, table: Mapping[str, Any], place: str) -> str:
        code: str = self.value(table, "code", str, place)
        if not _CODE.fullmatch(code):
            raise self.refuse(
                f"{place}.code".lstrip("."), "only small letters, digits, _ and -, at most 40"
            )
        return code

    def entries(
        self, content: Mapping[str, Any], key: str, within: str = ""
    ) -> list[tuple[str, Any]]:
        found = self.tables(content, key, within)
        return [(f"{within}.{key}[{n}]".lstrip("."), one) for n, one in enumerate(found, 1)]

    def number(
        self,
        table: Mapping[str, Any],
        key: str,
        place: str,
        least: int,
        most: int,
        default: int | None = None,
    ) -> int:
        if key not in table and default is not None:
            return default
        found: int = self.value(table, key, int, place)
        if not least <= found <= most:
            raise self.refuse(f"{place}.{key}", f"must be between {least} and {most}")
        return found

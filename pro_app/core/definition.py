"""Reading TOML definitions strictly: values typed, keys known, every fault with its place."""

from __future__ import annotations

import hashlib
import json
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

Value = TypeVar("Value")

# Figures of scorings are short decimals; the limits keep a slip of the pen (1e999999) from
# filling the memory when it is turned into an exact fraction.
LARGEST_FIGURE = 1_000_000
MOST_DECIMALS = 12

WHOLE_FILE = "(whole file)"


class DefinitionError(Exception):
    """A definition file that must not be used.

    `file` is its path, `place` the dotted key inside it, `reason` says what is wrong in one
    sentence. `str()` gives "file: place: reason".
    """

    def __init__(self, file: str, place: str, reason: str) -> None:
        super().__init__(file, place, reason)
        self.file = file
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.file}: {self.place}: {self.reason}"


class Table:
    """One TOML table while it is read: knows its file and place and which keys were asked for.

    Every getter raises `DefinitionError` when the key is missing or of another type. `done()` is
    called at the end and refuses the keys that nobody asked for: they are typing errors.
    """

    def __init__(self, file: str, place: str, data: dict[str, object]) -> None:
        self.file = file
        self.place = place
        self.data = data
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def __iter__(self) -> Iterator[str]:
        """The keys as written, for tables whose keys are codes."""
        return iter(self.data)

    def at(self, key: str) -> str:
        """The dotted place of a key of this table."""
        return f"{self.place}.{key}" if self.place else key

    def fault(self, key: str, reason: str) -> DefinitionError:
        """The error to raise about one key of this table (or about the table, for an empty key)."""
        return DefinitionError(
            self.file, (self.at(key) if key else self.place) or WHOLE_FILE, reason
        )

    def _get(self, key: str) -> object:
        self._asked.add(key)
        if key not in self.data:
            raise self.fault(key, "is missing")
        return self.data[key]

    def text(self, key: str) -> str:
        """A text that is not blank."""
        value = self._get(key)
        if not isinstance(value, str):
            raise self.fault(key, f"must be a text, not {_shown(value)}")
        if not value.strip():
            raise self.fault(key, "is empty")
        return value

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        """A text out of a short list."""
        value = self.text(key)
        if value not in allowed:
            raise self.fault(key, f'"{value}" is not one of {", ".join(allowed)}')
        return value

    def flag(self, key: str, default: bool) -> bool:
        """true or false; the default where the key is absent."""
        if key not in self.data:
            return default
        value = self._get(key)
        if not isinstance(value, bool):
            raise self.fault(key, f"must be true or false, not {_shown(value)}")
        return value

    def integer(self, key: str) -> int:
        """A whole number."""
        return whole(self._get(key), self.file, self.at(key))

    def number(self, key: str) -> Fraction:
        """A finite decimal number, exact."""
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self.fault(key, f"must be a number, not {_shown(value)}")
        if isinstance(value, Decimal):
            if not value.is_finite():
                raise self.fault(key, f"must be a finite number, not {_shown(value)}")
            exponent = value.as_tuple().exponent
            if isinstance(exponent, int) and exponent < -MOST_DECIMALS:
                raise self.fault(key, f"has more than {MOST_DECIMALS} decimals")
        if not -LARGEST_FIGURE <= value <= LARGEST_FIGURE:
            raise self.fault(key, f"is beyond {LARGEST_FIGURE}")
        return Fraction(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, at least one."""
        return tuple(self._list(key, str, "texts"))

    def integers(self, key: str) -> tuple[int, ...]:
        """A list of whole numbers, at least one."""
        values = self._list(key, object, "whole numbers")
        return tuple(
            whole(value, self.file, f"{self.at(key)}[{n}]") for n, value in enumerate(values, 1)
        )

    def table(self, key: str) -> Table:
        """A table inside this one."""
        value = self._get(key)
        if not isinstance(value, dict):
            raise self.fault(key, f"must be a table, not {_shown(value)}")
        return Table(self.file, self.at(key), value)

    def tables(self, key: str) -> list[Table]:
        """A list of tables, at least one; each gets the place key[n], counted from 1."""
        values = self._list(key, dict, "tables")
        return [
            Table(self.file, f"{self.at(key)}[{n}]", value) for n, value in enumerate(values, 1)
        ]

    def _list(self, key: str, kind: type[Value], meaning: str) -> list[Value]:
        value = self._get(key)
        if not isinstance(value, list) or not value:
            raise self.fault(key, f"must be a list of {meaning}, at least one")
        for n, one in enumerate(value, 1):
            if not isinstance(one, kind):
                raise self.fault(f"{key}[{n}]", f"must be one of {meaning}, not {_shown(one)}")
        return value

    def done(self) -> None:
        """Refuse the keys that nobody asked for."""
        for key in self.data:
            if key not in self._asked:
                raise self.fault(key, "is not a key known here")


def whole(value: object, file: str, place: str) -> int:
    """The value as a whole number, or `DefinitionError`; true and false are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise DefinitionError(file, place, f"must be a whole number, not {_shown(value)}")
    if abs(value) > LARGEST_FIGURE:
        raise DefinitionError(file, place, f"is beyond {LARGEST_FIGURE}")
    return value


def _shown(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return json.dumps(value, ensure_ascii=False, default=str)


def read_toml(path: Path) -> Table:
    """The file as a table; numbers with a point stay exact. `DefinitionError` on a fault."""
    try:
        data = tomllib.loads(path.read_bytes().decode("utf-8"), parse_float=Decimal)
    except OSError as error:
        raise DefinitionError(str(path), WHOLE_FILE, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DefinitionError(
            str(path), WHOLE_FILE, f"is not UTF-8 (byte {error.start + 1})"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(str(path), WHOLE_FILE, f"is not valid TOML: {error}") from error
    return Table(str(path), "", data)


def unique(codes: Iterable[str], file: str, place: str) -> None:
    """Refuse a code that comes twice in a list."""
    seen: set[str] = set()
    for code in codes:
        if code in seen:
            raise DefinitionError(file, place, f'"{code}" is there twice')
        seen.add(code)


def frozen(mapping: Mapping[str, Value]) -> Mapping[str, Value]:
    """A read-only copy."""
    return MappingProxyType(dict(mapping))


def canonical_json(value: object) -> str:
    """One text for one meaning: keys sorted, no spaces, NFC, exact numbers as "p/q"."""
    return json.dumps(_canonical(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _canonical(value: object) -> object:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | Decimal | Fraction):
        return str(Fraction(value))
    if isinstance(value, Mapping):
        return {str(_canonical(key)): _canonical(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(one) for one in value]
    raise TypeError(f"no canonical form for {type(value).__name__}")


def fingerprint(value: object) -> str:
    """SHA-256, in hex, of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value).encode("utf-8")).hexdigest()

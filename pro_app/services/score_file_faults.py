"""What can be wrong with a file of answers: codes with what they tell, and the English sentences.

The command line says a fault in English; a page looks its code up in the person's language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

PROBLEMS_SHOWN = 50

REASONS: Mapping[str, str] = {  # by code; `value` is what stands in the file
    "empty": "the file is empty; it needs a header: id and the item codes",
    "utf16": "the file is UTF-16; save it as UTF-8",
    "not_utf8": "byte 0x{value} is not UTF-8; save the file as UTF-8",
    "quote_open": "a quote is opened and not closed",
    "quote_closed": "a quote is closed before the end of its cell",
    "semicolons": "cells are separated by semicolons; save the file with commas",
    "tabs": "cells are separated by tabs; save the file with commas",
    "no_header": "is no header; the first line must hold id and the item codes",
    "no_column": '"{value}" is not id or an item',
    "no_column_but": '"{value}" is not id or an item; is it {item}?',
    "column_twice": "is there twice",
    "column_missing": "is missing",
    "cells": "{found} cells, but the header has {wanted}",
    "no_id": "is empty",
    "id_twice": '"{value}" is on line {first} already',
    "no_code": '"{value}" is not one of {codes}',
    "no_code_but": '"{value}" is not one of {codes}; write {meant}',
    "no_code_missing": '"{value}" is not one of {codes}; leave it empty, or write {missing}',
}


class Problem(NamedTuple):
    """One fault: its physical line (None for the whole file), its column, and what is wrong.

    `code` is one of REASONS; `value` is what stands there, and `about` the rest of what the
    sentence names.
    """

    line: int | None
    column: str | None
    code: str
    value: str = ""
    about: tuple[tuple[str, str | int], ...] = ()

    @property
    def text(self) -> str:
        """What is wrong, in English."""
        return REASONS[self.code].format(value=self.value, **dict(self.about))

    def __str__(self) -> str:
        if self.line is None:
            return self.text
        column = f", column {self.column}" if self.column else ""
        return f"line {self.line}{column}: {self.text}"


def problem(
    line: int | None, column: str | None, code: str, value: str = "", **about: str | int
) -> Problem:
    """A fault by its code and what its sentence names."""
    return Problem(line, column, code, value, tuple(about.items()))


@dataclass
class Problems:
    """The faults of a file: the first ones to show, and how many there are."""

    first: list[Problem] = field(default_factory=list)
    total: int = 0

    def add(self, found: Problem) -> None:
        """Note a fault; beyond the first ones only the number grows."""
        self.total += 1
        if len(self.first) < PROBLEMS_SHOWN:
            self.first.append(found)


class FileRefused(Exception):
    """The file has faults and was not scored; `problems` has them."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(f"{problems.total} problems")
        self.problems = problems

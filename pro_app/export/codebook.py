"""The codebook of a table: what each column holds, what its codes mean, why a cell may be empty.

As CSV for people (`write`) and for programs (`write_exact`). Lines without a `column` tell of the
table, one thing each: their `kind` is `table` (its name), `title`, `study`, `language`, `zone` (of
the moments) or `note`, and `label` has it. Then each column has a line, in order, followed by one
for each of its codes: those with `absence` 1 stand for a kind of absence.

The header is the same in every language, as programs read it. `xlsx.write_codebook` and
`codebook_page.write` are for reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import polars as pl

from pro_app.export import texts
from pro_app.export.table import Kind, Table

HEADER = ("column", "kind", "label", "instrument", "code", "code_label", "absence")
_BOM = "\ufeff"


def write(table: Table, path: Path) -> None:
    """Write the codebook for people: with a byte order mark, and no cell that runs."""
    path.write_bytes((_BOM + texts.harmless(_frame(table)).write_csv()).encode())


def write_exact(table: Table, path: Path) -> None:
    """Write the codebook for programs, every cell as it is."""
    path.write_bytes(exact(table))


def exact(table: Table) -> bytes:
    """What `write_exact` writes."""
    return _frame(table).write_csv().encode()


def _frame(table: Table) -> pl.DataFrame:
    return pl.DataFrame(list(_lines(table)), schema=dict.fromkeys(HEADER, pl.String), orient="row")


def _lines(table: Table) -> Iterator[tuple[str | None, ...]]:
    about = [("table", table.name), ("title", table.title), ("study", table.study)]
    about += [("language", table.language), ("zone", table.zone)]
    for kind, text in about + [("note", note) for note in table.notes]:
        yield (None, kind, text, None, None, None, None)
    for one in table.columns:
        yield (one.name, one.kind, one.label, one.group or None, None, None, None)
        for absence, codes in (("0", one.codes), ("1", one.missing)):
            for code, label in codes.items():
                yield (one.name, None, None, None, str(code), label, absence)


def kinds(words: Callable[[str], str]) -> Mapping[Kind, str]:
    """What a column's kind is called for people."""
    _ = words
    return {
        "text": _("Text"),
        "integer": _("Whole number"),
        "number": _("Number"),
        "moment": _("Date and time"),
        "day": _("Date"),
    }


def remarks(table: Table) -> Iterator[str]:
    """Sentences for people about the table: its notes, and what holds for its cells."""
    _ = table.words
    yield from table.notes
    if any(one.kind == "moment" for one in table.columns):
        yield _("All times: %(place)s.") % {"place": table.zone}
    if any(one.missing for one in table.columns):
        yield _(
            "Some codes say why there is no answer. A file that cannot keep such codes apart from "
            "answers leaves the cell empty."
        )

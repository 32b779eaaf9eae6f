"""CSV in two forms: `write` for people and their spreadsheets, `write_exact` for programs.

Both are UTF-8 with a header of the columns' names, commas, lines that end in LF, and quotes only
where they are needed. Numbers are the shortest text that reads back as the same number, moments
are in the study's zone with the offset (`texts.moments`), days are ISO 8601. What is absent is an
empty cell, an empty text is `""`; codes that stand for a kind of absence are left out, and the
answers' columns `skipped` and `not_applicable` tell the kinds apart.

Neither form has a place for labels and notes: the codebook goes beside it (`codebook`).
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

from pro_app.export import texts
from pro_app.export.table import Table

_BOM = "\ufeff".encode()


def write(table: Table, path: Path) -> None:
    """Write the table for people.

    The file begins with a byte order mark: without it Excel takes Tamil and Chinese for Latin
    letters. Texts that a spreadsheet would run get an apostrophe (`texts.harmless`).
    """
    _write(table, path, exact=False)


def write_exact(table: Table, path: Path) -> None:
    """Write the table for programs: every cell as it is, and no byte order mark."""
    _write(table, path, exact=True)


def _write(table: Table, path: Path, exact: bool) -> None:
    with path.open("wb") as file:
        if not exact:
            file.write(_BOM)
        stream(table, file, exact)


def stream(table: Table, file: IO[bytes], exact: bool) -> None:
    """Write header and rows to an open file."""
    for place, frame in enumerate(texts.frames(table)):
        rows = frame if exact else texts.harmless(frame)
        rows = texts.moments(table, table.blanked(rows))
        rows.write_csv(file, include_header=place == 0)

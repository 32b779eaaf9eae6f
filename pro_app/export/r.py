"""For R: a ZIP with `data.csv`, `codebook.csv` and `load.R`, which reads and labels them.

`data.csv` is the exact CSV with one difference: codes that stand for a kind of absence are kept,
because R can keep them apart. `load.R` is plain ASCII and base R, takes every label from the
codebook, and marks texts as UTF-8, so that Tamil and Chinese come through on Windows too. It makes

- a data frame with the table's name: moments as `POSIXct` in the study's zone, days as `Date`,
  whole numbers as `integer` where they fit, a `label` on each column. Where the package haven is
  installed, columns with codes are labelled vectors, and an absence is a tagged missing value:
  `s` skipped, `n` not applicable, `r` not reached. Without haven they are factors, and `NA`;
- where a table has such codes, a second data frame, `<table>_absent`, with the same rows: factors
  that say for each of these columns why a cell is missing, with haven and without.

R cannot tell an empty text from none in a CSV: both are `NA`. It reads CR as LF, and drops a byte
order mark that begins the very first cell. Its own reading of numbers may be off in the last of 17
digits.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from pro_app.export import codebook, csv
from pro_app.export.table import NOT_APPLICABLE, NOT_REACHED, SKIPPED, Table, TableError

SCRIPT = Path(__file__).with_name("load.R")
TAGGED = (SKIPPED, NOT_APPLICABLE, NOT_REACHED)  # the codes for which load.R has a tag


def write(table: Table, path: Path) -> None:
    """Write the ZIP. Raises `TableError` for a code of absence that `load.R` has no tag for."""
    for one in table.columns:
        if not set(one.missing) <= set(TAGGED):
            raise TableError(
                f"{table.name}: {one.name} has a code of absence that R has no tag for"
            )
    kept = replace(table, columns=tuple(replace(one, missing={}) for one in table.columns))
    with ZipFile(path, "w") as archive:
        # zip64 whatever the size, so that a header's shape does not depend on the data
        with archive.open(_entry("data.csv"), "w", force_zip64=True) as file:
            csv.stream(kept, file, exact=True)
        archive.writestr(_entry("codebook.csv"), codebook.exact(table))
        archive.writestr(_entry("load.R"), SCRIPT.read_bytes())


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # fixed: same data, same bytes
    entry.compress_type = ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry

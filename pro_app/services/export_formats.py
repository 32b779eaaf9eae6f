"""Which exports there are: the tables with their formats, and the packages of other standards.

What a format's file needs is loaded when one is written: some of it is heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pro_app.export.table import Table
    from pro_app.services.export_source import Source

# as `tables.NAMES`, in the order in which they are offered
TABLES = (
    "answers", "scores", "assessments", "answers_long", "scores_long", "participants",
    "reminders", "corrections", "audit",
)  # fmt: skip
ZIP = "application/zip"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BYTES = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Format:
    """A format that tables are written in. `exact`: every cell as it is, for programs; else texts
    that a spreadsheet would run were made harmless. `codebook`: one goes beside it, because the
    file has no place for labels. `text`: it can be written to standard output. `passes`: how often
    the rows are read. `beside` writes what else belongs to it, in a file with such an ending."""

    suffix: str
    media_type: str
    write: Callable[[Table, Path], None]
    exact: bool = True
    codebook: bool = False
    text: bool = False
    passes: int = 1
    beside: tuple[str, Callable[[Table, Path], None]] | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """Several tables in the files that another standard asks for, all exact. `write` puts them
    into an empty folder; where there are several, they go out in a ZIP file. `passes`: how often
    tables are read for it, all together."""

    write: Callable[[Source, Path], Sequence[Path]]
    passes: int
    text: bool = False


def _csv(table: Table, path: Path) -> None:
    from pro_app.export import csv

    csv.write(table, path)


def _csv_exact(table: Table, path: Path) -> None:
    from pro_app.export import csv

    csv.write_exact(table, path)


def _jsonl(table: Table, path: Path) -> None:
    from pro_app.export import jsonl

    jsonl.write(table, path)


def _parquet(table: Table, path: Path) -> None:
    from pro_app.export import parquet

    parquet.write(table, path)


def _xlsx(table: Table, path: Path) -> None:
    from pro_app.export import xlsx

    xlsx.write(table, path)


def _r(table: Table, path: Path) -> None:
    from pro_app.export import r

    r.write(table, path)


def _spss(table: Table, path: Path) -> None:
    from pro_app.export import spss

    spss.write(table, path)


def _stata(table: Table, path: Path) -> None:
    from pro_app.export import stata

    stata.write(table, path)


def _sas(table: Table, path: Path) -> None:
    from pro_app.export import sas

    sas.write(table, path)


def _sas_formats(table: Table, path: Path) -> None:
    from pro_app.export import sas

    sas.write_formats(table, path)


def _redcap(source: Source, folder: Path) -> Sequence[Path]:
    from pro_app.export import redcap

    path = folder / "redcap.zip"
    redcap.write(source.table("answers"), source.table("scores"), path)
    return [path]


def _cdisc(form: str) -> Callable[[Source, Path], Sequence[Path]]:
    def write(source: Source, folder: Path) -> Sequence[Path]:
        from pro_app.services import export_packages

        return export_packages.cdisc(source, folder, form)

    return write


def _fhir(source: Source, folder: Path) -> Sequence[Path]:
    from pro_app.services import export_packages

    return export_packages.fhir(source, folder)


FORMATS: Mapping[str, Format] = {
    "sav": Format(".sav", BYTES, _spss),
    "dta": Format(".dta", BYTES, _stata),
    "xpt": Format(".xpt", BYTES, _sas, codebook=True, beside=(".sas", _sas_formats)),
    "r": Format(".zip", ZIP, _r),
    "xlsx": Format(".xlsx", XLSX, _xlsx, exact=False),
    "csv": Format(".csv", "text/csv", _csv, exact=False, codebook=True, text=True),
    "csv_exact": Format(".csv", "text/csv", _csv_exact, codebook=True, text=True),
    "parquet": Format(".parquet", BYTES, _parquet, codebook=True),
    "jsonl": Format(".jsonl", "application/x-ndjson", _jsonl, codebook=True, text=True),
}


PACKAGES: Mapping[str, Mapping[str, Package]] = {
    "cdisc": {form: Package(_cdisc(form), passes=12) for form in ("json", "ndjson", "csv")},
    "fhir": {"ndjson": Package(_fhir, passes=2)},
    "redcap": {"csv": Package(_redcap, passes=2)},
}
ALL = (*TABLES, *PACKAGES)


def write_codebooks(table: Table, exact: bool, stem: Path) -> list[Path]:
    """Write a table's codebook to STEM_codebook.csv, and to STEM_codebook.html to be read."""
    from pro_app.export import codebook, codebook_page

    lines, page = (stem.with_name(f"{stem.name}_codebook{end}") for end in (".csv", ".html"))
    (codebook.write_exact if exact else codebook.write)(table, lines)
    codebook_page.write(table, page)
    return [lines, page]


def offered(what: str) -> tuple[str, ...]:
    """The formats in which something can be had; none for what is not known."""
    return tuple(FORMATS) if what in TABLES else tuple(PACKAGES.get(what, ()))


def find(what: str, form: str) -> Format | Package:
    """How something is written in a format that is `offered`."""
    return FORMATS[form] if what in TABLES else PACKAGES[what][form]

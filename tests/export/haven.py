"""Readers that are not ours: what R's haven makes of a file."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

HAVEN = """
arguments <- commandArgs(TRUE)
read <- list(sav = function(path) haven::read_sav(path, user_na = TRUE),
             dta = haven::read_dta, xpt = haven::read_xpt)[[arguments[1]]]
many <- function(values) if (length(values)) I(unname(values)) else list()  # never a lone value
bare <- function(values) { attributes(values) <- NULL; values }
tags <- function(values) {
  if (is.double(values)) many(haven::na_tag(bare(values))) else list()
}
exact <- function(values) {
  values <- bare(values)
  if (is.double(values)) values <- ifelse(is.na(values), NA, sprintf("%.17g", values))
  many(values)
}
column <- function(values) {
  labels <- attr(values, "labels")
  list(class = many(class(values)), double = is.double(bare(values)), values = exact(values),
       tags = tags(values), label = attr(values, "label"), labels = exact(labels),
       label_texts = many(names(labels)), label_tags = tags(labels),
       absent = exact(attr(values, "na_values")))
}
data <- read(arguments[2])
names <- names(data)
columns <- lapply(names, function(name) column(data[[name]]))
cat(jsonlite::toJSON(list(label = attr(data, "label"), notes = many(attr(data, "notes")),
                          names = many(names), columns = columns),
                     na = "null", auto_unbox = TRUE))
"""


def haven(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What `haven` reads: the file's label and notes, and every column's values and labels."""
    run = subprocess.run(
        ["Rscript", "-e", HAVEN, path.suffix[1:], str(path)],
        capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    read = json.loads(run.stdout)
    for column in read["columns"]:
        if column["double"]:  # written as texts, for JSON of R's ends after fifteen digits
            for name in ("values", "labels", "absent"):
                column[name] = [None if one is None else float(one) for one in column[name]]
    return read, dict(zip(read["names"], read["columns"], strict=True))


def labels(column: dict[str, Any]) -> dict[Any, str]:
    """The value labels of a column that `haven` has read; those of absences by their letter."""
    tags = column["label_tags"] or [None] * len(column["labels"])
    return {
        value if tag is None else tag: text
        for value, tag, text in zip(column["labels"], tags, column["label_texts"], strict=True)
    }


EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 haven's seconds are wall time


def compare(path: Path, cells: pl.DataFrame, tags: dict[str, list[str | None]]) -> None:
    """Every cell as `haven` reads it, moments to two microseconds; absences by their letters."""
    _, columns = haven(path)
    assert list(columns) == cells.columns
    for name, read in columns.items():
        wanted = cells[name]
        if isinstance(wanted.dtype, pl.Datetime):
            for seconds, wall in zip(read["values"], wanted, strict=True):
                assert (seconds is None) == (wall is None)
                assert wall is None or abs(seconds - (wall - EPOCH).total_seconds()) < 2e-6
        elif wanted.dtype == pl.Date:
            assert read["values"] == wanted.to_physical().to_list()
        else:
            assert read["values"] == wanted.to_list()
        if name in tags:
            assert read["tags"] == tags[name]

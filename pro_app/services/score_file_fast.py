"""Scoring a regular CSV file with NumPy and Polars: the same bytes as `score_file_rows`, faster.

The file is cut at line ends into pieces. In each piece the places of all separators are found;
they must form full rows, and every cell but the id must be empty, NA or one byte that is a code of
its item. Nothing is guessed: whatever is not exactly so (a quote, a space, a fault) makes
`score_fast` return False, and the file is read row by row instead.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pro_app.core.columns import ColumnScorer, Places
from pro_app.services.score_file_rows import ID, Form, Problems, read_header

PIECE = 4 * 1024 * 1024  # bytes
COMMA, QUOTE, NEWLINE, RETURN, SPACE = b',"\n\r '
INVALID = 255
# Python and Polars write floats alike from here up; smaller ones they write with an exponent.
LEAST_PLAIN = 1e-3

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int32]


class _IrregularError(Exception):
    """The piece is not as this reader needs it."""


def score_fast(data: bytes, form: Form, target: BinaryIO) -> bool:
    """Score a file's bytes and write the output. False: not a regular file, `target` is spoilt.

    Regular means that `score_rows` would find no fault, and more: see the module's text.
    """
    try:
        reader = _Reader(data, form)
        target.write(form.header().encode() + b"\n")
        ids = []
        with ThreadPoolExecutor(2) as threads:
            for found, output in threads.map(lambda piece: reader.score(*piece), reader.pieces()):
                ids.append(found)
                target.write(output)
    except _IrregularError:
        return False
    return not ids or not bool(pl.concat(ids).is_duplicated().any())


class _Reader:
    """One file while it is read: its header, and what its cells mean."""

    def __init__(self, data: bytes, form: Form) -> None:
        # Code texts of two bytes would need another way to look cells up.
        if any(len(text) > 1 for one in form.places for text in one if text != "NA"):
            raise _IrregularError
        start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        self._header_end = data.find(b"\n", start) + 1
        names = _header(data[start : self._header_end])
        problems = Problems()
        columns = read_header(names, form.codes, 1, problems)
        if columns is None or columns.id is None or problems.total:
            raise _IrregularError
        self._data = data if data.endswith(b"\n") else data + b"\n"
        self._bytes = np.frombuffer(self._data, np.uint8)
        self._width = len(names)
        self._id = columns.id
        self._columns = [column for column in columns.items if column is not None]
        self._codes = form.codes
        self._lookups = [_lookup(one) for one in form.places]
        self._scorer = ColumnScorer(form.tables)
        self._tables = [
            (table.code, pl.Series(table.code, texts))
            for table, texts in zip(form.tables.scales, form.texts, strict=True)
        ]

    def pieces(self) -> Iterator[tuple[int, int]]:
        """The file after its header, in parts of whole lines."""
        start = self._header_end
        while start < len(self._data):
            end = self._data.rfind(b"\n", start, start + PIECE) + 1
            if end == 0:
                raise _IrregularError
            yield start, end
            start = end

    def score(self, start: int, end: int) -> tuple[pl.Series, memoryview]:
        """The ids of a piece and its rows as they stand in the output."""
        # One byte more in front: the separator before the first cell.
        piece = self._bytes[start - 1 : end]
        quoted, returns = _style(piece)
        separators = self._separators(piece)
        lasts = separators[-1] - 1 if returns else separators[-1]
        if returns and not bool((piece[lasts] == RETURN).all()):
            raise _IrregularError
        ends = [*separators[1:-1], lasts]
        begins = separators[:-1]  # where the separator before each cell stands
        ids = _ids(piece, begins[self._id] + 1, ends[self._id], quoted)
        answers = {}
        for code, column, lookup in zip(self._codes, self._columns, self._lookups, strict=True):
            answers[code] = _answers(piece, begins[column], ends[column], lookup)
        return ids, self._output(ids, answers)

    def _separators(self, piece: Bytes) -> Ints:
        """Columns + 1 lines of places: the line end before the row, then one after each cell."""
        found = np.flatnonzero((piece == COMMA) | (piece == NEWLINE)).astype(np.int32)
        rows, rest = divmod(len(found) - 1, self._width)
        if rest:
            raise _IrregularError
        after = np.ascontiguousarray(found[1:].reshape(rows, self._width).T)
        line_ends = np.count_nonzero(piece[1:] == NEWLINE)
        if line_ends != rows or not bool((piece[after[-1]] == NEWLINE).all()):
            raise _IrregularError
        before = np.concatenate([found[:1], after[-1][:-1]])
        return np.vstack([before, after])

    def _output(self, ids: pl.Series, answers: dict[str, Places]) -> memoryview:
        places, summaries = self._scorer.look_up(answers)
        columns = [ids]
        columns += [texts.gather(pl.Series(places[code])) for code, texts in self._tables]
        for code, values in summaries.items():
            if bool((np.abs(values) < LEAST_PLAIN).any()):
                raise _IrregularError
            columns.append(pl.Series(code, values, nan_to_null=True))
        columns.append(pl.repeat(None, len(ids), dtype=pl.String, eager=True).alias("problems"))
        # The texts hold two or three cells each; ids that need quotes never come here.
        output = io.BytesIO()
        pl.DataFrame(columns).write_csv(output, include_header=False, quote_style="never")
        return output.getbuffer()


def _header(line: bytes) -> list[str]:
    try:
        rows = list(csv.reader([line.decode("utf-8").rstrip("\r\n")], strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _IrregularError from error
    if len(rows) != 1:
        raise _IrregularError
    return rows[0]


def _lookup(places: dict[str, int]) -> Places:
    """Place by the last byte of a cell; of an empty cell that is the separator before it."""
    lookup = np.full(256, INVALID, np.uint8)
    for text, place in places.items():
        if place:
            lookup[ord(text)] = place
    lookup[[COMMA, NEWLINE]] = 0
    return lookup


def _style(piece: Bytes) -> tuple[bool, bool]:
    """Whether the piece has quotes (then around every id) and carriage returns."""
    odd = (piece < SPACE) | (piece == QUOTE)
    line_ends = piece == NEWLINE
    if np.count_nonzero(odd) == np.count_nonzero(line_ends):
        return False, False
    rows = int(np.count_nonzero(line_ends[1:]))
    quotes = int(np.count_nonzero(piece == QUOTE))
    returns = int(np.count_nonzero(piece[1:] == RETURN))
    if quotes not in (0, 2 * rows) or returns not in (0, rows):
        raise _IrregularError
    if int(np.count_nonzero(odd[1:])) != rows + quotes + returns:
        raise _IrregularError
    return quotes > 0, returns > 0


def _ids(piece: Bytes, begins: Ints, ends: Ints, quoted: bool) -> pl.Series:
    if quoted:
        if not bool(((piece[begins] == QUOTE) & (piece[ends - 1] == QUOTE)).all()):
            raise _IrregularError
        begins, ends = begins + 1, ends - 1
    lengths = ends - begins
    if int(lengths.min()) < 1:
        raise _IrregularError
    # The bytes of all ids, each with the one after it, which is made the separator.
    starts = np.cumsum(lengths + 1) - (lengths + 1)
    where = np.repeat(begins - starts, lengths + 1) + np.arange(int((lengths + 1).sum()))
    letters = piece[where]
    letters[starts + lengths] = NEWLINE
    try:
        texts = letters.tobytes().decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise _IrregularError from error
    ids = pl.Series(ID, texts[:-1], dtype=pl.String)
    if bool((ids != ids.str.strip_chars()).any()):
        raise _IrregularError
    return ids


def _answers(piece: Bytes, begins: Ints, ends: Ints, lookup: Places) -> Places:
    """The places of one column's answers. `begins` is one before the cell."""
    lengths = ends - begins - 1
    places: NDArray[Any] = lookup[piece[ends - 1]]
    longest = int(lengths.max())
    if longest == 2:
        long = lengths == 2
        if not bool(
            ((piece[ends[long] - 1] == ord("A")) & (piece[ends[long] - 2] == ord("N"))).all()
        ):
            raise _IrregularError
        places[long] = 0
    if longest > 2 or int(places.max()) == INVALID:
        raise _IrregularError
    return places

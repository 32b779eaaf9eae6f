"""Scoring a CSV file of answers: what `pro-app score` does, and the researchers' page.

Files of some size go the fast way; what that way does not understand is read row by row, where all
faults get their names. The output comes into being beside its final place and is renamed when it
is complete: a refused file leaves nothing behind and an older output untouched.
"""

from __future__ import annotations

import errno
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pro_app.core.instruments import Instrument
from pro_app.services.score_file_rows import FileRefused, Form, score_rows

__all__ = ["FileRefused", "FileTrouble", "score_data", "score_file"]

STANDARD = "-"  # standard input or output
# Below this many bytes reading row by row is done before NumPy and Polars are loaded.
FAST_FROM = 4_000_000
COPIED_AT_ONCE = 1024 * 1024


class FileTrouble(Exception):
    """A file cannot be read or written; the text says which and why, in a plain sentence."""


def score_file(
    instrument: Instrument, scoring: str, source: str, output: str, lenient: bool
) -> None:
    """Score the file `source` into the file `output`; "-" is standard input or output.

    `lenient` takes a value that its item does not have as unanswered and names it in the output.
    `FileRefused` when the file has faults, `FileTrouble` when one cannot be read or written; then
    nothing is written. `KeyError` for an unknown scoring.
    """
    form = Form(instrument, instrument.scorings[scoring])
    data = _read(source)
    with _output(output) as target:
        score_data(data, form, target, lenient)


def score_data(data: bytes, form: Form, target: BinaryIO, lenient: bool) -> None:
    """Score a file's bytes into an empty file; see `score_file`.

    `FileRefused` when there are faults: what `target` then holds must be thrown away.
    """
    if len(data) >= FAST_FROM:
        # Loading NumPy and Polars takes longer than scoring a small file.
        from pro_app.services.score_file_fast import score_fast

        if score_fast(data, form, target):
            return
        target.seek(0)
        target.truncate()
    score_rows(data, form, lambda text: target.write(text.encode()), lenient)


def _read(source: str) -> bytes:
    if source == STANDARD:
        return sys.stdin.buffer.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise FileTrouble(f"{source} cannot be read: {error.strerror}.") from error


@contextmanager
def _output(output: str) -> Iterator[BinaryIO]:
    """A file to write to; it appears at its place only when the block ends without an error."""
    path = Path(output)
    try:
        if output == STANDARD or _is_device(path):
            with tempfile.TemporaryFile() as target:
                yield target
                target.seek(0)
                _copy(target, output)
        else:
            with _beside(path.resolve()) as target:
                yield target
    except BrokenPipeError:
        raise  # the reader has gone, as in `pro-app score ... | head`: nobody to tell
    except OSError as error:
        name = "Standard output" if output == STANDARD else output
        raise FileTrouble(f"{name} cannot be written: {error.strerror}.") from error


def _is_device(path: Path) -> bool:
    """Something that must not be replaced by a file, such as /dev/null or a named pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _copy(target: BinaryIO, output: str) -> None:
    if output == STANDARD:
        shutil.copyfileobj(target, sys.stdout.buffer, COPIED_AT_ONCE)
        sys.stdout.buffer.flush()
        return
    with open(output, "wb") as device:
        shutil.copyfileobj(target, device, COPIED_AT_ONCE)


@contextmanager
def _beside(path: Path) -> Iterator[BinaryIO]:
    """A new file in the same folder, renamed to `path` at the end or removed on any error."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("x+b") as target:
            if path.exists():
                shutil.copymode(path, temporary)
            yield target
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

"""PostgreSQL's own programs, which make and read its dumps.

No password stands on a command line: whoever lists a machine's processes would read it there.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile

import sqlalchemy as sa

WAIT = "10"  # seconds for the server to answer
LONGEST_REASON = 150  # characters of what a program says
_IN_ADDRESS = ("password", "sslpassword")  # secrets that an address may hold behind its `?`


class BackupFault(Exception):
    """A backup that cannot be made, is not whole, or cannot be restored; the message says why, in
    one line and without any password."""


def run(address: sa.URL, program: str, *options: str) -> None:
    """Let a program work on the database at `address`.

    The password goes by the environment; where the address has none, the program finds it in
    `.pgpass` or PGPASSWORD. Raises BackupFault if it fails, or is not there.
    """
    held = [address.password, *(address.query.get(name) for name in _IN_ADDRESS)]
    secrets = [one for one in held if isinstance(one, str) and one]
    if "sslpassword" in address.query:
        raise BackupFault("the address holds sslpassword: use a client key without one")
    plain = sa.URL.create(
        "postgresql", address.username, None, address.host, address.port, address.database,
        address.difference_update_query(_IN_ADDRESS).query,
    )  # fmt: skip
    environment = {"PGCONNECT_TIMEOUT": WAIT, **os.environ}
    if secrets:
        environment["PGPASSWORD"] = secrets[0]
    database = f"--dbname={plain.render_as_string(hide_password=False)}"
    try:
        done = subprocess.run(  # noqa: S603 (no shell; the options are ours)
            [program, database, *options], env=environment, capture_output=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise _not_there(program) from error
    _check(program, done.returncode, done.stderr, secrets)


@contextmanager
def reading(program: str, *options: str) -> Iterator[Iterator[bytes]]:
    """What a program writes, line by line, to be read to its end. It works on no database.

    Raises BackupFault if it fails, or is not there.
    """
    with TemporaryFile() as errors:
        try:
            started = subprocess.Popen(  # noqa: S603 (no shell; the options are ours)
                [program, *options], stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL
            )
        except FileNotFoundError as error:
            raise _not_there(program) from error
        with started:
            assert started.stdout is not None  # noqa: S101 (it is a pipe)
            yield started.stdout
        errors.seek(0)
        _check(program, started.returncode, errors.read(), [])


def _check(program: str, code: int, errors: bytes, secrets: list[str]) -> None:
    if code == 0:
        return
    told = " ".join(errors.decode(errors="replace").split())
    for one in secrets:
        told = told.replace(one, "***")
    raise BackupFault(f"{program} failed: {told[:LONGEST_REASON] or f'it ended with {code}'}")


def _not_there(program: str) -> BackupFault:
    return BackupFault(
        f"{program} is not installed here: install PostgreSQL's client programs, "
        "of the server's version or newer"
    )

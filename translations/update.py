"""Bring the four catalogues up to the strings in use: `python translations/update.py`.

New strings come in empty, unused ones go; English takes its own sentences. What is empty then is
for a translator: the tests refuse a catalogue that is not whole.
"""

from __future__ import annotations

import io
import sys
import tomllib
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = ("en", "ms", "ta", "zh_Hans")
KEYWORDS = {"_": None, "_l": None, "N_": None, "gettext": None, "ngettext": (1, 2)}


def strings() -> Catalog:
    """All strings of the code and the templates, sorted."""
    mappings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]
    methods = [(one["pattern"], one["method"]) for one in mappings]
    options = {one["pattern"]: {"trimmed": "true"} for one in mappings}
    found = Catalog(project="pro_app", charset="utf-8")
    for folder in ("pro_app", "templates"):
        for file, _line, message, comments, _context in extract_from_dir(
            ROOT,
            [(p, m) for p, m in methods if p.startswith(folder)],
            options,
            keywords=KEYWORDS,
            directory_filter=None,
        ):
            del file
            found.add(message, auto_comments=comments)
    return found


def path(language: str) -> Path:
    """Where a language's catalogue stands."""
    return ROOT / "translations" / language / "LC_MESSAGES" / "messages.po"


def updated(language: str, template: Catalog) -> bytes:
    """The catalogue's text with exactly the strings in use."""
    old = Catalog(locale=language)
    if path(language).exists():
        with path(language).open("rb") as file:
            old = read_po(file, locale=language)
    new = Catalog(locale=language, project="pro_app", fuzzy=False)
    if language == "ms":  # one plural form (CLDR); the library's own table says two
        new.mime_headers = [("Plural-Forms", "nplurals=1; plural=0;")]
    for message in template:
        if not message.id:
            continue
        kept = old.get(message.id[0] if isinstance(message.id, tuple) else message.id)
        string = kept.string if kept is not None else None
        if language == "en":
            string = message.id
        elif isinstance(message.id, tuple):
            forms = string if isinstance(string, tuple) else (string or "",)
            string = tuple((*forms, *[""] * new.num_plurals)[: new.num_plurals])
        new.add(message.id, string or "")
    buffer = io.BytesIO()
    write_po(buffer, new, width=100, omit_header=False, sort_output=True, include_previous=False)
    lines = buffer.getvalue().decode().splitlines(keepends=True)
    dated = ('"POT-Creation-Date', '"PO-Revision-Date', '"Last-Translator', '"Report-Msgid', "# ")
    return "".join(line for line in lines if not line.startswith(dated)).encode()


def main(check: bool) -> int:
    """Write the catalogues, or only say which of them are not as they would be written."""
    template = strings()
    stale = 0
    for language in LANGUAGES:
        text = updated(language, template)
        if check:
            if not path(language).exists() or path(language).read_bytes() != text:
                stale += 1
                sys.stderr.write(f"{language}: not up to date, run `make strings`\n")
        else:
            path(language).parent.mkdir(parents=True, exist_ok=True)
            path(language).write_bytes(text)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))

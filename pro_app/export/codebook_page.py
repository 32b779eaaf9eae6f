"""The codebook as a page: one HTML file that needs nothing else, reads aloud and prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from pro_app.export import codebook
from pro_app.export.table import Table

# the colours of static/css/look.css, so that the page looks like the others
STYLE = """
:root { --ground: #f7f5f1; --surface: #fff; --ink: #1d2a2e; --ink-2: #51626a; --line: #d9dedd;
  --accent: #0b665f; --warn: #6b4a00; --warn-soft: #fff3d6; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ground: #101618; --surface: #192124; --ink: #e9efef; --ink-2: #a9b8bc; --line: #2d3a3e;
    --accent: #6fcfc4; --warn: #f3d58a; --warn-soft: #3a2e10; } }
* { box-sizing: border-box; }
html { font: 100%/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  color: var(--ink); background: var(--ground); }
html:lang(ta) { line-height: 1.7; font-family: "Noto Sans Tamil", "Tamil Sangam MN", "Nirmala UI",
  Latha, system-ui, sans-serif; }
html:lang(zh-Hans) { line-height: 1.65; font-family: "PingFang SC", "Microsoft YaHei",
  "Noto Sans SC", "Noto Sans CJK SC", system-ui, sans-serif; }
body { max-width: 70rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-weight: 600; line-height: 1.4; }
.remarks { margin: 0 0 1rem; padding: .5rem 1rem .5rem 2rem;
  background: var(--warn-soft); color: var(--warn); }
.wide { overflow-x: auto; }
table { width: 100%; min-width: 52rem; border-collapse: collapse; background: var(--surface); }
th, td { padding: .5rem; text-align: start; vertical-align: top; border: 1px solid var(--line); }
th { font-weight: 600; } tbody th { color: var(--accent); }
thead th, tbody th { overflow-wrap: normal; }
ul { margin: 0; padding: 0 0 0 1.25rem; } td p { margin: .5rem 0 0; color: var(--ink-2); }
@media print {
  html { font-size: 9pt; background: none; }
  body { max-width: none; padding: 0; }
  .wide { overflow: visible; } table { min-width: 0; }
  thead { display: table-header-group; }
  tr { break-inside: avoid; }
}
"""


def write(table: Table, path: Path) -> None:
    """Write the page; it is in the table's language."""
    path.write_text(page(table), encoding="utf-8", newline="\n")


def page(table: Table) -> str:
    """The page: the notes on top, then the columns in their order."""
    _ = table.words
    name = _("Codebook")
    title = f"{name}: {table.title}"
    lines = [
        "<!doctype html>",
        f'<html lang="{escape(table.language.replace("_", "-"))}">',
        '<head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{escape(title)} · {escape(table.study)}</title>",
        f"<style>{STYLE}</style></head>",
        f"<body><main><h1>{escape(title)}</h1>",
        f"<p>{escape(_('Study'))}: {escape(table.study)} · {escape(table.name)}</p>",
    ]
    lines += _list(list(codebook.remarks(table)), ' class="remarks"')
    lines += _columns(table)
    return "\n".join([*lines, "</main></body>", "</html>", ""])


def _columns(table: Table) -> Iterator[str]:
    _, kinds = table.words, codebook.kinds(table.words)
    heads = (_("Column"), _("Meaning"), _("Questionnaire"), _("Kind"), _("Codes"))
    # a narrow screen moves the table sideways, with the keyboard too
    yield f'<div class="wide" role="region" tabindex="0" aria-label="{escape(_("Codebook"))}">'
    yield "<table><thead><tr>"
    yield from (f'<th scope="col">{escape(head)}</th>' for head in heads)
    yield "</tr></thead><tbody>"
    for one in table.columns:
        yield f'<tr><th scope="row">{escape(one.name)}</th>'
        yield from (f"<td>{escape(text)}</td>" for text in (one.label, one.group, kinds[one.kind]))
        yield "<td>"
        yield from _list([f"{code} = {label}" for code, label in one.codes.items()])
        if one.missing:
            yield f"<p>{escape(_('No answer'))}:</p>"
            yield from _list([f"{code} = {label}" for code, label in one.missing.items()])
        yield "</td></tr>"
    yield "</tbody></table></div>"


def _list(sentences: Sequence[str], attributes: str = "") -> list[str]:
    if not sentences:
        return []
    return [
        f"<ul{attributes}>",
        *(f"<li>{escape(sentence)}</li>" for sentence in sentences),
        "</ul>",
    ]

"""The codebook as a page: every label, in the table's language, for eyes, ears and paper."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pro_app.config import ROOT
from pro_app.export import codebook_page
from tests.export import samples


class Page(HTMLParser):
    """A page's elements and the texts of its table's cells; every element must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, Any]]] = []
        self.open: list[str] = []
        self.rows: list[list[list[str]]] = []  # of the table: the texts of each cell
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append([])
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"th", "td"} & set(self.open) and data.strip():
            self.rows[-1][-1].append(data)

    def named(self, tag: str) -> list[dict[str, Any]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_the_page_has_a_language_one_heading_and_a_table_with_heads() -> None:
    page = Page(codebook_page.page(samples.table()))
    assert page.named("html") == [{"lang": "ta"}]
    assert len(page.named("h1")) == len(page.named("table")) == len(page.named("main")) == 1
    scopes = [one.get("scope") for one in page.named("th")]
    assert scopes == ["col"] * 5 + ["row"] * len(samples.COLUMNS)
    assert not page.named("script")
    assert not page.named("link")
    assert "http" not in codebook_page.page(samples.table()), "the page needs nothing else"


def test_chinese_is_named_as_browsers_know_it() -> None:
    page = Page(codebook_page.page(replace(samples.table(), language="zh_Hans")))
    assert page.named("html") == [{"lang": "zh-Hans"}]


def test_every_column_and_code_is_told(tmp_path: Path) -> None:
    codebook_page.write(samples.table(), tmp_path / "codebook.html")
    text = (tmp_path / "codebook.html").read_bytes().decode()
    head, *found = Page(text).rows
    assert head == [["Column"], ["Meaning"], ["Questionnaire"], ["Kind"], ["Codes"]]
    for cells, one in zip(found, samples.COLUMNS, strict=True):
        name, label, group, _kind, codes = cells
        assert (name, label, group) == ([one.name], [one.label], [one.group] if one.group else [])
        told = [f"{code} = {meaning}" for code, meaning in one.codes.items()]
        if one.missing:
            told += ["No answer:", *(f"{code} = {why}" for code, why in one.missing.items())]
        assert codes == told
    assert text.index(samples.NOTES[0]) < text.index("<table>"), "the notes are on top"


def test_nothing_of_a_label_is_taken_for_markup() -> None:
    evil = "<script>x</script> & \"'"
    first, *others = samples.COLUMNS
    coded = replace(others[2], codes={"own_phone": evil})
    made = replace(samples.table(), columns=(replace(first, label=evil), coded), title=evil)
    made = replace(made, notes=(evil,), study=evil, words=lambda text: f"{text}<")
    text = codebook_page.page(made)
    assert not Page(text).named("script")
    assert text.count("&lt;script&gt;x&lt;/script&gt; &amp; &quot;&#x27;") >= 5


def test_the_colours_are_those_of_the_house() -> None:
    look = (ROOT / "static" / "css" / "look.css").read_text(encoding="utf-8")
    colours = re.findall(r"--[a-z0-9-]+: #[0-9a-f]+", codebook_page.STYLE)
    assert len(colours) > 10
    assert [one for one in colours if one not in look] == []


def test_people_read_their_own_language() -> None:
    made = replace(samples.table(), words=lambda text: {"Column": "நிரல்"}.get(text, text))
    assert '<th scope="col">நிரல்</th>' in codebook_page.page(made)


@pytest.mark.parametrize("at_once", [1, 100])
def test_the_page_does_not_depend_on_the_rows(at_once: int) -> None:
    made = samples.table(at_once=at_once)
    assert codebook_page.page(made) == codebook_page.page(samples.nothing())

"""Files that are no filled template at all, or too much of one: refused early, with the reason."""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pro_app.config import ROOT
from pro_app.core.wording_faults import FORMATS
from pro_app.export import wording_template
from pro_app.services import wording_workbook
from pro_app.services.wording_file import MOST_BYTES, FileRefused, read, wanted_of
from tests.conftest import kept_library
from tests.services.wording_files import csv_file, row_of, sentences, workbook

LIBRARY = kept_library(ROOT / "questionnaires")
SF36 = LIBRARY.instruments["sf36v1"]
WANTED = wanted_of(LIBRARY, "sf36v1", "ta")
TAMIL = sentences(SF36, "ta")
BOOK = workbook(SF36, "ta", LIBRARY.wording("sf36v1", "ta"), TAMIL)
CSV = csv_file(SF36, LIBRARY.wording("sf36v1", "ta"), TAMIL)
TABLE, ABOUT = "xl/worksheets/sheet1.xml", "xl/worksheets/sheet2.xml"
TYPES = "[Content_Types].xml"


def refused(data: bytes) -> list[tuple[str, int | None]]:
    """The codes of a file's faults with their rows; no fault repeats any Tamil."""
    with pytest.raises(FileRefused) as caught:
        read(data, WANTED)
    for one in caught.value.faults:
        assert not re.search("[\u0b80-\u0bff]{3}", str(one))
    return [(one.code, one.row) for one in caught.value.faults]


def repacked(parts: Mapping[str, bytes | None], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The filled workbook with some parts replaced, added, or (None) left out."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(BOOK)) as source,
        zipfile.ZipFile(target, "w", method) as packed,
    ):
        for part in source.namelist():
            if part not in parts:
                packed.writestr(part, source.read(part))
        for name, content in parts.items():
            if content is not None:
                packed.writestr(name, content)
    return target.getvalue()


def part(name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(BOOK)) as source:
        return source.read(name)


def packed(**contents: bytes) -> bytes:
    """A packed file of another kind."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        for name, content in contents.items():
            made.writestr(name, content)
    return target.getvalue()


def locked() -> bytes:
    """A packed file whose parts are marked as encrypted."""
    data = bytearray(BOOK)
    for start in [one.start() for one in re.finditer(b"PK\x01\x02", BOOK)]:
        data[start + 8] |= 1
    return bytes(data)


DECLARED = b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]>'
HEAD = b"<?xml version='1.0'?>"
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)

FILES: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "empty_file"),
    ("only a mark and line ends", b"\xef\xbb\xbf\r\n\r\n", "empty_file"),
    ("too large", b"key" * (MOST_BYTES // 3 + 1), "too_large"),
    ("an old Excel file", COMPOUND, "old_excel"),
    (
        "a workbook with a password",
        COMPOUND + "EncryptedPackage".encode("utf-16-le"),
        "encrypted",
    ),
    ("locked parts", locked(), "encrypted"),
    (
        "a macro workbook renamed to .xlsx",
        repacked({"xl/vbaProject.bin": b"Sub Auto_Open()"}),
        "macros",
    ),
    (
        "a macro workbook by its types",
        repacked({
            TYPES: part(TYPES).replace(
                b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
                b"application/vnd.ms-excel.sheet.macroEnabled.main+xml",
            )
        }),
        "macros",
    ),
    ("half a workbook", BOOK[: len(BOOK) // 2], "damaged"),
    ("damaged parts", BOOK[:900] + bytes(400) + BOOK[1300:], "damaged"),
    ("no XML in the table", repacked({TABLE: b"<sheetData><row>"}), "damaged"),
    ("no table behind the sheet", repacked({TABLE: None}), "sheet_missing"),
    ("numbers that are none", repacked({"xl/styles.xml": b"<styleSheet><fonts count='x'/>"
                                        b"<cellXfs><xf numFmtId='?'/></cellXfs></styleSheet>"}),
     "damaged"),
    ("entities in the table", repacked({TABLE: HEAD + DECLARED + b"<a>&d;</a>"}), "declarations"),
    (
        "entities in wide letters",
        repacked({ABOUT: (HEAD + DECLARED + b"<a/>").decode().encode("utf-16")}),
        "declarations",
    ),
    ("a bomb", repacked({"xl/media/image1.png": bytes(21_000_000)}), "unpacks_too_large"),
    (
        "a bomb of many parts",
        repacked({f"xl/media/{n}.png": bytes(1_000_000) for n in range(21)}),
        "unpacks_too_large",
    ),
    (
        "ten megabytes of cells",
        repacked({TABLE: HEAD + b"<worksheet><sheetData><row>" + b"<c><v>1</v></c>" * 660_000
                  + b"</row></sheetData></worksheet>"}),
        "too_many",
    ),
    (
        "two million rows' elements",
        repacked({TABLE: HEAD + b"<worksheet><sheetData>" + b"<row/>" * 1_000_000
                  + b"</sheetData></worksheet>"}),
        "too_many",
    ),
    (
        "a cell far below",
        repacked({TABLE: part(TABLE).replace(
            b"</sheetData>", b'<row r="5000"><c r="A5000"><v>1</v></c></row></sheetData>')}),
        "too_many",
    ),
    (
        "a cell far to the right",
        repacked({TABLE: part(TABLE).replace(
            b"</sheetData>", b'<row r="200"><c r="BA200"><v>1</v></c></row></sheetData>')}),
        "too_many",
    ),
    (
        "a whole sheet merged",
        repacked({TABLE: part(TABLE).replace(
            b"</sheetData>",
            b'</sheetData><mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>')}),
        "too_many",
    ),
    (
        "a link on a whole sheet",
        repacked({TABLE: part(TABLE).replace(
            b"</sheetData>",
            b'</sheetData><hyperlinks><hyperlink ref="A1:XFD1048576"/></hyperlinks>')}),
        "too_many",
    ),
    ("a binary workbook", packed(**{"xl/workbook.bin": b""}), "binary_workbook"),
    ("a Word document", packed(**{"word/document.xml": b"<a/>"}), "document"),
    ("a presentation", packed(**{"ppt/presentation.xml": b"<a/>"}), "presentation"),
    ("an OpenDocument sheet", packed(**{"content.xml": b"<a/>"}), "open_document"),
    ("any packed file", packed(**{"readme.txt": b"hello"}), "packed"),
    ("a gzip", b"\x1f\x8b\x08" + bytes(30), "packed"),
    ("a PDF", b"%PDF-1.7 ...", "pdf"),
    ("RTF", b"{\\rtf1 hello}", "rtf"),
    ("a picture", b"\x89PNG\r\n\x1a\n", "picture"),
    ("a photograph", b"\xff\xd8\xff\xe0", "picture"),
    ("a web page named .xls", b"\xef\xbb\xbf <html><table>", "markup"),
    ("UTF-16 with a mark", CSV.encode("utf-16"), "utf16"),
    ("UTF-16 without a mark", CSV.encode("utf-16-le"), "utf16"),
    ("UTF-16, the other end first", CSV.encode("utf-16-be"), "utf16"),
    ("too many lines", CSV.encode() + b"a,,,,,\r\n" * 2_000, "too_many"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "code"), [one[1:] for one in FILES], ids=[n for n, *_ in FILES])
def test_what_is_no_filled_template_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(FileRefused) as caught:
        read(data, WANTED)
    [fault] = caught.value.faults
    assert (fault.row, fault.key) == (None, None)
    if code in FORMATS:
        assert (fault.code, dict(fault.values)) == ("other_format", {"kind": code})
        assert FORMATS[code] in str(fault)
    else:
        assert fault.code == code


def test_too_much_is_refused_before_it_is_built_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one of the bombs reaches openpyxl."""
    monkeypatch.setattr(wording_workbook, "_loaded", lambda _data: pytest.fail("it was loaded"))
    tried = 0
    for _, data, code in FILES:
        if code in ("too_many", "unpacks_too_large", "declarations", "macros", "encrypted"):
            refused(data)
            tried += 1
    assert tried > 10


def test_the_line_of_a_wrong_byte_is_told() -> None:
    line = row_of(SF36, "items.BP1")
    before, after = CSV.encode().split(TAMIL["items.BP1"].encode())
    for wrong, code in ((b"caf\xe9 \x93tea\x94", "not_utf8"), (b"tea\0", "nul")):
        assert refused(before + wrong + after) == [(code, line)]
    assert refused(CSV.encode() + b'"open') == [("unreadable", len(TAMIL) + 2)]


def test_the_empty_template_lacks_every_text_and_nothing_else() -> None:
    hints = LIBRARY.wording("sf36v1", "ta")
    empty = [("empty", n) for n in range(2, len(TAMIL) + 2)]
    assert refused(wording_template.workbook(SF36, "ta", hints)) == empty
    assert refused(wording_template.csv_file(SF36, hints)) == empty


def test_an_error_of_a_spreadsheet_is_known_in_csv_too() -> None:
    texts = {**TAMIL, "items.BP1": "#N/A"}
    data = csv_file(SF36, None, texts).encode()
    assert refused(data) == [("error_cell", row_of(SF36, "items.BP1"))]


def test_control_characters_as_a_workbook_writes_them() -> None:
    table = part(TABLE)
    text = TAMIL["items.BP1"].encode()
    assert table.count(text) == 1
    data = repacked({TABLE: table.replace(text, text + b"_x0007_")})
    assert refused(data) == [("control", row_of(SF36, "items.BP1"))]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([b"", b"PK\x03\x04", b"key,kind", b"\xff\xfe"]))
def test_no_bytes_raise_anything_else(data: bytes, start: bytes) -> None:
    with pytest.raises(FileRefused):
        read(start + data, WANTED)


SIGNS = b'"<>&/=:;0123456789aAzZ \x00\xff'


@pytest.mark.parametrize("name", [TABLE, ABOUT, TYPES, "xl/workbook.xml", "xl/styles.xml"])
def test_no_damaged_part_raises_anything_else(name: str) -> None:
    chance = random.Random(name)  # noqa: S311 (damages, not secrets)
    whole = part(name)
    outcomes = []
    for _ in range(40):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.choice(SIGNS)
        try:
            read(repacked({name: bytes(damaged)}, zipfile.ZIP_STORED), WANTED)
        except FileRefused as found:
            outcomes += map(str, found.faults)
    assert any("damaged" in one for one in outcomes)
    assert not re.search("[\u0b80-\u0bff]{3}", "".join(outcomes))


def test_what_is_not_read_does_no_harm() -> None:
    """Links, remarks of Excel on a column, and parts that Excel adds of its own."""
    linked = part(TABLE).replace(
        b"</sheetData>", b'</sheetData><hyperlinks><hyperlink ref="F3" location="A1"/></hyperlinks>'
    )
    data = repacked({TABLE: linked, "xl/printerSettings/printerSettings1.bin": b"\0\1"})
    assert read(data, WANTED).texts == TAMIL

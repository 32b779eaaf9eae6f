"""Tables from spreadsheets: what is taken, what is named, and that nothing raises."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro_app.core.file_table import HIDDEN, MOST_BYTES, Fault, fault, read_table

NEEDED, MORE = ("number", "site"), ("email",)
LINES = [{"number": "1", "site": "a"}, {"number": "2", "site": "ü; b"}]
PLAIN = "number,site\n1,a\n2,ü; b\n"


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode(),
        codecs.BOM_UTF8 + PLAIN.encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.rstrip().encode(),
        PLAIN.encode("utf-16"),
        codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"),
        'number;site\n1;a\n2;"ü; b"\n'.encode(),
        "number\tsite\n1\ta\n2\tü; b\n".encode(),
        b' Number , "SITE"\n\n1 , a,,\n ,\n2,"\xc3\xbc; b"\n,\n',
    ],
)
def test_a_table_as_spreadsheets_write_it(data: bytes) -> None:
    table = read_table(data.replace(b', "SITE"', b',"SITE"'), NEEDED, MORE)
    assert table.faults == []
    assert table.columns == NEEDED
    assert [line.cells for line in table.lines] == LINES


def test_lines_are_numbered_as_an_editor_does() -> None:
    table = read_table(b'\nnumber,site\n\n1,"two\nlines"\n2,b\n', NEEDED, MORE)
    assert [(line.number, line.cells["number"]) for line in table.lines] == [(4, "1"), (6, "2")]


@pytest.mark.parametrize(
    ("data", "faults"),
    [
        (b"", ["the file: is empty"]),
        (b" \n,\n", ["the file: is empty"]),
        (b"number,site\n", ["the file: has a header, and no line below it"]),
        (b"number,site\n1\n", ["line 2: has 1 cells, the header has 2"]),
        (b"number,site\n1,a,x\n", ["line 2: has 3 cells, the header has 2"]),
        (b"number\n1\n", ["line 1, site: the column is missing"]),
        (
            b"number,site,nmae,site,\n1,a,b,c,\n",
            [
                "line 1 'nmae': is no column; there are number, site, email",
                "line 1 'site': is there twice",
                "line 1, column 5: has no name",
            ],
        ),
        (b"number,site\n1,a\n\xff\xe9,b\n", ["line 3: is not UTF-8; save it as CSV UTF-8"]),
        (codecs.BOM_UTF16_LE + b"\x00\xd8", ["the file: is not UTF-16; save it as CSV UTF-8"]),
        (
            "number,site\n1,a\n".encode("utf-16-le"),
            ["line 1: holds characters that no text has; save it as CSV UTF-8"],
        ),
        (b'number,site\n1,"a" b\n', ["line 2: cannot be read: ',' expected after '\"'"]),
        (b'number,site\n1,"a\n', ["line 2: cannot be read: unexpected end of data"]),
        (b"x" * (MOST_BYTES + 1), ["the file: has more than 20,000,000 bytes"]),
    ],
)
def test_what_cannot_be_read_is_named(data: bytes, faults: list[str]) -> None:
    table = read_table(data, NEEDED, MORE)
    assert [str(one) for one in table.faults] == faults


def test_a_fault_shows_no_identity_number_and_no_novel() -> None:
    assert fault(3, "site", "x 900101-14-5678 y", "missing").value == HIDDEN
    assert str(fault(3, "site", "x" * 99, "missing")) == f"line 3, site '{'x' * 60}...': is missing"


texts = st.text(st.sampled_from('number,sitemal;\t"\r\n 1\0\ufeffé'), max_size=60)


@given(
    st.one_of(
        st.binary(max_size=60),
        texts.map(str.encode),
        texts.map(lambda text: f"number,site\n{text}".encode()),
        texts.map(lambda text: f"number;site\r\n{text}".encode("utf-16")),
    )
)
def test_no_bytes_raise_anything(data: bytes) -> None:
    """Whatever it is, there are either lines with all columns, or faults."""
    table = read_table(data, NEEDED, MORE)
    assert table.lines or table.faults
    assert all(isinstance(one, Fault) and one.reason for one in table.faults)
    for line in table.lines:
        assert set(line.cells) == set(table.columns)
        assert any(line.cells.values())

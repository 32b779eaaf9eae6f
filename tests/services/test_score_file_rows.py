"""What a file may look like, and every fault by its name."""

from __future__ import annotations

import csv
import io

import pytest

from pro_app.services.score_file_rows import FileRefused
from tests.services.csv_files import (
    FORMS,
    HEADER,
    ITEMS,
    ONES,
    exactly,
    output,
    problems,
    row,
    table,
)


def test_columns_of_the_output() -> None:
    heads = {name: form.header() for name, form in FORMS.items()}
    codes = ("PF", "RP", "BP", "GH", "VT", "SF", "RE", "MH")
    scales = ",".join(f"{code},{code}_answered,{code}_norm" for code in codes)
    assert heads["mos_us1990"] == heads["us1998"] == f"id,{scales},PCS,MCS,problems"
    assert heads["rand"] == (
        "id,PF,PF_answered,RP,RP_answered,RE,RE_answered,EF,EF_answered,EW,EW_answered,"
        "SF,SF_answered,PAIN,PAIN_answered,GH,GH_answered,problems"
    )
    assert heads["lupusqol"].startswith("id,LQPH,LQPH_answered,LQPAIN,LQPAIN_answered,LQPLAN,")


@pytest.mark.parametrize(
    "data",
    [
        table(row("P1"), row("P2", PF01="")),
        table(row("P1"), row("P2", PF01="NA")),
        table(row("P1"), row("P2", PF01="  ")),
        table(row("P1"), row("P2", PF01=" NA ")),
        table(row("P1", GH01=" 1"), row("P2", PF01="", MH1="1 ")),
        table(row("P1"), row("P2", PF01=""), end="\r\n"),
        b"\xef\xbb\xbf" + table(row("P1"), row("P2", PF01="")),
        table(row("P1"), row("P2", PF01=""))[:-1],
        table(row("P1"), [""], row("P2", PF01=""), ["  "], [""]),
        b"\n\n" + table(row("P1"), row("P2", PF01="")),
        table(row('"P1"'), row('"P2"', PF01='""', GH5='"1"')),
        table(row("P1"), row("P2", PF01=""), header=" id , " + " , ".join(ITEMS)),
    ],
)
def test_the_same_answers_in_other_clothes(data: bytes) -> None:
    assert exactly(data) == exactly(table(row("P1"), row("P2", PF01="")))


@pytest.mark.parametrize(
    "person",
    [
        "=1+1",
        "+1",
        "-1",
        "@a",
        "a b",
        "நோயாளி 1",
        "病人",
        'say "x"',
        "a,b",
        "a\nb",
        "a\rb",
        "NA",
        "1e5",
    ],
)
def test_ids_come_out_as_they_went_in(person: str) -> None:
    quoted = '"' + person.replace('"', '""') + '"'
    rows = list(csv.reader(io.StringIO(exactly(table(row(quoted))), newline="")))
    assert rows[1][0] == person


def test_outer_spaces_of_an_id_stay_but_do_not_tell_ids_apart() -> None:
    assert output(exactly(table(row(" P1 "))))[0]["id"] == " P1 "
    assert problems(table(row("P1"), row("P1 "))) == [
        'line 3, column id: "P1" is on line 2 already'
    ]


def test_rows_stay_in_order_and_numbers_keep_all_digits() -> None:
    lines = output(exactly(table(row("P2", PF01="", PF02="2", PF03="3"), row("P1"))))
    assert [line["id"] for line in lines] == ["P2", "P1"]
    assert lines[0]["PF"] == "16.666666666666668"
    assert lines[0]["PF_answered"] == "9"


# --- faults -------------------------------------------------------------------------------------

WITHOUT_PF01 = ",".join(["id", *(item for item in ITEMS if item != "PF01")])

FAULTS: list[tuple[bytes, list[str]]] = [
    (b"", ["the file is empty; it needs a header: id and the item codes"]),
    (b"\n \n", ["the file is empty; it needs a header: id and the item codes"]),
    (
        table(row("P1", PF01="4")),
        ['line 2, column PF01: "4" is not one of 1, 2, 3'],
    ),
    (
        table(row("P1"), row("P2", PF01="3.0", GH5="03", BP1="0", MH1="x")),
        [
            'line 3, column PF01: "3.0" is not one of 1, 2, 3; write 3',
            'line 3, column BP1: "0" is not one of 1, 2, 3, 4, 5, 6',
            'line 3, column MH1: "x" is not one of 1, 2, 3, 4, 5, 6',
            'line 3, column GH5: "03" is not one of 1, 2, 3, 4, 5; write 3',
        ],
    ),
    (
        table(row("P1", HT="6", PF01="n/a", PF02="na")),
        [
            'line 2, column HT: "6" is not one of 1, 2, 3, 4, 5',
            'line 2, column PF01: "n/a" is not one of 1, 2, 3; leave it empty, or write NA',
            'line 2, column PF02: "na" is not one of 1, 2, 3; leave it empty, or write NA',
        ],
    ),
    (table(row("P1", PF01="\u0661")), ['line 2, column PF01: "\u0661" is not one of 1, 2, 3']),
    (table(row("P1"), row("P1")), ['line 3, column id: "P1" is on line 2 already']),
    (table(row(""), row("  ")), ["line 2, column id: is empty", "line 3, column id: is empty"]),
    (table(row("P1")[:-1]), ["line 2: 36 cells, but the header has 37"]),
    (table([*row("P1"), ""]), ["line 2: 38 cells, but the header has 37"]),
    (table(row("P1")[:1] + ONES[1:], header=WITHOUT_PF01), ["line 1, column PF01: is missing"]),
    (
        table(row("P1"), header=HEADER.replace("PF01", "pf01")),
        [
            'line 1, column pf01: "pf01" is not id or an item; is it PF01?',
            "line 1, column PF01: is missing",
        ],
    ),
    (table([*row("P1"), "7"], header=f"{HEADER},"), ['line 1, column 38: "" is not id or an item']),
    (table([*row("P1"), "1"], header=f"{HEADER},PF01"), ["line 1, column PF01: is there twice"]),
    (table(ONES, header=",".join(ITEMS)), ["line 1, column id: is missing"]),
    (
        table(row("P1")).replace(b",", b";"),
        ["line 1: cells are separated by semicolons; save the file with commas"],
    ),
    (
        table(row("P1")).replace(b",", b"\t"),
        ["line 1: cells are separated by tabs; save the file with commas"],
    ),
    (
        table(header=",".join(row("P1"))),
        ["line 1: is no header; the first line must hold id and the item codes"],
    ),
    (table(row("P1"), row('"P2')), ["line 3: a quote is opened and not closed"]),
    (table(row('"P1"x')), ["line 2: a quote is closed before the end of its cell"]),
    (
        table(row("P1"), row("P\u00e4")).decode().encode("latin-1"),
        ["line 3: byte 0xE4 is not UTF-8; save the file as UTF-8"],
    ),
    (table(row("P1")).decode().encode("utf-16"), ["the file is UTF-16; save it as UTF-8"]),
    (
        table(row('"a\nb"', PF01="7"), row("P2", PF01="8")),
        [
            'line 2, column PF01: "7" is not one of 1, 2, 3',
            'line 4, column PF01: "8" is not one of 1, 2, 3',
        ],
    ),
]


@pytest.mark.parametrize(("data", "expected"), FAULTS)
def test_every_fault_is_told(data: bytes, expected: list[str]) -> None:
    assert problems(data) == expected


def test_the_first_fifty_are_kept_and_all_are_counted() -> None:
    data = table(*(row(f"P{n}", PF01="7") for n in range(120)))
    with pytest.raises(FileRefused) as caught:
        exactly(data)
    assert (len(caught.value.problems.first), caught.value.problems.total) == (50, 120)


def test_invalid_values_may_count_as_missing() -> None:
    data = table(row("P1", PF01="9", BP2="x"), row("P2", PF01="", BP2=""))
    first, second = output(exactly(data, lenient=True))
    assert first["problems"] == "PF01=9; BP2=x"
    assert second["problems"] == ""
    assert [first[key] for key in ("PF", "PF_answered", "BP", "PCS")] == [
        second[key] for key in ("PF", "PF_answered", "BP", "PCS")
    ]


def test_problems_are_quoted_where_they_must_be() -> None:
    text = exactly(table(row("P1", PF01='"1,2"')), lenient=True)
    assert output(text)[0]["problems"] == "PF01=1,2"


@pytest.mark.parametrize(
    "data",
    [
        table(row("P1", PF01="9"), row("P1")),
        table(row("", PF01="9")),
        table(row("P1", PF01="9")[:-1]),
        table([*row("P1"), "1"], header=f"{HEADER},XX"),
        table(row("P\u00e4")).decode().encode("latin-1"),
    ],
)
def test_other_faults_refuse_the_file_all_the_same(data: bytes) -> None:
    assert len(problems(data, lenient=True)) == 1

"""The fast way writes the bytes of the exact way, or leaves the file to it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pro_app.core.scoring import score
from pro_app.services import score_file_fast
from pro_app.services.score_file_rows import Form
from tests.services.csv_files import (
    FORMS,
    HEADER,
    INSTRUMENTS,
    ONES,
    exactly,
    fast,
    output,
    problems,
    row,
    table,
)


@st.composite
def regular_files(draw: st.DrawFn, form: Form) -> tuple[bytes, list[dict[str, int | None]]]:
    """A file in one of the usual styles, its columns in any order, and the answers in it."""
    columns = draw(st.permutations(["id", *form.codes]))
    missing = draw(st.sampled_from(["", "NA"]))
    quote = draw(st.sampled_from(["", '"']))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    bom = draw(st.sampled_from(["", "\ufeff"]))
    letters = st.characters(exclude_characters=',"', exclude_categories=("Cc", "Cs", "Z"))
    people = draw(st.lists(st.text(letters, min_size=1), min_size=1, max_size=5, unique=True))
    answers: list[dict[str, int | None]] = []
    lines = [",".join(columns)]
    for person in people:
        codes = {
            item.code: draw(st.one_of(st.sampled_from(item.options.codes), st.none()))
            for item in form.items
        }
        answers.append(codes)
        cells = {code: missing if one is None else str(one) for code, one in codes.items()}
        cells["id"] = f"{quote}{person}{quote}"
        lines.append(",".join(cells[column] for column in columns))
    return (bom + end.join(lines) + end).encode(), answers


@pytest.mark.parametrize("name", FORMS)
def test_fast_exact_and_score_agree(name: str) -> None:
    form = FORMS[name]
    (scoring,) = [
        one.scorings[name] for one in INSTRUMENTS.values() if name in one.scorings
    ]  # fmt: skip

    @settings(max_examples=20, deadline=None)
    @given(regular_files(form))
    def check(drawn: tuple[bytes, list[dict[str, int | None]]]) -> None:
        data, answers = drawn
        text = exactly(data, form)
        assert fast(data, form) == text
        for line, given_answers in zip(output(text), answers, strict=True):
            for one in score(scoring, given_answers):
                assert line[one.scale] == ("" if one.value is None else repr(one.value))
                if one.answered is not None:
                    assert line[f"{one.scale}_answered"] == str(one.answered)
            assert line["problems"] == ""

    check()


SCRAPS = [
    ",",
    "\n",
    "\r",
    '"',
    " ",
    "1",
    "9",
    "NA",
    "N",
    "A",
    "",
    "03",
    "3.0",
    "\x1f",
    "\u00e9",
    ";",
]


def test_the_fast_way_never_accepts_what_the_exact_way_refuses() -> None:
    """A good file with scraps put into it: both agree, or the fast way leaves it alone."""
    good = table(row("P1"), row("P2", PF01="", MH2="NA"), row("P3", GH5="5")).decode()

    @settings(max_examples=250, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, len(good)), st.sampled_from(SCRAPS)), max_size=3))
    def check(scraps: list[tuple[int, str]]) -> None:
        text = good
        for place, scrap in sorted(scraps, reverse=True):
            text = text[:place] + scrap + text[place:]
        found = fast(text.encode())
        if found is not None:
            assert found == exactly(text.encode())

    check()


def test_the_fast_way_reads_many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    data = table(*(row(f"P{n}", PF01=str(n % 3 + 1), MH1="") for n in range(300)))
    whole = fast(data)
    monkeypatch.setattr(score_file_fast, "PIECE", 1000)
    assert fast(data) == whole == exactly(data)


def test_an_id_doubled_in_another_piece_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score_file_fast, "PIECE", 1000)
    data = table(*(row(f"P{n}") for n in range(300)), row("P7"))
    assert fast(data) is None
    assert problems(data) == ['line 302, column id: "P7" is on line 9 already']


@pytest.mark.parametrize(
    "data",
    [
        table(row("P1", PF01="4")),
        table(row("P1", PF01="x")),
        table(row("P1", PF01=" 1")),
        table(row("P1", PF01="03")),
        table(row("P1", PF01="NB")),
        table(row("P1"), row("P1")),
        table(row("")),
        table(row(" P1")),
        table(row("P1\u3000")),
        table(row('"P,1"')),
        table(row('"P""1"')),
        table(row("P1")[:-1]),
        table(row("P1"), [*row("P2"), "1"], row("P3")[:-1]),
        # A cell too many and one too few, so that the cells in between look right.
        table(row("P1"), [*row("P2"), "7"], ["1", *ONES[:-1]]),
        # A line break where a comma should be.
        table(row("P1")).replace(b"P1,1,1,", b"P1,1\n1,"),
        table(row("P1")) + b"\n",
        table(row("P1"), end="\r\n") + b"\n",
        table(row("P1")).replace(b"P1", b"\xff"),
        table(row("P1"), header=HEADER.replace("PF01", "PF1")),
        b"",
        b"\n" + table(row("P1")),
    ],
)
def test_the_fast_way_leaves_irregular_files_alone(data: bytes) -> None:
    assert fast(data) is None


def test_a_file_without_rows() -> None:
    assert fast(table()) == exactly(table()) == exactly(table()[:-1])
    assert exactly(table()).startswith("id,PF,PF_answered,PF_norm,RP,RP_answered,RP_norm,BP,")


def test_values_that_need_an_exponent_go_the_exact_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polars and Python write 1e-05 differently."""
    monkeypatch.setattr(score_file_fast, "LEAST_PLAIN", 1000.0)
    assert fast(table(row("P1"))) is None

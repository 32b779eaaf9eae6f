"""Instrument definitions: what is read from them, and every fault that refuses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pro_app.core.instruments import (
    DefinitionError,
    Difference,
    load_instrument,
    load_instruments,
)
from tests.core.toy import PAIR, SCORING, Damage, write_toy

ROOT = Path(__file__).parents[2] / "questionnaires"
D, S = "instrument.toml", "scoring.toml"


def test_a_definition_is_read(tmp_path: Path) -> None:
    toy = load_instrument(write_toy(tmp_path))
    assert (toy.code, toy.name, toy.version, toy.minutes) == ("toy", "Toy", "1", 2)
    assert [(item.code, item.n, item.topic) for item in toy.items] == [
        ("Q1", 1, "first"),
        ("Q2", 2, "second"),
        ("Q3", 3, "third"),
    ]
    assert [item.not_applicable for item in toy.items] == [False, True, False]
    assert toy.item("Q2").options.codes == (1, 2, 3)
    assert toy.item("Q3").section.code == "end"
    assert [(one.code, one.recall, one.lead) for one in toy.sections] == [
        ("main", "past_4_weeks", True),
        ("end", "none", False),
    ]
    assert toy.cdisc["TOY"].items["Q3"] == "T3"
    assert toy.differences["plain"]["TWO"] == Difference(5.0, None, "a paper")
    assert toy.differences["plain"]["ONE"] == Difference()
    assert toy.scorings["plain"].outputs() == ("TWO", "ONE", "SUM")
    with pytest.raises(KeyError):
        toy.item("Q4")


def test_folders_are_found_and_sorted() -> None:
    assert list(load_instruments(ROOT)) == ["lupusqol", "sf36v1", "sf36v2"]


def test_a_folder_without_definition_is_no_instrument(tmp_path: Path) -> None:
    write_toy(tmp_path)
    (tmp_path / "other").mkdir()
    assert list(load_instruments(tmp_path)) == ["toy"]


THIRD_RECODE = '[[plain.recodes]]\nitems = ["Q3"]\nvalues = { 1 = 0, 2 = 1 }\n'
# What instrument.toml must lose for the scoring with a pair.
PAIRED = (
    (D, 'scores = { TWO = "T4", SUM = "T5" }\n', ""),
    (D, 'scale = "TWO"', 'scale = "RAW"'),
)

# fmt: off
FAULTS = [
    # file, text, replacement, place, reason
    (D, "minutes = 2", "minutes = [", "(whole file)", "is not valid TOML"),
    (D, 'name = "Toy"\n', "", "name", "is missing"),
    (D, 'name = "Toy"', 'name = " "', "name", "is empty"),
    (D, 'name = "Toy"', "name = 3", "name", "must be a text, not 3"),
    (D, 'code = "toy"', 'code = "toys"', "code", '"toys" is not the name of the folder'),
    (D, "minutes = 2", "minutes = 2\nminuets = 3", "minuets", "is not a key known here"),
    (D, "minutes = 2", "minutes = 2.5", "minutes", "must be a whole number, not 2.5"),
    (D, "minutes = 2", "minutes = true", "minutes", "must be a whole number, not true"),
    (D, "minutes = 2", "minutes = 0", "minutes", "0 is not within 1 to 120"),
    (D, 'sources = ["a book"]', "sources = []", "sources", "must be a list of texts"),
    (D, '"a book"', "7", "sources[1]", "must be one of texts, not 7"),
    (D, 'code = "Q1"', 'code = "q1"', "items[1].code", '"q1" is not a capital'),
    (D, 'code = "Q1"', 'code = "Q12345678"', "items[1].code", "is not a capital and up to 7"),
    (D, 'code = "Q2"', 'code = "Q1"', "items[2].code", '"Q1" is there twice'),
    (D, 'options = "often"', 'options = "seldom"', "items.Q1.options", "is not an option set"),
    (D, 'topic = "first"', 'topik = "first"', "items.Q1.topic", "is missing"),
    (D, 'topic = "first"', 'topic = "first", hue = 1', "items.Q1.hue", "is not a key known"),
    (D, "not_applicable = true", "not_applicable = 1", "items.Q2.not_applicable", "true or false"),
    (D, "codes = [1, 2, 3]", "codes = [1, 2, 2]", "options.often.codes", '"2" is there twice'),
    (D, "codes = [1, 2, 3]", "codes = [1, 2.0, 3]", "options.often.codes[2]", "whole number"),
    (D, "codes = [1, 2, 3]", "codes = [1]", "options.often.codes", "at least two"),
    (D, "codes = [1, 2, 3]", "codes = [-1, 2, 3]", "options.often.codes", "from 0 to 99"),
    (D, "[options.yes_no]", "[options.often]", "(whole file)", "is not valid TOML"),
    (D, "recall = \"none\"", 'recall = "a week"', "sections[2].recall", "is not one of none"),
    (D, 'items = ["Q3"]', 'items = ["Q9"]', "sections[2].items", '"Q9" is not an item'),
    (D, 'items = ["Q3"]', 'items = ["Q2", "Q3"]', "sections[2].items", "in a section already"),
    (D, 'items = ["Q1", "Q2"]', 'items = ["Q1"]', "sections", "no section for Q2"),
    (D, 'items = ["Q1", "Q2"]', 'items = ["Q2", "Q1"]', "sections", "do not follow the order"),
    (D, 'code = "end"', 'code = "main"', "sections", '"main" is there twice'),
    (D, 'scoring = "plain"', 'scoring = "fancy"', "cdisc.TOY.scoring", '"fancy" is not one of'),
    (D, ', Q3 = "T3"', "", "cdisc.TOY.items", "no code for Q3"),
    (D, 'SUM = "T5"', 'PCS = "T5"', "cdisc.TOY.scores.PCS", "is not known to the instrument"),
    (D, 'Q3 = "T3"', 'Q3 = "T2"', "cdisc.TOY.items", '"T2" is there twice'),
    (D, 'scale = "TWO"', 'scale = "TOW"', "differences.scales[1].scale", '"TOW" is not one of'),
    (D, "mid_improve = 5", 'mid_improve = "5"', "differences.scales[1].mid_improve", "number"),
    (D, 'source = "a paper"\n', "", "differences.scales[1].source", "is missing"),
    (S, "[plain]", "[plain", "(whole file)", "is not valid TOML"),
    (S, "[plain]\n", "[plain]\ncolour = 1\n", "plain.colour", "is not a key known here"),
    (S, 'title = "Toy scores"\n', "", "plain.title", "is missing"),
    (S, 'items = ["Q3"]', 'items = ["Q8"]', "plain.recodes[2].items", '"Q8" is not an item'),
    (S, 'items = ["Q3"]', 'items = ["Q1"]', "plain.recodes[2].items", '"Q1" is recoded twice'),
    (S, "{ 1 = 0, 2 = 1 }", "{ 1 = 0 }", "plain.recodes[2].values", "code 2 of Q3 is missing"),
    (S, "{ 1 = 0, 2 = 1 }", "{ 1 = 0, 2 = 1, 3 = 1 }", "plain.recodes[2].values", '"3" is not a'),
    (S, "2 = 1.5", "2 = nan", "plain.recodes[1].values.2", "must be a finite number, not nan"),
    (S, "2 = 1.5", "2 = -inf", "plain.recodes[1].values.2", "must be a finite number, not -inf"),
    (S, "2 = 1.5", '2 = "1.5"', "plain.recodes[1].values.2", "must be a number"),
    (S, "2 = 1.5", "2 = true", "plain.recodes[1].values.2", "must be a number, not true"),
    (S, "2 = 1.5", "2 = 1e99", "plain.recodes[1].values.2", "is beyond 1000000"),
    (S, "2 = 1.5", "2 = 1e-999999", "plain.recodes[1].values.2", "more than 12 decimals"),
    (S, "2 = 1.5", "2 = 4.5", "plain.scales.TWO.highest", "answers lead from 0 to 9, outside"),
    (S, "1 = 0, 2 = 1.5", "1 = -1, 2 = 1.5", "plain.scales.TWO.lowest", "answers lead from -2"),
    (S, 'code = "ONE"', 'code = "TWO"', "plain.scales", '"TWO" is there twice'),
    (S, 'code = "SUM"', 'code = "ONE"', "plain.scales", '"ONE" is there twice'),
    (S, 'items = ["Q1", "Q2"]\nraw', 'items = ["Q1", "Q7"]\nraw', "plain.scales.TWO.items", "Q7"),
    (S, 'items = ["Q1", "Q2"]\nraw', 'items = ["Q1", "Q1"]\nraw',
     "plain.scales.TWO.items", '"Q1" is there twice'),
    (S, 'items = ["Q1", "Q2"]\nraw', 'items = ["Q1"]\nraw',
     "plain.scales", '"Q2" is scored but in no scale'),
    (S, 'raw = "mean"', 'raw = "median"', "plain.scales.ONE.raw", "is not one of mean, sum"),
    (S, "minimum = 1\nlowest = 0\nhighest = 8", "minimum = 3\nlowest = 0\nhighest = 8",
     "plain.scales.TWO.minimum", "3 is not within 1 to 2"),
    (S, "minimum = 1", "minimum = 0", "plain.scales.TWO.minimum", "0 is not within 1 to 2"),
    (S, "highest = 8", "highest = 0", "plain.scales.TWO.lowest", "is not below highest"),
    (S, "highest = 8\n", "", "plain.scales.TWO.highest", "is missing"),
    (S, 'direction = "higher_worse"', 'direction = "down"', "plain.scales.ONE.direction", "one of"),
    (S, "TWO = { mean = 50, sd = 10 }\n", "", "plain.norms.scales", "no norm for TWO"),
    (S, "TWO = { mean", "TOW = { mean", "plain.norms.scales", '"TOW" is not a scale'),
    (S, "sd = 10 ", "sd = 0 ", "plain.norms.scales.TWO.sd", "must be above 0"),
    (S, "sd = 10 ", "sd = -1 ", "plain.norms.scales.TWO.sd", "must be above 0"),
    (S, "sd = 10 ", "ds = 10 ", "plain.norms.scales.TWO.sd", "is missing"),
    (S, "TWO = 0.5, ", "", "plain.summaries.SUM.coefficients.TWO", "is missing"),
    (S, "TWO = 0.5", "TOW = 1, TWO = 0.5", "plain.summaries.SUM.coefficients.TOW", "not a key"),
]


# fmt: on


@pytest.mark.parametrize(("file", "old", "new", "place", "reason"), FAULTS)
def test_a_faulty_definition_is_refused(
    tmp_path: Path, file: str, old: str, new: str, place: str, reason: str
) -> None:
    folder = write_toy(tmp_path, (file, old, new))
    with pytest.raises(DefinitionError) as caught:
        load_instrument(folder)
    error = caught.value
    assert (error.file, error.place) == (str(folder / file), place)
    assert reason in error.reason
    assert str(error) == f"{error.file}: {error.place}: {error.reason}"


# fmt: off
PAIR_FAULTS = [
    ("Q3 = { 1 = 5, 2 = 1 }\n", "", "plain.scales.PAIR.pair.both.Q3", "is missing"),
    ("Q3 = { 1 = 6, 2 = 1 }", "Q3 = { 1 = 6 }", "plain.scales.PAIR.pair.alone.Q3", "code 2 of Q3"),
    ("when = { Q1 = 1, Q3 = 1 }", "when = { Q1 = 1 }",
     "plain.scales.PAIR.pair.exceptions[1].when.Q3", "is missing"),
    ("when = { Q1 = 1, Q3 = 1 }", "when = { Q1 = 4, Q3 = 1 }",
     "plain.scales.PAIR.pair.exceptions[1].when.Q1", '"4" is not a code of Q1'),
    ('item = "Q3"', 'item = "Q2"', "plain.scales.PAIR.pair.exceptions[1].item", "is not one of"),
    ("final = 6", "final = 7", "plain.scales.PAIR.highest", "answers lead from 2 to 13, outside"),
    ("Q1 = { 1 = 6, 2", "Q1 = { 1 = 60, 2", "plain.scales.PAIR.highest", "outside"),
    ('items = ["Q1", "Q3"]', 'items = ["Q1", "Q2", "Q3"]', "plain.scales.PAIR.pair", "two items"),
    ('items = ["Q2"]\nvalues', 'items = ["Q2", "Q1"]\nvalues', "plain.recodes", "in a pair"),
    ("[plain.scales.pair.both]", "[plain.scales.pair.boht]",
     "plain.scales.PAIR.pair.both", "is missing"),
]


# fmt: on


@pytest.mark.parametrize(("old", "new", "place", "reason"), PAIR_FAULTS)
def test_a_faulty_pair_is_refused(
    tmp_path: Path, old: str, new: str, place: str, reason: str
) -> None:
    folder = write_toy(tmp_path, *PAIRED, (S, old, new), scoring=PAIR)
    with pytest.raises(DefinitionError) as caught:
        load_instrument(folder)
    assert caught.value.place == place
    assert reason in caught.value.reason


NOT_SCORED = (D, 'topic = "third"', 'topic = "third", scored = false')


@pytest.mark.parametrize(
    ("damages", "place", "reason"),
    [
        ([], "plain.recodes[2].items", '"Q3" is not scored'),
        ([(S, THIRD_RECODE, "")], "plain.scales.ONE.items", '"Q3" is not scored'),
    ],
)
def test_an_item_that_is_not_scored_is_in_no_scale(
    tmp_path: Path, damages: list[Damage], place: str, reason: str
) -> None:
    folder = write_toy(tmp_path, NOT_SCORED, *damages)
    with pytest.raises(DefinitionError) as caught:
        load_instrument(folder)
    assert (caught.value.place, caught.value.reason) == (place, reason)


def test_summaries_need_norms(tmp_path: Path) -> None:
    norms = SCORING[SCORING.index("[plain.norms]") : SCORING.index("[[plain.summaries]]")]
    folder = write_toy(tmp_path, (S, norms, ""))
    with pytest.raises(DefinitionError, match=r"plain\.summaries: need norms for all scales"):
        load_instrument(folder)


def test_a_missing_scoring_file_is_a_fault(tmp_path: Path) -> None:
    folder = write_toy(tmp_path)
    (folder / S).unlink()
    with pytest.raises(DefinitionError, match="cannot be read: No such file"):
        load_instrument(folder)


def test_an_empty_scoring_file_is_a_fault(tmp_path: Path) -> None:
    folder = write_toy(tmp_path)
    (folder / S).write_text("# nothing\n")
    with pytest.raises(DefinitionError, match="holds no scoring"):
        load_instrument(folder)


def test_a_file_that_is_not_utf8_is_a_fault(tmp_path: Path) -> None:
    folder = write_toy(tmp_path)
    (folder / D).write_bytes(b'code = "t\xf6y"')
    with pytest.raises(DefinitionError, match="is not UTF-8"):
        load_instrument(folder)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (D, 'topic = "first"', 'topic = "one"'),
        (D, 'topic = "third"', 'topic = "third", not_applicable = true'),
        (D, 'source = "a paper"', 'source = "another paper"'),
        (D, "mid_improve = 5", "mid_improve = 6"),
        (S, '"a manual"', '"another manual"'),
        (S, 'title = "Toy scores"', 'title = "Scores of the toy"'),
        (S, 'name = "third"', 'name = "last"'),
        (S, 'source = "a town"', 'source = "a city"'),
        (S, "mean = 50, sd", "mean = 50.00, sd"),
    ],
)
def test_words_do_not_change_the_algorithm(tmp_path: Path, file: str, old: str, new: str) -> None:
    before = load_instrument(write_toy(tmp_path / "1"))
    after = load_instrument(write_toy(tmp_path / "2", (file, old, new)))
    assert after.scorings["plain"].algorithm == before.scorings["plain"].algorithm
    if "50.00" not in new:
        assert after.fingerprint != before.fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2 = 1.5", "2 = 1.25"),
        ("minimum = 1\nlowest = 0\nhighest = 8", "minimum = 2\nlowest = 0\nhighest = 8"),
        ("highest = 8", "highest = 9"),
        ("lowest = 0", "lowest = -1"),
        ("mean = 50", "mean = 50.1"),
        ("sd = 20.5", "sd = 20.6"),
        ("TWO = 0.5", "TWO = 0.51"),
        ('raw = "sum"', 'raw = "mean"'),
        ('raw = "sum"', 'raw = "sum"\nreported = "raw"'),
    ],
)
def test_any_figure_changes_the_algorithm(tmp_path: Path, old: str, new: str) -> None:
    before = load_instrument(write_toy(tmp_path / "1"))
    after = load_instrument(write_toy(tmp_path / "2", (S, old, new)))
    assert after.scorings["plain"].algorithm != before.scorings["plain"].algorithm
    assert after.scorings["plain"].algorithm.startswith("plain@")
    assert len(after.scorings["plain"].algorithm) == len("plain@") + 12
    assert after.fingerprint != before.fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [("final = 6", "final = 5.5"), ("Q3 = { 1 = 6, 2 = 1 }", "Q3 = { 1 = 5, 2 = 1 }")],
)
def test_a_pairs_figures_change_the_algorithm(tmp_path: Path, old: str, new: str) -> None:
    before = load_instrument(write_toy(tmp_path / "1", *PAIRED, scoring=PAIR))
    after = load_instrument(write_toy(tmp_path / "2", *PAIRED, (S, old, new), scoring=PAIR))
    assert after.scorings["plain"].algorithm != before.scorings["plain"].algorithm


def test_the_real_definitions() -> None:
    """What the other parts count on: order, options, sections, flags, CDISC codes."""
    found = load_instruments(ROOT)
    lupusqol, v1, v2 = found["lupusqol"], found["sf36v1"], found["sf36v2"]
    assert [item.code for item in lupusqol.items] == [f"LQ{n:02}" for n in range(1, 35)]
    assert {item.n for item in lupusqol.items if item.not_applicable} == {15, 16, *range(26, 31)}
    assert lupusqol.option_sets["frequency"].codes == (0, 1, 2, 3, 4)
    assert (lupusqol.minutes, v1.minutes, v2.minutes) == (6, 7, 7)
    assert [item.code for item in v1.items] == FORM.split()
    assert [item.code for item in v2.items] == FORM.split()
    assert [item.code for item in v1.items if not item.scored] == ["HT"]
    assert [(one.code, one.recall, one.lead) for one in v1.sections] == SECTIONS
    assert v1.sections == v2.sections
    assert {code: len(one.codes) for code, one in v1.option_sets.items()} == {
        "health": 5, "change": 5, "limits": 3, "yes_no": 2, "extent": 5, "pain": 6,
        "time6": 6, "time5": 5, "truth": 5,
    }  # fmt: skip
    assert {v2.item(code).options.code for code in ("RP1", "RE3", "VT1", "MH5")} == {"time5"}
    assert v1.cdisc["RAND-36 V1.0"].items["RP1"] == "R360113"
    assert v1.cdisc["SF36 V1.0 STANDARD"].items["GH5"] == "SF36111D"
    assert v1.cdisc["SF36 V1.0 STANDARD"].scores["PF"] == "SF36112"
    assert v1.cdisc["SF36 V1.0 STANDARD"].norm_based["MH"] == "SF36127"
    assert v2.cdisc["SF36 V2.0 STANDARD"].scores["MCS"] == "SF36329"
    assert v1.differences["mos_us1990"]["MCS"].mid_deteriorate == -1.2
    assert v2.differences["us1998"]["PCS"].mid_improve == 2.1
    assert lupusqol.differences["lupusqol"]["LQPH"] == Difference()
    assert "McElhone" in (lupusqol.differences_note or "")


FORM = (
    "GH01 HT PF01 PF02 PF03 PF04 PF05 PF06 PF07 PF08 PF09 PF10 RP1 RP2 RP3 RP4 RE1 RE2 RE3 SF1 "
    "BP1 BP2 VT1 MH1 MH2 MH3 VT2 MH4 VT3 MH5 VT4 SF2 GH2 GH3 GH4 GH5"
)
SECTIONS = [
    ("health", "none", False),
    ("change", "none", False),
    ("activities", "none", True),
    ("role_physical", "past_4_weeks", True),
    ("role_emotional", "past_4_weeks", True),
    ("social", "past_4_weeks", False),
    ("pain", "past_4_weeks", False),
    ("feelings", "past_4_weeks", True),
    ("social_time", "past_4_weeks", False),
    ("beliefs", "none", True),
]

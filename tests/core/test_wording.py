"""Wordings: what is read from them, and every fault that refuses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pro_app.core.instruments import DefinitionError, load_instrument, load_instruments
from pro_app.core.wording import Wording, load_wording, load_wordings, made, places, restored
from tests.core.toy import WORDING, write_toy

EN = "wording/en.toml"
ROOT = Path(__file__).parents[2] / "questionnaires"


def load(folder: Path) -> Wording:
    return load_wording(folder / EN, load_instrument(folder))


def test_a_wording_is_read(tmp_path: Path) -> None:
    wording = load(write_toy(tmp_path))
    assert (wording.instrument, wording.language, wording.kind) == ("toy", "en", "demonstration")
    assert wording.source == "ours"
    assert wording.instruction == "Choose one answer."
    assert wording.leads == {"main": "How often"}
    assert wording.recalls == {"main": "In the past 4 weeks"}
    assert wording.options["often"] == {1: "Always", 2: "Sometimes", 3: "Never"}
    assert list(wording.items) == ["Q1", "Q2", "Q3"]


FAULTS = [
    # text, replacement, place, reason
    ('kind = "demonstration"', 'kind = "draft"', "kind", "is not one of demonstration"),
    ('kind = "demonstration"', 'kind = "licensed"', "kind", "is not one of demonstration"),
    ('language = "en"', 'language = "ta"', "language", '"ta" is not the name of the file'),
    ('source = "ours"\n', "", "source", "is missing"),
    ('instruction = "Choose one answer."\n', "", "instruction", "is missing"),
    ('source = "ours"', 'source = "ours"\nextra = 1', "extra", "is not a key known here"),
    ("[leads]", "[heads]", "leads", "is missing"),
    ("[leads]", "[leads]\nend = 'So'", "leads.end", "is not a section with a lead-in"),
    ('main = "How often"\n', "", "leads.main", "is missing"),
    ('main = "In the past 4 weeks"\n', "", "recalls.main", "is missing"),
    ("[recalls]", "[recalls]\nend = 'now'", "recalls.end", "is not a section with a recall"),
    ('3 = "Never"\n', "", "options.often.3", "is missing"),
    ('3 = "Never"', '3 = "Never"\n4 = "No"', "options.often.4", "is not an option of often"),
    ("[options.yes_no]", "[options.no_yes]", "options.no_yes", "is not an option set of this"),
    ('2 = "No"', '2 = "Yes"', "options.yes_no.2", "has the same text as option 1"),
    ('Q3 = "Is it over?"\n', "", "items.Q3", "is missing"),
    ('Q3 = "Is', 'Q4 = "Who?"\nQ3 = "Is', "items.Q4", "is not an item of this instrument"),
    ('"Is it over?"', '""', "items.Q3", "is empty"),
    ('"Is it over?"', '"\\u3000"', "items.Q3", "is empty"),
    ('"Is it over?"', "7", "items.Q3", "must be a text, not 7"),
    ('"Is it over?"', '"Is it over? "', "items.Q3", "begins or ends with a space"),
    ('"Is it over?"', '"\\u00a0Is it over?"', "items.Q3", "begins or ends with a space"),
    ('"Is it over?"', '"Is it\\nover?"', "items.Q3", "control character U+000A"),
    ('"Is it over?"', '"Is it\\u0007over?"', "items.Q3", "control character U+0007"),
    ('"Is it over?"', '"Is it over, Zoe\\u0308?"', "items.Q3", "is not in Unicode normal form"),
    ("[items]", "[items", "(whole file)", "is not valid TOML"),
]


@pytest.mark.parametrize(("old", "new", "place", "reason"), FAULTS)
def test_a_faulty_wording_is_refused(
    tmp_path: Path, old: str, new: str, place: str, reason: str
) -> None:
    folder = write_toy(tmp_path, (EN, old, new))
    with pytest.raises(DefinitionError) as caught:
        load(folder)
    assert (caught.value.file, caught.value.place) == (str(folder / EN), place)
    assert reason in caught.value.reason


def translated(text: str, *, but: str = "") -> str:
    """The wording with every text made different, apart from the line with `but`."""
    lines = []
    for line in text.replace('language = "en"', 'language = "ms"').splitlines():
        key, equals, value = line.partition(' = "')
        fixed = key in ("language", "kind") or not equals or (but and but in line)
        lines.append(line if fixed else f'{key} = "ms: {value}')
    return "\n".join(lines)


def test_languages_are_found_by_file(tmp_path: Path) -> None:
    folder = write_toy(tmp_path)
    (folder / "wording/ms.toml").write_text(translated(WORDING))
    wordings = load_wordings(folder / "wording", load_instrument(folder))
    assert list(wordings) == ["en", "ms"]
    assert wordings["ms"].items["Q3"] == "ms: Is it over?"


@pytest.mark.parametrize(
    ("copied", "place"),
    [
        ("Is it over?", "items.Q3"),
        ("Sometimes", "options.often.2"),
        ("How often", "leads.main"),
        ("In the past", "recalls.main"),
        ("Choose", "instruction"),
    ],
)
def test_a_text_copied_from_another_language_is_a_fault(
    tmp_path: Path, copied: str, place: str
) -> None:
    folder = write_toy(tmp_path)
    (folder / "wording/ms.toml").write_text(translated(WORDING, but=copied))
    with pytest.raises(DefinitionError) as caught:
        load_wordings(folder / "wording", load_instrument(folder))
    assert caught.value.file == str(folder / "wording/ms.toml")
    assert caught.value.place == place
    assert caught.value.reason == "has the same text as en"


def test_every_text_changes_the_fingerprint(tmp_path: Path) -> None:
    before = load(write_toy(tmp_path / "0")).fingerprint
    assert len(before) == 64
    seen = {before}
    for n, old in enumerate(['"Choose', '"How', '"In the', '"Always', '"No"', '"was it warm'], 1):
        folder = write_toy(tmp_path / str(n), (EN, old, old[:1] + "x" + old[1:]))
        seen.add(load(folder).fingerprint)
    assert len(seen) == 7


def test_a_licensed_wording_is_made_of_texts_and_comes_back(tmp_path: Path) -> None:
    folder = write_toy(tmp_path)
    instrument = load_instrument(folder)
    texts = dict(load(folder).texts())
    assert tuple(texts) == places(instrument)
    first = made(instrument, "en", "licensed", "a file", "1", texts)
    again = restored("toy", "en", "1", dict(first.texts()))
    assert dict(again.texts()) == texts
    assert again.fingerprint == first.fingerprint
    assert first.fingerprint != load(folder).fingerprint
    assert first.fingerprint != made(instrument, "en", "licensed", "a", "2", texts).fingerprint
    for place in texts:
        with pytest.raises(DefinitionError) as caught:
            made(instrument, "en", "licensed", "a file", "1", texts | {place: " "})
        assert (caught.value.place, caught.value.reason) == (place, "is empty")
        lacking = {key: text for key, text in texts.items() if key != place}
        with pytest.raises(DefinitionError, match="is missing"):
            made(instrument, "en", "licensed", "a file", "1", lacking)
    with pytest.raises(DefinitionError, match="is not an item"):
        made(instrument, "en", "licensed", "a file", "1", texts | {"items.Q9": "More?"})


def test_the_source_does_not_change_the_fingerprint(tmp_path: Path) -> None:
    folder = write_toy(tmp_path / "2", (EN, 'source = "ours"', 'source = "ours, 2nd print"'))
    assert load(folder).fingerprint == load(write_toy(tmp_path / "1")).fingerprint


def test_the_wordings_at_hand() -> None:
    for code, instrument in load_instruments(ROOT).items():
        wordings = load_wordings(ROOT / code / "wording", instrument)
        assert list(wordings) == ["en", "ms", "ta", "zh_Hans"]
        assert {one.kind for one in wordings.values()} == {"demonstration"}
        assert len({one.fingerprint for one in wordings.values()}) == 4

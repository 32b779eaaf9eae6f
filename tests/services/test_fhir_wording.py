"""Wordings out of a Questionnaire: exactly those that went in, and every fault of other files."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.questionnaire import Questionnaire
from hypothesis import given, settings
from hypothesis import strategies as st

from pro_app.config import ROOT
from pro_app.core.instruments import Instrument, Item, OptionSet, Section, load_instrument
from pro_app.core.json_file import MOST_BYTES, REASONS, Fault, Refused
from pro_app.core.library import Library, load_library
from pro_app.core.wording import Wording, made, places
from pro_app.export import fhir
from pro_app.services.fhir_wording import FhirWordings, read_fhir
from tests.core.toy import write_toy

BASE = "https://pro.example.org"
OURS = f"{BASE}/fhir/StructureDefinition"
TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
SCRIPTS = {"en": "Abc", "ms": "Abc", "zh_Hans": "答案问题", "ta": "கசடதப"}


@cache
def library() -> Library:
    return load_library(ROOT / "questionnaires")


def written(instrument: Instrument, wordings: dict[str, Wording], first: str) -> bytes:
    return fhir.one_questionnaire(fhir.Form(instrument, wordings), first, BASE, str)


def shipped(code: str, *languages: str) -> tuple[Instrument, dict[str, Wording]]:
    return library().instruments[code], {
        one: library().wordings[code, one] for one in languages or SCRIPTS
    }


def again(instrument: Instrument, found: FhirWordings) -> dict[str, Wording]:
    """The wordings that a file's texts make."""
    return {
        language: made(
            instrument,
            language,
            found.said[language].kind,
            found.said[language].source,
            found.said[language].version,
            texts,
        )
        for language, texts in found.texts.items()
    }


# --- the round trip -----------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(library().instruments))
@pytest.mark.parametrize("first", sorted(SCRIPTS))
def test_what_is_written_is_read_again(code: str, first: str) -> None:
    instrument, wordings = shipped(code)
    found = read_fhir(written(instrument, wordings, first), library().instruments)
    assert found.instrument == code
    assert again(instrument, found) == wordings
    for language, wording in wordings.items():
        assert found.said[language].fingerprint == wording.fingerprint
        assert list(found.texts[language].items()) == [
            (place, dict(wording.texts())[place]) for place in places(instrument)
        ]


@pytest.mark.parametrize("code", sorted(library().instruments))
def test_what_another_program_has_saved_again_is_read_alike(code: str) -> None:
    instrument, wordings = shipped(code)
    data = written(instrument, wordings, "ta")
    saved = Questionnaire.model_validate_json(data).model_dump_json().encode()
    assert saved != data
    found = read_fhir(saved, library().instruments, code)
    assert again(instrument, found) == wordings


def test_one_language_alone_has_no_translations() -> None:
    instrument, wordings = shipped("lupusqol", "zh_Hans")
    data = written(instrument, wordings, "zh_Hans")
    assert b"translation" not in data
    assert list(read_fhir(data, library().instruments).texts) == ["zh_Hans"]


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), min_size=1, max_size=20
).map(lambda text: f"x{text}y")


@st.composite
def shapes(draw: st.DrawFn) -> tuple[Instrument, dict[str, Wording]]:
    """Another instrument: other sections, items, options, and texts in some languages."""
    template = library().instruments["lupusqol"]
    sets = [
        OptionSet(
            f"set{n}",
            tuple(draw(st.lists(st.integers(0, 99), min_size=2, max_size=6, unique=True))),
            "a",
            "b",
        )
        for n in range(draw(st.integers(1, 3)))
    ]
    items: list[Item] = []
    sections: list[Section] = []
    for n in range(draw(st.integers(1, 4))):
        recall = draw(st.sampled_from(["none", "past_4_weeks", "past_1_year"]))
        sections.append(Section(f"part_{n}", recall, draw(st.booleans())))
        for _ in range(draw(st.integers(1, 3))):
            place = len(items) + 1
            options, offered = draw(st.sampled_from(sets)), draw(st.booleans())
            items.append(
                Item(f"Q{place}", place, "t", sections[-1], options, offered, True, f"{place}a")
            )
    values = {name: getattr(template, name) for name in Instrument.__slots__} | {
        "code": "made_up",
        "items": tuple(items),
        "sections": tuple(sections),
        "option_sets": {one.code: one for one in sets if any(i.options == one for i in items)},
    }
    instrument = Instrument(**values)
    languages = draw(st.lists(st.sampled_from(sorted(SCRIPTS)), min_size=1, unique=True))
    wordings = {}
    for language in languages:
        said = {
            place: f"{SCRIPTS[language]} {place} {draw(texts)}".strip()
            for place in places(instrument)
        }
        said = {place: unicodedata.normalize("NFC", text) for place, text in said.items()}
        wordings[language] = made(instrument, language, "licensed", "made up", "2", said)
    return instrument, wordings


@settings(max_examples=60, deadline=None)
@given(shapes())
def test_any_shape_and_any_text_come_back(case: tuple[Instrument, dict[str, Wording]]) -> None:
    instrument, wordings = case
    data = written(instrument, wordings, next(iter(wordings)))
    assert again(instrument, read_fhir(data, {"made_up": instrument})) == wordings
    saved = Questionnaire.model_validate_json(data).model_dump_json().encode()
    assert again(instrument, read_fhir(saved, {"made_up": instrument})) == wordings


# --- faults -------------------------------------------------------------------------------------


@pytest.fixture
def toy(tmp_path: Path) -> Instrument:
    return load_instrument(write_toy(tmp_path))


def toy_file(toy: Instrument) -> dict[str, Any]:
    """Items: [0] instruction, [1] main (recall, lead, Q1, Q2), [2] end (Q3)."""
    wordings = {}
    for language, word in SCRIPTS.items():
        said = {place: f"{word} {place}" for place in places(toy)}
        wordings[language] = made(toy, language, "demonstration", "ours", "", said)
    found = json.loads(written(toy, wordings, "en"))
    assert isinstance(found, dict)
    return found


def refused(data: bytes, toy: Instrument, code: str | None = "toy") -> list[Fault]:
    with pytest.raises(Refused) as caught:
        read_fhir(data, {"toy": toy}, code)
    faults = list(caught.value.faults)
    for one in faults:
        assert not any(word in str(one) for word in SCRIPTS.values()), "a text of the file is told"
    return faults


def told(one: Fault) -> tuple[str, str, str, dict[str, str | int]]:
    return one.path, one.link, one.code, dict(one.about)


Edit = Callable[[dict[str, Any]], None]


def q(file: dict[str, Any], n: int) -> dict[str, Any]:
    """The question Qn."""
    found = file["item"][2]["item"][0] if n == 3 else file["item"][1]["item"][n + 1]
    assert found["linkId"] == f"Q{n}"
    assert isinstance(found, dict)
    return found


def put(where: Callable[[dict[str, Any]], Any], key: Any, value: Any) -> Edit:
    def edit(file: dict[str, Any]) -> None:
        where(file)[key] = value

    return edit


def drop(where: Callable[[dict[str, Any]], Any], key: Any) -> Edit:
    def edit(file: dict[str, Any]) -> None:
        del where(file)[key]

    return edit


def swap(where: Callable[[dict[str, Any]], list[Any]], one: int, two: int) -> Edit:
    def edit(file: dict[str, Any]) -> None:
        found = where(file)
        found[one], found[two] = found[two], found[one]

    return edit


def more(where: Callable[[dict[str, Any]], list[Any]], value: Any) -> Edit:
    return lambda file: where(file).append(value)


def root(file: dict[str, Any]) -> dict[str, Any]:
    return file


def options(n: int) -> Callable[[dict[str, Any]], list[Any]]:
    return lambda file: q(file, n)["answerOption"]


def coding(n: int, place: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda file: options(n)(file)[place]["valueCoding"]


def translations(n: int) -> Callable[[dict[str, Any]], list[Any]]:
    return lambda file: q(file, n)["_text"]["extension"]


def translated(language: str, text: str) -> dict[str, Any]:
    parts = [
        {"url": "lang", "valueCode": language},
        {"url": "content", "valueString": text},
    ]
    return {"url": TRANSLATION, "extension": parts}


SIXTH = {"valueCoding": {"code": "4", "display": "six"}}
MAIN, Q1, Q3 = "item[1]", "item[1].item[2]", "item[2].item[0]"
KNOWN = "ms, en, zh-Hans, zh-CN, ta"


def main(file: dict[str, Any]) -> list[Any]:
    found = file["item"][1]["item"]
    assert isinstance(found, list)
    return found


FAULTS: list[tuple[Edit, list[tuple[str, str, str, dict[str, str | int]]]]] = [
    (
        put(root, "resourceType", "Patient"),
        [("resourceType", "", "resource", {"found": "Patient"})],
    ),
    (put(root, "fhirVersion", "5.0.0"), [("", "", "release", {"found": "5.0.0"})]),
    (
        put(
            root, "meta", {"profile": ["http://hl7.org/fhir/3.0/StructureDefinition/Questionnaire"]}
        ),
        [("", "", "release", {"found": "3.0"})],
    ),
    (
        put(
            root,
            "meta",
            {"profile": ["http://hl7.org/fhir/StructureDefinition/Questionnaire|5.0.0"]},
        ),
        [("", "", "release", {"found": "5.0.0"})],
    ),
    (put(root, "group", {}), [("", "", "release", {"found": "DSTU2"})]),
    (put(lambda file: q(file, 1), "type", "coding"), [("", "", "release", {"found": "R5"})]),
    (put(lambda file: q(file, 1), "option", []), [("", "", "release", {"found": "STU3"})]),
    (
        put(root, "url", f"{BASE}/fhir/Questionnaire/sf36v1"),
        [("url", "", "instrument", {"found": "sf36v1", "wanted": "toy"})],
    ),
    (put(root, "contained", []), [("contained", "", "unsupported", {"field": "contained"})]),
    (drop(root, "item"), [("item", "", "kind", {"wanted": "a list of items"})]),
    (drop(root, "language"), [("language", "", "language_missing", {})]),
    (
        put(root, "language", "zh-Hant"),
        [("language", "", "language_unknown", {"found": "zh-Hant", "known": KNOWN})],
    ),
    # items
    (lambda file: main(file).pop(2), [(f"{MAIN}.item", "", "link_missing", {"link": "Q1"})]),
    (lambda file: file["item"].pop(0), [("item", "", "link_missing", {"link": "instruction"})]),
    (
        lambda file: main(file).pop(0),
        [(f"{MAIN}.item", "", "link_missing", {"link": "section.main.recall"})],
    ),
    (
        more(main, {"linkId": "Q9", "type": "display", "text": "nine"}),
        [(f"{MAIN}.item[4]", "Q9", "link_unknown", {"link": "Q9"})],
    ),
    (
        more(main, {"linkId": "Is this a sentence?", "type": "display", "text": "nine"}),
        [(f"{MAIN}.item[4]", "(hidden)", "link_unknown", {"link": "(hidden)"})],
    ),
    (
        lambda file: main(file).append(main(file)[2]),
        [(f"{MAIN}.item[4]", "Q1", "link_twice", {"link": "Q1"})],
    ),
    (swap(main, 2, 3), [(Q1, "Q2", "link_order", {"wanted": "Q1"})]),
    (
        swap(lambda file: file["item"], 1, 2),
        [(MAIN, "section.end", "link_order", {"wanted": "section.main"})],
    ),
    (
        lambda file: file["item"][2]["item"].append(main(file).pop(3)),
        [("item[2].item[1]", "Q2", "link_elsewhere", {"link": "Q2"})],
    ),
    (more(main, "Q9"), [(f"{MAIN}.item[4]", "", "kind", {"wanted": "an item with a linkId"})]),
    (
        put(lambda file: q(file, 1), "type", "open-choice"),
        [(f"{Q1}.type", "Q1", "type", {"found": "open-choice", "wanted": "choice"})],
    ),
    (
        put(lambda file: q(file, 1), "prefix", "7"),
        [(f"{Q1}.prefix", "Q1", "prefix", {"found": "7", "wanted": "1"})],
    ),
    (
        put(lambda file: file["item"][1], "text", "hello"),
        [(f"{MAIN}.text", "section.main", "group_text", {})],
    ),
    (
        drop(lambda file: file["item"][1], "extension"),
        [(MAIN, "section.main", "recall", {"found": "none", "wanted": "past_4_weeks"})],
    ),
    (
        put(
            lambda file: q(file, 1),
            "extension",
            [{"url": f"{OURS}/not-applicable-offered", "valueBoolean": True}],
        ),
        [(Q1, "Q1", "not_applicable", {"found": "yes", "wanted": "no"})],
    ),
    (
        drop(lambda file: q(file, 2), "extension"),
        [("item[1].item[3]", "Q2", "not_applicable", {"found": "no", "wanted": "yes"})],
    ),
    (
        put(lambda file: q(file, 1), "required", True),
        [(f"{Q1}.required", "Q1", "unsupported", {"field": "required"})],
    ),
    (
        put(lambda file: q(file, 1), "repeats", True),
        [(f"{Q1}.repeats", "Q1", "unsupported", {"field": "repeats"})],
    ),
    (
        put(lambda file: q(file, 1), "enableWhen", [{}]),
        [(f"{Q1}.enableWhen", "Q1", "unsupported", {"field": "enableWhen"})],
    ),
    (
        put(lambda file: q(file, 3), "item", []),
        [(f"{Q3}.item", "Q3", "unsupported", {"field": "item"})],
    ),
    (
        lambda file: q(file, 3).update(answerValueSet="#list", answerOption=[]),
        [
            (f"{Q3}.answerValueSet", "Q3", "unsupported", {"field": "answerValueSet"}),
            (f"{Q3}.answerOption", "Q3", "option_count", {"found": 0, "wanted": 2}),
        ],
    ),
    # options
    (
        more(options(1), SIXTH),
        [(f"{Q1}.answerOption", "Q1", "option_count", {"found": 4, "wanted": 3})],
    ),
    (
        lambda file: options(1)(file).pop(),
        [(f"{Q1}.answerOption", "Q1", "option_count", {"found": 2, "wanted": 3})],
    ),
    (swap(options(1), 0, 1), [(f"{Q1}.answerOption", "Q1", "option_order", {})]),
    (
        lambda file: (coding(1, 2)(file).update(code="7"), coding(1, 2)(file).pop("extension")),
        [(f"{Q1}.answerOption[2]", "Q1", "option_code", {"found": "7", "wanted": "3"})],
    ),
    (
        lambda file: options(1)(file).__setitem__(2, options(1)(file)[1]),
        [(f"{Q1}.answerOption[2]", "Q1", "option_twice", {"found": "2"})],
    ),
    (
        put(lambda file: options(3)(file)[0], "valueCoding", {"display": "no code"}),
        [(f"{Q3}.answerOption[0]", "Q3", "option_kind", {})],
    ),
    (
        put(lambda file: options(1)(file), 0, {"valueString": "Always"}),
        [(f"{Q1}.answerOption[0]", "Q1", "option_kind", {})],
    ),
    (
        put(lambda file: options(1)(file)[0], "initialSelected", True),
        [
            (
                f"{Q1}.answerOption[0].initialSelected",
                "Q1",
                "unsupported",
                {"field": "initialSelected"},
            )
        ],
    ),
    (
        put(coding(1, 0), "system", f"{BASE}/fhir/CodeSystem/toy.yes_no"),
        [
            (
                f"{Q1}.answerOption[0].valueCoding.system",
                "Q1",
                "option_set",
                {"found": "toy.yes_no", "wanted": "toy.often"},
            )
        ],
    ),
    (
        lambda file: coding(1, 0)(file)["extension"][0].update(valueDecimal=100),
        [(f"{Q1}.answerOption[0].valueCoding", "Q1", "ordinal", {"code": "1"})],
    ),
    (
        put(coding(2, 0), "display", "Mostly"),
        [
            (
                "item[1].item[3].answerOption[0].valueCoding.display",
                "Q2",
                "option_differs",
                {"code": "1", "language": "en", "first": "Q1"},
            )
        ],
    ),
    # texts
    (drop(lambda file: q(file, 1), "text"), [(f"{Q1}.text", "Q1", "text_missing", {})]),
    (put(lambda file: q(file, 1), "text", " \u3000"), [(f"{Q1}.text", "Q1", "text_empty", {})]),
    (put(lambda file: q(file, 1), "text", 7), [(f"{Q1}.text", "Q1", "kind", {"wanted": "a text"})]),
    (put(lambda file: q(file, 1), "text", "a\ud800b"), [(f"{Q1}.text", "", "surrogate", {})]),
    (
        lambda file: translations(1)(file).pop(0),
        [(f"{Q1}.text", "Q1", "translation_missing", {"language": "ms"})],
    ),
    (
        drop(lambda file: q(file, 3), "_text"),
        [
            (f"{Q3}.text", "Q3", "translation_missing", {"language": one})
            for one in ("ms", "zh_Hans", "ta")
        ],
    ),
    (
        more(translations(1), translated("zh-CN", "again")),
        [(f"{Q1}._text.extension[3]", "Q1", "language_twice", {"language": "zh_Hans"})],
    ),
    (
        more(translations(1), translated("en", "again")),
        [(f"{Q1}._text.extension[3]", "Q1", "language_twice", {"language": "en"})],
    ),
    (
        more(translations(1), translated("fr", "encore")),
        [(f"{Q1}._text.extension[3]", "Q1", "language_unknown", {"found": "fr", "known": KNOWN})],
    ),
    (
        more(translations(1), {"url": TRANSLATION, "extension": []}),
        [(f"{Q1}._text.extension[3]", "Q1", "translation", {})],
    ),
    (
        put(lambda file: q(file, 1), "_text", "ta"),
        [
            (f"{Q1}._text", "Q1", "kind", {"wanted": "an object"}),
            *(
                (f"{Q1}.text", "Q1", "translation_missing", {"language": one})
                for one in ("ms", "zh_Hans", "ta")
            ),
        ],
    ),
    (
        lambda file: file["extension"].append(file["extension"][0]),
        [("extension[4]", "", "language_twice", {"language": "en"})],
    ),
]


@pytest.mark.parametrize("case", range(len(FAULTS)))
def test_a_fault_is_told_with_its_path(toy: Instrument, case: int) -> None:
    edit, wanted = FAULTS[case]
    file = toy_file(toy)
    read_fhir(json.dumps(file).encode(), {"toy": toy})
    edit(file)
    assert [told(one) for one in refused(json.dumps(file).encode(), toy)] == wanted


def test_every_fault_is_told_at_once(toy: Instrument) -> None:
    file = toy_file(toy)
    q(file, 1)["text"] = ""
    options(2)(file).pop()
    main(file).pop(0)
    codes = [one.code for one in refused(json.dumps(file).encode(), toy)]
    assert sorted(codes) == ["link_missing", "option_count", "text_empty"]


NO_FILES = {
    b"": "empty",
    b" \n": "empty",
    b"\xff\xfe{\x00}\x00": "encoding",
    b'{"a": "\xe9"}': "encoding",
    b"{": "not_json",
    b"PK\x03\x04": "not_json",
    b'{"a": NaN}': "kind",
    b"1" * 5000: "kind",
    b"[]": "kind",
    b'{"resourceType": "Questionnaire", "resourceType": "Questionnaire"}': "key_twice",
    b"[" * 41 + b"]" * 41: "too_deep",
    b"[" * 900_000: "too_deep",
    b'{"a": "' + b'\\"' * 900_000: "not_json",
    b'"' + b"x" * MOST_BYTES + b'"': "too_large",
    b'{"resourceType": "Questionnaire", "url": "https://a.example/b"}': "unknown_instrument",
}


@pytest.mark.parametrize("data", NO_FILES, ids=range(len(NO_FILES)))
def test_what_is_no_such_file_is_refused(toy: Instrument, data: bytes) -> None:
    (found,) = refused(data, toy, None)
    assert found.code == NO_FILES[data]


def test_a_definition_that_is_not_known_is_refused_with_the_reason(toy: Instrument) -> None:
    data = json.dumps(toy_file(toy)).encode()
    with pytest.raises(Refused) as caught:
        read_fhir(data, library().instruments)
    (found,) = caught.value.faults
    assert "nothing of its scoring" in str(found)


def test_brackets_in_texts_are_no_levels(toy: Instrument) -> None:
    file = toy_file(toy)
    q(file, 1)["text"] = '["\\' * 60
    found = read_fhir(b"\xef\xbb\xbf" + json.dumps(file).encode(), {"toy": toy})
    assert found.texts["en"]["items.Q1"] == '["\\' * 60


def test_every_reason_can_be_said() -> None:
    shown = set(NO_FILES.values())
    for _, wanted in FAULTS:
        for path, link, code, about in wanted:
            assert "{" not in str(Fault(path, link, code, tuple(about.items())))
            shown.add(code)
    assert shown == set(REASONS)

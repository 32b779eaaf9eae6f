"""Each text of a filled template, looked at by itself and beside the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pro_app.config import ROOT
from pro_app.core.instruments import Instrument
from pro_app.core.study import LANGUAGES
from pro_app.core.wording import made, places
from pro_app.core.wording_characters import MOST_CHARACTERS
from pro_app.core.wording_check import Cell, Row, Wanted, check
from pro_app.core.wording_faults import CODES, DOUBTS, REASONS, Fault
from pro_app.core.wording_faults import LANGUAGES as NAMES
from pro_app.core.wording_scripts import TRADITIONAL
from pro_app.core.wording_template import lines
from tests.conftest import kept_library
from tests.services.wording_files import row_of, sentences

LIBRARY = kept_library(ROOT / "questionnaires")
SF36 = LIBRARY.instruments["sf36v1"]
DEMONSTRATION = {
    language: dict(LIBRARY.wordings["sf36v1", language].texts()) for language in LANGUAGES
}
KEY, SECOND = "items.GH2", "items.GH3"  # of one section
OPTION = "options.health.2"


def rows_of(instrument: Instrument, texts: Mapping[str, str]) -> list[Row]:
    """A filled template's rows, as they are read from a file."""
    return [
        Row(n, tuple(map(Cell, (one.key, one.kind, one.item, one.topic, "", texts[one.key]))))
        for n, one in enumerate(lines(instrument, None), 2)
    ]


def faults(
    changed: Mapping[str, str],
    language: str = "en",
    demonstration: Mapping[str, Mapping[str, str]] = DEMONSTRATION,
    stored: Mapping[str, Mapping[str, str]] | None = None,
) -> list[Fault]:
    """The faults of good texts of which some are changed."""
    texts = {**sentences(SF36, language), **changed}
    rows = rows_of(SF36, texts)
    wanted = Wanted(SF36, language, demonstration, stored or {})
    found = check(rows, wanted).faults
    for one in found:
        assert one.code in CODES
        for text in changed.values():
            assert len(text) < 9 or text not in str(one)
    return list(found)


def codes(found: Sequence[Fault]) -> list[tuple[str, str | None]]:
    return [(one.code, one.key) for one in found]


@pytest.mark.parametrize("language", LANGUAGES)
def test_good_texts_have_no_fault(language: str) -> None:
    assert faults({}, language) == []


@pytest.mark.parametrize("code", ["lupusqol", "sf36v1", "sf36v2"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_natural_texts_have_no_fault(code: str, language: str) -> None:
    """The demonstration wording would be fine, if it were not the demonstration's."""
    instrument = LIBRARY.instruments[code]
    texts = dict(LIBRARY.wordings[code, language].texts())
    rows = rows_of(instrument, texts)
    assert check(rows, Wanted(instrument, language)).faults == ()
    for other in LANGUAGES:
        if other != language:
            [fault] = check(rows, Wanted(instrument, other)).faults
            assert fault.reason == f"the file does not read like {NAMES[other]}"
    own = {language: texts}
    left = check(rows, Wanted(instrument, language, own)).faults
    assert {one.code for one in left} == {"hint", "hint_options"}
    assert sum(one.code == "hint" for one in left) == sum(
        not one.startswith(("options.", "recalls.")) for one in places(instrument)
    )


TEXTS = [  # language, text, code, what its sentence names
    ("en", "Some tea {name} for you", "placeholder", "{...}"),
    ("en", "Some tea <b>for you</b>", "placeholder", "<...>"),
    ("en", "Some tea [insert drink] for you", "placeholder", "[...]"),
    ("en", "Some tea for %s", "placeholder", "%s"),
    ("en", "Some tea for %(name)s today", "placeholder", "%s"),
    ("en", "Some tea &amp; coffee", "placeholder", "&...;"),
    ("en", "TODO some tea", "placeholder", "TODO"),
    ("en", "Some Xxxx tea", "placeholder", "xxx"),
    ("en", "Lorem  ipsum".replace("  ", " "), "placeholder", "lorem ipsum"),
    ("en", "Some ____ tea", "placeholder", "___"),
    ("en", "Some ??? tea", "placeholder", "???"),
    ("ta", "??? ????", "placeholder", "???"),
    ("zh_Hans", "我喜欢喝{drink}。", "placeholder", "{...}"),
    ("en", " Some tea for you", "outer_space", ""),
    ("en", "Some tea for you\u00a0", "outer_space", ""),
    ("zh_Hans", "我喜欢喝茶。\u3000", "outer_space", ""),
    ("en", "Some  tea for you", "double_space", ""),
    ("en", "Some \u00a0tea for you", "double_space", ""),
    ("en", "Some tea\nfor you", "line_break", ""),
    ("en", "Some tea\r\nfor you", "line_break", ""),
    ("en", "Some tea\u2028for you", "line_break", ""),
    ("en", "Some\ttea for you", "control", "U+0009"),
    ("en", "Some tea\x07 for you", "control", "U+0007"),
    ("en", "Some tea_x001f_ for you", "control", "U+001F"),  # as a workbook writes it
    ("en", "Some tea\u200b for you", "invisible", "U+200B"),
    ("en", "Some tea\u202e for you", "invisible", "U+202E"),
    ("en", "Some\ufeff tea for you", "invisible", "U+FEFF"),
    ("en", "Some to\u00adfu for you", "invisible", "U+00AD"),
    ("en", "Some te\u200da for you", "invisible", "U+200D"),
    ("zh_Hans", "我喜\u200c欢喝茶。", "invisible", "U+200C"),
    ("ta", "எனக்கு\u200e தேநீர் பிடிக்கும்.", "invisible", "U+200E"),
    ("ta", "எனக்கு \uf0a5தேநீர் பிடிக்கும்.", "unusual", "U+F0A5"),
    ("en", "Some tea\U000e0fff for you", "unusual", "U+E0FFF"),
    ("en", "Some caf\ufffd for you", "garbled", "U+FFFD"),
    ("en", f"Some caf\ufffd or {'café'.encode().decode('cp1252')}", "garbled", "U+FFFD"),
    ("en", "Some café for you".encode().decode("cp1252"), "garbled", "U+00C3"),
    ("en", "That’s some tea".encode().decode("cp1252"), "garbled", "U+00E2"),
    ("en", "Some cafe\u0301 for you", "not_nfc", ""),
    ("ta", "நான் ப\u0bc6\u0bbeய் பேசவில்லை.", "not_nfc", ""),
    ("en", "t" * MOST_CHARACTERS + "ea", "long", "1002"),
    ("en", "...", "no_letters", ""),
    ("ta", "Today I like some tea.", "script", "U+0054"),
    ("ta", "我喜欢喝茶。", "script", "U+6211"),
    ("ta", "मुझे चाय पसंद है।", "script", "U+092E"),
    ("ta", "எனக்கு चाय பிடிக்கும்.", "script", "U+091A"),
    ("en", "Today I like தேநீர்.", "script", "U+0BA4"),
    ("ms", "Saya suka 茶.", "script", "U+8336"),
    ("en", "Some tеa for you", "script", "U+0435"),  # a Cyrillic letter
    ("zh_Hans", "Today I like some tea.", "script", "U+0054"),
    ("zh_Hans", "私はお茶が好きです。", "script", "U+306F"),
    ("zh_Hans", "我喜歡喝茶，也喜歡熱牛奶。", "traditional", "U+6B61"),
    ("ms", "I like to drink some of the tea.", "reads_like", "English"),
    ("en", "Saya tidak suka minum teh.", "reads_like", "Malay"),
]


@pytest.mark.parametrize(("language", "text", "code", "named"), TEXTS)
def test_a_faulty_text_is_named(language: str, text: str, code: str, named: str) -> None:
    found = faults({KEY: text}, language)
    assert codes(found) == [(code, KEY)]
    assert found[0].row == row_of(SF36, KEY)
    assert named in found[0].reason


ALLOWED = [
    ("ta", "எனக்கு க்\u200cஷ தேநீர் பிடிக்கும்."),
    ("ta", "எனக்கு COVID-19 தடுப்பூசி போட்டார்கள், 5 km நடந்தேன்."),
    ("zh_Hans", "我走了5 km，也喝了茶。"),
    ("zh_Hans", "「茶」——我喜欢！"),
    ("ms", "Saya minum 50% daripada teh O (suam), ya?"),
    ("en", "I'd say: café au lait; crème brûlée... 100 % “fine” – isn’t it?"),
    ("en", "Were you a <3 fan of tea?"),
    ("en", "t" * MOST_CHARACTERS),
    ("en", "0"),
    ("en", "Naïve café’s “tea”"),
]


@pytest.mark.parametrize(("language", "text"), ALLOWED)
def test_an_unusual_text_is_allowed(language: str, text: str) -> None:
    assert faults({KEY: text}, language) == []


def test_hints_that_were_left() -> None:
    own = DEMONSTRATION["en"]
    assert codes(faults({KEY: own[KEY]})) == [("hint", KEY)]
    [moved] = faults({KEY: own[SECOND]})
    assert moved.reason == f"the text is the demonstration wording of {SECOND}"
    assert codes(faults({KEY: own[KEY].upper().replace(" ", "\u00a0")})) == [("hint", KEY)]
    assert codes(faults({"instruction": own["instruction"]})) == [("hint", "instruction")]
    health = {key: text for key, text in own.items() if key.startswith("options.health.")}
    assert codes(faults(health)) == [("hint_options", "options.health.1")]
    assert faults({**health, "options.health.1": "As good as ever"}) == []
    limits = {key: text for key, text in own.items() if key.startswith("options.limits.")}
    assert len(limits) == 3
    assert codes(faults(limits)) == [("hint_options", "options.limits.1")]
    left_in_malay_too = {"ms": {**sentences(SF36, "ms"), KEY: own[KEY]}}
    assert codes(faults({KEY: own[KEY]}, stored=left_in_malay_too)) == [("hint", KEY)]


def test_what_is_alike_in_every_wording_is_no_hint() -> None:
    same = {key: DEMONSTRATION["en"][key] for key in places(SF36) if "yes_no" in key}
    same["recalls.pain"] = DEMONSTRATION["en"]["recalls.pain"]
    assert len(same) == 3
    assert faults(same) == []


def test_texts_of_another_language() -> None:
    [fault] = faults({KEY: DEMONSTRATION["ms"][KEY]})
    assert (fault.code, fault.key) == ("other_language", KEY)
    assert fault.reason == "the text is the same as in Malay"
    assert codes(faults({KEY: DEMONSTRATION["ta"][SECOND]})) == [("other_language", KEY)]
    stored = {"ms": sentences(SF36, "ms")}
    [whole] = faults(stored["ms"], stored=stored)
    assert (whole.code, whole.row, whole.reason) == (
        "file_of", None, "the file holds the texts of Malay",
    )  # fmt: skip
    assert codes(faults({OPTION: stored["ms"][OPTION]}, stored=stored)) == [
        ("other_language", OPTION)
    ]
    numbers = {key: key[-1] for key in places(SF36) if key.startswith("options.health.")}
    assert faults(numbers, stored={"ms": {**stored["ms"], **numbers}}) == []
    assert faults({}, stored={"en": sentences(SF36, "en")}) == []
    drug = {"ms": {**stored["ms"], OPTION: "Panadol 500"}}
    assert faults({KEY: "Panadol 500"}, stored=drug) == [], "an option's word elsewhere"


def test_a_file_in_another_language_is_told_once() -> None:
    for language in ("ms", "zh_Hans", "ta"):
        assert codes(faults(sentences(SF36, language))) == [("file_language", None)]
    french = {key: f"Je bois du lait numéro {n} chez moi" for n, key in enumerate(places(SF36))}
    assert codes(faults(french)) == [("file_language", None)]


def test_twins() -> None:
    text = "I enjoy a cup of tea."
    [twin] = faults({KEY: text, SECOND: "I enjoy  a cup of tea".replace("  ", " - ").upper()})
    assert (twin.code, twin.key, dict(twin.values)) == ("twin_items", SECOND, {"other": KEY})
    [option] = faults({OPTION: "Very good", "options.health.4": "very good!"})
    assert (option.code, option.key) == ("twin_options", "options.health.4")
    assert option.reason == f"the option is the same as {OPTION}, or nearly"
    assert faults({OPTION: "Very good", "options.truth.1": "Very good"}) == []
    assert faults({OPTION: "< 5", "options.health.4": "> 5"}) == []
    assert faults({OPTION: "-1", "options.health.4": "1"}) == []


def test_items_below_two_leads_may_have_the_same_words() -> None:
    """As in the physical and the emotional part: what is asked is told by the lead-in."""
    assert faults({"items.RP1": "Did less of it.", "items.RE1": "Did less of it."}) == []
    lead = {f"leads.role_{one}": "Did this happen?" for one in ("physical", "emotional")}
    twice = faults({**lead, "items.RP1": "Did less of it.", "items.RE1": "Did less of it."})
    assert codes(twice) == [("twin_items", "items.RE1")]
    no_leads = faults({"items.GH01": "How was the tea?", "items.BP1": "How was the tea?"})
    assert codes(no_leads) == [("twin_items", "items.BP1")]


@pytest.mark.parametrize("kind", ["formula", "number"])
def test_of_a_cell_that_is_no_text_its_kind_is_told_alone(kind: str) -> None:
    rows = rows_of(SF36, sentences(SF36, "en"))
    place = next(n for n, row in enumerate(rows) if row.text("key") == KEY)
    rows[place] = Row(rows[place].number, (*rows[place].cells[:-1], Cell("", kind)))
    assert codes(check(rows, Wanted(SF36, "en")).faults) == [(kind, KEY)]


@pytest.mark.parametrize(
    ("strange", "told"),
    [
        ("options.health.6", "options.health.6"),
        ("options.health.\u0666", None),  # another script's six
        (f"options.health.{'6' * 60}", None),
        ("What stands in the file", None),
    ],
)
def test_a_strange_key_is_told_if_it_is_but_an_options(strange: str, told: str | None) -> None:
    more = Row(99, tuple(map(Cell, (strange, "option", "", "", "", "As good as it gets"))))
    (fault,) = check([*rows_of(SF36, sentences(SF36, "en")), more], Wanted(SF36, "en")).faults
    assert (fault.code, fault.key) == ("options" if told else "key_unknown", told)
    assert (strange in str(fault)) is (told is not None)


def test_only_doubts_can_be_confirmed() -> None:
    texts = {**sentences(SF36, "en"), KEY: "Some  tea\u200b [or so] for you"}
    rows = rows_of(SF36, texts)
    found = check(rows, Wanted(SF36, "en"), confirmed=[KEY])
    assert codes(found.faults) == [("invisible", KEY)]
    assert found.confirmed == ((KEY, "double_space"), (KEY, "placeholder"))
    assert set(REASONS) > DOUBTS


def test_no_character_called_traditional_is_in_simplified_chinese() -> None:
    """GB 2312 is the set of characters of Simplified Chinese."""
    for character in TRADITIONAL:
        with pytest.raises(UnicodeEncodeError):
            character.encode("gb2312")
        character.encode("big5")


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(places(SF36)), st.text(max_size=40), max_size=6))
def test_any_texts_are_judged_and_none_is_told(changed: dict[str, str]) -> None:
    faults(changed)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(places(SF36)), st.text("a[1] -é\u00a0茶e\u0301\n", max_size=6), max_size=6
    )
)
def test_what_is_taken_can_be_stored(changed: dict[str, str]) -> None:
    """Also where every doubt was confirmed."""
    texts = {**sentences(SF36, "en"), **changed}
    rows = rows_of(SF36, texts)
    found = check(rows, Wanted(SF36, "en", DEMONSTRATION), confirmed=texts.keys())
    if not found.faults:
        wording = made(SF36, "en", "licensed", "a file", "1", found.texts)
        assert dict(wording.texts()) == texts

"""Study files: what is read from one, and every refusal with its place and reason."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pro_app.config import ROOT
from pro_app.core.instruments import DefinitionError
from pro_app.core.library import Library
from pro_app.core.study import NATIONAL_IDENTITY
from pro_app.core.study_file import parse_study, read_study_file

FILE = Path(__file__).parents[1] / "study.toml"
GOOD = tomllib.loads(FILE.read_text(encoding="utf-8"))
Content = dict[str, Any]


def test_a_study_file_is_read_as_it_stands(library: Library) -> None:
    study = parse_study(read_study_file(FILE, library.instruments), library.instruments)
    assert (study.code, study.status, study.zone.key) == ("test", "test", "Asia/Kuala_Lumpur")
    assert study.languages == ("ms", "en", "zh_Hans", "ta")
    assert study.names["zh_Hans"] == "测试研究"
    assert study.grace == timedelta(hours=2)
    assert study.skipping is True
    assert (study.telephone, study.emergency) == ("03-5550 0100", "999")
    assert [(site.code, site.name) for site in study.sites] == [("01", "Here"), ("02", "There")]
    assert study.instrument("sf36v1").scorings == ("rand", "mos_us1990")
    assert study.timepoint("baseline").instruments == ("lupusqol", "sf36v1")
    assert study.timepoint("month_3").labels["en"] == "Month 3"
    assert study.notice.sections["en"] == (("What we collect", "Your answers."),)
    assert study.number_pattern.fullmatch("01-001")


@pytest.mark.parametrize("said", [True, False, None])
def test_items_are_read_aloud_only_where_the_study_says_so(
    library: Library, said: bool | None
) -> None:
    content = GOOD if said is None else GOOD | {"read_aloud": said}
    assert parse_study(content, library.instruments).read_aloud is bool(said)


@pytest.mark.parametrize("find", ["timepoint", "instrument"])
def test_what_the_protocol_does_not_have_is_not_found(library: Library, find: str) -> None:
    study = parse_study(GOOD, library.instruments)
    with pytest.raises(KeyError):
        getattr(study, find)("unknown")


def test_the_demonstrations_study_file_is_sound(library: Library) -> None:
    found = read_study_file(ROOT / "pro_app" / "demo" / "study.toml", library.instruments)
    assert parse_study(found, library.instruments).status == "demonstration"


def put(*path: str | int, to: object) -> Callable[[Content], None]:
    """An edit: the value at `path` becomes `to`."""

    def edit(content: Content) -> None:
        at: Any = content
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = to

    return edit


def drop(*path: str | int) -> Callable[[Content], None]:
    """An edit: the value at `path` goes."""

    def edit(content: Content) -> None:
        at: Any = content
        for step in path[:-1]:
            at = at[step]
        del at[path[-1]]

    return edit


def again(key: str) -> Callable[[Content], None]:
    """An edit: the first entry of a list comes twice."""

    def edit(content: Content) -> None:
        content[key].append(content[key][0])

    return edit


CODE = "only small letters, digits, _ and -, at most 40"
MISSING = [
    (drop(key), key, "is missing")
    for key in (
        "code", "status", "zone", "languages", "name", "number_pattern", "grace_minutes",
        "skipping", "contact", "sites", "instruments", "timepoints", "notice",
    )
] + [
    (drop("contact", "telephone"), "contact.telephone", "is missing"),
    (drop("contact", "emergency"), "contact.emergency", "is missing"),
    (drop("name", "ta"), "name.ta", "is missing"),
    (drop("sites", 0, "name"), "sites[1].name", "is missing"),
    (put("sites", to=[{"name": "A"}, {"name": "B"}]), "sites[1].code", "is missing"),
    (drop("instruments", 1, "scorings"), "instruments[2].scorings", "is missing"),
    (drop("timepoints", 1, "label"), "timepoints[2].label", "is missing"),
    (drop("timepoints", 1, "label", "ms"), "timepoints[2].label.ms", "is missing"),
    (drop("notice", "version"), "notice.version", "is missing"),
    (drop("notice", "en"), "notice.en", "is missing"),
    (drop("notice", "ms", 0, "text"), "notice.ms[1].text", "is missing"),
]  # fmt: skip
UNKNOWN = [
    (put("colour", to=1), "colour", "is not known"),
    (put("contact", "fax", to="1"), "contact.fax", "is not known"),
    (put("name", "fr", to="Étude"), "name.fr", "is not known"),
    (put("sites", 1, "city", to="x"), "sites[2].city", "is not known"),
    (put("instruments", 0, "items", to=[]), "instruments[1].items", "is not known"),
    (put("timepoints", 0, "days", to=3), "timepoints[1].days", "is not known"),
    (put("notice", "fr", to=[]), "notice.fr", "is not known"),
    (put("notice", "ta", 0, "link", to="x"), "notice.ta[1].link", "is not known"),
]
TYPES = [
    (put("code", to=1), "code", "must be text"),
    (put("status", to=1), "status", "must be text"),
    (put("zone", to=8), "zone", "must be text"),
    (put("languages", to="en"), "languages", "must be a list"),
    (put("name", to="Study"), "name", "must be a table"),
    (put("name", "en", to=1), "name.en", "must be text"),
    (put("number_pattern", to=1), "number_pattern", "must be text"),
    (put("grace_minutes", to="120"), "grace_minutes", "must be a whole number"),
    (put("grace_minutes", to=True), "grace_minutes", "must be a whole number"),
    (put("skipping", to=1), "skipping", "must be true or false"),
    (put("read_aloud", to="yes"), "read_aloud", "must be true or false"),
    (put("languages", to=[["en"]]), "languages", "must be a list of texts"),
    (put("contact", to="999"), "contact", "must be a table"),
    (put("contact", "telephone", to=999), "contact.telephone", "must be text"),
    (put("contact", "emergency", to=999), "contact.emergency", "must be text"),
    (put("sites", to={}), "sites", "must be a list"),
    (put("sites", 0, to="01"), "sites[1]", "must be a table"),
    (put("sites", 0, "code", to=1), "sites[1].code", "must be text"),
    (put("instruments", to="all"), "instruments", "must be a list"),
    (put("instruments", 0, to="lupusqol"), "instruments[1]", "must be a table"),
    (put("instruments", 0, "scorings", to="x"), "instruments[1].scorings", "must be a list"),
    (put("instruments", 0, "scorings", to=[{}]), "instruments[1].scorings", "a list of texts"),
    (put("timepoints", to="all"), "timepoints", "must be a list"),
    (put("timepoints", 0, to=0), "timepoints[1]", "must be a table"),
    (put("timepoints", 0, "label", to="x"), "timepoints[1].label", "must be a table"),
    (put("timepoints", 0, "instruments", to="x"), "timepoints[1].instruments", "must be a list"),
    (put("timepoints", 0, "instruments", to=[[]]), "timepoints[1].instruments", "a list of texts"),
    (put("notice", to="x"), "notice", "must be a table"),
    (put("notice", "version", to=1), "notice.version", "must be text"),
    (put("notice", "ms", to="x"), "notice.ms", "must be a list"),
    (put("notice", "ms", 0, to="x"), "notice.ms[1]", "must be a table"),
    (put("notice", "ms", 0, "heading", to=1), "notice.ms[1].heading", "must be text"),
]
EMPTY = [
    (put("code", to=""), "code", "is empty"),
    (put("name", "en", to=""), "name.en", "is empty"),
    (put("contact", "telephone", to=""), "contact.telephone", "is empty"),
    (put("sites", 0, "name", to=""), "sites[1].name", "is empty"),
    (put("notice", "ms", 0, "text", to=""), "notice.ms[1].text", "is empty"),
    (put("sites", to=[]), "sites", "needs at least one"),
    (put("instruments", to=[]), "instruments", "needs at least one"),
    (put("timepoints", to=[]), "timepoints", "needs at least one"),
    (put("notice", "en", to=[]), "notice.en", "needs at least one section"),
    (put("languages", to=[]), "languages", "needs at least one language, each once"),
    (put("instruments", 0, "scorings", to=[]), "instruments[1].scorings", "at least one scoring"),
    (put("timepoints", 0, "instruments", to=[]), "timepoints[1].instruments", "at least one"),
]
TWICE = [
    (again("sites"), "sites", "two entries have the code '01'"),
    (again("instruments"), "instruments", "two entries have the code 'lupusqol'"),
    (again("timepoints"), "timepoints", "two entries have the code 'baseline'"),
    (put("languages", to=["ms", "en", "en"]), "languages", "each once"),
    (put("instruments", 0, "scorings", to=["lupusqol"] * 2), "instruments[1].scorings", "once"),
    (put("timepoints", 0, "instruments", to=["sf36v1"] * 2), "timepoints[1].instruments", "once"),
]  # fmt: skip
WRONG = [
    (put("code", to="Test"), "code", CODE),
    (put("code", to="a" * 41), "code", CODE),
    (put("code", to="../x"), "code", CODE),
    (put("sites", 0, "code", to="0 1"), "sites[1].code", CODE),
    (put("timepoints", 0, "code", to="Baseline"), "timepoints[1].code", CODE),
    (put("status", to="draft"), "status", "must be one of demonstration, test, live"),
    (put("zone", to="Asia/Atlantis"), "zone", "'Asia/Atlantis' is not a time zone"),
    (put("zone", to="/etc/passwd"), "zone", "is not a time zone"),
    (put("zone", to="Asia"), "zone", "'Asia' is not a time zone"),
    (put("languages", to=["ms", "fr"]), "languages", "'fr' is not one of ms, en, zh_Hans, ta"),
    (put("number_pattern", to="(01"), "number_pattern", "is not a pattern"),
    (put("sites", 0, "number_pattern", to="[0"), "sites[1].number_pattern", "is not a pattern"),
    (put("sites", 0, "number_pattern", to=7), "sites[1].number_pattern", "must be text"),
    (put("sites", 0, "number_pattern", to=""), "sites[1].number_pattern", "is empty"),
    (put("grace_minutes", to=-1), "grace_minutes", "must be between 0 and 10080, a week"),
    (put("grace_minutes", to=10_081), "grace_minutes", "must be between 0 and 10080, a week"),
    (put("instruments", 0, "code", to="eq5d"), "instruments[1].code", "no instrument 'eq5d'"),
    (
        put("instruments", 1, "scorings", to=["us1998"]),
        "instruments[2].scorings",
        "sf36v1 has no scoring 'us1998'",
    ),
    (
        put("timepoints", 1, "instruments", to=["sf36"]),
        "timepoints[2].instruments",
        "'sf36' is not an instrument of the study",
    ),
]


@pytest.mark.parametrize(
    ("edit", "place", "reason"), [*MISSING, *UNKNOWN, *TYPES, *EMPTY, *TWICE, *WRONG]
)
def test_a_faulty_study_is_refused_with_place_and_reason(
    library: Library, edit: Callable[[Content], None], place: str, reason: str
) -> None:
    content = copy.deepcopy(GOOD)
    edit(content)
    with pytest.raises(DefinitionError) as refused:
        parse_study(content, library.instruments, file="study.toml")
    assert (refused.value.file, refused.value.place) == ("study.toml", place)
    assert reason in refused.value.reason


@pytest.mark.parametrize("grace", [0, 10_080])
def test_the_grace_time_may_be_nothing_or_a_week(library: Library, grace: int) -> None:
    study = parse_study(GOOD | {"grace_minutes": grace}, library.instruments)
    assert study.grace == timedelta(minutes=grace)


def test_a_study_of_one_language_needs_only_its_texts(library: Library) -> None:
    content = copy.deepcopy(GOOD) | {"languages": ["ta"], "name": {"ta": "சோதனை"}}
    for timepoint in content["timepoints"]:
        timepoint["label"] = {"ta": timepoint["label"]["ta"]}
    del content["notice"]["zh_Hans"]
    study = parse_study(content, library.instruments)
    assert set(study.notice.sections) == {"ta", "ms", "en"}, "Malay and English always"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"code = ", "Invalid value"), (b"code = 'x'\ncode = 'y'", "overwrite"), (b"\xff", "utf-8")],
)
def test_a_file_that_is_no_toml_is_refused_by_name(
    library: Library, tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    with pytest.raises(DefinitionError) as refused:
        read_study_file(path, library.instruments)
    assert (refused.value.file, refused.value.place) == (str(path), "file")
    assert reason in refused.value.reason


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("900101-14-5678", True),
        ("900101145678", True),
        ("number 900101-145678!", True),
        ("01-001", False),
        ("2026-11-23", False),
    ],
)
def test_the_shape_of_a_national_identity_number(text: str, is_one: bool) -> None:
    assert bool(NATIONAL_IDENTITY.search(text)) is is_one

"""Licences: what is shown when, where and how, against a second way of saying it, day by day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro_app.config import ROOT
from pro_app.core.instruments import load_instruments
from pro_app.core.library import Library, load_library
from pro_app.core.licence import LONG_AGO, MODES, Gap, Licence, Withheld, Wordings
from pro_app.core.study import StudyDefinition
from pro_app.core.study_file import parse_study, read_study_file
from pro_app.core.wording import Wording, made

ZONE = ZoneInfo("Asia/Kuala_Lumpur")
FIRST = date(2027, 1, 1)
SITES = (1, 2)
CODE = "lupusqol"
EVERY = frozenset(MODES)
LIBRARY = load_library(ROOT / "questionnaires")


def study(status: str = "live") -> StudyDefinition:
    instruments = load_instruments(ROOT / "questionnaires")
    content = read_study_file(Path(__file__).parents[1] / "trial.toml", instruments)
    return replace(parse_study(content, instruments), status=status, zone=ZONE)


STUDY = study()


def wording(version: str, language: str = "ta") -> Wording:
    shipped = LIBRARY.wording(CODE, language)
    assert shipped is not None
    texts = {place: f"{text} {version}" for place, text in shipped.texts()}
    return made(LIBRARY.instruments[CODE], language, "licensed", "a file", version, texts)


ONE, TWO = wording("1"), wording("2")


def licence(
    id_: int,
    of: Wording = ONE,
    first: int = 0,
    last: int = 100,
    modes: frozenset[str] = EVERY,
    site: int | None = None,
    stored_at: datetime = LONG_AGO,
) -> Licence:
    """Days are counted from FIRST."""
    begins, ends = FIRST + timedelta(days=first), FIRST + timedelta(days=last)
    return Licence(
        id_,
        of.fingerprint,
        CODE,
        of.language,
        of.version,
        "Owner",
        "L",
        modes,
        site,
        begins,
        ends,
        stored_at,
    )


def wordings(*licences: Licence, status: str = "live", library: Library = LIBRARY) -> Wordings:
    stored = {one.fingerprint: one for one in (ONE, TWO)}
    found = STUDY if status == "live" else study(status)
    return Wordings(found, library, stored, licences, SITES)


def at(day: int, hour: int = 12) -> datetime:
    return datetime.combine(FIRST, datetime.min.time(), ZONE) + timedelta(days=day, hours=hour)


def version(found: Wording | None) -> str | None:
    return None if found is None else found.version or found.kind


def offered(of: Wordings, day: int, mode: str = "phone", site: int | None = 1) -> str | None:
    return version(of.offered(CODE, "ta", mode, at(day), site))


def test_a_live_study_shows_licensed_wording_from_its_day_to_its_last() -> None:
    found = wordings(licence(1, first=10, last=20))
    assert [offered(found, day) for day in (9, 10, 20, 21)] == [None, "1", "1", None]
    midnight = datetime(2027, 1, 11, 0, 0, tzinfo=ZONE)
    assert found.offered(CODE, "ta", "phone", midnight.astimezone(UTC), 1) is not None
    assert found.offered(CODE, "ta", "phone", midnight - timedelta(microseconds=1), 1) is None


def test_no_other_language_stands_in() -> None:
    found = wordings(licence(1))
    assert found.offered(CODE, "en", "phone", at(5), 1) is None
    assert found.offered("sf36v1", "ta", "phone", at(5), 1) is None


@pytest.mark.parametrize("mode", MODES)
def test_only_the_ways_that_are_permitted(mode: str) -> None:
    assert offered(wordings(licence(1, modes=frozenset({mode}))), 5, mode) == "1"
    assert offered(wordings(licence(1, modes=EVERY - {mode})), 5, mode) is None


def test_a_language_that_the_study_has_not_is_not_shown() -> None:
    """An amendment has taken it away; its licence is still there."""
    less = tuple(one for one in STUDY.languages if one != "ta")
    stored = {ONE.fingerprint: ONE}
    found = Wordings(replace(STUDY, languages=less), LIBRARY, stored, (licence(1),), SITES)
    assert offered(found, 5) is None
    assert found.withheld.covers(CODE, "ta", 1, at(5), at(6))


@pytest.mark.parametrize("status", ["live", "test"])
def test_a_licence_for_ever(status: str) -> None:
    """As some are written: from the first day of all calendars to the last."""
    ever = replace(licence(1), from_on=date.min, until=date.max)
    found = wordings(ever, status=status)
    assert offered(found, 5) == "1"
    assert not found.withheld.covers(CODE, "ta", 1, at(5), at(6))


def test_a_test_study_has_the_demonstration_besides_and_a_demonstration_nothing_else() -> None:
    phone_only = licence(1, modes=frozenset({"phone"}))
    test = wordings(phone_only, status="test")
    assert offered(test, 5) == "1"
    assert offered(test, 5, "tablet") == "demonstration"
    assert offered(test, 101) == "demonstration"
    shown = wordings(phone_only, status="demonstration")
    assert offered(shown, 5) == "demonstration"
    assert version(shown.reading(CODE, "ta", at(5))) == "demonstration"


def test_what_was_replaced_does_not_come_back() -> None:
    found = wordings(licence(1, ONE, 0, 100), licence(2, TWO, 10, 20))
    assert [offered(found, day) for day in (9, 10, 20, 21)] == ["1", "2", "2", None]
    ended = wordings(licence(1), licence(2, ONE, 10, 10, frozenset()))
    assert [offered(ended, day) for day in (9, 10, 50)] == ["1", None, None]


def test_the_one_that_begins_last_decides_and_of_one_day_the_later_one() -> None:
    """Whenever they were stored: a licence for next month may be there before today's."""
    next_first = wordings(licence(1, TWO, 10), licence(2, ONE, 0))
    assert [offered(next_first, day) for day in (5, 15)] == ["1", "2"]
    read = [version(next_first.reading(CODE, "ta", at(day))) for day in (-1, 5, 15)]
    assert read == ["1", "1", "2"]
    corrected = wordings(licence(1, ONE, 5), licence(2, TWO, 5, stored_at=at(3)))
    assert offered(corrected, 5) == version(corrected.reading(CODE, "ta", at(5))) == "2"


def test_a_site_may_have_its_own() -> None:
    found = wordings(licence(1), licence(2, TWO, 10, 100, site=2))
    assert [offered(found, day, site=1) for day in (5, 15)] == ["1", "1"]
    assert [offered(found, day, site=2) for day in (5, 15)] == ["1", "2"]
    assert offered(found, 15, site=None) == "1"


def test_what_was_begun_goes_on_in_its_wording() -> None:
    found = wordings(licence(1, ONE, 0, 9), licence(2, TWO, 10, 20))
    begun = [
        version(found.offered_for(CODE, "ta", "phone", at(now), 1, at(9)))
        for now in (9, 10, 30)
    ]  # fmt: skip
    assert begun == ["1", "1", "1"]
    assert version(found.offered_for(CODE, "ta", "phone", at(30), 1, None)) is None
    assert version(found.offered_for(CODE, "ta", "phone", at(12), 1, at(-1))) == "2"
    assert found.offered_for(CODE, "ta", "tablet", at(12), 1, at(30)) is not None


def test_what_was_begun_goes_on_as_its_own_site_was_permitted() -> None:
    found = wordings(licence(1, ONE), licence(2, TWO, 0, 9, site=2))
    for site, read in ((1, "1"), (2, "2")):
        begun = found.offered_for(CODE, "ta", "phone", at(30), site, at(5))
        assert version(begun) == read


def test_what_was_begun_on_a_phone_goes_on_elsewhere_in_what_is_permitted_there() -> None:
    found = wordings(licence(1, ONE, 0, 9, frozenset({"phone"})), licence(2, TWO, 10))
    for mode, read in (("phone", "1"), ("tablet", "2")):
        assert version(found.offered_for(CODE, "ta", mode, at(12), 1, at(5))) == read


def test_what_was_begun_is_read_aloud_as_was_permitted_then_or_is_now() -> None:
    silent = EVERY - {"aloud"}
    later = aloud(licence(1, ONE, 0, 9), licence(2, ONE, 10, modes=silent))
    assert later.is_read_aloud(ONE, at(12), 1, at(5)), "as it was begun"
    assert not later.is_read_aloud(ONE, at(12), 1, None)
    newly = aloud(licence(1, ONE, 0, 9, silent), licence(2, ONE, 10))
    assert newly.is_read_aloud(ONE, at(12), 1, at(5)), "the same text, permitted since"
    replaced = aloud(licence(1, ONE, 0, 9, silent), licence(2, TWO, 10))
    assert not replaced.is_read_aloud(ONE, at(12), 1, at(5)), "another text's permission"
    own = aloud(licence(1, ONE, modes=silent), licence(2, ONE, site=2))
    assert [own.is_read_aloud(ONE, at(5), site, None) for site in SITES] == [False, True]
    assert not wordings(licence(1)).is_read_aloud(ONE, at(5), 1, None), "the study has none"


def aloud(*licences: Licence) -> Wordings:
    """The same in a study whose questionnaires may be read aloud."""
    of = wordings(*licences)
    return replace(of, study=replace(of.study, read_aloud=True))


def test_nobody_read_by_a_licence_before_it_was_stored() -> None:
    morning, noon, evening = at(10, 8), at(10, 12), at(10, 20)
    found = wordings(licence(1), licence(2, TWO, 10, stored_at=noon))
    read = [version(found.offered(CODE, "ta", "phone", now, 1)) for now in (morning, evening)]
    assert read == ["1", "2"]
    begun = found.offered_for(CODE, "ta", "phone", evening, 1, morning)
    assert version(begun) == "1", "what was begun in the morning goes on in the evening"
    late = wordings(licence(1, first=0, stored_at=at(30)))
    assert late.withheld.covers(CODE, "ta", 1, at(5), at(10))
    assert not late.withheld.covers(CODE, "ta", 1, at(5), at(31))
    assert version(late.reading(CODE, "ta", at(5))) == "1", "a live study has no demonstration"


def test_staff_read_the_newest_that_has_begun() -> None:
    found = wordings(licence(1, ONE, 0, 9), licence(2, TWO, 10, 20))
    read = [version(found.reading(CODE, "ta", at(day))) for day in (-1, 5, 15, 99)]
    assert read == ["1", "1", "2", "2"]
    test = wordings(licence(1), status="test")
    assert version(test.reading(CODE, "ta", at(-1))) == "demonstration"
    assert version(found.reading(CODE, "ta")) == "2"
    assert wordings().reading(CODE, "ta") is None, "nobody of a live study reads a demonstration"
    assert found.by_fingerprint(ONE.fingerprint) == ONE
    assert found.by_fingerprint("f" * 64) is None


def test_an_end_is_nothing_to_read() -> None:
    found = wordings(licence(1, ONE), licence(2, TWO, 1), licence(3, ONE, 10, 10, frozenset()))
    assert version(found.reading(CODE, "ta", at(20))) == "2"
    only = wordings(licence(1, ONE, 10, 10, frozenset()))
    assert only.reading(CODE, "ta", at(20)) is None


def test_what_was_read_is_found_by_the_beginning_of_its_fingerprint() -> None:
    found = wordings(licence(1, ONE, 0, 9), licence(2, TWO, 10, 20))
    name = ONE.fingerprint[:12]
    assert found.read_as(CODE, "ta", name, at(15)) == ONE
    assert found.read_as(CODE, "ta", None, at(15)) == TWO
    assert found.read_as(CODE, "ta", "", at(15)) == TWO
    assert found.read_as(CODE, "ta", name[:4], at(15)) == TWO, "too short to be a name"
    other = found.read_as("sf36v1", "ta", name, at(15))
    assert other == LIBRARY.wording("sf36v1", "ta"), "never another questionnaire's, and never none"


def test_a_definition_that_changed_is_not_shown_in_an_old_wording() -> None:
    instrument = LIBRARY.instruments[CODE]
    shorter = replace(instrument, items=instrument.items[:-1])
    changed = Library({**LIBRARY.instruments, CODE: shorter}, LIBRARY.wordings)
    found = wordings(licence(1), library=changed)
    assert offered(found, 5) is None
    assert found.by_fingerprint(ONE.fingerprint) == ONE, "answers keep what was read"
    assert Gap(CODE, "ta") == _ever(found.withheld)
    others = {code: one for code, one in LIBRARY.instruments.items() if code != CODE}
    assert offered(wordings(licence(1), library=Library(others, LIBRARY.wordings)), 5) is None


def _ever(withheld: Withheld) -> Gap | None:
    return Gap(CODE, "ta") if (CODE, "ta") in withheld.always else None


def test_a_gap_holds_a_window_that_has_its_very_ends() -> None:
    gap, hour = Gap(CODE, "ta", None, at(5, 0), at(10, 0)), timedelta(hours=1)
    assert gap.holds(at(5, 0), at(10, 0))
    assert not gap.holds(at(5, 0) - hour, at(10, 0))
    assert not gap.holds(at(5, 0), at(10, 0) + hour)


@st.composite
def some_licences(draw: st.DrawFn) -> list[Licence]:
    found = []
    for n in range(draw(st.integers(0, 5))):
        first = draw(st.integers(0, 12))
        last = draw(st.integers(first, 14))
        modes = draw(
            st.sampled_from([EVERY, frozenset({"paper"}), frozenset({"aloud"}), frozenset[str]()])
        )
        site = draw(st.sampled_from([None, None, 1, 2]))
        of = draw(st.sampled_from([ONE, TWO]))
        found.append(licence(n + 1, of, first, last, modes, site))
    return found


@given(
    some=some_licences(),
    window=st.tuples(st.integers(-2, 16), st.integers(0, 6)),
    site=st.sampled_from(SITES),
)
def test_withheld_are_the_windows_without_a_single_day(
    some: list[Licence], window: tuple[int, int], site: int
) -> None:
    found = wordings(*some)
    days = range(window[0], window[0] + window[1] + 1)
    readable = [
        day
        for day in days
        if any(offered(found, day, mode, site) is not None for mode in EVERY - {"aloud"})
    ]
    opens, closes = at(days[0], 0), at(days[-1], 24)
    assert found.withheld.covers(CODE, "ta", site, opens, closes) == (not readable)
    assert found.withheld.covers(CODE, "en", site, opens, closes)

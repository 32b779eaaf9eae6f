"""A person's way through both questionnaires, and what must then stand in the record."""

from __future__ import annotations

from fractions import Fraction

import pytest

from pro_app.core.scoring import score
from pro_app.models import Assessment
from tests.browser import record
from tests.browser.people import Phone
from tests.conftest import Site

LANGUAGES = ("ms", "en", "zh_Hans", "ta")
DOMAINS = {  # first and last item of each LupusQoL domain, from the licensing agent's page
    "LQPH": (1, 8), "LQPAIN": (9, 11), "LQPLAN": (12, 14), "LQINT": (15, 16), "LQBUR": (17, 19),
    "LQEMO": (20, 25), "LQBOD": (26, 30), "LQFAT": (31, 34),
}  # fmt: skip
SKIPPED, OFF, CHANGED, TURN, CLEARED = 5, 15, 8, 17, 20


def other_than(language: str) -> str:
    """The language that the person turns to in the middle."""
    return LANGUAGES[(LANGUAGES.index(language) + 1) % 4]


def place_for(n: int) -> int:
    """Which of five options the person of these tests takes at item n: all of them in turn."""
    return (n * 3 + n // 5) % 5


def answer_lupusqol(phone: Phone, language: str) -> dict[str, int | str]:
    """Answer as people do, with all the detours; what should stand in the record."""
    places = {n: place_for(n) for n in range(1, 35)}
    for n in places:
        phone.at(n)
        phone.has_chosen(None)
        if n == SKIPPED:
            phone.skip()
        elif n == OFF:
            phone.not_applicable()
            phone.next()
        else:
            phone.choose(places[n])
            if n == TURN:
                phone.switch_language(other_than(language))
                phone.at(n)
                phone.has_chosen(places[n])
            phone.next()
        if n in {CHANGED, CLEARED}:
            phone.at(n + 1)
            phone.back()
            phone.at(n)
            phone.has_chosen(places[n])
            if n == CLEARED:
                phone.clear()
                phone.has_chosen(None)
            else:
                places[n] = (places[n] + 1) % 5
            phone.choose(places[n])
            phone.next()
    expected: dict[str, int | str] = {f"LQ{n:02}": place for n, place in places.items()}
    return {**expected, f"LQ{SKIPPED:02}": "skipped", f"LQ{OFF:02}": "not_applicable"}


def lupusqol_by_hand(given: dict[str, int | str]) -> dict[str, float]:
    """Mean of the answered items / 4 x 100; in these answers every domain has enough."""
    found = {}
    for domain, (first, last) in DOMAINS.items():
        codes = [given[f"LQ{n:02}"] for n in range(first, last + 1)]
        numbers = [code for code in codes if isinstance(code, int)]
        found[domain] = float(Fraction(sum(numbers), len(numbers)) / 4 * 100)
    return found


def check_lupusqol(
    site: Site, assessment: Assessment, given: dict[str, int | str], language: str
) -> None:
    """Answers, their languages, and scores are in the record as they were given."""
    assert record.values(site, assessment) == given
    (submission,) = record.submissions(site, assessment)
    turned = {item for item in given if int(item[2:]) > TURN}
    assert {item: answer["language"] for item, answer in submission.answers.items()} == {
        item: other_than(language) if item in turned else language for item in given
    }
    stored = record.scores(site, assessment)
    assert {scale: one.value for (_, scale), one in stored.items()} == lupusqol_by_hand(given)
    cleared = [row.state for row in record.taps(site, assessment, f"LQ{CLEARED:02}")]
    assert cleared == ["answered", "cleared", "answered"]
    (skipped,) = record.taps(site, assessment, f"LQ{SKIPPED:02}")
    assert (skipped.state, skipped.prompted) == ("skipped", True)


def answer_sf36(site: Site, phone: Phone, assessment: Assessment) -> dict[str, int | None]:
    """Answer every item of the SF-36, one of them left out after the question."""
    given: dict[str, int | None] = {}
    for item in site.library.instruments["sf36v1"].items:
        phone.at(item.n)
        phone.has_chosen(None)
        if item.code == "MH3":
            given[item.code] = None
            phone.skip()
            continue
        codes = item.options.codes
        place = item.n * 2 % len(codes)
        given[item.code] = codes[place]
        phone.choose(place)
        phone.next()
    return given


def check_sf36(site: Site, assessment: Assessment, given: dict[str, int | None]) -> None:
    """The stored scores are those of the answers."""
    sealed = record.values(site, assessment)
    assert sealed == {item: "skipped" if code is None else code for item, code in given.items()}
    stored = record.scores(site, assessment)
    scorings = site.library.instruments["sf36v1"].scorings
    expected = {
        (name, one.scale): one.value
        for name in ("rand", "mos_us1990")
        for one in score(scorings[name], given)
    }
    assert {key: one.value for key, one in stored.items()} == expected
    limits = [given[f"PF{n:02}"] for n in range(1, 11)]
    by_hand = sum((code - 1) * 50 for code in limits if code is not None) / 10
    assert stored["rand", "PF"].value == pytest.approx(by_hand)

"""Codes, tokens and PINs: how they are made, what of them is kept, which PINs are refused."""

from __future__ import annotations

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro_app.services import secrets
from tests.conftest import KEY, SLOW


def test_codes_are_eight_characters_without_look_alikes() -> None:
    assert len(secrets.ALPHABET) == len(set(secrets.ALPHABET)) == 31
    assert not set("IL1O0") & set(secrets.ALPHABET)
    codes = {secrets.new_code() for _ in range(200)}
    assert len(codes) == 200
    assert all(len(code) == 8 and set(code) <= set(secrets.ALPHABET) for code in codes)
    assert set("".join(codes)) == set(secrets.ALPHABET), "every character comes up"


@pytest.mark.parametrize("typed", ["abcd efgh", "ABCD-EFGH", " a b c d e f g h ", "abcdefgh\n"])
def test_a_code_may_be_typed_as_people_type(typed: str) -> None:
    assert secrets.tidy_code(typed) == "ABCDEFGH"
    assert secrets.code_hash(typed, KEY) == secrets.code_hash("ABCDEFGH", KEY)


def test_a_codes_hash_depends_on_code_and_key_alone() -> None:
    one = secrets.code_hash("ABCDEFGH", KEY)
    assert one == secrets.code_hash("ABCDEFGH", KEY)
    assert one != secrets.code_hash("ABCDEFGJ", KEY)
    assert one != secrets.code_hash("ABCDEFGH", KEY[::-1])
    assert len(one) == 64


def test_codes_and_pins_are_hashed_slowly() -> None:
    """OWASP's smallest argon2id figures: 19 MiB, two rounds, one lane. See `quick_hashes`."""
    memory, hasher = SLOW
    assert memory == hasher.memory_cost == 19_456
    assert secrets._TIME == hasher.time_cost == 2
    assert secrets._LANES == hasher.parallelism == 1
    assert hasher.type is argon2.low_level.Type.ID


def test_tokens_have_256_bits_and_only_their_hash_is_like_them() -> None:
    tokens = {secrets.new_token() for _ in range(50)}
    assert len(tokens) == 50
    assert all(len(token) == 43 for token in tokens)
    assert all(token not in secrets.token_hash(token) for token in tokens)


def test_an_address_is_kept_unreadable_without_the_key() -> None:
    kept = secrets.source_hash("192.0.2.7", KEY)
    assert "192.0.2.7" not in kept
    assert kept != secrets.source_hash("192.0.2.8", KEY)
    assert kept != secrets.source_hash("192.0.2.7", KEY[::-1])


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        ("2001:db8:0:7::1", "2001:db8:0:7:ffff::2", True),
        ("2001:db8:0:7::1", "2001:db8:0:8::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.8", False),
        ("unix:", "", False),
    ],
)
def test_the_addresses_of_one_household_are_one_source(first: str, second: str, one: bool) -> None:
    """Who has an IPv6 network has 2 ** 64 addresses of it to try codes from."""
    assert (secrets.source_hash(first, KEY) == secrets.source_hash(second, KEY)) is one


def test_a_pin_is_known_again_and_kept_under_its_own_salt() -> None:
    kept = secrets.pin_hash("246813")
    assert "246813" not in kept
    assert secrets.pin_matches(kept, "246813")
    assert not secrets.pin_matches(kept, "246814")
    assert kept != secrets.pin_hash("246813")


@pytest.mark.parametrize(
    "pin", ["", "24681", "2468135", "24681a", "２４６８１３", "24 813", "-24681"]
)
def test_a_pin_has_six_digits(pin: str) -> None:
    assert secrets.pin_fault(pin, "01-001") == "shape"


@pytest.mark.parametrize(
    "pin",
    [
        "000000", "111111", "999999",  # one digit
        "121212", "112112", "900009", "555556",  # two digits
        "123456", "234567", "456789", "654321", "987654", "890123", "321098",  # rows
        "123123", "246246", "131313", "135135",  # repeats
        "112233", "159753", "147258", "789456", "123321",  # patterns that many choose
    ],
)  # fmt: skip
def test_common_pins_are_refused(pin: str) -> None:
    assert secrets.pin_fault(pin, "01-001") == "easy"


@pytest.mark.parametrize(
    ("pin", "number"),
    [("010019", "01-001"), ("901001", "01-001"), ("204681", "P204681"), ("046812", "99-2046812-7")],
)
def test_the_study_number_is_no_pin(pin: str, number: str) -> None:
    assert secrets.pin_fault(pin, number) == "easy"


@pytest.mark.parametrize("pin", ["246813", "135792", "908172", "271828", "100234"])
def test_other_pins_are_taken(pin: str) -> None:
    assert secrets.pin_fault(pin, "01-001") is None
    assert secrets.pin_fault(pin, "ABC-7") is None, "few digits refuse nothing"


@given(st.text(max_size=12))
def test_whatever_is_typed_is_judged_and_never_fails(text: str) -> None:
    assert secrets.pin_fault(text, "01-001") in {"shape", "easy", None}
    assert set(secrets.tidy_code(text)) <= set(text.upper())

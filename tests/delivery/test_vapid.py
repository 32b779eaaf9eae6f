"""Our key, our contact, our tokens."""

from __future__ import annotations

import json
import string
from base64 import urlsafe_b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pro_app.delivery.vapid import Tokens, VapidKey, subject_fault
from tests.delivery.conftest import SUBJECT, Seconds

MOZILLA = "https://updates.push.services.mozilla.com"
APPLE = "https://web.push.apple.com"


def claims_of(header: str) -> Any:
    body = header.split(".")[1]
    return json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_a_key_is_kept_as_one_line(vapid_key: VapidKey) -> None:
    again = VapidKey.read(vapid_key.text())
    assert again.text() == vapid_key.text()
    assert again.public_key == vapid_key.public_key
    assert again.key_id == vapid_key.key_id
    assert len(vapid_key.text().splitlines()) == 1


def test_a_public_key_is_what_browsers_take(vapid_key: VapidKey) -> None:
    point = urlsafe_b64decode(vapid_key.public_key + "=")
    assert (len(point), point[0]) == (65, 4)
    assert "=" not in vapid_key.public_key


def test_keys_differ_and_so_do_their_short_names(vapid_key: VapidKey) -> None:
    other = VapidKey.new()
    assert other.text() != vapid_key.text()
    assert other.key_id != vapid_key.key_id
    assert len(other.key_id) == 16


def test_a_key_does_not_show_itself(vapid_key: VapidKey) -> None:
    assert vapid_key.text() not in f"{vapid_key!r} {vapid_key}"


@pytest.mark.parametrize(
    "text",
    ["", "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "\n", "A" * 43, "_" * 43, "é" * 43],
)
def test_what_is_no_key_is_refused_unquoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"key") as refused:
        VapidKey.read(text)
    assert text == "" or text not in str(refused.value)


def test_each_service_is_named_in_its_own_token(vapid_key: VapidKey, seconds: Seconds) -> None:
    tokens = Tokens(vapid_key, SUBJECT, seconds)
    first, second = claims_of(tokens.header(MOZILLA)), claims_of(tokens.header(APPLE))
    assert (first["aud"], second["aud"]) == (MOZILLA, APPLE)
    assert first["sub"] == SUBJECT
    assert first["exp"] == seconds.now + 12 * 3600


def test_a_token_serves_for_eleven_hours(vapid_key: VapidKey, seconds: Seconds) -> None:
    tokens = Tokens(vapid_key, SUBJECT, seconds)
    first = tokens.header(MOZILLA)
    seconds.forward(hours=10.99)
    assert tokens.header(MOZILLA) == first
    seconds.forward(hours=0.01)
    assert tokens.header(MOZILLA) != first


@given(st.lists(st.floats(-48, 48), max_size=20))
def test_no_token_outlives_what_services_allow(moves: list[float]) -> None:
    """Whatever the clock does: at least an hour is left of it, and never more than 24."""
    seconds = Seconds()
    tokens = Tokens(VapidKey.read("B" * 43), SUBJECT, seconds)
    for hours in moves:
        seconds.forward(hours=hours)
        left = claims_of(tokens.header(APPLE))["exp"] - seconds.now
        assert 3600 - 1 <= left <= 24 * 3600


def test_a_contact_of_no_shape_is_refused_at_once(vapid_key: VapidKey) -> None:
    with pytest.raises(ValueError, match="subject: shape"):
        Tokens(vapid_key, "study@hospital.my")


@pytest.mark.parametrize(
    "subject",
    [
        "mailto:study@hospital.my",
        "mailto:pro.app+alarm@mail.um-hospital.edu.my",
        "MAILTO:study@Hospital.MY",
        "https://hospital.my",
        "https://hospital.my/contact?about=pro",
        "https://hospital.my:8443/",
        "mailto:a@xn--fiqs8s.xn--fiqs8s",
    ],
)
def test_a_reachable_contact_is_taken(subject: str) -> None:
    assert subject_fault(subject, placeholder_allowed=False) is None


@pytest.mark.parametrize(
    "subject",
    [
        "", "study@hospital.my", "tel:+60312345678", "http://hospital.my", "mailto:",
        "mailto:@hospital.my", "mailto:study@", "mailto: study@hospital.my",
        "mailto:<study@hospital.my>", "mailto:Study <study@hospital.my>",
        "mailto:study@hospital.my ", "mailto:study@hospital.my\n", "mailto:a@b.my,c@d.my",
        "mailto:a@b@c.my", "mailto:study@hospital.my\r\nX: y", "https://a@hospital.my/",
        "https://hospital.my/a b", "https://hospital.my/\\", "https:hospital.my", "https://",
        "https://[::1]/", "mailto:study@[10.0.0.1]", "mailto:kajian@hospitál.my",
        f"mailto:{'a' * 250}@hospital.my",
    ],
)  # fmt: skip
@pytest.mark.parametrize("allowed", [False, True])
def test_a_contact_is_one_plain_address(subject: str, allowed: bool) -> None:
    assert subject_fault(subject, placeholder_allowed=allowed) in {"shape", "domain"}


@pytest.mark.parametrize(
    "domain",
    [
        "localhost", "app.localhost", "example.com", "www.example.org", "example.net",
        "hospital.example", "hospital.invalid", "hospital.test", "hospital.local", "LOCALHOST",
        "127.0.0.1", "10.0.0.7", "2130706433", "0x7f.1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["mailto:study@{}", "https://{}", "https://{}/contact"])
def test_a_placeholder_is_for_demonstrations(form: str, domain: str) -> None:
    subject = form.format(domain)
    assert subject_fault(subject, placeholder_allowed=False) == "placeholder"
    assert subject_fault(subject, placeholder_allowed=True) is None


@pytest.mark.parametrize(
    "domain",
    ["hospital", "a..my", ".my", "hospital.my.", "-a.my", "a-.my", "a_b.my", "a.m", "a.1b"],
)
def test_a_domain_must_be_able_to_exist(domain: str) -> None:
    for allowed in (False, True):
        assert subject_fault(f"mailto:study@{domain}", placeholder_allowed=allowed) == "domain"


def test_names_that_only_resemble_placeholders_are_real() -> None:
    for domain in ("myexample.com", "example.com.my", "localhost.my", "test.my", "1.my"):
        assert subject_fault(f"mailto:study@{domain}", placeholder_allowed=False) is None


@given(st.text(alphabet=string.printable + "é。@:/[]<>", max_size=40))
def test_no_contact_breaks_the_header(text: str) -> None:
    for subject in (text, f"mailto:{text}", f"https://{text}"):
        if subject_fault(subject, placeholder_allowed=True) is None:
            assert subject.isascii()
            assert not set(subject) & set(' \t\r\n\v\f<>[]\\",;')

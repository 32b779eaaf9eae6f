"""Passkeys: made on a phone, opening it, joining another one, and everything that is refused."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from webauthn.helpers import base64url_to_bytes

from pro_app.models import AuditEntry, Participant, Passkey
from pro_app.services import (
    audit,
    credentials,
    enrolment,
    joining,
    passkeys,
    phones,
    secrets,
    sessions,
)
from pro_app.services.credentials import Challenge, PasskeyError, Place, Refusal
from tests.authenticator import PRESENT, Key, allowed
from tests.conftest import KEY, PIN, Enrolled, Site

HERE = Place("localhost", "http://localhost", "My answers")


def challenge(site: Site) -> Challenge:
    return credentials.new_challenge(site.clock())


def joined(site: Site, person: Enrolled) -> int:
    """A phone of this person, with a PIN: the device's id."""
    device = site.join(person)
    with site.database.writing() as session:
        sessions.set_pin(session, device, PIN, site.clock())
    return device


def make(
    site: Site, person: Enrolled, device: int, key: Key, asked: Challenge | None = None, **how: Any
) -> Passkey:
    """Make a passkey as a browser does; `how` is what the phone does otherwise."""
    asked = asked or challenge(site)
    with site.database.writing() as session:
        options = passkeys.making(session, person.id, HERE, asked)
        given = key.make(options, **how)
        return passkeys.make(session, person.id, device, given, HERE, asked, site.clock())


def open_with(
    site: Site,
    key: Key,
    owner: int | None = None,
    device: int | None = None,
    asked: Challenge | None = None,
    **how: Any,
) -> Passkey | Refusal:
    """Open with a passkey as a browser does, a moment later."""
    asked = asked or challenge(site)
    site.clock.forward(seconds=2)
    given = key.open(credentials.opening(HERE, asked, []), **how)
    return send(site, given, asked, owner, device)


def send(
    site: Site, given: Any, asked: Challenge, owner: int | None = None, device: int | None = None
) -> Passkey | Refusal:
    with site.database.writing() as session:
        return passkeys.open_with(session, given, HERE, asked, owner, device, site.clock())


def record(site: Site, person: Enrolled) -> list[tuple[str, str]]:
    """Actor and action of everything about passkeys on a person's record."""
    with site.database.reading() as session:
        found = session.execute(
            sa.select(AuditEntry.actor, AuditEntry.action)
            .where(
                AuditEntry.stream == audit.participant_stream(person.id),
                AuditEntry.action.like("%passkey%"),
            )
            .order_by(AuditEntry.seq)
        )
        return [(actor, action) for actor, action in found]


@pytest.fixture
def mine(site: Site) -> tuple[Enrolled, int, Key]:
    """A person, the device, and a passkey made on it."""
    person = site.enrol("01-007")
    device, key = joined(site, person), Key()
    make(site, person, device, key)
    return person, device, key


# --- making -------------------------------------------------------------------------------------


def test_a_passkey_asks_for_the_persons_finger_and_names_nobody(site: Site) -> None:
    person = site.enrol("01-007")
    with site.database.reading() as session:
        options = passkeys.making(session, person.id, HERE, challenge(site))
        public_id = session.get_one(Participant, person.id).public_id
    assert options["rp"] == {"id": "localhost", "name": "My answers"}
    assert options["user"]["name"] == "My answers 07"
    assert options["user"]["displayName"] == "My answers"
    assert options["attestation"] == "none"
    chosen = options["authenticatorSelection"]
    assert (chosen["residentKey"], chosen["userVerification"]) == ("required", "required")
    assert chosen["authenticatorAttachment"] == "platform"
    key = Key()
    key.make(options)
    told = str(options)
    for telling in ("01-007", "Test Study", "LupusQoL"):
        assert telling not in told
    assert base64url_to_bytes(str(key.user)).decode() == public_id


def test_what_is_kept_of_a_passkey(site: Site, mine: tuple[Enrolled, int, Key]) -> None:
    person, device, key = mine
    with site.database.reading() as session:
        (kept,) = passkeys.living(session, person.id)
        options = passkeys.making(session, person.id, HERE, challenge(site))
    assert base64url_to_bytes(kept.credential_id) == key.id
    assert (kept.device_id, kept.used_device_id, kept.used_at) == (device, device, None)
    assert (kept.transports, kept.backed_up, kept.sign_count) == (["internal"], False, 0)
    assert [one["id"] for one in options["excludeCredentials"]] == [kept.credential_id]
    assert record(site, person) == [(f"participant/device {device}", "make_passkey")]


@pytest.mark.parametrize(
    ("late", "how"),
    [
        (timedelta(minutes=5), {}),
        (timedelta(0), {"origin": "http://localhost.evil.example"}),
        (timedelta(0), {"flags": PRESENT}),  # the person was there, but nobody looked who it is
    ],
)
def test_a_passkey_that_is_not_as_asked_for_is_not_kept(
    site: Site, late: timedelta, how: dict[str, Any]
) -> None:
    person = site.enrol()
    device, asked = joined(site, person), challenge(site)
    site.clock.now += late
    with pytest.raises(PasskeyError):
        make(site, person, device, Key(), asked, **how)
    with site.database.reading() as session:
        assert passkeys.living(session, person.id) == []


@pytest.mark.parametrize(
    "given",
    [None, [], "x", {}, {"id": "x"}, {"id": "a\x00b"}, {"id": "a" * 2_000}, {"response": {}}, 7],
)
def test_nonsense_makes_and_opens_nothing(site: Site, given: Any) -> None:
    person = site.enrol()
    device, asked = joined(site, person), challenge(site)
    with site.database.writing() as session, pytest.raises(PasskeyError):
        passkeys.make(session, person.id, device, given, HERE, asked, site.clock())
    assert send(site, given, asked) is Refusal.UNKNOWN


def test_every_damaged_answer_is_refused_and_none_is_a_fault_of_ours(
    site: Site, mine: tuple[Enrolled, int, Key], subtests: pytest.Subtests
) -> None:
    _, _, key = mine
    asked = challenge(site)
    good = key.open(credentials.opening(HERE, asked, []))
    for name in ("clientDataJSON", "authenticatorData", "signature", "userHandle"):
        for wrong in ("", "AAAA", "%%", None, 5, good["response"][name][:-4], {}):
            if name == "userHandle" and not wrong:
                continue  # may be left out
            bad = copy.deepcopy(good)
            bad["response"][name] = wrong
            with subtests.test(name, wrong=wrong):
                assert send(site, bad, asked) is Refusal.UNKNOWN
    assert isinstance(send(site, good, asked), Passkey)


def test_the_same_passkey_twice_and_too_many_are_not_kept(
    site: Site, mine: tuple[Enrolled, int, Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    person, device, key = mine
    with pytest.raises(PasskeyError, match="known already"):
        make(site, person, device, key)
    monkeypatch.setattr(credentials, "MOST", 2)
    make(site, person, device, Key())
    with pytest.raises(PasskeyError, match="too many"):
        make(site, person, device, Key())


# --- opening ------------------------------------------------------------------------------------


def test_a_passkey_opens_its_persons_phone(site: Site, mine: tuple[Enrolled, int, Key]) -> None:
    person, device, key = mine
    for count in (1, 2):
        found = open_with(site, key, person.id, device)
        assert isinstance(found, Passkey)
        assert (found.participant_id, found.sign_count) == (person.id, count)
        assert found.used_at == site.clock()
    assert record(site, person)[1:] == [(f"participant/device {device}", "open_by_passkey")] * 2


def test_a_locked_phone_asks_for_its_own_passkeys_alone(
    site: Site, mine: tuple[Enrolled, int, Key]
) -> None:
    person, _, key = mine
    with site.database.reading() as session:
        own = passkeys.living(session, person.id)
        options = credentials.opening(HERE, challenge(site), own)
    assert allowed(options) == [key.id]
    assert options["userVerification"] == "required"
    assert allowed(credentials.opening(HERE, challenge(site), [])) == []


def test_an_answer_opens_once_and_within_five_minutes(
    site: Site, mine: tuple[Enrolled, int, Key]
) -> None:
    person, device, key = mine
    asked = challenge(site)
    given = key.open(credentials.opening(HERE, asked, []))
    site.clock.forward(seconds=2)
    assert isinstance(send(site, given, asked, person.id, device), Passkey)
    assert send(site, given, asked, person.id, device) is Refusal.UNKNOWN
    asked = challenge(site)
    given = key.open(credentials.opening(HERE, asked, []))
    site.clock.forward(minutes=5)
    assert send(site, given, asked, person.id, device) is Refusal.UNKNOWN


def test_a_key_of_a_synchronizing_keychain_opens_once_too(site: Site) -> None:
    """It does not count: that a second sending is refused rests on when it was asked for."""
    person = site.enrol()
    device, key = joined(site, person), Key(synced=True)
    assert make(site, person, device, key).backed_up
    asked = challenge(site)
    given = key.open(credentials.opening(HERE, asked, []))
    site.clock.forward(seconds=2)
    assert isinstance(send(site, given, asked), Passkey)
    assert send(site, given, asked) is Refusal.UNKNOWN
    assert isinstance(open_with(site, key), Passkey)


@pytest.mark.parametrize("how", [{"origin": "https://localhost"}, {"flags": PRESENT}])
def test_an_answer_for_another_place_or_without_the_finger_is_refused(
    site: Site, mine: tuple[Enrolled, int, Key], how: dict[str, Any]
) -> None:
    person, _, key = mine
    assert open_with(site, key, **how) is Refusal.UNKNOWN
    assert record(site, person)[-1] == ("participant", "refuse_passkey")


def test_a_strangers_signature_is_refused(site: Site, mine: tuple[Enrolled, int, Key]) -> None:
    _, _, key = mine
    forger = Key()
    forger.id, forger.user = key.id, key.user
    assert open_with(site, forger) is Refusal.UNKNOWN
    assert open_with(site, Key()) is Refusal.UNKNOWN, "nor is one that was never made here"


def test_somebody_elses_passkey_opens_no_joined_phone(
    site: Site, mine: tuple[Enrolled, int, Key]
) -> None:
    person, _, key = mine
    other = site.enrol("02-009")
    theirs = joined(site, other)
    assert open_with(site, key, other.id, theirs) is Refusal.OTHER
    assert record(site, person)[-1][1] == "refuse_passkey"
    assert record(site, other) == []
    with site.database.reading() as session:
        assert passkeys.living(session, person.id)[0].used_at is None


@pytest.mark.parametrize("back", [0, 1, 5])
def test_a_count_that_does_not_rise_is_a_copy(
    site: Site, mine: tuple[Enrolled, int, Key], back: int
) -> None:
    person, device, key = mine
    key.count = 4
    assert isinstance(open_with(site, key, person.id, device), Passkey)
    key.count = 5 - back - 1  # it says one more than that
    assert open_with(site, key, person.id, device) is Refusal.COUNT
    with site.database.reading() as session:
        entry = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action == "refuse_passkey")
        ).one()
        assert entry.detail == {"reason": "count"}
        assert passkeys.living(session, person.id)[0].sign_count == 5


# --- a new phone --------------------------------------------------------------------------------


def bind(
    site: Site, passkey: Passkey, at: datetime, replaces: int | None = None
) -> tuple[str, int] | None:
    with site.database.writing() as session:
        return joining.bind_by_passkey(session, passkey.id, at, None, "en", site.clock(), replaces)


def opened(site: Site, key: Key) -> tuple[Passkey, datetime]:
    """Opened where nobody has joined: the passkey, and when."""
    found = open_with(site, key)
    assert isinstance(found, Passkey)
    return found, site.clock()


def test_a_passkey_joins_a_new_phone_of_the_same_person(
    site: Site, mine: tuple[Enrolled, int, Key]
) -> None:
    person, first, key = mine
    bound = bind(site, *opened(site, key))
    assert bound is not None
    with site.database.reading() as session:
        assert session.scalars(sa.select(Participant.id)).all() == [person.id]
        known = sessions.person_of_device(session, bound[0], site.clock())
        assert known is not None
        assert (known.participant_id, known.has_pin, known.unlocked) == (person.id, False, False)
        assert [
            (one.id, one.joined_by) for one in phones.joined(session, person.id, site.clock())
        ] == [
            (first, "code"),
            (bound[1], "passkey"),
        ]
        entry = session.scalars(
            sa.select(AuditEntry).where(AuditEntry.action == "join_by_passkey")
        ).one()
        assert (entry.actor, entry.object) == (
            f"participant/device {bound[1]}", f"device/{bound[1]}",
        )  # fmt: skip


def test_one_opening_joins_one_phone(site: Site, mine: tuple[Enrolled, int, Key]) -> None:
    """A lost answer may be asked for again as long as the phone that it joined has no PIN."""
    person, _, key = mine
    found, at = opened(site, key)
    site.clock.forward(seconds=3)
    lost = bind(site, found, at)
    again = bind(site, found, at)
    assert lost is not None
    assert again is not None
    with site.database.reading() as session:
        assert sessions.person_of_device(session, lost[0], site.clock()) is None
    with site.database.writing() as session:
        sessions.set_pin(session, again[1], PIN, site.clock())
    assert bind(site, found, at) is None
    with site.database.reading() as session:
        assert len(phones.joined(session, person.id, site.clock())) == 2


def test_an_opening_does_not_join_much_later(site: Site, mine: tuple[Enrolled, int, Key]) -> None:
    _, _, key = mine
    found, at = opened(site, key)
    site.clock.forward(minutes=15)
    assert bind(site, found, at) is None
    found, at = opened(site, key)
    assert bind(site, found, at - timedelta(seconds=1)) is None
    newer = opened(site, key)
    assert bind(site, found, at) is None, "only the last opening counts"
    assert bind(site, *newer) is not None


# --- the end of a passkey -----------------------------------------------------------------------


def test_a_passkey_opens_nothing_once_the_participation_or_the_phone_is_over(
    site: Site, subtests: pytest.Subtests
) -> None:
    def lost(session: Any, person: Enrolled) -> None:
        enrolment.issue_code(session, person.id, KEY, site.clock(), phone_lost=True)

    def signed_out(session: Any, person: Enrolled) -> None:
        (device,) = phones.joined(session, person.id, site.clock())
        phones.sign_out(session, person.id, device.id, site.clock())

    ends: dict[str, Any] = {
        "withdrawn": lambda session, person: enrolment.withdraw(session, person.id, site.clock()),
        "died": lambda session, person: enrolment.record_death(session, person.id, site.clock()),
        "lost": lost,
        "signed out": signed_out,
        "removed": lambda session, person: passkeys.remove(
            session, person.id, passkeys.living(session, person.id)[0].id, site.clock(), "site"
        ),
    }
    for n, (name, end) in enumerate(ends.items(), start=1):
        person = site.enrol(f"01-{n:03}")
        device, key = joined(site, person), Key()
        make(site, person, device, key)
        found, at = opened(site, key)
        with site.database.writing() as session:
            end(session, person)
        with subtests.test(name):
            assert open_with(site, key) is Refusal.UNKNOWN
            assert bind(site, found, at) is None
            with site.database.reading() as session:
                assert passkeys.living(session, person.id) == []
            assert "revoke_passkey" in [action for _, action in record(site, person)]


def test_who_is_taken_in_again_needs_a_new_passkey(
    site: Site, mine: tuple[Enrolled, int, Key]
) -> None:
    person, _, key = mine
    for end in (enrolment.withdraw, enrolment.readmit):
        with site.database.writing() as session:
            end(session, person.id, site.clock())
    assert open_with(site, key) is Refusal.UNKNOWN


def test_nobody_removes_somebody_elses_passkey(site: Site, mine: tuple[Enrolled, int, Key]) -> None:
    person, _, key = mine
    other = site.enrol("02-009")
    with site.database.writing() as session:
        passkeys.remove(session, other.id, 1, site.clock(), "participant/device 9")
    assert isinstance(open_with(site, key, person.id), Passkey)


def test_a_phone_that_changes_hands_keeps_no_passkey_of_the_first(
    site: Site, mine: tuple[Enrolled, int, Key]
) -> None:
    _, device, key = mine
    other = site.enrol("02-009")
    with site.database.writing() as session:
        code = enrolment.find_code(session, secrets.code_hash(other.code, KEY), site.clock())
        assert code is not None
        joining.bind_device(session, code.id, "1", "en", site.clock(), replaces=device)
    assert open_with(site, key) is Refusal.UNKNOWN


def test_a_passkey_follows_its_person_into_the_same_browser(
    site: Site, mine: tuple[Enrolled, int, Key]
) -> None:
    person, device, key = mine
    found, at = opened(site, key)
    bound = bind(site, found, at, replaces=device)
    assert bound is not None
    with site.database.reading() as session:
        assert [one.id for one in phones.joined(session, person.id, site.clock())] == [bound[1]]
        assert passkeys.living(session, person.id)[0].used_device_id == bound[1]
    assert isinstance(open_with(site, key, person.id, bound[1]), Passkey)


def test_a_phone_that_was_signed_out_meanwhile_gets_no_passkey(site: Site) -> None:
    """The person's finger was asked for while somebody signed the phone out."""
    person = site.enrol()
    device = joined(site, person)
    with site.database.writing() as session:
        phones.sign_out(session, person.id, device, site.clock())
    with pytest.raises(PasskeyError, match="signed out"):
        make(site, person, device, Key())


def test_a_passkey_that_an_older_copy_of_the_database_lacks_joins_nobody(site: Site) -> None:
    with site.database.writing() as session:
        now = site.clock()
        assert joining.bind_by_passkey(session, 99, now, None, "en", now) is None

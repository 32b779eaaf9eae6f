"""Checkpoints: when one is made, what it states, and when none is signed; the rules it rests on."""

from __future__ import annotations

import hashlib
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.orm import Session

from pro_app import verify
from pro_app.models import (
    Answer,
    AuditCheckpoint,
    AuditEntry,
    AuditHead,
    Base,
    CorrectedScore,
    Correction,
    CorrectionDecision,
    Database,
    Score,
    SignOff,
    Study,
    Submission,
    SubmitOperation,
)
from pro_app.services import audit, checkpoints
from pro_app.services.audit import Entry
from pro_app.services.audit_key import AuditKey
from pro_app.verify import Tree
from tests.conftest import Site
from tests.services.tampering import drop_triggers

KEY = AuditKey.new()


def make(site: Site, key: AuditKey = KEY) -> checkpoints.Checkpoint | None:
    with site.database.writing() as session:
        return checkpoints.make(session, key, site.clock())


def do(site: Site, stream: str = "study/1") -> None:
    with site.database.writing() as session:
        audit.record(session, stream, site.clock(), [Entry("site", "try", "study")])


def count(database: Database, model: type[Base]) -> int:
    with database.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def test_a_checkpoint_states_what_the_streams_hold(site: Site) -> None:
    site.enrol()
    made = make(site)
    assert made is not None
    with site.database.reading() as session:
        row = session.scalars(sa.select(AuditCheckpoint)).one()
        entries = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.seq)).all()
    assert (row.number, row.at, row.streams, row.entries) == (1, site.clock(), 2, len(entries))
    assert (row.previous, row.algorithm, row.key) == (verify.GENESIS, "ed25519", KEY.key_id)
    newest = {one.stream: one for one in entries}
    leaves = [
        hashlib.sha256(f'\0["{name}",{newest[name].seq},"{newest[name].hash}"]'.encode()).digest()
        for name in ("participant/1", "study/1")
    ]
    assert row.root == made.root == hashlib.sha256(b"\1" + b"".join(leaves)).hexdigest()
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(made.public_key))
    said = verify.checkpoint_text({name: getattr(row, name) for name in verify.STATED})
    public.verify(bytes.fromhex(row.signature), said)  # raises if it is not
    assert row.hash == made.hash == hashlib.sha256(said).hexdigest()


def test_each_follows_the_one_before_and_keeps_what_is_new(site: Site) -> None:
    site.enrol()
    first = make(site)
    site.clock.forward(hours=1)
    do(site)
    second = make(site)
    assert first is not None
    assert second is not None
    with site.database.reading() as session:
        rows = session.scalars(sa.select(AuditCheckpoint).order_by(AuditCheckpoint.number)).all()
        heads = session.execute(
            sa.select(AuditHead.checkpoint, AuditHead.stream, AuditHead.seq).order_by(
                AuditHead.checkpoint, AuditHead.stream
            )
        ).all()
    assert [one.number for one in rows] == [1, 2]
    assert rows[1].previous == first.hash
    assert heads == [(1, "participant/1", 2), (1, "study/1", 1), (2, "study/1", 2)]


def test_where_nothing_is_new_there_is_none(site: Site) -> None:
    site.enrol()
    assert make(site) is not None
    site.clock.forward(hours=3)
    assert make(site) is None
    assert count(site.database, AuditCheckpoint) == 1


def test_an_empty_trail_has_none(database: Database, site: Site) -> None:
    with database.writing() as session:
        drop_triggers(session)
        session.execute(sa.delete(AuditEntry))
        assert checkpoints.make(session, KEY, site.clock()) is None
        assert checkpoints.newest(session) is None
        session.rollback()


def test_one_is_due_every_hour(site: Site) -> None:
    due = {}
    with site.database.reading() as session:
        assert checkpoints.is_due(session, site.clock())
    make(site)
    with site.database.reading() as session:
        for minutes in (0, 59, 60, -1):
            due[minutes] = checkpoints.is_due(session, site.clock() + timedelta(minutes=minutes))
    assert due == {0: False, 59: False, 60: True, -1: True}


def test_two_workers_make_one(site: Site) -> None:
    """Both begin at once, many times; the numbers have no gap and no fault comes of it."""
    faults: list[BaseException] = []
    for _ in range(5):
        do(site)
        begin = threading.Barrier(2)

        def work(begin: threading.Barrier = begin) -> None:
            try:
                begin.wait()
                make(site)
            except BaseException as error:
                faults.append(error)

        threads = [threading.Thread(target=work) for _ in range(2)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert faults == []
    assert count(site.database, AuditCheckpoint) == 5
    with site.database.reading() as session:
        assert list(audit.verify(session)) == []


def test_the_slower_of_two_workers_keeps_its_transaction(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It meets a number that is taken, and what else it did stays."""
    if site.database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite lets nobody in between")
    read = checkpoints._heads_now

    def overtaken(session: Session) -> object:
        monkeypatch.setattr(checkpoints, "_heads_now", read)
        assert make(site) is not None
        return read(session)

    monkeypatch.setattr(checkpoints, "_heads_now", overtaken)
    with site.database.writing() as session:
        session.execute(sa.update(Study).values(code="renamed"))
        assert checkpoints.make(session, KEY, site.clock()) is None
    assert count(site.database, AuditCheckpoint) == 1
    with site.database.reading() as session:
        assert session.scalar(sa.select(Study.code)) == "renamed"


@pytest.mark.parametrize("how", ["cut", "changed"])
def test_nothing_is_signed_over_a_trail_that_lost_entries(site: Site, how: str) -> None:
    site.enrol()
    make(site)
    with site.database.reading() as session:
        drop_triggers(session)
        last = AuditEntry.stream == "participant/1", AuditEntry.seq == 2
        if how == "cut":
            session.execute(sa.delete(AuditEntry).where(*last))
        else:
            session.execute(sa.update(AuditEntry).where(*last).values(hash="f" * 64))
            audit.record(session, "participant/1", site.clock(), [Entry("site", "try", "it")])
        with pytest.raises(checkpoints.TrailBehind, match="participant/1 entry 2 is gone or ano"):
            checkpoints.make(session, KEY, site.clock())
    assert count(site.database, AuditCheckpoint) == 1


# --- the key and its signatures -----------------------------------------------------------------

# RFC 8032, section 7.1, tests 1 to 3 and SHA(abc): public key, text, signature
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
        "b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1"
        "1d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984d"
        "c6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3fe"
        "ebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431"
        "e0303dca179c138ac17ad9bef1177331a704",
    ),
]
ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize(("public", "text", "signature"), VECTORS)
def test_the_signatures_of_the_standard_are_known(public: str, text: str, signature: str) -> None:
    assert agreed(bytes.fromhex(public), bytes.fromhex(text), bytes.fromhex(signature))


def agreed(public: bytes, text: bytes, signature: bytes) -> bool:
    """Whether a text is signed, as the verifier and another implementation say alike."""
    ours = verify.is_signed(public, text, signature)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
        theirs = True
    except (InvalidSignature, ValueError):
        theirs = False
    assert ours is theirs
    return ours


def test_signatures_with_one_bit_turned_are_refused_by_both() -> None:
    text = b"what is signed"
    signature = KEY.sign(text)
    assert agreed(KEY.public, text, signature)
    for place in range(0, 512, 7):
        turned = bytearray(signature)
        turned[place // 8] ^= 1 << place % 8
        assert not agreed(KEY.public, text, bytes(turned))
    for place in range(0, 256, 11):
        other = bytearray(KEY.public)
        other[place // 8] ^= 1 << place % 8
        assert not agreed(bytes(other), text, signature)
    assert not agreed(KEY.public, text + b".", signature)
    assert not agreed(AuditKey.new().public, text, signature)


def test_a_signature_has_one_form_only() -> None:
    """The same signature with the group's order added would else be another one that holds."""
    signature = KEY.sign(b"text")
    scalar = int.from_bytes(signature[32:], "little") + ORDER
    assert not agreed(KEY.public, b"text", signature[:32] + scalar.to_bytes(32, "little"))
    assert not verify.is_signed(KEY.public, b"text", signature[:-1])
    assert not verify.is_signed(KEY.public[:-1], b"text", signature)


def test_a_key_is_kept_as_one_line_and_does_not_show_itself() -> None:
    again = AuditKey.read(KEY.text())
    assert (again.text(), again.public, again.key_id) == (KEY.text(), KEY.public, KEY.key_id)
    assert KEY.text() not in f"{KEY!r} {KEY}"
    for text in ("", "x" * 42, f"{KEY.text()}=", "ä" * 43):
        with pytest.raises(ValueError, match="43 letters"):
            AuditKey.read(text)


# --- the tree -----------------------------------------------------------------------------------


def by_the_standard(leaves: list[bytes]) -> bytes:
    """The tree hash as RFC 6962, section 2.1 defines it: split at the greatest power of two."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = by_the_standard(leaves[:split]), by_the_standard(leaves[split:])
    return hashlib.sha256(b"\1" + left + right).digest()


def test_the_tree_is_the_standard_s_however_it_grew() -> None:
    tree = Tree()
    assert tree.root() == by_the_standard([]).hex()
    for size in range(1, 40):
        # a new stream in the middle of the others now and then, and newer heads of some
        tree.put({f"participant/{size * 37 % 41}": (1, f"{size}")})
        changed = {name: (seq + 1, f"{size}/{name}")
                   for name, (seq, _) in list(tree.heads.items())[::3]}  # fmt: skip
        tree.put(changed)
        leaves = [verify.leaf_hash(name, tree.heads[name]) for name in sorted(tree.heads)]
        assert tree.root() == by_the_standard(leaves).hex()
        assert tree.entries == sum(seq for seq, _ in tree.heads.values())
        for name, head in tree.heads.items():
            place, path = tree.proof(name)
            leaf = verify.leaf_hash(name, head)
            assert verify.proven_root(leaf, place, len(leaves), path) == tree.root()
            wrong = [
                verify.proven_root(leaf, place, len(leaves), [*path, "00" * 32]),
                verify.proven_root(leaf, len(leaves), len(leaves), path),
                verify.proven_root(verify.leaf_hash(name, (99, "x")), place, len(leaves), path),
            ]
            if path:
                wrong.append(verify.proven_root(leaf, place, len(leaves), path[1:]))
            assert tree.root() not in wrong


# --- what is covered ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (Answer, "answers"), (SubmitOperation, "presses"), (Submission, "submissions"),
        (Score, "scores"), (Correction, "corrections"), (CorrectionDecision, "decisions"),
        (CorrectedScore, "corrected_scores"), (SignOff, "sign_offs"),
    ],
)  # fmt: skip
def test_every_column_of_the_data_is_exported(model: type[Base], kind: str) -> None:
    """And with it under the digest: a column that is added must be named there."""
    assert set(verify.DATA[kind]) == {column.key for column in model.__table__.columns}


def test_every_column_of_an_entry_is_under_its_hash() -> None:
    columns = {column.key for column in AuditEntry.__table__.columns}
    assert columns == {"id", *verify.ENTRY}
    stated = {column.key for column in AuditCheckpoint.__table__.columns}
    assert stated == {"id", "public_key", *verify.CHECKPOINT}

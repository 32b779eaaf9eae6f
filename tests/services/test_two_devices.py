"""Two phones, one questionnaire, and everything that can happen in between: at the end phones and
server tell the same story, and nothing that was acknowledged is lost, invented or counted twice.

Ten thousand histories: some by hypothesis, which makes a failure small, most by a plain seeded
walk over the same doings, which is ten times as quick.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from pro_app.core.library import Library, load_library
from pro_app.core.study import StudyInstrument
from pro_app.migrations import upgrade
from pro_app.models import Database, Site
from pro_app.services import audit
from pro_app.services.answers import newest_by_item
from tests.conftest import load_study
from tests.core.toy import write_toy
from tests.services.phone_model import Counts, Place
from tests.services.two_phones import ANSWERS, PRESSES, WINDOW, World

SEEDS = (1, 2, 3, 4)  # each a test of its own, so that they share the machine's cores
WALKS, EXAMPLES = 2_400, 110  # histories of each seed, by the walk and by hypothesis
STEPS = 10
GRACE = timedelta(hours=2)  # the study's
MINUTE = timedelta(minutes=1)
TAPS = [
    *((item, "answered", code) for item in ("Q1", "Q2") for code in (1, 2, 3)),
    *(("Q3", "answered", code) for code in (1, 2)),
    *((item, state, None) for item in ("Q1", "Q2", "Q3") for state in ("skipped", "cleared")),
    ("Q2", "not_applicable", None),
]
FATES = ("taken", "taken", "lost", "held", "repeated", "echoed")
OFFSETS = (
    timedelta(), timedelta(hours=3), timedelta(hours=-3), timedelta(minutes=10),
    timedelta(days=-1), timedelta(days=400), timedelta(days=-20_000),
)  # fmt: skip
SPANS = (MINUTE, timedelta(hours=5), timedelta(days=1), WINDOW - timedelta(minutes=90), WINDOW)


@pytest.fixture(scope="module")
def place(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A database in memory with the real tables, and a questionnaire of three items."""
    folder: Path = tmp_path_factory.mktemp("toy")
    write_toy(folder)
    toy = load_library(folder)
    database = Database("sqlite://")
    upgrade(database)
    study = replace(
        load_study(database, library), instruments=(StudyInstrument("toy", ("plain",)),)
    )
    with database.reading() as session:
        site_id = session.scalars(sa.select(Site.id).order_by(Site.id)).first()
    wording = toy.wording("toy", "en")
    assert wording is not None
    assert site_id is not None
    yield Place(database, study, toy.instruments["toy"], wording, site_id)
    database.close()


def finish(world: World) -> None:
    """The network is back for good: everything arrives, and then everybody agrees."""
    try:
        while world.wire:
            world.arrive_late(0)
        for phone in world.phones:
            if not phone.journal.reported:
                world.start(phone)
            while phone.journal.entries:
                world.send(phone, "taken")
        for phone in world.phones:  # and hears what the other one has sent
            world.send(phone, "taken")
        nothing_lost_and_nothing_invented(world)
        one_story(world)
        in_the_order_of_each_phone(world)
        losses_are_told(world)
        if world.honest:
            by_the_true_clock(world)
    except AssertionError as error:
        error.add_note("\n".join(world.log))
        raise


def nothing_lost_and_nothing_invented(world: World) -> None:
    rows, presses = world.rows(ANSWERS), world.rows(PRESSES)
    stored = {row.operation: row for row in rows}
    found = set(stored) | {row.operation for row in presses}
    assert len(found) == len(rows) + len(presses), "none twice"
    assert world.acknowledged <= found, "what was acknowledged is there"
    assert found <= set(world.made), "what is there was tapped"
    wiped = {one for gone in world.gone for one in gone.held}
    assert set(world.made) - found <= wiped, "what is not there was wiped before it was sent"
    for operation, row in stored.items():
        made = world.made[operation]
        assert (row.item, row.state, row.code) == (made.item, made.state, made.code)
        assert row.received_at >= row.answered_at >= world.opens_at


def one_story(world: World) -> None:
    """Phones and server agree on every answer, on whether it is submitted, and on the receipt."""
    rows = [row._mapping for row in world.rows(ANSWERS)]
    standing = {
        item: (row["state"], row["code"])
        for item, row in newest_by_item(rows).items()
        if row["state"] != "cleared"
    }
    sealed = world.known().submission_id is not None
    if sealed:
        submission = world.sealed[0]
        told = {item: (one["state"], one["code"]) for item, one in submission.answers.items()}
        assert standing == told
    for phone in world.phones:
        assert phone.journal.entries == []
        assert (phone.receipt is not None) is sealed
        assert phone.given == standing
    assert len({phone.receipt for phone in world.phones}) == 1


def in_the_order_of_each_phone(world: World) -> None:
    """Of taps of one journal on one item the later one is the newer one, whatever the clocks."""
    rows = sorted((row for row in world.rows(ANSWERS) if row.journal), key=lambda one: one.sequence)
    latest: dict[tuple[str, str], Any] = {}
    for row in rows:
        before = latest.get((row.journal, row.item))
        if before is not None:
            assert (before.answered_at, before.id) < (row.answered_at, row.id)
        latest[row.journal, row.item] = row


def losses_are_told(world: World) -> None:
    """With the cookie left, exactly what waited and had not arrived when the loss was noted, less
    what came after all. Without it, what the server had heard of, which is never more."""
    if not world.gone:
        assert not any(world.losses(phone) for phone in world.phones)
        return
    stored = world.stored()
    for phone in world.phones:
        gone = [one for one in world.gone if one.phone is phone]
        told = sum(max(one.count - one.arrived, 0) for one in world.losses(phone))
        lost = sum(len(set(one.held) - stored) for one in gone)
        most = lost + sum((one.arrived or 0) + one.told_twice for one in gone)
        world.counts.losses += lost
        assert told <= most
        if all(one.witnessed for one in gone):
            assert told >= lost
            assert told == most or any(one.told_twice for one in gone)


def by_the_true_clock(world: World) -> None:
    """Where no clock was set and nothing held back, every moment is the true one, and the window
    is judged by it, however long it took to arrive."""
    closes_at = world.closes_at
    for row in world.rows(ANSWERS):
        tapped = world.tapped[row.operation]
        assert (row.answered_at, row.doubt) == (tapped, None)
        if row.standing != "after_submission":
            assert (row.standing == "in_time") is (tapped < closes_at)
    for press in world.rows(PRESSES):
        tapped = world.tapped[press.operation]
        assert (press.tapped_at, press.doubt) == (tapped, None)
        if press.outcome == "submitted":
            submission = world.sealed[0]
            assert submission.submit_tapped_at == tapped < closes_at + GRACE
            told = submission.answers.values()
            last = max(datetime.fromisoformat(one["answered_at"]) for one in told)
            assert submission.late is (max(tapped, last) >= closes_at)
            assert submission.submitted_at == press.received_at
        elif press.outcome == "closed":
            assert tapped >= closes_at


class Doings:
    """What can happen next, chosen by numbers that a walk or hypothesis draws."""

    def __init__(self, world: World) -> None:
        self.world = world

    def tap(self, phone: int, which: int) -> None:
        self.world.tap(self.world.phones[phone], *TAPS[which])

    def fill(self, phone: int, which: int) -> None:
        """Answer everything that has no answer yet, and press Submit."""
        shown = self.world.phones[phone].shown()
        for item in ("Q1", "Q2", "Q3"):
            if item not in shown:
                self.world.tap(self.world.phones[phone], item, "answered", 1 + which % 2)
        self.world.press(self.world.phones[phone])

    def press(self, phone: int) -> None:
        self.world.press(self.world.phones[phone])

    def send(self, phone: int, fate: int) -> None:
        self.world.send(self.world.phones[phone], FATES[fate])

    def late(self, letter: int) -> None:
        if self.world.wire:
            self.world.arrive_late(letter)

    def form(self, phone: int, code: int) -> None:
        self.world.form(self.world.phones[phone], "Q1", 1 + code % 3)

    def clock(self, phone: int, offset: int) -> None:
        self.world.set_clock(self.world.phones[phone], OFFSETS[offset])

    def wait(self, span: int) -> None:
        self.world.tick(SPANS[span])

    def kill(self, phone: int, network: bool) -> None:
        self.world.kill(self.world.phones[phone], network)

    def wipe(self, phone: int, witnessed: bool, network: bool) -> None:
        self.world.wipe(self.world.phones[phone], witnessed, network)


PHONE, TRUTH = st.integers(0, 1), st.booleans()
COUNTS: dict[str, Counts] = {}


def counts_of(name: str) -> Counts:
    return COUNTS.setdefault(name, Counts())


class Machine(RuleBasedStateMachine):
    """The doings as hypothesis draws them; a failing history is made as short as can be."""

    place: ClassVar[Place]

    @initialize()
    def begin(self) -> None:
        counts = counts_of("hypothesis")
        self.world = World(self.place, counts, seed=1_000_000 + counts.histories)
        self.doings = Doings(self.world)

    @rule(phone=PHONE, which=st.integers(0, len(TAPS) - 1))
    def tap(self, phone: int, which: int) -> None:
        self.doings.tap(phone, which)

    @rule(phone=PHONE, which=st.integers(0, 1))
    def fill(self, phone: int, which: int) -> None:
        self.doings.fill(phone, which)

    @rule(phone=PHONE)
    def press(self, phone: int) -> None:
        self.doings.press(phone)

    @rule(phone=PHONE, fate=st.integers(0, len(FATES) - 1))
    def send(self, phone: int, fate: int) -> None:
        self.doings.send(phone, fate)

    @precondition(lambda self: bool(self.world.wire))
    @rule(letter=st.integers(0, 9))
    def late(self, letter: int) -> None:
        self.doings.late(letter)

    @rule(phone=PHONE, code=st.integers(0, 2))
    def form(self, phone: int, code: int) -> None:
        self.doings.form(phone, code)

    @rule(phone=PHONE, offset=st.integers(0, len(OFFSETS) - 1))
    def clock(self, phone: int, offset: int) -> None:
        self.doings.clock(phone, offset)

    @rule(span=st.integers(0, len(SPANS) - 1))
    def wait(self, span: int) -> None:
        self.doings.wait(span)

    @rule(phone=PHONE, network=TRUTH)
    def kill(self, phone: int, network: bool) -> None:
        self.doings.kill(phone, network)

    @rule(phone=PHONE, witnessed=TRUTH, network=TRUTH)
    def wipe(self, phone: int, witnessed: bool, network: bool) -> None:
        self.doings.wipe(phone, witnessed, network)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            finish(self.world)


def walk(place: Place, counts: Counts, seed: int) -> None:
    """One history as a seeded walk; taps and sendings are the most of it, as in life."""
    draw = Random(seed)  # noqa: S311 (a test)
    world = World(place, counts, seed)
    doings = Doings(world)
    truth = (False, True)
    kinds: list[tuple[int, Callable[[], None]]] = [
        (8, lambda: doings.tap(draw.randrange(2), draw.randrange(len(TAPS)))),
        (2, lambda: doings.fill(draw.randrange(2), draw.randrange(2))),
        (1, lambda: doings.press(draw.randrange(2))),
        (7, lambda: doings.send(draw.randrange(2), draw.randrange(len(FATES)))),
        (2, lambda: doings.late(draw.randrange(10))),
        (1, lambda: doings.form(draw.randrange(2), draw.randrange(3))),
        (1, lambda: doings.clock(draw.randrange(2), draw.randrange(len(OFFSETS)))),
        (2, lambda: doings.wait(draw.choice((0, 0, 1, 1, 2, 3, 4)))),
        (1, lambda: doings.kill(draw.randrange(2), draw.choice(truth))),
        (1, lambda: doings.wipe(draw.randrange(2), draw.choice(truth), draw.choice(truth))),
    ]
    weights = [weight for weight, _do in kinds]
    for _weight, do in draw.choices(kinds, weights, k=STEPS):
        do()
    finish(world)


def trail_is_whole(place: Place) -> None:
    with place.database.reading() as session:
        assert list(audit.verify(session)) == []


@pytest.mark.parametrize("n", SEEDS)
def test_two_phones_and_the_server_agree_in_the_end(
    place: Place, n: int, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = counts_of(f"walks {n}")
    for walked in range(WALKS):
        walk(place, counts, n * 1_000_000_000 + walked)
    tell(capsys, f"walks {n}")
    assert counts.histories >= WALKS
    assert min(asdict(counts).values()) > 0, "every doing was done"
    trail_is_whole(place)


@pytest.mark.parametrize("n", SEEDS)
def test_two_phones_and_the_server_agree_whatever_hypothesis_finds(
    place: Place, n: int, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = seed(n)(type("Seeded", (Machine,), {"place": place}))
    run_machine(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    tell(capsys, "hypothesis")
    assert counts_of("hypothesis").histories >= EXAMPLES


def tell(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Print what the histories were made of."""
    parts = ", ".join(f"{count} {what}" for what, count in asdict(COUNTS[name]).items())
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: {parts}\n")

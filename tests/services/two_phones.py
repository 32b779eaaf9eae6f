"""Two phones of one person, with journals as `static/js/journal.js` keeps them, and the way
between them and the real services: it loses, repeats, holds back and reorders.

The phones' side is written down here a second time, as plainly as possible; what is judged is
that both sides end up with the same story, whatever happens on the way.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from random import Random
from typing import Any

import sqlalchemy as sa

from pro_app.core.assessment import AGREE, Contact
from pro_app.models import Assessment, Base, Device, Loss, Participant, Submission
from pro_app.models.assessment import Answer, SubmitOperation
from pro_app.services import answers, assessments, batches, journals
from pro_app.services.answers import Operation, Origin
from pro_app.services.assessments import Known
from pro_app.services.batches import SUBMITTED, Held, Taken
from tests.conftest import MORNING
from tests.services.phone_model import Counts, Journal, Letter, Phone, Place, Wiped, put

BATCH = 3  # entries in one request; small, so that some wait besides
WINDOW = timedelta(days=3)


class World:
    """One history: a fresh participant with two phones and one questionnaire."""

    def __init__(self, place: Place, counts: Counts, seed: int) -> None:
        self.place, self.counts, self.random = place, counts, Random(seed)  # noqa: S311 (a test)
        self.now = MORNING
        self.honest = True  # no clock was set and nothing was held back
        self.log: list[str] = []
        self.made: dict[str, Operation] = {}
        self.tapped: dict[str, datetime] = {}  # by the true clock
        self.acknowledged: set[str] = set()
        self.wire: list[Letter] = []
        self.gone: list[Wiped] = []
        self.sealed: list[Any] = []
        counts.histories += 1
        names = [self.uuid(), self.uuid()]  # of journals that the server has heard of
        opens_at = self.now - timedelta(hours=1)
        with place.database.writing_rows() as database:
            self.person_id = insert(
                database, Participant, study_id=place.study.id, site_id=place.site_id,
                number=self.uuid(), language="en", created_at=self.now,
            )  # fmt: skip
            devices = [
                insert(
                    database, Device, participant_id=self.person_id, journal=name,
                    token_hash=self.uuid(), created_at=self.now, used_at=self.now,
                )
                for name in names
            ]  # fmt: skip
            self.public_id, self.opens_at, self.closes_at = (
                self.uuid()[:22], opens_at, opens_at + WINDOW,
            )  # fmt: skip
            self.assessment_id = insert(
                database, Assessment, public_id=self.public_id, participant_id=self.person_id,
                timepoint="baseline", instrument="toy", place=1, opens_at=opens_at,
                due_at=opens_at, closes_at=self.closes_at, created_at=opens_at,
                placed_at=opens_at,
            )  # fmt: skip
        contact = Contact(self.now, self.now)
        self.phones = [
            Phone(
                device, Journal(name, contact=contact, reported=True, heard=True),
                self.uuid(), self.now,
            )
            for device, name in zip(devices, names, strict=True)
        ]  # fmt: skip

    def uuid(self) -> str:
        """A UUID of this history's own."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def tick(self, span: timedelta = timedelta(seconds=1)) -> None:
        """Time passes."""
        self.now += span

    # --- what a person does -----------------------------------------------------------------

    def tap(self, phone: Phone, item: str, state: str, code: int | None) -> None:
        """Answer, skip, clear or press Submit: into the journal, with the phone's clocks."""
        self.tick()
        phone.journal.tapped += 1
        operation = Operation(
            self.uuid(), item, state, code,
            device_time=self.now + phone.offset, run=phone.run,
            monotonic=self.now - phone.run_began, contact=phone.journal.contact,
            sequence=phone.journal.tapped,
        )  # fmt: skip
        self.note(f"{self.name(phone)} taps {item or 'Submit'} {state} {code or ''}")
        self.made[operation.id] = operation
        self.tapped[operation.id] = self.now
        phone.journal.entries.append(operation)
        self.counts.operations += 1

    def press(self, phone: Phone) -> bool:
        """Press Submit, if the page shows an answer to every item and no press waits."""
        complete = all(item.code in phone.shown() for item in self.place.instrument.items)
        pressed = any(one.state == SUBMITTED for one in phone.journal.entries)
        if complete and not pressed and phone.receipt is None:
            self.tap(phone, "", SUBMITTED, None)
            return True
        return False

    def form(self, phone: Phone, item: str, code: int) -> None:
        """Answer on the page without JavaScript: no journal, no clock but the server's."""
        self.tick()
        operation = Operation(self.uuid(), item, "answered", code)
        self.note(f"{self.name(phone)} posts {item} {code}")
        self.made[operation.id] = operation
        self.tapped[operation.id] = self.now
        self.counts.operations += 1
        with self.place.database.writing_rows() as database:
            known = assessments.hold_own(database, self.public_id, self.person_id)
            assert known is not None
            saved = answers.save(
                database, known, self.place.instrument, [operation],
                Origin(phone.device_id, self.place.wording),
                self.place.study.definition.grace, self.now,
            )  # fmt: skip
        self.acknowledged |= set(saved.taken)
        self.load(phone)

    # --- the way to the server --------------------------------------------------------------

    def send(self, phone: Phone, fate: str) -> None:
        """One request with what waits; `fate` is what the way does to it."""
        self.tick()
        if not phone.journal.reported and not self.start(phone, answered=fate != "lost"):
            return  # a fresh journal is reported before its first batch
        letter = self.write(phone)
        self.note(f"{self.name(phone)} sends {len(letter.operations)}: {fate}")
        if fate == "held":
            self.wire.append(letter)
            return
        taken = self.deliver(letter)
        if fate in {"repeated", "echoed"}:
            self.counts.duplicates += 1
            if fate == "repeated":
                self.deliver(letter)
            else:
                self.wire.append(letter)
        if fate != "lost":
            self.receive(letter, taken)

    def write(self, phone: Phone) -> Letter:
        """The request that the phone would send now."""
        journal = phone.journal
        batch = tuple(journal.entries[:BATCH])
        origin = Origin(
            phone.device_id, self.place.wording, self.now + phone.offset, run=phone.run,
            monotonic=self.now - phone.run_began, journal=journal.name,
        )  # fmt: skip
        left = len(journal.entries) - len(batch)
        return Letter(phone, journal, batch, origin, left, phone.seen, self.now)

    def arrive_late(self, place: int) -> None:
        """A request that was held back arrives; nobody waits for its response any more."""
        self.tick()
        letter = self.wire.pop(place % len(self.wire))
        self.counts.delayed += 1
        self.note(f"a letter of {self.name(letter.phone)} arrives late")
        taken = self.deliver(letter)
        if taken.new:
            self.honest = False  # on its way longer than its clocks can tell

    def deliver(self, letter: Letter) -> Taken:
        """The server takes a request, by the real services."""
        presses = any(one.state == SUBMITTED for one in letter.operations)
        place = self.place.database
        with place.writing() if presses else place.writing_rows() as database:
            found = assessments.hold_by_phone(
                database, self.public_id, self.person_id, letter.phone.device_id
            )
            assert found is not None
            held = Held(self.place.study, found[0], self.place.instrument, found[1])
            taken = batches.take(
                database, held, letter.operations, letter.origin, self.now, letter.left,
                letter.seen,
            )  # fmt: skip
        assert taken.refused == {}
        assert taken.taken == [one.id for one in letter.operations]
        if taken.receipt is not None or self.sealed:
            self.check_seal()
        return taken

    def receive(self, letter: Letter, taken: Taken) -> None:
        """The phone hears the response and settles what it tells of."""
        phone, journal = letter.phone, letter.journal
        assert journal is phone.journal, "it waits for its response"
        self.acknowledged |= set(taken.taken)
        settled = set(taken.taken)
        journal.entries = [one for one in journal.entries if one.id not in settled]
        for operation in letter.operations:
            if operation.id not in taken.not_counted:
                put(phone.given, operation)
        for item, (state, code) in taken.others.items():
            put(phone.given, Operation("", item, state, code))
        phone.seen = taken.seen
        journal.contact = Contact(self.now, self.now + phone.offset)
        if taken.receipt is not None:
            assert phone.receipt in {None, taken.receipt.code}
            phone.receipt = taken.receipt.code

    # --- what happens to a phone ------------------------------------------------------------

    def start(self, phone: Phone, answered: bool = True) -> bool:
        """The app starts with a network: it reports its journal; whether it hears the answer."""
        journal = phone.journal
        with self.place.database.writing() as session:
            journals.report(
                session, phone.device_id, journal.name, len(journal.entries), journal.vanished,
                None, self.now,
            )  # fmt: skip
        self.note(
            f"{self.name(phone)} reports {len(journal.entries)} left, {journal.vanished} lost"
        )
        journal.heard = True
        for gone in self.gone:
            if gone.phone is phone and gone.arrived is None:
                gone.arrived = len(set(gone.held) & self.stored())
        if answered:
            journal.vanished, journal.reported = 0, True
            journal.contact = Contact(self.now, self.now + phone.offset)
            self.load(phone)
        return answered

    def load(self, phone: Phone) -> None:
        """The page is loaded: the server's answers stand under what waits."""
        with self.place.database.reading_rows() as database:
            current, phone.seen = answers.current(database, self.assessment_id)
        phone.given = {item: (one.state, one.code) for item, one in current.items()}

    def kill(self, phone: Phone, network: bool) -> None:
        """The phone ends the app; the journal is on disk. Another life of the page begins."""
        self.tick()
        self.counts.kills += 1
        self.note(f"{self.name(phone)} is killed")
        phone.run, phone.run_began = self.uuid(), self.now
        if network:
            self.start(phone)

    def wipe(self, phone: Phone, witnessed: bool, network: bool) -> None:
        """The browser's storage is removed; only a cookie may remember how much waited."""
        self.tick()
        self.counts.wipes += 1
        self.note(f"{self.name(phone)} is wiped, cookie {'kept' if witnessed else 'gone'}")
        before = phone.journal
        held = [one.id for one in before.entries]
        twice = before.vanished if before.heard and witnessed else 0
        self.gone.append(Wiped(phone, held, witnessed, twice))
        vanished = len(held) + before.vanished if witnessed else 0
        phone.journal = Journal(self.uuid(), vanished=vanished)
        phone.run, phone.run_began = self.uuid(), self.now
        if network:
            self.start(phone)

    def set_clock(self, phone: Phone, offset: timedelta) -> None:
        """Somebody, or the network, sets the phone's clock."""
        self.tick()
        self.counts.clocks += 1
        self.note(f"{self.name(phone)}'s clock is set to {offset}")
        self.honest = self.honest and abs(offset - phone.offset) <= AGREE
        phone.offset = offset

    # --- looking ----------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """Write down what happens, for whoever reads of a failure."""
        self.log.append(f"{self.now:%d %H:%M:%S} {text}")

    def name(self, phone: Phone) -> str:
        """What a phone is called in the log."""
        return "AB"[self.phones.index(phone)]

    def known(self) -> Known:
        """The assessment as the record has it."""
        with self.place.database.reading_rows() as database:
            found = assessments.find_own(database, self.public_id, self.person_id)
        assert found is not None
        return found

    def check_seal(self) -> None:
        """A submission, once made, never changes."""
        with self.place.database.reading_rows() as database:
            found = list(database.execute(_submissions, {"assessment": self.assessment_id}))
        assert len(found) <= 1
        if self.sealed:
            assert found == self.sealed
        elif found:
            self.sealed = found
            self.counts.submissions += 1

    def rows(self, query: sa.Select[Any]) -> list[Any]:
        """The record's rows of this assessment, in the order in which they were stored."""
        with self.place.database.reading_rows() as database:
            return list(database.execute(query, {"assessment": self.assessment_id}).all())

    def stored(self) -> set[str]:
        """The ids of all operations on the record."""
        return {row.operation for query in (ANSWERS, PRESSES) for row in self.rows(query)}

    def losses(self, phone: Phone) -> list[Any]:
        """What is noted as lost on a phone."""
        with self.place.database.reading_rows() as database:
            return list(database.execute(_losses, {"device": phone.device_id}).all())


def insert(database: sa.Connection, kind: type[Base], **values: Any) -> int:
    """Add a row; its id."""
    found = database.execute(sa.insert(kind.__table__), values)  # type: ignore[arg-type]
    key: Any = found.inserted_primary_key
    return int(key[0])


def _of_assessment(kind: type[Base]) -> sa.Select[Any]:
    columns = kind.__table__.c
    query = sa.select(*columns).where(columns.assessment_id == sa.bindparam("assessment"))
    return query.order_by(columns.id)


ANSWERS, PRESSES = _of_assessment(Answer), _of_assessment(SubmitOperation)
_submissions = _of_assessment(Submission)
_losses = sa.select(*Loss.__table__.c).where(Loss.device_id == sa.bindparam("device"))

"""The demonstration's site: its staff, and what they have done for the study's people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy.orm import Session

from pro_app.core.library import Library
from pro_app.models import Submission
from pro_app.services import (
    assessments,
    calls,
    corrections,
    missed,
    participants,
    secrets,
    sign_off,
    staff,
    staff_sign_in,
    transcription,
)
from pro_app.services.assessments import Known
from pro_app.services.corrections import Verdict, Wanted
from pro_app.services.paper import Paper, Value
from pro_app.services.studies import CurrentStudy
from pro_app.services.vault import Vault

PASSWORD = "seven quiet rivers at dawn"  # noqa: S105 (shown on the demonstration's first page)
SECRET = "70726f2d6170702d64656d6f6e73747261746f72"  # noqa: S105 (likewise; of the codes of all accounts)


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody of the site: the name of the account, and the role."""

    account: str
    name: str
    role: str

    @property
    def email(self) -> str:
        """The sign-in name."""
        return f"{self.account}@demonstration.example"


STAFF = (
    Colleague("coordinator", "Demo Coordinator", "coordinator"),
    Colleague("colleague", "Demo Colleague", "coordinator"),
    Colleague("investigator", "Demo Investigator", "investigator"),
    Colleague("researcher", "Demo Researcher", "researcher"),
    Colleague("administrator", "Demo Administrator", "administrator"),
)


def code_now(now: datetime) -> str:
    """What the authenticator app of every account of the demonstration shows."""
    totp = TOTP(bytes.fromhex(SECRET), staff_sign_in.DIGITS, SHA1(), staff_sign_in.STEP)  # noqa: S303
    return totp.generate(int(now.timestamp())).decode()


def hire(
    session: Session, study: CurrentStudy, key: str, trained_on: date, now: datetime
) -> dict[str, int]:
    """Make the accounts, ready to sign in: account -> id."""
    found = {}
    for one in STAFF:
        person = staff.add(session, one.email, one.name, "en", trained_on, now)
        hashed = secrets.code_hash(staff.invite(session, person.id, key, now), key)
        staff_sign_in.set_up(session, hashed, PASSWORD, SECRET, Vault(key), now)
        staff.grant(session, person.id, study.id, None, one.role, now)
        found[one.account] = person.id
    return found


def work(
    session: Session,
    study: CurrentStudy,
    library: Library,
    hired: Mapping[str, int],
    now: datetime,
) -> None:
    """What the site did in the last hour: calls, a reason, a paper sheet, corrections, a sign-off.

    The people are there, see `demo.people`.
    """
    _Hour(session, study, library, hired, now).pass_by()


class _Hour:
    """The site's last hour, one minute after another."""

    def __init__(
        self,
        session: Session,
        study: CurrentStudy,
        library: Library,
        hired: Mapping[str, int],
        now: datetime,
    ) -> None:
        self.session, self.study, self.library = session, study, library
        self.hired, self.now = hired, now - timedelta(hours=1)

    def pass_by(self) -> None:
        self._calls()
        self._paper()
        self._corrections()
        signed = self._person("01-005")
        meaning = "I have reviewed these data and take responsibility for them."
        sign_off.sign(
            self.session, self.study, signed, "baseline/1", meaning,
            self.hired["investigator"], self._next(),
        )  # fmt: skip

    def _next(self) -> datetime:
        self.now += timedelta(minutes=3)
        return self.now

    def _person(self, number: str) -> int:
        found = participants.find(self.session, self.study.id, number)
        assert found is not None  # noqa: S101 (it was just enrolled)
        return found.id

    def _assessment(self, number: str, timepoint: str, instrument: str) -> Known:
        every = assessments.of_participant(self.session, self._person(number))
        return next(
            one for one in every if (one.timepoint, one.instrument) == (timepoint, instrument)
        )

    def _calls(self) -> None:
        by, person = self.hired["coordinator"], self._person("01-002")
        about = self._assessment("01-002", "day_28", "sf36v1").public_id
        calls.log(
            self.session, person, "telephone", "no_answer", "", by, self._next(), assessment=about
        )
        calls.log(self.session, person, "note", None, "Prefers calls after 5 pm.", by, self._next())
        late = self._assessment("01-004", "day_28", "sf36v1")
        missed.record(
            self.session, self.study, self._person("01-004"), late.public_id, "too_ill",
            "Admitted with a fever for a week.", by, self._next(),
        )  # fmt: skip

    def _paper(self) -> None:
        """A sheet on paper of somebody without a phone, which waits for a second person."""
        by, number = self.hired["coordinator"], "01-008"
        known = self._assessment(number, "baseline", "lupusqol")
        on = known.facts.opens_at.astimezone(self.study.definition.zone).date()
        row = transcription.begin(
            self.session, self.study, self._person(number), known.public_id,
            "paper", Paper(on, "zh_Hans", reference="Binder 1, page 8"), by, self._next(),
        )  # fmt: skip
        items = self.library.instruments["lupusqol"].items
        values: dict[str, Value] = {
            one.code: one.options.codes[one.n % len(one.options.codes)] for one in items
        }
        transcription.enter(
            self.session, self.study, self.library, row.public_id, values, by, self._next()
        )
        transcription.finish(
            self.session, self.study, self.library, row.public_id, by, self._next()
        )

    def _corrections(self) -> None:
        """One that was approved, and one that waits for its decision."""
        decided = self._ask(
            "lupusqol", "LQ05", "mistaken_tap", "The participant meant the line above."
        )
        meaning = "I have looked at the evidence and approve this correction."
        corrections.decide(
            self.session, self.study, self.library, decided,
            Verdict(True, meaning, "Agrees with the note of the call."),
            self.hired["investigator"], self._next(),
        )  # fmt: skip
        self._ask("sf36v1", "GH01", "misunderstood", "The participant called after sending it.")

    def _ask(self, instrument: str, item: str, code: str, reason: str) -> int:
        known = self._assessment("01-004", "baseline", instrument)
        assert known.submission_id is not None  # noqa: S101 (see `demo.people`)
        definition = next(
            one for one in self.library.instruments[instrument].items if one.code == item
        )
        sealed = self.session.get_one(Submission, known.submission_id).answers[item]["code"]
        other = next(one for one in definition.options.codes if one != sealed)
        today = self.now.astimezone(self.study.definition.zone).date()
        wanted = Wanted(
            "answer", str(other), code, reason, "Telephone note in the site's binder",
            "participant", item, "By telephone, read back", today,
        )  # fmt: skip
        asked = corrections.request(
            self.session, self.study, self.library, known.submission_id, wanted,
            self.hired["coordinator"], self._next(),
        )  # fmt: skip
        return asked.id

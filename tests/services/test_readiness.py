"""What a study lacks before it is marked live: each line appears, alone, and disappears."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.cli_ready import SAYS, ready_lines
from pro_app.config import ROOT
from pro_app.core.library import Library
from pro_app.core.study import EXAMPLE_TELEPHONE
from pro_app.core.study_file import read_study_file
from pro_app.models import Backup, Database, Site, Staff, StaffRole, Subscription
from pro_app.services import (
    alarms,
    checkpoints,
    checks,
    readiness,
    secrets,
    staff,
    staff_sign_in,
)
from pro_app.services.audit_key import AuditKey
from pro_app.services.readiness import CODES, Equipment, Missing
from tests.conftest import AUDIT_KEY, BOTH, KEY, TestClock
from tests.services.licensing import license_all, renew
from tests.services.test_staff_sign_in import PASSWORD, SECRET, VAULT
from tests.services.trial import ZONE, Trial, load_trial, subscribe

EQUIPMENT = Equipment("mailto:study@hospital.my", "key-of-now", True, False, False)


@pytest.fixture(autouse=True)
def servers_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' day is not the database server's."""
    monkeypatch.setattr(checks, "APART", timedelta(days=36_500))


@dataclass
class Stage:
    """A study that lacks nothing, for a test to take something away from."""

    trial: Trial
    equipment: Equipment = EQUIPMENT
    later: timedelta = timedelta()
    staff: dict[str, int] = field(default_factory=dict)

    def missing(self) -> list[Missing]:
        trial = self.trial
        with trial.database.reading() as session:
            return readiness.missing(
                session, trial.study, self.equipment, trial.clock() + self.later
            )

    def license(self, **terms: Any) -> None:
        """Store licensed wording of every instrument in every language."""
        trial = self.trial
        with trial.database.writing() as session:
            trial.study = license_all(session, trial.study, trial.library, trial.clock(), **terms)

    def renew(self, instrument: str, language: str, **terms: Any) -> None:
        """Another licence of a wording, from today on."""
        trial = self.trial
        with trial.database.writing() as session:
            trial.study = renew(
                session, trial.study, trial.library, instrument, language, trial.clock(), **terms
            )

    def write(self, act: Callable[[Session], object]) -> None:
        with self.trial.database.writing() as session:
            act(session)

    def amend(self, **changes: object) -> None:
        """Load another version of the study file."""
        self.trial.amend(lambda content: content.update(changes))

    def checkpoint(self) -> None:
        key = AuditKey.read(AUDIT_KEY)
        self.write(lambda session: checkpoints.make(session, key, self.trial.clock()))

    def backup(self) -> None:
        """Put down that one was made."""
        at = self.trial.clock() + self.later
        row = Backup(
            made_at=at, name="x", sha256="x", size=1, entries=0, verified_at=at, drill=False
        )
        self.write(lambda session: session.add(row))


def employ(session: Session, stage: Stage, role: str, site: int | None = None) -> None:
    """Somebody with an open account and a role."""
    now, email = stage.trial.clock(), f"{role}@hospital.example"
    person = staff.add(session, email, role, "en", date(2026, 1, 5), now)
    staff.grant(session, person.id, stage.trial.study.id, site, role, now)
    hashed = secrets.code_hash(staff.invite(session, person.id, KEY, now), KEY)
    staff_sign_in.set_up(session, hashed, PASSWORD, SECRET, VAULT, now)
    stage.staff[role] = person.id


@pytest.fixture
def stage(database: Database, library: Library, clock: TestClock) -> Stage:
    def to_go_live(content: dict[str, Any]) -> None:
        content["contact"] = {"telephone": "03-7967 1234", "emergency": "999"}
        content["notice"]["approval"] = "MREC 2026-123"

    found = Stage(load_trial(database, library, clock, to_go_live))
    found.license()
    for role in ("administrator", "coordinator", "investigator"):
        found.write(lambda session, role=role: employ(session, found, role))  # type: ignore[misc]
    found.checkpoint()
    found.backup()
    return found


def test_nothing_is_missing(stage: Stage) -> None:
    assert stage.missing() == []


@pytest.mark.parametrize("status", ["test", "live"])
def test_people_of_the_test_are_in_nobodys_way(stage: Stage, status: str) -> None:
    """They stay apart."""
    stage.trial.enrol()
    stage.amend(status=status)
    assert stage.missing() == []


def test_a_demonstration_is_none_to_go_live(stage: Stage) -> None:
    stage.amend(status="demonstration")
    stage.trial.enrol()
    assert stage.missing() == [Missing("demonstration")]


def test_wording_is_licensed_in_every_language(stage: Stage) -> None:
    stage.renew("lupusqol", "ta", modes=frozenset())
    stage.renew("lupusqol", "ms", modes=frozenset())
    assert stage.missing() == [Missing("wording_missing", "lupusqol", ("ms", "ta"))]
    stage.renew("lupusqol", "ta")
    stage.renew("lupusqol", "ms")
    assert stage.missing() == []


def test_wording_is_licensed_at_every_site(stage: Stage) -> None:
    site = stage.trial.study.wordings.sites[1]
    stage.renew("sf36v1", "en", modes=frozenset(), site_id=site)
    assert stage.missing() == [Missing("wording_missing", "sf36v1", ("en",))]


def test_wording_is_licensed_for_every_way_of_reading(stage: Stage) -> None:
    stage.renew("sf36v1", "zh_Hans", modes=frozenset({"phone", "interview"}))
    assert stage.missing() == [
        Missing("wording_mode", "sf36v1", ("zh_Hans",), mode="tablet"),
        Missing("wording_mode", "sf36v1", ("zh_Hans",), mode="paper"),
    ]
    stage.renew("sf36v1", "zh_Hans", modes=frozenset({"phone", "tablet", "paper"}))
    assert stage.missing() == []
    stage.amend(read_aloud=True)
    assert stage.missing() == [Missing("wording_mode", "sf36v1", ("zh_Hans",), mode="aloud")]


def test_wording_is_licensed_until_the_end_of_the_follow_up(stage: Stage) -> None:
    trial = stage.trial
    with trial.database.reading() as session:
        end = readiness.follow_up_end(session, trial.study, trial.clock())
    last = end.astimezone(ZONE).date()
    stage.renew("lupusqol", "en", until=last - timedelta(days=1))
    moment = datetime.combine(last - timedelta(days=1), time(), ZONE)
    assert stage.missing() == [Missing("wording_ends", "lupusqol", ("en",), since=moment)]
    (line,) = ready_lines(stage.missing(), ZONE)
    assert f" until {moment.date()} and no longer" in line, "all of its last day counts"
    stage.renew("lupusqol", "en", until=last)
    assert stage.missing() == []
    person = trial.enrol()
    trial.infuse(person, trial.clock().date() + timedelta(days=20))
    (ending,) = [one for one in stage.missing() if one.code == "wording_ends"]
    assert ending.languages == ("en",), "the follow-up of those who are in it lasts longer"


def test_a_licence_that_comes_later_counts(stage: Stage) -> None:
    """It goes on where the one of now ends, or it ends what is permitted now."""
    trial = stage.trial
    today = trial.clock().astimezone(ZONE).date()
    soon = today + timedelta(days=3)
    stage.renew("lupusqol", "en", until=soon)
    assert [one.code for one in stage.missing()] == ["wording_ends"]
    stage.renew("lupusqol", "en", from_on=soon + timedelta(days=1))
    assert stage.missing() == [], "it is renewed from the day after"
    on = soon + timedelta(days=2)
    last = datetime.combine(soon + timedelta(days=1), time(), ZONE)
    stage.renew("lupusqol", "en", modes=frozenset({"phone", "tablet"}), from_on=on)
    stage.renew("sf36v1", "ms", modes=frozenset(), from_on=on, until=on)
    assert stage.missing() == [
        Missing("wording_ends", "lupusqol", ("en",), since=last),
        Missing("wording_ends", "sf36v1", ("ms",), since=last),
    ]


def test_wording_of_another_definition_is_missing(stage: Stage) -> None:
    """A live study would show nothing of it."""
    trial = stage.trial
    known = trial.library.instruments
    other = replace(trial.library, instruments={**known, "sf36v1": known["lupusqol"]})
    trial.study = replace(trial.study, wordings=replace(trial.study.wordings, library=other))
    languages = trial.study.definition.languages
    assert stage.missing() == [Missing("wording_missing", "sf36v1", tuple(languages))]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"contact": {"telephone": EXAMPLE_TELEPHONE, "emergency": "999"}},
            Missing("telephone", EXAMPLE_TELEPHONE),
        ),
        (
            {"contact": {"telephone": "the ward", "emergency": "999"}},
            Missing("telephone", "the ward"),
        ),
        (
            {"contact": {"telephone": "03-7967 1234", "emergency": "an ambulance"}},
            Missing("emergency", "an ambulance"),
        ),
        ({"zone": "UTC"}, Missing("zone", "UTC")),
        ({"zone": "Etc/GMT-8"}, Missing("zone", "Etc/GMT-8")),
    ],
)
def test_the_study_file_names_whom_to_call_and_a_place(
    stage: Stage, changes: Mapping[str, object], expected: Missing
) -> None:
    before = {name: stage.trial.content[name] for name in changes}
    stage.amend(**changes)
    assert stage.missing() == [expected]
    stage.amend(**before)
    assert stage.missing() == []


def test_the_demonstrations_own_number_is_known(library: Library) -> None:
    path = ROOT / "pro_app" / "demo" / "study.toml"
    assert read_study_file(path, library.instruments)["contact"]["telephone"] == EXAMPLE_TELEPHONE


def test_a_notice_is_approved_and_translated(stage: Stage) -> None:
    notice = stage.trial.content["notice"]
    stage.amend(notice=notice | {"version": "draft 3", "ta": notice["ms"]})
    assert stage.missing() == [
        Missing("notice_draft", "draft 3"),
        Missing("notice_untranslated", languages=("ms", "ta")),
    ]
    stage.amend(notice=notice)
    assert stage.missing() == []


@pytest.mark.parametrize("role", ["administrator", "coordinator", "investigator"])
def test_a_study_is_administered_and_each_site_has_its_people(stage: Stage, role: str) -> None:
    stage.write(lambda session: staff.disable(session, stage.staff[role], stage.trial.clock()))
    sites = [""] if role == "administrator" else ["01", "02"]
    assert stage.missing() == [Missing(f"no_{role}", site) for site in sites]
    stage.write(
        lambda session: staff.grant(
            session,
            stage.staff["coordinator" if role != "coordinator" else "investigator"],
            stage.trial.study.id,
            None,
            role,
            stage.trial.clock(),
        )
    )
    assert stage.missing() == []


def test_a_role_at_one_site_leaves_the_other_without(stage: Stage) -> None:
    def move(session: Session) -> None:
        site = session.scalars(sa.select(Site.id).where(Site.code == "02")).one()
        session.execute(
            sa.update(StaffRole).where(StaffRole.role == "coordinator").values(site_id=site)
        )

    stage.write(move)
    assert stage.missing() == [Missing("no_coordinator", "01")]
    stage.amend(sites=stage.trial.content["sites"][1:])
    assert stage.missing() == [], "a site that enrols no more needs nobody"


@pytest.mark.parametrize("lost", ["password_hash", "totp_secret"])
def test_everybody_can_sign_in_with_a_second_factor(stage: Stage, lost: str) -> None:
    stage.write(lambda session: setattr(one(session, stage), lost, None))
    assert stage.missing() == [Missing("staff_closed", count=1)]
    with stage.trial.database.reading() as session:
        (role,) = staff.living_roles(session, stage.staff["investigator"], stage.trial.clock())
    stage.write(
        lambda session: staff.end_role(session, role.staff_id, role.id, stage.trial.clock())
    )
    assert {each.code for each in stage.missing()} == {"no_investigator"}


def one(session: Session, stage: Stage) -> Staff:
    return session.get_one(Staff, stage.staff["investigator"])


def test_everybody_was_trained(stage: Stage) -> None:
    stage.write(lambda session: setattr(one(session, stage), "trained_on", None))
    assert stage.missing() == [Missing("staff_untrained", count=1)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"on_loopback": True}, Missing("address")),
        ({"vapid_subject": "mailto:x@localhost"}, Missing("vapid_subject", "placeholder")),
        ({"vapid_subject": "somebody"}, Missing("vapid_subject", "shape")),
        ({"mail": False}, Missing("mail")),
        ({"audit_key_beside": True}, Missing("audit_key")),
    ],
)  # fmt: skip
def test_the_installation_is_equipped(
    stage: Stage, change: Mapping[str, Any], expected: Missing
) -> None:
    stage.equipment = replace(EQUIPMENT, **change)
    assert stage.missing() == [expected]


def test_phones_know_the_key_that_pushes_are_signed_with(stage: Stage) -> None:
    person = stage.trial.enrol()
    subscribe(stage.trial, person, stage.trial.join(person))
    stage.amend(status="live")
    assert stage.missing() == [Missing("vapid_key", count=1)]
    stage.write(lambda session: session.execute(sa.update(Subscription).values(state="gone")))
    assert stage.missing() == []


def test_a_worker_makes_checkpoints(stage: Stage) -> None:
    made = stage.trial.clock()
    stage.later = timedelta(days=30)
    stage.backup()
    assert stage.missing() == [], "where nothing happens, an old one says it all"
    stage.trial.clock.forward(minutes=1)
    stage.amend(grace_minutes=60)
    stage.later = timedelta(hours=1)
    assert stage.missing() == [], "the worker's next one is not due yet"
    stage.later = timedelta(hours=3)
    assert stage.missing() == [Missing("checkpoint_old", since=made)]
    stage.checkpoint()
    assert stage.missing() == []


def test_many_entries_without_a_checkpoint_are_looked_at_in_part(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "LOOKED_AT", 1)
    stage.trial.clock.forward(hours=3)
    stage.amend(grace_minutes=60)
    assert [each.code for each in stage.missing()] == ["checkpoint_old"]


def test_there_is_a_checkpoint_and_a_backup(
    database: Database, library: Library, clock: TestClock
) -> None:
    stage = Stage(load_trial(database, library, clock))
    assert {"checkpoint_none", "backup_none"} <= {each.code for each in stage.missing()}
    stage.backup()
    assert "backup_none" not in {each.code for each in stage.missing()}


def test_a_backup_is_made_every_day(stage: Stage) -> None:
    made = stage.trial.clock()
    stage.later = timedelta(days=2)
    assert stage.missing() == []
    stage.later = timedelta(days=2, seconds=1)
    assert stage.missing() == [Missing("backup_old", since=made)]
    stage.backup()
    assert stage.missing() == []


def test_clocks_agree(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.trial.clock.forward(hours=1)
    ahead = stage.trial.clock()
    stage.amend(grace_minutes=60)
    stage.later = timedelta(hours=-1)
    assert stage.missing() == [Missing("clock_record", since=ahead)]
    stage.later = timedelta()
    monkeypatch.setattr(checks, "APART", timedelta())
    codes = [each.code for each in stage.missing()]
    kind = stage.trial.database.engine.dialect.name
    assert kind in BOTH
    assert codes == (["clock_server"] if kind == "postgresql" else [])


def test_no_alarm_sounds(stage: Stage) -> None:
    now = stage.trial.clock()
    stage.write(lambda session: alarms.sound(session, "mail", "refused", now))
    assert stage.missing() == [Missing("alarms", count=1)]
    stage.write(lambda session: alarms.clear(session, "mail", now))
    assert stage.missing() == []


def test_each_line_has_its_words_at_the_command_line() -> None:
    assert set(SAYS) == set(CODES)
    since = TestClock()()
    every = [Missing(code, "X", ("ta",), 3, since) for code in CODES]
    for line in ready_lines(every, ZONE):
        assert not re.search(r"[{}]", line)
        assert line == line.strip()

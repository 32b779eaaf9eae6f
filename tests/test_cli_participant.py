"""The commands of `participant` for anchors, reminders and reach, as a coordinator types them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
import segno
import sqlalchemy as sa

from pro_app.core.library import Library
from pro_app.models import (
    AnchorDate,
    Assessment,
    Contact,
    Database,
    Device,
    JoiningCode,
    Participant,
    Reminder,
)
from pro_app.services import enrolment, secrets
from tests.conftest import KEY, Run, TestClock
from tests.services.trial import Trial, load_trial, local, subscribe


@pytest.fixture
def site(trial_loaded: Run, sqlite_url: str, library: Library, clock: TestClock) -> Trial:
    """The hands of the participants, on the database of the commands."""
    return load_trial(Database(sqlite_url), library, clock)


def test_an_anchor_is_shown_before_it_is_set(trial_loaded: Run, site: Trial) -> None:
    trial_loaded("participant add 01-001 --language en")
    told = trial_loaded("participant anchor 01-001 infusion 2026-11-20", given="n\n", code=1).output
    assert "infusion: not known -> 2026-11-20\n" in told
    assert "  day_28 lupusqol: new, 2026-12-15 06:00 to 2026-12-21 23:00\n" in told
    assert "  yearly/2 sf36v1: new, 2028-10-21 06:00 to 2028-12-20 23:00\n" in told
    assert "planned messages that are replaced: 0\n" in told
    assert "Apply this? [y/N]" in told
    assert "waiting for the infusion date" in trial_loaded("participant list").output
    told = trial_loaded("participant anchor 01-001 infusion 2026-11-20", given="y\n").output
    assert told.endswith("01-001: the infusion date is 2026-11-20\n")
    assert "waiting for" not in trial_loaded("participant list").output
    again = trial_loaded("participant anchor 01-001 infusion 2026-11-20").output
    assert again == "01-001: the infusion date is 2026-11-20 already\n"


def test_a_corrected_anchor_tells_what_moves_and_what_stays(
    trial_loaded: Run, site: Trial, clock: TestClock
) -> None:
    person = site.enrol("01-001")
    site.infuse(person, local(2026, 11, 23, 9).date())
    clock.now = local(2026, 12, 20, 10)
    site.plan()
    site.begin(person, "day_28")
    waiting = len(site.reminders(person, "planned"))
    told = trial_loaded("participant anchor 01-001 infusion 2026-11-25 --yes").output
    assert (
        "day_28 lupusqol: stays at 2026-12-18 06:00 to 2026-12-24 23:00: begun; "
        "the protocol would have 2026-12-20 06:00 to 2026-12-26 23:00\n" in told
    )
    assert (
        "day_28 sf36v1: moves from 2026-12-18 06:00 to 2026-12-24 23:00 "
        "to 2026-12-20 06:00 to 2026-12-26 23:00\n" in told
    )
    assert "month_3 sf36v1: moves from" in told
    assert waiting > 1
    replaced = next(line for line in told.splitlines() if line.startswith("planned messages"))
    assert 0 < int(replaced.rsplit(" ", 1)[1]) < waiting, "those of the one begun stay"
    assert site.faults() == []


def test_an_anchor_taken_back_cancels_what_nobody_began(trial_loaded: Run, site: Trial) -> None:
    person = site.enrol("01-001")
    trial_loaded("participant anchor 01-001 infusion 2026-11-20 --yes")
    told = trial_loaded("participant anchor 01-001 infusion --remove --yes").output
    assert "infusion: 2026-11-20 -> not known\n" in told
    assert "day_28 lupusqol: is taken back, 2026-12-15 06:00 to 2026-12-21 23:00\n" in told
    assert "waiting for the infusion date: day_28, month_3, month_6, yearly\n" in told
    assert {key[0] for key in site.windows(person)} == {"baseline"}
    told = trial_loaded("participant anchor 01-001 infusion 2026-11-21 --yes").output
    assert "day_28 lupusqol: comes back, 2026-12-16 06:00 to 2026-12-22 23:00\n" in told


def test_two_questionnaires_about_the_same_days_are_a_warning(
    trial_loaded: Run, site: Trial
) -> None:
    site.enrol("01-001")
    told = trial_loaded("participant anchor 01-001 infusion 2026-11-10 --yes").output
    assert (
        "warning: lupusqol asks about the same days twice: "
        "due at baseline (2026-11-23) and day_28 (2026-12-08)\n" in told
    )


def test_entered_afterwards_the_past_was_not_offered_and_nothing_floods(
    trial_loaded: Run, site: Trial
) -> None:
    trial_loaded("participant add 01-001 --language en --enrolled 2026-05-01")
    trial_loaded("participant anchor 01-001 infusion 2026-05-20 --yes")
    with site.database.reading() as session:
        person = session.scalars(sa.select(Participant)).one()
        days = dict(session.execute(sa.select(AnchorDate.anchor, AnchorDate.day)).all())  # type: ignore[arg-type]
        planned = session.scalars(sa.select(Reminder)).all()
    assert {anchor: str(day) for anchor, day in days.items()} == {
        "enrolment": "2026-05-01",
        "infusion": "2026-05-20",
    }
    assert person.scheduled_version is not None
    told = trial_loaded("participant list").output
    for past in ("baseline", "day_28", "month_3"):
        assert f"{past} lupusqol: missed (not offered)\n" in told
    assert "month_6 lupusqol: open\n" in told
    assert "not due yet: 6\n" in told
    assert all(one.due_at >= site.clock() for one in planned), "none for a past time"
    with site.database.reading() as session:
        reminded = sa.select(Assessment.timepoint).join(
            Reminder, Reminder.assessment_id == Assessment.id
        )
        assert set(session.scalars(reminded)) == {"month_6"}, "only what is open"


REFUSED = [
    ("participant anchor 01-001 relapse 2026-11-20 --yes", "the study has no anchor 'relapse'", 1),
    ("participant anchor 01-001 enrolment --remove --yes", "can be corrected, not removed", 1),
    ("participant anchor 01-009 infusion 2026-11-20", "there is no participant '01-009'", 1),
    ("participant anchor 01-001 infusion", "give either a DATE like 2026-11-22 or --remove", 2),
    ("participant anchor 01-001 infusion 2026-11-20 --remove", "give either a DATE", 2),
    ("participant anchor 01-001 infusion 20.11.2026", "'20.11.2026' is not a day like", 2),
    ("participant anchor 01-001 infusion 20261120", "'20261120' is not a day like", 2),
    ("participant anchor 01-001 infusion 2026-02-30", "'2026-02-30' is not a day like", 2),
    ("participant anchor 01-001 infusion 9999-12-31", "not a year of any study", 2),
    ("participant add 01-002 --language en --enrolled 2026-11-24", "lies in the future", 1),
    ("participant email 01-001 nobody", "no e-mail address that can be written to", 1),
    ("participant email 01-001", "give either an ADDRESS or --remove", 2),
]


def test_what_cannot_be_done_is_told(
    trial_loaded: Run, site: Trial, subtests: pytest.Subtests
) -> None:
    site.enrol("01-001")
    for command, told, code in REFUSED:
        with subtests.test(command):
            assert told in trial_loaded(command, code=code).output


def test_pausing_resuming_and_an_e_mail_address(trial_loaded: Run, site: Trial) -> None:
    person = site.enrol("01-001")
    assert site.reminders(person, "planned")
    assert "no reminders until" in trial_loaded("participant pause 01-001").output
    assert site.reminders(person, "planned") == []
    assert "reminders paused; push:" in trial_loaded("participant list").output
    assert trial_loaded("participant resume 01-001").output == "01-001: reminders go again\n"
    assert site.reminders(person, "planned")
    told = trial_loaded("participant email 01-001 someone@hospital.my").output
    assert told == "01-001: e-mail reminders are on\n"
    listed = trial_loaded("participant list").output
    assert "e-mail: on" in listed
    assert "someone" not in listed
    trial_loaded("participant email 01-001 --remove")
    assert "e-mail: none" in trial_loaded("participant list").output
    with site.database.reading() as session:
        assert session.scalars(sa.select(Contact)).all() == []


def test_after_a_death_nothing_is_sent_or_expected(trial_loaded: Run, site: Trial) -> None:
    person = site.enrol("01-001")
    subscribe(site, person, site.join(person))
    assert "push: on; e-mail: none; nothing accepted" in trial_loaded("participant list").output
    assert trial_loaded("participant died 01-001").output == "01-001 has died\n"
    listed = trial_loaded("participant list").output.splitlines()
    assert "        died" in listed
    assert "        baseline lupusqol: not expected (died)" in listed
    assert not any("push:" in line or "waiting" in line for line in listed)
    assert site.reminders(person, "planned") == []
    for command in ("anchor 01-001 infusion 2026-11-20", "pause 01-001", "resume 01-001",
                    "email 01-001 someone@hospital.my"):  # fmt: skip
        told = trial_loaded(f"participant {command}", code=1).output
        assert told == "Error: 01-001 has died\n"


def test_what_changed_between_showing_and_applying_is_not_applied(
    trial_loaded: Run, site: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = site.enrol("01-001")

    def meanwhile(*_: object, **__: object) -> bool:
        site.infuse(person, local(2026, 11, 1, 9).date())
        return True

    monkeypatch.setattr("click.confirm", meanwhile)
    told = trial_loaded("participant anchor 01-001 infusion 2026-11-20", code=1).output
    assert "it has changed meanwhile; nothing was applied" in told
    with site.database.reading() as session:
        infusion = sa.select(AnchorDate.day).where(AnchorDate.anchor == "infusion")
        assert str(session.scalar(infusion)) == "2026-11-01"


def test_a_date_in_the_future_is_pointed_at(trial_loaded: Run, site: Trial) -> None:
    site.enrol("01-001")
    day = (site.clock() + timedelta(days=2)).date()
    assert (
        "note: the date lies in the future"
        in trial_loaded(f"participant anchor 01-001 infusion {day} --yes").output
    )


# --- the recovery card --------------------------------------------------------------------------


@pytest.fixture
def drawer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that commands are typed in."""
    folder = tmp_path / "drawer"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def code_on(page: str) -> str:
    """The code that stands on a card."""
    found = re.search(r'<p class="code">([A-Z0-9 ]+)</p>', page)
    assert found is not None
    return found[1].replace(" ", "")


@pytest.mark.parametrize("language", ["ms", "en", "zh_Hans", "ta"])
def test_a_recovery_card_is_a_page_to_print_that_tells_nothing(
    trial_loaded: Run, site: Trial, drawer: Path, language: str
) -> None:
    site.enrol("01-007", language=language)
    told = trial_loaded("participant card 01-007").output
    assert told.startswith("card-07.html: print it on A6")
    file = drawer / "card-07.html"
    assert file.stat().st_mode & 0o777 == 0o600
    page = file.read_text(encoding="utf-8")
    code = code_on(page)
    assert len(code) == 12
    assert f'<html lang="{language.replace("_", "-")}">' in page
    assert "https://pro.example.org/join/" in page
    assert "<svg" in page
    for telling in ("01-007", "upus", "SF-36", "LupusQoL", "CAR", "Trial", "<script", "src="):
        assert telling not in page, telling
    assert code not in told


def test_the_picture_on_the_card_leads_to_joining_with_its_code(
    trial_loaded: Run, site: Trial, drawer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    make = segno.make
    monkeypatch.setattr("segno.make", lambda text, **how: drawn.append(text) or make(text, **how))
    site.enrol("01-007", language="ta")
    trial_loaded("participant card 01-007 --output mine.html")
    code = code_on((drawer / "mine.html").read_text(encoding="utf-8"))
    assert drawn == [f"https://pro.example.org/join/?language=ta#{code}"]


def test_card_and_joining_code_do_not_kill_each_other(
    trial_loaded: Run, site: Trial, drawer: Path, clock: TestClock
) -> None:
    person = site.enrol("01-007")

    def opens(code: str) -> bool:
        with site.database.reading() as session:
            hashed = secrets.code_hash(code, KEY)
            return enrolment.find_code(session, hashed, clock()) is not None

    trial_loaded("participant card 01-007 --output first.html")
    first = code_on((drawer / "first.html").read_text(encoding="utf-8"))
    assert opens(first)
    assert opens(person.code), "the joining code of before"
    trial_loaded("participant code 01-007 --phone-lost")
    assert opens(first), "the card lies at home, not in the lost phone"
    trial_loaded("participant card 01-007 --output second.html")
    second = code_on((drawer / "second.html").read_text(encoding="utf-8"))
    assert (opens(first), opens(second)) == (False, True)
    clock.forward(days=395)
    assert opens(second)
    clock.forward(days=1)
    assert not opens(second)


def test_a_card_is_not_written_over_another_nor_made_in_vain(
    trial_loaded: Run, site: Trial, drawer: Path
) -> None:
    site.enrol("01-007")
    (drawer / "card-07.html").write_text("of 02-007", encoding="utf-8")
    told = trial_loaded("participant card 01-007", code=1).output
    assert told == "Error: card-07.html exists; name another file with --output\n"
    told = trial_loaded("participant card 01-007 --output no/card.html", code=1).output
    assert told == "Error: no/card.html: cannot be written: No such file or directory\n"
    assert (drawer / "card-07.html").read_text(encoding="utf-8") == "of 02-007"
    with site.database.reading() as session:
        assert session.scalars(sa.select(JoiningCode.kind)).all() == ["joining"]


def test_the_site_sees_which_phones_joined_without_it(
    trial_loaded: Run, site: Trial, clock: TestClock
) -> None:
    person = site.enrol("01-007")
    with site.database.writing() as session:
        kinds = ("code", False), ("recovery", False), ("passkey", False), ("code", True)
        for n, (way, shared) in enumerate(kinds):
            row = Device(participant_id=person.id, token_hash=str(n), joined_by=way, shared=shared)
            row.created_at = row.used_at = site.clock()
            session.add(row)
    told = trial_loaded("participant list").output
    at = local_text(site)
    assert f"        phone joined with the recovery card on {at}\n" in told
    assert f"        phone joined by fingerprint, face or screen lock on {at}\n" in told
    assert f"        phone joined with a code on {at}, not their own\n" in told
    assert told.count("phone joined") == 3
    clock.forward(days=1)
    told = trial_loaded("participant list").output
    assert "not their own" not in told
    assert told.count("phone joined") == 2


def local_text(site: Trial) -> str:
    """The site's moment as the list writes it."""
    return site.clock().astimezone(site.study.definition.zone).strftime("%Y-%m-%d %H:%M")


def test_a_consent_is_told_by_version_and_day(trial_loaded: Run, site: Trial) -> None:
    given = "participant add 01-001 --language en"
    told = trial_loaded(f"{given} --consent 1.2", code=2).output
    assert "give --consent and --consent-on together" in told
    trial_loaded(f"{given} --consent 1.2 --consent-on 2026-11-20")
    told = trial_loaded("participant consent 01-001 1.3 2026-11-24", code=1).output
    assert "the day of the consent lies in the future" in told
    assert (
        "consent 1.3 of 2026-11-23"
        in trial_loaded("participant consent 01-001 1.3 2026-11-23").output
    )
    with site.database.reading() as session:
        found = session.scalars(sa.select(Participant)).one()
    assert (found.consent_version, str(found.consent_on)) == ("1.3", "2026-11-23")


def test_a_pause_may_have_a_reason_and_an_end(trial_loaded: Run) -> None:
    trial_loaded("participant add 01-001 --language en")
    for wrong, reason in (
        ("--reason tired", "must be one of hospital"),
        ("--until 2026-11-23", "must come after today"),
    ):
        assert reason in trial_loaded(f"participant pause 01-001 {wrong}", code=1).output
    told = trial_loaded("participant pause 01-001 --reason travel --until 2026-12-01").output
    assert "no reminders until 2026-12-01 or" in told
    assert "reminders paused until 2026-12-01" in trial_loaded("participant list").output


def test_a_withdrawal_from_questionnaires_alone(trial_loaded: Run, site: Trial) -> None:
    trial_loaded("participant add 01-001 --language en")
    told = trial_loaded(
        "participant withdraw 01-001 --from questionnaires --on 2026-11-23 --reason", "tired"
    ).output
    assert "01-001 has withdrawn from questionnaires" in told
    trial_loaded("participant anchor 01-001 infusion 2026-11-22 --yes")
    trial_loaded("participant pause 01-001", code=1)
    told = trial_loaded("participant withdraw 01-001 --reason", "900101-14-5678", code=1).output
    assert "national identity" in told
    with site.database.reading() as session:
        found = session.scalars(sa.select(Participant)).one()
    assert (found.withdrew_from, found.withdrawal_reason) == ("questionnaires", "tired")
    assert (
        "lies in the future"
        in trial_loaded(
            "participant add 01-002 --language en --consent 1 --consent-on 2026-11-24", code=1
        ).output
    )


def test_many_are_enrolled_by_a_file(trial_loaded: Run, site: Trial, tmp_path: Path) -> None:
    header = "number;site;language;consent_version;consent_on"
    file = tmp_path / "people.csv"
    file.write_text(f"{header}\r\n01-001;01;ms;1;2026-11-20\r\n01-002;1;ms;1;2026-11-20\r\n")
    for option in ("", " --dry-run"):
        told = trial_loaded(f"participant enrol-many {file}{option}", code=1).output
        assert "line 3, site '1': the study has no such site; it has 01, 02\n" in told
        assert "1 fault; nobody was enrolled" in told
    file.write_text(file.read_text().replace(";1;ms", ";01;ms"))
    told = trial_loaded(f"participant enrol-many {file} --dry-run").output
    assert told == "2 people could be enrolled; nobody was\n"
    assert "01-001" not in trial_loaded("participant list").output
    assert "2 people are enrolled" in trial_loaded(f"participant enrol-many {file}").output
    assert "01-002" in trial_loaded("participant list").output
    assert site.faults() == []

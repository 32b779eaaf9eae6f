"""The site's list: every participant, and what needs the site's attention, with its reason."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from pro_app.core.assessment import Contact
from pro_app.core.library import Library
from pro_app.models import Assessment
from pro_app.services import answers, assessments, batches, enrolment, participants, studies
from pro_app.services.answers import Operation, Origin
from pro_app.services.batches import SUBMITTED, Held
from tests.conftest import KEY, Enrolled, Site


def remarks(site: Site, person: Enrolled, library: Library | None = None) -> tuple[str, ...]:
    with site.database.reading() as session:
        study = studies.current(session, library or site.library, site.study.id)
        lines = list(participants.lines(session, study, site.clock()))
    return next(line.remarks for line in lines if line.number == person.number)


def test_the_list_is_by_number_and_finds_by_number(site: Site) -> None:
    for number in ("01-002", "02-001", "01-001"):
        site.enrol(number, "ta")
    with site.database.reading() as session:
        lines = list(participants.lines(session, site.study, site.clock()))
        assert participants.find(session, site.study.id, "01-003") is None
        assert participants.find(session, site.study.id + 1, "01-001") is None
        found = participants.find(session, site.study.id, "02-001")
        assert found is not None
    assert [(one.number, one.language) for one in lines] == [
        ("01-001", "ta"),
        ("01-002", "ta"),
        ("02-001", "ta"),
    ]


def test_how_far_joining_has_come(site: Site) -> None:
    person = site.enrol()
    assert remarks(site, person) == ("code not used",)
    site.clock.forward(hours=72)
    assert remarks(site, person) == ("code expired unused",)
    with site.database.writing() as session:
        enrolment.request_code(session, site.study.id, person.number, site.clock())
    assert remarks(site, person) == ("asks for a new code", "code expired unused")
    new = Enrolled(person.id, person.number, person.language, site.new_code(person))
    assert remarks(site, person) == ("code not used",)
    site.join(new)
    assert remarks(site, person) == ()
    with site.database.writing() as session:
        enrolment.withdraw(session, person.id, site.clock())
    assert remarks(site, person) == ("withdrawn",)
    with site.database.writing() as session:
        enrolment.readmit(session, person.id, site.clock())
    assert remarks(site, person) == ("not joined, no code",)


def test_how_far_each_questionnaire_has_come_and_why(site: Site) -> None:
    person = site.enrol()
    site.join(person)
    lupusqol, sf36 = site.open(person)
    site.open(person, "month_3", opens=timedelta(days=90), closes=timedelta(days=97))
    site.answer(lupusqol, {"LQ01": 1})
    site.answer_all(sf36)
    site.submit(sf36)
    assert remarks(site, person) == (
        "baseline lupusqol: in progress",
        "baseline sf36v1: completed",
        "month_3 sf36v2: not due",
    )
    site.clock.forward(days=120)
    assert remarks(site, person) == (
        "baseline lupusqol: missed (partial)",
        "baseline sf36v1: completed",
        "month_3 sf36v2: missed (not_started)",
    )


def test_a_questionnaire_that_cannot_be_shown_says_why(site: Site) -> None:
    person = site.enrol(language="ta")
    site.join(person)
    site.open(person)
    lacking = Library(
        site.library.instruments,
        {key: one for key, one in site.library.wordings.items() if key != ("sf36v1", "ta")},
    )
    assert remarks(site, person, lacking) == (
        "baseline lupusqol: open",
        "baseline sf36v1: not expected (no_wording)",
    )


def test_clocks_that_erred_are_named_for_review(site: Site) -> None:
    person = site.enrol()
    device_id = site.join(person)
    lupusqol, _ = site.open(person)
    now = site.clock.now = lupusqol.opens_at + timedelta(hours=9)
    wording = site.library.wording("lupusqol", "en")

    def send(sent_at: datetime, *taps: Operation) -> None:
        with site.database.writing() as session:
            known = assessments.hold_own(session, lupusqol.public_id, person.id)
            assert known is not None
            answers.save(
                session, known, site.library.instruments["lupusqol"], taps,
                Origin(device_id, wording, sent_at), site.study.definition.grace, now,
            )  # fmt: skip

    def tap(item: str, at: datetime, contact: Contact | None = None) -> Operation:
        return Operation(str(uuid.uuid4()), item, "answered", 1, device_time=at, contact=contact)

    hour = timedelta(hours=1)
    send(now, tap("LQ01", now))
    assert remarks(site, person)[:1] == ("baseline lupusqol: in progress",), "all is well"
    ahead = now + 3 * hour
    send(ahead, tap("LQ02", ahead), tap("LQ03", ahead))
    send(now, tap("LQ04", now - 400 * hour))
    told = Contact(now - 4 * hour, now - 4 * hour)
    send(now - 2 * hour, tap("LQ05", now - hour, told))
    assert remarks(site, person)[:3] == (
        "clock of a phone said a time before the opening (1 tap)",
        "clock of a phone was changed while answers waited (1 tap)",
        "clock of a phone was wrong by 3 h (2 taps)",
    )


def test_a_card_is_told_beside_the_code(site: Site) -> None:
    person = site.enrol()
    with site.database.writing() as session:
        enrolment.issue_code(session, person.id, KEY, site.clock(), kind="recovery")
    assert remarks(site, person) == ("code not used", "has a recovery card")
    site.clock.forward(hours=72)
    assert remarks(site, person) == ("code expired unused", "has a recovery card")
    new = Enrolled(person.id, person.number, person.language, site.new_code(person))
    site.join(new)
    assert remarks(site, person) == ()


def press(site: Site, sheet: Assessment, device_id: int, at: datetime) -> None:
    """Submit was pressed at this moment on a phone, and arrives now."""
    with site.database.writing() as session:
        found = assessments.hold_by_phone(session, sheet.public_id, sheet.participant_id, device_id)
        assert found is not None
        held = Held(site.study, found[0], site.library.instruments[sheet.instrument], found[1])
        wording = site.library.wording(sheet.instrument, "en")
        origin = Origin(device_id, wording, site.clock())
        pressed = Operation(str(uuid.uuid4()), "", SUBMITTED, device_time=at)
        batches.take(session, held, [pressed], origin, site.clock(), 0)


def test_a_press_that_sealed_nothing_is_told(site: Site) -> None:
    person = site.enrol()
    device_id = site.join(person)
    lupusqol, sf36 = site.open(person)
    site.answer(lupusqol, {"LQ01": 1})
    press(site, lupusqol, device_id, site.clock())
    missing = "Submit was pressed, items were missing"
    assert remarks(site, person)[0] == f"baseline lupusqol: in progress ({missing})"
    site.answer_all(lupusqol)
    press(site, lupusqol, device_id, site.clock())
    assert remarks(site, person)[0] == "baseline lupusqol: completed"
    site.answer_all(sf36)
    site.clock.now = sf36.closes_at + timedelta(days=1)
    press(site, sf36, device_id, site.clock())
    over = "Submit was pressed after the time was over"
    assert remarks(site, person)[1].endswith(f"; {over})")


def test_of_several_presses_the_last_one_is_told(site: Site) -> None:
    person = site.enrol()
    device_id = site.join(person)
    lupusqol, _ = site.open(person)
    site.answer(lupusqol, {"LQ01": 1})
    press(site, lupusqol, device_id, site.clock())
    site.clock.now = lupusqol.closes_at + timedelta(days=1)
    press(site, lupusqol, device_id, site.clock())
    (told, *_) = remarks(site, person)
    assert told.endswith("; Submit was pressed after the time was over)")
    assert "items were missing" not in told


def test_a_borrowed_phone_that_nobody_uses_counts_no_more(site: Site) -> None:
    person = site.enrol()
    site.join(person, shared=True)
    assert remarks(site, person) == ()
    site.clock.forward(days=1)
    assert remarks(site, person) == ("not joined, no code",)

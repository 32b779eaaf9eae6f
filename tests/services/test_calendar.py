"""The calendar feed: what any calendar program makes of it, and what it does not tell."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from icalendar import Calendar, Event

from pro_app.core.library import Library
from pro_app.core.reminders import HOUR
from pro_app.core.study import LANGUAGES
from pro_app.models import Database, Participant
from pro_app.services import calendar, reminders
from tests.conftest import Enrolled, TestClock
from tests.services.trial import PUBLIC_URL, Trial, load_trial, local, office


def feed(trial: Trial, person: Enrolled) -> bytes:
    with trial.database.reading() as session:
        found = session.get_one(Participant, person.id)
        definition = trial.study.definition
        return calendar.feed(session, office(trial), definition, found, trial.clock())


def entries(trial: Trial, person: Enrolled) -> list[Event]:
    """The entries as a calendar program reads them."""
    return list(Calendar.from_ical(feed(trial, person)).events)


def starts(trial: Trial, person: Enrolled) -> list[datetime]:
    return [one.start for one in entries(trial, person)]


def address(trial: Trial, person: Enrolled, anew: bool = False) -> str:
    with trial.database.writing() as session:
        return calendar.address(session, person.id, trial.clock(), anew)


def owner(trial: Trial, name: str) -> int | None:
    """Whose feed this is."""
    with trial.database.reading() as session:
        found = calendar.find(session, name)
        return None if found is None else found.id


def choose_hour(trial: Trial, person: Enrolled, hour: int) -> None:
    with trial.database.writing() as session:
        reminders.choose_hour(session, trial.study, person.id, hour * HOUR, "site", trial.clock())


def test_the_feed_is_what_the_standard_asks_for(trial: Trial) -> None:
    person = trial.enrol(language="ta")
    trial.infuse(person, date(2026, 12, 1))
    raw = feed(trial, person)
    lines = raw.split(b"\r\n")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, lines)) <= 75
    assert any(line.startswith(b" ") for line in lines)  # folded: Tamil takes many bytes
    assert (lines[0], lines[-2:]) == (b"BEGIN:VCALENDAR", [b"END:VCALENDAR", b""])
    assert lines.count(b"VERSION:2.0") == 1
    assert b"DTSTART:20261123T010000Z" in lines
    assert b"DTEND:20261123T013000Z" in lines
    read = Calendar.from_ical(raw)
    assert read["PRODID"]
    assert [error for event in read.events for error in event.errors] == []
    assert len({event["UID"] for event in read.events}) == len(read.events) == 7
    assert {event["DTSTAMP"].dt for event in read.events} == {trial.clock()}
    (alarm,) = read.events[0].walk("VALARM")
    assert alarm["TRIGGER"].dt == timedelta()
    again = Calendar.from_ical(feed(trial, person))  # a program knows its entries again
    assert [one["UID"] for one in again.events] == [one["UID"] for one in read.events]


def test_the_feed_tells_nothing(trial: Trial) -> None:
    for n, language in enumerate(LANGUAGES):
        person = trial.enrol(f"01-00{n}", language)
        trial.infuse(person, date(2026, 12, 1))
        lines = feed(trial, person).replace(b"\r\n ", b"").decode().lower().splitlines()
        text = "\n".join(line.partition(":")[2] for line in lines)
        title = office(trial).notices.calendar(language)
        assert {str(one["SUMMARY"]) for one in entries(trial, person)} == {title}
        assert {str(one["DESCRIPTION"]) for one in entries(trial, person)} == {f"{PUBLIC_URL}/"}
        definition, instruments = trial.study.definition, trial.library.instruments
        told = [definition.code, definition.names[language], person.number, definition.telephone]
        told += [*instruments, *(one.name for one in instruments.values())]
        told += [one.labels[language] for one in definition.timepoints]
        told += [one.public_id for one in trial.assessments(person).values()]
        told += ["lupus", "sf-36", "infus", "car-t"]
        for word in told:
            assert word.lower() not in text


def test_a_window_is_one_entry_until_it_is_done(trial: Trial) -> None:
    person = trial.enrol()
    trial.infuse(person, date(2026, 12, 1))
    days = [(2026, 11, 23), (2026, 12, 26), (2027, 2, 22), (2027, 5, 18)]
    days += [(year, 11, 1) for year in (2027, 2028, 2029)]
    whole = [local(*day, 9) for day in days]
    assert starts(trial, person) == whole
    trial.complete(person, "baseline", "lupusqol")
    assert starts(trial, person) == whole
    trial.complete(person, "baseline", "sf36v1")
    assert starts(trial, person) == whole[1:]
    trial.infuse(person, date(2026, 12, 2))
    assert starts(trial, person)[0] == local(2026, 12, 27, 9)
    trial.infuse(person, None)
    assert starts(trial, person) == []


def test_an_entry_is_at_the_persons_own_hour(trial: Trial) -> None:
    person = trial.enrol()
    choose_hour(trial, person, 19)
    assert starts(trial, person) == [local(2026, 11, 23, 19)]
    now = trial.clock()
    # opened by hand at nine: the first for two hours, the second until the day after tomorrow
    trial.open(person, "unscheduled", timedelta(), timedelta(hours=2))
    assert starts(trial, person)[1:] == [now]
    trial.open(person, "unscheduled", timedelta(hours=11), timedelta(days=2), occurrence=2)
    assert starts(trial, person)[2:] == [local(2026, 11, 24, 19)]  # it opens when the night begins
    for one in entries(trial, person):
        assert one.end - one.start == timedelta(minutes=30)
    trial.clock.forward(days=60)
    assert starts(trial, person) == []  # long over


def test_the_hour_is_kept_when_clocks_change(
    database: Database, library: Library, clock: TestClock
) -> None:
    trial = load_trial(
        database, library, clock, lambda content: content.update(zone="Europe/Berlin")
    )
    person = trial.enrol()
    trial.infuse(person, date(2026, 12, 1))
    assert {one.strftime("%m %H") for one in starts(trial, person)} == {
        "11 08", "12 08", "02 08", "05 07",
    }  # fmt: skip
    assert {one.utcoffset() for one in starts(trial, person)} == {timedelta()}


def test_an_address_opens_one_feed_until_there_is_a_new_one(trial: Trial) -> None:
    person, other = trial.enrol("01-001"), trial.enrol("01-002")
    first = address(trial, person)
    assert address(trial, person) == first
    assert len(first) == 22
    assert owner(trial, first) == person.id
    assert owner(trial, address(trial, other)) == other.id
    second = address(trial, person, anew=True)
    assert (owner(trial, first), owner(trial, second)) == (None, person.id)
    assert owner(trial, "") is None
    made = trial.entries(person, "make_calendar")
    assert len(made) == 2
    assert first not in str([vars(one) for one in trial.entries(person)])
    trial.withdraw(person)
    trial.record_death(other)
    assert owner(trial, second) is None
    assert owner(trial, address(trial, other)) is None
    trial.readmit(person)
    assert owner(trial, second) == person.id
    assert trial.faults() == []

"""What the room "Study" says of a protocol: timepoints, reminders, and what is not ready yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

from pro_app.core.reminders import Step
from pro_app.core.schedule import ENROLMENT, Offset, Timepoint
from pro_app.core.study import StudyDefinition
from pro_app.services.readiness import Missing
from pro_app.web import layout, locale, staff_words
from pro_app.web.staff_words import Words

STATUS: Words = {
    "demonstration": _l("demonstration"),
    "test": _l("for testing"),
    "live": _l("live"),
}
KIND: Words = {
    "licensed": _l("licensed"),
    "demonstration": _l("demonstration wording"),
    "": _l("there is no wording"),
}
MODE: Words = {  # of reading
    "phone": _l("on one's own phone"),
    "tablet": _l("on the site's tablet"),
    "paper": _l("on paper"),
    "interview": _l("read out by the staff"),
    "aloud": _l("read aloud by the phone"),
}
HOUR = 60  # minutes


def anchor(study: StudyDefinition, code: str) -> str:
    """An anchor's name."""
    if code == ENROLMENT:
        return str(_("Day of enrolment"))
    return staff_words.anchor(study, code, layout.language())


def row_label(timepoint: Timepoint, times: int) -> str:
    """A timepoint's label; of one that comes again, the first and the last one's."""
    language = layout.language()
    first = timepoint.label(language) or timepoint.code
    if times < 2:
        return first
    last = timepoint.label(language, times) or timepoint.code
    if last == first:
        return str(ngettext("%(name)s, %(num)d time", "%(name)s, %(num)d times", times, name=first))
    return str(_("%(first)s to %(last)s", first=first, last=last))


def clock(minute: int) -> str:
    """A time of the day, in minutes after midnight; the end of a day is 24:00."""
    return f"{minute // HOUR:02}:{minute % HOUR:02}"


def span(length: timedelta) -> str:
    """How long what was begun in time may be finished: hours, or minutes if they are not full."""
    minutes = int(length.total_seconds() // 60)
    if minutes % HOUR:
        return str(ngettext("%(num)d minute", "%(num)d minutes", minutes))
    return str(ngettext("%(num)d hour", "%(num)d hours", minutes // HOUR))


def due(timepoint: Timepoint) -> str:
    """When a timepoint is due, counted from its anchor."""
    count, unit = timepoint.offset.count, timepoint.offset.unit
    if unit == "days" and count > 0:
        count -= timepoint.first_day
    if count == 0:
        return str(_("on the day itself"))
    if unit == "days":
        text = (
            ngettext("%(num)d day after", "%(num)d days after", count)
            if count > 0
            else ngettext("%(num)d day before", "%(num)d days before", -count)
        )
    else:
        text = (
            ngettext("%(num)d month after", "%(num)d months after", count)
            if count > 0
            else ngettext("%(num)d month before", "%(num)d months before", -count)
        )
    return str(text)


def opens(timepoint: Timepoint) -> str:
    """When a timepoint opens, counted from the day it is due."""
    time = clock(timepoint.opens)
    if timepoint.before == 0:
        return str(_("on the due day at %(time)s", time=time))
    return str(
        ngettext(
            "%(num)d day before at %(time)s",
            "%(num)d days before at %(time)s",
            timepoint.before,
            time=time,
        )
    )


def closes(timepoint: Timepoint) -> str:
    """When it closes, likewise."""
    time = clock(timepoint.closes)
    if timepoint.after == 0:
        return str(_("on the due day at %(time)s", time=time))
    return str(
        ngettext(
            "%(num)d day after at %(time)s",
            "%(num)d days after at %(time)s",
            timepoint.after,
            time=time,
        )
    )


def repeats(timepoint: Timepoint) -> str:
    """How often it comes again; nothing if it does not."""
    repeat = timepoint.repeat
    if repeat is None:
        return ""
    every = repeat.every
    if repeat.until is not None:
        return _until(every, locale.short_day(repeat.until, layout.language()))
    return _times(every, repeat.times or 1)


def _until(every: Offset, day: str) -> str:
    if every.unit == "days":
        text = ngettext(
            "every day until %(day)s", "every %(num)d days until %(day)s", every.count, day=day
        )
    else:
        text = ngettext(
            "every month until %(day)s", "every %(num)d months until %(day)s", every.count, day=day
        )
    return str(text)


def _times(every: Offset, times: int) -> str:
    if every.unit == "days":
        text = ngettext(
            "every day, %(times)d times in all",
            "every %(num)d days, %(times)d times in all",
            every.count,
            times=times,
        )
    else:
        text = ngettext(
            "every month, %(times)d times in all",
            "every %(num)d months, %(times)d times in all",
            every.count,
            times=times,
        )
    return str(text)


def step(one: Step) -> str:
    """When a reminder goes."""
    if one.after_days is not None:
        if one.after_days == 0:
            return str(_("on the day it opens"))
        text = ngettext("%(num)d day after it opens", "%(num)d days after it opens", one.after_days)
    elif one.before_days is not None:
        if one.before_days == 0:
            return str(_("on the day it closes"))
        text = ngettext(
            "%(num)d day before it closes", "%(num)d days before it closes", one.before_days
        )
    else:
        percent = round(100 * (one.share or 0))
        text = _("when %(percent)d %% of the time is over", percent=percent)
    return str(text)


@dataclass(frozen=True, slots=True)
class Ready:
    """A thing that is missing, in words: what, what to do about it, the languages it concerns,
    what the operator looks for by name, and whether the register is where it is done."""

    what: str
    remedy: str
    languages: tuple[str, ...]
    name: str
    of_staff: bool


def ready(one: Missing, instruments: Mapping[str, str], moment: Callable[..., str]) -> Ready:
    """A line of what is not ready for going live."""
    about = instruments.get(one.about, one.about)
    since = "" if one.since is None else moment(one.since)
    of_staff = _of_the_staff(one)
    says = _of_the_protocol(one, about, since) | of_staff | _of_the_installation(one, since)
    what, remedy, name = says[one.code]
    return Ready(str(what), str(remedy), one.languages, name, one.code in of_staff)


Said = dict[str, tuple[str, str, str]]


def _of_the_protocol(one: Missing, about: str, since: str) -> Said:
    licence = _("Obtain the licence for these languages, and have the licensed text loaded.")
    return {
        "demonstration": (
            _("This study is a demonstration, and its people are made up."),
            _("Load the protocol under a code of its own."),
            "",
        ),
        "wording_missing": (
            _("%(name)s has no licensed wording that is valid at every site.", name=about),
            licence,
            "",
        ),
        "wording_mode": (
            _("The licence of %(name)s does not permit a way in which it is read.", name=about),
            _("See what the licence permits, and have it extended."),
            str(MODE.get(one.mode, one.mode)),
        ),
        "wording_ends": (
            _("The licence of %(name)s ends before the follow-up does.", name=about),
            _("Have the licence renewed, and load it."),
            since,
        ),
        "notice_draft": (
            _("The version of the privacy notice is called a draft: %(version)s.", version=about),
            _("Load the notice that the ethics committee has approved, with its version."),
            "",
        ),
        "notice_unapproved": (
            _("The privacy notice names no approval: %(version)s.", version=about),
            _("Put the reference of the ethics committee's approval into the study file."),
            "",
        ),
        "notice_untranslated": (
            _("The privacy notice is the same in two languages."),
            _("Have it translated, and load it as a new version."),
            "",
        ),
        "telephone": (
            _("The study team's telephone number reaches nobody: %(number)s.", number=about),
            _("Put the real number into the study file."),
            "",
        ),
        "emergency": (
            _("The emergency number has no digit: %(number)s.", number=about),
            _("Put the real number into the study file."),
            "",
        ),
        "zone": (
            _("The study's time zone names no place, so its days may begin at the wrong hour."),
            _("Name a place in the study file."),
            one.about,
        ),
    }


def _of_the_staff(one: Missing) -> Said:
    give = _("Add a person, or give somebody this role.")
    return {
        "no_administrator": (_("Nobody administers this study."), give, ""),
        "no_coordinator": (_("Site %(code)s has no coordinator.", code=one.about), give, ""),
        "no_investigator": (_("Site %(code)s has no investigator.", code=one.about), give, ""),
        "staff_closed": (
            ngettext(
                "%(num)d person has a role, but no password and second factor yet.",
                "%(num)d persons have a role, but no password and second factor yet.",
                one.count,
            ),
            _("Hand the invitation over, renew it, or end the role."),
            "",
        ),
        "staff_untrained": (
            ngettext(
                "%(num)d person has a role, but no day of training.",
                "%(num)d persons have a role, but no day of training.",
                one.count,
            ),
            _("End the role until the training is done."),
            "",
        ),
    }


def _of_the_installation(one: Missing, since: str) -> Said:
    operator = _("Ask the operator to set this, and to start again.")
    return {
        "address": (
            _("The address of this installation reaches no phone."),
            operator,
            "PRO_PUBLIC_URL",
        ),
        "vapid_subject": (
            _("The address that push services may write to cannot be used."),
            operator,
            "PRO_VAPID_SUBJECT",
        ),
        "vapid_key": (
            ngettext(
                "%(num)d phone asked for reminders under another key, and gets none.",
                "%(num)d phones asked for reminders under another key, and get none.",
                one.count,
            ),
            _("Ask the operator to put the earlier key back."),
            "PRO_VAPID_KEY",
        ),
        "mail": (
            _("No e-mail can go where a message to the phone cannot."),
            operator,
            "PRO_MAIL_URL",
        ),
        "backup_none": (
            _("No backup of the data has been made."),
            _("Ask the operator to have one made every day."),
            "PRO_BACKUP_FOLDER",
        ),
        "backup_old": (
            _("The newest backup of the data is of %(moment)s.", moment=since),
            _("Ask the operator to have one made every day."),
            "PRO_BACKUP_FOLDER",
        ),
        "audit_key": (
            _("The key that signs the audit trail lies beside the data."),
            _("Ask the operator to keep it where nobody who reads the database can."),
            "PRO_AUDIT_KEY",
        ),
        "checkpoint_none": (
            _("The audit trail has no signed checkpoint."),
            _("Ask the operator whether the worker runs."),
            "pro-app worker",
        ),
        "checkpoint_old": (
            _("The newest signed checkpoint of the audit trail is of %(moment)s.", moment=since),
            _("Ask the operator whether the worker runs."),
            "pro-app worker",
        ),
        "clock_record": (
            _("An entry on record is dated in the future: %(moment)s.", moment=since),
            _("Ask the operator to put the clock right."),
            "pro-app check",
        ),
        "clock_server": (
            _("The clock of the database shows %(moment)s.", moment=since),
            _("Ask the operator to put the clock right."),
            "pro-app check",
        ),
        "alarms": (
            ngettext("%(num)d alarm is open.", "%(num)d alarms are open.", one.count),
            _("Ask the operator to see to it."),
            "pro-app reminders status",
        ),
    }

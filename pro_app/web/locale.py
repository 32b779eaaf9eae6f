"""Which language a page is in, and how dates are written in it.

The participant's setting decides; before joining, the language chosen on this phone; then the
phone's languages, matched by language and script; then the study's first language.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.core import UnknownLocaleError
from babel.dates import format_date, format_datetime, get_timezone_location
from flask import g, request

from pro_app.core.study import LANGUAGES

NAMES = {"ms": "Bahasa Melayu", "en": "English", "zh_Hans": "简体中文", "ta": "தமிழ்"}
TEXT_SIZES = 3
TRADITIONAL = frozenset({"TW", "HK", "MO"})  # regions that write Chinese in traditional script
COOKIE_AGE = 400 * 24 * 3600  # seconds; browsers keep no cookie longer


def html_language(language: str) -> str:
    """The language as HTML names it: `zh-Hans` for `zh_Hans`."""
    return language.replace("_", "-")


@lru_cache(maxsize=len(LANGUAGES))
def parsed(language: str) -> Locale:
    """A language as Babel has it; making it anew for every page costs more than the page's rows."""
    return Locale.parse(language)


def chosen_language(offered: Sequence[str]) -> str:
    """The language of this request, one of those offered."""
    for known in (getattr(g, "person", None), getattr(g, "guest", None), getattr(g, "staff", None)):
        if known is not None and known.language in offered:
            return str(known.language)
    for wish in (request.args.get("language", ""), request.cookies.get("language", "")):
        if wish in offered:
            return str(wish)
    wanted = [tag for tag, quality in request.accept_languages if quality > 0]
    return match(wanted, offered) or offered[0]


def match(wanted: Iterable[str], offered: Sequence[str]) -> str | None:
    """The first wanted language that is offered, in the same script; None if none is.

    `zh-CN`, `zh-SG` and `zh-MY` are Simplified Chinese; `zh-TW` is not.
    """
    for tag in wanted:
        language = _without_region(tag)
        if language in offered:
            return language
    return None


@lru_cache(maxsize=1_000)
def _without_region(tag: str) -> str | None:
    try:
        locale = Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return None
    if locale.language == "zh":
        script = locale.script or ("Hant" if locale.territory in TRADITIONAL else "Hans")
        return f"zh_{script}"
    if locale.script not in {None, "Latn", "Taml"}:
        return None
    return locale.language


def chosen_text_size() -> int:
    """0, 1 or 2: the participant's setting, or before joining that of this phone."""
    person = getattr(g, "person", None) or getattr(g, "guest", None)
    if person is not None:
        return int(person.text_size)
    cookie = request.cookies.get("text_size", "")
    return int(cookie) if cookie in {"0", "1", "2"} else 0


def moment_text(moment: datetime, zone: ZoneInfo, language: str) -> str:
    """Day, time and whose time it is: `Wednesday, 25 Nov 2026, 23:59 (Kuala Lumpur)`."""
    time = format_datetime(moment, "HH:mm", tzinfo=zone, locale=language)
    day, place = day_text(moment, zone, language), zone_name(zone.key, language)
    return f"{day} {time}（{place}）" if language == "zh_Hans" else f"{day}, {time} ({place})"


def end_text(moment: datetime, zone: ZoneInfo, language: str) -> str:
    """The moment at which something ends: midnight is 24:00 of the day that it ends."""
    clock = moment.astimezone(zone)
    if (clock.hour, clock.minute) != (0, 0):
        return moment_text(moment, zone, language)
    last = moment_text(moment - timedelta(minutes=1), zone, language)
    return last.replace("23:59", "24:00")


def short_text(moment: datetime, zone: ZoneInfo, language: str, *, end: bool = False) -> str:
    """Day and time in few words, for tables whose page says whose time it is: `25 Nov 2026,
    23:59`. As an `end`, midnight is 24:00 of the day that it ends."""
    pattern = "y年M月d日 HH:mm" if language == "zh_Hans" else "d MMM y, HH:mm"
    clock = moment.astimezone(zone)
    if end and (clock.hour, clock.minute) == (0, 0):
        last = format_datetime(
            moment - timedelta(minutes=1), pattern, tzinfo=zone, locale=parsed(language)
        )
        return last.replace("23:59", "24:00")
    return str(format_datetime(moment, pattern, tzinfo=zone, locale=parsed(language)))


def short_day(day: date, language: str) -> str:
    """A day by itself in few words, for tables: `25 Nov 2026`."""
    pattern = "y年M月d日" if language == "zh_Hans" else "d MMM y"
    return str(format_date(day, pattern, locale=parsed(language)))


def day_text(moment: datetime, zone: ZoneInfo, language: str) -> str:
    """The day alone, in the zone."""
    pattern = "y年M月d日EEEE" if language == "zh_Hans" else "EEEE, d MMM y"
    return format_datetime(moment, pattern, tzinfo=zone, locale=language)


@lru_cache(maxsize=1_000)
def zone_name(zone: str, language: str) -> str:
    """A zone's place as people say it: `Kuala Lumpur`."""
    return get_timezone_location(ZoneInfo(zone), locale=language, return_city=True)

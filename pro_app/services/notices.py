"""What messages say: neutral words in the person's language, fit for anybody's eyes.

No disease, drug, study, questionnaire, visit or person is named: the text shows on lock screens,
in mail lists and calendars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from gettext import NullTranslations, translation
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date


@dataclass(frozen=True, slots=True)
class Words:
    """A message's title (or subject) and text."""

    title: str
    text: str


class Notices:
    """The words of messages, from the interface's own catalogues."""

    def __init__(self, catalogues: Path, languages: Sequence[str]) -> None:
        self._catalogues: dict[str, NullTranslations] = {
            language: translation(
                "messages", str(catalogues), [language], fallback=language == "en"
            )
            for language in languages
        }

    def reminder(self, language: str, waiting: int, closes_at: datetime, zone: ZoneInfo) -> Words:
        """A reminder of `waiting` open sets of questions, the first closing at `closes_at`."""
        gettext = self._catalogues[language].gettext
        until = day_text(closes_at, zone, language)
        text = (
            gettext("Please answer by %(day)s. It takes a few minutes.")
            if waiting == 1
            else gettext("%(count)s sets are open, the first until %(day)s.")
        )
        title = gettext("Some questions are waiting for you")
        return Words(title, text % {"day": until, "count": waiting})

    def test(self, language: str) -> Words:
        """The test that a person asks for."""
        gettext = self._catalogues[language].gettext
        return Words(
            gettext("This is a test"), gettext("Reminders reach you here. Tap to come back.")
        )

    def letter(self, language: str, words: Words, address: str) -> str:
        """The text of an e-mail around these words, with the plain address to open."""
        gettext = self._catalogues[language].gettext
        ending = gettext(
            "Please do not reply. To stop these e-mails, remove your address under Reminders."
        )
        return f"{words.text}\n\n{address}\n\n{ending}\n"

    def staff(self, language: str) -> Words:
        """That something waits for a person of staff."""
        gettext = self._catalogues[language].gettext
        return Words(gettext("Something waits for you"), gettext("Please sign in to see it."))

    def staff_letter(self, language: str, words: Words, address: str) -> str:
        """The text of an e-mail to a person of staff around these words."""
        gettext = self._catalogues[language].gettext
        return f"{words.text}\n\n{address}\n\n{gettext('Please do not reply.')}\n"

    def account(self, language: str) -> Words:
        """Something that opens an account of the staff was changed."""
        gettext = self._catalogues[language].gettext
        return Words(
            gettext("Something about your account has changed"),
            gettext(
                "A password, a passkey, an authenticator app or recovery codes were changed. If "
                "this was you, there is nothing to do. If it was not you, tell your administrator "
                "at once, and look at your account:"
            ),
        )

    def account_invited(self, language: str) -> Words:
        """An invitation was made for an account of the staff that is open."""
        gettext = self._catalogues[language].gettext
        return Words(
            gettext("An invitation to open your account anew"),
            gettext(
                "Somebody was given an invitation that opens your account anew. If you asked for "
                "it, there is nothing to do. If you did not, tell your administrators at once, "
                "and look at your account:"
            ),
        )

    def app_name(self, language: str) -> str:
        """What the installed app is called under its icon and above its messages."""
        return self._catalogues[language].gettext("My answers")

    def calendar(self, language: str) -> str:
        """The title of a calendar entry."""
        return self._catalogues[language].gettext("Some questions are waiting for you")

    def fallback(self, language: str) -> Words:
        """What a phone shows when it cannot read what it was sent."""
        gettext = self._catalogues[language].gettext
        return Words(
            gettext("Some questions are waiting for you"), gettext("Tap to see what is open.")
        )


def day_text(moment: datetime, zone: ZoneInfo, language: str) -> str:
    """The last day of something that ends at `moment`: weekday, day and month."""
    return _day_text((moment - timedelta(microseconds=1)).astimezone(zone).date(), language)


@lru_cache(maxsize=1_000)
def _day_text(day: date, language: str) -> str:
    return format_date(day, "M月d日EEEE" if language == "zh_Hans" else "EEEE, d MMMM", language)

"""Whose account has changed hears of it by e-mail, too, where letters are sent."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from pro_app.delivery import Accepted
from pro_app.models import Staff
from pro_app.services import alarms
from pro_app.services.notices import Words
from pro_app.services.post_office import PostOffice


def tell(office: PostOffice, staff_id: int) -> None:
    """Say that something that opens the account was changed, after the change is kept.

    The change stands whatever comes of it; a letter that was not taken is an alarm.
    """
    _send(office, staff_id, office.notices.account)


def tell_invited(office: PostOffice, staff_id: int) -> None:
    """Say that an invitation was made that opens the account anew, before anybody uses it."""
    _send(office, staff_id, office.notices.account_invited)


def _send(office: PostOffice, staff_id: int, words: Callable[[str], Words]) -> None:
    if office.post.mail is None:
        return
    with office.database.reading() as session:
        person = session.get_one(Staff, staff_id)
        name, said = secrets.token_urlsafe(16), words(person.language)
        letter = office.account_letter(name, person.email, person.language, said)
    outcome = office.send([], [letter])[letter.key]
    if not isinstance(outcome, Accepted):
        told = f"a person of the staff was not told of a change: {type(outcome).__name__}"
        with office.database.writing() as session:
            alarms.sound(session, "account_mail", told, office.clock())

"""Whose account has changed hears of it by e-mail, too, where letters are sent."""

from __future__ import annotations

import secrets

from pro_app.delivery import Accepted
from pro_app.models import Staff
from pro_app.services import alarms
from pro_app.services.post_office import PostOffice


def tell(office: PostOffice, staff_id: int) -> None:
    """Send the letter, after the change is kept.

    The change stands whatever comes of it; a letter that was not taken is an alarm.
    """
    if office.post.mail is None:
        return
    with office.database.reading() as session:
        person = session.get_one(Staff, staff_id)
        letter = office.account_letter(secrets.token_urlsafe(16), person.email, person.language)
    outcome = office.send([], [letter])[letter.key]
    if not isinstance(outcome, Accepted):
        told = f"a person of the staff was not told of a change: {type(outcome).__name__}"
        with office.database.writing() as session:
            alarms.sound(session, "account_mail", told, office.clock())

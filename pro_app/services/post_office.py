"""Where messages are written and handed to the ways out of the house."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import urlsplit

from pro_app.core.library import Library
from pro_app.delivery import (
    Hosts,
    Letter,
    Outcome,
    Post,
    Push,
    Subscription,
    notification_payload,
    subscription_fault,
)
from pro_app.models import Database
from pro_app.services.notices import Notices, Words
from pro_app.services.vault import Vault

LEASE = timedelta(seconds=90)  # of a claim: longer than sending a batch can take
LONGEST_LIFE = timedelta(days=3)  # that a push service keeps a message for a phone that is off
TEST_LIFE = timedelta(minutes=10)
TAG = "questions"  # on a phone a newer reminder takes the place of an older one


@dataclass(frozen=True, slots=True)
class Address:
    """Where a push goes: the subscription's row id, and its endpoint and keys, encrypted."""

    subscription_id: int
    host: str
    secret: bytes


@dataclass(frozen=True, slots=True)
class PostOffice:
    """All that sending needs. `public_url` is the participants' address, without a slash at its
    end; `application_key` what browsers subscribe with, `key_id` its short name."""

    database: Database
    library: Library
    post: Post
    vault: Vault
    notices: Notices
    hosts: Hosts
    public_url: str
    application_key: str
    key_id: str
    clock: Callable[[], datetime]

    def subscription_fault(self, subscription: Subscription) -> str | None:
        """Why a subscription cannot be taken; None if it can."""
        return subscription_fault(subscription, self.hosts)

    def pushes(
        self,
        public_id: str,
        participant_id: int,
        addresses: Iterable[Address],
        words: Words,
        language: str,
        life: timedelta,
        badge: int | None = None,
        urgent: bool = False,
    ) -> Iterable[Push]:
        """One push for each of a person's subscriptions; its key is (public id, subscription)."""
        payload = _payload(words, language, self.public_url, badge, len(public_id)).replace(
            b"_" * len(public_id), public_id.encode()
        )
        topic = self.vault.mark("topic", participant_id)
        for address in addresses:
            yield Push(
                key=(public_id, address.subscription_id),
                subscription=subscription_from(self.vault.unlock(address.secret)),
                payload=payload,
                ttl=max(0, int(min(life, LONGEST_LIFE).total_seconds())),
                urgency="high" if urgent else "normal",
                topic=topic,
            )

    def letter(self, public_id: str, email: bytes, words: Words, language: str) -> Letter:
        """An e-mail with the same words; its key is (public id, None)."""
        text = self.notices.letter(language, words, f"{self.public_url}/")
        return self._letter(public_id, self.vault.unlock(email), words.title, text, language)

    def account_letter(self, public_id: str, email: str, language: str, words: Words) -> Letter:
        """An e-mail to a person of the staff about what opens the account."""
        text = f"{words.text}\n\n{self.public_url}/staff/account/\n"
        return self._letter(public_id, email, words.title, text, language)

    def _letter(self, public_id: str, to: str, subject: str, text: str, language: str) -> Letter:
        host = urlsplit(self.public_url).hostname or "localhost"
        return Letter(
            key=(public_id, None),
            to=to,
            subject=subject,
            text=text,
            language=language.replace("_", "-"),
            message_id=f"<{public_id}@{host}>",
        )

    def staff_letter(self, public_id: str, email: str, language: str) -> Letter:
        """An e-mail to a person of staff that says that something waits, and no word of what;
        its key is (public id, None)."""
        host = urlsplit(self.public_url).hostname or "localhost"
        words = self.notices.staff(language)
        return Letter(
            key=(public_id, None),
            to=email,
            subject=words.title,
            text=self.notices.staff_letter(language, words, f"{self.public_url}/staff/"),
            language=language.replace("_", "-"),
            message_id=f"<{public_id}@{host}>",
        )

    def send(
        self, pushes: Iterable[Push], letters: Iterable[Letter]
    ) -> Mapping[tuple[str, int | None], Outcome]:
        """Hand everything over; what each service answered, by key."""
        answers: dict[tuple[str, int | None], Outcome] = dict(self.post.push.send(pushes))
        waiting = list(letters)
        if waiting and self.post.mail is not None:
            answers.update(self.post.mail.send(waiting))
        return answers


@lru_cache(maxsize=1_000)
def _payload(words: Words, language: str, public_url: str, badge: int | None, blank: int) -> bytes:
    """A payload with a blank for the message's public id: thousands differ in nothing else."""
    return notification_payload(
        title=words.title,
        body=words.text,
        language=language.replace("_", "-"),
        navigate=f"{public_url}/r/{'_' * blank}",
        tag=TAG,
        badge=badge,
    )


def subscription_text(subscription: Subscription) -> str:
    """A subscription as one text, to be encrypted."""
    return "\n".join((subscription.endpoint, subscription.p256dh, subscription.auth))


def subscription_from(text: str) -> Subscription:
    """The subscription of `subscription_text`."""
    endpoint, p256dh, auth = text.split("\n")
    return Subscription(endpoint, p256dh, auth)

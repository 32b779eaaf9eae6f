"""Sends letters: by a mail server, or into a folder for the demonstration."""

from __future__ import annotations

import hashlib
import os
import re
import smtplib
import socket
import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, getaddresses
from pathlib import Path
from typing import Any, Literal

from pro_app.delivery.outcomes import Accepted, Gone, Misconfigured, Outcome, Retry

Tls = Literal["none", "starttls", "tls"]

LONGEST_ADDRESS = 254  # characters, RFC 5321
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?=[a-z])[a-z0-9-]*[a-z0-9]")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+>")
# 7bit: a server on the way may not carry eight
_POLICY = SMTP.clone(cte_type="7bit")
_LOGIN_REPLIES = frozenset({530, 534, 535, 538})  # RFC 4954: log in first, or otherwise


@dataclass(frozen=True, slots=True)
class Letter:
    """One plain letter. `key` is the caller's, and comes back with the outcome.

    `language` is a BCP 47 tag. The same `message_id` on a second sending lets mail programs show
    the letter once.
    Raises ValueError for a subject, language or message id that would break the headers.
    """

    key: Any
    to: str
    subject: str
    text: str
    language: str
    message_id: str

    def __post_init__(self) -> None:
        if not self.subject or not self.subject.isprintable():
            raise ValueError("a subject is one line")
        if not _LANGUAGE.fullmatch(self.language):
            raise ValueError(f"not a BCP 47 language tag: {self.language!r}")
        if not _MESSAGE_ID.fullmatch(self.message_id):
            raise ValueError("a message id is <something@domain>")

    def __repr__(self) -> str:
        return f"Letter({self.message_id})"  # whom it goes to is not for logs


def address_fault(text: str) -> str | None:
    """What is wrong with a mail address, None if nothing: checked at save and again at send.

    `long` (over 254 characters); `shape` (not one plain `name@domain`); `domain` (not a name that
    the internet could know). The domain may be written in any script.
    """
    if len(text) > LONGEST_ADDRESS:
        return "long"
    name, at, domain = text.partition("@")
    if not at or len(name) > 64 or not _ATOM.fullmatch(name) or "@" in domain:
        return "shape"
    if not domain.isprintable() or re.search(r"[\s,;:<>()\[\]\"\\]", domain):
        return "shape"
    plain = _plain_domain(domain)
    return None if len(plain) <= 253 and _DOMAIN.fullmatch(plain) else "domain"


class Folder:
    """Writes each letter into a file that any mail program opens: for the demonstration.

    A letter that is sent again replaces its file.
    """

    def __init__(self, path: Path, sender: str = "demonstration@localhost") -> None:
        self._path = path
        self._sender = Address(addr_spec=sender)

    def send(self, letters: Iterable[Letter]) -> Iterator[tuple[Any, Outcome]]:
        """Write all; yield each one's key and outcome."""
        for letter in letters:
            if address_fault(letter.to) is not None:
                yield letter.key, Gone(0)
                continue
            try:
                self._write(letter)
            except OSError:
                yield letter.key, Retry(None, None, "folder")
            else:
                yield letter.key, Accepted(250)

    def _write(self, letter: Letter) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(letter.message_id.encode()).hexdigest()[:24]
        half = self._path / f"{name}.part"
        half.write_bytes(_message(letter, self._sender).as_bytes())
        os.replace(half, self._path / f"{name}.eml")


class Smtp:
    """Hands letters to a mail server, one connection for a batch.

    `sender` is `name@domain` or `Words <name@domain>`; `tls` says whether the connection is
    encrypted from its start (`tls`), after a greeting (`starttls`), or not. `timeout` in seconds;
    `ca_file` holds the certificates to trust in place of the system's.
    Raises ValueError for a wrong sender, and for a password that would cross a network readable.
    """

    def __init__(
        self,
        host: str,
        port: int,
        user: str | None,
        password: str | None,
        sender: str,
        tls: Tls,
        timeout: float = 10,
        *,
        ca_file: Path | None = None,
    ) -> None:
        (words, address), *others = getaddresses([sender]) or [("", "")]
        if not sender.isprintable() or others or address_fault(address) is not None:
            raise ValueError("the sender must be name@domain, or Words <name@domain>")
        if user and tls == "none" and host not in _LOOPBACK:
            raise ValueError("a password needs tls or starttls")
        name, _, domain = address.partition("@")
        self._sender = Address(words, name, _plain_domain(domain))
        self._host = host
        self._port = port
        self._user = user
        self._password = password or ""
        self._tls = tls
        self._timeout = timeout
        self._context = ssl.create_default_context(cafile=ca_file)

    def send(self, letters: Iterable[Letter]) -> Iterator[tuple[Any, Outcome]]:
        """Send all; yield each one's key and outcome.

        A connection that the server closed is made once more for the letter at hand. When none
        can be made, or the server falls silent, the rest of the batch shares that outcome.
        """
        connection: smtplib.SMTP | None = None
        broken: Outcome | None = None
        try:
            for letter in letters:
                if address_fault(letter.to) is not None:
                    yield letter.key, Gone(0)
                    continue
                outcome = broken
                for _ in range(2):  # the second for a connection that turns out to be closed
                    if outcome is not None:
                        break
                    try:
                        connection = connection or self._connect()
                        outcome = self._hand_over(connection, letter)
                        if connection.sock is None:  # a 421 closes it
                            connection = None
                    except smtplib.SMTPServerDisconnected as error:
                        connection = None
                        if isinstance(error.__context__, TimeoutError):
                            outcome = broken = Retry(None, None, "timeout")
                    except (OSError, smtplib.SMTPException) as error:
                        outcome = broken = _connection_outcome(error)
                yield letter.key, outcome or Retry(None, None, "connection")
        finally:
            if connection is not None:
                _leave(connection)

    def _connect(self) -> smtplib.SMTP:
        """A connection that is ready for letters."""
        # to introduce ourselves by the sender's domain needs no look-up of this machine's name
        introduction = self._sender.domain
        if self._tls == "tls":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, introduction, timeout=self._timeout, context=self._context
            )
        else:
            connection = smtplib.SMTP(self._host, self._port, introduction, timeout=self._timeout)
        try:
            if self._tls == "starttls":
                connection.starttls(context=self._context)
            if self._user:
                connection.login(self._user, self._password)
            else:
                connection.ehlo_or_helo_if_needed()
        except BaseException:
            connection.close()
            raise
        return connection

    def _hand_over(self, connection: smtplib.SMTP, letter: Letter) -> Outcome:
        """Send one letter. Raises SMTPServerDisconnected when the connection is lost."""
        name, _, domain = letter.to.partition("@")
        try:
            connection.send_message(
                _message(letter, self._sender),
                self._sender.addr_spec,
                [f"{name}@{_plain_domain(domain)}"],
            )
        except smtplib.SMTPRecipientsRefused as error:
            (code, reply), *_ = error.recipients.values()
            return _recipient_outcome(code, reply)
        except smtplib.SMTPSenderRefused as error:
            return _refusal(error.smtp_code, "sender")
        except smtplib.SMTPDataError as error:
            # some servers know only now that nobody of that name lives there
            if error.smtp_code >= 500 and _enhanced(error.smtp_error).startswith("5.1."):
                return Gone(error.smtp_code)
            return _refusal(error.smtp_code, "letter")
        return Accepted(250)


def _message(letter: Letter, sender: Address) -> EmailMessage:
    name, _, domain = letter.to.partition("@")
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = Address(username=name, domain=_plain_domain(domain))
    message["Subject"] = letter.subject
    message["Date"] = formatdate()
    message["Message-ID"] = letter.message_id
    message["Auto-Submitted"] = "auto-generated"  # so that no holiday notice answers
    message.set_content(letter.text, charset="utf-8")
    message["Content-Language"] = letter.language  # last: `set_content` begins those headers anew
    return message


def _plain_domain(domain: str) -> str:
    """The domain as the internet writes it, or nothing if it cannot be written so."""
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""


def _recipient_outcome(code: int, reply: bytes | str) -> Outcome:
    if code < 500:
        return Retry(code, None, "recipient")
    # a server that will not relay, or wants a password, says so for every address: none is dead
    if code in _LOGIN_REPLIES or _enhanced(reply).startswith("5.7."):
        return _refusal(code, "policy")
    return Gone(code)


def _refusal(code: int, reason: str) -> Outcome:
    if code < 500:
        return Retry(code, None, reason)
    return Misconfigured(code, "authentication" if code in _LOGIN_REPLIES else reason)


def _enhanced(reply: bytes | str) -> str:
    """The enhanced status code that begins a reply (RFC 3463), such as `5.1.1`."""
    text = reply.decode("ascii", "replace") if isinstance(reply, bytes) else reply
    return text.partition(" ")[0]


def _connection_outcome(error: Exception) -> Outcome:
    """Why no connection could be made ready."""
    if isinstance(error, ssl.SSLError):
        return Misconfigured(None, "tls")
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return _refusal(error.smtp_code, "authentication")
    if isinstance(error, smtplib.SMTPResponseException):  # the greeting
        return _refusal(error.smtp_code, "connection")
    if isinstance(error, smtplib.SMTPException):  # no STARTTLS, or no way to log in, offered
        return Misconfigured(None, "not_offered")
    if isinstance(error, TimeoutError):
        return Retry(None, None, "timeout")
    return Retry(None, None, "name" if isinstance(error, socket.gaierror) else "connection")


def _leave(connection: smtplib.SMTP) -> None:
    try:
        connection.quit()
    except (OSError, smtplib.SMTPException):
        connection.close()

"""Letters, handed to a real mail server on this machine, or put into a folder."""

from __future__ import annotations

import asyncio
import email
import socket
import ssl
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from hypothesis import given
from hypothesis import strategies as st

from pro_app.delivery.mail import Folder, Letter, Smtp, address_fault
from pro_app.delivery.outcomes import Accepted, Gone, Misconfigured, Outcome, Retry
from tests.delivery.sinks import free_port
from tests.delivery.test_push import SENTENCES

SENDER = "PRO <reminders@hospital.example>"
USER, PASSWORD = "reminders", "a password of the tests"


def letter(key: Any = 0, to: str = "aminah@mail.example", language: str = "en") -> Letter:
    sentence = SENTENCES[language]
    return Letter(
        key,
        to,
        sentence,
        f"{sentence}\n\nhttps://pro.hospital.example/\n",
        language,
        f"<m{key}@pro.example>",
    )


@dataclass
class House:
    """What the mail server does. By recipient's name: what it replies; `drops` connections."""

    replies: dict[str, str] = field(default_factory=dict)
    sender_reply: str = ""
    data_reply: str = ""
    drops: int = 0
    envelopes: list[Envelope] = field(default_factory=list)
    peers: set[Any] = field(default_factory=set)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.peers.add(session.peer)
        if self.drops:
            self.drops -= 1
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        envelope.mail_from = address
        return self.sender_reply or "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = self.replies.get(address.partition("@")[0])
        if reply is None:
            envelope.rcpt_tos.append(address)
        return reply or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data_reply:
            return self.data_reply
        self.envelopes.append(envelope)
        return "250 OK"

    def letters(self) -> list[EmailMessage]:
        return [read(envelope.original_content or b"") for envelope in self.envelopes]


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def allow(server: SMTP, session: Session, envelope: Envelope, how: str, data: Any) -> AuthResult:
    good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)


@pytest.fixture
def house() -> House:
    return House()


Serve = Callable[..., int]


@pytest.fixture
def serve(house: House) -> Iterator[Serve]:
    """Start the mail server, `serve(require_starttls=True)`: its port."""
    started: list[Controller] = []

    def start(**options: Any) -> int:
        # the name is given, for it would look this machine's up
        controller = Controller(
            house, "127.0.0.1", free_port(), server_hostname="localhost", **options
        )
        controller.start()
        started.append(controller)
        return int(controller.port)

    yield start
    for controller in started:
        controller.stop()


@pytest.fixture
def server_tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    return context


def smtp(port: int, host: str = "127.0.0.1", **changes: Any) -> Smtp:
    given: dict[str, Any] = {"user": None, "password": None, "sender": SENDER, "tls": "none"}
    return Smtp(host, port, **(given | {"timeout": 5} | changes))


def outcomes(way: Smtp | Folder, *letters: Letter) -> list[Outcome]:
    found = list(way.send(letters))
    assert [key for key, _ in found] == [one.key for one in letters]
    return [outcome for _, outcome in found]


@pytest.mark.parametrize(("language", "sentence"), list(SENTENCES.items()))
def test_a_letter_says_what_it_is(house: House, serve: Serve, language: str, sentence: str) -> None:
    assert outcomes(smtp(serve()), letter(language=language)) == [Accepted(250)]
    (message,) = house.letters()
    assert message["From"] == SENDER
    assert message["To"] == "aminah@mail.example"
    assert message["Subject"] == sentence
    assert message["Message-ID"] == "<m0@pro.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == language
    assert message["Date"].datetime is not None
    assert message.get_content_type() == "text/plain"
    assert message.get_content_charset() == "utf-8"
    assert message.get_content().splitlines() == [sentence, "", "https://pro.hospital.example/"]
    (envelope,) = house.envelopes
    assert envelope.mail_from == "reminders@hospital.example"
    assert envelope.rcpt_tos == ["aminah@mail.example"]
    assert (envelope.original_content or b"").isascii()


def test_a_long_subject_survives_folding(house: House, serve: Serve) -> None:
    subject = " ".join([SENTENCES["ta"]] * 6)
    outcomes(smtp(serve()), replace(letter(), subject=subject))
    assert house.letters()[0]["Subject"] == subject
    assert max(map(len, (house.envelopes[0].original_content or b"").splitlines())) <= 78


def test_a_domain_may_be_written_in_its_own_script(house: House, serve: Serve) -> None:
    assert outcomes(smtp(serve()), letter(to="aminah@münchen.example")) == [Accepted(250)]
    assert house.envelopes[0].rcpt_tos == ["aminah@xn--mnchen-3ya.example"]


def test_one_connection_serves_a_batch(house: House, serve: Serve) -> None:
    way = smtp(serve())
    assert outcomes(way, *map(letter, range(20))) == [Accepted(250)] * 20
    assert len(house.peers) == 1
    assert outcomes(way, letter()) == [Accepted(250)]


def test_each_recipient_has_an_outcome_of_its_own(house: House, serve: Serve) -> None:
    house.replies = {
        "moved": "550 5.1.1 nobody of that name",
        "old": "550 no such user",
        "full": "452 4.2.2 mailbox full",
        "later": "451 4.7.1 greylisted, come back later",
        "denied": "554 5.7.1 relay access denied",
        "stranger": "530 log in first",
    }
    names = ["first", *house.replies, "last"]
    found = outcomes(smtp(serve()), *(letter(n, f"{n}@mail.example") for n in names))
    assert dict(zip(names, found, strict=True)) == {
        "first": Accepted(250),
        "moved": Gone(550),
        "old": Gone(550),
        "full": Retry(452, None, "recipient"),
        "later": Retry(451, None, "recipient"),
        "denied": Misconfigured(554, "policy"),
        "stranger": Misconfigured(530, "authentication"),
        "last": Accepted(250),
    }
    assert len(house.peers) == 1


def test_what_is_no_address_is_gone_unsent(house: House, serve: Serve) -> None:
    bad = letter(1, "aminah@mail.example\r\nBcc: evil@evil.example")
    found = outcomes(smtp(serve()), letter(0), bad, letter(2))
    assert found == [Accepted(250), Gone(0), Accepted(250)]
    assert len(house.envelopes) == 2


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("550 5.7.1 you may not send as this", Misconfigured(550, "sender")),
        ("451 4.3.0 not now", Retry(451, None, "sender")),
    ],
)
def test_a_sender_that_is_refused(house: House, serve: Serve, reply: str, outcome: Outcome) -> None:
    house.sender_reply = reply
    assert outcomes(smtp(serve()), letter(0), letter(1)) == [outcome] * 2


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("554 5.6.0 this looks like spam", Misconfigured(554, "letter")),
        ("550 5.1.1 nobody of that name", Gone(550)),
        ("452 4.3.1 no room", Retry(452, None, "letter")),
    ],
)
def test_a_letter_that_is_refused(house: House, serve: Serve, reply: str, outcome: Outcome) -> None:
    house.data_reply = reply
    assert outcomes(smtp(serve()), letter(0), letter(1)) == [outcome] * 2


def test_a_dropped_connection_is_made_once_more(house: House, serve: Serve) -> None:
    house.drops = 1
    assert outcomes(smtp(serve()), letter(0), letter(1)) == [Accepted(250)] * 2
    assert len(house.envelopes) == 2


def test_a_letter_is_not_tried_for_ever(house: House, serve: Serve) -> None:
    house.drops = 2
    found = outcomes(smtp(serve()), letter(0), letter(1))
    assert found == [Retry(None, None, "connection"), Accepted(250)]


def test_a_server_that_closes_is_come_back_to(house: House, serve: Serve) -> None:
    house.replies["busy"] = "421 4.3.2 shutting down"
    found = outcomes(smtp(serve()), letter(0, "busy@mail.example"), letter(1))
    assert found == [Retry(421, None, "recipient"), Accepted(250)]


def test_a_server_may_want_a_password(
    house: House, serve: Serve, server_tls: ssl.SSLContext, certificate: tuple[Path, Path]
) -> None:
    port = serve(tls_context=server_tls, authenticator=allow, auth_required=True)

    def found(user: str | None, password: str | None) -> list[Outcome]:
        way = smtp(
            port, "localhost", user=user, password=password, tls="starttls", ca_file=certificate[0]
        )
        return outcomes(way, letter(0), letter(1))

    assert found(USER, PASSWORD) == [Accepted(250)] * 2
    assert found(USER, "another") == [Misconfigured(535, "authentication")] * 2
    assert found(None, None) == [Misconfigured(530, "authentication")] * 2
    assert len(house.envelopes) == 2


def test_a_password_that_nobody_asks_for_is_a_mistake(serve: Serve) -> None:
    found = outcomes(smtp(serve(), user=USER, password=PASSWORD), letter())
    assert found == [Misconfigured(None, "not_offered")]


def test_a_password_does_not_cross_a_network_readable() -> None:
    with pytest.raises(ValueError, match="password needs tls"):
        smtp(25, "mail.hospital.example", user=USER, password=PASSWORD)


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_connection_is_encrypted_and_the_server_known(
    house: House,
    serve: Serve,
    server_tls: ssl.SSLContext,
    certificate: tuple[Path, Path],
    tls: str,
) -> None:
    port = (
        serve(tls_context=server_tls, require_starttls=True)
        if tls == "starttls"
        else serve(ssl_context=server_tls)
    )
    trusting = {"tls": tls, "ca_file": certificate[0]}
    assert outcomes(smtp(port, "localhost", **trusting), letter()) == [Accepted(250)]
    untrusted = [Misconfigured(None, "tls")] * 2
    assert outcomes(smtp(port, "localhost", tls=tls), letter(0), letter(1)) == untrusted
    assert outcomes(smtp(port, "127.0.0.1", **trusting), letter(0), letter(1)) == untrusted
    assert len(house.envelopes) == 1


def test_encryption_that_is_not_offered_is_not_done_without(house: House, serve: Serve) -> None:
    assert outcomes(smtp(serve(), tls="starttls"), letter()) == [Misconfigured(None, "not_offered")]
    assert house.envelopes == []


def test_a_server_that_is_down_or_silent_is_tried_later() -> None:
    down = smtp(free_port())
    assert outcomes(down, letter(0), letter(1)) == [Retry(None, None, "connection")] * 2
    with socket.create_server(("127.0.0.1", 0)) as silent:
        way = smtp(silent.getsockname()[1], timeout=0.2)
        assert outcomes(way, *map(letter, range(3))) == [Retry(None, None, "timeout")] * 3
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):  # it was asked once, not once for each letter
            silent.accept()


@pytest.mark.parametrize(
    "sender",
    [
        "",
        "PRO",
        "PRO <>",
        "reminders@",
        "a@b.example, c@d.example",
        "PRO\n <a@b.example>",
        "a@localhost",
    ],
)
def test_a_sender_is_one_address(sender: str) -> None:
    with pytest.raises(ValueError, match="sender"):
        smtp(25, sender=sender)


@pytest.mark.parametrize(
    "change",
    [
        {"subject": ""}, {"subject": "a\nBcc: b@mail.example"}, {"subject": "a\r"},
        {"language": "zh_Hans"}, {"language": "en\n"}, {"message_id": "m@pro.example"},
        {"message_id": "<m@pro.example>\n"}, {"message_id": "<m>"},
    ],
)  # fmt: skip
def test_a_letter_that_would_break_its_headers_cannot_be_made(change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"subject|language|message id"):
        replace(letter(), **change)


def test_a_letter_does_not_show_whom_it_goes_to() -> None:
    assert "aminah" not in repr(letter())


def test_a_folder_keeps_letters_that_mail_programs_open(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "letters")
    sent = [letter(n, language=language) for n, language in enumerate(SENTENCES)]
    assert outcomes(folder, *sent, *sent[:1]) == [Accepted(250)] * 5
    files = list((tmp_path / "letters").iterdir())
    assert {path.suffix for path in files} == {".eml"}
    found = {str(message["Content-Language"]): message for message in map(read_file, files)}
    assert {language: one["Subject"] for language, one in found.items()} == SENTENCES
    assert len(files) == 4


def read_file(path: Path) -> EmailMessage:
    return read(path.read_bytes())


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = Folder(tmp_path / "file")
    found = outcomes(folder, letter(0), letter(1, "nobody"))
    assert found == [Retry(None, None, "folder"), Gone(0)]


@pytest.mark.parametrize(
    "address",
    [
        "aminah@mail.example", "a.b+pro@hospital.edu.example", "o'neill@x-y.example",
        "a@xn--p1ai.xn--p1ai", "aminah@münchen.example", "aminah@例子.中国",
        f"a@{'b' * 63}.example",
    ],
)  # fmt: skip
def test_an_address_is_taken(address: str) -> None:
    assert address_fault(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "", "aminah", "@mail.example", "Aminah <aminah@mail.example>", "<aminah@mail.example>",
        "a@mail.example, b@mail.example", "a@mail.example,b@mail.example",
        "a@mail.example;b@mail.example", "a b@mail.example", " a@mail.example", "a@mail.example ",
        "a@mail.example\n", "a@mail.example\r\nBcc: b@mail.example", "a\n@mail.example",
        "a@b@mail.example", "a..b@mail.example", ".a@mail.example", '"a b"@mail.example',
        "é@mail.example", "a@[10.0.0.1]", "a@mail.example\0", "a@ma\u200bil.example",
        f"{'a' * 65}@mail.example",
    ],
)  # fmt: skip
def test_an_address_is_one_plain_name(address: str) -> None:
    assert address_fault(address) == "shape"


@pytest.mark.parametrize(
    "domain",
    [
        "", "localhost", "10.0.0.1", "mail..example", ".example", "mail.example.", "-mail.example",
        "ma_il.example", f"{'b' * 64}.example",
    ],
)  # fmt: skip
def test_an_address_is_at_a_domain(domain: str) -> None:
    assert address_fault(f"a@{domain}") == "domain"


def test_an_address_ends_somewhere() -> None:
    assert address_fault(f"a@{'b.' * 122}example") is None
    assert address_fault(f"a@{'b.' * 123}example") == "long"


@given(st.text(alphabet=string.printable + "é。\u2028\x85\u200b例", max_size=30))
def test_no_address_breaks_a_header(text: str) -> None:
    for address in (text, f"a@{text}", f"{text}@mail.example"):
        if address_fault(address) is None:
            assert not set(address) & set(' \t\r\n\v\f<>[]()\\",;:\u2028\x85\u200b')
            assert address.count("@") == 1

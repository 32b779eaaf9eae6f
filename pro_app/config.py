"""Settings: one frozen value, read from the environment once, complete or refused by name."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
PLACEHOLDER_SUBJECT = "mailto:nobody@example.invalid"  # refused where a study is live
Worker = Literal["full", "push", "none"]
SECRET_LENGTH = 32  # characters; shorter keys can be guessed


class SettingsError(Exception):
    """A setting that is missing or wrong; the message begins with the variable's name."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where e-mails are handed over. `tls` is `tls` (from the first byte), `starttls`, or `none`
    (this machine alone); `sender` what stands in From."""

    host: str
    port: int
    user: str | None
    password: str | None
    tls: Literal["none", "starttls", "tls"]
    sender: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that differs between two installations.

    `public_url` is the address participants type; its scheme and host decide how cookies are
    protected (see `plain_cookies`). `previous_secret_keys` still verify cookies while a key is
    being changed. `trusted_proxies` is how many reverse proxies of ours stand in front.
    `audit_key` signs checkpoints of the audit trail; the database does not have it.
    `vapid_key` signs pushes, and every subscription is tied to it; `vapid_subject` is whom push
    services may write to. `push_hosts` are services beside the browsers' own. Without a `mail`
    server no e-mails go; the demonstration writes them to a folder. `queue_url` is where the
    workers' queue lives. `worker` is how much of the service worker phones get (see `pwa.worker`).
    `exports` is where the staff's exports wait to be downloaded; None: in `instance`. The workers
    write there what the web servers send, so that machines of one installation must share it.
    `backup_folder` is where a worker makes a backup each day, and keeps the newest `backup_keep`;
    None: it makes none.
    """

    database_url: str
    secret_key: str
    vapid_key: str
    audit_key: str
    queue_url: str
    public_url: str = "http://localhost:5000"
    previous_secret_keys: tuple[str, ...] = ()
    trusted_proxies: int = 0
    vapid_subject: str = PLACEHOLDER_SUBJECT
    push_hosts: tuple[str, ...] = ()
    mail: MailServer | None = None
    worker: Worker = "full"
    demo: bool = False
    instance: Path = ROOT / "instance"
    exports: Path | None = None
    backup_folder: Path | None = None
    backup_keep: int = 14

    @property
    def plain_cookies(self) -> bool:
        """Whether cookies go without `__Host-` and Secure: only for plain HTTP on this machine."""
        address = urlsplit(self.public_url)
        return address.scheme == "http" and address.hostname in LOOPBACK

    @property
    def export_folder(self) -> Path:
        """Where the staff's exports wait to be downloaded."""
        return self.exports or self.instance / "exports"

    @property
    def on_loopback(self) -> bool:
        """Whether the installation serves this machine alone."""
        return urlsplit(self.public_url).hostname in LOOPBACK


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read `PRO_*` variables, or for each the file named by `PRO_*_FILE`.

    Raises SettingsError with the variable's name if a value is missing, unreadable or unsafe.
    """
    values = os.environ if environment is None else environment
    instance = Path(values.get("PRO_INSTANCE", str(ROOT / "instance")))
    public_url = _public_url(_value(values, "PRO_PUBLIC_URL") or "http://localhost:5000")
    previous = (_value(values, "PRO_PREVIOUS_SECRET_KEYS") or "").split()
    demo = _yes_or_no(values, "PRO_DEMO")
    if demo and urlsplit(public_url).hostname not in LOOPBACK:
        raise SettingsError("PRO_DEMO: the demonstration is for this machine alone")
    return Settings(
        database_url=_database_url(_value(values, "PRO_DATABASE_URL"), instance),
        secret_key=_secret_key(_value(values, "PRO_SECRET_KEY"), public_url, instance),
        public_url=public_url,
        previous_secret_keys=tuple(_safe("PRO_PREVIOUS_SECRET_KEYS", key) for key in previous),
        trusted_proxies=_whole_number(values, "PRO_TRUSTED_PROXIES", 0),
        vapid_key=_vapid_key(_value(values, "PRO_VAPID_KEY"), instance),
        vapid_subject=_vapid_subject(_value(values, "PRO_VAPID_SUBJECT"), public_url),
        audit_key=_audit_key(_value(values, "PRO_AUDIT_KEY"), instance),
        push_hosts=_push_hosts(_value(values, "PRO_PUSH_HOSTS"), public_url),
        mail=_mail(_value(values, "PRO_MAIL_URL"), _value(values, "PRO_MAIL_FROM")),
        queue_url=_queue_url(_value(values, "PRO_QUEUE_URL"), instance),
        worker=_worker(_value(values, "PRO_WORKER") or "full"),
        demo=demo,
        instance=instance,
        exports=_folder(values, "PRO_EXPORTS"),
        backup_folder=_folder(values, "PRO_BACKUP_FOLDER"),
        backup_keep=_backup_keep(values),
    )


def _folder(values: Mapping[str, str], name: str) -> Path | None:
    text = _value(values, name)
    if text is None:
        return None
    if not Path(text).is_absolute():
        raise SettingsError(f"{name}: not an absolute path: {text!r}")
    return Path(text)


def _backup_keep(values: Mapping[str, str]) -> int:
    keep = _whole_number(values, "PRO_BACKUP_KEEP", 14)
    if keep < 1:
        raise SettingsError("PRO_BACKUP_KEEP: one backup is kept at least")
    return keep


def _worker(text: str) -> Worker:
    if text not in get_args(Worker):
        raise SettingsError(f"PRO_WORKER: not full, push or none: {text!r}")
    return cast(Worker, text)


def _value(values: Mapping[str, str], name: str) -> str | None:
    """The variable's text, or the text of the file that NAME_FILE names; None if neither is set."""
    path = values.get(f"{name}_FILE")
    if path is None:
        return values.get(name) or None
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except OSError as error:
        raise SettingsError(f"{name}_FILE: cannot read the file: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{name}_FILE: the file is not text") from error


def _public_url(text: str) -> str:
    fault = f"PRO_PUBLIC_URL: not the address of a web site: {text!r}"
    try:
        address = urlsplit(text)
        address.port  # noqa: B018 (reading it is what checks it)
    except ValueError as error:
        raise SettingsError(fault) from error
    if address.scheme not in {"http", "https"} or not address.hostname or address.query:
        raise SettingsError(fault)
    if address.scheme == "http" and address.hostname not in LOOPBACK:
        raise SettingsError(
            "PRO_PUBLIC_URL: must begin with https:// anywhere but on this machine itself"
        )
    return text.rstrip("/")


def _database_url(text: str | None, instance: Path) -> str:
    if text is None:
        return f"sqlite:///{_made(instance) / 'pro_app.sqlite3'}"
    return database_address(text, "PRO_DATABASE_URL")


def database_address(text: str, name: str) -> str:
    """The address of a database with the driver that we use; `name` is what it was given as.

    Raises SettingsError, which does not repeat an address: it may hold a password.
    """
    scheme, colon, rest = text.partition("://")
    if not colon or scheme not in {"sqlite", "postgres", "postgresql", "postgresql+psycopg"}:
        raise SettingsError(f"{name}: must begin with sqlite:/// or postgresql://")
    return text if scheme == "sqlite" else f"postgresql+psycopg://{rest}"


def _secret_key(text: str | None, public_url: str, instance: Path) -> str:
    """The key given; on this machine alone, one made at first start and kept beside the data."""
    if text is None and urlsplit(public_url).hostname in LOOPBACK:
        text = _kept(instance / "secret-key", lambda: secrets.token_hex(SECRET_LENGTH))
    if text is None:
        raise SettingsError("PRO_SECRET_KEY: is not set")
    return _safe("PRO_SECRET_KEY", text)


def _vapid_key(text: str | None, instance: Path) -> str:
    """The key given, or the one made at first start and kept beside the data."""
    from pro_app.delivery.vapid import VapidKey

    if text is None:
        text = _kept(instance / "vapid-key", lambda: VapidKey.new().text())
    try:
        return VapidKey.read(text).text()
    except ValueError as error:
        raise SettingsError("PRO_VAPID_KEY: is not a key that this program made") from error


def _audit_key(text: str | None, instance: Path) -> str:
    """Likewise."""
    from pro_app.services.audit_key import AuditKey

    if text is None:
        text = _kept(instance / "audit-key", lambda: AuditKey.new().text())
    try:
        return AuditKey.read(text).text()
    except ValueError as error:
        raise SettingsError("PRO_AUDIT_KEY: is not a key that this program made") from error


def _kept(path: Path, make: Callable[[], str]) -> str:
    """A secret's text from its file, which is made at first and is its owner's alone."""
    _made(path.parent)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(make(), encoding="ascii")
    return path.read_text(encoding="ascii").strip()


def _vapid_subject(text: str | None, public_url: str) -> str:
    """Whom push services may write to; only this machine alone does without."""
    from pro_app.delivery.vapid import subject_fault

    loopback = urlsplit(public_url).hostname in LOOPBACK
    if text is None:
        if not loopback:
            raise SettingsError("PRO_VAPID_SUBJECT: is not set; an address like mailto:you@there")
        return PLACEHOLDER_SUBJECT
    fault = subject_fault(text, loopback)
    if fault is not None:
        raise SettingsError(f"PRO_VAPID_SUBJECT: {fault}")
    return text


def _push_hosts(text: str | None, public_url: str) -> tuple[str, ...]:
    from pro_app.delivery import Hosts

    hosts = tuple((text or "").split())
    try:
        Hosts(hosts, loopback=urlsplit(public_url).hostname in LOOPBACK)
    except ValueError as error:
        raise SettingsError(f"PRO_PUSH_HOSTS: {error}") from error
    return hosts


_TLS: dict[str, tuple[Literal["none", "starttls", "tls"], int]] = {
    "smtps": ("tls", 465),
    "smtp": ("starttls", 587),
    "smtp+plain": ("none", 25),
}


def _mail(text: str | None, sender: str | None) -> MailServer | None:
    """`smtps://user:password@host:465`, `smtp://` with STARTTLS, or on this machine
    `smtp+plain://localhost`."""
    if text is None:
        return None
    address = urlsplit(text)
    if address.scheme not in _TLS or not address.hostname:
        raise SettingsError("PRO_MAIL_URL: must be like smtps://user:password@host:465")
    tls, usual = _TLS[address.scheme]
    if tls == "none" and address.hostname not in LOOPBACK:
        raise SettingsError("PRO_MAIL_URL: only this machine's own server goes without encryption")
    if sender is None:
        raise SettingsError("PRO_MAIL_FROM: is not set")
    try:
        port = address.port or usual
    except ValueError as error:
        raise SettingsError("PRO_MAIL_URL: the port is not one") from error
    user, password = (None if one is None else unquote(one)
                      for one in (address.username, address.password))  # fmt: skip
    return MailServer(address.hostname, port, user, password, tls, sender)


def _queue_url(text: str | None, instance: Path) -> str:
    if text is None:
        return f"sqlite:///{_made(instance) / 'queue.sqlite3'}"
    if text.partition("://")[0] not in {"sqlite", "postgresql", "redis", "rediss"}:
        raise SettingsError("PRO_QUEUE_URL: must begin with sqlite:///, postgresql:// or redis://")
    return text


def _safe(name: str, key: str) -> str:
    if len(key) < SECRET_LENGTH or len(set(key)) < SECRET_LENGTH // 4:
        raise SettingsError(f"{name}: must be at least {SECRET_LENGTH} random characters long")
    return key


def _made(instance: Path) -> Path:
    """The folder of this installation's own files."""
    try:
        instance.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"PRO_INSTANCE: cannot make the folder: {error.strerror}") from error
    return instance


def _whole_number(values: Mapping[str, str], name: str, default: int) -> int:
    text = _value(values, name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise SettingsError(f"{name}: not a whole number: {text!r}")
    return int(text)


def _yes_or_no(values: Mapping[str, str], name: str) -> bool:
    text = _value(values, name)
    if text not in {None, "0", "1"}:
        raise SettingsError(f"{name}: must be 0 or 1, not {text!r}")
    return text == "1"

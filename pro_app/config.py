"""Settings: one frozen value, read from the environment once, complete or refused by name."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SECRET_LENGTH = 32  # characters; shorter keys can be guessed


class SettingsError(Exception):
    """A setting that is missing or wrong; the message begins with the variable's name."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that differs between two installations.

    `public_url` is the address participants type; its scheme and host decide how cookies are
    protected (see `plain_cookies`). `previous_secret_keys` still verify cookies while a key is
    being changed. `trusted_proxies` is how many reverse proxies of ours stand in front.
    """

    database_url: str
    secret_key: str
    public_url: str = "http://localhost:5000"
    previous_secret_keys: tuple[str, ...] = ()
    trusted_proxies: int = 0
    demo: bool = False
    instance: Path = ROOT / "instance"

    @property
    def plain_cookies(self) -> bool:
        """Whether cookies go without `__Host-` and Secure: only for plain HTTP on this machine."""
        address = urlsplit(self.public_url)
        return address.scheme == "http" and address.hostname in LOOPBACK


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
        demo=demo,
        instance=instance,
    )


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
    scheme, colon, rest = text.partition("://")
    if not colon or scheme not in {"sqlite", "postgres", "postgresql", "postgresql+psycopg"}:
        raise SettingsError("PRO_DATABASE_URL: must begin with sqlite:/// or postgresql://")
    return text if scheme == "sqlite" else f"postgresql+psycopg://{rest}"


def _secret_key(text: str | None, public_url: str, instance: Path) -> str:
    """The key given; on this machine alone, one made at first start and kept beside the data."""
    if text is None and urlsplit(public_url).hostname in LOOPBACK:
        kept = _made(instance) / "secret-key"
        if not kept.exists():
            kept.touch(mode=0o600)
            kept.write_text(secrets.token_hex(SECRET_LENGTH), encoding="ascii")
        text = kept.read_text(encoding="ascii").strip()
    if text is None:
        raise SettingsError("PRO_SECRET_KEY: is not set")
    return _safe("PRO_SECRET_KEY", text)


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

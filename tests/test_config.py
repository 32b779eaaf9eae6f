"""Settings: complete or refused by the variable's name; secrets from files; safe by default."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import pytest

from pro_app.config import ROOT, MailServer, Settings, SettingsError, read_settings
from pro_app.delivery.vapid import VapidKey
from pro_app.services.audit_key import AuditKey

GOOD_KEY = "kX3v9Qz7Lm2Rt8Wp4Ys6Bn1Cd5Fg0HjA"
VAPID_KEY = VapidKey.new().text()
AUDIT_KEY = AuditKey.new().text()


def read(tmp_path: Path, **variables: str) -> Settings:
    """The settings of an environment that holds only these, without the prefix."""
    given = {f"PRO_{name}": value for name, value in variables.items()}
    return read_settings({"PRO_INSTANCE": str(tmp_path / "instance"), **given})


def test_nothing_set_is_a_house_on_this_machine(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path / 'instance' / 'pro_app.sqlite3'}"
    assert settings.public_url == "http://localhost:5000"
    assert (settings.trusted_proxies, settings.demo) == (0, False)
    assert settings.previous_secret_keys == ()
    assert settings.plain_cookies


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        read(tmp_path).demo = True  # type: ignore[misc]


def test_exports_wait_in_the_instance_unless_said_otherwise(tmp_path: Path) -> None:
    assert read(tmp_path).export_folder == tmp_path / "instance" / "exports"
    assert read(tmp_path, EXPORTS="/srv/exports").export_folder == Path("/srv/exports")


def test_the_instance_is_in_the_project_unless_said_otherwise() -> None:
    assert read_settings({"PRO_SECRET_KEY": GOOD_KEY}).instance == ROOT / "instance"


def test_everything_can_be_set(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        DATABASE_URL="postgresql://pro@db/pro",
        SECRET_KEY=GOOD_KEY,
        PREVIOUS_SECRET_KEYS=f"{GOOD_KEY[::-1]} {GOOD_KEY.swapcase()}",
        PUBLIC_URL="https://pro.example.org/",
        TRUSTED_PROXIES="2",
        VAPID_KEY=VAPID_KEY,
        AUDIT_KEY=AUDIT_KEY,
        VAPID_SUBJECT="mailto:trials@hospital.my",
        PUSH_HOSTS="push.hospital.my push.other.my:8443",
        MAIL_URL="smtps://us%40er:pass@mail.hospital.my",
        MAIL_FROM="trials@hospital.my",
        QUEUE_URL="redis://queue/1",
        WORKER="push",
        EXPORTS="/srv/exports",
        BACKUP_FOLDER="/srv/backups",
        BACKUP_KEEP="30",
    )
    assert settings == Settings(
        database_url="postgresql+psycopg://pro@db/pro",
        secret_key=GOOD_KEY,
        public_url="https://pro.example.org",
        previous_secret_keys=(GOOD_KEY[::-1], GOOD_KEY.swapcase()),
        trusted_proxies=2,
        vapid_key=VAPID_KEY,
        audit_key=AUDIT_KEY,
        vapid_subject="mailto:trials@hospital.my",
        push_hosts=("push.hospital.my", "push.other.my:8443"),
        mail=MailServer("mail.hospital.my", 465, "us@er", "pass", "tls", "trials@hospital.my"),
        queue_url="redis://queue/1",
        worker="push",
        instance=tmp_path / "instance",
        exports=Path("/srv/exports"),
        backup_folder=Path("/srv/backups"),
        backup_keep=30,
    )
    assert not settings.plain_cookies


@pytest.mark.parametrize(("name", "file"), [("vapid_key", "vapid-key"), ("audit_key", "audit-key")])
def test_a_key_is_made_once_and_kept(tmp_path: Path, name: str, file: str) -> None:
    first = getattr(read(tmp_path), name)
    assert getattr(read(tmp_path), name) == first
    kept = tmp_path / "instance" / file
    assert kept.read_text(encoding="ascii") == first
    assert kept.stat().st_mode & 0o077 == 0
    assert getattr(read(tmp_path / "another"), name) != first


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("VAPID_KEY", "not-a-key"),
        ("AUDIT_KEY", "not-a-key"),
        ("AUDIT_KEY", "x" * 44),
        ("VAPID_SUBJECT", "mailto:admin@localhost"),
        ("VAPID_SUBJECT", "mailto: <admin@hospital.my>"),
        ("VAPID_SUBJECT", ""),
        ("PUSH_HOSTS", "169.254.169.254"),
        ("PUSH_HOSTS", "localhost:8990"),
        ("MAIL_URL", "http://mail.hospital.my"),
        ("MAIL_URL", "smtp+plain://mail.hospital.my"),
        ("MAIL_URL", "smtps://mail.hospital.my:port"),
        ("QUEUE_URL", "amqp://queue"),
        ("EXPORTS", "exports"),
        ("BACKUP_FOLDER", "backups"),
        ("BACKUP_KEEP", "0"),
        ("BACKUP_KEEP", "many"),
    ],
)
def test_what_sends_is_checked_at_start(tmp_path: Path, name: str, text: str) -> None:
    sound = {
        "SECRET_KEY": GOOD_KEY,
        "PUBLIC_URL": "https://pro.hospital.my",
        "VAPID_SUBJECT": "mailto:trials@hospital.my",
        "MAIL_FROM": "trials@hospital.my",
    }
    read(tmp_path, **sound)
    with pytest.raises(SettingsError, match=f"^PRO_{name}: "):
        read(tmp_path, **{**sound, name: text})


def test_letters_need_a_sender(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^PRO_MAIL_FROM: "):
        read(tmp_path, MAIL_URL="smtps://mail.hospital.my")


def test_the_demonstration_is_for_this_machine_alone(tmp_path: Path) -> None:
    assert read(tmp_path, DEMO="1").demo
    with pytest.raises(SettingsError, match=r"^PRO_DEMO: "):
        read(tmp_path, DEMO="1", SECRET_KEY=GOOD_KEY, PUBLIC_URL="https://pro.example.org")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_name_of_postgresql_is_its_driver(tmp_path: Path, scheme: str) -> None:
    assert read(tmp_path, DATABASE_URL=f"{scheme}://h/d").database_url == (
        "postgresql+psycopg://h/d"
    )


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{GOOD_KEY}\n", encoding="ascii")
    (tmp_path / "url").write_text("postgresql://h/d\n", encoding="ascii")
    settings = read(
        tmp_path, SECRET_KEY_FILE=str(tmp_path / "key"), DATABASE_URL_FILE=str(tmp_path / "url")
    )
    assert settings.secret_key == GOOD_KEY
    assert settings.database_url == "postgresql+psycopg://h/d"


def test_the_file_is_stronger_than_the_variable(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(GOOD_KEY, encoding="ascii")
    key_file = str(tmp_path / "key")
    assert read(tmp_path, SECRET_KEY="x", SECRET_KEY_FILE=key_file).secret_key == GOOD_KEY


REMOTE = "https://pro.example.org"


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"PUBLIC_URL": REMOTE}, "PRO_SECRET_KEY: is not set"),
        ({"SECRET_KEY": GOOD_KEY[:31]}, "PRO_SECRET_KEY: must be at least 32 random"),
        ({"SECRET_KEY": "ab" * 40}, "PRO_SECRET_KEY: must be at least 32 random"),
        ({"PREVIOUS_SECRET_KEYS": f"{GOOD_KEY} short"}, "PRO_PREVIOUS_SECRET_KEYS: must be at"),
        ({"SECRET_KEY_FILE": "/nowhere/key"}, "PRO_SECRET_KEY_FILE: cannot read the file: No such"),
        ({"SECRET_KEY_FILE": "."}, "PRO_SECRET_KEY_FILE: cannot read the file: Is a directory"),
        ({"SECRET_KEY_FILE": ""}, "PRO_SECRET_KEY_FILE: cannot read the file"),
        ({"DATABASE_URL": "mysql://h/d"}, "PRO_DATABASE_URL: must begin with sqlite"),
        ({"DATABASE_URL": "pro_app.sqlite3"}, "PRO_DATABASE_URL: must begin with sqlite"),
        ({"PUBLIC_URL": "pro.example.org"}, "PRO_PUBLIC_URL: not the address of a web site"),
        ({"PUBLIC_URL": "ftp://pro.example.org"}, "PRO_PUBLIC_URL: not the address of a web site"),
        ({"PUBLIC_URL": "https://"}, "PRO_PUBLIC_URL: not the address of a web site"),
        ({"PUBLIC_URL": f"{REMOTE}?x=1"}, "PRO_PUBLIC_URL: not the address of a web site"),
        ({"PUBLIC_URL": f"{REMOTE}:port"}, "PRO_PUBLIC_URL: not the address of a web site"),
        ({"PUBLIC_URL": "https://[::1"}, "PRO_PUBLIC_URL: not the address of a web site"),
        ({"PUBLIC_URL": "http://pro.example.org"}, "PRO_PUBLIC_URL: must begin with https://"),
        ({"PUBLIC_URL": "http://localhost.example.org"}, "PRO_PUBLIC_URL: must begin with https"),
        ({"TRUSTED_PROXIES": "-1"}, "PRO_TRUSTED_PROXIES: not a whole number: '-1'"),
        ({"TRUSTED_PROXIES": "one"}, "PRO_TRUSTED_PROXIES: not a whole number"),
        ({"TRUSTED_PROXIES": "١"}, "PRO_TRUSTED_PROXIES: not a whole number"),
        ({"WORKER": "off"}, "PRO_WORKER: not full, push or none: 'off'"),
        ({"DEMO": "yes"}, "PRO_DEMO: must be 0 or 1, not 'yes'"),
    ],
)
def test_a_refusal_names_the_variable(tmp_path: Path, variables: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, **variables)
    assert str(refused.value).startswith(told)


def test_a_secret_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe" * 40)
    with pytest.raises(SettingsError, match="PRO_SECRET_KEY_FILE: the file is not text"):
        read(tmp_path, SECRET_KEY_FILE=str(tmp_path / "key"))


def test_an_instance_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "instance").write_text("a file", encoding="ascii")
    with pytest.raises(SettingsError, match="PRO_INSTANCE: cannot make the folder"):
        read(tmp_path)


def test_no_refusal_repeats_a_secret(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, SECRET_KEY="hunter2")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, DATABASE_URL="mysql://user:hunter2@h/d")
    assert "hunter2" not in str(refused.value)


def test_on_this_machine_a_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    first = read(tmp_path).secret_key
    kept = tmp_path / "instance" / "secret-key"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.read_text(encoding="ascii") == first
    assert len(first) == 64
    assert read(tmp_path, PUBLIC_URL="http://127.0.0.1:8000").secret_key == first
    assert read(tmp_path / "other").secret_key != first


@pytest.mark.parametrize(
    ("public_url", "plain"),
    [
        ("http://localhost:5000", True),
        ("http://127.0.0.1", True),
        ("http://[::1]:5000", True),
        ("https://localhost:5000", False),
        ("https://pro.example.org", False),
    ],
)
def test_cookies_are_plain_only_without_tls_on_this_machine(
    tmp_path: Path, public_url: str, plain: bool
) -> None:
    subject = "mailto:trials@hospital.my"
    settings = read(tmp_path, PUBLIC_URL=public_url, SECRET_KEY=GOOD_KEY, VAPID_SUBJECT=subject)
    assert settings.plain_cookies is plain

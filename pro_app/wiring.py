"""The post office is put together here, for the web application, the worker and the commands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pro_app.catalogues import CATALOGUES, compile_catalogues
from pro_app.config import Settings
from pro_app.core.library import Library
from pro_app.core.study import LANGUAGES
from pro_app.delivery import Hosts, MailWay, Post
from pro_app.delivery.mail import Folder, Smtp
from pro_app.delivery.sender import PushSender
from pro_app.delivery.vapid import Tokens, VapidKey
from pro_app.models import Database
from pro_app.services.notices import Notices
from pro_app.services.post_office import PostOffice
from pro_app.services.readiness import Equipment
from pro_app.services.vault import Vault


def post_office(
    settings: Settings, database: Database, library: Library, clock: Callable[[], datetime]
) -> PostOffice:
    """What these settings send by, and with."""
    compile_catalogues()
    key = VapidKey.read(settings.vapid_key)
    hosts = Hosts(settings.push_hosts, loopback=settings.on_loopback)
    push = PushSender(Tokens(key, settings.vapid_subject), hosts)
    return PostOffice(
        database=database,
        library=library,
        post=Post(push, _mail(settings)),
        vault=Vault(settings.secret_key, settings.previous_secret_keys),
        notices=Notices(CATALOGUES, LANGUAGES),
        hosts=hosts,
        public_url=settings.public_url,
        application_key=key.public_key,
        key_id=key.key_id,
        clock=clock,
    )


def equipment(settings: Settings) -> Equipment:
    """What these settings say about going live."""
    kept = settings.instance / "audit-key"
    return Equipment(
        vapid_subject=settings.vapid_subject,
        vapid_key_id=VapidKey.read(settings.vapid_key).key_id,
        mail=settings.mail is not None,
        on_loopback=settings.on_loopback,
        audit_key_beside=kept.is_file() and kept.read_text("ascii").strip() == settings.audit_key,
    )


def _mail(settings: Settings) -> MailWay | None:
    if settings.demo:
        return Folder(settings.instance / "letters")
    server = settings.mail
    if server is None:
        return None
    return Smtp(
        server.host, server.port, server.user, server.password, server.sender, tls=server.tls
    )

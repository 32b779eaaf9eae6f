"""The post office is put together here, for the web application, the worker and the commands."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from pro_app.catalogues import CATALOGUES, compile_catalogues, words
from pro_app.config import Settings
from pro_app.core.library import Library
from pro_app.core.study import LANGUAGES
from pro_app.delivery import Hosts, MailWay, Post
from pro_app.delivery.mail import Folder, Smtp
from pro_app.delivery.sender import PushSender
from pro_app.delivery.vapid import Tokens, VapidKey
from pro_app.models import Database, ExportJob
from pro_app.services.export_making import Workshop
from pro_app.services.export_source import Tell
from pro_app.services.exports import Made
from pro_app.services.notices import Notices
from pro_app.services.post_office import PostOffice
from pro_app.services.readiness import Equipment
from pro_app.services.studies import CurrentStudy
from pro_app.services.vault import Vault

log = logging.getLogger(__name__)


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


def workshop(
    settings: Settings, database: Database, library: Library, clock: Callable[[], datetime]
) -> Workshop:
    """Where these settings have exports made."""
    compile_catalogues()
    folder, address = settings.export_folder, settings.public_url

    def prove(
        session: Session, study: CurrentStudy, job: ExportJob, place: Path, tell: Tell
    ) -> Made:
        from pro_app.proof.job import prove as made  # which needs what is put together here

        return made(session, library, study, job, place, tell, clock())

    return Workshop(database, library, folder, words, clock, address, prove)


def proof_hindrance() -> str | None:
    """Why no proof pack can be made on this machine, in a sentence; None if one can."""
    from pro_app.proof.browser import hindrance  # likewise

    return hindrance()


def wake_for_exports(settings: Settings) -> None:
    """Wake a worker, so that an export that was just asked for need not wait for the minute. The
    job's row is there already: where this fails, the next tick finds it."""
    from pro_app.worker import wake_for_exports  # which needs what is put together here

    try:
        wake_for_exports(settings.queue_url)
    except Exception as error:  # of three different stores
        log.warning("no worker could be woken for an export: %s", type(error).__name__)


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

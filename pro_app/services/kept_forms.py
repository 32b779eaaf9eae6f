"""What somebody typed whose desk was signed out meanwhile, sealed for that person alone.

The seal travels in the pages of the sign-in: nothing is stored, and whoever else sits down at the
desk can neither read it nor send it.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pro_app.services.vault import Vault

LIFE = timedelta(minutes=30)
LONGEST = 200_000  # characters of everything that was typed
KIND = "kept form"  # no other secret of the installation opens as one


@dataclass(frozen=True, slots=True)
class KeptForm:
    """Where a form was sent, and its fields in their order."""

    path: str
    fields: Sequence[tuple[str, str]]


def seal(vault: Vault, owner_id: int, form: KeptForm, now: datetime) -> str | None:
    """The form as only its owner gets it back; None if it is too long to travel."""
    text = json.dumps([KIND, owner_id, now.isoformat(), form.path, [*form.fields]])
    if len(text) > LONGEST:
        return None
    return urlsafe_b64encode(vault.lock(text)).decode()


def unseal(vault: Vault, sealed: str, owner_id: int, now: datetime) -> KeptForm | None:
    """The form, for its owner and a while; None for anything else."""
    try:
        found = json.loads(vault.unlock(urlsafe_b64decode(sealed)))
        kind, whose, moment, path, fields = found
    except (LookupError, ValueError, TypeError):
        return None
    if (kind, whose) != (KIND, owner_id) or now - datetime.fromisoformat(moment) > LIFE:
        return None
    return KeptForm(path, [(name, value) for name, value in fields])

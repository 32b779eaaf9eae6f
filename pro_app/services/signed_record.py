"""Digests of corrections, their decisions, the scores after them, and sign-offs, for the trail."""

from __future__ import annotations

from pro_app.models import Base
from pro_app.verify import SCORE, SIGNED, corrected_scores_digest, signed_digest

__all__ = ["SCORE", "digest_of", "scores_digest"]

_KINDS = {
    "correction": "corrections", "correction_decision": "decisions", "sign_off": "sign_offs",
}  # fmt: skip
scores_digest = corrected_scores_digest


def digest_of(one: Base) -> str:
    """The digest of a correction, a decision or a sign-off."""
    kind = _KINDS[one.__tablename__]
    return signed_digest(kind, {name: getattr(one, name) for name in SIGNED[kind]})

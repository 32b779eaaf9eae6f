"""What all verbs of the site's people share: the name in the trail, and free text."""

from __future__ import annotations

from pro_app.core.study import NATIONAL_IDENTITY

LONGEST = 500  # characters of a reason


def actor_of(staff_id: int | None) -> str:
    """The actor of a person of staff in the trail; `site` at the command line (None)."""
    return "site" if staff_id is None else f"staff/{staff_id}"


def free_text(text: str, refuse: type[Exception], longest: int = LONGEST) -> str:
    """The text as it is kept, without space around it.

    Raises `refuse` when it is too long or holds a national identity number.
    """
    found = text.strip()
    if len(found) > longest:
        raise refuse(f"the text has more than {longest} characters")
    if NATIONAL_IDENTITY.search(found):
        raise refuse("the text holds what looks like a national identity number")
    return found

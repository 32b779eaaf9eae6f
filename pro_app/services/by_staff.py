"""What all verbs of the site's people share: the name in the trail, and free text."""

from __future__ import annotations

from collections.abc import Sequence

from pro_app.core.study import NATIONAL_IDENTITY

LONGEST = 500  # characters of a reason


def actor_of(staff_id: int | None) -> str:
    """The actor of a person of staff in the trail; `site` at the command line (None)."""
    return "site" if staff_id is None else f"staff/{staff_id}"


class Refusal(Exception):
    """Something that a person of staff asked for and that cannot be.

    The message says why, for the command line and for logs. `code` names the reason, so that
    pages can say it in their own words; `items` are the items that it is about, if it is about
    any.
    """

    def __init__(self, message: str, code: str = "other", items: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.code, self.items = code, tuple(items)


def free_text(text: str, refuse: type[Exception], longest: int = LONGEST) -> str:
    """The text as it is kept, without space around it.

    Raises `refuse` when it is too long or holds a national identity number; the code of a
    `Refusal` is then `text_long` or `identity`.
    """
    found = text.strip()
    if len(found) > longest:
        raise _coded(refuse(f"the text has more than {longest} characters"), "text_long")
    if NATIONAL_IDENTITY.search(found):
        said = "the text holds what looks like a national identity number"
        raise _coded(refuse(said), "identity")
    return found


def _coded(error: Exception, code: str) -> Exception:
    if isinstance(error, Refusal):
        error.code = code
    return error

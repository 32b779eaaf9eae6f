"""Translations whose source has changed since they were made. The source is English.

Pure: `pro_app.services.translations` reads the wordings and what was confirmed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

SOURCE = "en"  # the language that all others are translated from


@dataclass(frozen=True, slots=True)
class Version:
    """A stored wording: `id` tells which was stored first, `texts` are by place."""

    id: int
    fingerprint: str
    language: str
    version: str
    texts: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Changed:
    """A place whose source changed since the translation: the source then and now, and what the
    translation says."""

    place: str
    before: str = field(repr=False)
    after: str = field(repr=False)
    translated: str = field(repr=False)


def source_of(translation: Version, sources: Sequence[Version]) -> Version | None:
    """The source that a translation was made from: the newest that was stored before it, or, if
    none was yet, the first one."""
    ordered = sorted(sources, key=lambda one: one.id)
    before = [one for one in ordered if one.id < translation.id]
    return before[-1] if before else next(iter(ordered), None)


def changed(
    translation: Version,
    source: Version,
    newest: Version,
    confirmed: Mapping[str, Collection[str]],
) -> list[Changed]:
    """The places at which the `newest` source says something else than the one that the
    translation was made from. `confirmed` are, by place, the sources that somebody has found to
    say the same as the translation."""
    return [
        Changed(place, source.texts.get(place, ""), text, translation.texts.get(place, ""))
        for place, text in newest.texts.items()
        if text != source.texts.get(place) and text not in confirmed.get(place, ())
    ]

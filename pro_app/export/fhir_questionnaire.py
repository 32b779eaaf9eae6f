"""An instrument with its wordings as a FHIR R4 Questionnaire.

Nothing of a wording is left out and every text has a link id of its own, so that the wordings can
be read from the resource again: items by their codes, options by their code systems, lead-ins and
recall periods by their sections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pro_app.core.instruments import Instrument, Item, Section
from pro_app.core.wording import Wording
from pro_app.export.fhir_terms import (
    INSTRUCTION,
    LEAD,
    OFFERED,
    ORDINAL,
    RECALL,
    RECALLED,
    SECTION,
    TRANSLATION,
    WORDING,
    Element,
    Terms,
    plain,
    tag,
    version,
)
from pro_app.export.table import TableError

DEMONSTRATION = "demonstration"


@dataclass(frozen=True, slots=True)
class Form:
    """An instrument of the study, and its wordings by language: those that may leave."""

    instrument: Instrument
    wordings: Mapping[str, Wording]

    def language(self, wanted: str) -> str:
        """The language of its texts: the wanted one, or the first that there is.

        `TableError` where there is no wording at all.
        """
        if not self.wordings:
            raise TableError(f"{self.instrument.code}: there is no wording")
        return wanted if wanted in self.wordings else next(iter(self.wordings))

    def is_demonstration(self) -> bool:
        """Whether any of its wordings is not the validated questionnaire."""
        return any(one.kind == DEMONSTRATION for one in self.wordings.values())


def questionnaire(form: Form, language: str, terms: Terms, words: Callable[[str], str]) -> Element:
    """The resource: its texts are in `language`, their translations beside them."""
    return _Writer(form, form.language(language), terms).resource(words)


def demonstration_tag(terms: Terms, words: Callable[[str], str]) -> Element:
    """The tag of every resource that holds, or answers, demonstration wording."""
    return {
        "system": terms.codes("wording-kind"),
        "code": DEMONSTRATION,
        "display": demonstration_words(words),
    }


def demonstration_words(words: Callable[[str], str]) -> str:
    """The sentence that marks demonstration wording everywhere."""
    _ = words
    return _("Demonstration wording, not the validated questionnaire")


class _Writer:
    """One Questionnaire while it is put together."""

    def __init__(self, form: Form, language: str, terms: Terms) -> None:
        self._form, self._language, self._terms = form, language, terms
        self._instrument = form.instrument
        self._others = [one for one in form.wordings if one != language]

    def resource(self, words: Callable[[str], str]) -> Element:
        instrument, demonstration = self._instrument, self._form.is_demonstration()
        title = instrument.name
        if demonstration:
            title = f"{title} [{demonstration_words(words)}]"
        made: Element = {"resourceType": "Questionnaire", "id": plain(instrument.code)}
        if demonstration:
            made["meta"] = {"tag": [demonstration_tag(self._terms, words)]}
        return made | {
            "language": tag(self._language),
            "extension": [self._source(one) for one in self._form.wordings.values()],
            "url": self._terms.questionnaire(instrument),
            "version": version(instrument, instrument.fingerprint),
            "name": "".join(part.capitalize() for part in plain(instrument.code).split("-")),
            "title": title,
            "status": "active",
            "experimental": demonstration,
            "subjectType": ["Patient"],
            "copyright": instrument.rights,
            "item": list(self._items()),
        }

    def _source(self, wording: Wording) -> Element:
        parts = {
            "language": ("valueCode", tag(wording.language)),
            "kind": ("valueCode", wording.kind),
            "source": ("valueString", wording.source),
            **({"version": ("valueString", wording.version)} if wording.version else {}),
            "fingerprint": ("valueString", wording.fingerprint),
        }
        return self._terms.extension(
            WORDING, extension=[{"url": url, kind: value} for url, (kind, value) in parts.items()]
        )

    def _items(self) -> Iterator[Element]:
        yield self._sentence(INSTRUCTION, lambda wording: wording.instruction)
        for section in self._instrument.sections:
            group: Element = {"linkId": f"{SECTION}{section.code}"}
            if section.recall != "none":
                group["extension"] = [self._terms.extension(RECALLED, valueCode=section.recall)]
            yield group | {"type": "group", "item": list(self._section(section))}

    def _section(self, section: Section) -> Iterator[Element]:
        link = f"{SECTION}{section.code}"
        if section.recall != "none":
            yield self._sentence(link + RECALL, lambda wording: wording.recalls[section.code])
        if section.lead:
            yield self._sentence(link + LEAD, lambda wording: wording.leads[section.code])
        yield from (self._item(one) for one in self._instrument.items if one.section == section)

    def _sentence(self, link: str, text: Callable[[Wording], str]) -> Element:
        return {"linkId": link, **self._text("text", text), "type": "display"}

    def _item(self, item: Item) -> Element:
        made: Element = {"linkId": item.code, "prefix": item.paper}
        if item.not_applicable:
            made["extension"] = [self._terms.extension(OFFERED, valueBoolean=True)]
        made |= self._text("text", lambda wording: wording.items[item.code])
        made |= {"type": "choice", "required": False, "repeats": False}
        made["answerOption"] = [self._option(item, code) for code in item.options.codes]
        return made

    def _option(self, item: Item, code: int) -> Element:
        display = self._text("display", lambda wording: wording.options[item.options.code][code])
        coding = {
            "extension": [{"url": ORDINAL, "valueDecimal": code}],
            "system": self._terms.options(self._instrument, item.options),
            "code": str(code),
            **display,
        }
        return {"valueCoding": coding}

    def _text(self, name: str, text: Callable[[Wording], str]) -> Element:
        """A text and, in the companion that JSON has for it, its translations."""
        wordings = self._form.wordings
        made: Element = {name: text(wordings[self._language])}
        translations = [
            {
                "url": TRANSLATION,
                "extension": [
                    {"url": "lang", "valueCode": tag(other)},
                    {"url": "content", "valueString": text(wordings[other])},
                ],
            }
            for other in self._others
        ]
        if translations:
            made[f"_{name}"] = {"extension": translations}
        return made

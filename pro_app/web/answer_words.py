"""The words of an instrument as the staff read them: in the page's language, and as answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pro_app.core.instruments import Instrument
from pro_app.core.licence import Wordings
from pro_app.core.wording import Wording


@dataclass(frozen=True, slots=True)
class Text:
    """A text and its language."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class AnswerWords:
    """An instrument's words for a page in `language`.

    `read` are the fingerprints of what was read, by language: that text is shown, whatever the
    wording of today.
    """

    wordings: Wordings
    instrument: Instrument
    language: str
    read: Mapping[str, str] = field(default_factory=dict)

    def question(self, code: str, read_in: str | None = None) -> list[Text]:
        """An item's text, and beside it what the participant read if that was in another
        language. Where no wording has it, the topic by which the definition knows it."""
        found = self._texts(read_in, lambda wording: wording.items.get(code))
        if not found:
            topics = {one.code: one.topic for one in self.instrument.items}
            found = [Text("en", topics.get(code, code))]
        return found

    def option(self, code: str, value: str, read_in: str | None = None) -> list[Text]:
        """The text of an answer's code, likewise; nothing where no wording has it."""
        sets = {one.code: one.options.code for one in self.instrument.items}
        return self._texts(
            read_in, lambda wording: wording.options.get(sets.get(code, ""), {}).get(int(value))
        )

    def is_demonstration(self, *read_in: str) -> bool:
        """Whether any of the wordings that are shown is not the validated questionnaire."""
        found = (self._wording(one) for one in (self.language, *read_in))
        return any(one is not None and one.kind == "demonstration" for one in found)

    def is_kept(self, fingerprint: str) -> bool:
        """Whether the wording that was read is still at hand."""
        return self.wordings.by_fingerprint(fingerprint) is not None

    def _texts(self, read_in: str | None, text: Callable[[Wording], str | None]) -> list[Text]:
        found = []
        for language in dict.fromkeys((self.language, read_in or self.language)):
            wording = self._wording(language)
            said = None if wording is None else text(wording)
            if said is not None:
                found.append(Text(language, said))
        return found

    def _wording(self, language: str) -> Wording | None:
        found = self.wordings.by_fingerprint(self.read.get(language, ""))
        return found or self.wordings.reading(self.instrument.code, language)

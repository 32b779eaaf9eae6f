"""Wordings out of a FHIR R4 Questionnaire, whose definition must be the instrument's own.

Read is what `export.fhir_questionnaire` writes, also when another program has saved it again:
items by their link ids, options inline as `answerOption.valueCoding`, languages as translation
extensions. Refused, never ignored, is what would change what is asked: sets of answers that stand
elsewhere, conditions, preset answers, modifiers. Extensions of others are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pro_app.core.instruments import Instrument, Item
from pro_app.core.json_file import Refused, fault, read, shown
from pro_app.core.wording import places
from pro_app.export.fhir_terms import OFFERED, ORDINAL, RECALLED, WORDING, plain
from pro_app.services.fhir_release import release
from pro_app.services.fhir_texts import DEFINITIONS, Texts, parts
from pro_app.services.fhir_tree import Node, expected

# in the addresses of our own code systems and forms
CODES = "/fhir/CodeSystem/"
FORMS = "/fhir/Questionnaire/"
# what would change what is asked, or puts answers elsewhere
OF_RESOURCE = ("contained", "implicitRules", "modifierExtension")
OF_ITEM = (
    "answerValueSet", "enableBehavior", "enableWhen", "initial", "maxLength", "modifierExtension",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """What the file says of one of its wordings; "" where it does not."""

    kind: str = ""
    source: str = ""
    version: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class FhirWordings:
    """The texts of a file by language and place, in the places' order, and where in the file each
    stands; `said` is by language, for those that the file tells of."""

    instrument: str
    texts: Mapping[str, Mapping[str, str]]
    paths: Mapping[str, Mapping[str, str]]
    said: Mapping[str, Said]


def read_fhir(
    data: bytes, instruments: Mapping[str, Instrument], code: str | None = None
) -> FhirWordings:
    """The wordings of a file: of the instrument with this code, or of the one that it names.

    Only the structure is checked: what a text says is `core.wording_check`'s. Raises Refused with
    all faults.
    """
    found = read(data)
    if not isinstance(found, dict):
        raise Refused((fault("", "", "kind", wanted="an object"),))
    if found.get("resourceType") != "Questionnaire":
        other = shown(found.get("resourceType", "something else"))
        raise Refused((fault("resourceType", "", "resource", found=other),))
    if (of_other := release(found)) is not None:
        raise Refused((fault("", "", "release", found=of_other),))
    named = _named(found)
    wanted = plain(code or named)
    instrument = next((one for one in instruments.values() if plain(one.code) == wanted), None)
    if instrument is None:
        raise Refused((fault("url", "", "unknown_instrument"),))
    texts = Texts()
    reading = _Reading(instrument, texts)
    if named and named != wanted:
        texts.add("url", "", "instrument", found=shown(named), wanted=wanted)
    reading.resource(found)
    return reading.result()


def _named(resource: Mapping[str, Any]) -> str:
    """The instrument in an address of ours; "" in another's."""
    url = resource.get("url")
    return url.partition(FORMS)[2].partition("|")[0] if isinstance(url, str) else ""


class _Reading:
    """One Questionnaire while it is read: the texts and faults found so far."""

    def __init__(self, instrument: Instrument, found: Texts) -> None:
        self._instrument = instrument
        self._form = expected(instrument)
        self._known = {node.link for one in self._form for node in (one, *one.inside)}
        self._found = found
        self._said: dict[str, Said] = {}
        self._links: set[str] = set()  # all that are in the file

    def result(self) -> FhirWordings:
        """What was read; raises Refused if anything is wrong."""
        wanted, found = places(self._instrument), self._found
        for place in wanted:
            paths = {one: by[place] for one, by in found.paths.items() if place in by}
            for language in found.paths if paths else ():
                if language not in paths:
                    path = next(iter(paths.values()))
                    link = place.removeprefix("items.") if place.startswith("items.") else ""
                    found.add(path, link, "translation_missing", language=language)
        if found.faults:
            raise Refused(tuple(found.faults))
        return FhirWordings(
            self._instrument.code,
            {one: {place: by[place] for place in wanted} for one, by in found.texts.items()},
            {one: {place: by[place] for place in wanted} for one, by in found.paths.items()},
            self._said,
        )

    # --- the resource ---------------------------------------------------------------------------

    def resource(self, found: Mapping[str, Any]) -> None:
        """Read everything."""
        if "language" not in found:
            self._found.add("language", "", "language_missing")
        else:
            self._found.language = self._found.tag(found["language"], "language", "")
        self._found.refuse(found, OF_RESOURCE, "", "")
        for place, one in self._found.extensions(found, "", ""):
            if str(one.get("url", "")).endswith(DEFINITIONS + WORDING):
                self._wording(one, f"extension[{place}]")
        self._links = {link for _, link, _ in _flat(found.get("item"), "")}
        self._level(self._form, found.get("item"), "item")

    def _wording(self, one: Mapping[str, Any], path: str) -> None:
        told = {key: value for key, value in parts(one) if isinstance(value, str)}
        language = self._found.tag(told.get("language"), path, "")
        if language in self._said:
            self._found.add(path, "", "language_twice", language=language)
        elif language:
            self._said[language] = Said(**{key: told.get(key, "") for key in Said.__slots__})

    # --- the tree of items ----------------------------------------------------------------------

    def _level(self, nodes: tuple[Node, ...], found: object, path: str) -> None:
        """Match the items of one group, or of the form, with those of the definition."""
        if not isinstance(found, list):
            self._found.add(path, "", "kind", wanted="a list of items")
            return
        here = self._own(found, path)
        by_link = {node.link: node for node in nodes}
        order = [link for link in by_link if link in here]
        for link, (at, _) in here.items():
            if link not in by_link:
                code = "link_elsewhere" if link in self._known else "link_unknown"
                self._found.add(at, shown(link), code, link=shown(link))
        came = [link for link in here if link in by_link]
        for link, wanted in zip(came, order, strict=True):
            if link != wanted:
                self._found.add(here[link][0], link, "link_order", wanted=wanted)
                break
        for link, node in by_link.items():
            if link in here:
                self._node(node, here[link][1], here[link][0])
            elif link not in self._links:
                self._found.add(path, "", "link_missing", link=link)

    def _own(self, found: list[Any], path: str) -> dict[str, tuple[str, dict[str, Any]]]:
        """The items of a list by link, with their paths; of two with one link the first."""
        here: dict[str, tuple[str, dict[str, Any]]] = {}
        for place, one in enumerate(found):
            at = f"{path}[{place}]"
            link = one.get("linkId") if isinstance(one, dict) else None
            if not isinstance(link, str):
                self._found.add(at, "", "kind", wanted="an item with a linkId")
            elif link in here:
                self._found.add(at, shown(link), "link_twice", link=shown(link))
            else:
                here[link] = (at, one)
        return here

    def _node(self, node: Node, one: Mapping[str, Any], path: str) -> None:
        kind = one.get("type")
        if kind != node.type:
            self._found.add(f"{path}.type", node.link, "type", found=shown(kind), wanted=node.type)
        self._found.refuse(one, OF_ITEM, path, node.link)
        if node.inside:
            if "text" in one or "_text" in one:
                self._found.add(f"{path}.text", node.link, "group_text")
            self._recall(node, one, path)
            self._level(node.inside, one.get("item"), f"{path}.item")
            return
        if "item" in one:
            self._found.add(f"{path}.item", node.link, "unsupported", field="item")
        self._found.text(one, "text", path, node.link, node.place)
        if node.item is not None:
            self._item(node.item, one, path)

    def _recall(self, node: Node, one: Mapping[str, Any], path: str) -> None:
        found = self._found.ours(one, RECALLED, "valueCode", path, node.link) or "none"
        if found != node.recall:
            self._found.add(path, node.link, "recall", found=shown(found), wanted=node.recall)

    def _item(self, item: Item, one: Mapping[str, Any], path: str) -> None:
        for field in ("required", "repeats", "readOnly"):
            if one.get(field, False) is not False:
                self._found.add(f"{path}.{field}", item.code, "unsupported", field=field)
        prefix = one.get("prefix", item.paper)
        if prefix != item.paper:
            about = {"found": shown(prefix), "wanted": item.paper}
            self._found.add(f"{path}.prefix", item.code, "prefix", **about)
        offered = self._found.ours(one, OFFERED, "valueBoolean", path, item.code) is True
        if offered != item.not_applicable:
            said = {True: "yes", False: "no"}
            about = {"found": said[offered], "wanted": said[item.not_applicable]}
            self._found.add(path, item.code, "not_applicable", **about)
        self._options(item, one.get("answerOption"), f"{path}.answerOption")

    # --- options --------------------------------------------------------------------------------

    def _options(self, item: Item, found: object, path: str) -> None:
        if not isinstance(found, list):
            self._found.add(path, item.code, "kind", wanted="a list of options")
            return
        wanted = [str(code) for code in item.options.codes]
        if len(found) != len(wanted):
            self._found.add(path, item.code, "option_count", found=len(found), wanted=len(wanted))
        codes = []
        for place, one in enumerate(found):
            codes.append(self._option(item, one, f"{path}[{place}]"))
        for place, code in enumerate(codes):
            if code is not None and code in codes[:place]:
                self._found.add(f"{path}[{place}]", item.code, "option_twice", found=shown(code))
        if None in codes or len(codes) != len(wanted) or codes == wanted:
            return
        if sorted(str(code) for code in codes) == sorted(wanted):
            self._found.add(path, item.code, "option_order")
            return
        for place, (code, known) in enumerate(zip(codes, wanted, strict=True)):
            if code not in wanted:
                about = {"found": shown(code), "wanted": known}
                self._found.add(f"{path}[{place}]", item.code, "option_code", **about)

    def _option(self, item: Item, one: object, path: str) -> str | None:
        """Read an option; its code, or None where it has none."""
        coding = one.get("valueCoding") if isinstance(one, dict) else None
        code = coding.get("code") if isinstance(coding, dict) else None
        if not isinstance(one, dict) or not isinstance(coding, dict) or not isinstance(code, str):
            self._found.add(path, item.code, "option_kind")
            return None
        if one.get("initialSelected", False) is not False:
            at = f"{path}.initialSelected"
            self._found.add(at, item.code, "unsupported", field="initialSelected")
        path = f"{path}.valueCoding"
        self._system(item, coding, path)
        for _, extension in self._found.extensions(coding, path, item.code):
            figure = extension.get("valueDecimal")
            # some programs write exact numbers as texts
            if extension.get("url") == ORDINAL and str(figure).removesuffix(".0") != code:
                self._found.add(path, item.code, "ordinal", code=shown(code))
        known = code in {str(option) for option in item.options.codes}
        place = f"options.{item.options.code}.{code}" if known else ""
        self._found.text(coding, "display", path, item.code, place)
        return code

    def _system(self, item: Item, coding: Mapping[str, Any], path: str) -> None:
        system = str(coding.get("system", ""))
        wanted = f"{plain(self._instrument.code)}.{item.options.code}"
        if CODES in system and system.partition(CODES)[2] != wanted:
            found = shown(system.partition(CODES)[2])
            self._found.add(f"{path}.system", item.code, "option_set", found=found, wanted=wanted)


def _flat(found: object, parent: str) -> Iterator[tuple[Mapping[str, Any], str, str]]:
    """Every item below a list, with its link and its parent's."""
    for one in found if isinstance(found, list) else ():
        link = one.get("linkId") if isinstance(one, dict) else None
        if isinstance(link, str):
            yield one, link, parent
            yield from _flat(one.get("item"), link)

"""The tree of items that the Questionnaire of an instrument has, as it is written and read."""

from __future__ import annotations

from dataclasses import dataclass

from pro_app.core.instruments import Instrument, Item, Section
from pro_app.export.fhir_terms import INSTRUCTION, LEAD, RECALL, SECTION


@dataclass(frozen=True, slots=True)
class Node:
    """An item of the Questionnaire: a group with `inside`, a sentence, or a question (`item`).

    `place` is that of its text in a wording, `recall` the period that a group asks about.
    """

    link: str
    type: str
    place: str = ""
    item: Item | None = None
    recall: str = ""
    inside: tuple[Node, ...] = ()


def expected(instrument: Instrument) -> tuple[Node, ...]:
    """The uppermost items of an instrument's Questionnaire, in order."""
    groups = tuple(_group(instrument, one) for one in instrument.sections)
    return (Node(INSTRUCTION, "display", "instruction"), *groups)


def _group(instrument: Instrument, section: Section) -> Node:
    link = f"{SECTION}{section.code}"
    inside = []
    if section.recall != "none":
        inside.append(Node(link + RECALL, "display", f"recalls.{section.code}"))
    if section.lead:
        inside.append(Node(link + LEAD, "display", f"leads.{section.code}"))
    inside += [
        Node(one.code, "choice", f"items.{one.code}", one)
        for one in instrument.items
        if one.section == section
    ]
    return Node(link, "group", recall=section.recall, inside=tuple(inside))

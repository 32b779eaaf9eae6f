"""What is our own in FHIR files, defined in FHIR: extensions and code systems.

A validator that is given these knows every extension and every code of the other files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pro_app.core.instruments import OptionSet
from pro_app.core.wording import KINDS
from pro_app.export.fhir_questionnaire import Form, demonstration_words
from pro_app.export.fhir_terms import MODES, Element, Terms, about, plain, tag, version
from pro_app.export.table import Table

FHIR = "4.0.1"
QUESTIONNAIRE, RESPONSE = "Questionnaire", "QuestionnaireResponse"
ITEM, ANSWERED = "Questionnaire.item", "QuestionnaireResponse.item"
# the type of each extension's value, or those of its parts; and where it may stand
SHAPES: Mapping[str, tuple[str | Mapping[str, str], tuple[str, ...]]] = {
    "wording": (
        {
            "language": "code",
            "kind": "code",
            "source": "string",
            "version": "string",
            "fingerprint": "string",
        },
        (QUESTIONNAIRE,),
    ),
    "wording-fingerprint": ("string", (RESPONSE, ANSWERED)),
    "not-applicable-offered": ("boolean", (ITEM,)),
    "recall": ("code", (ITEM,)),
    "site": ("string", (RESPONSE,)),
    "visit": ({"timepoint": "Coding", "occurrence": "positiveInt"}, (RESPONSE,)),
    "late": ("boolean", (RESPONSE,)),
    "answered-in": ("code", (RESPONSE, ANSWERED)),
    "study-day": ("integer", (RESPONSE,)),
    "original": ({"answer": "Coding", "absent": "code", "correction": "string"}, (ANSWERED,)),
}


def extensions(terms: Terms, table: Table) -> Iterator[Element]:
    """A StructureDefinition for each extension of ours."""
    meanings = about(table.words)
    for name, (shape, contexts) in SHAPES.items():
        url = str(terms.extension(name)["url"])
        yield {
            "resourceType": "StructureDefinition",
            "id": name,
            "language": tag(table.language),
            "url": url,
            "name": _name(name),
            "status": "active",
            "description": meanings[name],
            "fhirVersion": FHIR,
            "kind": "complex-type",
            "abstract": False,
            "context": [{"type": "element", "expression": one} for one in contexts],
            "type": "Extension",
            "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension",
            "derivation": "constraint",
            "differential": {"element": list(_elements(url, meanings[name], shape))},
        }


def _elements(url: str, meaning: str, shape: str | Mapping[str, str]) -> Iterator[Element]:
    """What the extension differs in from every other: its address, and its value or its parts."""
    yield {"id": "Extension", "path": "Extension", "definition": meaning}
    parts = {} if isinstance(shape, str) else shape
    if not parts:
        yield {"id": "Extension.extension", "path": "Extension.extension", "max": "0"}
    for part, kind in parts.items():
        own = f"Extension.extension:{part}"
        yield {"id": own, "path": "Extension.extension", "sliceName": part}
        yield {"id": f"{own}.url", "path": "Extension.extension.url", "fixedUri": part}
        value = {"id": f"{own}.value[x]", "path": "Extension.extension.value[x]"}
        yield {**value, "min": 1, "type": [{"code": kind}]}
    yield {"id": "Extension.url", "path": "Extension.url", "fixedUri": url}
    value = {"id": "Extension.value[x]", "path": "Extension.value[x]"}
    yield {**value, "max": "0"} if parts else {**value, "min": 1, "type": [{"code": shape}]}


def code_systems(forms: Sequence[Form], terms: Terms, table: Table) -> Iterator[Element]:
    """A CodeSystem for each option set, and for visits, modes and kinds of wording. `table` is one
    with the columns `timepoint` and `mode`."""
    for form in forms:
        for options in form.instrument.option_sets.values():
            yield _options(form, options, terms, table.language)
    labels = {one.name: one.codes for one in table.columns}
    visits = {str(code): label for code, label in labels["timepoint"].items()}
    modes = {str(code): label for code, label in labels["mode"].items()}
    kinds = dict.fromkeys(KINDS, "") | {"demonstration": demonstration_words(table.words)}
    for name, codes in (
        (f"{table.study}.timepoints", visits),
        ("mode", dict.fromkeys(MODES, "") | modes),
        ("wording-kind", kinds),
    ):
        concepts = [
            {"code": code, **({"display": label} if label else {})} for code, label in codes.items()
        ]
        yield _system(name, terms.codes(name), table.language, concepts)


def _options(form: Form, options: OptionSet, terms: Terms, wanted: str) -> Element:
    """An option set: its codes with their texts in all languages."""
    language = form.language(wanted)
    url = terms.options(form.instrument, options)
    texts = {one: wording.options[options.code] for one, wording in form.wordings.items()}
    concepts = []
    for code in options.codes:
        others = [
            {"language": tag(other), "value": said[code]}
            for other, said in texts.items()
            if other != language
        ]
        concept: Element = {"code": str(code), "display": texts[language][code]}
        concepts.append(concept | ({"designation": others} if others else {}))
    made = _system(url.rpartition("/")[2], url, language, concepts)
    return made | {
        "version": version(form.instrument, form.instrument.fingerprint),
        "experimental": form.is_demonstration(),
        "copyright": form.instrument.rights,
    }


def _system(name: str, url: str, language: str, concepts: Sequence[Element]) -> Element:
    made: Element = {
        "resourceType": "CodeSystem",
        "id": plain(name.replace("_", "-")),
        "language": tag(language),
        "url": url,
        "name": _name(name),
        "status": "active",
        "caseSensitive": True,
        "content": "complete",
    }
    return made | ({"concept": list(concepts)} if concepts else {})


def _name(name: str) -> str:
    """A name for programs: R4 wants a capital, and letters and digits."""
    parts = plain(name.replace("_", "-")).replace(".", "-").split("-")
    return "".join(part[:1].upper() + part[1:] for part in parts)

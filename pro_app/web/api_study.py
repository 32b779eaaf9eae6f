"""What programs are told of a study's protocol."""

from __future__ import annotations

from typing import Any

from pro_app.core.instruments import Instrument
from pro_app.core.library import Library
from pro_app.core.schedule import Timepoint
from pro_app.services import tables
from pro_app.services.api_tokens import Holder
from pro_app.services.studies import CurrentStudy


def head(study: CurrentStudy) -> dict[str, Any]:
    """What names a study."""
    definition = study.definition
    return {
        "code": definition.code,
        "names": dict(definition.names),
        "status": definition.status,
        "version": study.version,
        "zone": definition.zone.key,
        "languages": list(definition.languages),
    }


def facts(study: CurrentStudy, library: Library, known: Holder) -> dict[str, Any]:
    """What the protocol says; of the sites those that the token reads. Instruments and scorings
    are those of all versions, as in the tables."""
    definition = study.definition
    return {
        **head(study),
        "sites": [
            {"code": one.code, "name": one.name}
            for one in definition.sites
            if known.sites is None or one.code in known.sites
        ],
        "anchors": [{"code": one.code, "labels": dict(one.labels)} for one in definition.anchors],
        "timepoints": [_timepoint(one) for one in definition.timepoints],
        "instruments": [
            _instrument(library.instruments[one.code], one.scorings) for one in study.instruments
        ],
        "tables": [name for name in tables.NAMES if known.reads(name)],
        "days_only": known.days_only,
    }


def _timepoint(timepoint: Timepoint) -> dict[str, Any]:
    """A visit. One without an anchor is opened by hand and has no offset."""
    offset = {"count": timepoint.offset.count, "unit": timepoint.offset.unit}
    return {
        "code": timepoint.code,
        "labels": dict(timepoint.labels),
        "anchor": timepoint.anchor,
        "offset": None if timepoint.anchor is None else offset,
        "days_before": timepoint.before,
        "days_after": timepoint.after,
        "repeats": timepoint.repeat is not None,
        "instruments": list(timepoint.instruments),
    }


def _instrument(instrument: Instrument, scorings: tuple[str, ...]) -> dict[str, Any]:
    return {
        "code": instrument.code,
        "name": instrument.name,
        "version": instrument.version,
        "fingerprint": instrument.fingerprint,
        "items": len(instrument.items),
        "scorings": [_scoring(instrument, name) for name in scorings],
    }


def _scoring(instrument: Instrument, name: str) -> dict[str, Any]:
    found = instrument.scorings[name]
    scales = [{"code": code, "name": text} for code, text in found.names().items()]
    return {
        "name": found.name,
        "title": found.title,
        "algorithm": found.algorithm,
        "scales": scales,
    }

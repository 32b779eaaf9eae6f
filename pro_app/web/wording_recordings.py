"""Recordings of a stored text: to hear those that there are, and to bring more."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pro_app.core.wording import Wording
from pro_app.services import recordings
from pro_app.services.recordings import INSTRUCTION, LARGEST, LARGEST_WORDING, RecordingRefused
from pro_app.web import locale, sounds, staff_access
from pro_app.web.house import house
from pro_app.web.staff_access import Page, staff_only

blueprint = Blueprint(
    "wording_recordings", __name__, url_prefix="/staff/<study>/wording/recordings"
)
blueprint.url_value_preprocessor(staff_access.take_study)
SPOKEN = "instruction"  # the name of the file that is no item's


@blueprint.url_value_preprocessor
def _take_files(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """All recordings of a wording may come at once."""
    request.max_content_length = LARGEST_WORDING + LARGEST


@blueprint.get("")
@staff_only("administrator", fresh=True)
def index() -> str:
    """The texts of a wording, with what was recorded of each; or which wordings there are."""
    wording = _wording()
    if wording is None:
        return _choice()
    again = _("Nothing was stored. Please choose the files again.")
    return _page(wording, again if "again" in request.args else None)


def _wording() -> Wording | None:
    """The text that the address names, if it is licensed for the study."""
    return _licensed().get(request.args.get("of", ""))


def _licensed() -> dict[str, Wording]:
    """The texts that are or were licensed for the study, the newest first, by fingerprint."""
    wordings = staff_access.post().study.wordings
    return {one.wording: wordings.stored[one.wording] for one in reversed(wordings.licences)}


def _choice() -> str:
    return render_template(
        "wording_recordings/choose.html",
        texts=_licensed().values(),
        instruments=house().library.instruments,
        names=locale.NAMES,
        room="protocol.index",
    )


def _page(wording: Wording, fault: str | None) -> str:
    study = staff_access.post().study
    known = study.wordings.recordings.get(wording.fingerprint, {})
    return render_template(
        "wording_recordings/index.html",
        wording=wording,
        rows=[
            (item or SPOKEN, text, sounds.address(known[item]) if item in known else None)
            for item, text in [(INSTRUCTION, wording.instruction), *wording.items.items()]
        ],
        count=len(known),
        faults={} if fault is None else {"files": fault},
        is_read_aloud=study.definition.read_aloud,
        instrument=house().library.instruments[wording.instrument].name,
        spoken=locale.NAMES[wording.language],
        room="protocol.index",
    )


@blueprint.post("")
@staff_only("administrator")
def add() -> Page:
    """Store the chosen files: all or none."""
    here, now, wording = staff_access.post(), house().clock(), _wording()
    if wording is None:
        return _choice(), 422
    back = url_for(
        "wording_recordings.index", study=here.study.definition.code, of=wording.fingerprint
    )
    if not g.staff.is_fresh(now):  # the page that asks for a proof carries no files
        return redirect(f"{back}&again=1", 303)
    try:
        files = _files()
        with house().database.writing() as database:
            recordings.add(database, wording.fingerprint, files, here.person.actor, now)
    except RecordingRefused as refusal:
        return _page(wording, _says(refusal)), 422
    return redirect(back, 303)


def _files() -> dict[str, bytes]:
    """The chosen files by item; of one that is too large only so much as shows it. Raises
    RecordingRefused."""
    found: dict[str, bytes] = {}
    for one in request.files.getlist("files"):
        if not one.filename:
            continue
        stem = PurePath(one.filename).stem
        item = INSTRUCTION if stem == SPOKEN else stem
        if item in found:
            raise RecordingRefused(f"there are two files of {stem}", "twice", [item])
        found[item] = one.read(LARGEST + 1)
    return found


def _says(refusal: RecordingRefused) -> str:
    """What was refused, in plain words."""
    about = {
        "names": ", ".join(item or SPOKEN for item in refusal.items),
        "most": (LARGEST_WORDING if refusal.code == "total" else LARGEST) >> 20,
    }
    words = {
        "none": _("Please choose the recordings."),
        "item": _("No question of this questionnaire is called: %(names)s", **about),
        "twice": _("There are two files of: %(names)s", **about),
        "taken": _("There is a recording already, and it never changes: %(names)s", **about),
        "same": _("The same recording came more than once: %(names)s", **about),
        "wav": _("Too large for phones, please save as MP3, M4A or Ogg Opus: %(names)s", **about),
        "large": _("Larger than %(most)d MB, please save at 64 kbit/s or less: %(names)s", **about),
        "kind": _("No whole recording in MP3, M4A or Ogg Opus: %(names)s", **about),
        "total": _("All recordings of a text together have at most %(most)d MB.", **about),
    }
    return str(words[refusal.code])

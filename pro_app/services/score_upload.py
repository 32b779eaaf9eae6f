"""Scoring a file that somebody of the staff brings: only that it was done is stored."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from datetime import datetime
from tempfile import TemporaryFile
from typing import BinaryIO

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pro_app.core.instruments import Instrument
from pro_app.core.scoring import Scoring
from pro_app.models import Study
from pro_app.services import audit
from pro_app.services.score_file import score_data
from pro_app.services.score_file_rows import Form
from pro_app.services.score_file_summary import FileSummary, summarize
from pro_app.services.studies import CurrentStudy

SCORED = "score_file"  # what the study's trail calls it


@dataclass(frozen=True, slots=True)
class Wanted:
    """By which algorithm a file is to be scored, and whether a value that its item does not have
    counts as missing instead of refusing the file."""

    instrument: Instrument
    scoring: Scoring
    lenient: bool


def score(wanted: Wanted, data: bytes) -> BinaryIO:
    """The scored file of these bytes, as `pro-app score` writes it, in a file without a name.

    `FileRefused` when it has faults.
    """
    target: BinaryIO = TemporaryFile()  # noqa: SIM115 (closed with the answer)
    try:
        score_data(data, Form(wanted.instrument, wanted.scoring), target, wanted.lenient)
    except BaseException:
        target.close()
        raise
    target.seek(0)
    return target


def summary(wanted: Wanted, data: bytes) -> FileSummary:
    """What comes out of these bytes, scale by scale. `FileRefused` when the file has faults."""
    with io.TextIOWrapper(score(wanted, data), "utf-8", newline="") as scored:
        return summarize(wanted.scoring, scored)


def note(
    session: Session,
    study: CurrentStudy,
    wanted: Wanted,
    data: bytes,
    rows: int,
    actor: str,
    now: datetime,
) -> None:
    """Put on the study's record that a file was scored: by what, how many rows, and the file's
    SHA-256."""
    session.execute(sa.select(Study.id).where(Study.id == study.id).with_for_update())
    entry = audit.Entry(
        actor,
        SCORED,
        f"study/{study.definition.code}",
        new=str(rows),
        detail={
            "instrument": wanted.instrument.code,
            "algorithm": wanted.scoring.algorithm,
            "sha256": hashlib.sha256(data).hexdigest(),
        },
    )
    audit.record(session, audit.study_stream(study.id), now, [entry])

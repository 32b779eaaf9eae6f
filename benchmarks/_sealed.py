"""Answers by the byte for the submissions of a large study, for benchmarks that read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from pro_app.core.library import Library
from pro_app.models import Assessment, Database, SealedCodes, Submission
from pro_app.services import sealed_codes

AT_ONCE = 20_000


def seal(database: Database, library: Library) -> None:
    """Give every submission answers: one of the item's codes each, one in a hundred skipped."""
    chance = np.random.default_rng(1)
    with database.writing() as session:
        wanted = sa.select(
            Submission.id, Assessment.instrument, Submission.completed_at, Submission.mode
        ).join(Assessment, Assessment.id == Submission.assessment_id)
        found = session.execute(wanted.order_by(Submission.id)).all()
        for start in range(0, len(found), AT_ONCE):
            part = found[start : start + AT_ONCE]
            session.execute(sa.insert(SealedCodes), _rows(part, library, chance))


def _rows(
    part: Sequence[Any], library: Library, chance: np.random.Generator
) -> list[dict[str, object]]:
    codes: dict[str, np.ndarray] = {}
    layouts = {}
    for name in {row.instrument for row in part}:
        items = library.instruments[name].items
        layouts[name] = sealed_codes.layout(one.code for one in items)
        columns = [chance.choice(one.options.codes, len(part)) for one in items]
        made = np.array(columns, dtype=np.uint8).T.copy()
        made[chance.random(made.shape) < 0.01] = sealed_codes.SKIPPED
        codes[name] = made
    wordings = {name: getattr(library.wording(name, "ms"), "fingerprint", "") for name in layouts}
    return [
        {
            "submission_id": row.id,
            "layout": layouts[row.instrument],
            "codes": codes[row.instrument][n].tobytes(),
            "languages": "ms",
            "wordings": wordings[row.instrument],
            "completed_at": row.completed_at,
            "mode": row.mode,
        }
        for n, row in enumerate(part)
    ]

"""What a phone reports of its journal when the app starts."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, request
from werkzeug.wrappers import Response as BaseResponse

from pro_app.services import journals
from pro_app.web import access, batch
from pro_app.web.house import house

blueprint = Blueprint("journal", __name__)


@blueprint.post("/journal")
@access.audience("device")
@access.from_worker
def report() -> BaseResponse:
    """The journal's state: what waits, what has vanished, and whether the browser keeps it.

    Body: `journal` (its name), and, 0 or null if left out, `left` (entries that wait), `lost`
    (entries that a second witness says have vanished), `persisted` (true, false or null), `told`
    (true: the person has seen what was lost). Answer: `at` (the server's clock), `loss` (null, or
    the `count` of answers that were lost and that the person does not know of yet).
    """
    try:
        told = _read(request.get_json())
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        response = jsonify(error="body", reason=str(error))
        response.status_code = 422
        return response
    now, owner = house().clock(), access.owner()
    seen = told.pop("told")
    with house().database.writing() as database:
        journals.report(database, owner.device_id, **told, now=now)
        if seen:
            journals.tell(database, owner.participant_id, owner.device_id, now)
        count = journals.untold(database, owner.participant_id)
    return jsonify(at=now.isoformat(), loss={"count": count} if count else None)


def _read(body: Any) -> dict[str, Any]:
    journal = batch.name(body["journal"])
    persisted = body.get("persisted")
    if journal is None or not (persisted is None or isinstance(persisted, bool)):
        raise ValueError("journal or persisted")
    return {
        "journal": journal,
        "left": batch.count(body.get("left", 0)),
        "lost": batch.count(body.get("lost", 0)),
        "persisted": persisted,
        "told": body.get("told") is True,
    }

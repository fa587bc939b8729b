"""The call to SafetyAmp that a change stands for."""

from __future__ import annotations

from shared.clients.safetyamp import PATCHED
from shared.queries import answers
from shared.sync.documents.change import Change
from shared.sync.documents.outcome import Outcome
from shared.sync.model import EntityName
from shared.sync.planning.listing import RESOURCES

NOT_CALLED = frozenset({"waiting", "cancelled"})
"""Results without a call."""


def call_of(entity: EntityName, change: Change, outcome: Outcome | None) -> answers.Call | None:
    """Method and path of a change with its outcome; None when no call was made for it."""
    if outcome is None or outcome.result in NOT_CALLED or outcome.not_tried:
        return None
    resource = RESOURCES[entity]
    if change.action == "create":
        return {"method": "POST", "path": f"/api/{resource}"}
    return {
        "method": "PATCH" if resource in PATCHED else "PUT",
        "path": f"/api/{resource}/{outcome.target_id or change.target_id}",
    }

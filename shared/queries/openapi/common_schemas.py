"""What several answers have in common: phases, changes, problems."""

from __future__ import annotations

from typing import get_args

from shared.queries.changes import PLANNED
from shared.queries.openapi.shapes import (
    ANY,
    COUNT,
    FLAG,
    TARGET_ID,
    TEXT,
    TIME,
    Schema,
    closed,
    described,
    list_of,
    map_of,
    maybe,
    one_of,
)
from shared.sign_in import ROLES
from shared.sync.documents.outcome import RESULTS
from shared.sync.documents.runs import RUN_PHASES, EntityPhase
from shared.sync.model import ACTIONS, ENTITIES
from shared.sync.runs.finish import COUNTS

ENTITY = one_of(*ENTITIES)
ACTION = one_of(*ACTIONS)
RUN_ID: Schema = {"type": "string", "pattern": r"^[0-9]{8}-[0-9]{6}-[0-9a-f]{6}$"}
RUN_PHASE = one_of(*RUN_PHASES)
ENTITY_PHASE = one_of(*get_args(EntityPhase))
MODE = one_of("plan", "apply")
CALLS = described(map_of(COUNT), "Calls per upstream.")
FIELDS = described(map_of(ANY), "SafetyAmp's field names with JSON values.")
ERRORS = described(map_of(list_of(TEXT)), "SafetyAmp's texts by field.")
PER_ENTITY_COUNTS = {name: COUNT for name in COUNTS}

PROBLEM: Schema = {
    **closed(type=TEXT, status={"type": "integer"}, title=TEXT, detail=TEXT, hint=TEXT),
    "properties": {
        **closed(type=TEXT, status={"type": "integer"}, title=TEXT, detail=TEXT, hint=TEXT)["properties"],
        "run_id": RUN_ID,
        "url": TEXT,
        "problems": list_of(TEXT),
        "needed_role": one_of(*ROLES),
    },
    "description": "Problem details (RFC 9457); `hint` says what to do.",
}

CHANGE_MEMBERS: dict[str, Schema] = {
    "entity": ENTITY,
    "key": TEXT,
    "action": ACTION,
    "result": described(one_of(PLANNED, *RESULTS), "`planned`: nothing has become of it yet."),
    "target_id": maybe(TARGET_ID),
    "before": FIELDS,
    "after": described(map_of(ANY), "A reference that is not resolved yet is {entity, key}."),
    "adopted": described(FLAG, "A creation without an answer was found to have happened."),
    "dropped": ERRORS,
    "errors": ERRORS,
    "reason": maybe(TEXT),
    "at": maybe(TIME),
    "warnings": list_of(TEXT),
}
CALL = described(maybe(closed(method=TEXT, path=TEXT)), "The call to SafetyAmp; null when none was made.")
PAUSES = map_of(closed(at=TIME, reason=TEXT, who=maybe(TEXT)))
RECORD_PROBLEM = closed(key=TEXT, kind=TEXT, reason=maybe(TEXT), field=maybe(TEXT))
REJECTED = maybe(closed(key=TEXT, kind=one_of("skipped", "invalid"), reason=TEXT, field=maybe(TEXT)))

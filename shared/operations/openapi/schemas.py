"""What answers look like: the components of the OpenAPI description.

Objects are closed, so that a member which is not described here fails the tests that check real answers.
"""

from __future__ import annotations

from typing import get_args

from shared.operations.changes import PLANNED
from shared.operations.next_step import Verdict
from shared.operations.openapi.shapes import (
    ANY,
    COUNT,
    FLAG,
    NUMBER,
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
    ref,
)
from shared.sync.finish import COUNTS
from shared.sync.look import Found
from shared.sync.model import ACTIONS, ENTITIES
from shared.sync.outcome import RESULTS
from shared.sync.runs import RUN_PHASES, EntityPhase

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

SUMMARY = closed(
    run_id=RUN_ID,
    url=TEXT,
    phase=RUN_PHASE,
    mode=MODE,
    cause=TEXT,
    refresh=FLAG,
    keys=list_of(TEXT),
    requested_at=TIME,
    finished_at=maybe(TIME),
    counts=map_of(COUNT),
    entities=map_of(closed(phase=ENTITY_PHASE, reason=maybe(TEXT))),
)

ENTITY_REPORT: Schema = {
    **closed(
        phase=ENTITY_PHASE,
        held=FLAG,
        reason=maybe(TEXT),
        planned=map_of(COUNT),
        problems=list_of(RECORD_PROBLEM),
        problems_total=COUNT,
        problems_by_kind=map_of(COUNT),
        vanished=closed(count=COUNT, keys=list_of(TEXT)),
        progress=closed(
            batches=maybe(COUNT),
            batches_done=maybe(COUNT),
            changes=maybe(COUNT),
            changes_done=maybe(COUNT),
            ends_about=maybe(TIME),
        ),
    ),
}
ENTITY_REPORT["properties"] = {**ENTITY_REPORT["properties"], **PER_ENTITY_COUNTS}

RUN = closed(
    run_id=RUN_ID,
    url=TEXT,
    changes_url=TEXT,
    phase=RUN_PHASE,
    mode=MODE,
    cause=TEXT,
    refresh=FLAG,
    retry_failed=FLAG,
    keys=list_of(TEXT),
    requested_at=TIME,
    finished_at=maybe(TIME),
    duration_seconds=maybe(NUMBER),
    calls=CALLS,
    waited_seconds=NUMBER,
    entities=map_of(ENTITY_REPORT),
)

STEPS = closed(
    source=maybe(closed(found=FLAG, record=maybe(FIELDS))),
    rejected=REJECTED,
    mapped=maybe(closed(mapped=FIELDS, defaults=FIELDS, active=FLAG, warnings=list_of(TEXT))),
    target=maybe(closed(found=one_of(*get_args(Found)), target_ids=list_of(TARGET_ID), known=maybe(FIELDS))),
    problems=maybe(list_of(TEXT)),
    difference=maybe(closed(action=ACTION, before=FIELDS, after=FIELDS)),
    call=CALL,
    result=maybe(
        closed(
            **{
                name: CHANGE_MEMBERS[name]
                for name in ("result", "target_id", "adopted", "dropped", "errors", "reason", "at")
            }
        )
    ),
)

NEXT = closed(
    verdict=one_of(*get_args(Verdict)),
    reason=TEXT,
    suggestion=TEXT,
    at=described(maybe(TIME), "When the run begins that does it; null when no run will."),
    run_url=maybe(TEXT),
    approve_url=maybe(TEXT),
)

EXPLANATION = closed(
    entity=ENTITY,
    key=TEXT,
    at=TIME,
    summary=described(list_of(TEXT), "The answer in four sentences, without values."),
    source=closed(read=FLAG, problem=maybe(TEXT), found=maybe(FLAG), record=maybe(FIELDS)),
    mapped=maybe(closed(fields=FIELDS, defaults=FIELDS, active=FLAG, warnings=list_of(TEXT))),
    rejected=REJECTED,
    notes=list_of(TEXT),
    safetyamp=closed(
        known=FLAG,
        as_of_run=maybe(TEXT),
        found=one_of("yes", "no", "several", "unsure"),
        target_ids=list_of(TARGET_ID),
        fields=maybe(FIELDS),
        switched_off_by_run=maybe(TEXT),
        refused_fields=list_of(TEXT),
        failure=maybe(closed(at=maybe(TIME), errors=ERRORS, suggestion=TEXT)),
    ),
    difference=maybe(closed(action=ACTION, before=FIELDS, after=FIELDS)),
    history=closed(
        changes=list_of(
            closed(
                run_id=RUN_ID,
                url=TEXT,
                run_phase=RUN_PHASE,
                entity_phase=ENTITY_PHASE,
                requested_at=TIME,
                batch=COUNT,
                call=CALL,
                **CHANGE_MEMBERS,
            )
        ),
        runs_searched=COUNT,
    ),
    next=NEXT,
)

FAILURES = closed(
    total=COUNT,
    groups=list_of(
        closed(
            entity=ENTITY,
            kind=TEXT,
            cause=TEXT,
            suggestion=TEXT,
            since=TIME,
            since_at_least=described(FLAG, "It may be older: that was the oldest run looked at."),
            count=COUNT,
            keys=list_of(TEXT),
        )
    ),
    entities=list_of(
        closed(
            entity=ENTITY,
            phase=ENTITY_PHASE,
            reason=maybe(TEXT),
            run_id=RUN_ID,
            url=TEXT,
            at=maybe(TIME),
            suggestion=TEXT,
        )
    ),
)

DEAD_LETTER = closed(
    id=TEXT,
    queue=TEXT,
    message_id=maybe(TEXT),
    reason=TEXT,
    delivery_count=COUNT,
    at=TIME,
    run_id=maybe(TEXT),
    entity=maybe(ENTITY),
    batch=maybe(COUNT),
    can_be_resubmitted=FLAG,
    advice=TEXT,
)

STATUS = closed(
    at=TIME,
    dependencies=list_of({"type": "object"}),
    breakers=map_of(
        closed(
            name=TEXT,
            state=one_of("closed", "open", "half-open"),
            failures=COUNT,
            retry_after_seconds=NUMBER,
        )
    ),
    limiter=closed(
        used=COUNT, limit=maybe(COUNT), blocked_seconds=NUMBER, period_seconds=NUMBER, reserve=COUNT
    ),
    queues=closed(entities_waiting=COUNT, batches_due=COUNT, batches_scheduled=COUNT, dead_letters=COUNT),
    schedules=map_of(closed(schedule=TEXT, next=maybe(TIME))),
    paused=PAUSES,
    active_run=maybe(ref("RunSummary")),
    last_runs=list_of(ref("RunSummary")),
    last_good_run_ended_at=maybe(TIME),
    versions=map_of({"type": ["string", "integer", "null"]}),
)

SCHEMAS: dict[str, Schema] = {
    "Problem": PROBLEM,
    "RunSummary": SUMMARY,
    "Run": RUN,
    "Change": closed(**CHANGE_MEMBERS),
    "Explanation": EXPLANATION,
    "Failures": FAILURES,
    "DeadLetter": DEAD_LETTER,
    "Status": STATUS,
    "Started": closed(run_id=RUN_ID, url=TEXT),
    "RecordSync": closed(
        run_id=RUN_ID,
        url=TEXT,
        entity=ENTITY,
        key=TEXT,
        mode=MODE,
        phase=RUN_PHASE,
        reason=maybe(TEXT),
        steps=STEPS,
    ),
    "Control": closed(paused=PAUSES),
}

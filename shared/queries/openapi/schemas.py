"""What answers look like: the components of the OpenAPI description.

Objects are closed, so that a member which is not described here fails the tests that check real answers.
"""

from __future__ import annotations

from shared.queries.openapi.common_schemas import (
    CALLS,
    CHANGE_MEMBERS,
    ENTITY,
    ENTITY_PHASE,
    MODE,
    PAUSES,
    PER_ENTITY_COUNTS,
    PROBLEM,
    RECORD_PROBLEM,
    RUN_ID,
    RUN_PHASE,
)
from shared.queries.openapi.record_schemas import EXPLANATION, RECORD_SYNC
from shared.queries.openapi.shapes import (
    COUNT,
    FLAG,
    NUMBER,
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
from shared.sync.model import ACTIONS

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
    problem=described(maybe(TEXT), "The run's document cannot be read; the rest is a guess."),
)

LEFT_OUT = closed(
    key=TEXT,
    action=one_of(*ACTIONS),
    reason=TEXT,
    now=maybe(closed(action=one_of(*ACTIONS), fields=list_of(TEXT))),
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
        left_out=described(
            closed(count=COUNT, changes=list_of(LEFT_OUT)),
            "What somebody approved and what was no longer wanted in the same form by then",
        ),
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

FAILURES = closed(
    total=COUNT,
    groups=list_of(
        closed(
            entity=ENTITY,
            kind=TEXT,
            cause=TEXT,
            suggestion=TEXT,
            since=TIME,
            at=described(TIME, "When it was last tried or found."),
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
    at=maybe(TIME),
    run_id=maybe(TEXT),
    entity=maybe(ENTITY),
    batch=maybe(COUNT),
    can_be_resubmitted=FLAG,
    advice=TEXT,
)

STATUS = closed(
    at=TIME,
    dependencies=list_of(
        closed(
            name=TEXT,
            status=one_of("ok", "warning", "failed", "skipped"),
            ok=FLAG,
            text=TEXT,
            advice=TEXT,
            latency_ms=maybe(COUNT),
            settings=list_of(TEXT),
        )
    ),
    breakers=map_of(
        closed(
            name=TEXT,
            state=one_of("closed", "open", "half-open"),
            failures=COUNT,
            retry_after_seconds=NUMBER,
            open_seconds=NUMBER,
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
    problems=described(list_of(TEXT), "Documents that cannot be read."),
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
    "RecordSync": RECORD_SYNC,
    "Control": closed(paused=PAUSES),
}

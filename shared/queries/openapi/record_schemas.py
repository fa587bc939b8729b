"""What the answers about one record look like."""

from __future__ import annotations

from typing import get_args

from shared.queries.next_step import Verdict
from shared.queries.openapi.common_schemas import (
    ACTION,
    CALL,
    CHANGE_MEMBERS,
    ENTITY,
    ENTITY_PHASE,
    ERRORS,
    FIELDS,
    MODE,
    REJECTED,
    RUN_ID,
    RUN_PHASE,
)
from shared.queries.openapi.shapes import (
    COUNT,
    FLAG,
    TARGET_ID,
    TEXT,
    TIME,
    closed,
    described,
    list_of,
    maybe,
    one_of,
)
from shared.sync.planning.record_view import Found

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
        not_listed_since_run=described(
            maybe(TEXT), "The run whose listing lacked the record first, while it is not known to be deleted."
        ),
        target_ids=list_of(TARGET_ID),
        fields=maybe(FIELDS),
        switched_off_by_run=maybe(TEXT),
        refused_fields=list_of(TEXT),
        failure=maybe(closed(since=maybe(TIME), at=maybe(TIME), errors=ERRORS, suggestion=TEXT)),
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

RECORD_SYNC = closed(
    run_id=RUN_ID,
    url=TEXT,
    entity=ENTITY,
    key=TEXT,
    mode=MODE,
    phase=RUN_PHASE,
    reason=maybe(TEXT),
    steps=STEPS,
)

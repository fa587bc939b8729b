"""Every route of the app as data: what may be asked, and which answers there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.queries.cache_names import ALL, CACHED
from shared.queries.changes import PLANNED
from shared.queries.openapi.common_schemas import ENTITY, MODE, RUN_ID, RUN_PHASE
from shared.queries.openapi.shapes import COUNT as COUNT_SCHEMA
from shared.queries.openapi.shapes import (
    FLAG,
    LINE,
    TEXT,
    Schema,
    closed,
    described,
    list_of,
    maybe,
    one_of,
    optional,
    ref,
)
from shared.sign_in import ROLES
from shared.sync.documents.outcome import RESULTS
from shared.sync.model import ACTIONS, ENTITIES

ENTITY_OR_ALL = one_of("all", *ENTITIES)
BOOLEAN = one_of("true", "false")
JSON, PROBLEM_JSON = "application/json", "application/problem+json"
FOUND_RECORD = closed(key=TEXT, name=TEXT, in_source=FLAG, in_safetyamp=FLAG)
FOUND_RECORD["properties"]["note"] = described(
    TEXT, "What else should be known; absent where there is nothing."
)
READY = closed(status=one_of("ready", "not ready"), missing=list_of(TEXT))


@dataclass(frozen=True)
class Operation:
    """One method of one path. `answers`: status -> content type -> schema (None: any text).

    Problems are added by themselves: 400, 401, 403, 500 and 503 to all that are not anonymous; `problems` are
    further ones.
    """

    method: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, Mapping[str, Schema]]
    query: Mapping[str, Schema] = field(default_factory=dict)
    required_query: tuple[str, ...] = ()
    body: Schema | None = None
    problems: tuple[int, ...] = ()
    anonymous: bool = False
    headers: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def number(most: int, default: int) -> Schema:
    """A whole number from one."""
    return {"type": "integer", "minimum": 1, "maximum": most, "default": default}


def answer(schema: Schema, status: int = 200) -> dict[int, dict[str, Schema]]:
    """The one good answer, in JSON."""
    return {status: {JSON: schema}}


STARTED = answer(ref("Started"), 202)
LOCATED = {202: ("Location",)}
CURSOR = described(LINE, "The `next` of the page before.")
PATH_PARAMETERS: dict[str, dict[str, Schema]] = {
    "/api/sync/{entity}": {"entity": ENTITY_OR_ALL},
    "/api/pause/{entity}": {"entity": ENTITY_OR_ALL},
    "/api/resume/{entity}": {"entity": ENTITY_OR_ALL},
    "/api/records/{entity}": {"entity": ENTITY},
    "/api/records/{entity}/{key}": {
        "entity": ENTITY,
        "key": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[0-9A-Za-z .:_~-]+$"},
    },
    "/api/runs/{run_id}": {"run_id": RUN_ID},
    "/api/runs/{run_id}/report": {"run_id": RUN_ID},
    "/api/runs/{run_id}/changes": {"run_id": RUN_ID},
    "/api/runs/{run_id}/approve": {"run_id": RUN_ID},
    "/api/runs/{run_id}/cancel": {"run_id": RUN_ID},
    "/api/cache/{name}": {"name": one_of(*CACHED, ALL)},
}

WHO = "Who pauses it; kept with the pause. Below /entra it is who has signed in, whatever is said here."
PAUSE_BODY = {"reason": LINE, "who": described(maybe(LINE), WHO)}

OPERATIONS: tuple[Operation, ...] = (
    Operation("get", "/health", "health", "The process answers", anonymous=True, answers=answer(
        closed(status=one_of("healthy"), version=TEXT))),
    Operation("get", "/ready", "ready", "Whether a run could work, and what is missing", anonymous=True,
        answers={200: {JSON: READY}, 503: {JSON: READY}}),
    Operation("get", "/metrics", "metrics", "Figures for Prometheus", answers={200: {"text/plain": TEXT}}),
    Operation("get", "/dashboard", "dashboard", "The operators' page; it asks this API for what it shows",
        anonymous=True, answers={200: {"text/html": TEXT}}),
    Operation("get", "/api/openapi.json", "openapi", "This description", answers=answer({"type": "object"})),
    Operation("get", "/api/me", "me", "Whom the app takes the caller for, and what that allows",
        answers=answer(closed(
            sign_in=one_of("keys", "entra"), kind=one_of("key", "person", "app"),
            id=described(maybe(TEXT), "Object id in Entra; null for a key."), name=maybe(TEXT),
            roles=list_of(one_of(*ROLES)), may=described(list_of(TEXT), "Operations, by operationId.")))),
    Operation("get", "/api/status", "status", "Dependencies, breakers, limiter, queues, schedules, runs",
        answers=answer(ref("Status"))),
    Operation(
        "post", "/api/sync/{entity}", "sync",
        "Start a run; with `key` sync that one record and answer with each step",
        query={
            "mode": MODE,
            "refresh": described(BOOLEAN, "List SafetyAmp anew instead of trusting what is known of it."),
            "retry_failed": described(
                BOOLEAN, "Try records again that SafetyAmp refused. Default: as `refresh`; with `key` true."
            ),
            "key": described(LINE, "One record of the entity. Answers within two minutes: 200 when it is"
                " done, 202 when the run goes on by itself."),
        },
        answers={200: {JSON: ref("RecordSync")}, 202: {JSON: {"anyOf": [ref("Started"), ref("RecordSync")]}}},
        problems=(404, 409), headers=LOCATED,
    ),
    Operation(
        "get", "/api/runs", "list_runs", "Runs, newest first",
        query={
            "phase": RUN_PHASE, "entity": ENTITY, "cause": LINE,
            "since": {"type": "string", "format": "date-time"},
            "limit": number(100, 20), "cursor": described(RUN_ID, "The `next` of the page before."),
        },
        answers=answer(closed(runs=list_of(ref("RunSummary")), next=described(
            maybe(TEXT), "Where the next page begins, which there may be although this one is not full."))),
    ),
    Operation("get", "/api/runs/{run_id}", "show_run", "Progress, counts, calls, waits and problems of a run",
        answers=answer(ref("Run")), problems=(404,)),
    Operation("get", "/api/runs/{run_id}/report", "show_report", "The report of a run, to read or print",
        answers={200: {"text/html": TEXT}}, problems=(404,)),
    Operation(
        "get", "/api/runs/{run_id}/changes", "list_changes", "Changes with before and after",
        query={
            "entity": ENTITY, "action": one_of(*ACTIONS), "result": one_of(PLANNED, *RESULTS), "key": LINE,
            "format": one_of("json", "csv"), "limit": number(500, 100),
            "cursor": {"type": "string", "pattern": r"^[0-9]{1,2}\.[0-9]{1,6}\.[0-9]{1,6}$"},
        },
        answers={200: {
            JSON: closed(changes=list_of(ref("Change")), next=maybe(TEXT), problems=described(
                list_of(TEXT), "Documents that cannot be read.")), "text/csv": TEXT}},
        problems=(404,),
    ),
    Operation("post", "/api/runs/{run_id}/approve", "approve_run", "Let the held plans of a run go on",
        answers=STARTED, problems=(404, 409), headers=LOCATED),
    Operation("post", "/api/runs/{run_id}/cancel", "cancel_run", "Stop a run; what was done stays done",
        answers=STARTED, problems=(404, 409), headers=LOCATED),
    Operation("get", "/api/records/{entity}/{key}", "explain_record",
        "Explain a record: source, SafetyAmp, difference, history, what comes next",
        answers=answer(ref("Explanation")), problems=(404,)),
    Operation("get", "/api/records/{entity}", "explain_any_record",
        "The same for keys that no path can hold, such as the title A/B",
        query={"key": LINE}, required_query=("key",), answers=answer(ref("Explanation")), problems=(404,)),
    Operation(
        "post", "/api/search", "search_records",
        "Keys of records by name or e-mail, in the source or in SafetyAmp",
        body=closed(text=LINE) | {"properties": {"text": LINE, "entity": ENTITY}},
        answers=answer(closed(
            found=list_of(FOUND_RECORD),
            more=FLAG,
            problem=described(maybe(TEXT), "Why the source could not be looked through."),
        )),
        problems=(413,),
    ),
    Operation("get", "/api/failures", "list_failures", "What fails, by cause, with what to do",
        answers=answer(ref("Failures"))),
    Operation(
        "post", "/api/failures/retry", "retry_failures",
        "Start a run that also tries what SafetyAmp refused: everything, an entity, or some of its keys",
        body=optional(entity=ENTITY, keys={**list_of(LINE), "minItems": 1, "maxItems": 500})
        | {"dependentRequired": {"keys": ["entity"]}},
        answers=STARTED, problems=(409, 413), headers=LOCATED,
    ),
    Operation("get", "/api/dead-letters", "list_dead_letters", "Messages that were given up",
        query={"limit": number(200, 50), "cursor": CURSOR},
        answers=answer(closed(dead_letters=list_of(ref("DeadLetter")), next=maybe(TEXT)))),
    Operation(
        "post", "/api/dead-letters/resubmit", "resubmit_dead_letters",
        "Send again what an active run still lacks, of these dead letters or of all",
        body=optional(ids={**list_of(LINE), "minItems": 1, "maxItems": 200}),
        answers=answer(closed(results=list_of(closed(id=TEXT, sent=FLAG, advice=TEXT)))), problems=(413,),
    ),
    Operation("get", "/api/control", "show_control", "What is paused", answers=answer(ref("Control"))),
    Operation("post", "/api/pause", "pause", "Pause an entity or all",
        query={"reason": LINE, "who": LINE}, body=optional(entity=ENTITY_OR_ALL, **PAUSE_BODY),
        answers=answer(ref("Control")), problems=(413,)),
    Operation("post", "/api/pause/{entity}", "pause_entity", "The same with the entity in the path",
        query={"reason": LINE, "who": LINE}, body=optional(**PAUSE_BODY),
        answers=answer(ref("Control")), problems=(413,)),
    Operation("post", "/api/resume", "resume", "Resume an entity or all",
        body=optional(entity=ENTITY_OR_ALL), answers=answer(ref("Control")), problems=(413,)),
    Operation("post", "/api/resume/{entity}", "resume_entity", "The same with the entity in the path",
        answers=answer(ref("Control")), problems=(413,)),
    Operation("delete", "/api/cache/{name}", "delete_cache", "Forget a cached listing or all",
        answers=answer(closed(deleted=COUNT_SCHEMA)), problems=(404,)),
)  # fmt: skip


def parameters(operation: Operation) -> list[dict[str, Any]]:
    """The operation's parameters in OpenAPI's form."""
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in PATH_PARAMETERS.get(operation.path, {}).items()
    ]
    in_query = [
        {"name": name, "in": "query", "required": name in operation.required_query, "schema": schema}
        for name, schema in operation.query.items()
    ]
    return in_path + in_query

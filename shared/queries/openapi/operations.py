"""Every route of the app as data: what may be asked, and which answers there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from shared.queries import answers
from shared.queries.answers import ChangeResult, RunId, Time
from shared.queries.decisions import DECISION_ID
from shared.queries.openapi import requests
from shared.queries.openapi.requests import CachedOrAll, ChangeCursor, EntityOrAll, Flag, Key, Line, PageSize
from shared.sync.decisions.record import DecisionAction
from shared.sync.documents.runs import Mode, RunPhase
from shared.sync.findings.causes import Owner
from shared.sync.model import Action, EntityName

JSON, PROBLEM_JSON = "application/json", "application/problem+json"


@dataclass(frozen=True)
class Operation:
    """One method of one path, in types, of which the schemas are made. `answers`: status -> content type ->
    type.

    Problems are added by themselves: 400, 401, 403, 500 and 503 to all that are not anonymous; `problems` are
    further ones.
    """

    method: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, Mapping[str, object]]
    query: Mapping[str, object] = field(default_factory=dict)
    required_query: tuple[str, ...] = ()
    body: type | None = None
    problems: tuple[int, ...] = ()
    anonymous: bool = False
    headers: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def limit(size: PageSize) -> object:
    """How many items a page may have."""
    return Annotated[int, Field(ge=1, le=size.most, json_schema_extra={"default": size.default})]


def described(kind: object, text: str) -> object:
    """The type with a sentence."""
    return Annotated[kind, Field(description=text)]


def answer(kind: object, status: int = 200) -> dict[int, dict[str, object]]:
    """The one good answer, in JSON."""
    return {status: {JSON: kind}}


STARTED = answer(answers.Started, 202)
LOCATED = {202: ("Location",)}
CURSOR = "The `next` of the page before."
DecisionId = Annotated[str, Field(pattern=f"^{DECISION_ID.pattern}$")]
DECIDING: Mapping[str, object] = {
    "reason": described(Line, requests.REASON), "who": described(Line, requests.WHO)
}  # fmt: skip
"""The same may be said in the body, which wins."""
PATH_PARAMETERS: dict[str, dict[str, object]] = {
    "/api/sync/{entity}": {"entity": EntityOrAll},
    "/api/pause/{entity}": {"entity": EntityOrAll},
    "/api/resume/{entity}": {"entity": EntityOrAll},
    "/api/records/{entity}": {"entity": EntityName},
    "/api/history/{entity}": {"entity": EntityName},
    "/api/records/{entity}/{key}": {"entity": EntityName, "key": Key},
    "/api/runs/{run_id}": {"run_id": RunId},
    "/api/runs/{run_id}/report": {"run_id": RunId},
    "/api/runs/{run_id}/plan": {"run_id": RunId},
    "/api/runs/{run_id}/changes": {"run_id": RunId},
    "/api/runs/{run_id}/approve": {"run_id": RunId},
    "/api/runs/{run_id}/cancel": {"run_id": RunId},
    "/api/rules/preview/{run_id}": {"run_id": RunId},
    "/api/cache/{name}": {"name": CachedOrAll},
}

OPERATIONS: tuple[Operation, ...] = (
    Operation("get", "/health", "health", "The process answers", anonymous=True,
        answers=answer(answers.Health)),
    Operation("get", "/ready", "ready", "Whether a run could work, and what is missing", anonymous=True,
        answers={200: {JSON: answers.Readiness}, 503: {JSON: answers.Readiness}}),
    Operation("get", "/metrics", "metrics", "Figures for Prometheus", answers={200: {"text/plain": str}}),
    Operation("get", "/dashboard", "dashboard", "The operators' page; it asks this API for what it shows",
        anonymous=True, answers={200: {"text/html": str}}),
    Operation("get", "/api/openapi.json", "openapi", "This description",
        answers=answer(dict[str, JsonValue])),
    Operation("get", "/api/me", "me", "Whom the app takes the caller for, and what that allows",
        answers=answer(answers.Me)),
    Operation("get", "/api/status", "status", "Dependencies, breakers, limiter, queues, schedules, runs",
        answers=answer(answers.Status)),
    Operation("get", "/api/last-calls", "last_calls", "The last calls to SafetyAmp, without ids",
        answers=answer(answers.LastCalls)),
    Operation("get", "/api/settings", "settings",
        "Every setting: what counts, and where it comes from; secrets are hidden",
        answers=answer(answers.SettingList)),
    Operation(
        "post", "/api/sync/{entity}", "sync",
        "Start a run; with `key` sync that one record and answer with each step",
        query={
            "mode": Mode,
            "refresh": described(Flag, "List SafetyAmp anew instead of trusting what is known of it."),
            "retry_failed": described(
                Flag, "Try records again that SafetyAmp refused. Default: as `refresh`; with `key` true."
            ),
            "key": described(Line, "One record of the entity. Answers within two minutes: 200 when it is"
                " done, 202 when the run goes on by itself."),
            **DECIDING,
        },
        answers={200: {JSON: answers.RecordSync}, 202: {JSON: answers.Started | answers.RecordSync}},
        problems=(404, 409), headers=LOCATED,
    ),
    Operation(
        "get", "/api/runs", "list_runs", "Runs, newest first",
        query={
            "phase": RunPhase, "entity": EntityName, "cause": Line,
            "since": Time, "limit": limit(requests.RUNS_PER_PAGE), "cursor": described(RunId, CURSOR),
        },
        answers=answer(answers.RunPage),
    ),
    Operation("get", "/api/trends", "show_trends", "Changes, findings, calls and durations of the last days",
        query={"days": limit(requests.TREND_DAYS)}, answers=answer(answers.Trends)),
    Operation("get", "/api/runs/{run_id}", "show_run", "Progress, counts, calls, waits and problems of a run",
        answers=answer(answers.Run), problems=(404,)),
    Operation("get", "/api/runs/{run_id}/report", "show_report", "The report of a run, to read or print",
        answers={200: {"text/html": str}}, problems=(404,)),
    Operation(
        "get", "/api/runs/{run_id}/plan", "show_plan",
        "What a run plans, in the order of danger, with names and why somebody's access changes",
        query={"format": Literal["json", "html", "csv"], "limit": limit(requests.PLANNED_PER_PART)},
        answers={200: {JSON: answers.RunPlan, "text/html": str, "text/csv": str}}, problems=(404,)),
    Operation(
        "get", "/api/runs/{run_id}/changes", "list_changes", "Changes with before and after",
        query={
            "entity": EntityName, "action": Action, "result": ChangeResult, "key": Line,
            "format": Literal["json", "csv"], "limit": limit(requests.CHANGES_PER_PAGE),
            "cursor": ChangeCursor,
        },
        answers={200: {JSON: answers.ChangePage, "text/csv": str}},
        problems=(404,),
    ),
    Operation("post", "/api/runs/{run_id}/approve", "approve_run", "Let what a run holds go on",
        query=DECIDING, body=requests.Deciding, answers=STARTED, problems=(404, 409, 413), headers=LOCATED),
    Operation("post", "/api/runs/{run_id}/cancel", "cancel_run", "Stop a run; what was done stays done",
        query=DECIDING, body=requests.Deciding, answers=STARTED, problems=(404, 409, 413), headers=LOCATED),
    Operation("get", "/api/records/{entity}/{key}", "explain_record",
        "Explain a record: source, SafetyAmp, difference, history, what comes next",
        answers=answer(answers.Explanation), problems=(404,)),
    Operation("get", "/api/records/{entity}", "explain_any_record",
        "The same for keys that no path can hold, such as the title A/B",
        query={"key": Line}, required_query=("key",), answers=answer(answers.Explanation), problems=(404,)),
    Operation(
        "get", "/api/history/{entity}", "list_history", "All changes of a record in the runs that are kept",
        query={
            "key": Line, "format": Literal["json", "csv"], "limit": limit(requests.HISTORY_PER_PAGE),
            "cursor": described(RunId, CURSOR),
        },
        required_query=("key",), answers={200: {JSON: answers.RecordHistory, "text/csv": str}}),
    Operation(
        "post", "/api/search", "search_records",
        "Keys of records by name or e-mail, in the source or in SafetyAmp",
        body=requests.SearchRequest, answers=answer(answers.FoundRecords),
        problems=(413,),
    ),
    Operation("post", "/api/names", "name_records", "What records of an entity are called",
        body=requests.NamesRequest, answers=answer(answers.Names), problems=(413,)),
    Operation("get", "/api/failures", "list_failures", "What fails, by cause, with what to do",
        answers=answer(answers.Failures)),
    Operation(
        "get", "/api/fix-list", "fix_list",
        "What is to be mended, of one owner or of all, with names, values and what to enter where",
        query={
            "owner": described(Owner, "Whose it is (docs/findings.md); all without it."),
            "format": Literal["json", "html", "csv"],
        },
        answers={200: {JSON: answers.FixList, "text/html": str, "text/csv": str}},
    ),
    Operation(
        "post", "/api/failures/retry", "retry_failures",
        "Start a run that also tries what SafetyAmp refused: everything, an entity, or some of its keys",
        query=DECIDING, body=requests.RetryRequest, answers=STARTED, problems=(409, 413), headers=LOCATED,
    ),
    Operation("get", "/api/dead-letters", "list_dead_letters", "Messages that were given up",
        query={"limit": limit(requests.LETTERS_PER_PAGE), "cursor": described(Line, CURSOR)},
        answers=answer(answers.DeadLetterPage)),
    Operation(
        "post", "/api/dead-letters/resubmit", "resubmit_dead_letters",
        "Send again what an active run still lacks, of these dead letters or of all",
        query=DECIDING, body=requests.ResubmitRequest, answers=answer(answers.Resubmissions), problems=(413,),
    ),
    Operation("get", "/api/control", "show_control", "What is paused", answers=answer(answers.Control)),
    Operation("post", "/api/pause", "pause", "Pause an entity or all",
        query=DECIDING, body=requests.EntityRequest,
        answers=answer(answers.Control), problems=(413,)),
    Operation("post", "/api/pause/{entity}", "pause_entity", "The same with the entity in the path",
        query=DECIDING, body=requests.Deciding,
        answers=answer(answers.Control), problems=(413,)),
    Operation("post", "/api/resume", "resume", "Resume an entity or all",
        query=DECIDING, body=requests.EntityRequest, answers=answer(answers.Control), problems=(413,)),
    Operation("post", "/api/resume/{entity}", "resume_entity", "The same with the entity in the path",
        query=DECIDING, body=requests.Deciding, answers=answer(answers.Control), problems=(413,)),
    Operation("get", "/api/rules", "show_rules", "The rules in force, or a version of them",
        query={"version": described(requests.Number, "0 is the default file; without it what is in force.")},
        answers=answer(answers.Rules), problems=(404,)),
    Operation("get", "/api/rules/history", "list_rules", "Which rules were in force since when, and why",
        answers=answer(answers.RulesHistory)),
    Operation("get", "/api/rules/diff", "compare_rules", "What two versions of the rules say otherwise",
        query={
            "a": described(requests.Number, "0 is the default file."),
            "b": described(requests.Number, "Without it the version in force."),
        },
        required_query=("a",), answers=answer(answers.RulesDiff), problems=(404,)),
    Operation("post", "/api/rules", "push_rules", "Put other rules in force, for runs that begin from now on",
        query=DECIDING, body=requests.PushRequest, answers=answer(answers.RulesPut), problems=(409, 413)),
    Operation("post", "/api/rules/rollback", "roll_back_rules", "Put a former version of the rules in force",
        query=DECIDING, body=requests.RollbackRequest, answers=answer(answers.RulesPut),
        problems=(404, 409, 413)),
    Operation("post", "/api/rules/preview", "preview_rules", "Plan under other rules, and change nothing",
        body=requests.PreviewRequest, answers=STARTED, problems=(409, 413), headers=LOCATED),
    Operation("get", "/api/rules/preview/{run_id}", "show_rules_preview",
        "Who would enter and leave the scope, and what would change, by such a run",
        answers=answer(answers.RulesPreview), problems=(404,)),
    Operation("get", "/api/decisions", "list_decisions", "Who decided what, when and why, newest first",
        query={
            "action": DecisionAction, "who": described(Line, "Part of the name or id."),
            "run_id": RunId, "entity": EntityName, "key": described(Line, "One record of the entity."),
            "limit": limit(requests.DECISIONS_PER_PAGE), "cursor": described(DecisionId, CURSOR),
        },
        answers=answer(answers.DecisionPage)),
    Operation("delete", "/api/cache/{name}", "delete_cache", "Forget a cached listing or all",
        query=DECIDING, answers=answer(answers.Forgotten), problems=(404,)),
)  # fmt: skip

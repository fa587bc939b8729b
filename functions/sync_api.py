"""Manual syncs: of everything, of an entity, or of one record while the caller waits."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import azure.functions as func

from functions.access import OPERATOR, operation
from functions.api_input import Params, entities_of, key_of, route
from functions.deciding import SAYING, Said, said
from functions.responses import CHECK_KEY, BadRequest, Problem, json_response, started
from shared import runtime
from shared.queries import answers
from shared.queries.on_demand import sync_record
from shared.sync.decisions.record import Outcome, decided
from shared.sync.documents.runs import Mode, RunRequest
from shared.sync.model import EntityName
from shared.sync.runs.requests import request_run

blueprint = func.Blueprint()

MODES: tuple[Mode, ...] = ("plan", "apply")


@operation(blueprint, "api/sync/{entity}", "POST", OPERATOR)
def start_sync(req: func.HttpRequest) -> func.HttpResponse:
    """Start a run of one entity or of all, or sync one record and answer with each step."""
    params = Params(req, "mode", "refresh", "retry_failed", "key", *SAYING)
    entities = entities_of(route(req, "entity"))
    mode = params.choice("mode", MODES, "apply") or "apply"
    refresh = params.flag("refresh", default=False)
    key, deciding = params.text("key"), said(params)
    if key is not None:
        # Whoever asks for one record wants it tried, whatever became of it before.
        retry = params.flag("retry_failed", default=True)
        return _one_record(deciding, entities, key_of(key), mode, refresh=refresh, retry_failed=retry)
    retry = params.flag("retry_failed", default=refresh)
    services = runtime.current()
    request = RunRequest(mode, entities, refresh, retry)
    with _decided(deciding, request) as outcome:
        run_id = outcome.run_id = request_run(services, request)
    return started(run_id)


def _decided(deciding: Said, request: RunRequest) -> AbstractContextManager[Outcome]:
    """The decision to do this; to look is to decide nothing."""
    if request.mode == "plan":
        return nullcontext(Outcome(""))
    return decided(
        runtime.current(),
        "sync",
        deciding.by,
        deciding.reason,
        entities=request.entities,
        keys=request.keys,
        given={"refresh": str(request.refresh).lower(), "retry_failed": str(request.retry_failed).lower()},
    )


def _one_record(
    deciding: Said,
    entities: tuple[EntityName, ...],
    key: str,
    mode: Mode,
    *,
    refresh: bool,
    retry_failed: bool,
) -> func.HttpResponse:
    if len(entities) != 1:
        raise BadRequest("a key belongs to one entity: POST /api/sync/employees?key=...")
    services = runtime.current()
    with _decided(deciding, RunRequest(mode, entities, refresh, retry_failed, keys=(key,))) as outcome:
        answer = sync_record(services, entities[0], key, mode, refresh=refresh, retry_failed=retry_failed)
        outcome.run_id = answer["run_id"]
    if answer["phase"] == "running":
        return json_response(answer, 202, {"Location": answer["url"]})
    if _is_nowhere(answer["steps"]):
        raise Problem(
            404,
            "Not found",
            f"neither the source nor SafetyAmp, as far as is known, has this record of {entities[0]}",
            CHECK_KEY,
            run_id=answer["run_id"],
            url=answer["url"],
        )
    return json_response(answer)


def _is_nowhere(steps: answers.Steps) -> bool:
    source, target = steps["source"], steps["target"]
    return bool(source and not source["found"] and target and target["found"] == "nothing")

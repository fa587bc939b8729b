"""Manual syncs: of everything, of an entity, or of one record while the caller waits."""

from __future__ import annotations

import azure.functions as func

from functions.access import OPERATOR, operation
from functions.api_input import Params, entities_of, key_of, route
from functions.responses import CHECK_KEY, BadRequest, Problem, json_response, started
from shared import runtime
from shared.queries import answers
from shared.queries.on_demand import sync_record
from shared.sync.documents.runs import Mode, RunRequest
from shared.sync.model import EntityName
from shared.sync.runs.requests import request_run

blueprint = func.Blueprint()

MODES: tuple[Mode, ...] = ("plan", "apply")


@operation(blueprint, "api/sync/{entity}", "POST", OPERATOR)
def start_sync(req: func.HttpRequest) -> func.HttpResponse:
    """Start a run of one entity or of all, or sync one record and answer with each step."""
    params = Params(req, "mode", "refresh", "retry_failed", "key")
    entities = entities_of(route(req, "entity"))
    mode = params.choice("mode", MODES, "apply") or "apply"
    refresh = params.flag("refresh", default=False)
    key = params.text("key")
    if key is not None:
        # Whoever asks for one record wants it tried, whatever became of it before.
        retry = params.flag("retry_failed", default=True)
        return _one_record(entities, key_of(key), mode, refresh=refresh, retry_failed=retry)
    retry = params.flag("retry_failed", default=refresh)
    run_id = request_run(runtime.current(), RunRequest(mode, entities, refresh, retry))
    return started(run_id)


def _one_record(
    entities: tuple[EntityName, ...], key: str, mode: Mode, *, refresh: bool, retry_failed: bool
) -> func.HttpResponse:
    if len(entities) != 1:
        raise BadRequest("a key belongs to one entity: POST /api/sync/employees?key=...")
    answer = sync_record(
        runtime.current(), entities[0], key, mode, refresh=refresh, retry_failed=retry_failed
    )
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

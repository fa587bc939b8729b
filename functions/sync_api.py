"""Manual syncs and their runs."""

import re
from typing import cast

import azure.functions as func

from functions.responses import BadRequest, answers_problems, entities_of, json_response
from shared import runtime
from shared.sync.report import make_report
from shared.sync.runs import Mode, RunRequest, approve, get_run, request_run
from shared.sync.stopping import cancel

blueprint = func.Blueprint()

RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")


@blueprint.route("api/sync/{entity}", methods=["POST"])
@answers_problems
def start_sync(req: func.HttpRequest) -> func.HttpResponse:
    """Start a run of one entity or of all."""
    run_id = request_run(runtime.current(), _request_of(req))
    url = f"/api/runs/{run_id}"
    return json_response({"run_id": run_id, "url": url}, 202, {"Location": url})


@blueprint.route("api/runs/{run_id}", methods=["GET"])
@answers_problems
def show_run(req: func.HttpRequest) -> func.HttpResponse:
    """Where a run stands, or how it ended."""
    documents = runtime.current().documents
    return json_response(make_report(documents, get_run(documents, _run_id_of(req))))


@blueprint.route("api/runs/{run_id}/approve", methods=["POST"])
@answers_problems
def approve_run(req: func.HttpRequest) -> func.HttpResponse:
    """Let the held plans of a run go on."""
    run_id = _run_id_of(req)
    approve(runtime.current(), run_id)
    url = f"/api/runs/{run_id}"
    return json_response({"run_id": run_id, "url": url}, 202, {"Location": url})


@blueprint.route("api/runs/{run_id}/cancel", methods=["POST"])
@answers_problems
def cancel_run(req: func.HttpRequest) -> func.HttpResponse:
    """Stop a run: what was done stays done, the rest is not tried."""
    run_id = _run_id_of(req)
    cancel(runtime.current(), run_id, "cancelled by an operator")
    url = f"/api/runs/{run_id}"
    return json_response({"run_id": run_id, "url": url}, 202, {"Location": url})


def _request_of(req: func.HttpRequest) -> RunRequest:
    refresh = _flag(req, "refresh")
    return RunRequest(
        mode=_mode(req), entities=entities_of(req), refresh=refresh, retry_failed=refresh, cause="manual"
    )


def _mode(req: func.HttpRequest) -> Mode:
    mode = req.params.get("mode", "apply")
    if mode not in ("plan", "apply"):
        raise BadRequest("mode must be plan or apply")
    return cast(Mode, mode)


def _flag(req: func.HttpRequest, name: str) -> bool:
    text: str = req.params.get(name, "false").lower()
    if text not in ("true", "false"):
        raise BadRequest(f"{name} must be true or false")
    return text == "true"


def _run_id_of(req: func.HttpRequest) -> str:
    run_id: str = req.route_params.get("run_id", "")
    if not RUN_ID.fullmatch(run_id):
        raise BadRequest("a run id looks like 20260131-120000-0a1b2c")
    return run_id

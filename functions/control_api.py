"""Pausing entities and letting them go on."""

from collections.abc import Mapping
from dataclasses import asdict

import azure.functions as func

from functions.responses import BadRequest, answers_problems, entities_of, json_response
from shared import runtime
from shared.sync.control import Pause, read_pauses, remove_pauses
from shared.sync.model import EntityName
from shared.sync.stopping import pause

blueprint = func.Blueprint()

LONGEST_REASON = 200


@blueprint.route("api/control", methods=["GET"])
@answers_problems
def show_control(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the host wants the argument
    """Which entities are paused, since when and why."""
    return _paused(read_pauses(runtime.current().documents))


@blueprint.route("api/pause/{entity}", methods=["POST"])
@answers_problems
def pause_sync(req: func.HttpRequest) -> func.HttpResponse:
    """Stop what is under way for an entity or all, and start nothing for it until it is resumed."""
    reason: str = req.params.get("reason", "paused by an operator")
    if not reason.isprintable() or not 0 < len(reason) <= LONGEST_REASON:
        raise BadRequest(f"the reason must be one line of at most {LONGEST_REASON} characters")
    return _paused(pause(runtime.current(), entities_of(req), reason))


@blueprint.route("api/resume/{entity}", methods=["POST"])
@answers_problems
def resume_sync(req: func.HttpRequest) -> func.HttpResponse:
    """Let the next runs touch an entity or all again."""
    return _paused(remove_pauses(runtime.current().documents, entities_of(req)))


def _paused(pauses: Mapping[EntityName, Pause]) -> func.HttpResponse:
    return json_response({"paused": {entity: asdict(found) for entity, found in pauses.items()}})

"""Pausing entities and letting them go on; emptying the cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import azure.functions as func

from functions.access import OPERATOR, VIEWER, current_caller, operation
from functions.api_input import Params, entities_of, json_body, one_line, route
from functions.responses import Problem, json_response
from shared import runtime
from shared.queries import answers
from shared.queries.cache_names import ALL, CACHED, empty_cache
from shared.queries.status import told_pauses
from shared.sync.documents.control import Pause, read_pauses, remove_pauses
from shared.sync.model import EntityName
from shared.sync.runs.stopping import pause

blueprint = func.Blueprint()


@operation(blueprint, "api/control", "GET", VIEWER)
def show_control(req: func.HttpRequest) -> func.HttpResponse:
    """Which entities are paused, since when, why and by whom."""
    Params(req)
    return _paused(read_pauses(runtime.current().documents))


@operation(blueprint, "api/pause", "POST", OPERATOR)
def pause_any(req: func.HttpRequest) -> func.HttpResponse:
    """Pause the entity that the body names, or all."""
    return _pause(req, json_body(req, "entity", "reason", "who"), None)


@operation(blueprint, "api/pause/{entity}", "POST", OPERATOR)
def pause_sync(req: func.HttpRequest) -> func.HttpResponse:
    """Stop what is under way for an entity or all, and start nothing for it until it is resumed."""
    return _pause(req, json_body(req, "reason", "who"), route(req, "entity"))


@operation(blueprint, "api/resume", "POST", OPERATOR)
def resume_any(req: func.HttpRequest) -> func.HttpResponse:
    """Resume the entity that the body names, or all."""
    Params(req)
    return _resume(json_body(req, "entity").get("entity", ALL))


@operation(blueprint, "api/resume/{entity}", "POST", OPERATOR)
def resume_sync(req: func.HttpRequest) -> func.HttpResponse:
    """Let the next runs touch an entity or all again."""
    Params(req)
    json_body(req)
    return _resume(route(req, "entity"))


@operation(blueprint, "api/cache/{name}", "DELETE", OPERATOR)
def delete_cache(req: func.HttpRequest) -> func.HttpResponse:
    """Forget a cached listing or all, so that the next run reads it anew."""
    Params(req)
    name = route(req, "name")
    if name not in (*CACHED, ALL):
        known = ", ".join((*CACHED, ALL))
        raise Problem(404, "Not found", "there is no cached listing of this name", f"There are: {known}.")
    answer: answers.Forgotten = {"deleted": empty_cache(runtime.current().cache, name)}
    return json_response(answer)


def _pause(req: func.HttpRequest, body: dict[str, Any], entity: str | None) -> func.HttpResponse:
    params = Params(req, "reason", "who")
    # In the query, or in the body, which wins.
    said = {"reason": params.text("reason") or "paused by an operator", "who": params.text("who"), **body}
    reason = one_line(said["reason"], "the reason")
    who = None if said["who"] is None else one_line(said["who"], "who")
    if (caller := current_caller()) is not None and caller.name is not None:
        who = caller.name  # known, whatever was said
    entities = entities_of(body.get("entity", ALL) if entity is None else entity)
    return _paused(pause(runtime.current(), entities, reason, who))


def _resume(entity: Any) -> func.HttpResponse:
    return _paused(remove_pauses(runtime.current().documents, entities_of(entity)))


def _paused(pauses: Mapping[EntityName, Pause]) -> func.HttpResponse:
    answer: answers.Control = {"paused": told_pauses(pauses)}
    return json_response(answer)

"""Pausing entities and letting them go on; emptying the cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import azure.functions as func

from functions.access import OPERATOR, VIEWER, operation
from functions.api_input import Params, entities_of, json_body, route
from functions.deciding import SAYING, said
from functions.responses import Problem, json_response
from shared import runtime
from shared.queries import answers
from shared.queries.cache_names import ALL, CACHED, empty_cache
from shared.queries.status import told_pauses
from shared.sync.decisions.record import decided
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
    return _pause(req, json_body(req, "entity", *SAYING), None)


@operation(blueprint, "api/pause/{entity}", "POST", OPERATOR)
def pause_sync(req: func.HttpRequest) -> func.HttpResponse:
    """Stop what is under way for an entity or all, and start nothing for it until it is resumed."""
    return _pause(req, json_body(req, *SAYING), route(req, "entity"))


@operation(blueprint, "api/resume", "POST", OPERATOR)
def resume_any(req: func.HttpRequest) -> func.HttpResponse:
    """Resume the entity that the body names, or all."""
    body = json_body(req, "entity", *SAYING)
    return _resume(req, body, body.get("entity", ALL))


@operation(blueprint, "api/resume/{entity}", "POST", OPERATOR)
def resume_sync(req: func.HttpRequest) -> func.HttpResponse:
    """Let the next runs touch an entity or all again."""
    return _resume(req, json_body(req, *SAYING), route(req, "entity"))


@operation(blueprint, "api/cache/{name}", "DELETE", OPERATOR)
def delete_cache(req: func.HttpRequest) -> func.HttpResponse:
    """Forget a cached listing or all, so that the next run reads it anew."""
    deciding = said(Params(req, *SAYING))
    name = route(req, "name")
    if name not in (*CACHED, ALL):
        known = ", ".join((*CACHED, ALL))
        raise Problem(404, "Not found", "there is no cached listing of this name", f"There are: {known}.")
    services = runtime.current()
    with decided(services, "empty-cache", deciding.by, deciding.reason, given={"name": name}):
        answer: answers.Forgotten = {"deleted": empty_cache(services.cache, name)}
    return json_response(answer)


def _pause(req: func.HttpRequest, body: dict[str, Any], entity: str | None) -> func.HttpResponse:
    deciding = said(Params(req, *SAYING), body)
    entities = entities_of(body.get("entity", ALL) if entity is None else entity)
    services = runtime.current()
    with decided(services, "pause", deciding.by, deciding.reason, entities=entities):
        pauses = pause(services, entities, deciding.reason or "paused by an operator", deciding.by.name)
    return _paused(pauses)


def _resume(req: func.HttpRequest, body: dict[str, Any], entity: Any) -> func.HttpResponse:
    deciding = said(Params(req, *SAYING), body)
    entities = entities_of(entity)
    services = runtime.current()
    with decided(services, "resume", deciding.by, deciding.reason, entities=entities):
        pauses = remove_pauses(services.documents, entities)
    return _paused(pauses)


def _paused(pauses: Mapping[EntityName, Pause]) -> func.HttpResponse:
    answer: answers.Control = {"paused": told_pauses(pauses)}
    return json_response(answer)

"""One record explained: what the source says, what SafetyAmp holds, what was tried, what comes next."""

from __future__ import annotations

from typing import Any

import azure.functions as func

from functions.access import VIEWER, operation
from functions.api_input import Params, entity_of, json_body, key_of, keys_of, next_page, one_line, route
from functions.responses import CHECK_KEY, Problem, csv_file, json_response
from shared import runtime
from shared.queries.csv_text import HISTORY_COLUMNS, changes_csv
from shared.queries.explain import explain
from shared.queries.history import whole_history
from shared.queries.names import names
from shared.queries.openapi.requests import HISTORY_PER_PAGE
from shared.queries.search import search
from shared.sync.model import EntityName

blueprint = func.Blueprint()


@operation(blueprint, "api/search", "POST", VIEWER)
def search_records(req: func.HttpRequest) -> func.HttpResponse:
    """Find keys by name or e-mail. They come in the body, because addresses of requests are logged."""
    Params(req)
    body = json_body(req, "entity", "text")
    entity = entity_of(body.get("entity", "employees"))
    return json_response(search(runtime.current(), entity, one_line(body.get("text"), "text")))


@operation(blueprint, "api/names", "POST", VIEWER)
def name_records(req: func.HttpRequest) -> func.HttpResponse:
    """What records of an entity are called, by their keys."""
    Params(req)
    body = json_body(req, "entity", "keys")
    return json_response(names(runtime.current(), entity_of(body.get("entity")), keys_of(body.get("keys"))))


@operation(blueprint, "api/records/{entity}/{key}", "GET", VIEWER)
def explain_record(req: func.HttpRequest) -> func.HttpResponse:
    """Explain the record of this key."""
    Params(req)
    return _explained(entity_of(route(req, "entity")), route(req, "key"))


@operation(blueprint, "api/records/{entity}", "GET", VIEWER)
def explain_any_record(req: func.HttpRequest) -> func.HttpResponse:
    """The same with the key as a parameter, for keys that no path can hold, such as the title `A/B`."""
    params = Params(req, "key")
    return _explained(entity_of(route(req, "entity")), params.text("key"))


@operation(blueprint, "api/history/{entity}", "GET", VIEWER)
def show_history(req: func.HttpRequest) -> func.HttpResponse:
    """What all runs that are kept did with one record; of a page that is CSV a header leads to the next."""
    params = Params(req, "key", "format", "limit", "cursor")
    entity, key = entity_of(route(req, "entity")), key_of(params.text("key"))
    form, limit = params.choice("format", ("json", "csv"), "json"), params.number("limit", *HISTORY_PER_PAGE)
    page = whole_history(runtime.current(), entity, key, limit, params.run("cursor"))
    if form == "csv":
        link = next_page(req, f"/api/history/{entity}", page["next"])
        return csv_file(f"history-{entity}", changes_csv(page["changes"], HISTORY_COLUMNS), link)
    return json_response(page)


def _explained(entity: EntityName, key: Any) -> func.HttpResponse:
    answer = explain(runtime.current(), entity, key_of(key))
    if answer is None:
        system = "Samsara" if entity == "vehicles" else "Vista"
        raise Problem(
            404,
            "Not found",
            f"neither {system} nor SafetyAmp, as far as is known, has this record of {entity}",
            CHECK_KEY,
        )
    return json_response(answer)

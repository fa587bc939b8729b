"""How everything is, and what this API can do."""

from __future__ import annotations

import azure.functions as func

from functions.access import OPERATOR, VIEWER, operation
from functions.api_input import Params
from functions.responses import json_response
from shared import runtime
from shared.queries.last_calls import last_calls
from shared.queries.openapi.document import openapi_document
from shared.queries.settings_view import settings_view
from shared.queries.status import status

blueprint = func.Blueprint()


@operation(blueprint, "api/status", "GET", VIEWER)
def show_status(req: func.HttpRequest) -> func.HttpResponse:
    """Dependencies, breakers, limiter, queues, schedules, pauses, runs and versions."""
    Params(req)
    return json_response(status(runtime.current()))


@operation(blueprint, "api/last-calls", "GET", VIEWER)
def show_last_calls(req: func.HttpRequest) -> func.HttpResponse:
    """The last calls to SafetyAmp: what was asked, how it was answered, how long that took."""
    Params(req)
    return json_response(last_calls(runtime.current()))


@operation(blueprint, "api/settings", "GET", OPERATOR)
def show_settings(req: func.HttpRequest) -> func.HttpResponse:
    """Every setting without secrets; also where they are wrong, which is when somebody looks."""
    Params(req)
    return json_response(settings_view(runtime.current()))


@operation(blueprint, "api/openapi.json", "GET", VIEWER)
def show_openapi(req: func.HttpRequest) -> func.HttpResponse:
    """The OpenAPI description of every route of this app."""
    Params(req)
    return json_response(openapi_document())

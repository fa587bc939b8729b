"""Answers in JSON, and errors as problem details (RFC 9457)."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, cast

import azure.functions as func

from functions.invocations import invoked
from shared.errors import BusError, ConfigurationError, Paused, RunConflict, StorageError, UnknownRun
from shared.sync.model import ENTITIES, EntityName

Handler = Callable[[func.HttpRequest], func.HttpResponse]
NO_HOST = cast(func.Context, None)


class BadRequest(Exception):
    """The request asks for something that does not exist; the text says what does."""


def json_response(
    value: Any, status: int = 200, headers: dict[str, str] | None = None, mimetype: str = "application/json"
) -> func.HttpResponse:
    """JSON, never cached."""
    body = json.dumps(value, ensure_ascii=False)
    return func.HttpResponse(
        body, status_code=status, mimetype=mimetype, headers={"Cache-Control": "no-store", **(headers or {})}
    )


def problem(status: int, title: str, detail: str, **more: Any) -> func.HttpResponse:
    """Problem details."""
    value = {"type": "about:blank", "status": status, "title": title, "detail": detail, **more}
    return json_response(value, status, mimetype="application/problem+json")


def entities_of(req: func.HttpRequest) -> tuple[EntityName, ...]:
    """The entities that a route's `{entity}` names. Raises BadRequest."""
    name = req.route_params.get("entity", "")
    if name == "all":
        return ENTITIES
    if name not in ENTITIES:
        raise BadRequest(f"the entity must be all, {', '.join(ENTITIES)}")
    return (cast(EntityName, name),)


def answers_problems(handler: Handler) -> Handler:
    """Turn the errors that a request can cause into problem details; others are the host's 500.

    The function that comes out takes the invocation's context too, which the worker gives to whoever has an
    argument of that name: so it must not look like the handler (`functools.wraps` would make it). Its type
    must be `Context` and nothing else; who is no host calls without one.
    """

    def answer(req: func.HttpRequest, context: func.Context = NO_HOST) -> func.HttpResponse:
        with nullcontext() if context is NO_HOST else invoked(context):
            return _answer(handler, req)

    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(answer, name, getattr(handler, name))
    return answer


def _answer(handler: Handler, req: func.HttpRequest) -> func.HttpResponse:
    try:
        return handler(req)
    except BadRequest as error:
        return problem(400, "Bad request", str(error))
    except UnknownRun as error:
        return problem(404, "Not found", str(error))
    except RunConflict as error:
        return problem(409, "Conflict", str(error), run_id=error.run_id, url=f"/api/runs/{error.run_id}")
    except Paused as error:
        return problem(409, "Paused", str(error))
    except ConfigurationError as error:
        return problem(
            503, "Settings are wrong", str(error), problems=[str(found) for found in error.problems]
        )
    except (StorageError, BusError) as error:
        return problem(503, "Storage or Service Bus is away", str(error))

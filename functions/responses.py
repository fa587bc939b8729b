"""Answers in JSON, and errors as problem details (RFC 9457)."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import nullcontext
from typing import Unpack, cast

import azure.functions as func

from functions.invocations import invoked
from shared.errors import (
    BusError,
    CacheError,
    ConfigurationError,
    Paused,
    RulesConflict,
    RunConflict,
    StorageError,
    UnknownRules,
    UnknownRun,
    UnreadableDocument,
)
from shared.queries import answers
from shared.version import PROGRAM

Handler = Callable[[func.HttpRequest], func.HttpResponse]
NO_HOST = cast(func.Context, None)

logger = logging.getLogger(__name__)

SEE_OPENAPI = "GET /api/openapi.json describes every operation."
CHECK_KEY = (
    "Check the key; an employee must be in Vista's bPREH, in the company VISTA_COMPANY, with a HireDate."
)


class Problem(Exception):
    """An answer that is an error. `hint` says what to do; `more` are further members of the problem."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        hint: str = SEE_OPENAPI,
        **more: Unpack[answers.ProblemMembers],
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.hint = hint
        self.more = more


class BadRequest(Problem):
    """The request asks for something that does not exist; the text says what does."""

    def __init__(self, detail: str, hint: str = SEE_OPENAPI) -> None:
        super().__init__(400, "Bad request", detail, hint)


def json_response(
    value: object,
    status: int = 200,
    headers: dict[str, str] | None = None,
    mimetype: str = "application/json",
) -> func.HttpResponse:
    """JSON, never cached and never taken for anything else."""
    # Names come from sources that anybody may have filled; text that no encoding has becomes a question mark.
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    return func.HttpResponse(body, status_code=status, mimetype=mimetype, headers={**SAFE, **(headers or {})})


def started(run_id: str) -> func.HttpResponse:
    """A run was started, or goes on."""
    answer: answers.Started = {"run_id": run_id, "url": f"/api/runs/{run_id}"}
    return json_response(answer, 202, {"Location": answer["url"]})


SAFE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def html_response(body: bytes, policy: str, cache_control: str = "no-store") -> func.HttpResponse:
    """A page that may do what its Content-Security-Policy allows, and be part of no other page."""
    headers = {
        "Cache-Control": cache_control,
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    return func.HttpResponse(body, mimetype="text/html", charset="utf-8", headers=headers)


def csv_file(name: str, text: str, headers: dict[str, str] | None = None) -> func.HttpResponse:
    """With a byte order mark, without which Excel reads UTF-8 as something else."""
    headers = {**SAFE, "Content-Disposition": f'attachment; filename="{name}.csv"', **(headers or {})}
    body = ("\ufeff" + text).encode("utf-8", "replace")
    return func.HttpResponse(body, mimetype="text/csv", headers=headers)


def problem(
    status: int, title: str, detail: str, hint: str, **more: Unpack[answers.ProblemMembers]
) -> func.HttpResponse:
    """Problem details."""
    value: answers.Problem = {
        "type": "about:blank",
        "status": status,
        "title": title,
        "detail": detail,
        "hint": hint,
        **more,
    }
    return json_response(value, status, mimetype="application/problem+json")


def answers_problems(handler: Handler) -> Handler:
    """Turn errors into problem details. One that nobody thought of is logged; the caller hears its kind.

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
    except Problem as error:
        return problem(error.status, error.title, str(error), error.hint, **error.more)
    except UnknownRun as error:
        return problem(404, "Not found", str(error), "GET /api/runs lists the runs that are kept.")
    except RunConflict as error:
        url = f"/api/runs/{error.run_id}"
        hint = f"GET {url} shows how it stands; wait until it has ended, or POST {url}/cancel."
        return problem(409, "Conflict", str(error), hint, run_id=error.run_id, url=url)
    except UnknownRules as error:
        return problem(404, "Not found", str(error), "GET /api/rules/history lists the versions.")
    except RulesConflict as error:
        return problem(409, "Conflict", str(error), "GET /api/rules shows what is in force.")
    except Paused as error:
        return problem(409, "Paused", str(error), "Resume it, or ask who paused it: GET /api/control.")
    except ConfigurationError as error:
        problems = [str(found) for found in error.problems]
        hint = "Mend the settings that are named; GET /ready checks them."
        return problem(503, "Settings are wrong", str(error), hint, problems=problems)
    except UnreadableDocument as error:
        hint = f"The doctor ({PROGRAM} doctor) names all documents that cannot be read, and what to do."
        return problem(503, "A document cannot be read", str(error), hint)
    except (StorageError, BusError, CacheError) as error:
        hint = "Try again; GET /ready and GET /api/status say what is missing."
        return problem(503, "Storage, Service Bus or Redis is away", str(error), hint)
    except Exception as error:
        logger.exception("%s failed", handler.__name__)
        detail = f"unexpected {type(error).__name__}"
        hint = "The log has the details. Trying again does no harm."
        return problem(500, "Unexpected error", detail, hint)

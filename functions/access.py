"""Who may call what: each operation is declared once, with the role that it needs, and has two routes.

At `/api/...` the Functions host asks for a key, in every mode. A person's sign-in does not open such a route
(the host wants the key as well), and the worker never hears who was signed in: so people have routes of their
own at `/entra/api/...`, which the host leaves open and `_signed_in` guards. Under SIGN_IN=keys they are not
there. That the level of no route depends on a setting is the point: no setting can leave one open
(docs/decisions/0018-people-have-routes-of-their-own.md).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import azure.functions as func

from functions.responses import Handler, Problem, answers_problems
from shared import runtime
from shared.errors import IdentityUnreadable
from shared.sign_in import BY_KEY, LONGEST, Caller, Role, caller_of, is_entra, platform_signs_in

logger = logging.getLogger(__name__)

Method = Literal["GET", "POST", "DELETE"]
SIGNED_IN = "entra/"
"""Before the routes, and the names, of those that people have."""
VIEWER: Role = "viewer"
OPERATOR: Role = "operator"
APPROVER: Role = "approver"
EVERYBODY = None
"""No role: whoever is signed in."""

SIGN_IN_HINT = (
    "In a browser open /.auth/login/aad?post_login_redirect_uri=/dashboard; the command line signs in with"
    " --client-id; a script sends Authorization: Bearer with an access token for this app's registration."
)
_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)


@dataclass(frozen=True)
class Declared:
    """What an operation is called, and which role it needs."""

    name: str
    role: Role | None


DECLARED: dict[tuple[Method, str], Declared] = {}
"""Every operation by method and route, as the modules of `functions/` are imported."""


def operation(
    blueprint: func.Blueprint, route: str, method: Method, role: Role | None
) -> Callable[[Handler], Any]:
    """Register a handler: with a key at `route`, and for whoever has signed in and has `role`."""

    def register(handler: Handler) -> Any:
        declared = Declared(handler.__name__, role)
        DECLARED[method, route] = declared
        by_key, signed_in = _by_key(handler, declared), _signed_in(handler, declared)
        blueprint.route(SIGNED_IN + route, methods=[method], auth_level=func.AuthLevel.ANONYMOUS)(signed_in)
        return blueprint.route(route, methods=[method], auth_level=func.AuthLevel.FUNCTION)(by_key)

    return register


def current_caller() -> Caller | None:
    """Who called the operation at work; None under SIGN_IN=keys, where nobody is told apart."""
    return _caller.get()


def _by_key(handler: Handler, declared: Declared) -> Handler:
    """For whom the host has let in by a key. Headers that name a person are not looked at."""

    def by_key(req: func.HttpRequest) -> func.HttpResponse:
        if not is_entra(runtime.current().environment):
            return handler(req)
        return _called(handler, declared, req, BY_KEY)

    return answers_problems(_named(by_key, handler, declared.name))


def _signed_in(handler: Handler, declared: Declared) -> Handler:
    """For whom the platform has signed in: the only guard of routes that the host leaves open."""

    def signed_in(req: func.HttpRequest) -> func.HttpResponse:
        caller = _known_caller(req)
        _check_origin(req)
        return _led_on(_called(handler, declared, req, caller))

    return answers_problems(_named(signed_in, handler, f"{SIGNED_IN[:-1]}_{declared.name}"))


def _named(function: Handler, handler: Handler, name: str) -> Handler:
    function.__name__ = function.__qualname__ = name
    function.__module__, function.__doc__ = handler.__module__, handler.__doc__
    return function


def _known_caller(req: func.HttpRequest) -> Caller:
    environment = runtime.current().environment
    if not is_entra(environment):
        hint = "Call the same path without /entra, with a function key (infra/README.md, section Signing in)."
        raise Problem(404, "Not found", "nobody signs in to this app: SIGN_IN is not entra", hint)
    if not platform_signs_in(environment):
        hint = "Deploy with signIn 'entra', or set SIGN_IN=keys (infra/README.md, section Signing in)."
        detail = "SIGN_IN is entra, but nothing says that Azure's authentication stands in front of this app"
        raise Problem(503, "Nobody can sign in", detail, hint)
    try:
        caller = caller_of(req.headers)
    except IdentityUnreadable as error:
        raise Problem(401, "Not signed in", str(error), SIGN_IN_HINT) from error
    if caller is None:
        raise Problem(401, "Not signed in", "nobody is signed in", SIGN_IN_HINT)
    return caller


def _check_origin(req: func.HttpRequest) -> None:
    """Whether a request that the browser's cookie signed in comes from a page of this app. The cookie is sent
    along with requests of any page (SameSite=None), and the platform looks at POST of known browsers only. No
    page can make a browser send a token to another site without asking that site first."""
    if req.method in ("GET", "HEAD") or req.headers.get("Authorization", "").startswith("Bearer "):
        return
    # What the browser says itself decides; one that says nothing is old.
    site = req.headers.get("Sec-Fetch-Site")
    if site != "same-origin" and (site is not None or not _is_own(req)):
        detail = "a request that changes something must come from this app's own page, or bring a token"
        hint = "Open /dashboard of this app and go on from there; a script sends Authorization: Bearer."
        raise Problem(403, "Another page asked", detail, hint)


LOOPBACK = ("localhost", "127.0.0.1")


def _is_own(req: func.HttpRequest) -> bool:
    try:
        origin = urlsplit(req.headers.get("Origin", ""))
    except ValueError:
        return False
    host = req.headers.get("Host", "").lower()
    schemes = ("https", "http") if host.split(":")[0] in LOOPBACK else ("https",)
    return origin.scheme in schemes and origin.netloc.lower() == host != ""


def _called(handler: Handler, declared: Declared, req: func.HttpRequest, caller: Caller) -> func.HttpResponse:
    allowed = caller.may(declared.role)
    if declared.role not in (VIEWER, EVERYBODY):
        _tell(declared, req, caller, allowed=allowed)
    if not allowed:
        raise _lacks(declared, caller)
    token = _caller.set(caller)
    try:
        return handler(req)
    finally:
        _caller.reset(token)


def _tell(declared: Declared, req: func.HttpRequest, caller: Caller, *, allowed: bool) -> None:
    """Who does what, before it is done: a line that no later failure can keep from being written."""
    given = {**req.route_params, **{name: req.params[name] for name in ASKED if name in req.params}}
    logger.log(
        logging.INFO if allowed else logging.WARNING,
        "%s %s",
        "an operator does" if allowed else "somebody may not do",
        declared.name,
        extra={
            "event": "operator_action",
            "action": declared.name,
            "allowed": allowed,
            "caller": caller.kind,
            "who": caller.id,
            "who_name": caller.name,
            "asked": {name: value[:LONGEST] for name, value in given.items()},
        },
    )


ASKED = ("mode", "refresh", "retry_failed", "key")
"""Parameters that say what an action was about; the function key is one of the others."""


def _lacks(declared: Declared, caller: Caller) -> Problem:
    assert declared.role is not None  # nobody lacks none
    has = " and ".join(sorted(caller.roles)) or "no role"
    detail = f"{declared.name} needs the role {declared.role}; {caller.name or 'a function key'} has {has}"
    hint = (
        "A key is for scripts: sign in, by /dashboard or with the command line's --client-id."
        if caller.kind == "key"
        else "Roles are assigned in Entra: Enterprise applications, this app, Users and groups. Then sign out"
        " and in again (command line: az logout, az login), for the old sign-in has the old roles."
    )
    return Problem(403, "Not allowed", detail, hint, needed_role=declared.role)


def _led_on(response: func.HttpResponse) -> func.HttpResponse:
    """Headers that say where to go on lead to the routes of people."""
    for header, path in (("Location", "/api/"), ("Link", "</api/")):
        value = response.headers.get(header)
        if value is not None and value.startswith(path):
            response.headers[header] = value.replace("/api/", f"/{SIGNED_IN}api/", 1)
    return response

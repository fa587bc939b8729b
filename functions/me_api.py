"""Whom the app takes the caller for."""

from __future__ import annotations

import azure.functions as func

from functions.access import DECLARED, EVERYBODY, current_caller, operation
from functions.api_input import Params
from functions.responses import json_response
from shared.queries import answers
from shared.queries.openapi.operations import OPERATIONS
from shared.sign_in import ROLES, Caller

blueprint = func.Blueprint()

ANY_KEY = Caller("key", None, None, frozenset(ROLES))
"""Under SIGN_IN=keys, where a key is all that is asked for."""


@operation(blueprint, "api/me", "GET", EVERYBODY)
def show_me(req: func.HttpRequest) -> func.HttpResponse:
    """Who calls, with which roles, and what they allow; for whoever has none, too."""
    Params(req)
    caller = current_caller()
    known = caller or ANY_KEY
    answer: answers.Me = {
        "sign_in": "keys" if caller is None else "entra",
        "kind": known.kind,
        "id": known.id,
        "name": known.name,
        "roles": [role for role in ROLES if role in known.roles],
        "may": _allowed(known),
    }
    return json_response(answer)


def _allowed(caller: Caller) -> list[str]:
    """By the names that the OpenAPI description has for them."""
    names = {(found.method.upper(), found.path.removeprefix("/")): found.name for found in OPERATIONS}
    return sorted(names[key] for key, declared in DECLARED.items() if caller.may(declared.role))

"""The OpenAPI 3.1 description, made from the table of operations and the types in it."""

from __future__ import annotations

from functools import cache

from shared.queries import answers
from shared.queries.openapi.operations import JSON, OPERATIONS, PATH_PARAMETERS, PROBLEM_JSON, Operation
from shared.queries.openapi.schemas import Components, Schema
from shared.version import VERSION

TITLES = {
    400: "The request asks for something that does not exist",
    401: "The function key is missing or wrong, which is answered without a body; or nobody is signed in,"
    " which is told as a Problem",
    403: "A role is missing, which `needed_role` names, or another site's page asked; only where SIGN_IN is"
    " entra",
    404: "There is no such thing",
    409: "A run is under way, the entity is paused, or the run's state does not allow it",
    413: "The body is too large",
    500: "Unexpected error; the log has the details",
    503: "Settings are wrong, or storage, Service Bus or Redis is away",
}

SERVERS = [
    {"url": "/", "description": "With a function key"},
    {"url": "/entra", "description": "For whoever has signed in; only where SIGN_IN is entra"},
]
SCHEMES = {
    "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "Of Entra, for this app's registration",
    },
    "signedIn": {"type": "apiKey", "in": "cookie", "name": "AppServiceAuthSession"},
}


@cache
def openapi_document() -> Schema:
    """The description of every route; the same object at each call, not to be changed."""
    components = Components()
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SafetyAmp Sync",
            "version": VERSION,
            "description": "What happened, why, and what to do about it. Times are UTC.",
        },
        "paths": paths,
        "components": {
            "schemas": components.schemas,
            "securitySchemes": SCHEMES,
        },
        "servers": SERVERS,
        "security": [{name: []} for name in SCHEMES],
    }


def _described(operation: Operation, components: Components) -> Schema:
    described: Schema = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(operation, components),
        "responses": _responses(operation, components),
    }
    if operation.body is not None:
        schema = components.schema(operation.body)
        described["requestBody"] = {
            "required": "required" in components.schemas[operation.body.__name__],
            "content": {JSON: {"schema": schema}},
        }
    if operation.anonymous:
        described |= {"security": [], "servers": SERVERS[:1]}
    return described


def _parameters(operation: Operation, components: Components) -> list[Schema]:
    in_path = PATH_PARAMETERS.get(operation.path, {})
    return [
        {"name": name, "in": "path", "required": True, "schema": components.schema(kind)}
        for name, kind in in_path.items()
    ] + [
        {
            "name": name,
            "in": "query",
            "required": name in operation.required_query,
            "schema": components.schema(kind),
        }
        for name, kind in operation.query.items()
    ]


def _responses(operation: Operation, components: Components) -> Schema:
    responses: Schema = {}
    for status, contents in operation.answers.items():
        responses[str(status)] = {
            "description": "As asked" if status < 300 else TITLES[status],
            "content": {media: {"schema": components.schema(kind)} for media, kind in contents.items()},
        }
        for header in operation.headers.get(status, ()):
            found = {header: {"required": True, "schema": {"type": "string"}}}
            responses[str(status)].setdefault("headers", {}).update(found)
    if not operation.anonymous:
        problem = {PROBLEM_JSON: {"schema": components.schema(answers.Problem)}}
        # A client that is made of this would stumble over the body that it expects and a 401 does not have.
        responses["401"] = {"description": TITLES[401]}
        for status in sorted({400, 403, 500, 503, *operation.problems}):
            responses.setdefault(str(status), {"description": TITLES[status], "content": problem})
    return responses

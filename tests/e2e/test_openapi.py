"""The OpenAPI description: complete, valid, and what the app really answers, also to made-up requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fakeredis import FakeRedis
from jsonschema import Draft202012Validator

from shared.queries.openapi.document import openapi_document
from shared.resilience.redis_connection import RedisConnection
from shared.storage.cache import Cache
from tests.e2e.http_rig import Api, api_for


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """After a first load, with something that fails, and with a Redis for the cache alone: the limiter's
    clock would be the real one there."""
    api = api_for(tmp_path_factory.mktemp("openapi"))
    runtime = api.rig.stack.runtime
    vars(runtime)["cache"] = Cache(RedisConnection(FakeRedis, api.rig.clock), api.rig.clock)
    api.rig.run()
    api.rig.person(1001)["LastName"] = " "
    api.rig.publish()
    api.rig.clock.advance(60)
    api.rig.run()
    yield api
    api.rig.close()


@pytest.fixture(scope="module")
def schema(api: Api) -> Any:
    from tests.e2e.made_up_requests import schema_for

    return schema_for(api)


ROUTES = [
    (path, method, valid)
    for path, operations in openapi_document()["paths"].items()
    for method, operation in operations.items()
    for valid in (True, False)
    # Where nothing can be said, nothing can be wrong.
    if valid or operation["parameters"] or "requestBody" in operation
]


@pytest.mark.parametrize(("path", "method", "valid"), ROUTES)
def test_no_request_makes_the_app_fail_or_answer_what_is_not_described(
    api: Api, schema: Any, path: str, method: str, valid: bool
) -> None:
    from tests.e2e.made_up_requests import send_made_up_requests

    send_made_up_requests(api, schema, path, method, valid=valid)


def test_every_route_is_described_and_nothing_else(api: Api) -> None:
    routes = {
        ("/" + str(function.trigger["route"]), str(method.value).lower())
        for function in api.rig.stack.functions
        if function.kind == "httpTrigger"
        for method in function.trigger["methods"]
    }
    described_routes = {
        (path, method) for path, operations in openapi_document()["paths"].items() for method in operations
    }
    # HEAD is GET without its body; below /entra is the second of the servers that are described.
    by_key = {route for route in routes if route[1] != "head" and not route[0].startswith("/entra/")}
    assert by_key == described_routes
    signed_in = {
        (path.removeprefix("/entra"), method) for path, method in routes - by_key if method != "head"
    }
    anonymous = {("/health", "get"), ("/ready", "get"), ("/dashboard", "get")}
    assert signed_in == described_routes - anonymous


def test_operations_have_names_of_their_own() -> None:
    operations = [operation for found in openapi_document()["paths"].values() for operation in found.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] for operation in operations)


def test_the_schemas_are_json_schema() -> None:
    for schema in openapi_document()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_is_served(api: Api) -> None:
    assert api.get("/api/openapi.json") == openapi_document()


def test_only_what_holds_no_data_needs_no_key() -> None:
    without = {
        path
        for path, operations in openapi_document()["paths"].items()
        for operation in operations.values()
        if operation.get("security") == []
    }
    assert without == {"/health", "/ready", "/dashboard"}

"""The OpenAPI description: complete, valid, and what the app really answers, also to made-up requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fakeredis import FakeRedis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import booleans
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from shared.operations.openapi.document import openapi_document
from shared.operations.run_index import newest_runs
from shared.resilience.redis_connection import RedisConnection
from shared.storage.cache import Cache
from shared.sync.control import remove_pauses
from shared.sync.model import ENTITIES
from tests.e2e.http_rig import Api, api_for

EXAMPLES = 20
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    positive_data_acceptance,
)

load_all_checks()


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
    """Without the key, which this host does not ask for: `test_api.py` looks at that."""
    document = {**openapi_document(), "security": []}
    loaded = schemathesis.openapi.from_dict(document)
    loaded.app = api.host
    return loaded


ROUTES = [
    (path, method, mode)
    for path, operations in openapi_document()["paths"].items()
    for method, operation in operations.items()
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    # Where nothing can be said, nothing can be wrong.
    if mode is GenerationMode.POSITIVE or operation["parameters"] or "requestBody" in operation
]


@pytest.mark.parametrize(("path", "method", "mode"), ROUTES)
def test_no_request_makes_the_app_fail_or_answer_what_is_not_described(
    api: Api, schema: Any, path: str, method: str, mode: GenerationMode
) -> None:
    cases = schema[path][method].as_strategy(generation_mode=mode)
    # A key belongs to one entity and not to all: that cannot be described.
    checks = [check for check in CHECKS if "/api/sync" not in path or check is not positive_data_acceptance]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, real=booleans())
    def send(case: Any, real: bool) -> None:
        if real and mode is GenerationMode.POSITIVE:
            make_real(case, api)
        case.call_and_validate(checks=checks)
        # The next request must not meet only what this one left behind.
        remove_pauses(api.rig.documents, ENTITIES)
        api.rig.drain()

    send()


def make_real(case: Any, api: Api) -> None:
    """Let the request be about something that exists."""
    newest = newest_runs(api.rig.documents, 1)
    if "run_id" in case.path_parameters:
        case.path_parameters["run_id"] = next(newest).run_id
        case.query.pop("cursor", None)
    if "key" in case.path_parameters or "key" in case.query:
        where = case.path_parameters if "key" in case.path_parameters else case.query
        where["key"], case.path_parameters["entity"] = "1002", "employees"


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

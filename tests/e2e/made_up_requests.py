"""Requests that schemathesis makes up from the OpenAPI description, and what it holds the answers against.

Apart from the tests because importing it takes two seconds, which every start of pytest would wait for.
"""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import booleans
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

from shared.queries.openapi.document import openapi_document
from shared.queries.run_index import newest_runs
from shared.sync.documents.control import remove_pauses
from shared.sync.model import ENTITIES
from tests.e2e.http_rig import Api

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


def schema_for(api: Api) -> Any:
    """Without the key, which this host does not ask for: `test_api.py` looks at that."""
    document = {**openapi_document(), "security": []}
    loaded = schemathesis.openapi.from_dict(document)
    loaded.app = api.host
    return loaded


NOT_DESCRIBED = ("/api/sync", "/api/rules")
"""A key belongs to one entity and not to all, and what a file of rules may say is no matter of JSON."""


def send_made_up_requests(api: Api, schema: Any, path: str, method: str, *, valid: bool) -> None:
    """Send requests that the description allows, or (not `valid`) forbids. Raises where an answer is not one
    that is described, or is a failure of the server."""
    mode = GenerationMode.POSITIVE if valid else GenerationMode.NEGATIVE
    cases = schema[path][method].as_strategy(generation_mode=mode)
    can_be_described = not path.startswith(NOT_DESCRIBED)
    checks = [check for check in CHECKS if can_be_described or check is not positive_data_acceptance]

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
        if real and valid:
            _make_real(case, api)
        case.call_and_validate(checks=checks)
        # The next request must not meet only what this one left behind.
        remove_pauses(api.rig.documents, ENTITIES)
        api.rig.drain()

    send()


def _make_real(case: Any, api: Api) -> None:
    """Let the request be about something that exists."""
    newest = newest_runs(api.rig.documents, 1)
    if "run_id" in case.path_parameters:
        case.path_parameters["run_id"] = next(newest).run_id
        case.query.pop("cursor", None)
    if isinstance(case.body, dict) and "text" in case.body and case.path.startswith("/api/rules"):
        case.body["text"] = "version = 1\n"
    if "key" in case.path_parameters or "key" in case.query:
        where = case.path_parameters if "key" in case.path_parameters else case.query
        where["key"], case.path_parameters["entity"] = "1002", "employees"

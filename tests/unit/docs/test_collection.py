"""docs/postman: every operation is in it, as the OpenAPI description says, and no secret."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from local.postman import FILE, VARIABLES, text
from shared.queries.openapi.document import openapi_document

Value = dict[str, Any]
COLLECTION: Value = json.loads(FILE.read_text("utf-8"))
OPERATIONS: dict[tuple[str, str], Value] = {
    (method.upper(), path): operation
    for path, methods in openapi_document()["paths"].items()
    for method, operation in methods.items()
}


def requests() -> Iterator[Value]:
    for folder in COLLECTION["item"]:
        for item in folder["item"]:
            yield item["request"]


def asked(request: Value) -> tuple[str, str]:
    """Method and path, as the description has them."""
    return request["method"], "/" + re.sub(r":(\w+)", r"{\1}", "/".join(request["url"]["path"]))


def test_the_file_is_what_make_writes() -> None:
    assert FILE.read_text("utf-8") == text(), "make collection"


def test_every_operation_is_there_once() -> None:
    assert Counter(map(asked, requests())) == Counter(OPERATIONS.keys())


@pytest.mark.parametrize("request_", [pytest.param(one, id=" ".join(asked(one))) for one in requests()])
def test_a_request_has_the_parameters_and_the_body_of_its_operation(request_: Value) -> None:
    operation = OPERATIONS[asked(request_)]
    url = request_["url"]
    described = {(one["in"], one["name"]) for one in operation.get("parameters", [])}
    there = {("query", one["key"]) for one in url.get("query", [])}
    there |= {("path", one["key"]) for one in url.get("variable", [])}
    assert there == described
    assert ("body" in request_) == ("requestBody" in operation)
    assert (request_.get("auth") == {"type": "noauth"}) == (operation.get("security") == [])
    assert url["raw"].partition("?")[0] == url["host"][0] + "/" + "/".join(url["path"])


def test_it_starts_with_a_plan_and_sends_what_is_required_only() -> None:
    for request in requests():
        required = {
            one["name"] for one in OPERATIONS[asked(request)].get("parameters", []) if one.get("required")
        }
        sent = {one["key"] for one in request["url"].get("query", []) if not one.get("disabled")}
        assert sent - required <= {"mode"}
        if "mode" in sent:
            assert "mode=plan" in request["url"]["raw"]


def test_the_key_is_a_variable_without_a_value() -> None:
    assert COLLECTION["variable"] == [{"key": name, "value": value} for name, value in VARIABLES.items()]
    assert VARIABLES["functionKey"] == ""
    values = {one["key"]: one["value"] for one in COLLECTION["auth"]["apikey"]}
    assert values == {"key": "x-functions-key", "value": "{{functionKey}}", "in": "header"}

"""docs/api.md names every operation of the OpenAPI document, with its parameters and who may call it."""

from __future__ import annotations

from typing import Any

from functions.access import DECLARED
from local.host.stack import fresh_app
from shared.queries.openapi.document import openapi_document
from tests.unit.docs.pages import spans, table

ROWS = table("docs/api.md", "operation", "parameters", "body", "role", "answer")


def operations() -> dict[str, dict[str, Any]]:
    """What is said of each, by method and path."""
    return {
        f"{method.upper()} {path}": told
        for path, methods in openapi_document()["paths"].items()
        for method, told in methods.items()
    }


def members(told: dict[str, Any]) -> list[str]:
    """Of the body that it takes, whether its schema stands there or is referred to."""
    if "requestBody" not in told:
        return []
    schema = told["requestBody"]["content"]["application/json"]["schema"]
    schemas = openapi_document()["components"]["schemas"]
    return [*schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)["properties"]]


def test_the_table_has_every_operation_once() -> None:
    assert sorted(row[0].strip("`") for row in ROWS) == sorted(operations())


def test_parameters_and_members_are_those_of_the_document() -> None:
    for row in ROWS:
        told = operations()[row[0].strip("`")]
        named = [each["name"] for each in told["parameters"] if each["in"] == "query"]
        assert (sorted(spans(row[1])), sorted(spans(row[2]))) == (sorted(named), sorted(members(told))), row[
            0
        ]


def test_each_operation_has_the_role_that_the_code_asks_for() -> None:
    fresh_app()  # importing it declares them
    roles = {f"{method} /{route}": declared.role or "none" for (method, route), declared in DECLARED.items()}
    assert {row[0].strip("`"): row[3] for row in ROWS if row[3] != "open"} == roles

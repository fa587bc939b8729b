"""The OpenAPI description: whole in itself, the same for every operation, and what the routes say of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from shared.queries.openapi.document import SERVERS, TITLES, openapi_document
from shared.queries.openapi.operations import OPERATIONS, PROBLEM_JSON, Operation
from shared.queries.openapi.shapes import (
    COUNT,
    FLAG,
    LINE,
    TARGET_ID,
    TEXT,
    Schema,
    closed,
    described,
    list_of,
    map_of,
    maybe,
    one_of,
    optional,
    ref,
)
from shared.version import VERSION

NAMES = [operation.name for operation in OPERATIONS]
WITH_KEY = [operation for operation in OPERATIONS if not operation.anonymous]


def told(name: str) -> dict[str, Any]:
    """What is said of an operation."""
    found = [
        operation
        for methods in openapi_document()["paths"].values()
        for operation in methods.values()
        if operation["operationId"] == name
    ]
    (operation,) = found
    return dict(operation)


def parameters(name: str, place: str) -> dict[str, bool]:
    """Its parameters in the path or query, and whether each is required."""
    return {found["name"]: found["required"] for found in told(name)["parameters"] if found["in"] == place}


def schemas_in(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document, at any depth."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from schemas_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from schemas_in(inner)


def accepts(schema: Schema, value: Any) -> bool:
    return Draft202012Validator(schema).is_valid(value)


# -- the whole -------------------------------------------------------------------------------------------


def test_it_says_which_version_of_what_it_is() -> None:
    document = openapi_document()
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == VERSION


def test_it_is_made_once() -> None:
    assert openapi_document() is openapi_document()


def test_every_operation_is_in_it_under_its_path_and_method() -> None:
    paths = openapi_document()["paths"]
    assert sum(len(methods) for methods in paths.values()) == len(OPERATIONS)
    for operation in OPERATIONS:
        assert paths[operation.path][operation.method]["operationId"] == operation.name
        assert paths[operation.path][operation.method]["summary"] == operation.summary


def test_every_reference_leads_to_a_component_and_every_component_is_used() -> None:
    document = openapi_document()
    used = {found["$ref"] for found in schemas_in(document) if isinstance(found.get("$ref"), str)}
    assert used == {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


def test_every_schema_is_one() -> None:
    for name in NAMES:
        for response in told(name)["responses"].values():
            for content in response["content"].values():
                Draft202012Validator.check_schema(content["schema"])
        for parameter in told(name)["parameters"]:
            Draft202012Validator.check_schema(parameter["schema"])


def test_objects_with_named_members_take_no_others() -> None:
    for found in schemas_in(openapi_document()["components"]["schemas"]):
        if found.get("type") == "object" and "properties" in found:
            assert found["additionalProperties"] is False
            assert set(found["required"]) <= set(found["properties"])


# -- operations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", WITH_KEY, ids=lambda operation: operation.name)
def test_whoever_needs_a_key_may_get_each_of_these_problems(operation: Operation) -> None:
    responses = told(operation.name)["responses"]
    problems = {
        int(status)
        for status, response in responses.items()
        if response["content"] == {PROBLEM_JSON: {"schema": ref("Problem")}}
    }
    assert problems == {400, 401, 403, 500, 503, *operation.problems}
    assert {responses[str(status)]["description"] for status in problems} == {
        TITLES[status] for status in problems
    }
    assert "security" not in told(operation.name), "that of the whole document holds"


def test_without_a_key_there_are_no_problems_and_no_other_server() -> None:
    anonymous = [name for name in NAMES if "security" in told(name)]
    assert anonymous == ["health", "ready", "dashboard"]
    for name in anonymous:
        assert (told(name)["security"], told(name)["servers"]) == ([], SERVERS[:1])
        assert set(told(name)["responses"]) <= {"200", "503"}


def test_a_good_answer_is_told_as_asked_and_one_that_is_none_by_its_title() -> None:
    responses = told("ready")["responses"]
    assert responses["200"]["description"] == "As asked"
    assert responses["503"]["description"] == TITLES[503]
    assert list(responses["503"]["content"]) == ["application/json"]


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_in_the_path_is_a_parameter_that_is_needed(name: str) -> None:
    (operation,) = (found for found in OPERATIONS if found.name == name)
    assert parameters(name, "path") == dict.fromkeys(re.findall(r"{(\w+)}", operation.path), True)


def test_of_a_query_only_what_cannot_be_missing_is_needed() -> None:
    assert parameters("explain_any_record", "query") == {"key": True}
    assert set(parameters("list_changes", "query").values()) == {False}


@pytest.mark.parametrize(
    ("name", "needed"),
    [("search_records", True), ("retry_failures", False), ("pause", False), ("status", None)],
)
def test_a_body_is_needed_where_a_member_of_it_is(name: str, needed: bool | None) -> None:
    body = told(name).get("requestBody")
    assert (None if body is None else body["required"]) is needed


def test_what_started_a_run_says_where_it_is() -> None:
    for name in ("sync", "approve_run", "cancel_run", "retry_failures"):
        headers = told(name)["responses"]["202"]["headers"]
        assert headers == {"Location": {"required": True, "schema": {"type": "string"}}}
    assert "headers" not in told("sync")["responses"]["200"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("metrics", "text/plain"), ("dashboard", "text/html"), ("show_report", "text/html")],
)
def test_what_is_no_json_is_told_by_its_type(name: str, kind: str) -> None:
    assert list(told(name)["responses"]["200"]["content"]) == [kind]


@pytest.mark.parametrize(
    ("cursor", "valid"),
    [("0.1.-1", False), ("0.1.0", True), ("4.9999.59", True), ("a.b.c", False), ("1.2", False)],
)
def test_a_cursor_of_changes_is_what_the_list_gives(cursor: str, valid: bool) -> None:
    (schema,) = (found["schema"] for found in told("list_changes")["parameters"] if found["name"] == "cursor")
    assert accepts(schema, cursor) is valid


# -- the words that schemas are written in ---------------------------------------------------------------


@pytest.mark.parametrize(
    "schema", [TEXT, COUNT, FLAG, TARGET_ID, one_of("a", "b"), closed(a=TEXT), list_of(TEXT)]
)
def test_what_may_be_missing_is_itself_or_null(schema: Schema) -> None:
    examples = ["a", 1, True, 7, {"a": "x"}, ["x"]]
    assert not accepts(schema, None)
    assert accepts(maybe(schema), None)
    assert [accepts(maybe(schema), one) for one in examples] == [accepts(schema, one) for one in examples]


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (
            closed(a=TEXT, b=COUNT),
            [{"a": "x", "b": 0}],
            [{"a": "x"}, {"a": "x", "b": 0, "c": 1}, {"a": 1, "b": 0}],
        ),
        (optional(a=TEXT), [{}, {"a": "x"}], [{"b": 1}, {"a": 1}]),
        (map_of(COUNT), [{}, {"any": 3}], [{"any": -1}, {"any": "3"}]),
        (list_of(FLAG), [[], [True]], [[1], True]),
        (one_of("a", "b"), ["a"], ["c", None]),
        (described(COUNT, "So many."), [0], [-1, 1.5]),
        (LINE, ["Pat Doe", "é"], ["", "two\nlines", "a\u202eb", "x" * 201]),
    ],
    ids=["closed", "optional", "map", "list", "enum", "described", "line"],
)
def test_a_schema_takes_what_it_says_and_nothing_else(
    schema: Schema, good: list[Any], bad: list[Any]
) -> None:
    assert [one for one in good if not accepts(schema, one)] == []
    assert [one for one in bad if accepts(schema, one)] == []


def test_a_described_schema_leaves_the_one_that_it_was_made_of() -> None:
    assert described(COUNT, "So many.")["description"] == "So many."
    assert "description" not in COUNT

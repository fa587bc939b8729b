"""The OpenAPI description: whole in itself, the same for every operation, and what the routes say of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Literal, NotRequired, get_args, get_type_hints

import pytest
from jsonschema import Draft202012Validator
from typing_extensions import TypedDict, is_typeddict

from shared.queries import answers
from shared.queries.answers import Count, Fields, TargetId
from shared.queries.explain import explain
from shared.queries.failures import failure_groups
from shared.queries.fix_list import fix_list
from shared.queries.last_calls import last_calls
from shared.queries.names import names
from shared.queries.on_demand import sync_record
from shared.queries.openapi import requests
from shared.queries.openapi.document import SERVERS, TITLES, openapi_document
from shared.queries.openapi.operations import OPERATIONS, PROBLEM_JSON, Operation, described
from shared.queries.openapi.requests import Line
from shared.queries.openapi.schemas import Components, Schema
from shared.queries.run_detail import run_detail
from shared.queries.search import search
from shared.queries.status import status
from shared.queries.trends import trends
from shared.sync.documents.report import COUNTS
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
            for content in response.get("content", {}).values():
                Draft202012Validator.check_schema(content["schema"])
        for parameter in told(name)["parameters"]:
            Draft202012Validator.check_schema(parameter["schema"])


def test_objects_with_named_members_take_no_others() -> None:
    for found in schemas_in(openapi_document()["components"]["schemas"]):
        if found.get("type") == "object" and "properties" in found:
            assert found["additionalProperties"] is False
            assert set(found.get("required", ())) <= set(found["properties"])


# -- operations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", WITH_KEY, ids=lambda operation: operation.name)
def test_whoever_needs_a_key_may_get_each_of_these_problems(operation: Operation) -> None:
    responses = told(operation.name)["responses"]
    problems = {
        int(status)
        for status, response in responses.items()
        if response.get("content") == {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    }
    assert problems == {400, 403, 500, 503, *operation.problems}
    assert responses["401"] == {"description": TITLES[401]}, "of a wrong key it has no body"
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


# -- types and schemas -----------------------------------------------------------------------------------

ONLY_PART_OF_OTHERS = {answers.ProblemMembers}


def typed_dicts(*modules: ModuleType) -> dict[str, type]:
    """The TypedDicts that these modules define, by name."""
    kinds = [kind for module in modules for kind in vars(module).values() if is_typeddict(kind)]
    own = {kind for kind in kinds if kind.__module__ in {module.__name__ for module in modules}}
    assert len({kind.__name__ for kind in own}) == len(own), "two of one name would be one component"
    return {kind.__name__: kind for kind in own - ONLY_PART_OF_OTHERS}


def test_every_type_of_an_answer_or_a_request_is_part_of_an_operation_and_every_component_is_one() -> None:
    components = openapi_document()["components"]["schemas"].keys() - {"JsonValue"}
    assert components == typed_dicts(answers, requests).keys()


@pytest.mark.parametrize(("name", "kind"), sorted(typed_dicts(answers, requests).items()))
def test_a_component_has_the_members_of_its_type(name: str, kind: Any) -> None:
    schema = openapi_document()["components"]["schemas"][name]
    assert schema["properties"].keys() == get_type_hints(kind).keys()


ASKED: tuple[tuple[str, Callable[..., object]], ...] = (
    ("status", status),
    ("sync", sync_record),
    ("show_run", run_detail),
    ("explain_record", explain),
    ("explain_any_record", explain),
    ("search_records", search),
    ("list_failures", failure_groups),
    ("fix_list", fix_list),
    ("name_records", names),
    ("show_trends", trends),
    ("last_calls", last_calls),
)


@pytest.mark.parametrize(("name", "question"), ASKED, ids=[name for name, _ in ASKED])
def test_an_operation_is_described_by_the_type_that_its_question_returns(
    name: str, question: Callable[..., object]
) -> None:
    returned = get_type_hints(question)["return"]
    (kind,) = {one for one in (*get_args(returned), returned) if is_typeddict(one)}
    schema = told(name)["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": f"#/components/schemas/{kind.__name__}"}


def test_an_entity_of_a_run_has_every_count_of_a_report() -> None:
    schema = openapi_document()["components"]["schemas"]["EntityReport"]
    assert schema["properties"].keys() - schema["required"] == set(COUNTS)


class Closed(TypedDict):
    a: str
    b: NotRequired[Count]


def schema_of(kind: object) -> Schema:
    """The schema with the components that it refers to."""
    components = Components()
    schema = components.schema(kind)
    return {**schema, "components": {"schemas": components.schemas}}


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Closed, [{"a": "x", "b": 0}, {"a": "x"}], [{"b": 0}, {"a": "x", "c": 1}, {"a": 1}]),
        (Closed | None, [{"a": "x"}, None], [{}, "x"]),
        (dict[str, Count], [{}, {"any": 3}], [{"any": -1}, {"any": "3"}]),
        (Fields, [{}, {"any": [None, {"x": 1}]}], [None, "x"]),
        (list[bool], [[], [True]], [[1], True]),
        (Literal["a", "b"], ["a"], ["c", None]),
        (TargetId, [1, "x"], [1.5, None]),
        (described(Count, "So many."), [0], [-1, 1.5]),
        (Line, ["Pat Doe", "é"], ["", "two\nlines", "a\u202eb", "x" * 201]),
        (requests.RetryRequest, [{}, {"entity": "jobs", "keys": ["1."]}], [{"keys": ["1."]}]),
    ],
    ids=["closed", "null", "map", "fields", "list", "enum", "target id", "described", "line", "dependent"],
)
def test_a_schema_takes_what_its_type_says_and_nothing_else(
    kind: object, good: list[Any], bad: list[Any]
) -> None:
    schema = schema_of(kind)
    assert [one for one in good if not accepts(schema, one)] == []
    assert [one for one in bad if accepts(schema, one)] == []


def test_a_sentence_about_a_type_is_that_of_its_schema() -> None:
    assert schema_of(described(Count, "So many."))["description"] == "So many."
    assert "description" not in schema_of(Count)

"""JSON Schemas of types, as OpenAPI 3.1 takes them; pydantic makes them."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

Schema = dict[str, Any]
"""A schema, or another part of a description: JSON."""


class Components:
    """What schemas refer to: each TypedDict, under its own name. `schemas` has those of the types that were
    asked for."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}

    def schema(self, kind: Any) -> Schema:
        """The schema of a type, a reference for a TypedDict."""
        # Not by TypeAdapter.json_schema, which puts a TypedDict's schema in place of the reference to it.
        schemas, rest = TypeAdapter.json_schemas(
            [(None, "serialization", TypeAdapter(kind))],
            ref_template="#/components/schemas/{model}",
            schema_generator=_Schemas,
        )
        self.schemas |= rest.get("$defs", {})
        return schemas[None, "serialization"]


class _Schemas(GenerateJsonSchema):
    """Objects are closed, so that a member which is not described fails the tests that check real answers.
    Their members have no titles: pydantic's say the names again."""

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        return {**super().typed_dict_schema(schema), "additionalProperties": False}

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic asks of each
        return False

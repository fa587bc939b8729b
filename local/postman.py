"""docs/postman/safetyamp-sync.json, made from the OpenAPI description: `make collection` writes it, a test
compares. Postman's format, version 2.1, which Bruno and Insomnia read too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shared.queries.openapi.document import openapi_document

FILE = Path(__file__).resolve().parent.parent / "docs" / "postman" / "safetyamp-sync.json"
FORMAT = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
ABOUT = (
    "Set the variable `url` to the app's address, and `functionKey` in an environment of your own, as a"
    " secret: what is written into a collection is exported with it. Whoever signs in by Entra sets `entra`"
    " to `/entra`, and Authorization to Bearer Token with a token of"
    " `az account get-access-token --resource api://CLIENT_ID`."
)
VARIABLES = {"url": "http://127.0.0.1:7071", "entra": "", "functionKey": ""}
JSON = "application/json"
SWITCHED_ON = frozenset({"mode"})
"""Optional parameters that are sent unless somebody switches them off: a first click only plans."""

ALONE = "app"
"""The folder of what has no other operation beside it."""

Value = dict[str, Any]


def collection() -> Value:
    """All operations, in folders by the first part of their paths."""
    document = openapi_document()
    folders: dict[str, list[Value]] = {ALONE: []}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            request = _request(document, method, path, operation)
            folders.setdefault(_folder(path), []).append({"name": operation["summary"], "request": request})
    for name in [name for name, items in folders.items() if len(items) == 1]:
        folders[ALONE] += folders.pop(name)
    return {
        "info": {"name": document["info"]["title"], "description": ABOUT, "schema": FORMAT},
        "auth": _key_auth(document["components"]["securitySchemes"]["functionKey"]),
        "variable": [{"key": name, "value": value} for name, value in VARIABLES.items()],
        "item": [{"name": name, "item": items} for name, items in folders.items()],
    }


def _folder(path: str) -> str:
    first, *rest = path.strip("/").split("/")
    return rest[0].partition(".")[0] if first == "api" else ALONE


def _key_auth(scheme: Mapping[str, Any]) -> Value:
    parts = {"key": scheme["name"], "value": "{{functionKey}}", "in": scheme["in"]}
    return {
        "type": "apikey",
        "apikey": [{"key": key, "value": value, "type": "string"} for key, value in parts.items()],
    }


def _request(document: Value, method: str, path: str, operation: Value) -> Value:
    parameters = operation.get("parameters", [])
    request: Value = {
        "method": method.upper(),
        "url": _url(path, parameters, is_open=operation.get("security") == []),
    }
    if operation.get("security") == []:
        request["auth"] = {"type": "noauth"}
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"][JSON]["schema"]
        request["header"] = [{"key": "Content-Type", "value": JSON}]
        request["body"] = {
            "mode": "raw",
            "raw": json.dumps(_sample(document, schema, "body"), indent=2),
            "options": {"raw": {"language": "json"}},
        }
    return request


def _url(path: str, parameters: list[Value], *, is_open: bool) -> Value:
    """Optional parameters are there, switched off."""
    base = "{{url}}" if is_open else "{{url}}{{entra}}"
    parts = [f":{part[1:-1]}" if part.startswith("{") else part for part in path.strip("/").split("/")]
    query = [
        {**_parameter(one), **({} if _is_sent(one) else {"disabled": True})}
        for one in parameters
        if one["in"] == "query"
    ]
    variable = [_parameter(one) for one in parameters if one["in"] == "path"]
    asked = "&".join(f"{one['key']}={one['value']}" for one in query if "disabled" not in one)
    url: Value = {
        "raw": f"{base}/{'/'.join(parts)}{f'?{asked}' if asked else ''}",
        "host": [base],
        "path": parts,
    }
    return url | {name: values for name, values in (("query", query), ("variable", variable)) if values}


def _is_sent(parameter: Value) -> bool:
    return bool(parameter.get("required")) or parameter["name"] in SWITCHED_ON


def _parameter(parameter: Value) -> Value:
    schema = parameter["schema"]
    value = schema.get("default", next(iter(schema.get("enum", [])), ""))
    described = "; ".join(_said(schema))
    return {"key": parameter["name"], "value": str(value)} | ({"description": described} if described else {})


def _said(schema: Mapping[str, Any]) -> Iterator[str]:
    if "description" in schema:
        yield schema["description"].rstrip(".")
    if "enum" in schema:
        yield ", ".join(schema["enum"])


def _sample(document: Value, schema: Mapping[str, Any], name: str) -> Any:
    """A value of this form, with every member: what is not wanted is easier taken away than found out."""
    if "$ref" in schema:
        named = schema["$ref"].rpartition("/")[2]
        return _sample(document, document["components"]["schemas"][named], name)
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        return _sample(document, choice, name)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {key: _sample(document, value, key) for key, value in schema.get("properties", {}).items()}
    if kind == "array":
        return [_sample(document, schema.get("items", {}), name)]
    return {"integer": 1, "boolean": False}.get(str(kind), f"<{name}>")


def text() -> str:
    """The file."""
    return json.dumps(collection(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")

"""The rig's app through HTTP: its functions on the local host, called in this thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from werkzeug.test import Client, TestResponse

from local.host.http import HttpHost
from shared.queries.openapi.document import openapi_document
from tests.e2e.rig import Rig


class Api:
    """Calls the app, and checks each answer against its OpenAPI description."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.host = HttpHost(rig.stack.functions, rig.stack.options.route_prefix, None)
        self._client = Client(self.host)

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        """The answer, which must be one that is described."""
        answer = self._client.open(path, method=method, **options)
        check(method, answer)
        return answer

    def get(self, path: str, status: int = 200, **query: Any) -> Any:
        """The JSON of a GET."""
        return self._json(self.call("GET", path, query_string=query), status)

    def post(self, path: str, status: int = 200, body: Any = None, **query: Any) -> Any:
        """The JSON of a POST."""
        return self._json(self.call("POST", path, json=body, query_string=query), status)

    def delete(self, path: str, status: int = 200) -> Any:
        """The JSON of a DELETE."""
        return self._json(self.call("DELETE", path), status)

    def explain(self, entity: str, key: Any) -> dict[str, Any]:
        """The explanation of a record."""
        explanation: dict[str, Any] = self.get(f"/api/records/{entity}/{key}")
        return explanation

    def _json(self, answer: TestResponse, status: int) -> Any:
        assert answer.status_code == status, answer.text
        return answer.json


def api_for(folder: Path, **settings: Any) -> Api:
    """A rig of the small company with its API."""
    return Api(Rig(folder, **settings))


def check(method: str, answer: TestResponse) -> None:
    """Raises AssertionError for an answer that the description does not have."""
    document = openapi_document()
    operation = _operation(document, method, answer.request.path.removeprefix("/entra"))
    described = operation["responses"].get(str(answer.status_code))
    assert described is not None, f"{method} {answer.request.path}: {answer.status_code} is not described"
    content = described.get("content")
    if content is None:
        assert answer.status_code == 401
        return
    assert answer.mimetype in content, f"{answer.mimetype} is not described"
    if answer.is_json:
        # The components are beside the schema, where its references look for them.
        schema = {**content[answer.mimetype]["schema"], "components": document["components"]}
        errors = [
            f"{error.json_path}: {error.message}"
            for error in Draft202012Validator(schema).iter_errors(answer.json)
        ]
        assert errors == [], errors
    assert set(described.get("headers", ())) <= set(answer.headers.keys())


def _operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    """Exact paths go before templates."""
    for template, operations in sorted(document["paths"].items(), key=lambda found: "{" in found[0]):
        if method.lower() in operations and _matches(template.split("/"), path.split("/")):
            found: dict[str, Any] = operations[method.lower()]
            return found
    raise AssertionError(f"{method} {path} is not described")


def _matches(template: list[str], path: list[str]) -> bool:
    return len(template) == len(path) and all(
        part.startswith("{") or part == given for part, given in zip(template, path, strict=True)
    )

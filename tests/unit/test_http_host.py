"""HTTP of the local host: routes, keys and errors as the Functions host has them."""

from __future__ import annotations

import azure.functions as func
import pytest
from werkzeug.test import Client

from local.host.http import LARGEST_BODY_BYTES, HttpHost
from local.host.index import index

KEY = "k3y"


def an_app() -> func.FunctionApp:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

    @app.route("runs/{run_id}/step/{number}", methods=["GET"])
    def show(req: func.HttpRequest) -> func.HttpResponse:
        parts = (req.method, dict(req.route_params), dict(req.params), req.headers.get("X-Asked"))
        return func.HttpResponse(repr(parts), headers={"Location": "/there"})

    @app.route("echo", methods=["POST"])
    def echo(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(req.get_body(), status_code=202, mimetype="application/json")

    @app.route("health", methods=["GET", "HEAD"], auth_level=func.AuthLevel.ANONYMOUS)
    def health(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse("fine")

    @app.route("broken", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    def broken(req: func.HttpRequest) -> func.HttpResponse:
        raise RuntimeError("PWD=s3cret")

    return app


def client(key: str | None = None, prefix: str = "") -> Client:
    return Client(HttpHost(index(an_app(), {}), prefix, key))


def test_a_route_gives_its_parameters_the_query_and_the_headers_to_the_function() -> None:
    answer = client().get("/runs/r1/step/2?x=1", headers={"X-Asked": "yes"})
    assert answer.text == "('GET', {'run_id': 'r1', 'number': '2'}, {'x': '1'}, 'yes')"
    assert answer.headers["Location"] == "/there"


def test_status_body_and_content_type_are_the_functions_own() -> None:
    answer = client().post("/echo", data='{"a": "é"}'.encode())
    assert (answer.status_code, answer.json, answer.mimetype) == (202, {"a": "é"}, "application/json")


@pytest.mark.parametrize("key", [None, KEY])
def test_the_bare_address_leads_to_the_page(key: str | None) -> None:
    for method in ("GET", "HEAD"):
        answer = client(key).open("/", method=method)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/dashboard")
    assert client(key).post("/").status_code == 404


def test_the_route_prefix_of_host_json_stands_before_every_route() -> None:
    assert client(prefix="api").get("/api/health").status_code == 200
    assert client(prefix="api").get("/health").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/runs/r1/step", 404),
        ("POST", "/health", 405),
        ("GET", "/echo", 405),
        ("GET", "/health/", 200),
    ],
)
def test_other_paths_are_404_and_other_methods_405(method: str, path: str, status: int) -> None:
    assert client().open(path, method=method).status_code == status


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/runs/r/step/1", {}, 401),
        ("/runs/r/step/1", {"x-functions-key": "wrong"}, 401),
        ("/runs/r/step/1?code=wrong", {}, 401),
        ("/runs/r/step/1?code=", {"x-functions-key": ""}, 401),
        ("/runs/r/step/1", {"x-functions-key": "schlüssel"}, 401),
        ("/runs/r/step/1", {"x-functions-key": KEY}, 200),
        (f"/runs/r/step/1?code={KEY}", {}, 200),
        ("/health", {}, 200),
    ],
)
def test_a_function_needs_the_key_in_header_or_query_unless_it_is_anonymous(
    path: str, headers: dict[str, str], status: int
) -> None:
    assert client(KEY).get(path, headers=headers).status_code == status


def test_an_error_in_a_function_tells_the_caller_nothing() -> None:
    answer = client().get("/broken")
    assert answer.status_code == 500
    assert answer.text == "Internal Server Error\n"


def test_head_is_answered_without_a_body() -> None:
    answer = client().head("/health")
    assert answer.status_code == 200
    assert answer.data == b""


def test_a_body_that_is_too_large_is_refused() -> None:
    assert client().post("/echo", data=b"x" * (LARGEST_BODY_BYTES + 1)).status_code == 413

"""The routes of people who have signed in, under Microsoft's worker: the host leaves them open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.sign_in_front import ANA, IN_FRONT, OLGA, VERA
from tests.e2e.rig import Rig
from tests.worker.functions_host import Entry, FunctionsHost
from tests.worker.test_http import HTTP
from tests.worker.test_indexing import OPEN
from tests.worker.trigger_data import send_http

OWN_PAGE = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """The app behind Azure's authentication."""
    settings: dict[str, Any] = dict(IN_FRONT)
    rig = Rig(tmp_path, **settings)
    yield rig
    rig.close()


@pytest.mark.parametrize("entry", ["protobuf", "native"])
@pytest.mark.parametrize("function", [name for name in HTTP if name not in OPEN])
def test_an_approvers_request_reaches_its_function_and_is_answered(
    host: FunctionsHost, rig: Rig, function: str, entry: Entry
) -> None:
    case = HTTP[function]
    url = f"/entra{case.url.replace('{run}', case.given(rig) or '')}"
    body = b"" if case.body is None else json.dumps(case.body).encode()
    headers = {**ANA.headers(), **OWN_PAGE}
    reached, invoked = send_http(host, rig.stack.options, case.method, url, body, entry, headers)
    assert (reached, invoked.error, invoked.status) == (f"entra_{function}", None, case.status)
    assert invoked.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("function", [name for name in HTTP if name not in OPEN])
def test_without_azures_header_a_key_does_not_help(host: FunctionsHost, rig: Rig, function: str) -> None:
    case = HTTP[function]
    url = f"/entra{case.url.replace('{run}', '20260302-120000-0a1b2c')}"
    _, invoked = send_http(host, rig.stack.options, case.method, url, headers=OWN_PAGE)
    assert (invoked.error, invoked.status) == (None, 401)
    assert invoked.headers["content-type"] == "application/problem+json"


def test_roles_and_pages_are_looked_at(host: FunctionsHost, rig: Rig) -> None:
    url, options = "/entra/api/resume", rig.stack.options
    _, viewer = send_http(host, options, "POST", url, headers={**VERA.headers(), **OWN_PAGE})
    assert (viewer.status, viewer.json["needed_role"]) == (403, "operator")
    _, elsewhere = send_http(host, options, "POST", url, headers=OLGA.headers())
    assert (elsewhere.status, elsewhere.json["title"]) == (403, "Another page asked")
    origin = {"origin": "https://sync.example.com"}
    _, own = send_http(host, options, "POST", url, headers={**OLGA.headers(), **origin})
    assert own.status == 200


def test_where_to_go_on_is_a_route_of_people(host: FunctionsHost, rig: Rig) -> None:
    headers = {**OLGA.headers(), **OWN_PAGE}
    _, started = send_http(host, rig.stack.options, "POST", "/entra/api/sync/all?mode=plan", headers=headers)
    assert (started.status, started.headers["location"]) == (202, f"/entra/api/runs/{rig.active}")

"""A client that a public generator makes of the OpenAPI document does with the app what people do with it."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from local.host.http import HttpHost, HttpServer
from shared.queries.openapi.document import openapi_document
from shared.queries.openapi.operations import OPERATIONS
from tests.e2e.busy_world import REFUSED, hold_leavers, quiet_world
from tests.e2e.http_rig import Api

PACKAGE = "generated_safetyamp_sync_client"
KEY = "the-function-key"
GENERATOR = (sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the package lies; it can be imported."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_text(json.dumps(openapi_document()), encoding="utf-8")
    # What it would do afterwards is to format the code.
    (folder / "config.yaml").write_text("post_hooks: []\n", encoding="utf-8")
    made = subprocess.run(
        [*GENERATOR, "--path", "openapi.json", "--config", "config.yaml", "--output-path", PACKAGE],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """After a first load, with a plan that is held."""
    api = quiet_world(tmp_path_factory.mktemp("world"))
    hold_leavers(api.rig)
    yield api
    api.rig.close()


@pytest.fixture(scope="module")
def client(api: Api, folder: Path) -> Iterator[Any]:
    """What calls the app over HTTP."""
    host = HttpHost(api.rig.stack.functions, api.rig.stack.options.route_prefix, KEY)
    server = HttpServer(host, "127.0.0.1", 0)
    server.start()
    kind = importlib.import_module(f"{PACKAGE}.client").AuthenticatedClient
    yield kind(
        f"http://127.0.0.1:{server.port}",
        token=KEY,
        prefix="",
        auth_header_name="x-functions-key",
        raise_on_unexpected_status=True,
    )
    server.stop()


def operation(name: str) -> Any:
    """The module that was made of an operation."""
    return importlib.import_module(f"{PACKAGE}.api.default.{name}")


def model(name: str) -> Any:
    return getattr(importlib.import_module(f"{PACKAGE}.models"), name)


@pytest.mark.parametrize("name", [operation.name for operation in OPERATIONS])
def test_every_operation_has_become_a_function(folder: Path, name: str) -> None:
    assert callable(operation(name).sync_detailed)


def test_runs_are_listed_and_one_of_them_is_read(client: Any) -> None:
    page = operation("list_runs").sync(client=client, phase=model("ListRunsPhase")("held"), limit=5)
    (found,) = page.runs
    run = operation("show_run").sync(found.run_id, client=client)
    assert (run.run_id, run.phase.value) == (found.run_id, "held")
    assert run.entities["employees"].planned["deactivate"] == 3
    plan = operation("show_plan").sync(found.run_id, client=client)
    (employees,) = [entity for entity in plan.entities if entity.entity.value == "employees"]
    assert (employees.parts[0].action.value, len(employees.parts[0].records)) == ("deactivate", 3)


def test_a_person_is_found_and_explained(client: Any) -> None:
    asked = model("SearchRequest")(text=str(REFUSED))
    (found,) = operation("search_records").sync(client=client, body=asked).found
    entity = model("ExplainRecordEntity")("employees")
    told = operation("explain_record").sync(entity, found.key, client=client)
    assert (told.key, told.next_.verdict.value) == (str(REFUSED), "nothing")
    assert told.source.record["first_name"]
    assert len(told.summary) == 4


def test_a_run_is_started_and_what_cannot_be_is_a_problem_that_is_told(client: Any) -> None:
    entity = model("SyncEntity")("titles")
    started = operation("sync").sync_detailed(entity, client=client, mode=model("SyncMode")("plan"))
    assert (started.status_code, started.headers["Location"]) == (202, started.parsed.url)
    missing = operation("show_run").sync_detailed("20260101-000000-000000", client=client)
    assert (missing.status_code, missing.parsed.status) == (404, 404)
    assert isinstance(missing.parsed, model("Problem"))
    assert missing.parsed.hint == "GET /api/runs lists the runs that are kept."


def test_a_wrong_key_is_told_by_the_status(client: Any) -> None:
    answer = operation("status").sync_detailed(client=evolve(client, token="wrong"))
    assert (answer.status_code, answer.parsed) == (401, None)

"""The app as the worker tells the host of it: its functions, their triggers and bindings."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from shared import runtime
from tests.e2e.rig import Rig
from tests.worker.functions_host import PROJECT, FunctionsHost, IndexingFailed, forget_the_app
from tests.worker.test_http import HTTP
from tests.worker.test_queues import QUEUES
from tests.worker.test_timers import TIMERS

KINDS: dict[str, Collection[str]] = {"timerTrigger": TIMERS, "serviceBusTrigger": QUEUES, "httpTrigger": HTTP}
OPEN = {"health", "ready", "dashboard"}
"""The functions that may be called without a key."""

TWINS = {f"entra_{name}" for name in HTTP if name not in OPEN}
"""Those that people who have signed in call; `test_sign_in.py` calls them."""


def of_kind(host: FunctionsHost, kind: str) -> list[str]:
    """The functions with a trigger of this type."""
    return [name for name in host.functions if host.trigger(name)["type"] == kind]


@pytest.fixture
def process() -> Iterator[None]:
    """Puts back what an app may change of its process."""
    environment, folder, path = dict(os.environ), Path.cwd(), list(sys.path)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:] = path
    signal.signal(signal.SIGTERM, handler)
    runtime.use(None)


def test_the_worker_finds_every_function_with_its_trigger(host: FunctionsHost, rig: Rig) -> None:
    """As the local host does, whose `%NAME%` are already replaced."""
    local = {function.name: function.trigger for function in rig.stack.functions}
    assert set(host.functions) == set(local)
    for name, expected in local.items():
        found = host.trigger(name)
        assert found.keys() == expected.keys()
        assert (found["type"], found["name"]) == (expected["type"], expected["name"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_function_has_an_invocation_test(host: FunctionsHost, kind: str) -> None:
    """A new function needs an entry in TIMERS, QUEUES or HTTP."""
    assert set(of_kind(host, kind)) == set(KINDS[kind]) | (TWINS if kind == "httpTrigger" else set())


def test_no_other_kind_of_trigger_is_used(host: FunctionsHost) -> None:
    assert {host.trigger(name)["type"] for name in host.functions} == set(KINDS)


def test_only_http_functions_return_something(host: FunctionsHost) -> None:
    """To the host a returned value without a binding for it is a failure."""
    for name in host.functions:
        outputs = [found["name"] for found in host.bindings(name) if found["direction"] == "OUT"]
        assert outputs == (["$return"] if name in HTTP.keys() | TWINS else [])


def test_schedules_are_settings_and_nothing_runs_at_start(host: FunctionsHost) -> None:
    for name in TIMERS:
        trigger = host.trigger(name)
        assert re.fullmatch("%[A-Z_]+%", trigger["schedule"])
        assert not trigger.get("runOnStartup")


def test_queues_are_settings_and_name_their_connection(host: FunctionsHost) -> None:
    """With the default name of a connection the platform does not wake the app."""
    for name in QUEUES:
        trigger = host.trigger(name)
        assert re.fullmatch(r"%[A-Z_]+%(/\$deadletterqueue)?", trigger["queueName"])
        assert trigger["connection"] == "SERVICE_BUS_CONNECTION"
        assert trigger.get("cardinality", "one") == "one"


def test_routes_are_allowed_and_need_a_key_but_for_the_probes(host: FunctionsHost) -> None:
    """The host refuses routes that begin with `admin` or `runtime`."""
    for name in HTTP.keys() | TWINS:
        trigger = host.trigger(name)
        assert not trigger["route"].startswith(("admin", "runtime"))
        assert trigger["methods"]
        assert trigger["authLevel"] == ("ANONYMOUS" if name in OPEN | TWINS else "FUNCTION")


def test_the_level_of_no_route_depends_on_a_setting(
    host: FunctionsHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = {name: host.trigger(name)["authLevel"] for name in of_kind(host, "httpTrigger")}
    monkeypatch.setenv("SIGN_IN", "entra")
    again = FunctionsHost()
    assert {name: again.trigger(name)["authLevel"] for name in of_kind(again, "httpTrigger")} == levels
    forget_the_app()


def test_no_function_runs_on_the_event_loop(host: FunctionsHost) -> None:
    """One call of pyodbc or requests there would stall all others."""
    from azure_functions_runtime import handle_event

    found = [handle_event._functions.get_function(known.function_id) for known in host.functions.values()]
    assert len(found) == len(host.functions)
    assert not any(function.is_async for function in found)


@pytest.mark.usefixtures("process")
def test_a_waiting_worker_takes_the_app_without_any_setting(host: FunctionsHost, tmp_path: Path) -> None:
    """On Linux a worker waits for an app, and then gets its environment. Indexing needs no setting of ours;
    and from then on SIGTERM begins the graceful end."""
    os.chdir(tmp_path)
    usual = signal.getsignal(signal.SIGTERM)
    names = set(host.functions)
    host.reload(PROJECT, {"FUNCTIONS_WORKER_RUNTIME": "python", "PATH": os.environ["PATH"]})
    assert set(host.functions) == names
    assert Path.cwd() == PROJECT
    assert "SAFETYAMP_TOKEN" not in os.environ
    handler = signal.getsignal(signal.SIGTERM)
    assert handler is not usual
    assert getattr(handler, "__module__", None) == "shared.shutdown"


def test_an_app_that_cannot_be_imported_is_refused_with_the_reason(
    host: FunctionsHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Azure this shows as "0 functions found" and 404 everywhere."""
    (tmp_path / "function_app.py").write_text("import a_package_that_is_not_installed\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(IndexingFailed, match="a_package_that_is_not_installed"):
        FunctionsHost(tmp_path)
    forget_the_app()

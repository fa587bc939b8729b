"""Timer functions, given what the host sends at a tick."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import StorageError
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.active import active_run_id
from shared.sync.documents.runs import RunRequest
from shared.sync.model import ENTITIES, ENTITY_NEEDS
from shared.sync.runs.requests import request_run
from tests.e2e.rig import Rig
from tests.e2e.small_company import DEPARTMENTS
from tests.worker.functions_host import Entry, FunctionsHost
from tests.worker.trigger_data import timer


def request_of_the_run(rig: Rig) -> dict[str, Any]:
    """What was asked for with the run under way."""
    request: dict[str, Any] = read_json(rig.documents, paths.run(rig.active))["request"]
    return request


def nothing_is_under_way(rig: Rig) -> None:
    """As the rig comes."""
    assert active_run_id(rig.documents) is None


def a_run_of_all_entities_has_begun(rig: Rig) -> None:
    """Its document is there, and a message per entity."""
    request = request_of_the_run(rig)
    assert (request["cause"], request["refresh"], request["entities"]) == ("schedule", False, list(ENTITIES))
    at_once = [name for name in ENTITIES if not ENTITY_NEEDS[name]]
    assert rig.stack.bus.counts(rig.stack.runtime.settings.entity_queue).active == len(at_once)


def a_refresh_has_begun(rig: Rig) -> None:
    """The run compares with SafetyAmp itself."""
    request = request_of_the_run(rig)
    assert (request["cause"], request["refresh"], request["entities"]) == ("refresh", True, list(ENTITIES))


def a_run_lost_its_messages(rig: Rig) -> None:
    """An hour ago."""
    request_run(rig.stack.runtime, RunRequest())
    while locked := rig.stack.bus.receive(rig.stack.runtime.settings.entity_queue):
        rig.stack.bus.complete(locked)
    rig.clock.advance(timedelta(hours=1))


def the_run_goes_on(rig: Rig) -> None:
    """To its end."""
    assert rig.finish(rig.active).entity("departments")["created"] == len(DEPARTMENTS)


TIMERS: dict[str, tuple[Callable[[Rig], None], Callable[[Rig], None]]] = {
    "start_scheduled_run": (nothing_is_under_way, a_run_of_all_entities_has_begun),
    "start_nightly_refresh": (nothing_is_under_way, a_refresh_has_begun),
    "sweep": (a_run_lost_its_messages, the_run_goes_on),
}
"""Function to what is before the tick and after it."""


@pytest.mark.parametrize("entry", ["protobuf", "native"])
@pytest.mark.parametrize("function", TIMERS)
def test_a_tick_does_its_work(host: FunctionsHost, rig: Rig, function: str, entry: Entry) -> None:
    given, then = TIMERS[function]
    given(rig)
    invoked = host.invoke(function, timer(), entry=entry)
    assert invoked.error is None
    assert invoked.value is None
    then(rig)


def test_a_tick_that_comes_late_is_told_from_one_in_time(host: FunctionsHost, rig: Rig) -> None:
    assert host.invoke("start_scheduled_run", timer(past_due=True)).error is None
    assert request_of_the_run(rig)["cause"] == "past due"


def test_a_tick_during_a_run_passes(host: FunctionsHost, rig: Rig) -> None:
    host.invoke("start_scheduled_run", timer())
    before = active_run_id(rig.documents)
    assert host.invoke("start_scheduled_run", timer()).error is None
    assert active_run_id(rig.documents) == before


@pytest.mark.parametrize("entry", ["protobuf", "native"])
def test_a_tick_that_fails_is_a_failed_invocation(
    host: FunctionsHost, rig: Rig, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host shows it as failed, with the error's type and text."""

    def away(*_: object) -> None:
        raise StorageError("the storage account answers 503")

    monkeypatch.setattr(rig.documents, "read", away)
    error = host.invoke("start_scheduled_run", timer(), entry=entry).error
    assert error is not None
    assert error.startswith("StorageError")
    assert "the storage account answers 503" in error

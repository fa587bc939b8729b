"""One trace from whoever asked for a run, over all its messages, to every call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import azure.functions as func
import pytest
from azure.functions.timer import TimerRequest

from tests.e2e.rig import Rig
from tests.e2e.test_canary import Seen, watched

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, limit=10, API_RATE_LIMIT_RESERVE="6")
    yield rig
    rig.close()


def call(rig: Rig, name: str, **arguments: object) -> None:
    [function] = [function for function in rig.stack.functions if function.name == name]
    function.call(**arguments)


def traces_of(seen: Seen, message: str) -> set[str]:
    lines = [json.loads(line) for line in seen.lines]
    return {line["trace_id"] for line in lines if line["message"] == message}


def test_a_timer_s_run_is_one_trace(rig: Rig) -> None:
    seen = Seen()
    with watched(seen):
        call(rig, "start_scheduled_run", timer=TimerRequest(past_due=False))
        rig.finish(rig.active)
    assert len(traces_of(seen, "upstream call")) == 1
    assert sum("go-on/" in message for message in seen.messages) > 1, "also where a batch is handed on"
    assert all("traceparent" in message for message in seen.messages)


def test_a_request_s_run_belongs_to_the_request(rig: Rig) -> None:
    seen = Seen()
    request = func.HttpRequest(
        "POST",
        "/api/sync/jobs",
        headers={"traceparent": PARENT},
        route_params={"entity": "jobs"},
        params={},
        body=b"",
    )
    with watched(seen):
        call(rig, "start_sync", req=request)
        rig.finish(rig.active)
    assert traces_of(seen, "upstream call") == {PARENT.split("-")[1]}

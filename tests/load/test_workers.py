"""From one to eight worker processes, and SafetyAmp's limit. LOAD_EMPLOYEES sets the size of the load."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from local.bench.workers import WORKERS, Load, measure_workers

if TYPE_CHECKING:
    from tests.doubles.redis_server import RedisServer

pytest_plugins = ("tests.doubles.redis_server",)

LOAD = Load(int(os.environ.get("LOAD_EMPLOYEES", "100")), jobs=12, vehicles=6, calls=60, period=1.0)
NOBODY_LISTENS = 9
"""The port of a Redis that is away."""

Record = Callable[[str, object], None]


@pytest.mark.parametrize("workers", WORKERS)
def test_the_limit_holds_for_any_number_of_workers(
    redis_server: RedisServer, workers: int, record_property: Record
) -> None:
    """Calls per window are reported (`pytest -rP`, --junit-xml), not judged: they depend on the machine."""
    with redis_server.client() as client:
        client.flushall()
    result = measure_workers(workers, redis_server.port, LOAD)
    record_property("calls_per_window", json.dumps(result.calls_per_window))
    print(f"{workers} workers, calls per window of {LOAD.period:g} s: {result.calls_per_window}")
    assert result.calls > LOAD.calls, "more than one window is needed"
    assert (result.fullest_window <= LOAD.calls, result.refused) == (True, 0), result


def test_without_redis_the_shares_of_all_workers_keep_the_limit() -> None:
    result = measure_workers(4, NOBODY_LISTENS, LOAD)
    assert result.calls > LOAD.calls
    assert (result.fullest_window <= LOAD.calls, result.refused) == (True, 0), result

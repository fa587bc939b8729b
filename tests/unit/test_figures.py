"""The figures that `/metrics` and telemetry tell are the same in every process, and none of its own."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from fakeredis import FakeServer

from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from shared.errors import CacheError, CircuitOpen
from shared.figures.figures import Figures, read_figures
from shared.runtime import Parts, Runtime
from tests.unit.engine_rig import REQUIRED
from tests.unit.redis_rig import client_of


class App:
    """Processes of one app: the same documents and the same Redis."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.documents = MemoryDocuments(self.clock)
        self.redis = FakeServer()

    def process(self) -> Runtime:
        parts = Parts(
            clock=self.clock,
            documents=lambda _: self.documents,
            redis=lambda _: lambda: client_of(self.redis),
        )
        return Runtime({**REQUIRED, "API_RATE_LIMIT_CALLS": "10"}, parts)


@pytest.fixture
def app() -> App:
    return App()


def works(process: Runtime) -> None:
    """Three calls of SafetyAmp, the last of which opens the breaker; one cached read that misses and one
    that hits."""
    for _ in range(3):
        process.safetyamp_limiter.complete(process.safetyamp_limiter.acquire())
    breaker = process.breaker("safetyamp")
    with suppress(CircuitOpen):
        for _ in range(process.settings.breaker_failure_threshold):
            breaker.before_call()
            breaker.failed()
    for _ in range(2):
        process.cache.get_cached_data("graph_users", lambda: [1], 1)


def shared_of(figures: Figures) -> dict[str, Any]:
    shared = figures.shared
    return {
        "up": shared.up,
        "used": [usage.used for usage in shared.windows.values()],
        "breakers": {name: state.state for name, state in shared.breakers.items()},
        "caches": {name: (found.hits, found.misses) for name, found in shared.caches.items()},
    }


def test_a_process_that_did_nothing_tells_what_others_did(app: App) -> None:
    works(app.process())
    assert shared_of(read_figures(app.process())) == {
        "up": True,
        "used": [3],
        "breakers": {"safetyamp": "open", "samsara": "closed", "graph": "closed", "vista": "closed"},
        "caches": {"graph_users": (1, 1)},
    }


def test_with_redis_away_nothing_is_told_from_memory(app: App) -> None:
    process = app.process()
    works(process)
    app.redis.connected = False
    with pytest.raises(CacheError):
        process.safetyamp_limiter.shared_usage()
    assert shared_of(read_figures(process)) == {"up": False, "used": [], "breakers": {}, "caches": {}}

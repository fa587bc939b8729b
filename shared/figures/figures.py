"""The figures of this moment, from documents and Redis: what all instances share, never a process's memory.

With Redis away its figures are missing, and `redis_up` says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.errors import CacheError
from shared.resilience.breaker_state import BreakerState
from shared.resilience.rate_limiter import Usage
from shared.runtime import Runtime
from shared.storage.cache import CacheStatistics
from shared.sync.runs.totals import Overview, overview

UPSTREAMS = ("safetyamp", "samsara", "graph", "vista")
LIMITED = "safetyamp"
"""The only upstream whose limit is below what the sync could do."""


@dataclass(frozen=True)
class Shared:
    """What Redis knows: windows and breakers by upstream, caches by name. `up` False: it did not answer."""

    up: bool = False
    windows: Mapping[str, Usage] = field(default_factory=dict)
    breakers: Mapping[str, BreakerState] = field(default_factory=dict)
    caches: Mapping[str, CacheStatistics] = field(default_factory=dict)


@dataclass(frozen=True)
class Figures:
    """Everything that metrics tell."""

    runs: Overview
    shared: Shared = Shared()


def read_figures(runtime: Runtime) -> Figures:
    """Raises StorageError and ConfigurationError."""
    runs = overview(runtime.documents, runtime.settings, runtime.clock.now())
    return Figures(runs, _read_shared(runtime))


def _read_shared(runtime: Runtime) -> Shared:
    try:
        return Shared(
            up=True,
            windows={LIMITED: runtime.safetyamp_limiter.shared_usage()},
            breakers={name: runtime.breaker(name).shared_state() for name in UPSTREAMS},
            caches=runtime.cache.statistics(),
        )
    except CacheError:
        return Shared()

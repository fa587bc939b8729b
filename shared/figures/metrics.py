"""The names, labels, units and sentences of our metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.figures.figures import Figures, Shared
from shared.sync.model import ENTITIES
from shared.telemetry.metrics import Kind, Labels, Metric

BREAKER_STATES = {"closed": 0.0, "half-open": 1.0, "open": 2.0}


def metrics_of(figures: Figures) -> list[Metric]:
    """All families; one without samples is there too, so that its help is."""
    return [
        *_work(figures),
        *_runs(figures),
        *_troubles(figures),
        *_windows(figures.shared),
        *_breakers(figures.shared),
        *_caches(figures.shared),
    ]


def _work(figures: Figures) -> Iterator[Metric]:
    totals = figures.runs.totals
    operations = Metric(
        "sync_operations_total", "counter", "Records by entity (operation) and result (status) of all runs."
    )
    for name, count in sorted(totals.get("operations", {}).items()):
        entity, result = name.split("/")
        operations.samples.append(("", (("operation", entity), ("status", result)), count))
    yield operations
    requests = Metric(
        "api_requests_total",
        "counter",
        "Calls per upstream (service), endpoint without ids and class of status, of all ended runs.",
    )
    for name, count in sorted(totals.get("requests", {}).items()):
        service, endpoint, status = name.split("|")
        labels = (("service", service), ("endpoint", endpoint), ("status", status))
        requests.samples.append(("", labels, count))
    for service, count in sorted(totals.get("calls", {}).items()):
        labels = (("service", service), ("endpoint", "unknown"), ("status", "unknown"))
        requests.samples.append(("", labels, count))
    yield requests
    waited = totals.get("waited_seconds", {}).get("sum", 0.0)
    text = "Handlers' time spent waiting for an upstream's limit."
    yield Metric("sync_waited_seconds_total", "counter", text, [("", (), waited)])


def _runs(figures: Figures) -> Iterator[Metric]:
    runs = figures.runs
    yield _labelled(
        "sync_runs_total",
        "Ended runs by how they ended.",
        "status",
        runs.totals.get("runs", {}),
        kind="counter",
    )
    seconds = runs.totals.get("run_seconds", {})
    yield Metric(
        "sync_duration_seconds",
        "summary",
        "Duration of runs from request to end.",
        [("_sum", (), seconds.get("sum", 0.0)), ("_count", (), seconds.get("count", 0.0))],
    )
    yield Metric("active_syncs", "gauge", "Runs under way (0 or 1).", [("", (), float(runs.active))])
    last = Metric("last_sync_timestamp", "gauge", "Unix time at which the last successful run ended.")
    if runs.last_done_at is not None:
        last.samples.append(("", (), runs.last_done_at.timestamp()))
    yield last
    text = "Runs whose newest plan of an entity, or a part of it, is held."
    yield Metric("runs_held", "gauge", text, [("", (), float(runs.runs_held))])
    paused: dict[str, float] = {entity: float(entity in runs.paused) for entity in ENTITIES}
    yield _labelled("sync_paused", "Entities (operation) that an operator paused (1).", "operation", paused)


def _troubles(figures: Figures) -> Iterator[Metric]:
    runs = figures.runs
    yield _labelled(
        "sync_failed_records",
        "Records by entity (operation) that SafetyAmp refuses until their data changes, or that failed in the"
        " last run.",
        "operation",
        runs.failing,
    )
    yield _labelled(
        "dead_letters",
        "Messages that could not be handled and are kept in the documents.",
        "queue",
        runs.dead_letters,
    )
    yield _labelled(
        "queue_waiting",
        "Entities to be planned or batches without an outcome in the active run, by their messages' queue.",
        "queue",
        {queue: backlog.waiting for queue, backlog in runs.queues.items()},
    )
    yield _labelled(
        "queue_age_seconds",
        "How long the oldest of these that is due has waited; 0 when none is due.",
        "queue",
        {queue: backlog.oldest_seconds for queue, backlog in runs.queues.items()},
    )


def _windows(shared: Shared) -> Iterator[Metric]:
    text = "Whether Redis answered (1); without it the figures of limiter, breakers and caches are missing."
    yield Metric("redis_up", "gauge", text, [("", (), float(shared.up))])
    limited = {
        name: (usage.used, usage.limit) for name, usage in shared.windows.items() if usage.limit is not None
    }
    yield _labelled(
        "limiter_used_ratio",
        "Used part (0 to 1) of the calls that the window allows.",
        "service",
        {name: used / limit for name, (used, limit) in limited.items()},
    )
    yield _labelled(
        "limiter_window_calls",
        "Calls in the window at this moment.",
        "service",
        {name: used for name, (used, _) in limited.items()},
    )
    yield _labelled(
        "limiter_window_limit",
        "Calls that the window allows.",
        "service",
        {name: limit for name, (_, limit) in limited.items()},
    )
    yield _labelled(
        "limiter_blocked_seconds",
        "For how long nobody may call because the upstream asked for a pause.",
        "service",
        {name: usage.blocked_seconds for name, usage in shared.windows.items()},
    )


def _breakers(shared: Shared) -> Iterator[Metric]:
    yield _labelled(
        "breaker_state",
        "Circuit breaker of an upstream: 0 closed, 1 half-open (a probe is under way), 2 open.",
        "service",
        {name: BREAKER_STATES[state.state] for name, state in shared.breakers.items()},
    )
    yield _labelled(
        "breaker_open_seconds",
        "For how long the breaker has not been closed; 0 when it is.",
        "service",
        {name: state.open_seconds for name, state in shared.breakers.items()},
    )


def _caches(shared: Shared) -> Iterator[Metric]:
    hits = {name: statistics.hits for name, statistics in shared.caches.items()}
    misses = {name: statistics.misses for name, statistics in shared.caches.items()}
    text = "Cached reads that found a value; counted in Redis and lost with it."
    yield _labelled("cache_hits_total", text, "cache_name", hits, kind="counter")
    text = "Cached reads that found none; counted in Redis and lost with it."
    yield _labelled("cache_misses_total", text, "cache_name", misses, kind="counter")


def _labelled(
    name: str, text: str, label: str, values: Mapping[str, float], *, kind: Kind = "gauge"
) -> Metric:
    samples: list[tuple[str, Labels, float]] = [
        ("", ((label, key),), value) for key, value in sorted(values.items())
    ]
    return Metric(name, kind, text, samples)

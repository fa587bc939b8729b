"""Prometheus's text format, and the names, units and sentences of our metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from shared.sync.model import ENTITIES
from shared.sync.totals import Overview

Labels = tuple[tuple[str, str], ...]
Kind = Literal["counter", "gauge", "summary"]


@dataclass(frozen=True)
class Metric:
    """A metric family: samples by suffix of the name and labels."""

    name: str
    kind: Kind
    help: str
    samples: list[tuple[str, Labels, float]] = field(default_factory=list)


def prometheus_text(overview: Overview) -> str:
    """The text that Prometheus scrapes (exposition format 0.0.4)."""
    return "".join(line + "\n" for metric in _metrics(overview) for line in _lines(metric))


def _metrics(overview: Overview) -> Iterator[Metric]:
    totals = overview.totals
    operations = Metric(
        "sync_operations_total", "counter", "Records by entity (operation) and result (status) of all runs."
    )
    for name, count in sorted(totals.get("operations", {}).items()):
        entity, result = name.split("/")
        operations.samples.append(("", (("operation", entity), ("status", result)), count))
    yield operations
    yield _labelled(
        "api_requests_total", "Calls per upstream (service) of all runs.", "service", totals.get("calls", {})
    )
    yield _labelled("sync_runs_total", "Ended runs by how they ended.", "status", totals.get("runs", {}))
    seconds = totals.get("run_seconds", {})
    yield Metric(
        "sync_duration_seconds",
        "summary",
        "Duration of runs from request to end.",
        [("_sum", (), seconds.get("sum", 0.0)), ("_count", (), seconds.get("count", 0.0))],
    )
    waited = totals.get("waited_seconds", {}).get("sum", 0.0)
    yield Metric(
        "sync_waited_seconds_total",
        "counter",
        "Handlers' time spent waiting for an upstream's limit.",
        [("", (), waited)],
    )
    yield Metric("active_syncs", "gauge", "Runs under way (0 or 1).", [("", (), float(overview.active))])
    yield _labelled(
        "sync_paused",
        "Entities (operation) that an operator paused (1).",
        "operation",
        {entity: float(entity in overview.paused) for entity in ENTITIES},
        kind="gauge",
    )
    yield _labelled(
        "dead_letters",
        "Messages that could not be handled and are kept in the documents.",
        "queue",
        overview.dead_letters,
        kind="gauge",
    )
    last = Metric("last_sync_timestamp", "gauge", "Unix time at which the last successful run ended.")
    if overview.last_done_at is not None:
        last.samples.append(("", (), overview.last_done_at.timestamp()))
    yield last


def _labelled(
    name: str, text: str, label: str, values: Mapping[str, float], *, kind: Kind = "counter"
) -> Metric:
    samples: list[tuple[str, Labels, float]] = [
        ("", ((label, key),), value) for key, value in sorted(values.items())
    ]
    return Metric(name, kind, text, samples)


def _lines(metric: Metric) -> Iterable[str]:
    yield f"# HELP {metric.name} {metric.help}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for suffix, labels, value in metric.samples:
        text = ",".join(f'{name}="{_escaped(label)}"' for name, label in labels)
        yield f"{metric.name}{suffix}{'{' + text + '}' if text else ''} {value:.15g}"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

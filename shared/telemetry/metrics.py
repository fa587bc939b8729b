"""A metric family, and Prometheus's text format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Labels = tuple[tuple[str, str], ...]
Kind = Literal["counter", "gauge", "summary"]


@dataclass(frozen=True)
class Metric:
    """A metric family: samples by suffix of the name and labels."""

    name: str
    kind: Kind
    help: str
    samples: list[tuple[str, Labels, float]] = field(default_factory=list)


def prometheus_text(metrics: Iterable[Metric]) -> str:
    """The text that Prometheus scrapes (exposition format 0.0.4)."""
    return "".join(line + "\n" for metric in metrics for line in _lines(metric))


def _lines(metric: Metric) -> Iterable[str]:
    yield f"# HELP {metric.name} {metric.help}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for suffix, labels, value in metric.samples:
        text = ",".join(f'{name}="{_escaped(label)}"' for name, label in labels)
        yield f"{metric.name}{suffix}{'{' + text + '}' if text else ''} {value:.15g}"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

"""What Application Insights is sent: calls and figures in the shapes that opencensus turns into envelopes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from opencensus.metrics.export.metric import Metric as CensusMetric
from opencensus.metrics.export.metric_descriptor import MetricDescriptor, MetricDescriptorType
from opencensus.metrics.export.point import Point
from opencensus.metrics.export.time_series import TimeSeries
from opencensus.metrics.export.value import ValueDouble
from opencensus.metrics.label_key import LabelKey
from opencensus.metrics.label_value import LabelValue
from opencensus.trace.span import SpanKind
from opencensus.trace.span_context import SpanContext
from opencensus.trace.span_data import SpanData
from opencensus.trace.status import Status

from shared.context import new_span_id
from shared.telemetry.metrics import Metric
from shared.telemetry.telemetry import Dependency

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
UNKNOWN_STATUS = 2
"""Status code UNKNOWN of gRPC, for a call that did not go well; 0 is OK."""


def span_of(dependency: Dependency) -> SpanData:
    """The call as a finished span; made by hand, a tracer of theirs would keep state per thread."""
    call = dependency.call
    started_at = dependency.ended_at - timedelta(seconds=call.seconds)
    return SpanData(
        name=call.endpoint,
        context=SpanContext(trace_id=dependency.parent.trace_id),
        span_id=new_span_id(),
        parent_span_id=dependency.parent.span_id,
        attributes={"component": call.service, "outcome": call.outcome, **dependency.facts},
        start_time=started_at.astimezone(UTC).strftime(TIME_FORMAT),
        end_time=dependency.ended_at.astimezone(UTC).strftime(TIME_FORMAT),
        child_span_count=0,
        stack_trace=None,
        annotations=None,
        message_events=None,
        links=[],
        status=Status(0 if call.went_well else UNKNOWN_STATUS),
        same_process_as_parent_span=True,
        span_kind=SpanKind.CLIENT,
    )


def figures_of(metric: Metric, at: datetime) -> Iterable[CensusMetric]:
    """One figure per name; a counter is sent as the total that it has reached."""
    by_name: dict[str, list[tuple[tuple[tuple[str, str], ...], float]]] = {}
    for suffix, labels, value in metric.samples:
        by_name.setdefault(metric.name + suffix, []).append((labels, value))
    for name, samples in by_name.items():
        keys = [LabelKey(key, "") for key, _ in samples[0][0]]
        series = [
            TimeSeries([LabelValue(text) for _, text in labels], [Point(ValueDouble(value), at)], at)
            for labels, value in samples
        ]
        descriptor = MetricDescriptor(name, metric.help, "1", MetricDescriptorType.GAUGE_DOUBLE, keys)
        yield CensusMetric(descriptor, series)


def mark_sender(envelope: Any) -> bool:
    """The same names for app and instance as the host's own telemetry has."""
    for tag, variable in (
        ("ai.cloud.role", "WEBSITE_SITE_NAME"),
        ("ai.cloud.roleInstance", "WEBSITE_INSTANCE_ID"),
    ):
        if os.environ.get(variable):
            envelope.tags[tag] = os.environ[variable]
    return True


def complete_dependency(envelope: Any) -> bool:
    """It knows a target and a result only of calls whose whole URL it is told."""
    data = envelope.data.baseData
    data.target = data.properties.pop("component")
    data.type = "SQL" if data.target == "vista" else "HTTP"
    data.resultCode = data.properties.pop("outcome")
    return True

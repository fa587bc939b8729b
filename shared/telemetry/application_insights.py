"""Application Insights through opencensus-ext-azure 1.1, whose traps are dealt with here and nowhere else.

Its repository is archived since September 2025 (docs/decisions/0007-opencensus-behind-a-facade.md), and it
works on Python 3.11 and 3.13 for traces and metrics; its log handler does not on 3.13, and is not needed: the
worker forwards our log lines. What it does on its own is off: statistics
about itself, files on disk, threads that collect.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from queue import Full
from typing import Any

from opencensus.common.schedule import QueueEvent
from opencensus.ext.azure.common.transport import TransportStatusCode
from opencensus.ext.azure.metrics_exporter import MetricsExporter
from opencensus.ext.azure.trace_exporter import AzureExporter

from shared.telemetry.connection_string import parse
from shared.telemetry.insights_data import complete_dependency, figures_of, mark_sender, span_of
from shared.telemetry.metrics import Metric
from shared.telemetry.telemetry import Dependency

LONGEST_WAIT_SECONDS = 2.0
"""How long an execution waits at its end until its telemetry has been sent."""

PAUSE_SECONDS = 60.0
"""After a wait that was in vain nobody waits for so long: a silent endpoint costs a process at most two
seconds a minute."""

SEND_TIMEOUT_SECONDS = 5.0
QUEUE_CAPACITY = 2048
"""Calls noted and not sent yet; more are dropped."""

CONNECTION_VARIABLE = "APPLICATIONINSIGHTS_CONNECTION_STRING"

logger = logging.getLogger(__name__)


class ApplicationInsights:
    """Implements `Telemetry`. Raises ValueError for a connection string that is none.

    `authentication` is APPLICATIONINSIGHTS_AUTHENTICATION_STRING, as the host reads it
    (`Authorization=AAD;ClientId=...`): then the app's identity signs in.
    """

    def __init__(self, connection_string: str, authentication: str | None = None) -> None:
        options = _options(connection_string, authentication)
        self._deliveries = _Deliveries()
        self._calls = _CallExporter(self._deliveries, options)
        self._figures = _FigureExporter(self._deliveries, options)
        self._sending_figures: threading.Thread | None = None
        self._wait_again_at = 0.0

    enabled = True

    def dependency(self, dependency: Dependency) -> None:
        """Note a call; dropped when too many wait."""
        self._calls.export([span_of(dependency)])

    def metrics(self, metrics: Iterable[Metric], at: datetime) -> None:
        """Send figures, at most one batch at a time: while an earlier one hangs, this one is dropped."""
        if self._sending_figures is not None and self._sending_figures.is_alive():
            return
        figures = [figure for metric in metrics for figure in figures_of(metric, at)]
        thread = threading.Thread(target=self._figures.export_metrics, args=(figures,), daemon=True)
        self._sending_figures = thread
        thread.start()

        def done(seconds: float) -> bool:
            thread.join(seconds)
            return not thread.is_alive()

        self._wait_for(done)

    def flush(self) -> None:
        """Send the noted calls."""
        # Its own flush() does nothing when the queue is empty, also while its thread still collects a batch.
        event = QueueEvent("flush")
        try:
            self._calls.pending.put(event, block=False)
        except Full:
            return
        self._wait_for(event.wait)

    def _wait_for(self, done: Callable[[float], bool]) -> None:
        if time.monotonic() < self._wait_again_at:
            return
        if not done(LONGEST_WAIT_SECONDS):
            self._wait_again_at = time.monotonic() + PAUSE_SECONDS
            self._deliveries.note(went_well=False)


class _Deliveries:
    """Tells once that nothing arrives any more, and once that it does again."""

    def __init__(self) -> None:
        self._failing = False
        self._lock = threading.Lock()

    def note(self, *, went_well: bool) -> None:
        with self._lock:
            changed, self._failing = self._failing == went_well, not went_well
        if changed and went_well:
            logger.info("Application Insights takes telemetry again")
        elif changed:
            logger.warning(
                "Application Insights takes no telemetry, it is dropped: check the IngestionEndpoint of "
                "APPLICATIONINSIGHTS_CONNECTION_STRING and the role Monitoring Metrics Publisher"
            )


class _CallExporter(AzureExporter):  # type: ignore[misc]
    def __init__(self, deliveries: _Deliveries, options: dict[str, Any]) -> None:
        super().__init__(**options)
        self._deliveries = deliveries
        self.add_telemetry_processor(mark_sender)
        self.add_telemetry_processor(complete_dependency)

    @property
    def pending(self) -> Any:
        """The queue that its thread reads."""
        return self._queue._queue

    def _transmit(self, envelopes: Any) -> Any:
        result = super()._transmit(envelopes)
        self._deliveries.note(went_well=result == TransportStatusCode.SUCCESS)
        return result


class _FigureExporter(MetricsExporter):  # type: ignore[misc]
    def __init__(self, deliveries: _Deliveries, options: dict[str, Any]) -> None:
        super().__init__(**options)
        self._deliveries = deliveries
        self.add_telemetry_processor(mark_sender)

    def _transmit(self, envelopes: Any) -> Any:
        result = super()._transmit(envelopes)
        self._deliveries.note(went_well=result == TransportStatusCode.SUCCESS)
        return result


def _options(connection_string: str, authentication: str | None) -> dict[str, Any]:
    """Its options; cleans the environment's variable, which it parses too even when another is given."""
    cleaned = _cleaned(connection_string)
    if CONNECTION_VARIABLE in os.environ:
        os.environ[CONNECTION_VARIABLE] = cleaned
    os.environ["APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL"] = "true"
    # It logs every failure with the answer's text; `_Deliveries` says what there is to say.
    logging.getLogger("opencensus").setLevel(logging.CRITICAL + 1)
    return {
        "connection_string": cleaned,
        "credential": _credential(authentication),
        "enable_local_storage": False,
        "enable_standard_metrics": False,
        "timeout": SEND_TIMEOUT_SECONDS,
        "grace_period": LONGEST_WAIT_SECONDS / 2,
        "queue_capacity": QUEUE_CAPACITY,
    }


def _cleaned(connection_string: str) -> str:
    """The two parts that sending needs: the exporter's own parser stumbles over a `;` at the end, over
    Authorization, and over a key in capitals."""
    key, endpoint = parse(connection_string)
    return f"InstrumentationKey={key};IngestionEndpoint={endpoint}"


def _credential(authentication: str | None) -> Any:
    if not authentication:
        return None
    from shared.identity import azure_credential

    pairs = (part.partition("=") for part in authentication.split(";"))
    given = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return (
        azure_credential(given.get("clientid")) if given.get("authorization", "").lower() == "aad" else None
    )

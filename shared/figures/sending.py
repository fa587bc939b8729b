"""Sending the figures to the telemetry backend."""

from __future__ import annotations

import logging

from shared.errors import ConfigurationError, StorageError
from shared.figures.figures import read_figures
from shared.figures.metrics import metrics_of
from shared.runtime import Runtime
from shared.telemetry.invocation import telemetry_of

logger = logging.getLogger(__name__)


def send_figures(runtime: Runtime) -> None:
    """Send the figures to the telemetry backend, if there is one. Never raises."""
    telemetry = telemetry_of(runtime)
    if not telemetry.enabled:
        return
    try:
        figures = read_figures(runtime)
    except (StorageError, ConfigurationError) as error:
        logger.warning("no figures were sent: %s", error)
        return
    telemetry.metrics(metrics_of(figures), runtime.clock.now())

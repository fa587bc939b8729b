"""Which telemetry backend a process has."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from shared.telemetry.telemetry import Guarded, NoTelemetry, Telemetry

if TYPE_CHECKING:
    from shared.config import Settings

logger = logging.getLogger(__name__)


def telemetry_for(settings: Settings) -> Telemetry:
    """The backend that the settings name. Without a connection string nothing is even imported; with one that
    is wrong, or without the backend's package, telemetry is off and one warning says so."""
    connection = settings.applicationinsights_connection_string
    if connection is None:
        return NoTelemetry()
    try:
        from shared.telemetry.application_insights import ApplicationInsights

        return Guarded(
            ApplicationInsights(
                connection.get_secret_value(), settings.applicationinsights_authentication_string
            )
        )
    except Exception as error:
        logger.warning(
            "telemetry is off (%s): check APPLICATIONINSIGHTS_CONNECTION_STRING, which looks like "
            "InstrumentationKey=...;IngestionEndpoint=https://...",
            type(error).__name__,
        )
        return NoTelemetry()

"""The one way to a telemetry backend: calls of upstreams as dependencies, and figures. Exchangeable.

Telemetry is a convenience: it never fails or stops the work that it tells of, whatever its backend does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from shared.clients.http.call_meter import UpstreamCall
from shared.context import Trace

if TYPE_CHECKING:
    from shared.telemetry.metrics import Metric

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Dependency:
    """A call that ended at `ended_at`, made on behalf of `parent`; `facts` say for which run and batch."""

    call: UpstreamCall
    parent: Trace
    ended_at: datetime
    facts: Mapping[str, str] = field(default_factory=dict)


class Telemetry(Protocol):
    """A backend. No method raises."""

    @property
    def enabled(self) -> bool:
        """Whether anything is sent, so that nobody gathers figures for nothing."""
        ...

    def dependency(self, dependency: Dependency) -> None:
        """Take note; does not wait."""
        ...

    def metrics(self, metrics: Iterable[Metric], at: datetime) -> None:
        """Send figures as they were at `at`; waits for a moment at most."""
        ...

    def flush(self) -> None:
        """Send what was noted; waits for a moment at most."""
        ...


class NoTelemetry:
    """Nothing is sent."""

    enabled = False

    def dependency(self, dependency: Dependency) -> None:
        """Forgotten."""

    def metrics(self, metrics: Iterable[Metric], at: datetime) -> None:
        """Forgotten."""

    def flush(self) -> None:
        """There is nothing to send."""


class Guarded:
    """A backend whose errors end it, with one warning."""

    def __init__(self, backend: Telemetry) -> None:
        self._backend = backend

    @property
    def enabled(self) -> bool:
        return self._backend.enabled

    def dependency(self, dependency: Dependency) -> None:
        self._try(lambda: self._backend.dependency(dependency))

    def metrics(self, metrics: Iterable[Metric], at: datetime) -> None:
        self._try(lambda: self._backend.metrics(metrics, at))

    def flush(self) -> None:
        self._try(self._backend.flush)

    def _try(self, action: Callable[[], None]) -> None:
        # The edge to a library that nobody maintains: whatever it raises must not reach a sync.
        try:
            action()
        except Exception:
            logger.warning("telemetry failed and is off until the process ends", exc_info=True)
            self._backend = NoTelemetry()

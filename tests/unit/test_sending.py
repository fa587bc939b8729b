"""Sending the figures: only where somebody takes them, and never in the way of who asks for it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pytest

from shared.errors import ConfigurationError, StorageError
from shared.figures.sending import send_figures
from shared.runtime import Runtime
from shared.telemetry.metrics import Metric
from shared.telemetry.telemetry import Dependency
from tests.unit.doctor_rig import DoctorRig


class KeptFigures:
    """A backend that keeps the figures."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self.sent: list[tuple[datetime, dict[str, list[Any]]]] = []

    def dependency(self, dependency: Dependency) -> None:
        raise NotImplementedError

    def metrics(self, metrics: Iterable[Metric], at: datetime) -> None:
        self.sent.append((at, {metric.name: metric.samples for metric in metrics}))

    def flush(self) -> None:
        raise NotImplementedError


class Rig(DoctorRig):
    def __init__(self, *, enabled: bool = True) -> None:
        super().__init__()
        self.telemetry = KeptFigures(enabled=enabled)
        self.put(telemetry=self.telemetry)

    def fail(self, error: Exception) -> None:
        """What reading any document comes to from now on."""

        def raising(_: str) -> Any:
            raise error

        vars(self.documents)["read"] = raising


def test_the_figures_of_this_moment_are_sent() -> None:
    rig = Rig()
    send_figures(rig.runtime)
    ((at, families),) = rig.telemetry.sent
    assert at == rig.clock.now()
    assert families["active_syncs"] == [("", (), 0.0)]
    assert families["redis_up"] == [("", (), 1.0)]


def test_nothing_is_read_where_nobody_takes_figures() -> None:
    rig = Rig(enabled=False)
    rig.fail(AssertionError("not to be read"))
    send_figures(rig.runtime)
    assert rig.telemetry.sent == []


@pytest.mark.parametrize(
    "error",
    [StorageError("documents are away"), ConfigurationError.of("DOCUMENTS_CONNECTION", "is not set")],
    ids=["documents", "settings"],
)
def test_figures_that_cannot_be_read_are_one_warning(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig()
    rig.fail(error)
    send_figures(rig.runtime)
    assert rig.telemetry.sent == []
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.getMessage() for record in warnings] == [f"no figures were sent: {error}"]


def test_wrong_settings_are_not_the_figures_complaint(caplog: pytest.LogCaptureFixture) -> None:
    send_figures(Runtime({}))
    assert caplog.records == []

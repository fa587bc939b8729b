"""Rows of Application Insights' tables, made from what the product really sends.

The app runs: a good run, one that fails, and the sweep, with a local ingestion endpoint in Azure's place.
What arrives there becomes `customMetrics` and `dependencies` as Azure's ingestion would have it; log lines
are taken where the worker takes them, at the root logger. `requests` and `exceptions` come from the Functions
host, which names a request after its function.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.runtime import Parts
from shared.telemetry import application_insights
from shared.telemetry.logs import JsonForwarder, install_json_logs
from tests.doubles.ingestion import Ingestion, ingesting
from tests.e2e.rig import Rig
from tests.unit.infra.functions import bindings

PATIENCE_SECONDS = 60.0
"""A busy machine must not make figures come too late to be seen here."""

Row = dict[str, Any]
Rows = dict[str, list[Row]]


def rows_of_real_telemetry(folder: Path) -> Rows:
    """All of it, by table."""
    with ingesting() as ingestion, _log_lines() as lines, pytest.MonkeyPatch.context() as patch:
        patch.setattr(application_insights, "LONGEST_WAIT_SECONDS", PATIENCE_SECONDS)
        rig = _RigWithRedis(folder, APPLICATIONINSIGHTS_CONNECTION_STRING=ingestion.connection_string)
        try:
            rig.stack.host.run_timer("start_scheduled_run")
            rig.finish(rig.active)
            rig.safetyamp.fail_next(1, 401, "{}")
            rig.run(refresh=True)
            rig.show_redis()
            rig.stack.host.run_timer("sweep")
        finally:
            rig.close()
    return {"traces": lines, **_of_the_host(), **rows_of(ingestion)}


def rows_of(ingestion: Ingestion) -> Rows:
    """What Azure's ingestion makes of envelopes."""
    rows: Rows = {}
    for envelope in ingestion.envelopes:
        table, row = _READERS[envelope["data"]["baseType"]](envelope["data"]["baseData"])
        moment = datetime.fromisoformat(envelope["time"])
        rows.setdefault(table, []).append({"timestamp": moment, **row})
    return rows


def _metric(data: Row) -> tuple[str, Row]:
    (point,) = data["metrics"]
    values = {"name": point["name"], "value": float(point["value"])}
    return "customMetrics", {**values, "customDimensions": data["properties"] or {}}


def _dependency(data: Row) -> tuple[str, Row]:
    days, _, clock = data["duration"].partition(".")
    hours, minutes, seconds = clock.split(":")
    duration = timedelta(days=int(days), hours=int(hours), minutes=int(minutes), seconds=float(seconds))
    return "dependencies", {
        "name": data["name"],
        "target": data["target"],
        "duration": duration.total_seconds() * 1000,
    }


def _message(data: Row) -> tuple[str, Row]:
    return "traces", {"message": data["message"], "severityLevel": 1}


def _exception(data: Row) -> tuple[str, Row]:
    (error,) = data["exceptions"]
    return "exceptions", {"type": error["typeName"], "outerMessage": error["message"]}


_READERS: dict[str, Callable[[Row], tuple[str, Row]]] = {
    "MetricData": _metric,
    "RemoteDependencyData": _dependency,
    "MessageData": _message,
    "ExceptionData": _exception,
}


class _RigWithRedis(Rig):
    """A rig whose Redis answers from `show_redis` on: before, its clock would not be the rig's."""

    _redis_shown = False

    def show_redis(self) -> None:
        self._redis_shown = True
        self._join()

    def _parts(self, send: Callable[[Any], None]) -> Parts:
        from fakeredis import FakeStrictRedis

        parts = super()._parts(send)
        return replace(parts, redis=lambda _: FakeStrictRedis) if self._redis_shown else parts


def _of_the_host() -> Rows:
    """A request per function, as the host names them, and the error of one (classic schema)."""
    moment = datetime.now(UTC)
    requests: list[Row] = [
        {"timestamp": moment, "name": name, "success": "True", "duration": 1.0} for name in bindings()
    ]
    error = {"timestamp": moment, "type": "RpcException", "outerMessage": "Exception while executing ..."}
    return {"requests": requests, "exceptions": [error]}


@contextmanager
def _log_lines() -> Iterator[list[Row]]:
    rows: list[Row] = []

    class Worker(logging.Handler):
        """Where the worker's own handler stands."""

        def emit(self, record: logging.LogRecord) -> None:
            moment = datetime.fromtimestamp(record.created, UTC)
            row = {"timestamp": moment, "message": record.getMessage(), "severityLevel": record.levelno // 10}
            rows.append(row)

    worker = Worker()
    install_json_logs({})
    logging.getLogger().addHandler(worker)
    try:
        yield rows
    finally:
        logging.getLogger().removeHandler(worker)
        _undo_json_logs()


def _undo_json_logs() -> None:
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        if any(isinstance(handler, JsonForwarder) for handler in logger.handlers):
            logger.handlers = [one for one in logger.handlers if not isinstance(one, JsonForwarder)]
            logger.propagate = True
            logger.setLevel(logging.NOTSET)


def value_at(row: Row, path: str) -> Any:
    """What a path of `kusto.js` leads to; text that holds JSON is read as such. None where nothing is."""
    found: Any = row
    for name in path.split("."):
        if isinstance(found, str):
            found = json.loads(found) if found.startswith("{") else None
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found


def holds(row: Row, path: str, operator: str, texts: list[str]) -> bool:
    """Whether a comparison of a query (`compared` of `kusto.js`) is true of the row."""
    value = value_at(row, path)
    if operator == "startswith":
        return isinstance(value, str) and value.startswith(texts[0])
    assert operator in ("==", "in"), f"nobody here knows {operator}"
    return value in texts

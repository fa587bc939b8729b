"""Samsara in memory: vehicles and drivers by cursor pages (docs/contracts/samsara.md)."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from local.json_values import copied
from local.simulators.exchange import SimRequest, SimResponse, json_response
from local.simulators.simulator import Simulator
from local.simulators.window import CallWindow
from shared.clock import Clock

PAGE_RECORDS = 512
CURSOR = "page-from:"
Record = dict[str, Any]


class BadQuery(ValueError):
    """A parameter that the endpoint does not take; the text goes into the answer."""


class SamsaraSimulator(Simulator):
    """One organisation's fleet. `calls_per_second` holds for each listing on its own."""

    def __init__(self, clock: Clock, *, key: str, calls_per_second: int = 25) -> None:
        super().__init__(clock)
        self._key = key
        self._vehicles: list[Record] = []
        self._drivers: list[Record] = []
        self._windows = {
            path: CallWindow(clock, calls_per_second, 1.0) for path in ("/fleet/vehicles", "/fleet/drivers")
        }
        self._requests = 0

    def replace_fleet(self, vehicles: Iterable[Record], drivers: Iterable[Record]) -> None:
        """Put other vehicles and drivers (active and deactivated ones together) in place."""
        with self._lock:
            self._vehicles = copied(list(vehicles))
            self._drivers = copied(list(drivers))

    def _admit(self, request: SimRequest) -> SimResponse | None:
        self._requests += 1
        if request.headers.get("Authorization") != f"Bearer {self._key}":
            return self._error(401, "Invalid token.")
        window = self._windows.get(request.path)
        wait = window.take() if window else None
        if wait is None:
            return None
        return self._error(429, "Rate limit exceeded.", {"Retry-After": f"{wait:.5f}"})

    def _answer(self, request: SimRequest) -> SimResponse:
        if request.path not in self._windows:
            return self._error(404, "Not found.")
        if request.method != "GET":
            return self._error(405, "Method not allowed.")
        try:
            return json_response(200, _page(self._selected(request), request))
        except BadQuery as error:
            return self._error(400, str(error))

    def _selected(self, request: SimRequest) -> list[Record]:
        if request.path == "/fleet/vehicles":
            return self._vehicles
        wanted = request.query.get("driverActivationStatus", "active")
        if wanted not in ("active", "deactivated"):
            raise BadQuery("Invalid value for driverActivationStatus.")
        return [row for row in self._drivers if row.get("driverActivationStatus", "active") == wanted]

    def _error(self, status: int, text: str, headers: dict[str, str] | None = None) -> SimResponse:
        body = {"message": text, "requestId": f"sim-{self._requests:06d}"}
        return json_response(status, body, headers)


def _page(rows: list[Record], request: SimRequest) -> dict[str, Any]:
    limit, start = _limit(request), _start(request)
    end = start + limit
    more = end < len(rows)
    return {
        "data": [_without_empty(row) for row in rows[start:end]],
        "pagination": {"endCursor": _cursor(end) if more else "", "hasNextPage": more},
    }


def _without_empty(row: Any) -> Any:
    if not isinstance(row, dict):
        return row  # a company may hold what no vehicle is
    return {name: value for name, value in row.items() if value is not None}


def _limit(request: SimRequest) -> int:
    raw = request.query.get("limit", str(PAGE_RECORDS))
    if not raw.isdecimal() or not 1 <= int(raw) <= PAGE_RECORDS:
        raise BadQuery(f"Invalid value for limit: it must be between 1 and {PAGE_RECORDS}.")
    return int(raw)


def _start(request: SimRequest) -> int:
    raw = request.query.get("after", "")
    if not raw:
        return 0
    try:
        text = base64.urlsafe_b64decode(raw).decode()
        if text.startswith(CURSOR):
            return int(text.removeprefix(CURSOR))
    except ValueError:
        pass
    raise BadQuery("Invalid value for after: the cursor is unknown.")


def _cursor(start: int) -> str:
    return base64.urlsafe_b64encode(f"{CURSOR}{start}".encode()).decode()

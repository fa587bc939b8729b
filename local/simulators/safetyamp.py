"""SafetyAmp in memory: headers, limits, paging, envelope and answers as in docs/contracts/safetyamp.md."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import Any

from local.json_values import copied
from local.simulators.exchange import SimRequest, SimResponse, json_response
from local.simulators.safetyamp_fields import PATCH, POST, PUT
from local.simulators.safetyamp_rules import check, message
from local.simulators.safetyamp_seed import SafetyAmpSeed, Seeded, plant
from local.simulators.safetyamp_store import Id, Row, SafetyAmpStore
from local.simulators.safetyamp_views import cluster_tree, view
from local.simulators.simulator import Simulator
from local.simulators.window import CallWindow
from shared.clock import Clock

PAGE_RECORDS = 25

METHODS: dict[str, frozenset[str]] = {
    "site_clusters": frozenset({"GET", POST, PUT, PATCH}),
    "sites": frozenset({"GET", POST, PUT, PATCH}),
    "user_titles": frozenset({"GET", POST, PUT, PATCH}),
    "users": frozenset({"GET", POST, PUT, PATCH}),
    "assets": frozenset({"GET", POST, PUT}),
    "roles": frozenset({"GET"}),
    "asset_types": frozenset({"GET"}),
    "asset_categories": frozenset({"GET"}),
}

READABLE = "users"
"""The one resource whose records can be asked for by their id (docs/contracts/safetyamp.md#one-record)."""

PATH = re.compile(r"/api/([a-z_]+)(?:/([^/]+))?\Z")
PRODUCT = re.compile(r"[^\s/]+/\S+")
CLIENT_LIBRARIES = ("python-", "curl/", "go-http-client/", "okhttp/", "mozilla/")


class SafetyAmpSimulator(Simulator):
    """One tenant of SafetyAmp.

    `calls` in `period` seconds are accepted (None: all are, and counted), more are answered 429. Refused
    credentials do not count: the budget is the token's. `page_records` is the most that a page holds.
    `reads_by_id` False: one user cannot be asked for (nobody was seen using that call:
    docs/contracts/safetyamp.md#one-record).
    """

    def __init__(
        self,
        clock: Clock,
        *,
        key: str,
        fqdn: str,
        calls: int | None = 60,
        period: float = 61.0,
        page_records: int = PAGE_RECORDS,
    ) -> None:
        super().__init__(clock)
        self.page_records = page_records
        self._key = key
        self._fqdn = fqdn
        self._window = CallWindow(clock, calls, period)
        self._store = self._new_store()
        self.reads_by_id = True

    def _new_store(self) -> SafetyAmpStore:
        return SafetyAmpStore(self.clock)

    def seed(self, content: SafetyAmpSeed) -> Seeded:
        """Put content that exists before the first sync into the empty tenant."""
        with self._lock:
            return plant(self._store, content)

    def snapshot(self) -> dict[str, list[Row]]:
        """Copies of all records by resource, flat: ids instead of nested objects, `roles` and `sites` of a
        user as lists of ids."""
        with self._lock:
            rows: dict[str, list[Row]] = copied(self._store.dump()["rows"])
            return rows

    def records(self, resource: str) -> list[Row]:
        """Of the snapshot, those of one resource."""
        with self._lock:
            return [copied(row) for row in self._store.rows(resource)]

    def add(self, resource: str, fields: Row) -> None:
        """Make a record unchecked, as a person does in the web application."""
        with self._lock:
            self._store.insert(resource, fields)

    def edit(self, resource: str, record_id: Id, **fields: Any) -> None:
        """Change a record unchecked, as a person does in the web application."""
        with self._lock:
            self._store.change(resource, record_id, fields)

    def remove(self, resource: str, record_id: Id) -> None:
        """Delete a record, as a person does in the web application."""
        with self._lock:
            self._store.remove(resource, record_id)

    def move_to_the_end(self, resource: str, record_id: Id) -> None:
        """List a record last from now on: an order that nobody promised to keep."""
        with self._lock:
            self._store.move_to_the_end(resource, record_id)

    def stats(self) -> dict[str, Any]:
        """Figures for assertions and reports: `calls` (all), `throttled` (429s), `peak_window` (most accepted
        calls in one window), `created` and `updated` by resource, `requests` by method and path."""
        with self._lock:
            return {
                "calls": len(self.calls),
                "throttled": self.throttled,
                "peak_window": self.peak_window,
                "created": dict(self._store.created),
                "updated": dict(self._store.updated),
                "requests": self.call_counts(),
            }

    @property
    def created(self) -> dict[str, int]:
        """Records created through the API, by resource."""
        return dict(self._store.created)

    @property
    def throttled(self) -> int:
        """Number of calls answered 429 by the limit (planned faults do not count)."""
        return self._window.refused

    @property
    def peak_window(self) -> int:
        """Greatest number of accepted calls in any window."""
        return self._window.peak

    def dump(self) -> dict[str, Any]:
        """All records as a JSON value, for a later `load`."""
        with self._lock:
            dumped: dict[str, Any] = copied(self._store.dump())
            return dumped

    def load(self, dumped: dict[str, Any]) -> None:
        """Replace all records by what `dump` gave."""
        store = self._new_store()
        store.load(dumped)
        with self._lock:
            self._store = store

    def _admit(self, request: SimRequest) -> SimResponse | None:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        wait = self._window.take()
        if wait is None:
            return None
        seconds = max(1, math.ceil(wait))
        reset = math.ceil(self.clock.now().timestamp() + wait)
        headers = {"Retry-After": str(seconds), "X-RateLimit-Reset": str(reset)}
        return self._limited(json_response(429, {"message": "Too Many Attempts."}, headers))

    def _refusal(self, request: SimRequest) -> SimResponse | None:
        agent = request.headers.get("User-Agent")
        if request.headers.get("Authorization") != f"Bearer {self._key}":
            return _message(401, "Unauthenticated.")
        if request.headers.get("Fqdn") != self._fqdn:
            return _message(403, "Forbidden: The Fqdn header does not name this key's account.")
        if not PRODUCT.match(agent) or agent.lower().startswith(CLIENT_LIBRARIES):
            return _message(403, "Forbidden: A descriptive User-Agent is required.")
        if "application/json" not in request.headers.get("Accept"):
            return _message(400, "Bad Request: Accept must be application/json.")
        return None

    def _answer(self, request: SimRequest) -> SimResponse:
        match = PATH.match(request.path)
        if match is None or match[1] not in METHODS:
            return self._limited(_message(404, "The route could not be found."))
        resource, record_id = match[1], match[2]
        readable = resource == READABLE and self.reads_by_id
        if request.method not in METHODS[resource] or (record_id is None) != _on_collection(
            request, record_id, readable
        ):
            return self._limited(_message(405, "The method is not supported for this route."))
        if request.method == "GET":
            return self._limited(self._read(resource, record_id, request))
        return self._limited(self._write(resource, record_id, request))

    def _read(self, resource: str, raw_id: str | None, request: SimRequest) -> SimResponse:
        if raw_id is not None:
            row = self._find(resource, raw_id)
            return _missing() if row is None else _data(200, view(self._store, resource, row))
        if resource == "site_clusters":
            return _data(200, cluster_tree(self._store))
        if "page" in request.query and "limit" not in request.query:
            return _message(400, "Bad Request: A limit is required when using page.")
        try:
            limit = int(request.query.get("limit", self.page_records))
            page = int(request.query.get("page", 0))
        except ValueError:
            return _message(400, "Bad Request: page and limit must be whole numbers.")
        if limit < 1 or page < 0:
            return _message(400, "Bad Request: page and limit are out of range.")
        # The largest limit is unknown; more than the default is never granted here.
        limit = min(limit, self.page_records)
        rows = self._store.page(resource, page * limit, limit)
        return _data(200, [view(self._store, resource, row) for row in rows])

    def _write(self, resource: str, raw_id: str | None, request: SimRequest) -> SimResponse:
        existing = None if raw_id is None else self._find(resource, raw_id)
        if raw_id is not None and existing is None:
            return _missing()
        payload = _payload(request)
        if payload is None:
            return _message(400, "Bad Request: The body must be a JSON object sent as application/json.")
        clean, errors = check(self._store, resource, request.method, payload, existing)
        if errors:
            return json_response(422, {"message": message(errors), "errors": errors})
        if existing is None:
            row = self._create(resource, clean)
        else:
            row = self._store.change(resource, existing["id"], clean)
            self._store.updated[resource] += 1
        return _data(201 if existing is None else 200, view(self._store, resource, row))

    def _create(self, resource: str, fields: Row) -> Row:
        if resource == "users" and not fields.get("roles"):
            fields["roles"] = [row["id"] for row in self._store.rows("roles") if row["account_default"]]
        fields = {name: value for name, value in fields.items() if value is not None}
        self._store.created[resource] += 1
        return self._store.insert(resource, fields)

    def _find(self, resource: str, raw_id: str) -> Row | None:
        if resource == "users":
            return self._store.get(resource, raw_id)
        return self._store.get(resource, int(raw_id)) if raw_id.isdecimal() else None

    def _limited(self, response: SimResponse) -> SimResponse:
        if self._window.calls is None:
            return response
        limits = {
            "X-RateLimit-Limit": str(self._window.calls),
            "X-RateLimit-Remaining": str(self._window.remaining()),
        }
        return replace(response, headers={**response.headers, **limits})


def _on_collection(request: SimRequest, record_id: str | None, readable: bool) -> bool:
    if request.method == "GET":
        return record_id is None or not readable
    return request.method == POST


def _payload(request: SimRequest) -> Row | None:
    if "application/json" not in request.headers.get("Content-Type"):
        return None
    try:
        value = json.loads(request.body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _data(status: int, value: Any) -> SimResponse:
    return json_response(status, {"data": value})


def _message(status: int, text: str) -> SimResponse:
    return json_response(status, {"message": text})


def _missing() -> SimResponse:
    return _message(404, "No query results for the requested record.")

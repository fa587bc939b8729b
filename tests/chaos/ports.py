"""The product's ports with a pause and a fault before and after every effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter

from local.bus import InProcessBus
from local.memory_documents import MemoryDocuments
from local.simulators.adapter import SimulatorAdapter
from local.simulators.exchange import SimResponse
from shared.clients.receipts import Reading, Receipt
from shared.clients.vista import VistaClient
from shared.errors import BusError, DatabaseError, DocumentChanged, StorageError
from shared.storage.bus import Message
from shared.storage.documents import Document, read_json
from shared.sync import paths
from shared.sync.state import state_from_json
from tests.chaos.breaker_watch import BreakerWatch
from tests.chaos.faults import Weather
from tests.chaos.scheduler import Killed, Scheduler

T = TypeVar("T")

CLIENT_TIMEOUT_SECONDS = 35.0
MOST = 0.75


class SkewedClock:
    """A process's clock: off by a constant, and sleeping is a pause."""

    def __init__(self, scheduler: Scheduler, skew_seconds: float) -> None:
        self._scheduler = scheduler
        self._skew = timedelta(seconds=skew_seconds)

    def now(self) -> datetime:
        return self._scheduler.clock.now() + self._skew

    def monotonic(self) -> float:
        return self._scheduler.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._scheduler.pause(f"sleeps {seconds:.3f}", seconds)


class ChaosDocuments:
    """One process's view of the shared documents."""

    def __init__(self, store: MemoryDocuments, scheduler: Scheduler, weather: Weather) -> None:
        self._store = store
        self._scheduler = scheduler
        self._weather = weather

    def read(self, path: str) -> Document | None:
        return self._do(f"read {path}", lambda: self._store.read(path))

    def create(self, path: str, data: bytes) -> str:
        return self._do(f"create {path}", lambda: self._store.create(path, data))

    def replace(self, path: str, data: bytes, etag: str) -> str:
        if self._weather.strikes("conflict"):
            self._scheduler.note(f"conflict at {path}")
            raise DocumentChanged(f"{path}: injected conflict")
        return self._do(f"replace {path}", lambda: self._store.replace(path, data, etag))

    def write(self, path: str, data: bytes, *, lease_id: str | None = None) -> str:
        return self._do(f"write {path}", lambda: self._store.write(path, data, lease_id=lease_id))

    def delete(self, path: str) -> None:
        self._do(f"delete {path}", lambda: self._store.delete(path))

    def list(self, prefix: str) -> Iterator[str]:
        return iter(self._do(f"list {prefix}", lambda: list(self._store.list(prefix))))

    def folders(self, prefix: str) -> Iterator[str]:
        return iter(self._do(f"folders {prefix}", lambda: list(self._store.folders(prefix))))

    def acquire_lease(self, path: str, seconds: int) -> str:
        return self._do(f"lease {path}", lambda: self._store.acquire_lease(path, seconds))

    def renew_lease(self, path: str, lease_id: str) -> None:
        self._do(f"renew {path}", lambda: self._store.renew_lease(path, lease_id))

    def release_lease(self, path: str, lease_id: str) -> None:
        self._do(f"release {path}", lambda: self._store.release_lease(path, lease_id))

    def _do(self, what: str, operation: Callable[[], T]) -> T:
        self._scheduler.pause(what, self._weather.latency(0.02))
        if self._weather.strikes("documents"):
            raise StorageError(f"injected before: {what}")
        result = operation()
        self._scheduler.pause(f"has done: {what}")
        if self._weather.strikes("documents"):
            raise StorageError(f"injected after: {what}")
        return result


class ChaosBus:
    """One process's way to the shared bus."""

    def __init__(
        self, bus: InProcessBus, scheduler: Scheduler, weather: Weather, sent: list[Message]
    ) -> None:
        self._bus = bus
        self._scheduler = scheduler
        self._weather = weather
        self._sent = sent

    def send(self, messages: Sequence[Message]) -> None:
        self._scheduler.pause("sends " + ", ".join(message.message_id for message in messages), 0.02)
        if self._weather.strikes("bus"):
            # A batch may be taken in part: the SDK splits it.
            self._take(messages[: len(messages) // 2])
            raise BusError("injected: half of the messages were taken")
        self._take(messages)
        self._scheduler.pause("has sent")
        if self._weather.strikes("bus"):
            raise BusError("injected: all messages were taken")

    def close(self) -> None:
        """Nothing to close."""

    def _take(self, messages: Sequence[Message]) -> None:
        self._sent.extend(messages)
        self._bus.send(messages)


class ChaosAdapter(HTTPAdapter):
    """The way to a simulator: slow, broken before or after the effect, and sometimes nonsense."""

    def __init__(
        self,
        inner: SimulatorAdapter,
        scheduler: Scheduler,
        weather: Weather,
        owner: str,
        watch: BreakerWatch | None,
    ) -> None:
        super().__init__()
        self._owner = owner
        self._watch = watch
        self._inner = inner
        self._scheduler = scheduler
        self._weather = weather

    def send(self, request: requests.PreparedRequest, *_how: Any, **_named: Any) -> requests.Response:
        number = self._watch.begins() if self._watch else 0
        good: bool | None = False
        try:
            response = self._exchange(request)
            good = None if response.status_code == 429 else response.status_code < 500
            good = good and not response.headers.get("X-Injected")
            return response
        except Killed:
            # Nobody hears of the answer; a probe's lease runs out.
            number = 0
            raise
        finally:
            if self._watch and number:
                self._watch.ends(number, self._owner, good=good)

    def _exchange(self, request: requests.PreparedRequest) -> requests.Response:
        what = f"{request.method} {request.path_url}"
        seconds = self._weather.latency(0.3)
        self._scheduler.pause(f"calls {what}", min(seconds, CLIENT_TIMEOUT_SECONDS) / 2)
        fault = self._weather.http_fault()
        if fault in ("refused", "timeout before", "500 before", "429"):
            return self._without_effect(fault, request)
        response = self._inner.send(request)
        self._scheduler.pause(f"was answered {response.status_code}", seconds / 2)
        if fault is None:
            return response
        self._scheduler.note(f"fault {fault} after {what}")
        if fault == "reset after":
            raise requests.ConnectionError("injected reset", request=request)
        if fault == "timeout after":
            raise requests.ReadTimeout("injected", request=request)
        if fault == "html after":
            return self._answer(request, 200, b"<html>maintenance</html>", {"X-Injected": "html"})
        return self._answer(request, 500, b"{}", {})

    def _without_effect(self, fault: str, request: requests.PreparedRequest) -> requests.Response:
        self._scheduler.note(f"fault {fault} instead of {request.method} {request.path_url}")
        if fault == "refused":
            raise requests.ConnectionError("injected", request=request)
        if fault == "timeout before":
            self._scheduler.pause("waits in vain", CLIENT_TIMEOUT_SECONDS)
            raise requests.ReadTimeout("injected", request=request)
        if fault == "429":
            return self._answer(request, 429, b'{"message":"Too Many Attempts."}', {"Retry-After": "7"})
        return self._answer(request, 503, b"<html>unavailable</html>", {})

    def _answer(
        self, request: requests.PreparedRequest, status: int, body: bytes, headers: dict[str, str]
    ) -> requests.Response:
        return self._inner.response_of(request, SimResponse(status, headers, body))


class ChaosVista:
    """Vista that fails, or shows employees as they are not, once most of them are in SafetyAmp.

    Before that nothing can tell a wrong read from the truth: a few deactivations are what the guard lets
    pass, and what else it makes happen (one of two people with one phone number is not there, the other gets
    it) is right for the source seen.
    """

    def __init__(
        self, inner: VistaClient, scheduler: Scheduler, weather: Weather, store: MemoryDocuments
    ) -> None:
        self._inner = inner
        self._store = store
        self._scheduler = scheduler
        self._weather = weather

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def query(*arguments: Any) -> Any:
            self._scheduler.pause(f"asks Vista for {name}", self._weather.latency(0.1))
            if self._weather.strikes("vista"):
                raise DatabaseError("injected: Vista did not answer")
            reading = getattr(self._inner, name)(*arguments)
            if name != "employees" or not self._most_are_known(len(reading.records)):
                return reading
            if self._weather.strikes("fewer rows"):
                self._scheduler.note("Vista gives half of the employees")
                return _half(reading)
            if self._weather.strikes("mass termination"):
                self._scheduler.note("Vista shows most employees as terminated")
                return _terminated(reading)
            return reading

        return query

    def _most_are_known(self, rows: int) -> bool:
        state = state_from_json("employees", read_json(self._store, paths.state("employees")))
        known = sum(1 for record in state.records.values() if record[0] is not None) if state else 0
        return known > rows * MOST


def _half(reading: Reading[Any]) -> Reading[Any]:
    rows = reading.records[: len(reading.records) // 2]
    receipt = reading.receipt
    return Reading(rows, Receipt(receipt.source, len(rows), receipt.pages, receipt.ended))


def _terminated(reading: Reading[Any]) -> Reading[Any]:
    rows = [
        row._replace(term_date="2025-01-01 00:00:00", hire_date="2020-01-01 00:00:00") if number % 3 else row
        for number, row in enumerate(reading.records)
    ]
    return Reading(rows, reading.receipt)

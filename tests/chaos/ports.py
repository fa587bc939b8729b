"""The product's ports with a pause and a fault before and after every effect."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import requests
from requests.adapters import HTTPAdapter

from local.documents.memory import MemoryDocuments
from local.simulators.adapter import SimulatorAdapter
from local.simulators.exchange import SimResponse
from local.simulators.simulator import Simulator
from shared.clients.http.work import Work
from shared.clients.receipts import Reading, Receipt
from shared.clients.vista.client import VistaClient
from shared.clients.vista.connection import connect_factory
from shared.clients.vista.driver import VistaConnection
from shared.errors import BusError, DatabaseError, DocumentChanged, StorageError
from shared.storage.bus import Message
from shared.storage.documents import Document
from tests.chaos.faults import AFTER, BEFORE
from tests.chaos.newer_release import message_with_unknown_members, with_unknown_members
from tests.chaos.scheduler import Killed, Scheduler

if TYPE_CHECKING:
    from datetime import datetime

    from tests.chaos.world import World

T = TypeVar("T")

CLIENT_TIMEOUT_SECONDS = 35.0
LATE_SECONDS = (1.0, 55.0)
"""How long after its client has given up a request may still be carried out. The engine takes a minute."""
WITH_STRANGERS = ("users", "user_titles", "assets")
"""What is listed page by page and holds records of nobody, which can be deleted."""
ANOTHER_USER = "the record of another user"
LISTED = (*WITH_STRANGERS, "sites", "site_clusters")
ONE_USER = re.compile(r"/api/users/[^/]+")
ODD_ANSWERS: tuple[tuple[int, Any], ...] = (
    (200, {"data": None}),
    (200, []),
    (200, ANOTHER_USER),
    (302, {}),
    (400, {"message": "Bad Request"}),
    (409, {"message": "Conflict"}),
)
"""To a question for one user; none says anything of that user."""
NOT_FOUND = (404, 410)
HALVED = {"Graph gives half": ("graph", "value"), "Samsara gives half": ("samsara", "data")}
"""Fault -> whose answer is cut short, and the member that holds its records."""


AWAY_SECONDS = 1.0
"""How long a call to a storage that is away takes: the SDK tries again. At once, a message would be delivered
thousands of times meanwhile, which took most of the time of many seeds."""


class SkewedClock:
    """A process's clock: off by a constant, and sleeping is a pause."""

    def __init__(self, scheduler: Scheduler, skew_seconds: float) -> None:
        self._scheduler = scheduler
        self.skew = timedelta(seconds=skew_seconds)

    def now(self) -> datetime:
        return self._scheduler.clock.now() + self.skew

    def monotonic(self) -> float:
        return self._scheduler.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._scheduler.pause("sleeps", seconds)


class ChaosDocuments:
    """One process's view of the shared documents. A process of a `newer` release writes members into them
    that nobody knows yet."""

    def __init__(self, world: World, *, newer: bool) -> None:
        self._store: MemoryDocuments = world.store
        self._scheduler = world.scheduler
        self._faults = world.faults
        self._newer = newer

    def read(self, path: str) -> Document | None:
        return self._do("read", path, lambda: self._store.read(path))

    def create(self, path: str, data: bytes) -> str:
        return self._do("create", path, lambda: self._store.create(path, self._written(path, data)))

    def replace(self, path: str, data: bytes, etag: str) -> str:
        if self._faults.strikes("document conflict"):
            self._scheduler.note(f"conflict at {path}")
            raise DocumentChanged(f"{path}: injected conflict")
        return self._do("replace", path, lambda: self._store.replace(path, self._written(path, data), etag))

    def write(self, path: str, data: bytes, *, lease_id: str | None = None) -> str:
        return self._do(
            "write", path, lambda: self._store.write(path, self._written(path, data), lease_id=lease_id)
        )

    def delete(self, path: str) -> None:
        self._do("delete", path, lambda: self._store.delete(path))

    def list(self, prefix: str) -> Iterator[str]:
        return iter(self._do("list", prefix, lambda: list(self._store.list(prefix))))

    def folders(self, prefix: str) -> Iterator[str]:
        return iter(self._do("folders", prefix, lambda: list(self._store.folders(prefix))))

    def acquire_lease(self, path: str, seconds: int) -> str:
        return self._do("lease", path, lambda: self._store.acquire_lease(path, seconds))

    def renew_lease(self, path: str, lease_id: str) -> None:
        self._do("renew", path, lambda: self._store.renew_lease(path, lease_id))

    def release_lease(self, path: str, lease_id: str) -> None:
        self._do("release", path, lambda: self._store.release_lease(path, lease_id))

    def _written(self, path: str, data: bytes) -> bytes:
        return with_unknown_members(path, data) if self._newer else data

    def _do(self, verb: str, path: str, operation: Callable[[], T]) -> T:
        what = f"{verb} {path}"
        self._scheduler.pause(what, self._faults.latency(0.02))
        away = self._faults.rages("storage away")
        if away:
            self._scheduler.pause("storage is away", AWAY_SECONDS)
        if away or self._faults.strikes("document fails before"):
            raise StorageError(f"injected before: {what}")
        result = operation()
        self._scheduler.pause("has done it", after=True)
        if self._faults.strikes("document fails after"):
            raise StorageError(f"injected after: {what}")
        return result


class ChaosBus:
    """One process's way to the shared bus; one of a `newer` release adds members to its messages."""

    def __init__(self, world: World, *, newer: bool) -> None:
        self._world = world
        self._newer = newer

    def send(self, messages: Sequence[Message]) -> None:
        scheduler, faults = self._world.scheduler, self._world.faults
        scheduler.pause("sends " + ", ".join(message.message_id for message in messages), 0.02)
        if faults.rages("storage away"):
            scheduler.pause("Service Bus is away", AWAY_SECONDS)
            raise BusError("injected: Service Bus is away, too")
        if faults.strikes("Service Bus fails before"):
            # A batch may be taken in part: the SDK splits it.
            self._take(messages[: len(messages) // 2])
            raise BusError("injected: half of the messages were taken")
        self._take(messages)
        scheduler.pause("has sent", after=True)
        if faults.strikes("Service Bus fails after"):
            raise BusError("injected: all messages were taken")

    def close(self) -> None:
        """Nothing to close."""

    def _take(self, messages: Sequence[Message]) -> None:
        if self._newer:
            messages = [message_with_unknown_members(message) for message in messages]
        self._world.sent.extend(messages)
        self._world.bus.send(messages)
        self._world.nothing_until = self._world.clock.now()


class Session(requests.Session):
    """Prepares a request as `requests` does where there are no cookies, hooks and credentials of the session;
    the whole way took as long as a simulator's answer."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        prepared = requests.PreparedRequest()
        prepared.prepare_method(request.method)
        prepared.url = _whole_url(request.url, tuple(request.params.items()) if request.params else ())
        prepared.prepare_headers({**self.headers, **request.headers})
        prepared.prepare_body(None, None, request.json)
        return prepared

    def merge_environment_settings(self, _url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        return {"proxies": proxies, "stream": stream, "verify": verify, "cert": cert}


@lru_cache(1000)
def _whole_url(url: str, parameters: tuple[tuple[str, Any], ...]) -> str | None:
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, dict(parameters))
    return prepared.url


class ChaosAdapter(HTTPAdapter):
    """The way to a simulator: slow, broken before or after the effect, and sometimes nonsense."""

    def __init__(self, world: World, name: str, owner: str) -> None:
        super().__init__()
        self._simulator: Simulator = getattr(world.tenant, name)
        self._inner = SimulatorAdapter(self._simulator)
        self._world = world
        self._name = name
        self._owner = owner
        self._scheduler = world.scheduler
        self._faults = world.faults
        self._watch = world.breaker_watch if name == "safetyamp" else None

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
        seconds = self._faults.latency(0.3)
        self._scheduler.pause(
            f"calls {request.method} {request.path_url}", min(seconds, CLIENT_TIMEOUT_SECONDS) / 2
        )
        if (before := self._fault_before(request)) is not None:
            return self._without_effect(before, request)
        self._shift_listing(request)
        response = self._inner.send(request)
        self._scheduler.pause("was answered", seconds / 2, after=True)
        after = self._fault_after(request) if self._name == "safetyamp" and response.ok else None
        return response if after is None else self._spoilt(after, request, response)

    def _fault_after(self, request: requests.PreparedRequest) -> str | None:
        if request.method == "GET":
            asks_for_one = ONE_USER.fullmatch(self._inner.request_of(request).path)
            return self._faults.one_of(("odd answer to one user",)) if asks_for_one else None
        of_creations = ("404 after a creation",) if request.method == "POST" else ()
        return self._faults.one_of((*of_creations, *AFTER))

    def _fault_before(self, request: requests.PreparedRequest) -> str | None:
        faults = self._faults
        if self._name != "safetyamp":
            away = faults.rages(f"{self._name.title()} away")
            return "connection refused" if away else self._cut_short(request)
        if faults.rages("outage"):
            return self._world.dice.choice(BEFORE)
        if faults.rages("storm of 429"):
            return "429"
        if request.method == "POST" and faults.strikes("late arrival"):
            return "late arrival"
        return faults.one_of((*BEFORE, "429", "401 for a moment"))

    def _cut_short(self, request: requests.PreparedRequest) -> str | None:
        return next(
            (
                fault
                for fault, (name, _) in HALVED.items()
                if name == self._name
                and "token" not in (request.url or "")
                and self._faults.strikes(fault, self._world.tells_half_from_all)
            ),
            None,
        )

    def _without_effect(self, fault: str, request: requests.PreparedRequest) -> requests.Response:
        self._scheduler.note(f"fault {fault} at {request.method} {request.path_url}")
        if fault == "connection refused":
            raise requests.ConnectionError("injected", request=request)
        if fault == "late arrival":
            return self._late(request)
        if fault == "timeout before":
            self._scheduler.pause("waits in vain", CLIENT_TIMEOUT_SECONDS)
            raise requests.ReadTimeout("injected", request=request)
        if fault == "429":
            return self._answer(request, 429, b'{"message":"Too Many Attempts."}', {"Retry-After": "7"})
        if fault == "401 for a moment":
            return self._answer(request, 401, b'{"message":"Unauthenticated."}', {})
        if fault in HALVED:
            return self._half(request, HALVED[fault][1])
        return self._answer(request, 503, b"<html>unavailable</html>", {})

    def _late(self, request: requests.PreparedRequest) -> requests.Response:
        """Let in, and carried out after the client has given up."""
        effect = self._simulator.put_off(self._inner.request_of(request))
        if isinstance(effect, SimResponse):
            return self._inner.response_of(request, effect)
        self._scheduler.pause("waits in vain", CLIENT_TIMEOUT_SECONDS)
        self._world.arrives_late(self._world.dice.uniform(*LATE_SECONDS), effect)
        raise requests.ReadTimeout("injected", request=request)

    def _half(self, request: requests.PreparedRequest, member: str) -> requests.Response:
        response = self._inner.send(request)
        body = response.json()
        if response.ok:
            body[member] = body[member][: len(body[member]) // 2]
        return self._answer(request, response.status_code, json.dumps(body).encode(), {})

    def _spoilt(
        self, fault: str, request: requests.PreparedRequest, response: requests.Response
    ) -> requests.Response:
        self._scheduler.note(f"fault {fault} of {request.method} {request.path_url}")
        if fault == "reset after":
            raise requests.ConnectionError("injected reset", request=request)
        if fault == "timeout after":
            raise requests.ReadTimeout("injected", request=request)
        if fault == "nonsense after":
            return self._answer(request, 200, b"<html>maintenance</html>", {"X-Injected": "html"})
        if fault == "cut answer after":
            half = response.content[: len(response.content) // 2]
            return self._answer(request, response.status_code, half, {"X-Injected": "cut"})
        if fault == "404 after a creation":
            status = self._world.dice.choice(NOT_FOUND)
            return self._answer(request, status, b'{"message":"Not Found"}', {"X-Injected": "404"})
        if fault == "odd answer to one user":
            return self._odd_answer(request)
        return self._answer(request, 500, b"{}", {})

    def _odd_answer(self, request: requests.PreparedRequest) -> requests.Response:
        status, body = self._world.dice.choice(ODD_ANSWERS)
        self._world.not_shown.add(request.path_url.rpartition("/")[2])
        if body == ANOTHER_USER:
            body = {"data": self._world.dice.choice(self._world.tenant.safetyamp.records("users"))}
        return self._answer(request, status, json.dumps(body).encode(), {})

    def _answer(
        self, request: requests.PreparedRequest, status: int, body: bytes, headers: dict[str, str]
    ) -> requests.Response:
        headers = {"Content-Type": "application/json", **headers}
        return self._inner.response_of(request, SimResponse(status, headers, body))

    def _shift_listing(self, request: requests.PreparedRequest) -> None:
        """Between two pages of a listing somebody deletes an earlier record, or the order changes."""
        if self._name != "safetyamp" or request.method != "GET" or "page=" not in (request.url or ""):
            return
        asked = self._inner.request_of(request)
        if asked.query.get("page", "0") == "0":
            return
        resource = asked.path.rpartition("/")[2]
        if resource not in LISTED:
            return
        if resource in WITH_STRANGERS and self._faults.strikes(
            "deletion while listing", lambda: self._world.hands.can_delete(resource)
        ):
            self._world.hands.delete_a_stranger(resource)
        if self._faults.strikes("order changes while listing"):
            self._world.hands.move_the_first(resource)


class VistaTables:
    """All processes' connection to Vista: a statement is carried out once, until the company has changed."""

    def __init__(self, database: str) -> None:
        self._connect = connect_factory(database)
        self._answers: dict[tuple[str, tuple[Any, ...]], list[Sequence[Any]]] = {}

    @cached_property
    def _inner(self) -> VistaConnection:
        return self._connect()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Sequence[Any]]:
        """As VistaConnection has it."""
        asked = sql, tuple(parameters)
        if asked not in self._answers:
            self._answers[asked] = list(self._inner.rows(sql, parameters))
        return iter(self._answers[asked])

    def forget(self) -> None:
        """The tables hold something else now."""
        self._answers.clear()

    def end(self) -> None:
        """Nobody will ask any more."""
        self._inner.close()

    def ping(self) -> None:
        """It is there."""

    def close(self) -> None:
        """One process has done with it."""


class ChaosVista:
    """Vista that fails, or shows employees as they are not, once most of them are in SafetyAmp.

    Before that nothing can tell a wrong read from the truth: a few deactivations are what the guard lets
    pass, and what else it makes happen (one of two people with one phone number is not there, the other gets
    it) is right for the source seen.
    """

    def __init__(self, inner: VistaClient, world: World) -> None:
        self._inner = inner
        self._world = world

    def under(self, work: Work) -> ChaosVista:
        """The same, for reads that belong to this work."""
        return ChaosVista(self._inner.under(work), self._world)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def query(*arguments: Any) -> Any:
            faults = self._world.faults
            self._world.scheduler.pause(f"asks Vista for {name}", faults.latency(0.1))
            if faults.strikes("Vista fails"):
                raise DatabaseError("injected: Vista did not answer")
            reading = getattr(self._inner, name)(*arguments)
            if name != "employees":
                return reading
            if faults.strikes("Vista gives half", self._world.most_are_known):
                self._world.scheduler.note("Vista gives half of the employees")
                return _half(reading)
            if faults.strikes("Vista shows leavers who are none", self._world.most_are_known):
                self._world.scheduler.note("Vista shows most employees as terminated")
                return _terminated(reading)
            return reading

        return query


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

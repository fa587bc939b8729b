"""The simulated world with processes of two releases of the code, on one set of documents and one bus.

A deployment, or a rollback, in the middle of a run: the processes are replaced one after the other, so that
both releases take messages for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import requests

from local.bus.in_process import LockedMessage
from shared.runtime import Runtime
from tests.chaos import beginnings
from tests.chaos.ports import ChaosAdapter, ChaosBus, ChaosDocuments, SkewedClock
from tests.chaos.release_process import Beginning
from tests.chaos.releases import ROOT, Release, RemoteRuntime
from tests.chaos.scheduler import Task
from tests.chaos.world import ALL_QUEUES, HOSTS, STORMY, Process, SimulatedTokens, World

NOW = Release("today", ROOT)
WAYS = {
    "upgrade": ("before", "today"),
    "rollback": ("today", "before"),
    "upgrade, taken back": ("before", "today", "before"),
    "rollback, taken back": ("today", "before", "today"),
}
"""Which release comes after which; a seed has the way of its number."""
SWAPS = (0.0, 0.15), (0.3, 0.5)
"""Between which shares of the storm a swap begins."""
SIDE_BY_SIDE = timedelta(minutes=4)
"""So long after it the last process is of the other release, at the latest."""
MEANWHILE = 0.05
"""So much of the storm after a swap has begun somebody asks for a run."""
KILLED = 0.4
"""How many of the replaced processes are killed; the others may finish what they have at hand."""
BOTH = "both releases in one run"
"""What is counted beside the faults."""
KINDS = (
    "crash before an effect",
    "crash after an effect",
    "told to end",
    "slow operation",
    "lock lost",
    "delivered twice at once",
    "delivered out of order",
    "Service Bus fails before",
    "Service Bus fails after",
    "document conflict",
    "document fails before",
    "document fails after",
    "reset after",
    "timeout after",
    "5xx after",
    "nonsense after",
    "cut answer after",
)
"""What happens to processes, messages, documents and answers. Some of the rest 0.1.0 alone does not stand."""


@dataclass
class TwoReleases(World):
    """A world in which `before` is the folder with the code of the release before; `way` says who follows
    whom (None: the seed does)."""

    drawn_from: tuple[str, ...] = KINDS
    before: Path = ROOT
    way: tuple[str, ...] | None = None
    loaded_by: str | None = None
    """Whose first load the world begins with, if with one; None: that of the first release."""

    def __post_init__(self) -> None:
        self.way = self.way or list(WAYS.values())[self.seed % len(WAYS)]
        self._releases = {"before": Release("0.1.0", self.before), "today": NOW}
        self._runtimes: dict[str, RemoteRuntime] = {}
        self._schedule: dict[str, list[tuple[datetime, str]]] = {}
        self._swaps: list[float] = []
        self._planner: str | None = None
        self._at_work: dict[str, set[Release]] = {}
        self._first = self.loaded_by or self.way[0]
        super().__post_init__()

    def close(self) -> None:
        """End all processes, too."""
        for runtime in self._runtimes.values():
            runtime.kill()
        super().close()

    @property
    def has_older_release(self) -> bool:
        return True

    def uncounted(self, plan: dict[str, Any] | None) -> int:
        """Release 0.1.0 counts from a plan only what its own plans have: who waits there, or whose part is
        held apart, is missing in the report of the one run that it ends in place of today's release."""
        if plan is None:
            return 0
        parts = {} if plan["held"] else plan.get("held_parts", {})
        held = sum(int(part["count"]) for part in parts.values())
        return int(plan["counts"].get("waiting", 0)) + held

    def _beginning(self) -> beginnings.Settled:
        return settled_by(self.before, self._first)

    def _draw(self) -> None:
        super()._draw()
        self._draw_swaps(self._beginning().at if self.loaded else self.clock.now())

    def _draw_swaps(self, start: datetime) -> None:
        """Which process is of which release since when; and which release only plans while both are there."""
        assert self.way is not None
        self._planner = self.dice.choice((None, None, "before", "today"))
        names = [f"p{number}" for number in range(self.processes_count)]
        self._schedule = {name: [(start, self.way[0])] for name in names}
        for between, release in zip(SWAPS, self.way[1:], strict=False):
            begins = self.dice.uniform(*between)
            self._swaps.append(begins)
            for name in names:
                moment = start + STORMY * begins + SIDE_BY_SIDE * self.dice.random()
                self._schedule[name].append((moment, release))

    def _shares_of_requests(self) -> list[float]:
        meanwhile = [begins + self.dice.random() * MEANWHILE for begins in self._swaps]
        return sorted([*super()._shares_of_requests(), *meanwhile], reverse=True)

    def _due(self, name: str) -> Release:
        """The release that a process of this name is to be of now."""
        passed = [release for moment, release in self._schedule[name] if moment <= self.clock.now()]
        return self._releases[passed[-1]]

    def _step(self, until: datetime) -> None:
        for process in self.processes:
            self._replace(process)
        super()._step(until)

    def _take_message(self, process: Process) -> bool:
        """Where one has nothing that it may take, the others look."""
        others = (other for other in self.processes if other is not process and self._is_idle(other))
        return super()._take_message(process) or any(map(super()._take_message, others))

    def _queues_of(self, process: Process) -> tuple[str, ...]:
        """While both releases are there, in half of the seeds one of them plans and the other applies."""
        if self._planner is None or len({_remote(one).release for one in self._living()}) == 1:
            return ALL_QUEUES
        plans = _remote(process).release == self._releases[self._planner]
        return tuple(queue for queue in ALL_QUEUES if queue.startswith("entity") == plans)

    def _living(self) -> list[Process]:
        return [one for one in self.processes if one.dead_until is None and not one.ending]

    def _replace(self, process: Process) -> None:
        remote = _remote(process)
        if process.dead_until is not None or process.ending or remote.release == self._due(process.name):
            return
        if self.scheduler.busy(process.name) and self.dice.random() < KILLED:
            self._crash(process)
            return
        self.scheduler.note(f"{process.name} makes room")
        process.end()

    def _runtime(self, name: str) -> tuple[Runtime, SkewedClock]:
        clock = SkewedClock(self.scheduler, self.dice.uniform(-2.0, 2.0))
        release = self._due(name)
        self.scheduler.note(f"{name} is of release {release.name}")
        beginning = Beginning(self._environment(), HOSTS, self.dice.getrandbits(64))
        remote = RemoteRuntime(release, beginning, self._ports(name, clock), clock)
        if name in self._runtimes:
            self._runtimes[name].kill()
        self._runtimes[name] = remote
        return remote, clock  # type: ignore[return-value]

    def _ports(self, name: str, clock: SkewedClock) -> dict[str, object]:
        return {
            "clock": clock,
            "documents": ChaosDocuments(self, newer=False),
            "bus": ChaosBus(self, newer=False),
            "redis": self._redis_client(name),
            "tokens": SimulatedTokens(self.tenant),
            "upstreams": _Upstreams(self, name),
            "vista": _Vista(self),
        }

    def _handle(self, process: Process, locked: LockedMessage) -> None:
        releases = self._at_work.setdefault(locked.message.message_id.split("/")[0], set())
        before = len(releases)
        releases.add(_remote(process).release)
        if before < len(releases) == len(self._releases):
            self.faults.count(BOTH)
        super()._handle(process, locked)

    def _call(self, process: Process, operation: Callable[..., Any], *arguments: Any) -> None:
        remote = _remote(process)
        try:
            remote.call(operation, *arguments)
        finally:
            self.logged += remote.logged
            remote.logged.clear()


@dataclass
class SideBySide(TwoReleases):
    """Both releases are there for one run: what the `planner` has planned is applied by the other one. Then
    `way` is the release that stays."""

    planner: str = "today"
    processes_count: int = 2

    def _draw_swaps(self, start: datetime) -> None:
        assert self.way is not None
        self._planner = self.planner
        self._schedule = {
            "p0": [(start, "before"), (start + STORMY, self.way[0])],
            "p1": [(start, "today"), (start + STORMY, self.way[0])],
        }

    def _shares_of_requests(self) -> list[float]:
        return [2.0, 0.0]


@dataclass
class Swapped(TwoReleases):
    """One process, replaced by one of the other release when its run has ended."""

    processes_count: int = 1

    def _draw_swaps(self, start: datetime) -> None:
        assert self.way is not None
        self._schedule = {"p0": [(start, self.way[0]), (start + STORMY / 2, self.way[1])]}

    def _shares_of_requests(self) -> list[float]:
        return [2.0, 0.0]


@dataclass
class HandedOn(TwoReleases):
    """One process, which dies when a call to SafetyAmp was carried out, before it hears of that; one of the
    other release goes on. `dies_after` is the call's method and the resource."""

    processes_count: int = 1
    dies_after: tuple[str, str] = ("POST", "users")
    died: bool = False

    def _draw_swaps(self, start: datetime) -> None:
        assert self.way is not None
        self._schedule = {"p0": [(start, self.way[0])]}

    def _shares_of_requests(self) -> list[float]:
        return [2.0, 0.0]

    def _dies(self, task: Task) -> bool:
        calls, (method, resource) = self.tenant.safetyamp.calls, self.dies_after
        last = calls[-1] if calls else None
        if (
            self.died
            or not task.after
            or not last
            or (last.method, last.path) != (method, f"/api/{resource}")
        ):
            return False
        assert self.way is not None
        self._schedule["p0"].append((self.clock.now(), self.way[1]))
        self.died = True
        return True


def _remote(process: Process) -> RemoteRuntime:
    runtime: Any = process.runtime
    assert isinstance(runtime, RemoteRuntime)
    return runtime


class _Upstreams:
    """All upstreams as a process's port: the answer as status, headers and body."""

    def __init__(self, world: World, owner: str) -> None:
        self._adapters = {name: ChaosAdapter(world, name, owner) for name in HOSTS}

    def send(self, name: str, request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        response = self._adapters[name].send(request)
        return response.status_code, dict(response.headers), response.content


class _Vista:
    def __init__(self, world: World) -> None:
        self._world = world

    def before(self, query: str) -> None:
        """A query takes its time."""
        self._world.scheduler.pause(f"asks Vista for {query}", self._world.faults.latency(0.1))


@cache
def settled_by(before: Path, release: str) -> beginnings.Settled:
    """What a world begins with that this release has loaded."""
    options: dict[str, Any] = {
        "seed": -1,
        "kinds": (),
        "processes_count": 1,
        "company_changes": False,
        "limit_calls": 60,
    }
    return beginnings.settle(TwoReleases(**options, loaded=False, before=before, way=(release,)))

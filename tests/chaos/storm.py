"""A storm over real processes: workers and Redis are killed at moments that a seed chooses.

It also says how much of SafetyAmp's limit is still guaranteed in each window of that time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from random import Random

from local.host.cluster import Cluster, WorkerProcess
from local.host.redis_server import RedisServer

POLL_SECONDS = 0.02
KILLS_PER_REDIS_KILL = 12
PAUSE_SECONDS = (0.4, 1.4)
"""Between two kills."""
DOWN_SECONDS = (0.0, 1.2)
"""Between a kill and the restart."""

LONGEST_FALLBACK_SECONDS = 8.0
"""A process keeps to its own limiter for 5 s after Redis did not answer (`RedisConnection`). It may have
noticed at the last moment before the restart, after a timeout of 1 s; 2 s more are for a busy machine."""
IN_FLIGHT_SECONDS = 2.0
"""A call that a Redis has granted reaches SafetyAmp at most so long after that Redis was killed."""


@dataclass
class Life:
    """From the start of a process to its end, in seconds of the machine's monotonic clock."""

    began: float
    ended: float = inf

    def overlaps(self, begin: float, end: float) -> bool:
        """Whether it lived at some moment between."""
        return self.began < end and self.ended > begin


@dataclass
class Storm:
    """Kills and restarts until told otherwise; `redis_lives` and `worker_lives` are what happened."""

    cluster: Cluster
    redis: RedisServer
    dice: Random
    spared_calls: int
    """Redis is spared until SafetyAmp has seen so many calls, so that the limit itself is put to the test."""
    worker_lives: list[Life] = field(default_factory=list)
    redis_lives: list[Life] = field(default_factory=list)
    _running: dict[WorkerProcess, Life] = field(default_factory=dict)
    _restarts: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    _deck: list[str] = field(default_factory=list)

    def begin(self, workers: int) -> None:
        """Note that Redis runs, and start the workers."""
        self.redis_lives.append(Life(time.monotonic()))
        for _ in range(workers):
            self._start_worker()

    def rage_while(self, condition: Callable[[], bool], seconds: float) -> None:
        """Kill and restart while the condition holds, then restart what is down; fails after `seconds`."""
        deadline, next_kill = time.monotonic() + seconds, self._later(PAUSE_SECONDS)
        while condition():
            now = time.monotonic()
            assert now < deadline, f"not over after {seconds:g} s: {self.cluster.log[-4000:]}"
            self._restart_due(now)
            if now >= next_kill:
                self._kill()
                next_kill = self._later(PAUSE_SECONDS)
            time.sleep(POLL_SECONDS)
        self._restart_due(inf)

    @property
    def worker_kills(self) -> int:
        """How many workers have been killed."""
        return sum(1 for life in self.worker_lives if life.ended < inf)

    @property
    def redis_kills(self) -> int:
        """How often Redis has been killed."""
        return sum(1 for life in self.redis_lives if life.ended < inf)

    def most_calls(self, begin: float, end: float, limit: int, share: int) -> int:
        """The most calls that the limiter guarantees for a window.

        The limit, whatever happens to workers. Around the loss of a Redis: as much as each Redis that could
        grant calls in the window may grant, because a new one knows only the calls of processes that have
        asked it since; and the `share` of each worker that lived in the window and may have been on its own.
        """
        if not self._may_fall_back(begin, end):
            return limit
        grants = sum(1 for life in self.redis_lives if life.overlaps(begin - IN_FLIGHT_SECONDS, end))
        alone = sum(1 for life in self.worker_lives if life.overlaps(begin, end))
        return limit * grants + share * alone

    def _may_fall_back(self, begin: float, end: float) -> bool:
        losses = zip(self.redis_lives, self.redis_lives[1:], strict=False)
        return any(old.ended < end and begin < new.began + LONGEST_FALLBACK_SECONDS for old, new in losses)

    def _kill(self) -> None:
        if not self._deck:
            self._deck = ["redis", *["worker"] * KILLS_PER_REDIS_KILL]
            self.dice.shuffle(self._deck)
        victim = self._deck.pop()
        if victim == "redis" and len(self.cluster.safetyamp.calls) < self.spared_calls:
            self._deck.append(victim)
            self._kill_worker()
        elif victim == "redis":
            self._kill_redis()
        else:
            self._kill_worker()

    def _kill_redis(self) -> None:
        if self.redis_lives[-1].ended == inf:
            self.redis.kill()
            self.redis_lives[-1].ended = time.monotonic()
            self._restarts.append((self._later(DOWN_SECONDS), self._start_redis))

    def _kill_worker(self) -> None:
        if not self._running:
            return
        worker = self.dice.choice(list(self._running))
        self.cluster.kill_worker(worker)
        self._running.pop(worker).ended = time.monotonic()
        self._restarts.append((self._later(DOWN_SECONDS), self._start_worker))

    def _start_worker(self) -> None:
        life = Life(time.monotonic())
        self._running[self.cluster.start_worker()] = life
        self.worker_lives.append(life)

    def _start_redis(self) -> None:
        self.redis_lives.append(Life(time.monotonic()))
        self.redis.start()

    def _restart_due(self, now: float) -> None:
        due = [restart for at, restart in self._restarts if at <= now]
        self._restarts = [(at, restart) for at, restart in self._restarts if at > now]
        for restart in due:
            restart()

    def _later(self, seconds: tuple[float, float]) -> float:
        return time.monotonic() + self.dice.uniform(*seconds)

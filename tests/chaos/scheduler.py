"""Many handlers of many processes in one thread: who goes on at each I/O step is drawn from a seed.

A handler runs in a greenlet. Every I/O of the product calls `Scheduler.pause`, which gives control back to
the loop; the loop decides who is next, lets time pass, and may kill a process between any two steps.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from greenlet import getcurrent, greenlet

from local.fake_clock import FakeClock


class Killed(BaseException):
    """The process is gone; nothing in it may run on. Not an Exception, so that nothing swallows it."""


@dataclass
class Task:
    """A handler at work in a process (`owner`), to be resumed not before `wake_at`. `after`: it stands right
    behind an effect, which the world has seen and the process not yet."""

    owner: str
    title: str
    run: greenlet
    wake_at: datetime
    after: bool = False
    finished: bool = False


class Scheduler:
    """The tasks, the clock and the dice."""

    def __init__(self, seed: int, clock: FakeClock) -> None:
        self.dice = random.Random(seed)
        self.clock = clock
        self.tasks: list[Task] = []
        self._notes: list[tuple[datetime, str]] = []
        self._loop = getcurrent()
        self._by_greenlet: dict[greenlet, Task] = {}
        self.at_work: Counter[str] = Counter()

    def note(self, text: str) -> None:
        """Add a line to the trace."""
        self._notes.append((self.clock.now(), text))

    @property
    def trace(self) -> list[str]:
        """The record as lines; they are made when somebody wants them."""
        return [f"{moment:%d %H:%M:%S.%f} {text}" for moment, text in self._notes]

    def spawn(self, owner: str, title: str, handler: Callable[[], Any]) -> Task:
        """Start a handler at the next step."""

        def body() -> None:
            try:
                handler()
            except Killed:
                self.note(f"{owner} killed in {title}")
            finally:
                task.finished = True

        task = Task(owner, title, greenlet(body), self.clock.now())
        self.tasks.append(task)
        self.at_work[owner] += 1
        self._by_greenlet[task.run] = task
        return task

    def pause(self, what: str, seconds: float = 0.0, *, after: bool = False) -> None:
        """Called by the product's I/O: let others run, and `seconds` pass; `after` as in
        Task. Raises Killed."""
        task = self._by_greenlet.get(getcurrent())
        if task is None:
            # Outside of any handler (a test looks at something): nothing to interleave.
            return
        if seconds:
            task.wake_at = self.clock.now() + timedelta(seconds=seconds)
        task.after = after
        self._loop.switch()
        self.note(f"{task.owner} {what}")

    def resume(self, task: Task) -> None:
        """Let a task run up to its next pause."""
        task.run.switch()
        if task.finished:
            self._clean()

    def kill(self, owner: str) -> None:
        """End all tasks of a process where they stand."""
        for task in [task for task in self.tasks if task.owner == owner]:
            # Again at every pause: cleaning up pauses too, and a greenlet that never ends keeps its world.
            while task.run:
                task.run.throw(Killed())
            task.finished = True
        self._clean()

    def runnable(self) -> list[Task]:
        """Tasks whose wait is over."""
        now = self.clock.now()
        return [task for task in self.tasks if task.wake_at <= now]

    def next_wake(self) -> datetime | None:
        """When the next task's wait is over."""
        return min([task.wake_at for task in self.tasks], default=None)

    def busy(self, owner: str) -> bool:
        """Whether a process has a handler at work."""
        return self.at_work[owner] > 0

    def _clean(self) -> None:
        for task in [task for task in self.tasks if task.finished]:
            self.tasks.remove(task)
            self.at_work[task.owner] -= 1
            del self._by_greenlet[task.run]

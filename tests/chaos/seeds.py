"""Running seeds: one at a time with a verdict that says how to replay it, or many in parallel."""

from __future__ import annotations

import functools
import gc
import multiprocessing
import os
import resource
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from tests.chaos import beginnings
from tests.chaos.faults import HELD
from tests.chaos.world import World

TRACE_LINES_SHOWN = 60
CHUNK = 5
CHUNKS_AHEAD = 3
"""Chunks per worker that are handed out at a time, so that millions of seeds need no more memory than ten."""
CHUNKS_PER_WORKER = 100
"""Then the worker is replaced: whatever it has gathered is given back."""
GC_THRESHOLDS = 5000, 20, 20
"""Hardly anything of a seed hangs together in cycles."""
MOST_BYTES = 4 * 2**30
"""What a worker may take; a seed that wants more fails with MemoryError and leaves the machine alone."""


@dataclass(frozen=True)
class Verdict:
    """What a seed found: `found` are the violations, `struck` how often each kind of fault happened."""

    seed: int
    found: list[str]
    struck: dict[str, int]


Runner = Callable[..., Verdict]
Work = Callable[[list[int]], list[Verdict]]


def run_seed(seed: int, make: Callable[..., World] = World, **options: Any) -> Verdict:
    """One seed of the worlds that `make` makes; an error that escapes is a violation, too."""
    world = make(seed, **options)
    try:
        world.run()
        found = world.violations()
    except Exception as error:
        found = [f"{type(error).__name__}: {error}"]
    finally:
        world.close()
    return Verdict(seed, found, world.faults.struck)


def trace_of(seed: int, make: Callable[..., World] = World, **options: Any) -> list[str]:
    """The readable trace of a seed."""
    world = make(seed, **options)
    try:
        world.run()
    except Exception as error:
        world.scheduler.note(f"{type(error).__name__}: {error}")
    finally:
        world.close()
    return world.scheduler.trace


def run_seeds(
    seeds: Iterable[int], processes: int | None = None, run: Runner = run_seed, **options: Any
) -> Iterator[Verdict]:
    """The verdicts as they come, on all cores; `run` is called with a seed and `options`. A seed whose worker
    dies of it is told as a violation; the others that were under way are run again."""
    work = functools.partial(_run_chunk, run, options)
    numbers = list(seeds)
    left = deque(numbers[first : first + CHUNK] for first in range(0, len(numbers), CHUNK))
    while left:
        lost: list[int] = []
        yield from _run_chunks(left, processes or os.cpu_count() or 1, work, lost)
        for seed in lost:
            yield _run_alone(seed, work)


def _run_chunks(left: deque[list[int]], processes: int, work: Work, lost: list[int]) -> Iterator[Verdict]:
    """Until all are done, or a worker has died: then those under way are `lost`."""
    at_work: dict[Future[list[Verdict]], list[int]] = {}
    with _pool(processes) as pool:
        try:
            while left or at_work:
                while left and len(at_work) < CHUNKS_AHEAD * processes:
                    # First handed out, then taken from what is left: a pool may turn out to be broken here.
                    at_work[pool.submit(work, left[0])] = left[0]
                    left.popleft()
                for future in wait(at_work, return_when=FIRST_COMPLETED).done:
                    yield from future.result()
                    del at_work[future]
        except BrokenProcessPool:
            lost += [seed for chunk in at_work.values() for seed in chunk]


def _run_alone(seed: int, work: Work) -> Verdict:
    with _pool(1) as pool:
        try:
            return pool.submit(work, [seed]).result()[0]
        except BrokenProcessPool:
            return Verdict(seed, ["WorkerDied: the process that ran this seed is gone"], {})


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        processes,
        # Workers that can be replaced cannot be forks of a process with threads.
        mp_context=multiprocessing.get_context("forkserver"),
        initializer=_prepare,
        max_tasks_per_child=CHUNKS_PER_WORKER,
    )


def _prepare() -> None:
    """Bound what the worker takes, and let the garbage collector walk seldom, and never over the modules."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    beginnings.settled()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _run_chunk(run: Runner, options: dict[str, Any], seeds: list[int]) -> list[Verdict]:
    return [run(seed, **options) for seed in seeds]


def explanation(
    verdict: Verdict, drawn_from: tuple[str, ...] = HELD, option: str = "", **options: Any
) -> str:
    """What a failing seed tells: the violations, how to replay, and the end of its trace."""
    tail = "\n".join(trace_of(verdict.seed, drawn_from=drawn_from, **options)[-TRACE_LINES_SHOWN:])
    lines = "\n".join(f"  {line[:400]}" for line in verdict.found[:10])
    replay = f"python -m tests.chaos.soak --seed {verdict.seed}{option}"
    return f"seed {verdict.seed}:\n{lines}\nreplay: {replay}\n...\n{tail}"

"""Running seeds: one at a time with a verdict that says how to replay it, or many in parallel."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from tests.chaos.checks import violations
from tests.chaos.world import World

TRACE_LINES_SHOWN = 60
CHUNK = 5


def run_seed(seed: int, **options: Any) -> list[str]:
    """The violations of one seed; an error that escapes is one too."""
    world = World(seed, **options)
    try:
        world.run()
        return violations(world)
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]
    finally:
        world.close()


def trace_of(seed: int) -> list[str]:
    """The readable trace of a seed."""
    world = World(seed)
    try:
        world.run()
    except Exception as error:
        world.scheduler.note(f"{type(error).__name__}: {error}")
    finally:
        world.close()
    return world.scheduler.trace


def run_seeds(seeds: Iterable[int], processes: int | None = None) -> Iterator[tuple[int, list[str]]]:
    """Each seed with its violations, in order, on all cores."""
    numbers = list(seeds)
    with ProcessPoolExecutor(processes or os.cpu_count()) as pool:
        yield from zip(numbers, pool.map(run_seed, numbers, chunksize=CHUNK), strict=True)


def explanation(seed: int, found: list[str]) -> str:
    """What a failing seed tells: the violations, how to replay, and the end of its trace."""
    tail = "\n".join(trace_of(seed)[-TRACE_LINES_SHOWN:])
    lines = "\n".join(f"  {line[:400]}" for line in found[:10])
    return f"seed {seed}:\n{lines}\nreplay: python -m tests.chaos.soak --seed {seed}\n...\n{tail}"

"""Any number of seeds in parallel: `make soak SEEDS=n`; or one seed with its whole trace."""

from __future__ import annotations

import argparse
import sys
import time

from rich.progress import Progress

from tests.chaos.seeds import explanation, run_seed, run_seeds, trace_of

LINES_EVERY = 500
"""Seeds per line where no progress bar can be shown."""


def main() -> int:
    """Returns 1 when a seed found a violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak")
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first one")
    parser.add_argument("--seed", type=int, help="this one only, with its trace")
    options = parser.parse_args()
    if options.seed is not None:
        return _replay(options.seed)
    return _soak(options.first, options.seeds)


def _replay(seed: int) -> int:
    found = run_seed(seed)
    print("\n".join([*trace_of(seed), *found]))
    return int(bool(found))


def _soak(first: int, count: int) -> int:
    began, bad = time.monotonic(), 0
    with Progress() as progress:
        console, task = progress.console, progress.add_task("seeds", total=count)
        for done, (seed, found) in enumerate(run_seeds(range(first, first + count)), start=1):
            progress.advance(task)
            if found:
                bad += 1
                console.print(explanation(seed, found), markup=False)
            if done == count or (done % LINES_EVERY == 0 and not console.is_terminal):
                seconds = time.monotonic() - began
                print(f"{done} seeds, {bad} with violations, {seconds:.0f} s", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.mutants --sample 400 --seed 1`: see the package."""

from __future__ import annotations

import argparse
import difflib
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.mutants.faults import Mutant, is_another_program, mutants_of
from tests.mutants.runs import (
    MUTATED,
    SECONDS_TO_START,
    TIMES_SLOWER,
    Ended,
    Reached,
    copy_project,
    enter_copy,
    record,
    try_mutant,
)

NO_PYTHON = "tests/unit/infra"
"""Tests of Bicep files and scripts."""

forks = multiprocessing.get_context("fork")


def what_tests_reach(project: Path, workers: int) -> Reached:
    """By a run of all unit tests."""
    files = [
        str(path.relative_to(project))
        for path in sorted(project.glob("tests/unit/**/test_*.py"))
        if not path.is_relative_to(project / NO_PYTHON)
    ]
    reached = Reached()
    with forks.Pool(workers, enter_copy, [project, set()], maxtasksperchild=1) as pool:
        for part in pool.imap(record, [set(files[at::workers]) for at in range(workers)]):
            reached.add(part)
    return reached


def choose(mutants: list[Mutant], sources: dict[str, bytes], sample: int, seed: int) -> list[Mutant]:
    """A sample that is the same for the same code, number and seed."""
    mutants = random.Random(seed).sample(mutants, len(mutants))
    real = (mutant for mutant in mutants if is_another_program(mutant, sources[mutant.path]))
    return [mutant for mutant, _ in zip(real, range(sample), strict=False)]


def difference(mutant: Mutant, source: bytes) -> str:
    """File and line, and the lines with and without the fault."""
    before, after = (text.decode().splitlines() for text in (source, mutant.applied_to(source)))
    changed = list(difflib.unified_diff(before, after, n=0, lineterm=""))[3:]
    return "\n".join([f"{mutant.path}:{mutant.lines(source)[0]}", *changed])


def ends(
    mutants: list[Mutant], sources: dict[str, bytes], reached: Reached, project: Path, workers: int
) -> Iterator[Ended]:
    """What becomes of each, in their order."""
    jobs = []
    for mutant in mutants:
        tests = reached.by(mutant, sources[mutant.path])
        seconds = SECONDS_TO_START + TIMES_SLOWER * sum(reached.seconds[test] for test in tests)
        jobs.append((mutant, tests, seconds))
    with forks.Pool(workers, enter_copy, [project, reached.libraries]) as pool:
        yield from pool.imap(try_mutant, jobs)


def report(project: Path, sample: int, seed: int, workers: int) -> None:
    """Print the survivors and how many there are."""
    began = time.monotonic()
    paths = [path for folder in MUTATED for path in sorted((project / folder).rglob("*.py"))]
    sources = {str(path.relative_to(project)): path.read_bytes() for path in paths}
    everything = [mutant for path, source in sources.items() for mutant in mutants_of(path, source)]
    mutants = choose(everything, sources, sample, seed)
    reached = what_tests_reach(project, workers)
    print(f"{len(reached.seconds)} tests without a fault: {time.monotonic() - began:.0f} s", flush=True)
    counts: Counter[Ended] = Counter()
    for mutant, end in zip(mutants, ends(mutants, sources, reached, project, workers), strict=True):
        counts[end] += 1
        if end not in ("killed", "timed out"):
            print(f"\n{end}: {difference(mutant, sources[mutant.path])}", flush=True)
    noticed = (counts["killed"] + counts["timed out"]) / len(mutants)
    minutes = (time.monotonic() - began) / 60
    print(f"\n{len(mutants)} of {len(everything)} mutants, seed {seed}: {dict(counts)}")
    print(f"{noticed:.1%} noticed by the unit tests, in {minutes:.0f} minutes")


def main() -> None:
    """Mutate a copy of the project."""
    options = argparse.ArgumentParser(prog="python -m tests.mutants")
    options.add_argument("--sample", type=int, default=400, help="how many mutants")
    options.add_argument("--seed", type=int, default=1, help="which ones")
    options.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        copy_project(project)
        try:
            report(project, chosen.sample, chosen.seed, chosen.workers)
        except RuntimeError as error:
            sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

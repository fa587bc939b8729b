"""Any number of seeds in parallel: `make soak SEEDS=n`; or one seed with its whole trace."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.chaos.faults import HELD, KINDS, TABLE
from tests.chaos.seeds import Verdict, explanation, run_seed, run_seeds, trace_of
from tests.chaos.strikes import Strikes

LINES_EVERY = 250
"""Seeds per line of progress."""


def main() -> int:
    """Returns 1 when a seed found a violation, or when the faults were not even."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak")
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first one")
    parser.add_argument("--seed", type=int, help="this one only, with its trace")
    parser.add_argument("--processes", type=int, help="how many seeds at a time; one per core")
    parser.add_argument("--failures", type=Path, help="also write the numbers of failing seeds to this file")
    parser.add_argument("--kinds", help="draw from these kinds of faults only, commas between them; or 'all'")
    options = parser.parse_args()
    kinds = _kinds(parser, options.kinds)
    option = f" --kinds '{options.kinds}'" if options.kinds else ""
    if options.seed is not None:
        return _replay(options.seed, kinds)
    seeds = range(options.first, options.first + options.seeds)
    return _soak(seeds, kinds, option, options.processes, options.failures)


def _kinds(parser: argparse.ArgumentParser, asked: str | None) -> tuple[str, ...]:
    if asked is None:
        return HELD
    names = tuple(kind.name for kind in TABLE) if asked == "all" else tuple(asked.split(","))
    if unknown := [name for name in names if name not in KINDS]:
        parser.error(f"no such kind: {', '.join(unknown)}; there are: {', '.join(KINDS)}")
    return names


def _replay(seed: int, kinds: tuple[str, ...]) -> int:
    verdict = run_seed(seed, drawn_from=kinds)
    print("\n".join([*trace_of(seed, drawn_from=kinds), *verdict.found]))
    return int(bool(verdict.found))


def _soak(
    seeds: range, kinds: tuple[str, ...], option: str, processes: int | None, failures: Path | None
) -> int:
    began, bad, strikes = time.monotonic(), 0, Strikes(kinds)
    for done, verdict in enumerate(run_seeds(seeds, processes, drawn_from=kinds), start=1):
        strikes.add(verdict)
        if verdict.found:
            bad += 1
            _tell(verdict, kinds, option, failures)
        if done == len(seeds) or done % LINES_EVERY == 0:
            seconds = time.monotonic() - began
            print(f"{done} of {len(seeds)} seeds, {bad} with violations, {seconds:.0f} s", flush=True)
    print("\n".join(strikes.lines()))
    return int(bad > 0 or not strikes.is_even)


def _tell(verdict: Verdict, kinds: tuple[str, ...], option: str, failures: Path | None) -> None:
    if failures is not None:
        with failures.open("a", encoding="utf-8") as file:
            file.write(f"{verdict.seed}\t{verdict.found[0]}\n")
    if verdict.struck:
        print(explanation(verdict, kinds, option), flush=True)
    else:
        # Its worker died: running it here for its trace would end this process, too.
        print(f"seed {verdict.seed}: {verdict.found[0]}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

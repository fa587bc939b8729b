"""Any number of seeds in parallel: `make soak SEEDS=n`; or one seed with its whole trace. With
`--two-releases`, processes of release 0.1.0 and of today's code take each other's place in the middle; with
`--rules`, random rules restrict the sync and change in mid-run."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.chaos import two_releases
from tests.chaos.faults import HELD, KINDS, TABLE
from tests.chaos.releases import RELEASE_BEFORE, unpack
from tests.chaos.ruled import Ruled
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
    worlds_of = parser.add_mutually_exclusive_group()
    worlds_of.add_argument("--two-releases", action="store_true", help="0.1.0 and today's code side by side")
    worlds_of.add_argument("--rules", action="store_true", help="under random rules, changed in mid-run")
    options = parser.parse_args()
    usual = two_releases.KINDS if options.two_releases else HELD
    kinds = _kinds(parser, options.kinds, usual)
    option = f" --kinds '{options.kinds}'" if options.kinds else ""
    with tempfile.TemporaryDirectory() as folder:
        worlds: dict[str, Any] = {}
        if options.two_releases:
            option += " --two-releases"
            before = unpack(RELEASE_BEFORE, Path(folder))
            worlds = {"make": two_releases.TwoReleases, "before": before}
        elif options.rules:
            option += " --rules"
            worlds = {"make": Ruled}
        if options.seed is not None:
            return _replay(options.seed, kinds, worlds)
        seeds = range(options.first, options.first + options.seeds)
        return _soak(seeds, kinds, option, options.processes, options.failures, worlds)


def _kinds(parser: argparse.ArgumentParser, asked: str | None, usual: tuple[str, ...]) -> tuple[str, ...]:
    if asked is None:
        return usual
    names = tuple(kind.name for kind in TABLE) if asked == "all" else tuple(asked.split(","))
    if unknown := [name for name in names if name not in KINDS]:
        parser.error(f"no such kind: {', '.join(unknown)}; there are: {', '.join(KINDS)}")
    return names


def _replay(seed: int, kinds: tuple[str, ...], worlds: dict[str, Any]) -> int:
    verdict = run_seed(seed, drawn_from=kinds, **worlds)
    print("\n".join([*trace_of(seed, drawn_from=kinds, **worlds), *verdict.found]))
    return int(bool(verdict.found))


def _soak(
    seeds: range,
    kinds: tuple[str, ...],
    option: str,
    processes: int | None,
    failures: Path | None,
    worlds: dict[str, Any],
) -> int:
    began, bad, strikes = time.monotonic(), 0, Strikes(kinds)
    for done, verdict in enumerate(run_seeds(seeds, processes, drawn_from=kinds, **worlds), start=1):
        strikes.add(verdict)
        if verdict.found:
            bad += 1
            _tell(verdict, kinds, option, failures, worlds)
        if done == len(seeds) or done % LINES_EVERY == 0:
            seconds = time.monotonic() - began
            print(f"{done} of {len(seeds)} seeds, {bad} with violations, {seconds:.0f} s", flush=True)
    print("\n".join(strikes.lines()))
    return int(bad > 0 or not strikes.is_even)


def _tell(
    verdict: Verdict, kinds: tuple[str, ...], option: str, failures: Path | None, worlds: dict[str, Any]
) -> None:
    if failures is not None:
        with failures.open("a", encoding="utf-8") as file:
            file.write(f"{verdict.seed}\t{verdict.found[0]}\n")
    if verdict.struck:
        print(explanation(verdict, kinds, option, **worlds), flush=True)
    else:
        # Its worker died: running it here for its trace would end this process, too.
        print(f"seed {verdict.seed}: {verdict.found[0]}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""How evenly the faults struck: per kind, and which pairs never met in a seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations

from tests.chaos.faults import ALWAYS, TABLE
from tests.chaos.seeds import Verdict

FLOOR = 100
"""How often each kind has to strike in `FLOOR_SEEDS` seeds; fewer seeds prove nothing."""
FLOOR_SEEDS = 1000
PAIRS_SHOWN = 20


class Strikes:
    """The tally over many seeds; `kinds` are those that they drew from."""

    def __init__(self, kinds: Iterable[str]) -> None:
        wanted = {*kinds, ALWAYS}
        self._kinds = [kind.name for kind in TABLE if kind.name in wanted]
        self._off = [kind.name for kind in TABLE if kind.name not in wanted]
        self._strikes: Counter[str] = Counter()
        self._seeds: Counter[str] = Counter()
        self._met: set[tuple[str, str]] = set()
        self._count = 0

    def add(self, verdict: Verdict) -> None:
        """One more seed."""
        self._count += 1
        self._strikes.update(verdict.struck)
        self._seeds.update(verdict.struck.keys())
        self._met.update(combinations(sorted(verdict.struck), 2))

    def missing_pairs(self) -> list[tuple[str, str]]:
        """Kinds that never struck in one seed."""
        return [
            (one, other)
            for one, other in combinations(self._kinds, 2)
            if (min(one, other), max(one, other)) not in self._met
        ]

    def shortfalls(self) -> list[str]:
        """Kinds that struck too seldom; none while there were too few seeds to tell."""
        if self._count < FLOOR_SEEDS:
            return []
        floor = FLOOR * (self._count // FLOOR_SEEDS)
        return [name for name in self._kinds if self._strikes[name] < floor]

    @property
    def is_even(self) -> bool:
        """Whether every kind struck as often as it must, and each with each other one."""
        return self._count < FLOOR_SEEDS or not (self.shortfalls() or self.missing_pairs())

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"{'kind of fault':34} {'strikes':>8} {'in seeds':>9}"
        low = set(self.shortfalls())
        for name in self._kinds:
            mark = "  too few" if name in low else ""
            yield f"{name:34} {self._strikes[name]:8} {self._seeds[name]:9}{mark}"
        for name in self._off:
            yield f"{name:34} {'off':>8}"
        missing = self.missing_pairs()
        yield f"{len(self._kinds)} kinds; pairs that never met in a seed: {len(missing)}"
        for one, other in missing[:PAIRS_SHOWN]:
            yield f"  {one} + {other}"

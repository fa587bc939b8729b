"""What can go wrong: one table of kinds. Each seed draws a subset of them (swarm testing), and for each of
these some strikes, each at the first fitting operation after a moment of its own.

So a kind that concerns a rare operation (a read of Vista, a listing) strikes as often as one that concerns
every operation, which a probability per operation would never bring about.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from local.fake_clock import FakeClock


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    `among`: a strike falls on one of so many operations after its moment, so that it is not always the first
    one after a wait. `times`: most strikes in a seed, 0 where the world itself counts them. `seconds`: how
    long it goes on once it has struck; None: it is over at once. `holds`: the engine keeps its promises under
    it; `make test` and `make soak` leave the others out until it does. `redis`: it takes the shared limiter
    and breaker away, which some checks need.
    """

    name: str
    among: int = 1
    times: int = 3
    seconds: tuple[float, float] | None = None
    holds: bool = True
    redis: bool = False


TABLE = (
    # Processes.
    Kind("crash before an effect", 150, 6),
    Kind("crash after an effect", 100, 6),
    Kind("told to end", 200),
    Kind("clock jumps", 200),
    Kind("slow operation", 200, 8),
    Kind("newer release", times=0),
    # Messages.
    Kind("poison message", 12, 1),
    Kind("lock lost", 10, 6),
    Kind("delivered twice at once", 10, 6),
    Kind("delivered out of order", 1, 6),
    Kind("Service Bus fails before", 8),
    Kind("Service Bus fails after", 8),
    # Documents.
    Kind("document conflict", 10, 8),
    Kind("document fails before", 150, 4),
    Kind("document fails after", 150, 4),
    Kind("storage away", 150, 2, (3.0, 40.0)),
    # SafetyAmp's answers; those after an effect fall on writes only.
    Kind("connection refused", 12, 6),
    Kind("timeout before", 12, 4),
    Kind("5xx before", 12, 6),
    Kind("401 for a moment", 20, 1),
    Kind("429", 12, 6),
    Kind("storm of 429", 12, 2, (4.0, 40.0)),
    Kind("outage", 12, 2, (30.0, 200.0)),
    Kind("reset after", 4, 4),
    Kind("timeout after", 4, 4),
    Kind("5xx after", 4, 4),
    Kind("nonsense after", 4, 4),
    Kind("cut answer after", 4, 4),
    Kind("404 after a creation", 1, 4),
    Kind("odd answer to one user", 1, 8),
    Kind("late arrival", 8, 3),
    # Sources.
    Kind("Vista fails", 3, 4),
    Kind("Vista gives half", 1, 2),
    Kind("Vista shows leavers who are none", 1, 2),
    Kind("Graph away", 1, 2, (20.0, 200.0)),
    Kind("Graph gives half", 1, 1),
    Kind("Samsara away", 1, 2, (20.0, 200.0)),
    Kind("Samsara gives half", 1, 1),
    # Listings of SafetyAmp that shift while they are read.
    Kind("deletion while listing", 2, 3),
    Kind("order changes while listing", 2, 3),
    # Hands in SafetyAmp.
    Kind("hand edits", 100, 4),
    Kind("hand switches off", 100, 2),
    Kind("hand deletes", 100, 2),
    Kind("hand changes a number", 100, 3),
    Kind("hand parts two users", 100, 2),
    Kind("hand moves a number", 100, 2),
    Kind("hand moves a department", 100, 2),
    Kind("hand corrects an e-mail", 100, 3),
    Kind("leavers deleted by hand", 100, 1),
    # What HR and IT do.
    Kind("company changes", 100, 6),
    Kind("mistake in Vista", 1, 1),
    Kind("phone handed over", 100, 2),
    Kind("phones swapped", 100, 2),
    Kind("freed phone hired", 100, 2),
    Kind("holder of a shared phone leaves", 100, 1),
    Kind("mail handed over", 100, 2),
    Kind("mails swapped", 100, 2),
    Kind("mail with an apostrophe", 100, 4),
    Kind("region respelled", 100, 2),
    Kind("odd row of a place", 100, 2),
    Kind("made by hand first", 100, 2),
    Kind("renumbered by hand first", 100, 2),
    # Operators.
    Kind("late approval", times=0),
    # Redis.
    Kind("Redis away", 100, 3, (5.0, 200.0), redis=True),
    Kind("Redis loses its data", 100, 3, redis=True),
    Kind("Redis loses its scripts", 200, 2),
    Kind("many processes without Redis", times=0, redis=True),
)
KINDS = {kind.name: kind for kind in TABLE}
ALWAYS = "company changes"
"""In every seed, unless the world says otherwise."""
HELD = tuple(kind.name for kind in TABLE if kind.holds and kind.name != ALWAYS)
"""The kinds that the engine is known to stand."""

NEVER = datetime.max.replace(tzinfo=UTC)
BEFORE = ("connection refused", "timeout before", "5xx before")
AFTER = ("reset after", "timeout after", "5xx after", "nonsense after", "cut answer after")
DENSITIES = (0.12, 0.3, 0.55)
"""How large a part of the kinds a seed draws: with few, one of them gets far; with many, they meet."""
FROM_THE_START = 0.4
"""How many strikes may fall at once, into the first run."""


def draw_kinds(dice: random.Random, names: Iterable[str], *, redis: bool) -> tuple[str, ...]:
    """A subset of `names` for one seed; without `redis` the shared limiter and breaker stay."""
    density = dice.choice(DENSITIES)
    return tuple(name for name in names if (redis or not KINDS[name].redis) and dice.random() < density)


@dataclass
class _Strike:
    moment: datetime
    skipped: int


class Faults:
    """The strikes of one seed. They end with `calm`; `struck` counts those that happened."""

    def __init__(
        self,
        dice: random.Random,
        clock: FakeClock,
        names: Collection[str],
        lasting: timedelta,
        often: int = 1,
    ) -> None:
        self.names = frozenset(names)
        self.struck: dict[str, int] = {}
        self._dice = dice
        self._clock = clock
        self._until: dict[str, datetime] = {}
        self._waiting = {
            # In the table's order: a set would draw differently in another process.
            kind.name: self._draw(kind, clock.now(), lasting, often)
            for kind in TABLE
            if kind.name in self.names and kind.times
        }

    def calm(self) -> None:
        """Nothing strikes any more."""
        self._waiting.clear()
        self._until.clear()

    def strikes(self, name: str, when: Callable[[], bool] | None = None) -> bool:
        """Whether the fault happens to the operation at hand; not before `when` holds."""
        waiting = self._waiting.get(name)
        if not waiting or self._clock.now() < waiting[-1].moment or (when and not when()):
            return False
        if waiting[-1].skipped:
            waiting[-1].skipped -= 1
            return False
        waiting.pop()
        self.count(name)
        return True

    def quiet_until(self, names: Iterable[str]) -> datetime:
        """None of `names` strikes before."""
        moments = (self._waiting[name][-1].moment for name in names if self._waiting.get(name))
        return min(moments, default=NEVER)

    def rages(self, name: str) -> bool:
        """Whether a fault that goes on for a while is going on, or begins with the operation at hand."""
        until = self._until.get(name)
        if until is not None and self._clock.now() < until:
            return True
        if self.strikes(name):
            seconds = KINDS[name].seconds
            assert seconds is not None, f"{name} is over at once"
            self._until[name] = self._clock.now() + timedelta(seconds=self._dice.uniform(*seconds))
            return True
        return False

    def one_of(self, names: Iterable[str]) -> str | None:
        """The first of `names` that strikes now."""
        return next((name for name in names if self.strikes(name)), None)

    def count(self, name: str) -> None:
        """One more strike."""
        self.struck[name] = self.struck.get(name, 0) + 1

    def latency(self, usual_seconds: float) -> float:
        """How long an operation takes."""
        if self.strikes("slow operation"):
            return self._dice.uniform(5.0, 33.0)
        return self._dice.uniform(0.1, 1.0) * usual_seconds

    def _draw(self, kind: Kind, start: datetime, lasting: timedelta, often: int) -> list[_Strike]:
        dice = self._dice
        count = dice.randint(1, kind.times) * often
        moments = [
            start + (lasting * dice.random() if dice.random() > FROM_THE_START else timedelta())
            for _ in range(count)
        ]
        return [
            _Strike(moment, dice.randrange(max(1, kind.among // often)))
            for moment in sorted(moments, reverse=True)
        ]

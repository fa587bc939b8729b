"""How long handlers wait at SafetyAmp's real window: 60 calls in 61 s, the default reserve, one worker.

In virtual time, because it shows only after many windows: the answers take between 0.1 and 0.3 s at random
(from a seed), so that no window's calls come in quite the rhythm of the window before, in which their slots
become free. The handlers' own work takes no virtual time.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random

from local.bench.company import bench_company

EMPLOYEES = 2_000
SHORTEST_ANSWER_SECONDS, LONGEST_ANSWER_SECONDS = 0.1, 0.3
SEED = 1


@dataclass(frozen=True)
class WaitingResult:
    """A first load: `handlers` ran for `handler_seconds` of virtual time, `waited_seconds` of which they
    slept, and made `changes` changes."""

    changes: int
    handlers: int
    handler_seconds: float
    waited_seconds: float

    @property
    def share(self) -> float:
        """The part of the handlers' time that they slept."""
        return self.waited_seconds / self.handler_seconds if self.handler_seconds else 0.0


def measure_waiting() -> WaitingResult:
    """A first load from start to end."""
    random = Random(SEED)  # noqa: S311  repeatable answers, no secret
    with (
        tempfile.TemporaryDirectory() as name,
        bench_company(
            EMPLOYEES,
            Path(name),
            answer_seconds=lambda: random.uniform(SHORTEST_ANSWER_SECONDS, LONGEST_ANSWER_SECONDS),
        ) as company,
    ):
        load, figures = company.run(), company.stopwatch.figures
    return WaitingResult(load.planned, figures.handlers, figures.handler_seconds, figures.waited_seconds)

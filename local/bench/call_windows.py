"""What the times of calls say about a limit: pure arithmetic on seconds in ascending order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


def fullest_window(times: Sequence[float], period: float) -> int:
    """The most calls in any half-open window of `period` seconds: what the upstream's limit is about."""
    return max((bisect_left(times, at + period) - number for number, at in enumerate(times)), default=0)


def calls_per_window(times: Sequence[float], period: float) -> list[int]:
    """Calls in each of the windows that follow one another from the first call on; the last may be cut off
    by the end of the work."""
    if not times:
        return []
    counts = [0] * (int((times[-1] - times[0]) // period) + 1)
    for at in times:
        counts[int((at - times[0]) // period)] += 1
    return counts


def achieved_of_allowed(times: Sequence[float], limit: int, period: float) -> float | None:
    """Calls achieved divided by calls allowed, None for too few calls to say.

    From the first call to the last one that is a whole number of windows' calls later: in this time so many
    calls were made, and `limit` per `period` were allowed. Both ends are the same call of a window, so
    neither the burst at the beginning flatters the figure nor the last window, which the work did not
    fill, spoils it: 1 is the most that a kept limit admits, whatever the length.
    """
    windows = (len(times) - 1) // limit
    if windows < 1:
        return None
    return windows * period / (times[windows * limit] - times[0])

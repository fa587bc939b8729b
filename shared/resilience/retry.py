"""Whether and when to try again: a value from pure functions; the waiting happens elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_RETRY_AFTER_SECONDS = 3600.0
SECONDS = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
MOST_DOUBLINGS = 32


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential backoff with equal jitter, bounded by attempts and by the length of one delay.

    `max_attempts` counts the first try too.
    """

    max_attempts: int
    max_delay_seconds: float
    base_seconds: float = 1.0

    def delay(self, attempt: int, retry_after: float | None, random: Callable[[], float]) -> float | None:
        """Seconds to wait after the `attempt`-th try failed (the first is 1); None means give up.

        `retry_after`, what the upstream asked for, is obeyed as it is, beyond `max_delay_seconds` too:
        the caller decides whether it waits that long or gives the work back. `random` gives [0, 1); half
        of each delay is certain, so that no repeat comes at once.
        """
        if attempt >= self.max_attempts:
            return None
        if retry_after is not None:
            return max(0.0, retry_after)
        doublings = min(max(attempt - 1, 0), MOST_DOUBLINGS)
        longest = min(self.max_delay_seconds, self.base_seconds * 2.0**doublings)
        return longest / 2 + longest / 2 * random()


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a `Retry-After` header asks for; None when it is absent or nonsense.

    Takes seconds, also with a fraction (docs/contracts/samsara.md#limits), and HTTP dates relative to `now`
    (aware). The past gives 0; more than an hour gives an hour, because a mistaken header must
    not stop the sync for days.
    """
    text = (value or "").strip()
    seconds = float(text) if SECONDS.fullmatch(text) else _seconds_until(text, now)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)


def _seconds_until(text: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    # "-0000" is parsed as a naive time; HTTP dates are UTC by definition.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - now).total_seconds()

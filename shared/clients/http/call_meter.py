"""What calls to upstreams cost, and how they are named in figures: never by a record."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TypeVar

NO_ANSWER = "no answer"
ID = "{id}"

Count = TypeVar("Count", int, float)

WORD = re.compile(r"[a-z][a-z_-]{0,39}|v\d{1,2}(\.\d{1,2})?")
"""A segment of a path that may be the same for all records; any other is a record's id."""

BASE = re.compile(r"api|fleet|v\d{1,2}(\.\d{1,2})?")
"""What stands before the name of a collection of records."""

CALLS_KNOWN = 1000
"""Of so many the names are kept: every document of a run repeats a few dozen."""

_KEY_WITH_PATH = re.compile(r"\|([A-Z]+) (/[^|]*)\|")


@dataclass(frozen=True)
class UpstreamCall:
    """One attempted call. `service` is "safetyamp", "samsara", "graph" or "vista"; `endpoint` says what was
    asked, without ids; `outcome` is an HTTP status as text or "no answer", for Vista "ok" or "error"."""

    service: str
    endpoint: str
    outcome: str
    seconds: float = 0.0

    @property
    def went_well(self) -> bool:
        """Whether the upstream did what it was asked for."""
        return self.outcome == "ok" or self.outcome[0] in "23"

    @property
    def key(self) -> str:
        """How documents name the figure in which this call counts: service, endpoint, class of status. A 429
        stands alone: it is the one refusal that says that too much is asked."""
        known = self.outcome[:1].isdigit() and self.outcome != "429"
        status = f"{self.outcome[0]}xx" if known else self.outcome
        return "|".join((self.service, self.endpoint, status))


@lru_cache(CALLS_KNOWN)
def endpoint_of(method: str, path: str) -> str:
    """What is asked, without ids: `PATCH /api/users/{id}`. By its form alone an id of letters is no id: what
    follows the name of a collection is one whatever it looks like."""
    segments: list[str] = []
    for part in path.split("/"):
        before = segments[-2:]
        is_record = len(before) == 2 and BASE.fullmatch(before[0]) is not None and before[1] not in ("", ID)
        is_word = not part or WORD.fullmatch(part) is not None
        segments.append(part if is_word and not is_record else ID if part else "")
    return f"{method} {'/'.join(segments)}"


def folded(requests: Mapping[str, Count]) -> dict[str, Count]:
    """Counts by `UpstreamCall.key` without ids, which keys of earlier versions had where ids were words."""
    counts: dict[str, Count] = {}
    for key, count in requests.items():
        name = _folded(key)
        counts[name] = counts[name] + count if name in counts else count
    return counts


@lru_cache(CALLS_KNOWN)
def _folded(key: str) -> str:
    return _KEY_WITH_PATH.sub(lambda found: f"|{endpoint_of(found[1], found[2])}|", key, count=1)


@dataclass
class Meter:
    """What the calls of one piece of work cost.

    `calls` counts attempts per upstream ("safetyamp", "samsara", "graph"; "vista": queries), `requests` the
    same per `UpstreamCall.key`. `waited_seconds` is the time slept for limiters, for a Retry-After and
    between attempts. `seconds_ahead` is how far an HTTP upstream's clock was ahead of ours, by the `Date` of
    its last answer.
    """

    calls: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    waited_seconds: float = 0.0
    seconds_ahead: dict[str, float] = field(default_factory=dict)

    def add(self, calls: Mapping[str, int], requests: Mapping[str, int], waited_seconds: float) -> None:
        """Count in what an earlier execution of the same work cost."""
        self.calls.update(calls)
        self.requests.update(folded(requests))
        self.waited_seconds += waited_seconds

    def count(self, call: UpstreamCall) -> None:
        """Count one attempted call."""
        self.calls[call.service] += 1
        self.requests[call.key] += 1

    def note_server_time(self, upstream: str, date: str | None, now: datetime) -> None:
        """Note what an answer's `Date` header says; `now` is our time then."""
        try:
            theirs = parsedate_to_datetime(date or "")
        except (ValueError, OverflowError):  # a year, or a zone, beyond what a number holds
            return
        if theirs.tzinfo is not None:  # "-0000" is a time of no known zone
            self.seconds_ahead[upstream] = (theirs - now).total_seconds()

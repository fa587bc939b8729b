"""The last calls to SafetyAmp, for whoever looks at this moment: a short list in Redis that all instances
write, and while Redis is away one in each process.

What is kept of a call has no id, no query and no body (`UpstreamCall`).
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, TypedDict, cast
from weakref import WeakKeyDictionary

from shared.clients.http.call_meter import UpstreamCall
from shared.clock import Clock
from shared.errors import CacheError, ConfigurationError, UnreadableDocument
from shared.resilience.redis_connection import RedisConnection
from shared.storage.decoding import Time, decode
from shared.storage.documents import from_json, to_json

if TYPE_CHECKING:
    from redis import Redis

KEY = "safetyamp:last-calls"
KEPT = 100
KEPT_SECONDS = 7 * 86_400
LOOKED_AT = "safetyamp"
"""The upstream whose limit is the bottleneck: the others are asked a few times a run."""


class KeptCall(TypedDict):
    """A call that ended `at`; `function` of this app made it."""

    at: Time
    endpoint: str
    outcome: str
    seconds: float
    function: str | None


class Owner(Protocol):
    """Whose calls they are: the composition root as this module sees it (`shared/runtime.py`)."""

    @property
    def clock(self) -> Clock: ...
    @property
    def redis(self) -> RedisConnection:
        """Raises ConfigurationError."""
        ...


_own: WeakKeyDictionary[Owner, deque[bytes]] = WeakKeyDictionary()


def note_call(owner: Owner, call: UpstreamCall, function: str | None) -> None:
    """Keep it, if it was one to SafetyAmp. While Redis is left alone it is not asked. Raises nothing."""
    if call.service != LOOKED_AT:
        return
    kept: KeptCall = {
        "at": owner.clock.now().isoformat(),
        "endpoint": call.endpoint,
        "outcome": call.outcome,
        "seconds": round(call.seconds, 3),
        "function": function,
    }
    data = to_json(kept)
    _own.setdefault(owner, deque(maxlen=KEPT)).appendleft(data)
    with suppress(CacheError, ConfigurationError):
        if owner.redis.available:
            owner.redis.run(lambda client: _push(client, data))


def _push(client: Redis, data: bytes) -> None:
    pipeline = client.pipeline(transaction=False)
    pipeline.lpush(KEY, data)
    pipeline.ltrim(KEY, 0, KEPT - 1)
    pipeline.expire(KEY, KEPT_SECONDS)
    pipeline.execute()


def read_calls(owner: Owner) -> tuple[list[KeptCall], bool]:
    """The newest first; and whether they are those of all instances. Raises ConfigurationError."""
    try:
        return _decoded(owner.redis.run(_read)), True
    except CacheError:
        return _decoded(list(_own.get(owner, ()))), False


def _read(client: Redis) -> list[bytes]:
    return cast("list[bytes]", client.lrange(KEY, 0, KEPT - 1))


def _decoded(stored: list[bytes]) -> list[KeptCall]:
    """Without what another release may have written otherwise."""
    calls = []
    for data in stored:
        with suppress(UnreadableDocument, ValueError):
            calls.append(decode(KeptCall, from_json(data), KEY))
    return calls

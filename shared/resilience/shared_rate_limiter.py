"""The sliding window of all instances, in Redis."""

from __future__ import annotations

from shared.errors import CacheError
from shared.resilience.local_rate_limiter import LocalRateLimiter
from shared.resilience.lua_script import MICRO, LuaScript, microseconds, milliseconds
from shared.resilience.rate_limiter import (
    LONGEST_CALL_SECONDS,
    Permit,
    Usage,
    bulk_limit,
    new_permit,
    rate_limited,
)
from shared.resilience.redis_connection import RedisConnection

ACQUIRE = LuaScript("limiter_acquire.lua")
COMPLETE = LuaScript("limiter_complete.lua")
BLOCK = LuaScript("limiter_block.lua")
USAGE = LuaScript("limiter_usage.lua")


class SharedRateLimiter:
    """The window of all instances, in Redis; by Redis' clock, one atomic script per operation.

    With Redis away `fallback` decides, this process's share of the limit. It knows this process's own
    calls from before, and every later `acquire` tells Redis those that it may have missed or forgotten
    (at most one window's calls), so no switch in either direction loses them.
    """

    def __init__(
        self,
        connection: RedisConnection,
        name: str,
        calls: int,
        period: float,
        reserve: int,
        fallback: LocalRateLimiter,
        *,
        longest_call_seconds: float = LONGEST_CALL_SECONDS,
    ) -> None:
        self._connection = connection
        self._name = name
        self._limit = calls
        self._bulk_limit = bulk_limit(calls, reserve)
        self._period = microseconds(period)
        self._longest_call = microseconds(longest_call_seconds)
        self._fallback = fallback
        tag = f"{{safetyamp:limiter:{name}}}"
        self._calls_key, self._block_key = f"{tag}:calls", f"{tag}:block"

    def acquire(self, *, interactive: bool = False) -> Permit:
        permit = new_permit()
        try:
            granted, wait, blocked_ms = self._ask(permit, self._limit if interactive else self._bulk_limit)
        except CacheError:
            return self._fallback.admit(permit, interactive=interactive)
        self._fallback.block(blocked_ms / 1000)
        if not granted:
            raise rate_limited(self._name, wait / MICRO, blocked_ms / 1000)
        self._fallback.remember(permit)
        return permit

    def complete(self, permit: Permit) -> None:
        self._fallback.complete(permit)
        self._tell(COMPLETE, self._calls_key, (permit.id, self._period, self._longest_call))

    def block(self, seconds: float) -> None:
        if seconds > 0:
            self._fallback.block(seconds)
            self._tell(BLOCK, self._block_key, (milliseconds(seconds),))

    def usage(self) -> Usage:
        try:
            return self.shared_usage()
        except CacheError:
            return self._fallback.usage()

    def shared_usage(self) -> Usage:
        """The window of all instances; raises CacheError with Redis away."""
        keys = [self._calls_key, self._block_key]
        used, blocked_ms = self._connection.run(lambda client: USAGE.run(client, keys, [self._period]))
        return Usage(used, self._limit, blocked_ms / 1000)

    def _ask(self, permit: Permit, limit: int) -> tuple[int, int, int]:
        own_block = milliseconds(self._fallback.usage().blocked_seconds)
        arguments: list[str | int] = [permit.id, limit, self._period, self._longest_call, own_block]
        for permit_id, age in self._fallback.recent():
            arguments += [permit_id, microseconds(age)]
        keys = [self._calls_key, self._block_key]
        granted, wait, blocked_ms = self._connection.run(lambda client: ACQUIRE.run(client, keys, arguments))
        return granted, wait, blocked_ms

    def _tell(self, script: LuaScript, key: str, arguments: tuple[str | int, ...]) -> None:
        try:
            self._connection.run(lambda client: script.run(client, [key], arguments))
        except CacheError:
            # The fallback knows, and the next acquire that reaches Redis passes it on. A slot whose end Redis
            # did not hear of is kept for as long as the call could have lasted.
            return

"""An upstream that failed repeatedly is left alone, by all instances, until one probe succeeds."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Protocol

from shared.clock import Clock
from shared.errors import CacheError, CircuitOpen
from shared.resilience.breaker_state import (
    CLOSED,
    PROBE_LEASE_SECONDS,
    BreakerRecord,
    BreakerRules,
    BreakerState,
    after_failure,
    after_release,
    after_request,
    after_success,
    describe,
    is_probe,
    may_call,
    retry_after,
)
from shared.resilience.lua_script import MICRO, LuaScript, microseconds, milliseconds
from shared.resilience.redis_connection import RedisConnection

Operation = Literal["allow", "success", "failure", "release", "state"]

BREAKER = LuaScript("breaker.lua")
FORGOTTEN_AFTER_SECONDS = 86_400.0
"""Failures and an open breaker that nobody touched for so long are forgotten: every key expires."""


class CircuitBreaker(Protocol):
    """One upstream's breaker.

    Each call that `before_call` lets through ends in exactly one of `succeeded`, `failed` and `released`,
    in the same thread: that is how the breaker knows the probe's outcome from a latecomer's.
    """

    def before_call(self) -> None:
        """Raises CircuitOpen with the delay until a call may be let through."""
        ...

    def succeeded(self) -> None:
        """The upstream answered as it should."""
        ...

    def failed(self) -> None:
        """5xx, a timeout, a broken connection or body."""
        ...

    def released(self) -> None:
        """The call was not made or said nothing about health (a 429): a probe is given back."""
        ...

    def state(self) -> BreakerState:
        """For people and metrics."""
        ...


class _Token(threading.local):
    """The token of the probe that this thread makes; empty when its call is an ordinary one."""

    probe = ""


class LocalCircuitBreaker:
    """This process's breaker."""

    def __init__(
        self,
        clock: Clock,
        upstream: str,
        threshold: int,
        recovery_seconds: float,
        *,
        probe_lease_seconds: float = PROBE_LEASE_SECONDS,
    ) -> None:
        self._clock = clock
        self._upstream = upstream
        self._rules = BreakerRules(threshold, recovery_seconds, probe_lease_seconds)
        self._record = CLOSED
        self._lock = threading.Lock()
        self._token = _Token()

    def before_call(self) -> None:
        self._token.probe = ""
        self._token.probe = self.admit(_new_token())

    def succeeded(self) -> None:
        self.succeed(self._take_token())

    def failed(self) -> None:
        self.fail(self._take_token())

    def released(self) -> None:
        self.release(self._take_token())

    def state(self) -> BreakerState:
        return describe(self._record, self._upstream, self._clock.monotonic(), self._rules)

    def admit(self, token: str) -> str:
        """`before_call` for a token; returns it when the call is the probe, else an empty one."""
        record = self._change(lambda record, now: after_request(record, token, now, self._rules))
        return self.verdict(record, token)

    def verdict(self, record: BreakerRecord, token: str) -> str:
        """What `record` says about the call with this token: its token as a probe, or CircuitOpen."""
        if not may_call(record, token):
            delay = retry_after(record, self._clock.monotonic(), self._rules)
            raise CircuitOpen(f"{self._upstream} failed repeatedly; next try in {delay:.1f} s", delay)
        return token if is_probe(record, token) else ""

    def succeed(self, token: str) -> None:
        """`succeeded` for the call with this token."""
        self._change(lambda record, _: after_success(record, token))

    def fail(self, token: str) -> None:
        """`failed` for the call with this token."""
        self._change(lambda record, now: after_failure(record, token, now, self._rules))

    def release(self, token: str) -> None:
        """`released` for the call with this token."""
        self._change(lambda record, _: after_release(record, token))

    def adopt(self, failures: int, open_for: float | None, probe: str, probe_left: float) -> BreakerRecord:
        """Go on from what the shared breaker knows; durations in seconds, `open_for` None means closed."""

        def known(_: BreakerRecord, now: float) -> BreakerRecord:
            opened_at = None if open_for is None else now - open_for
            return BreakerRecord(failures, opened_at, probe, now + probe_left)

        return self._change(known)

    def _change(self, step: Callable[[BreakerRecord, float], BreakerRecord]) -> BreakerRecord:
        with self._lock:
            self._record = step(self._record, self._clock.monotonic())
            return self._record

    def _take_token(self) -> str:
        token, self._token.probe = self._token.probe, ""
        return token


class SharedCircuitBreaker:
    """The breaker of all instances, in Redis; by Redis' clock, one atomic script.

    `fallback` follows what Redis says, so that with Redis away it goes on from there, alone. What it
    learns alone stays in this process: back in touch, Redis' record counts again.
    """

    def __init__(
        self,
        connection: RedisConnection,
        upstream: str,
        threshold: int,
        recovery_seconds: float,
        fallback: LocalCircuitBreaker,
        *,
        probe_lease_seconds: float = PROBE_LEASE_SECONDS,
    ) -> None:
        self._connection = connection
        self._fallback = fallback
        self._key = f"{{safetyamp:breaker:{upstream}}}:state"
        lifetime = recovery_seconds + probe_lease_seconds + FORGOTTEN_AFTER_SECONDS
        self._rules = (
            threshold,
            microseconds(recovery_seconds),
            microseconds(probe_lease_seconds),
            milliseconds(lifetime),
        )
        self._token = _Token()

    def before_call(self) -> None:
        token, self._token.probe = _new_token(), ""
        try:
            record = self._ask("allow", token)
        except CacheError:
            self._token.probe = self._fallback.admit(token)
        else:
            self._token.probe = self._fallback.verdict(record, token)

    def succeeded(self) -> None:
        self._end("success", self._fallback.succeed)

    def failed(self) -> None:
        self._end("failure", self._fallback.fail)

    def released(self) -> None:
        self._end("release", self._fallback.release)

    def state(self) -> BreakerState:
        # With Redis away the fallback's own state is the answer.
        with suppress(CacheError):
            self._ask("state", "")
        return self._fallback.state()

    def _end(self, operation: Operation, alone: Callable[[str], None]) -> None:
        token, self._token.probe = self._token.probe, ""
        try:
            self._ask(operation, token)
        except CacheError:
            alone(token)

    def _ask(self, operation: Operation, token: str) -> BreakerRecord:
        arguments = (operation, token, *self._rules)
        failures, open_for, probe, probe_left = self._connection.run(
            lambda client: BREAKER.run(client, [self._key], arguments)
        )
        return self._fallback.adopt(
            failures,
            None if open_for < 0 else open_for / MICRO,
            probe.decode(),
            probe_left / MICRO,
        )


def _new_token() -> str:
    return uuid.uuid4().hex

"""An upstream that failed repeatedly is left alone, by all instances, until one probe succeeds."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, NamedTuple, Protocol

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

logger = logging.getLogger(__name__)

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
        return self.described(self._record)

    def described(self, record: BreakerRecord) -> BreakerState:
        """A record of this breaker's clock for people."""
        return describe(record, self._upstream, self._clock.monotonic(), self._rules)

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
        before, after = self._changed(lambda record, _: after_success(record, token))
        if before.opened_at is not None and after.opened_at is None:
            self.tell_closed()

    def fail(self, token: str) -> None:
        """`failed` for the call with this token."""
        before, after = self._changed(lambda record, now: after_failure(record, token, now, self._rules))
        if before.opened_at is None and after.opened_at is not None:
            self.tell_opened(after.failures)

    def release(self, token: str) -> None:
        """`released` for the call with this token."""
        self._change(lambda record, _: after_release(record, token))

    def tell_opened(self, failures: int) -> None:
        """Log that the call at hand opened the breaker; probes that fail later are no news."""
        facts = {"event": "breaker_opened", "service": self._upstream, "failures": failures}
        text = "the breaker of %s opened: nobody calls it for %g s"
        logger.error(text, self._upstream, self._rules.recovery_seconds, extra=facts)

    def tell_closed(self) -> None:
        """Log that the call at hand closed the breaker."""
        facts = {"event": "breaker_closed", "service": self._upstream}
        logger.warning("the breaker of %s closed: it answers again", self._upstream, extra=facts)

    def adopt(
        self,
        failures: int,
        open_for: float | None,
        open_since: float | None,
        probe: str,
        probe_left: float,
    ) -> BreakerRecord:
        """Go on from what the shared breaker knows; durations in seconds, `open_for` None means closed."""

        def known(_: BreakerRecord, now: float) -> BreakerRecord:
            opened_at = None if open_for is None else now - open_for
            since = None if open_since is None else now - open_since
            return BreakerRecord(failures, opened_at, since, probe, now + probe_left)

        return self._change(known)

    def _change(self, step: Callable[[BreakerRecord, float], BreakerRecord]) -> BreakerRecord:
        return self._changed(step)[1]

    def _changed(
        self, step: Callable[[BreakerRecord, float], BreakerRecord]
    ) -> tuple[BreakerRecord, BreakerRecord]:
        """The record before and after."""
        with self._lock:
            before, self._record = self._record, step(self._record, self._clock.monotonic())
            return before, self._record

    def _take_token(self) -> str:
        token, self._token.probe = self._token.probe, ""
        return token


class _Told(NamedTuple):
    """The shared record, and whether it opened at this very moment (by Redis' clock)."""

    record: BreakerRecord
    opened_now: bool


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
            record = self._ask("allow", token).record
        except CacheError:
            self._token.probe = self._fallback.admit(token)
        else:
            self._token.probe = self._fallback.verdict(record, token)

    def succeeded(self) -> None:
        token = self._token.probe
        told = self._end("success", self._fallback.succeed)
        if told is not None and token and told.record.opened_at is None:
            self._fallback.tell_closed()

    def failed(self) -> None:
        told = self._end("failure", self._fallback.fail)
        if told is not None and told.opened_now:
            self._fallback.tell_opened(told.record.failures)

    def released(self) -> None:
        self._end("release", self._fallback.release)

    def state(self) -> BreakerState:
        # With Redis away the fallback's own state is the answer.
        with suppress(CacheError):
            self._ask("state", "")
        return self._fallback.state()

    def shared_state(self) -> BreakerState:
        """What all instances know; raises CacheError with Redis away."""
        return self._fallback.described(self._ask("state", "").record)

    def _end(self, operation: Operation, alone: Callable[[str], None]) -> _Told | None:
        """What Redis told afterwards, None when this process was alone."""
        token, self._token.probe = self._token.probe, ""
        try:
            return self._ask(operation, token)
        except CacheError:
            alone(token)
            return None

    def _ask(self, operation: Operation, token: str) -> _Told:
        arguments = (operation, token, *self._rules)
        failures, open_for, probe, probe_left, open_since = self._connection.run(
            lambda client: BREAKER.run(client, [self._key], arguments)
        )
        record = self._fallback.adopt(
            failures,
            None if open_for < 0 else open_for / MICRO,
            None if open_since < 0 else open_since / MICRO,
            probe.decode(),
            probe_left / MICRO,
        )
        return _Told(record, opened_now=open_since == 0)


def _new_token() -> str:
    return uuid.uuid4().hex

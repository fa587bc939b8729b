"""Time travel for limiter, breaker and cache: over this process's memory, fakeredis and a real Redis.

Redis' clock cannot be moved. Instead everything stored is made older, which comes to the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from fakeredis import FakeServer, FakeStrictRedis
from redis import Redis

from local.fake_clock import FakeClock
from shared.resilience.circuit_breaker import CircuitBreaker, LocalCircuitBreaker, SharedCircuitBreaker
from shared.resilience.local_rate_limiter import LocalRateLimiter
from shared.resilience.rate_limiter import RateLimiter
from shared.resilience.redis_connection import RedisConnection
from shared.resilience.shared_rate_limiter import SharedRateLimiter

MAX_PROCESSES = 4
TIMES_IN_HASHES = (b"opened_at", b"since", b"probe_until")


def check_that_every_key_expires(client: Redis) -> None:
    """For the end of each test."""
    for key in client.scan_iter():
        lifetime_ms(client, key)


def client_of(server: FakeServer) -> Redis:
    return cast(Redis, FakeStrictRedis(server=server))


def command(client: Redis, *words: str | int) -> Any:
    """Redis' answer to an administrator's command."""
    run: Any = client.execute_command
    return run(*words)


def make_older(client: Redis, seconds: float) -> None:
    """As if `seconds` had passed since everything in Redis was stored."""
    redis: Any = client
    for key in list(redis.scan_iter()):
        for member, score in redis.zrange(key, 0, -1, withscores=True) if redis.type(key) == b"zset" else ():
            redis.zadd(key, {member: score - seconds * 1_000_000})
        for name, value in redis.hgetall(key).items() if redis.type(key) == b"hash" else ():
            if name in TIMES_IN_HASHES:
                redis.hset(key, name, str(int(value) - round(seconds * 1_000_000)))
        redis.pexpire(key, lifetime_ms(client, key) - round(seconds * 1000))


def lifetime_ms(client: Redis, key: bytes) -> int:
    """Milliseconds until the key expires; every key must."""
    lifetime = int(cast(int, client.pttl(key)))
    assert lifetime != -1, f"{key!r} never expires"
    return lifetime


@dataclass
class LocalRig:
    """Limiter and breaker of one process."""

    clock: FakeClock = field(default_factory=FakeClock)
    now: float = 0.0

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.now += seconds

    def limiter(self, calls: int, period: float, reserve: int = 0) -> RateLimiter:
        return LocalRateLimiter(self.clock, calls, period, reserve, name="target")

    def breaker(self, threshold: int, recovery_seconds: float) -> CircuitBreaker:
        return LocalCircuitBreaker(self.clock, "target", threshold, recovery_seconds)


@dataclass
class RedisRig(LocalRig):
    """Limiter and breaker in Redis. Each one made is as if in a process of its own."""

    client: Redis = field(default_factory=lambda: client_of(FakeServer()))

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        make_older(self.client, seconds)

    def connection(self, pause_seconds: float = 5.0) -> RedisConnection:
        return RedisConnection(lambda: self.client, self.clock, pause_seconds)

    def limiter(self, calls: int, period: float, reserve: int = 0) -> SharedRateLimiter:
        fallback = LocalRateLimiter(self.clock, calls, period, reserve, 1 / MAX_PROCESSES, name="target")
        return SharedRateLimiter(self.connection(), "target", calls, period, reserve, fallback)

    def breaker(self, threshold: int, recovery_seconds: float) -> SharedCircuitBreaker:
        fallback = LocalCircuitBreaker(self.clock, "target", threshold, recovery_seconds)
        return SharedCircuitBreaker(self.connection(), "target", threshold, recovery_seconds, fallback)

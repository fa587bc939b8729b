"""Redis: answers, its clock, our scripts, and whether it throws away what limiter and breaker need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.config import LOOPBACK
from shared.doctor.clocks import ahead, skew
from shared.doctor.finding import Check, Finding, ms_since, seen_and_advice

if TYPE_CHECKING:
    from redis import Redis

    from shared.runtime import Runtime

NAME = "redis"
SETTINGS = ("REDIS_HOST", "REDIS_PORT", "REDIS_SSL")
LOGIN = ("REDIS_AUTH", "REDIS_USERNAME", "REDIS_PASSWORD")
SCRIPTS = Path(__file__).resolve().parent.parent / "resilience"
KEEPS_EVERYTHING = "noeviction"
WITHOUT = (
    "without it everything works, slower: no cache, and each process keeps to its MAX_PROCESSES-th part of "
    "SafetyAmp's limit"
)
ADVICE = "Check that the server runs, that this machine may reach it, and its password"


def quick(runtime: Runtime) -> Iterator[Finding]:
    """A PING over a connection of its own: the app's may be resting after a failure."""
    from redis.exceptions import RedisError

    try:
        with closing(runtime.redis_factory()) as client:
            yield _pinged(runtime, client)
    except (RedisError, ValueError) as error:  # the latter from its parser, for what is no Redis
        yield _absent(error)


def deep(runtime: Runtime) -> Iterator[Finding]:
    """Also the clock, the scripts, the policy and the encryption."""
    from redis.exceptions import RedisError

    try:
        with closing(runtime.redis_factory()) as client:
            yield _pinged(runtime, client)
            yield _clock(runtime, client)
            yield _scripts(client)
            yield _policy(client)
            yield _encryption(runtime)
    except (RedisError, ValueError) as error:  # the latter from its parser, for what is no Redis
        yield _absent(error)


def _pinged(runtime: Runtime, client: Redis) -> Finding:
    started = runtime.clock.monotonic()
    client.ping()
    took = ms_since(runtime.clock, started)
    if getattr(runtime.redis_factory, "embedded", False):
        return _embedded(runtime, took)
    version = _info(client, "server", "redis_version")
    return Finding(NAME, "ok", f"answers (Redis {version or 'of unknown version'})", "", took, SETTINGS)


def _embedded(runtime: Runtime, took: int) -> Finding:
    """The host put a Redis of its own in place: as it should where the settings name none."""
    settings = runtime.settings
    seen = f"{getattr(runtime.redis_factory, 'description', 'embedded Redis')}: serves this process alone"
    if settings.redis_host in LOOPBACK and not settings.redis_password:
        return Finding(NAME, "ok", seen, "", took, SETTINGS)
    return Finding(NAME, "warning", f"{seen}, although the settings name a server", ADVICE, took, SETTINGS)


def _clock(runtime: Runtime, client: Redis) -> Finding:
    before = runtime.clock.now()
    answer: Any = client.time()
    seconds, microseconds = answer
    theirs = datetime.fromtimestamp(seconds + microseconds / 1_000_000, UTC)
    return skew("redis.clock", "Redis'", ahead(theirs, before, runtime.clock.now()))


def _scripts(client: Redis) -> Finding:
    from redis.exceptions import ResponseError

    scripts = sorted(SCRIPTS.glob("*.lua"))
    try:
        for script in scripts:
            client.script_load(script.read_text(encoding="utf-8"))
    except ResponseError:
        seen = f"the script {script.name} is not accepted, so limiter and breaker work per process"
        return Finding("redis.scripts", "failed", seen, "Allow EVALSHA and SCRIPT LOAD to this login")
    return Finding("redis.scripts", "ok", f"all {len(scripts)} scripts are accepted")


def _policy(client: Redis) -> Finding:
    check, policy = "redis.policy", _info(client, "memory", "maxmemory_policy")
    if policy is None:
        return Finding(check, "skipped", "the server does not tell its eviction policy")
    if policy == KEEPS_EVERYTHING:
        return Finding(check, "ok", "the eviction policy is noeviction")
    seen = f"the eviction policy is {policy}: with memory full, limiter and breaker may lose what they know"
    return Finding(check, "warning", seen, "Set the eviction policy (maxmemory-policy) to noeviction")


def _encryption(runtime: Runtime) -> Finding:
    settings = runtime.settings
    if settings.redis_ssl:
        return Finding("redis.encryption", "ok", "encrypted, the certificate is checked")
    if settings.redis_host in LOOPBACK:
        return Finding("redis.encryption", "ok", "unencrypted, within this machine")
    seen = "unencrypted to another machine"
    return Finding("redis.encryption", "warning", seen, "Set REDIS_SSL=true", settings=("REDIS_SSL",))


def _info(client: Redis, section: str, name: str) -> str | None:
    """One line of INFO, which managed servers allow where they forbid CONFIG; None when it is not told."""
    from redis.exceptions import ResponseError

    try:
        answer: Any = client.info(section)
    except ResponseError:
        return None
    value = answer.get(name)
    return None if value is None else str(value)


def _absent(error: Exception) -> Finding:
    from shared.resilience.redis_errors import explain

    reason, own = seen_and_advice(explain(error))
    return Finding(NAME, "warning", f"{reason}; {WITHOUT}", own or ADVICE, settings=(*SETTINGS, *LOGIN))


QUICK = Check(NAME, quick, ADVICE, SETTINGS)
DEEP = Check(NAME, deep, ADVICE, SETTINGS)

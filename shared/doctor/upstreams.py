"""What limiter and breakers know already: costs no call to any upstream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.doctor.finding import Check, Finding
from shared.errors import CacheError

if TYPE_CHECKING:
    from shared.runtime import Runtime

NAME = "upstreams"
UPSTREAMS = ("safetyamp", "samsara", "graph", "vista")


def check(runtime: Runtime) -> Iterator[Finding]:
    """How full SafetyAmp's window is, and which upstreams are left alone."""
    try:
        runtime.redis.run(lambda client: client.ping())
    except CacheError:
        seen = "without Redis each process has a limiter and breakers of its own; nothing to tell of them"
        yield Finding(NAME, "skipped", seen, settings=("REDIS_HOST",))
        return
    usage = runtime.safetyamp_limiter.usage()
    if usage.blocked_seconds > 0:
        seen = f"SafetyAmp asked for a pause: no call for {usage.blocked_seconds:.0f} s"
        yield Finding(NAME, "warning", seen, "Nothing: work goes on by itself")
    else:
        yield Finding(NAME, "ok", f"{usage.used} of SafetyAmp's {usage.limit} calls are in use")
    for upstream in UPSTREAMS:
        state = runtime.breaker(upstream).state()
        if state.state != "closed":
            seen = f"{upstream} failed repeatedly; next try in {state.retry_after_seconds:.0f} s"
            advice = f"Look at what the doctor finds on {upstream}"
            yield Finding(NAME, "warning", seen, advice, settings=("BREAKER_RECOVERY_SECONDS",))


CHECK = Check(NAME, check)

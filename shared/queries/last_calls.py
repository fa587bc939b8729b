"""The last calls to SafetyAmp: whether it answers, with what, and how fast."""

from __future__ import annotations

from shared.queries import answers
from shared.runtime import Runtime
from shared.telemetry.last_calls import read_calls


def last_calls(runtime: Runtime) -> answers.LastCalls:
    """The newest first. Raises ConfigurationError."""
    calls, shared = read_calls(runtime)
    told: list[answers.LastCall] = []
    for call in calls:
        method, _, path = call["endpoint"].partition(" ")
        told.append(
            {
                "at": call["at"],
                "method": method,
                "path": path,
                "status": call["outcome"],
                "seconds": call["seconds"],
                "function": call["function"],
            }
        )
    return {"calls": told, "shared": shared}

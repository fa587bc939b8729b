"""host.json: whether a message's lock lasts as long as its function may run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.doctor.finding import Check, Finding

if TYPE_CHECKING:
    from shared.runtime import Runtime

NAME = "host.json"
FILE = Path(__file__).resolve().parent.parent.parent / NAME
DURATION = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})\Z")
DEFAULT_TIMEOUT = "00:30:00"
DEFAULT_RENEWAL = "00:05:00"
"""What the platform takes where the file says nothing (vendor page "host.json")."""


def check(runtime: Runtime) -> Iterator[Finding]:  # noqa: ARG001 - every check is given the runtime
    """The file that was deployed."""
    try:
        content = json.loads(FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        seen = f"cannot be read ({type(error).__name__})"
        yield Finding(NAME, "failed", seen, "Deploy the app again, host.json included")
        return
    yield from judged(content)


def judged(content: Mapping[str, Any]) -> Iterator[Finding]:
    """The findings for the file's content."""
    bus = _object(_object(content, "extensions"), "serviceBus")
    timeout = _seconds(content.get("functionTimeout", DEFAULT_TIMEOUT))
    renewal = _seconds(bus.get("maxAutoLockRenewalDuration", DEFAULT_RENEWAL))
    good = True
    if renewal is None or (timeout is None) or renewal < timeout:
        good = False
        seen = "functionTimeout is longer than maxAutoLockRenewalDuration, or one of them is no duration"
        advice = "Set both to the same duration: a message whose lock ran out is delivered a second time"
        yield Finding(NAME, "failed", seen, advice)
    if bus.get("prefetchCount", 0) != 0:
        good = False
        seen = "prefetchCount is not 0: the locks of waiting messages run out"
        yield Finding(NAME, "warning", seen, "Set it to 0")
    if bus.get("autoCompleteMessages", True) is not True:
        good = False
        seen = "autoCompleteMessages is off: every message is delivered until it is dead"
        yield Finding(NAME, "failed", seen, "Set it to true")
    if good:
        yield Finding(NAME, "ok", "a message's lock is renewed for as long as its function may run")


def _object(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What the file says of `name`; empty where it says nothing, or something that is no object."""
    value = content.get(name)
    return value if isinstance(value, dict) else {}


def _seconds(text: object) -> float | None:
    """Seconds of `[d.]hh:mm:ss`, without end for -1, None for what is no duration."""
    if str(text) == "-1":
        return float("inf")
    found = DURATION.match(str(text))
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


CHECK = Check(NAME, check)

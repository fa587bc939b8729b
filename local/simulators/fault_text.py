"""A fault in words, as `simulators --fault` and POST /_sim/faults take it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from local.simulators.exchange import Lost
from local.simulators.faults import SERVER_ERROR, Fault

SYSTEMS = ("safetyamp", "samsara", "graph")
METHODS = ("GET", "POST", "PUT", "PATCH", "*")
FORM = "[SYSTEM] METHOD PATH ANSWER [xTIMES] [after-write] [field=NAME] [retry-after=SECONDS]"
EXAMPLE = "POST /api/users 503 x3 after-write"
ALWAYS = 10**9

MOST_WORDS = 9
STATUS = re.compile(r"[2-5][0-9][0-9]")
TIMES = re.compile(r"x([0-9]{1,7}|\*)")
FIELD = re.compile(r"field=([A-Za-z0-9_.]{1,60})")
RETRY_AFTER = re.compile(r"retry-after=([0-9]{1,6})")

BODIES: Mapping[str, bytes] = {
    "empty": b'{"data":[],"value":[],"pagination":{"endCursor":"","hasNextPage":false}}',
    "cut": b'{"data":[{"id":',
    "html": b"<html><body>Bad gateway</body></html>",
}
"""Answers with status 200 that are none, by name."""

LOST: Lost = "connection"


class BadFault(ValueError):
    """What was written is no fault; the text says which word, and what may stand there."""


def fault_of(text: str) -> tuple[str, Fault]:
    """The system, and what happens to its next calls. Raises BadFault.

    ANSWER is a status, `lost` (the connection breaks), or a 200 that is `empty`, `cut` or `html`.
    """
    words = text.split()
    if len(words) > MOST_WORDS:
        raise BadFault(f"has more words than {FORM} ({EXAMPLE})")
    system = words.pop(0) if words and words[0] in SYSTEMS else SYSTEMS[0]
    if len(words) < 3:
        raise BadFault(f"must be {FORM}, such as {EXAMPLE}")
    method, path, answer, *rest = words
    if method not in METHODS:
        raise BadFault(f"{method[:20]!r} is none of {', '.join(METHODS)}, nor one of {', '.join(SYSTEMS)}")
    if not path.startswith(("/", "*")):
        raise BadFault(f"{path[:40]!r} is no path: begin with / or *, which stands for anything")
    fault = Fault(1, f"{method} {path}")
    _set_answer(fault, answer)
    for word in rest:
        _set_option(fault, word)
    return system, fault


def _set_answer(fault: Fault, word: str) -> None:
    if word == "lost":
        fault.lose = LOST
    elif word in BODIES:
        fault.status, fault.body = 200, BODIES[word]
    elif STATUS.fullmatch(word):
        fault.status = int(word)
        fault.body = SERVER_ERROR if fault.status >= 500 else _message(fault.status)
    else:
        known = f"a status from 200 to 599, lost, {', '.join(BODIES)}"
        raise BadFault(f"{word[:20]!r} is no answer: {known}")


def _message(status: int) -> bytes:
    text = "Too Many Attempts." if status == 429 else f"Answered {status}, as the fault says."
    return json.dumps({"message": text}).encode()


def _set_option(fault: Fault, word: str) -> None:
    for form, change in OPTIONS:
        match = form.fullmatch(word)
        if match:
            change(fault, match)
            return
    raise BadFault(
        f"{word[:40]!r} is none of xTIMES (x3, x* for ever), after-write, field=NAME, retry-after=SECONDS"
    )


def _set_times(fault: Fault, match: re.Match[str]) -> None:
    fault.remaining = ALWAYS if match[1] == "*" else int(match[1])


def _set_after_write(fault: Fault, _: re.Match[str]) -> None:
    fault.after_write = True


def _set_field(fault: Fault, match: re.Match[str]) -> None:
    """What SafetyAmp says of a 422."""
    text = f"The {match[1].replace('_', ' ')} is invalid."
    fault.body = json.dumps({"message": text, "errors": {match[1]: [text]}}).encode()


def _set_retry_after(fault: Fault, match: re.Match[str]) -> None:
    fault.headers = {"Retry-After": match[1]}


OPTIONS: tuple[tuple[re.Pattern[str], Callable[[Fault, re.Match[str]], None]], ...] = (
    (TIMES, _set_times),
    (re.compile("after-write"), _set_after_write),
    (FIELD, _set_field),
    (RETRY_AFTER, _set_retry_after),
)

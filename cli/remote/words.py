"""Texts of the API for people at a terminal: made harmless, times readable, calls as commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from cli.console import inert
from shared.version import PROGRAM

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)")
MINUTE, HOUR, DAY = 60, 3600, 86_400

COMMANDS = {
    "GET /api/openapi.json": "--help",
    "GET /api/status": "status",
    "GET /api/control": "status",
    "GET /api/runs": "runs",
    "GET /api/runs/{}": "runs {}",
    "POST /api/runs/{}/approve": "approve {}",
    "POST /api/runs/{}/cancel": "cancel {}",
    "POST /api/sync/{}": "sync {}",
    "POST /api/sync/{}?key=...": "sync {} --record KEY",
    "POST /api/failures/retry": "retry",
    "GET /api/rules": "rules text",
    "GET /api/rules/history": "rules history",
    "POST /api/pause/{}": "pause {}",
    "POST /api/resume/{}": "resume {}",
}
"""What the API tells its callers to call, and the command that calls it."""

_CALL = re.compile(r"(?:GET|POST) /api/[\w/.{}-]*[\w}](?:\?key=\.\.\.)?")
"""A call in a text, told by its own form: what the sentence around it says does not matter."""

_FORMS = {
    re.compile(re.escape(call).replace(r"\{\}", r"([\w-]+)")): words for call, words in COMMANDS.items()
}


def said(text: Any, now: str | None = None) -> Text:
    """A sentence of the API; `now` is the app's time, for how far away the times in it are."""
    words = MOMENT.sub(lambda found: when(found[0], now), inert(text))
    return Text(_CALL.sub(lambda found: _as_command(found[0]), words))


def _as_command(call: str) -> str:
    """A call that no command makes stays as it is."""
    for form, words in _FORMS.items():
        if found := form.fullmatch(call):
            return f"{PROGRAM} {words.format(*found.groups())}"
    return call


def plain(value: Any) -> Text:
    """Any value in a cell."""
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, dict):
        # A reference that is not resolved yet, or one that only has its id.
        return Text(inert(" ".join(str(part) for part in value.values())))
    if isinstance(value, list):
        return Text(", ").join(plain(part) for part in value)
    return Text(inert(value))


def when(moment: str | None, now: str | None = None) -> str:
    """A time of the API: `2026-03-02 13:00 UTC`, and how far it is from `now`."""
    if moment is None:
        return "-"
    try:
        found = datetime.fromisoformat(moment).astimezone(UTC)
        away = "" if now is None else f" ({_away((found - datetime.fromisoformat(now)).total_seconds())})"
    except ValueError:
        return inert(moment)
    return f"{found:%Y-%m-%d %H:%M} UTC{away}"


def _away(seconds: float) -> str:
    size = abs(seconds)
    if size < MINUTE:
        return "now"
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if size >= unit:
            amount = f"{int(size // unit)} {name}"
            break
    return f"in {amount}" if seconds > 0 else f"{amount} ago"


def command(*words: str) -> str:
    """A command to type, quoted for a shell."""
    return f"{PROGRAM} {shlex.join(words)}"


def some(items: Iterable[Any], most: int) -> str:
    """The first of many, and how many more there are."""
    known = [inert(item) for item in items]
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more

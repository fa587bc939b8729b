"""First contact on the command line: what the real systems do, and where that differs from what is known."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.text import Text

from cli.console import inert, say
from local.host.once import NOTHING_FAILED, SOMETHING_FAILED
from local.host.stack import LocalStack
from local.probe.assumption import Assumption, Verdict
from local.probe.probe import Probed, probe

SYMBOLS: Mapping[Verdict, tuple[str, str]] = {
    "contradicted": ("✗", "bold red"),
    "unknown": ("?", "yellow"),
    "confirmed": ("✓", "green"),
}
"""In the order in which they are shown."""


def find(environment: Mapping[str, str]) -> Probed:
    """What the systems do that these settings name. Raises ConfigurationError."""
    stack = LocalStack(environment)
    try:
        return probe(stack.runtime)
    finally:
        stack.close()


def show(console: Console, probed: Probed) -> None:
    """What contradicts first, with what it means; then what nobody can tell, then the rest."""
    for verdict, (symbol, style) in SYMBOLS.items():
        for one in probed.assumptions:
            if one.verdict == verdict:
                _show_one(console, one, symbol, style)
    for system, problem in probed.problems.items():
        text = Text.assemble((f"! {system} was not asked: ", "yellow"), inert(problem))
        say(console, text, 2)
    counts = Counter(one.verdict for one in probed.assumptions)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in SYMBOLS if counts[verdict]) or "nothing"
    calls = f"{probed.safetyamp_calls} SafetyAmp calls, nothing written"
    console.print(f"{told}; {calls}", highlight=False)


def _show_one(console: Console, one: Assumption, symbol: str, style: str) -> None:
    line = Text.assemble((f"{symbol} ", style), (f"{one.name}: ", "bold"), f"{one.says}. Seen: {one.seen}")
    say(console, line, 2)
    if one.verdict == "contradicted":
        say(console, f"    → {one.meaning} ({one.contract})", 6)


def save(path: Path, probed: Probed) -> None:
    """Write the recording, which holds types and counts only. Raises OSError."""
    text = json.dumps(probed.recording, indent=1, sort_keys=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")


def exit_status_of(probed: Probed) -> int:
    """For a shell: 1 when something is otherwise than the sync takes for granted, or could not be asked."""
    contradicted = any(one.verdict == "contradicted" for one in probed.assumptions)
    asked_all = set(probed.problems) <= {"samsara"}
    return NOTHING_FAILED if asked_all and not contradicted else SOMETHING_FAILED

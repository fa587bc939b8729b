"""The last line of a command: what comes next."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from cli.console import say
from local.host.once import NOTHING_FAILED, PLAN_HELD
from shared.version import PROGRAM

AFTER: Mapping[str, str] = {
    "probe": "plan shows what a run would do, and changes nothing",
    "settings": "doctor tries them",
    "doctor": "plan shows what a run would do, and changes nothing",
    "rehearse": "rehearse NAME --open keeps the app up, to practise on its page",
    "demo": "demo --open keeps the app up and opens its page",
    "approve": "runs RUN tells how far it is",
    "cancel": "runs tells what became of it",
    "retry": "runs tells how far it is",
    "pause": "resume ends it",
    "resume": "status tells when it runs next",
    "status": "runs lists what it did",
    "runs": "runs RUN tells of one, changes RUN what it changed",
    "changes": "explain ENTITY KEY tells why a record is as it is",
    "failures": "explain ENTITY KEY tells why a record is as it is, retry tries all of them again",
    "fix-list": "fix-list --owner hr --csv hr.csv is for whoever mends it",
}
"""By command, whatever came out: what shows more, or undoes it. The others say it in what they tell."""

MENDED_FIRST = ("settings", "doctor")


def say_next(console: Console, options: argparse.Namespace, status: int) -> None:
    """Print it, unless only results are wanted."""
    line = None if options.quiet or getattr(options, "json", False) else next_step(options, status)
    if line is not None:
        say(console, line)


def next_step(options: argparse.Namespace, status: int) -> str | None:
    """A line, where the command does not say it itself."""
    name = options.parser.prog.rpartition(" ")[2]
    after = AFTER.get(name)
    if after is None:
        return None
    if name in MENDED_FIRST and status != NOTHING_FAILED:
        return f"next: mend what is said to be wrong, then {PROGRAM} {name} once more"
    if getattr(options, "run_id", None):
        after = "changes RUN tells what it changed" if name == "runs" else after
        after = after.replace("RUN", options.run_id)
    if name == "fix-list" and options.csv:
        return None
    return f"next: {PROGRAM} {after}"


def after_run(report: Mapping[str, Any], status: int) -> str:
    """After `once` has applied changes."""
    run_id = report["run_id"]
    if status == PLAN_HELD:
        text = f"plan {run_id} shows what is held; once --approve {run_id} lets it go on"
    elif status != NOTHING_FAILED:
        text = "failures tells by cause what to do, fix-list whose it is"
    else:
        text = "fix-list tells what is whose to mend; up does all this by the clock"
    return f"next: {PROGRAM} {text}"

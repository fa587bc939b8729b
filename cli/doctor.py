"""The doctor on the command line: the installation that `once` would use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from local.host.once import NOTHING_FAILED, SETTINGS_WRONG, SOMETHING_FAILED
from local.host.stack import LocalStack
from shared.doctor import Finding, check_everything
from shared.doctor.settings import NAME as SETTINGS
from shared.errors import ConfigurationError
from shared.runtime import Runtime

SYMBOLS = {
    "ok": "[green]✓[/green]",
    "warning": "[yellow]![/yellow]",
    "failed": "[bold red]✗[/bold red]",
    "skipped": "[dim]-[/dim]",
}
ORDER = ("failed", "warning", "ok", "skipped")


def find(environment: Mapping[str, str]) -> list[Finding]:
    """All findings on the stack that these settings make, with its embedded parts."""
    try:
        stack = LocalStack(environment)
    except ConfigurationError:
        # Even then the doctor has something to say, and it names what is wrong.
        return check_everything(Runtime(environment), deep=True)
    try:
        return check_everything(stack.runtime, deep=True)
    finally:
        stack.close()


def show_what_failed(console: Console, runtime: Runtime) -> None:
    """What a run would come upon, in the doctor's words, from a look of some seconds that asks SafetyAmp,
    Samsara and Graph nothing."""
    failed = [finding for finding in check_everything(runtime, deep=False) if finding.status == "failed"]
    if failed:
        show(console, failed)
        console.print("the run does what it can without", highlight=False)


def show(console: Console, findings: Sequence[Finding]) -> None:
    """A table for people, and how many of each kind there are."""
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("")
    table.add_column("check", no_wrap=True)
    table.add_column("seen, and what to do", ratio=1, overflow="fold")
    table.add_column("ms", justify="right")
    for finding in findings:
        table.add_row(
            SYMBOLS[finding.status],
            Text(finding.check),
            _told(finding),
            "" if finding.latency_ms is None else str(finding.latency_ms),
        )
    console.print(table)
    counts: Counter[str] = Counter(finding.status for finding in findings)
    told = ", ".join(f"{counts[status]} {status}" for status in ORDER if counts[status])
    console.print(told, highlight=False)


def _told(finding: Finding) -> Text:
    advice = Text(f"\n→ {finding.advice}", style="bold") if finding.advice else Text("")
    return Text(finding.seen) + advice


def exit_status_of(findings: Sequence[Finding]) -> int:
    """For a shell: 0 when nothing failed, 2 when it was the settings, 1 otherwise."""
    failed = {finding.check for finding in findings if finding.status == "failed"}
    if SETTINGS in failed:
        return SETTINGS_WRONG
    return SOMETHING_FAILED if failed else NOTHING_FAILED

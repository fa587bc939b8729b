"""A run's report for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.console import inert, say
from shared.sync.documents.report import COUNTS
from shared.sync.planning.approval import PAST
from shared.version import PROGRAM

MOST_SHOWN = 12
QUIET_KINDS = ("skipped",)


def show_report(
    console: Console, report: Mapping[str, Any], *, problems: bool = True, approve: str = "once --approve"
) -> None:
    """Print the table of counts, why entities ended badly, and what an operator should look at. `approve` is
    the command that lets a held plan go on."""
    _show_counts(console, report)
    show_costs(console, report)
    for name, entity in report["entities"].items():
        _show_reason(console, f"{approve} {report['run_id']}", name, entity)
        _show_left_out(console, name, entity)
        if problems:
            _show_problems(console, name, entity)


def _show_counts(console: Console, report: Mapping[str, Any]) -> None:
    """The columns in which there is something: nine would not fit into a terminal."""
    mode = " (plan only: nothing was changed)" if report["mode"] == "plan" else ""
    rows = {
        name: {**entity, "planned": sum(entity["planned"].values())}
        for name, entity in report["entities"].items()
    }
    wanted = (*COUNTS, "planned") if report["mode"] == "plan" else COUNTS
    columns = [name for name in wanted if name == "source" or any(row.get(name) for row in rows.values())]
    table = Table(title=f"Run {report['run_id']}: {report['phase']}{mode}", title_justify="left")
    table.add_column("entity", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for name, row in rows.items():
        table.add_row(name, *(_count(row.get(column, 0)) for column in columns))
    if table.__rich_measure__(console, console.options).maximum <= console.width:
        console.print(table)
        return
    console.print(table.title, style="table.title", highlight=False)
    for name, row in rows.items():
        counts = ", ".join(f"{row[column]} {column}" for column in columns if row.get(column))
        console.print(f"  {name}: {counts or 'nothing'}", highlight=False)


def show_costs(console: Console, report: Mapping[str, Any]) -> None:
    """What the run took of calls and time."""
    calls = ", ".join(f"{name} {count}" for name, count in sorted(report["calls"].items())) or "none"
    waited, took = report["waited_seconds"], report["duration_seconds"] or 0
    say(console, f"calls: {calls}; waited for limits {waited:.1f} s; took {took:.1f} s")


def _count(value: int) -> str:
    return str(value) if value else "[dim]0[/dim]"


def _show_reason(console: Console, approve: str, name: str, entity: dict[str, Any]) -> None:
    reason = inert(entity["reason"] or "")
    if entity["held"]:
        say(console, _after(f"{name} is held: ", "yellow", reason), 2)
        _show_held_changes(console, entity)
        console.print(
            f"  look at the plan, then approve it with: {PROGRAM} {approve}",
            markup=False,
            soft_wrap=True,
        )
    elif entity["phase"] == "failed":
        say(console, _after(f"{name} failed: ", "bold red", reason), 2)
    elif entity["phase"] == "off":
        console.print(Text(reason, style="dim"))


def _show_held_changes(console: Console, entity: Mapping[str, Any]) -> None:
    """Which part waits, and how many; reports of earlier releases do not say."""
    if held := entity.get("held_changes"):
        told = ", ".join(f"{count} to {action}" for action, count in held.items())
        say(console, f"  waits for an approval: {told}", 2)


def _after(heading: str, style: str, text: str) -> Text:
    return Text.assemble((heading, style), text)


def _show_left_out(console: Console, name: str, entity: dict[str, Any]) -> None:
    """What was approved and is not wanted any more, which the reason counts."""
    left_out = entity.get("left_out") or {"count": 0, "changes": []}
    if left_out["count"]:
        say(console, inert(f"{name}: {entity['reason']}"), 2)
    for change in left_out["changes"][:MOST_SHOWN]:
        text = f"  {name} {change['key']} not {PAST[change['action']]}: {change['reason']}"
        say(console, inert(text), 4)
    if left_out["count"] > MOST_SHOWN:
        more = left_out["count"] - MOST_SHOWN
        console.print(f"  ... and {more} more left out of {name}, all with --json", highlight=False)


def _show_problems(console: Console, name: str, entity: dict[str, Any]) -> None:
    shown = [problem for problem in entity["problems"] if problem["kind"] not in QUIET_KINDS]
    for problem in shown[:MOST_SHOWN]:
        where = f" ({problem['field']})" if problem["field"] else ""
        text = f"  {name} {problem['key']} {problem['kind']}{where}: {problem['reason']}"
        say(console, inert(text), 4)
    if len(shown) > MOST_SHOWN:
        console.print(f"  ... and {len(shown) - MOST_SHOWN} more of {name}, all with --json", highlight=False)

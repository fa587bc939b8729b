"""Runs, one run, and what it changes."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.console import inert
from cli.remote.parts import difference_lines, error_lines, show_commands, show_lines
from cli.remote.words import command, plain, said, some, when
from cli.show import show_report
from local.host.progress import PHASE_STYLES
from shared.queries import answers
from shared.sync.model import ENTITIES

WRITTEN = ("created", "updated", "deactivated")
TROUBLED = ("invalid", "failed", "waiting")
MOST_KEYS = 3
WIDE, MIDDLING = 100, 60
"""Columns of a terminal that has room for everything, and for the two figures that matter most."""


def show_runs(console: Console, runs: list[answers.RunSummary]) -> None:
    """One line for each, newest first, and why entities are held or failed."""
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("run", no_wrap=True)
    table.add_column("state", overflow="fold")
    is_wide = console.width >= WIDE
    for name in ("began, UTC", "cause", "of") if is_wide else ():
        table.add_column(name, overflow="fold")
    figures = (
        ("changed", *TROUBLED) if is_wide else ("changed", "failed") if console.width >= MIDDLING else ()
    )
    for name in figures:
        table.add_column(name, justify="right")
    for run in runs:
        counts = {**run["counts"], "changed": sum(run["counts"].get(name, 0) for name in WRITTEN)}
        began = (Text(when(run["requested_at"]).removesuffix(" UTC")), plain(run["cause"]), _scope(run))
        table.add_row(
            plain(run["run_id"]),
            _phase(run),
            *(began if is_wide else ()),
            *(str(counts.get(name, 0)) for name in figures),
        )
    console.print(table)
    for run in runs:
        if run.get("problem"):
            console.print(said(f"  {run['problem']}"))
        for name, entity in run["entities"].items():
            if entity["phase"] in ("held", "failed"):
                line = f"{run['run_id']} {name} {entity['phase']}: {entity['reason'] or 'no reason is known'}"
                console.print(said(line), style=PHASE_STYLES[entity["phase"]])


def show_more(console: Console, cursor: str | None, *words: str) -> None:
    """How to see the page after this one."""
    if cursor is not None:
        console.print("There are more:", highlight=False)
        show_commands(console, command(*words, "--cursor", cursor))


def _scope(run: answers.RunSummary) -> Text:
    if run["keys"]:
        return Text(f"{some(run['entities'], 1)} {some(run['keys'], MOST_KEYS)}")
    return Text("all" if len(run["entities"]) == len(ENTITIES) else some(run["entities"], len(ENTITIES)))


def _phase(run: answers.RunSummary) -> Text:
    text = plain(run["phase"])
    text.stylize(PHASE_STYLES.get(run["phase"], ""))
    return text + Text(", plan only" if run["mode"] == "plan" and run["phase"] != "planned" else "")


def show_run(console: Console, run: answers.Run) -> None:
    """The report of a run, as `once` prints it, and how far one has come that is under way."""
    show_report(console, run, approve="approve")
    for name, entity in run["entities"].items():
        progress = entity["progress"]
        if run["phase"] != "running" or entity["phase"] not in ("pending", "applying"):
            continue
        if progress["changes"] is None:
            console.print(said(f"{name}: not planned yet"))
            continue
        ends = f", ends about {when(progress['ends_about'])}" if progress["ends_about"] else ""
        console.print(said(f"{name}: {progress['changes_done']} of {progress['changes']} changes made{ends}"))
    if any(entity["held"] for entity in run["entities"].values()):
        text = f"  the plan's changes: {command('changes', run['run_id'])}"
        console.print(Text(inert(text)), soft_wrap=True)


def show_changes(console: Console, changes: list[answers.Change]) -> None:
    """Each change with before and after."""
    if not changes:
        console.print("no such changes")
    for change in changes:
        line = said(f"{change['entity']} {change['key']}: {change['action']}, {change['result']}")
        line.stylize("bold")
        console.print(line)
        show_lines(console, difference_lines(change["before"], change["after"]))
        show_lines(console, error_lines(change["errors"]))
        if change["reason"]:
            console.print(Text("  ") + said(change["reason"]))

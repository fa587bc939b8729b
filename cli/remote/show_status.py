"""How the app is, what fails, and what is paused."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.console import inert
from cli.doctor import SYMBOLS
from cli.remote.parts import heading, show_commands
from cli.remote.show_runs import show_runs
from cli.remote.words import command, plain, said, some, when
from local.host.once import NOTHING_FAILED, PLAN_HELD, SOMETHING_FAILED
from shared.queries import answers
from shared.queries.fix_list_page import OWNER_NAMES

MOST_KEYS = 12


def show_status(console: Console, value: answers.Status) -> None:
    """What is wrong first; then what runs, and when the next runs begin."""
    now = value["at"]
    _show_dependencies(console, value["dependencies"])
    for name, breaker in value["breakers"].items():
        if breaker["state"] != "closed":
            text = f"{name} is left alone for {breaker['retry_after_seconds']:.0f} s more after"
            console.print(said(f"{text} {breaker['failures']} failures: {breaker['state']}"), style="red")
    for problem in value.get("problems", []):
        console.print(said(problem), style="red")
    show_pauses(console, value["paused"], now)
    active = value["active_run"]
    heading(console, "Under way", f"run {active['run_id']}" if active else "nothing")
    queues, limiter = value["queues"], value["limiter"]
    limit = "no limit known" if limiter["limit"] is None else f"{limiter['limit']}"
    console.print(
        said(
            f"  SafetyAmp calls in this window of {limiter['period_seconds']:g} s:"
            f" {limiter['used']} of {limit};"
            f" batches: {queues['batches_due']} due, {queues['batches_scheduled']} scheduled;"
            f" dead letters: {queues['dead_letters']}"
        )
    )
    last = when(value["last_good_run_ended_at"], now) if value["last_good_run_ended_at"] else "never"
    heading(console, "Runs", f"the last good one ended {last}")
    show_runs(console, value["last_runs"])
    heading(console, "Next")
    for name, schedule in value["schedules"].items():
        console.print(said(f"  {name}: {when(schedule['next'], now)}"))
    console.print(Text(f"app {inert(value['versions'].get('app'))}", style="dim"))


def _show_dependencies(console: Console, dependencies: list[answers.Dependency]) -> None:
    """Each with its latency; what is missing has what to do below it."""
    wrong = [found for found in dependencies if not found["ok"]]
    heading(console, "Needed", f"{len(wrong)} missing" if wrong else "everything is there")
    for found in dependencies:
        latency = "" if found["latency_ms"] is None else f" ({found['latency_ms']} ms)"
        line = Text.from_markup(f"  {SYMBOLS[found['status']]} ") + said(f"{found['name']}: {found['text']}")
        console.print(line + Text(latency, style="dim"))
        if found["advice"]:
            console.print(Text("    → ", style="bold") + said(found["advice"]))


def status_exit_status(value: answers.Status) -> int:
    """1 when something is missing or left alone; what failed is told by `failures`."""
    is_away = any(not found["ok"] for found in value["dependencies"])
    is_open = any(breaker["state"] == "open" for breaker in value["breakers"].values())
    return SOMETHING_FAILED if is_away or is_open else NOTHING_FAILED


def show_pauses(console: Console, paused: Mapping[str, answers.Pause], now: str | None = None) -> None:
    """What is paused, since when, why and by whom."""
    if not paused:
        heading(console, "Paused", "nothing")
        return
    heading(console, "Paused")
    for entity, pause in paused.items():
        who = f", by {pause['who']}" if pause["who"] else ""
        console.print(
            said(f"  {entity}: since {when(pause['at'], now)}{who}: {pause['reason']}"), style="yellow"
        )


def show_failures(console: Console, value: answers.Failures) -> None:
    """By cause: how many, which, since when, and what to do."""
    for entity in value["entities"]:
        heading(console, f"{entity['entity']} {entity['phase']}", entity["reason"] or "no reason is known")
        console.print(said(f"  → {entity['suggestion']}"), style="bold")
        verbs = ("changes", "approve") if entity["phase"] == "held" else ("runs",)
        show_commands(console, *(command(verb, entity["run_id"]) for verb in verbs))
    if not value["groups"]:
        console.print("No record fails.", highlight=False)
        return
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("entity", overflow="fold")
    table.add_column("records", justify="right")
    table.add_column("why, and what to do", ratio=1, overflow="fold")
    for group in value["groups"]:
        table.add_row(plain(group["entity"]), str(group["count"]), _told(group))
    console.print()
    console.print(table)


def _told(group: answers.FailureGroup) -> Text:
    since = when(group["since"]) + (" or longer" if group["since_at_least"] else "")
    if group.get("at", group["since"]) != group["since"]:
        since += f", last tried {when(group['at'])}"
    # An app of an earlier release groups by what is said, and does not know whose it is.
    what = group.get("what", group["cause"])
    lines = [
        said(f"{group['kind']}: {what}"),
        *(said(text) for text in group.get("reasons", {group["cause"]: 1}) if text != what),
        said(f"since {since}: {some(group['keys'], MOST_KEYS)}"),
        said(f"→ {_to_do(group)}"),
    ]
    lines[-1].stylize("bold")
    return Text("\n").join(lines)


def _to_do(group: answers.FailureGroup) -> str:
    """What is invalid is mended in one place; what SafetyAmp refused, or what waits, takes more words."""
    if group["kind"] != "invalid" or not group.get("enter"):
        return group["suggestion"]
    return f"{OWNER_NAMES.get(group['owner'], group['owner'])}: {group['where']}: {group['enter']}"


def failures_exit_status(value: answers.Failures) -> int:
    """0 when nothing fails, 3 when the one thing is a plan that is held."""
    if value["total"] or any(entity["phase"] != "held" for entity in value["entities"]):
        return SOMETHING_FAILED
    return PLAN_HELD if value["entities"] else NOTHING_FAILED

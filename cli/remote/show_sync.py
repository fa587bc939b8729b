"""One record that was synced on demand, step by step; and what was found by name."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.remote.parts import difference_lines, error_lines, heading, show_commands, show_lines
from cli.remote.words import command, plain, said
from local.host.once import NOTHING_FAILED, PLAN_HELD, SOMETHING_FAILED
from shared.queries import answers

WENT_WELL = ("created", "updated", "deactivated", "reactivated", "planned")
FOUND_AS = {
    "known id": "known as",
    "listed now": "listed now as",
    "match value": "taken over by its value:",
    "several": "several of them:",
}


def show_record_sync(console: Console, value: answers.RecordSync) -> None:
    """Source, target, difference, call and result."""
    steps, run_id = value["steps"], value["run_id"]
    heading(console, f"{value['entity']} {value['key']}", f"run {run_id}, {value['phase']}")
    if value["reason"]:
        console.print(said(value["reason"]))
    _step(console, "source", _source(steps))
    _step(console, "target", _target(steps["target"]))
    for problem in steps["problems"] or ():
        console.print(Text("  ") + said(problem))
    difference = steps["difference"]
    _step(console, "difference", difference["action"] if difference else "none" if steps["target"] else None)
    if difference:
        show_lines(console, difference_lines(difference["before"], difference["after"]))
    call = steps["call"]
    _step(console, "call", "{method} {path}".format(**call) if call else "none" if difference else None)
    _show_result(console, steps["result"])
    if value["phase"] == "running":
        console.print("It is not done yet and goes on by itself:", highlight=False)
        show_commands(console, command("runs", run_id))
    elif value["phase"] == "held":
        show_commands(console, command("changes", run_id), command("approve", run_id))


def _step(console: Console, name: str, text: str | None) -> None:
    if text is not None:
        console.print(Text(f"{name}: ", style="bold") + said(text))


def _source(steps: answers.Steps) -> str | None:
    source, rejected = steps["source"], steps["rejected"]
    if source is None:
        return None
    if rejected:
        return f"{rejected['kind']}: {rejected['reason']}"
    return "found" if source["found"] else "not found"


def _target(target: answers.TargetStep | None) -> str | None:
    if target is None:
        return None
    ids = ", ".join(map(str, target["target_ids"]))
    return f"{FOUND_AS.get(target['found'], target['found'])} {ids}" if ids else str(target["found"])


def _show_result(console: Console, result: answers.Outcome | None) -> None:
    if result is None:
        return
    style = "bold green" if result["result"] in WENT_WELL else "bold red"
    adopted = ", found to have happened already" if result["adopted"] else ""
    line = Text("result: ", style="bold") + Text(str(result["result"]), style=style) + Text(adopted)
    if result["target_id"] is not None:
        line += Text(" as ") + plain(result["target_id"])
    console.print(line)
    show_lines(console, error_lines(result["errors"]))
    if result["dropped"]:
        console.print("left out, because SafetyAmp refused these values:", highlight=False)
        show_lines(console, error_lines(result["dropped"]))
    if result["reason"]:
        console.print(Text("  ") + said(result["reason"]))


def record_exit_status(value: answers.RecordSync) -> int:
    """Whether the one record that was asked for is in order now, as a shell hears it."""
    steps = value["steps"]
    result, rejected, target = steps["result"], steps["rejected"], steps["target"]
    if value["phase"] == "held":
        return PLAN_HELD
    refused = result is not None and result["result"] not in WENT_WELL
    invalid = rejected is not None and rejected["kind"] == "invalid"
    several = target is not None and target["found"] == "several"
    failed = value["phase"] in ("failed", "cancelled") or refused or invalid or several
    return SOMETHING_FAILED if failed else NOTHING_FAILED


def show_found(console: Console, value: answers.FoundRecords, entity: str) -> None:
    """Keys with names, and where each is."""
    found = value["found"]
    if value["problem"]:
        text = f"the source could not be read, so that only SafetyAmp's side was searched: {value['problem']}"
        console.print(said(text), style="yellow")
    if not found:
        console.print(f"no record of {entity} has all these words in its key, name, e-mail or phone")
        return
    if value["nearly"]:
        console.print(f"no record of {entity} has all these words; these are called nearly so:")
    table = Table(show_edge=False, pad_edge=False)
    for name in ("key", "name", "in source", "in SafetyAmp"):
        table.add_column(name, overflow="fold")
    for record in found:
        places = (plain(record["in_source"]), plain(record["in_safetyamp"]))
        table.add_row(plain(record["key"]), plain(record["name"]), *places)
    console.print(table)
    for record in found:
        if note := record.get("note"):
            console.print(said(f"{record['key']}: {note}"), style="yellow")
    if value["more"]:
        console.print("... and more: give more words", highlight=False)
    if len(found) == 1:
        show_commands(console, command("explain", entity, found[0]["key"]))

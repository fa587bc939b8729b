"""A plan for people at a terminal: what is dangerous first, everybody whose access changes by name."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from cli.console import inert, say
from cli.remote.parts import HEADINGS, SIGNS, STYLES
from cli.remote.words import plain
from shared.queries import answers
from shared.queries.plan_view import IN_ORDER_OF_DANGER
from shared.sync.model import ACTIONS

MOST_UPDATES, MOST_EXAMPLES, MOST_PROBLEMS = 20, 5, 12
QUIET_KINDS = ("skipped",)

PEOPLE = {"employees": ("person", "people")}


def show_plan(console: Console, plan: answers.RunPlan) -> None:
    """A line per entity; then what is held, who loses access, who gets it back, what changes, what is new,
    and what is not sent."""
    under = ": nothing was changed" if plan["mode"] == "plan" else f": {plan['phase']}"
    console.print(Text(f"Plan of run {plan['run_id']}{under}", style="bold"))
    width = max((len(entity["entity"]) for entity in plan["entities"]), default=0)
    for entity in plan["entities"]:
        say(console, Text(f"  {entity['entity']:<{width}}  ") + _summary(entity), width + 4)
    for entity in plan["entities"]:
        for reason in entity["held"]:
            say(console, Text.assemble((f"{entity['entity']} is held: ", "yellow"), inert(reason)))
    for action in IN_ORDER_OF_DANGER:
        for entity in plan["entities"]:
            for part in entity["parts"]:
                if part["action"] == action:
                    _show_part(console, entity, part)
    for entity in plan["entities"]:
        _show_problems(console, entity)
    for note in plan["notes"]:
        say(console, Text(inert(note), style="yellow"))


def _summary(entity: answers.EntityPlan) -> Text:
    """`+101 ~2 -1 *1`, or why there is nothing."""
    if not entity["planned"]:
        return Text(inert(f"{entity['phase']}: {entity['reason'] or 'there is no plan'}"), style="dim")
    counts = {part["action"]: part["count"] for part in entity["parts"]}
    signs = [
        Text(f"{SIGNS[action]}{counts[action]}", style=STYLES[action])
        for action in ACTIONS
        if counts.get(action)
    ]
    return Text(" ").join(signs) if signs else Text("nothing to do", style="dim")


def _show_part(console: Console, entity: answers.EntityPlan, part: answers.PlannedPart) -> None:
    action, count = part["action"], part["count"]
    name = entity["entity"]
    one, several = PEOPLE.get(name, (name.removesuffix("s"), name))
    what = f"{count} {one if count == 1 else several} {HEADINGS[action][count != 1]}"
    console.print()
    console.print(Text(what, style=STYLES[action]) + Text(_held(part), style="yellow"))
    if action == "create":
        say(console, Text(f"  {SIGNS[action]} ") + _examples(part), 4)
        return
    shown = part["records"] if action != "update" else part["records"][:MOST_UPDATES]
    for record in shown:
        why = f": {record['why']}" if record["why"] else ""
        say(console, Text(inert(f"  {SIGNS[action]} {_called(record)}{why}")), 4)
        if action == "update":
            for field in record["fields"]:
                say(console, Text("      ") + _difference(field), 8)
    if len(shown) < count:
        fields = ", ".join(f"{name} {number}" for name, number in sorted(part["by_field"].items()))
        say(console, Text(f"  ... and {count - len(shown)} more; by field, of all: {inert(fields)}"), 4)


def _held(part: answers.PlannedPart) -> str:
    held, count = part["held"], part["count"]
    if not held:
        return ""
    return ": held" if held == count else f": {held} of them held"


def _called(record: answers.PlannedRecord) -> str:
    return f"{record['key']} {record['name']}".rstrip()


def _examples(part: answers.PlannedPart) -> Text:
    named = [_called(record) for record in part["records"][:MOST_EXAMPLES]]
    more = part["count"] - len(named)
    return Text(inert(", ".join(named) + (f" and {more} more" if more else "")))


def _difference(field: answers.PlannedField) -> Text:
    return Text(f"{inert(field['field'])}: ") + plain(field["before"]) + Text(" → ") + plain(field["after"])


def _show_problems(console: Console, entity: answers.EntityPlan) -> None:
    loud = [problem for problem in entity["problems"] if problem["kind"] not in QUIET_KINDS]
    if not loud:
        return
    console.print()
    console.print(Text(f"{entity['entity']}: {len(loud)} to look at", style="yellow"))
    for problem in loud[:MOST_PROBLEMS]:
        where = f" ({problem['field']})" if problem.get("field") else ""
        text = f"  ! {problem['key']} {problem['kind']}{where}: {problem['reason']}"
        say(console, Text(inert(text)), 4)
    if len(loud) > MOST_PROBLEMS:
        say(console, Text(f"  ... and {len(loud) - MOST_PROBLEMS} more"), 4)

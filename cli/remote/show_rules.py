"""The rules for people at a terminal: which there were, what two say otherwise, what others would do."""

from __future__ import annotations

import json

from rich.console import Console
from rich.text import Text

from cli.console import inert, say
from cli.remote.parts import HEADINGS, SIGNS, STYLES, heading, show_commands
from cli.remote.show_decisions import KNOWN
from cli.remote.words import command, plain, said, some, when
from shared.queries import answers

MOST_NAMED = 10
LINE_STYLES = {"+": "green", "-": "red", "@": "dim"}


def show_put(console: Console, value: answers.RulesPut) -> None:
    """What is in force after a push or a rollback."""
    version = _version(value["in_force"])
    if not value["changed"]:
        console.print(Text(f"{version} was in force before: nothing was changed"))
    else:
        say(console, f"{version} is in force for runs that begin from now on")
    if value["run_id"]:
        say(console, f"run {value['run_id']} is under way, and keeps the rules that it began with")


def _version(number: int) -> str:
    return f"version {number}" if number else "version 0, the default file,"


def show_history(console: Console, value: answers.RulesHistory) -> None:
    """A line for each version, the newest first, and why below it."""
    if value["in_force"] is None:
        say(
            console,
            Text(
                "a file is in force, whatever was pushed (RULES_FILE, or rules.toml of the current folder)",
                style="yellow",
            ),
        )
    for one in value["versions"]:
        mark = " (in force)" if one["number"] == value["in_force"] else ""
        back = "" if one["back_to"] is None else f", {_version(one['back_to'])} again"
        known = KNOWN.get(one["known"])
        who = f"{one['who']} ({known})" if one["who"] and known else one["who"] or known or "somebody"
        console.print(said(f"{one['number']:>4}  {when(one['at'])}  {who}{back}{mark}"))
        if one["reason"]:
            console.print(Text("      ") + said(f"because: {one['reason']}"), style="dim")
    mark = " (in force)" if value["in_force"] == 0 else ""
    console.print(f"   0  the default file, which ships with the release{mark}", highlight=False)


def show_text(console: Console, value: answers.Rules) -> None:
    """The text alone, so that it can go into a file."""
    if value["text"] is not None:
        console.out(value["text"].rstrip("\n"), highlight=False)


def show_diff(console: Console, value: answers.RulesDiff) -> None:
    """What counts otherwise, rule by rule; where that cannot be told, the texts."""
    heading(console, f"From version {value['a']} to version {value['b']}")
    for problem in value["problems"]:
        say(console, said(problem).append(""))
    for one in value["rules"]:
        line = Text(f"  {inert(one['rule'])}: ") + _value(one["before"]) + Text(" → ") + _value(one["after"])
        say(console, line, 4)
    if value["problems"]:
        for text in value["lines"]:
            console.print(Text(inert(text), style=LINE_STYLES.get(text[:1], "")), soft_wrap=True)
    elif not value["rules"]:
        say(console, "  nothing counts otherwise" + ("; only the texts differ" if value["lines"] else ""))


def _value(value: object) -> Text:
    """A list that holds tables, such as a scope, as JSON."""
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        return Text(inert(json.dumps(value, ensure_ascii=False)))
    return plain(value)


def show_preview(console: Console, value: answers.RulesPreview) -> None:
    """By entity: who enters and leaves the scope, what changes, with examples."""
    console.print(
        Text(f"Run {value['run_id']} has planned under these rules: nothing was changed", style="bold")
    )
    say(console, Text("What the next run would do anyway is among it.", style="dim"))
    for entity in value["entities"]:
        _show_entity(console, entity)
    for note in value["notes"]:
        say(console, Text(inert(note), style="yellow"))
    console.print()
    show_commands(console, command("changes", value["run_id"]))


def _show_entity(console: Console, entity: answers.EntityPreview) -> None:
    if not entity["planned"]:
        heading(console, entity["entity"], f"{entity['phase']}: {entity['reason'] or 'there is no plan'}")
        return
    heading(console, entity["entity"], "" if entity["actions"] else "nothing would change")
    for reason in entity["held"]:
        say(console, Text.assemble(("  it would be held: ", "yellow"), inert(reason)), 4)
    if entity["scope"] is not None:
        _show_scope(console, entity["scope"])
    for part in entity["actions"]:
        what = f"  {SIGNS[part['action']]} {part['count']} {HEADINGS[part['action']][part['count'] != 1]}: "
        named = some(part["keys"], MOST_NAMED) + _more(part["count"], len(part["keys"]))
        say(console, Text(what, style=STYLES[part["action"]]) + Text(named), 4)
        for field in part["fields"]:
            example = field["examples"][0]
            shown = Text(f"      {inert(field['field'])} {field['count']}, such as {inert(example['key'])}: ")
            say(console, shown + plain(example["before"]) + Text(" → ") + plain(example["after"]), 8)


def _show_scope(console: Console, scope: answers.PreviewedScope) -> None:
    source, outside = scope["source"], scope["outside"]
    enter, leave = scope["enter"], scope["leave"]
    style = "bold red" if outside == source else ""
    say(console, Text(f"  {source - outside} of {source} are in scope", style=style), 4)
    if enter["count"]:
        say(console, Text(f"  {enter['count']} would enter: {_named(enter)}"), 4)
    if leave["count"]:
        there = scope["in_safetyamp"]
        about = f" ({there} of them are in SafetyAmp)" if there else ""
        say(console, Text(f"  {leave['count']} would leave{about}: {_named(leave)}"), 4)


def _named(examples: answers.Examples) -> str:
    return some(examples["keys"], MOST_NAMED) + _more(examples["count"], len(examples["keys"]))


def _more(count: int, named: int) -> str:
    return f" and {count - named} more" if count > named else ""

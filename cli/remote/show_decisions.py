"""Who decided what, newest first."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from cli.remote.words import said, some, when
from shared.queries import answers
from shared.sync.model import ENTITIES

MOST_KEYS = 5
KNOWN = {"stated": "as they say", "key": "a function key", "local": "at this machine"}
"""How a name is known, where it was not by signing in."""


def show_decisions(console: Console, value: answers.DecisionPage) -> None:
    """A line for each: when, who, what; below it why, and how it ended unless it was simply done."""
    for problem in value["problems"]:
        console.print(said(problem), style="red")
    show_list_of_decisions(console, value["decisions"])
    if not value["decisions"] and value["next"] is None:
        console.print("Nobody has decided anything like that.", highlight=False)


def show_list_of_decisions(console: Console, decisions: list[answers.Decision]) -> None:
    """Each on its line, with what is below it."""
    for decision in decisions:
        console.print(said(f"{when(decision['at'])}  {_who(decision)}: {_what(decision)}"))
        for line in _below(decision):
            console.print(Text("  ") + said(line), style="dim")


def _who(decision: answers.Decision) -> str:
    name, known = decision["who"], KNOWN.get(decision["known"])
    return f"{name} ({known})" if name and known else name or known or "somebody"


def _what(decision: answers.Decision) -> str:
    """In the words of the commands."""
    is_all = len(decision["entities"]) == len(ENTITIES)
    about = ["all"] if is_all else decision["entities"] or [name for name in [decision["run_id"]] if name]
    keys = [some(decision["keys"], MOST_KEYS)] if decision["keys"] else []
    given = [value if name == "name" else f"{name} {value}" for name, value in decision["given"].items()]
    return " ".join([decision["action"], *about, *keys]) + (f" ({', '.join(given)})" if given else "")


def _below(decision: answers.Decision) -> list[str]:
    lines = [f"because: {decision['reason']}"] if decision["reason"] else []
    if decision["done"] is None:
        lines.append("how it ended is not known")
    elif not decision["done"]:
        lines.append(f"not done: {decision['detail'] or 'no reason is known'}")
    elif decision["entities"] and decision["run_id"]:
        lines.append(f"run {decision['run_id']}")
    return lines

"""What is to be mended, by whose it is and by cause; and the file that is handed on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.text import Text

from cli.arguments import write_private
from cli.remote.parts import heading
from cli.remote.words import said, some, when
from shared.queries import answers
from shared.queries.csv_text import fix_list_csv
from shared.queries.fix_list_page import OWNER_NAMES

MOST_NAMED = 8

COUNTED: Mapping[str, tuple[str, str]] = {
    "departments": ("department", "departments"),
    "jobs": ("job", "jobs"),
    "titles": ("title", "titles"),
    "employees": ("person", "people"),
    "vehicles": ("vehicle", "vehicles"),
}


def show_fix_list(console: Console, value: answers.FixList) -> None:
    """By owner, then by cause, the largest first: how many, what to do where, and who the first are."""
    for problem in value["problems"]:
        console.print(said(f"names and values are missing where they cannot be read: {problem}"), style="red")
    seen = [f"{one['entity']} {when(one['at'])}" for one in value["looked_at"] if one["run_id"] is not None]
    if seen:
        console.print(said(f"last looked at: {', '.join(seen)}"), style="dim")
    unseen = [one["entity"] for one in value["looked_at"] if one["run_id"] is None]
    if unseen:
        console.print(said(f"no run that is kept has looked at all of: {', '.join(unseen)}"), style="yellow")
    for owner in value["owners"]:
        groups = [group for group in value["groups"] if group["owner"] == owner]
        if groups:
            total = sum(group["count"] for group in groups)
            heading(console, _whose(owner), f"{total} to mend")
            for group in groups:
                _show_group(console, group, value["rows"])
    if not value["rows"]:
        whose = f" of {_whose(value['owner'])}" if value["owner"] else ""
        console.print(f"Nothing{whose} has to be mended.", highlight=False)


def _whose(owner: str) -> str:
    """The owner's name; one of a newer app's by the word that it has."""
    return OWNER_NAMES.get(owner, owner)


def _show_group(console: Console, group: answers.FixGroup, rows: list[answers.FixRow]) -> None:
    mine = [
        row
        for row in rows
        if (row["owner"], row["cause"], row["what"]) == (group["owner"], group["cause"], group["what"])
    ]
    counts = ", ".join(_counted(entity, count) for entity, count in group["entities"].items())
    console.print(Text("  ") + said(f"{group['what']}: {counts}"))
    if group["where"] and group["enter"]:
        console.print(Text("    → ", style="bold") + said(f"{group['where']}: {group['enter']}"))
    named = some((f"{row['key']} {row['name']}".strip() for row in mine), MOST_NAMED)
    oldest = min(mine, key=lambda row: row["since"])
    since = when(oldest["since"]) + (" or longer" if oldest["since_at_least"] else "")
    console.print(Text("    ") + said(f"{named}; since {since}"), style="dim")


def _counted(entity: str, count: int) -> str:
    one, many = COUNTED.get(entity, (entity, entity))
    return f"{count} {one if count == 1 else many}"


def write_fix_list(path: Path, value: answers.FixList) -> None:
    """Write it for a spreadsheet, for nobody else to read: it holds names and addresses."""
    write_private(path, ("\ufeff" + fix_list_csv(value)).encode("utf-8", "replace"))

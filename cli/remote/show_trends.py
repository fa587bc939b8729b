"""How the last days went, a line a day."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from cli.remote.words import plain, said
from shared.queries import answers

COLUMNS = ("runs", "created", "updated", "off", "findings", "calls", "longest")


def show_trends(console: Console, value: answers.Trends, days: int) -> None:
    """The newest of so many days first; `off` are people who lost access, `calls` those to SafetyAmp."""
    for problem in value["problems"]:
        console.print(said(problem), style="red")
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("day (UTC)", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for day in reversed(value["days"]):
        counts = (day["runs"], day["created"], day["updated"], day["deactivated"], day["findings"])
        cells = (*counts, day["calls"].get("safetyamp", 0), _duration(day["longest_seconds"]))
        shown = (plain("-" if one is None else one) for one in (day["day"], *cells))
        table.add_row(*shown, style=None if day["runs"] else "dim")
    console.print(table)
    if len(value["days"]) < days:
        text = "the days before have more runs than one request reads"
        console.print(said(text), style="yellow")


def _duration(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"

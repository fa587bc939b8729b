"""The rules on the command line, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.console import inert, say
from shared.sync.rules.plain_words import HEADS, LEGEND, PlainRules


def show(console: Console, rules: Sequence[PlainRules]) -> None:
    """Below each entity its fields as a table, then whatever else there is to say."""
    for number, one in enumerate(rules):
        if number:
            console.print()
        console.print(Text(one.title, style="bold"))
        if one.rows:
            table = Table(show_edge=False, pad_edge=False)
            for head in HEADS:
                table.add_column(head, overflow="fold")
            for row in one.rows:
                table.add_row(*(Text(inert(cell)) for cell in row))
            console.print(table)
        for sentence in one.sentences:
            say(console, f"- {inert(sentence)}", indent=2)
    console.print()
    for sentence in LEGEND:
        say(console, sentence, indent=2)

"""What several answers are shown with: headings, commands to copy, differences, SafetyAmp's own words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console
from rich.text import Text

from cli.console import inert
from cli.remote.words import plain, said
from shared.sync.model import Action

SIGNS: dict[Action, str] = {"create": "+", "update": "~", "deactivate": "-", "reactivate": "*"}
STYLES: dict[Action, str] = {
    "create": "green",
    "update": "yellow",
    "deactivate": "bold red",
    "reactivate": "magenta",
}
HEADINGS: dict[Action, tuple[str, str]] = {
    "deactivate": ("loses access", "lose access"),
    "reactivate": ("gets access back", "get access back"),
    "update": ("changes", "change"),
    "create": ("is new", "are new"),
}
"""Of one record, and of several."""


def heading(console: Console, text: str, rest: str = "") -> None:
    """The beginning of a part."""
    console.print()
    console.print(Text(inert(text), style="bold") + (Text(": ") + said(rest) if rest else Text("")))


def show_lines(console: Console, lines: Iterable[Text], indent: str = "") -> None:
    """Each on its own line; nothing when there are none."""
    for line in lines:
        console.print(Text(indent) + line)


def show_commands(console: Console, *commands: str) -> None:
    """Commands to copy: never broken into lines."""
    for text in commands:
        console.print(Text("  " + inert(text), style="cyan"), soft_wrap=True)


def difference_lines(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[Text]:
    """What each field was, and what it becomes."""
    for name, value in after.items():
        was = plain(before[name]) + Text(" → ") if name in before else Text("")
        yield Text(f"  {inert(name)}: ") + was + plain(value)


def error_lines(errors: Mapping[str, list[str]]) -> Iterator[Text]:
    """SafetyAmp's own words about each field."""
    for name, texts in errors.items():
        yield Text("  SafetyAmp said of ", style="red") + Text(f"{inert(name)}: {inert('; '.join(texts))}")

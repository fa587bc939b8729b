"""A disaster, played against stand-ins: what happened, which promises held, and the page to practise on."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from cli.console import inert
from local.host.once import NOTHING_FAILED, SOMETHING_FAILED
from local.host.stack import LocalStack
from local.host.up import serve
from local.rehearsal.disasters import DISASTERS, Disaster, play
from local.rehearsal.promises import broken_promises
from local.rehearsal.world import World
from shared.errors import ConfigurationError

LOOPBACK = "127.0.0.1"


def chosen(names: Sequence[str]) -> list[Disaster]:
    """By name; `all` is all of them. Raises ConfigurationError that names those there are."""
    known = {one.name: one for one in DISASTERS}
    unknown = [name for name in names if name not in known and name != "all"]
    if unknown:
        text = f"there is no disaster {unknown[0][:40]!r}; there are: all, {', '.join(known)}"
        raise ConfigurationError.of("NAME", text)
    return list(known.values()) if "all" in names else [known[name] for name in names]


def show_disasters(console: Console) -> None:
    """What can be rehearsed."""
    width = max(len(one.name) for one in DISASTERS)
    for one in DISASTERS:
        console.print(f"  {one.name:<{width}}  {one.about}", markup=False, highlight=False)


def rehearse(console: Console, disasters: Sequence[Disaster], port: int | None) -> int:
    """Play them; with a `port` the app of the last one stays up there until Ctrl+C. The exit status."""
    kept = True
    for one in disasters:
        stays = port is not None and one is disasters[-1]
        kept = _rehearse(console, one, port if stays else None) and kept
    return NOTHING_FAILED if kept else SOMETHING_FAILED


def _rehearse(console: Console, one: Disaster, port: int | None) -> bool:
    console.print(Text(f"{one.name}: {one.about}", style="bold"))

    def tell(line: str) -> None:
        console.print(Text(f"  {inert(line)}"), soft_wrap=True)

    with (
        tempfile.TemporaryDirectory(prefix="rehearsal-") as folder,
        World(Path(folder), tell) as world,
    ):
        play(world, one)
        broken = broken_promises(world)
        for promise, found in broken.items():
            mark = Text("  ok     ", style="green") if not found else Text("  BROKEN ", style="bold red")
            told = f": {'; '.join(found[:3])}" if found else ""
            console.print(mark + Text(inert(f"{promise}{told}")), soft_wrap=True)
        console.print(Text(f"  in docs/runbook.md: {one.runbook}"))
        if port is not None:
            world.environment["LOG_LEVEL"] = "WARNING"
            serve(LocalStack(world.environment), console, LOOPBACK, port, None)
    return not any(broken.values())

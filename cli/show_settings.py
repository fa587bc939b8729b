"""The settings on the command line: those that commands here would use."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from cli.console import inert
from cli.remote.address import URL_SETTING
from local.host.once import NOTHING_FAILED, SETTINGS_WRONG
from shared.queries import answers
from shared.queries.settings_view import settings_view
from shared.runtime import Runtime

FROM_WIDTH = len("local.settings.json")


def find(environment: Mapping[str, str]) -> answers.SettingList:
    """What counts here; the vault that they name is asked."""
    return settings_view(Runtime(environment))


def show(console: Console, found: answers.SettingList, *, every: bool, app: str | None) -> None:
    """A line each, below their sections; unless `every`, without those that nobody has set. `app` is the
    address of a running app, which has settings of its own."""
    wanted = [one for one in found["settings"] if every or one["is_set"] is not False or one["problem"]]
    section = None
    for one in wanted:
        if one["section"] != section:
            section = one["section"]
            console.print(Text(f"{section} ", style="bold") + Text(one["docs"], style="dim"), soft_wrap=True)
        _show_one(console, one)
    rest = len(found["settings"]) - len(wanted)
    if rest:
        console.print(f"{rest} more are as they are by default: --all shows them", highlight=False)
    if app:
        text = f"These are read here; what the app at {URL_SETTING} has is on its page, below Settings"
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def _show_one(console: Console, one: answers.Setting) -> None:
    source = Text(f"  {one['source']:<{FROM_WIDTH}}  ", style="dim")
    console.print(source + Text(f"{one['name']}=") + _told(one), soft_wrap=True)
    if one["problem"]:
        console.print(Text(f"    ✗ {one['name']} {inert(one['problem'])}", style="red"), soft_wrap=True)


def _told(one: answers.Setting) -> Text:
    if one["hidden"]:
        vault = f" as {one['vault_secret']}" if one["source"] == "Key Vault" else ""
        return Text(f"(set{vault}, not shown)", style="dim")
    if one["value"] is None:
        return Text("")
    changed = one["is_set"] and one["default"] not in (None, one["value"])
    usual = Text(f"  (default {one['default']})", style="dim") if changed else Text("")
    return Text(inert(one["value"])) + usual


def exit_status_of(found: answers.SettingList) -> int:
    """For a shell: 2 when one is wrong."""
    return SETTINGS_WRONG if any(one["problem"] for one in found["settings"]) else NOTHING_FAILED

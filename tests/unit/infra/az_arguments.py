"""Reads commands of Azure's command line as itself would, and runs none of them.

    PYTHON az_arguments.py <COMMANDS     where PYTHON is that of the part azure-cli

COMMANDS is a JSON list of lists of words, without `az`. Prints a JSON list: what is wrong with each, or null.
No network: commands of extensions, which would have to be fetched, are told as unknown.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from typing import Any


def wrong(cli: Any, words: list[str]) -> str | None:
    """The first line of what the parser says. The same steps as `az` itself takes, up to the parsing."""
    from azure.cli.core.commands import events as azure_events
    from knack import events

    invoker = cli.invocation_cls(
        cli_ctx=cli,
        commands_loader_cls=cli.commands_loader_cls,
        parser_cls=cli.parser_cls,
        help_cls=cli.help_cls,
    )
    cli.invocation = invoker
    loader = invoker.commands_loader
    cli.raise_event(events.EVENT_INVOKER_PRE_CMD_TBL_CREATE, args=words)
    loader.load_command_table(words)
    command = invoker._rudimentary_get_command(words)
    if command not in loader.command_table:
        return f"no such command: {' '.join(words)}"
    # Tables of arguments are loaded for this one command, not for the thousands that there are.
    loader.command_table = {command: loader.command_table[command]}
    loader.command_name = command
    invoker.data["command_string"] = command
    cli.raise_event(azure_events.EVENT_INVOKER_PRE_LOAD_ARGUMENTS, commands_loader=loader)
    loader.load_arguments(command)
    cli.raise_event(azure_events.EVENT_INVOKER_POST_LOAD_ARGUMENTS, commands_loader=loader)
    cli.raise_event(events.EVENT_INVOKER_POST_CMD_TBL_CREATE, commands_loader=loader)
    invoker.parser.cli_ctx = cli
    invoker.parser.load_command_table(loader)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            invoker.parser.parse_args(words)
    except SystemExit:
        return said.getvalue().strip().splitlines()[0]
    return None


def main() -> None:
    commands = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"AZURE_CONFIG_DIR": folder, "AZURE_CORE_COLLECT_TELEMETRY": "false"}
        from azure.cli.core import get_default_cli

        cli = get_default_cli()
        with contextlib.redirect_stdout(sys.stderr):
            found = [wrong(cli, words) for words in commands]
    print(json.dumps(found))


if __name__ == "__main__":
    main()

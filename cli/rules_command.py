"""The command `rules` and the commands below it, which several modules add to."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cli.arguments import Parser
from shared.errors import ConfigurationError
from shared.version import PROGRAM

if TYPE_CHECKING:
    from cli.arguments import Commands

ABOUT = "what is synced, from where and whose it is: rules.toml"


def rules_commands(commands: Commands) -> Commands:
    """Where commands below `rules` are added."""
    parser = commands.choices.get("rules") or _add_rules(commands)
    below = parser.get_default("below")
    assert isinstance(below, argparse._SubParsersAction)
    return below


def text_of(path: Path) -> str:
    """What a file of rules says. Raises ConfigurationError."""
    try:
        return path.read_text(encoding="utf-8-sig")  # with the mark that Notepad begins with
    except OSError as error:
        raise ConfigurationError.of("FILE", f"{path} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError.of("FILE", f"{path} is not UTF-8: save it as that") from error


def _add_rules(commands: Commands) -> Parser:
    parser = commands.add_parser(
        "rules",
        help=ABOUT,
        description=f"{ABOUT[0].upper()}{ABOUT[1:]}.",
        epilog=f"example: {PROGRAM} rules preview rules.toml",
    )
    parser.set_defaults(below=parser.add_subparsers(metavar="COMMAND", required=True), parser=parser)
    return parser

"""The command `rules`, below which several modules have theirs, and the files that these are given."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cli.arguments import Parser
from shared.errors import ConfigurationError
from shared.sync.rules import reading
from shared.version import PROGRAM

if TYPE_CHECKING:
    from cli.arguments import Commands

ABOUT = "what is synced, from which column, whose it is"
FILE = "FILE"


def below_rules(commands: Commands) -> Commands:
    """Where commands below `rules` are added."""
    parser = commands.choices.get("rules") or _add_rules(commands)
    return next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))


def _add_rules(commands: Commands) -> Parser:
    parser = commands.add_parser(
        "rules",
        help=ABOUT,
        description=f"{ABOUT[0].upper()}{ABOUT[1:]}.",
        epilog=f"example: {PROGRAM} rules preview rules.toml",
    )
    parser.add_subparsers(metavar="WHAT", required=True)
    parser.set_defaults(parser=parser)
    return parser


def text_of(path: Path) -> str:
    """What a file of rules says. Raises ConfigurationError."""
    try:
        return reading.text_of(path.read_bytes(), FILE)
    except OSError as error:
        raise ConfigurationError.of(FILE, f"{path} cannot be read ({error.strerror})") from error

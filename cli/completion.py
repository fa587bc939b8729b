"""Completion of commands and options by the shell's Tab key."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from cli.arguments import Parser, add_command
from local.host.once import NOTHING_FAILED
from shared.version import PROGRAM

if TYPE_CHECKING:
    from cli.arguments import Commands

SHELLS = ("bash", "zsh", "powershell")
ASKED = "_ARGCOMPLETE"
"""The shell sets it when it asks for completions, and for nothing else."""

DESCRIPTION = f"""Makes the Tab key complete {PROGRAM}. One line for what the shell reads
when it starts:

bash, in ~/.bashrc:
  eval "$({PROGRAM} completion bash)"
zsh, in ~/.zshrc below compinit:
  eval "$({PROGRAM} completion zsh)"
PowerShell, in $PROFILE:
  {PROGRAM} completion powershell | Out-String | Invoke-Expression"""


def add_command_to(commands: Commands) -> None:
    """completion."""
    about = "let the shell's Tab key complete commands"
    parser = add_command(
        commands, "completion", about, "completion bash", description=DESCRIPTION, run=_print
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))


def _print(options: argparse.Namespace) -> int:
    from argcomplete.shell_integration import shellcode

    print(shellcode([PROGRAM], shell=options.shell), end="")
    return NOTHING_FAILED


def complete(parser: Parser) -> None:
    """Answer the shell, and end the process, where it asks for completions."""
    if ASKED in os.environ:
        from argcomplete import autocomplete

        autocomplete(parser)

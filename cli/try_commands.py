"""The commands that try something out: the real systems before the first run, and disasters on stand-ins."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cli.arguments import LARGEST_PORT, add_command, new_file, whole_number
from cli.console import OutputConsole, print_json, result_console
from cli.next_step import say_next
from cli.settings_file import local_environment
from local.host.once import NOTHING_FAILED
from shared.errors import ConfigurationError
from shared.version import PROGRAM

if TYPE_CHECKING:
    from cli.arguments import Commands


def add_commands(commands: Commands) -> None:
    """probe and rehearse."""
    probe = add_command(
        commands,
        "probe",
        "whether the real systems are as the sync takes them to be; reads only",
        "probe --out shapes.json",
        run=_probe,
        log_level="ERROR",  # what its calls log is in what it tells
        interrupted="nothing was changed",
    )
    probe.add_argument(
        "--out", type=new_file, metavar="FILE", help="fields, types and counts in a file, without any value"
    )
    probe.add_argument("--json", action="store_true", help="print what was seen as one JSON object")
    rehearse = add_command(
        commands,
        "rehearse",
        "a disaster on stand-ins: what happens, which promises hold",
        "rehearse late-approval --open",
        run=_rehearse,
        log_level="ERROR",  # a disaster is no news here
        interrupted="nothing of the rehearsal is kept",
    )
    rehearse.add_argument(
        "names", nargs="*", metavar="NAME", help="which; without one they are listed; all: all"
    )
    rehearse.add_argument("--open", action="store_true", help="then keep the app up, to practise on its page")
    rehearse.add_argument(
        "--port", type=whole_number(0, LARGEST_PORT), default=7071, help="its port (7071; 0: any)"
    )


def _probe(options: argparse.Namespace) -> int:
    from cli.probe import exit_status_of, find, save, show

    with OutputConsole(stderr=True, quiet=options.quiet).status("asking all systems, a minute or two ..."):
        probed = find(local_environment(Path.cwd()))
    if options.out is not None:
        try:
            save(options.out, probed)
        except OSError as error:
            raise ConfigurationError.of("--out", f"cannot be written ({error.strerror})") from error
    if options.json:
        told = [one.to_json() for one in probed.assumptions]
        calls = probed.safetyamp_calls
        print_json({"assumptions": told, "problems": probed.problems, "safetyamp_calls": calls})
    else:
        console = result_console()
        show(console, probed)
        say_next(console, options, exit_status_of(probed))
    return exit_status_of(probed)


def _rehearse(options: argparse.Namespace) -> int:
    from cli.rehearse import chosen, rehearse, show_disasters

    console = result_console()
    if not options.names:
        show_disasters(console)
        console.print(f"{PROGRAM} rehearse late-approval plays one, in less than a minute", highlight=False)
        return NOTHING_FAILED
    status = rehearse(console, chosen(options.names), options.port if options.open else None)
    if not options.open:
        say_next(console, options, status)
    return status

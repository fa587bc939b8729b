"""The command line."""

from __future__ import annotations

import argparse
import json
import logging
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.logging import RichHandler

from local.once import NOTHING_FAILED, SETTINGS_WRONG, SOMETHING_FAILED, approve_once, exit_status, run_once
from local.progress import display
from local.settings_file import local_environment
from local.show import show_report
from local.stack import LocalStack
from shared.errors import BusError, ConfigurationError, Paused, RunConflict, UnknownRun
from shared.sync.model import ENTITIES
from shared.sync.runs import RunRequest
from shared.telemetry.log_format import OUR_LOGGERS, ReadableFormatter
from shared.telemetry.logs import LEVELS, log_level

PIPE_WIDTH = 120
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    options = _parser().parse_args(arguments)
    # Results go to standard output, everything on the way to standard error.
    _log_to(Console(stderr=True), options)
    try:
        return int(options.run(options))
    except ConfigurationError as error:
        return _settings_wrong(error, as_json=getattr(options, "json", False))
    except (BusError, RunConflict, UnknownRun, Paused) as error:
        Console(stderr=True).print(f"[bold red]not done:[/bold red] {error}", soft_wrap=True)
        return SOMETHING_FAILED
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted: the same command goes on where this one stopped")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="SafetyAmp Sync on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="three runs of a demo company against simulated systems")
    demo.add_argument("--employees", type=int, default=400, help="size of the demo company (400)")
    demo.set_defaults(run=_demo)
    once = commands.add_parser("once", help="one run against the systems that the settings name")
    once.add_argument("--plan", action="store_true", help="stop after planning, change nothing")
    once.add_argument("--refresh", action="store_true", help="list SafetyAmp anew, try refused records again")
    once.add_argument("--entity", action="append", choices=ENTITIES, help="only this entity (repeatable)")
    once.add_argument("--approve", metavar="RUN", help="let the held plans of this run go on")
    once.add_argument("--json", action="store_true", help="print the report as one JSON object")
    once.set_defaults(run=_once)
    doctor = commands.add_parser("doctor", help="what is wrong with settings, connections and permissions")
    doctor.add_argument("--json", action="store_true", help="print the findings as one JSON object")
    doctor.set_defaults(run=_doctor)
    up = commands.add_parser("up", help="the whole app: timers, queues and HTTP")
    up.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    up.add_argument("--port", type=int, default=7071, help="port to listen on (7071)")
    up.add_argument("--key", help="function key that HTTP callers must send as x-functions-key")
    up.set_defaults(run=_up)
    simulators = commands.add_parser("simulators", help="simulated SafetyAmp, Samsara and Graph over HTTP")
    simulators.add_argument("--port", type=int, default=8090, help="port of the three APIs (8090; 0: any)")
    simulators.add_argument("--login-port", type=int, default=0, help="port of the login over https (any)")
    simulators.add_argument(
        "--folder", type=Path, default=Path(".local-simulators"), help="where content is kept"
    )
    simulators.add_argument(
        "--data", type=Path, help="a folder of CSV and JSON files instead of the demo company"
    )
    simulators.add_argument("--employees", type=int, default=400, help="size of the demo company (400)")
    simulators.add_argument("--calls", type=int, default=60, help="SafetyAmp's limit: calls ... (60)")
    simulators.add_argument("--period", type=float, default=61.0, help="... in so many seconds (61)")
    simulators.set_defaults(run=_simulators)
    bus = commands.add_parser(
        "service-bus", help="the two queues over AMQP, for the settings of other commands"
    )
    bus.add_argument("--port", type=int, default=5672, help="port to listen on (5672; 0: any)")
    bus.add_argument("--key", help="the key of the connection string (a new one each time)")
    bus.add_argument("--lock-seconds", type=float, default=60.0, help="how long a message stays locked (60)")
    bus.add_argument("--queues", nargs="+", default=["entity-sync", "change-batches"], help="their names")
    bus.set_defaults(run=_service_bus)
    return parser


def _demo(options: argparse.Namespace) -> int:
    from local.demo import run_demo

    return NOTHING_FAILED if run_demo(_console(), options.employees) else SOMETHING_FAILED


def _once(options: argparse.Namespace) -> int:
    console = _console(stderr=options.json)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl+C: the changes at hand are finished
    stack = LocalStack(_environment())
    try:
        with display(console, silent=options.json) as shown:
            if options.approve:
                finished = approve_once(stack, options.approve, shown)
            else:
                finished = run_once(stack, _request(options), shown)
    finally:
        stack.close()
    if options.json:
        print(json.dumps({**finished.report, "resumed": finished.resumed}, ensure_ascii=False))
    else:
        show_report(console, finished.report)
    return exit_status(finished.report)


def _doctor(options: argparse.Namespace) -> int:
    from local.doctor import exit_status_of, find, show

    with Console(stderr=True).status("looking at everything, a minute at most ..."):
        findings = find(_environment())
    if options.json:
        print(json.dumps({"findings": [finding.to_json() for finding in findings]}, ensure_ascii=False))
    else:
        show(_console(), findings)
    return exit_status_of(findings)


def _console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr)
    # Without a terminal rich assumes 80 columns, too few for the table of counts.
    return console if console.is_terminal else Console(stderr=stderr, width=PIPE_WIDTH)


def _request(options: argparse.Namespace) -> RunRequest:
    chosen = options.entity or ENTITIES
    return RunRequest(
        mode="plan" if options.plan else "apply",
        entities=tuple(entity for entity in ENTITIES if entity in chosen),
        refresh=options.refresh,
        retry_failed=options.refresh,
        cause="once",
    )


def _up(options: argparse.Namespace) -> int:
    from local.up import serve

    if options.host not in LOOPBACK and not options.key:
        raise ConfigurationError.of(
            "--key", "is needed when others than this machine can call: set a function key"
        )
    serve(LocalStack(_environment()), Console(), options.host, options.port, options.key)
    return NOTHING_FAILED


def _simulators(options: argparse.Namespace) -> int:
    from local.simulators.server import run_simulators

    run_simulators(
        options.port,
        options.folder,
        options.data,
        options.calls,
        options.period,
        employees=options.employees,
        login_port=options.login_port,
    )
    return NOTHING_FAILED


def _service_bus(options: argparse.Namespace) -> int:
    from local.amqp.command import serve

    serve(options.queues, options.port, options.key, options.lock_seconds)
    return NOTHING_FAILED


def _environment() -> Mapping[str, str]:
    return local_environment(Path.cwd())


def _settings_wrong(error: ConfigurationError, *, as_json: bool) -> int:
    problems: list[dict[str, Any]] = [{"setting": p.setting, "problem": p.text} for p in error.problems]
    if as_json:
        print(json.dumps({"error": "settings are wrong", "problems": problems}))
    else:
        console = Console(stderr=True)
        console.print("[bold red]The settings are wrong:[/bold red]")
        for problem in error.problems:
            console.print(f"  {problem}", highlight=False, soft_wrap=True)
    return SETTINGS_WRONG


def _log_to(console: Console, options: argparse.Namespace) -> None:
    handler = RichHandler(console=console, show_path=False, markup=False, log_time_format="%H:%M:%S")
    handler.setFormatter(ReadableFormatter())
    handler.addFilter(_is_worth_a_line)
    level = log_level(_environment())
    if options.run is not _up and level != "DEBUG":
        # Beside the display of a run's progress there is room for warnings only, unless details are wanted;
        # what the doctor's calls log is in its findings too.
        level = max(level, "ERROR" if options.run is _doctor else "WARNING", key=LEVELS.index)
    logging.basicConfig(level=level, handlers=[handler])


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """All that we say, and the libraries' warnings."""
    return record.levelno >= logging.WARNING or record.name.split(".")[0] in OUR_LOGGERS

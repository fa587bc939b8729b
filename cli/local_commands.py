"""The commands that do their work in this process, on the stack that the settings make."""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from cli.arguments import LARGEST_PORT, Parser, add_command, fault, seconds, whole_number
from cli.console import OutputConsole, print_json, result_console, say
from cli.doctor import show_what_failed
from cli.next_step import after_run, say_next
from cli.plan_file import plan_file, write_plan
from cli.remote.address import KEY_SETTING, URL_SETTING, checked_key
from cli.remote.client import KEY_HEADER
from cli.settings_file import local_environment
from cli.show import show_costs, show_report
from cli.show_plan import MOST_UPDATES, show_plan
from cli.user import user_name
from local.host.once import NOTHING_FAILED, SOMETHING_FAILED, approve_once, drop_once, exit_status, run_once
from local.host.own_pages import is_loopback
from local.host.progress import display
from local.host.stack import LocalStack
from local.simulators.fault_text import EXAMPLE
from shared.errors import ConfigurationError
from shared.queries import answers
from shared.queries.plan_view import plan_view
from shared.queries.run_index import RUN_ID
from shared.sync.decisions.record import Author
from shared.sync.documents.runs import RunRequest, get_run
from shared.sync.model import ENTITIES
from shared.version import PROGRAM

if TYPE_CHECKING:
    from cli.arguments import Commands

DEFAULT_CALLS = 60
MADE_BY = "MAKELEVEL"
"""The environment of what make runs has it."""


def add_commands(commands: Commands) -> None:
    """demo, once, plan, doctor, settings, up, simulators and service-bus."""
    demo = add_command(
        commands,
        "demo",
        "three runs of a demo company against simulated systems",
        "demo --open",
        run=_demo,
        interrupted="nothing of the demo is kept",
    )
    demo.add_argument(
        "--employees", type=whole_number(40), default=400, help="size of the demo company (400)"
    )
    demo.add_argument(
        "--open",
        action="store_true",
        help="then keep the app up and open its page, with one refused person explained",
    )
    once = add_command(
        commands, "once", "one run against the systems that the settings name", "once --plan", run=_once
    )
    way = once.add_mutually_exclusive_group()
    way.add_argument("--plan", action="store_true", help="stop after planning, change nothing")
    way.add_argument("--approve", metavar="RUN", help="let what the held plans of this run still want go on")
    way.add_argument("--drop", metavar="RUN", help="drop what this run holds, or has not done yet")
    once.add_argument("--reason", metavar="TEXT", help="why it is approved or dropped, for the record")
    _add_scope(once)
    once.add_argument("--json", action="store_true", help="print the report as one JSON object")
    plan = add_command(
        commands,
        "plan",
        "what a run would do, by name; nothing is changed",
        "plan --out plan.html",
        run=_plan,
        interrupted="nothing was changed",
    )
    plan.add_argument(
        "run_id", nargs="?", metavar="RUN", help="what this run here has planned, instead of planning anew"
    )
    _add_scope(plan)
    plan.add_argument(
        "--out", type=plan_file, metavar="FILE", help="the whole plan in a file: .html, .csv or .json"
    )
    plan.add_argument("--json", action="store_true", help="print the plan as one JSON object")
    doctor = add_command(
        commands,
        "doctor",
        "what is wrong with settings, connections and permissions",
        "doctor --json",
        run=_doctor,
        log_level="ERROR",  # what its calls log is in its findings too
        interrupted="nothing was changed",
    )
    doctor.add_argument("--json", action="store_true", help="print the findings as one JSON object")
    settings = add_command(
        commands,
        "settings",
        "every setting that counts here and where it comes from, without secrets",
        "settings --all",
        run=_settings,
        log_level="ERROR",
        interrupted="nothing was changed",
    )
    settings.add_argument("--all", action="store_true", help="also those that nobody has set")
    settings.add_argument("--json", action="store_true", help="print all of them as one JSON object")
    up = add_command(
        commands,
        "up",
        "the whole app: timers, queues and HTTP, with the operators' page",
        "up --port 7071",
        run=_up,
        log_level="DEBUG",
    )
    up.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    up.add_argument(
        "--port", type=whole_number(0, LARGEST_PORT), default=7071, help="port to listen on (7071)"
    )
    up.add_argument(
        "--function-key",
        metavar="FUNCTION_KEY",
        help=f"key that HTTP callers must send as {KEY_HEADER} (better: environment {KEY_SETTING})",
    )
    up.add_alias("--key", "function_key")
    simulators = add_command(
        commands,
        "simulators",
        "simulated SafetyAmp, Samsara and Graph over HTTP",
        "simulators --port 8090 --employees 400",
        run=_simulators,
    )
    simulators.add_argument(
        "--port",
        type=whole_number(0, LARGEST_PORT),
        default=8090,
        help="port of the three APIs (8090; 0: any)",
    )
    simulators.add_argument(
        "--login-port",
        type=whole_number(0, LARGEST_PORT),
        default=0,
        help="port of the login over https (any)",
    )
    simulators.add_argument(
        "--folder", type=Path, default=Path(".local-simulators"), help="where content is kept"
    )
    simulators.add_argument(
        "--data", type=Path, help="a folder of CSV and JSON files instead of the demo company"
    )
    simulators.add_argument(
        "--employees", type=whole_number(1), default=400, help="size of the demo company (400)"
    )
    simulators.add_argument(
        "--calls", type=whole_number(1), help="SafetyAmp's limit: calls ... (60, or what FILE says)"
    )
    simulators.add_argument("--period", type=seconds, default=61.0, help="... in so many seconds (61)")
    simulators.add_argument(
        "--like", type=Path, metavar="FILE", help="imitate what `probe --out FILE` saw of the real systems"
    )
    simulators.add_argument(
        "--fault",
        type=fault,
        action="append",
        default=[],
        metavar="FAULT",
        help=f"what the next calls meet (repeatable): {EXAMPLE!r}; docs/operations.md has all of them",
    )
    bus = add_command(
        commands,
        "service-bus",
        "the two queues over AMQP, for the settings of other commands",
        "service-bus --port 5672",
        run=_service_bus,
    )
    bus.add_argument(
        "--port", type=whole_number(0, LARGEST_PORT), default=5672, help="port to listen on (5672; 0: any)"
    )
    bus.add_argument("--shared-access-key", help="the connection string's key (a new one each time)")
    bus.add_alias("--key", "shared_access_key")
    bus.add_argument(
        "--lock-seconds", type=seconds, default=60.0, help="how long a message stays locked (60)"
    )
    bus.add_argument("--queues", nargs="+", default=["entity-sync", "change-batches"], help="their names")


def _add_scope(parser: Parser) -> None:
    parser.add_argument(
        "--refresh", action="store_true", help="list SafetyAmp anew, try refused records again"
    )
    parser.add_argument(
        "--entity",
        action="append",
        choices=ENTITIES,
        metavar="ENTITY",
        help=f"only: {', '.join(ENTITIES)} (repeatable)",
    )


def _demo(options: argparse.Namespace) -> int:
    from cli.demo import run_demo

    console = result_console()
    is_good = run_demo(console, options.employees, quiet=options.quiet, stay=options.open)
    status = NOTHING_FAILED if is_good else SOMETHING_FAILED
    if not options.open and MADE_BY not in os.environ:  # make says it with the path that it has
        say_next(console, options, status)
    return status


def _once(options: argparse.Namespace) -> int:
    _check_run("--approve", options.approve)
    plan = None
    console = result_console(stderr=options.json)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like Ctrl+C: the changes at hand are finished
    stack = LocalStack(_environment())
    try:
        show_what_failed(result_console(stderr=True), stack.runtime)
        with display(console, silent=options.json or options.quiet) as shown:
            if options.approve:
                finished = approve_once(stack, options.approve, shown, *_deciding(options))
            elif options.drop:
                finished = drop_once(stack, options.drop, shown, *_deciding(options))
            else:
                finished = run_once(stack, _request(options, plan=options.plan), shown)
        if options.plan:
            plan = _planned(stack, finished.report["run_id"], MOST_UPDATES)
    finally:
        stack.close()
    if options.json:
        print_json({**finished.report, "resumed": finished.resumed})
    elif plan is not None:
        _show_planned(console, plan, finished.report)
    else:
        show_report(console, finished.report)
        if not options.quiet:
            say(console, after_run(finished.report, exit_status(finished.report)))
    return exit_status(finished.report)


def _deciding(options: argparse.Namespace) -> tuple[Author, str | None]:
    return Author("local", user_name()), options.reason


def _plan(options: argparse.Namespace) -> int:
    """Of a run that is named only its documents are read."""
    _check_run("RUN", options.run_id)
    console = result_console(stderr=options.json)
    report = None
    stack = LocalStack(_environment())
    try:
        run_id = options.run_id
        if run_id is None:
            show_what_failed(result_console(stderr=True), stack.runtime)
            with display(console, silent=options.json or options.quiet) as shown:
                report = run_once(stack, _request(options, plan=True), shown).report
            run_id = report["run_id"]
        is_kept = options.json or options.out is not None
        plan = _planned(stack, run_id, None if is_kept else MOST_UPDATES)
    finally:
        stack.close()
    if options.out is not None:
        _write(options.out, plan)
    if options.json:
        print_json(plan)
    else:
        _show_planned(console, plan, report)
    return NOTHING_FAILED if report is None else exit_status(report)


def _planned(stack: LocalStack, run_id: str, most: int | None) -> answers.RunPlan:
    """With `most` changes and creations of an entity, all if None. Raises UnknownRun."""
    return plan_view(stack.runtime, get_run(stack.runtime.documents, run_id), most)


def _show_planned(console: Console, plan: answers.RunPlan, report: Mapping[str, Any] | None) -> None:
    show_plan(console, plan)
    console.print()
    if report is not None:
        show_costs(console, report)
    does_it = f"{PROGRAM} once does what is then still wanted; " if plan["mode"] == "plan" else ""
    saves_it = f"{PROGRAM} plan {plan['run_id']} --out plan.html saves all of it"
    say(console, f"next: {does_it}{saves_it}")


def _write(path: Path, plan: answers.RunPlan) -> None:
    try:
        write_plan(path, plan)
    except OSError as error:
        text = f"cannot be written ({error.strerror}); the plan is kept: plan {plan['run_id']} --out FILE"
        raise ConfigurationError.of("--out", text) from error


def _check_run(name: str, run_id: str | None) -> None:
    if run_id is not None and not RUN_ID.fullmatch(run_id):
        text = f"must be a run's id such as 20260131-120000-0a1b2c, not {run_id[:40]!r}"
        raise ConfigurationError.of(name, text)


def _doctor(options: argparse.Namespace) -> int:
    from cli.doctor import exit_status_of, find, show

    with OutputConsole(stderr=True, quiet=options.quiet).status(
        "looking at everything, a minute at most ..."
    ):
        findings = find(_environment())
    if options.json:
        print_json({"findings": [finding.to_json() for finding in findings]})
    else:
        console = result_console()
        show(console, findings)
        say_next(console, options, exit_status_of(findings))
    return exit_status_of(findings)


def _settings(options: argparse.Namespace) -> int:
    from cli.show_settings import exit_status_of, find, show

    environment = _environment()
    found = find(environment)
    if options.json:
        print_json(found)
    else:
        console = result_console()
        show(console, found, every=options.all, app=environment.get(URL_SETTING))
        say_next(console, options, exit_status_of(found))
    return exit_status_of(found)


def _request(options: argparse.Namespace, *, plan: bool) -> RunRequest:
    chosen = options.entity or ENTITIES
    return RunRequest(
        mode="plan" if plan else "apply",
        entities=tuple(entity for entity in ENTITIES if entity in chosen),
        refresh=options.refresh,
        retry_failed=options.refresh,
        cause="once",
    )


def _up(options: argparse.Namespace) -> int:
    from local.host.up import serve

    environment = _environment()
    key = _key_of_up(options.function_key, environment)
    if not is_loopback(options.host) and key is None:
        text = f"is needed when others than this machine can call: set a function key (or {KEY_SETTING})"
        raise ConfigurationError.of("--function-key", text)
    serve(LocalStack(environment), OutputConsole(), options.host, options.port, key)
    return NOTHING_FAILED


def _key_of_up(option: str | None, environment: Mapping[str, str]) -> str | None:
    """The option, else the environment's, None when neither is there. An empty one is no wish to be open: it
    is what `--function-key "$KEY"` gives where KEY is not set."""
    name, key = (
        ("--function-key", option) if option is not None else (KEY_SETTING, environment.get(KEY_SETTING))
    )
    if key is not None and not key.strip():
        raise ConfigurationError.of(name, "is empty: give a key, or leave it out to serve this machine only")
    return checked_key(key, name)


def _simulators(options: argparse.Namespace) -> int:
    from cli.like import recording_of, told_of
    from local.host.upstreams import run_simulators

    like = None if options.like is None else recording_of(options.like)
    if like is not None and not options.quiet:
        say(OutputConsole(stderr=True), told_of(like))
    with _telling_of_folders(options.folder, options.data):
        run_simulators(
            options.port,
            options.folder,
            options.data,
            options.calls or (like and like.safetyamp.calls) or DEFAULT_CALLS,
            options.period,
            employees=options.employees,
            login_port=options.login_port,
            like=like,
            faults=options.fault,
            ready=None if options.quiet else _tell_how_to_use_them,
        )
    return NOTHING_FAILED


@contextmanager
def _telling_of_folders(folder: Path, data: Path | None) -> Iterator[None]:
    """Which option named the folder that cannot be used. SQLite does not say of which file it complains."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, OSError) and error.filename is None:
            raise  # of the output, not of a file
        file = getattr(error, "filename", folder / "vista.db")
        of_data = data is not None and Path(file).is_relative_to(data)
        why = f"{file}: {getattr(error, 'strerror', None) or error}"
        name = "--data" if of_data else "--folder"
        raise ConfigurationError.of(name, f"cannot be used ({why}): name another folder") from error


def _tell_how_to_use_them() -> None:
    """Beside the settings, which alone are for machines."""
    text = f"next: put these lines into local.settings.json or the environment, then {PROGRAM} once"
    say(OutputConsole(stderr=True), f"{text} (Ctrl+C ends the simulators)")


def _service_bus(options: argparse.Namespace) -> int:
    from local.amqp.command import serve

    serve(options.queues, options.port, options.shared_access_key, options.lock_seconds)
    return NOTHING_FAILED


def _environment() -> Mapping[str, str]:
    return local_environment(Path.cwd())

"""The demo: a company of about 400 people, simulated upstreams, and three runs.

SafetyAmp's real limit of 60 calls in 61 s would make the first load take ten minutes; the demo's simulator
allows 60 calls in 3 s, with the same code waiting for it.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import webbrowser
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from cli.console import inert, say
from cli.remote.words import said
from cli.show import show_report
from local.company.demo import ExpectedChange, change_company, demo_company
from local.host.once import run_once
from local.host.progress import display
from local.host.stack import LocalStack
from local.host.up import serve
from local.host.upstreams import SimulatorServer
from shared.clock import SystemClock
from shared.queries.explain import explain
from shared.sync.documents.runs import RunRequest

PERIOD_SECONDS = 3.0
PORT = 7071
WINDOWS = {"DISPLAY", "WAYLAND_DISPLAY"}
ACTIONS = {"create": "created", "update": "updated", "deactivate": "deactivated"}


def run_demo(console: Console, employees: int, *, quiet: bool = False, stay: bool = False) -> bool:
    """Show three runs; True when each did exactly what it should. `stay` keeps simulators and app up after
    that, until SIGINT or SIGTERM."""
    company = demo_company(SystemClock().now().date(), employees=employees)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with SimulatorServer(company, folder / "simulators", period=PERIOD_SECONDS) as server:
            environment = {
                **server.settings(),
                "LOCAL_FOLDER": str(folder / "documents"),
                "MAX_PROCESSES": "1",
                # The third run follows the change of the company at once: no listing may come from a cache.
                "CACHE_TTL_HOURS": "0",
            }
            os.environ["REQUESTS_CA_BUNDLE"] = environment["REQUESTS_CA_BUNDLE"]
            show = partial(_run, console, environment, quiet=quiet)
            console.rule("1. First load: everything arrives in SafetyAmp")
            first = show()
            console.rule("2. Again: nothing has changed, nothing is called")
            second = show(problems=False)
            console.rule("3. The company changes")
            expected = change_company(company)
            server.replace_company(company)
            for change in expected:
                console.print(Text(f"  {change.entity} {inert(change.key)}: {change.action}"))
            third = show(problems=False)
            is_good = _show_result(console, first, second, third, expected)
            if stay:
                _stay(console, environment, first)
    return is_good


def _show_result(
    console: Console,
    first: dict[str, Any],
    second: dict[str, Any],
    third: dict[str, Any],
    expected: Sequence[ExpectedChange],
) -> bool:
    checks = {
        "first run: everything that could be created was": first["phase"] == "done" and _changed(first) > 0,
        f"second run: {_changed(second)} changes": _changed(second) == 0,
        f"second run: {_calls(second)} SafetyAmp calls": _calls(second) == 0,
        f"third run: exactly the {len(expected)} changes": _results(third) == _expected(expected),
        f"third run: {_calls(third)} SafetyAmp calls, leavers are read first": (
            _calls(third) == len(expected) + sum(change.action == "deactivate" for change in expected)
        ),
    }
    console.rule("Result")
    for text, good in checks.items():
        console.print(f"{'[green]ok[/green]   ' if good else '[bold red]WRONG[/bold red]'} {text}")
    for sentence in _in_short(first, second, third):
        say(console, inert(sentence))
    return all(checks.values())


def _in_short(first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]) -> Iterator[str]:
    """What happened, and who is not there and why."""
    arrived, later = f"{_changed(first)} records arrived in {_calls(first)} calls", _changed(third)
    nothing = f"{_calls(second)} calls were made when nothing had changed"
    yield f"{arrived}, {nothing}, and {later} changes took {_calls(third)}."
    people = first["entities"]["employees"]
    named = [problem for problem in people["problems"] if problem["kind"] == "refused"]
    for problem in named[:1]:
        yield f"One whom SafetyAmp refused: {problem['key']}: {problem['reason']}."
    yield f"{people['invalid']} people wait for something in Vista to be mended; the list above says what."


def _stay(console: Console, environment: dict[str, str], report: dict[str, Any]) -> None:
    """The app on what the runs have left, and somebody who is refused to begin with."""
    problems = report["entities"]["employees"]["problems"]
    key = next((problem["key"] for problem in problems if problem["kind"] == "refused"), None)
    stack = LocalStack(environment)
    console.rule("Look around")
    if key is not None:
        console.print(Text(f"Employee {inert(key)} is refused, for example:"))
        answer = explain(stack.runtime, "employees", key)
        for sentence in answer["summary"] if answer else ():
            console.print(Text("  ") + said(sentence))

    def started(page: str) -> None:
        address = page if key is None else f"{page}#record/employees/{key}"
        console.print(f"Look there: {address}", markup=False, highlight=False, soft_wrap=True)
        if _has_browser():
            webbrowser.open(address)

    serve(stack, console, "127.0.0.1", _port(), None, started)
    console.print("The demo has ended; nothing of it is kept.")


def _port() -> int:
    """The usual one, at which other commands ask by themselves, or any when another program has it."""
    try:
        with socket.create_server(("127.0.0.1", PORT)):
            return PORT
    except OSError:
        return 0


def _has_browser() -> bool:
    """One with a window: one that shows pages in the terminal would hide what is said there."""
    return os.name == "nt" or sys.platform == "darwin" or bool(WINDOWS & os.environ.keys())


def _run(
    console: Console, environment: dict[str, str], *, quiet: bool, problems: bool = True
) -> dict[str, Any]:
    stack = LocalStack(environment)
    try:
        with display(console, silent=quiet) as shown:
            report = run_once(stack, RunRequest(cause="demo"), shown).report
    finally:
        stack.close()
    show_report(console, report, problems=problems)
    return report


def _results(report: dict[str, Any]) -> Counter[tuple[str, str]]:
    counted = {
        (name, result): entity.get(result, 0)
        for name, entity in report["entities"].items()
        for result in (*ACTIONS.values(), "failed")
    }
    return +Counter(counted)


def _expected(changes: Iterable[Any]) -> Counter[tuple[str, str]]:
    return Counter((change.entity, ACTIONS[change.action]) for change in changes)


def _changed(report: dict[str, Any]) -> int:
    return sum(_results(report).values())


def _calls(report: dict[str, Any]) -> int:
    return int(report["calls"].get("safetyamp", 0))

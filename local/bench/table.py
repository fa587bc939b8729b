"""The benchmark's result for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from local.bench.bus import BusResult
from local.bench.company import RunCalls
from local.bench.result import BenchResult, SizeResult, targets
from local.bench.workers import WorkersResult

COLUMNS = (
    "employees",
    "first load:\npages + writes",
    "unchanged:\ncalls",
    "changed\n(1 %)",
    "after that:\npages + writes",
    "documents +\nmessages: unchanged,\nchanged",
    "planning, first:\nCPU s",
    "planning, next:\nCPU s",
    "peak\nMB",
)

WORKERS_COLUMNS = (
    "workers",
    "calls",
    "seconds",
    "achieved\nof allowed",
    "fullest\nwindow",
    "calls per window",
    "handler\nseconds",
    "of them\nwaited",
    "waited per\nchange, ms",
)


def show(console: Console, result: BenchResult) -> None:
    """Print figures and targets."""
    console.print(_sizes(result))
    growth = "not measured" if result.growth is None else f"{result.growth:.1f}-fold"
    console.print(f"growth of planning from 10 000 to 100 000 employees: {growth}", highlight=False)
    imports = result.imports
    console.print(
        f"import: azure.functions {imports.azure_functions:.3f} s, function_app {imports.function_app:.3f} s",
        highlight=False,
    )
    console.print(_workers(result))
    waiting = result.waiting
    waited = f"{waiting.waited_seconds:.0f} of {waiting.handler_seconds:.0f} handler seconds"
    console.print(
        f"SafetyAmp's real window, one worker in virtual time: waited {waited} "
        f"({waiting.handlers} handlers, {waiting.changes} changes)",
        highlight=False,
    )
    lost = result.lost
    console.print(
        f"first load of {lost.employees} employees, {lost.lost} answers to creations lost: "
        f"{lost.lossy.pages} pages + {lost.lossy.writes} writes in {lost.lossy_hours:.1f} h, {lost.beyond}"
        f" calls beyond the {lost.calm.calls} (in {lost.calm_hours:.1f} h) without losses",
        highlight=False,
    )
    for line in _bus(result.bus):
        console.print(line, highlight=False)
    console.print(_targets(result))


def _bus(bus: BusResult) -> tuple[str, str]:
    sent = f"{bus.single_sends_per_second:.0f} sent one by one, {bus.batched_sends_per_second:.0f} in batches"
    received = f"{bus.receives_per_second:.0f} received and completed by {bus.receivers} threads"
    return (
        f"Service Bus SDK and AMQP server, {bus.messages} messages, per second: {sent}, {received}",
        f"a run of {bus.changes} changes over them: {bus.run_seconds:.1f} s; "
        f"over the bus in the process: {bus.run_seconds_in_process:.1f} s",
    )


def _sizes(result: BenchResult) -> Table:
    about = ", ".join(f"{name} {value}" for name, value in result.machine.items())
    table = Table(title=f"SafetyAmp calls and planning, one process on one core ({about})")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for size in result.sizes:
        table.add_row(*_figures(size))
    return table


def _figures(size: SizeResult) -> tuple[str, ...]:
    return (
        str(size.employees),
        f"{size.first_load.pages} + {size.first_load.writes}",
        str(size.unchanged.calls),
        str(size.changed),
        f"{size.after_change.pages} + {size.after_change.writes}",
        f"{_beside(size.unchanged)}\n{_beside(size.after_change)}",
        f"{size.planning.first_cpu_seconds:.2f}",
        f"{size.planning.cpu_seconds:.2f}",
        f"{size.planning.megabytes:.0f}",
    )


def _beside(run: RunCalls) -> str:
    return f"{run.documents} + {run.messages}"


def _workers(result: BenchResult) -> Table:
    title = f"First load by worker processes ({result.machine['Redis']}), 60 calls allowed per 3 s"
    table = Table(title=title)
    for column in WORKERS_COLUMNS:
        table.add_column(column, justify="right")
    for workers in result.workers:
        table.add_row(*_workers_figures(workers))
    return table


def _workers_figures(result: WorkersResult) -> tuple[str, ...]:
    achieved = result.achieved_of_allowed
    return (
        str(result.workers),
        str(result.calls),
        f"{result.seconds:.1f}",
        "-" if achieved is None else f"{achieved:.4f}",
        str(result.fullest_window),
        " ".join(map(str, result.calls_per_window)),
        f"{result.handler_seconds:.1f}",
        f"{result.waiting_share:.1%}",
        f"{1000 * result.waited_seconds / max(1, result.changes):.1f}",
    )


def _targets(result: BenchResult) -> Table:
    table = Table(title="Targets")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("target", justify="right")
    table.add_column("")
    for target in targets(result):
        verdict = "[green]met[/green]" if target.met else "[bold red]missed[/bold red]"
        table.add_row(target.what, f"{target.measured:.4g}", target.bound, verdict)
    return table

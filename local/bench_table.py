"""The benchmark's result for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from local.bench_result import BenchResult, SizeResult, targets

COLUMNS = (
    "employees",
    "first load:\npages + writes",
    "unchanged:\ncalls",
    "changed\n(1 %)",
    "after that:\npages + writes",
    "planning, first:\nCPU s",
    "planning, next:\nCPU s",
    "peak\nMB",
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
    console.print(_targets(result))


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
        f"{size.planning.first_cpu_seconds:.2f}",
        f"{size.planning.cpu_seconds:.2f}",
        f"{size.planning.megabytes:.0f}",
    )


def _targets(result: BenchResult) -> Table:
    table = Table(title="Targets")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("at most", justify="right")
    table.add_column("")
    for target in targets(result):
        verdict = "[green]met[/green]" if target.met else "[bold red]missed[/bold red]"
        table.add_row(target.what, f"{target.measured:.4g}", f"{target.at_most:g}", verdict)
    return table

"""The benchmark: `python -m local.bench [--sizes 500 5000] [--workers 1 2 4 8] [--json bench.json]`.

It reports and never judges: figures that miss their target end with status 0 like any others. CPU seconds
are the process's own; on a busy machine they grow too, so compare figures of one machine only.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from rich.console import Console

from local.bench.bus import measure_bus
from local.bench.company import BenchCompany, bench_company
from local.bench.lost import measure_lost_answers
from local.bench.planning import Planning
from local.bench.result import BenchResult, ImportTimes, SizeResult
from local.bench.table import show
from local.bench.waiting import measure_waiting
from local.bench.workers import WORKERS, WorkersResult, measure_workers
from local.host.redis_server import redis_for_all

SIZES = (500, 5_000, 10_000, 50_000, 100_000)
PLANNING_PROCESSES = 3
IMPORT_PROCESSES = 7
CHANGED_PERCENT = 1
TIMED_IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
PROJECT = Path(__file__).resolve().parents[2]
PIPE_WIDTH = 120


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    options = _parser().parse_args(arguments)
    logging.disable(logging.WARNING)  # the company's dirt makes for refused records, which are logged
    console = Console(stderr=True)
    imports = measure_imports()
    sizes = []
    for employees in options.sizes:
        console.print(f"measuring a company of {employees} employees", highlight=False)
        sizes.append(measure_size(employees))
    redis, workers = measure_all_workers(options.workers, console)
    console.print("measuring the waiting of one worker at SafetyAmp's real window", highlight=False)
    waiting = measure_waiting()
    console.print("measuring what lost answers cost", highlight=False)
    lost = measure_lost_answers()
    console.print("measuring messages and a run over AMQP", highlight=False)
    bus = measure_bus()
    result = BenchResult({**_machine(), "Redis": redis}, sizes, imports, workers, waiting, lost, bus)
    options.json.write_text(json.dumps(result.to_json(), indent=2) + "\n", encoding="utf-8")
    output = Console()
    show(output if output.is_terminal else Console(width=PIPE_WIDTH), result)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.bench", description="Calls, CPU and memory.")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of employees")
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS, help="numbers of processes")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the figures go")
    return parser


def measure_size(employees: int) -> SizeResult:
    """Three runs of a company, then the planning of a fourth in processes of its own."""
    with tempfile.TemporaryDirectory() as name, bench_company(employees, Path(name)) as company:
        first_load, unchanged = company.run(), company.run()
        changed = max(1, employees * CHANGED_PERCENT // 100)
        company.change(changed)
        after_change = company.run()
        planning = _planning(company, Path(name))
    return SizeResult(employees, first_load, unchanged, changed, after_change, planning)


def _planning(company: BenchCompany, folder: Path) -> Planning:
    """The median of some processes by the CPU seconds of the next planning."""
    measured = []
    for number in range(PLANNING_PROCESSES):
        documents = folder / f"documents-{number}"
        company.save_states(documents)
        settings = {**company.settings(), "LOCAL_FOLDER": str(documents)}
        asked = json.dumps({"now": company.now.isoformat(), "settings": settings})
        output = _python(["-m", "local.bench.planning"], asked)
        measured.append(Planning(**json.loads(output)))
    return sorted(measured, key=lambda planning: planning.cpu_seconds)[len(measured) // 2]


def measure_all_workers(numbers: Sequence[int], console: Console) -> tuple[str, list[WorkersResult]]:
    """Which Redis they had, a new one each time, and how they did."""
    redis, results = "", []
    for number in numbers:
        console.print(f"measuring a first load by {number} workers", highlight=False)
        with tempfile.TemporaryDirectory() as name, redis_for_all(Path(name)) as (which, port):
            redis = which
            results.append(measure_workers(number, port))
    return redis, results


def measure_imports() -> ImportTimes:
    """Import times in fresh interpreters, taking turns, so that a busy moment hits both."""
    modules = ("azure.functions", "function_app")
    seconds: dict[str, list[float]] = {module: [] for module in modules}
    for _ in range(IMPORT_PROCESSES):
        for module in modules:
            seconds[module].append(float(_python(["-c", TIMED_IMPORT.format(module)])))
    return ImportTimes(*(median(seconds[module]) for module in modules))


def _python(arguments: Sequence[str], asked: str = "") -> str:
    """What a new process of this interpreter prints. Raises CalledProcessError."""
    done = subprocess.run(  # noqa: S603  our own modules
        [sys.executable, *arguments], cwd=PROJECT, input=asked, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def _machine() -> dict[str, str]:
    return {
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
    }


if __name__ == "__main__":
    main()

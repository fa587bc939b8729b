"""Planning an unchanged company, measured in a process of its own: `python -m local.bench.planning`.

Reads one JSON object, `now` (the moment, in ISO form, at which the state in LOCAL_FOLDER is up to date) and
`settings` (these alone count, not the environment's), and prints another.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from local.fake_clock import FakeClock
from local.host.stack import LocalStack
from shared.resilience.redis_connection import connect
from shared.runtime import Parts, Runtime
from shared.sync import paths
from shared.sync.documents.plans import Plan, plan_at
from shared.sync.documents.runs import RunRequest
from shared.sync.messages import EntityMessage
from shared.sync.runs.entity_handler import sync_entity
from shared.sync.runs.requests import request_run

PROC_STATUS = Path("/proc/self/status")
NEXT_RUN = timedelta(hours=2)
"""Later than CACHE_TTL_HOURS, so that the second planning asks Graph again, as the hourly run does."""

ACTIONS = ("create", "update", "deactivate", "reactivate")


@dataclass(frozen=True)
class Planning:
    """CPU seconds of the first planning in a process, with all imports and connections, and of the next
    one; the most memory that the process ever had; what the plans found."""

    first_cpu_seconds: float
    cpu_seconds: float
    megabytes: float
    employees: int
    changes: int


def measure(now: datetime, settings: Mapping[str, str]) -> Planning:
    """Plan the employees twice, each time from the message to the ended entity."""
    clock = FakeClock(now)
    stack = LocalStack(settings, Parts(clock=clock, redis=connect))
    try:
        first_cpu_seconds, first = _plan(stack.runtime)
        clock.advance(NEXT_RUN)
        cpu_seconds, second = _plan(stack.runtime)
    finally:
        stack.close()
    changes = sum(plan.counts.get(action, 0) for plan in (first, second) for action in ACTIONS)
    return Planning(first_cpu_seconds, cpu_seconds, peak_megabytes(), second.counts["source"], changes)


def _plan(services: Runtime) -> tuple[float, Plan]:
    run_id = request_run(services, RunRequest(entities=("employees",), cause="bench"))
    before = time.process_time()
    sync_entity(services, EntityMessage(run_id, "employees", "bench"))
    cpu_seconds = time.process_time() - before
    plan = plan_at(services.documents, paths.plan(run_id, "employees"))
    assert plan is not None
    return cpu_seconds, plan


def peak_megabytes() -> float:
    """The process's peak memory so far."""
    if PROC_STATUS.exists():
        # Linux's ru_maxrss begins with the peak of the process that started this one.
        lines = PROC_STATUS.read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    import resource  # not there on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024**2 if sys.platform == "darwin" else peak / 1024


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # that Redis is away is meant so
    asked = json.load(sys.stdin)
    print(json.dumps(asdict(measure(datetime.fromisoformat(asked["now"]), asked["settings"]))))

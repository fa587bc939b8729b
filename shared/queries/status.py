"""How everything is at this moment, from what all instances share: documents and Redis."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from shared.errors import UnreadableDocument
from shared.ncrontab import next_time
from shared.queries import answers
from shared.queries.dependencies import dependencies
from shared.queries.run_index import newest_runs, run_ids
from shared.queries.run_list import summary
from shared.runtime import Runtime
from shared.storage.documents import Documents
from shared.sync import paths
from shared.sync.applying.batches import due_at, missing_batches
from shared.sync.documents.active import Active, read_active
from shared.sync.documents.control import Pause, read_pauses
from shared.sync.documents.plans import read_plan
from shared.sync.documents.runs import Run, read_run, requested_at
from shared.sync.documents.state import STATE_VERSION
from shared.sync.model import EntityName
from shared.version import FULL_VERSION

UPSTREAMS = ("safetyamp", "samsara", "graph", "vista")
LAST_RUNS = 5
PACKAGES = ("azure-functions", "azure-servicebus", "azure-storage-blob", "pyodbc", "redis")


def status(runtime: Runtime) -> answers.Status:
    """Dependencies, breakers, the limiter's window, queues, schedules, pauses, runs and versions; `problems`
    names documents that cannot be read.

    Raises ConfigurationError and StorageError: without settings or documents there is nothing to say.
    """
    documents = runtime.documents
    active = read_active(documents)
    problems: list[str] = []
    run = _active_run(documents, active, problems)
    ids = run_ids(documents)
    return {
        "at": runtime.clock.now().isoformat(),
        "dependencies": dependencies(runtime),
        "breakers": {name: _breaker(runtime, name) for name in UPSTREAMS},
        "limiter": _limiter(runtime),
        "queues": _queues(runtime, run, problems),
        "schedules": _schedules(runtime),
        "paused": told_pauses(_pauses(documents, problems)),
        "active_run": summary(run) if run else None,
        "last_runs": [summary(found) for found in newest_runs(documents, LAST_RUNS, ids)],
        "last_good_run_ended_at": active.last_done_at,
        "kept": _kept(ids),
        "problems": problems,
        "versions": {
            "app": FULL_VERSION,
            "python": platform.python_version(),
            "state": STATE_VERSION,
            **{name: _version(name) for name in PACKAGES},
        },
    }


def _active_run(documents: Documents, active: Active, problems: list[str]) -> Run | None:
    try:
        return read_run(documents, active.claim.run_id) if active.claim else None
    except UnreadableDocument as error:
        problems.append(str(error))
        return None


def _kept(ids: Sequence[str]) -> answers.Kept:
    return {"runs": len(ids), "oldest_at": requested_at(ids[-1]) if ids else None}


def _pauses(documents: Documents, problems: list[str]) -> dict[EntityName, Pause]:
    try:
        return read_pauses(documents)
    except UnreadableDocument as error:
        problems.append(str(error))
        return {}


def told_pauses(pauses: Mapping[EntityName, Pause]) -> dict[str, answers.Pause]:
    """What is paused, by entity."""
    return {
        entity: {"at": pause.at, "reason": pause.reason, "who": pause.who} for entity, pause in pauses.items()
    }


def _breaker(runtime: Runtime, upstream: str) -> answers.Breaker:
    state = runtime.breaker(upstream).state()
    return {
        "name": state.name,
        "state": state.state,
        "failures": state.failures,
        "retry_after_seconds": state.retry_after_seconds,
        "open_seconds": state.open_seconds,
    }


def _limiter(runtime: Runtime) -> answers.Limiter:
    settings, usage = runtime.settings, runtime.safetyamp_limiter.usage()
    return {
        "used": usage.used,
        "limit": usage.limit,
        "blocked_seconds": usage.blocked_seconds,
        "period_seconds": settings.api_rate_limit_period,
        "reserve": settings.api_rate_limit_reserve,
    }


def _queues(runtime: Runtime, run: Run | None, problems: list[str]) -> answers.Queues:
    """What the active run still has to do, as its documents say: entities that wait for their plan, and
    batches without an outcome, due now or scheduled; and the dead letters that are kept."""
    entities = due = scheduled = 0
    now = runtime.clock.now()
    for name, entity in run.entities.items() if run else ():
        if run is None or entity.ended:
            continue
        try:
            plan = read_plan(runtime.documents, run, name)
        except UnreadableDocument as error:
            problems.append(str(error))
            continue
        if plan is None:
            entities += 1
            continue
        for number in missing_batches(runtime.documents, run, name, plan):
            is_due = due_at(runtime.documents, runtime.settings, run, name, plan, number) <= now
            due, scheduled = due + is_due, scheduled + (not is_due)
    return {
        "entities_waiting": entities,
        "batches_due": due,
        "batches_scheduled": scheduled,
        "dead_letters": sum(1 for _ in runtime.documents.list(paths.DEAD_LETTERS)),
    }


def _schedules(runtime: Runtime) -> dict[str, answers.Schedule]:
    settings = runtime.settings
    schedules = {
        "sync": settings.sync_schedule,
        "refresh": settings.refresh_schedule,
        "sweep": settings.sweep_schedule,
    }
    return {
        name: {"schedule": schedule, "next": _next(runtime, schedule)} for name, schedule in schedules.items()
    }


def _next(runtime: Runtime, schedule: str) -> str | None:
    try:
        moment = next_time(schedule, runtime.clock.now())
    except ValueError:
        return None
    return moment.isoformat() if moment else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

"""The report of a run: what an operator is told, made from documents alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import chain
from typing import cast

from shared.errors import UnreadableDocument
from shared.storage.documents import Documents, read_document
from shared.sync import paths
from shared.sync.applying.settled import settled, settled_before
from shared.sync.documents.outcome import BatchOutcomes, Outcome
from shared.sync.documents.plans import Plan, read_plan
from shared.sync.documents.report import Counts, Findings, OutcomeProblem, RecordProblem, Report
from shared.sync.documents.runs import EntityStatus, Run
from shared.sync.findings.causes import (
    GONE,
    LEAVER_WITH_ACCESS,
    NOT_APPLIED,
    WAITS_FOR_LISTING,
    WAITS_FOR_RECORD,
    Cause,
)
from shared.sync.model import EntityName, JsonValue
from shared.sync.suggestions import cause_of_refusal

MOST_PROBLEMS = 200
"""Problems, and changes that an approval left out, named in a report; all are in the plan and outcome
documents."""

LEAST_URGENT = ("invalid", "reported", "waiting", "skipped")
"""Kinds of problems that come after all others, in this order."""


def make_report(documents: Documents, run: Run) -> Report:
    """The report of a run that has ended, or how it stands."""
    calls: Counter[str] = Counter()
    for status in run.entities.values():
        calls.update(status.calls)
    return {
        "run_id": run.run_id,
        "phase": run.phase,
        "mode": run.request.mode,
        "cause": run.request.cause,
        "refresh": run.request.refresh,
        "keys": list(run.request.keys),
        "requested_at": run.requested_at,
        "finished_at": run.finished_at,
        "duration_seconds": _duration(run),
        "calls": dict(calls),
        "waited_seconds": round(sum(status.waited_seconds for status in run.entities.values()), 3),
        "entities": {
            name: {
                **cast(Counts, status.counts),
                "phase": status.phase,
                "held": status.phase == "held",
                "reason": status.reason,
                "planned": status.planned,
                "held_changes": held_changes(status),
                **_findings(documents, run, name),
            }
            for name, status in run.entities.items()
        },
    }


def held_changes(status: EntityStatus) -> dict[str, int]:
    """How many changes of the entity wait for an approval, or would, by action."""
    if status.phase not in ("held", "planned"):
        return {}
    if status.phase == "held" and not status.held_changes:
        return {action: count for action, count in status.planned.items() if count}  # as releases before held
    return status.held_changes


def _duration(run: Run) -> float | None:
    if run.finished_at is None:
        return None
    return (
        datetime.fromisoformat(run.finished_at) - datetime.fromisoformat(run.requested_at)
    ).total_seconds()


def read_report(documents: Documents, run_id: str) -> Report | None:
    """The report that was written at the run's end; None when there is none, or none that can be read."""
    try:
        report = read_document(documents, paths.report(run_id), dict[str, JsonValue])
    except UnreadableDocument:
        return None
    is_whole = report is not None and {"phase", "calls", "entities"} <= report.keys()
    return cast(Report, report) if is_whole else None


def _findings(documents: Documents, run: Run, entity: EntityName) -> Findings:
    plan, status = None, run.entities[entity]
    if status.phase != "off" and not (status.ended and status.quiet):
        with suppress(UnreadableDocument):  # the entity's reason says so
            plan = read_plan(documents, run, entity)
    if plan is None:
        return {
            "problems": [],
            "problems_total": 0,
            "problems_by_kind": {},
            "vanished": {"count": 0, "keys": []},
            "left_out": {"count": 0, "changes": []},
        }
    problems = problems_of(documents, run, entity, plan)
    left_out = plan.left_out
    # Thousands who left long ago must not crowd out the one record that somebody has to mend.
    problems.sort(key=_urgency)
    return {
        "problems": problems[:MOST_PROBLEMS],
        "problems_total": len(problems),
        "problems_by_kind": dict(Counter(problem["kind"] for problem in problems)),
        "vanished": plan.vanished,
        "left_out": {"count": len(left_out), "changes": left_out[:MOST_PROBLEMS]},
    }


def problems_of(documents: Documents, run: Run, entity: EntityName, plan: Plan) -> list[RecordProblem]:
    """All problems of an entity of a run: those of its plan, and of the changes that were applied."""
    batches = chain(settled_before(documents, run, entity, plan), settled(documents, run, entity, plan))
    return [*plan.problems, *_outcome_problems(entity, batches)]


def _urgency(problem: RecordProblem) -> int:
    return LEAST_URGENT.index(problem["kind"]) if problem["kind"] in LEAST_URGENT else -1


def _outcome_problems(entity: EntityName, batches: Iterable[BatchOutcomes]) -> Iterator[OutcomeProblem]:
    """What went wrong while applying, without the values: texts name fields only."""
    for batch in batches:
        for outcome in batch.outcomes:
            if not outcome.went_well:
                cause = cause_of(entity, outcome)
                yield _problem(outcome.key, outcome.result, outcome.reason, sorted(outcome.errors), cause)
            elif outcome.dropped:
                names = ", ".join(sorted(outcome.dropped))
                text = f"SafetyAmp refused {names}; the record went without"
                if holders := ", ".join(sorted({holder for holder in outcome.taken.values() if holder})):
                    text += f", as far as is known {holders} has it"
                cause = cause_of_refusal(entity, outcome.dropped, outcome.taken)
                yield _problem(outcome.key, "reported", text, sorted(outcome.dropped), cause)
            if outcome.went_well:
                for name, reason in outcome.left_out.items():
                    text = f"{name} left out: {reason}"
                    yield _problem(outcome.key, "reported", text, [name], WAITS_FOR_RECORD)


def cause_of(entity: str, outcome: Outcome) -> Cause:
    """The cause of a change that was not carried out."""
    if outcome.errors and outcome.action == "deactivate":
        return LEAVER_WITH_ACCESS
    if outcome.errors:
        return cause_of_refusal(entity, outcome.errors, outcome.taken)
    if outcome.result == "waiting":
        return WAITS_FOR_LISTING if outcome.list_anew else WAITS_FOR_RECORD
    return GONE if outcome.result == "gone" else NOT_APPLIED


def _problem(key: str, kind: str, reason: str | None, fields: list[str], cause: Cause) -> OutcomeProblem:
    field = ", ".join(fields) or None
    return {"key": key, "kind": kind, "reason": reason, "field": field, "cause": cause.code}

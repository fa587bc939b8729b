"""What does not come right by itself or not yet, over all entities, grouped by cause."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from shared.errors import UnreadableDocument
from shared.queries import answers
from shared.queries.fix_list import UNKNOWN_OWNER
from shared.queries.run_index import newest_runs, run_ids
from shared.storage.documents import Documents
from shared.sync.applying.settled import settled
from shared.sync.documents.plans import read_plan
from shared.sync.documents.runs import Run
from shared.sync.documents.state import FAILURE, read_state, refused_since
from shared.sync.findings.causes import CAUSES
from shared.sync.model import ENTITIES, EntityName
from shared.sync.runs.report import cause_of
from shared.sync.suggestions import cause_of_refusal, refusal_kind, suggestion_for

MOST_RUNS = 24
"""How far back the beginning of a failure is looked for: a day of hourly runs."""

MOST_KEYS = 100
"""Keys named per group; all are counted."""

MOST_REASONS = 10
"""Sentences told per group."""


@dataclass(frozen=True)
class Failure:
    """One record that fails. `kind`: refused, invalid, failed, waiting or gone; `cause` is what is said of
    it, `code` that of its `Cause`, None where an earlier release gave none; `since` is when it began, `at`
    when it was last tried or found. `reaches_back`: the oldest run that was looked at found it too, so that
    it may have begun before."""

    entity: EntityName
    key: str
    kind: str
    cause: str
    code: str | None
    suggestion: str
    since: str
    at: str
    reaches_back: bool = False


def failure_groups(documents: Documents) -> answers.Failures:
    """The groups, the largest first; entities that ended as a whole without being finished stand apart.

    `since_at_least`: the failure may be older than the runs that were looked at.
    """
    runs = [run for run in newest_runs(documents, MOST_RUNS) if run.ended]
    there_are_more = len(run_ids(documents)) > MOST_RUNS
    groups: dict[tuple[str, str, str], answers.FailureGroup] = {}
    total = 0
    for entity in ENTITIES:
        for failure in entity_failures(documents, runs, entity):
            total += 1
            alike = (entity, failure.kind, failure.code or failure.cause)
            group = groups.setdefault(alike, _begun(failure))
            group["count"] += 1
            reasons = group["reasons"]
            if failure.cause in reasons or len(reasons) < MOST_REASONS:
                reasons[failure.cause] = reasons.get(failure.cause, 0) + 1
            if group["cause"] != failure.cause:
                group["cause"] = group["what"]  # no one sentence says it of all
            if failure.since < group["since"]:
                group["since"], group["since_at_least"] = failure.since, False
            if failure.since == group["since"]:
                group["since_at_least"] |= failure.reaches_back and there_are_more
            group["at"] = max(group["at"], failure.at)
            if len(group["keys"]) < MOST_KEYS:
                group["keys"].append(failure.key)
    return {
        "total": total,
        "groups": sorted(
            groups.values(), key=lambda group: (-group["count"], group["entity"], group["cause"])
        ),
        "entities": [found for entity in ENTITIES for found in _unfinished(runs, entity)],
    }


def _begun(failure: Failure) -> answers.FailureGroup:
    """The group of a failure, without it. Of a cause that only a newer release knows, as of none, the first
    sentence tells."""
    cause = CAUSES.get(failure.code or "")
    return {
        "entity": failure.entity,
        "kind": failure.kind,
        "cause": failure.cause,
        "code": failure.code,
        "what": cause.name if cause else failure.cause,
        "owner": cause.owner if cause else UNKNOWN_OWNER,
        "where": cause.where if cause else None,
        "enter": cause.enter if cause else None,
        "again": cause.again if cause else failure.kind != "invalid",
        "suggestion": failure.suggestion,
        "since": failure.since,
        "at": failure.at,
        "since_at_least": False,
        "count": 0,
        "reasons": {},
        "keys": [],
    }


def entity_failures(documents: Documents, runs: list[Run], entity: EntityName) -> Iterator[Failure]:
    """The failures of an entity: what the state remembers as refused, and what the newest run found of each
    record. `runs` are ended ones, newest first."""
    remembered = _refused(documents, entity)
    yield from remembered.values()
    found, plans = _newest_findings(documents, runs, entity)
    for key, finding in found.items():
        if key not in remembered:
            kind, cause, code, at = finding
            since, reaches_back = _since(plans, key, finding)
            yield Failure(entity, key, kind, cause, code, suggestion_for(kind), since, at, reaches_back)


def _refused(documents: Documents, entity: EntityName) -> dict[str, Failure]:
    state = read_state(documents, entity)
    failures = {}
    for key in state.keys() if state else ():
        record = state.records[key] if state else None
        if record is not None and record[3] and FAILURE in record[3]:
            failure = record[3][FAILURE]
            fields = ", ".join(sorted(failure["errors"]))
            suggestion = suggestion_for(refusal_kind(failure["errors"]))
            cause = f"SafetyAmp refused {fields}"
            code = cause_of_refusal(entity, failure["errors"], failure.get("by", {})).code
            since, at = refused_since(failure) or "", failure["at"] or ""
            failures[key] = Failure(entity, key, "refused", cause, code, suggestion, since, at)
    return failures


class Finding(NamedTuple):
    """What a run found of a record, and when."""

    kind: str
    cause: str
    code: str | None
    at: str

    def is_like(self, other: Finding) -> bool:
        """Whether it is the same failure; of what has no code only the sentence tells."""
        if self.code is None or other.code is None:
            return (self.kind, self.cause) == (other.kind, other.cause)
        return (self.kind, self.code) == (other.kind, other.code)


def _newest_findings(
    documents: Documents, runs: list[Run], entity: EntityName
) -> tuple[dict[str, Finding], list[dict[str, Finding]]]:
    """What the newest run that looked at a record found of it, and the findings of all full runs, newest
    first. Runs of single records overrule an older full run for these records only; of those before the
    newest full run nothing is left to tell."""
    newest: dict[str, Finding] = {}
    looked_at: set[str] = set()
    full: list[dict[str, Finding]] = []
    for run in runs:
        if entity not in run.entities:
            continue
        findings = _findings(documents, run, entity)
        if findings is None:
            continue
        if not full:
            newest |= {key: found for key, found in findings.items() if key not in looked_at}
        if run.request.keys:
            looked_at |= set(run.request.keys)
        else:
            full.append(findings)
    return newest, full


def _findings(documents: Documents, run: Run, entity: EntityName) -> dict[str, Finding] | None:
    """The failing records of a run by key; None when it made no plan, and so looked at nothing."""
    try:
        plan = read_plan(documents, run, entity)
    except UnreadableDocument:
        plan = None  # The entity's reason says so.
    if plan is None:
        return None
    found = {
        problem["key"]: Finding("invalid", problem["reason"], problem.get("cause"), run.requested_at)
        for problem in plan.problems
        if problem["kind"] == "invalid"
    }
    if any(run.entities[entity].counts.get(name) for name in ("failed", "waiting")):
        for batch in settled(documents, run, entity, plan):
            for outcome in batch.outcomes:
                if not outcome.went_well and outcome.result != "cancelled":
                    said, at = outcome.reason or outcome.result, outcome.at or run.requested_at
                    found[outcome.key] = Finding(outcome.result, said, cause_of(entity, outcome).code, at)
    return found


def _since(plans: list[dict[str, Finding]], key: str, finding: Finding) -> tuple[str, bool]:
    """When the failure began: the oldest of the runs one after the other that found the same; and whether
    that is the oldest of all."""
    since = finding.at
    for findings in plans:
        found = findings.get(key)
        if found is None or not found.is_like(finding):
            return since, False
        since = min(since, found.at)
    return since, bool(plans)


def _unfinished(runs: list[Run], entity: EntityName) -> Iterator[answers.UnfinishedEntity]:
    """The entity's newest end, if it was not a good one."""
    run = next((run for run in runs if entity in run.entities and not run.request.keys), None)
    if run is None or run.entities[entity].phase not in ("failed", "held"):
        return
    status = run.entities[entity]
    kind = "held" if status.phase == "held" else "entity"
    yield {
        "entity": entity,
        "phase": status.phase,
        "reason": status.reason,
        "run_id": run.run_id,
        "url": f"/api/runs/{run.run_id}",
        "at": status.finished_at,
        "suggestion": suggestion_for(kind),
    }

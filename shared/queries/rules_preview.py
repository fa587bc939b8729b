"""What a run under other rules would do: the summary of a run that only planned under them.

The plan is compared with what SafetyAmp holds, not with a plan under the rules in force: it has what the next
run would do anyway, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared.errors import UnknownRun, UnreadableDocument
from shared.queries import answers
from shared.queries.changes import readable
from shared.queries.plan_view import IN_ORDER_OF_DANGER
from shared.storage.documents import Documents
from shared.sync.documents.change import Change
from shared.sync.documents.plans import Plan, read_batch, read_plan
from shared.sync.documents.rules import DEFAULT, digest_of_text, store_rules
from shared.sync.documents.runs import Run, RunRequest, read_run, run_ids
from shared.sync.documents.state import read_state
from shared.sync.findings.causes import NOT_IN_PILOT, OUT_OF_SCOPE
from shared.sync.model import EntityName
from shared.sync.planning.reader import mapping_options
from shared.sync.planning.rules_in_force import rules_text
from shared.sync.services import Services

PREVIEW = "preview"
"""The cause of such runs."""

MOST_EXAMPLES = 10
NEWEST_RUNS = 50
"""Runs among which one under the rules in force is looked for."""

LEFT_ALONE = frozenset((OUT_OF_SCOPE.code, NOT_IN_PILOT.code))


def preview_request(documents: Documents, text: str) -> RunRequest:
    """The run that looks what these rules would do; their text is stored, and in force nowhere."""
    return RunRequest(mode="plan", cause=PREVIEW, rules=store_rules(documents, text))


def rules_preview(services: Services, run: Run) -> answers.RulesPreview:
    """What the run planned, by entity: who enters and leaves the scope, and what changes. Asks nothing of
    SafetyAmp. Raises UnknownRun for a run that is no preview, and StorageError."""
    if run.request.cause != PREVIEW or run.request.rules is None:
        raise UnknownRun(f"run {run.run_id} is no preview of rules")
    view = _View(services, run)
    entities = [view.entity(entity) for entity in run.entities]
    return {
        "run_id": run.run_id,
        "phase": run.phase,
        "requested_at": run.requested_at,
        "entities": entities,
        "plan_url": f"/api/runs/{run.run_id}/plan",
        "notes": view.notes,
    }


class _View:
    def __init__(self, services: Services, run: Run) -> None:
        self._services, self._documents, self._run = services, services.documents, run
        self.notes: list[str] = []

    def entity(self, entity: EntityName) -> answers.EntityPreview:
        """A plan or batch that cannot be read costs no other."""
        status = self._run.entities[entity]
        plan = self._plan(self._run, entity)
        return {
            "entity": entity,
            "phase": status.phase,
            "reason": status.reason,
            "planned": plan is not None,
            "held": list(plan.held) if plan else [],
            "scope": self._scope(entity, plan) if plan else None,
            "actions": self._actions(entity, plan) if plan else [],
        }

    def _plan(self, run: Run, entity: EntityName) -> Plan | None:
        try:
            return read_plan(self._documents, run, entity)
        except UnreadableDocument as error:
            self.notes.append(str(error))
            return None

    def _scope(self, entity: EntityName, plan: Plan) -> answers.PreviewedScope:
        outside = _left_alone(plan)
        before = self._left_alone_now(entity)
        leaving = None if before is None else outside - before
        return {
            "source": plan.counts.get("source", 0),
            "outside": len(outside),
            "enter": None if before is None else _examples(before - outside),
            "leave": None if leaving is None else _examples(leaving),
            "in_safetyamp": None if leaving is None else self._there(entity, leaving),
        }

    def _left_alone_now(self, entity: EntityName) -> set[str] | None:
        """Whom the rules in force leave alone: nobody where they have neither scope nor pilot, else as the
        last run under them saw it; None where none is kept."""
        text = rules_text(self._services, None)
        if not _has_scope(self._services, text, entity):
            return set()
        for run in _newest_under(self._documents, DEFAULT if text is None else digest_of_text(text)):
            plan = self._plan(run, entity) if entity in run.entities else None
            if plan is not None:
                return _left_alone(plan)
        return None

    def _there(self, entity: EntityName, keys: set[str]) -> int:
        state = read_state(self._documents, entity) if keys else None
        return sum(1 for key in keys if state is not None and state.target_id(key) is not None)

    def _actions(self, entity: EntityName, plan: Plan) -> list[answers.PreviewedAction]:
        found: dict[str, answers.PreviewedAction] = {
            action: {"action": action, "count": 0, "keys": [], "fields": []} for action in IN_ORDER_OF_DANGER
        }
        fields: dict[str, dict[str, answers.PreviewedField]] = {action: {} for action in found}
        for change in self._changes(entity, plan):
            part = found[change.action]
            part["count"] += 1
            if len(part["keys"]) < MOST_EXAMPLES:
                part["keys"].append(change.key)
            if change.action == "update":
                _add_fields(fields[change.action], change)
        for action, part in found.items():
            part["fields"] = sorted(fields[action].values(), key=lambda one: (-one["count"], one["field"]))
        return [part for part in found.values() if part["count"]]

    def _changes(self, entity: EntityName, plan: Plan) -> Iterator[Change]:
        for number in range(1, plan.batches + 1):
            try:
                yield from read_batch(self._documents, self._run.run_id, entity, plan.plan_id, number)
            except UnreadableDocument as error:
                self.notes.append(str(error))


def _add_fields(fields: dict[str, answers.PreviewedField], change: Change) -> None:
    for name, value in change.fields.items():
        found = fields.setdefault(name, {"field": name, "count": 0, "examples": []})
        found["count"] += 1
        if len(found["examples"]) < MOST_EXAMPLES:
            before = readable(change.before.get(name))
            found["examples"].append({"key": change.key, "before": before, "after": readable(value)})


def _left_alone(plan: Plan) -> set[str]:
    return {problem["key"] for problem in plan.problems if problem.get("cause") in LEFT_ALONE}


def _examples(keys: Iterable[str]) -> answers.Examples:
    found = sorted(keys)
    return {"count": len(found), "keys": found[:MOST_EXAMPLES]}


def _newest_under(documents: Documents, digest: str) -> Iterator[Run]:
    """The newest runs of all records under these rules."""
    for run_id in run_ids(documents)[:NEWEST_RUNS]:
        try:
            run = read_run(documents, run_id)
        except UnreadableDocument:
            continue
        if run is not None and run.request.rules == digest and not run.request.keys:
            yield run


def _has_scope(services: Services, text: str | None, entity: EntityName) -> bool:
    rules = mapping_options(services.settings, text).rules.of(entity)
    return bool(rules.scope) or rules.pilot is not None

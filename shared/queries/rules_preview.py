"""What a run under other rules would do: the summary of a run that only planned under them.

The plan is compared with what SafetyAmp holds, not with a plan under the rules in force: it has what the next
run would do anyway, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared.errors import ConfigurationError, UnknownRun, UnreadableDocument
from shared.queries import answers
from shared.queries.changes import readable
from shared.queries.dry_run import NO_RUN, UNREADABLE
from shared.queries.plan_view import IN_ORDER_OF_DANGER
from shared.storage.documents import Documents
from shared.sync.bulk import bulk_work
from shared.sync.documents.change import Change
from shared.sync.documents.plans import Plan, read_batch, read_plan
from shared.sync.documents.rules import store_rules
from shared.sync.documents.runs import Run, RunRequest
from shared.sync.documents.state import read_state
from shared.sync.entities import mappings
from shared.sync.entities.employee_facts import why_outside
from shared.sync.model import EntityName, Rejected, SourceRecord
from shared.sync.planning.approval import reasons_to_hold
from shared.sync.planning.drafting import LEFT_TO_OTHERS
from shared.sync.planning.reader import SourceReader, mapping_options, with_known_regions
from shared.sync.planning.resolver import Resolver
from shared.sync.planning.rules_in_force import options_in_force, rules_text
from shared.sync.services import Services
from shared.sync.sources import MappingOptions

PREVIEW = "preview"
"""The cause of such runs."""

MOST_EXAMPLES = 10


def preview_request(documents: Documents, text: str) -> RunRequest:
    """The run that looks what these rules would do; their text is stored, and in force nowhere."""
    return RunRequest(mode="plan", cause=PREVIEW, rules=store_rules(documents, text))


def rules_preview(services: Services, run: Run) -> answers.RulesPreview:
    """What the run planned, by entity: who enters and leaves the scope, and what changes. Reads the
    sources where either rules leave somebody alone, asks nothing of SafetyAmp. Raises UnknownRun for a run
    that is no preview, ConfigurationError where one of the rules cannot be read, and StorageError."""
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
        self._then = mapping_options(services.settings, rules_text(services, run))
        try:
            self._now: MappingOptions | None = options_in_force(services)
        except ConfigurationError as error:  # perhaps the very reason to look at others
            self.notes.append(f"what the rules in force say is not known: {error}")
            self._now = None

    def entity(self, entity: EntityName) -> answers.EntityPreview:
        """A plan or batch that cannot be read costs no other."""
        status = self._run.entities[entity]
        plan = self._plan(self._run, entity)
        return {
            "entity": entity,
            "phase": status.phase,
            "reason": status.reason,
            "planned": plan is not None,
            "held": reasons_to_hold(plan) if plan else [],
            "scope": self._scope(entity, plan) if plan else None,
            "actions": self._actions(entity, plan) if plan else [],
        }

    def _plan(self, run: Run, entity: EntityName) -> Plan | None:
        try:
            return read_plan(self._documents, run, entity)
        except UnreadableDocument as error:
            self.notes.append(str(error))
            return None

    def _scope(self, entity: EntityName, plan: Plan) -> answers.PreviewedScope | None:
        """None where neither these rules nor those in force leave anybody alone, or nobody can tell."""
        if self._now is None or not (_has_scope(self._now, entity) or _has_scope(self._then, entity)):
            return None
        try:
            now, then = self._left_alone(entity, self._now), self._left_alone(entity, self._then)
        except UNREADABLE as error:
            self.notes.append(f"who enters and leaves the scope of {entity} is not known: {error}")
            return None
        leaving = then - now
        return {
            "source": plan.counts.get("source", 0),
            "outside": len(then),
            "enter": _examples(now - then),
            "leave": _examples(leaving),
            "in_safetyamp": self._there(entity, leaving),
        }

    def _left_alone(self, entity: EntityName, options: MappingOptions) -> set[str]:
        """Whom these rules leave alone, or switch off for being out of scope, in the sources as they are."""
        state = read_state(self._documents, entity)
        resolver = Resolver(self._services, NO_RUN, entity)
        with bulk_work():
            source = SourceReader(self._services, resolver, options, refresh=False).read(entity, {}).source
            records = mappings(options)[entity].records(with_known_regions(source, state))
            return {record.key for record in records if _is_left_alone(record)}

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
        for number in plan.all_numbers:
            try:
                plan_id = plan.plan_of(number)
                yield from read_batch(self._documents, self._run.run_id, entity, plan_id, number)
            except UnreadableDocument as error:
                self.notes.append(str(error))


def _add_fields(fields: dict[str, answers.PreviewedField], change: Change) -> None:
    for name, value in change.fields.items():
        found = fields.setdefault(name, {"field": name, "count": 0, "examples": []})
        found["count"] += 1
        if len(found["examples"]) < MOST_EXAMPLES:
            before = readable(change.before.get(name))
            found["examples"].append({"key": change.key, "before": before, "after": readable(value)})


def _is_left_alone(record: SourceRecord | Rejected) -> bool:
    if isinstance(record, Rejected):
        return record.cause in LEFT_TO_OTHERS
    return why_outside(record) is not None


def _has_scope(options: MappingOptions, entity: EntityName) -> bool:
    rules = options.rules.of(entity)
    return bool(rules.scope) or rules.pilot is not None


def _examples(keys: Iterable[str]) -> answers.Examples:
    found = sorted(keys)
    return {"count": len(found), "keys": found[:MOST_EXAMPLES]}

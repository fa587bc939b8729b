"""What a run plans, in the order of danger and with the names of people: for whoever decides about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shared.clients.vista.rows import EmployeeRow
from shared.errors import UnreadableDocument
from shared.queries import answers
from shared.queries.changes import readable
from shared.queries.dry_run import UNREADABLE
from shared.queries.names import entry_of, fields_of, name_of
from shared.sync.documents.change import Change, reference
from shared.sync.documents.plans import Plan, Problem, read_batch, read_plan
from shared.sync.documents.runs import Run
from shared.sync.documents.state import EntityState, read_state
from shared.sync.entities.employee_facts import employee_number
from shared.sync.model import Action, EntityName
from shared.sync.planning.approval import reasons_to_hold
from shared.sync.services import Services

IN_ORDER_OF_DANGER: tuple[Action, ...] = ("deactivate", "reactivate", "update", "create")
ABOUT_ACCESS = frozenset({"deactivate", "reactivate"})
"""Actions of which everybody is named, however many they are."""

NO_TERM_DATE = "Vista has no TermDate any more: an approval now would leave this person out"
NOT_IN_VISTA = "Vista does not have this number any more: an approval now would leave this person out"


def plan_view(services: Services, run: Run, most: int | None = None) -> answers.RunPlan:
    """What the plans of a run would do, or did. `most` changes and creations of an entity are spelt out, all
    if None; who loses or gets access is always named. Reads documents, and Vista where somebody's access is
    concerned; asks nothing of SafetyAmp. Raises StorageError."""
    view = _View(services, run, most)
    entities = [view.entity(entity) for entity in run.entities]
    return {
        "run_id": run.run_id,
        "mode": run.request.mode,
        "phase": run.phase,
        "requested_at": run.requested_at,
        "entities": entities,
        "notes": view.notes,
    }


class _View:
    """What is read once for all entities of a run."""

    def __init__(self, services: Services, run: Run, most: int | None) -> None:
        self._services = services
        self._run = run
        self._most = most
        self._states: dict[str, EntityState | None] = {}
        self._keys: dict[str, dict[int | str | None, str]] = {}
        self._employed: dict[str, EmployeeRow] | None = None
        self.notes: list[str] = []

    def entity(self, entity: EntityName) -> answers.EntityPlan:
        """The plan of an entity. A plan or batch that cannot be read costs no other."""
        status = self._run.entities[entity]
        try:
            plan = read_plan(self._services.documents, self._run, entity)
        except UnreadableDocument as error:
            self.notes.append(str(error))
            plan = None
        return {
            "entity": entity,
            "phase": status.phase,
            "reason": status.reason,
            "planned": plan is not None,
            "held": reasons_to_hold(plan) if plan else [],
            "parts": self._parts(entity, plan) if plan else [],
            "problems": [self._problem(entity, one) for one in plan.problems] if plan else [],
            "vanished": plan.vanished if plan else {"count": 0, "keys": []},
        }

    def _parts(self, entity: EntityName, plan: Plan) -> list[answers.PlannedPart]:
        parts: dict[Action, answers.PlannedPart] = {
            action: {"action": action, "count": 0, "held": 0, "by_field": {}, "records": []}
            for action in IN_ORDER_OF_DANGER
        }
        for change, is_held in self._changes(entity, plan):
            part = parts[change.action]
            part["count"] += 1
            part["held"] += is_held
            for name in change.fields:
                part["by_field"][name] = part["by_field"].get(name, 0) + 1
            if change.action in ABOUT_ACCESS or self._most is None or len(part["records"]) < self._most:
                part["records"].append(self._record(entity, change, is_held))
        return [part for part in parts.values() if part["count"]]

    def _changes(self, entity: EntityName, plan: Plan) -> Iterator[tuple[Change, bool]]:
        """With whether they are held."""
        for number in plan.all_numbers:
            is_held = number in plan.held_numbers
            try:
                plan_id = plan.plan_of(number)
                changes = read_batch(self._services.documents, self._run.run_id, entity, plan_id, number)
                yield from ((change, is_held) for change in changes)
            except UnreadableDocument as error:
                self.notes.append(str(error))

    def _record(self, entity: EntityName, change: Change, is_held: bool) -> answers.PlannedRecord:
        return {
            "key": change.key,
            "name": self._name(entity, change),
            "why": self._why(change) if change.action in ABOUT_ACCESS else None,
            "fields": [
                {
                    "field": name,
                    "before": self._known(change.before.get(name), value),
                    "after": readable(value),
                }
                for name, value in change.fields.items()
            ],
            "warnings": list(change.warnings),
            "held": is_held,
        }

    def _name(self, entity: EntityName, change: Change) -> str:
        """What people call the record: as SafetyAmp has it, else as it would be created."""
        known = {**change.core, **fields_of(entry_of(self._state(entity), change.key))}
        return name_of(entity, known) or name_of(entity, {**change.before, **change.fields})

    def _problem(self, entity: EntityName, one: Problem) -> answers.RecordProblem:
        told: answers.RecordProblem = {
            "key": one["key"],
            "kind": one["kind"],
            "reason": one["reason"],
            "field": one.get("field"),
        }
        if cause := one.get("cause"):
            told["cause"] = cause
        if name := name_of(entity, fields_of(entry_of(self._state(entity), one["key"]))):
            told["name"] = name
        return told

    def _known(self, before: Any, after: Any) -> Any:
        """The value that is there, a record's id as the key by which the sync knows it."""
        ref = reference(after)
        if ref is None or before is None:
            return before
        key = self._keys_by_id(ref.entity).get(before)
        return before if key is None else {"entity": ref.entity, "key": key}

    def _keys_by_id(self, entity: str) -> dict[int | str | None, str]:
        if entity not in self._keys:
            state = self._state(entity)
            keys = state.keys_in_target() if state else ()
            self._keys[entity] = {state.target_id(key): key for key in keys} if state else {}
        return self._keys[entity]

    def _state(self, entity: str) -> EntityState | None:
        if entity not in self._states:
            self._states[entity] = read_state(self._services.documents, entity)
        return self._states[entity]

    def _why(self, change: Change) -> str | None:
        """What Vista says now of somebody whose access changes; None while it cannot be read."""
        if self._employed is None:
            self._employed = self._read_vista()
        if not self._employed:
            return None
        row = self._employed.get(change.key)
        if row is None:
            return NOT_IN_VISTA
        hired, left = _day(row.hire_date), _day(row.term_date)
        if change.action == "reactivate":
            return f"HireDate {hired}, {f'TermDate {left}' if left else 'no TermDate'}"
        return f"TermDate {left}" if left else NO_TERM_DATE

    def _read_vista(self) -> dict[str, EmployeeRow]:
        try:
            rows = self._services.vista.employees().records
        except UNREADABLE as error:
            self.notes.append(f"Vista cannot be read now, so that nothing tells why access changes: {error}")
            return {}
        if not rows:
            self.notes.append("Vista shows nobody now, so that nothing tells why access changes")
        return {str(employee_number(row.employee)): row for row in rows}


def _day(value: object) -> str | None:
    return str(value)[:10] if value else None

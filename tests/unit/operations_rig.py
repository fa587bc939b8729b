"""What operators ask about: runs as they are kept, written without an engine that made them, and sources
that hold what a test says. Answers are held against the OpenAPI description."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, cast

from jsonschema import Draft202012Validator

from shared.clients.receipts import Reading, Receipt
from shared.clients.vista.queries import VistaColumns
from shared.clients.vista.rows import DepartmentRow, EmployeeRow, JobRow
from shared.queries.openapi.document import openapi_document
from shared.storage.documents import create_json, read_json, to_json
from shared.sync import paths
from shared.sync.documents.change import Change
from shared.sync.documents.outcome import Outcome, outcomes_to_json
from shared.sync.documents.plans import batch_to_json
from shared.sync.documents.progress import Progress
from shared.sync.documents.runs import EntityStatus, Run, RunPhase, RunRequest, get_run, requested_at
from shared.sync.documents.state import EntityState, Entry
from shared.sync.model import EntityName
from tests.unit.engine_rig import EngineRig, OfWork, a_plan

PLAN_ID = "a1b2c3d4"


def nth_run(number: int) -> str:
    """The id of a run that was asked for at this minute of the fifth of January 2026."""
    return f"20260105-{number // 60:02d}{number % 60:02d}00-0a1b2c"


def nth_time(number: int) -> str:
    """When that run was asked for."""
    return requested_at(nth_run(number))


def change(key: str = "7", action: Any = "update", **members: Any) -> Change:
    """A change of one field, unless `members` say otherwise."""
    known: dict[str, Any] = {
        "target_id": None if action == "create" else f"u{key}",
        "fields": {"street": "1 Elm"},
        "before": {} if action == "create" else {"street": "2 Oak"},
        "core": {},
        "digest": "d",
    }
    return Change(key=key, action=action, **{**known, **members})


def outcome(key: str = "7", result: Any = "updated", action: str = "update", **members: Any) -> Outcome:
    """What became of that change."""
    return Outcome(key, action, result, "d", **members)


def ended(phase: Any = "done", *, reason: str | None = None, **counts: int) -> EntityStatus:
    """An entity that has ended, with what it counted."""
    return EntityStatus(phase, reason=reason, counts=counts, planned={"update": 1})


class Sources(OfWork):
    """Vista, Graph and Samsara; `away` makes each of Vista's reads raise."""

    def __init__(self) -> None:
        self.titles_rows: list[str | None] = []
        self.department_rows: list[DepartmentRow] = [DepartmentRow("07", "Pipe", "Gulf")]
        self.job_rows: list[JobRow] = [
            JobRow("100.", "Bridge", "07", "1 Main St", "Houma", "LA", "70360", "US")
        ]
        self.employee_rows: list[EmployeeRow] = []
        self.latest: list[tuple[int, str]] = []
        self.accounts: list[dict[str, Any]] = [{"id": "a0", "employeeId": "0", "mail": "x@tworivers.test"}]
        self.vehicle_rows: list[dict[str, Any]] = []
        self.away: Exception | None = None

    def _read(self, name: str, rows: Sequence[Any]) -> Reading[Any]:
        if self.away is not None:
            raise self.away
        return Reading(list(rows), Receipt(name, len(rows), 1, "end of rows"))

    def departments(self, _columns: VistaColumns | None = None) -> Reading[DepartmentRow]:
        return self._read("Vista departments", self.department_rows)

    def open_jobs(self, _columns: VistaColumns | None = None) -> Reading[JobRow]:
        return self._read("Vista open jobs", self.job_rows)

    def titles(self, _today: date, _columns: VistaColumns | None = None) -> Reading[str | None]:
        return self._read("Vista titles", self.titles_rows)

    def employees(self, _columns: VistaColumns | None = None) -> Reading[EmployeeRow]:
        return self._read("Vista employees", self.employee_rows)

    def latest_open_jobs(self, _today: date) -> Reading[tuple[int, str]]:
        return self._read("Vista latest open jobs", self.latest)

    def list_users(self) -> Reading[dict[str, Any]]:
        return self._read("Microsoft Graph users", self.accounts)

    def list_vehicles(self) -> Reading[dict[str, Any]]:
        return self._read("Samsara vehicles", self.vehicle_rows)


class NoCache:
    """A cache that keeps nothing."""

    def get_cached_data(
        self, _name: str, fetch: Callable[[], Any], _hours: float, *, force_refresh: bool = False
    ) -> Any:
        return json.loads(json.dumps(fetch()))


def employee(number: int = 7, **changed: Any) -> EmployeeRow:
    """Somebody who works at the bridge."""
    row = EmployeeRow(
        *(number, "Ann", None, "Lee", "1 Main St", None, "Houma", "LA", "70360", "US", None, None),
        *("1980-02-03", "2020-01-06", None, "07", f"p{number}@tworivers.test", None),
    )
    return row._replace(**changed)


class OperationsRig(EngineRig):
    """Documents, and sources."""

    def __init__(self, safetyamp: Any = None, **settings: str) -> None:
        super().__init__(safetyamp, **settings)
        self.sources = Sources()
        self.vista = self.graph = self.samsara = self.sources
        self.cache = NoCache()

    def keep_run(
        self,
        number: int = 1,
        phase: RunPhase = "done",
        entities: Mapping[str, EntityStatus] | None = None,
        *,
        finished_at: str | None = None,
        **request: Any,
    ) -> str:
        """A run with these entities, employees if none are named; its id."""
        statuses = {"employees": ended()} if entities is None else dict(entities)
        run_id = nth_run(number)
        asked = RunRequest(entities=cast(Any, tuple(statuses)), **request)
        run = Run(run_id, asked, requested_at(run_id), cast(Any, statuses), phase, finished_at)
        self.documents.write(paths.run(run_id), to_json(run.to_json()))
        return run_id

    def keep_plan(
        self, run_id: str, *batches: Sequence[Change], entity: EntityName = "employees", **members: Any
    ) -> None:
        """A plan of these batches."""
        changes = [one for batch in batches for one in batch]
        counts = {action: sum(one.action == action for one in changes) for action in ("create", "update")}
        plan = a_plan(**{"batches": len(batches), "counts": counts, **members})
        for number, batch in enumerate(batches, start=1):
            path = paths.batch(run_id, entity, PLAN_ID, number)
            create_json(self.documents, path, batch_to_json(entity, batch))
        create_json(self.documents, paths.plan(run_id, entity), plan)

    def keep_outcomes(
        self, run_id: str, number: int, *outcomes: Outcome, entity: EntityName = "employees", **members: Any
    ) -> None:
        """What became of a batch."""
        document = {**outcomes_to_json(outcomes), **members}
        create_json(self.documents, paths.outcome(run_id, entity, number), document)

    def keep_progress(
        self, run_id: str, number: int, *outcomes: Outcome, entity: EntityName = "employees", **members: Any
    ) -> None:
        """How far a batch has come."""
        progress = Progress(list(outcomes), **members)
        create_json(self.documents, paths.progress(run_id, entity, number), progress.to_json())

    def keep_state(
        self, records: Mapping[str, Entry], entity: EntityName = "employees", **members: Any
    ) -> None:
        """What is known of SafetyAmp."""
        state = EntityState(entity, **members)
        for key, entry in records.items():
            state.put(key, entry)
        self.documents.write(paths.state(entity), to_json(state.to_json()))

    def damage(self, path: str) -> None:
        """Something that was there cannot be read any more."""
        assert self.documents.read(path) is not None, path
        self.documents.write(path, b"{")

    def damage_record(self, key: str, entity: EntityName = "employees") -> None:
        """One record of the state cannot be read any more: it is only met when somebody looks at it."""
        path = paths.state(entity)
        state = read_json(self.documents, path)
        state["records"][key][2] = "{oops"
        self.documents.write(path, to_json(state))

    def the_run(self, run_id: str) -> Run:
        return get_run(self.documents, run_id)

    def everything(self) -> dict[str, bytes]:
        """All documents, to show that a question changes none."""
        found = {}
        for path in self.documents.list(""):
            document = self.documents.read(path)
            assert document is not None
            found[path] = document.data
        return found


def answers(operation: str, answer: Any) -> Any:
    """The answer as JSON, which must be what the description says of this operation."""
    document = openapi_document()
    (described,) = (
        found
        for methods in document["paths"].values()
        for found in methods.values()
        if found["operationId"] == operation
    )
    schema = described["responses"]["200"]["content"]["application/json"]["schema"]
    value = json.loads(json.dumps(answer))
    validator = Draft202012Validator({**schema, "components": document["components"]})
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
    assert errors == [], errors
    return value


class Untouched:
    """A SafetyAmp that nobody may ask."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"SafetyAmp was asked: {name}")

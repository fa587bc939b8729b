"""The engine's services with a small company behind them: sources to read, and a SafetyAmp to list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from typing import Any, cast

from shared.clients.http.call_meter import UpstreamCall
from shared.clients.http.work import Work
from shared.clients.receipts import Reading, Receipt
from shared.clients.vista.queries import VistaColumns
from shared.clients.vista.rows import DepartmentRow, EmployeeRow, JobRow
from shared.errors import NotFound
from shared.storage.cache import Cache
from shared.storage.documents import read_json, to_json, update_json
from shared.sync import paths
from shared.sync.documents.plans import plan_path, planning_path, read_batch
from shared.sync.documents.runs import EntityStatus, Run, RunRequest, change_run, get_run
from shared.sync.documents.state import EntityState, Entry, Flags, read_state
from shared.sync.entities import mappings
from shared.sync.lease import held_lease
from shared.sync.messages import EntityMessage, parse_entity_message
from shared.sync.model import EntityName
from shared.sync.planning.listing import TargetLister
from shared.sync.planning.planner import OnlyLeavers, make_plan
from shared.sync.planning.reader import mapping_options
from shared.sync.runs.entity_handler import sync_entity
from shared.sync.runs.requests import request_run
from shared.sync.services import Bound
from tests.unit.engine_rig import EngineRig, OfWork
from tests.unit.redis_rig import RedisRig

TABLES = ("departments", "open jobs", "titles", "employees", "latest open jobs")

VEHICLES_ON = {
    "SAFETYAMP_VEHICLE_SITE_ID": "51",
    "SAFETYAMP_VEHICLE_ASSET_TYPE_ID": "61",
    "SAMSARA_API_KEY": "samsara-5ecret",
}


def a_person(number: int, **columns: Any) -> EmployeeRow:
    """A row of Vista of somebody who works there since 2020."""
    row = EmployeeRow(
        employee=number,
        first_name=f"First{number}",
        middle_name=None,
        last_name=f"Last{number}",
        street="1 Main St",
        street2=None,
        city="Houma",
        state="LA",
        zip_code="70360",
        country=None,
        phone=None,
        sex="F",
        birth_date="1980-02-03 00:00:00",
        hire_date="2020-01-06 00:00:00",
        term_date=None,
        department="10",
        email=f"p{number}@home.example",
        title=None,
    )
    return row._replace(**columns)


def a_leaver(number: int, **columns: Any) -> EmployeeRow:
    return a_person(number, term_date="2025-11-01 00:00:00", **columns)


def a_user(number: int, **fields: Any) -> dict[str, Any]:
    """SafetyAmp's user for `a_person(number)`, equal to it."""
    return {
        "id": f"u{number}",
        "emp_id": str(number),
        "first_name": f"First{number}",
        "last_name": f"Last{number}",
        "email": f"p{number}@home.example",
        "gender": 0,
        "date_of_birth": "1980-02-03",
        "current_hire_date": "2020-01-06",
        "street": "1 Main St",
        "city": "Houma",
        "state": "LA",
        "zip_code": "70360",
        "home_site_id": 21,
        "system_access": 1,
        **fields,
    }


class KnownSource(OfWork):
    """Reads that give what is set; `fails` maps what is read to the error that it raises."""

    def __init__(self, system: str, service: str, *names: str) -> None:
        self._system = system
        self._service = service
        self.records: dict[str, list[Any]] = {name: [] for name in names}
        self.fails: dict[str, Exception] = {}
        self.asked: list[str] = []

    def read(self, name: str) -> Reading[Any]:
        self.asked.append(name)
        self.work.meter.count(UpstreamCall(self._service, f"GET {name}", "ok"))
        if error := self.fails.get(name):
            raise error
        records = list(self.records[name])
        return Reading(records, Receipt(f"{self._system} {name}", len(records), 1, "end"))


class KnownVista(KnownSource):
    """The payroll; `days` are those for which it was asked."""

    def __init__(self) -> None:
        super().__init__("Vista", "vista", *TABLES)
        self.days: list[date] = []

    def departments(self, _columns: VistaColumns | None = None) -> Reading[DepartmentRow]:
        return self.read("departments")

    def open_jobs(self, _columns: VistaColumns | None = None) -> Reading[JobRow]:
        return self.read("open jobs")

    def titles(self, today: date, _columns: VistaColumns | None = None) -> Reading[str | None]:
        self.days.append(today)
        return self.read("titles")

    def employees(self, _columns: VistaColumns | None = None) -> Reading[EmployeeRow]:
        return self.read("employees")

    def latest_open_jobs(self, today: date) -> Reading[tuple[int, str]]:
        self.days.append(today)
        return self.read("latest open jobs")


class ListedSafetyAmp(OfWork):
    """SafetyAmp as listings show it, one page each; `fails` as in `KnownSource`, by the resource."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.fails: dict[str, Exception] = {}
        self.asked: list[str] = []

    def _records(self, resource: str) -> list[dict[str, Any]]:
        self.asked.append(resource)
        self.work.meter.count(UpstreamCall("safetyamp", f"GET {resource}", "200"))
        if error := self.fails.get(resource):
            raise error
        return list(self.rows.get(resource, []))

    def list_pages(self, resource: str, start_page: int = 0) -> Iterator[list[dict[str, Any]]]:
        if start_page == 0:
            yield self._records(resource)

    def list_all(self, resource: str) -> Reading[dict[str, Any]]:
        records = self._records(resource)
        return Reading(records, Receipt(f"SafetyAmp {resource}", len(records), 1, "end"))

    def list_site_clusters(self) -> Reading[dict[str, Any]]:
        return self.list_all("site_clusters")

    def read(self, resource: str, target_id: int | str) -> dict[str, Any]:
        for row in self._records(resource):
            if row["id"] == target_id:
                return row
        raise NotFound("404", 404)


class PlanningRig(EngineRig):
    """A company of one department (10, in the region Coast) and one job (100., site 21), whose clusters,
    sites and titles SafetyAmp has. Everybody whom `hire` adds works on that job."""

    def __init__(self, entity: EntityName = "titles", **settings: str) -> None:
        super().__init__(ListedSafetyAmp(), **settings)
        self.entity: EntityName = entity
        self.vista = KnownVista()
        self.graph_source = KnownSource("Microsoft Graph", "graph", "users")
        self.samsara_source = KnownSource("Samsara", "samsara", "vehicles", "drivers")
        self.cache = Cache(RedisRig(clock=self.clock).connection(), self.clock)
        tables = self.vista.records
        tables["departments"] = [DepartmentRow("10", "Paving", "Coast")]
        tables["open jobs"] = [JobRow("100.", "Bridge", "10", None, None, None, None, None)]
        tables["titles"] = ["Welder"]
        self.graph_source.records["users"] = [
            {"id": "a0", "employeeId": None, "mail": "it@two-rivers.example"}
        ]
        self.safetyamp.rows = {
            "site_clusters": [
                {"id": 1, "depth": 0, "name": "Root", "parent_cluster_id": None},
                {"id": 11, "depth": 1, "name": "Coast", "external_code": "Coast", "parent_cluster_id": 1},
                {"id": 12, "depth": 2, "name": "10 - Paving", "external_code": "10", "parent_cluster_id": 11},
            ],
            "sites": [{"id": 21, "ext_id": "100.", "name": "100. - Bridge", "cluster_id": 12}],
            "roles": [{"id": 5, "name": "Field"}],
            "asset_types": [{"id": 61, "site_id": 51}],
        }
        if entity != "jobs":
            sites = EntityState("jobs")
            sites.put("100.", Entry(21, "d", {"name": "100. - Bridge"}, {}))
            self.know(sites)

    @property
    def graph(self) -> Any:
        return _Verbs(self.graph_source, list_users=partial(self.graph_source.read, "users"))

    @property
    def samsara(self) -> Any:
        return _Verbs(
            self.samsara_source,
            list_vehicles=partial(self.samsara_source.read, "vehicles"),
            list_active_drivers=partial(self.samsara_source.read, "drivers"),
        )

    def hire(self, *rows: EmployeeRow) -> None:
        """These people, and no others, are in Vista, with a job and an account each."""
        self.vista.records["employees"] = list(rows)
        self.vista.records["latest open jobs"] = [(row.employee, "100.") for row in rows]
        self.graph_source.records["users"] = [
            {"id": f"a{row.employee}", "employeeId": str(row.employee), "mail": row.email} for row in rows
        ]

    def list_users(self, *numbers: int, **fields: Any) -> None:
        """SafetyAmp lists these users."""
        self.safetyamp.rows["users"] = [a_user(number, **fields) for number in numbers]

    def know(self, state: EntityState) -> None:
        update_json(self.documents, paths.state(state.entity), lambda _: state.to_json())

    def know_users(self, *numbers: int, digest: str | None = "d", **flags: Any) -> EntityState:
        """The state knows these users, equal to Vista's rows, as of an earlier run."""
        mapping = mappings(mapping_options(self.settings))["employees"]
        state = EntityState("employees", updated_by="earlier/plan", listed=len(numbers))
        for number in numbers:
            target = mapping.target(a_user(number))
            assert target is not None
            state.put(str(number), Entry(f"u{number}", digest, target.fields, cast(Flags, dict(flags))))
        self.know(state)
        return state

    def run(self, **request: Any) -> Run:
        """A run under way of the rig's entity."""
        run_id = request_run(self.services, RunRequest(**{"entities": (self.entity,), **request}))
        return get_run(self.documents, run_id)

    def plan(
        self, run: Run | None = None, only_leavers: OnlyLeavers | None = None, **request: Any
    ) -> dict[str, Any]:
        """Plan as a handler does, under the planner's lease; the plan in force then."""
        run = run or self.run(**request)
        path = planning_path(run, self.entity)
        with held_lease(Bound(self.services, Work()), path) as lease:
            lister = TargetLister(lease.services, path, meter=lease.services.work.meter, lease=lease)
            make_plan(lease.services, run, self.entity, lister, only_leavers)
        return self.stored_plan(run)

    def stored_plan(self, run: Run) -> dict[str, Any]:
        plan: dict[str, Any] = read_json(self.documents, plan_path(run, self.entity))
        return plan

    def actions(self, run: Run, plan: dict[str, Any]) -> list[tuple[str, str]]:
        """Action and key of each change of the plan, in order."""
        return [
            (change.action, change.key)
            for number in range(1, plan["batches"] + 1)
            for change in read_batch(self.documents, run.run_id, self.entity, plan["plan_id"], number)
        ]

    def state(self) -> EntityState | None:
        return read_state(self.documents, self.entity)

    def status(self, run: Run) -> EntityStatus:
        return get_run(self.documents, run.run_id).entities[self.entity]

    def change_status(self, run: Run, change: Callable[[EntityStatus], None]) -> Run:
        return change_run(self.documents, run.run_id, lambda found: change(found.entities[self.entity]))

    def deliver(self, run: Run, *, cause: str = "start", attempt: int = 1) -> None:
        """Handle the entity's message."""
        sync_entity(self.services, EntityMessage(run.run_id, self.entity, cause, attempt))

    def deliver_next(self) -> EntityMessage:
        """Handle the last message that was sent, at its time."""
        message = self.bus.sent.pop()
        if message.deliver_at:
            self.clock.advance_to(message.deliver_at)
        parsed = parse_entity_message(message.body.encode())
        sync_entity(self.services, parsed)
        return parsed

    def put(self, path: str, value: Any) -> None:
        self.documents.write(path, to_json(value))


class _Verbs:
    """A client's methods."""

    def __init__(self, source: KnownSource, **verbs: Callable[[], Reading[Any]]) -> None:
        self._source = source
        self.__dict__.update(verbs)

    def under(self, work: Work) -> _Verbs:
        self._source.under(work)
        return self

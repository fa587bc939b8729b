"""Reading the sources: every entity's source, with the sizes of all reads that it rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, TypedDict, TypeVar
from zoneinfo import ZoneInfo

from shared.clients.receipts import Reading
from shared.clients.vista.queries import VistaColumns
from shared.clients.vista.rows import DepartmentRow
from shared.errors import IncompleteRead, SafetyAmpError, UnreadableDocument
from shared.storage.decoding import decode
from shared.sync.documents.state import EntityState
from shared.sync.entities import mappings
from shared.sync.entities.employee_facts import jobs_by_number, with_account
from shared.sync.entities.employee_fields import employee_fields
from shared.sync.entities.guarded import desired_of
from shared.sync.entities.mail import mail_directory
from shared.sync.entities.regions import known_regions, regions_of_departments
from shared.sync.mapping import EntityMapping
from shared.sync.model import Desired, EntityName, JsonValue, Rejected, Source, SourceRecord
from shared.sync.planning.guard import EMPLOYEES_ACCOUNTS, FEWEST_ACCOUNTS, refuse_empty
from shared.sync.planning.resolver import Resolver
from shared.sync.rules.columns import columns_of
from shared.sync.services import Services
from shared.sync.sources import (
    DepartmentsSource,
    EmployeesSource,
    JobsSource,
    MailDirectory,
    MappingOptions,
    TitlesSource,
    VehiclesSource,
)

if TYPE_CHECKING:
    from shared.config import Settings
    from shared.sync.rules.model import Rules

S = TypeVar("S")

GRAPH = "Microsoft"
CHECK_VISTA = "Check VISTA_COMPANY and that the SQL login may read all rows"
CHECK_GRAPH = (
    "Check that MS_GRAPH_TENANT_ID is the company's tenant, and that the app registration of "
    "MS_GRAPH_CLIENT_ID has User.Read.All with admin consent"
)
CHECK_NUMBERS = (
    "Check employeeId of the accounts in Microsoft Entra: it must be the employee number as Vista has it. If"
    ' it is not meant to be there any more, take "Microsoft account" out of the rule for email'
)
CHECK_SAMSARA = (
    "Check the scopes and tags of SAMSARA_API_KEY; to leave vehicles out, unset SAFETYAMP_VEHICLE_SITE_ID"
)


@dataclass(frozen=True)
class SourceRead:
    """A source and the number of records of each read behind it, by what was read."""

    source: Source
    counts: dict[str, int]


def vista_columns(rules: Rules) -> VistaColumns:
    """The columns that are read of Vista under these rules."""
    return VistaColumns(
        title=rules.titles.column,
        region=rules.departments.region_column,
        employees=columns_of(rules, "employees").more,
        jobs=columns_of(rules, "jobs").more,
        departments=columns_of(rules, "departments").more,
    )


def with_known_regions(source: S, state: EntityState | None) -> S:
    """The source, if it is that of departments, with the regions that `state`, theirs, knows in SafetyAmp."""
    if not isinstance(source, DepartmentsSource) or state is None:
        return source
    return replace(source, known_regions=known_regions(state.keys_in_target()))


def mapping_options(settings: Settings, rules_text: str | None = None) -> MappingOptions:
    """The settings that influence the mapping, and the rules: None are the default file's."""
    return MappingOptions(
        home_office_suffix=settings.home_office_suffix,
        default_country=settings.default_country,
        default_timezone=settings.default_timezone,
        default_role=settings.safetyamp_default_role,
        vehicle_site_id=settings.safetyamp_vehicle_site_id,
        vehicle_asset_type_id=settings.safetyamp_vehicle_asset_type_id,
        vehicle_assign_driver=settings.vehicle_assign_driver,
        site_default_state=settings.site_default_state,
        site_default_zip_code=settings.site_default_zip_code,
        title_column=settings.vista_title_column,
        region_column=settings.vista_region_column,
        rules_text=rules_text,
    )


class SourceReader:
    """Reads for one handler; `refresh` goes past the cache. `without_graph`: nobody's account is known, which
    does for telling who has left, and for nothing else."""

    def __init__(
        self,
        services: Services,
        resolver: Resolver,
        options: MappingOptions,
        *,
        refresh: bool,
        without_graph: bool = False,
    ) -> None:
        self._without_graph = without_graph
        self._services = services
        self._resolver = resolver
        self._refresh = refresh
        self._options = options
        self._columns = vista_columns(options.rules)
        self._counts: dict[str, int] = {}

    def read(self, entity: EntityName, last_counts: dict[str, int]) -> SourceRead:
        """The entity's source.

        Raises IncompleteRead when a source that cannot be empty is; the clients' errors pass through.
        """
        readers: dict[EntityName, Callable[[], Source]] = {
            "departments": self._departments,
            "jobs": self._jobs,
            "titles": self._titles,
            "employees": self._employees,
            "vehicles": self._vehicles,
        }
        source = readers[entity]()
        for name, count in self._counts.items():
            last = last_counts.get(name)
            if name not in MAY_BE_EMPTY or (last or 0) >= MAY_BE_EMPTY[name]:
                self._refuse_empty(name, count, last)
        return SourceRead(source, self._counts)

    def _refuse_empty(self, name: str, count: int, last: int | None) -> None:
        try:
            refuse_empty(name, count, last, _advice(name))
        except IncompleteRead as error:
            if _system(name) == GRAPH:
                error.only = "accounts"  # as good as not read: who has left does not wait for it
            raise

    def today(self) -> date:
        """The day in the company's time zone."""
        return (
            self._services.clock.now().astimezone(ZoneInfo(self._services.settings.default_timezone)).date()
        )

    def _counted(self, reading: Reading[S]) -> list[S]:
        self._counts[reading.receipt.source] = reading.receipt.records
        return reading.records

    def _departments(self) -> DepartmentsSource:
        return DepartmentsSource(self._department_rows)

    @cached_property
    def _department_rows(self) -> list[DepartmentRow]:
        return self._counted(self._services.vista.departments(self._columns))

    def _jobs(self) -> JobsSource:
        clusters = self._kept("departments", self._departments())
        return JobsSource(self._counted(self._services.vista.open_jobs(self._columns)), clusters)

    def _titles(self) -> TitlesSource:
        rows = self._counted(self._services.vista.titles(self.today(), self._columns))
        return TitlesSource(rows)

    def _employees(self) -> EmployeesSource:
        job_keys = self._kept("jobs", self._jobs())
        departments = with_known_regions(self._departments(), self._resolver.state("departments"))
        regions = regions_of_departments(departments)
        offices, crowded = self._offices(frozenset(regions.values()))
        # Before the employees are read: the accounts, which take as much memory, are dropped here.
        mails = self._mails()
        latest = self._counted(self._services.vista.latest_open_jobs(self.today()))
        rows = self._counted(self._services.vista.employees(self._columns))
        if self._asks_microsoft:
            self._counts[EMPLOYEES_ACCOUNTS] = with_account(rows, mails)
        return EmployeesSource(
            rows=rows,
            latest_jobs=jobs_by_number(latest),
            job_keys=job_keys,
            regions=regions,
            offices=offices,
            crowded_offices=crowded,
            mails=mails,
            today=self.today(),
            options=self._options,
        )

    @property
    def _asks_microsoft(self) -> bool:
        return not self._without_graph and employee_fields(self._options).asks_microsoft

    def _mails(self) -> MailDirectory:
        if not self._asks_microsoft:
            return MailDirectory({})
        try:
            return mail_directory(self._cached("graph_users", self._services.graph.list_users))
        except SafetyAmpError as error:
            error.only = "accounts"  # who has left can be told without
            raise

    def _kept(self, entity: EntityName, source: Source) -> frozenset[str]:
        """Keys of the source that SafetyAmp has or will get: only for these may others wait. What it has
        counts whatever is wrong with its row today, or one odd row would move everybody who belongs there."""
        mapping, state = mappings(self._options)[entity], self._resolver.state(entity)
        there = frozenset(state.keys_in_target()) if state else frozenset()
        if entity == "departments" and state:
            there |= state.unmatched.keys()  # by the code, wherever somebody put the cluster
        return frozenset(
            record.key
            for record in mapping.records(source)
            if record.key in there or _is_sent(mapping, record)
        )

    def _vehicles(self) -> VehiclesSource:
        employees: frozenset[str] = frozenset()
        drivers: list[dict[str, JsonValue]] = []
        if self._options.rules.vehicles.assign_driver:
            state = self._resolver.state("employees")
            employees = frozenset(state.keys_not_off()) if state else frozenset()
            drivers = self._cached("samsara_drivers", self._services.samsara.list_active_drivers)
        vehicles = self._cached("samsara_vehicles", self._services.samsara.list_vehicles)
        return VehiclesSource(vehicles, drivers, employees)

    def _offices(self, regions: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Regions with one office site, and regions with several."""
        clusters, sites = self._resolver.state("departments"), self._resolver.state("jobs")
        offices, crowded = set(), set()
        for region in regions:
            cluster_id = clusters.target_id(f"region:{region}") if clusters else None
            if cluster_id is None or sites is None:
                continue
            if f"office:{cluster_id}" in sites.ambiguous:
                crowded.add(region)
            elif sites.target_id(f"office:{cluster_id}") is not None:
                offices.add(region)
        return frozenset(offices), frozenset(crowded)

    def _cached(
        self, name: str, read: Callable[[], Reading[dict[str, JsonValue]]]
    ) -> list[dict[str, JsonValue]]:
        """A listing through the cache, with its receipt."""

        def fetch() -> dict[str, JsonValue]:
            reading = read()
            return {"source": reading.receipt.source, "records": reading.records}

        def cached(*, anew: bool) -> _Listing:
            hours = self._services.settings.cache_ttl_hours
            value = self._services.cache.get_cached_data(name, fetch, hours, force_refresh=anew)
            return decode(_Listing, value, name)

        try:
            listing = cached(anew=self._refresh)
        except UnreadableDocument:
            listing = cached(anew=True)  # What another version cached, or anybody.
        self._counts[listing["source"]] = len(listing["records"])
        return listing["records"]


def _is_sent(mapping: EntityMapping, record: SourceRecord | Rejected) -> bool:
    return not isinstance(record, Rejected) and isinstance(desired_of(mapping, record), Desired)


class _Listing(TypedDict):
    """A listing as it is cached."""

    source: str
    records: list[dict[str, JsonValue]]


def _system(source: str) -> str:
    """Whose source it is: the beginning of its name."""
    return source.split()[0]


def _advice(source: str) -> str:
    """What to check when there is nothing in a source."""
    if source == EMPLOYEES_ACCOUNTS:
        return CHECK_NUMBERS
    return {GRAPH: CHECK_GRAPH, "Samsara": CHECK_SAMSARA}.get(_system(source), CHECK_VISTA)


MAY_BE_EMPTY = {"Samsara drivers": 1, "Vista latest open jobs": 1, EMPLOYEES_ACCOUNTS: FEWEST_ACCOUNTS}
"""Reads that a new company may find empty; once there were so many, they must not be."""

"""Reading the sources: what each entity rests on, how much of it there is, and what must not be empty."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import pytest

from shared.clients.vista.rows import DepartmentRow, JobRow
from shared.errors import APIError, IncompleteRead, SafetyAmpError, UpstreamUnavailable
from shared.sync.documents.state import EntityState, Entry
from shared.sync.model import EntityName
from shared.sync.planning.guard import EMPLOYEES_ACCOUNTS
from shared.sync.planning.reader import (
    CHECK_GRAPH,
    CHECK_NUMBERS,
    CHECK_SAMSARA,
    CHECK_VISTA,
    SourceRead,
    SourceReader,
    mapping_options,
    with_known_regions,
)
from shared.sync.planning.resolver import Resolver
from shared.sync.sources import DepartmentsSource, EmployeesSource, JobsSource, MailDirectory, TitlesSource
from tests.unit.planning_rig import VEHICLES_ON, PlanningRig, a_person

ASSIGNED = {**VEHICLES_ON, "VEHICLE_ASSIGN_DRIVER": "true"}
AN_HOUR = 3600


def read(
    rig: PlanningRig,
    *,
    refresh: bool = False,
    without_graph: bool = False,
    last: dict[str, int] | None = None,
) -> SourceRead:
    """The source of the rig's entity, as a new handler reads it."""
    resolver = Resolver(rig.services, "r", rig.entity)
    options = mapping_options(rig.services.settings)
    reader = SourceReader(rig.services, resolver, options, refresh=refresh, without_graph=without_graph)
    return reader.read(rig.entity, last or {})


def a_company(entity: EntityName, **settings: str) -> PlanningRig:
    rig = PlanningRig(entity, **settings)
    rig.hire(a_person(1), a_person(2))
    rig.samsara_source.records["vehicles"] = [{"id": "281", "name": "Truck", "serial": "SN1"}]
    rig.samsara_source.records["drivers"] = [{"id": "9"}]
    return rig


@pytest.mark.parametrize(
    ("entity", "settings", "counts"),
    [
        ("departments", {}, {"Vista departments": 1}),
        ("jobs", {}, {"Vista departments": 1, "Vista open jobs": 1}),
        ("titles", {}, {"Vista titles": 1}),
        (
            "employees",
            {},
            {
                "Vista departments": 1,
                "Vista open jobs": 1,
                "Microsoft Graph users": 2,
                "Vista latest open jobs": 2,
                "Vista employees": 2,
                EMPLOYEES_ACCOUNTS: 2,
            },
        ),
        ("vehicles", VEHICLES_ON, {"Samsara vehicles": 1}),
        ("vehicles", ASSIGNED, {"Samsara vehicles": 1, "Samsara drivers": 1}),
    ],
)
def test_every_read_that_an_entity_rests_on_is_counted_and_no_other_is_made(
    entity: EntityName, settings: dict[str, str], counts: dict[str, int]
) -> None:
    rig = a_company(entity, **settings)
    assert read(rig).counts == counts
    asked = {*rig.vista.asked, *rig.graph_source.asked, *rig.samsara_source.asked}
    assert len(asked) == len(counts.keys() - {EMPLOYEES_ACCOUNTS})


class TestAnEmptyRead:
    @pytest.mark.parametrize(
        ("entity", "emptied", "advice"),
        [
            ("departments", "departments", CHECK_VISTA),
            ("jobs", "departments", CHECK_VISTA),
            ("jobs", "open jobs", CHECK_VISTA),
            ("titles", "titles", CHECK_VISTA),
            ("employees", "employees", CHECK_VISTA),
            ("employees", "users", CHECK_GRAPH),
            ("vehicles", "vehicles", CHECK_SAMSARA),
        ],
    )
    def test_is_an_error_that_says_what_to_check(self, entity: EntityName, emptied: str, advice: str) -> None:
        rig = a_company(entity, **VEHICLES_ON)
        for source in (rig.vista, rig.graph_source, rig.samsara_source):
            if emptied in source.records:
                source.records[emptied] = []
        with pytest.raises(IncompleteRead) as raised:
            read(rig)
        assert str(raised.value).endswith(advice)
        assert f"{emptied}: the source returned no records" in str(raised.value)

    @pytest.mark.parametrize(
        ("entity", "emptied", "name"),
        [
            ("employees", "latest open jobs", "Vista latest open jobs"),
            ("vehicles", "drivers", "Samsara drivers"),
        ],
    )
    def test_is_right_for_a_new_company_where_it_may_be_until_it_was_not(
        self, entity: EntityName, emptied: str, name: str
    ) -> None:
        rig = a_company(entity, **ASSIGNED)
        for source in (rig.vista, rig.samsara_source):
            if emptied in source.records:
                source.records[emptied] = []
        assert read(rig).counts[name] == 0
        assert read(rig, last={name: 0}).counts[name] == 0
        with pytest.raises(IncompleteRead, match="the last good run read 1"):
            read(rig, last={name: 1})

    def test_says_how_many_there_were(self) -> None:
        rig = a_company("titles")
        rig.vista.records["titles"] = []
        with pytest.raises(IncompleteRead, match=r"Vista titles: .* \(the last good run read 12\)"):
            read(rig, last={"Vista titles": 12})


class TestTheDay:
    """It is the company's, not UTC's."""

    @pytest.mark.parametrize(
        ("zone", "day"),
        [("America/Chicago", date(2026, 1, 5)), ("Asia/Tokyo", date(2026, 1, 6)), ("UTC", date(2026, 1, 6))],
    )
    @pytest.mark.parametrize("entity", ["titles", "employees"])
    def test_is_what_vista_is_asked_for(self, zone: str, day: date, entity: EntityName) -> None:
        rig = a_company(entity, DEFAULT_TIMEZONE=zone)
        rig.clock.advance_to(datetime(2026, 1, 6, 5, 59, tzinfo=UTC))
        source = read(rig).source
        assert rig.vista.days == [day]
        if isinstance(source, EmployeesSource):
            assert source.today == day


class TestTheCache:
    """Accounts and vehicles come from it, unless a run asks for a refresh."""

    @pytest.mark.parametrize(("entity", "listing"), [("employees", "users"), ("vehicles", "vehicles")])
    def test_is_used_for_an_hour(self, entity: EntityName, listing: str) -> None:
        rig = a_company(entity, **VEHICLES_ON)
        source = rig.graph_source if entity == "employees" else rig.samsara_source
        first = read(rig)
        source.records[listing] = []
        rig.clock.advance(AN_HOUR - 1)
        assert read(rig).counts == first.counts
        assert source.asked == [listing]
        rig.clock.advance(1)
        with pytest.raises(IncompleteRead):
            read(rig)

    def test_is_passed_by_with_refresh_and_holds_what_was_read_then(self) -> None:
        rig = a_company("employees")
        read(rig)
        rig.hire(a_person(1, email="new@two-rivers.example"), a_person(2))
        assert read(rig).source.mails.usable["1"] == "p1@home.example"
        assert read(rig, refresh=True).source.mails.usable["1"] == "new@two-rivers.example"
        assert read(rig).source.mails.usable["1"] == "new@two-rivers.example"
        assert rig.graph_source.asked == ["users", "users"]

    @pytest.mark.parametrize(
        "value", [{"records": []}, {"source": "x", "records": [1]}, [1], "text"], ids=repr
    )
    def test_that_holds_something_else_is_passed_by(self, value: Any) -> None:
        rig = a_company("employees")
        rig.cache.get_cached_data("graph_users", lambda: value, 1)
        assert read(rig).counts["Microsoft Graph users"] == 2

    def test_of_no_hours_is_no_cache(self) -> None:
        rig = a_company("employees", CACHE_TTL_HOURS="0")
        read(rig)
        read(rig)
        assert rig.graph_source.asked == ["users", "users"]

    def test_keeps_no_read_that_failed(self) -> None:
        rig = a_company("employees")
        rig.graph_source.fails["users"] = UpstreamUnavailable("503", 503)
        with pytest.raises(UpstreamUnavailable):
            read(rig)
        rig.graph_source.fails.clear()
        assert read(rig).counts["Microsoft Graph users"] == 2


class TestWithoutGraph:
    def test_nobody_s_account_is_known_and_graph_is_not_asked(self) -> None:
        rig = a_company("employees")
        found = read(rig, without_graph=True)
        assert found.source.mails == MailDirectory({})
        assert not {"Microsoft Graph users", EMPLOYEES_ACCOUNTS} & found.counts.keys()
        assert rig.graph_source.asked == []

    @pytest.mark.parametrize(
        "error", [IncompleteRead("cut off"), APIError("odd", 409), UpstreamUnavailable("503", 503)], ids=repr
    )
    def test_leavers_can_be_told_says_an_error_of_graph(self, error: SafetyAmpError) -> None:
        rig = a_company("employees")
        rig.graph_source.fails["users"] = error
        with pytest.raises(type(error)) as raised:
            read(rig)
        assert raised.value.only == "accounts"

    def test_leavers_cannot_be_told_says_an_error_of_anything_else(self) -> None:
        rig = a_company("employees")
        rig.vista.fails["latest open jobs"] = IncompleteRead("cut off")
        with pytest.raises(IncompleteRead) as raised:
            read(rig)
        assert raised.value.only is None

    def test_an_empty_graph_is_as_good_as_none(self) -> None:
        """It is not believed, and who has left does not wait until that is mended."""
        rig = a_company("employees")
        rig.graph_source.records["users"] = []
        with pytest.raises(IncompleteRead) as raised:
            read(rig)
        assert raised.value.only == "accounts"

    @pytest.mark.parametrize("number", [None, "E1", "3"], ids=["cleared", "prefixed", "of somebody else"])
    def test_accounts_without_anybody_s_number_are_as_good_as_none(self, number: str | None) -> None:
        """As many as ever, and everybody would count as having none: their addresses would become private."""
        rig = a_company("employees")
        for account in rig.graph_source.records["users"]:
            account["employeeId"] = number
        assert read(rig, last={EMPLOYEES_ACCOUNTS: 2}).counts[EMPLOYEES_ACCOUNTS] == 0, "two may have left"
        with pytest.raises(IncompleteRead) as raised:
            read(rig, last={EMPLOYEES_ACCOUNTS: 3})
        assert raised.value.only == "accounts"
        assert str(raised.value).endswith(CHECK_NUMBERS)

    def test_a_disabled_account_and_one_of_two_are_accounts_of_theirs(self) -> None:
        rig = a_company("employees")
        accounts = rig.graph_source.records["users"]
        accounts[0]["accountEnabled"] = False
        accounts.append({**accounts[1], "id": "twin"})
        assert read(rig).counts[EMPLOYEES_ACCOUNTS] == 2


class TestWhatOthersMayWaitFor:
    """Only what the sync keeps in SafetyAmp: a skipped record will never be there."""

    def test_no_read_of_vista_is_made_twice_for_one_entity(self) -> None:
        rig = a_company("employees")
        read(rig)
        assert max(Counter(rig.vista.asked).values()) == 1

    def test_jobs_know_the_departments_that_have_a_cluster(self) -> None:
        rig = PlanningRig("jobs")
        rig.vista.records["departments"] += [
            DepartmentRow("20", None, "Coast"),
            DepartmentRow("30", "Steel", None),
            DepartmentRow("40", "Roofs", "Coast"),
            DepartmentRow("50", "Twice", "Coast"),
            DepartmentRow("50 ", "Twice", "Coast"),
        ]
        source = read(rig).source
        assert isinstance(source, JobsSource)
        assert source.departments == {"10", "40", "region:Coast"}

    def test_what_is_in_safetyamp_stays_whatever_is_wrong_with_its_row(self) -> None:
        """Neither what vanished from the source nor what is known only for a refusal."""
        rig = a_company("employees")
        rig.vista.records["departments"] += [
            DepartmentRow(code, None, None) for code in ("20", "30", "30 ", "40")
        ]
        departments = EntityState("departments")
        for code, target_id in (("20", 20), ("30", 30), ("40", None), ("99", 99)):
            departments.put(code, Entry(target_id, "d", {}, {}))
        rig.know(departments)
        rig.vista.records["open jobs"] += [
            JobRow(job, None, code, None, None, None, None, None)
            for job, code in (("200.", "20"), ("300.", "30"), ("400.", "40"), ("500.", "?"), ("999.", "99"))
        ]
        sites = EntityState("jobs")
        sites.put("500.", Entry(25, "d", {}, {}))
        sites.ambiguous["400."] = [26, 27]
        rig.know(sites)
        source = read(rig).source
        assert isinstance(source, EmployeesSource)
        assert source.job_keys == {"100.", "200.", "300.", "400.", "500."}

    def test_employees_know_the_jobs_that_become_sites(self) -> None:
        rig = a_company("employees")
        rig.vista.records["open jobs"] += [
            JobRow("200.", "Nobody's", "99", None, None, None, None, None),
            JobRow("300.", "Pier", "10", None, None, None, None, None),
            JobRow("400.", "No department", None, None, None, None, None, None),
        ]
        source = read(rig).source
        assert isinstance(source, EmployeesSource)
        assert source.job_keys == {"100.", "300."}

    def test_employees_know_their_latest_jobs_by_number(self) -> None:
        rig = a_company("employees")
        rig.vista.records["latest open jobs"] = [("1", "100."), (2.0, "100."), ("?", "100.")]
        assert read(rig).source.latest_jobs == {1: "100.", 2: "100."}

    def test_vehicles_know_employees_only_when_drivers_are_assigned(self) -> None:
        for settings, employees in ((VEHICLES_ON, set()), (ASSIGNED, {"1", "2"})):
            rig = a_company("vehicles", **settings)
            rig.know_users(1, 2)
            source = read(rig).source
            assert source.employees == employees
            assert bool(source.drivers) is bool(employees)

    def test_vehicles_know_nobody_who_has_no_access(self) -> None:
        rig = a_company("vehicles", **ASSIGNED)
        state = rig.know_users(1, 2, 3)
        for key, access in (("2", 0), ("3", None)):
            state.put(key, Entry(key, "d", {"system_access": access, "first_name": "'system_access':0,"}, {}))
        rig.know(state)
        assert read(rig).source.employees == {"1", "3"}

    def test_vehicles_know_nobody_before_anybody_is_known(self) -> None:
        assert read(a_company("vehicles", **ASSIGNED)).source.employees == frozenset()


class TestOffices:
    """The home of those without a job: the one office site in their region's cluster."""

    def source(self, *, cluster: int | None = 11, offices: tuple[int, ...] = (), sites: bool = True) -> Any:
        rig = a_company("employees")
        departments = EntityState("departments")
        departments.put("region:Coast", Entry(cluster, "d", {"name": "Coast"}, {}))
        rig.know(departments)
        jobs = EntityState("jobs")
        if len(offices) == 1:
            jobs.put("office:11", Entry(offices[0], "d", {}, {}))
        elif offices:
            jobs.ambiguous["office:11"] = list(offices)
        rig.know(jobs)
        if not sites:
            rig.documents.delete("state/jobs.json.gz")
        return read(rig).source

    @pytest.mark.parametrize(
        ("known", "offices", "crowded"),
        [
            ({"offices": (31,)}, {"Coast"}, set()),
            ({"offices": (31, 32)}, set(), {"Coast"}),
            ({}, set(), set()),
            ({"offices": (31,), "cluster": None}, set(), set()),
            ({"offices": (31,), "sites": False}, set(), set()),
        ],
        ids=["one", "several", "none", "no cluster", "no sites known"],
    )
    def test_are_known_by_region(self, known: dict[str, Any], offices: set[str], crowded: set[str]) -> None:
        source = self.source(**known)
        assert (source.offices, source.crowded_offices) == (offices, crowded)

    def test_are_none_before_departments_are_known(self) -> None:
        source = read(a_company("employees")).source
        assert (source.offices, source.crowded_offices) == (frozenset(), frozenset())
        assert source.regions == {"10": "Coast"}

    def test_are_none_of_a_region_without_cluster_although_a_site_has_none_either(self) -> None:
        rig = a_company("employees")
        jobs = EntityState("jobs")
        jobs.put("office:None", Entry(31, "d", {}, {}))
        rig.know(jobs)
        assert read(rig).source.offices == frozenset()

    def test_are_those_of_the_region_as_safetyamp_spells_it(self) -> None:
        rig = a_company("employees")
        rig.vista.records["departments"] = [DepartmentRow("10", "Paving", "COAST")]
        departments = EntityState("departments")
        departments.put("region:Coast", Entry(11, "d", {"name": "Coast"}, {}))
        rig.know(departments)
        jobs = EntityState("jobs")
        jobs.put("office:11", Entry(31, "d", {}, {}))
        rig.know(jobs)
        source = read(rig).source
        assert source.regions == {"10": "Coast"}
        assert source.offices == {"Coast"}


class TestKnownRegions:
    ROWS = DepartmentsSource([DepartmentRow("10", "Paving", "coast")])

    def test_are_those_that_one_record_or_several_have(self) -> None:
        state = EntityState("departments")
        state.put("region:Coast", Entry(11, None, {}, {}))
        state.put("region:Never", Entry(None, None, {}, {}))
        state.put("10", Entry(12, None, {}, {}))
        state.ambiguous["region:Gulf"] = [13, 14]
        assert with_known_regions(self.ROWS, state).known_regions == {"Coast", "Gulf"}

    def test_are_none_where_nothing_is_known(self) -> None:
        assert with_known_regions(self.ROWS, None) is self.ROWS

    def test_are_nothing_to_other_sources(self) -> None:
        titles = TitlesSource(["Welder"])
        assert with_known_regions(titles, EntityState("titles")) is titles


def test_the_settings_reach_the_mapping() -> None:
    rig = PlanningRig(
        "vehicles",
        **ASSIGNED,
        HOME_OFFICE_SUFFIX=" HQ",
        DEFAULT_COUNTRY="CA",
        DEFAULT_TIMEZONE="America/Denver",
        SAFETYAMP_DEFAULT_ROLE="Crew",
        SITE_DEFAULT_STATE="TX",
        SITE_DEFAULT_ZIP_CODE="77001",
        VISTA_TITLE_COLUMN="udTitle",
        VISTA_REGION_COLUMN="udArea",
    )
    assert vars(mapping_options(rig.settings)) == {
        "home_office_suffix": " HQ",
        "default_country": "CA",
        "default_timezone": "America/Denver",
        "default_role": "Crew",
        "vehicle_site_id": 51,
        "vehicle_asset_type_id": 61,
        "vehicle_assign_driver": True,
        "driver_external_id": "payrollId",
        "site_default_state": "TX",
        "site_default_zip_code": "77001",
        "title_column": "udTitle",
        "region_column": "udArea",
        "rules_text": None,
    }

"""What each line of a rules file makes of a row: fields, whose they are, who is in scope, who has left."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from shared.clients.vista.rows import DepartmentRow, EmployeeRow, JobRow
from shared.sync.entities import conditions, mappings
from shared.sync.findings import causes
from shared.sync.findings.causes import texts_of
from shared.sync.model import Desired, EntityName, Ref, Rejected, Source, SourceRecord
from shared.sync.rules.columns import columns_of
from shared.sync.rules.fields import FIELDS
from shared.sync.sources import (
    DepartmentsSource,
    EmployeesSource,
    JobsSource,
    MailDirectory,
    MappingOptions,
    VehiclesSource,
)

TODAY = date(2025, 7, 1)
ROW = EmployeeRow(
    employee=10027,
    first_name="ANN",
    middle_name=None,
    last_name="O'NEIL-LEE",
    street="1 Main St",
    street2=None,
    city="Houma",
    state="LA",
    zip_code="70360",
    country=None,
    phone="504-555-0142",
    sex="F",
    birth_date="1980-02-03 00:00:00",
    hire_date="2020-01-06 00:00:00",
    term_date=None,
    department="07",
    email="ann@home.example",
    title="Foreman",
)


def options(rules: str, **settings: Any) -> MappingOptions:
    return MappingOptions(rules_text=f"version = 1\n{rules}", **settings)


def results(entity: EntityName, source: Source, given: MappingOptions) -> list[Desired | Rejected]:
    mapping = mappings(given)[entity]
    return [
        mapping.desired(record) if isinstance(record, SourceRecord) else record
        for record in mapping.records(source)
    ]


def people(rules: str, *rows: EmployeeRow, **more: Any) -> list[Desired | Rejected]:
    """`more` are columns of bPREH that the rules name: column -> value, of every row."""
    given = options(rules)
    named = columns_of(given.rules, "employees").more
    assert set(named) == set(more), "as they are selected"
    values = tuple(more[name] for name in named)
    source = EmployeesSource(
        rows=[row._replace(more=values) for row in rows or (ROW,)],
        latest_jobs={10027: "123."},
        job_keys=frozenset({"123."}),
        regions={"07": "Gulf"},
        offices=frozenset({"Gulf"}),
        crowded_offices=frozenset(),
        mails=MailDirectory({"10027": "ann@corp.example"}),
        today=TODAY,
        options=given,
    )
    return results("employees", source, given)


def person(rules: str, row: EmployeeRow = ROW, **more: Any) -> Desired:
    (result,) = people(rules, row, **more)
    assert isinstance(result, Desired)
    return result


def rejected(rules: str, row: EmployeeRow = ROW, **more: Any) -> Rejected:
    (result,) = people(rules, row, **more)
    assert isinstance(result, Rejected)
    return result


@pytest.mark.parametrize(
    ("cell", "mobile"),
    [("225-555-0100", "+12255550100"), (None, "+15045550142"), ("call Pat", "+15045550142")],
)
def test_the_first_column_that_holds_something_usable_counts(cell: str | None, mobile: str) -> None:
    rule = '[employees.fields]\nmobile_phone = { from = ["CellPhone", "Phone"] }'
    wanted = person(rule, CellPhone=cell)
    assert (wanted.fields["mobile_phone"], wanted.fields["work_phone"]) == (mobile, "+15045550142")
    assert not wanted.warnings


def test_what_no_column_gives_is_told_of_the_columns_that_were_asked() -> None:
    rule = '[employees.fields]\nmobile_phone = { from = ["CellPhone", "Phone"] }'
    wanted = person(rule, ROW._replace(phone="none"), CellPhone="call Pat")
    first, second = texts_of(wanted.warnings)
    assert first.startswith("mobile_phone dropped: CellPhone or Phone is not one phone number (of US")
    assert second.startswith("work_phone dropped: Phone is not one phone number")


@pytest.mark.parametrize(("owner", "place"), [("create", "create_only"), ("safetyamp", "fill")])
def test_a_field_that_safetyamp_owns_is_not_compared(owner: str, place: str) -> None:
    wanted = person(f'[employees.fields]\nstreet = {{ from = "Address", owner = "{owner}" }}')
    assert "street" not in wanted.fields
    assert getattr(wanted, place)["street"] == "1 Main St"
    assert wanted.fields["city"] == "Houma"


def test_a_field_that_nobody_owns_is_never_sent_and_nothing_is_told_of_it() -> None:
    rules = '[employees.fields]\nmobile_phone = { from = "Phone", owner = "nobody" }'
    wanted = person(rules, ROW._replace(phone="none"))
    assert "mobile_phone" not in {**wanted.fields, **wanted.create_only, **wanted.fill}
    assert [text.split()[0] for text in texts_of(wanted.warnings)] == ["work_phone"]


@pytest.mark.parametrize(
    ("empty", "fields", "create_only"),
    [
        ("keep", {}, {"street2": "none"}),
        ("clear", {"street2": None}, {}),
        ("default", {"street2": "none"}, {}),
    ],
)
def test_what_an_empty_value_does(empty: str, fields: dict[str, Any], create_only: dict[str, Any]) -> None:
    default = "" if empty == "clear" else ', default = "none"'
    rule = f'[employees.fields]\nstreet2 = {{ from = "Address2", empty = "{empty}"{default} }}'
    wanted = person(rule)
    assert {name: value for name, value in wanted.fields.items() if name == "street2"} == fields
    assert {name: value for name, value in wanted.create_only.items() if name == "street2"} == create_only


def test_names_in_capitals_can_be_written_as_people_write_them() -> None:
    rule = '[employees.fields]\nlast_name = { from = "LastName", clean = "names" }'
    wanted = person(rule)
    assert (wanted.fields["first_name"], wanted.fields["last_name"]) == ("ANN", "O'Neil-Lee")


@pytest.mark.parametrize(
    ("sources", "email"),
    [('["Microsoft account", "Email"]', "ann@corp.example"), ('"Email"', "ann@home.example")],
)
def test_the_e_mail_can_be_that_of_the_column_alone(sources: str, email: str) -> None:
    assert person(f"[employees.fields]\nemail = {{ from = {sources} }}").fields["email"] == email


@pytest.mark.parametrize(
    ("rule", "site"),
    [
        ('["latest_open_job", "office_of_region"]', Ref("jobs", "123.")),
        ('["office_of_region", "latest_open_job"]', Ref("offices", "Gulf")),
        ('"latest_open_job"', Ref("jobs", "123.")),
    ],
)
def test_the_home_site_is_that_of_the_first_rule_that_gives_one(rule: str, site: Ref) -> None:
    wanted = person(f"[employees.fields]\nhome_site_id = {{ rule = {rule} }}")
    assert (wanted.fields["home_site_id"], wanted.contested) == (site, {})


def test_without_a_site_by_the_only_rule_the_reason_is_that_rule() -> None:
    only = '[employees.fields]\nhome_site_id = { rule = "latest_open_job" }'
    wanted = person(only, ROW._replace(employee=5, email="x@y.example"))
    assert wanted.contested["home_site_id"].text == "no home site: no open job, and the rules know no other"


SCOPE = """
[[employees.scope]]
name = "Field crews"
all = [{ column = "PRGroup", in = [1, "2"] }]
"""


@pytest.mark.parametrize("group", [1, "2", " 2 "])
def test_whom_a_filter_admits_is_synced(group: object) -> None:
    assert person(SCOPE, PRGroup=group).active


@pytest.mark.parametrize("term", [None, "2025-06-01"])
def test_who_is_out_of_scope_is_left_as_they_are(term: str | None) -> None:
    """Also somebody who has left: others look after them."""
    result = rejected(SCOPE, ROW._replace(term_date=term), PRGroup=3)
    assert (result.kind, result.cause) == ("skipped", causes.OUT_OF_SCOPE)
    assert result.reason == "out of scope by the rules: Field crews: PRGroup is 3, not 1 or 2"


@pytest.mark.parametrize("term", [None, "2025-06-01"])
def test_or_switched_off_where_the_rules_say_so(term: str | None) -> None:
    rules = SCOPE + '[employees.out_of_scope]\ndo = "deactivate"'
    assert not person(rules, ROW._replace(term_date=term), PRGroup=3).active


def test_of_whom_nobody_can_tell_whether_they_belong_nothing_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def odd(_: object) -> str:
        raise ValueError

    rules = SCOPE + '[employees.out_of_scope]\ndo = "deactivate"'
    assert not person(rules, PRGroup=3).active
    monkeypatch.setattr(conditions, "folded", odd)
    assert rejected(rules, PRGroup=3).reason.startswith("whether the rules admit this record cannot be told")


@pytest.mark.parametrize(
    ("term", "last_day", "active"),
    [
        ("2025-07-01", "off", False),
        ("2025-07-01", "worked", True),
        ("2025-06-30", "worked", False),
        ("2025-07-02", "off", True),
    ],
)
def test_the_day_of_leaving_is_the_first_day_off_or_the_last_one_worked(
    term: str, last_day: str, active: bool
) -> None:
    rules = f'[employees.people]\nlast_day = "{last_day}"'
    assert person(rules, ROW._replace(term_date=term)).active is active


@pytest.mark.parametrize(("lead", "created"), [(0, False), (2, False), (3, True)])
def test_joiners_come_so_many_days_early(lead: int, created: bool) -> None:
    (result,) = people(f"[employees.people]\nhire_lead_days = {lead}", ROW._replace(hire_date="2025-07-04"))
    assert isinstance(result, Desired) is created


@pytest.mark.parametrize(("value", "active"), [("Y", True), (" n", False), (None, True)])
def test_a_column_can_say_who_works_here(value: str | None, active: bool) -> None:
    assert person('[employees.people]\nactive_column = "ActiveYN"', ActiveYN=value).active is active


def test_of_a_pilot_only_its_members_are_synced() -> None:
    pilot = '[employees.pilot]\nkeys = "30"\ndepartments = ["08"]\nfirst = 1'
    rows = [
        ROW._replace(employee=number, department=department, email=f"{number}@x.example")
        for number, department in ((10, "07"), (20, "07"), (30, "07"), (40, "08 "))
    ]
    found = people(pilot, *rows)
    assert {one.key: one.cause.code for one in found if isinstance(one, Rejected)} == {"20": "not-in-pilot"}


def test_the_latest_job_of_somebody_who_takes_no_part_shares_nothing() -> None:
    """Two with one address, of whom one is out of scope: the other one has it alone."""
    rows = [ROW, ROW._replace(employee=1, email="ann@corp.example", department="09")]
    scope = '[[employees.scope]]\nname = "Houma"\nall = [{ column = "PRDept", is = "07" }]'
    found = people(scope, *rows)
    (wanted,) = [one for one in found if isinstance(one, Desired)]
    assert (wanted.key, wanted.contested) == ("10027", {})


class TestOtherEntities:
    def test_departments_and_the_regions_of_those_in_scope_only(self) -> None:
        rules = options(
            '[departments]\nregion_column = "udArea"\n[departments.fields]\n'
            'name = { text = "{PRDept} - {Description} ({udShort})", owner = "create" }\n'
            '[[departments.scope]]\nname = "ours"\nall = [{ column = "udShort", is_not = "X" }]'
        )
        rows = [DepartmentRow("07", "Paving", "South", ("P",)), DepartmentRow("08", "Old", "North", ("X",))]
        skipped, region, department = results("departments", DepartmentsSource(rows), rules)
        assert isinstance(skipped, Rejected)
        assert isinstance(region, Desired)
        assert isinstance(department, Desired)
        assert (skipped.key, region.key) == ("08", "region:South")
        assert department.create_only["name"] == "07 - Paving (P)"
        assert department.fields == {"parent_cluster_id": Ref("departments", "region:South")}

    def test_jobs(self) -> None:
        rules = options(
            '[jobs.fields]\nname = { text = "{Job} - {udTown} {Description}" }\n'
            'city = { from = ["udTown", "ShipCity"], owner = "safetyamp" }\n[jobs.pilot]\ndepartments = "07"'
        )
        rows = [
            JobRow("1.", "Bridge", "07", None, "Houma", "LA", None, None, ("Gray",)),
            JobRow("2.", "Levee", "08", None, "Houma", "LA", None, None, (None,)),
        ]
        other, job = results("jobs", JobsSource(rows, frozenset({"07", "08"})), rules)
        assert isinstance(other, Rejected)
        assert isinstance(job, Desired)
        assert other.cause is causes.NOT_IN_PILOT
        assert job.fields["name"] == "1. - Gray Bridge"
        assert (job.fill, job.create_only["street"]) == ({"city": "Gray"}, "Unknown")

    def test_vehicles(self) -> None:
        rules = options(
            '[vehicles.fields]\ndescription = { from = ["vin", "notes"] }\n'
            'code = { from = "licensePlate", owner = "create" }\n'
            '[[vehicles.scope]]\nname = "trucks"\nall = [{ column = "name", starts_with = "truck" }]',
            vehicle_site_id=5,
            vehicle_asset_type_id=6,
        )
        fleet = [
            {"id": "9001", "name": "Truck 1", "serial": "A", "vin": "1FT", "notes": "old"},
            {"id": "9002", "name": "Trailer", "serial": "B"},
        ]
        skipped, truck = results("vehicles", VehiclesSource(fleet, [], frozenset()), rules)
        assert isinstance(skipped, Rejected)
        assert isinstance(truck, Desired)
        assert (truck.fields["description"], truck.create_only) == ("1FT", {})
        assert truck.fields["serial"] == "A"

    def test_titles_are_those_of_the_column(self) -> None:
        given = options('[titles]\ncolumn = "udRank"')
        assert mappings(given)["titles"].options.rules.titles.column == "udRank"
        assert given.rules.departments.region_column == "udRegion", "what is left out stays"


@pytest.mark.parametrize("entity", FIELDS)
def test_every_field_that_is_sent_is_named_by_the_file_or_is_one_that_it_cannot_change(
    entity: EntityName,
) -> None:
    """What a record is known and kept by; docs/rules.md lists it."""
    needed = {
        "departments": {"parent_cluster_id", "external_code", "osha_establishment"},
        "jobs": {"cluster_id", "ext_id"},
        "titles": {"name"},
        "employees": {"emp_id", "system_access"},
        "vehicles": {"serial", "status", "site_id", "asset_type_id", "current_user_id"},
    }[entity]
    named = MappingOptions().rules.of(entity).fields.keys()
    sources: dict[EntityName, Source] = {
        "departments": DepartmentsSource([DepartmentRow("07", "Paving", "South")]),
        "jobs": JobsSource([JobRow("1.", "Bridge", "07", "x", "y", "LA", "70360", "US")], frozenset({"07"})),
        "vehicles": VehiclesSource(
            [{"id": "1", "name": "T", "serial": "A", "model": "F", "notes": "n", "licensePlate": "p"}],
            [],
            frozenset(),
        ),
    }
    found = people("", ROW) if entity == "employees" else []
    if entity in sources:
        found = results(entity, sources[entity], MappingOptions(vehicle_site_id=5, vehicle_asset_type_id=6))
    for one in found:
        assert isinstance(one, Desired)
        if not one.key.startswith("region:"):
            assert {*one.fields, *one.create_only} <= needed | named

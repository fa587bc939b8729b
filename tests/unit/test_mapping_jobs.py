"""Jobs of Vista as sites, and which site is a home office."""

from __future__ import annotations

from typing import Any

import pytest

from shared.clients.vista.rows import DepartmentRow, JobRow
from shared.sync.entities import jobs
from shared.sync.entities.regions import regions_of_departments
from shared.sync.findings.causes import JOB_TEXT_UNUSABLE, Reason
from shared.sync.model import Desired, Ref, Rejected, SourceRecord
from shared.sync.sources import DepartmentsSource, JobsSource, MappingOptions

OPTIONS = MappingOptions()
MAPPING = jobs.mapping(OPTIONS)
ROW = JobRow("12345.", "Pump Station", "07", "1 Main St", "Houma", "LA ", "70360-", None)


def mapped(*rows: JobRow) -> list[Desired | Rejected]:
    source = JobsSource(list(rows), frozenset({"07"}))
    return [
        MAPPING.desired(record) if isinstance(record, SourceRecord) else record
        for record in MAPPING.records(source)
    ]


def wanted(row: JobRow) -> Desired:
    (result,) = mapped(row)
    assert isinstance(result, Desired)
    return result


def site(**more: Any) -> dict[str, Any]:
    return {"id": 9, "cluster_id": 4, "name": "Somewhere", "ext_id": None, **more}


def test_a_job_becomes_a_site_in_its_departments_cluster() -> None:
    assert wanted(ROW) == Desired(
        "12345.",
        {
            "name": "12345. - Pump Station",
            "cluster_id": Ref("departments", "07"),
            "street": "1 Main St",
            "city": "Houma",
            "state": "LA",
            "zip_code": "70360",
        },
        {"ext_id": "12345.", "country": "US", "timezone": "America/Chicago"},
    )


WITHOUT_ADDRESS = ROW._replace(street=None, city=" ", state=None, zip_code=None)


def test_what_the_source_lacks_has_a_default_on_creation_and_is_never_compared() -> None:
    desired = wanted(WITHOUT_ADDRESS)
    assert set(desired.fields) == {"name", "cluster_id"}
    assert {name: desired.create_only[name] for name in ("street", "city")} == dict.fromkeys(
        ("street", "city"), "Unknown"
    )


def test_no_state_and_no_zip_code_are_made_up_but_a_setting_may_name_them() -> None:
    assert not {"state", "zip_code"} & {*wanted(WITHOUT_ADDRESS).create_only}
    mapping = jobs.mapping(MappingOptions(site_default_state="TX", site_default_zip_code="77001"))
    source = JobsSource([WITHOUT_ADDRESS], frozenset({"07"}))
    (record,) = mapping.records(source)
    assert isinstance(record, SourceRecord)
    desired = mapping.desired(record)
    assert isinstance(desired, Desired)
    assert (desired.create_only["state"], desired.create_only["zip_code"]) == ("TX", "77001")
    assert not {"state", "zip_code"} & {*desired.fields}


def test_the_country_is_the_sources_where_it_has_one() -> None:
    desired = wanted(ROW._replace(country="ca", state="ON", zip_code="k1a 0b1"))
    assert (desired.fields["country"], desired.fields["zip_code"]) == ("CA", "K1A 0B1")
    assert "country" not in desired.create_only


@pytest.mark.parametrize("key", ["012345.", "12345", "  123-01"])
def test_dots_and_leading_zeros_are_part_of_the_key(key: str) -> None:
    assert wanted(ROW._replace(job=key)).key == key.strip()


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"state": "Louisiana"}, "state dropped: not two letters"),
        ({"zip_code": "7036"}, "zip_code dropped: not a zip code"),
        ({"country": "USA"}, "country dropped: not two letters"),
    ],
)
def test_a_malformed_value_is_dropped_with_a_warning(change: dict[str, Any], warning: str) -> None:
    desired = wanted(ROW._replace(**change))
    assert desired.warnings == (Reason(warning, JOB_TEXT_UNUSABLE),)
    assert not set(change) & set(desired.fields)


@pytest.mark.parametrize("department", [None, " ", "08", "7"])
def test_a_job_of_an_unknown_department_is_skipped(department: str | None) -> None:
    (rejected,) = mapped(ROW._replace(department=department))
    assert isinstance(rejected, Rejected)
    assert (rejected.kind, rejected.field) == ("skipped", "Department")


def test_a_department_that_becomes_known_changes_the_facts() -> None:
    before, after = (next(MAPPING.records(JobsSource([ROW], frozenset(known)))) for known in ((), ("07",)))
    assert before != after


def test_rows_without_job_or_with_the_same_job_are_rejected() -> None:
    results = mapped(ROW._replace(job=" "), ROW, ROW._replace(job=" 12345. "))
    assert [(type(result), result.key) for result in results] == [
        (Rejected, "? (row 1)"),
        (Rejected, "12345."),
        (Rejected, "12345."),
    ]


@pytest.mark.parametrize(
    ("row", "key"),
    [
        (site(ext_id="12345. "), "12345."),
        (site(external_code="12345."), "12345."),
        (site(ext_id="12345.", external_code="99."), "12345."),
        (site(name="Gulf Office"), "office:4"),
        (site(name="Gulf Office ", ext_id=""), "office:4"),
        (site(name="Gulf Office", ext_id="GULF"), "office:4"),
        (site(name="12345. - New Office", ext_id="12345."), "12345."),
        (site(name="Backoffice"), None),
        (site(name="Elsewhere"), None),
    ],
)
def test_a_site_is_recognised_by_its_code_and_an_office_by_its_name(
    row: dict[str, Any], key: str | None
) -> None:
    target = MAPPING.target(row)
    assert target is not None
    assert target.key == key


def test_a_site_called_like_an_office_is_the_open_job_s_whose_code_it_has() -> None:
    rows = [
        site(id=number, name="Gulf Office", ext_id=code) for number, code in ((1, "7."), (2, "8."), (3, None))
    ]
    targets = [target for row in rows if (target := MAPPING.target(row))]
    source = JobsSource([ROW._replace(job="7. "), ROW._replace(job=None)], frozenset())
    assert [target.key for target in jobs.sites_of_jobs(targets, source)] == ["7.", "office:4", "office:4"]
    assert jobs.sites_of_jobs(targets, DepartmentsSource([])) is targets


def test_a_site_that_was_created_without_code_can_be_adopted_by_name() -> None:
    target = MAPPING.target(site(name="12345. - Pump Station"))
    record = next(MAPPING.records(JobsSource([ROW], frozenset())))
    assert target is not None
    assert isinstance(record, SourceRecord)
    assert target.match == MAPPING.match_value(record)


def test_a_site_with_a_code_is_never_adopted_by_name() -> None:
    target = MAPPING.target(site(name="12345. - Pump Station", ext_id="99."))
    assert target is not None
    assert target.match is None


def test_a_deleted_site_is_none() -> None:
    assert MAPPING.target(site(deleted_at="2025-01-01 00:00:00")) is None


@pytest.mark.parametrize(
    "row", [ROW, ROW._replace(street=None, state=None, zip_code="x"), ROW._replace(country="CA")]
)
def test_what_was_created_needs_no_update(row: JobRow) -> None:
    desired = wanted(row)
    target = MAPPING.target({**desired.create_only, **desired.fields, "id": 5, "cluster_id": 4})
    assert target is not None
    assert target.key == desired.key
    assert {**desired.fields, "cluster_id": 4}.items() <= target.fields.items()
    assert MAPPING.core(target.fields) == {"name": desired.fields["name"]}


def test_regions_are_looked_up_by_trimmed_department() -> None:
    rows = [
        DepartmentRow("01 ", "Yard", " Gulf"),
        DepartmentRow("02", "Shop", None),
        DepartmentRow(None, "x", "y"),
        DepartmentRow("03", "Here", "Gulf"),
        DepartmentRow(" 03", "There", "Hills"),
        DepartmentRow("04", "Twice", "Gulf"),
        DepartmentRow("04 ", "Twice", "Gulf"),
    ]
    assert regions_of_departments(DepartmentsSource(rows)) == {"01": "Gulf", "04": "Gulf"}


@pytest.mark.parametrize("column", ["description", "street", "city", "state", "zip_code", "country"])
def test_a_value_that_is_no_text_costs_its_field_with_a_warning(column: str) -> None:
    odd: dict[str, Any] = {column: b"\x00x"}
    desired = wanted(ROW._replace(**odd))
    assert len(desired.warnings) == 1
    assert "b'" not in repr(desired.fields)


def test_a_job_that_is_no_text_is_reported_and_costs_no_other() -> None:
    odd, good = mapped(ROW._replace(job=b"1."), ROW)  # type: ignore[arg-type]
    assert isinstance(odd, Rejected)
    assert odd.reason == "Job is no text: mend row 1 in Vista"
    assert good.key == "12345."

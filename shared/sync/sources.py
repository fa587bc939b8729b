"""What each entity's mapping is given: complete reads, already joined with what they depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from shared.clients.vista.rows import DepartmentRow, EmployeeRow, JobRow
from shared.sync.model import ApiRow

if TYPE_CHECKING:
    from shared.sync.rules.model import Rules


@dataclass(frozen=True)
class MappingOptions:
    """The settings that influence the mapping, and the rules: part of every digest. `rules_text` None: the
    default file's."""

    home_office_suffix: str = " Office"
    default_country: str = "US"
    default_timezone: str = "America/Chicago"
    default_role: str = "Field"
    vehicle_site_id: int | None = None
    vehicle_asset_type_id: int | None = None
    vehicle_assign_driver: bool = False
    driver_external_id: str = "payrollId"
    site_default_state: str | None = None
    site_default_zip_code: str | None = None
    title_column: str = "udEmpTitle"
    region_column: str = "udRegion"
    rules_text: str | None = None

    @cached_property
    def rules(self) -> Rules:
        """The rules, with these settings in the place of their names; raises RulesError."""
        from shared.sync.rules.reading import read_rules  # its models cost every cold start 50 ms

        return read_rules(
            self.rules_text,
            (
                ("DEFAULT_COUNTRY", self.default_country),
                ("DEFAULT_TIMEZONE", self.default_timezone),
                ("SAFETYAMP_DEFAULT_ROLE", self.default_role),
                ("SITE_DEFAULT_STATE", self.site_default_state),
                ("SITE_DEFAULT_ZIP_CODE", self.site_default_zip_code),
                ("VEHICLE_ASSIGN_DRIVER", self.vehicle_assign_driver),
                ("VISTA_REGION_COLUMN", self.region_column),
                ("VISTA_TITLE_COLUMN", self.title_column),
            ),
        )

    @cached_property
    def fingerprint(self) -> str:
        """Short, and another one whenever anything of this is."""
        return hashlib.blake2b(repr((self, self.rules)).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class DepartmentsSource:
    """All rows of bPRDP of the company, and the names of the regions that SafetyAmp is known to have."""

    rows: list[DepartmentRow]
    known_regions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class JobsSource:
    """All open jobs, and the department codes that have a cluster or will get one."""

    rows: list[JobRow]
    departments: frozenset[str]


@dataclass(frozen=True)
class TitlesSource:
    """Titles of current employees as stored, untrimmed, possibly repeated."""

    titles: list[str | None]


@dataclass(frozen=True)
class MailDirectory:
    """E-mail addresses by employee number (in its normal form), from Microsoft Graph.

    `usable`: one enabled account with a real address. `known`: every number that occurs, whatever the
    account's state. `ambiguous`: numbers that two enabled accounts claim; neither is used.
    """

    usable: Mapping[str, str]
    known: frozenset[str] = frozenset()
    ambiguous: frozenset[str] = frozenset()


@dataclass(frozen=True)
class EmployeesSource:
    """Employees with what their home site and e-mail depend on.

    `latest_jobs`: employee number -> code of the latest open job. `job_keys`: keys of the jobs that have
    a site or will get one. `regions`: department code -> region name. `offices`: regions that have exactly
    one office site; `crowded_offices`: regions with more than one. `titles` need no list: a title that is
    not there yet is looked up when the change is applied. `today` is the day in the company's time zone.
    """

    rows: Iterable[EmployeeRow]
    latest_jobs: Mapping[int, str]
    job_keys: frozenset[str]
    regions: Mapping[str, str]
    offices: frozenset[str]
    crowded_offices: frozenset[str]
    mails: MailDirectory
    today: date
    options: MappingOptions = field(default_factory=MappingOptions)


@dataclass(frozen=True)
class VehiclesSource:
    """Samsara's vehicles and active drivers as their API returns them, and the known employee numbers but
    those whose user has no access."""

    vehicles: Sequence[ApiRow]
    drivers: Sequence[ApiRow]
    employees: frozenset[str]

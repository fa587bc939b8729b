"""Departments: regions and payroll departments of Vista become site clusters below the root cluster.

Two kinds of records share the entity, because a department's parent is a region: `region:<name>` and the
department's code. The root cluster cannot be created by the API (docs/contracts/safetyamp.md#clusters); it is
only known, under the key `root`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shared.clients.vista.rows import DepartmentRow
from shared.sync.entities import cleaning
from shared.sync.entities.fields import named, owned
from shared.sync.entities.keys import REGION_PREFIX, by_key, title_key
from shared.sync.entities.notes import Notes
from shared.sync.entities.regions import region_namer
from shared.sync.entities.scoping import admitted_rows, outside
from shared.sync.findings import causes
from shared.sync.model import (
    ApiRow,
    Desired,
    EntityName,
    FieldValues,
    Ref,
    Rejected,
    SourceRecord,
    Target,
    id_of,
)
from shared.sync.rules.columns import columns_of
from shared.sync.sources import DepartmentsSource, MappingOptions

ROOT_KEY = "root"


class DepartmentsMapping:
    """Implements EntityMapping over DepartmentsSource."""

    name: EntityName = "departments"
    version: int = 1

    def __init__(self, options: MappingOptions) -> None:
        self.options = options
        self.rules = options.rules.departments
        self._columns = columns_of(options.rules, "departments")
        self.more_columns: tuple[str, ...] = self._columns.more
        self._outside = outside(self.rules, self._columns)
        self._text = self.rules.fields["name"].text or ""

    def records(self, source: DepartmentsSource) -> Iterator[SourceRecord | Rejected]:
        """Regions first, as parents must exist before their departments; facts of a region: its name, of a
        department: code, description, region."""
        rows, rejected = by_key(
            source.rows,
            lambda row: cleaning.code(row.department),
            "PRDept",
            "Vista",
            causes.KEYS[self.name],
            raw_of=lambda row: row.department,
        )
        yield from rejected
        admitted, others = admitted_rows(rows, self.name, self.rules, self._outside, "PRDept", self._columns)
        left_out = {other.key for other in others}
        yield from others
        region_of = region_namer(source)
        ours = (row for row in source.rows if not left_out or cleaning.code(row.department) not in left_out)
        for region in sorted({region for row in ours if (region := region_of(row))}):
            yield SourceRecord(REGION_PREFIX + region, (region,))
        for key in admitted:
            yield self._department(key, rows[key], region_of(rows[key]))

    def _department(self, key: str, row: DepartmentRow, region: str | None) -> SourceRecord | Rejected:
        if key == ROOT_KEY or key.startswith(REGION_PREFIX):
            reason = (
                f"this code is reserved ({ROOT_KEY}, {REGION_PREFIX}...): give the department another one"
            )
            return Rejected(key, "invalid", reason, "PRDept", cause=causes.DEPARTMENT_CODE_RESERVED)
        # What is given and is no text stays what it is: that is another reason than what is empty.
        texts = (
            cleaning.normalised(cleaning.text, row.description),
            cleaning.normalised(lambda _: region, row.region),
        )
        name = named(self._text, {"PRDept": key}, self._columns, row)
        return SourceRecord(key, (key, *texts, name))

    def desired(self, record: SourceRecord) -> Desired | Rejected:
        """A cluster; departments without description or region are skipped."""
        if record.key.startswith(REGION_PREFIX):
            return _region(record.key, *record.facts)
        return self._desired(*record.facts)

    def _desired(self, key: str, description: object, region: object, name: str) -> Desired | Rejected:
        column = self.rules.region_column
        no_description, no_region = causes.DEPARTMENT_DESCRIPTION_UNUSABLE, causes.DEPARTMENT_REGION_UNUSABLE
        for called, value, cause in (
            ("Description", description, no_description),
            (column, region, no_region),
        ):
            if value is not None and not isinstance(value, str):
                reason = f"{called} is no text: mend it in Vista's bPRDP"
                return Rejected(key, "invalid", reason, called, cause=cause)
        if description is None:
            reason = "Description is empty: fill it in Vista's bPRDP"
            return Rejected(key, "skipped", reason, "Description", cause=no_description)
        if region is None:
            reason = f"{column} (setting VISTA_REGION_COLUMN) is empty: fill it in Vista's bPRDP"
            return Rejected(key, "skipped", reason, column, cause=no_region)
        needed: FieldValues = {"external_code": key, "osha_establishment": 0}
        wanted = owned(key, {"name": name}, self.rules.fields, Notes(), needed)
        parent = Ref("departments", f"{REGION_PREFIX}{region}")
        return replace(wanted, fields={**wanted.fields, "parent_cluster_id": parent})

    def target(self, row: ApiRow) -> Target | None:
        """Root, region (depth 1) or department (depth 2), by name and code.

        Any other cluster has no key of its own: one that is known stays what it is, wherever somebody put it
        (its parent is ours, and is corrected), and a department that is not known is recognised by its code,
        or by the code in its name where it has none.
        A region whose code is not its name is not ours to move. One that was renamed here only and has no
        code is told by `planning.renamed_regions`.
        """
        if row.get("deleted_at") is not None:
            return None
        name, external_code = cleaning.text(row.get("name")), cleaning.code(row.get("external_code"))
        content: FieldValues = {
            "name": name,
            "parent_cluster_id": row.get("parent_cluster_id"),
            "external_code": external_code,
            "osha_establishment": cleaning.flag(row.get("osha_establishment")),
        }
        if row.get("parent_cluster_id") is None:
            return Target(id_of(row), ROOT_KEY, content)
        depth = row.get("depth")
        named_alike = name is not None and title_key(external_code or name) == title_key(name)
        if depth == 1 and named_alike:
            return Target(id_of(row), f"{REGION_PREFIX}{name}", content)
        if depth == 2 and not named_alike:
            return Target(id_of(row), external_code, content)
        is_region = depth == 1 and not (name or "").startswith(f"{external_code} - ")
        code = _code_in_name(name) if external_code is None and depth == 2 else external_code
        return Target(id_of(row), None, content, match=None if is_region else code)

    def match_value(self, record: SourceRecord) -> str | None:
        """A department's code, which finds it where it does not belong; None for a region: a cluster that is
        called like it anywhere below is none."""
        return None if record.key.startswith(REGION_PREFIX) else record.key

    def core(self, existing: FieldValues) -> FieldValues:
        """PUT of a cluster without all three is refused with 422 (docs/contracts/safetyamp.md#clusters)."""
        return {
            "name": existing.get("name"),
            "parent_cluster_id": existing.get("parent_cluster_id"),
            "osha_establishment": existing.get("osha_establishment") or 0,
        }


def _code_in_name(name: str | None) -> str | None:
    """Of a cluster that hands made below a region, without a code: a department's name begins with it."""
    code, dash, _ = (name or "").partition(" - ")
    return cleaning.code(code) if dash else None


def mapping(options: MappingOptions) -> DepartmentsMapping:
    """The mapping of departments under these settings."""
    return DepartmentsMapping(options)


def _region(key: str, region: str) -> Desired:
    # The name is the key, so it is never compared: another name is another region.
    parent: FieldValues = {"parent_cluster_id": Ref("departments", ROOT_KEY)}
    return Desired(key, parent, {"name": region, "external_code": region, "osha_establishment": 0})

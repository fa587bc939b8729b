"""Jobs: open jobs of Vista become sites in the cluster of their contract's department."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shared.clients.vista.rows import JobRow
from shared.sync.entities import cleaning
from shared.sync.entities.fields import PLAIN, Clean, Row, named, owned, row_fields
from shared.sync.entities.keys import by_key
from shared.sync.entities.notes import Notes
from shared.sync.entities.scoping import admitted_rows, outside
from shared.sync.findings import causes
from shared.sync.model import (
    ApiRow,
    Desired,
    EntityName,
    FieldValues,
    JsonValue,
    Ref,
    Rejected,
    Source,
    SourceRecord,
    Target,
    id_of,
)
from shared.sync.rules.columns import columns_of
from shared.sync.rules.fields import Cleaner
from shared.sync.sources import JobsSource, MappingOptions

OFFICE_PREFIX = "office:"
_DEPARTMENT_KNOWN = len(JobRow._fields)

UNUSABLE = {"state": "not two letters", "zip_code": "not a zip code", "country": "not two letters"}
"""What is told of a value that is there and is none; of other fields that it is no text."""


class JobsMapping:
    """Implements EntityMapping over JobsSource."""

    name: EntityName = "jobs"
    version: int = 2

    def __init__(self, options: MappingOptions) -> None:
        self.options = options
        self.rules = options.rules.jobs
        self._columns = columns_of(options.rules, "jobs")
        self.more_columns: tuple[str, ...] = self._columns.more
        self._outside = outside(self.rules, self._columns)
        self._text = self.rules.fields["name"].text or ""
        self._from_columns = row_fields("jobs", self.rules.fields, self._columns, self._cleaners())

    def _cleaners(self) -> dict[Cleaner, Clean]:
        def zip_code(value: object, row: Row) -> JsonValue:
            country = self._from_columns["country"].value(row) if "country" in self._from_columns else None
            return cleaning.zip_code(
                value, country if isinstance(country, str) else self.options.default_country
            )

        return {**PLAIN, "zip_code": zip_code}

    def records(self, source: JobsSource) -> Iterator[SourceRecord | Rejected]:
        """In the order of their codes; facts: the row, and 1 when its department has a cluster."""
        rows, rejected = by_key(
            source.rows,
            lambda row: cleaning.code(row.job),
            "Job",
            "Vista",
            causes.KEYS[self.name],
            raw_of=lambda row: row.job,
        )
        yield from rejected
        admitted, others = admitted_rows(
            rows, self.name, self.rules, self._outside, "Department", self._columns
        )
        yield from others
        for key in admitted:
            known = cleaning.code(rows[key].department) in source.departments
            yield SourceRecord(key, (*rows[key], int(known)))

    def desired(self, record: SourceRecord) -> Desired | Rejected:
        """A site; a job whose department has no cluster is skipped."""
        row = JobRow._make(record.facts[:_DEPARTMENT_KNOWN])
        department = cleaning.code(row.department)
        if department is None:
            reason, cause = "no department: set its contract's in Vista", causes.JOB_WITHOUT_DEPARTMENT
            return Rejected(record.key, "skipped", reason, "Department", cause=cause)
        if not record.facts[_DEPARTMENT_KNOWN]:
            reason, cause = _unknown(department), causes.JOB_DEPARTMENT_UNKNOWN
            return Rejected(record.key, "skipped", reason, "Department", cause=cause)
        notes = Notes()
        values: dict[str, JsonValue] = {"name": self._name(record.key, row)}
        notes.kept_text("the description in the name", row.description, causes.JOB_TEXT_UNUSABLE)
        for name, field in self._from_columns.items():
            if self.rules.fields[name].owner != "nobody":
                raw, values[name] = field.given(row), field.value(row)
                notes.kept(name, values[name], raw, UNUSABLE.get(name, "no text"), causes.JOB_TEXT_UNUSABLE)
        wanted = owned(record.key, values, self.rules.fields, notes, {"ext_id": record.key})
        return replace(wanted, fields={**wanted.fields, "cluster_id": Ref("departments", department)})

    def _name(self, job: str, row: JobRow) -> str:
        return named(self._text, {"Job": job}, self._columns, row)

    def target(self, row: ApiRow) -> Target | None:
        """A job site by its code, a home office as `office:<cluster id>`, any other site without a key. An
        office may have a code of its own: whether it is a job's, only the source tells (`sites_of_jobs`).

        Answers say `ext_id`; `external_code` is what one client wrote for a while
        (docs/contracts/safetyamp.md#sites). Sites of that time can have no code at all: they are offered for
        adoption by their exact name.
        """
        if row.get("deleted_at") is not None:
            return None
        name = cleaning.text(row.get("name"))
        content = self._content(row, name)
        job = cleaning.code(row.get("ext_id")) or cleaning.code(row.get("external_code"))
        if self._is_office(name or "", job):
            return Target(id_of(row), f"{OFFICE_PREFIX}{row.get('cluster_id')}", content, match=job)
        return Target(id_of(row), job, content, match=None if job else name)

    def _is_office(self, name: str, job: str | None) -> bool:
        # A job may be about an office ("123. - New Office"): only a job's name begins with its code.
        if job is not None and name.startswith(f"{job} - "):
            return False
        return name.endswith(self.options.home_office_suffix.rstrip())

    def _content(self, row: ApiRow, name: str | None) -> FieldValues:
        country = cleaning.two_letters(row.get("country")) or self.options.default_country
        return {
            "name": name,
            "cluster_id": row.get("cluster_id"),
            "street": cleaning.text(row.get("street")),
            "city": cleaning.text(row.get("city")),
            "state": cleaning.normalised(cleaning.two_letters, row.get("state")),
            "zip_code": cleaning.normalised(
                lambda value: cleaning.zip_code(value, country), row.get("zip_code")
            ),
            "country": cleaning.normalised(cleaning.two_letters, row.get("country")),
        }

    def match_value(self, record: SourceRecord) -> str | None:
        """The site's name, which finds a site that was created without its code."""
        return self._name(record.key, JobRow._make(record.facts[:_DEPARTMENT_KNOWN]))

    def core(self, existing: FieldValues) -> FieldValues:
        """The name is what every PUT of a site carried that was seen (docs/contracts/safetyamp.md#sites)."""
        return {"name": existing.get("name")}


def mapping(options: MappingOptions) -> JobsMapping:
    """The mapping of jobs under these settings."""
    return JobsMapping(options)


def sites_of_jobs(targets: list[Target], source: Source) -> list[Target]:
    """Sites with the code of an open job are that job's, whatever hands have called them: as home offices
    they would never be called otherwise again, and SafetyAmp refuses the job a second one. `targets` of
    another source's entity stay as they are."""
    if not isinstance(source, JobsSource):
        return targets
    codes = {cleaning.code(row.job) for row in source.rows} - {None}
    return [
        replace(target, key=target.match, match=None)
        if target.key is not None and target.match in codes
        else target
        for target in targets
    ]


def _unknown(department: str) -> str:
    return (
        f"department {department} of its contract is not in Vista's bPRDP, or has no cluster yet: correct the"
        " contract in Vista, or give the department a description and a region"
    )

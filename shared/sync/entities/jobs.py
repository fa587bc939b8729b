"""Jobs: open jobs of Vista become sites in the cluster of their contract's department."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared.clients.vista.rows import JobRow
from shared.sync.entities import cleaning, payload
from shared.sync.entities.keys import by_key
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
from shared.sync.sources import JobsSource, MappingOptions

OFFICE_PREFIX = "office:"
UNKNOWN_PLACE = "Unknown"
"""Street and city of jobs without an address; sent on creation only. No state and no zip code are made up: a
setting may name them."""

_DEPARTMENT_KNOWN = len(JobRow._fields)


@dataclass(frozen=True, slots=True)
class SitePayload:
    """Fields of a site that are written; `ext_id` is unique (docs/contracts/safetyamp.md#unique-values)."""

    name: str | None = None
    cluster_id: Ref | None = None
    ext_id: str | None = None
    street: str | None = None
    city: str | None = None
    state: str | None = None
    zip_code: str | None = None
    country: str | None = None
    timezone: str | None = None


class JobsMapping:
    """Implements EntityMapping over JobsSource."""

    name: EntityName = "jobs"
    version: int = 2

    def __init__(self, options: MappingOptions) -> None:
        self.options = options

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
        for key in sorted(rows):
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
        notes = payload.Notes()
        compared = self._compared(record.key, row, department, notes)
        return payload.desired(record.key, compared, self._defaults(record.key), notes)

    def _compared(self, job: str, row: JobRow, department: str, notes: payload.Notes) -> SitePayload:
        country = cleaning.two_letters(row.country)
        zip_code = cleaning.zip_code(row.zip_code, country or self.options.default_country)
        unusable = causes.JOB_TEXT_UNUSABLE
        notes.kept_text("the description in the name", row.description, unusable)
        return SitePayload(
            name=_site_name(job, row.description),
            cluster_id=Ref("departments", department),
            street=notes.kept_text("street", row.street, unusable),
            city=notes.kept_text("city", row.city, unusable),
            state=notes.kept(
                "state", cleaning.two_letters(row.state), row.state, "not two letters", unusable
            ),
            zip_code=notes.kept("zip_code", zip_code, row.zip_code, "not a zip code", unusable),
            country=notes.kept("country", country, row.country, "not two letters", unusable),
        )

    def _defaults(self, job: str) -> SitePayload:
        return SitePayload(
            ext_id=job,
            street=UNKNOWN_PLACE,
            city=UNKNOWN_PLACE,
            state=self.options.site_default_state,
            zip_code=self.options.site_default_zip_code,
            country=self.options.default_country,
            timezone=self.options.default_timezone,
        )

    def target(self, row: ApiRow) -> Target | None:
        """A job site by its code, a home office as `office:<cluster id>`, any other site without a key.

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
            return Target(id_of(row), f"{OFFICE_PREFIX}{row.get('cluster_id')}", content)
        return Target(id_of(row), job, content, match=None if job else name)

    def _is_office(self, name: str, job: str | None) -> bool:
        # An office may have a code of its own, and a job may be about an office ("123. - New Office"):
        # only a job's name begins with its code.
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
        return _site_name(record.key, JobRow._make(record.facts[:_DEPARTMENT_KNOWN]).description)

    def core(self, existing: FieldValues) -> FieldValues:
        """The name is what every PUT of a site carried that was seen (docs/contracts/safetyamp.md#sites)."""
        return {"name": existing.get("name")}


def mapping(options: MappingOptions) -> JobsMapping:
    """The mapping of jobs under these settings."""
    return JobsMapping(options)


def _site_name(job: str, description: str | None) -> str:
    cleaned = cleaning.text(description)
    return f"{job} - {cleaned}" if cleaned else job


def _unknown(department: str) -> str:
    return (
        f"department {department} of its contract is not in Vista's bPRDP, or has no cluster yet: correct the"
        " contract in Vista, or give the department a description and a region"
    )

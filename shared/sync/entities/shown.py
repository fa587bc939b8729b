"""A source record for an operator's eyes: the columns that its mapping uses, by name.

Nothing else that the source holds is shown, and of somebody who has left or is not there yet nothing but
that: their columns are not synced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from shared.clients.vista.rows import JobRow
from shared.sync.entities import cleaning
from shared.sync.entities.employee_facts import EmployeeFacts
from shared.sync.entities.keys import REGION_PREFIX
from shared.sync.entities.vehicles import VehicleFacts
from shared.sync.model import EntityName, FieldValues, JsonValue, SourceRecord


def shown(entity: EntityName, record: SourceRecord, more: Sequence[str] = ()) -> FieldValues:
    """Column -> JSON value, text untrimmed as the source has it. `more`: the columns that rules name besides,
    where they are to be shown too."""
    found = dict(_SHOWN[entity](record))
    others = found.pop("more", ())
    assert isinstance(others, tuple)
    found |= zip(more, others, strict=False)
    return {name: _plain(value) for name, value in found.items()}


def _department(record: SourceRecord) -> Mapping[str, object]:
    is_region = record.key.startswith(REGION_PREFIX)
    names = ("region",) if is_region else ("department", "description", "region")
    return dict(zip(names, record.facts, strict=False))


def _job(record: SourceRecord) -> Mapping[str, object]:
    return JobRow._make(record.facts[: len(JobRow._fields)])._asdict()


def _title(record: SourceRecord) -> Mapping[str, object]:
    return {"title": record.facts[0]}


def _employee(record: SourceRecord) -> Mapping[str, object]:
    standing = record.facts[0]
    if standing != "active":
        why = {"why": record.facts[1]} if standing == "out of scope" else {}
        return {"standing": standing, **why}
    facts = EmployeeFacts.of(record)
    return {
        "standing": standing,
        **facts.row._asdict(),
        # The address that counts, instead of the row's: that may be a private one which is not synced.
        "email": facts.email,
        "email_from": facts.mail_origin,
        "email_shared_with": facts.email_sharers,
        "home_site_from": facts.site_kind,
        "home_site_key": facts.site_key,
    }


def _vehicle(record: SourceRecord) -> Mapping[str, object]:
    return VehicleFacts._make(record.facts)._asdict()


_SHOWN: Mapping[EntityName, Callable[[SourceRecord], Mapping[str, object]]] = {
    "departments": _department,
    "jobs": _job,
    "titles": _title,
    "employees": _employee,
    "vehicles": _vehicle,
}


def _plain(value: object) -> JsonValue:
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, date):
        return value.isoformat()
    return cleaning.text(value) or "(no text)"

"""Vehicles: Samsara's fleet becomes assets of one site and one asset type.

A vehicle is its Samsara id. `serial` is the gateway's, which moves between vehicles
(docs/contracts/samsara.md#vehicles): it is kept up to date in the asset, and only helps to adopt assets that
existed before the sync.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from shared.sync.entities import cleaning
from shared.sync.entities.drivers import Driver, Drivers
from shared.sync.entities.fields import PLAIN, owned, row_fields
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
    SourceRecord,
    Target,
    id_of,
)
from shared.sync.rules.columns import SamsaraColumns
from shared.sync.rules.fields import CODE, UNIT
from shared.sync.sources import MappingOptions, VehiclesSource

LISTED = 1
"""Asset status "active". `unregulated` only means "no commercial motor vehicle", not "retired"
(docs/contracts/samsara.md#vehicles)."""


class VehicleFacts(NamedTuple):
    """The facts of a vehicle's record, cleaned, or as they are where they are no text: what the rules take
    for name, model, description and code. `serial_sharers` counts other vehicles with the serial."""

    name: object
    serial: str | None
    model: object
    notes: object
    plate: object
    serial_sharers: int
    employee: str | None
    driver_problem: str | None


class VehiclesMapping:
    """Implements EntityMapping over VehiclesSource."""

    name: EntityName = "vehicles"
    version: int = 1

    def __init__(self, options: MappingOptions) -> None:
        self.options = options
        self.rules = options.rules.vehicles
        self._columns = SamsaraColumns()
        self.more_columns: tuple[str, ...] = ()
        self._outside = outside(self.rules, self._columns)
        special = frozenset({CODE, UNIT})
        self._fields = row_fields("vehicles", self.rules.fields, self._columns, PLAIN, special)

    def records(self, source: VehiclesSource) -> Iterator[SourceRecord | Rejected]:
        """In the order of their ids; the driver only counts with VEHICLE_ASSIGN_DRIVER."""
        vehicles, rejected = by_key(
            source.vehicles,
            lambda row: cleaning.code(row.get("id")),
            "id",
            "Samsara",
            causes.KEYS[self.name],
            raw_of=lambda row: row.get("id"),
        )
        yield from rejected
        admitted, others = admitted_rows(vehicles, self.name, self.rules, self._outside, "id", self._columns)
        yield from others
        drivers = Drivers(source.drivers, source.employees, self.options.driver_external_id)
        serials = Counter(_serial(vehicle) for vehicle in vehicles.values())
        for key in admitted:
            vehicle = vehicles[key]
            driver = drivers.of(vehicle) if self.rules.assign_driver else Driver()
            yield SourceRecord(key, tuple(self._facts(vehicle, serials[_serial(vehicle)] - 1, driver)))

    def _facts(self, vehicle: ApiRow, serial_sharers: int, driver: Driver) -> VehicleFacts:
        serial = _serial(vehicle)

        def text(name: str) -> object:
            field = self._fields.get(name)
            return None if field is None else field.value(vehicle) or field.given(vehicle)

        return VehicleFacts(
            name=text("name"),
            serial=serial,
            model=text("model"),
            notes=text("description"),
            plate=text("code"),
            serial_sharers=serial_sharers if serial is not None else 0,
            employee=driver.employee,
            driver_problem=driver.problem,
        )

    def desired(self, record: SourceRecord) -> Desired | Rejected:
        """An asset; a vehicle without gateway is skipped, being retired or swapped for another record."""
        facts = VehicleFacts._make(record.facts)
        if facts.serial is None:
            reason = "no gateway serial: a retired vehicle, or one whose gateway moved to another record"
            return Rejected(record.key, "skipped", reason, "serial", cause=causes.GATEWAY_MISSING)
        if facts.serial_sharers:
            reason = f"{facts.serial_sharers} more vehicles have this gateway serial: mend in Samsara"
            return Rejected(record.key, "invalid", reason, "serial", cause=causes.GATEWAY_SHARED)
        notes = Notes()
        if facts.driver_problem is not None:
            notes.warn(f"current_user_id left out: {facts.driver_problem}", causes.DRIVER_UNKNOWN)
        wanted = owned(record.key, self._texts(record.key, facts, notes), self.rules.fields, notes, {})
        needed: dict[str, JsonValue] = {
            "serial": facts.serial,
            "status": LISTED,
            "site_id": self.options.vehicle_site_id,
            "asset_type_id": self.options.vehicle_asset_type_id,
            "current_user_id": Ref("employees", facts.employee) if facts.employee else None,
        }
        present = {name: value for name, value in needed.items() if value is not None}
        return replace(wanted, fields={**wanted.fields, **present})

    def _texts(self, key: str, facts: VehicleFacts, notes: Notes) -> FieldValues:
        unusable, unit = causes.VEHICLE_TEXT_UNUSABLE, f"Unit_{key[-4:]}"
        code = notes.kept_text("code", facts.plate, unusable)
        if code is None and UNIT in (self.rules.fields["code"].from_ or ()):
            code = unit
        return {
            "name": notes.kept_text("name", facts.name, unusable) or code or unit,
            "model": notes.kept_text("model", facts.model, unusable),
            "description": notes.kept_text("description", facts.notes, unusable),
            "code": code,
        }

    def target(self, row: ApiRow) -> Target | None:
        """An asset; it holds no Samsara id, so it has no key and is found by its serial once."""
        if row.get("deleted_at") is not None:
            return None
        serial = _serial(row)
        fields: FieldValues = {
            "name": cleaning.text(row.get("name")),
            "serial": serial,
            "model": cleaning.text(row.get("model")),
            "description": cleaning.text(row.get("description")),
            "code": cleaning.text(row.get("code")),
            "status": row.get("status"),
            "site_id": row.get("site_id"),
            "asset_type_id": row.get("asset_type_id"),
            "current_user_id": row.get("current_user_id"),
        }
        return Target(id_of(row), None, fields, match=serial)

    def match_value(self, record: SourceRecord) -> str | None:
        """The gateway's serial, unless two vehicles claim it."""
        facts = VehicleFacts._make(record.facts)
        return None if facts.serial_sharers else facts.serial

    def core(self, existing: FieldValues) -> FieldValues:
        """All three are required on PUT too (docs/contracts/safetyamp.md#assets)."""
        return {name: existing.get(name) for name in ("name", "site_id", "asset_type_id")}


def mapping(options: MappingOptions) -> VehiclesMapping:
    """The mapping of vehicles under these settings."""
    return VehiclesMapping(options)


def _serial(row: ApiRow) -> str | None:
    """The gateway's serial without hyphens: the same one occurs as `GFRV-43N-VGX` and `GFRV43NVGX`."""
    gateway = row.get("gateway")
    of_gateway = gateway.get("serial") if isinstance(gateway, dict) else None
    written = cleaning.code(row.get("serial")) or cleaning.code(of_gateway)
    return (written or "").replace("-", "").upper() or None

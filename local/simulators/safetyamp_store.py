"""The records that the SafetyAmp simulator holds: flat rows, ids of the form that was seen, unique values."""

from __future__ import annotations

import copy
import string
from collections import Counter
from collections.abc import Iterator
from typing import Any

from local.simulators.safetyamp_fields import FIELDS
from shared.clock import Clock

Row = dict[str, Any]
Id = int | str

FIRST_IDS = {
    "site_clusters": 1,
    "sites": 5101,
    "user_titles": 301,
    "roles": 1,
    "asset_categories": 1,
    "asset_types": 3181,
    "assets": 70001,
    "users": 1,
}
"""Resources with their first id; different ranges, so that a mixed-up id does not fit by chance."""

USER_DIGITS = string.digits + string.ascii_lowercase
USER_ID_LENGTH = 5
USER_ID_STEP = 40_503_001  # coprime to 36**5, so that different numbers give different ids

TRACE = ("created_at", "created_by", "updated_at", "updated_by", "deleted_at", "deleted_by")
API_USER = "k3apx"
SYSTEM_INTEGER = 1

DEFAULTS: dict[str, Row] = {
    "site_clusters": {"osha_establishment": 0},
    "sites": {
        "em_enabled": False,
        "em_weather_override": None,
        "naics_code": None,
        "industry_description": None,
    },
    "user_titles": {},
    "roles": {"account_default": 0, "guard_name": "api", "scim_external_id": None},
    "asset_categories": {},
    "asset_types": {"relationships": []},
    "assets": {"status": 1},
    "users": {
        "type": 0,
        "owner": False,
        "activated": False,
        "system_access": False,
        "bypass_sso": False,
        "text_opt_out": 0,
        "extension": None,
        "current_department": None,
        "last_logged_in": None,
        "avatar_location": None,
        "sites": [],
    },
}


def user_id(number: int, length: int = USER_ID_LENGTH) -> str:
    """The id of the `number`-th user, of 5 characters unless told otherwise."""
    value = number * USER_ID_STEP % len(USER_DIGITS) ** length
    digits = []
    for _ in range(length):
        value, digit = divmod(value, len(USER_DIGITS))
        digits.append(USER_DIGITS[digit])
    return "".join(reversed(digits))


def comparable(field: str, value: Any) -> Any:
    """The form in which unique values are compared: e-mail addresses without regard to case."""
    return value.casefold() if field == "email" else value


class SafetyAmpStore:
    """Rows by resource and id, in the order of creation. Not thread-safe: the simulator locks."""

    def __init__(self, clock: Clock) -> None:
        self.created: Counter[str] = Counter()
        self.updated: Counter[str] = Counter()
        self.other_ids: frozenset[str] = frozenset()
        """Resources whose ids have another form than docs/contracts says."""
        self._clock = clock
        self._rows: dict[str, dict[Id, Row]] = {resource: {} for resource in FIRST_IDS}
        self._order: dict[str, list[Id]] = {resource: [] for resource in FIRST_IDS}
        self._next = dict(FIRST_IDS)
        self._unique: dict[tuple[str, str], dict[Any, Id]] = {
            (resource, field.name): {} for resource in FIELDS for field in FIELDS[resource] if field.taken
        }

    def get(self, resource: str, record_id: Any) -> Row | None:
        """The row, or None; ids of a wrong type are just not there."""
        return self._rows[resource].get(record_id) if isinstance(record_id, int | str) else None

    def rows(self, resource: str) -> Iterator[Row]:
        return iter(self._rows[resource].values())

    def page(self, resource: str, start: int, count: int) -> list[Row]:
        rows = self._rows[resource]
        return [rows[record_id] for record_id in self._order[resource][start : start + count]]

    def holder(self, resource: str, field: str, value: Any) -> Id | None:
        """The id of the record that has this unique value."""
        return self._unique[resource, field].get(comparable(field, value))

    def insert(self, resource: str, fields: Row) -> Row:
        """Add a record that has been checked; absent fields get the resource's defaults."""
        number = self._next[resource]
        self._next[resource] += 1
        row: Row = {
            "id": self.new_id(resource, number),
            **{field.name: None for field in FIELDS.get(resource, ())},
        }
        row |= copy.deepcopy(DEFAULTS[resource]) | fields
        row |= self._trace(resource)
        self._add(resource, row)
        return row

    def new_id(self, resource: str, number: int) -> Id:
        """The id of a resource's `number`-th record."""
        return user_id(number) if resource == "users" else number

    def change(self, resource: str, record_id: Id, fields: Row) -> Row:
        """Set fields that have been checked."""
        row = self._rows[resource][record_id]
        self._index(resource, row, add=False)
        row |= fields
        row["updated_at"] = self._timestamp(resource)
        row["updated_by"] = API_USER
        self._index(resource, row, add=True)
        return row

    def remove(self, resource: str, record_id: Id) -> None:
        """Take the record out of everything, as a soft delete does for the API's readers."""
        row = self._rows[resource].pop(record_id)
        self._order[resource].remove(record_id)
        self._index(resource, row, add=False)

    def move_to_the_end(self, resource: str, record_id: Id) -> None:
        """Let pages show the record last."""
        self._order[resource].remove(record_id)
        self._order[resource].append(record_id)

    def dump(self) -> dict[str, Any]:
        """Everything, as a JSON value for `load`."""
        return {"rows": {name: list(rows.values()) for name, rows in self._rows.items()}, "next": self._next}

    def load(self, dumped: dict[str, Any]) -> None:
        """Fill an empty store with what `dump` gave."""
        for resource, rows in dumped["rows"].items():
            for row in rows:
                self._add(resource, row)
        self._next.update(dumped["next"])

    def _add(self, resource: str, row: Row) -> None:
        self._rows[resource][row["id"]] = row
        self._order[resource].append(row["id"])
        self._index(resource, row, add=True)

    def _index(self, resource: str, row: Row, *, add: bool) -> None:
        for (owner, field), holders in self._unique.items():
            if owner != resource or row.get(field) is None:
                continue
            value = comparable(field, row[field])
            if add:
                holders[value] = row["id"]
            elif holders.get(value) == row["id"]:
                del holders[value]

    def _trace(self, resource: str) -> Row:
        now = self._timestamp(resource)
        return dict(zip(TRACE, (now, API_USER, now, API_USER, None, None), strict=True))

    def _timestamp(self, resource: str) -> str:
        form = "%Y-%m-%dT%H:%M:%S.%fZ" if resource == "roles" else "%Y-%m-%d %H:%M:%S"
        return self._clock.now().strftime(form)

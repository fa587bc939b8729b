"""The fields that SafetyAmp accepts, and what it accepts in them.

Source: docs/contracts/safetyamp.md#errors and the sections on each resource. Where no answer was ever seen
the usual Laravel rule and text stand in. Unknown fields are ignored, as was seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import available_timezones

POST, PUT, PATCH = "POST", "PUT", "PATCH"
ALWAYS = frozenset({POST, PUT, PATCH})
ON_CREATION = frozenset({POST})

EMAIL = re.compile(r"[^@\s,;<>()]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+\Z")
E164 = re.compile(r"\+[1-9][0-9]{6,14}\Z")
ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
TWO_LETTERS = re.compile(r"[A-Za-z]{2}\Z")


class FieldError(ValueError):
    """A value that the field does not take; the text is the one that the client reads."""


Check = Callable[[str, Any], Any]
"""Takes the field's label and a value that is not None; returns what is stored or raises FieldError."""


@dataclass(frozen=True)
class Field:
    """A writable field: `required` names the methods that must send it, `taken` is the text of a value
    that another record has (None: need not be unique), `refers` the resource whose id it must be."""

    name: str
    check: Check
    required: frozenset[str] = frozenset()
    taken: str | None = None
    refers: str | None = None

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")


def text(label: str, value: Any) -> str:
    if not isinstance(value, str):
        raise FieldError(f"The {label} must be a string.")
    if len(value) > 255:
        raise FieldError(f"The {label} must not be greater than 255 characters.")
    return value


def long_text(label: str, value: Any) -> str:
    if not isinstance(value, str):
        raise FieldError(f"The {label} must be a string.")
    return value


def integer(label: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise FieldError(f"The {label} must be an integer.")


def flag(label: str, value: Any) -> int:
    if value not in (0, 1, "0", "1"):
        raise FieldError(f"The {label} field must be true or false.")
    return int(value)


def boolean(label: str, value: Any) -> bool:
    return bool(flag(label, value))


def date(label: str, value: Any) -> str:
    if isinstance(value, str) and ISO_DATE.match(value):
        try:
            datetime.strptime(value, "%Y-%m-%d")  # noqa: DTZ007  only whether the day exists
        except ValueError:
            pass
        else:
            return value
    raise FieldError(f"The {label} does not match the format Y-m-d.")


def phone(_label: str, value: Any) -> str:
    if not isinstance(value, str) or not E164.match(value):
        raise FieldError("validation.phone")
    return value


def email(label: str, value: Any) -> str:
    if not isinstance(value, str) or not EMAIL.match(value):
        raise FieldError(f"The {label} must be a valid email address.")
    return value


def gender(label: str, value: Any) -> int:
    if isinstance(value, bool) or value not in (0, 1):
        raise FieldError(f"The selected {label} is invalid.")
    return int(value)


def two_letters(label: str, value: Any) -> str:
    if not isinstance(value, str) or not TWO_LETTERS.match(value):
        raise FieldError(f"The {label} must be 2 characters.")
    return value


def timezone(label: str, value: Any) -> str:
    if not isinstance(value, str) or value not in _zones():
        raise FieldError(f"The {label} must be a valid zone.")
    return value


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def ids(label: str, value: Any) -> list[Any]:
    """`[{"id": N}, ...]`, stored as a list of ids."""
    if not isinstance(value, list) or not all(isinstance(item, dict) and "id" in item for item in value):
        raise FieldError(f"The {label} must be an array of objects with an id.")
    return [item["id"] for item in value]


CLUSTER_FIELDS = (
    Field("name", text, ALWAYS),
    Field("parent_cluster_id", integer, ALWAYS, refers="site_clusters"),
    Field("osha_establishment", flag, ALWAYS),
    Field("external_code", text, taken="The cluster code is already in use."),
)

SITE_FIELDS = (
    Field("name", text, ALWAYS),
    # Never missing in what was seen, though nothing says what the server does without it.
    Field("cluster_id", integer, ON_CREATION, refers="site_clusters"),
    Field("street", text, ON_CREATION),
    Field("street2", text),
    Field("city", text, ON_CREATION),
    # No creation without them is on record; a real SafetyAmp may ask for them.
    Field("state", two_letters),
    Field("zip_code", text),
    Field("country", two_letters, ON_CREATION),
    Field("timezone", timezone, ON_CREATION),
    # Not required: sites made without it are on record.
    Field("ext_id", text, taken="The site code is already in use."),
    Field("latitude", text),
    Field("longitude", text),
)

TITLE_FIELDS = (Field("name", text, ALWAYS),)

USER_FIELDS = (
    Field("first_name", text, ALWAYS),
    Field("middle_name", text),
    Field("last_name", text, ALWAYS),
    Field("nickname", text),
    Field("email", email, ALWAYS, taken="The email has already been taken."),
    Field("emp_id", text),
    Field("date_of_birth", date),
    Field("gender", gender),
    Field("work_phone", phone),
    Field("home_phone", phone),
    Field("mobile_phone", phone, taken="The mobile phone has already been taken."),
    Field("street", text),
    Field("street2", text),
    Field("city", text),
    Field("state", two_letters),
    Field("zip_code", text),
    Field("country", two_letters),
    Field("timezone", timezone),
    Field("home_site_id", integer, refers="sites"),
    Field("current_title_id", integer, refers="user_titles"),
    Field("current_supervisor_id", text, refers="users"),
    Field("current_hire_date", date),
    Field("rehire_date", date),
    Field("system_access", boolean),
    Field("bypass_sso", boolean),
    Field("text_opt_out", flag),
    Field("roles", ids, refers="roles"),
    Field("sites", ids, refers="sites"),
)

ASSET_FIELDS = (
    Field("name", text, ALWAYS),
    Field("site_id", integer, ALWAYS, refers="sites"),
    Field("asset_type_id", integer, ALWAYS, refers="asset_types"),
    Field("code", text),
    Field("serial", text),
    Field("model", text),
    Field("description", long_text),
    Field("status", flag),
    Field("location_id", integer),
    Field("current_user_id", text, refers="users"),
)

FIELDS: dict[str, tuple[Field, ...]] = {
    "site_clusters": CLUSTER_FIELDS,
    "sites": SITE_FIELDS,
    "user_titles": TITLE_FIELDS,
    "users": USER_FIELDS,
    "assets": ASSET_FIELDS,
}
"""Writable fields by resource, in the order in which a 422 names them."""

"""Which fields of SafetyAmp rules can say something about, and what can be said of each.

What is not here is set by the sync as SafetyAmp needs it: identifiers, parents and references that a record
is nothing without (docs/rules.md, "What the file cannot change").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from shared.sync.model import EntityName

Cleaner = Literal[
    "text", "names", "email", "phone", "day", "birth_date", "gender", "two_letters", "zip_code", "as_it_is"
]
"""How a source's value becomes one that SafetyAmp takes. `names` is `text` that turns a name in capitals
only (DOE) into Doe."""

MICROSOFT_ACCOUNT = "Microsoft account"
"""Among the sources of an e-mail: the address of the enabled account that has the employee's number."""

CODE, UNIT = "code", "Unit_{id}"
"""Among the sources of a vehicle's texts: what its code is, and its Samsara id's last four signs."""

Owner = Literal["source", "create", "safetyamp", "nobody"]
"""Whose value wins. `source`: the source's, always; `create`: the source's when the record is created, then
SafetyAmp's; `safetyamp`: the same, and the source's again where SafetyAmp has nothing; `nobody`: it is never
sent."""
OWNERS: tuple[Owner, ...] = get_args(Owner)


@dataclass(frozen=True)
class FieldKind:
    """What can be said of a field. `cleaners`: the first is the one where none is named. `may_clear`: whether
    SafetyAmp can be without a value. `rules`: names that `rule` can list, instead of columns. `needed`: a
    new record needs it, so that the file must say where it comes from. `text`: it is put together with
    `text`, which must begin with this, as the sync knows its records again by it."""

    cleaners: tuple[Cleaner, ...] = ("text",)
    may_clear: bool = False
    needed: bool = False
    rules: tuple[str, ...] = ()
    text: str | None = None
    owners: tuple[Owner, ...] = OWNERS
    constant: bool = False


_OPTIONAL = FieldKind(may_clear=True)
_NAME = FieldKind(("text", "names"), needed=True)
_LETTERS = FieldKind(("two_letters",), may_clear=True)

FIELDS: Mapping[EntityName, Mapping[str, FieldKind]] = {
    "departments": {"name": FieldKind(needed=True, text="{PRDept} - ", owners=("source", "create"))},
    "jobs": {
        "name": FieldKind(needed=True, text="{Job} - ", owners=("source", "create")),
        "street": _OPTIONAL,
        "city": _OPTIONAL,
        "state": _LETTERS,
        "zip_code": FieldKind(("zip_code",), may_clear=True),
        "country": FieldKind(("two_letters",)),
        "timezone": FieldKind(("as_it_is",), constant=True, owners=("create",)),
    },
    "titles": {},
    "employees": {
        "first_name": _NAME,
        "middle_name": FieldKind(("text", "names"), may_clear=True),
        "last_name": _NAME,
        "email": FieldKind(("email",), needed=True),
        "gender": FieldKind(("gender",), may_clear=True),
        "date_of_birth": FieldKind(("birth_date", "day"), may_clear=True),
        "current_hire_date": FieldKind(("day",)),
        "street": _OPTIONAL,
        "street2": _OPTIONAL,
        "city": _OPTIONAL,
        "state": _LETTERS,
        "zip_code": FieldKind(("zip_code",), may_clear=True),
        "country": FieldKind(("two_letters",)),
        "mobile_phone": FieldKind(("phone",), may_clear=True),
        "work_phone": FieldKind(("phone",), may_clear=True),
        "home_site_id": FieldKind(needed=True, rules=("latest_open_job", "office_of_region")),
        "current_title_id": FieldKind(rules=("title",)),
        "timezone": FieldKind(("as_it_is",), constant=True, owners=("create",)),
        "roles": FieldKind(("as_it_is",), constant=True, needed=True, owners=("create",)),
        "text_opt_out": FieldKind(("as_it_is",), constant=True, owners=("create",)),
    },
    "vehicles": {
        "name": FieldKind(needed=True),
        "model": _OPTIONAL,
        "description": _OPTIONAL,
        "code": _OPTIONAL,
    },
}

COLUMNS: Mapping[EntityName, tuple[str, ...]] = {
    "departments": ("PRDept", "Description"),
    "jobs": (
        *("Job", "Description", "Department"),
        *("ShipAddress", "ShipCity", "ShipState", "ShipZip", "ShipCountry"),
    ),
    "titles": (),
    "employees": (
        *("Employee", "FirstName", "MidName", "LastName", "Address", "Address2", "City", "State", "Zip"),
        *("Country", "Phone", "Sex", "BirthDate", "HireDate", "TermDate", "PRDept", "Email"),
    ),
    "vehicles": ("id", "name", "serial", "licensePlate", "model", "make", "year", "vin", "notes"),
}
"""Columns that are read whatever the rules say, in the order of the rows; of vehicles all that there are."""

TABLES: Mapping[EntityName, str] = {
    "departments": "bPRDP",
    "jobs": "bJCJM",
    "employees": "bPREH",
}
"""The tables of Vista that custom columns are selected from."""

NEVER_READ = frozenset({"SSN", "AcctNum", "RoutingId", "BankCode", "HrlyRate", "SalaryAmt"})
"""Columns of bPREH that no rule may name: social security and bank numbers, and pay
(docs/contracts/vista.md#tables)."""

CONDITION_WORDS = ("is", "in", "is_not", "not_in", "starts_with", "before", "after")
"""What a condition can say of a value, beside `empty`."""

MOST_BYTES = 256 * 1024
"""Of a file of rules."""

PERSONAL = frozenset(
    {"firstname", "midname", "lastname", "sortname", "suffix", "address", "address2", "city", "state", "zip"}
    | {"phone", "cellphone", "workphone", "email", "sex", "birthdate", "licnumber", "notes"}
)
"""Columns, in lower case, whose values no log and no reason may show."""

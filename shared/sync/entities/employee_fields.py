"""The rules of employees, ready to be asked of rows of bPREH."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

from shared.clients.vista.rows import EmployeeRow
from shared.sync.entities import cleaning
from shared.sync.entities.fields import PLAIN, Clean, Row, row_fields
from shared.sync.entities.scoping import outside
from shared.sync.model import JsonValue
from shared.sync.rules.columns import columns_of
from shared.sync.rules.fields import MICROSOFT_ACCOUNT, Cleaner
from shared.sync.sources import MappingOptions

ONE_DAY = timedelta(days=1)
INACTIVE = "N"
"""ActiveYN of somebody who does not work here (docs/contracts/vista.md#employees)."""


class EmployeeFields:
    """What the rules say of rows: their fields, who is in scope, who is hired and who has left."""

    def __init__(self, options: MappingOptions) -> None:
        self.rules = options.rules.employees
        self.columns = columns_of(options.rules, "employees")
        self._default_country = options.default_country
        special = frozenset({MICROSOFT_ACCOUNT})
        self.from_columns = row_fields(
            "employees", self.rules.fields, self.columns, self._cleaners(), special
        )
        self.outside = outside(self.rules, self.columns)
        people = self.rules.people
        self._last_day_worked = people.last_day == "worked"
        self.lead = timedelta(days=people.hire_lead_days)
        self._active = self.columns.getter(people.active_column) if people.active_column else None
        email = self.rules.fields["email"].from_ or ()
        self.asks_microsoft = MICROSOFT_ACCOUNT in email
        self.home_site_rules = self.rules.fields["home_site_id"].rule or ()

    def _cleaners(self) -> dict[Cleaner, Clean]:
        def phone(value: object, _: Row) -> JsonValue:
            return cleaning.phone(value, self._default_country)

        def zip_code(value: object, row: Row) -> JsonValue:
            country = self.value("country", row)
            return cleaning.zip_code(value, country if isinstance(country, str) else self._default_country)

        def birth_date(value: object, row: Row) -> JsonValue:
            """If it can be one: nobody is hired before being born, so the future is ruled out too."""
            born, hired = cleaning.iso_day(value), cleaning.iso_day(EmployeeRow._make(row).hire_date)
            if born is None or hired is None:
                return None
            return born if cleaning.EARLIEST_DAY.isoformat() < born < hired else None

        return {
            **PLAIN,
            "email": lambda value, _: cleaning.email(value),
            "phone": phone,
            "zip_code": zip_code,
            "birth_date": birth_date,
        }

    def value(self, name: str, row: EmployeeRow | Row) -> JsonValue:
        """What the row's columns say of a field; None for nothing usable, or where it is not from there."""
        field = self.from_columns.get(name)
        return None if field is None else field.value(row)

    def raws(self, name: str, row: EmployeeRow) -> tuple[object, ...]:
        """What the columns that a field comes from hold."""
        field = self.from_columns.get(name)
        return () if field is None else field.raws(row)

    def text(self, name: str, row: EmployeeRow) -> str | None:
        """The same of a field that is a text."""
        value = self.value(name, row)
        return value if isinstance(value, str) else None

    def raw_email(self, row: EmployeeRow) -> object:
        """The address that the row's columns hold, not cleaned; of several the first that is one."""
        field = self.from_columns["email"]
        if len(field.gets) == 1:
            return field.gets[0](row)
        return field.value(row) or field.given(row)

    def owns(self, name: str) -> bool:
        """Whether the source's value of a field wins."""
        rule = self.rules.fields.get(name)
        return rule is not None and rule.owner == "source"

    def has_left(self, left: date | None, today: date) -> bool:
        """Whether the person has left by `today`; `left` is the day of TermDate."""
        return left is not None and left + (ONE_DAY if self._last_day_worked else timedelta()) <= today

    def is_inactive(self, row: EmployeeRow) -> bool:
        """Whether the column that the rules name says that the person does not work here."""
        return self._active is not None and (cleaning.code(self._active(row)) or "").upper() == INACTIVE


@lru_cache(maxsize=8)
def employee_fields(options: MappingOptions) -> EmployeeFields:
    """The rules under these settings."""
    return EmployeeFields(options)

"""Who has not left, by what a user in SafetyAmp can show of them. Pure."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from shared.clients.vista.rows import EmployeeRow
from shared.sync.entities.employee_facts import addresses, key_of, standing
from shared.sync.entities.employee_fields import EmployeeFields, employee_fields
from shared.sync.model import FieldValues
from shared.sync.sources import EmployeesSource

logger = logging.getLogger(__name__)

Sign = tuple[str, ...]
"""An e-mail, or first and last name in lower case."""


class CurrentPeople:
    """One pass over all rows, which can be a hundred thousand: to be made only where somebody asks."""

    def __init__(self, source: EmployeesSource) -> None:
        self._by_sign: dict[Sign, set[str]] = {}
        self._numbers: set[str] = set()
        rules = employee_fields(source.options)
        for row in source.rows:
            try:
                self._note(row, source, rules)
            except Exception:
                # One odd value is nobody's, and of the others it says nothing.
                logger.exception("name, e-mail or dates of a row in Vista cannot be read")

    def _note(self, row: EmployeeRow, source: EmployeesSource, rules: EmployeeFields) -> None:
        key = key_of(row)
        if key is None or standing(row, source.today, rules) == "left":
            return
        self._numbers.add(key)
        shown: FieldValues = {name: rules.value(name, row) for name in ("first_name", "last_name")}
        for email in addresses(row, source):
            for sign in _signs({**shown, "email": email}):
                self._by_sign.setdefault(sign, set()).add(key)

    def __contains__(self, number: str) -> bool:
        return number in self._numbers

    def shown_by(self, fields: FieldValues) -> list[str]:
        """Numbers of those whose e-mail, or whose both names, a user shows."""
        return sorted({key for sign in _signs(fields) for key in self._by_sign.get(sign, ())})


def _signs(fields: FieldValues) -> Iterator[Sign]:
    email, first, last = (fields.get(name) for name in ("email", "first_name", "last_name"))
    if email:
        yield (str(email).casefold(),)
    if first and last:
        yield (str(first).casefold(), str(last).casefold())

"""E-mail addresses of employees, from Microsoft's accounts and from Vista."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from tests.e2e.expected_values import Record, email, employee_number


class Mail(NamedTuple):
    """`address` None: there is none, or no well-formed one. `only_for_new`: good enough for a new user, but
    never replaces the address of one who is there."""

    address: str | None
    only_for_new: bool


class Accounts:
    """The accounts of a tenant by employee number (docs/contracts/msgraph.md#fields)."""

    def __init__(self, accounts: list[Record]) -> None:
        self._by_number: dict[str, list[Record]] = defaultdict(list)
        for account in accounts:
            number = employee_number(account.get("employeeId"))
            if number is not None:
                self._by_number[number].append(account)

    def mail(self, person: Record) -> Mail:
        """The address of the one enabled account; else Vista's.

        docs/contracts/msgraph.md#traps: with an account that cannot be used, Vista's mostly private address
        must not push aside the one in SafetyAmp. Two enabled accounts of one number: neither is used.
        """
        known = self._by_number.get(str(person["Employee"]), [])
        enabled = [account for account in known if account["accountEnabled"]]
        address = email(enabled[0]["mail"]) if len(enabled) == 1 else None
        if address is not None and "onmicrosoft" not in address:
            return Mail(address, only_for_new=False)
        return Mail(email(person["Email"]), only_for_new=bool(known))

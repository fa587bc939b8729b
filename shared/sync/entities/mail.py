"""Which e-mail address belongs to which employee number, from the accounts of Microsoft Graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from shared.sync.entities import cleaning
from shared.sync.sources import MailDirectory


def mail_directory(users: Iterable[dict[str, Any]]) -> MailDirectory:
    """The directory of a complete listing of accounts, enabled or not.

    Only `mail` counts: the login name is often no address (Graph contract). Two enabled accounts with one
    employee number are two claims, whether or not both have mail: nobody can tell whose number it is. An
    account that the listing brings twice (paging while accounts change) is one account.
    """
    accounts = _accounts_by_number(users)
    usable: dict[str, str] = {}
    ambiguous: set[str] = set()
    for number, claims in accounts.items():
        enabled = [user for user in claims if user.get("accountEnabled") is not False]
        if len(enabled) > 1:
            ambiguous.add(number)
        elif enabled and (address := _real_address(enabled[0])):
            usable[number] = address
    return MailDirectory(usable=usable, known=frozenset(accounts), ambiguous=frozenset(ambiguous))


def _accounts_by_number(users: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    accounts: dict[str, list[dict[str, Any]]] = {}
    seen: set[str] = set()
    for user in users:
        number = cleaning.number(user.get("employeeId"))
        account_id = user.get("id")
        if number is None or account_id in seen:
            continue
        if account_id is not None:
            seen.add(account_id)
        accounts.setdefault(number, []).append(user)
    return accounts


def _real_address(user: dict[str, Any]) -> str | None:
    """The account's address unless it is the tenant's own (`*.onmicrosoft.com`), which nobody reads."""
    address = cleaning.email(user.get("mail"))
    return None if address is None or ".onmicrosoft." in address else address

"""Which e-mail address belongs to which employee number, from the accounts of Microsoft Graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from shared.sync.entities import cleaning
from shared.sync.sources import MailDirectory


def mail_directory(users: Iterable[dict[str, Any]]) -> MailDirectory:
    """The directory of a complete listing of accounts, enabled or not.

    Only `mail` counts: the login name is often no address (docs/contracts/msgraph.md#fields). Two enabled
    accounts with one employee number are two claims, whether or not both have mail: nobody can tell whose
    number it is. An account that the listing brings twice (paging while accounts change) is one account.
    """
    known: set[str] = set()
    enabled: dict[str, dict[str, Any]] = {}
    ambiguous: set[str] = set()
    for number, user in _numbered(users):
        known.add(number)
        if user.get("accountEnabled") is False:
            continue
        if enabled.setdefault(number, user) is not user:
            ambiguous.add(number)
    usable = {
        number: address
        for number, user in enabled.items()
        if number not in ambiguous and (address := _real_address(user))
    }
    return MailDirectory(usable=usable, known=frozenset(known), ambiguous=frozenset(ambiguous))


def _numbered(users: Iterable[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each account once, with its employee number; accounts without one are left out."""
    seen: set[str | None] = set()
    for user in users:
        number = cleaning.number(user.get("employeeId"))
        account_id = cleaning.code(user.get("id"))
        if number is None or account_id in seen:
            continue
        if account_id:
            seen.add(account_id)
        yield number, user


def _real_address(user: dict[str, Any]) -> str | None:
    """The account's address unless it is the tenant's own (`*.onmicrosoft.com`), which nobody reads."""
    address = cleaning.email(user.get("mail"))
    return None if address is None or ".onmicrosoft." in address else address

"""Which e-mail address belongs to which employee number, from the accounts of Microsoft Graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared.sync.entities import cleaning
from shared.sync.model import ApiRow
from shared.sync.sources import MailDirectory


def mail_directory(users: Iterable[ApiRow]) -> MailDirectory:
    """The directory of a complete listing of accounts, enabled or not.

    Only `mail` counts: the login name is often no address (docs/contracts/msgraph.md#fields). Two enabled
    accounts with one employee number are two claims, whether or not both have mail: nobody can tell whose
    number it is. An account that the listing brings twice (paging while accounts change) is one account.
    """
    known: set[str] = set()
    enabled: dict[str, ApiRow] = {}
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


def _numbered(users: Iterable[ApiRow]) -> Iterator[tuple[str, ApiRow]]:
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


def _real_address(user: ApiRow) -> str | None:
    """The account's address unless it is the tenant's own (`*.onmicrosoft.com`), which nobody reads."""
    address = cleaning.email(user.get("mail"))
    return None if address is None or ".onmicrosoft." in address else address

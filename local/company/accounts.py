"""The demo company's accounts in Microsoft Entra ID: most people, some of them in odd ways."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from random import Random

from local.company.model import Row
from local.company.people import CYCLE, NO_ACCOUNT, ascii_name, is_leaver

DOMAIN = "pelicanfork.example"
DISABLED, CLOUD_ONLY, AMBIGUOUS, LEADING_ZERO, TRAILING_BLANK, WITHOUT_MAIL = 90, 91, 92, 93, 94, 95
MAILBOXES = ("Board Room", "Reception", "Payroll", "Fuel Desk", "Tool Crib", "Plan Room", "Yard", "Fleet")


def build_accounts(people: Sequence[Row], random: Random) -> list[Row]:
    """Accounts of our people, then room mailboxes (disabled, no employee number) and two guests."""
    accounts = [row for index, person in enumerate(people) for row in _accounts(index, person, random)]
    accounts += [_mailbox(name, random) for name in MAILBOXES]
    return accounts + [_guest(number, random) for number in (1, 2)]


def has_account(index: int) -> bool:
    """Whether the `index`-th employee has an account."""
    return index % 10 != 7 and index % CYCLE not in NO_ACCOUNT


def work_mail(person: Row) -> str:
    """The address that an employee has at work."""
    name = f"{ascii_name(person['FirstName'])}.{ascii_name(person['LastName'])}"
    return f"{name.lower()}.{person['Employee']}@{DOMAIN}"


def account(person: Row, random: Random) -> Row:
    """An ordinary account of an employee."""
    mail = work_mail(person)
    first, last = (str(person[name]).strip().strip("\x1f\x00") for name in ("FirstName", "LastName"))
    return {
        "id": _guid(random),
        "accountEnabled": True,
        "employeeId": str(person["Employee"]),
        "displayName": f"{first} {last}",
        "givenName": first or None,
        "surname": last,
        "jobTitle": person["udEmpTitle"],
        "department": person["PRDept"],
        "mail": mail,
        "userPrincipalName": mail,
        "mobilePhone": person["Phone"],
        "businessPhones": [],
        "officeLocation": None,
        "userType": "Member",
    }


def _accounts(index: int, person: Row, random: Random) -> Iterator[Row]:
    if not has_account(index):
        return
    row = account(person, random)
    place = index % CYCLE
    if place == DISABLED or is_leaver(index):
        row["accountEnabled"] = False
    elif place == CLOUD_ONLY:
        row["mail"] = row["userPrincipalName"] = f"p{person['Employee']}@pelicanfork.onmicrosoft.com"
    elif place == AMBIGUOUS:
        second = f"second.{row['mail']}"
        yield {**row, "id": _guid(random), "mail": second, "userPrincipalName": second}
    elif place == LEADING_ZERO:
        row["employeeId"] = f"0{person['Employee']}"
    elif place == TRAILING_BLANK:
        row["employeeId"] = f"{person['Employee']} "
    elif place == WITHOUT_MAIL:
        row["mail"] = None
    yield row


def _mailbox(name: str, random: Random) -> Row:
    mail = f"{name.lower().replace(' ', '')}@{DOMAIN}"
    return {
        "id": _guid(random),
        "accountEnabled": False,
        "employeeId": None,
        "displayName": name,
        "mail": mail,
        "userPrincipalName": mail,
        "userType": "Member",
    }


def _guest(number: int, random: Random) -> Row:
    return {
        "id": _guid(random),
        "accountEnabled": True,
        "employeeId": None,
        "displayName": f"Auditor {number}",
        "mail": f"auditor{number}@ledger.example",
        "userPrincipalName": f"auditor{number}_ledger.example#EXT#@pelicanfork.onmicrosoft.com",
        "userType": "Guest",
    }


def _guid(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))

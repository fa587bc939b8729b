"""Titles and employees: which titles and users there must be."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Literal, NamedTuple

from tests.e2e.expected_content import Content
from tests.e2e.expected_home_sites import HomeSites
from tests.e2e.expected_mail import Accounts, Mail
from tests.e2e.expected_tally import Tally
from tests.e2e.expected_values import (
    FIRST_REAL_DAY,
    Record,
    day,
    gender,
    letters,
    phone,
    present,
    text,
    zip_code,
)

Standing = Literal["current", "left", "future", "contradiction"]


def standing(person: Record, today: date) -> Standing:
    """How somebody with a hire date stands today: the day of TermDate is the first one without access.

    A term date before a hire date that has come contradicts it, and nobody is locked out on a guess.
    """
    hired, left = day(person["HireDate"]), day(person["TermDate"])
    assert hired is not None, "people without a hire date are not read (docs/contracts/vista.md#employees)"
    if left is not None and left <= today:
        return "contradiction" if left < hired <= today else "left"
    return "future" if hired > today else "current"


def expect_titles(people: list[Record], today: date, before: Content) -> Tally:
    """Distinct trimmed titles of those who are hired and have not left; all empty ones are one skipped."""
    tally = Tally("user_titles", before)
    current = [row for row in people if _is_employed(row, today)]
    # Upper and lower case make no other title; the demo company has one spelling of each.
    titles = {text(row["udEmpTitle"]) for row in current}
    assert len({(title or "").casefold() for title in titles}) == len(titles)
    for title in titles:
        if title is None:
            tally.count("skipped")
        elif title in tally.records:
            tally.update(title, {"name": title})
        else:
            tally.create(title, {"name": title})
    return tally


def _is_employed(person: Record, today: date) -> bool:
    hired, left = day(person["HireDate"]), day(person["TermDate"])
    return hired is not None and hired <= today and (left is None or left > today)


class Candidate(NamedTuple):
    """A current employee with what depends on the others; `home` None: there is no site to belong to."""

    row: Record
    mail: Mail
    mail_is_shared: bool
    phone_is_shared: bool
    """Somebody with a lower number who is or will be there has it, and keeps it."""
    home: str | None


def expect_users(
    people: list[Record], accounts: Accounts, homes: HomeSites, today: date, before: Content
) -> Tally:
    """One user per current employee, matched by emp_id; leavers lose their access, nobody is deleted."""
    tally = Tally("users", before)
    hired = sorted((row for row in people if row["HireDate"]), key=lambda row: int(row["Employee"]))
    current = [row for row in hired if standing(row, today) == "current"]
    candidates = _candidates(current, accounts, homes, before)
    for row in hired:
        key = str(row["Employee"])
        if f"{key} (2)" in before["users"]:
            tally.count("invalid")  # two users claim the number: neither is touched
        elif key in candidates:
            _expect_user(tally, key, candidates[key], before)
        else:
            _expect_absent(tally, key, standing(row, today))
    return tally


def _candidates(
    current: list[Record], accounts: Accounts, homes: HomeSites, before: Content
) -> dict[str, Candidate]:
    mails = [accounts.mail(row) for row in current]
    addresses = Counter(mail.address for mail in mails)
    phones: set[str | None] = {None}
    found = {}
    for row, mail in zip(current, mails, strict=True):
        number = phone(row["Phone"])
        shared = addresses[mail.address] > 1
        key = str(row["Employee"])
        found[key] = Candidate(row, mail, shared, number in phones, homes.of(row))
        if _will_be_there(key, found[key], before):
            phones.add(number)
    return found


def _will_be_there(key: str, candidate: Candidate, before: Content) -> bool:
    if f"{key} (2)" in before["users"]:
        return False
    named = text(candidate.row["FirstName"]) and text(candidate.row["LastName"])
    address = candidate.mail.address
    if not named or (key not in before["users"] and (candidate.home is None or not address)):
        return False
    taken = any(user["email"].lower() == address for user in before["users"].values())
    return key in before["users"] or not (candidate.mail_is_shared or taken)


def _expect_absent(tally: Tally, key: str, stands: Standing) -> None:
    user = tally.records.get(key)
    if stands == "contradiction":
        tally.count("invalid")
    elif stands == "future" or user is None:
        tally.count("skipped")
    elif user["system_access"]:
        user["system_access"] = False
        tally.count("deactivated")
    else:
        tally.count("unchanged")


def _expect_user(tally: Tally, key: str, candidate: Candidate, before: Content) -> None:
    row, address = candidate.row, candidate.mail.address
    if not (text(row["FirstName"]) and text(row["LastName"])) or (address and candidate.mail_is_shared):
        tally.count("invalid")
    elif candidate.home is None and key not in tally.records:
        tally.count("skipped")
    elif not address and key not in tally.records:
        tally.count("invalid")
    elif key in tally.records:
        # Access stays as it is: whoever was switched off by hand is reported, not switched on.
        mail = {} if candidate.mail.only_for_new or not address else {"email": address}
        # Who is off although current was switched off by hand, and stays so.
        otherwise = "unchanged" if tally.records[key]["system_access"] else "skipped"
        tally.update(key, _user(candidate) | mail, otherwise=otherwise)
        tally.going_without += candidate.phone_is_shared and bool(phone(row["Phone"]))
    elif any(user["email"].lower() == address for user in before["users"].values()):
        tally.count("failed")  # SafetyAmp refuses it: 422, the email has already been taken
    else:
        tally.create(key, _new_user(key) | present(_user(candidate)) | {"email": address})
        tally.going_without += candidate.phone_is_shared and bool(phone(row["Phone"]))


def _user(candidate: Candidate) -> Record:
    person = candidate.row
    country, number = letters(person["Country"]), phone(person["Phone"])
    return {
        "first_name": text(person["FirstName"]),
        "middle_name": text(person["MidName"]),
        "last_name": text(person["LastName"]),
        "gender": gender(person["Sex"]),
        "date_of_birth": _birth(person),
        "current_hire_date": str(day(person["HireDate"])),
        "street": text(person["Address"]),
        "street2": text(person["Address2"]),
        "city": text(person["City"]),
        "state": letters(person["State"]),
        "zip_code": zip_code(person["Zip"], country),
        "country": country,
        # Both come from the one column Phone, but only the mobile one must be unique (trap 12).
        "work_phone": number,
        "mobile_phone": None if candidate.phone_is_shared else number,
        "home_site_id": candidate.home,
        "current_title_id": text(person["udEmpTitle"]),
    }


def _birth(person: Record) -> str | None:
    born, hired = day(person["BirthDate"]), day(person["HireDate"])
    return str(born) if born and hired and FIRST_REAL_DAY <= born < hired else None


def _new_user(key: str) -> Record:
    access = {"system_access": True, "text_opt_out": 1, "roles": ["Field"]}
    return {"emp_id": key, "country": "US", "timezone": "America/Chicago", **access}

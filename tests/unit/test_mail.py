"""Microsoft accounts become e-mail addresses by employee number; what is in doubt is not used."""

from __future__ import annotations

from typing import Any

import pytest

from shared.sync.entities.mail import mail_directory


def account(number: str | None, mail: str | None = "ann@example.com", **more: Any) -> dict[str, Any]:
    return {"employeeId": number, "mail": mail, "accountEnabled": True, **more}


@pytest.mark.parametrize(
    ("user", "usable"),
    [
        (account("10027"), {"10027": "ann@example.com"}),
        (account(" 010027 ", "Ann@Example.com "), {"10027": "ann@example.com"}),
        (account("10027", None), {}),
        (account("10027", ""), {}),
        (account("10027", "not an address"), {}),
        (account("10027", "ann@company.onmicrosoft.com"), {}),
        (account("10027", accountEnabled=False), {}),
        (account("10027", None, userPrincipalName="ann@example.com"), {}),
    ],
)
def test_only_the_real_mail_of_an_enabled_account_is_usable(
    user: dict[str, Any], usable: dict[str, str]
) -> None:
    directory = mail_directory([user])
    assert directory.usable == usable
    assert directory.known == {"10027"}, "the number is known whatever the account's state"


@pytest.mark.parametrize("number", [None, "", "  "])
def test_accounts_without_employee_number_are_left_out(number: str | None) -> None:
    directory = mail_directory([account(number)])
    assert (directory.usable, directory.known) == ({}, frozenset())


@pytest.mark.parametrize("second_mail", ["bob@example.com", None])
def test_a_number_that_two_enabled_accounts_claim_is_nobodys(second_mail: str | None) -> None:
    directory = mail_directory([account("10027", id="a"), account("010027", second_mail, id="b")])
    assert directory.usable == {}
    assert directory.ambiguous == {"10027"}


def test_a_disabled_account_does_not_contest_an_enabled_one() -> None:
    directory = mail_directory(
        [account("1", id="a"), account("1", "old@example.com", accountEnabled=False, id="b")]
    )
    assert directory.usable == {"1": "ann@example.com"}
    assert directory.ambiguous == frozenset()


def test_an_account_listed_twice_is_one_account() -> None:
    directory = mail_directory([account("1", id="a"), account("1", id="a")])
    assert directory.usable == {"1": "ann@example.com"}


@pytest.mark.parametrize(
    "odd",
    [
        {"employeeId": ["1"]},
        {"employeeId": "9", "mail": ["x"]},
        {"employeeId": 5.5},
        {"employeeId": True},
        {"employeeId": "7", "mail": "\ud83d"},
        {"employeeId": "8", "id": ["x"], "accountEnabled": "no"},
    ],
)
def test_one_odd_account_costs_no_other(odd: dict[str, Any]) -> None:
    directory = mail_directory([odd, account("10027"), odd])
    assert directory.usable == {"10027": "ann@example.com"}


@pytest.mark.parametrize("number", ["010027", " 10027", "10027.0", 10027, 10027.0, "\u200e10027"])
def test_an_account_belongs_to_the_normal_form_of_its_number(number: Any) -> None:
    assert mail_directory([account(number)]).usable == {"10027": "ann@example.com"}

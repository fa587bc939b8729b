"""Whether two records show one person."""

from __future__ import annotations

from typing import Any

import pytest

from shared.sync.entities.persons import (
    has_other_names,
    is_another_person,
    is_same_person,
    may_have_married,
)

PAT = {"first_name": "Pat", "last_name": "Miller", "date_of_birth": "1980-05-17"}
PERSONS: list[tuple[str, dict[str, Any], bool]] = [
    ("the same", {}, False),
    ("married", {"last_name": "Smith"}, False),
    ("a birth date mended", {"date_of_birth": "1980-06-17"}, False),
    ("upper case and another birth date", {"last_name": "MILLER", "date_of_birth": "1981-05-17"}, False),
    ("another last name and birth date", {"last_name": "Smith", "date_of_birth": "1991-01-02"}, True),
    ("another first name and birth date", {"first_name": "Ann", "date_of_birth": "1991-01-02"}, True),
    ("a name without a birth date", {"last_name": "Smith", "date_of_birth": None}, False),
    ("a birth date without a name", {"last_name": None, "date_of_birth": "1991-01-02"}, False),
]


@pytest.mark.parametrize(("other", "another"), [case[1:] for case in PERSONS], ids=[c[0] for c in PERSONS])
def test_another_name_and_another_birth_date_are_another_person(other: dict[str, Any], another: bool) -> None:
    assert is_another_person(PAT, {**PAT, **other}) is another
    assert is_another_person({**PAT, **other}, PAT) is another
    assert not is_another_person({}, {**PAT, **other})


@pytest.mark.parametrize(
    ("other", "others"),
    [
        ({"first_name": "Ann", "last_name": "Smith", "date_of_birth": None}, True),
        ({"first_name": "Ann", "last_name": "Smith", "date_of_birth": "1999-01-01"}, True),
        ({"first_name": "Ann", "last_name": "Smith"}, False),
        ({"first_name": "Ann", "date_of_birth": None}, False),
        ({"first_name": "PAT", "last_name": "Smith", "date_of_birth": None}, False),
        ({"first_name": None, "last_name": "Smith", "date_of_birth": None}, False),
    ],
    ids=["no birth date", "another one", "the same one", "one name", "in upper case", "no first name"],
)
def test_other_names_are_both_and_without_the_same_birth_date(other: dict[str, Any], others: bool) -> None:
    assert has_other_names(PAT, {**PAT, **other}) is others
    assert has_other_names({**PAT, **other}, PAT) is others


@pytest.mark.parametrize(
    ("wanted", "same"),
    [
        (PAT, True),
        ({**PAT, "first_name": PAT["first_name"].upper()}, True),
        ({**PAT, "date_of_birth": None}, True),
        ({**PAT, "date_of_birth": "1981-01-01"}, False),
        ({**PAT, "last_name": "Married"}, False),
        ({}, False),
    ],
)
def test_a_user_shows_somebody_by_the_names_and_no_other_birth_date(
    wanted: dict[str, Any], same: bool
) -> None:
    assert is_same_person(PAT, wanted) is same
    assert is_same_person({}, wanted) is False


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        ({}, True),
        ({"last_name": "Smith"}, True),
        ({"first_name": "Ann"}, False),
        ({"date_of_birth": "1981-01-01"}, False),
        ({"date_of_birth": None}, False),
    ],
)
def test_first_name_and_birth_date_stay_when_somebody_marries(other: dict[str, Any], alike: bool) -> None:
    assert may_have_married(PAT, {**PAT, **other}) is alike
    assert may_have_married({**PAT, "date_of_birth": None}, {**PAT, "date_of_birth": None}) is False

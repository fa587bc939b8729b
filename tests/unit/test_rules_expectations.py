"""The operator's own tests of a rules file are run with the real mapping, and say what is otherwise."""

from __future__ import annotations

from datetime import date

import pytest

from shared.sync.entities.expectations import outcomes
from shared.sync.sources import MappingOptions

TODAY = date(2026, 6, 1)


def failures(
    given: str, then: str, *, entity: str = "employees", rules: str = "", more: str = ""
) -> tuple[str, ...]:
    text = f"""version = 1
{rules}
[[expect]]
entity = "{entity}"
name = "x"
given = {{ {given or "Sex = 0"} }}
then = {then}
{more}
"""
    (outcome,) = outcomes(MappingOptions(rules_text=text), TODAY)
    return outcome.failures


CREWS = '[[employees.scope]]\nname = "Crews"\nall = [{ column = "PRGroup", in = [1, 2] }]'

MET: list[tuple[str, str, str, str]] = [
    ("employees", "", '{ first_name = "Pat", emp_id = "1", system_access = 1, country = "US" }', ""),
    ("employees", "Employee = 7", '{ emp_id = "7", home_site_id = "1001" }', ""),
    ("employees", "udEmpTitle = ' Foreman '", '{ current_title_id = "Foreman", work_phone = "" }', ""),
    ("employees", "'Microsoft account' = 'A@Example.com'", '{ email = "a@example.com" }', ""),
    ("employees", "birthdate = 1990-02-03", "{ date_of_birth = 1990-02-03 }", ""),
    ("employees", "FirstName = ''", '"invalid"', ""),
    ("employees", "TermDate = 2026-06-01", '"deactivated"', ""),
    ("employees", "HireDate = 2026-06-02", '"skipped"', ""),
    ("employees", "PRGroup = 3", '"out of scope"', CREWS),
    ("employees", "PRGroup = 2", '{ last_name = "Example" }', CREWS),
    ("employees", "PRGroup = 3", '"deactivated"', f'{CREWS}\n[employees.out_of_scope]\ndo = "deactivate"'),
    ("jobs", "Job = '12.'", '{ name = "12. - Example job", street = "Unknown", cluster_id = "10" }', ""),
    ("jobs", "Department = ''", '"skipped"', ""),
    ("departments", "PRDept = '12'", '{ name = "12 - Example department", external_code = "12" }', ""),
    ("titles", "udEmpTitle = 'Foreman'", '{ name = "Foreman" }', ""),
    ("vehicles", "licensePlate = 'ABC'", '{ code = "ABC", name = "Truck 1" }', ""),
    ("vehicles", "licensePlate = '', name = ''", '{ code = "Unit_0655", name = "Unit_0655" }', ""),
]


@pytest.mark.parametrize(("entity", "given", "then", "rules"), MET)
def test_what_is_as_expected_has_no_failure(entity: str, given: str, then: str, rules: str) -> None:
    assert failures(given, then, entity=entity, rules=rules) == ()


UNMET: list[tuple[str, str, str]] = [
    ("Phone = '225-555-0100'", '{ mobile_phone = "x" }', 'mobile_phone: wanted "x", got "+12255550100"'),
    ("", '{ city = "Lafayette" }', 'city: wanted "Lafayette", got nothing'),
    ("City = 'Lafayette'", '{ city = "" }', 'city: wanted nothing, got "Lafayette"'),
    ("", '"deactivated"', "should be deactivated, is synced"),
    ("TermDate = 2026-05-01", '{ city = "" }', "should be synced, is deactivated"),
    (
        "LastName = ''",
        '"out of scope"',
        "should be out of scope, is invalid (LastName is empty: fill it in Vista)",
    ),
    ("CellPhone = '1'", '{ city = "" }', 'given: no rule reads the column "CellPhone"'),
    ("Phnoe = '1'", '{ city = "" }', 'given: no rule reads the column "Phnoe", did you mean "Phone"?'),
    ("Email = 'x'", '{ email = "x" }', 'email: wanted "x", got nothing (the e-mail is malformed: '),
]


@pytest.mark.parametrize(("given", "then", "wanted"), UNMET)
def test_what_is_otherwise_is_told_with_what_was_wanted_and_what_came(
    given: str, then: str, wanted: str
) -> None:
    (failure,) = failures(given, then)
    assert failure.startswith(wanted)


def test_every_field_that_differs_is_told() -> None:
    assert len(failures("", '{ city = "x", street = "y", first_name = "Pat" }')) == 2


def test_an_expectation_can_name_its_day() -> None:
    assert failures("TermDate = 2026-06-02", '"deactivated"', more="today = 2026-06-02") == ()
    assert failures("TermDate = 2026-06-02", '"deactivated"') != ()


def test_who_is_not_in_the_pilot_is_said_to_be_so() -> None:
    (failure,) = failures("", '{ city = "" }', rules='[employees.pilot]\nkeys = "5"')
    assert failure == "should be synced, is skipped (not in the pilot: give it a key or a department that is)"

"""Everything that is wrong with a rules file is told at once: line, place, and what to do."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

from shared.errors import ConfigurationError
from shared.sync.model import ACTIONS, ENTITIES
from shared.sync.rules.checking import ACTIONS_OF
from shared.sync.rules.fields import FIELDS, MOST_BYTES
from shared.sync.rules.model import MOST_NAMES
from shared.sync.rules.problems import MOST_PROBLEMS, RulesError
from shared.sync.rules.reading import PlaceHolders, default_text, read_rules, text_of
from tests.real_parts import PROJECT

SETTINGS: PlaceHolders = (
    ("DEFAULT_COUNTRY", "US"),
    ("DEFAULT_TIMEZONE", "America/Chicago"),
    ("SAFETYAMP_DEFAULT_ROLE", "Field"),
    ("SITE_DEFAULT_STATE", None),
    ("SITE_DEFAULT_ZIP_CODE", "70801"),
    ("VEHICLE_ASSIGN_DRIVER", False),
    ("VISTA_REGION_COLUMN", "udRegion"),
    ("VISTA_TITLE_COLUMN", "udEmpTitle"),
)


def told(text: str, settings: PlaceHolders = SETTINGS) -> list[str]:
    """What is told of a file, in its order."""
    with pytest.raises(RulesError) as raised:
        read_rules(text, settings)
    return [str(problem) for problem in raised.value.found]


def wrong(body: str) -> str:
    """The only thing that is told of a file with this below its version."""
    (problem,) = told(f"version = 1\n{body}\n")
    return problem


def test_the_default_file_names_every_field_that_rules_can_say_something_of_and_only_those() -> None:
    default = tomllib.loads(default_text())
    named = {entity: list(default[entity].get("fields", {})) for entity in ENTITIES}
    assert named == {entity: list(FIELDS[entity]) for entity in ENTITIES}


def test_the_default_file_names_every_action_of_every_entity() -> None:
    default = tomllib.loads(default_text())
    assert {entity: tuple(default[entity]["actions"]) for entity in ENTITIES} == ACTIONS_OF
    assert ACTIONS_OF["employees"] == ACTIONS


def test_the_default_file_is_read_with_settings_in_the_place_of_their_names() -> None:
    rules = read_rules(None, SETTINGS)
    assert rules == read_rules(default_text(), SETTINGS)
    assert rules.titles.column == "udEmpTitle"
    assert rules.jobs.fields["state"].default is None
    assert rules.jobs.fields["zip_code"].default == "70801"


def test_what_a_file_leaves_out_is_as_in_the_default_file_and_a_field_is_replaced_whole() -> None:
    text = """version = 1
[employees.fields]
country = { from = "udCountry" }
[employees.people]
last_day = "worked"
"""
    rules, default = read_rules(text, SETTINGS), read_rules(None, SETTINGS)
    assert rules.employees.fields["country"].from_ == ("udCountry",)
    assert rules.employees.fields["country"].default is None
    assert rules.employees.fields["city"] == default.employees.fields["city"]
    assert rules.employees.people.last_day == "worked"
    assert rules.jobs == default.jobs


def test_all_problems_are_told_at_once_in_the_order_of_their_lines() -> None:
    text = """version = 1
[employees.fields]
mobile_phone = { from = ["CellPhone", "Fone$"], clean = "fone" }
first_nam = { from = "FirstName" }

[[employees.scope]]
name = "Crews"
all = [
    { column = "PRGroup", in = ["1"], is = "2" },
    { column = "SSN", empty = false },
]
[employee.actions]
create = "apply"
[employees.actions]
create = "aply"
"""
    assert told(text) == [
        'line 3, employees.fields.mobile_phone.clean: must be "text", "names", "email", "phone", "day",'
        ' "birth_date", "gender", "two_letters", "zip_code" or "as_it_is", not "fone", did you mean "phone"?',
        'line 4, employees.fields.first_nam: employees have no field "first_nam", did you mean "first_name"?',
        'line 9, employees.scope#1.all#1: has "is" and "in": make a condition of each',
        "line 10, employees.scope#1.all#2.column: SSN is never read (social security and bank numbers, and"
        " pay): name another column",
        'line 12, employee: there is no "employee" here, did you mean "employees"?',
        'line 15, employees.actions.create: must be "apply", "hold" or "report", not "aply",'
        ' did you mean "apply"?',
    ]


def test_the_error_is_a_configuration_error_that_names_the_setting_or_the_version() -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_rules("version = 1\nx = 1", SETTINGS)
    assert [problem.setting for problem in raised.value.problems] == ["RULES_FILE"]
    assert "line 2, x: there is no" in str(raised.value)
    with pytest.raises(RulesError) as of_version:
        read_rules("version = 1\nx = 1", SETTINGS, "rules version 7")
    assert str(of_version.value).startswith("rules version 7: line 2, x: ")


ONE_PROBLEM: list[tuple[str, str]] = [
    # The form
    ("[employees", "line 2: this is no TOML: Expected ']' at the end of a table declaration"),
    ("a = 1\na = 2", "line 3: this is no TOML: Cannot overwrite a value, column 6: this key is there twice"),
    (
        "[employees.fields]\ncity = {from = 'A'}\ncity = {from = 'B'}",
        "line 4: this is no TOML: Cannot overwrite",
    ),
    ("[jobs]\n[jobs]", "line 3: this is no TOML: Cannot declare ('jobs',) twice"),
    ("a = yes", "line 2: this is no TOML: Invalid value, column 5: texts stand in quotes"),
    ("a = [1,\n", "line 2: this is no TOML: "),
    ("a = " + "[" * 20_000, "lists or tables stand too deep"),
    # Words of elsewhere, and types
    (
        "[employees]\nmobile_phone = {from = 'CellPhone'}",
        "line 3, employees.mobile_phone: stands in the wrong",
    ),
    (
        "[employees.fields.city]\nfrm = 'City'\nfrom = 'City'",
        'line 3, employees.fields.city.frm: there is no "frm"',
    ),
    ("[employees.fields.city]\nfrom_ = 'City'", 'there is no "from_" here, did you mean "from"?'),
    ("[employees.people]\nlast_days = 'off'", 'there is no "last_days" here, did you mean "last_day"?'),
    ("[employees.people]\nlast_day = 'of'", 'must be "off" or "worked", not "of", did you mean "off"?'),
    (
        "[employees.people]\nhire_lead_days = 61",
        "line 3, employees.people.hire_lead_days: must be at most 60, not 61",
    ),
    ("[employees.people]\nhire_lead_days = -1", "must be at least 0, not -1"),
    ("[employees.people]\nhire_lead_days = '3'", 'must be a whole number, not "3"'),
    ("[employees.people]\nhire_lead_days = true", "must be a whole number, not true"),
    ("[employees.people]\nhire_lead_days = 3.0", "must be a whole number, not 3.0"),
    ("[employees]\nscope = 'all'", "employees.scope: must be a list"),
    ("employees = 5", "line 2, employees: must be a table, not 5"),
    ("[employees.fields]\ncity = 'City'", 'employees.fields.city: must be a table, not "City"'),
    ("[employees.fields]\ncity = {from = 5}", "employees.fields.city.from: must be text in quotes, not 5"),
    ("[employees.fields]\ncity = {from = []}", "employees.fields.city.from: is empty: give it a value"),
    ("[employees.fields]\ncity = {from = ''}", "employees.fields.city.from: is empty: give it a value"),
    (f"[employees.fields]\ncity = {{from = '{'x' * 201}'}}", "has more than 200 signs: shorten it"),
    ("[[employees.scope]]\nall = [{column = 'A', is = 1}]", "line 2, employees.scope#1.name: is missing"),
    ("[[employees.scope]]\nname = 'A'\nall = []", "line 4, employees.scope#1.all: is empty"),
    ("[vehicles]\nassign_driver = 'Y'", 'line 3, vehicles.assign_driver: must be true or false, not "Y"'),
    # Settings
    ("[titles]\ncolumn = '$VISTA_TITEL_COLUMN'", 'no setting "VISTA_TITEL_COLUMN" for rules, did you mean'),
    ("[titles]\ncolumn = '$PATH'", 'no setting "PATH" for rules (there is DEFAULT_COUNTRY, '),
    # Columns
    (
        "[titles]\ncolumn = 'a\"; drop table x'",
        'line 3, titles.column: "a"; drop table x" cannot be the name',
    ),
    (
        "[departments]\nregion_column = '1st'",
        'departments.region_column: "1st" cannot be the name of a column',
    ),
    (
        "[employees.people]\nactive_column = 'Active YN'",
        'employees.people.active_column: "Active YN" cannot be',
    ),
    ("[employees.fields]\ncity = {from = 'hrlyrate'}", "hrlyrate is never read"),
    ("[employees.fields]\nemail = {from = 'microsoft account'}", 'did you mean "Microsoft account"?'),
    (
        "[employees.fields]\ncity = {from = 'Microsoft account'}",
        '"Microsoft account" cannot be the name of a col',
    ),
    (
        "[employees.fields]\ncity = {from = ['City', 'CITY']}",
        'employees.fields.city.from: has "city" 2 times',
    ),
    (
        "[vehicles.fields]\nmodel = {from = 'Model'}",
        'Samsara\'s vehicles have no Model, did you mean "model"?',
    ),
    ("[vehicles.fields]\nmodel = {from = 'udX'}", 'Samsara\'s vehicles have no udX (there is "id", '),
    ("[vehicles.fields]\ncode = {from = ['code']}", "Samsara's vehicles have no code, did you mean"),
    # Fields
    ("[employees.fields]\nemp_id = {from = 'X'}", "employees.fields.emp_id: emp_id is set by the sync"),
    ("[titles.fields]\nname = {from = 'X'}", "titles.fields.name: name is set by the sync"),
    ("[titles.fields]\nx = {from = 'X'}", "titles.fields.x: titles have no fields here"),
    (
        "[employees.fields]\ncity = {}",
        "employees.fields.city: says nothing about where it comes from: write from",
    ),
    (
        "[employees.fields]\ncity = {from = 'City', text = '{City}'}",
        'city: has "from" and "text": leave from only',
    ),
    (
        "[employees.fields]\ncity = {constant = 'X'}",
        'city.constant: city cannot have "constant": write from = ',
    ),
    ("[employees.fields]\nhome_site_id = {from = 'X'}", 'home_site_id cannot have "from": write rule = '),
    (
        "[employees.fields]\nhome_site_id = {rule = ['latest_job']}",
        'no rule "latest_job", did you mean "latest_open',
    ),
    (
        "[jobs.fields]\nname = {from = 'Description'}",
        'jobs.fields.name.from: name cannot have "from": write text',
    ),
    ("[jobs.fields]\nname = {text = '{Description}'}", 'jobs.fields.name.text: must begin with "{Job} - "'),
    ("[jobs.fields]\nname = {text = '{Job} - {Description'}", "jobs.fields.name.text: has a { or } too many"),
    ("[jobs.fields]\nname = {text = '{Job} - {Description!r}'}", "only the column's name can stand between"),
    ("[jobs.fields]\nname = {text = '{Job} - {a b}'}", '"a b" cannot be the name of a column'),
    ("[jobs.fields]\ntimezone = {constant = 'Chicago', owner = 'create'}", '"Chicago" is no IANA time zone'),
    ("[jobs.fields]\ntimezone = {constant = 'UTC'}", 'timezone.owner: owner must be "create", not "source"'),
    (
        "[employees.fields]\ntext_opt_out = {constant = true, owner = 'create'}",
        "must be 1 (no text messages) or 0",
    ),
    ("[employees.fields]\nemail = {owner = 'nobody'}", "email.owner: SafetyAmp needs it: owner must be"),
    (
        "[employees.fields]\ncity = {from = 'City', clean = 'email'}",
        'city must be cleaned with "text", not "email"',
    ),
    ("[jobs.fields]\nname = {text = '{Job} - x', clean = 'text'}", "jobs.fields.name.clean: belongs to from"),
    (
        "[employees.fields]\nfirst_name = {from = 'FirstName', empty = 'clear'}",
        "SafetyAmp needs a value of first",
    ),
    (
        "[employees.fields]\ncity = {from = 'City', empty = 'default'}",
        "empty: needs a default: add default = ",
    ),
    (
        "[employees.fields]\ncity = {from = 'City', empty = 'clear', owner = 'create'}",
        'only counts with owner = "s',
    ),
    (
        "[employees.fields]\nemail = {from = 'Email', default = 'a@example.com'}",
        "default: is unique in SafetyAmp",
    ),
    ("[employees.fields]\ncountry = {from = 'Country', default = 'us'}", 'country.default: "us": write "US"'),
    (
        "[employees.fields]\ncountry = {from = 'Country', default = 'USA'}",
        '"USA": is nothing that SafetyAmp takes',
    ),
    ("[employees.fields]\ngender = {from = 'Sex', default = 'M'}", 'gender.default: "M": write 1'),
    # Scope
    (
        "[[jobs.scope]]\nname = 'A'\nall = [{column = 'X'}]",
        'jobs.scope#1.all#1: says nothing of X: add one of "is"',
    ),
    (
        "[[jobs.scope]]\nname = 'A'\nall = [{column = 'X', is = 1.5}]",
        "must be true or false or a whole number or",
    ),
    (
        "[[jobs.scope]]\nname = 'A'\nall = [{column = 'X', before = '2026-01-31'}]",
        "must be a date without quotes",
    ),
    ("[[jobs.scope]]\nname = 'A'\nall = [{column = 'X', before = 5}]", "must be a date without quotes"),
    ("[[vehicles.scope]]\nname = 'A'\nall = [{column = 'X', is = 1}]", "Samsara's vehicles have no X"),
    ("[[titles.scope]]\nname = 'A'\nall = [{column = 'X', is = 1}]", "titles.scope: titles are those of all"),
    ("[titles.pilot]\nfirst = 1", "titles.pilot: titles are those of all current employees"),
    (
        "[vehicles.fields]\nname = {from = ['code', 'name']}",
        'vehicles.fields.name.from: "code" must come last',
    ),
    (
        "[employees.fields]\nemail = {from = ['Email', 'Microsoft account']}",
        '"Microsoft account" must come first',
    ),
    ("[vehicles.fields]\nmodel = {from = ['code']}", "Samsara's vehicles have no code, did you mean"),
    (
        "[[jobs.scope]]\nname = 'A'\nall = [{column = 'X', is = 1}]\n"
        "[[jobs.scope]]\nname = 'A'\nall = [{column = 'X', is = 2}]",
        'line 6, jobs.scope#2.name: another filter is named "A" too',
    ),
    # Protection, pilot, actions
    ("[[employees.protect]]\nreason = 'x'", "employees.protect#1: protects nobody: name keys or emails"),
    (
        "[[employees.protect]]\nreason = 'x'\nemails = ['a']",
        "line 4, employees.protect#1.emails#1: is no e-mail",
    ),
    ("[[jobs.protect]]\nreason = 'x'\nemails = ['a@example.com']", "jobs have no e-mail: name their keys"),
    ("[employees.pilot]", "line 2, employees.pilot: takes in nobody: name keys, departments or first"),
    ("[employees.pilot]\nfirst = 0", "employees.pilot.first: must be at least 1, not 0"),
    ("[vehicles.pilot]\ndepartments = ['10']", "vehicles have no department: name keys or first"),
    ("[jobs.actions]\ndeactivate = 'hold'", "line 3, jobs.actions.deactivate: jobs have no such action"),
    ("[jobs.actions]\ndelete = 'hold'", 'line 3, jobs.actions.delete: there is no "delete" here'),
    # Expectations
    (
        "[[expect]]\nentity = 'employee'\nname = 'x'\ngiven = {A = 1}\nthen = 'invalid'",
        'did you mean "employees"?',
    ),
    (
        "[[expect]]\nentity = 'jobs'\nname = 'x'\ngiven = {}\nthen = 'invalid'",
        "line 5, expect#1.given: is empty",
    ),
    ("[[expect]]\nentity = 'jobs'\nname = 'x'\ngiven = {Job = 1}\nthen = 'gone'", "expect#1.then: must be"),
    (
        "[[expect]]\nentity = 'jobs'\nname = 'x'\ngiven = {Job = 1}\nthen = 'deactivated'",
        "jobs are never deactivat",
    ),
    ("[[expect]]\nentity = 'jobs'\nname = 'x'\ngiven = {Job = 1}\nthen = {}", "expect#1.then: is empty"),
    (
        "[[expect]]\nentity = 'jobs'\nname = 'x'\ngiven = {Job = 1}\nthen = {nme = 'x'}",
        'no field "nme", did you mean',
    ),
    (
        "[[expect]]\nentity = 'jobs'\nname = 'x'\ngiven = {'a b' = 1}\nthen = 'invalid'",
        'given.a b: "a b" cannot be',
    ),
]


@pytest.mark.parametrize(("body", "wanted"), ONE_PROBLEM)
def test_a_problem_says_where_it_is_and_what_to_do(body: str, wanted: str) -> None:
    assert wanted in wrong(body)


def test_a_file_without_version_and_one_of_a_newer_release_say_so() -> None:
    assert told("[jobs]\nx = 1\n") == [
        "version: is missing: begin the file with version = 1",
        'line 2, jobs.x: there is no "x" here (there is "fields", "scope", "actions", "guard", "protect" and'
        ' "pilot")',
    ]
    assert told("version = 2\nx = 1\n") == [
        "line 1, version: is 2; this release reads 1: update the app, or take an older file"
    ]
    assert "version: must be" in told("version = true\n")[0]
    assert "version: must be" in told("version = '1'\n")[0]


def test_a_setting_with_a_wrong_value_is_told_as_the_setting() -> None:
    settings = tuple((name, "SSN" if name == "VISTA_TITLE_COLUMN" else value) for name, value in SETTINGS)
    with pytest.raises(RulesError) as raised:
        read_rules(None, settings)
    assert [problem.setting for problem in raised.value.problems] == ["VISTA_TITLE_COLUMN"]


def test_ten_thousand_conditions_are_too_many_and_are_told_in_one_sentence() -> None:
    conditions = "{column = 'A', is = 1}," * (MOST_NAMES + 1)
    assert "has more than 1000 members" in wrong(f"[[jobs.scope]]\nname = 'A'\nall = [{conditions}]")
    each = "{column='A',is=1}," * 900
    filters = "".join(f"[[jobs.scope]]\nname = '{number}'\nall = [{each}]\n" for number in range(11))
    assert "jobs.scope: has 9900 conditions, 1000 at most" in wrong(filters)


def test_of_thousands_of_problems_only_the_first_are_named() -> None:
    found = told("version = 1\n" + "".join(f"x{number} = 1\n" for number in range(5_000)))
    assert len(found) == MOST_PROBLEMS + 1
    assert "more problems besides" in found[-1]


def test_a_file_that_is_too_large_or_no_utf8_is_not_looked_into() -> None:
    assert "5120 KB, 256 at most" in told("#" * (5 * 1024 * 1024))[0]
    for content, wanted in (
        (b"#" * (MOST_BYTES + 1), "has 256 KB, 256 at most"),
        ("version = 1\n# \u00e9".encode("latin-1"), "line 2: is no UTF-8 text"),
        ("version = 1".encode("utf-16"), "line 1: is no UTF-8 text"),
    ):
        with pytest.raises(RulesError, match=wanted):
            text_of(content)


def test_what_windows_adds_to_a_file_does_no_harm() -> None:
    text = text_of(b"\xef\xbb\xbfversion = 1\r\n[jobs.actions]\r\ncreate = 'hold'\r\n")
    assert read_rules(text, SETTINGS).jobs.actions.create == "hold"
    assert read_rules("\ufeffversion = 1\r\n", SETTINGS) == read_rules(None, SETTINGS)


def test_a_cold_start_does_not_pay_for_reading_rules() -> None:
    """Making their models takes a tenth of the time that all the imports take."""
    code = "import sys, function_app; sys.exit('shared.sync.rules.model' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0

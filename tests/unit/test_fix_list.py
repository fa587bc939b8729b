"""What is to be mended and by whom: from the last run that looked at everything, with names and values, and
as a file that HR opens in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest

from cli.console import OutputConsole
from cli.remote.show_fix_list import show_fix_list
from shared.errors import DatabaseError
from shared.queries import answers as answer_types
from shared.queries.csv_text import FIX_COLUMNS, fix_list_csv
from shared.queries.failures import MOST_RUNS
from shared.queries.fix_list import fix_list
from shared.queries.fix_list_page import fix_list_page
from shared.sync.documents.state import FAILURE, Entry, Refusal
from shared.sync.findings import causes
from shared.sync.findings.causes import OWNERS, Cause, Owner
from shared.sync.model import EntityName
from tests.unit.operations_rig import (
    OperationsRig,
    Untouched,
    answers,
    change,
    employee,
    ended,
    nth_run,
    nth_time,
    outcome,
)
from tests.unit.test_report_page import ATTRIBUTES, ELEMENTS, HOSTILE, Parsed


def problem(key: str, cause: Cause | None, kind: str = "invalid", field: str | None = None) -> dict[str, Any]:
    told = {"key": key, "kind": kind, "reason": f"{key} is wrong", "field": field}
    return told if cause is None else {**told, "cause": cause.code}


class FixRig(OperationsRig):
    """Runs, each with what its plan found of one entity."""

    def __init__(self) -> None:
        super().__init__(Untouched())
        self.sources.employee_rows = [employee(7, last_name="Weiß", phone="call the office"), employee(8)]

    def found(self, number: int, *problems: Any, entity: EntityName = "employees", **run: Any) -> str:
        members = {"failed": run.pop("failed", None)}
        run_id = self.keep_run(number, entities={entity: ended()}, **run)
        self.keep_plan(run_id, entity=entity, problems=list(problems), **members)
        return run_id

    def ask(self, owner: Owner | None = None) -> answer_types.FixList:
        before = self.everything()
        found: answer_types.FixList = answers("fix_list", fix_list(self.services, owner))
        assert self.everything() == before
        assert found["total"] == len(found["rows"]) >= sum(group["count"] for group in found["groups"])
        return found

    def row(self, owner: Owner | None = None) -> answer_types.FixRow:
        (row,) = self.ask(owner)["rows"]
        return row

    def keys(self, owner: Owner | None = None) -> list[str]:
        return [row["key"] for row in self.ask(owner)["rows"]]


@pytest.fixture
def rig() -> FixRig:
    return FixRig()


def test_where_nothing_has_run_or_nothing_is_open_the_list_is_empty(rig: FixRig) -> None:
    assert (rig.ask()["rows"], rig.ask()["owners"]) == ([], {})
    assert {one["run_id"] for one in rig.ask()["looked_at"]} == {None}
    run_id = rig.found(1)
    found = rig.ask("hr")
    assert (found["rows"], found["groups"], found["total"]) == ([], [], 0)
    (looked,) = [one for one in found["looked_at"] if one["run_id"]]
    assert looked == {"entity": "employees", "run_id": run_id, "at": nth_time(1)}
    assert list(csv.reader(io.StringIO(fix_list_csv(found)))) == [list(FIX_COLUMNS)]


def test_a_row_says_whose_it_is_what_is_there_now_and_what_to_enter_where(rig: FixRig) -> None:
    rig.found(1, problem("7", causes.PHONE_UNUSABLE, "reported"))
    assert rig.row("hr") == {
        "owner": "hr",
        "entity": "employees",
        "key": "7",
        "name": "Ann Weiß",
        "cause": "phone-unusable",
        "what": "phone that is not one number",
        "reason": "7 is wrong",
        "field": "phone",
        "value": "call the office",
        "where": "Vista > PR Employees > Info > Phone",
        "enter": "one number in full, such as 225-555-0100, and no second one",
        "again": False,
        "since": nth_time(1),
        "since_at_least": False,
        "blocks": "field",
    }


def test_each_owner_gets_what_is_theirs_and_hears_how_much_the_others_have(rig: FixRig) -> None:
    rig.found(1, problem("7", causes.EMAIL_SHARED), problem("8", causes.SEVERAL_RECORDS))
    rig.found(2, problem("100.", causes.JOB_WITHOUT_DEPARTMENT, "skipped"), entity="jobs")
    assert rig.ask("hr")["owners"] == {"hr": 1, "operations": 1, "safetyamp": 1}
    assert [rig.keys(owner) for owner in OWNERS] == [["7"], [], [], [], ["100."], ["8"]]
    assert rig.keys() == ["100.", "8", "7"]


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (causes.HIRED_LATER, "skipped"),
        (causes.NOT_LISTED, "reported"),
        (causes.PHONE_PASSED_ON, "reported"),
        (None, "skipped"),
        (None, "waiting"),
    ],
)
def test_what_nobody_has_to_mend_is_on_no_list(rig: FixRig, cause: Cause | None, kind: str) -> None:
    rig.found(1, problem("7", cause, kind))
    assert rig.keys() == []


@pytest.mark.parametrize("code", [None, "made-up-by-a-newer-release"])
def test_what_another_release_found_goes_to_it_which_sees_whose_it_is(rig: FixRig, code: str | None) -> None:
    """A report of 0.1.0 has no causes."""
    told = problem("7", None)
    rig.found(1, told if code is None else {**told, "cause": code})
    row = rig.row("it")
    assert (row["cause"], row["reason"], row["where"], row["enter"]) == (code, "7 is wrong", None, None)
    assert rig.keys("hr") == []


# -- which run tells ---------------------------------------------------------------------------------------


def test_what_the_newest_run_does_not_find_any_more_is_gone(rig: FixRig) -> None:
    rig.found(1, problem("7", causes.EMAIL_SHARED), problem("8", causes.EMAIL_SHARED))
    rig.found(2, problem("8", causes.EMAIL_SHARED))
    assert rig.keys() == ["8"]


def test_runs_that_looked_at_nothing_or_at_leavers_only_tell_nothing(rig: FixRig) -> None:
    rig.found(1, problem("7", causes.EMAIL_SHARED))
    rig.found(2, failed="Graph is away")
    rig.keep_run(3, entities={"employees": ended("failed")})
    rig.found(4, problem("8", causes.EMAIL_SHARED), phase="running")
    assert rig.keys() == ["7"]


def test_a_later_run_of_single_records_tells_of_these_and_of_no_others(rig: FixRig) -> None:
    rig.found(1, problem("7", causes.EMAIL_SHARED), problem("8", causes.EMAIL_SHARED))
    rig.found(2, problem("9", causes.EMAIL_SHARED), keys=("9",))
    rig.found(3, keys=("7",))
    assert rig.keys() == ["8", "9"]
    assert rig.ask()["looked_at"][3]["run_id"] == nth_run(1)


def test_what_safetyamp_refused_is_on_the_list_with_the_fields(rig: FixRig) -> None:
    run_id = rig.keep_run(1, entities={"employees": ended(failed=1)})
    rig.keep_plan(run_id, [change("7"), change("8")])
    errors = {"street": ["is too long"]}
    rig.keep_outcomes(
        run_id, 1, outcome("7", "refused", errors=errors), outcome("8", "failed", reason="away")
    )
    row = rig.row()
    assert (row["key"], row["owner"], row["cause"], row["field"]) == ("7", "hr", "person-refused", "street")


def test_the_same_problem_is_one_row(rig: FixRig) -> None:
    rig.found(1, *(problem("1001", causes.EMPLOYEE_NUMBER_TWICE, field="Employee") for _ in range(2)))
    assert rig.keys() == ["1001"]


def test_what_several_sentences_say_of_one_cause_is_one_row_with_all_of_them(rig: FixRig) -> None:
    told = [
        {**problem("7", causes.ADDRESS_UNUSABLE, "reported"), "reason": text} for text in ("state", "zip")
    ]
    doubted = [problem("8", causes.VALUE_TAKEN, "reported", "email"), problem("8", causes.VALUE_TAKEN)]
    rig.found(1, *told, *doubted)
    rows = {row["key"]: row for row in rig.ask()["rows"]}
    assert (rows["7"]["reason"], len(rows)) == ("state; zip", 2)
    assert (rows["8"]["field"], rows["8"]["reason"], rows["8"]["blocks"]) == (
        "email",
        "8 is wrong",
        "creation",
    )


def test_two_fields_of_one_person_are_two_rows_and_one_person(rig: FixRig) -> None:
    rig.found(
        1, *(problem("7", causes.VALUE_TAKEN, "reported", field) for field in ("email", "mobile_phone"))
    )
    found = rig.ask()
    assert [(row["key"], row["field"]) for row in found["rows"]] == [("7", "email"), ("7", "mobile_phone")]
    (group,) = found["groups"]
    assert (group["count"], group["entities"]) == (1, {"employees": 1})


# -- since when --------------------------------------------------------------------------------------------


def test_since_is_the_first_of_the_runs_one_after_the_other_that_found_it(rig: FixRig) -> None:
    for number, found in enumerate(([7], [], [7], [7, 8], [7, 8]), start=1):
        rig.found(number, *(problem(str(key), causes.EMAIL_SHARED) for key in found))
    told = {row["key"]: (row["since"], row["since_at_least"]) for row in rig.ask()["rows"]}
    assert told == {"7": (nth_time(3), False), "8": (nth_time(4), False)}


def test_since_goes_back_beyond_runs_of_a_release_without_causes_and_of_single_records(rig: FixRig) -> None:
    rig.found(1, problem("7", None))
    rig.found(2, problem("7", causes.EMAIL_SHARED))
    rig.found(3, problem("7", causes.EMAIL_SHARED), keys=("7",))
    assert rig.row()["since"] == nth_time(1)


def test_since_is_not_before_a_run_that_looked_at_everything_and_did_not_find_it(rig: FixRig) -> None:
    rig.found(1, problem("7", causes.EMAIL_SHARED))
    rig.found(2)
    rig.found(3, problem("7", causes.EMAIL_SHARED), keys=("7",))
    assert rig.row()["since"] == nth_time(3)


def test_since_is_not_broken_by_a_run_of_somebody_else(rig: FixRig) -> None:
    rig.found(1, problem("7", causes.EMAIL_SHARED))
    rig.found(2, keys=("8",))
    rig.found(3, problem("7", causes.EMAIL_SHARED))
    assert rig.row()["since"] == nth_time(1)


def test_since_may_be_longer_ago_than_the_runs_that_are_looked_at(rig: FixRig) -> None:
    for number in range(MOST_RUNS + 2):
        rig.found(number, problem("7", causes.EMAIL_SHARED))
    assert (rig.row()["since"], rig.row()["since_at_least"]) == (nth_time(2), True)


def test_since_when_safetyamp_refuses_it_the_state_knows(rig: FixRig) -> None:
    failure: Refusal = {
        "digest": "d",
        "errors": {"street": ["no"]},
        "since": "2025-12-24T06:00:00+00:00",
        "at": None,
    }
    rig.keep_state({"7": Entry(None, None, {}, {FAILURE: failure})})
    rig.found(1, problem("7", causes.PERSON_REFUSED))
    assert (rig.row()["since"], rig.row()["since_at_least"]) == ("2025-12-24T06:00:00+00:00", False)


# -- names, values, and what is blocked --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "kind", "field", "cause", "blocks"),
    [
        (False, "invalid", "Email", causes.EMAIL_SHARED, "creation"),
        (True, "invalid", "email", causes.EMAIL_SHARED, "field"),
        (True, "reported", "email", causes.EMAIL_SHARED, "field"),
        (True, "invalid", "HireDate", causes.HIRE_DATE_UNUSABLE, "changes"),
        (True, "reported", None, causes.SEVERAL_RECORDS, "changes"),
        (True, "reported", None, causes.LEAVER_WITH_ACCESS, "access"),
        (True, "reported", None, causes.PHONE_UNUSABLE, "field"),
        (True, "reported", None, causes.LOOKS_THE_SAME, "nothing"),
    ],
)
def test_what_it_blocks_depends_on_whether_the_record_is_there(
    rig: FixRig, known: bool, kind: str, field: str | None, cause: Cause, blocks: str
) -> None:
    if known:
        rig.keep_state({"7": Entry("u7", "d", {"email": "a@b.example"}, {})})
    rig.found(1, problem("7", cause, kind, field))
    assert rig.row()["blocks"] == blocks


def test_a_leaver_and_whose_row_cannot_be_used_are_called_by_name_and_show_no_value(rig: FixRig) -> None:
    rig.sources.employee_rows = [employee(7, term_date="2019-01-01"), employee(8, birth_date="1900-01-01")]
    rig.found(
        1, problem("7", causes.TERM_DATE_UNUSABLE), problem("8", causes.BIRTH_DATE_UNUSABLE, "reported")
    )
    assert [(row["name"], row["value"]) for row in rig.ask()["rows"]] == [("Ann Lee", None)] * 2


def test_without_the_source_names_come_from_safetyamp_and_it_is_said(rig: FixRig) -> None:
    rig.keep_state({"7": Entry("u7", "d", {"first_name": "Jo", "last_name": "Known"}, {})})
    rig.sources.away = DatabaseError("Vista is away")
    rig.found(1, problem("7", causes.EMAIL_SHARED), problem("8", causes.EMAIL_SHARED))
    found = rig.ask()
    assert [(row["name"], row["value"]) for row in found["rows"]] == [("Jo Known", None), ("", None)]
    assert found["problems"] == ["employees: Vista is away"]


def test_a_record_of_the_state_that_cannot_be_read_costs_its_name_alone(rig: FixRig) -> None:
    rig.keep_state({key: Entry(f"u{key}", "d", {"last_name": "Known"}, {}) for key in ("70", "71")})
    rig.damage_record("70")
    rig.found(1, problem("70", causes.EMAIL_SHARED), problem("71", causes.EMAIL_SHARED))
    assert [row["name"] for row in rig.ask()["rows"]] == ["", "Known"]


def test_an_entity_without_findings_is_not_read(rig: FixRig) -> None:
    rig.sources.away = DatabaseError("Vista is away")
    rig.found(1, problem("7", causes.SEVERAL_RECORDS))
    assert rig.ask("hr")["problems"] == []


# -- the file, and the terminal ----------------------------------------------------------------------------


def as_csv(found: answer_types.FixList) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(fix_list_csv(found), newline="")))


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ('O"Brien, Jr.', 'Ann O"Brien, Jr.'),
        ("Lee\r\nSecond line", "Ann Lee Second line"),
        ("ליאור\u202e", "Ann ליאור"),
        ("\u200f=1+1", "Ann =1+1"),
        ("\x00Lee\u200b", "Ann Lee"),
    ],
)
def test_an_odd_name_is_one_cell_that_does_not_run_and_turns_nothing_around(
    rig: FixRig, name: str, cell: str
) -> None:
    rig.sources.employee_rows = [employee(7, last_name=name)]
    rig.found(1, problem("7", causes.EMAIL_SHARED))
    (row,) = as_csv(rig.ask())
    assert row["name"] == cell
    assert row["blocks"] == "the record is not created"
    assert row["where"] == "Vista > PR Employees > Info > E-mail"


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\u202e=", "\uff1d"])
def test_a_value_that_a_spreadsheet_would_run_is_text(rig: FixRig, begin: str) -> None:
    rig.sources.employee_rows = [employee(7, phone=f"{begin}cmd")]
    rig.found(1, problem("7", causes.PHONE_UNUSABLE, "reported"))
    (row,) = as_csv(rig.ask())
    assert row["value"] == f"'{begin.removeprefix(chr(0x202E))}cmd"


def test_the_day_since_when_is_a_day_or_says_that_it_may_be_earlier(rig: FixRig) -> None:
    rig.found(1, problem("7", causes.EMAIL_SHARED))
    found = rig.ask()
    assert as_csv(found)[0]["since"] == "2026-01-05"
    found["rows"][0]["since_at_least"] = True
    assert as_csv(found)[0]["since"] == "2026-01-05 or earlier"


def test_as_a_page_texts_of_others_are_text_and_what_is_left_out_is_counted(
    rig: FixRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.queries.fix_list_page.MOST_OF_A_CAUSE", 2)
    rig.sources.employee_rows = [employee(number, last_name=HOSTILE, email=HOSTILE) for number in (7, 8, 9)]
    shared = [{**problem(key, causes.EMAIL_SHARED), "reason": HOSTILE} for key in ("7", "8", "9")]
    rig.found(1, *shared, problem("7", causes.SEVERAL_RECORDS))
    document = fix_list_page(rig.ask())
    page = Parsed(document)
    assert set(page.tags) <= ELEMENTS
    assert page.attributes <= ATTRIBUTES
    isolated = re.findall(rb"<bdi>[^<]*\xe2\x80\xae[^<]*</bdi>", document)
    assert document.count("\u202e".encode()) == len(isolated) > 0
    for text in (
        *("HR: shared e-mail, 3", "1 more are in the file", "the record is not created"),
        *("SafetyAmp's administrator: several SafetyAmp records of one key, 1", "4 as of 2026-"),
        "Vista > PR Employees > Info > E-mail: an address of their own for each person",
    ):
        assert text in page.text, text


def test_as_a_page_nothing_open_is_said(rig: FixRig) -> None:
    rig.found(1)
    assert "Nothing has to be mended." in Parsed(fix_list_page(rig.ask("hr"))).text


def told(found: answer_types.FixList) -> str:
    file = io.StringIO()
    show_fix_list(OutputConsole(file=file, width=120, color_system=None), found)
    return " ".join(file.getvalue().split())


def test_at_the_terminal_31_people_with_one_cause_are_one_group(rig: FixRig) -> None:
    rig.sources.employee_rows = [employee(number) for number in range(100, 131)]
    shared = [problem(str(number), causes.EMAIL_SHARED) for number in range(100, 131)]
    rig.found(1, *shared, problem("7", causes.SEVERAL_RECORDS))
    text = told(rig.ask())
    assert "HR: 31 to mend" in text
    assert "shared e-mail: 31 people" in text
    assert "Vista > PR Employees > Info > E-mail: an address of their own for each person" in text
    assert "100 Ann Lee, 101 Ann Lee" in text
    assert "and 23 more; since 2026-01-05 00:01 UTC" in text
    assert "several SafetyAmp records of one key: 1 person" in text


def test_at_the_terminal_nothing_open_is_said_for_whom_and_what_was_never_looked_at(rig: FixRig) -> None:
    rig.found(1)
    text = told(rig.ask("hr"))
    assert "Nothing of HR has to be mended." in text
    assert "no run that is kept has looked at all of: departments, jobs, titles" in text
    assert "last looked at: employees 2026-01-05 00:01 UTC" in text

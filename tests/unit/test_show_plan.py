"""A plan at a terminal: what is dangerous first, by name, readable at 80 columns, one line each in a pipe."""

from __future__ import annotations

import argparse
import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.plan_file import plan_file, write_plan
from cli.show_plan import MOST_EXAMPLES, MOST_PROBLEMS, MOST_UPDATES, show_plan
from shared.queries.answers import EntityPlan, PlannedPart, PlannedRecord, RunPlan

LONG = "; ".join(
    ["two phones are given: write one in full with its country, leave the other column empty"] * 2
)


def record(key: str, name: str = "", why: str | None = None, **fields: tuple[Any, Any]) -> PlannedRecord:
    return {
        "key": key,
        "name": name,
        "why": why,
        "fields": [{"field": name, "before": old, "after": new} for name, (old, new) in fields.items()],
        "warnings": [],
        "held": False,
    }


def part(
    action: Any, *records: PlannedRecord, count: int | None = None, held: int = 0, **by_field: int
) -> PlannedPart:
    number = len(records) if count is None else count
    return {
        "action": action,
        "count": number,
        "held": held,
        "by_field": by_field,
        "records": list(records),
    }


def entity(name: Any, *parts: PlannedPart, **members: Any) -> EntityPlan:
    known: dict[str, Any] = {
        **{"entity": name, "phase": "planned", "reason": None, "planned": True, "held": []},
        **{"parts": list(parts), "problems": [], "vanished": {"count": 0, "keys": []}},
    }
    return {**known, **members}  # type: ignore[typeddict-item]


def a_plan(*entities: EntityPlan, **members: Any) -> RunPlan:
    known: dict[str, Any] = {
        **{"run_id": "20260105-120000-0a1b2c", "mode": "plan", "phase": "planned"},
        **{"requested_at": "2026-01-05T12:00:00+00:00", "entities": list(entities), "notes": []},
    }
    return {**known, **members}  # type: ignore[typeddict-item]


def printed(plan: RunPlan, width: int = 80, *, terminal: bool = True) -> list[str]:
    file = io.StringIO()
    show_plan(Console(file=file, width=width, force_terminal=terminal, color_system=None), plan)
    return file.getvalue().splitlines()


EVERYTHING = a_plan(
    entity("departments", part("create", record("07", "Pipe"))),
    entity(
        "employees",
        part("deactivate", record("8", "Bob Ray", "TermDate 2026-01-04")),
        part("reactivate", record("6", "Di Orr", "HireDate 2026-01-04, no TermDate")),
        part("update", record("7", "Ann Lee", street=("1 Elm", "9 Ash"))),
        part("create", record("9", "Cy Fox"), count=12),
        held=["1 of 2 people would be deactivated, GUARD_MAX_PERCENT is 10"],
        problems=[{"key": "5", "kind": "invalid", "reason": LONG, "field": "phone"}],
    ),
    entity("vehicles", phase="off", planned=False, reason="SAFETYAMP_VEHICLE_SITE_ID is not set"),
)


@pytest.mark.parametrize(
    ("held", "heading"),
    [(0, "2 people change"), (2, "2 people change: held"), (1, "2 people change: 1 of them held")],
)
def test_a_part_says_whether_it_is_held(held: int, heading: str) -> None:
    people = entity("employees", part("update", record("7", "Ann Lee"), record("8", "Bob Ray"), held=held))
    assert heading in printed(a_plan(people))


def test_all_is_told_in_the_order_of_danger() -> None:
    assert printed(EVERYTHING, 260) == [
        "Plan of run 20260105-120000-0a1b2c: nothing was changed",
        "  departments  +1",
        "  employees    +12 ~1 -1 *1",
        "  vehicles     off: SAFETYAMP_VEHICLE_SITE_ID is not set",
        "employees is held: 1 of 2 people would be deactivated, GUARD_MAX_PERCENT is 10",
        "",
        "1 person loses access",
        "  - 8 Bob Ray: TermDate 2026-01-04",
        "",
        "1 person gets access back",
        "  * 6 Di Orr: HireDate 2026-01-04, no TermDate",
        "",
        "1 person changes",
        "  ~ 7 Ann Lee",
        "      street: 1 Elm → 9 Ash",
        "",
        "1 department is new",
        "  + 07 Pipe",
        "",
        "12 people are new",
        "  + 9 Cy Fox and 11 more",
        "",
        "employees: 1 to look at",
        f"  ! 5 invalid (phone): {LONG}",
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_long_lines_go_on_further_in_and_no_word_is_broken(width: int) -> None:
    lines = printed(EVERYTHING, width)
    assert max(map(len, lines)) <= width
    first = next(number for number, line in enumerate(lines) if line.startswith("  ! 5"))
    assert all(line.startswith("    ") for line in lines[first + 1 :])
    assert " ".join(line.strip() for line in lines[first:]) == f"! 5 invalid (phone): {LONG}"


def test_in_a_pipe_each_is_one_line_whatever_its_width() -> None:
    assert printed(EVERYTHING, 80, terminal=False) == printed(EVERYTHING, 260)


def test_everybody_who_loses_access_is_named_and_of_changes_the_first() -> None:
    many = [record(str(key)) for key in range(100, 160)]
    lines = printed(a_plan(entity("employees", part("deactivate", *many), part("update", *many, street=60))))
    assert sum(line.startswith("  - ") for line in lines) == 60
    assert sum(line.startswith("  ~ ") for line in lines) == MOST_UPDATES
    assert f"  ... and {60 - MOST_UPDATES} more; by field, of all: street 60" in lines


def test_of_what_is_new_there_are_examples_and_a_count() -> None:
    new = [record(str(key)) for key in range(100, 110)]
    (line,) = [line for line in printed(a_plan(entity("jobs", part("create", *new)))) if "  + " in line]
    assert line == f"  + 100, 101, 102, 103, 104 and {10 - MOST_EXAMPLES} more"


def test_problems_are_cut_with_a_count_and_what_a_rule_leaves_out_is_no_problem() -> None:
    problems = [{"key": str(key), "kind": "invalid", "reason": "no name"} for key in range(20)]
    quiet = [{"key": "99", "kind": "skipped", "reason": "starts next month"}]
    lines = printed(a_plan(entity("employees", problems=[*quiet, *problems])))
    assert lines[-1] == f"  ... and {20 - MOST_PROBLEMS} more"
    assert "employees: 20 to look at" in lines
    assert not any("99" in line for line in lines)


def test_nothing_to_do_is_said() -> None:
    assert printed(a_plan(entity("jobs"))) == [
        "Plan of run 20260105-120000-0a1b2c: nothing was changed",
        "  jobs  nothing to do",
    ]


def test_names_cannot_move_the_cursor_or_turn_the_line() -> None:
    lines = printed(a_plan(entity("employees", part("deactivate", record("8", "B\x1b[2J\u202eob\n", "x")))))
    assert not any("\x1b" in line or "\u202e" in line for line in lines)
    assert any(line.startswith("  - 8 B") and line.endswith("x") for line in lines)


def test_what_could_not_be_looked_up_is_the_last_line() -> None:
    assert printed(a_plan(entity("jobs"), notes=["Vista cannot be read"]))[-1] == "Vista cannot be read"


def test_a_plan_that_was_applied_says_how_its_run_ended() -> None:
    assert printed(a_plan(entity("jobs"), mode="apply", phase="held"))[0].endswith(": held")


@pytest.mark.parametrize("name", ["plan.html", "plan.JSON", "plan.csv"])
def test_a_plan_is_written_in_the_form_of_the_file_s_ending_for_nobody_else_to_read(
    tmp_path: Path, name: str
) -> None:
    path = plan_file(str(tmp_path / name))
    write_plan(path, EVERYTHING)
    text = path.read_text("utf-8-sig")
    assert "Bob Ray" in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    if path.suffix == ".JSON":
        assert json.loads(text) == EVERYTHING


@pytest.mark.parametrize(("name", "said"), [("plan.txt", "must end in"), ("gone/plan.csv", "does not exist")])
def test_a_file_that_cannot_be_is_refused_before_the_run(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=said):
        plan_file(str(tmp_path / name))

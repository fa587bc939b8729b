"""Changes for a spreadsheet: one row per field, and nothing in them that the spreadsheet would run."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from shared.queries import answers
from shared.queries.changes import described
from shared.queries.csv_text import COLUMNS, HISTORY_COLUMNS, cell, changes_csv
from tests.unit.operations_rig import change, outcome


def rows(*changes: answers.Change) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(changes_csv(changes), newline="")))


def told(fields: dict[str, Any], before: dict[str, Any] | None = None, **members: Any) -> answers.Change:
    return described("employees", change(fields=fields, before=before or {}), outcome(**members))


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "   -", *"＝＋－＠"])
def test_a_text_that_a_spreadsheet_would_run_is_marked_as_text(begin: str) -> None:
    assert cell(f"{begin}cmd|' /C calc'!A0") == f"'{begin}cmd|' /C calc'!A0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1 Elm St", "1 Elm St"),
        ("a=b", "a=b"),
        ("5-7", "5-7"),
        ("'quoted", "'quoted"),
        ("", ""),
        (None, ""),
        (0, "0"),
        (-5, "-5"),
        (-1.5, "-1.5"),
        (True, "true"),
        ("-5", "'-5"),
        ([{"id": 3}], '[{"id": 3}]'),
        ({"name": ["is tàken"]}, '{"name": ["is tàken"]}'),
    ],
)
def test_everything_else_stays_as_it_is(value: Any, text: str) -> None:
    assert cell(value) == text


def test_the_columns_are_named_also_where_there_is_nothing() -> None:
    assert changes_csv([]) == ",".join(COLUMNS) + "\r\n"


def test_each_field_of_a_change_has_a_row() -> None:
    fields, before = {"street": "1 Elm", "city": "Houma"}, {"street": "2 Oak", "city": None, "zip": "70360"}
    found = rows(told(fields, before, target_id="u9", at="2026-01-05T06:00:00+00:00"))
    assert [(row["field"], row["before"], row["after"]) for row in found] == [
        ("street", "2 Oak", "1 Elm"),
        ("city", "", "Houma"),
    ]
    assert {(row["entity"], row["key"], row["action"], row["result"], row["target_id"]) for row in found} == {
        ("employees", "7", "update", "updated", "u9")
    }
    assert {(row["reason"], row["errors"], row["at"]) for row in found} == {
        ("", "", "2026-01-05T06:00:00+00:00")
    }


def test_a_change_of_which_no_field_is_left_has_a_row_nevertheless() -> None:
    (row,) = rows(told({"mobile_phone": "+1"}, dropped={"mobile_phone": ["is taken"]}))
    assert (row["key"], row["field"], row["before"], row["after"]) == ("7", "", "", "")


def test_errors_are_told_with_each_field() -> None:
    refused = told({"street": "?"}, result="refused", errors={"street": ["no"]}, reason="it refused street")
    (row,) = rows(refused)
    assert (row["errors"], row["reason"]) == ('{"street": ["no"]}', "it refused street")


@pytest.mark.parametrize("text", ['say "no"', "a,b", "two\nlines", "two\r\nlines", "Zoë"])
def test_whatever_a_value_holds_it_stays_one_cell(text: str) -> None:
    (row,) = rows(told({"street": text}))
    assert row["after"] == text


def test_names_and_keys_from_a_source_are_marked_as_well_as_values() -> None:
    (row,) = rows({**told({"name": "=1"}, {"name": "@x"}), "key": "=2+2", "reason": "-r"})
    assert (row["key"], row["before"], row["after"], row["reason"]) == ("'=2+2", "'@x", "'=1", "'-r")


def test_a_record_s_history_names_the_run_of_each_row() -> None:
    past: Any = {**told({"a": 1, "b": 2}), "run_id": "20260105-120000-abcdef", "requested_at": "then"}
    found = list(csv.DictReader(io.StringIO(changes_csv([past], HISTORY_COLUMNS), newline="")))
    assert [(row["run_id"], row["requested_at"], row["field"]) for row in found] == [
        ("20260105-120000-abcdef", "then", "a"),
        ("20260105-120000-abcdef", "then", "b"),
    ]
    assert tuple(found[0]) == HISTORY_COLUMNS

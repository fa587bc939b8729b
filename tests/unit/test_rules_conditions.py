"""A condition compares what people mean, a verdict says which condition failed, and no personal data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.sync.entities.conditions import MOST_NAMED, compile_condition, compile_scope
from shared.sync.rules.model import Condition, Scope

DAY = date(2026, 1, 15)


def condition(column: str = "C", **words: Any) -> Condition:
    return Condition.model_validate({"column": column, **words})


def scope(name: str, *conditions: Condition) -> Scope:
    return Scope(name=name, all=conditions)


def row(values: Mapping[str, object]) -> Callable[[str], object]:
    return values.__getitem__


HOLDS: list[tuple[dict[str, Any], Any, bool]] = [
    ({"is": "1"}, 1, True),
    ({"is": 1}, " 1 ", True),
    ({"is": 1}, Decimal("1.00"), True),
    ({"is": 1}, "01", False),
    ({"is": "y"}, "Y ", True),
    ({"is": "Y"}, "N", False),
    ({"is": "Y"}, None, False),
    ({"is": "Y"}, "  ", False),
    ({"is": "Straße"}, "STRASSE", True),
    ({"is": "Jos\u00e9"}, "JOSE\u0301", True),
    ({"is": True}, True, True),
    ({"is": False}, 0, True),
    ({"is": True}, "Y", False),
    ({"is": "1"}, b"1", False),
    ({"in": ["1", 2]}, 2, True),
    ({"in": ["1", "2"]}, 3, False),
    ({"in": "1"}, 1, True),
    ({"is_not": "Y"}, "N", True),
    ({"is_not": "Y"}, "y", False),
    ({"is_not": "Y"}, None, False),
    ({"is_not": "Y"}, b"N", False),
    ({"is_not": "Y", "empty": True}, None, True),
    ({"is_not": "Y", "empty": True}, "y", False),
    ({"is_not": "Y", "empty": True}, "N", True),
    ({"is_not": "Y", "empty": False}, "N", True),
    ({"not_in": ["1", "2"]}, 3, True),
    ({"not_in": ["1", "2"]}, 2, False),
    ({"starts_with": "ab"}, " ABC", True),
    ({"starts_with": "ab"}, "CAB", False),
    ({"starts_with": "1"}, 12, True),
    ({"before": DAY}, datetime(2026, 1, 14, 23, 59, tzinfo=UTC), True),
    ({"before": DAY}, datetime(2026, 1, 15, tzinfo=UTC), False),
    ({"before": DAY}, "2026-01-14 00:00:00", True),
    ({"before": DAY}, "14.01.2026", False),
    ({"before": DAY}, 12, False),
    ({"before": DAY}, date(1900, 1, 1), False),
    ({"before": DAY}, None, False),
    ({"before": DAY, "empty": True}, None, True),
    ({"after": DAY}, date(2026, 1, 16), True),
    ({"after": DAY}, DAY, False),
    ({"empty": True}, None, True),
    ({"empty": True}, " \u200b", True),
    ({"empty": True}, 0, False),
    ({"empty": False}, "x", True),
    ({"empty": False}, None, False),
]


@pytest.mark.parametrize(("words", "value", "wanted"), HOLDS)
def test_a_condition_compares_what_people_mean(words: dict[str, Any], value: object, wanted: bool) -> None:
    assert compile_condition(condition(**words))(row({"C": value})) is wanted


def test_everybody_is_in_scope_without_a_filter() -> None:
    verdict = compile_scope(())(row({}))
    assert verdict.is_in
    assert verdict.filter is None


def test_all_conditions_of_one_filter_are_enough_and_its_name_is_told() -> None:
    judge = compile_scope(
        [
            scope(
                "Crews", condition("PRGroup", **{"in": ["1", "2"]}), condition("Off", is_not="Y", empty=True)
            ),
            scope("Office", condition("PRDept", **{"is": "90"})),
        ]
    )
    assert judge(row({"PRGroup": 2, "Off": None, "PRDept": None})) == ("Crews", None)
    assert judge(row({"PRGroup": 2, "Off": "Y", "PRDept": "90 "})) == ("Office", None)


def test_the_reason_names_the_first_condition_that_failed_of_every_filter() -> None:
    judge = compile_scope(
        [
            scope(
                "Crews", condition("PRGroup", **{"in": ["1", "2"]}), condition("Off", is_not="Y", empty=True)
            ),
            scope("Office", condition("PRDept", **{"is": "90"})),
        ]
    )
    verdict = judge(row({"PRGroup": 3, "Off": "Y", "PRDept": None}))
    assert not verdict.is_in
    assert verdict == (None, "Crews: PRGroup is 3, not 1 or 2; Office: PRDept is empty")
    assert "Off is Y, which is left out" in (
        judge(row({"PRGroup": 1, "Off": "Y", "PRDept": 1})).why_not or ""
    )


def test_of_many_filters_only_some_are_named() -> None:
    judge = compile_scope([scope(f"F{number}", condition(**{"is": "Y"})) for number in range(MOST_NAMED + 4)])
    why = judge(row({"C": "N"})).why_not
    assert why == "F0: C is N, not Y; F1: C is N, not Y; F2: C is N, not Y; and 4 more"


REASONS: list[tuple[dict[str, Any], Any, str]] = [
    ({"in": ["1", "2", "3"]}, 4, "C is 4, not 1, 2 or 3"),
    ({"in": ["1", "2", "3", "4"]}, 5, "C is 5, not one of the 4 wanted"),
    ({"is": "Foreman of all"}, "N", "C is N, not what is wanted"),
    ({"is": "Y"}, "Pat Example", "C is something else, not Y"),
    ({"is": "Y"}, "Example", "C is something else, not Y"),
    ({"is": "Y"}, "225-555-0100", "C is something else, not Y"),
    ({"is": "Y"}, b"Y", "C holds no text and no number"),
    ({"is": True}, False, "C is 0, not 1"),
    ({"is_not": "Example"}, "Example", "C is one that is left out"),
    ({"starts_with": "1"}, "20", "C is 20, and does not begin with 1"),
    ({"empty": True}, "20", "C is not empty"),
    ({"empty": False}, None, "C is empty"),
    ({"before": DAY}, DAY, "C is not before 2026-01-15"),
    ({"after": DAY}, "soon", "C is no date, and so not after 2026-01-15"),
]


@pytest.mark.parametrize(("words", "value", "wanted"), REASONS)
def test_a_reason_shows_codes_and_nothing_longer(words: dict[str, Any], value: object, wanted: str) -> None:
    judge = compile_scope([scope("F", condition(**words))])
    assert judge(row({"C": value})).why_not == f"F: {wanted}"


def test_a_reason_shows_nothing_of_a_personal_column_however_short() -> None:
    judge = compile_scope([scope("F", condition("LASTNAME", **{"is": "Wu"}))])
    assert judge(row({"LASTNAME": "Li"})).why_not == "F: LASTNAME is something else, not what is wanted"

"""Texts that know which part of them is advice, whatever becomes of them on the way to whoever reads them."""

from __future__ import annotations

import pickle

import pytest

from shared.clients.vista.errors import StatementRefused, missing_column
from shared.errors import (
    Advised,
    BusError,
    ConfigurationError,
    SafetyAmpError,
    SettingProblem,
    filled,
    framed,
)

CLOSED = Advised("the gate is closed", "ring twice", "; ")


def told(text: str) -> tuple[str, str, str]:
    assert isinstance(text, Advised)
    return str(text), text.seen, text.advice


def test_a_text_is_one_sentence_for_people_and_two_parts_for_programs() -> None:
    assert told(CLOSED) == ("the gate is closed; ring twice", "the gate is closed", "ring twice")


def test_a_longer_text_around_it_still_knows_the_advice() -> None:
    whole = told(framed(CLOSED, "Azure: ", " (GATE)"))
    assert whole == (
        "Azure: the gate is closed; ring twice (GATE)",
        "Azure: the gate is closed",
        "ring twice (GATE)",
    )


def test_so_does_one_with_its_gaps_filled() -> None:
    text = filled(Advised("{} is closed", "set {setting}"), "it", setting="GATE")
    assert told(text) == ("it is closed: set GATE", "it is closed", "set GATE")


def test_a_text_without_advice_stays_one() -> None:
    assert (framed("it is", "Gate: ", "!"), filled("{} is", "it")) == ("Gate: it is!", "it is")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (SafetyAmpError(CLOSED), "ring twice"),
        (BusError(CLOSED, "full"), "ring twice"),
        (ConfigurationError.of("GATE", CLOSED), "ring twice"),
        (StatementRefused(CLOSED, "GATE"), "ring twice"),
        (missing_column("udX", "42S22", "VISTA_TITLE_COLUMN"), "set VISTA_TITLE_COLUMN to a column"),
    ],
    ids=["any", "of the bus", "of a setting", "of Vista", "of a column"],
)
def test_an_error_carries_its_advice(error: SafetyAmpError, advice: str) -> None:
    text, _, found = told(error.text)
    assert text == str(error)
    assert found.startswith(advice)


def test_it_goes_along_from_one_process_to_another() -> None:
    error = pickle.loads(pickle.dumps(BusError(CLOSED, "full")))
    assert (told(error.text), error.failure) == (told(CLOSED), "full")


def test_of_several_problems_each_has_its_own() -> None:
    error = ConfigurationError([SettingProblem("ONE", CLOSED), SettingProblem("TWO", "is empty")])
    assert str(error) == error.text == "ONE: the gate is closed; ring twice; TWO: is empty"
    assert [problem.told for problem in error.problems] == [
        "ONE: the gate is closed; ring twice",
        "TWO: is empty",
    ]


@pytest.mark.parametrize(
    ("where", "of_the_setting"), [("", "is odd"), ("SQLSTATE 42000", "Vista (SQLSTATE 42000): is odd")]
)
def test_a_problem_of_vista_names_its_system_once(where: str, of_the_setting: str) -> None:
    error = StatementRefused("is odd", "GATE", where=where)
    assert [problem.text for problem in error.problems] == [of_the_setting]
    assert str(error) == (of_the_setting if where else "Vista: is odd")

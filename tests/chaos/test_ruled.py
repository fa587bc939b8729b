"""The whole system under random rules, from seeds; and with one mechanism of the rules switched off."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from unittest import mock

import pytest

from shared.sync.applying.applier import ChangeApplier
from shared.sync.documents.change import Change
from shared.sync.documents.runs import Run
from shared.sync.entities import employee_facts
from shared.sync.model import FieldValues
from shared.sync.planning import planner
from shared.sync.planning.rules_in_force import rules_text
from shared.sync.planning.withholding import Withholding
from shared.sync.rules.model import Actions
from shared.sync.services import Services
from tests.chaos.random_rules import Restrictions
from tests.chaos.ruled import PUSHED, Ruled
from tests.chaos.seeds import Verdict, explanation, run_seed, run_seeds, trace_of

SEEDS = int(os.environ.get("RULES_SEEDS", "20"))

Patch = AbstractContextManager[Any]


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    return list(run_seeds(range(SEEDS), make=Ruled))


def test_no_seed_finds_a_violation(verdicts: list[Verdict]) -> None:
    """Whatever happens, nobody is written whom the rules leave alone, and nothing that they do not send."""
    failed = [explanation(verdict, option=" --rules", make=Ruled) for verdict in verdicts if verdict.found]
    assert not failed, "\n\n".join(failed[:3])


def test_rules_are_pushed_while_runs_are_under_way(verdicts: list[Verdict]) -> None:
    """Or the other tests would prove little."""
    assert sum(1 for verdict in verdicts if verdict.struck.get(PUSHED)) >= SEEDS * 0.7


def test_a_seed_replays_identically() -> None:
    first, second = (trace_of(1, make=Ruled) for _ in range(2))
    assert first == second


def protection_off() -> Iterator[Patch]:
    """Nobody is protected."""
    yield mock.patch.object(Withholding, "_protection", return_value=None)


def scope_off() -> Iterator[Patch]:
    """Everybody belongs."""
    yield mock.patch.object(employee_facts, "_ours", lambda rows, *_: (rows, []))


def only_reporting_off() -> Iterator[Patch]:
    """Every action is done."""
    yield mock.patch.object(Actions, "of", return_value="apply")


def reading_before_filling_off() -> Iterator[Patch]:
    """What was empty when SafetyAmp was listed counts as empty still."""

    def fill(_applier: ChangeApplier, change: Change) -> FieldValues:
        return change.fill

    yield mock.patch.object(ChangeApplier, "_still_empty", fill)


def version_of_the_run_off() -> Iterator[Patch]:
    """Each entity is planned under the rules that are in force by then."""

    def newest(services: Services, _run: Run | None) -> str | None:
        return rules_text(services, None)

    yield mock.patch.object(planner, "rules_text", newest)


FILLED = Restrictions(frozenset(), is_scoped=False, pilot=None, street="safetyamp", reported=frozenset())

MECHANISMS: dict[str, tuple[Callable[[], Iterator[Patch]], str, int, dict[str, Any]]] = {
    "protection": (protection_off, "nobody_is_written_whom_the_rules_leave_alone", 10, {"kinds": ()}),
    "scope": (scope_off, "nobody_is_written_whom_the_rules_leave_alone", 10, {"kinds": ()}),
    "only reporting": (only_reporting_off, "what_is_only_reported_is_not_done", 10, {"kinds": ()}),
    "reading before filling": (
        reading_before_filling_off,
        "a_street_changes_only_as_its_owner_allows",
        30,
        {"kinds": (), "often": 20, "loaded": True, "restrictions": FILLED, "limit_calls": 20},
    ),
    "version of the run": (
        version_of_the_run_off,
        "every_run_keeps_the_version_that_it_began_under",
        30,
        {"kinds": (), "limit_calls": 20},
    ),
}
"""Mechanism -> how it is switched off, which check must notice, within how many seeds, in which worlds."""


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_without_the_mechanism_the_simulation_finds_a_violation(mechanism: str) -> None:
    switch_off, check, seeds, options = MECHANISMS[mechanism]
    for seed in range(seeds):
        with ExitStack() as stack:
            for patch in switch_off():
                stack.enter_context(patch)
            found = run_seed(seed, Ruled, **options).found
        if any(line.startswith(check) for line in found):
            return
    pytest.fail(f"{seeds} seeds found nothing wrong without the {mechanism}")

"""One creation, and a process that dies before and after each effect, and at each pair of these: in full."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from shared.sync.model import ENTITIES, EntityName
from tests.chaos.one_creation import Before, OneCreation, before_one_creation

FEWEST_EFFECTS = 30
LOST_TWICE = 2
"""Deaths after which a title or asset may be left to the next run, which lists SafetyAmp first."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of runs log as many expected troubles. Planning ends with a pass of the garbage collector,
    which here would walk the whole test suite each time: what is there already is left out."""
    logging.disable(logging.CRITICAL)
    gc.freeze()
    yield
    gc.unfreeze()
    logging.disable(logging.NOTSET)


def effects_of(before: Before, entity: EntityName, dies_at: Sequence[int], *, twice: bool) -> int:
    """Run it with these deaths; how many effects there were. Fails unless one record was created, by the next
    run where its answer was lost twice, and no run after that creates another one."""
    creation = OneCreation(before, [entity], dies_at=dies_at, twice=twice)
    creation.run()
    assert creation.power.crashes == len(dies_at), f"deaths at {dies_at} did not all happen"
    at_once = {1} if len(dies_at) < LOST_TWICE else {0, 1}
    assert creation.created() in at_once, f"deaths at {dies_at}: {creation.created()} were created"
    effects = creation.power.pulses
    for _ in range(2):
        creation.run()
        assert creation.created() == 1, f"deaths at {dies_at}: {creation.created()} after another run"
    return effects


@pytest.mark.parametrize("twice", [False, True], ids=["each message once", "each message twice"])
@pytest.mark.parametrize("entity", ENTITIES)
def test_a_creation_survives_a_death_before_and_after_each_effect(
    tmp_path: Path, entity: EntityName, twice: bool
) -> None:
    before = before_one_creation(tmp_path, entity)
    effects = effects_of(before, entity, (), twice=twice)
    assert effects >= FEWEST_EFFECTS
    for death in range(1, effects + 1):
        effects_of(before, entity, (death,), twice=twice)


@pytest.mark.parametrize("twice", [False, True], ids=["each message once", "each message twice"])
def test_a_creation_survives_deaths_at_each_pair_of_effects(tmp_path: Path, twice: bool) -> None:
    """Of a title: SafetyAmp takes a second one of the same name, so that nothing but the sync prevents it."""
    before = before_one_creation(tmp_path, "titles")
    for first in range(1, effects_of(before, "titles", (), twice=twice) + 1):
        for second in range(first + 1, effects_of(before, "titles", (first,), twice=twice) + 1):
            effects_of(before, "titles", (first, second), twice=twice)

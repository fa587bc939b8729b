"""The whole system under faults, from seeds."""

from __future__ import annotations

import os

from tests.chaos.seeds import explanation, run_seeds, trace_of

SEEDS = int(os.environ.get("CHAOS_SEEDS", "300"))


def test_no_seed_finds_a_violation() -> None:
    """Crashes, lost answers, storms, outages and skewed clocks: SafetyAmp ends exactly right."""
    failed = [explanation(seed, found) for seed, found in run_seeds(range(SEEDS)) if found]
    assert not failed, "\n\n".join(failed[:3])


def test_every_run_of_a_seed_is_identical() -> None:
    assert trace_of(7) == trace_of(7)

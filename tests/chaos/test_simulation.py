"""The whole system under faults, from seeds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from unittest import mock

from local.bus.in_process import LockedMessage
from tests.chaos.faults import HELD, TABLE
from tests.chaos.seeds import Verdict, explanation, run_seed, run_seeds
from tests.chaos.strikes import Strikes
from tests.chaos.world import World

SEEDS = int(os.environ.get("CHAOS_SEEDS", "200"))
ROOT = Path(__file__).parents[2]
MANY_LINES = 500
FEWEST_KINDS = 25
DEADLY = 7
MANY_REPEATS = 3


def test_no_seed_finds_a_violation() -> None:
    """Crashes, lost answers, outages, hands and HR at work: SafetyAmp ends exactly right."""
    failed = [explanation(verdict) for verdict in run_seeds(range(SEEDS)) if verdict.found]
    assert not failed, "\n\n".join(failed[:3])


def test_no_seed_finds_a_violation_where_the_bus_drops_no_duplicates() -> None:
    """Service Bus Basic, which the size `small` deploys: each repeat costs work and nothing else."""
    verdicts = run_seeds(range(SEEDS // 5), duplicate_window_seconds=0)
    failed = [
        f"{explanation(verdict)} (and duplicate_window_seconds=0)" for verdict in verdicts if verdict.found
    ]
    assert not failed, "\n\n".join(failed[:3])


def test_without_duplicate_detection_repeats_are_delivered() -> None:
    delivered = {
        window: repeats_delivered(World(6, duplicate_window_seconds=window)) for window in (0, 86_400)
    }
    assert delivered[0] > MANY_REPEATS
    assert delivered[86_400] == 0


def repeats_delivered(world: World) -> int:
    """How many messages were delivered beside another one of the same id."""
    numbers: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    receive = world.bus.receive

    def received(queue: str) -> LockedMessage | None:
        locked = receive(queue)
        if locked is not None:
            numbers[queue, locked.message.message_id].add(locked.sequence_number)
        return locked

    with mock.patch.object(world.bus, "receive", received):
        world.run()
    world.close()
    return sum(len(found) - 1 for found in numbers.values())


def test_a_seed_replays_identically_in_another_process() -> None:
    """Also where texts hash differently, which orders sets otherwise."""
    first, second = (_replay(7, hash_seed) for hash_seed in ("1", "2"))
    assert first == second
    assert len(first) > MANY_LINES


def test_a_seed_does_not_depend_on_those_before_it() -> None:
    run_seed(1, loaded=True)
    first = run_seed(3, loaded=True)
    run_seed(2, loaded=True)
    assert run_seed(3, loaded=True) == first


def test_at_least_25_kinds_of_faults_strike() -> None:
    assert len(HELD) >= FEWEST_KINDS
    assert len({kind.name for kind in TABLE}) == len(TABLE)


def test_a_kind_that_strikes_too_seldom_makes_the_soak_fail() -> None:
    strikes = Strikes(("reset after", "told to end"))
    for seed in range(1000):
        strikes.add(Verdict(seed, [], {"reset after": 1, "told to end": seed < 99, "company changes": 1}))
    assert strikes.shortfalls() == ["told to end"]
    assert not strikes.is_even


def test_a_pair_of_kinds_that_never_meets_makes_the_soak_fail() -> None:
    strikes = Strikes(("reset after", "told to end"))
    for seed in range(1000):
        name = ("reset after", "told to end")[seed % 2]
        strikes.add(Verdict(seed, [], {name: 1, "company changes": 1}))
    assert strikes.shortfalls() == []
    assert strikes.missing_pairs() == [("told to end", "reset after")]
    assert not strikes.is_even


def test_a_worker_that_dies_costs_its_own_seed_only() -> None:
    verdicts = {verdict.seed: verdict for verdict in run_seeds(range(12), 2, dies_of_seven)}
    assert sorted(verdicts) == list(range(12))
    assert [seed for seed, verdict in sorted(verdicts.items()) if verdict.found] == [DEADLY]


def dies_of_seven(seed: int) -> Verdict:
    """As if the machine had no memory left for this one."""
    if seed == DEADLY:
        os.kill(os.getpid(), signal.SIGKILL)
    return Verdict(seed, [], {})


def _replay(seed: int, hash_seed: str) -> list[str]:
    command = [sys.executable, "-m", "tests.chaos.soak", "--seed", str(seed)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.splitlines()

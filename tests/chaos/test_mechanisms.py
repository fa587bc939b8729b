"""The proof of the proof: with one safety mechanism switched off, the simulation finds the damage."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from unittest import mock

import pytest

from local.documents.kept import KeptDocuments
from local.documents.memory import MemoryDocuments
from shared.resilience.shared_rate_limiter import SharedRateLimiter
from shared.storage.documents import to_json
from shared.sync.applying.applier import ChangeApplier
from shared.sync.documents import state
from shared.sync.documents.change import Change
from shared.sync.documents.plans import LeftOutChange
from shared.sync.documents.progress import ProgressKeeper
from shared.sync.documents.state import EntityState
from shared.sync.messages import BatchMessage, EntityMessage
from shared.sync.planning import drafting, planner, unique_values
from shared.sync.planning.drafting import Draft
from shared.sync.planning.guard import Judgement
from shared.sync.planning.listing import TargetLister
from shared.sync.planning.moved_keys import MovedKeys
from tests.chaos.seeds import run_seed
from tests.chaos.virtual_redis import VirtualRedis

Patch = AbstractContextManager[Any]


def lease_off() -> Iterator[Patch]:
    """Everybody gets every lease, and every write counts as under it."""
    write = MemoryDocuments.write

    def write_always(self: MemoryDocuments, path: str, data: bytes, *, lease_id: str | None = None) -> str:
        self._store_lease(path, None)
        return write(self, path, data)

    yield mock.patch.object(KeptDocuments, "acquire_lease", return_value="everybody")
    yield mock.patch.object(KeptDocuments, "renew_lease", return_value=None)
    yield mock.patch.object(MemoryDocuments, "write", write_always)


def commit_point_off() -> Iterator[Patch]:
    """A second plan replaces the first one."""

    def overwrite(documents: Any, path: str, value: Any) -> bool:
        documents.write(path, to_json(value))
        return True

    yield mock.patch.object(planner, "create_json", overwrite)


def look_up_off() -> Iterator[Patch]:
    """A creation without an answer is simply repeated."""
    yield mock.patch.object(ChangeApplier, "_look_up", return_value=None)


def outcome_before_completion_off() -> Iterator[Patch]:
    """Nothing is stored before a creation is sent: a crash forgets it."""
    yield mock.patch.object(ProgressKeeper, "store", return_value=None)


def message_ids_off() -> Iterator[Patch]:
    """Ids without the cause: duplicate detection swallows releases, reschedulings and sweeps."""
    yield mock.patch.object(EntityMessage, "message_id", property(lambda m: f"{m.run_id}/{m.entity}"))
    yield mock.patch.object(
        BatchMessage, "message_id", property(lambda m: f"{m.run_id}/{m.entity}/{m.batch}")
    )


def compare_and_swap_off() -> Iterator[Patch]:
    """The last writer wins."""

    def replace(self: MemoryDocuments, path: str, data: bytes, etag: str) -> str:
        return self.write(path, data)

    yield mock.patch.object(MemoryDocuments, "replace", replace)


def guard_off() -> Iterator[Patch]:
    """Every plan goes on."""
    yield mock.patch.object(planner, "guard", return_value=Judgement())


def parts_off() -> Iterator[Patch]:
    """What is held of a plan holds all of it."""
    yield mock.patch.object(drafting._Drafting, "_held_apart", return_value=[])


def holding_a_part_off() -> Iterator[Patch]:
    """What the guard says of a part is written down, and the part is applied."""
    yield mock.patch.object(drafting._Drafting, "_held_apart", return_value=[])
    yield mock.patch.object(planner, "_reasons_to_hold_all", return_value=[])


def single_probe_off() -> Iterator[Patch]:
    """After the recovery time everybody may call: the script runs without its condition."""
    compiled = VirtualRedis.load

    def load(self: VirtualRedis, text: str) -> str:
        compiled(self, text.replace("(probe == '' or now >= probe_until)", "true"))
        sha = hashlib.sha1(text.encode()).hexdigest()
        self.scripts[sha] = list(self.scripts.values())[-1]
        return sha

    yield mock.patch.object(VirtualRedis, "load", load)


def shared_window_off() -> Iterator[Patch]:
    """Every process counts for itself, up to the whole limit."""
    made = SharedRateLimiter.__init__

    def alone(self: SharedRateLimiter, connection: Any, name: str, *rest: Any, **named: Any) -> None:
        made(self, connection, f"{name}-{id(self)}", *rest, **named)

    yield mock.patch.object(SharedRateLimiter, "__init__", alone)


def reading_again_off() -> Iterator[Patch]:
    """An approval applies what was planned once, whatever the source says meanwhile."""

    def keep_all(draft: Draft, approved: Iterable[Change]) -> list[LeftOutChange]:
        draft.changes = [*approved]
        return []

    yield mock.patch.object(planner, "keep_approved", keep_all)


def second_listing_off() -> Iterator[Patch]:
    """What one listing lacks is gone, and nothing is read twice."""
    believable_targets = TargetLister.believable_targets

    def once(self: TargetLister, mapping: Any, listed: int | None, **_twice: bool) -> Any:
        return believable_targets(self, mapping, listed)

    yield mock.patch.object(TargetLister, "believable_targets", once)
    yield mock.patch.object(EntityState, "missing_since", return_value="an earlier run")
    yield mock.patch.object(state, "_keep_missing", return_value=None)


def order_of_unique_values_off() -> Iterator[Patch]:
    """Each change on its own, whoever waits for whom."""

    def alone(changes: Iterable[Change], *_: Any) -> list[list[Change]]:
        return [[change] for change in changes]

    yield mock.patch.object(unique_values, "_grouped", alone)


def known_by_id_off() -> Iterator[Patch]:
    """A user is whose number it has, whoever it was and shows."""
    yield mock.patch.object(MovedKeys, "judge", return_value=None)
    yield mock.patch.object(drafting, "is_another_person", return_value=False)


CRASHES = ("crash before an effect", "crash after an effect", "lock lost", "delivered twice at once")
LOST_ANSWERS = ("reset after", "timeout after", "5xx after", "nonsense after", "cut answer after")
SLOW = ("slow operation", "lock lost", "delivered twice at once")
WRONG_LEAVERS = ("mistake in Vista", "Vista shows leavers who are none")
WRONG_READS = ("Vista gives half", "Vista shows leavers who are none")
EXCHANGES = ("phones swapped", "mails swapped", "phone handed over", "mail handed over", "freed phone hired")

MECHANISMS: dict[str, tuple[Callable[[], Iterator[Patch]], str, int, dict[str, Any]]] = {
    "lease": (lease_off, "nothing_is_there_twice", 20, {"kinds": SLOW, "often": 4, "loaded": False}),
    "commit point": (
        commit_point_off,
        "each_change_has_one_outcome",
        80,
        {
            "kinds": ("slow operation", "delivered twice at once"),
            "often": 40,
            "processes_count": 4,
            "loaded": True,
        },
    ),
    "look-up": (look_up_off, "nothing_is_there_twice", 20, {"kinds": LOST_ANSWERS, "often": 4}),
    "outcome before completion": (
        outcome_before_completion_off,
        "nothing_is_there_twice",
        20,
        {"kinds": CRASHES, "often": 6, "loaded": False},
    ),
    "message ids": (message_ids_off, "TooLong", 5, {"kinds": CRASHES, "loaded": False}),
    "compare-and-swap": (
        compare_and_swap_off,
        "nothing_is_there_twice",
        120,
        # Without single records: whoever waits for one would stumble over the run that is not there.
        {"kinds": (), "processes_count": 4, "single_records": False, "loaded": False},
    ),
    "guard": (guard_off, "only_leavers_are_deactivated", 20, {"kinds": WRONG_READS, "often": 3}),
    "parts": (
        parts_off,
        "a_lay_off_holds_no_hire",
        40,
        {"kinds": WRONG_LEAVERS, "loaded": True},
    ),
    "holding a part": (
        holding_a_part_off,
        "only_leavers_are_deactivated",
        40,
        {"kinds": WRONG_LEAVERS, "loaded": True},
    ),
    "single probe": (
        single_probe_off,
        "the_breaker_lets_one_probe_through",
        30,
        {"kinds": ("outage",), "often": 4, "processes_count": 4, "limit_calls": 20, "loaded": False},
    ),
    "shared window": (
        shared_window_off,
        "the_window_was_kept",
        10,
        {"kinds": (), "limit_calls": 20, "loaded": False},
    ),
    "reading again": (
        reading_again_off,
        "only_leavers_are_deactivated",
        20,
        {"kinds": ("late approval", "mistake in Vista", "Vista shows leavers who are none")},
    ),
    "second listing": (
        second_listing_off,
        "nothing_is_there_twice",
        40,
        {"kinds": ("deletion while listing", "order changes while listing"), "often": 4},
    ),
    "order of unique values": (
        order_of_unique_values_off,
        "no_value_is_withheld_that_is_free",
        20,
        {"kinds": EXCHANGES, "often": 4},
    ),
    "known by id": (
        # Nobody is locked out even so: whoever shows somebody current is told by names and e-mail.
        known_by_id_off,
        "a_changed_number_is_reported",
        20,
        {"kinds": ("hand changes a number",), "often": 4, "loaded": True},
    ),
}
"""Mechanism -> how it is switched off, which check must notice, within how many seeds, and
the faults that try it."""


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_without_the_mechanism_the_simulation_finds_a_violation(mechanism: str) -> None:
    switch_off, check, seeds, options = MECHANISMS[mechanism]
    for seed in range(seeds):
        with ExitStack() as stack:
            for patch in switch_off():
                stack.enter_context(patch)
            found = run_seed(seed, **options).found
        if any(line.startswith(check) for line in found):
            return
    pytest.fail(f"{seeds} seeds found nothing wrong without the {mechanism}")

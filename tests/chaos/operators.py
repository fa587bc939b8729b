"""An operator who pauses, resumes, cancels, approves and syncs single records at any time, and looks before
approving."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.errors import Paused, RunConflict
from shared.queries.on_demand import sync_record
from shared.runtime import Runtime
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.decisions.approve import approve
from shared.sync.documents.active import active_run_id
from shared.sync.documents.control import read_pauses, remove_pauses
from shared.sync.model import ENTITIES, EntityName
from shared.sync.runs.stopping import cancel, pause

if TYPE_CHECKING:
    from tests.chaos.world import World


MORE_RESUMED_THAN_PAUSED = 0.7
"""Else everything would be paused soon, and nothing would happen any more."""


class Operator:
    """Acts through a process of the world, as HTTP functions do."""

    def __init__(self, world: World) -> None:
        self._world = world

    def does_something(self) -> None:
        """One operation, drawn from the world's dice, if a process is free for it."""
        if read_pauses(self._world.store) and self._world.dice.random() < MORE_RESUMED_THAN_PAUSED:
            self._resumes()
        else:
            self._world.dice.choice((self._pauses, self._cancels, self.approves_what_is_right))()

    def resumes_everything(self) -> None:
        """At the end nothing stays paused."""
        remove_pauses(self._world.store, ENTITIES)

    def _pauses(self) -> None:
        entities = self._some_entities()
        self._world.act(f"operator pauses {entities}", pause, entities, "chaos")

    def _resumes(self) -> None:
        entities = list(read_pauses(self._world.store))
        if entities:
            self._world.act(f"operator resumes {entities}", resume, entities)

    def _cancels(self) -> None:
        run_id = active_run_id(self._world.store)
        if run_id is not None:
            self._world.act(f"operator cancels {run_id}", cancel, run_id, "chaos", refusals=(RunConflict,))

    def syncs_one_record(self) -> None:
        """In a process that may die of it, while others take the messages that it sends."""
        key = str(self._world.dice.choice(self._world.company.tables["bPREH"])["Employee"]).strip()
        self._world.act(f"operator syncs {key}", sync_employee, key, refusals=(RunConflict, Paused))

    def approves_what_is_right(self) -> None:
        """Let the last held plans go on if they are right."""
        run_id = self._run_to_approve()
        if run_id is not None:
            self.approves(run_id)

    def approves(self, run_id: str) -> None:
        """Let the held plans of a run go on, without looking at them."""
        self._world.act(f"operator approves {run_id}", approve, run_id, refusals=(RunConflict, Paused))

    def held_runs(self) -> list[str]:
        """The runs that hold a plan, oldest first."""
        return [
            run_id
            for run_id, run in self._world.runs()
            if any(status["phase"] == "held" for status in run["entities"].values())
        ]

    def _some_entities(self) -> list[EntityName]:
        if self._world.dice.random() < 0.3:
            return list(ENTITIES)
        return [self._world.dice.choice(ENTITIES)]

    def _run_to_approve(self) -> str | None:
        """The latest run that holds something, if all whom it would deactivate have really left, and nobody
        whom it would let in again."""
        for run_id, run in reversed(list(self._world.runs())):
            held = [entity for entity, status in run["entities"].items() if status["phase"] == "held"]
            if held:
                return run_id if all(self._is_right(run_id, entity) for entity in held) else None
        return None

    def _is_right(self, run_id: str, entity: str) -> bool:
        held = list(held_changes(self._world, run_id, entity))
        off = {key for key, action in held if action == "deactivate"}
        on = {key for key, action in held if action == "reactivate"}
        return off <= self._world.true_leavers and not on & self._world.true_leavers


def held_changes(world: World, run_id: str, entity: str) -> Iterator[tuple[str, str]]:
    """Key and action of each change that the plan of a run holds: all of it, or the batches behind those that
    are applied."""
    plan = read_json(world.store, paths.plan(run_id, entity)) or {"held": [], "batches": 0}
    first, count = (
        (1, plan["batches"]) if plan["held"] else (plan["batches"] + 1, plan.get("held_batches", 0))
    )
    for number in range(first, first + count):
        batch = read_json(world.store, paths.batch(run_id, entity, plan["plan_id"], number))
        yield from ((change["key"], change["action"]) for change in batch["changes"])


def resume(runtime: Runtime, entities: list[EntityName]) -> None:
    """Take the pauses of these entities away."""
    remove_pauses(runtime.documents, entities)


def sync_employee(runtime: Runtime, key: str) -> None:
    """Sync one record."""
    sync_record(runtime, "employees", key, "apply", refresh=False, retry_failed=True)

"""From references to target ids, as late as possible."""

from __future__ import annotations

from typing import cast

from shared.errors import ConfigurationError, UnreadableDocument
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.plans import Plan, plan_at
from shared.sync.documents.runs import Mode
from shared.sync.documents.state import EntityState, decode_state, read_state
from shared.sync.entities.keys import normal_key
from shared.sync.model import EntityName, JsonValue, Ref
from shared.sync.planning.lookups import role_ids
from shared.sync.services import Services


class Resolver:
    """Looks references up in the states of one moment; make a new one per handler.

    `own` is the entity at hand: what its plan found in SafetyAmp counts although it is not merged into the
    state yet. In a run that only plans (`mode`) nothing is ever merged, and that is so for every entity.
    `created` maps keys of the entity at hand to the ids that this run has created already. `plan` is the one
    of the entity at hand that is being applied.
    """

    def __init__(
        self,
        services: Services,
        run_id: str,
        own: EntityName,
        plan: Plan | None = None,
        *,
        mode: Mode = "plan",
    ) -> None:
        self._services = services
        self._run_id = run_id
        self._mode = mode
        self._own = own
        self._plan = plan
        self._states: dict[str, EntityState | None] = {}
        self._role_ids: dict[str, int] | None = None
        self.created: dict[Ref, int | str] = {}

    def resolve(self, ref: Ref) -> JsonValue:
        """The target id, or the value a request needs in its place; None when it is not known (yet)."""
        return [{"id": self._role_id(ref.key)}] if ref.entity == "roles" else self._target_id(ref)

    def _target_id(self, ref: Ref) -> int | str | None:
        if ref in self.created:
            return self.created[ref]
        if ref.entity == "offices":
            return self._office(ref.key)
        entity = cast(EntityName, ref.entity)
        state = self.state(entity)
        if state is None:
            return None
        key = normal_key(entity, ref.key)
        if state.is_perhaps_gone(key):
            return None  # what referred to it would be refused, and not be tried again when it is back
        known = state.target_id(key)
        if known is None and entity == "departments" and len(ids := state.unmatched_ids(key)) == 1:
            return ids[0]  # not where it belongs, and its row is odd, so that planning has not adopted it
        # Where SafetyAmp has several spellings of a title, the very one is no guess.
        return state.id_spelt(ref.key) if known is None else known

    def state(self, entity: EntityName) -> EntityState | None:
        """The entity's state, with what this run's plan found when it has found something new."""
        if entity not in self._states:
            self._states[entity] = self._read_state(entity)
        return self._states[entity]

    def provide(self, state: EntityState) -> None:
        """Use this state of the entity at hand, which is being planned."""
        self._states[self._own] = state

    def _read_state(self, entity: EntityName) -> EntityState | None:
        documents = self._services.documents
        plan = None
        if entity == self._own:
            plan = self._plan or self._read_plan(entity)
        elif self._mode == "plan":
            plan = self._read_plan(entity)
        if plan and plan.base and (plan.mode == "plan" or entity == self._own):
            return decode_state(entity, read_json(documents, plan.base), plan.base)
        return read_state(documents, entity)

    def _read_plan(self, entity: EntityName) -> Plan | None:
        try:
            return plan_at(self._services.documents, paths.plan(self._run_id, entity))
        except UnreadableDocument:
            if entity == self._own:
                raise
            return None

    def _office(self, region: str) -> int | str | None:
        cluster_id = self._target_id(Ref("departments", f"region:{region}"))
        return None if cluster_id is None else self._target_id(Ref("jobs", f"office:{cluster_id}"))

    def _role_id(self, name: str) -> int:
        if self._role_ids is None or name not in self._role_ids:
            self._role_ids = role_ids(self._services)
        if name not in self._role_ids:
            # What is kept may be older than the role.
            self._role_ids = role_ids(self._services, refresh=True)
        if name not in self._role_ids:
            known = ", ".join(sorted(self._role_ids))
            raise ConfigurationError.of(
                "SAFETYAMP_DEFAULT_ROLE", f"SafetyAmp has no role {name!r}; it has: {known}"
            )
        return self._role_ids[name]

"""From references to ids: what is known at this moment, and what is not said yet."""

from __future__ import annotations

from typing import Any

import pytest

from local.bench.counting import CountingDocuments, Operations
from shared.errors import ConfigurationError, UnreadableDocument
from shared.storage.documents import create_json, update_json
from shared.sync import paths
from shared.sync.documents.plans import Plan
from shared.sync.documents.state import GONE, EntityState, Entry
from shared.sync.model import EntityName, Ref
from shared.sync.planning.resolver import Resolver
from tests.unit.engine_rig import EngineRig, a_plan, plan_of

RUN = "20260105-060000-abcdef"


class ResolverRig(EngineRig):
    """States and plans of several entities; `ask` resolves with a new resolver."""

    def knows(self, entity: EntityName, ids: dict[str, Any], path: str | None = None) -> EntityState:
        state = EntityState(entity)
        for key, target_id in ids.items():
            state.put(key, Entry(target_id, "d", {"name": key}, {}))
        self.store(state, path)
        return state

    def store(self, state: EntityState, path: str | None = None) -> None:
        update_json(self.documents, path or paths.state(state.entity), lambda _: state.to_json())

    def plan(self, entity: EntityName, *, base: str | None, mode: str = "apply") -> Plan:
        create_json(self.documents, paths.plan(RUN, entity), a_plan(base=base, mode=mode))
        return plan_of(base=base, mode=mode)

    def ask(self, ref: Ref, own: EntityName = "employees", **more: Any) -> Any:
        return Resolver(self.services, RUN, own, **more).resolve(ref)


@pytest.fixture
def rig() -> ResolverRig:
    return ResolverRig()


def test_a_key_that_the_state_knows_has_its_id_in_any_form(rig: ResolverRig) -> None:
    rig.knows("titles", {"welder": 5})
    assert rig.ask(Ref("titles", "welder")) == rig.ask(Ref("titles", " WELDER")) == 5


def test_what_nobody_knows_has_none(rig: ResolverRig) -> None:
    assert rig.ask(Ref("titles", "welder")) is None
    rig.knows("titles", {"painter": 6})
    assert rig.ask(Ref("titles", "welder")) is None


def test_what_this_run_has_created_is_known_before_it_is_merged(rig: ResolverRig) -> None:
    resolver = Resolver(rig.services, RUN, "departments")
    ref = Ref("departments", "region:Coast")
    assert resolver.resolve(ref) is None
    resolver.created[ref] = 12
    assert resolver.resolve(ref) == 12


def test_what_may_be_gone_is_referred_to_by_nothing(rig: ResolverRig) -> None:
    state = rig.knows("titles", {"welder": 5})
    state.put("welder", Entry(5, None, {}, {GONE: True}))
    rig.store(state)
    assert rig.ask(Ref("titles", "welder")) is None


def test_of_several_spellings_the_very_one_is_no_guess(rig: ResolverRig) -> None:
    state = EntityState("titles", ambiguous={"welder": [5, 6]}, spellings={"WELDER": [5], "Welder": [6]})
    rig.store(state)
    assert [rig.ask(Ref("titles", name)) for name in ("WELDER", "Welder", "welder")] == [5, 6, None]


def test_an_office_is_the_site_in_its_regions_cluster(rig: ResolverRig) -> None:
    assert rig.ask(Ref("offices", "Coast")) is None
    rig.knows("departments", {"region:Coast": 4})
    assert rig.ask(Ref("offices", "Coast")) is None
    rig.knows("jobs", {"office:4": 77})
    assert rig.ask(Ref("offices", "Coast")) == 77


# -- which state counts ----------------------------------------------------------------------------------


def test_what_the_own_plan_found_counts_although_it_is_not_merged(rig: ResolverRig) -> None:
    rig.knows("employees", {"1": "old"})
    base = paths.base(RUN, "employees", "a1b2c3d4")
    rig.knows("employees", {"1": "new"}, base)
    plan = rig.plan("employees", base=base)
    ref = Ref("employees", "1")
    assert rig.ask(ref) == rig.ask(ref, plan=plan) == "new"
    assert rig.ask(ref, own="vehicles") == "old", "of another entity only what is merged"


def test_in_a_run_that_only_plans_it_counts_for_every_entity(rig: ResolverRig) -> None:
    rig.knows("titles", {"welder": 5})
    base = paths.base(RUN, "titles", "a1b2c3d4")
    rig.knows("titles", {"welder": 6}, base)
    rig.plan("titles", base=base, mode="plan")
    assert rig.ask(Ref("titles", "welder")) == 6


def test_in_a_run_that_applies_nothing_is_asked_of_the_plans_of_others(rig: ResolverRig) -> None:
    rig.knows("titles", {"welder": 5})
    base = paths.base(RUN, "titles", "a1b2c3d4")
    rig.knows("titles", {"welder": 6}, base)
    rig.plan("titles", base=base)
    operations = Operations()
    vars(rig)["documents"] = CountingDocuments(rig.documents, operations)
    assert rig.ask(Ref("titles", "welder"), mode="apply") == 5
    assert operations.documents == {"read state/ENTITY.json.gz": 1}


def test_a_plan_that_found_nothing_new_leaves_the_state(rig: ResolverRig) -> None:
    rig.knows("employees", {"1": "old"})
    rig.plan("employees", base=None)
    assert rig.ask(Ref("employees", "1")) == "old"


def test_anothers_plan_that_cannot_be_read_is_passed_over_and_the_own_is_not(rig: ResolverRig) -> None:
    rig.knows("titles", {"welder": 5})
    rig.documents.write(paths.plan(RUN, "titles"), b"{")
    assert rig.ask(Ref("titles", "welder")) == 5
    with pytest.raises(UnreadableDocument):
        rig.ask(Ref("titles", "welder"), own="titles")


def test_the_state_that_planning_works_on_is_the_one_it_provides(rig: ResolverRig) -> None:
    rig.knows("employees", {"1": "stored"})
    resolver = Resolver(rig.services, RUN, "employees")
    at_work = EntityState("employees")
    at_work.put("1", Entry("at work", "d", {}, {}))
    resolver.provide(at_work)
    assert resolver.resolve(Ref("employees", "1")) == "at work"


def test_states_are_read_once(rig: ResolverRig) -> None:
    rig.knows("titles", {"welder": 5})
    resolver = Resolver(rig.services, RUN, "employees")
    assert resolver.resolve(Ref("titles", "welder")) == 5
    rig.knows("titles", {"welder": 6})
    assert resolver.resolve(Ref("titles", "welder")) == 5


# -- roles -----------------------------------------------------------------------------------------------


class Roles:
    """SafetyAmp's roles, which somebody may change; `listed` counts how often they were asked for."""

    def __init__(self, **ids: int) -> None:
        self.ids = ids
        self.listed = 0


@pytest.fixture
def roles(monkeypatch: pytest.MonkeyPatch) -> Roles:
    roles, kept = Roles(Field=3), [{"Field": 3}]

    def role_ids(_services: Any, *, refresh: bool = False) -> dict[str, int]:
        if refresh:
            roles.listed += 1
            kept[0] = dict(roles.ids)
        return kept[0]

    monkeypatch.setattr("shared.sync.planning.resolver.role_ids", role_ids)
    return roles


def test_a_role_is_a_list_of_its_id_and_listed_again_only_when_it_is_not_known(
    rig: ResolverRig, roles: Roles
) -> None:
    resolver = Resolver(rig.services, RUN, "employees")
    assert resolver.resolve(Ref("roles", "Field")) == [{"id": 3}]
    assert roles.listed == 0
    roles.ids["Foreman"] = 4
    assert resolver.resolve(Ref("roles", "Foreman")) == [{"id": 4}]
    assert roles.listed == 1


def test_a_role_that_there_is_not_is_a_wrong_setting_that_names_those_there_are(
    rig: ResolverRig, roles: Roles
) -> None:
    with pytest.raises(ConfigurationError, match=r"SAFETYAMP_DEFAULT_ROLE.*'Boss'.*it has: Field"):
        rig.ask(Ref("roles", "Boss"))

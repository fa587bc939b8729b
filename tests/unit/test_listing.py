"""Listings of SafetyAmp: what counts, and how an interrupted one goes on."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from shared.clients.call_meter import Meter
from shared.errors import (
    AccessRefused,
    ConfigurationError,
    IncompleteRead,
    LeaseHeld,
    LeaseLost,
    RateLimited,
    UpstreamUnavailable,
)
from shared.storage.documents import read_json
from shared.sync.entities import mappings
from shared.sync.listing import RESOURCES, TargetLister, within_root
from shared.sync.model import ENTITIES
from shared.sync.sources import MappingOptions
from tests.unit.engine_rig import EngineRig, PagedSafetyAmp

PATH = "runs/r/titles/planning.json"
MAPPINGS = mappings(MappingOptions())
TITLES = MAPPINGS["titles"]


def page(*names: str) -> list[dict[str, Any]]:
    return [{"id": sum(name.encode()), "name": name} for name in names]


PAGES = [page("a", "b"), page("c"), [], page("d", "e")]


@pytest.fixture
def rig() -> EngineRig:
    return EngineRig(PagedSafetyAmp(PAGES))


def names(lister: TargetLister) -> list[str | None]:
    return [target.key for target in lister.targets(TITLES)]


def test_every_entity_has_its_resource() -> None:
    assert set(RESOURCES) == set(ENTITIES)


def test_a_listing_in_one_go_keeps_nothing(rig: EngineRig) -> None:
    assert names(TargetLister(rig.services, PATH)) == ["a", "b", "c", "d", "e"]
    assert rig.documents.read(PATH) is None


@pytest.mark.parametrize("error", [RateLimited("full", 30.0), UpstreamUnavailable("503", 503)], ids=repr)
@pytest.mark.parametrize("interrupted_at", range(5))
def test_an_interrupted_listing_goes_on_with_the_page_that_failed(
    rig: EngineRig, interrupted_at: int, error: Exception
) -> None:
    rig.safetyamp.fail_at = {interrupted_at: error}
    with pytest.raises(type(error)):
        names(TargetLister(rig.services, PATH))
    assert names(TargetLister(rig.services, PATH)) == ["a", "b", "c", "d", "e"]
    assert Counter(rig.safetyamp.asked) == {number: 1 + (number == interrupted_at) for number in range(5)}


def test_a_listing_may_be_interrupted_again_and_again(rig: EngineRig) -> None:
    rig.safetyamp.fail_at = {number: RateLimited("full", 30.0) for number in range(5)}
    for _ in range(5):
        with pytest.raises(RateLimited):
            names(TargetLister(rig.services, PATH))
    assert names(TargetLister(rig.services, PATH)) == ["a", "b", "c", "d", "e"]
    assert len(rig.safetyamp.asked) == 10


def test_a_record_that_moved_to_a_later_page_meanwhile_is_there_once_as_it_came_last(rig: EngineRig) -> None:
    rig.safetyamp.fail_at = {1: RateLimited("full", 30.0)}
    with pytest.raises(RateLimited):
        names(TargetLister(rig.services, PATH))
    rig.safetyamp.pages[1] = [{**PAGES[0][1], "name": "b2"}, *PAGES[1]]
    assert names(TargetLister(rig.services, PATH)) == ["a", "b2", "c", "d", "e"]


def test_a_refusal_keeps_no_pages(rig: EngineRig) -> None:
    rig.safetyamp.fail_at = {2: AccessRefused("401", 401)}
    with pytest.raises(AccessRefused):
        names(TargetLister(rig.services, PATH))
    assert rig.documents.read(PATH) is None


def test_a_forgotten_listing_begins_anew(rig: EngineRig) -> None:
    rig.safetyamp.fail_at = {3: RateLimited("full", 30.0)}
    lister = TargetLister(rig.services, PATH)
    with pytest.raises(RateLimited):
        names(lister)
    lister.forget()
    rig.safetyamp.asked.clear()
    names(lister)
    assert rig.safetyamp.asked == [0, 1, 2, 3, 4]


def test_calls_of_all_executions_are_added_up(rig: EngineRig) -> None:
    rig.safetyamp.fail_at = {1: RateLimited("full", 30.0), 3: RateLimited("full", 30.0)}
    for calls, waited in ((2, 0.5), (3, 0.25)):
        meter = Meter(Counter(safetyamp=calls), waited_seconds=waited)
        with pytest.raises(RateLimited):
            names(TargetLister(rig.services, PATH, meter=meter))
    meter = Meter(Counter(safetyamp=4))
    names(TargetLister(rig.services, PATH, meter=meter))
    assert (meter.calls, meter.waited_seconds) == ({"safetyamp": 9}, 0.75)


def test_pages_are_kept_under_the_planners_lease_only(rig: EngineRig) -> None:
    lease_id = rig.documents.acquire_lease(PATH, 60)
    rig.safetyamp.fail_at = {1: RateLimited("full", 30.0)}
    with pytest.raises(LeaseHeld):
        names(TargetLister(rig.services, PATH))
    rig.safetyamp.fail_at = {1: RateLimited("full", 30.0)}
    with pytest.raises(RateLimited):
        names(TargetLister(rig.services, PATH, lease_id=lease_id))
    assert read_json(rig.documents, PATH)["page"] == 1
    rig.clock.advance(61)
    rig.safetyamp.fail_at = {1: RateLimited("full", 30.0)}
    with pytest.raises(LeaseLost):
        names(TargetLister(rig.services, PATH, lease_id=lease_id))


def test_a_listing_that_lost_much_is_not_believed(rig: EngineRig) -> None:
    lister = TargetLister(rig.services, PATH)
    assert len(lister.believable_targets(TITLES, 6)) == 5
    with pytest.raises(IncompleteRead, match=r"state/titles\.json\.gz"):
        lister.believable_targets(TITLES, 7)
    assert len(lister.believable_targets(TITLES, None)) == 5


def cluster(cluster_id: int, name: str, parent: int | None, depth: int) -> dict[str, Any]:
    return {
        "id": cluster_id,
        "name": name,
        "parent_cluster_id": parent,
        "depth": depth,
        "external_code": None if parent is None else name,
    }


MINE, COAST, OLD = cluster(1, "Mine", None, 0), cluster(2, "Coast", 1, 1), cluster(3, "10", 2, 2)
THEIRS, NORTH = cluster(9, "Theirs", None, 0), cluster(8, "North", 9, 1)
ALL = [OLD, NORTH, COAST, THEIRS, MINE]


def test_only_the_root_cluster_and_what_is_below_it_counts() -> None:
    assert [row["id"] for row in within_root(ALL, "Mine")] == [1, 2, 3]
    assert [row["id"] for row in within_root(ALL, "Theirs")] == [9, 8]


def test_without_the_setting_the_only_root_counts() -> None:
    assert [row["id"] for row in within_root([OLD, COAST, MINE], None)] == [1, 2, 3]


def test_a_circle_and_an_orphan_belong_to_nobody() -> None:
    circle = [cluster(20, "x", 21, 1), cluster(21, "y", 20, 1), cluster(22, "z", 99, 1)]
    assert within_root([MINE, *circle], "Mine") == [MINE]


@pytest.mark.parametrize(
    ("rows", "name", "found"),
    [
        ([], None, "none"),
        ([], "Mine", "none"),
        (ALL, None, "'Mine', 'Theirs'"),
        (ALL, "Other", "'Mine', 'Theirs'"),
        (ALL, "Coast", "'Mine', 'Theirs'"),
        ([MINE, {**MINE, "id": 7}], "Mine", "'Mine', 'Mine'"),
    ],
)
def test_without_exactly_one_such_root_the_setting_and_the_roots_are_named(
    rows: list[dict[str, Any]], name: str | None, found: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        within_root(rows, name)
    [problem] = raised.value.problems
    assert problem.setting == "SAFETYAMP_ROOT_CLUSTER"
    assert f"SafetyAmp has: {found}." in problem.text


def test_departments_are_listed_as_a_tree_within_the_root() -> None:
    rig = EngineRig(PagedSafetyAmp(clusters=ALL), SAFETYAMP_ROOT_CLUSTER="Mine")
    targets = TargetLister(rig.services, PATH).targets(MAPPINGS["departments"])
    assert {target.key: target.target_id for target in targets} == {"root": 1, "region:Coast": 2, "10": 3}

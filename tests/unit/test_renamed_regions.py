"""Whether a region whose cluster was renamed in SafetyAmp stays what it was, as a table."""

from __future__ import annotations

import pytest

from shared.clients.vista.rows import DepartmentRow
from shared.sync.documents.state import FAILURE, EntityState, Entry, Flags, Place
from shared.sync.planning.renamed_regions import keep_renamed_regions
from shared.sync.sources import DepartmentsSource, TitlesSource

OLD, NEW, CLUSTER = "region:Coast", "region:Gulf Coast", 31
FAILED: Flags = {"failure": {"digest": "d", "errors": {"name": ["no"]}, "at": "now", "since": "now"}}


def renamed(new: str | None = NEW) -> EntityState:
    """A listing shows the cluster of `OLD` under the `new` key."""
    state = EntityState("departments", moved={OLD: Place(CLUSTER, new)})
    state.put(new or OLD, Entry(CLUSTER, None, {"parent_cluster_id": 1}, {}))
    return state


def of(*regions: str | None) -> DepartmentsSource:
    return DepartmentsSource([DepartmentRow(f"{n}0", "Works", region) for n, region in enumerate(regions)])


@pytest.mark.parametrize(
    "regions", [("Coast",), ("Delta", " coast ", None)], ids=["the old", "in other letters"]
)
def test_it_stays_as_long_as_vista_has_its_old_name_only(regions: tuple[str | None, ...]) -> None:
    state = renamed()
    keep_renamed_regions(state, of(*regions))
    assert (state.target_id(OLD), state.target_id(NEW), state.moved) == (CLUSTER, None, {})


def test_nothing_is_left_of_an_earlier_refusal() -> None:
    state = renamed()
    state.put(OLD, Entry(None, None, {}, FAILED))
    keep_renamed_regions(state, of("Coast"))
    entry = state.entry(OLD)
    assert entry is not None
    assert FAILURE not in entry.flags


@pytest.mark.parametrize(
    "regions",
    [("Gulf Coast",), ("Coast", "GULF COAST"), (), ("Delta", None)],
    ids=["the new one", "both", "none", "another one"],
)
def test_it_is_the_new_one_otherwise(regions: tuple[str | None, ...]) -> None:
    state = renamed()
    keep_renamed_regions(state, of(*regions))
    assert (state.target_id(OLD), state.target_id(NEW), list(state.moved)) == (None, CLUSTER, [OLD])


@pytest.mark.parametrize("new", ["40", None], ids=["a department now", "no key"])
def test_so_is_what_has_become_something_else(new: str | None) -> None:
    state = renamed(new)
    before = state.to_json()
    keep_renamed_regions(state, of("Coast"))
    assert state.to_json() == before


def test_one_of_several_is_not_taken_for_it() -> None:
    state = EntityState("departments", moved={OLD: Place(CLUSTER, NEW)}, ambiguous={NEW: [CLUSTER, 32]})
    keep_renamed_regions(state, of("Coast"))
    assert state.moved == {OLD: Place(CLUSTER, NEW)}


def test_a_department_s_code_is_no_region() -> None:
    state = EntityState("departments", moved={"40": Place(CLUSTER, NEW)})
    state.put(NEW, Entry(CLUSTER, None, {}, {}))
    keep_renamed_regions(state, of("Coast"))
    assert state.moved == {"40": Place(CLUSTER, NEW)}


def test_of_other_sources_it_says_nothing() -> None:
    state = renamed()
    keep_renamed_regions(state, TitlesSource([]))
    assert state.moved == {OLD: Place(CLUSTER, NEW)}

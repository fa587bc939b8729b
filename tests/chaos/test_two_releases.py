"""Two releases of the code side by side, in processes of their own, on one set of documents and one bus."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.checks import tried, violations
from tests.chaos.releases import RELEASE_BEFORE, unpack
from tests.chaos.seeds import Verdict, explanation, run_seeds, trace_of
from tests.chaos.two_releases import BOTH, KINDS, WAYS, HandedOn, SideBySide, Swapped, TwoReleases
from tests.chaos.world import World

SEEDS = int(os.environ.get("RELEASE_SEEDS", "12"))
WITHOUT_PEOPLE: dict[str, Any] = {"company_changes": False, "operated": False, "single_records": False}
"""Nobody changes or asks for anything meanwhile."""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the release before."""
    return unpack(RELEASE_BEFORE, tmp_path_factory.mktemp("before"))


@pytest.fixture(scope="module")
def verdicts(before: Path) -> list[Verdict]:
    """A deployment or a rollback in the middle of a run, with deaths of processes, and taken back in half of
    the seeds."""
    return list(run_seeds(range(SEEDS), make=TwoReleases, before=before))


def test_no_seed_finds_a_violation(verdicts: list[Verdict], before: Path) -> None:
    """Every run ends, nothing is lost or there twice, and SafetyAmp ends as the sources say."""
    failed = [
        explanation(verdict, KINDS, " --two-releases", make=TwoReleases, before=before)
        for verdict in verdicts
        if verdict.found
    ]
    assert not failed, "\n\n".join(failed[:3])


def test_both_releases_are_at_work_in_one_run(verdicts: list[Verdict]) -> None:
    """Or the other tests would prove little."""
    assert sum(1 for verdict in verdicts if verdict.struck.get(BOTH)) >= SEEDS / 3


def test_a_seed_replays_identically(before: Path) -> None:
    first, second = (trace_of(1, make=TwoReleases, before=before) for _ in range(2))
    assert first == second


def test_a_commit_that_is_not_in_the_clone_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="git fetch --unshallow"):
        unpack("0123456789012345678901234567890123456789", tmp_path)


@pytest.mark.parametrize("last", ["before", "today"])
@pytest.mark.parametrize("planner", ["before", "today"])
def test_a_title_that_one_release_plans_and_the_other_creates_is_there_once(
    planner: str, last: str, before: Path
) -> None:
    world = SideBySide(
        *(0, ()),
        before=before,
        way=(last,),
        planner=planner,
        loaded=True,
        loaded_by="today",
        **WITHOUT_PEOPLE,
    )
    try:
        world.company.own_employees()[0]["udEmpTitle"] = "Night Watch"
        world.publish_company()
        world.run()
        assert not violations(world), "\n".join(violations(world))
        titles = world.tenant.safetyamp.records("user_titles")
        assert [title["name"] for title in titles].count("Night Watch") == 1
    finally:
        world.close()


@pytest.mark.parametrize("way", [WAYS["upgrade"], WAYS["rollback"]], ids=["upgrade", "rollback"])
def test_a_plan_that_one_release_holds_is_applied_when_the_other_approves_it(
    way: tuple[str, ...], before: Path
) -> None:
    world = Swapped(0, ("late approval",), before=before, way=way, loaded=True, **WITHOUT_PEOPLE)
    try:
        for person in world.company.own_employees()[:3]:
            person.update(TermDate="2026-03-01 00:00:00", ActiveYN="N")
            world.hr.ever_left.add(str(person["Employee"]))
        world.publish_company()
        world.run()
        assert world.faults.struck["late approval"] == 1
        assert not violations(world), "\n".join(violations(world))
    finally:
        world.close()


def lay_off_and_hire(world: World) -> None:
    """Three leave, of whom the guard lets one go, and one moves."""
    for person in world.company.own_employees()[:3]:
        person.update(TermDate="2026-03-01 00:00:00", ActiveYN="N")
        world.hr.ever_left.add(str(person["Employee"]))
    world.company.own_employees()[5].update(Address="9 Ash Lane")
    world.publish_company()


@pytest.mark.parametrize("last", ["before", "today"])
def test_a_plan_of_which_a_part_is_held_is_safe_where_the_release_before_applies_it(
    last: str, before: Path
) -> None:
    """What waits there the release before does not see: nobody loses access by it, and nothing gets stuck."""
    world = SideBySide(
        *(0, ("late approval",)),
        before=before,
        way=(last,),
        planner="today",
        loaded=True,
        loaded_by="today",
        **WITHOUT_PEOPLE,
    )
    try:
        lay_off_and_hire(world)
        world.run()
        assert not violations(world), "\n".join(violations(world))
        [first, *_] = (run_id for run_id, _ in world.runs())
        assert "deactivate" not in {action for _, action in tried(world, first, "employees")}
    finally:
        world.close()


@pytest.mark.parametrize("way", [WAYS["upgrade"], WAYS["rollback"]], ids=["upgrade", "rollback"])
def test_a_part_that_one_release_holds_is_applied_or_held_again_when_the_other_is_asked(
    way: tuple[str, ...], before: Path
) -> None:
    world = Swapped(0, ("late approval",), before=before, way=way, loaded=True, **WITHOUT_PEOPLE)
    try:
        lay_off_and_hire(world)
        world.run()
        assert world.faults.struck["late approval"] >= 1
        assert not violations(world), "\n".join(violations(world))
    finally:
        world.close()


@pytest.mark.parametrize("way", [WAYS["upgrade"], WAYS["rollback"]], ids=["upgrade", "rollback"])
@pytest.mark.parametrize("resource", ["site_clusters", "sites", "user_titles", "users", "assets"])
def test_a_creation_of_which_one_release_never_heard_is_found_by_the_other(
    resource: str, way: tuple[str, ...], before: Path
) -> None:
    world = HandedOn(
        *(0, ()), before=before, way=way, dies_after=("POST", resource), loaded=False, **WITHOUT_PEOPLE
    )
    try:
        world.run()
        assert world.died
        assert not violations(world), "\n".join(violations(world))
    finally:
        world.close()

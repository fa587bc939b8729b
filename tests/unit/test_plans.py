"""Which plan of an entity is in force."""

from __future__ import annotations

from typing import Any

import pytest

from shared.sync import paths
from shared.sync.documents.plans import plan_path, planning_path
from shared.sync.documents.runs import EntityStatus, Run, RunRequest


def a_run(phase: Any, approval: str | None) -> Run:
    return Run("r", RunRequest(), "now", {"jobs": EntityStatus(phase, approval=approval)})


@pytest.mark.parametrize("phase", ["pending", "applying", "done", "failed", "cancelled"])
def test_an_approval_has_a_plan_of_its_own(phase: Any) -> None:
    assert plan_path(a_run(phase, None), "jobs") == paths.plan("r", "jobs")
    assert plan_path(a_run(phase, "a1"), "jobs") == paths.approved("r", "jobs", "a1")


def test_after_an_approval_that_came_to_nothing_it_is_the_held_one_again() -> None:
    assert plan_path(a_run("held", "a1"), "jobs") == paths.plan("r", "jobs")


def test_what_one_planning_has_listed_is_nothing_to_another() -> None:
    """The pages that it kept would be older than the approval."""
    runs = [a_run("pending", approval) for approval in (None, "a1", "a2")]
    assert len({planning_path(run, "jobs") for run in runs}) == len(runs)

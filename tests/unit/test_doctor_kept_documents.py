"""Which of the documents that runs rest on cannot be read, and what an operator has to do about each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.doctor.finding import Finding
from shared.doctor.kept_documents import (
    BY_ITSELF,
    CHECK,
    ENDED,
    GIVEN_UP,
    MOST_NAMED,
    NEWEST_RUNS,
    RULES_LOST,
)
from shared.notices.episodes import NOTICES
from shared.storage.documents import create_json
from shared.sync import paths
from shared.sync.documents.change import Change
from shared.sync.documents.control import UNKNOWN_PAUSES
from shared.sync.documents.outcome import outcomes_to_json
from shared.sync.documents.plans import batch_to_json
from shared.sync.documents.progress import Progress
from shared.sync.documents.rules import PushedRules, add_pushed, store_rules
from shared.sync.documents.runs import Run, RunRequest, change_run, run_ids
from shared.sync.documents.state import EntityState
from shared.sync.runs.requests import request_run
from shared.sync.runs.totals import TOTALS
from tests.unit.doctor_rig import DoctorRig
from tests.unit.engine_rig import a_plan

NO_JSON = b'{"name": "Ann 5ecret",'
PLAN = "a1b2c3d4"
WITHOUT_RUNS = 12
"""Documents that there is one each of, or one per entity or listing."""

CHANGE = Change(
    key="10029",
    action="update",
    target_id="u1",
    fields={"street": "5ecret"},
    before={},
    core={},
    digest="d",
)


class Rig(DoctorRig):
    """An app, and the runs that it has had."""

    def run(self, batches: int = 1, *, ended: bool = False) -> str:
        """A run of employees with a plan of so many batches, all of them applied."""
        self.clock.advance(60)
        self.documents.delete(paths.ACTIVE)
        run_id = request_run(self.runtime, RunRequest(entities=("employees",)))
        for number in range(1, batches + 1):
            self.store(paths.batch(run_id, "employees", PLAN, number), batch_to_json("employees", [CHANGE]))
            self.store(paths.progress(run_id, "employees", number), Progress().to_json())
            self.store(paths.outcome(run_id, "employees", number), outcomes_to_json([]))
        self.store(paths.plan(run_id, "employees"), a_plan(plan_id=PLAN, batches=batches))
        self.store(paths.report(run_id), {"run_id": run_id})
        if ended:

            def end(run: Run) -> None:
                run.phase = "done"

            change_run(self.documents, run_id, end)
        return run_id

    def store(self, path: str, value: Any) -> None:
        assert create_json(self.documents, path, value)

    def harm(self, path: str, data: bytes = NO_JSON) -> None:
        self.documents.write(path, data)

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """Path, status and advice of each document that is told of."""
        return [(finding.seen.split()[2], finding.status, finding.advice) for finding in self.findings(CHECK)]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def count_of(finding: Finding) -> int:
    assert finding.seen.endswith(" documents were read and understood")
    return int(finding.seen.split()[0])


def test_of_an_app_that_has_done_nothing_yet_nothing_is_unreadable(rig: Rig) -> None:
    found = rig.only(CHECK)
    assert (found.check, found.status, count_of(found)) == ("documents.content", "ok", WITHOUT_RUNS)


@pytest.mark.parametrize(("batches", "of_run"), [(0, 3), (1, 6), (2, 9), (MOST_NAMED, 63), (30, 63)])
def test_of_a_run_its_document_report_plan_and_batches_are_read(rig: Rig, batches: int, of_run: int) -> None:
    rig.run(batches)
    assert count_of(rig.only(CHECK)) == WITHOUT_RUNS + of_run


def test_only_the_newest_runs_are_looked_at(rig: Rig) -> None:
    runs = [rig.run(ended=True) for _ in range(NEWEST_RUNS + 1)]
    assert sorted(runs) == sorted(run_ids(rig.documents))
    rig.harm(paths.run(runs[0]))
    assert rig.only(CHECK).status == "ok"
    rig.harm(paths.run(runs[1]))
    assert [path for path, _, _ in rig.told] == [paths.run(runs[1])]


@pytest.mark.parametrize(
    "path",
    [
        paths.ACTIVE,
        TOTALS,
        NOTICES,
        *(paths.state(entity) for entity in ("departments", "jobs", "titles", "employees", "vehicles")),
        *(paths.lookup(resource) for resource in ("roles", "asset_types")),
    ],
)
def test_what_the_next_run_makes_anew_is_a_warning_that_says_so(rig: Rig, path: str) -> None:
    rig.harm(path)
    assert rig.told == [(path, "warning", BY_ITSELF)]


def test_pauses_that_nobody_can_read_are_a_failure_for_somebody_must_act(rig: Rig) -> None:
    rig.harm(paths.CONTROL)
    assert rig.told == [(paths.CONTROL, "failed", UNKNOWN_PAUSES)]


def test_rules_that_nobody_can_read_are_a_failure_for_nothing_is_planned_under_others(rig: Rig) -> None:
    digest = store_rules(rig.documents, "version = 1")
    version = PushedRules(1, digest, "2026-03-02T12:00:00+00:00", "d", "key")
    add_pushed(rig.documents, version)
    assert rig.only(CHECK).status == "ok"
    rig.documents.delete(paths.rules_version(digest))
    assert rig.told == [(paths.rules_version(digest), "failed", RULES_LOST)]
    rig.harm(paths.RULES)
    assert rig.told == [(paths.RULES, "failed", RULES_LOST)]


OF_A_RUN: dict[str, Callable[[str], str]] = {
    "plan": lambda run_id: paths.plan(run_id, "employees"),
    "batch": lambda run_id: paths.batch(run_id, "employees", PLAN, 2),
    "progress": lambda run_id: paths.progress(run_id, "employees", 2),
    "outcome": lambda run_id: paths.outcome(run_id, "employees", 2),
}


@pytest.mark.parametrize("ended", [False, True], ids=["under way", "ended"])
@pytest.mark.parametrize("document", OF_A_RUN)
def test_of_a_run_it_is_said_whether_it_ends_by_it_or_has_ended_before(
    rig: Rig, document: str, ended: bool
) -> None:
    run_id = rig.run(batches=2, ended=ended)
    path = OF_A_RUN[document](run_id)
    rig.harm(path)
    assert rig.told == [(path, "warning", ENDED if ended else GIVEN_UP)]


def test_a_run_that_cannot_be_read_is_told_and_its_plan_is_not_looked_for(rig: Rig) -> None:
    run_id = rig.run()
    rig.harm(paths.run(run_id))
    rig.harm(paths.plan(run_id, "employees"))
    assert rig.told == [(paths.run(run_id), "warning", GIVEN_UP)]


def test_a_report_is_only_what_can_be_shown(rig: Rig) -> None:
    run_id = rig.run()
    rig.harm(paths.report(run_id))
    assert rig.told == [(paths.report(run_id), "warning", ENDED)]


def test_a_batch_that_its_plan_promises_and_that_is_gone_is_told(rig: Rig) -> None:
    run_id = rig.run(batches=2)
    path = paths.batch(run_id, "employees", PLAN, 1)
    rig.documents.delete(path)
    (found,) = rig.findings(CHECK)
    assert found.seen == f"the document {path} cannot be read (it is gone)"


def test_batches_that_nobody_has_in_hand_yet_lack_nothing(rig: Rig) -> None:
    run_id = rig.run()
    rig.documents.delete(paths.progress(run_id, "employees", 1))
    rig.documents.delete(paths.outcome(run_id, "employees", 1))
    assert rig.only(CHECK).status == "ok"


def test_a_run_without_its_document_or_plan_is_no_fault_of_these(rig: Rig) -> None:
    rig.documents.delete(paths.run(rig.run()))
    rig.documents.delete(paths.plan(rig.run(), "employees"))
    assert rig.only(CHECK).status == "ok"


@pytest.mark.parametrize(
    ("data", "why"),
    [(NO_JSON, "it is no JSON"), (b"", "it is empty"), (b"\x1f\x8b\x00", "compressed content is cut off")],
    ids=["no JSON", "empty", "cut off"],
)
def test_what_is_wrong_is_said_without_any_of_the_content(rig: Rig, data: bytes, why: str) -> None:
    rig.harm(paths.state("employees"), data)
    (found,) = rig.findings(CHECK)
    assert found.seen.startswith(f"the document {paths.state('employees')} cannot be read (")
    assert why in found.seen
    assert "Ann" not in found.seen
    assert found.settings == ("DOCUMENTS_CONNECTION", "DOCUMENTS_CONTAINER", "LOCAL_FOLDER")


def test_all_that_cannot_be_read_is_told_and_what_can_is_not_counted_in_order(rig: Rig) -> None:
    rig.harm(paths.state("jobs"))
    rig.harm(paths.CONTROL)
    assert [path for path, _, _ in rig.told] == [paths.CONTROL, paths.state("jobs")]


def test_many_unreadable_documents_are_told_up_to_a_number(rig: Rig) -> None:
    run_id = rig.run(batches=MOST_NAMED + 5)
    for number in range(1, MOST_NAMED + 1):
        rig.harm(paths.batch(run_id, "employees", PLAN, number))
        rig.harm(paths.outcome(run_id, "employees", number))
    assert len(rig.told) == MOST_NAMED


def test_a_state_that_can_be_read_is_understood(rig: Rig) -> None:
    rig.store(paths.state("employees"), EntityState("employees").to_json())
    assert rig.only(CHECK).status == "ok"

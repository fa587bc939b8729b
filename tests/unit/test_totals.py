"""Figures over all runs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, cast

import pytest

from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from shared.config import load_settings
from shared.storage.documents import create_json, read_json, to_json
from shared.sync import paths
from shared.sync.documents.progress import Progress
from shared.sync.documents.report import Report
from shared.sync.documents.runs import EntityStatus, Run, RunRequest, change_run, read_run
from shared.sync.model import EntityName
from shared.sync.runs.backlog import Backlog, backlogs
from shared.sync.runs.totals import RUNS_KEPT_APART, TOTALS, Figures, Overview, add_run, overview
from tests.unit.engine_rig import REQUIRED, a_plan

CLOCK = FakeClock()
NOW = CLOCK.now()
SETTINGS = load_settings(REQUIRED)
USERS = "safetyamp|POST /api/users|2xx"
NONE_WAITING = {"entity-sync": Backlog(), "change-batches": Backlog()}


def a_run(number: int = 1, requests: dict[str, int] | None = None, failing: int | None = None) -> Run:
    status = EntityStatus("done", requests={USERS: 10} if requests is None else requests, failing=failing)
    return Run(f"20260105-{number:06d}-abcdef", RunRequest(), NOW.isoformat(), {"jobs": status})


def ended_as(phase: Any, number: int = 1) -> Run:
    run = a_run(number)
    run.phase = run.entities["jobs"].phase = phase
    return run


def a_report(**facts: Any) -> Report:
    report = {
        "phase": "done",
        "calls": {"safetyamp": 10},
        "duration_seconds": 60.0,
        "waited_seconds": 1.5,
        "entities": {"jobs": {"created": 3, "invalid": 2}},
        **facts,
    }
    return cast(Report, report)


@pytest.fixture
def documents() -> MemoryDocuments:
    return MemoryDocuments(FakeClock())


def seen(documents: MemoryDocuments) -> Overview:
    return overview(documents, SETTINGS, NOW)


def totals(documents: MemoryDocuments) -> Figures:
    return seen(documents).totals


def test_without_any_run_there_is_nothing(documents: MemoryDocuments) -> None:
    none_dead = dict.fromkeys(NONE_WAITING, 0)
    found = Overview({}, active=False, last_done_at=None, queues=NONE_WAITING, dead_letters=none_dead)
    assert seen(documents) == found


def test_a_run_is_counted(documents: MemoryDocuments) -> None:
    add_run(documents, a_run(), a_report())
    found = totals(documents)
    assert found["requests"] == {USERS: 10}
    assert found["runs"] == {"done": 1}
    assert found["run_seconds"] == {"sum": 60.0, "count": 1}
    assert found["waited_seconds"] == {"sum": 1.5}
    assert (found["operations"]["jobs/created"], found["operations"]["jobs/invalid"]) == (3, 2)


def test_a_run_counted_twice_counts_once_also_after_others(documents: MemoryDocuments) -> None:
    for number in (1, 1, 2, 1, 2):
        add_run(documents, a_run(number), a_report())
    assert totals(documents)["requests"] == {USERS: 20}
    assert totals(documents)["runs"] == {"done": 2}


def test_counting_again_writes_nothing(documents: MemoryDocuments) -> None:
    add_run(documents, a_run(), a_report())
    before = documents.read(TOTALS)
    add_run(documents, a_run(), a_report())
    assert documents.read(TOTALS) == before


def test_an_approved_run_adds_what_is_new_even_when_another_run_came_between(
    documents: MemoryDocuments,
) -> None:
    held = a_report(phase="held", entities={"jobs": {"created": 0, "invalid": 2}})
    add_run(documents, a_run(1, {USERS: 4}), held)
    add_run(documents, a_run(2), a_report())
    add_run(documents, a_run(1), a_report(duration_seconds=600.0))
    found = totals(documents)
    assert found["operations"]["jobs/created"] == 6
    assert found["operations"]["jobs/invalid"] == 4
    assert found["requests"] == {USERS: 20}
    assert found["runs"] == {"held": 1, "done": 2}
    assert found["run_seconds"] == {"sum": 660.0, "count": 2}


def test_old_runs_are_folded_together_without_losing_one(documents: MemoryDocuments) -> None:
    runs = RUNS_KEPT_APART + 20
    for number in range(runs):
        add_run(documents, a_run(number), a_report())
    assert len(read_json(documents, TOTALS)["recent"]) == RUNS_KEPT_APART
    assert totals(documents)["runs"] == {"done": runs}
    assert totals(documents)["requests"] == {USERS: 10 * runs}


def test_a_run_without_end_or_counts_is_no_error(documents: MemoryDocuments) -> None:
    add_run(documents, a_run(requests={}), a_report(duration_seconds=None, calls={}, entities={}))
    assert totals(documents)["run_seconds"] == {"sum": 0.0, "count": 1}


def test_totals_of_a_version_that_knew_no_requests_are_kept(documents: MemoryDocuments) -> None:
    before = {"before": {"calls": {"safetyamp": 7.0}}, "recent": {"20260104-000001-abcdef": {}}}
    create_json(documents, TOTALS, before)
    add_run(documents, a_run(), a_report())
    found = totals(documents)
    assert found["calls"] == {"safetyamp": 7}
    assert found["requests"] == {USERS: 10}


def test_a_run_document_of_another_version_can_be_read(documents: MemoryDocuments) -> None:
    value: dict[str, Any] = json.loads(json.dumps(a_run().to_json()))
    status = value["entities"]["jobs"]
    del status["requests"], status["failing"]
    status["from_the_future"] = 1
    documents.write(paths.run(value["run_id"]), to_json(value))
    run = read_run(documents, value["run_id"])
    assert run is not None
    assert run.entities["jobs"] == EntityStatus("done")


@pytest.mark.parametrize(
    ("phases", "held"),
    [
        ([], 0),
        (["held"], 1),
        (["held", "held"], 1),
        (["held", "failed", "held"], 1),
        (["held", "failed"], 1),
        (["held", "done"], 0),
        (["done", "held"], 1),
    ],
)
def test_runs_are_held_until_one_ends_well(documents: MemoryDocuments, phases: list[str], held: int) -> None:
    for number, phase in enumerate(phases):
        add_run(documents, ended_as(phase, number), a_report(phase=phase))
    assert seen(documents).runs_held == held


def test_only_a_newer_plan_of_the_same_entity_takes_a_held_one_s_place(documents: MemoryDocuments) -> None:
    add_run(documents, ended_as("held", 1), a_report(phase="held"))
    others = ended_as("done", 2)
    others.entities = {"titles": others.entities["jobs"]}
    add_run(documents, others, a_report())
    single = ended_as("done", 3)
    single.request = RunRequest(keys=("1",))
    add_run(documents, single, a_report())
    add_run(documents, ended_as("planned", 4), a_report(phase="planned"))
    assert seen(documents).runs_held == 1
    add_run(documents, ended_as("done", 5), a_report())
    assert seen(documents).runs_held == 0


def test_what_release_0_1_0_counted_as_held_is_held_until_a_run_ends_well(documents: MemoryDocuments) -> None:
    recent: dict[str, Figures] = {f"20260104-00000{n}-abcdef": {"runs": {"held": 1.0}} for n in (1, 2)}
    documents.write(TOTALS, to_json({"before": {}, "recent": recent}))
    assert seen(documents).runs_held == 2
    recent["20260104-000003-abcdef"] = {"runs": {"done": 1.0}}
    documents.write(TOTALS, to_json({"before": {}, "recent": recent}))
    assert seen(documents).runs_held == 0


def test_a_held_run_that_was_approved_is_held_no_longer(documents: MemoryDocuments) -> None:
    for phase in ("held", "cancelled"):
        add_run(documents, ended_as(phase), a_report(phase=phase))
    assert seen(documents).runs_held == 0


def test_the_last_run_that_looked_knows_how_many_records_fail(documents: MemoryDocuments) -> None:
    for number, failing in enumerate([5, 3, None]):
        add_run(documents, a_run(number, failing=failing), a_report())
    assert seen(documents).failing == {"jobs": 3}
    add_run(documents, a_run(0, failing=9), a_report())
    assert seen(documents).failing == {"jobs": 3}, "an approved run of before knows less"


# -- what waits -----------------------------------------------------------------------------------------


class Waiting:
    """An active run of departments and jobs, asked for two minutes ago."""

    def __init__(self, documents: MemoryDocuments) -> None:
        self.documents = documents
        self.run = a_run()
        self.run.requested_at = (NOW - timedelta(minutes=2)).isoformat()
        self.run.entities = {"departments": EntityStatus(), "jobs": EntityStatus()}
        create_json(documents, paths.run(self.run.run_id), self.run.to_json())
        claim = {"request": self.run.to_json()["request"], "at": self.run.requested_at}
        create_json(documents, paths.ACTIVE, {"run_id": self.run.run_id, **claim})

    def status(self, entity: EntityName, **facts: Any) -> None:
        def change(run: Run) -> None:
            vars(run.entities[entity]).update(facts)

        change_run(self.documents, self.run.run_id, change)

    def plan(self, entity: EntityName, batches: int, minutes_ago: float) -> None:
        created = (NOW - timedelta(minutes=minutes_ago)).isoformat()
        plan = a_plan(batches=batches, created_at=created)
        create_json(self.documents, paths.plan(self.run.run_id, entity), plan)
        self.status(entity, phase="applying")

    def progress(self, entity: EntityName, batch: int, minutes_ago: float) -> None:
        at = (NOW - timedelta(minutes=minutes_ago)).isoformat()
        path = paths.progress(self.run.run_id, entity, batch)
        create_json(self.documents, path, Progress(next_at=at).to_json())

    def outcome(self, entity: EntityName, batch: int) -> None:
        create_json(self.documents, paths.outcome(self.run.run_id, entity, batch), {})

    def found(self) -> tuple[Backlog, Backlog]:
        found = backlogs(self.documents, SETTINGS, NOW)
        return found["entity-sync"], found["change-batches"]


@pytest.fixture
def waiting(documents: MemoryDocuments) -> Waiting:
    return Waiting(documents)


def test_an_entity_waits_from_when_it_could_be_planned(waiting: Waiting) -> None:
    assert waiting.found() == (Backlog(1, 120), Backlog())
    waiting.status("departments", phase="done", finished_at=(NOW - timedelta(seconds=30)).isoformat())
    assert waiting.found() == (Backlog(1, 30), Backlog())


def test_a_batch_waits_from_when_it_was_due(waiting: Waiting) -> None:
    waiting.plan("departments", batches=3, minutes_ago=1.5)
    assert waiting.found() == (Backlog(), Backlog(3, 90))
    waiting.outcome("departments", 1)
    assert waiting.found() == (Backlog(), Backlog(2, 29)), "the second is due a period of 61 s later"
    waiting.progress("departments", 2, minutes_ago=-1)
    assert waiting.found() == (Backlog(), Backlog(2, 0)), "it was handed on to a time that is still to come"


def test_batches_of_an_approved_plan_are_not_as_old_as_the_plan(waiting: Waiting) -> None:
    waiting.plan("departments", batches=2, minutes_ago=600)
    waiting.status("departments", approved=True)
    assert waiting.found() == (Backlog(), Backlog(2, 0))
    waiting.progress("departments", 1, minutes_ago=5)
    assert waiting.found() == (Backlog(), Backlog(2, 300))


def test_nothing_waits_without_an_active_run(waiting: Waiting, documents: MemoryDocuments) -> None:
    documents.write(paths.ACTIVE, to_json({"run_id": None}))
    assert waiting.found() == (Backlog(), Backlog())

"""One run: how far its entities have come, what it has cost so far, and what of its documents is lost."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from shared.queries.run_detail import run_detail, stored_report
from shared.storage.documents import to_json
from shared.sync import paths
from shared.sync.documents.report import LeftOut
from shared.sync.documents.runs import EntityStatus
from shared.sync.runs.report import make_report
from tests.unit.operations_rig import OperationsRig, answers, change, ended, nth_time, outcome

NOT_KNOWN = dict.fromkeys(("batches", "batches_done", "changes", "changes_done", "ends_about"))


class DetailRig(OperationsRig):
    """A run of employees under way, of three batches with two changes each."""

    def __init__(self) -> None:
        super().__init__()
        self.status = EntityStatus("applying")
        self.run_id = self.keep()
        batches = [[change(f"{number}{place}") for place in "ab"] for number in (1, 2, 3)]
        self.keep_plan(self.run_id, *batches, calls={"vista": 4}, waited_seconds=1.5)

    def keep(self, phase: Any = "running", **request: Any) -> str:
        return self.keep_run(1, phase, {"employees": self.status}, **request)

    def done(self, *numbers: int) -> None:
        for number in numbers:
            done = [outcome(f"{number}{place}") for place in "ab"]
            self.keep_outcomes(self.run_id, number, *done, calls={"safetyamp": 2}, waited_seconds=0.25)

    @property
    def detail(self) -> dict[str, Any]:
        detail: dict[str, Any] = answers("show_run", run_detail(self.services, self.the_run(self.run_id)))
        return detail

    @property
    def progress(self) -> dict[str, Any]:
        progress: dict[str, Any] = self.detail["entities"]["employees"]["progress"]
        return progress


@pytest.fixture
def rig() -> DetailRig:
    return DetailRig()


def in_windows(rig: DetailRig, windows: int) -> str:
    period = timedelta(seconds=rig.settings.api_rate_limit_period)
    return (rig.clock.now() + windows * period).isoformat()


def test_a_plan_that_nobody_has_begun_takes_a_window_per_batch(rig: DetailRig) -> None:
    assert rig.progress == {
        **{"batches": 3, "batches_done": 0, "changes": 6, "changes_done": 0},
        "ends_about": in_windows(rig, 3),
    }


def test_what_is_done_of_a_batch_under_way_counts_as_changes_and_not_as_a_batch(rig: DetailRig) -> None:
    rig.done(1)
    rig.keep_progress(rig.run_id, 2, outcome("2a"))
    assert rig.progress == {
        **{"batches": 3, "batches_done": 1, "changes": 6, "changes_done": 3},
        "ends_about": in_windows(rig, 2),
    }


def test_a_run_under_way_tells_the_calls_so_far_with_those_of_planning(rig: DetailRig) -> None:
    rig.done(1)
    rig.keep_progress(rig.run_id, 2, calls={"safetyamp": 3, "graph": 1}, waited_seconds=10.125)
    detail = rig.detail
    assert detail["calls"] == {"vista": 4, "safetyamp": 5, "graph": 1}
    assert detail["waited_seconds"] == 11.875


def test_what_an_ended_entity_has_cost_is_not_counted_twice(rig: DetailRig) -> None:
    rig.done(1, 2, 3)
    rig.status = EntityStatus("done", calls={"vista": 4, "safetyamp": 6}, waited_seconds=2.25)
    rig.keep()
    detail = rig.detail
    assert (detail["calls"], detail["waited_seconds"]) == ({"vista": 4, "safetyamp": 6}, 2.25)
    assert rig.progress == {
        **{"batches": 3, "batches_done": 3, "changes": 6, "changes_done": 6},
        "ends_about": None,
    }


@pytest.mark.parametrize(
    "status",
    [EntityStatus("held"), EntityStatus("failed"), EntityStatus("applying", stop_reason="401 of SafetyAmp")],
    ids=["held", "failed", "stopped"],
)
def test_what_will_not_be_applied_is_not_waited_for(rig: DetailRig, status: EntityStatus) -> None:
    rig.status = status
    rig.keep()
    assert rig.progress["ends_about"] is None
    assert rig.progress["batches"] == 3


def test_before_there_is_a_plan_nobody_can_tell() -> None:
    rig = OperationsRig()
    run_id = rig.keep_run(1, "running", {"employees": EntityStatus()})
    detail = answers("show_run", run_detail(rig.services, rig.the_run(run_id)))
    assert detail["entities"]["employees"]["progress"] == NOT_KNOWN
    assert (detail["calls"], detail["waited_seconds"]) == ({}, 0)


def test_a_plan_that_cannot_be_read_leaves_the_rest_of_the_run(rig: DetailRig) -> None:
    rig.keep_run(1, "running", {"employees": rig.status, "titles": EntityStatus("applying")})
    rig.keep_plan(rig.run_id, [change("t1")], entity="titles")
    rig.damage(paths.plan(rig.run_id, "employees"))
    assert rig.progress == NOT_KNOWN
    assert rig.detail["entities"]["titles"]["progress"]["batches"] == 1


@pytest.mark.parametrize("what", ["outcome", "progress"])
def test_of_a_batch_that_cannot_be_read_nothing_is_counted(rig: DetailRig, what: str) -> None:
    rig.done(1)
    if what == "outcome":
        rig.done(2)
        rig.damage(paths.outcome(rig.run_id, "employees", 2))
    else:
        rig.keep_progress(rig.run_id, 2, outcome("2a"))
        rig.damage(paths.progress(rig.run_id, "employees", 2))
    rig.done(3)
    assert (rig.progress["batches_done"], rig.progress["changes_done"]) == (2, 4)


def test_what_was_asked_for_is_told(rig: DetailRig) -> None:
    rig.keep(keys=("7",), retry_failed=True, refresh=True, cause="retry")
    detail = rig.detail
    assert (detail["keys"], detail["retry_failed"], detail["refresh"]) == (["7"], True, True)
    assert detail["cause"] == "retry"
    assert detail["url"] == f"/api/runs/{rig.run_id}"
    assert detail["changes_url"] == f"/api/runs/{rig.run_id}/changes"


# -- reports ---------------------------------------------------------------------------------------------


class EndedRig(DetailRig):
    """The same run, ended, with a report that says so by its cause."""

    def __init__(self) -> None:
        super().__init__()
        self.done(1, 2, 3)
        self.status = ended(updated=6)
        self.keep("done", finished_at=nth_time(2))
        report = make_report(self.documents, self.the_run(self.run_id))
        self.report: dict[str, Any] = {**report, "cause": "as it was stored"}
        self.store()

    def store(self) -> None:
        self.documents.write(paths.report(self.run_id), to_json(self.report))

    @property
    def cause(self) -> str:
        detail = self.detail
        assert detail["entities"]["employees"]["updated"] == 6
        return str(detail["cause"])


def test_of_an_ended_run_the_report_is_shown_that_was_written_at_its_end() -> None:
    assert EndedRig().cause == "as it was stored"


@pytest.mark.parametrize("report", [None, b"{", b"", b"[]", b"{}"])
def test_a_report_that_is_not_there_or_cannot_be_read_is_made_anew(report: bytes | None) -> None:
    rig = EndedRig()
    if report is None:
        rig.documents.delete(paths.report(rig.run_id))
    else:
        rig.documents.write(paths.report(rig.run_id), report)
    assert rig.cause == "manual"


@pytest.mark.parametrize("name", ["waited_seconds", "calls", "entities"])
def test_a_report_that_lacks_what_every_report_has_is_made_anew(name: str) -> None:
    rig = EndedRig()
    del rig.report[name]
    rig.store()
    assert rig.cause == "manual"


def test_nor_is_a_report_shown_that_lacks_an_entity_of_its_run() -> None:
    rig = EndedRig()
    del rig.report["entities"]["employees"]
    rig.store()
    assert rig.cause == "manual"


def test_a_run_that_goes_on_after_an_approval_is_not_shown_by_its_old_report() -> None:
    rig = EndedRig()
    rig.keep("running")
    assert rig.cause == "manual"


def test_a_report_of_another_release_is_completed_by_what_the_run_says() -> None:
    rig = EndedRig()
    del rig.report["entities"]["employees"]["left_out"]
    del rig.report["keys"]
    rig.store()
    detail = rig.detail
    assert detail["entities"]["employees"]["left_out"] == {"count": 0, "changes": []}
    assert detail["keys"] == []


def test_what_an_approval_left_out_is_shown() -> None:
    rig = EndedRig()
    left: LeftOut = {"count": 1, "changes": [{"key": "7", "action": "update", "reason": "gone", "now": None}]}
    rig.report["entities"]["employees"]["left_out"] = left
    rig.store()
    assert rig.detail["entities"]["employees"]["left_out"] == left


def test_the_report_of_a_run_under_way_says_how_it_stands(rig: DetailRig) -> None:
    errors = {"street": ["1 Elm is odd"]}
    rig.keep_outcomes(rig.run_id, 1, outcome("1a", "refused", errors=errors, reason="street: no"))
    report = stored_report(rig.documents, rig.the_run(rig.run_id))
    assert (report["phase"], report["finished_at"]) == ("running", None)
    (problem,) = report["entities"]["employees"]["problems"]
    told = {"key": "1a", "kind": "refused", "reason": "street: no", "field": "street"}
    assert problem == {**told, "cause": "person-refused"}
    shown = json.dumps(rig.detail)
    assert not [value for value in ("Elm", "Oak") if value in shown], "values are among the changes alone"

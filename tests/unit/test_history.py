"""What the last runs did with one record: newest first, only so many, and only as long as somebody waits."""

from __future__ import annotations

from typing import Any

import pytest

from shared.queries import answers
from shared.queries.history import (
    ENOUGH,
    MOST_RUNS,
    SEARCH_SECONDS,
    Searched,
    change_in,
    last_changes,
    whole_history,
)
from shared.storage.documents import Document
from shared.sync import paths
from shared.sync.documents.runs import EntityStatus
from tests.unit.operations_rig import PLAN_ID, OperationsRig, change, ended, nth_run, nth_time, outcome


class HistoryRig(OperationsRig):
    """Runs of employees."""

    def changed(self, number: int, *keys: str, **run: Any) -> str:
        """A run that changed these people, each in a batch of its own."""
        run_id = self.keep_run(number, **run)
        self.keep_plan(run_id, *([change(key)] for key in keys))
        return run_id

    def last(self, key: str = "7") -> Searched:
        return last_changes(self.services, "employees", key)

    def found(self, key: str = "7") -> list[str]:
        return [found["run_id"] for found in self.last(key)["changes"]]


@pytest.fixture
def rig() -> HistoryRig:
    return HistoryRig()


def test_where_nothing_has_run_nothing_was_done(rig: HistoryRig) -> None:
    assert rig.last() == {"changes": [], "runs_searched": 0, "problems": []}


def test_the_newest_changes_come_first_and_runs_without_one_are_counted(rig: HistoryRig) -> None:
    for number, key in ((1, "7"), (2, "8"), (3, "7")):
        rig.changed(number, key)
    assert rig.found() == [nth_run(3), nth_run(1)]
    assert rig.last()["runs_searched"] == 3


def test_a_change_is_told_with_its_run_its_batch_its_call_and_what_became_of_it(rig: HistoryRig) -> None:
    run_id = rig.keep_run(1, "failed", {"employees": ended("held"), "titles": ended("failed")})
    rig.keep_plan(run_id, [change("8")], [change("9"), change("7")])
    rig.keep_outcomes(
        run_id, 2, outcome("9"), outcome("7", "refused", errors={"street": ["no"]}, reason="street: no")
    )
    (told,) = rig.last()["changes"]
    assert (told["run_id"], told["url"], told["requested_at"]) == (run_id, f"/api/runs/{run_id}", nth_time(1))
    assert (told["run_phase"], told["entity_phase"], told["batch"]) == ("failed", "held", 2)
    assert told["call"] == {"method": "PATCH", "path": "/api/users/u7"}
    assert (told["result"], told["reason"], told["errors"]) == ("refused", "street: no", {"street": ["no"]})
    assert (told["before"], told["after"]) == ({"street": "2 Oak"}, {"street": "1 Elm"})


def test_so_many_changes_are_enough(rig: HistoryRig) -> None:
    for number in range(1, ENOUGH + 3):
        rig.changed(number, "7")
    last = rig.last()
    assert (len(last["changes"]), last["runs_searched"]) == (ENOUGH, ENOUGH)


def test_so_many_runs_are_looked_through(rig: HistoryRig) -> None:
    rig.changed(1, "7")
    for number in range(2, MOST_RUNS + 2):
        rig.keep_run(number, entities={"titles": ended()})
    last = rig.last()
    assert (last["changes"], last["runs_searched"]) == ([], MOST_RUNS)


@pytest.mark.parametrize("what", ["run", "plan", "batch", "outcome"])
def test_what_cannot_be_read_is_told_and_hides_no_other_run(rig: HistoryRig, what: str) -> None:
    rig.changed(1, "7")
    damaged = rig.changed(2, "7")
    rig.keep_outcomes(damaged, 1, outcome())
    rig.changed(3, "7")
    path = {
        "run": paths.run(damaged),
        "plan": paths.plan(damaged, "employees"),
        "batch": paths.batch(damaged, "employees", PLAN_ID, 1),
        "outcome": paths.outcome(damaged, "employees", 1),
    }[what]
    rig.damage(path)
    assert rig.found() == [nth_run(3), nth_run(1)]
    # A run whose own document is lost is told by the list of runs.
    assert [path in problem for problem in rig.last()["problems"]] == ([] if what == "run" else [True])


# -- which runs need not be read -------------------------------------------------------------------------


class Reads:
    """Which documents are read, and how long each read takes."""

    def __init__(self, rig: OperationsRig, monkeypatch: pytest.MonkeyPatch, seconds: float = 0.0) -> None:
        self.paths: list[str] = []
        read = rig.documents.read

        def noted(path: str) -> Document | None:
            self.paths.append(path)
            rig.clock.advance(seconds)
            return read(path)

        monkeypatch.setattr(rig.documents, "read", noted)


@pytest.mark.parametrize(
    "run",
    [
        {"entities": {"employees": EntityStatus("done", planned={"update": 0})}},
        {"entities": {"employees": EntityStatus("failed")}},
        {"entities": {"titles": ended()}},
        {"keys": ("8",)},
    ],
    ids=["nothing planned", "failed before", "another entity", "another record"],
)
def test_of_a_run_without_a_change_of_it_only_the_run_is_read(
    rig: HistoryRig, monkeypatch: pytest.MonkeyPatch, run: dict[str, Any]
) -> None:
    run_id = rig.changed(1, "7", **run)
    reads = Reads(rig, monkeypatch)
    assert rig.found() == []
    assert reads.paths == [paths.run(run_id)]


@pytest.mark.parametrize(
    "run",
    [
        {"entities": {"employees": EntityStatus("applying")}, "phase": "running"},
        {"entities": {"employees": EntityStatus("held", planned={"update": 0, "create": 1})}},
        {"keys": ("8", "7")},
    ],
    ids=["under way", "held", "of it and others"],
)
def test_a_run_that_may_have_one_is_looked_through(rig: HistoryRig, run: dict[str, Any]) -> None:
    assert rig.changed(1, "7", **run) in rig.found()


def test_a_run_under_way_without_a_plan_has_none(rig: HistoryRig) -> None:
    run_id = rig.keep_run(1, "running", {"employees": EntityStatus()})
    assert change_in(rig.services, rig.the_run(run_id), "employees", "7") is None


def test_nobody_waits_longer_than_the_time_that_there_is(
    rig: HistoryRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2, 3):
        rig.changed(number, "7")
    # Run, plan, and the batch twice and its outcome and progress: the first run takes all the time.
    Reads(rig, monkeypatch, seconds=SEARCH_SECONDS / 5)
    last = rig.last()
    assert ([found["run_id"] for found in last["changes"]], last["runs_searched"]) == ([nth_run(3)], 1)


def test_a_run_of_many_batches_is_left_in_the_middle(
    rig: HistoryRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = rig.changed(1, *(str(number) for number in range(100, 150)), "7")
    run = rig.the_run(run_id)
    reads = Reads(rig, monkeypatch, seconds=1.0)
    assert change_in(rig.services, run, "employees", "7", rig.clock.monotonic() + 10) is None
    assert len(reads.paths) == 11
    assert change_in(rig.services, run, "employees", "7") is not None, "who names no time has enough"


def test_a_key_that_another_release_wrote_is_found_by_its_normal_form(rig: HistoryRig) -> None:
    rig.changed(1, "0007")
    (told,) = rig.last("7")["changes"]
    assert told["key"] == "0007"


# -- all of it -------------------------------------------------------------------------------------------


def pages(rig: HistoryRig, limit: int = 50, key: str = "7") -> list[answers.RecordHistory]:
    """All of them, one after the other."""
    found = [whole_history(rig.services, "employees", key, limit, None)]
    while (cursor := found[-1]["next"]) is not None:
        found.append(whole_history(rig.services, "employees", key, limit, cursor))
    return found


def runs_of(page: answers.RecordHistory) -> list[str]:
    return [change["run_id"] for change in page["changes"]]


def test_the_whole_history_has_every_run_that_is_kept(rig: HistoryRig) -> None:
    assert pages(rig) == [
        {"entity": "employees", "key": "7", "changes": [], "runs_searched": 0, "next": None, "problems": []}
    ]
    for number in range(1, ENOUGH + 3):
        rig.changed(number, "7")
    (page,) = pages(rig, key=" 007 ")
    assert runs_of(page) == [nth_run(number) for number in range(ENOUGH + 2, 0, -1)]
    assert (page["key"], page["runs_searched"]) == ("7", ENOUGH + 2)


def test_pages_of_it_follow_each_other_without_a_gap(rig: HistoryRig) -> None:
    for number in range(1, 8):
        rig.changed(number, "7" if number % 2 else "8")
    found = pages(rig, limit=2)
    assert [runs_of(page) for page in found] == [[nth_run(7), nth_run(5)], [nth_run(3), nth_run(1)]]
    assert [page["runs_searched"] for page in found] == [3, 4]


def test_a_page_ends_in_time_and_the_next_begins_with_the_run_that_was_not_looked_through(
    rig: HistoryRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [str(number) for number in range(100, 160)]
    for number in (1, 2, 3):
        rig.changed(number, *many, "7")
    Reads(rig, monkeypatch, seconds=SEARCH_SECONDS / 40)
    found = pages(rig)
    assert [runs_of(page) for page in found] == [[nth_run(3)], [nth_run(2)], [nth_run(1)]]
    assert sum(page["runs_searched"] for page in found) == 3


@pytest.mark.parametrize("damaged", ["run", "plan"])
def test_what_cannot_be_read_of_it_is_told(rig: HistoryRig, damaged: str) -> None:
    rig.changed(1, "7")
    run_id = rig.changed(2, "7")
    path = paths.run(run_id) if damaged == "run" else paths.plan(run_id, "employees")
    rig.damage(path)
    (page,) = pages(rig)
    assert runs_of(page) == [nth_run(1)]
    assert [path in problem for problem in page["problems"]] == [True]

"""The list of runs: newest first, pages that show each once, filters, and runs that cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from shared.queries.answers import RunSummary
from shared.queries.paging import Page
from shared.queries.run_index import newest_runs
from shared.queries.run_list import RunFilter, list_runs, summary
from shared.sync import paths
from tests.unit.operations_rig import OperationsRig, answers, ended, nth_run, nth_time

ALL = RunFilter()


class RunsRig(OperationsRig):
    """The runs 1 to `count`."""

    def __init__(self, count: int = 5) -> None:
        super().__init__()
        for number in range(1, count + 1):
            self.keep_run(number)

    def page(self, wanted: RunFilter = ALL, limit: int = 100, cursor: str | None = None) -> Page[RunSummary]:
        found = list_runs(self.documents, wanted, limit, cursor)
        answers("list_runs", {"runs": found.items, "next": found.next})
        return found

    def walked(self, wanted: RunFilter = ALL, limit: int = 100) -> list[list[int]]:
        """The numbers of the runs of each page, one page after the other."""
        pages = [self.page(wanted, limit)]
        while (cursor := pages[-1].next) is not None:
            assert len(pages) < 50, "the pages have no end"
            pages.append(self.page(wanted, limit, cursor))
        return [numbers(page) for page in pages]


def numbers(page: Page[RunSummary]) -> list[int]:
    return [number for run in page.items for number in range(200) if nth_run(number) == run["run_id"]]


def test_the_newest_run_comes_first() -> None:
    assert numbers(RunsRig().page()) == [5, 4, 3, 2, 1]


def test_where_no_run_is_kept_the_list_is_empty() -> None:
    assert RunsRig(0).page() == Page([], None)


@pytest.mark.parametrize(
    ("limit", "pages"),
    [(1, [[5], [4], [3], [2], [1]]), (2, [[5, 4], [3, 2], [1]]), (4, [[5, 4, 3, 2], [1]])],
)
def test_pages_together_show_each_run_once(limit: int, pages: list[list[int]]) -> None:
    assert RunsRig().walked(limit=limit) == pages


def test_a_page_that_ends_with_the_oldest_run_has_no_next() -> None:
    assert RunsRig().page(limit=5).next is None


def test_runs_that_begin_between_two_pages_move_nothing() -> None:
    rig = RunsRig(4)
    first = rig.page(limit=2)
    rig.keep_run(5)
    rig.keep_run(6)
    assert numbers(first) == [4, 3]
    assert numbers(rig.page(limit=2, cursor=first.next)) == [2, 1]


def test_a_run_that_is_removed_between_two_pages_takes_none_with_it() -> None:
    rig = RunsRig(4)
    first = rig.page(limit=2)
    rig.documents.delete(paths.run(nth_run(3)))
    assert numbers(rig.page(limit=2, cursor=first.next)) == [2, 1]


def test_a_request_looks_at_so_many_runs_only_and_the_next_goes_on_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = RunsRig(5)
    rig.keep_run(1, cause="timer")
    monkeypatch.setattr("shared.queries.run_list.MOST_EXAMINED", 2)
    assert rig.walked() == [[5, 4], [3, 2], [1]]
    # Nobody matches within the first pages: they are empty, and yet not the end.
    assert rig.walked(RunFilter(cause="timer")) == [[], [], [1]]


# -- filters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (RunFilter(phase="held"), [3]),
        (RunFilter(phase="cancelled"), []),
        (RunFilter(entity="titles"), [3, 2]),
        (RunFilter(entity="vehicles"), []),
        (RunFilter(cause="timer"), [2]),
        (RunFilter(cause="time"), []),
        (RunFilter(entity="titles", cause="manual"), [3]),
        (RunFilter(since=datetime(2026, 1, 5, 0, 2, tzinfo=UTC)), [3, 2]),
        (RunFilter(since=datetime(2026, 1, 5, 0, 2, 1, tzinfo=UTC)), [3]),
        (RunFilter(since=datetime(2026, 1, 6, tzinfo=UTC)), []),
    ],
)
def test_a_filter_shows_what_matches_all_of_it(wanted: RunFilter, found: list[int]) -> None:
    rig = RunsRig(1)
    rig.keep_run(2, entities={"titles": ended()}, cause="timer")
    rig.keep_run(3, "held", {"titles": ended("held"), "employees": ended()})
    assert numbers(rig.page(wanted)) == found
    assert [number for page in rig.walked(wanted, limit=1) for number in page] == found


# -- what cannot be read ---------------------------------------------------------------------------------


def test_a_run_that_cannot_be_read_is_told_as_that_and_hides_no_other() -> None:
    rig = RunsRig(3)
    rig.damage(paths.run(nth_run(2)))
    page = rig.page()
    assert numbers(page) == [3, 2, 1]
    damaged = page.items[1]
    assert (damaged["phase"], damaged["cause"], damaged["entities"]) == ("failed", "unknown", {})
    assert damaged["requested_at"] == nth_time(2), "its id tells that much"
    assert "run.json cannot be read" in (damaged["problem"] or "")
    assert [run["problem"] for run in page.items[::2]] == [None, None]
    assert rig.walked(limit=1) == [[3], [2], [1]]


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [({"phase": "failed"}, True), ({"phase": "done"}, False), ({"entity": "jobs"}, False)],
)
def test_a_run_that_cannot_be_read_counts_as_failed(wanted: dict[str, Any], shown: bool) -> None:
    rig = RunsRig(1)
    rig.damage(paths.run(nth_run(1)))
    assert bool(rig.page(RunFilter(**wanted)).items) is shown


def test_what_is_no_run_is_not_listed() -> None:
    rig = RunsRig(2)
    rig.documents.write("runs/active.json", b"{}")
    rig.documents.write("runs/20260105-000900/run.json", b"{}")
    rig.documents.write(paths.report(nth_run(7)), b"{}")
    assert numbers(rig.page()) == [2, 1]


# -- what is told of one ---------------------------------------------------------------------------------


def test_a_run_is_told_in_a_few_figures_over_its_entities() -> None:
    rig = OperationsRig()
    entities = {"titles": ended(created=2, failed=0), "employees": ended("failed", reason="401", created=3)}
    run_id = rig.keep_run(9, "failed", entities, cause="timer", refresh=True, finished_at=nth_time(10))
    assert summary(rig.the_run(run_id)) == {
        "run_id": run_id,
        "url": f"/api/runs/{run_id}",
        "phase": "failed",
        "mode": "apply",
        "cause": "timer",
        "refresh": True,
        "keys": [],
        "requested_at": nth_time(9),
        "finished_at": nth_time(10),
        "counts": {"created": 5, "failed": 0},
        "entities": {
            "titles": {"phase": "done", "reason": None},
            "employees": {"phase": "failed", "reason": "401"},
        },
        "problem": None,
    }


# -- the newest ones, for other questions ----------------------------------------------------------------


def test_of_the_newest_runs_only_so_many_are_looked_at() -> None:
    rig = RunsRig(4)
    assert [run.run_id for run in newest_runs(rig.documents, 2)] == [nth_run(4), nth_run(3)]
    assert list(newest_runs(rig.documents, 0)) == []


def test_a_run_that_cannot_be_read_or_is_gone_is_passed_over_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rig = RunsRig(4)
    rig.damage(paths.run(nth_run(4)))
    rig.documents.write(paths.report(nth_run(3)), b"{}")
    rig.documents.delete(paths.run(nth_run(3)))
    assert [run.run_id for run in newest_runs(rig.documents, 3)] == [nth_run(2)]
    assert "run.json cannot be read" in caplog.text


def test_runs_are_read_one_by_one_as_they_are_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    rig = RunsRig(2)
    rig.damage(paths.run(nth_run(1)))
    assert len(list(islice(newest_runs(rig.documents, 2), 1))) == 1
    assert caplog.text == "", "nobody has come to the older one"

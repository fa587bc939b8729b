"""The changes of a run: pages that show each once, filters, what became of each, and damaged documents."""

from __future__ import annotations

from typing import Any

import pytest

from shared.queries.answers import Change
from shared.queries.changes import (
    MOST_BATCHES,
    START,
    ChangeFilter,
    Place,
    described,
    list_changes,
    place_of,
)
from shared.queries.paging import Page
from shared.sync import paths
from shared.sync.documents.runs import Run
from tests.unit.operations_rig import PLAN_ID, OperationsRig, answers, change, ended, outcome

ALL = ChangeFilter()


class ChangesRig(OperationsRig):
    """A run of titles and employees: changes t1, t2 and 1 to 5, in two batches each."""

    def __init__(self) -> None:
        super().__init__()
        self.run_id = self.keep_run(entities={"employees": ended(), "titles": ended()})
        titles = [change(key, "create", fields={"name": key}) for key in ("t1", "t2")]
        self.keep_plan(self.run_id, *([one] for one in titles), entity="titles")
        people = [change(str(number)) for number in range(1, 6)]
        self.keep_plan(self.run_id, people[:3], people[3:])

    @property
    def run(self) -> Run:
        return self.the_run(self.run_id)

    def page(self, wanted: ChangeFilter = ALL, limit: int = 100, after: Place = START) -> Page[Change]:
        found = list_changes(self.documents, self.run, wanted, limit, after)
        answers(
            "list_changes", {"changes": found.items, "next": found.next, "problems": list(found.problems)}
        )
        return found

    def keys(self, wanted: ChangeFilter = ALL) -> list[str]:
        return [found["key"] for found in self.page(wanted).items]

    def walked(self, wanted: ChangeFilter = ALL, limit: int = 100) -> list[list[str]]:
        """The keys of each page, one page after the other."""
        page = self.page(wanted, limit)
        pages = [page]
        while page.next is not None:
            assert len(pages) < 50, "the pages have no end"
            page = self.page(wanted, limit, place_of(page.next))
            pages.append(page)
        return [[found["key"] for found in page.items] for page in pages]


EVERYBODY = ["t1", "t2", "1", "2", "3", "4", "5"]


@pytest.fixture
def rig() -> ChangesRig:
    return ChangesRig()


def test_changes_come_in_the_order_of_a_run_and_not_of_its_request(rig: ChangesRig) -> None:
    assert rig.keys() == EVERYBODY


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 7])
def test_pages_together_show_each_change_once_and_none_has_more_than_asked_for(
    rig: ChangesRig, limit: int
) -> None:
    pages = rig.walked(limit=limit)
    assert [key for page in pages for key in page] == EVERYBODY
    assert all(len(page) == limit for page in pages[:-1])
    assert 0 < len(pages[-1]) <= limit


def test_a_page_that_ends_with_the_last_change_has_no_next(rig: ChangesRig) -> None:
    assert rig.page(limit=7).next is None
    assert rig.page(limit=6).next is not None


def test_what_is_applied_between_two_pages_moves_nothing(rig: ChangesRig) -> None:
    first = rig.page(limit=4)
    rig.keep_outcomes(rig.run_id, 1, *(outcome(str(number)) for number in (1, 2, 3)))
    assert first.next is not None
    second = rig.page(after=place_of(first.next))
    assert [found["key"] for found in (*first.items, *second.items)] == EVERYBODY
    assert [found["result"] for found in second.items] == ["updated", "planned", "planned"]


def test_an_entity_that_is_planned_between_two_pages_is_on_a_later_one() -> None:
    rig = OperationsRig()
    run_id = rig.keep_run(entities={"titles": ended(), "employees": ended("pending")})
    rig.keep_plan(run_id, [change("t1")], [change("t2")], entity="titles")
    first = list_changes(rig.documents, rig.the_run(run_id), ALL, 1, START)
    rig.keep_plan(run_id, [change("7")])
    assert first.next is not None
    second = list_changes(rig.documents, rig.the_run(run_id), ALL, 9, place_of(first.next))
    assert [found["key"] for found in second.items] == ["t2", "7"]


def test_a_request_looks_at_so_many_batches_only_and_the_next_goes_on_there(
    rig: ChangesRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.queries.changes.MOST_BATCHES", 2)
    assert rig.walked() == [["t1", "t2"], ["1", "2", "3"], ["4", "5"]]
    # Nobody matches within the first pages: they are empty, and yet not the end.
    assert rig.walked(ChangeFilter(key="5")) == [[], [], ["5"]]


def test_a_run_without_plans_has_no_changes() -> None:
    rig = OperationsRig()
    run_id = rig.keep_run(entities={"titles": ended("pending")})
    page = list_changes(rig.documents, rig.the_run(run_id), ALL, 10, START)
    assert (page.items, page.next, page.problems) == ([], None, [])


# -- filters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        ({"entity": "titles"}, ["t1", "t2"]),
        ({"entity": "jobs"}, []),
        ({"action": "create"}, ["t1", "t2"]),
        ({"action": "update"}, ["1", "2", "3", "4", "5"]),
        ({"action": "deactivate"}, []),
        ({"result": "updated"}, ["1"]),
        ({"result": "refused"}, ["2"]),
        ({"result": "planned"}, ["t1", "t2", "3", "4", "5"]),
        ({"key": "2"}, ["2"]),
        ({"key": "2", "result": "updated"}, []),
        ({"entity": "titles", "key": "2"}, []),
    ],
)
def test_a_filter_shows_what_matches_all_of_it(
    rig: ChangesRig, wanted: dict[str, Any], keys: list[str]
) -> None:
    rig.keep_progress(rig.run_id, 1, outcome("1"), outcome("2", "refused"))
    assert rig.keys(ChangeFilter(**wanted)) == keys


def test_a_key_is_found_in_each_of_its_spellings_where_the_entity_is_named(rig: ChangesRig) -> None:
    assert rig.keys(ChangeFilter(entity="employees", key="0003")) == ["3"]
    assert rig.keys(ChangeFilter(entity="titles", key=" T1 ")) == ["t1"]
    assert rig.keys(ChangeFilter(key="0003")) == [], "without an entity nobody can tell which rule holds"


def test_a_key_that_another_release_wrote_is_found_as_it_is_written() -> None:
    rig = OperationsRig()
    run_id = rig.keep_run()
    rig.keep_plan(run_id, [change("0007")])
    wanted = ChangeFilter(entity="employees", key="0007")
    assert len(list_changes(rig.documents, rig.the_run(run_id), wanted, 10, START).items) == 1


# -- damaged documents -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "left"),
    [
        (paths.plan("RUN", "titles"), ["1", "2", "3", "4", "5"]),
        (paths.plan("RUN", "employees"), ["t1", "t2"]),
        (paths.batch("RUN", "employees", PLAN_ID, 1), ["t1", "t2", "4", "5"]),
        (paths.outcome("RUN", "employees", 1), ["t1", "t2", "4", "5"]),
    ],
)
def test_what_cannot_be_read_is_named_and_hides_nothing_else(
    rig: ChangesRig, path: str, left: list[str]
) -> None:
    rig.keep_outcomes(rig.run_id, 1, outcome("1"))
    path = path.replace("RUN", rig.run_id)
    rig.damage(path)
    page = rig.page()
    assert [found["key"] for found in page.items] == left
    (problem,) = page.problems
    assert path in problem
    assert [key for keys in rig.walked(limit=1) for key in keys] == left


def test_a_batch_that_is_gone_is_named_too(rig: ChangesRig) -> None:
    path = paths.batch(rig.run_id, "employees", PLAN_ID, 2)
    rig.documents.delete(path)
    page = rig.page()
    assert [found["key"] for found in page.items] == ["t1", "t2", "1", "2", "3"]
    assert page.problems == [f"the document {path} cannot be read (it is gone)"]


@pytest.mark.parametrize("first", [1, 2])
def test_pages_go_on_behind_any_number_of_batches_that_cannot_be_read(first: int) -> None:
    rig = OperationsRig()
    last = MOST_BATCHES + 4
    run_id = rig.keep_run()
    rig.keep_plan(run_id, *([change(str(number))] for number in range(1, last + 1)))
    for number in range(first, last):
        rig.damage(paths.batch(run_id, "employees", PLAN_ID, number))
    place, keys, pages = START, list[str](), 0
    while True:
        page = list_changes(rig.documents, rig.the_run(run_id), ChangeFilter(), 50, place)
        keys += [found["key"] for found in page.items]
        pages += 1
        if page.next is None:
            break
        assert pages < 5, page.next
        place = place_of(page.next)
    assert keys == [*(["1"] if first == 2 else []), str(last)]


# -- what is told of one ---------------------------------------------------------------------------------


def test_a_change_without_outcome_is_told_as_it_is_planned() -> None:
    planned = change(fields={"home_site_id": {"$ref": ["jobs", "100."]}, "city": "Houma"}, warnings=["w"])
    told = described("employees", planned, None)
    assert told == {
        "entity": "employees",
        "key": "7",
        "action": "update",
        "result": "planned",
        "target_id": "u7",
        "before": {"street": "2 Oak"},
        "after": {"home_site_id": {"entity": "jobs", "key": "100."}, "city": "Houma"},
        "adopted": False,
        "dropped": {},
        "errors": {},
        "reason": None,
        "at": None,
        "warnings": ["w"],
    }


def test_of_what_went_well_is_told_what_safetyamp_took_and_not_what_it_refused() -> None:
    planned = change("7", "create", fields={"street": "1 elm", "city": "Houma", "mobile_phone": "+1"})
    done = outcome(
        *("7", "created", "create"),
        target_id="u9",
        fields={"street": "1 Elm", "other": 1},
        dropped={"mobile_phone": ["is taken"]},
        adopted=True,
        at="2026-01-05T06:00:00+00:00",
    )
    told = described("employees", planned, done)
    assert told["after"] == {"street": "1 Elm", "city": "Houma"}
    assert told["dropped"] == {"mobile_phone": ["is taken"]}
    assert (told["result"], told["target_id"], told["adopted"]) == ("created", "u9", True)
    assert told["at"] == "2026-01-05T06:00:00+00:00"


def test_of_what_failed_is_told_what_was_wanted_and_why_it_is_not_so() -> None:
    refused = outcome("7", "refused", fields={"street": "?"}, errors={"street": ["no"]}, reason="street: no")
    told = described("employees", change(), refused)
    assert (told["after"], told["target_id"]) == ({"street": "1 Elm"}, "u7")
    assert (told["errors"], told["reason"]) == ({"street": ["no"]}, "street: no")


def test_a_batch_under_way_shows_what_is_done_of_it(rig: ChangesRig) -> None:
    rig.keep_progress(rig.run_id, 1, outcome("1"))
    found = {found["key"]: found["result"] for found in rig.page().items}
    assert (found["1"], found["2"]) == ("updated", "planned")


def test_the_outcome_of_a_batch_goes_before_its_progress(rig: ChangesRig) -> None:
    rig.keep_progress(rig.run_id, 1, outcome("1", "failed"))
    rig.keep_outcomes(rig.run_id, 1, outcome("1"))
    assert rig.page().items[2]["result"] == "updated"


# -- cursors ---------------------------------------------------------------------------------------------


def test_a_cursor_is_read_as_it_was_written() -> None:
    assert place_of(str(Place(3, 12, 345))) == Place(3, 12, 345)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "1",
        "1.2",
        "1.2.3.4",
        "1.2.-1",
        "1.2.x",
        "1..3",
        "1.2.3 ",
        "\u0663.1.1",
        "1.2.\u00b2",
        "0.1.9999999999",
    ],
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        place_of(cursor)


def test_a_cursor_behind_everything_shows_nothing(rig: ChangesRig) -> None:
    page = rig.page(after=Place(99, 1, 0))
    assert (page.items, page.next) == ([], None)

"""Listings of SafetyAmp: what counts, and how an interrupted one goes on."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest

from shared.clients.http.call_meter import Meter
from shared.clients.safetyamp import SafetyAmpClient
from shared.errors import (
    AccessRefused,
    APIError,
    ConfigurationError,
    IncompleteRead,
    InvalidRecord,
    LeaseHeld,
    LeaseLost,
    NotFound,
    RateLimited,
    UpstreamUnavailable,
)
from shared.storage.documents import read_json, to_json
from shared.sync.entities import mappings
from shared.sync.lease import held_lease, lease_when_needed
from shared.sync.model import ENTITIES
from shared.sync.planning.listing import MOST_ASKED_FOR, RESOURCES, TargetLister, within_root
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


class TestBesideRelease010:
    """The release before goes on with a listing that this one has begun, and the other way round."""

    def test_its_pages_go_on_with_keys_as_they_are_now(self, rig: EngineRig) -> None:
        target = {
            "target_id": 98,
            "key": "Crane  Operator",
            "fields": {"name": "Crane  Operator"},
            "match": None,
        }
        rig.documents.write(PATH, to_json({"page": 1, "complete": False, "targets": [target], "calls": {}}))
        assert names(TargetLister(rig.services, PATH)) == ["crane operator", "c", "d", "e"]

    def test_it_finds_a_listing_that_has_not_begun(self, rig: EngineRig) -> None:
        """Its keys of titles are others: it would create all of them again."""
        rig.safetyamp.fail_at = {1: RateLimited("full", 30.0)}
        with pytest.raises(RateLimited):
            TargetLister(rig.services, PATH, meter=Meter()).targets(TITLES)
        kept = read_json(rig.documents, PATH)
        assert (kept["page"], kept["targets"], kept.get("complete")) == (0, [], None)
        assert set(kept) - {"listing"} == {"page", "targets", "calls", "requests", "waited_seconds"}


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
    with lease_when_needed(rig.services, PATH) as lease:
        rig.safetyamp.fail_at = {1: RateLimited("full", 30.0)}
        with pytest.raises(RateLimited):
            names(TargetLister(rig.services, PATH, lease=lease))
        assert read_json(rig.documents, PATH)["listing"]["page"] == 1
        rig.safetyamp.fail_at = {1: RateLimited("full", 30.0)}
        with pytest.raises(LeaseHeld):
            names(TargetLister(rig.services, PATH))
        rig.clock.advance(61)
        rig.safetyamp.fail_at = {1: RateLimited("full", 30.0)}
        with pytest.raises(LeaseLost):
            names(TargetLister(rig.services, PATH, lease=lease))


def test_whoever_lists_beside_another_planner_makes_no_call(rig: EngineRig) -> None:
    with held_lease(rig.services, PATH), lease_when_needed(rig.services, PATH) as lease:
        lister = TargetLister(rig.services, PATH, lease=lease)
        with pytest.raises(LeaseHeld):
            lister.targets(TITLES)
        with pytest.raises(LeaseHeld):
            lister.ask_for(MAPPINGS["employees"], ["aaaaa"])
    assert rig.safetyamp.asked == []


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
    # A cluster that is called like its code is no department's until planning finds it by the code.
    known_by = {target.key or target.match: target.target_id for target in targets}
    assert known_by == {"root": 1, "region:Coast": 2, "10": 3}


class TestReadingTwice:
    """For what will be created unless it is found: the second reading shows what the first one missed."""

    def names(self, rig: EngineRig) -> list[str | None]:
        targets = TargetLister(rig.services, PATH).targets(TITLES, twice=True)
        return [target.key for target in targets]

    def test_takes_what_either_reading_has(self, rig: EngineRig, monkeypatch: pytest.MonkeyPatch) -> None:
        readings = iter([[page("a", "b"), page("d")], [page("b"), page("c", "d")]])
        monkeypatch.setattr(rig.safetyamp, "list_pages", lambda *_, **__: next(readings))
        assert sorted(map(str, self.names(rig))) == ["a", "b", "c", "d"]

    def test_is_done_with_a_single_page_too_which_may_have_been_two(self, rig: EngineRig) -> None:
        for pages, asked in (([], [0]), ([page("a", "b")], [0, 1, 0, 1])):
            rig.safetyamp.pages, rig.safetyamp.asked = pages, []
            self.names(rig)
            assert rig.safetyamp.asked == asked

    def test_is_not_done_with_a_single_page_where_safetyamp_refuses_a_second_record(
        self, rig: EngineRig
    ) -> None:
        rig.safetyamp.pages = [[{"id": 1, "ext_id": "100.", "name": "Works"}]]
        TargetLister(rig.services, PATH).targets(MAPPINGS["jobs"], twice=True)
        assert rig.safetyamp.asked == [0, 1]

    @pytest.mark.parametrize("interrupted_at", range(10))
    def test_goes_on_in_the_reading_that_was_interrupted(self, rig: EngineRig, interrupted_at: int) -> None:
        calls = iter(range(100))
        list_pages = rig.safetyamp.list_pages

        def interrupted(resource: str, start_page: int = 0) -> Any:
            for rows in list_pages(resource, start_page):
                if next(calls) == interrupted_at:
                    raise RateLimited("full", 30.0)
                yield rows

        rig.safetyamp.list_pages = interrupted
        if interrupted_at < 2 * len(PAGES):
            with pytest.raises(RateLimited):
                self.names(rig)
        assert self.names(rig) == ["a", "b", "c", "d", "e"]
        assert Counter(rig.safetyamp.asked)[4] == 2, "both readings came to their end"


class TestAskingForUsersById:
    """Two listings lacked them: who answers is there, who does not is gone."""

    USERS = MAPPINGS["employees"]

    def rig(self, answers: dict[str, Any]) -> EngineRig:
        rig = EngineRig(PagedSafetyAmp(PAGES))
        self.asked: list[str] = []

        def request(_method: str, path: str) -> dict[str, Any]:
            assert path.startswith("/api/users/")
            target_id = path.rpartition("/")[2]
            self.asked.append(target_id)
            answer = answers.get(target_id, NotFound("404", 404))
            if isinstance(answer, list):
                answer = answer.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return {"data": answer}

        rig.safetyamp.read = SafetyAmpClient(cast(Any, SimpleNamespace(request=request))).read
        return rig

    def test_who_answers_is_there_as_it_is_now(self) -> None:
        rig = self.rig({"aaaaa": {"id": "aaaaa", "emp_id": "1001", "first_name": "Ann"}})
        found, gone = TargetLister(rig.services, PATH).ask_for(self.USERS, ["aaaaa", "bbbbb"])
        assert [(target.target_id, target.key, target.fields["first_name"]) for target in found] == [
            ("aaaaa", "1001", "Ann")
        ]
        assert gone == {"bbbbb"}

    @pytest.mark.parametrize("answer", [NotFound("404", 404), APIError("405", 405)])
    def test_a_server_that_has_no_such_call_is_no_obstacle(self, answer: Any) -> None:
        rig = self.rig({"aaaaa": answer})
        assert TargetLister(rig.services, PATH).ask_for(self.USERS, ["aaaaa"]) == ([], {"aaaaa"})
        assert self.asked == ["aaaaa"]

    ODD: ClassVar[tuple[Any, ...]] = (
        InvalidRecord("422", 422),
        APIError("302", 302),
        {},
        {"id": "other", "emp_id": "1001"},
    )

    @pytest.mark.parametrize("answer", ODD, ids=repr)
    def test_an_odd_answer_says_nothing_but_of_those_that_are_gone_anyway(self, answer: Any) -> None:
        rig = self.rig({"aaaaa": answer, "bbbbb": answer})
        lister = TargetLister(rig.services, PATH)
        answered = lister.ask_for(self.USERS, ["aaaaa", "bbbbb"], beyond_doubt={"bbbbb"})
        assert answered == ([], {"bbbbb"})
        assert self.asked == ["aaaaa", "aaaaa", "bbbbb", "bbbbb"]

    @pytest.mark.parametrize("answer", ODD, ids=repr)
    def test_an_odd_answer_that_passes_costs_nothing(self, answer: Any) -> None:
        rig = self.rig({"aaaaa": [answer, {"id": "aaaaa", "emp_id": "1001"}]})
        found, gone = TargetLister(rig.services, PATH).ask_for(self.USERS, ["aaaaa"])
        assert ([target.key for target in found], gone) == (["1001"], set())

    @pytest.mark.parametrize("error", [RateLimited("full", 9.0), UpstreamUnavailable("503", 503)], ids=repr)
    def test_the_answers_are_kept_when_it_has_to_go_on_later(self, error: Exception) -> None:
        rig = self.rig({"bbbbb": [error, NotFound("404", 404)]})
        lister = TargetLister(rig.services, PATH)
        lister.targets(TITLES)
        with pytest.raises(type(error)):
            lister.ask_for(self.USERS, ["aaaaa", "bbbbb"])
        lister = TargetLister(rig.services, PATH)
        assert len(lister.targets(TITLES)) == 5
        assert lister.ask_for(self.USERS, ["aaaaa", "bbbbb"]) == ([], {"aaaaa", "bbbbb"})
        assert self.asked == ["aaaaa", "bbbbb", "bbbbb"]

    def test_a_refused_credential_proves_nothing(self) -> None:
        rig = self.rig({"aaaaa": AccessRefused("403", 403)})
        with pytest.raises(AccessRefused):
            TargetLister(rig.services, PATH).ask_for(self.USERS, ["aaaaa"])

    def test_of_more_than_can_be_asked_for_nothing_is_said(self) -> None:
        ids = [f"{number:05d}" for number in range(MOST_ASKED_FOR + 5)]
        found, gone = TargetLister(self.rig({}).services, PATH).ask_for(self.USERS, ids)
        assert (found, gone) == ([], set(ids[:MOST_ASKED_FOR]))

    def test_other_records_cannot_be_asked_for_and_two_listings_are_proof(self) -> None:
        rig = self.rig({})
        assert TargetLister(rig.services, PATH).ask_for(TITLES, [7, 8]) == ([], {7, 8})
        assert self.asked == []

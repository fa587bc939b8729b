"""Records change places while SafetyAmp is listed: nobody is created twice, and nobody is lost sight of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.company.model import vista_date
from shared.queries.explain import explain
from shared.queries.search import search
from tests.doubles.shifting import (
    KEYS,
    Act,
    Meddler,
    deletes_the_first,
    forget_state,
    inserts_at_the_front,
    keys_of,
    paged_company,
    reverses_the_order,
    turns_the_order,
)
from tests.e2e.rig import START, Rig

ACTS = (deletes_the_first, turns_the_order, reverses_the_order, inserts_at_the_front)
NOT_LISTED = "not in SafetyAmp's last listing"

by_resource = pytest.mark.parametrize("resource", KEYS)
by_act = pytest.mark.parametrize("act", ACTS, ids=[act.__name__ for act in ACTS])


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, paged_company())
    yield rig
    rig.close()


@pytest.fixture
def loaded(rig: Rig) -> Rig:
    """After a first load."""
    assert rig.run().report["phase"] == "done"
    return rig


@pytest.fixture
def meddler(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Meddler:
    return Meddler(monkeypatch, rig)


def reported(report: dict[str, Any], entity: str) -> dict[str, str]:
    """What the report says of records that the last listing lacked, by key."""
    problems = report["entities"][entity]["problems"]
    return {problem["key"]: problem["reason"] for problem in problems if NOT_LISTED in problem["reason"]}


def hide(rig: Rig, meddler: Meddler, number: int) -> str:
    """Let the next listing of users miss this employee: it stands first on the second page, and a record of
    the first page is deleted. Returns the user's id."""
    dumped = rig.safetyamp.dump()
    rows = dumped["rows"]["users"]
    place = next(place for place, row in enumerate(rows) if row["emp_id"] == str(number))
    rows.insert(25, rows.pop(place))
    rig.safetyamp.load(dumped)
    meddler.after(0, "users", deletes_the_first)
    hidden: str = rig.user(number)["id"]
    return hidden


@by_act
@by_resource
def test_what_one_listing_misses_is_not_created_again(
    loaded: Rig, meddler: Meddler, resource: str, act: Act
) -> None:
    before = keys_of(loaded, resource)
    meddler.after(0, resource, act)
    loaded.run(refresh=True)
    assert meddler.done == 1
    assert not keys_of(loaded, resource) - before
    # What was deleted in truth, after its page was read, is there again after two listings that lack it.
    loaded.run(refresh=True)
    loaded.run(refresh=True)
    assert keys_of(loaded, resource) == before


@by_resource
def test_two_shifted_listings_in_a_row_hide_different_records(
    loaded: Rig, meddler: Meddler, resource: str
) -> None:
    before = keys_of(loaded, resource)
    for _ in range(2):
        meddler.after(0, resource, deletes_the_first)
        loaded.run(refresh=True)
        assert not keys_of(loaded, resource) - before
    assert meddler.done == 2
    loaded.run(refresh=True)
    loaded.run(refresh=True)
    assert keys_of(loaded, resource) == before


@by_act
@by_resource
def test_without_a_state_a_shifted_listing_makes_no_duplicate(
    loaded: Rig, meddler: Meddler, resource: str, act: Act
) -> None:
    """Nobody is known, so that what is not found is created: therefore it is looked for twice."""
    before = keys_of(loaded, resource)
    forget_state(loaded)
    meddler.after(0, resource, act)
    loaded.run()
    assert meddler.done == 1
    assert not keys_of(loaded, resource) - before
    loaded.run(refresh=True)
    loaded.run(refresh=True)
    assert keys_of(loaded, resource) == before


@by_resource
def test_an_interrupted_listing_shifts_all_the_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resource: str
) -> None:
    """Two pages a window: the pages that are kept are minutes old when the last one is read."""
    rig = Rig(tmp_path, paged_company())
    rig.run()
    before = keys_of(rig, resource)
    rig.close()
    narrow = Rig(tmp_path, rig.company, limit=8, API_RATE_LIMIT_RESERVE="6")
    narrow.safetyamp.load(rig.safetyamp.dump())
    for path in rig.documents.list("state/"):
        document = rig.documents.read(path)
        assert document is not None
        narrow.documents.write(path, document.data)
    meddler = Meddler(monkeypatch, narrow)
    for state_is_lost in (False, True):
        if state_is_lost:
            forget_state(narrow)
        meddler.after(0, resource, deletes_the_first)
        narrow.run(refresh=True)
        assert not keys_of(narrow, resource) - before
    assert meddler.done == 2
    narrow.close()


class TestALeaverWhomTheListingLacks:
    NUMBER = 1040

    def test_loses_access_and_is_reported(self, loaded: Rig, meddler: Meddler) -> None:
        hidden = hide(loaded, meddler, self.NUMBER)
        loaded.person(self.NUMBER)["TermDate"] = vista_date(START.date())
        loaded.publish()
        ran = loaded.run(refresh=True)
        assert meddler.done == 1
        assert loaded.user(self.NUMBER)["system_access"] in (0, False)
        assert f"PATCH /api/users/{hidden}" in ran.writes
        assert hidden in reported(ran.report, "employees")[str(self.NUMBER)]

    def test_loses_access_in_a_later_run_too(self, loaded: Rig, meddler: Meddler) -> None:
        hide(loaded, meddler, self.NUMBER)
        loaded.run(refresh=True)
        loaded.person(self.NUMBER)["TermDate"] = vista_date(START.date())
        loaded.publish()
        loaded.run()
        assert loaded.user(self.NUMBER)["system_access"] in (0, False)


def test_explain_and_search_say_of_a_record_that_it_was_not_listed(loaded: Rig, meddler: Meddler) -> None:
    hidden = hide(loaded, meddler, 1040)
    loaded.run(refresh=True)
    answer = explain(loaded.stack.runtime, "employees", "1040")
    assert answer is not None
    said = f"{NOT_LISTED}, known as id {hidden}"
    assert any(said in line for line in answer["summary"])
    assert answer["safetyamp"]["not_listed_since_run"] is not None
    [found] = search(loaded.stack.runtime, "employees", "Worker1040")["found"]
    assert said in found["note"]
    loaded.run(refresh=True)
    answer = explain(loaded.stack.runtime, "employees", "1040")
    assert answer is not None
    assert answer["safetyamp"]["not_listed_since_run"] is None
    [found] = search(loaded.stack.runtime, "employees", "Worker1040")["found"]
    assert "note" not in found


class TestAUserWhomTwoListingsLack:
    """Is asked for by id before anything is created."""

    def test_and_who_is_there_stays_the_one_user(self, loaded: Rig, meddler: Meddler) -> None:
        before = keys_of(loaded, "users")
        for _ in range(2):
            hidden = hide(loaded, meddler, 1040)
            ran = loaded.run(refresh=True)
        assert meddler.done == 2
        assert f"/api/users/{hidden}" in ran.listings
        assert not keys_of(loaded, "users") - before
        assert loaded.user(1040)["id"] == hidden

    def test_and_who_was_deleted_is_created_anew(self, loaded: Rig) -> None:
        loaded.safetyamp.remove("users", loaded.user(1040)["id"])
        first, second = loaded.run(refresh=True), loaded.run(refresh=True)
        assert (first.entity("employees")["created"], second.entity("employees")["created"]) == (0, 1)
        assert loaded.run(refresh=True).writes == []

    def test_a_404_to_an_update_beside_one_listing_is_proof_enough(self, loaded: Rig) -> None:
        loaded.safetyamp.remove("users", loaded.user(1040)["id"])
        loaded.run(refresh=True)
        loaded.person(1040)["Address"] = "5 Other Street"
        loaded.publish()
        problems = loaded.run().entity("employees")["problems"]
        assert any("no longer has this record" in problem["reason"] for problem in problems)
        assert loaded.run().entity("employees")["created"] == 1


def test_a_record_that_was_changed_by_hand_and_missed_is_known_as_it_was(
    loaded: Rig, meddler: Meddler
) -> None:
    """What is sent for it is what differs from what was known; the next listing shows the rest."""
    hidden = hide(loaded, meddler, 1040)
    loaded.person(1040)["Address"] = "5 Other Street"
    loaded.publish()
    loaded.run(refresh=True)
    assert loaded.user(1040)["street"] == "5 Other Street"
    assert loaded.user(1040)["id"] == hidden
    # It has answered: it counts as listed.
    answer = explain(loaded.stack.runtime, "employees", "1040")
    assert answer is not None
    assert answer["safetyamp"]["not_listed_since_run"] is None


def test_planning_that_asks_for_users_by_id_goes_on_where_it_was(tmp_path: Path) -> None:
    """Two calls a window, five users that two listings lack."""
    rig = Rig(tmp_path, paged_company())
    rig.run()
    missing = [rig.user(number)["id"] for number in range(1030, 1035)]
    rig.close()
    narrow = Rig(tmp_path, rig.company, limit=8, API_RATE_LIMIT_RESERVE="6", GUARD_MAX_PERCENT="100")
    narrow.safetyamp.load(rig.safetyamp.dump())
    for path in rig.documents.list("state/"):
        document = rig.documents.read(path)
        assert document is not None
        narrow.documents.write(path, document.data)
    for target_id in missing:
        narrow.safetyamp.remove("users", target_id)
    narrow.run(entities=("employees",), refresh=True)
    ran = narrow.run(entities=("employees",), refresh=True)
    assert ran.entity("employees")["created"] == len(missing)
    assert sorted(path for path in ran.listings if path.startswith("/api/users/")) == sorted(
        f"/api/users/{target_id}" for target_id in missing
    )
    assert ran.listings.count("/api/users") == len({*range(4)}), "pages were read again"
    narrow.close()

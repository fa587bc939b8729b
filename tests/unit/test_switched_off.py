"""The document of those whom the sync has switched off."""

from __future__ import annotations

from typing import Any

import pytest

from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from shared.storage.documents import read_json, to_json
from shared.sync import paths
from shared.sync.documents.change import Beside, Change
from shared.sync.documents.outcome import Outcome, Result, Written
from shared.sync.documents.state import UNKNOWN, EntityState, Entry
from shared.sync.documents.switched_off import SwitchedOff, note_switched_off, note_to_be_switched_off


def done(key: str, result: Result, access: int | None, **more: Any) -> Outcome:
    action = {"deactivated": "deactivate", "failed": "deactivate"}.get(result, "update")
    fields = {} if access is None else {"system_access": access}
    return Outcome(key, action, result, "d", target_id=f"u{key}", fields=fields, at="now", **more)


@pytest.fixture
def documents() -> MemoryDocuments:
    return MemoryDocuments(FakeClock())


def noted(documents: MemoryDocuments) -> set[str]:
    document = read_json(documents, paths.SWITCHED_OFF)
    return set(document["users"]) if document else set()


def state_with(**access: int | None) -> EntityState:
    state = EntityState("employees")
    for key, value in access.items():
        state.put(key, Entry(key, None, {"system_access": value}, {}))
    return state


def test_who_was_switched_off_is_noted_with_run_and_key(documents: MemoryDocuments) -> None:
    note_switched_off(documents, [done("1", "deactivated", 0)], None, "run-1")
    assert read_json(documents, paths.SWITCHED_OFF)["users"] == {
        "u1": {"run": "run-1", "at": "now", "key": "1"}
    }
    known = SwitchedOff(documents)
    assert (known.by_sync("u1"), known.by_sync("u2"), known.run_of("u1")) == (True, False, "run-1")


def test_noting_again_changes_nothing(documents: MemoryDocuments) -> None:
    outcomes = [done("1", "deactivated", 0)]
    note_switched_off(documents, outcomes, state_with(u1=1), "run-1")
    document = documents.read(paths.SWITCHED_OFF)
    note_switched_off(documents, outcomes, state_with(u1=1), "run-1")
    assert documents.read(paths.SWITCHED_OFF) == document


def test_an_ordinary_run_writes_nothing(documents: MemoryDocuments) -> None:
    note_switched_off(documents, [done("1", "updated", None)], state_with(u1=1), "run-1")
    assert documents.read(paths.SWITCHED_OFF) is None


@pytest.mark.parametrize(
    ("outcomes", "access", "left"),
    [
        ([done("1", "reactivated", 1)], 0, set()),
        ([], 1, set()),
        ([], 0, {"u1"}),
        ([], None, {"u1"}),
        ([done("1", "updated", None)], 0, {"u1"}),
        ([done("1", "deactivated", 0)], 1, {"u1"}),
    ],
    ids=[
        "switched on by us",
        "seen with access",
        "seen without",
        "access unknown",
        "another field was changed",
        "off again",
    ],
)
def test_the_entry_goes_when_access_comes_back(
    documents: MemoryDocuments, outcomes: list[Outcome], access: int | None, left: set[str]
) -> None:
    note_switched_off(documents, [done("1", "deactivated", 0)], None, "run-1")
    note_switched_off(documents, outcomes, state_with(u1=access), "run-2")
    assert noted(documents) == left


def at(target_id: str) -> Beside:
    return {"key": None, "target_id": target_id, "fields": {}, "core": {}, "fresh": []}


def test_a_user_written_to_beside_counts(documents: MemoryDocuments) -> None:
    beside: list[Written] = [{"key": None, "target_id": "u9", "fields": {"system_access": 0}}]
    note_switched_off(documents, [done("1", "deactivated", 0, beside=beside)], None, "run-1")
    assert noted(documents) == {"u1", "u9"}


def test_a_switching_off_whose_fate_is_unknown_counts_and_other_failures_do_not(
    documents: MemoryDocuments,
) -> None:
    failed = Outcome("2", "update", "failed", "d", target_id="u2")
    note_switched_off(documents, [done("1", "failed", None), failed], None, "run-1")
    assert noted(documents) == {"u1"}


def test_who_is_to_be_switched_off_is_noted_before(documents: MemoryDocuments) -> None:
    leaver = Change("1", "deactivate", "u1", {"system_access": 0}, {}, {}, "d", beside=[at("u9")])
    mover = Change("2", "update", "u2", {"city": "Coast"}, {}, {}, "d", beside=[at("u3")])
    note_to_be_switched_off(documents, [mover], "run-1", "now")
    assert documents.read(paths.SWITCHED_OFF) is None
    note_to_be_switched_off(documents, [leaver, mover], "run-1", "now")
    assert noted(documents) == {"u1", "u9"}
    before = documents.read(paths.SWITCHED_OFF)
    note_to_be_switched_off(documents, [leaver], "run-2", "later")
    assert documents.read(paths.SWITCHED_OFF) == before


def test_who_was_noted_and_still_has_access_is_forgotten_also_a_twin(documents: MemoryDocuments) -> None:
    leaver = Change("1", "deactivate", "u1", {"system_access": 0}, {}, {}, "d", beside=[at("u9")])
    note_to_be_switched_off(documents, [leaver], "run-1", "now")
    state = state_with(u1=1)
    state.note_stray("u9", "1", {"system_access": 1})
    note_switched_off(documents, [], state, "run-1")
    assert noted(documents) == set()


def test_who_may_be_off_stays_noted(documents: MemoryDocuments) -> None:
    note_switched_off(documents, [done("1", "deactivated", 0)], None, "run-1")
    state = EntityState("employees")
    state.put("u1", Entry("u1", None, {"system_access": 1}, {UNKNOWN: {"system_access": 0}}))
    note_switched_off(documents, [], state, "run-2")
    assert noted(documents) == {"u1"}


@pytest.mark.parametrize(("before", "access", "left"), [(None, 0, {"u9"}), (0, 1, {"u9"})])
def test_what_was_written_beside_without_an_answer_counts_only_as_off(
    documents: MemoryDocuments, before: int | None, access: int, left: set[str]
) -> None:
    if before == 0:
        note_switched_off(documents, [done("9", "deactivated", 0)], None, "run-0")
    fields = {"system_access": access}
    beside: list[Written] = [{"key": None, "target_id": "u9", "fields": fields, "unknown": True}]
    note_switched_off(documents, [Outcome("1", "any", "failed", "d", beside=beside)], None, "run-1")
    assert noted(documents) == left


@pytest.mark.parametrize("odd", [[], {"version": 1}, {"users": []}, "x", {"users": {"u1": 7}}], ids=repr)
def test_an_odd_document_is_no_trouble(documents: MemoryDocuments, odd: Any) -> None:
    documents.write(paths.SWITCHED_OFF, to_json(odd))
    SwitchedOff(documents).run_of("u1")
    note_switched_off(documents, [done("2", "deactivated", 0)], None, "run-1")
    assert "u2" in noted(documents)


def test_a_damaged_document_is_begun_anew(documents: MemoryDocuments) -> None:
    documents.write(paths.SWITCHED_OFF, b'{"users": {"u1"')
    assert SwitchedOff(documents).by_sync("u1") is False
    note_switched_off(documents, [done("2", "deactivated", 0)], None, "run-1")
    assert noted(documents) == {"u2"}

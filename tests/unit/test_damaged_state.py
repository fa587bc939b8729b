"""Whatever one value of a state document is replaced by: planning goes on, with that state or a new one."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.state import EntityState, Entry, Place, decode_state
from tests.unit.planning_rig import PlanningRig, a_leaver, a_person

DAMAGES: list[Any] = [None, 1.5, "x", [{}], {"x": {}}]
MOMENT = "2026-01-05T10:00:00+00:00"
NUMBERS = range(1, 7)


def a_company() -> PlanningRig:
    rig = PlanningRig("employees")
    rig.hire(*map(a_person, (1, 2, 4, 5, 6)), a_leaver(3))
    rig.list_users(*NUMBERS)
    return rig


@cache
def digests() -> dict[str, str | None]:
    """Those of today's records."""
    rig = a_company()
    state = decode_state("employees", read_json(rig.documents, rig.plan()["base"]))
    assert state is not None
    return {key: record[1] for key, record in state.records.items()}


def a_rig() -> PlanningRig:
    """People of whom all is remembered that can be, one of them a leaver."""
    rig = a_company()
    state = rig.know_users(*NUMBERS, digest=None)
    for key, flags in FLAGS.items():
        entry = state.entry(key)
        assert entry is not None
        of_today = json.loads(json.dumps(flags).replace("DIGEST", digests()[key] or ""))
        state.put(key, Entry(entry.target_id, None, entry.fields, of_today))
    state.records["5"][1], state.records["6"][1] = digests()["5"], digests()["6"]
    state.ambiguous["9"] = ["u9", "v9"]
    state.note_stray("u9", "9", {"email": "nine@x.example", "last_name": "Nine"})
    state.note_stray("s1", None, {"email": "p1@home.example"})
    state.missing["u4"] = "20260105-100000-aaaaaa"
    state.moved["8"], state.moved["2"] = Place("u1", "1"), Place("u2", None)
    state.rekeyed["u5"] = "20260105-100000-aaaaaa"
    state.unasked["20260105-100000-aaaaaa/p"] = {"at": MOMENT, "deactivate": 1, "reactivate": 0}
    state.source_counts = {"Vista employees": 6}
    rig.know(state)
    return rig


FLAGS: dict[str, Any] = {
    "1": {
        "failure": {
            "digest": "DIGEST",
            "errors": {"city": ["too long"], "email": ["taken"]},
            "since": MOMENT,
            "at": MOMENT,
            "by": {"email": "u9"},
        }
    },
    "2": {"rejected": {"city": "d"}, "taken": {"email": {"digest": "d", "by": "u9"}}, "noted": True},
    "3": {"off_by": "20260105-100000-aaaaaa", "unknown": {"city": "Houma", "email": "x@x.example"}},
    "4": {"gone": "unsure", "unsure_at": MOMENT},
    "5": {"notes": {"DIGEST": [["city", "odd"], [None, "odd"]]}, "note_causes": {"DIGEST": ["a", None]}},
}


def places(value: Any, *at: Any) -> Iterator[tuple[Any, ...]]:
    """Where something is that can be damaged."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    for name, inner in items:
        yield from places(inner, *at, name)


def damaged(document: Any, at: tuple[Any, ...], damage: Any) -> Any:
    if not at:
        return damage
    document = copy.deepcopy(document)
    inner = document
    for name in at[:-1]:
        inner = inner[name]
    inner[at[-1]] = damage
    return document


@pytest.mark.parametrize("damage", DAMAGES, ids=repr)
def test_no_damage_to_one_value_keeps_an_entity_from_being_planned(damage: Any) -> None:
    rig = a_rig()
    path = paths.state("employees")
    document = read_json(rig.documents, path)
    ended: dict[str, str] = {}
    for at in places(document):
        try:
            rig = a_rig()
            rig.put(path, damaged(document, at, damage))
            rig.plan()
        except Exception as error:
            ended[".".join(map(str, at))] = repr(error)
    assert ended == {}


@pytest.mark.parametrize("damage", DAMAGES, ids=repr)
def test_nor_does_one_to_a_field(damage: Any) -> None:
    ended: dict[str, str] = {}
    fields = a_rig().know_users(1).entry("1")
    assert fields is not None
    for name in fields.fields:
        rig = a_rig()
        state = rig.state()
        assert state is not None
        for key in map(str, NUMBERS):
            entry = state.entry(key)
            assert entry is not None
            state.put(key, Entry(entry.target_id, entry.digest, {**entry.fields, name: damage}, entry.flags))
        rig.know(state)
        try:
            rig.plan()
        except Exception as error:
            ended[name] = repr(error)
    assert ended == {}


@pytest.mark.parametrize("damage", [*DAMAGES, ["x"], [1, 2], [1, "x"]], ids=repr)
def test_nor_does_one_to_a_record_without_key(damage: Any) -> None:
    rig = PlanningRig("departments")
    state = EntityState("departments")
    state.add_unmatched("20", 9, {"name": "20 - Roofs"})
    document = json.loads(json.dumps(state.to_json()))
    document["unmatched"]["20"][0] = damage
    rig.put(paths.state("departments"), document)
    rig.plan()

"""What an operator paused: one document that is changed by several, and that may be damaged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from shared.errors import UnreadableDocument
from shared.sync import paths
from shared.sync.documents.control import Pause, add_pauses, read_pauses, remove_pauses
from shared.sync.model import ENTITIES

AT = "2026-01-05T06:00:00+00:00"
MOVING = Pause(AT, "moving house", "pat")


@pytest.fixture
def documents() -> MemoryDocuments:
    return MemoryDocuments(FakeClock())


def stored(documents: MemoryDocuments) -> Any:
    found = documents.read(paths.CONTROL)
    return found and json.loads(found.data)


def test_nothing_is_paused_before_somebody_pauses_it(documents: MemoryDocuments) -> None:
    assert read_pauses(documents) == {}


def test_a_pause_is_for_the_entities_named_until_they_are_resumed(documents: MemoryDocuments) -> None:
    assert add_pauses(documents, ["jobs", "titles"], MOVING) == {"jobs": MOVING, "titles": MOVING}
    assert remove_pauses(documents, ["jobs"]) == {"titles": MOVING} == read_pauses(documents)
    assert remove_pauses(documents, ["titles"]) == {} == read_pauses(documents)


def test_what_is_paused_keeps_its_first_reason(documents: MemoryDocuments) -> None:
    add_pauses(documents, ["jobs"], MOVING)
    after = add_pauses(documents, ["jobs", "titles"], later := Pause(AT, "something else"))
    assert after == {"jobs": MOVING, "titles": later}


def test_resuming_what_is_not_paused_writes_nothing(documents: MemoryDocuments) -> None:
    add_pauses(documents, ["jobs"], MOVING)
    before = documents.read(paths.CONTROL)
    remove_pauses(documents, ["titles"])
    assert documents.read(paths.CONTROL) == before


def test_its_text_tells_when_why_and_how_to_end_it_and_not_who(documents: MemoryDocuments) -> None:
    text = MOVING.about("jobs")
    assert text == "jobs is paused since 2026-01-05 06:00 UTC: moving house. POST /api/resume/jobs ends that"


def test_what_a_newer_release_paused_beside_is_not_ours(documents: MemoryDocuments) -> None:
    add_pauses(documents, ["jobs"], MOVING)
    value = stored(documents)
    value["paused"]["equipment"] = value["paused"]["jobs"]
    value["until"] = "later"
    documents.write(paths.CONTROL, json.dumps(value).encode())
    assert read_pauses(documents) == {"jobs": MOVING}


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"paused": 7}', b'{"paused": {"jobs": {}}}'])
class TestDamaged:
    def test_nobody_goes_on_without_knowing(self, documents: MemoryDocuments, damage: bytes) -> None:
        documents.write(paths.CONTROL, damage)
        with pytest.raises(UnreadableDocument, match="resume all entities") as raised:
            read_pauses(documents)
        assert raised.value.path == paths.CONTROL

    def test_fewer_than_all_cannot_be_told(self, documents: MemoryDocuments, damage: bytes) -> None:
        documents.write(paths.CONTROL, damage)
        with pytest.raises(UnreadableDocument, match="resume all entities"):
            add_pauses(documents, ["jobs"], MOVING)
        with pytest.raises(UnreadableDocument, match="resume all entities"):
            remove_pauses(documents, ["jobs"])
        found = documents.read(paths.CONTROL)
        assert found is not None
        assert found.data == damage

    def test_resuming_all_writes_it_anew(self, documents: MemoryDocuments, damage: bytes) -> None:
        documents.write(paths.CONTROL, damage)
        assert remove_pauses(documents, ENTITIES) == {}
        assert read_pauses(documents) == {}

    def test_so_does_pausing_all(self, documents: MemoryDocuments, damage: bytes) -> None:
        documents.write(paths.CONTROL, damage)
        assert set(add_pauses(documents, ENTITIES, MOVING)) == set(ENTITIES) == set(read_pauses(documents))

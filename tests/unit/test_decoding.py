"""The one decoder: known members only, defaults for what is missing, one typed error for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict

import pytest

from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from shared.errors import UnreadableDocument
from shared.notices.episodes import NOTICES, book_from_json
from shared.queries.dead_letters import list_dead_letters
from shared.storage.decoding import Time, decode
from shared.storage.documents import from_json, read_document, read_json, to_json, update_json
from shared.sync import paths
from shared.sync.documents.active import active_run_id, peek_active
from shared.sync.documents.control import read_pauses
from shared.sync.documents.outcome import read_outcomes
from shared.sync.documents.plans import plan_at, read_batch
from shared.sync.documents.progress import read_progress
from shared.sync.documents.runs import read_run
from shared.sync.documents.state import decode_state
from shared.sync.planning.lookups import read_lookup
from shared.sync.runs.report import read_report
from shared.sync.runs.totals import read_totals
from tests.unit.engine_rig import EngineRig

OLD = Path(__file__).parents[1] / "fixtures" / "documents-0.1.0"


@dataclass(frozen=True)
class Inner:
    name: str
    colour: Literal["red", "blue"] = "red"


@dataclass(frozen=True)
class Outer:
    count: int
    ratio: float = 1.0
    at: Time | None = None
    inner: list[Inner] = field(default_factory=list)
    texts: tuple[str, ...] = ()
    any: dict[str, Any] = field(default_factory=dict)
    open: Mapping[str, object] = field(default_factory=dict)


class Loose(TypedDict):
    inner: Inner


def test_members_that_nobody_knows_do_not_matter() -> None:
    value = {"count": 1, "new": [], "inner": [{"name": "a", "colour": "blue", "new": 1}], "texts": ["x"]}
    assert decode(Outer, value, "x.json") == Outer(1, inner=[Inner("a", "blue")], texts=("x",))


@pytest.mark.parametrize("value", [None, True, 1, "x", [1], {"a": {}}], ids=repr)
def test_a_value_of_which_nothing_is_known_is_taken_as_it_is(value: Any) -> None:
    assert decode(Outer, {"count": 1, "open": {"a": value}}, "x.json").open == {"a": value}


def test_a_typed_dictionary_keeps_what_nobody_knows() -> None:
    assert decode(Loose, {"inner": {"name": "a"}, "new": 1}, "x.json") == {"inner": Inner("a"), "new": 1}


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "an object was expected and null is there"),
        ([], "an object was expected and a list is there"),
        ("secret", "an object was expected and a text is there"),
        (7, "an object was expected and a whole number is there"),
        ({}, "has no count"),
        ({"count": True}, "count: a whole number was expected and true or false is there"),
        ({"count": 1.0}, "count: a whole number was expected and a number is there"),
        ({"count": "secret"}, "count: a whole number was expected and a text is there"),
        ({"count": 1, "ratio": None}, "ratio: a number was expected and null is there"),
        ({"count": 1, "at": "secret"}, "at: is not what this version writes"),
        ({"count": 1, "at": "2026-03-02T12:03:05"}, "at: is not what this version writes"),
        ({"count": 1, "inner": {}}, "inner: a list was expected and an object is there"),
        ({"count": 1, "inner": [{"name": "a"}, {}]}, "inner.1: has no name"),
        ({"count": 1, "inner": [{"name": "a", "colour": "secret"}]}, "inner.0.colour: is none of"),
        ({"count": 1, "inner": [{"name": "a", "colour": []}]}, "inner.0.colour: is none of"),
        ({"count": 1, "any": []}, "any: an object was expected and a list is there"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_without_its_value(value: Any, why: str) -> None:
    with pytest.raises(UnreadableDocument) as raised:
        decode(Outer, value, "x.json")
    assert (raised.value.path, why in raised.value.why) == ("x.json", True), raised.value.why
    assert "secret" not in str(raised.value)


def test_half_a_character_does_not_keep_a_document_from_being_stored() -> None:
    assert from_json(to_json({"text": "a\ud83d", "\udc00": 1})) == {"text": "a\ufffd", "\ufffd": 1}


class TestUpdating:
    @pytest.fixture
    def documents(self) -> MemoryDocuments:
        return MemoryDocuments(FakeClock())

    @pytest.mark.parametrize("content", [b"", b"null", b"x", b"\x1f\x8b\x08"])
    def test_what_cannot_be_read_is_replaced_only_where_that_is_meant(
        self, documents: MemoryDocuments, content: bytes
    ) -> None:
        documents.write("x.json", content)
        with pytest.raises(UnreadableDocument, match="document x"):
            update_json(documents, "x.json", lambda _: {"n": 1})
        assert update_json(documents, "x.json", lambda value: {"was": value}, lost=lambda _: 7) == {"was": 7}
        assert read_json(documents, "x.json") == {"was": 7}

    def test_a_document_that_was_mended_meanwhile_is_not_replaced(self, documents: MemoryDocuments) -> None:
        documents.write("x.json", b"x")

        def change(value: Any) -> Any:
            if value is None:
                documents.write("x.json", b'{"n":1}')
                return {"n": 0}
            return None

        assert update_json(documents, "x.json", change, lost=lambda _: None) == {"n": 1}


class TestDocumentsOfRelease010:
    """A small run's documents as that release wrote them; they must be readable for ever."""

    RUNS = ("RUN-1", "RUN-2")

    @pytest.fixture
    def rig(self) -> EngineRig:
        rig = EngineRig()
        for file in OLD.rglob("*"):
            if file.is_file():
                rig.documents.write(file.relative_to(OLD).as_posix(), file.read_bytes())
        return rig

    def test_all_are_there(self, rig: EngineRig) -> None:
        assert len(list(rig.documents.list(""))) == 34

    @pytest.mark.parametrize("entity", ["departments", "jobs", "titles", "employees", "vehicles"])
    def test_states(self, rig: EngineRig, entity: str) -> None:
        state = decode_state(entity, read_document(rig.documents, paths.state(entity), dict[str, Any]))
        assert state is not None
        assert state.records
        assert all(state.entry(key) is not None for key in state.records)

    def test_bases(self, rig: EngineRig) -> None:
        found = [path for path in rig.documents.list("runs/") if "/base/" in path]
        assert len(found) == 3
        for path in found:
            assert decode_state(path.split("/")[2], read_json(rig.documents, path), path) is not None

    def test_plans_and_batches(self, rig: EngineRig) -> None:
        found = [path for path in rig.documents.list("runs/") if path.endswith("plan.json")]
        plans = {path: plan_at(rig.documents, path) for path in found}
        assert len(found) == 7
        plan = plans[paths.plan("RUN-1", "employees")]
        assert plan is not None
        changes = read_batch(rig.documents, "RUN-1", "employees", plan.plan_id, 1)
        assert [change.action for change in changes] == ["create", "update"]

    def test_a_run_with_its_progress_outcome_and_report(self, rig: EngineRig) -> None:
        run = read_run(rig.documents, "RUN-1")
        progress = read_progress(rig.documents, "RUN-1", "employees", 1)
        outcomes = read_outcomes(rig.documents, "RUN-1", "employees", 1)
        report = read_report(rig.documents, "RUN-1")
        assert run is not None
        assert progress is not None
        assert outcomes is not None
        assert report is not None
        assert (run.phase, run.entities["employees"].phase, report["phase"]) == ("done", "done", "done")
        assert [outcome.result for outcome in outcomes.outcomes] == ["created", "updated"]
        assert outcomes.reason is None

    def test_what_all_runs_share(self, rig: EngineRig) -> None:
        assert peek_active(rig.documents) is not None
        assert active_run_id(rig.documents) is None
        assert list(read_pauses(rig.documents)) == ["titles"]
        assert read_totals(rig.documents)["recent"]
        assert len(book_from_json(read_json(rig.documents, NOTICES), rig.clock.now()).open) == 1
        assert read_lookup(rig.documents, "roles")
        assert read_lookup(rig.documents, "asset_types")
        (letter,) = list_dead_letters(rig.services, 10, None).items
        assert letter["reason"] == "MaxDeliveryCountExceeded"

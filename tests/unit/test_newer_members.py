"""Documents of records with members that release 0.1.0 does not know: 0.1.0 can read them, and nothing is
lost to a release that knows the members."""

from __future__ import annotations

from typing import Any

import pytest

from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from shared.errors import UnreadableDocument
from shared.storage.documents import create_json, read_json
from shared.sync import paths
from shared.sync.documents.change import Change
from shared.sync.documents.outcome import Outcome, outcomes_to_json, read_outcomes
from shared.sync.documents.plans import batch_to_json, read_batch

CHANGE_0_1_0 = {"key", "action", "target_id", "fields", "before", "core", "digest", "warnings"}
OUTCOME_0_1_0 = {
    *("key", "action", "result", "digest", "target_id", "fields", "before", "adopted", "unsure", "dropped"),
    *("dropped_digests", "errors", "reason", "at"),
}
"""What a record may have: 0.1.0 gives up at anything else."""

PLAIN = Change("1", "update", "u1", {"city": "Delta"}, {"city": None}, {"email": "a@b.example"}, "d1")
RICH = Change(
    *("2", "update", "u2", {"mobile_phone": "+12255550101"}, {}, {"email": "c@d.example"}, "d2"),
    fresh=["email"],
    incomplete=True,
    holders={"email": "employee 3"},
    beside=[{"key": "3", "target_id": "u3", "fields": {"mobile_phone": None}, "core": {}, "fresh": []}],
)
OUTCOMES = [
    Outcome("1", "update", "updated", "d1", "u1", {"city": "Delta"}),
    Outcome(
        *("2", "update", "updated", "d2", "u2", {"mobile_phone": "+12255550101"}),
        taken={"email": "employee 3"},
        left_out={"title": "it is not there"},
        incomplete=True,
        list_anew=True,
        beside=[{"key": "3", "target_id": "u3", "fields": {"mobile_phone": None}}],
    ),
    Outcome("3", "update", "failed", "d3", reason="not tried: 401", not_tried=True),
]


@pytest.fixture
def documents() -> MemoryDocuments:
    documents = MemoryDocuments(FakeClock())
    create_json(documents, paths.batch("r", "employees", "p", 1), batch_to_json("employees", [PLAIN, RICH]))
    create_json(documents, paths.outcome("r", "employees", 1), outcomes_to_json(OUTCOMES))
    return documents


def test_release_0_1_0_finds_titles_by_their_name_and_this_one_by_their_key() -> None:
    documents, path = MemoryDocuments(FakeClock()), paths.batch("r", "titles", "p", 1)
    title = Change("night watch", "create", None, {"name": "Night Watch"}, {}, {}, "d1")
    create_json(documents, path, batch_to_json("titles", [title]))
    (record,) = read_json(documents, path)["changes"]
    assert (record["key"], record["digest"], set(record)) == ("Night Watch", "d1", CHANGE_0_1_0)
    assert read_batch(documents, "r", "titles", "p", 1) == [title]


def test_nothing_is_lost(documents: MemoryDocuments) -> None:
    assert read_batch(documents, "r", "employees", "p", 1) == [PLAIN, RICH]
    stored = read_outcomes(documents, "r", "employees", 1)
    assert stored is not None
    assert stored.outcomes == OUTCOMES


@pytest.mark.parametrize(
    ("path", "name", "known"),
    [
        (paths.batch("r", "employees", "p", 1), "changes", CHANGE_0_1_0),
        (paths.outcome("r", "employees", 1), "outcomes", OUTCOME_0_1_0),
    ],
)
def test_the_release_before_finds_what_it_knows_and_looks_again_at_what_it_does_not_see(
    documents: MemoryDocuments, path: str, name: str, known: set[str]
) -> None:
    plain, *rich = read_json(documents, path)[name]
    assert all(one.keys() <= known for one in (plain, *rich))
    assert (plain["digest"], {one["digest"] for one in rich}) == ("d1", {""})


def test_records_that_hold_their_newer_members_themselves_are_read(documents: MemoryDocuments) -> None:
    create_json(documents, paths.batch("r", "employees", "p", 2), {"changes": [RICH.to_json()]})
    assert read_batch(documents, "r", "employees", "p", 2) == [RICH]


@pytest.mark.parametrize("newer", [7, [], {"x": {}}, {"2": {}}, {"0": 7}, {"0": None}])
def test_what_belongs_to_no_record_makes_the_document_unreadable(
    documents: MemoryDocuments, newer: Any
) -> None:
    path = paths.batch("r", "employees", "p", 2)
    create_json(documents, path, {**batch_to_json("employees", [PLAIN, RICH]), "newer": newer})
    with pytest.raises(UnreadableDocument, match="newer"):
        read_batch(documents, "r", "employees", "p", 2)

"""Every document that a run rests on, damaged in every way in the middle of a run: the run ends, the next one
starts, and SafetyAmp is as if nothing had happened."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Paused, UnreadableDocument
from shared.storage.documents import read_json, to_json
from shared.sync import paths
from shared.sync.documents.active import active_run_id
from shared.sync.documents.control import remove_pauses
from shared.sync.documents.outcome import read_outcomes
from shared.sync.documents.runs import RunRequest, get_run
from shared.sync.messages import BatchMessage
from shared.sync.model import ENTITIES
from shared.sync.runs.batch_handler import give_up_batch
from shared.sync.runs.requests import request_run
from shared.sync.runs.stopping import pause
from shared.sync.runs.totals import TOTALS
from tests.e2e.rig import START, Rig
from tests.e2e.small_company import new_person, small_company

RENAMED, LEAVER = 1001, 1002
HIRED = range(1101, 1107)
LIMIT = 12
"""So few calls in a window that the work of a few people is several batches, each of several executions."""

RESERVE = 6
MOST_HOURS, MOST_DELIVERIES = 3, 600
"""A run takes some minutes and some fifty deliveries here, a sweep comes every five minutes."""


def a_rig(folder: Path) -> Rig:
    """After a first load; somebody has got another name since, somebody has left, and six were hired."""
    rig = Rig(folder, small_company(START.date(), 3), limit=LIMIT)
    rig.run()
    rig.person(RENAMED)["LastName"] = "Changed"
    rig.person(LEAVER)["TermDate"] = "2026-02-20"
    for number in HIRED:
        new_person(rig.company, number)
    rig.publish()
    return rig


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What SafetyAmp holds when nothing is damaged."""
    rig = a_rig(tmp_path_factory.mktemp("right"))
    assert rig.run().report["phase"] == "done"
    content = rig.content()
    rig.close()
    return content


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = a_rig(tmp_path)
    yield rig
    rig.close()


# -- damages ---------------------------------------------------------------------------------------------


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut off": lambda data: cut(to_json(parsed(data))[:20_000]),
    "compressed and cut off": lambda data: cut(gzip.compress(json.dumps(parsed(data)).encode())),
    "no JSON": lambda _: b"x\n",
    "no text": lambda _: b"\xff\xfe\x00",
    "too deep": lambda _: b"[" * 100_000,
    "a list": lambda _: b"[]",
    "a number": lambda _: b"7",
    "null": lambda _: b"null",
    "a text": lambda _: b'"x"',
    "without members": lambda _: b"{}",
    "its version only": lambda _: b'{"version": 1}',
}


def without_zones(data: bytes) -> bytes:
    """Of a moment without one nobody can say how long ago it was."""
    return json.dumps(parsed(data)).replace("+00:00", "").encode()


def parsed(data: bytes) -> Any:
    return json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)


def damage(rig: Rig, path: str, how: Callable[[bytes], bytes]) -> None:
    """Somebody's disk, hand or script: past the leases."""
    document = rig.documents.read(path)
    assert document is not None, f"there is no {path} to damage"
    with rig.documents._exclusive():
        rig.documents._store(path, how(document.data))


# -- moments ---------------------------------------------------------------------------------------------


def begin(
    rig: Rig, path_of: Callable[[str], str], when: Callable[[Any], bool], **request: Any
) -> tuple[str, str]:
    """A run that has come so far that the document at `path_of(run)` is there and `when` holds of it; its
    id, and the path."""
    run_id = request_run(rig.stack.runtime, RunRequest(**request))

    def there() -> bool:
        path = next((path for path in rig.documents.list(folder) if path.startswith(path_of(run_id))), None)
        document = path and rig.documents.read(path)
        return bool(document and document.data) and when(read_json(rig.documents, path or ""))

    folder = path_of(run_id).rpartition("/")[0] + "/"
    rig.until(there)
    return run_id, next(path for path in rig.documents.list(folder) if path.startswith(path_of(run_id)))


def in_hand(rig: Rig) -> str:
    """A run whose first batch of employees has come half way; its id."""
    return begin(rig, of_employees("progress/0001"), half_way)[0]


def of_employees(name: str) -> Callable[[str], str]:
    return lambda run_id: f"runs/{run_id}/employees/{name}"


def half_way(progress: Any) -> bool:
    created = any(outcome["result"] == "created" for outcome in progress["outcomes"])
    return created and len(progress["outcomes"]) < LIMIT - RESERVE


def anyhow(_: Any) -> bool:
    return True


Moment = Callable[[Rig], tuple[str, str]]

MOMENTS: dict[str, Moment] = {
    "active": lambda rig: (in_hand(rig), paths.ACTIVE),
    "run": lambda rig: (run_id := in_hand(rig), paths.run(run_id)),
    "plan before its batches": lambda rig: begin(rig, of_employees("plan.json"), anyhow),
    "plan": lambda rig: (run_id := in_hand(rig), paths.plan(run_id, "employees")),
    "batch before it is begun": lambda rig: begin(rig, of_employees("batches/"), anyhow),
    "batch": lambda rig: (run_id := in_hand(rig), next(rig.documents.list(of_employees("batches/")(run_id)))),
    "base": lambda rig: begin(rig, of_employees("base/"), anyhow, refresh=True),
    "progress": lambda rig: (run_id := in_hand(rig), paths.progress(run_id, "employees", 1)),
    "outcome": lambda rig: begin(rig, of_employees("outcomes/0001"), anyhow),
    "last outcome": lambda rig: begin(rig, of_employees("outcomes/0002"), anyhow),
    "state": lambda rig: (in_hand(rig), paths.state("employees")),
    "state of another entity": lambda rig: (in_hand(rig), paths.state("jobs")),
    "lookup": lambda rig: (in_hand(rig), paths.lookup("roles")),
    "totals": lambda rig: (in_hand(rig), TOTALS),
}


# -- what must be ----------------------------------------------------------------------------------------


def end(rig: Rig, run_id: str) -> None:
    """The run ends within hours and few deliveries, and nothing is left that would be delivered again."""
    give_up = rig.clock.now() + timedelta(hours=MOST_HOURS)
    looks = itertools.count()

    def enough() -> bool:
        over = next(looks) > MOST_DELIVERIES or rig.clock.now() > give_up
        return over or active_run_id(rig.documents) != run_id

    rig.until(enough, sweeping=True)
    assert active_run_id(rig.documents) is None, "the run does not end"
    assert get_run(rig.documents, run_id).ended
    assert read_json(rig.documents, paths.report(run_id)) is not None
    rig.drain()
    assert rig.stack.bus.next_due() is None


def check_counts(rig: Rig, run_id: str) -> None:
    """Whatever was planned is done, failed, or left for a reason."""
    for name, status in get_run(rig.documents, run_id).entities.items():
        came_out = ("created", "updated", "deactivated", "skipped", "failed", "waiting")
        if status.counts:
            done = sum(status.counts[result] for result in came_out) - status.counts.get("skipped", 0)
            assert done >= sum(status.planned.values()), name
        if status.phase == "failed":
            assert "cannot be read" in (status.reason or ""), (name, status.reason)


@pytest.mark.parametrize("how", [*DAMAGES.values(), without_zones], ids=[*DAMAGES, "without zones"])
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_a_damaged_document_costs_its_run_at_most(
    rig: Rig, right: Any, moment: Moment, how: Callable[[bytes], bytes]
) -> None:
    run_id, path = moment(rig)
    damage(rig, path, how)
    end(rig, run_id)
    check_counts(rig, run_id)
    after = rig.run()
    assert (after.report["phase"], after.count("failed")) == ("done", 0), "somebody was created once more"
    assert rig.content() == right
    assert rig.run().calls == [], "once all is right again, nothing is left to be done"


# -- single members --------------------------------------------------------------------------------------

NEEDED: dict[str, tuple[str, ...]] = {
    "active": ("run_id", "request", "at"),
    "run": ("run_id", "request", "requested_at", "entities"),
    "plan": (
        "plan_id",
        "created_at",
        "state_by",
        "base",
        "batches",
        "counts",
        "held",
        "problems",
        "vanished",
    ),
    "batch": ("changes",),
    "base": ("records", "updated_by"),
    "progress": ("outcomes", "started"),
    "outcome": ("outcomes",),
    "state": ("records", "ambiguous", "source_counts"),
    "totals": ("before", "recent"),
}
"""Members without which a document cannot be acted on."""

WRONG = [7, "x", {"x": 7}, [[]]]


def without(name: str) -> Callable[[bytes], bytes]:
    return lambda data: to_json({key: value for key, value in parsed(data).items() if key != name})


def with_wrong(name: str) -> Callable[[bytes], bytes]:
    def wrong(data: bytes) -> bytes:
        document = parsed(data)
        kept = type(document[name])
        document[name] = next(value for value in WRONG if type(value) is not kept)
        return to_json(document)

    return wrong


@pytest.mark.parametrize("how", [without, with_wrong])
@pytest.mark.parametrize(
    ("moment", "name"), [(moment, name) for moment, names in NEEDED.items() for name in names]
)
def test_a_member_that_is_missing_or_of_a_wrong_type_costs_its_run_at_most(
    rig: Rig, right: Any, moment: str, name: str, how: Callable[[str], Callable[[bytes], bytes]]
) -> None:
    run_id, path = MOMENTS[moment](rig)
    damage(rig, path, how(name))
    end(rig, run_id)
    check_counts(rig, run_id)
    assert rig.run().report["phase"] == "done"
    assert rig.content() == right


# -- what has rules of its own ---------------------------------------------------------------------------


@pytest.mark.parametrize("how", DAMAGES.values(), ids=DAMAGES.keys())
def test_with_unreadable_pauses_nothing_is_started_until_all_are_resumed(
    rig: Rig, right: Any, how: Callable[[bytes], bytes]
) -> None:
    """A run under way comes to its end: pauses were read when it began."""
    rig.documents.write(paths.CONTROL, b'{"version":1,"paused":{}}')
    run_id = in_hand(rig)
    damage(rig, paths.CONTROL, how)
    end(rig, run_id)
    with pytest.raises(UnreadableDocument, match=r"control\.json.*resume all entities"):
        rig.run()
    with pytest.raises(UnreadableDocument, match="resume all entities"):
        remove_pauses(rig.documents, ("jobs",))
    assert remove_pauses(rig.documents, ENTITIES) == {}
    assert rig.run().report["phase"] == "done"
    assert rig.content() == right


def test_an_emergency_stop_of_everything_works_on_unreadable_pauses(rig: Rig) -> None:
    rig.documents.write(paths.CONTROL, b"x")
    paused = pause(rig.stack.runtime, ENTITIES, "something is wrong")
    assert set(paused) == set(ENTITIES)
    with pytest.raises(Paused):
        rig.run()


def test_a_run_and_the_note_that_it_is_active_can_be_lost_together(rig: Rig, right: Any) -> None:
    run_id = in_hand(rig)
    damage(rig, paths.run(run_id), lambda _: b"")
    damage(rig, paths.ACTIVE, lambda _: b"")
    end(rig, run_id)
    assert rig.run().report["phase"] == "done"
    assert rig.content() == right


def test_a_run_whose_document_is_lost_says_so_and_so_do_the_records_of_a_lost_batch(rig: Rig) -> None:
    run_id, path = MOMENTS["batch before it is begun"](rig)
    damage(rig, path, lambda _: b"")
    end(rig, run_id)
    report = read_json(rig.documents, paths.report(run_id))
    assert report["phase"] == "failed"
    employees = report["entities"]["employees"]
    assert path in employees["reason"]
    planned = sum(employees["planned"].values())
    assert employees["failed"] > 0
    assert sum(employees[name] for name in ("created", "updated", "deactivated", "failed")) == planned


# -- documents of a newer release ------------------------------------------------------------------------

NEW: dict[str, Any] = {"member_of_a_newer_release": {"any": ["thing"]}}


def newer(path: str, data: bytes) -> bytes:
    """With a member more wherever a release may add one."""
    if not data or path.endswith(".html"):
        return data
    document = parsed(data)
    if "/lookups/" in path:
        return data  # a list of names, nothing but entries
    document |= NEW
    for name in ("changes", "outcomes", "problems", "targets", "open", "outbox"):
        for item in document.get(name, []):
            item |= NEW
    for item in (document.get("request"), document.get("vanished")):
        if isinstance(item, dict):
            item |= NEW
    if path.endswith("run.json"):
        for status in document["entities"].values():
            status |= NEW
    return to_json(document)


def test_a_run_goes_on_on_documents_of_a_newer_release(rig: Rig, right: Any) -> None:
    """Two releases side by side: after every message each document gets members that this one does not
    know."""
    listed = len(rig.safetyamp.calls)
    run_id = request_run(rig.stack.runtime, RunRequest())
    seen: dict[str, str] = {}

    def add_members() -> bool:
        for path in list(rig.documents.list("")):
            document = rig.documents.read(path)
            if document is not None and seen.get(path) != document.etag:
                damage(rig, path, lambda data, path=path: newer(path, data))  # type: ignore[misc]
                changed = rig.documents.read(path)
                assert changed is not None
                seen[path] = changed.etag
        return active_run_id(rig.documents) != run_id

    rig.until(add_members)
    report = read_json(rig.documents, paths.report(run_id))
    assert report["phase"] == "done"
    assert rig.content() == right
    assert not [
        call for call in rig.safetyamp.calls[listed:] if (call.method, call.path) == ("GET", "/api/users")
    ]
    assert rig.run().calls == []


def test_a_batch_of_a_newer_release_can_be_given_up(rig: Rig) -> None:
    run_id, path = MOMENTS["batch before it is begun"](rig)
    damage(rig, path, lambda data: newer(path, data))
    give_up_batch(rig.stack.runtime, BatchMessage(run_id, "employees", 1, 1, "test"), "given up")
    outcomes = read_outcomes(rig.documents, run_id, "employees", 1)
    assert outcomes is not None
    assert {outcome.reason for outcome in outcomes.outcomes} == {"not tried: given up"}


def test_an_entity_whose_plan_nobody_can_act_on_ends(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise KeyError("nobody thought of it")

    monkeypatch.setattr("shared.sync.runs.entity_handler.start_plan", fail)
    titles = rig.run(entities=("titles",)).entity("titles")
    assert titles["phase"] == "failed"
    assert "unexpected KeyError after planning" in titles["reason"]
    monkeypatch.undo()
    assert rig.run().report["phase"] == "done"

"""What operators and hosts do to runs under way: pausing, resuming, ending a process; and dead letters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from functions.control_api import pause_sync, resume_sync, show_control
from functions.health import metrics
from functions.sync_api import start_sync
from shared.clients.safetyamp import SafetyAmpClient
from shared.errors import BusError, Paused, StorageError
from shared.storage.bus import Message
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.control import read_pauses, remove_pauses
from shared.sync.documents.runs import RunRequest, get_run
from shared.sync.model import ENTITIES
from shared.sync.runs.requests import request_run
from shared.sync.runs.stopping import pause
from tests.e2e.rig import Rig
from tests.e2e.small_company import PEOPLE

MOST_DELIVERIES = 10


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Four people per batch."""
    rig = Rig(tmp_path, limit=10, API_RATE_LIMIT_RESERVE="6")
    yield rig
    rig.close()


def call(function: Any, entity: str = "", **params: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of an HTTP function's answer."""
    request = func.HttpRequest(
        "POST", "http://app.test/", params=params, route_params={"entity": entity} if entity else {}, body=b""
    )
    response = function.build(None).get_user_function()(request)
    return response.status_code, json.loads(response.get_body())


def users(rig: Rig) -> list[str]:
    return sorted(row["emp_id"] for row in rig.safetyamp.snapshot()["users"])


def everybody(rig: Rig) -> list[str]:
    return sorted(str(row["Employee"]) for row in rig.company.tables["bPREH"])


def begin(rig: Rig) -> str:
    """A first load in which some people have been created."""
    run_id = request_run(rig.stack.runtime, RunRequest())
    rig.until(lambda: rig.safetyamp.created.get("users", 0) > 0)
    return run_id


class TestPausing:
    def test_ends_what_is_under_way_and_resuming_completes_it_in_the_next_run(self, rig: Rig) -> None:
        run_id = begin(rig)
        assert call(pause_sync, "employees", reason="payroll is being corrected")[0] == 200
        there = users(rig)
        ran = rig.finish(run_id)
        assert users(rig) == there
        assert 0 < len(there) < PEOPLE
        assert ran.entity("employees")["phase"] == "cancelled"
        assert "payroll is being corrected" in ran.entity("employees")["reason"]
        assert ran.entity("vehicles")["phase"] == "done"
        assert rig.run().entity("employees")["phase"] == "off"
        assert users(rig) == there
        assert call(resume_sync, "employees") == (200, {"paused": {}})
        assert rig.run().report["phase"] == "done"
        assert users(rig) == everybody(rig)

    def test_of_everything_starts_no_run_by_hand_or_timer(self, rig: Rig) -> None:
        assert list(call(pause_sync, "all")[1]["paused"]) == list(ENTITIES)
        with pytest.raises(Paused, match="employees is paused since 2026-03-02 12:00 UTC"):
            request_run(rig.stack.runtime, RunRequest())
        status, problem = call(start_sync, "all")
        assert (status, problem["title"]) == (409, "Paused")
        assert "POST /api/resume/employees" in problem["detail"]
        rig.stack.host.run_timer("start_scheduled_run")
        assert list(rig.documents.list("runs/")) == []

    def test_is_shown_with_its_reason_and_in_the_metrics(self, rig: Rig) -> None:
        call(pause_sync, "jobs", reason="year end", who="Jo")
        paused = call(show_control)[1]["paused"]
        assert paused == {"jobs": {"at": "2026-03-02T12:00:00+00:00", "reason": "year end", "who": "Jo"}}
        text = metrics.build(None).get_user_function()(func.HttpRequest("GET", "/", body=b"")).get_body()
        assert b'sync_paused{operation="jobs"} 1\n' in text
        assert b'sync_paused{operation="titles"} 0\n' in text

    def test_again_keeps_the_first_reason(self, rig: Rig) -> None:
        pause(rig.stack.runtime, ["jobs"], "first")
        pause(rig.stack.runtime, ["jobs", "titles"], "second")
        assert {name: found.reason for name, found in read_pauses(rig.documents).items()} == {
            "jobs": "first",
            "titles": "second",
        }
        assert list(remove_pauses(rig.documents, ["titles"])) == ["jobs"]

    def test_that_cannot_be_written_down_leaves_the_run_alone(
        self, rig: Rig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run_id = begin(rig)

        def refuse(path: str, data: bytes) -> str:
            raise StorageError("no space left")

        with monkeypatch.context() as patched:
            patched.setattr(rig.documents, "create", refuse)
            with pytest.raises(StorageError):
                pause(rig.stack.runtime, ["employees"], "x")
        assert rig.finish(run_id).report["phase"] == "done"

    @pytest.mark.parametrize("reason", ["", "x" * 201, "two\nlines"])
    def test_with_an_unusable_reason_is_refused(self, rig: Rig, reason: str) -> None:
        assert call(pause_sync, "jobs", reason=reason)[0] == 400
        assert read_pauses(rig.documents) == {}

    def test_of_an_unknown_entity_is_refused(self, rig: Rig) -> None:
        assert call(pause_sync, "people")[0] == 400
        assert call(resume_sync, "people")[0] == 400


class TestDeadLetters:
    @pytest.mark.parametrize("queue", ["entity-sync", "change-batches"])
    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ("no JSON", "the message is not JSON"),
            ('{"version": 2}', "the message is not of version 1"),
            ('{"version": 1, "run_id": "r"}', "names no known entity|has no cause"),
        ],
    )
    def test_a_poison_message_is_given_up_at_its_first_delivery_with_the_reason(
        self, rig: Rig, queue: str, body: str, reason: str
    ) -> None:
        rig.stack.bus.send([Message(queue, "odd/id", body)])
        assert rig.step()
        assert rig.stack.bus.counts(queue).active == 0
        (path,) = rig.documents.list(f"dead-letters/{queue}/")
        kept = read_json(rig.documents, path)
        assert (kept["message_id"], kept["body"], kept["delivery_count"]) == ("odd/id", body, 1)
        assert any(part in kept["reason"] for part in reason.split("|"))
        text = metrics.build(None).get_user_function()(func.HttpRequest("GET", "/", body=b"")).get_body()
        assert f'dead_letters{{queue="{queue}"}} 1\n'.encode() in text

    def test_a_batch_that_is_never_handled_ends_as_failed_and_the_next_run_does_it(
        self, rig: Rig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run_id = begin(rig)
        rig.until(lambda: self._outcomes(rig, run_id) == 1)
        with monkeypatch.context() as patched:
            deliveries = fail_always(patched, "batch_handler.apply_batch")
            rig.until(lambda: self._outcomes(rig, run_id) == 2)
        assert len(deliveries) == MOST_DELIVERIES
        ran = rig.finish(run_id)
        assert ran.entity("employees")["failed"] > 0
        reasons = {problem["reason"] for problem in ran.entity("employees")["problems"]}
        assert reasons == {
            "not tried: its message was given up at delivery 11: MaxDeliveryCountExceeded",
        }
        assert rig.stack.bus.dead_letters("change-batches") == []
        assert len(list(rig.documents.list(paths.DEAD_LETTERS))) == 1
        assert rig.run().report["phase"] == "done"
        assert users(rig) == everybody(rig)

    def test_an_entity_that_cannot_be_planned_ends_as_failed_and_holds_up_nobody(
        self, rig: Rig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run_id = request_run(rig.stack.runtime, RunRequest(entities=("titles",)))
        with monkeypatch.context() as patched:
            deliveries = fail_always(patched, "entity_handler.sync_entity")
            ran = rig.finish(run_id)
        assert len(deliveries) == MOST_DELIVERIES
        assert ran.entity("titles")["phase"] == "failed"
        assert "MaxDeliveryCountExceeded" in ran.entity("titles")["reason"]
        assert rig.run().report["phase"] == "done"

    def test_the_dead_letter_of_a_run_that_has_ended_is_kept_and_changes_nothing(self, rig: Rig) -> None:
        run_id = rig.run().run_id
        before = get_run(rig.documents, run_id)
        body = {"version": 1, "run_id": run_id, "entity": "titles", "cause": "x", "attempt": 1}
        rig.stack.bus.send([Message("entity-sync", "late", json.dumps(body))])
        locked = rig.stack.bus.receive("entity-sync")
        assert locked is not None
        rig.stack.bus.dead_letter(locked, "TTLExpiredException")
        rig.drain()
        assert get_run(rig.documents, run_id) == before
        assert len(list(rig.documents.list(paths.DEAD_LETTERS))) == 1

    def test_while_storage_is_away_a_dead_letter_waits(
        self, rig: Rig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rig.stack.bus.send([Message("entity-sync", "m", "{}")])
        locked = rig.stack.bus.receive("entity-sync")
        assert locked is not None
        rig.stack.bus.dead_letter(locked, "TTLExpiredException")

        def refuse(path: str, data: bytes) -> str:
            raise StorageError("away")

        before = rig.clock.now()
        with monkeypatch.context() as patched:
            patched.setattr(rig.documents, "create", refuse)
            for _ in range(MOST_DELIVERIES * 2):
                rig.step()
        assert len(rig.stack.bus.dead_letters("entity-sync")) == 1
        # It comes again at once; the function waits, so that this does not go round at full speed.
        assert (rig.clock.now() - before).total_seconds() == MOST_DELIVERIES * 2 * 5
        rig.step()
        assert rig.stack.bus.dead_letters("entity-sync") == []

    def _outcomes(self, rig: Rig, run_id: str) -> int:
        return len(list(rig.documents.list(paths.outcomes(run_id, "employees"))))


def fail_always(patched: pytest.MonkeyPatch, verb: str) -> list[Any]:
    """Make a verb of the queues fail as when storage is away; returns the messages it was called with."""
    called = []

    def fail(_services: Any, message: Any) -> None:
        called.append(message)
        raise BusError("away")

    patched.setattr(f"functions.queues.{verb}", fail)
    return called


class TestEndingAProcess:
    def test_finishes_the_change_at_hand_stores_the_progress_and_hands_the_rest_on(
        self, rig: Rig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run_id = request_run(rig.stack.runtime, RunRequest())
        services = rig.stack.runtime
        create = SafetyAmpClient.create

        def create_and_end(client: SafetyAmpClient, resource: str, payload: dict[str, Any]) -> dict[str, Any]:
            created = create(client, resource, payload)
            if resource == "users":
                services.shutdown.begin()
            return created

        with monkeypatch.context() as patched:
            patched.setattr(SafetyAmpClient, "create", create_and_end)
            rig.until(lambda: rig.safetyamp.created.get("users", 0) > 0)
        progress = [read_json(rig.documents, path) for path in self._progress_paths(rig, run_id)]
        assert sum(len(one["outcomes"]) for one in progress) == 1
        assert {one["started"] for one in progress} == {None}
        rig.take_over()
        ran = rig.finish(run_id)
        assert ran.report["phase"] == "done"
        assert users(rig) == everybody(rig)
        # Nothing had to be looked up: nothing was left half done.
        assert ran.listings.count("/api/users") == 0

    def test_before_a_listing_hands_the_planning_on(self, rig: Rig) -> None:
        rig.run()
        run_id = request_run(rig.stack.runtime, RunRequest(entities=("employees",), refresh=True))
        rig.stack.runtime.shutdown.begin()
        rig.step()
        assert rig.stack.bus.counts("entity-sync").scheduled == 1
        rig.take_over()
        assert rig.finish(run_id).report["phase"] == "done"

    def _progress_paths(self, rig: Rig, run_id: str) -> Iterator[str]:
        return rig.documents.list(f"runs/{run_id}/employees/progress/")

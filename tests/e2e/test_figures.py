"""What `/metrics` says after runs is what the runs' outcomes say, in a process that took no part in them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import azure.functions as func
import pytest
from prometheus_client.parser import text_string_to_metric_families

from local.company.model import vista_date
from local.simulators import safetyamp_store
from local.simulators.simulator import Call
from shared.clients.http.call_meter import UpstreamCall, endpoint_of
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.runs import RunRequest
from shared.sync.runs.finish import finish_run
from shared.sync.runs.requests import request_run
from shared.sync.runs.totals import TOTALS
from tests.e2e.rig import START, Rig
from tests.e2e.small_company import FIRST_NUMBER, PEOPLE
from tests.e2e.test_canary import Seen, watched

Samples = dict[tuple[str, ...], float]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    # So few calls per window that listings and batches take several executions.
    rig = Rig(tmp_path, limit=10, API_RATE_LIMIT_RESERVE="7", GUARD_MAX_DEACTIVATIONS="3")
    yield rig
    rig.close()


def metrics(rig: Rig) -> Samples:
    """(name, label values) -> value, as another process tells it."""
    rig.take_over()
    [function] = [function for function in rig.stack.functions if function.name == "metrics"]
    answer = function.call(req=func.HttpRequest("GET", "/metrics", body=b""))
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.get_body().decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def by_endpoint(calls: list[Call]) -> Counter[tuple[str, ...]]:
    """SafetyAmp's own count of its calls."""
    made = (
        UpstreamCall("safetyamp", endpoint_of(call.method, call.path), str(call.status)) for call in calls
    )
    return Counter(tuple(call.key.split("|")) for call in made)


def test_calls_and_records_are_those_of_the_runs(rig: Rig) -> None:
    rig.safetyamp.fail_next(1, 422, '{"errors": {"email": ["has already been taken."]}}', "POST /api/users")
    rig.run()
    created = int(rig.safetyamp.snapshot()["users"][0]["emp_id"])
    rig.person(created)["Address"] = "5 Other Street"
    rig.publish()
    rig.clock.advance(3600)
    rig.run()
    found = metrics(rig)
    counted = {
        key[1:]: value for key, value in found.items() if key[:2] == ("api_requests_total", "safetyamp")
    }
    assert counted == by_endpoint(rig.safetyamp.calls)
    assert ("safetyamp", "PATCH /api/users/{id}", "2xx") in counted
    assert found["api_requests_total", "vista", "employees", "ok"] == 2
    assert found["sync_operations_total", "employees", "created"] == PEOPLE - 1
    assert found["sync_operations_total", "employees", "updated"] == 1
    assert found["sync_failed_records", "employees"] == 1
    assert found["sync_failed_records", "jobs"] == 0
    assert found["sync_runs_total", "done"] == 2
    assert found["sync_duration_seconds_count",] == 2
    assert found["redis_up",] == 0


def test_a_record_that_was_mended_fails_no_longer(rig: Rig) -> None:
    rig.safetyamp.fail_next(1, 422, '{"errors": {"email": ["has already been taken."]}}', "POST /api/users")
    rig.run()
    rig.clock.advance(3600)
    rig.run(retry_failed=True)
    assert metrics(rig)["sync_failed_records", "employees"] == 0


def test_a_run_under_way_shows_what_waits(rig: Rig) -> None:
    request_run(rig.stack.runtime, RunRequest())
    assert metrics(rig)["active_syncs",] == 1
    assert metrics(rig)["queue_waiting", "entity-sync"] == 2, "the others need these first"
    rig.clock.advance(90)
    assert metrics(rig)["queue_age_seconds", "entity-sync"] == 90
    rig.until(lambda: not rig.stack.host.step() or metrics(rig)["queue_waiting", "change-batches"] > 0)
    assert metrics(rig)["queue_waiting", "change-batches"] > 0
    rig.finish(rig.active)
    assert {metrics(rig)["queue_waiting", queue] for queue in ("entity-sync", "change-batches")} == {0}


def test_a_held_run_is_told_until_a_run_ends_well(rig: Rig) -> None:
    rig.run()
    for number in range(FIRST_NUMBER, FIRST_NUMBER + 5):
        rig.person(number)["TermDate"] = vista_date(START.date())
    rig.publish()
    rig.clock.advance(3600)
    rig.run()
    assert metrics(rig)["runs_held",] == 1
    for number in range(FIRST_NUMBER, FIRST_NUMBER + 5):
        rig.person(number)["TermDate"] = None
    rig.publish()
    rig.clock.advance(3600)
    rig.run()
    assert metrics(rig)["runs_held",] == 0


def test_a_run_s_end_is_told_once_however_often_it_is_ended(rig: Rig) -> None:
    seen = Seen()
    with watched(seen):
        ran = rig.run()
        finish_run(rig.stack.runtime, ran.run_id)  # as a handler that comes late, or the sweep after a crash
    assert sum('"event": "run_ended"' in line for line in seen.lines) == 1
    assert sum('"event": "run_requested"' in line for line in seen.lines) == 1


WORDS_AS_IDS = ["qbxyz", "users", "roles"]
"""Ids of users that look like the words of a path: SafetyAmp's are five letters or digits."""


def test_no_label_and_no_run_document_has_the_id_of_a_user(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = iter(WORDS_AS_IDS)
    made = safetyamp_store.user_id
    monkeypatch.setattr(safetyamp_store, "user_id", lambda number: next(ids, None) or made(number))
    rig.run()
    named = {user["id"]: int(user["emp_id"]) for user in rig.safetyamp.snapshot()["users"]}
    for target_id in WORDS_AS_IDS:
        rig.person(named[target_id])["Address"] = "5 Other Street"
    rig.publish()
    rig.clock.advance(3600)
    run_id = rig.run().run_id
    updates = [call.path for call in rig.safetyamp.calls if call.method == "PATCH"]
    assert sorted(path.rpartition("/")[2] for path in updates) == sorted(WORDS_AS_IDS)
    document = read_json(rig.documents, paths.run(run_id))
    assert document["entities"]["employees"]["requests"]["safetyamp|PATCH /api/users/{id}|2xx"] == 3
    patched = {
        labels: value for labels, value in metrics(rig).items() if labels[2:3] and "PATCH" in labels[2]
    }
    assert patched == {("api_requests_total", "safetyamp", "PATCH /api/users/{id}", "2xx"): 3}


def test_figures_of_an_earlier_version_are_told_without_ids(rig: Rig) -> None:
    rig.run()
    totals = read_json(rig.documents, TOTALS)
    [run_id] = totals["recent"]
    earlier = {"safetyamp|PATCH /api/users/qbxyz|2xx": 2.0, "safetyamp|PATCH /api/users/abcde|2xx": 1.0}
    totals["recent"][run_id]["requests"] |= earlier
    totals["before"] = {"requests": earlier}
    rig.documents.write(TOTALS, json.dumps(totals).encode())
    key = ("api_requests_total", "safetyamp", "PATCH /api/users/{id}", "2xx")
    assert metrics(rig)[key] == 6
    rig.clock.advance(3600)
    rig.run()
    assert metrics(rig)[key] == 6
    assert "qbxyz" not in json.dumps(read_json(rig.documents, TOTALS))


def test_a_run_of_an_earlier_version_is_counted_once_when_it_is_approved_now(rig: Rig) -> None:
    rig.run()
    [run_id] = read_json(rig.documents, TOTALS)["recent"]
    counted = metrics(rig)
    documents = {paths.run(run_id): ("entities", "employees"), TOTALS: ("recent", run_id)}
    for path, (part, name) in documents.items():
        value = read_json(rig.documents, path)
        requests = value[part][name]["requests"]
        requests["safetyamp|POST /api/users/qbxyz|2xx"] = 1
        rig.documents.write(path, json.dumps(value).encode())
    for _ in range(2):
        finish_run(rig.stack.runtime, run_id)
    assert sum(metrics(rig).values()) == sum(counted.values()) + 1

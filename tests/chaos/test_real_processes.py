"""Real processes, a real Redis, real time: whatever is killed at whatever moment, all arrives once."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from random import Random
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import pytest

from local.company.demo import demo_company
from local.host.cluster import Cluster
from shared.errors import LeaseHeld
from shared.storage.documents import read_json
from shared.sync.documents.runs import RunRequest
from shared.sync.entities.keys import normal_key
from shared.sync.model import EntityName
from tests.chaos.storm import Storm
from tests.e2e.expectation import Expectation, expect
from tests.e2e.expected_content import differences, read_content
from tests.e2e.expected_tally import COUNTS

if TYPE_CHECKING:
    from tests.doubles.redis_server import RedisServer

pytest_plugins = ("tests.doubles.redis_server",)

SEED = int(os.environ.get("CHAOS_SEED", "1"))
WORKERS = 4
CALLS, PERIOD = 60, 3.0
EMPLOYEES, JOBS, VEHICLES = 220, 24, 12
LATENCY_SECONDS = 0.02
"""So long that many a worker dies between sending a creation and its answer."""
SETTINGS = {
    "MAX_PROCESSES": str(WORKERS),
    "RETRY_DELAY_SECONDS": "1",
    "BREAKER_RECOVERY_SECONDS": "1",
    # The simulator carries nothing out later than that.
    "LOST_ANSWER_SECONDS": "3",
}
SPARED_CALLS = 150
COMPANY_ZONE = ZoneInfo("America/Chicago")
LONGEST_RUN_SECONDS = 180.0
SHORTEST_LEASE = 15
QUEUES = ("entity-sync", "change-batches")


@dataclass(frozen=True)
class Aftermath:
    """The cluster after a storm and a last run in calm weather."""

    cluster: Cluster
    storm: Storm
    expected: Expectation


@pytest.fixture(scope="module")
def aftermath(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    """A first load during which workers and Redis are killed and started again, all the time; then a run that
    lists SafetyAmp anew and tries refused records again, in calm weather."""
    days = _today(UTC), _today(COMPANY_ZONE)
    company = demo_company(days[0], EMPLOYEES, jobs=JOBS, vehicles=VEHICLES)
    folder = tmp_path_factory.mktemp("storm")
    with Cluster(
        company,
        folder,
        redis_port=redis_server.port,
        calls=CALLS,
        period=PERIOD,
        latency_seconds=LATENCY_SECONDS,
        settings=SETTINGS,
    ) as cluster:
        expected = expect(company, days[1], read_content(cluster.safetyamp.snapshot()))
        storm = Storm(cluster, redis_server, Random(SEED), SPARED_CALLS)
        storm.begin(WORKERS)
        cluster.request(RunRequest(cause="storm"))
        storm.rage_while(cluster.is_active, LONGEST_RUN_SECONDS)
        cluster.request(RunRequest(refresh=True, retry_failed=True, cause="calm"))
        cluster.wait_for_run(LONGEST_RUN_SECONDS)
        cluster.stop_workers()
        yield Aftermath(cluster, storm, expected)


def test_the_storm_was_one(aftermath: Aftermath) -> None:
    """Or the other tests would prove little."""
    storm, times = aftermath.storm, [call.at for call in aftermath.cluster.safetyamp.calls]
    first_loss = storm.redis_lives[0].ended
    assert storm.worker_kills >= 5
    assert storm.redis_kills >= 1
    assert sum(1 for at in times if at + PERIOD < first_loss) >= CALLS, "the limit itself was put to the test"


def test_safetyamp_holds_what_it_should(aftermath: Aftermath) -> None:
    actual = read_content(aftermath.cluster.safetyamp.snapshot())
    assert differences(aftermath.expected.content, actual) == []


def test_nothing_was_ever_created_twice(aftermath: Aftermath) -> None:
    """The simulator counts creations and never deletes: not even for a moment there was a record too many."""
    assert aftermath.cluster.safetyamp.created == aftermath.expected.created()


def test_both_runs_ended_and_the_next_may_start(aftermath: Aftermath) -> None:
    documents = aftermath.cluster.documents
    assert not aftermath.cluster.is_active()
    runs = [read_json(documents, path) for path in _documents(aftermath, "run.json")]
    assert [run["request"]["cause"] for run in runs] == ["storm", "calm"]
    assert [run["phase"] for run in runs] == ["done", "done"]


def test_the_run_in_the_storm_did_and_reports_what_one_in_calm_weather_does(aftermath: Aftermath) -> None:
    """A creation whose worker died is found and adopted; sent again it would be refused, and counted so."""
    storm, _ = (read_json(aftermath.cluster.documents, path) for path in _documents(aftermath, "report.json"))
    counts = {entity: {name: values[name] for name in COUNTS} for entity, values in storm["entities"].items()}
    assert counts == aftermath.expected.counts


def test_each_change_has_one_outcome(aftermath: Aftermath) -> None:
    documents = aftermath.cluster.documents
    for path in _documents(aftermath, "plan.json"):
        folder, plan = path.removesuffix("/plan.json"), read_json(documents, path)
        batches = documents.list(f"{folder}/batches/{plan['plan_id']}/")
        entity = folder.split("/")[-1]
        changes = [_about(entity, read_json(documents, batch)["changes"]) for batch in batches]
        outcomes = [
            _about(entity, read_json(documents, outcome)["outcomes"])
            for outcome in documents.list(f"{folder}/outcomes/")
        ]
        assert outcomes == changes, folder


def test_every_source_record_is_in_exactly_one_count(aftermath: Aftermath) -> None:
    for path in _documents(aftermath, "run.json"):
        for entity, status in read_json(aftermath.cluster.documents, path)["entities"].items():
            counts = dict(status["counts"])
            if status["phase"] == "done":
                assert counts.pop("source") == sum(counts.values()), (path, entity)


def test_the_limit_was_kept_as_far_as_it_is_guaranteed(aftermath: Aftermath) -> None:
    """In every window: the limit itself wherever no Redis was lost around it, however many workers died."""
    times = [call.at for call in aftermath.cluster.safetyamp.calls]
    for number, begin in enumerate(times):
        count = bisect_left(times, begin + PERIOD) - number
        most = aftermath.storm.most_calls(begin, begin + PERIOD, CALLS, CALLS // WORKERS)
        assert count <= most, f"{count} calls in a window {begin - times[0]:.1f} s after the first call"


def test_nothing_stays_leased(aftermath: Aftermath) -> None:
    documents = aftermath.cluster.documents
    held = []
    for path in [*documents.list("runs/"), *documents.list("state/")]:
        try:
            documents.release_lease(path, documents.acquire_lease(path, SHORTEST_LEASE))
        except LeaseHeld:
            held.append(path)
    assert held == []


def test_no_message_is_left_or_given_up(aftermath: Aftermath) -> None:
    """Copies that are due later find their work done."""
    for queue in QUEUES:
        counts = aftermath.cluster.bus.counts(queue)
        assert (counts.active, counts.locked, counts.dead_lettered) == (0, 0, 0), queue


def _documents(aftermath: Aftermath, name: str) -> list[str]:
    return [path for path in aftermath.cluster.documents.list("runs/") if path.endswith(f"/{name}")]


def _about(entity: str, values: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Titles have their name for a key in documents of changes."""
    return [(normal_key(cast(EntityName, entity), value["key"]), value["action"]) for value in values]


def _today(zone: tzinfo) -> date:
    """The day there, which does not end before the test does."""
    now, longest = datetime.now(zone), timedelta(seconds=2 * LONGEST_RUN_SECONDS)
    if (now + longest).date() != now.date():
        time.sleep(longest.total_seconds())
    return datetime.now(zone).date()

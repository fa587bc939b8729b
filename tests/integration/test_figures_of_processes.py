"""Two worker processes do the work, and this one, which makes no call, tells their figures over HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from local.company.demo import demo_company
from local.host.cluster import Cluster
from local.host.http import HttpHost
from local.host.index import index
from local.host.stack import DEFAULT_NAMES, fresh_app
from shared import runtime
from shared.clients.http.call_meter import UpstreamCall, endpoint_of
from shared.clock import SystemClock
from shared.figures.figures import Figures, read_figures
from shared.storage.documents import read_json
from shared.sync.documents.outcome import RESULTS
from shared.sync.documents.runs import RunRequest, get_run

if TYPE_CHECKING:
    from tests.doubles.redis_server import RedisServer

pytest_plugins = ("tests.doubles.redis_server",)

PREFIX = "/safetyamp"
"""Where the simulators' server has SafetyAmp; its own record of calls leaves it out."""

COUNTED_AS = {"refused": "failed"}


@pytest.fixture(autouse=True)
def _no_runtime_is_left() -> Iterator[None]:
    yield
    runtime.use(None)


def test_figures_are_those_of_all_processes(redis_server: RedisServer, tmp_path: Path) -> None:
    with redis_server.client() as client:
        client.flushall()
    company = demo_company(SystemClock().now().date(), 60, jobs=12, vehicles=6)
    with Cluster(company, tmp_path, redis_port=redis_server.port, calls=20, period=1.0) as cluster:
        cluster.start_workers(2)
        run_id = cluster.request(RunRequest())
        http = http_of(cluster)
        windows: list[int] = []
        while cluster.is_active():
            figures = read_figures(cluster.runtime)
            windows += [usage.used for usage in figures.shared.windows.values()]
            windows.append(http.get("/api/status").get_json()["limiter"]["used"])
        figures = read_figures(cluster.runtime)
        cluster.stop_workers()
        run = get_run(cluster.documents, run_id)
        status, metrics = http.get("/api/status").get_json(), samples(http.get("/metrics").text)
        made = outcomes_of(cluster, run_id)
    assert sum(made.values()) > 60
    assert metrics == made
    assert (status["active_run"], status["last_runs"][0]["run_id"]) == (None, run_id)
    assert status["queues"] == {
        "entities_waiting": 0,
        "batches_due": 0,
        "batches_scheduled": 0,
        "dead_letters": 0,
    }
    assert requests_of(figures, "safetyamp") == seen_by_safetyamp(cluster)
    operations = figures.runs.totals["operations"]
    for entity, status in run.entities.items():
        told = {result: operations[f"{entity}/{result}"] for result in ("created", "updated", "failed")}
        assert told == {result: status.counts[result] for result in told}
    assert figures.runs.runs_held == 0
    assert not figures.runs.active
    assert 0 < max(windows) <= 20, "the calls of others, within the limit"
    assert figures.shared.caches["graph_users"].misses > 0


def http_of(cluster: Cluster) -> Client:
    """The app's HTTP functions on the cluster's documents and Redis."""
    runtime.use(cluster.runtime)
    names = {name.upper(): str(getattr(cluster.runtime.settings, name)) for name in DEFAULT_NAMES}
    return Client(HttpHost(index(fresh_app(), names), "", None))


def outcomes_of(cluster: Cluster, run_id: str) -> Counter[tuple[str, str]]:
    """Entity and result of every outcome that the run's documents hold."""
    found: Counter[tuple[str, str]] = Counter()
    for path in cluster.documents.list(f"runs/{run_id}/"):
        _, _, entity, *rest = path.split("/")
        if rest and rest[0] == "outcomes":
            stored = read_json(cluster.documents, path)
            results = [outcome["result"] for outcome in stored["outcomes"]]
            found.update((entity, COUNTED_AS.get(result, result)) for result in results)
    return found


def samples(text: str) -> Counter[tuple[str, str]]:
    """What /metrics says of changes that were made, or were tried."""
    return Counter(
        {
            (sample.labels["operation"], sample.labels["status"]): int(sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "sync_operations_total" and sample.labels["status"] in RESULTS and sample.value
        }
    )


def requests_of(figures: Figures, service: str) -> dict[tuple[str, ...], float]:
    split = {tuple(key.split("|")): count for key, count in figures.runs.totals["requests"].items()}
    return {key: count for key, count in split.items() if key[0] == service}


def seen_by_safetyamp(cluster: Cluster) -> Counter[tuple[str, ...]]:
    return Counter(
        tuple(
            UpstreamCall(
                "safetyamp", endpoint_of(call.method, PREFIX + call.path), str(call.status)
            ).key.split("|")
        )
        for call in cluster.safetyamp.calls
    )

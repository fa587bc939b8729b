"""Two worker processes do the work, and this one, which makes no call, tells their figures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from local.cluster import Cluster
from local.company import demo_company
from shared.clients.call_meter import UpstreamCall, endpoint_of
from shared.clock import SystemClock
from shared.sync.runs import RunRequest, get_run
from shared.telemetry.figures import Figures, read_figures

if TYPE_CHECKING:
    from tests.integration.redis_server import RedisServer

pytest_plugins = ("tests.integration.redis_server",)

PREFIX = "/safetyamp"
"""Where the simulators' server has SafetyAmp; its own record of calls leaves it out."""

LONGEST_RUN_SECONDS = 120.0


def test_figures_are_those_of_all_processes(redis_server: RedisServer, tmp_path: Path) -> None:
    with redis_server.client() as client:
        client.flushall()
    company = demo_company(SystemClock().now().date(), 60, jobs=12, vehicles=6)
    with Cluster(company, tmp_path, redis_port=redis_server.port, calls=20, period=1.0) as cluster:
        cluster.start_workers(2)
        run_id = cluster.request(RunRequest())
        windows: list[int] = []
        while cluster.is_active():
            figures = read_figures(cluster.runtime)
            windows += [usage.used for usage in figures.shared.windows.values()]
        figures = read_figures(cluster.runtime)
        cluster.stop_workers()
        run = get_run(cluster.documents, run_id)
    assert requests_of(figures, "safetyamp") == seen_by_safetyamp(cluster)
    operations = figures.runs.totals["operations"]
    for entity, status in run.entities.items():
        told = {result: operations[f"{entity}/{result}"] for result in ("created", "updated", "failed")}
        assert told == {result: status.counts[result] for result in told}
    assert figures.runs.runs_held == 0
    assert not figures.runs.active
    assert 0 < max(windows) <= 20, "the calls of others, within the limit"
    assert figures.shared.caches["graph_users"].misses > 0


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

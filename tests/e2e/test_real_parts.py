"""`python -m local once` on real parts, each a process of its own: messages over AMQP through the Service Bus
SDK, documents in Azurite, and a Redis server."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from azure.storage.blob import BlobLeaseClient, ContainerClient

from local.amqp.process import ServiceBusProcess
from tests.e2e.app_process import app_settings, kill_once_when, local
from tests.e2e.processes import SimulatorProcess, run_once
from tests.e2e.rig import doubles
from tests.real_parts import AMQP, required

if TYPE_CHECKING:
    from tests.doubles.redis_server import RedisServer

pytest_plugins = ("tests.doubles.azurite", "tests.doubles.redis_server")

COMPANY = ("--employees", "60", "--calls", "240", "--period", "1")
LOCK_SECONDS = "5"
"""A killed process's messages come again after this."""

UNIQUE = {"site_clusters": "external_code", "sites": "ext_id", "user_titles": "name", "assets": "serial"}
CHANGES = ("created", "updated", "deactivated", "failed")


@pytest.fixture
def upstreams(tmp_path: Path) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path, *COMPANY) as process:
        yield process


@pytest.fixture
def parts(tmp_path: Path, azurite_connection: str, redis_server: RedisServer) -> Iterator[Mapping[str, str]]:
    """Settings that name the real parts, with a container and queues that are new."""
    required(AMQP)
    with ServiceBusProcess(tmp_path, "--lock-seconds", LOCK_SECONDS) as bus:
        yield {
            **bus.settings,
            "DOCUMENTS_CONNECTION": azurite_connection,
            "DOCUMENTS_CONTAINER": f"sync-{uuid.uuid4()}",
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(redis_server.port),
            "REDIS_SSL": "false",
        }


def test_the_first_run_loads_a_company_and_the_second_changes_nothing(
    upstreams: SimulatorProcess, parts: Mapping[str, str], tmp_path: Path
) -> None:
    settings = {**upstreams.settings, **parts}
    first = run_once(settings, tmp_path)
    assert sum(counts["created"] for counts in first.counts(["created"]).values()) > 100
    created = upstreams.stats()["created"]
    second = run_once(settings, tmp_path)
    assert {change for counts in second.counts(CHANGES).values() for change in counts.values()} == {0}
    assert upstreams.stats()["created"] == created
    assert "Traceback" not in first.log + second.log
    assert not (tmp_path / "documents").exists()


def test_a_run_that_is_killed_halfway_is_completed_and_nothing_happens_twice(
    upstreams: SimulatorProcess, parts: Mapping[str, str], tmp_path: Path
) -> None:
    settings = {**upstreams.settings, **parts}
    before = Counter({name: len(rows) for name, rows in upstreams.snapshot().items()})
    kill_once_when(app_settings(settings, tmp_path), tmp_path, partial(has_created, upstreams, 60))
    end_leases(settings)
    last = run_once(settings, tmp_path)
    assert last.report["resumed"]
    rows, created = upstreams.snapshot(), Counter(upstreams.stats()["created"])
    assert created.total() > 100
    assert Counter({name: len(rows[name]) for name in rows}) == before + created
    assert not [field for name, field in UNIQUE.items() if doubles(rows[name], field)]
    again = run_once(settings, tmp_path)
    assert {change for counts in again.counts(CHANGES).values() for change in counts.values()} == {0}


def test_a_service_bus_that_refuses_is_said_and_no_run_is_begun(
    upstreams: SimulatorProcess, parts: Mapping[str, str], tmp_path: Path
) -> None:
    wrong = {
        "SERVICE_BUS_CONNECTION": parts["SERVICE_BUS_CONNECTION"].replace("AccessKey=", "AccessKey=s3cret")
    }
    done = local(app_settings(upstreams.settings, tmp_path, **wrong), tmp_path, "once")
    assert done.returncode == 1
    assert "not done: queue 'entity-sync' of Service Bus cannot be sent to: access was" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("documents/**/active.json"))


def end_leases(settings: Mapping[str, str]) -> None:
    """As if the minute were over after which a dead process's leases run out."""
    connection, name = settings["DOCUMENTS_CONNECTION"], settings["DOCUMENTS_CONTAINER"]
    with ContainerClient.from_connection_string(connection, name) as container:
        leased = [blob.name for blob in container.list_blobs() if blob.lease.state == "leased"]
        for blob in leased:
            BlobLeaseClient(container.get_blob_client(blob)).break_lease(lease_break_period=0)


def has_created(process: SimulatorProcess, amount: int) -> bool:
    """Whether so many records have been created."""
    return bool(sum(process.stats()["created"].values()) >= amount)

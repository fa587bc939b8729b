"""The doctor on real parts: redis-server, Azurite, an ODBC driver."""

from __future__ import annotations

import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from azure.storage.blob import ContainerClient

from local.company.vista_database import create_vista_database
from local.fake_clock import FakeClock
from shared.clock import Clock, SystemClock
from shared.doctor import Finding, documents, redis
from shared.doctor.finding import Check
from shared.doctor.running import run_checks
from shared.runtime import Parts, Runtime
from shared.storage.blob_container import CLIENT_OPTIONS
from shared.storage.blob_documents import BlobDocuments
from tests.e2e.small_company import small_company
from tests.real_parts import SQLITE_ODBC, required
from tests.unit.engine_rig import REQUIRED

if TYPE_CHECKING:
    from tests.doubles.redis_server import RedisServer

pytest_plugins = ("tests.doubles.azurite", "tests.doubles.redis_server")


def look(runtime: Runtime, check: Check) -> dict[str, Finding]:
    return {finding.check: finding for finding in run_checks(runtime, [check], 60)}


def with_redis(port: int, clock: Clock | None = None, **settings: str) -> Runtime:
    return Runtime({**REQUIRED, "REDIS_PORT": str(port), **settings}, Parts(clock=clock))


# -- Redis -------------------------------------------------------------------------------------------------


def test_a_redis_in_order(redis_server: RedisServer) -> None:
    findings = look(with_redis(redis_server.port), redis.DEEP)
    assert {check: finding.status for check, finding in findings.items()} == dict.fromkeys(
        ("redis", "redis.clock", "redis.scripts", "redis.policy", "redis.encryption"), "ok"
    )
    assert "Redis " in findings["redis"].seen
    assert findings["redis"].latency_ms is not None


def test_a_clock_that_differs_from_redis_is_told(redis_server: RedisServer) -> None:
    clock = FakeClock(SystemClock().now())
    clock.advance(90)
    found = look(with_redis(redis_server.port, clock), redis.DEEP)["redis.clock"]
    assert found.status == "warning"
    assert "behind ours" in found.seen


def test_a_redis_that_throws_things_away_is_told(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            found = look(with_redis(redis_server.port), redis.DEEP)["redis.policy"]
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert found.status == "warning"
    assert "allkeys-lru" in found.seen


def test_a_wrong_password_is_named(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.config_set("requirepass", "right")
        try:
            found = look(with_redis(redis_server.port, REDIS_PASSWORD="s3cret-wrong"), redis.QUICK)["redis"]
        finally:
            client.execute_command("AUTH", "right")
            client.config_set("requirepass", "")
    assert found.status == "warning"
    assert "REDIS_PASSWORD" in found.advice
    assert "s3cret" not in str(found)


def test_a_login_that_may_not_run_scripts_is_told(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.execute_command("ACL", "SETUSER", "limited", "on", ">pass", "~*", "+@all", "-script")
        try:
            runtime = with_redis(redis_server.port, REDIS_USERNAME="limited", REDIS_PASSWORD="pass")
            found = look(runtime, redis.DEEP)["redis.scripts"]
        finally:
            client.execute_command("ACL", "DELUSER", "limited")
    assert found.status == "failed"


def test_a_frozen_redis_is_given_up_and_a_dead_one_is_absent(redis_server: RedisServer) -> None:
    runtime = with_redis(redis_server.port)
    redis_server.freeze()
    try:
        frozen = look(runtime, redis.QUICK)["redis"]
    finally:
        redis_server.thaw()
    assert (frozen.status, "in time" in frozen.seen) == ("warning", True)
    redis_server.kill()
    try:
        dead = look(runtime, redis.QUICK)["redis"]
    finally:
        redis_server.start()
    assert (dead.status, "does not answer" in dead.seen) == ("warning", True)
    assert look(runtime, redis.QUICK)["redis"].status == "ok"


@pytest.mark.parametrize(
    ("settings", "status"),
    [({}, "ok"), ({"REDIS_PASSWORD": "s3cret"}, "warning"), ({"REDIS_HOST": "127.0.0.2"}, "warning")],
)
def test_an_embedded_redis_is_in_order_where_the_settings_name_none(
    settings: dict[str, str], status: str
) -> None:
    from local.host.embedded_redis import embedded_redis

    runtime = Runtime({**REQUIRED, "REDIS_PORT": "1", **settings}, Parts(redis=embedded_redis))
    found = look(runtime, redis.QUICK)["redis"]
    assert (found.status, "embedded" in found.seen) == (status, True)


# -- documents in Blob Storage -----------------------------------------------------------------------------


def with_blobs(connection: str, clock: Clock) -> Runtime:
    client = ContainerClient.from_connection_string(connection, f"c{uuid.uuid4().hex}", **CLIENT_OPTIONS)
    return Runtime(REQUIRED, Parts(clock=clock, documents=lambda _: BlobDocuments(lambda: client)))


def test_blob_storage_in_order(azurite_connection: str) -> None:
    runtime = with_blobs(azurite_connection, SystemClock())
    findings = look(runtime, documents.DEEP)
    assert {check: finding.status for check, finding in findings.items()} == dict.fromkeys(
        ("documents", "documents.write", "documents.clock"), "ok"
    )
    assert "Blob Storage" in findings["documents"].seen
    assert list(runtime.documents.list("")) == []


def test_a_storage_account_whose_clock_differs_is_told(azurite_connection: str) -> None:
    clock = FakeClock(SystemClock().now())
    clock.advance(3600)
    found = look(with_blobs(azurite_connection, clock), documents.DEEP)["documents.clock"]
    assert (found.status, "behind ours" in found.seen) == ("failed", True)


# -- Vista over ODBC ---------------------------------------------------------------------------------------


def test_a_driver_tells_itself_and_its_server(tmp_path: Path) -> None:
    from shared.doctor import odbc, vista

    driver, clock = required(SQLITE_ODBC), FakeClock()
    path = create_vista_database(tmp_path / "vista.db", small_company(clock.now().date()).tables)
    text = f"DRIVER={driver};Database={path}"
    runtime = Runtime({**REQUIRED, "VISTA_CONNECTION_STRING": text, "REDIS_PORT": "1"}, Parts(clock=clock))
    # The driver knows no read-only login, and no saved state is needed here.
    vars(runtime)["documents"] = cast(Any, SimpleNamespace(read=lambda path: None))
    findings = {**look(runtime, odbc.CHECK), **look(runtime, vista.DEEP)}
    assert findings["odbc"].status == "ok"
    assert findings["vista"].status == "ok"
    assert "SQLite" in findings["vista"].seen
    assert "sqlite3odbc" in findings["vista"].seen
    assert findings["vista.employees"].status == "ok"
    assert findings["vista.login"].status == "skipped"

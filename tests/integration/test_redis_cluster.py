"""Redis in cluster mode, where all keys of a script must lie in one slot: one node that owns all slots.

Azure Managed Redis is such a cluster behind one endpoint, and refuses what crosses slots.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ClusterCrossSlotError

from local.fake_clock import FakeClock
from shared.config import Settings
from shared.errors import CacheError
from shared.resilience.redis_connection import RedisConnection, connect
from shared.storage.cache import Cache
from tests.doubles.tcp_proxy import free_port
from tests.unit.breaker_contract import BreakerContract
from tests.unit.limiter_contract import LimiterContract
from tests.unit.redis_rig import RedisRig, check_that_every_key_expires, command

if TYPE_CHECKING:
    from redis import Redis

    from tests.doubles.redis_server import RedisServer, Starter

pytest_plugins = ("tests.doubles.redis_server",)

SLOTS = 16_384
READY_SECONDS = 15


def start_cluster_node(start_redis: Starter) -> RedisServer:
    # Redis' own choice, its port plus 10 000, is no port for half of those that the system gives.
    return start_redis("--cluster-enabled", "yes", "--cluster-port", str(free_port()))


@pytest.fixture(scope="module")
def cluster(start_redis: Starter) -> RedisServer:
    """A node that owns all slots."""
    node = start_cluster_node(start_redis)
    with node.client() as client:
        command(client, "CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
        deadline = time.monotonic() + READY_SECONDS
        while b"cluster_state:ok" not in _cluster_info(client):
            assert time.monotonic() < deadline, "the cluster does not become ready"
            time.sleep(0.02)
    return node


def _cluster_info(client: Redis) -> bytes:
    answer: Any = client.connection_pool.get_connection()
    answer.send_command("CLUSTER", "INFO")
    text: bytes = answer.read_response()
    client.connection_pool.release(answer)
    return text


@pytest.fixture
def rig(cluster: RedisServer) -> Iterator[RedisRig]:
    client = cluster.client()
    client.flushall()
    yield RedisRig(client=client)
    check_that_every_key_expires(client)
    client.close()


def connection_to(server: RedisServer) -> RedisConnection:
    settings = Settings.model_construct(redis_host="127.0.0.1", redis_port=server.port)
    return RedisConnection(connect(settings), FakeClock())


def test_a_node_of_a_larger_cluster_is_named_as_the_problem(start_redis: Starter) -> None:
    connection = connection_to(start_cluster_node(start_redis))
    with pytest.raises(CacheError, match="clustering policy EnterpriseCluster or NoCluster"):
        connection.run(lambda client: client.get("x"))
    connection.close()


def test_keys_with_two_tags_are_refused_here(cluster: RedisServer) -> None:
    """So the tests below would see a script whose keys lie apart."""
    client = cluster.client()
    with pytest.raises(ClusterCrossSlotError):
        client.eval("return redis.call('EXISTS', KEYS[1], KEYS[2])", 2, "{one}:a", "{other}:a")
    client.close()


class TestSharedRateLimiter(LimiterContract):
    """The limiter's contract."""


class TestSharedCircuitBreaker(BreakerContract):
    """The breaker's contract."""


def test_cache(cluster: RedisServer) -> None:
    connection = connection_to(cluster)
    cache = Cache(connection, FakeClock())
    for name in ("one", "two", "three"):
        assert cache.get_cached_data(name, lambda: ["value"], 1) == ["value"]
        assert cache.get_cached_data(name, lambda: None, 1) == ["value"]
    assert {name: counts.hits for name, counts in cache.statistics().items()} == {
        "one": 1,
        "two": 1,
        "three": 1,
    }
    assert cache.clear_cache() == 3
    connection.close()

"""The cache over fakeredis: what it keeps, for how long, and that it is never in the way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fakeredis import FakeServer

from shared.errors import CacheError
from shared.storage.cache import Cache, CacheStatistics
from tests.unit.redis_rig import RedisRig, client_of

HOUR = 3600


class Source:
    """Something to fetch, that counts how often it was."""

    def __init__(self, value: Any = None, error: Exception | None = None) -> None:
        self.value = value
        self.error = error
        self.fetches = 0

    def __call__(self) -> Any:
        self.fetches += 1
        if self.error is not None:
            raise self.error
        return self.value


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def rig(server: FakeServer) -> RedisRig:
    return RedisRig(client=client_of(server))


@pytest.fixture
def redis(rig: RedisRig) -> Any:
    return rig.client


@pytest.fixture
def cache(rig: RedisRig) -> Cache:
    return Cache(rig.connection(), rig.clock)


def test_fetches_once_while_the_value_is_young(cache: Cache, rig: RedisRig) -> None:
    source = Source([{"id": 1, "name": "Zürich"}])
    assert cache.get_cached_data("sites", source, 1) == source.value
    rig.advance(HOUR - 1)
    assert cache.get_cached_data("sites", source, 1) == source.value
    assert source.fetches == 1
    rig.advance(1)
    source.value = ["new"]
    assert cache.get_cached_data("sites", source, 1) == ["new"]


def test_a_reader_with_stricter_wishes_does_not_get_an_older_value(cache: Cache, rig: RedisRig) -> None:
    source = Source(["old"])
    cache.get_cached_data("sites", source, 24)
    rig.advance(2 * HOUR)
    source.value = ["new"]
    assert cache.get_cached_data("sites", source, 1) == ["new"]


def test_a_forced_refresh_fetches_and_stores(cache: Cache) -> None:
    source = Source(["old"])
    cache.get_cached_data("sites", source, 1)
    source.value = ["new"]
    assert cache.get_cached_data("sites", source, 1, force_refresh=True) == ["new"]
    assert cache.get_cached_data("sites", source, 1) == ["new"]
    assert source.fetches == 2


def test_age_zero_neither_reads_nor_stores(cache: Cache, redis: Any) -> None:
    source = Source(["new"])
    cache.get_cached_data("sites", Source(["stored"]), 1)
    assert cache.get_cached_data("sites", source, 0) == ["new"]
    assert cache.get_cached_data("other", source, 0) == ["new"]
    assert not redis.exists("safetyamp:cache:other")
    assert cache.get_cached_data("sites", source, 1) == ["stored"]


def test_an_empty_list_is_a_value_and_none_is_not(cache: Cache) -> None:
    empty, nothing = Source([]), Source(None)
    for _ in range(2):
        assert cache.get_cached_data("empty", empty, 1) == []
        assert cache.get_cached_data("nothing", nothing, 1) is None
    assert (empty.fetches, nothing.fetches) == (1, 2)


def test_what_fetch_raises_passes_through_after_one_fetch(cache: Cache, redis: Any) -> None:
    source = Source(error=CacheError("from the source itself"))
    with pytest.raises(CacheError, match="from the source itself"):
        cache.get_cached_data("sites", source, 1)
    assert source.fetches == 1
    assert not redis.exists("safetyamp:cache:sites")


def test_a_failed_refresh_leaves_the_stored_value(cache: Cache) -> None:
    cache.get_cached_data("sites", Source(["stored"]), 1)
    with pytest.raises(TimeoutError):
        cache.get_cached_data("sites", Source(error=TimeoutError()), 1, force_refresh=True)
    assert cache.get_cached_data("sites", Source(["new"]), 1) == ["stored"]


def test_with_redis_away_every_read_is_one_fetch(cache: Cache, server: FakeServer) -> None:
    server.connected = False
    source = Source([1])
    assert cache.get_cached_data("sites", source, 1) == [1]
    assert cache.get_cached_data("sites", source, 1) == [1]
    assert source.fetches == 2


def test_redis_going_away_during_the_fetch_costs_no_second_one(cache: Cache, server: FakeServer) -> None:
    source = Source([1])

    def fetch() -> Any:
        server.connected = False
        return source()

    assert cache.get_cached_data("sites", fetch, 1) == [1]
    assert source.fetches == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"3",
        b"null",
        b'{"value": 1}',
        b'{"stored_at": "x", "value": 1}',
        b'{"stored_at": 1767614400}',
        b"\x1f\x8bnot gzip at all, though it begins so",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff",
    ],
)
def test_garbage_is_fetched_anew_and_replaced(cache: Cache, redis: Any, garbage: bytes) -> None:
    redis.set("safetyamp:cache:sites", garbage)
    source = Source(["good"])
    assert cache.get_cached_data("sites", source, 1) == ["good"]
    assert cache.get_cached_data("sites", source, 1) == ["good"]
    assert source.fetches == 1
    assert cache.statistics()["sites"] == CacheStatistics(hits=1, misses=1, errors=1)


def test_a_key_of_another_type_is_no_obstacle(cache: Cache, redis: Any) -> None:
    redis.lpush("safetyamp:cache:sites", "a list")
    assert cache.get_cached_data("sites", Source([1]), 1) == [1]


def test_what_is_not_json_is_returned_uncached_and_counted(cache: Cache) -> None:
    source = Source([{1, 2}])
    assert cache.get_cached_data("sets", source, 1) == [{1, 2}]
    assert source.fetches == 1
    assert cache.statistics()["sets"] == CacheStatistics(misses=1, errors=1)


def test_large_values_are_compressed(cache: Cache, redis: Any) -> None:
    people = [{"emp_id": str(number), "first_name": "Jane"} for number in range(5_000)]
    cache.get_cached_data("people", Source(people), 1)
    assert redis.strlen("safetyamp:cache:people") < len(json.dumps(people)) / 4
    assert cache.get_cached_data("people", Source(), 1) == people


def test_every_key_expires(cache: Cache, redis: Any) -> None:
    cache.get_cached_data("sites", Source([1]), 2)
    cache.get_cached_data("bits", Source([1]), 1e-9)
    lifetimes = {key.decode(): redis.pttl(key) / 1000 for key in redis.scan_iter()}
    lifetimes.pop("safetyamp:cache:bits", None)
    month = pytest.approx(30 * 24 * HOUR, abs=5)
    assert lifetimes == {
        "safetyamp:cache:sites": pytest.approx(2 * HOUR, abs=5),
        "safetyamp:stats:cache:sites": month,
        "safetyamp:stats:cache:bits": month,
    }


def test_one_name_is_cleared_alone(cache: Cache) -> None:
    for name in ("sites", "sites:1", "*"):
        cache.get_cached_data(name, Source([name]), 1)
    assert cache.clear_cache("*") == 1
    assert cache.clear_cache("*") == 0
    assert cache.get_cached_data("sites", Source(), 1) == ["sites"]


def test_clearing_all_leaves_everything_that_is_not_cache(cache: Cache, redis: Any) -> None:
    for number in range(1_200):
        cache.get_cached_data(f"name {number}", Source([number]), 1)
    redis.set("{safetyamp:limiter:safetyamp}:block", 1)
    redis.set("somebody else's", 1)
    assert cache.clear_cache() == 1_200
    assert cache.clear_cache() == 0
    assert redis.exists("{safetyamp:limiter:safetyamp}:block", "somebody else's") == 2
    assert len(cache.statistics()) == 1_200


def test_statistics_count_lookups_of_all_processes(cache: Cache, rig: RedisRig) -> None:
    other = Cache(rig.connection(), rig.clock)
    for reader in (cache, other, cache):
        reader.get_cached_data("sites", Source([1]), 1)
    cache.get_cached_data("sites", Source([1]), 1, force_refresh=True)
    cache.get_cached_data("users:all", Source([1]), 1)
    assert other.statistics() == {
        "sites": CacheStatistics(hits=2, misses=1),
        "users:all": CacheStatistics(misses=1),
    }


def test_an_operator_learns_that_redis_is_away(cache: Cache, server: FakeServer) -> None:
    server.connected = False
    with pytest.raises(CacheError):
        cache.clear_cache()
    with pytest.raises(CacheError):
        cache.statistics()

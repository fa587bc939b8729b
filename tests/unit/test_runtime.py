"""The composition root: what is built from which setting, once, and not before it is used."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from fakeredis import FakeServer
from redis.exceptions import ConnectionError

from local.company.vista_database import connection_string, create_vista_database
from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from shared import runtime
from shared.clock import SystemClock
from shared.errors import CircuitOpen, ConfigurationError, RateLimited, UpstreamUnavailable
from shared.runtime import Parts, Runtime
from shared.storage.blob_documents import BlobDocuments
from shared.storage.service_bus import ServiceBusBus
from shared.telemetry.telemetry import NoTelemetry
from tests.doubles.scripted_upstream import Script, Step
from tests.unit.engine_rig import REQUIRED, KeptBus
from tests.unit.redis_rig import client_of
from tests.unit.test_graph_client import FakeLogin

BUS = "Endpoint=sb://n.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=a2V5"
STORAGE = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5;EndpointSuffix=core.windows.net"


def built(parts: Parts | None = None, **settings: str) -> Runtime:
    return Runtime({**REQUIRED, **settings}, parts)


# -- once, and when needed -------------------------------------------------------------------------------


def test_nothing_is_read_before_it_is_used() -> None:
    made = Runtime({})
    assert isinstance(made.clock, SystemClock)
    assert not made.shutdown.begun
    with pytest.raises(ConfigurationError):
        _ = made.settings


def test_an_error_is_not_kept_so_that_who_mends_the_setting_need_not_start_anew() -> None:
    environment: dict[str, str] = {}
    made = Runtime(environment)
    with pytest.raises(ConfigurationError):
        _ = made.documents
    environment |= {**REQUIRED, "DOCUMENTS_CONNECTION": STORAGE}
    assert isinstance(made.documents, BlobDocuments)


@pytest.mark.parametrize(
    "part", ["settings", "documents", "redis", "safetyamp_limiter", "cache", "safetyamp"]
)
def test_each_part_is_one_for_all_who_ask(part: str) -> None:
    parts = Parts(documents=lambda _: MemoryDocuments(FakeClock()))
    made = built(parts)
    assert getattr(made, part) is getattr(made, part)
    assert getattr(made, part) is not getattr(built(parts), part)


class NotingLock:
    """A lock that knows how many threads have asked for it."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._asked = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self._asked += 1
            self._changed.notify_all()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait_for(self, asked: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._asked >= asked, 60)


def test_threads_that_ask_while_a_part_is_being_built_get_the_same_one() -> None:
    threads, times = 4, list[int]()

    def documents(_: Any) -> MemoryDocuments:
        lock.wait_for(threads)
        times.append(1)
        return MemoryDocuments(FakeClock())

    made = built(Parts(documents=documents))
    assert made.settings
    lock = vars(made)["_lock"] = NotingLock(made._lock)
    with ThreadPoolExecutor(threads) as pool:
        assert len(set(pool.map(lambda _: id(made.documents), range(threads)))) == 1
    assert len(times) == 1


def test_an_upstream_has_one_breaker_for_all_who_ask_and_each_its_own() -> None:
    made = built()
    assert made.breaker("vista") is made.breaker("vista")
    assert made.breaker("vista") is not made.breaker("graph")


# -- which part ------------------------------------------------------------------------------------------


def test_in_azure_documents_and_bus_are_azures_and_nothing_is_connected() -> None:
    made = built(DOCUMENTS_CONNECTION=STORAGE, SERVICE_BUS_CONNECTION=BUS)
    assert isinstance(made.documents, BlobDocuments)
    assert isinstance(made.bus, ServiceBusBus)


def test_without_its_setting_each_of_them_names_it() -> None:
    made = built()
    with pytest.raises(ConfigurationError, match="SERVICE_BUS_CONNECTION"):
        _ = made.bus
    with pytest.raises(ConfigurationError, match="DOCUMENTS_CONNECTION"):
        made.documents.read("control.json")


def test_a_host_brings_parts_of_its_own_which_are_given_the_settings() -> None:
    clock, bus = FakeClock(), KeptBus()
    given: list[Any] = []

    def documents(settings: Any) -> MemoryDocuments:
        given.append(settings)
        return MemoryDocuments(clock)

    made = built(Parts(clock=clock, documents=documents, bus=lambda _: bus))
    assert made.clock is clock
    assert isinstance(made.documents, MemoryDocuments)
    assert made.bus is bus
    assert given == [made.settings]


def test_without_a_connection_string_there_is_no_telemetry() -> None:
    assert isinstance(built().telemetry, NoTelemetry)


def test_the_redis_of_the_settings_is_used_where_the_host_brings_none() -> None:
    made = built(REDIS_HOST="r.example", REDIS_PORT="6380")
    options = made.redis_factory().connection_pool.connection_kwargs
    assert (options["host"], options["port"]) == ("r.example", 6380)


# -- the upstreams ---------------------------------------------------------------------------------------


class Rig:
    """An app whose upstreams all answer from one script."""

    def __init__(self, *steps: Step, **settings: str) -> None:
        self.script = Script(*steps)
        self.clock = FakeClock()
        redis = FakeServer()
        parts = Parts(clock=self.clock, redis=lambda _: lambda: client_of(redis), session=self.script.session)
        self.runtime = built(parts, **settings)

    @property
    def request(self) -> requests.PreparedRequest:
        return self.script.requests[-1]


NO_RECORDS: Step = (200, {"data": []})
NO_FLEET: Step = (200, {"data": [], "pagination": {"hasNextPage": False, "endCursor": ""}})


def test_safetyamp_is_asked_at_its_address_with_its_token_and_name() -> None:
    rig = Rig(NO_RECORDS, SAFETYAMP_BASE_URL="https://safetyamp.test")
    rig.runtime.safetyamp.list_site_clusters()
    assert rig.request.url == "https://safetyamp.test/api/site_clusters"
    assert rig.request.headers["Authorization"] == "Bearer token-5ecret"
    assert rig.request.headers["Fqdn"] == "two-rivers.safetyamp.test"


def test_only_safetyamps_calls_count_in_its_window() -> None:
    rig = Rig(NO_FLEET, SAMSARA_API_KEY="key-5ecret")
    rig.runtime.samsara.list_vehicles()
    assert rig.runtime.safetyamp_limiter.usage().used == 0
    rig = Rig(NO_RECORDS)
    rig.runtime.safetyamp.list_site_clusters()
    assert rig.runtime.safetyamp_limiter.usage().used == 1


def test_the_window_is_that_of_the_settings_and_a_reserve_is_left_to_who_waits() -> None:
    rig = Rig(API_RATE_LIMIT_CALLS="5", API_RATE_LIMIT_PERIOD="61", API_RATE_LIMIT_RESERVE="2")
    limiter = rig.runtime.safetyamp_limiter
    for _ in range(3):
        limiter.acquire()
    with pytest.raises(RateLimited):
        limiter.acquire()
    for _ in range(2):
        limiter.acquire(interactive=True)
    with pytest.raises(RateLimited):
        limiter.acquire(interactive=True)
    assert limiter.usage().limit == 5


def test_without_redis_a_process_keeps_to_its_share_of_the_window() -> None:
    rig = Rig(API_RATE_LIMIT_CALLS="28", API_RATE_LIMIT_RESERVE="0", MAX_PROCESSES="4")
    vars(rig.runtime)["redis_factory"] = away
    limiter = rig.runtime.safetyamp_limiter
    for _ in range(7):
        limiter.acquire()
    with pytest.raises(RateLimited):
        limiter.acquire()


def away() -> Any:
    raise ConnectionError("no Redis here")


def test_samsara_is_asked_at_its_address_with_its_key() -> None:
    rig = Rig(NO_FLEET, SAMSARA_BASE_URL="https://samsara.test", SAMSARA_API_KEY="key-5ecret")
    rig.runtime.samsara.list_vehicles()
    assert str(rig.request.url).startswith("https://samsara.test/fleet/vehicles")
    assert rig.request.headers["Authorization"] == "Bearer key-5ecret"


def test_graph_signs_in_at_its_own_clouds_login_and_is_asked_with_that_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked_for: list[list[str]] = []

    class NotingLogin(FakeLogin):
        def acquire_token_for_client(self, scopes: list[str]) -> Any:
            asked_for.append(scopes)
            return super().acquire_token_for_client(scopes)

    entra = NotingLogin({"access_token": "t1", "expires_in": 3599})
    built_with: list[Any] = []

    def application(*arguments: Any, **options: Any) -> Any:
        built_with.append((arguments, options))
        return entra

    monkeypatch.setattr("shared.clients.graph_tokens._msal_application", application)
    rig = Rig(
        (200, {"value": []}),
        MS_GRAPH_BASE_URL="https://graph.microsoft.us/v1.0",
        MS_GRAPH_AUTHORITY="https://login.microsoftonline.us",
    )
    rig.runtime.graph.list_users()
    assert str(rig.request.url).startswith("https://graph.microsoft.us/v1.0/users")
    assert rig.request.headers["Authorization"] == "Bearer t1"
    ((arguments, options),) = built_with
    assert arguments == ("client",)
    assert options["client_credential"] == "graph-5ecret"
    assert options["authority"] == "https://login.microsoftonline.us/tenant"
    assert asked_for == [["https://graph.microsoft.us/.default"]]


def test_vista_is_asked_for_the_company_and_columns_of_the_settings(tmp_path: Path) -> None:
    departments = [
        {"PRCo": company, "PRDept": str(company), "Description": "d", "udRegion": "South"}
        for company in (1, 7)
    ]
    path = create_vista_database(tmp_path / "vista.db", {"bPRDP": departments})
    rig = Rig(
        VISTA_CONNECTION_STRING=connection_string(path),
        VISTA_COMPANY="7",
        VISTA_REGION_COLUMN="Description",
    )
    (row,) = rig.runtime.vista.departments().records
    assert (row.department, row.region) == ("7", "d")
    rig.runtime.vista.close()


@pytest.mark.parametrize(("attempts", "calls"), [("1", 1), ("3", 3)])
def test_a_call_is_repeated_as_often_as_the_setting_says(attempts: str, calls: int) -> None:
    rig = Rig((503, ""), MAX_RETRY_ATTEMPTS=attempts, RETRY_DELAY_SECONDS="1")
    with pytest.raises(UpstreamUnavailable):
        rig.runtime.safetyamp.list_site_clusters()
    assert len(rig.script.requests) == calls


def test_an_upstream_that_fails_so_often_is_left_alone_for_so_long() -> None:
    rig = Rig(
        (503, ""), MAX_RETRY_ATTEMPTS="1", BREAKER_FAILURE_THRESHOLD="2", BREAKER_RECOVERY_SECONDS="600"
    )
    for _ in range(2):
        with pytest.raises(UpstreamUnavailable):
            rig.runtime.safetyamp.list_site_clusters()
    with pytest.raises(CircuitOpen) as left_alone:
        rig.runtime.safetyamp.list_site_clusters()
    assert 590 < left_alone.value.delay_seconds <= 600
    assert len(rig.script.requests) == 2
    assert rig.runtime.breaker("samsara").state().state == "closed"


def test_no_handler_waits_longer_than_it_has_patience_for() -> None:
    parts = Parts(clock=FakeClock(), session=Script((429, "", {"Retry-After": "5"})).session)
    hasty = Runtime({**REQUIRED}, replace(parts, patience_seconds=4.0))
    vars(hasty)["redis_factory"] = away
    with pytest.raises(RateLimited):
        hasty.safetyamp.list_site_clusters()
    assert isinstance(hasty.clock, FakeClock)
    assert hasty.clock.sleeps == []


# -- the process's own -----------------------------------------------------------------------------------


@pytest.fixture
def forgotten() -> Iterator[None]:
    runtime.use(None)
    yield
    runtime.use(None)


@pytest.mark.usefixtures("forgotten")
def test_a_process_has_one_made_from_its_environment_at_the_first_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, text in {**REQUIRED, "VISTA_COMPANY": "42"}.items():
        monkeypatch.setenv(name, text)
    made = runtime.current()
    assert made.settings.vista_company == 42
    assert runtime.current() is made


@pytest.mark.usefixtures("forgotten")
def test_a_host_may_put_its_own_in_place_and_forget_it() -> None:
    own = built()
    runtime.use(own)
    assert runtime.current() is own
    runtime.use(None)
    assert runtime.current() is not own

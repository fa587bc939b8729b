"""The composition root: builds every client once per process, on first use.

The triggers call `current()`; a host or a test that brings its own parts calls `use(...)` before.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from shared.clients.http.work import Work
from shared.clock import Clock, SystemClock
from shared.shutdown import Shutdown

if TYPE_CHECKING:
    from shared.clients.graph import GraphClient
    from shared.clients.http.call_meter import UpstreamCall
    from shared.clients.http.pipeline import HeaderSource, HttpPipeline
    from shared.clients.http.transport import SessionFactory
    from shared.clients.safetyamp import SafetyAmpClient
    from shared.clients.samsara import SamsaraClient
    from shared.clients.vista.client import VistaClient
    from shared.config import Settings
    from shared.resilience.circuit_breaker import SharedCircuitBreaker
    from shared.resilience.rate_limiter import RateLimiter
    from shared.resilience.redis_connection import RedisConnection, RedisFactory
    from shared.resilience.shared_rate_limiter import SharedRateLimiter
    from shared.storage.bus import Bus
    from shared.storage.cache import Cache
    from shared.storage.documents import Documents
    from shared.sync.documents.report import Report
    from shared.telemetry.telemetry import Telemetry

T = TypeVar("T")

VISTA_CONNECTIONS = 4
PATIENCE_SECONDS = 2.0
"""The longest single wait inside a handler; longer ones give the handler's time back."""


@dataclass(frozen=True)
class Parts:
    """What a host may bring instead of the Azure parts; None means the Azure one."""

    clock: Clock | None = None
    documents: Callable[[Settings], Documents] | None = None
    bus: Callable[[Settings], Bus] | None = None
    redis: Callable[[Settings], RedisFactory] | None = None
    session: SessionFactory | None = None
    patience_seconds: float = PATIENCE_SECONDS


class _Once(Generic[T]):
    """A property that one thread builds at the first use; then it is an attribute. An error is not kept."""

    def __init__(self, build: Callable[[Runtime], T]) -> None:
        self._build = build

    def __get__(self, runtime: Runtime, owner: type[Runtime]) -> T:
        name, built = self._build.__name__, vars(runtime)
        with runtime._lock:
            if name not in built:
                built[name] = self._build(runtime)
        return cast(T, built[name])


class Runtime:
    """All parts of one process, each built at its first use."""

    def __init__(self, environment: Mapping[str, str], parts: Parts | None = None) -> None:
        self.environment = environment
        self._parts = parts or Parts()
        self._lock = threading.RLock()
        self._breakers: dict[str, SharedCircuitBreaker] = {}
        self.clock: Clock = self._parts.clock or SystemClock()
        self.shutdown = Shutdown()
        self.work = Work()

    @_Once
    def settings(self) -> Settings:
        """Raises ConfigurationError with all problems at once."""
        from shared.config import load_settings
        from shared.key_vault import key_vault_secrets

        return load_settings(self.environment, key_vault_secrets)

    @_Once
    def documents(self) -> Documents:
        if self._parts.documents:
            return self._parts.documents(self.settings)
        from shared.storage.blob_container import blob_documents

        return blob_documents(self.settings)

    @_Once
    def bus(self) -> Bus:
        if self._parts.bus:
            return self._parts.bus(self.settings)
        from shared.storage.service_bus import service_bus

        return service_bus(self.settings)

    @_Once
    def redis_factory(self) -> RedisFactory:
        """What makes clients of the Redis that `redis` uses."""
        from shared.resilience.redis_connection import connect

        return (self._parts.redis or connect)(self.settings)

    @_Once
    def redis(self) -> RedisConnection:
        from shared.resilience.redis_connection import RedisConnection

        return RedisConnection(self.redis_factory, self.clock)

    @_Once
    def cache(self) -> Cache:
        from shared.storage.cache import Cache

        return Cache(self.redis, self.clock)

    @_Once
    def telemetry(self) -> Telemetry:
        from shared.telemetry.backend import telemetry_for

        return telemetry_for(self.settings)

    @_Once
    def safetyamp_limiter(self) -> SharedRateLimiter:
        """The one window that all processes share."""
        from shared.resilience.local_rate_limiter import LocalRateLimiter
        from shared.resilience.shared_rate_limiter import SharedRateLimiter

        settings = self.settings
        calls, period = settings.api_rate_limit_calls, settings.api_rate_limit_period
        reserve, share = settings.api_rate_limit_reserve, 1 / settings.max_processes
        alone = LocalRateLimiter(self.clock, calls, period, reserve, share, name="safetyamp")
        return SharedRateLimiter(self.redis, "safetyamp", calls, period, reserve, alone)

    def breaker(self, upstream: str) -> SharedCircuitBreaker:
        """An upstream's circuit breaker, shared by all processes; one object in this one, so that with Redis
        away too whoever asks for its state hears of the calls that the client made."""
        with self._lock:
            if upstream not in self._breakers:
                self._breakers[upstream] = self._new_breaker(upstream)
            return self._breakers[upstream]

    def _new_breaker(self, upstream: str) -> SharedCircuitBreaker:
        from shared.resilience.circuit_breaker import LocalCircuitBreaker, SharedCircuitBreaker

        threshold, recovery = (
            self.settings.breaker_failure_threshold,
            self.settings.breaker_recovery_seconds,
        )
        alone = LocalCircuitBreaker(self.clock, upstream, threshold, recovery)
        return SharedCircuitBreaker(self.redis, upstream, threshold, recovery, alone)

    @_Once
    def safetyamp(self) -> SafetyAmpClient:
        from shared.clients.safetyamp import SafetyAmpClient, safetyamp_headers
        from shared.version import VERSION

        settings = self.settings
        headers = safetyamp_headers(
            settings.safetyamp_fqdn, settings.safetyamp_token.get_secret_value(), VERSION
        )
        return SafetyAmpClient(
            self._pipeline("safetyamp", settings.safetyamp_base_url, headers, self.safetyamp_limiter)
        )

    @_Once
    def samsara(self) -> SamsaraClient:
        from shared.clients.samsara import SamsaraClient, samsara_headers

        key = self.settings.samsara_api_key
        headers = samsara_headers(key.get_secret_value() if key else "")
        return SamsaraClient(self.unlimited_pipeline("samsara", self.settings.samsara_base_url, headers))

    @_Once
    def graph(self) -> GraphClient:
        from shared.clients.graph import GraphClient
        from shared.clients.graph_tokens import GraphTokens, graph_scope

        settings = self.settings
        tokens = GraphTokens(
            settings.ms_graph_tenant_id,
            settings.ms_graph_client_id,
            settings.ms_graph_client_secret.get_secret_value(),
            settings.ms_graph_authority,
            scope=graph_scope(settings.ms_graph_base_url),
        )
        pipeline = self.unlimited_pipeline("graph", settings.ms_graph_base_url, tokens.headers)
        return GraphClient(pipeline, tokens)

    @_Once
    def vista(self) -> VistaClient:
        from shared.clients.vista.client import VistaClient
        from shared.clients.vista.connection import connect_factory
        from shared.clients.vista.connection_pool import ConnectionPool

        settings = self.settings
        connect = connect_factory(settings.vista_connection_string.get_secret_value())
        return VistaClient(
            ConnectionPool(connect, VISTA_CONNECTIONS, self.clock),
            settings.vista_company,
            settings.vista_title_column,
            settings.vista_region_column,
            self.breaker("vista"),
            self._note_call,
        )

    def report_page(self, report: Mapping[str, object]) -> bytes:
        """A run's report for people."""
        from shared.reports.page import report_page

        return report_page(cast("Report", report))

    def unlimited_pipeline(self, upstream: str, base_url: str, headers: HeaderSource) -> HttpPipeline:
        """A pipeline without a limiter of ours: Samsara and Graph allow far more than we ask."""
        from shared.resilience.rate_limiter import UnlimitedRateLimiter

        return self._pipeline(upstream, base_url, headers, UnlimitedRateLimiter(self.clock, upstream))

    def _pipeline(
        self, upstream: str, base_url: str, headers: HeaderSource, limiter: RateLimiter
    ) -> HttpPipeline:
        from shared.clients.http.pipeline import HttpPipeline
        from shared.clients.http.transport import new_session
        from shared.resilience.retry import RetryPolicy

        settings = self.settings
        return HttpPipeline(
            upstream,
            base_url,
            headers,
            limiter,
            self.breaker(upstream),
            RetryPolicy(settings.max_retry_attempts, settings.retry_delay_seconds),
            self.clock,
            self._parts.session or new_session,
            patience_seconds=self._parts.patience_seconds,
            on_call=self._note_call,
        )

    def _note_call(self, call: UpstreamCall) -> None:
        from shared.telemetry.invocation import note_call

        note_call(self, call)


_current: Runtime | None = None
_current_lock = threading.Lock()


def current() -> Runtime:
    """The process's runtime, made from the environment at the first call."""
    global _current
    with _current_lock:
        if _current is None:
            _current = Runtime(os.environ)
        return _current


def use(runtime: Runtime | None) -> None:
    """Make `runtime` the process's own (None: forget it), for hosts and tests that bring their own parts."""
    global _current
    with _current_lock:
        _current = runtime

"""The way to Service Bus: one client per process, whose senders and receivers have a socket each.

The SDK shares no connection between them. Times, all in seconds:

- `ATTEMPT_SECONDS` bounds one attempt of anything: opening the link, a send, a settlement, a request. The SDK
  retries nothing by itself (`retry_total=0`); who calls decides.
- `GRACE_SECONDS` later the socket is shut from outside: while the SDK opens a connection it waits for the
  other side's first words without a bound (`_pyamqp/_transport.py`, `block`), so that a host which takes
  the connection and is silent would hold a thread for ever.
- `UPLOAD_SECONDS` bounds a single write of a sender's socket: the SDK's 0.2 s break a slow upload. Receivers
  keep those: they write little, and notice the end of a wait no sooner than that.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from shared.errors import Advised, ConfigurationError, SettingProblem
from shared.identity import azure_credential
from shared.storage.service_bus_errors import bus_error, host_of

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

    from shared.config import Settings

ATTEMPT_SECONDS = 15.0
GRACE_SECONDS = 2.0
UPLOAD_SECONDS = 1.0

Handler = TypeVar("Handler", "ServiceBusSender", "ServiceBusReceiver")
Connect = Callable[..., "ServiceBusClient"]
"""Makes a client with the options of this module; it touches no network yet."""


class ServiceBusConnection:
    """Opens senders and receivers; each belongs to one thread at a time. `where` is the host, for errors."""

    def __init__(
        self,
        connect: Connect,
        where: str,
        *,
        attempt_seconds: float = ATTEMPT_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._connect = connect
        self._where = where
        self._attempt = attempt_seconds
        self._grace = grace_seconds
        self._lock = threading.Lock()
        self._client: ServiceBusClient | None = None

    def open_sender(self, queue: str) -> ServiceBusSender:
        """A sender whose link is open. Raises BusError."""
        what = f"queue {queue!r} of Service Bus cannot be sent to"
        return self._opened(
            what, lambda client: client.get_queue_sender(queue, socket_timeout=UPLOAD_SECONDS)
        )

    def open_receiver(self, queue: str, *, dead_letters: bool = False) -> ServiceBusReceiver:
        """A receiver of a queue, or of its dead letters, whose link is open. Raises BusError."""
        from azure.servicebus import ServiceBusSubQueue

        what = f"queue {queue!r} of Service Bus cannot be received from"
        sub_queue = ServiceBusSubQueue.DEAD_LETTER if dead_letters else None
        return self._opened(what, lambda client: client.get_queue_receiver(queue, sub_queue=sub_queue))

    @contextmanager
    def bounded(self, handler: Any, what: str, seconds: float = 0.0) -> Iterator[None]:
        """Around each use of a sender or receiver: it ends after an attempt's time, and `seconds` in which
        it may wait for messages. The SDK's errors become BusErrors that begin with `what`."""
        cut = threading.Event()
        timer = threading.Timer(seconds + self._attempt + self._grace, _cut, [handler, cut])
        timer.daemon = True
        timer.start()
        try:
            with self._translated(what, cut):
                yield
        finally:
            timer.cancel()

    def close(self) -> None:
        """Close every sender and receiver that is still open."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _made(self) -> ServiceBusClient:
        if self._client is None:
            self._client = self._connect(
                retry_total=0,
                try_timeout=self._attempt,
                ssl_context=_tls(self._attempt),
            )
        return self._client

    def _opened(self, what: str, make: Callable[[ServiceBusClient], Handler]) -> Handler:
        # A client is not made for several threads; what it makes is, one each.
        with self._translated(what), self._lock:
            handler = make(self._made())
        with self.bounded(handler, what):
            handler.__enter__()
        return handler

    @contextmanager
    def _translated(self, what: str, cut: threading.Event | None = None) -> Iterator[None]:
        from azure.core.exceptions import AzureError

        try:
            yield
        except (AzureError, OSError, ValueError, NotImplementedError) as error:
            cause = TimeoutError() if cut is not None and cut.is_set() else error
            raise bus_error(cause, what, self._where, self._attempt) from error


def close_quietly(handler: Any) -> None:
    """Close a sender or receiver, which may have broken."""
    with suppress(Exception):  # whatever a broken connection says at its end helps nobody
        handler.close()


def close_aside(handler: Any) -> None:
    """The same without waiting: goodbye is said at once, then the SDK waits a second for its own thread."""
    threading.Thread(target=close_quietly, args=(handler,), daemon=True).start()


def _cut(handler: Any, cut: threading.Event) -> None:
    """End what waits at the handler's socket. The SDK has no public way to do this."""
    cut.set()
    with suppress(AttributeError, OSError):
        handler._handler._connection._transport.sock.shutdown(socket.SHUT_RDWR)


class _PatientTls(ssl.SSLContext):
    """A handshake that a silent host cannot draw out: the SDK gives its socket no timeout at that point."""

    handshake_seconds = ATTEMPT_SECONDS

    def wrap_socket(self, sock: socket.socket, *args: Any, **options: Any) -> ssl.SSLSocket:
        sock.settimeout(self.handshake_seconds)
        return super().wrap_socket(sock, *args, **options)


def _tls(handshake_seconds: float) -> ssl.SSLContext:
    import certifi  # the SDK's own choice of authorities

    context = _PatientTls(ssl.PROTOCOL_TLS_CLIENT)
    context.handshake_seconds = handshake_seconds
    context.load_verify_locations(certifi.where())
    return context


def service_bus_connection(settings: Settings) -> ServiceBusConnection | None:
    """The connection that the settings name, None when they name none; nothing is opened yet."""
    connection = settings.service_bus_connection
    namespace = settings.service_bus_connection__fullyqualifiednamespace
    if connection is not None:
        text = connection.get_secret_value()

        def by_key(**options: Any) -> ServiceBusClient:
            from azure.servicebus import ServiceBusClient

            return ServiceBusClient.from_connection_string(text, **options)

        return ServiceBusConnection(by_key, host_of(text) or "no host")
    if namespace is None:
        return None
    client_id = settings.service_bus_connection__clientid or settings.azure_client_id

    def by_identity(**options: Any) -> ServiceBusClient:
        from azure.servicebus import ServiceBusClient

        return ServiceBusClient(namespace, azure_credential(client_id), **options)

    return ServiceBusConnection(by_identity, namespace)


def required_connection(settings: Settings) -> ServiceBusConnection:
    """The connection that the settings name. Raises ConfigurationError when they name none."""
    connection = service_bus_connection(settings)
    if connection is None:
        raise ConfigurationError(
            [
                SettingProblem(
                    "SERVICE_BUS_CONNECTION",
                    Advised(
                        "is not set",
                        "set SERVICE_BUS_CONNECTION__fullyQualifiedNamespace to the namespace's host "
                        "(managed identity), or SERVICE_BUS_CONNECTION to a connection string",
                        "; ",
                    ),
                )
            ]
        )
    return connection

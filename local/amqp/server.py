"""The server: one thread for proton, one socket for clients."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from datetime import datetime
from types import TracebackType

from proton import Condition, Connection, Event, Handler
from proton._reactor import Task
from proton.reactor import ApplicationEvent, Container, EventInjector

from local.amqp.broker import Broker
from local.bus.in_process import InProcessBus
from shared.clock import Clock, SystemClock

HOST = "localhost"
KEY_NAME = "RootManageSharedAccessKey"
LARGEST_MESSAGE = 256 * 1024
"""Bytes, as in the Standard tier."""

START_SECONDS = STOP_SECONDS = 10.0
CLOSING_SECONDS = 0.2
"""How long clients have to say goodbye when the server stops."""

SHORTEST_TIMER_SECONDS = 0.001


class ServiceBusServer:
    """Serves the queues of `bus` while the block runs; `port` 0 takes any.

    With a clock that is not the machine's, `wake` has to be called when it was moved.
    """

    def __init__(
        self,
        bus: InProcessBus,
        clock: Clock | None = None,
        *,
        port: int = 0,
        key: str | None = None,
        largest_message: int = LARGEST_MESSAGE,
    ) -> None:
        self.bus = bus
        self.port = port
        self.key = key or secrets.token_hex()
        clock = clock or SystemClock()
        broker = Broker(
            bus, clock, (KEY_NAME, self.key), largest_message, lambda at: self._root.look_again(at)
        )
        self._root = _Root(broker, clock, port, self._listens)
        self._listening = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="amqp-server", daemon=True)

    @property
    def connection_string(self) -> str:
        """For SERVICE_BUS_CONNECTION."""
        return (
            f"Endpoint=sb://{HOST}:{self.port};SharedAccessKeyName={KEY_NAME};"
            f"SharedAccessKey={self.key};UseDevelopmentEmulator=true"
        )

    @property
    def running(self) -> bool:
        """Whether it serves."""
        return self._thread.is_alive()

    def __enter__(self) -> ServiceBusServer:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self._thread.start()
        if not self._listening.wait(START_SECONDS) or self._failure is not None:
            raise OSError(f"the AMQP server cannot listen on port {self.port}") from self._failure

    def stop(self) -> None:
        """Close every connection and the port; the queues keep what they hold."""
        self._root.injector.trigger(ApplicationEvent("stop"))
        self._thread.join(STOP_SECONDS)

    def wake(self) -> None:
        """Look at the queues again: the clock or somebody in this process has changed something."""
        self._root.injector.trigger(ApplicationEvent("wake"))

    def replace(self, bus: InProcessBus) -> None:
        """Serve other queues of the same names from now on: for tests that share a server."""
        self.bus = bus
        self._root.broker.bus = bus
        self.wake()

    def _run(self) -> None:
        try:
            Container(self._root, self._root.broker).run()
        except OSError as error:
            if self._listening.is_set():
                raise
            self._failure = error
        finally:
            self._listening.set()

    def _listens(self, port: int) -> None:
        self.port = port
        self._listening.set()


class _Root(Handler):  # type: ignore[misc]  # proton's own base is untyped
    """What happens to the server as a whole; the links are the broker's."""

    def __init__(self, broker: Broker, clock: Clock, port: int, listens: Callable[[int], None]) -> None:
        super().__init__()
        self.broker = broker
        self.injector = EventInjector()
        self._clock = clock
        self._port = port
        self._listens = listens
        self._connections: set[Connection] = set()
        self._timer: tuple[datetime, Task] | None = None
        self._stopping = False

    def on_reactor_init(self, event: Event) -> None:
        self._container: Container = event.container
        self._container.selectable(self.injector)
        self._acceptor = self._container.acceptor(HOST, self._port)
        self._listens(self._acceptor._selectable._delegate.getsockname()[1])

    def on_connection_remote_open(self, event: Event) -> None:
        self._connections.add(event.connection)

    def on_transport_closed(self, event: Event) -> None:
        self._connections.discard(event.connection)

    def look_again(self, moment: datetime) -> None:
        """Set the timer, unless it rings earlier."""
        if self._timer is not None:
            if self._timer[0] <= moment:
                return
            self._timer[1].cancel()
        delay = (moment - self._clock.now()).total_seconds()
        self._timer = (moment, self._container.schedule(max(delay, SHORTEST_TIMER_SECONDS), self))

    def on_timer_task(self, event: Event) -> None:  # noqa: ARG002
        if self._stopping:
            return self._end()
        self._timer = None
        return self.broker.deliver_all()

    def on_wake(self, event: Event) -> None:  # noqa: ARG002
        if self._timer is not None:
            self._timer[1].cancel()
            self._timer = None
        self.broker.deliver_all()

    def on_stop(self, event: Event) -> None:  # noqa: ARG002
        self._stopping = True
        self._acceptor.close()
        for connection in self._connections:
            connection.condition = Condition("amqp:connection:forced", "The server is stopping.")
            connection.close()
        self._container.schedule(CLOSING_SECONDS, self)

    def _end(self) -> None:
        for connection in self._connections:
            transport = connection.transport
            if transport is not None and transport._selectable is not None:
                transport._selectable.terminate()
                transport._selectable.update()
        self.injector.close()
        self._container.stop()

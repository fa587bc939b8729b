"""Service Bus away, silent, talking nonsense, refusing, or cut off in the middle of something."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from local.amqp.server import ServiceBusServer
from local.bus.in_process import InProcessBus, LockLost, QueueOptions
from local.bus.service_bus_receiver import SdkReceiver
from shared.clock import SystemClock
from shared.errors import BusError
from shared.storage.bus import Message
from shared.storage.service_bus import PAUSES_SECONDS, ServiceBusBus
from shared.storage.service_bus_connection import _PatientTls
from tests.doubles.cutting_proxy import CuttingProxy
from tests.integration.bus_sides import connection_to
from tests.real_parts import AMQP, required

ATTEMPT, GRACE = 1.0, 0.5
PATIENCE_SECONDS = 30.0
"""How long anything here may take; what hangs takes for ever."""

Answer = Callable[[socket.socket], None]


@pytest.fixture
def bus() -> InProcessBus:
    return InProcessBus(SystemClock(), {"q": QueueOptions(lock_seconds=30)})


@pytest.fixture
def server(bus: InProcessBus) -> Iterator[ServiceBusServer]:
    required(AMQP)
    with ServiceBusServer(bus) as server:
        yield server


@pytest.fixture
def proxy(server: ServiceBusServer) -> Iterator[CuttingProxy]:
    with CuttingProxy(server.port) as proxy:
        yield proxy


def text(port: int, key: str = "no-key", host: str = "localhost") -> str:
    return (
        f"Endpoint=sb://{host}:{port};SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey={key};"
        "UseDevelopmentEmulator=true"
    )


@contextmanager
def sending(connection_string: str, attempt: float = ATTEMPT) -> Iterator[tuple[ServiceBusBus, list[float]]]:
    """An adapter that does not wait between its attempts, and the pauses that it wanted to make."""
    pauses: list[float] = []
    connection = connection_to(connection_string, attempt_seconds=attempt, grace_seconds=GRACE)
    bus = ServiceBusBus(connection, pauses.append)
    yield bus, pauses
    bus.close()


@contextmanager
def receiving(connection_string: str) -> Iterator[SdkReceiver]:
    connection = connection_to(connection_string, attempt_seconds=5.0, grace_seconds=GRACE)
    receiver = SdkReceiver(connection, 1.0)
    yield receiver
    receiver.close()


@contextmanager
def host_that(answer: Answer) -> Iterator[int]:
    """Takes connections and does as it likes with them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            kept = []
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    kept.append(client)
                    answer(client)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def say(words: bytes) -> Answer:
    return lambda client: client.sendall(words)


def failing(connection_string: str) -> tuple[BusError, list[float]]:
    """The error of a send, which comes in time."""
    started = time.monotonic()
    with sending(connection_string) as (bus, pauses), pytest.raises(BusError) as caught:
        bus.send([Message("q", "m", "{}")])
    assert time.monotonic() - started < PATIENCE_SECONDS
    return caught.value, pauses


class TestNobodyThere:
    def test_a_host_that_refuses_connections(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        error, pauses = failing(text(port))
        assert error.failure == "refused"
        assert str(error).startswith("queue 'q' of Service Bus cannot be sent to: the namespace refuses")
        assert "SERVICE_BUS_CONNECTION" in str(error)
        assert tuple(pauses) == PAUSES_SECONDS

    def test_a_name_that_cannot_be_resolved(self) -> None:
        error, _ = failing(text(5672, host="no-such-namespace.invalid"))
        assert error.failure == "name"
        assert "cannot be resolved" in str(error)

    def test_a_host_that_takes_connections_and_is_silent(self) -> None:
        with host_that(lambda _: None) as port:
            error, pauses = failing(text(port))
        assert error.failure == "timeout"
        assert "did not answer within 1 s" in str(error)
        assert len(pauses) == len(PAUSES_SECONDS)

    @pytest.mark.parametrize(
        "words",
        [
            b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
            b"AMQP\x00\x00\x09\x01",
            b"\x00\x00\x00\x08\x02\x00\x00\x00" * 4,
            b"AMQP\x03\x01\x00\x00\x00\x00\x00\x10\x02\x01\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff",
        ],
        ids=["HTTP", "another AMQP", "empty frames", "broken frame"],
    )
    def test_a_host_that_talks_nonsense(self, words: bytes) -> None:
        with host_that(say(words)) as port:
            error, _ = failing(text(port))
        assert error.failure in {"connection", "timeout"}

    def test_a_host_that_hangs_up(self) -> None:
        with host_that(lambda client: client.close()) as port:
            error, _ = failing(text(port))
        assert error.failure == "connection"

    def test_a_silent_host_cannot_draw_out_the_tls_handshake(self) -> None:
        with host_that(lambda _: None) as port:
            context = _PatientTls(ssl.PROTOCOL_TLS_CLIENT)
            context.handshake_seconds = 0.2
            with socket.create_connection(("127.0.0.1", port)) as raw, pytest.raises(TimeoutError):
                context.wrap_socket(raw, server_hostname="localhost")

    def test_receiving_says_the_same(self) -> None:
        with (
            host_that(lambda client: client.close()) as port,
            receiving(text(port)) as receiver,
            pytest.raises(BusError, match="'q' of Service Bus cannot be received from"),
        ):
            receiver.receive("q")


class TestRefused:
    def test_a_wrong_key_is_named_without_being_shown_and_is_not_tried_again(
        self, server: ServiceBusServer, bus: InProcessBus
    ) -> None:
        error, pauses = failing(text(server.port, key="s3cret"))
        assert (error.failure, pauses) == ("unauthorized", [])
        assert "check the key" in str(error)
        assert "s3cret" not in str(error)
        assert bus.counts("q").active == 0

    def test_a_wrong_key_receives_nothing(self, server: ServiceBusServer, bus: InProcessBus) -> None:
        bus.send([Message("q", "m", "{}")])
        with receiving(text(server.port, key="s3cret")) as receiver, pytest.raises(BusError) as caught:
            receiver.receive("q")
        assert caught.value.failure == "unauthorized"
        assert bus.counts("q").active == 1

    @pytest.mark.parametrize("queue", ["nowhere", "nowhere/$deadletterqueue"])
    def test_a_queue_that_is_not_there(self, server: ServiceBusServer, queue: str) -> None:
        with receiving(server.connection_string) as receiver, pytest.raises(BusError) as caught:
            receiver.receive(queue)
        assert caught.value.failure == "not found"
        assert "ENTITY_QUEUE" in str(caught.value)

    def test_a_message_that_is_too_large_is_not_tried_again(self, server: ServiceBusServer) -> None:
        with sending(server.connection_string, 5.0) as (bus, pauses):
            with pytest.raises(BusError) as caught:
                bus.send([Message("q", "m", "x" * 300_000)])
            assert (caught.value.failure, pauses) == ("too large", [])
            bus.send([Message("q", "n", "x")])


class TestCut:
    def test_a_send_that_arrived_but_was_not_confirmed_is_repeated_and_counts_once(
        self, server: ServiceBusServer, bus: InProcessBus, proxy: CuttingProxy
    ) -> None:
        with sending(text(proxy.port, server.key), 5.0) as (adapter, pauses):
            adapter.send([Message("q", "before", "{}")])
            proxy.deaf.set()

            def cut_when_arrived() -> None:
                wait_for(lambda: bus.counts("q").active == 2)
                proxy.cut()
                proxy.deaf.clear()

            cutting = threading.Thread(target=cut_when_arrived)
            cutting.start()
            adapter.send([Message("q", "m", "{}")])
            cutting.join()
        assert pauses == list(PAUSES_SECONDS[:1])
        assert bus.counts("q").active == 2

    def test_a_send_over_a_connection_that_broke_meanwhile_arrives(
        self, server: ServiceBusServer, bus: InProcessBus, proxy: CuttingProxy
    ) -> None:
        with sending(text(proxy.port, server.key), 5.0) as (adapter, _):
            adapter.send([Message("q", "before", "{}")])
            proxy.cut()
            adapter.send([Message("q", "after", "{}")])
        assert bus.counts("q").active == 2
        assert proxy.connections == 2

    def test_a_receive_that_is_cut_goes_on_over_a_new_connection(
        self, server: ServiceBusServer, bus: InProcessBus, proxy: CuttingProxy
    ) -> None:
        with receiving(text(proxy.port, server.key)) as receiver:
            assert receiver.receive("q") is None
            proxy.cut()
            with pytest.raises(BusError) as caught:
                receiver.receive("q")
            assert caught.value.failure == "connection"
            bus.send([Message("q", "m", "{}")])
            server.wake()
            locked = receiver.receive("q")
            assert locked is not None
            assert locked.delivery_count == 1

    @pytest.mark.parametrize("settle", ["complete", "abandon", "dead_letter", "renew_lock"])
    def test_a_message_is_settled_although_its_connection_was_cut(
        self, server: ServiceBusServer, bus: InProcessBus, proxy: CuttingProxy, settle: str
    ) -> None:
        bus.send([Message("q", "m", "{}")])
        with receiving(text(proxy.port, server.key)) as receiver:
            locked = receiver.receive("q")
            assert locked is not None
            proxy.cut()
            arguments = ("why", "because") if settle == "dead_letter" else ()
            getattr(receiver, settle)(locked, *arguments)
        counts = bus.counts("q")
        assert {
            "complete": (counts.active, counts.locked, counts.dead_lettered) == (0, 0, 0),
            "abandon": (counts.active, counts.locked, counts.dead_lettered) == (1, 0, 0),
            "dead_letter": (counts.active, counts.locked, counts.dead_lettered) == (0, 0, 1),
            "renew_lock": (counts.active, counts.locked, counts.dead_lettered) == (0, 1, 0),
        }[settle], counts

    def test_a_message_of_a_receiver_that_died_comes_again_when_its_lock_has_run_out(self) -> None:
        required(AMQP)
        bus = InProcessBus(SystemClock(), {"q": QueueOptions(lock_seconds=0.5)})
        bus.send([Message("q", "m", "{}")])
        with (
            ServiceBusServer(bus) as server,
            CuttingProxy(server.port) as proxy,
            receiving(text(proxy.port, server.key)) as dying,
            receiving(server.connection_string) as other,
        ):
            locked = dying.receive("q")
            assert locked is not None
            proxy.cut()
            again = other.receive("q")
            assert again is not None
            assert again.delivery_count == 2
            with pytest.raises(LockLost):
                dying.complete(locked)
            other.complete(again)
        assert bus.counts("q").locked == bus.counts("q").active == 0


def test_a_server_that_restarts_finds_its_clients_again(bus: InProcessBus) -> None:
    required(AMQP)
    with ServiceBusServer(bus) as first:
        port, key = first.port, first.key
        with sending(text(port, key), 5.0) as (adapter, _), receiving(text(port, key)) as receiver:
            adapter.send([Message("q", "a", "{}"), Message("q", "b", "{}")])
            locked = receiver.receive("q")
            assert locked is not None
            first.stop()
            with ServiceBusServer(bus, port=port, key=key):
                receiver.complete(locked)
                adapter.send([Message("q", "c", "{}")])
                following = [receiver.receive("q") for _ in range(2)]
    assert [one and one.message.message_id for one in following] == ["b", "c"]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)

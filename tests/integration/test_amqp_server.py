"""What the AMQP server offers to the SDK beyond what the app uses, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.amqp import AmqpAnnotatedMessage, AmqpMessageProperties
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    ServiceBusError,
)

from local.amqp.server import ServiceBusServer
from local.bus.in_process import InProcessBus, QueueCounts, QueueOptions
from local.fake_clock import FakeClock
from shared.clock import SystemClock
from shared.storage.bus import Message
from tests.integration.bus_sides import START
from tests.real_parts import AMQP, required


class Served:
    """A server on a fake clock, and a client that retries nothing."""

    def __init__(self) -> None:
        self.clock = FakeClock(START)
        self.bus = InProcessBus(self.clock, {"Work": QueueOptions()})
        self.server = ServiceBusServer(self.bus, self.clock)
        self.server.start()
        self.client = client(self.server)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.server.wake()


def client(server: ServiceBusServer) -> ServiceBusClient:
    return ServiceBusClient.from_connection_string(server.connection_string, retry_total=0, try_timeout=5)


@pytest.fixture
def served() -> Iterator[Served]:
    required(AMQP)
    served = Served()
    yield served
    served.client.close()
    served.server.stop()


def received(receiver: Any, wait: float = 2.0) -> Any:
    (message,) = receiver.receive_messages(1, max_wait_time=wait)
    return message


def test_messages_are_scheduled_shown_and_cancelled_by_their_numbers(served: Served) -> None:
    at = served.clock.now() + timedelta(hours=1)
    with served.client.get_queue_sender("Work") as sender, served.client.get_queue_receiver("Work") as queue:
        messages = [ServiceBusMessage("{}", message_id=name) for name in ("a", "b")]
        numbers = sender.schedule_messages(messages, at)
        assert len(set(numbers)) == 2
        peeked = queue.peek_messages(10)
        assert [(one.message_id, one.state) for one in peeked] == [
            ("a", ServiceBusMessageState.SCHEDULED),
            ("b", ServiceBusMessageState.SCHEDULED),
        ]
        assert peeked[0].scheduled_enqueue_time_utc == at
        sender.cancel_scheduled_messages(numbers[0])
        with pytest.raises(MessageNotFoundError):
            sender.cancel_scheduled_messages(numbers[0])
        served.advance(3600)
        assert received(queue).message_id == "b"


def test_a_message_whose_time_has_come_wakes_who_waits_for_it() -> None:
    required(AMQP)
    bus = InProcessBus(SystemClock(), {"Work": QueueOptions()})
    bus.send([Message("Work", "m", "{}", deliver_at=datetime.now(UTC) + timedelta(seconds=1))])
    with (
        ServiceBusServer(bus) as server,
        client(server) as namespace,
        namespace.get_queue_receiver("Work") as queue,
    ):
        assert received(queue, wait=20).message_id == "m"


def test_names_do_not_depend_on_case(served: Served) -> None:
    served.bus.send([Message("Work", "m", "{}")])
    served.bus.dead_letter(served.bus.receive("Work") or pytest.fail("no message"), "why")
    for spelling in ("WORK", "work"):
        with served.client.get_queue_receiver(spelling, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
            (peeked,) = dead.peek_messages(1)
            assert peeked.dead_letter_reason == "why"


def test_a_message_that_is_received_and_deleted_is_gone(served: Served) -> None:
    served.bus.send([Message("Work", "m", "{}")])
    mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
    with served.client.get_queue_receiver("Work", receive_mode=mode) as queue:
        assert str(received(queue)) == "{}"
    assert served.bus.counts("Work") == QueueCounts(0, 0, 0, 0)


def test_a_receiver_that_closes_gives_back_what_nobody_took_without_counting_it(served: Served) -> None:
    with served.client.get_queue_receiver("Work") as queue:
        assert queue.receive_messages(1, max_wait_time=0.2) == []
        served.bus.send([Message("Work", "m", "{}")])
        served.server.wake()  # it goes to the receiver, which does not look
        while not served.bus.counts("Work").locked:
            pass
    assert served.bus.counts("Work").active == 1
    locked = served.bus.receive("Work")
    assert locked is not None
    assert locked.delivery_count == 1


def test_one_receiver_settles_what_another_received(served: Served) -> None:
    served.bus.send([Message("Work", name, "{}") for name in ("a", "b", "c")])
    with served.client.get_queue_receiver("Work") as one, served.client.get_queue_receiver("Work") as other:
        first, second, third = (received(one) for _ in range(3))
        other.complete_message(first)
        other.abandon_message(second)
        other.dead_letter_message(third, "why", "because")
        served.advance(60)
    assert served.bus.counts("Work") == QueueCounts(active=1, scheduled=0, locked=0, dead_lettered=1)
    (dead,) = served.bus.dead_letters("Work")
    assert (dead.dead_letter_reason, dead.dead_letter_description) == ("why", "because")


def test_a_lock_that_ran_out_is_refused_to_every_receiver(served: Served) -> None:
    served.bus.send([Message("Work", "m", "{}")])
    with served.client.get_queue_receiver("Work") as one, served.client.get_queue_receiver("Work") as other:
        late = received(one)
        served.advance(60)
        for receiver in (one, other):
            with pytest.raises(MessageLockLostError):
                receiver.complete_message(late)
            with pytest.raises(MessageLockLostError):
                receiver.renew_message_lock(late)


def test_what_is_not_implemented_is_said(served: Served) -> None:
    with served.client.get_queue_receiver("Work") as queue, pytest.raises(ServiceBusError, match="501"):
        queue.receive_deferred_messages(1)


def test_a_message_that_the_bus_refuses_is_rejected_and_the_link_lives(served: Served) -> None:
    with served.client.get_queue_sender("Work") as sender:
        too_long = AmqpMessageProperties(message_id="x" * 129)
        with pytest.raises(ServiceBusError, match="argument-error"):
            sender.send_messages(AmqpAnnotatedMessage(data_body=b"{}", properties=too_long))
        with pytest.raises(MessageSizeExceededError):
            sender.send_messages(ServiceBusMessage("x" * 300_000, message_id="large"))
        sender.send_messages(ServiceBusMessage("{}", message_id="m"))
    assert served.bus.counts("Work").active == 1


def test_a_body_that_is_no_text_arrives_unharmed(served: Served) -> None:
    body = bytes(range(256)) * 300  # more than a frame
    with served.client.get_queue_sender("Work") as sender, served.client.get_queue_receiver("Work") as queue:
        sender.send_messages(ServiceBusMessage(body, message_id="m"))
        assert b"".join(received(queue).body) == body


def test_a_port_that_is_taken_is_an_error() -> None:
    required(AMQP)
    bus = InProcessBus(SystemClock(), {"Work": QueueOptions()})
    with ServiceBusServer(bus) as first, pytest.raises(OSError, match=f"port {first.port}"):
        ServiceBusServer(bus, port=first.port).start()

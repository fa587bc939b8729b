"""What the in-process bus says of itself beyond what it has in common with Service Bus
(tests/integration/test_bus_contract.py)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from local.bus.in_process import DEAD_LETTER_QUEUE, InProcessBus, LockedMessage, QueueCounts, QueueOptions
from local.fake_clock import FakeClock
from shared.errors import BusError
from shared.storage.bus import Message

LOCK, TTL = 60.0, 172_800.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bus(clock: FakeClock) -> InProcessBus:
    return InProcessBus(clock, {"q": QueueOptions(), "other": QueueOptions()})


def message(message_id: str = "m", *, queue: str = "q", after: float | None = None) -> Message:
    at = None if after is None else FakeClock().now() + timedelta(seconds=after)
    return Message(queue, message_id, "{}", deliver_at=at)


def received(bus: InProcessBus, queue: str = "q") -> LockedMessage:
    locked = bus.receive(queue)
    assert locked is not None, "no message is due"
    return locked


def test_a_queue_that_does_not_exist_is_named_with_those_that_do(bus: InProcessBus) -> None:
    with pytest.raises(BusError, match="no queue 'nowhere'; there are q, other"):
        bus.send([message(queue="nowhere")])


def test_a_message_has_an_id(bus: InProcessBus) -> None:
    with pytest.raises(BusError, match="1 to 128 characters"):
        bus.send([message("")])


def test_messages_are_counted_by_their_state(bus: InProcessBus) -> None:
    bus.send([message("a"), message("b"), message("c"), message("d", after=30)])
    bus.dead_letter(received(bus), "why")
    received(bus)
    assert bus.counts("q") == QueueCounts(active=1, scheduled=1, locked=1, dead_lettered=1)


def test_the_next_moment_of_interest_is_a_message_that_is_due_or_the_end_of_a_lock(
    bus: InProcessBus, clock: FakeClock
) -> None:
    assert bus.next_due() is None
    bus.send([message(after=30)])
    assert bus.next_due() == bus.next_due("q") == clock.now() + timedelta(seconds=30)
    clock.advance(30)
    received(bus)
    assert bus.next_due() == clock.now() + timedelta(seconds=LOCK)
    assert bus.next_due("other") is None


def test_for_dead_letters_it_is_also_what_may_kill_a_message(bus: InProcessBus, clock: FakeClock) -> None:
    bus.send([message()])
    assert bus.next_due("q" + DEAD_LETTER_QUEUE) == clock.now() + timedelta(seconds=TTL)


def test_a_released_message_comes_again_uncounted(bus: InProcessBus) -> None:
    bus.send([message()])
    bus.release(received(bus))
    assert received(bus).delivery_count == 1


def test_a_cancelled_message_never_comes(bus: InProcessBus, clock: FakeClock) -> None:
    (number,) = bus.schedule([message(after=30)])
    bus.cancel_scheduled("q", number)
    clock.advance(30)
    assert bus.receive("q") is None


def test_a_message_that_is_due_cannot_be_cancelled(bus: InProcessBus, clock: FakeClock) -> None:
    (number,) = bus.schedule([message(after=30)])
    clock.advance(30)
    with pytest.raises(BusError, match=f"no scheduled message {number}"):
        bus.cancel_scheduled("q", number)
    assert received(bus).message.message_id == "m"


def test_a_peek_shows_everything_by_number_and_locks_nothing(bus: InProcessBus) -> None:
    bus.send([message("later", after=30), message("a"), message("b")])
    received(bus)
    assert [stored.message.message_id for stored in bus.peek("q", 0, 10)] == ["later", "a", "b"]
    assert [stored.message.message_id for stored in bus.peek("q", 2, 1)] == ["a"]
    assert bus.counts("q").active == 1


def test_a_dead_letter_that_is_given_up_once_more_stays_with_its_new_reason(bus: InProcessBus) -> None:
    bus.send([message()])
    bus.dead_letter(received(bus), "first")
    bus.dead_letter(received(bus, "q" + DEAD_LETTER_QUEUE), "second")
    assert [dead.dead_letter_reason for dead in bus.dead_letters("q")] == ["second"]


def test_what_is_known_of_sent_messages_does_not_grow_for_ever(bus: InProcessBus, clock: FakeClock) -> None:
    for hour in range(24 * 30):
        bus.send([message(f"run-{hour}"), message("the same"), message(f"other-{hour}", queue="other")])
        for queue in ("q", "other"):
            while (locked := bus.receive(queue)) is not None:
                bus.complete(locked)
        clock.advance(3600)
    kept = [bus._queue(queue) for queue in ("q", "other")]
    assert all(len(queue.seen_ids) <= 26 for queue in kept)
    assert all(len(queue._due) + len(queue._expiring) <= 2 * 24 * 2 + 4 for queue in kept)

"""What both buses promise: the one in the process, and Service Bus's wire through the SDK."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from local.bus.in_process import DEAD_LETTER_QUEUE, LockedMessage, LockLost
from shared.errors import BusError
from shared.storage.bus import Message
from tests.integration.bus_sides import Side, Wire, in_process
from tests.integration.queue_views import QueueDepth
from tests.real_parts import AMQP, required

LOCK, WINDOW, TTL = 60.0, 86_400.0, 172_800.0
DEAD = "q" + DEAD_LETTER_QUEUE


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    required(AMQP)
    with Wire() as wire:
        yield wire


@pytest.fixture(params=["in process", "AMQP"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    if request.param == "in process":
        yield in_process()
    else:
        wire: Wire = request.getfixturevalue("wire")
        with wire.side() as side:
            yield side


def message(message_id: str = "m", *, queue: str = "q", at: datetime | None = None) -> Message:
    return Message(queue, message_id, "{}", deliver_at=at)


def later(side: Side, seconds: float) -> datetime:
    return side.clock.now() + timedelta(seconds=seconds)


def let_die(side: Side, *message_ids: str) -> None:
    """Put messages among the dead letters."""
    side.bus.send([message(message_id) for message_id in message_ids])
    for _ in message_ids:
        side.receiver.dead_letter(side.receive(), "refused")


def waiting(side: Side) -> int:
    return side.queues.depth("q").waiting


class TestMessages:
    def test_a_message_arrives_as_it_was_sent(self, side: Side) -> None:
        sent = Message(
            "q", "id-1", '{"a": "é"}', later(side, 5), "run-1", "text/plain", {"traceparent": "00-1-2-00"}
        )
        side.bus.send([sent])
        side.advance(5)
        locked = side.receive()
        assert locked.message == sent
        assert (locked.delivery_count, locked.sequence_number) == (1, 1)
        assert locked.enqueued == side.clock.now()
        assert locked.locked_until == later(side, LOCK)
        assert locked.expires == later(side, TTL)
        assert locked.dead_letter_reason is None

    def test_what_is_not_said_is_not_there(self, side: Side) -> None:
        sent = Message("q", "m", "", content_type=None)
        side.bus.send([sent])
        assert side.receive().message == sent

    def test_many_messages_are_split_to_the_size_limit_and_all_arrive_once(self, side: Side) -> None:
        body = "x" * 20_000
        side.bus.send([Message("q", f"m{number}", body) for number in range(30)])
        assert side.queues.depth("q") == QueueDepth(waiting=30, scheduled=0, dead=0)

    def test_each_queue_gets_its_own_messages(self, side: Side) -> None:
        side.bus.send([message("a"), message("b", queue="other")])
        assert side.receive("q").message.message_id == "a"
        assert side.receive("other").message.message_id == "b"

    def test_a_queue_that_does_not_exist_is_named(self, side: Side) -> None:
        with pytest.raises(BusError, match="'nowhere'"):
            side.bus.send([message(queue="nowhere")])

    @pytest.mark.parametrize(("length", "taken"), [(1, True), (128, True), (129, False)])
    def test_a_message_id_has_up_to_128_characters(self, side: Side, length: int, taken: bool) -> None:
        if taken:
            side.bus.send([message("x" * length)])
        else:
            with pytest.raises(BusError):
                side.bus.send([message("x" * length)])
        assert waiting(side) == taken


class TestLocks:
    def test_a_locked_message_is_nobody_elses(self, side: Side) -> None:
        side.bus.send([message()])
        side.receive()
        assert side.is_empty()

    def test_a_completed_message_never_comes_again(self, side: Side) -> None:
        side.bus.send([message()])
        side.receiver.complete(side.receive())
        side.advance(LOCK)
        assert side.is_empty()
        assert side.queues.depth("q") == QueueDepth(waiting=0, scheduled=0, dead=0)

    def test_a_message_whose_lock_runs_out_comes_again_and_is_counted(self, side: Side) -> None:
        side.bus.send([message()])
        first = side.receive()
        side.advance(LOCK - 0.001)
        assert side.is_empty()
        side.advance(0.001)
        second = side.receive()
        assert (second.message, second.delivery_count) == (first.message, 2)
        assert second.lock_token != first.lock_token

    @pytest.mark.parametrize("settle", ["complete", "abandon", "renew_lock"])
    def test_a_lock_that_ran_out_settles_nothing(self, side: Side, settle: str) -> None:
        side.bus.send([message()])
        late = side.receive()
        side.advance(LOCK)
        with pytest.raises(LockLost, match="the lock of m has run out"):
            getattr(side.receiver, settle)(late)
        again = side.receive()
        with pytest.raises(LockLost):
            getattr(side.receiver, settle)(late)
        side.receiver.complete(again)
        assert waiting(side) == 0

    def test_a_message_can_be_settled_once(self, side: Side) -> None:
        side.bus.send([message()])
        locked = side.receive()
        side.receiver.complete(locked)
        with pytest.raises(LockLost):
            side.receiver.abandon(locked)

    def test_a_renewed_lock_lasts_from_the_renewal(self, side: Side) -> None:
        side.bus.send([message()])
        locked = side.receive()
        side.advance(LOCK - 1)
        assert side.receiver.renew_lock(locked) == later(side, LOCK)
        side.advance(LOCK - 1)
        assert side.is_empty()
        side.receiver.complete(locked)
        assert waiting(side) == 0

    def test_an_abandoned_message_comes_again_at_once(self, side: Side) -> None:
        side.bus.send([message()])
        side.receiver.abandon(side.receive())
        assert side.receive().delivery_count == 2

    def test_of_many_threads_each_message_goes_to_one(self, side: Side) -> None:
        side.bus.send([message(f"m{number}") for number in range(60)])

        def take_all(_: int) -> list[str]:
            taken = []
            while (locked := side.receiver.receive("q")) is not None:
                taken.append(locked.message.message_id)
                side.receiver.complete(locked)
            return taken

        with ThreadPoolExecutor(4) as pool:
            taken = [message_id for ids in pool.map(take_all, range(4)) for message_id in ids]
        assert sorted(taken) == sorted(f"m{number}" for number in range(60))


class TestDeadLetters:
    def test_a_message_that_was_delivered_too_often_is_dead(self, side: Side) -> None:
        side.bus.send([message()])
        for _ in range(3):
            side.receiver.abandon(side.receive())
        assert side.is_empty()
        (dead,) = side.queues.dead_letters("q")
        assert (dead.message_id, dead.reason, dead.delivery_count) == ("m", "MaxDeliveryCountExceeded", 3)

    def test_locks_that_run_out_count_as_deliveries(self, side: Side) -> None:
        side.bus.send([message()])
        for _ in range(3):
            side.receive()
            side.advance(LOCK)
        assert side.is_empty()
        assert [dead.message_id for dead in side.queues.dead_letters("q")] == ["m"]

    def test_a_receiver_can_give_a_message_up_with_reason_and_description(self, side: Side) -> None:
        side.bus.send([Message("q", "m", '{"a": 1}')])
        enqueued = side.clock.now()
        side.receiver.dead_letter(side.receive(), "cannot be read", "no run id")
        side.advance(60)
        (dead,) = side.queues.dead_letters("q")
        assert (dead.reason, dead.description, dead.body) == ("cannot be read", "no run id", '{"a": 1}')
        assert (dead.delivery_count, dead.enqueued) == (1, enqueued)

    def test_a_dead_letter_is_received_from_its_queue_with_its_reason(self, side: Side) -> None:
        let_die(side, "m")
        locked = side.receive(DEAD)
        assert (locked.message, locked.dead_letter_reason) == (message(), "refused")
        assert locked.dead_letter_description is None
        side.receiver.complete(locked)
        assert side.queues.dead_letters("q") == []

    def test_a_dead_letter_comes_as_often_as_it_takes(self, side: Side) -> None:
        let_die(side, "m")
        for delivery in range(2, 7):
            locked = side.receive(DEAD)
            assert locked.delivery_count == delivery
            side.receiver.abandon(locked)
        side.advance(TTL)
        assert side.receive(DEAD).message.message_id == "m"

    def test_a_message_that_nobody_takes_in_time_is_dead(self, side: Side) -> None:
        side.bus.send([message()])
        side.advance(TTL - 1)
        assert waiting(side) == 1
        side.advance(1)
        assert side.is_empty()
        assert [dead.reason for dead in side.queues.dead_letters("q")] == ["TTLExpiredException"]

    def test_who_waits_for_dead_letters_gets_one_as_it_dies(self, side: Side) -> None:
        side.bus.send([message()])
        assert side.is_empty(DEAD)
        side.advance(TTL)
        assert side.receive(DEAD).dead_letter_reason == "TTLExpiredException"

    def test_the_time_to_live_of_a_scheduled_message_begins_when_it_is_due(self, side: Side) -> None:
        side.bus.send([message(at=later(side, 1000))])
        side.advance(TTL + 999)
        assert side.receive().message.message_id == "m"


class TestSchedule:
    def test_a_scheduled_message_comes_when_it_is_due_and_not_before(self, side: Side) -> None:
        side.bus.send([message(at=later(side, 30))])
        assert side.queues.depth("q") == QueueDepth(waiting=0, scheduled=1, dead=0)
        side.advance(29.999)
        assert side.is_empty()
        side.advance(0.001)
        assert side.receive().message.message_id == "m"

    def test_messages_come_in_the_order_in_which_they_are_due(self, side: Side) -> None:
        due = {"late": later(side, 20), "soon": later(side, 10), "now": None, "then": None}
        side.bus.send([message(name, at=at) for name, at in due.items()])
        side.advance(60)
        assert [side.receive().message.message_id for _ in due] == ["now", "then", "soon", "late"]

    def test_a_time_that_has_passed_means_now(self, side: Side) -> None:
        before = later(side, 10)
        side.advance(50)
        side.bus.send([message("earlier")])
        side.advance(50)
        side.bus.send([message("overdue", at=before)])
        assert [side.receive().message.message_id for _ in range(2)] == ["earlier", "overdue"]


class TestDuplicates:
    def test_the_same_id_within_the_window_is_dropped_even_after_completion(self, side: Side) -> None:
        side.bus.send([message(), message()])
        side.receiver.complete(side.receive())
        side.advance(WINDOW - 1)
        side.bus.send([message()])
        assert side.is_empty()

    def test_a_scheduled_message_counts_from_its_sending(self, side: Side) -> None:
        side.bus.send([message(at=later(side, 30))])
        side.bus.send([message()])
        assert side.is_empty()

    def test_after_the_window_the_id_is_new(self, side: Side) -> None:
        side.bus.send([message()])
        side.receiver.complete(side.receive())
        side.advance(WINDOW)
        side.bus.send([message()])
        assert side.receive().delivery_count == 1

    def test_each_queue_has_ids_of_its_own(self, side: Side) -> None:
        side.bus.send([message(), message(queue="other")])
        assert side.receive("q").message.message_id == side.receive("other").message.message_id


def test_a_lock_is_held_by_its_token(side: Side) -> None:
    side.bus.send([message("a"), message("b")])
    first, second = side.receive(), side.receive()
    side.receiver.complete(second)
    side.receiver.abandon(first)
    again: LockedMessage = side.receive()
    assert again.message.message_id == "a"

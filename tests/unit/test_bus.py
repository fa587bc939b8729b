"""The in-process bus behaves as Service Bus does: locks, schedule, duplicate detection, dead letters."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from local.bus import InProcessBus, LockedMessage, LockLost, QueueCounts, QueueOptions
from local.fake_clock import FakeClock
from shared.errors import BusError
from shared.storage.bus import Message

LOCK, WINDOW, TTL = 60.0, 86_400.0, 172_800.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bus(clock: FakeClock) -> InProcessBus:
    return InProcessBus(clock, {"q": QueueOptions(max_delivery_count=3), "other": QueueOptions()})


def message(message_id: str = "m", *, queue: str = "q", after: float | None = None) -> Message:
    at = None if after is None else FakeClock().now() + timedelta(seconds=after)
    return Message(queue, message_id, "{}", deliver_at=at)


def received(bus: InProcessBus, queue: str = "q") -> LockedMessage:
    locked = bus.receive(queue)
    assert locked is not None, "no message is due"
    return locked


class TestLocks:
    def test_a_locked_message_is_nobody_elses(self, bus: InProcessBus) -> None:
        bus.send([message()])
        assert received(bus).delivery_count == 1
        assert bus.receive("q") is None

    def test_a_completed_message_never_comes_again(self, bus: InProcessBus, clock: FakeClock) -> None:
        bus.send([message()])
        bus.complete(received(bus))
        clock.advance(LOCK)
        assert bus.receive("q") is None
        assert bus.counts("q") == QueueCounts(active=0, scheduled=0, locked=0, dead_lettered=0)

    def test_a_message_whose_lock_runs_out_comes_again_and_is_counted(
        self, bus: InProcessBus, clock: FakeClock
    ) -> None:
        bus.send([message()])
        first = received(bus)
        clock.advance(LOCK - 0.001)
        assert bus.receive("q") is None
        clock.advance(0.001)
        second = received(bus)
        assert (second.message, second.delivery_count) == (first.message, 2)
        assert second.lock_token != first.lock_token

    @pytest.mark.parametrize("settle", ["complete", "abandon", "renew_lock"])
    def test_a_lock_that_ran_out_settles_nothing(
        self, bus: InProcessBus, clock: FakeClock, settle: str
    ) -> None:
        bus.send([message()])
        late = received(bus)
        clock.advance(LOCK)
        with pytest.raises(LockLost, match="the lock of m has run out"):
            getattr(bus, settle)(late)
        again = received(bus)
        with pytest.raises(LockLost):
            getattr(bus, settle)(late)
        bus.complete(again)

    def test_a_message_can_be_settled_once(self, bus: InProcessBus) -> None:
        bus.send([message()])
        locked = received(bus)
        bus.complete(locked)
        with pytest.raises(LockLost):
            bus.abandon(locked)

    def test_a_renewed_lock_lasts_from_the_renewal(self, bus: InProcessBus, clock: FakeClock) -> None:
        bus.send([message()])
        locked = received(bus)
        clock.advance(LOCK - 1)
        bus.renew_lock(locked)
        clock.advance(LOCK - 1)
        assert bus.receive("q") is None
        bus.complete(locked)

    def test_an_abandoned_message_comes_again_at_once(self, bus: InProcessBus) -> None:
        bus.send([message()])
        bus.abandon(received(bus))
        assert received(bus).delivery_count == 2

    def test_of_many_threads_each_message_goes_to_one(self, bus: InProcessBus) -> None:
        bus.send([message(f"m{number}") for number in range(300)])

        def take_all(_: int) -> list[str]:
            taken = []
            while (locked := bus.receive("q")) is not None:
                taken.append(locked.message.message_id)
                bus.complete(locked)
            return taken

        with ThreadPoolExecutor(8) as pool:
            taken = [message_id for ids in pool.map(take_all, range(8)) for message_id in ids]
        assert sorted(taken) == sorted(f"m{number}" for number in range(300))


class TestDeadLetters:
    def test_a_message_that_was_delivered_too_often_is_dead(self, bus: InProcessBus) -> None:
        bus.send([message()])
        for _ in range(3):
            bus.abandon(received(bus))
        assert bus.receive("q") is None
        (dead,) = bus.dead_letters("q")
        assert (dead.message.message_id, dead.dead_letter_reason) == ("m", "MaxDeliveryCountExceeded")

    def test_locks_that_run_out_count_as_deliveries(self, bus: InProcessBus, clock: FakeClock) -> None:
        bus.send([message()])
        for _ in range(3):
            received(bus)
            clock.advance(LOCK)
        assert bus.receive("q") is None
        assert len(bus.dead_letters("q")) == 1

    def test_a_receiver_can_give_a_message_up_with_a_reason(self, bus: InProcessBus) -> None:
        bus.send([message()])
        bus.dead_letter(received(bus), "cannot be read")
        assert [dead.dead_letter_reason for dead in bus.dead_letters("q")] == ["cannot be read"]
        assert bus.counts("q").dead_lettered == 1

    def test_a_message_that_nobody_takes_in_time_is_dead(self, bus: InProcessBus, clock: FakeClock) -> None:
        bus.send([message()])
        clock.advance(TTL - 1)
        assert bus.counts("q").active == 1
        clock.advance(1)
        assert bus.receive("q") is None
        assert [dead.dead_letter_reason for dead in bus.dead_letters("q")] == ["TTLExpiredException"]

    def test_the_time_to_live_of_a_scheduled_message_begins_when_it_is_due(
        self, bus: InProcessBus, clock: FakeClock
    ) -> None:
        bus.send([message(after=1000)])
        clock.advance(TTL + 999)
        assert received(bus).message.message_id == "m"


class TestSchedule:
    def test_a_scheduled_message_comes_when_it_is_due_and_not_before(
        self, bus: InProcessBus, clock: FakeClock
    ) -> None:
        bus.send([message(after=30)])
        assert bus.counts("q") == QueueCounts(active=0, scheduled=1, locked=0, dead_lettered=0)
        assert bus.next_due() == clock.now() + timedelta(seconds=30)
        clock.advance(29.999)
        assert bus.receive("q") is None
        clock.advance(0.001)
        assert received(bus).message.message_id == "m"

    def test_messages_come_in_the_order_in_which_they_are_due(
        self, bus: InProcessBus, clock: FakeClock
    ) -> None:
        bus.send([message("late", after=20), message("soon", after=10), message("now"), message("then")])
        clock.advance(60)
        assert [received(bus).message.message_id for _ in range(4)] == ["now", "then", "soon", "late"]

    def test_a_time_that_has_passed_means_now(self, bus: InProcessBus, clock: FakeClock) -> None:
        clock.advance(50)
        bus.send([message("earlier")])
        clock.advance(50)
        bus.send([message("overdue", after=10)])
        assert [received(bus).message.message_id for _ in range(2)] == ["earlier", "overdue"]

    def test_the_next_moment_of_interest_is_also_the_end_of_a_lock(
        self, bus: InProcessBus, clock: FakeClock
    ) -> None:
        assert bus.next_due() is None
        bus.send([message()])
        received(bus)
        assert bus.next_due() == clock.now() + timedelta(seconds=LOCK)


class TestDuplicates:
    def test_the_same_id_within_the_window_is_dropped_even_after_completion(
        self, bus: InProcessBus, clock: FakeClock
    ) -> None:
        bus.send([message(), message()])
        bus.complete(received(bus))
        clock.advance(WINDOW - 1)
        bus.send([message()])
        assert bus.receive("q") is None

    def test_a_scheduled_message_counts_from_its_sending(self, bus: InProcessBus) -> None:
        bus.send([message(after=30)])
        bus.send([message()])
        assert bus.receive("q") is None

    def test_after_the_window_the_id_is_new(self, bus: InProcessBus, clock: FakeClock) -> None:
        bus.send([message()])
        bus.complete(received(bus))
        clock.advance(WINDOW)
        bus.send([message()])
        assert received(bus).delivery_count == 1

    def test_each_queue_has_ids_of_its_own(self, bus: InProcessBus) -> None:
        bus.send([message(), message(queue="other")])
        assert received(bus, "q").message.message_id == received(bus, "other").message.message_id


class TestSending:
    def test_a_queue_that_does_not_exist_is_named_with_those_that_do(self, bus: InProcessBus) -> None:
        with pytest.raises(BusError, match="no queue 'nowhere'; there are q, other"):
            bus.send([message(queue="nowhere")])

    @pytest.mark.parametrize(("length", "taken"), [(0, False), (1, True), (128, True), (129, False)])
    def test_a_message_id_has_1_to_128_characters(self, bus: InProcessBus, length: int, taken: bool) -> None:
        if taken:
            bus.send([message("x" * length)])
            assert bus.counts("q").active == 1
        else:
            with pytest.raises(BusError, match="1 to 128 characters"):
                bus.send([message("x" * length)])

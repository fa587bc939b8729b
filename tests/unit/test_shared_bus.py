"""The bus of another process keeps the bus's rules."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from local.bus.in_process import InProcessBus, LockLost, QueueOptions
from local.bus.shared import BusServer, SharedBus
from local.fake_clock import FakeClock
from shared.errors import BusError
from shared.storage.bus import Message

LOCK = 60.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bus(clock: FakeClock) -> InProcessBus:
    return InProcessBus(clock, {"q": QueueOptions(lock_seconds=LOCK)})


@pytest.fixture
def shared(bus: InProcessBus) -> Iterator[SharedBus]:
    with BusServer(bus) as server:
        yield SharedBus(server.access)


def test_what_one_sends_another_receives_and_settles(bus: InProcessBus, shared: SharedBus) -> None:
    shared.send([Message("q", "m", '{"n": 1}')])
    locked = shared.receive("q")
    assert locked is not None
    assert locked.message.body == '{"n": 1}'
    shared.renew_lock(locked)
    shared.abandon(locked)
    again = shared.receive("q")
    assert again is not None
    assert again.delivery_count == 2
    shared.complete(again)
    assert shared.receive("q") is None
    assert shared.next_due("q") is None
    assert bus.counts("q").active == 0


def test_its_errors_arrive(clock: FakeClock, shared: SharedBus) -> None:
    shared.send([Message("q", "m", "{}")])
    locked = shared.receive("q")
    assert locked is not None
    clock.advance(LOCK)
    with pytest.raises(LockLost):
        shared.complete(locked)
    with pytest.raises(BusError, match="no queue 'other'"):
        shared.receive("other")


def test_each_thread_is_answered_while_another_one_waits(shared: SharedBus) -> None:
    waiting = threading.Thread(target=shared.wait, args=(30.0,))
    waiting.start()
    shared.send([Message("q", "m", "{}")])
    assert shared.receive("q") is not None
    while waiting.is_alive():  # the sending may have come before the waiting
        shared.send([Message("q", f"m{threading.get_ident()}", "{}")])
        waiting.join(0.1)


def test_an_owner_that_has_gone_is_a_bus_error(bus: InProcessBus) -> None:
    with BusServer(bus) as server:
        access = server.access
    with pytest.raises(BusError, match="has gone"):
        SharedBus(access).receive("q")

"""The pool: bounded, and never a broken or an old connection."""

from __future__ import annotations

import threading
import time

import pytest

from local.fake_clock import FakeClock
from shared.clients.vista.connection_pool import ConnectionPool, NoFreeConnection
from shared.errors import DatabaseError


class FakeConnection:
    def __init__(self) -> None:
        self.broken = False
        self.closed = False
        self.pings = 0
        self.users = 0

    def ping(self) -> None:
        self.pings += 1
        if self.broken:
            raise DatabaseError("broken")

    def close(self) -> None:
        self.closed = True


class Database:
    """Opens connections and keeps them; `down` refuses."""

    def __init__(self) -> None:
        self.opened: list[FakeConnection] = []
        self.down = False
        self._lock = threading.Lock()

    def connect(self) -> FakeConnection:
        if self.down:
            raise DatabaseError("down")
        with self._lock:
            self.opened.append(FakeConnection())
            return self.opened[-1]


def pool(
    database: Database, size: int = 2, clock: FakeClock | None = None, wait: float = 0.01
) -> ConnectionPool[FakeConnection]:
    return ConnectionPool(
        database.connect, size, clock or FakeClock(), max_age_seconds=1800, wait_seconds=wait
    )


def test_a_connection_is_used_again_after_a_check() -> None:
    database = Database()
    connections = pool(database)
    assert database.opened == []
    for _ in range(3):
        with connections.connection() as connection:
            assert not connection.closed
    assert len(database.opened) == 1
    assert database.opened[0].pings == 2


def test_a_connection_that_broke_while_idle_is_replaced() -> None:
    database = Database()
    connections = pool(database)
    with connections.connection() as first:
        pass
    first.broken = True
    with connections.connection() as second:
        assert second is not first
    assert first.closed


@pytest.mark.parametrize("error", [DatabaseError("broke"), KeyError("ours"), KeyboardInterrupt()])
def test_a_connection_is_not_taken_back_after_an_error(error: BaseException) -> None:
    database = Database()
    connections = pool(database, size=1)
    with pytest.raises(type(error)), connections.connection() as first:
        raise error
    assert first.closed
    with connections.connection() as second:
        assert second is not first


def test_an_old_connection_is_closed_without_being_asked() -> None:
    database, clock = Database(), FakeClock()
    connections = pool(database, clock=clock)
    with connections.connection() as first:
        pass
    clock.advance(1801)
    with connections.connection() as second:
        assert second is not first
    assert first.closed
    assert first.pings == 0


def test_when_all_are_in_use_the_next_waits_and_then_is_told() -> None:
    connections = pool(Database(), size=1)
    with (
        connections.connection(),
        pytest.raises(NoFreeConnection, match="All 1 "),
        connections.connection(),
    ):
        raise AssertionError("never handed out")
    with connections.connection():
        pass


def test_a_failed_connect_leaves_its_place_free() -> None:
    database = Database()
    connections = pool(database, size=1)
    database.down = True
    for _ in range(3):
        with pytest.raises(DatabaseError, match="down"), connections.connection():
            raise AssertionError("never handed out")
    database.down = False
    with connections.connection():
        pass


def test_many_threads_never_exceed_the_size_nor_share_a_connection() -> None:
    database = Database()
    connections = pool(database, size=3, wait=30)
    shared: list[int] = []

    def work() -> None:
        for _ in range(20):
            with connections.connection() as connection:
                connection.users += 1
                time.sleep(0)
                shared.append(connection.users)
                connection.users -= 1

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shared == [1] * 400
    assert len(database.opened) <= 3


def test_closing_closes_idle_ones_at_once_and_those_in_use_at_their_end() -> None:
    database = Database()
    connections = pool(database)
    with connections.connection() as used:
        with connections.connection() as idle:
            pass
        connections.close()
        assert [idle.closed, used.closed] == [True, False]
    assert used.closed
    with pytest.raises(NoFreeConnection, match="closed"), connections.connection():
        raise AssertionError("never handed out")

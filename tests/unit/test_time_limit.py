"""Calls that are given up in time, and what becomes of those that answer later."""

from __future__ import annotations

import threading

import pytest

from shared.clients.http.time_limit import TimeLimit

LONG = 60.0
AT_ONCE = 0.01


def test_a_call_in_time_gives_its_result_or_its_own_error() -> None:
    limit = TimeLimit(LONG, most_late=1)
    kept: list[int] = []
    assert [limit.run(lambda: 1, kept.append), limit.run(lambda: 2, kept.append)] == [1, 2]
    with pytest.raises(ValueError, match="mine"):
        limit.run(lambda: int("mine"), kept.append)
    assert kept == []


def test_a_late_result_is_discarded() -> None:
    release, discarded = threading.Event(), threading.Event()
    late: list[bool] = []

    def discard(result: bool) -> None:
        late.append(result)
        discarded.set()

    with pytest.raises(TimeoutError):
        TimeLimit(AT_ONCE).run(lambda: release.wait(LONG), discard)
    assert late == []
    release.set()
    assert discarded.wait(LONG)
    assert late == [True]


def test_no_more_than_so_many_calls_are_late_at_a_time() -> None:
    release, begun, discarded = threading.Event(), [], threading.Event()

    def call() -> bool:
        begun.append(1)
        return release.wait(LONG)

    limit = TimeLimit(AT_ONCE, most_late=1)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            limit.run(call, lambda _: discarded.set())
    assert len(begun) == 1
    release.set()
    assert discarded.wait(LONG)

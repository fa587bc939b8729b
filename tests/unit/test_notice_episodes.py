"""Episodes on a clock that only moves when told to: told once, over once, and again when it comes back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from shared.notices.conditions import Condition
from shared.notices.episodes import (
    CLAIM,
    KEPT,
    MOST_WAITING,
    Book,
    advance,
    book_from_json,
    claim,
    settle,
    without_the_outdated,
)

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
FAILED = Condition("run-failed", "Run 1 failed", ("jobs: away",), run_id="1")
BREAKER = Condition("breaker-open", "Vista has been failing", (), subject="vista")


def later(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def seen(book: Book, minutes: float, *standing: Condition, unknown: bool = False) -> Book:
    """The book after an observation, as it comes back from its document."""
    after = advance(book, later(minutes), standing, lambda _: unknown)
    return book_from_json(json.loads(json.dumps(after.to_json())), NOW)


def ids(book: Book) -> list[str]:
    return [notice.notice_id for notice in book.outbox]


def new_book() -> Book:
    return book_from_json(None, NOW)


def test_an_episode_is_told_once_however_often_it_is_seen() -> None:
    book = new_book()
    for minutes in (0, 5, 10):
        book = seen(book, minutes, FAILED)
    assert ids(book) == ["run-failed-20260105T120000000000-begun"]
    other_run = Condition("run-failed", "Run 2 failed", (), run_id="2")
    assert ids(seen(book, 15, other_run)) == ids(book), "the same episode goes on"


def test_its_end_is_told_once_and_what_comes_back_is_a_new_episode() -> None:
    book = new_book()
    for minutes, standing in ((0, [FAILED]), (65, []), (70, []), (75, [FAILED])):
        book = seen(book, minutes, *standing)
    assert ids(book) == [
        "run-failed-20260105T120000000000-begun",
        "run-failed-20260105T120000000000-over",
        "run-failed-20260105T131500000000-begun",
    ]
    over = book.outbox[1]
    assert over.title == "Over: Run 1 failed"
    assert over.lines == ("Noticed at 2026-01-05 12:00 UTC, over after 1 h 5 min.",)
    assert over.since == book.outbox[0].at


def test_several_episodes_at_once_do_not_meddle() -> None:
    book = seen(seen(seen(new_book(), 0, FAILED), 5, FAILED, BREAKER), 10, BREAKER)
    assert [(notice.key, notice.state) for notice in book.outbox] == [
        ("run-failed", "begun"),
        ("breaker-open/vista", "begun"),
        ("run-failed", "over"),
    ]


def test_what_nobody_can_tell_goes_on() -> None:
    book = seen(seen(new_book(), 0, BREAKER), 5, unknown=True)
    assert len(ids(book)) == 1
    assert len(ids(seen(book, 10, BREAKER))) == 1
    assert len(ids(seen(book, 10))) == 2


def test_an_observation_that_comes_late_changes_nothing() -> None:
    book = seen(seen(new_book(), 0, FAILED), 10)
    assert seen(book, 5, FAILED) == book


def test_the_first_observation_counts_although_it_is_older_than_the_book() -> None:
    assert len(ids(seen(new_book(), -1, FAILED))) == 1


def test_the_claim_is_one_processes_until_it_settles_or_dies() -> None:
    book = seen(new_book(), 0, FAILED)
    mine = claim(book, "me", NOW)
    assert mine.claimed_by == "me"
    assert claim(mine, "you", NOW + CLAIM - timedelta(seconds=1)) == mine
    assert claim(mine, "you", NOW + CLAIM).claimed_by == "you"
    assert claim(settle(mine, "me", []), "you", NOW).claimed_by == "you"
    assert claim(new_book(), "me", NOW).claimed_by is None, "there is nothing to deliver"


def test_what_was_delivered_is_gone_and_the_rest_waits() -> None:
    book = claim(seen(new_book(), 0, FAILED, BREAKER), "me", NOW)
    first, second = ids(book)
    settled = settle(book, "me", [first])
    assert (ids(settled), settled.claimed_by) == ([second], None)


def test_who_was_too_slow_still_says_what_was_delivered_and_leaves_the_claim_alone() -> None:
    book = claim(claim(seen(new_book(), 0, FAILED), "me", NOW), "you", NOW + CLAIM)
    settled = settle(book, "me", ids(book))
    assert (ids(settled), settled.claimed_by) == ([], "you")


def test_old_news_is_dropped_and_what_stands_is_not() -> None:
    book = seen(seen(new_book(), 0, FAILED, BREAKER), 5, BREAKER)
    old = without_the_outdated(book, later(5) + KEPT)
    assert ids(old) == ["breaker-open-vista-20260105T120000000000-begun"]
    assert without_the_outdated(book, later(0) + KEPT - timedelta(seconds=1)) == book


def test_a_receiver_that_is_away_does_not_let_the_document_grow_for_ever() -> None:
    book = seen(new_book(), 0, BREAKER)
    for minute in range(0, 4 * MOST_WAITING, 2):
        book = seen(seen(book, minute, FAILED, BREAKER), minute + 1, BREAKER)
        book = without_the_outdated(book, later(minute + 1))
    assert len(book.outbox) == MOST_WAITING
    assert book.outbox[0].key == BREAKER.key
    assert book.outbox[-1].at == later(4 * MOST_WAITING - 1).isoformat(), "the newest are kept"

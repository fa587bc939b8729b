"""The episodes and the notices that wait for delivery: one document, changed by pure functions.

    nothing --- condition stands ----> open: a notice that it has begun waits in the outbox
    open ------ condition is gone ---> nothing: a notice that it is over waits behind it
    open ------ nobody can tell -----> open

Who wants to deliver takes the claim on the outbox, so that of several instances one does. A process that dies
after a delivery, before it could write that down, leaves the notice to be delivered again: told twice, under
the same id, by which receivers drop the second.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypedDict

from shared.notices.conditions import Condition
from shared.notices.notice import Notice, begun, over
from shared.storage.decoding import Time, decode

NOTICES = "state/notices.json"

CLAIM = timedelta(minutes=2)
"""Longer than a round of deliveries takes, shorter than the time between two sweeps."""

KEPT = timedelta(hours=24)
"""After that nobody wants to hear any more of an episode that is over."""

MOST_WAITING = 100


@dataclass(frozen=True)
class Book:
    """The document. `observed_at` is the time of the last observation, None before the first; `open` holds
    the first notice of each episode; `outbox` is in the order of delivery."""

    watching_since: datetime
    observed_at: datetime | None = None
    open: tuple[Notice, ...] = ()
    outbox: tuple[Notice, ...] = ()
    claimed_by: str | None = None
    claimed_until: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """The document's value."""
        return {
            "version": 1,
            "watching_since": self.watching_since.isoformat(),
            "observed_at": self.observed_at and self.observed_at.isoformat(),
            "open": [notice.to_json() for notice in self.open],
            "outbox": [notice.to_json() for notice in self.outbox],
            "claimed_by": self.claimed_by,
            "claimed_until": self.claimed_until and self.claimed_until.isoformat(),
        }


class _Stored(TypedDict):
    """The document's value; a newer version may have added more."""

    watching_since: Time
    observed_at: Time | None
    open: list[Notice]
    outbox: list[Notice]
    claimed_by: str | None
    claimed_until: Time | None


def book_from_json(value: Any, now: datetime) -> Book:
    """The book of the document, a new one when there is none. Raises UnreadableDocument."""
    if value is None:
        return Book(watching_since=now)
    stored = decode(_Stored, value, NOTICES)
    observed, until = stored["observed_at"], stored["claimed_until"]
    return Book(
        watching_since=datetime.fromisoformat(stored["watching_since"]),
        observed_at=datetime.fromisoformat(observed) if observed else None,
        open=tuple(stored["open"]),
        outbox=tuple(stored["outbox"]),
        claimed_by=stored["claimed_by"],
        claimed_until=datetime.fromisoformat(until) if until else None,
    )


def advance(
    book: Book, at: datetime, standing: Iterable[Condition], is_unknown: Callable[[str], bool]
) -> Book:
    """The book after an observation of `at`: episodes begin and end. One that is older than the book's last
    changes nothing: somebody has seen newer things."""
    if book.observed_at is not None and at < book.observed_at:
        return book
    found = {condition.key: condition for condition in standing}
    known = {notice.key for notice in book.open}
    new = [begun(condition, at) for key, condition in found.items() if key not in known]
    ended = [notice for notice in book.open if notice.key not in found and not is_unknown(notice.key)]
    return replace(
        book,
        observed_at=at,
        open=(*(notice for notice in book.open if notice not in ended), *new),
        outbox=(*book.outbox, *(over(notice, at) for notice in ended), *new),
    )


def without_the_outdated(book: Book, now: datetime) -> Book:
    """The book without notices that are too old for anybody to want them, of episodes that are over. An
    episode that stands waits for as long as it takes."""
    open_ids = {notice.notice_id for notice in book.open}

    def wanted(notice: Notice) -> bool:
        return notice.notice_id in open_ids or now - datetime.fromisoformat(notice.at) < KEPT

    kept = [notice for notice in book.outbox if wanted(notice)]
    spare = len(kept) - MOST_WAITING
    for notice in [notice for notice in kept if notice.notice_id not in open_ids][: max(0, spare)]:
        kept.remove(notice)
    return replace(book, outbox=tuple(kept))


def claim(book: Book, by: str, now: datetime) -> Book:
    """The book with the outbox claimed, if there is anything in it and nobody else holds the claim."""
    taken = book.claimed_until is not None and now < book.claimed_until
    if taken or not book.outbox:
        return book
    return replace(book, claimed_by=by, claimed_until=now + CLAIM)


def settle(book: Book, by: str, delivered: Collection[str]) -> Book:
    """The book after a round of deliveries: what was delivered is gone, and so is our claim."""
    left = tuple(notice for notice in book.outbox if notice.notice_id not in delivered)
    if book.claimed_by != by:
        return replace(book, outbox=left)
    return replace(book, outbox=left, claimed_by=None, claimed_until=None)

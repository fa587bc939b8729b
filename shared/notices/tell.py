"""One round: look, write down what begins and ends, and deliver what waits."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.config import Settings, webhook_key
from shared.errors import ConfigurationError, StorageError, UnreadableDocument
from shared.notices.conditions import Limits, Observation, conditions, is_unknown
from shared.notices.episodes import (
    NOTICES,
    Book,
    advance,
    book_from_json,
    claim,
    settle,
    without_the_outdated,
)
from shared.notices.notice import Notice
from shared.notices.observation import observe
from shared.notices.payload import dashboard_url, payload
from shared.notices.sender import NotDelivered, Sender, webhook_headers
from shared.storage.documents import update_json

if TYPE_CHECKING:
    from shared.runtime import Runtime

logger = logging.getLogger(__name__)

LONGEST_ROUND_SECONDS = 20.0
"""After that no further delivery is begun: with the last one's 10 s a round delivers for 30 s at most."""


def tell_notices(runtime: Runtime) -> None:
    """Tell the webhook of NOTICE_WEBHOOK_URL, if there is one, what has begun and what is over. Never raises;
    what could not be delivered waits for the next call."""
    try:
        if runtime.settings.notice_webhook_url is not None:
            _round(runtime, Sender(runtime.settings.notice_webhook_url.get_secret_value()))
    except (StorageError, ConfigurationError) as error:
        logger.warning("no notices were told: %s", error)
    except Exception:
        # Whoever calls has other things to do.
        logger.exception("notices failed")


def _round(runtime: Runtime, sender: Sender) -> None:
    seen = observe(runtime)
    by = secrets.token_hex(8)
    book = _written(runtime, lambda book: _after(book, seen, runtime, by))
    if book.claimed_by != by:
        return
    delivered: list[str] = []
    try:
        _deliver(runtime, sender, book.outbox, delivered)
    finally:
        _written(runtime, lambda book: settle(book, by, delivered))


def _after(book: Book, seen: Observation, runtime: Runtime, by: str) -> Book:
    standing = conditions(seen, _limits(runtime.settings), book.watching_since)
    book = advance(book, seen.at, standing, lambda key: is_unknown(key, seen))
    now = runtime.clock.now()
    return claim(without_the_outdated(book, now), by, now)


def _limits(settings: Settings) -> Limits:
    return Limits(
        breaker=timedelta(minutes=settings.notice_breaker_minutes),
        success=timedelta(hours=settings.notice_success_hours),
        failed_records=settings.notice_failed_records,
    )


def _written(runtime: Runtime, change: Any) -> Book:
    """The book after `change`, by compare-and-swap. Raises StorageError."""
    now = runtime.clock.now()

    def after(value: Any) -> Any:
        return change(book_from_json(value, now)).to_json()

    return book_from_json(update_json(runtime.documents, NOTICES, after, lost=_tell_lost), now)


def _tell_lost(error: UnreadableDocument) -> None:
    logger.error("%s; what stands is told anew", error, extra={"event": "document_unreadable"})


def _deliver(runtime: Runtime, sender: Sender, outbox: Sequence[Notice], delivered: list[str]) -> None:
    """In order, and of an episode nothing after what was refused, so that no recovery comes before what it is
    of; ids go to `delivered` one by one."""
    began = runtime.clock.monotonic()
    refused: set[str] = set()
    for notice in outbox:
        if runtime.clock.monotonic() - began > LONGEST_ROUND_SECONDS:
            break
        if notice.key in refused:
            continue
        facts = {"notice": notice.notice_id, "run": notice.run_id}
        try:
            _send(runtime, sender, notice)
        except NotDelivered as error:
            text = "NOTICE_WEBHOOK_URL did not take a notice, which is tried again: %s"
            logger.error(text, error, extra={"event": "notice_not_delivered", **facts})
            if error.refused:
                refused.add(notice.key)
                continue
            break
        delivered.append(notice.notice_id)
        logger.info("told: %s", notice.title, extra={"event": "notice_told", **facts})


def _send(runtime: Runtime, sender: Sender, notice: Notice) -> None:
    settings, secret = runtime.settings, runtime.settings.notice_webhook_secret
    url = dashboard_url(runtime.environment.get("WEBSITE_HOSTNAME"), notice.run_id)
    body = payload(notice, settings.notice_webhook_format, settings.environment, url)
    key = webhook_key(secret.get_secret_value()) if secret else None
    sender.send(body, webhook_headers(notice.notice_id, runtime.clock.now(), body, key))

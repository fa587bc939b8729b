"""One notice, as it is kept until it has been delivered."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from shared.notices.conditions import Condition, span
from shared.storage.decoding import Time

NoticeState = Literal["begun", "over"]


@dataclass(frozen=True)
class Notice:
    """What is told. `notice_id` stays the same however often it is sent; `at` is when it was noticed and
    `since` when its episode began, in ISO 8601."""

    notice_id: str
    name: str
    state: NoticeState
    at: Time
    since: Time
    title: str
    lines: tuple[str, ...]
    subject: str | None = None
    run_id: str | None = None

    @property
    def key(self) -> str:
        return self.name if self.subject is None else f"{self.name}/{self.subject}"

    def to_json(self) -> dict[str, Any]:
        """The form in the document."""
        return {**asdict(self), "lines": list(self.lines)}


def begun(condition: Condition, at: datetime) -> Notice:
    """That something is wrong."""
    return Notice(
        notice_id=_id(condition.key, at, "begun"),
        name=condition.name,
        state="begun",
        at=at.isoformat(),
        since=at.isoformat(),
        title=condition.title,
        lines=condition.lines,
        subject=condition.subject,
        run_id=condition.run_id,
    )


def over(first: Notice, at: datetime) -> Notice:
    """That what `first` told of is over."""
    since = datetime.fromisoformat(first.since)
    return Notice(
        notice_id=_id(first.key, since, "over"),
        name=first.name,
        state="over",
        at=at.isoformat(),
        since=first.since,
        title=f"Over: {first.title}",
        lines=(f"Noticed at {since:%Y-%m-%d %H:%M} UTC, over after {span(at - since)}.",),
        subject=first.subject,
        run_id=first.run_id,
    )


def _id(key: str, since: datetime, state: NoticeState) -> str:
    # No full stop: the signature joins the id and what follows by one.
    return f"{key.replace('/', '-')}-{since:%Y%m%dT%H%M%S%f}-{state}"

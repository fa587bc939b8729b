"""How far a batch has come: kept in a document under the batch's lease."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

from shared.clients.http.call_meter import Meter
from shared.storage.decoding import Time, decode
from shared.storage.documents import Documents, create_json, to_json
from shared.sync import paths
from shared.sync.documents.newer_members import read_whole
from shared.sync.documents.outcome import Outcome, Written, outcomes_to_json
from shared.sync.messages import BatchMessage
from shared.sync.model import JsonValue
from shared.sync.services import Services


@dataclass
class OpenCreation:
    """A creation that got no answer. `at` is when it was sent last, `since` when first,
    `lost` how many answers were lost.

    `refused` is what SafetyAmp said to its repetition when its unique value is there already, ours or
    somebody's. `sent_anew`: it was looked for, not found, and sent once more.
    """

    key: str
    at: Time
    since: Time
    lost: int = 1
    refused: dict[str, list[str]] = field(default_factory=dict)
    sent_anew: bool = False


@dataclass
class HalfDone:
    """What was done for the change `key` that is under way: where it needs more calls than a window has, it
    would begin anew for ever.

    `steps` name what need not be done again, `written` is what was written to other records, `other`: a user
    has another number than was known.
    """

    key: str
    steps: list[str] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)
    other: bool = False


@dataclass
class Progress:
    """Progress of a batch.

    `started` is the index of a creation that was sent and whose answer is not stored: it may have happened.
    `open` are earlier ones, by their index as text: of these `outcomes` holds for now that they may have been
    created, which a release that knows no `open` takes for the last word.
    `waiting`: nothing is left but to look for them, which all batches do together.
    `attempts` counts the failed attempts at the change that is next. `next_at` is when the batch was meant
    to go on. `blocked_since` is when SafetyAmp stopped answering, None while it answers. `tries` counts
    errors that nobody thought of and that ended a handler. `tried`: so many changes may have been sent, also
    those without an outcome among them. `half_done` is the change that is next, if a part of it is.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    started: int | None = None
    open: dict[str, OpenCreation] = field(default_factory=dict)
    waiting: bool = False
    attempts: int = 0
    next_at: Time | None = None
    blocked_since: Time | None = None
    calls: dict[str, int] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    waited_seconds: float = 0.0
    tries: int = 0
    tried: int = 0
    half_done: HalfDone | None = None

    def to_json(self) -> dict[str, JsonValue]:
        """The document."""
        return {
            **vars(self),
            **outcomes_to_json(self.outcomes),
            "open": {index: vars(creation) for index, creation in self.open.items()},
            "half_done": self.half_done and vars(self.half_done),
        }


def begin_progress(documents: Documents, message: BatchMessage) -> None:
    """Have a progress document before anybody leases it: so an empty one is damaged, and not the bare lease
    of a batch that nobody has begun. Whoever took one for the other would create people twice."""
    create_json(
        documents, paths.progress(message.run_id, message.entity, message.batch), Progress().to_json()
    )


def read_progress(documents: Documents, run_id: str, entity: str, number: int) -> Progress | None:
    """How far a batch has come, None for one that nobody has had in hand. Raises UnreadableDocument."""
    return _read(documents, paths.progress(run_id, entity, number))


class _Written(TypedDict):
    """What tells a progress from one that has lost what counts: changes that were made would be repeated."""

    outcomes: list[JsonValue]
    started: int | None


def _read(documents: Documents, path: str) -> Progress | None:
    written = read_whole(documents, path, _Written, "outcomes")
    return None if written is None else decode(Progress, written, path)


class ProgressKeeper:
    """Stores the progress of a batch under its lease; raises LeaseLost when somebody else has taken over,
    and UnreadableDocument at the start."""

    def __init__(self, services: Services, message: BatchMessage, lease_id: str, meter: Meter) -> None:
        self._documents = services.documents
        self._path = paths.progress(message.run_id, message.entity, message.batch)
        self._lease_id = lease_id
        self._meter = meter
        self.progress = _read(services.documents, self._path) or Progress()
        meter.add(self.progress.calls, self.progress.requests, self.progress.waited_seconds)

    def store(self) -> None:
        """Write the progress as it is now."""
        self.progress.calls = dict(self._meter.calls)
        self.progress.requests = dict(self._meter.requests)
        self.progress.waited_seconds = round(self._meter.waited_seconds, 3)
        self._documents.write(self._path, to_json(self.progress.to_json()), lease_id=self._lease_id)

"""How far a batch has come: kept in a document under the batch's lease."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from shared.clients.call_meter import Meter
from shared.storage.documents import read_json, to_json
from shared.sync import paths
from shared.sync.messages import BatchMessage
from shared.sync.outcome import Outcome, outcome_from_json
from shared.sync.services import Services


@dataclass
class Progress:
    """Progress of a batch.

    `started` is the index of a creation that was sent and whose answer is not stored: it may have happened.
    `looked_up`: its record was looked up since, and is not there.
    `attempts` counts the failed attempts at the change that is next. `next_at` is when the batch was meant
    to go on. `blocked_since` is when SafetyAmp stopped answering, None while it answers.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    started: int | None = None
    looked_up: bool = False
    attempts: int = 0
    next_at: str | None = None
    blocked_since: str | None = None
    calls: dict[str, int] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    waited_seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The document."""
        return {**vars(self), "outcomes": [outcome.to_json() for outcome in self.outcomes]}


def progress_from_json(value: dict[str, Any] | None) -> Progress:
    """The progress of a document; a fresh one when the document is absent or a bare lease."""
    if not value:
        return Progress()
    # While versions change, a newer one may have written what this one does not know.
    known = {one.name: value[one.name] for one in fields(Progress) if one.name in value}
    return Progress(**{**known, "outcomes": [outcome_from_json(outcome) for outcome in value["outcomes"]]})


class ProgressKeeper:
    """Stores the progress of a batch under its lease; raises LeaseLost when somebody else has taken over."""

    def __init__(self, services: Services, message: BatchMessage, lease_id: str, meter: Meter) -> None:
        self._documents = services.documents
        self._path = paths.progress(message.run_id, message.entity, message.batch)
        self._lease_id = lease_id
        self._meter = meter
        self.progress = progress_from_json(read_json(services.documents, self._path))
        meter.add(self.progress.calls, self.progress.requests, self.progress.waited_seconds)

    def store(self) -> None:
        """Write the progress as it is now."""
        self.progress.calls = dict(self._meter.calls)
        self.progress.requests = dict(self._meter.requests)
        self.progress.waited_seconds = round(self._meter.waited_seconds, 3)
        self._documents.write(self._path, to_json(self.progress.to_json()), lease_id=self._lease_id)

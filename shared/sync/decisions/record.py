"""Who decided what, and why: a document for each thing that an operator does, written before it is done, and
one beside it that says how it ended.

Both are written once. A decision that cannot be written is not carried out; one without an ending was carried
out in part at most, or its process is gone: the run that it names says more.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Literal, TypedDict, Unpack, get_args

from shared.errors import SafetyAmpError, StorageError
from shared.storage.decoding import Time
from shared.storage.documents import create_json
from shared.sync import paths
from shared.sync.services import Services

logger = logging.getLogger(__name__)

DecisionAction = Literal[
    "sync", "retry", "approve", "cancel", "pause", "resume", "resubmit", "empty-cache", "rules"
]  # fmt: skip
DECISION_ACTIONS: tuple[DecisionAction, ...] = get_args(DecisionAction)

HowKnown = Literal["entra", "stated", "key", "local"]
"""`entra`: signed in. `stated`: the caller's own word, behind a function key. `key`: a function key, and
nobody said whose. `local`: the user of the machine that decided on documents of its own."""

DECISION_VERSION = 1


@dataclass(frozen=True)
class Author:
    """Who decides. `name` is shown; `id` is the object id in Entra, which stays when names change."""

    known: HowKnown
    name: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class Decision:
    """What somebody decided. `action` and `known` are texts here: a newer release has others.

    `run_id` is the run that it is about, `entities` and `keys` (of one entity) the records, `given` what else
    was said with it, such as the mode of a run.
    """

    at: Time
    action: str
    known: str
    who: str | None = None
    who_id: str | None = None
    reason: str | None = None
    run_id: str | None = None
    entities: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)
    version: int = DECISION_VERSION


class About(TypedDict, total=False):
    """What a decision may be about: members of `Decision`."""

    run_id: str | None
    entities: tuple[str, ...]
    keys: tuple[str, ...]
    given: Mapping[str, str]


@dataclass(frozen=True)
class Ending:
    """How it ended: `done`, or why not. `run_id` is the run that came of it."""

    at: Time
    done: bool
    detail: str | None = None
    run_id: str | None = None
    version: int = DECISION_VERSION


@dataclass
class Outcome:
    """What whoever carries a decision out tells of it; `id` is the decision's."""

    id: str
    run_id: str | None = None


@contextmanager
def decided(
    services: Services,
    action: DecisionAction,
    by: Author,
    reason: str | None = None,
    **about: Unpack[About],
) -> Iterator[Outcome]:
    """Carry a decision out in the block: written before it, and how it ended after it.

    Raises StorageError when it cannot be written: then the block has not begun. What the block raises passes
    through.
    """
    now = services.clock.now()
    decision = Decision(now.isoformat(), action, by.known, by.name, by.id, reason, **about)
    outcome = Outcome(_stored(services, now, decision))
    try:
        yield outcome
    except Exception as error:
        # Another error's text is its library's, and may quote anything.
        detail = str(error) if isinstance(error, SafetyAmpError) else f"unexpected {type(error).__name__}"
        _end(services, outcome, Ending("", False, detail))
        raise
    _end(services, outcome, Ending("", True, run_id=outcome.run_id))


def _stored(services: Services, now: datetime, decision: Decision) -> str:
    """The id sorts by time; what follows it keeps two decisions of one moment apart."""
    while True:
        decision_id = f"{now:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(3)}"
        if create_json(services.documents, paths.decision(decision_id), asdict(decision)):
            return decision_id


def _end(services: Services, outcome: Outcome, ending: Ending) -> None:
    """A decision whose ending cannot be written stands without one: what it did is done."""
    ended = replace(ending, at=services.clock.now().isoformat())
    try:
        create_json(services.documents, paths.decision_ending(outcome.id), asdict(ended))
    except StorageError as error:
        logger.warning("how decision %s ended could not be written: %s", outcome.id, error)

"""The document of a run: what was asked for, and where each entity stands."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, TypedDict, get_args

from shared.clients.http.call_meter import folded
from shared.clients.http.work import Lane
from shared.errors import UnknownRun, UnreadableDocument
from shared.storage.decoding import Time, decode
from shared.storage.documents import Document, Documents, from_json, update_json
from shared.sync import paths
from shared.sync.entities.keys import normal_key
from shared.sync.model import ENTITIES, ENTITY_NEEDS, EntityName, JsonValue

logger = logging.getLogger(__name__)

Mode = Literal["plan", "apply"]
EntityPhase = Literal["pending", "applying", "done", "planned", "held", "failed", "cancelled", "off"]
RunPhase = Literal["running", "done", "planned", "held", "failed", "cancelled"]

RUN_PHASES: tuple[RunPhase, ...] = get_args(RunPhase)
ENDED: frozenset[str] = frozenset({"done", "planned", "held", "failed", "cancelled", "off"})
RUN_VERSION = 1
RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}", re.ASCII)
"""What a run's id looks like: 20260131-120000-0a1b2c."""

RUNS_FOLDER = "runs/"


@dataclass(frozen=True)
class RunRequest:
    """What is asked for. `refresh` lists SafetyAmp anew instead of trusting the state; `retry_failed` also
    tries records again that SafetyAmp refused and whose data has not changed. `keys` restricts the run to
    these records of its one entity; empty means all. The sources are read whole nevertheless: a record is
    judged beside the others (a shared e-mail), and the guard by their number.

    `rules` is the version of the rules that the run keeps to its end, by its digest, or `default`: noted when
    it is requested, unless who asks wants to see another (then it only plans). None in documents of release
    0.1.0, and in those that it has written back: then it is what is in force."""

    mode: Mode = "apply"
    entities: tuple[EntityName, ...] = ENTITIES
    refresh: bool = False
    retry_failed: bool = False
    cause: str = "manual"
    keys: tuple[str, ...] = ()
    rules: str | None = None

    def __post_init__(self) -> None:
        if self.keys and len(self.entities) == 1:
            (entity,) = self.entities
            keys = dict.fromkeys(normal_key(entity, key) for key in self.keys)
            object.__setattr__(self, "keys", tuple(keys))

    def to_json(self) -> dict[str, JsonValue]:
        """As JSON gives it back: a tuple never equals a list, and every update would write the document."""
        return {**vars(self), "entities": list(self.entities), "keys": list(self.keys)}

    @property
    def one_record(self) -> str | None:
        """The key of the one record that is asked for: somebody waits for it."""
        return self.keys[0] if len(self.keys) == 1 else None

    @property
    def lane(self) -> Lane:
        """How its calls go."""
        return "bulk" if self.one_record is None else "interactive"


@dataclass
class EntityStatus:
    """Where an entity of a run stands. `reason` says why it failed or is held or off; `stop_reason` is set
    while its remaining batches are being ended without calls, `cancelled` when an operator wished so.
    `held_changes` are how many changes wait for somebody, by action; those of other parts were applied.
    `requests` are the calls by `UpstreamCall.key`; `failing` is how many records SafetyAmp refuses until
    their data changes or that failed in this run, None while nobody has counted. `quiet`, once it has ended:
    its plan tells nothing of any record.

    `approval` is the last approval of its plan, since `approved_at`, which the guard had `held_because`: the
    plan is made again for it.
    `approved` alone was written by release 0.1.0, which let the held plan go on as it was."""

    phase: EntityPhase = "pending"
    reason: str | None = None
    stop_reason: str | None = None
    cancelled: bool = False
    approved: bool = False
    approval: str | None = None
    approved_at: Time | None = None
    held_because: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    planned: dict[str, int] = field(default_factory=dict)
    held_changes: dict[str, int] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    failing: int | None = None
    quiet: bool = False
    waited_seconds: float = 0.0
    finished_at: Time | None = None

    @property
    def ended(self) -> bool:
        return self.phase in ENDED

    def to_json(self) -> dict[str, JsonValue]:
        """The member of the run document."""
        # vars and not asdict, whose deep copies took most of the time of changing a run.
        return {name: value.copy() if type(value) is dict else value for name, value in vars(self).items()}

    @property
    def approval_in_force(self) -> str | None:
        """None also after an approval that came to nothing: what is held then is the plan of before."""
        return None if self.phase == "held" else self.approval


@dataclass
class Run:
    """The run document."""

    run_id: str
    request: RunRequest
    requested_at: Time
    entities: dict[EntityName, EntityStatus]
    phase: RunPhase = "running"
    finished_at: Time | None = None
    read_from: Document | None = field(default=None, init=False, repr=False, compare=False)
    """The version that this was read from, to change it without reading it again (`change_run`)."""

    @property
    def ended(self) -> bool:
        return self.phase != "running"

    @property
    def begun_at(self) -> str:
        """When the work that it is at was asked for: by its request, or by the last approval."""
        return max(
            [self.requested_at, *(one.approved_at for one in self.entities.values() if one.approved_at)]
        )

    def ready(self, entity: EntityName) -> bool:
        """Whether all that `entity` needs is finished, one way or another."""
        return all(self.entities[need].ended for need in ENTITY_NEEDS[entity] if need in self.entities)

    def to_json(self) -> dict[str, JsonValue]:
        """The document."""
        members = {name: value for name, value in vars(self).items() if name != "read_from"}
        return {
            "version": RUN_VERSION,
            **members,
            "request": self.request.to_json(),
            "entities": {name: status.to_json() for name, status in self.entities.items()},
        }


def run_from_json(value: JsonValue, path: str = "runs/run.json") -> Run:
    """The run of the document at `path`. Raises UnreadableDocument."""
    document = decode(_RunDocument, value, path)
    request = _known_request(document["request"])
    run = decode(Run, {**document, "request": request, "entities": _known(document["entities"])}, path)
    for status in run.entities.values():
        status.requests = folded(status.requests)
    return run


class _RunDocument(TypedDict):
    """The members that may name entities which only a newer version knows, and whose own members must not be
    guessed: a run that was to plan only must not apply."""

    request: WrittenRequest
    entities: dict[str, _Status]


class WrittenRequest(TypedDict):
    mode: str
    entities: list[str]


class _Status(TypedDict):
    phase: str


def _known(entities: Mapping[str, _Status]) -> dict[str, _Status]:
    return {name: status for name, status in entities.items() if name in ENTITY_NEEDS}


def _known_request(request: WrittenRequest) -> WrittenRequest:
    return {**request, "entities": [name for name in request["entities"] if name in ENTITIES]}


def request_from_json(value: WrittenRequest) -> RunRequest:
    """What a document says was asked for, without entities that only a newer version knows. Raises
    UnreadableDocument."""
    return decode(RunRequest, _known_request(value), paths.ACTIVE)


def _with_what_is_new(before: _RunDocument, run: Run) -> dict[str, JsonValue]:
    """The document of the run with what a newer version keeps in it beside."""
    entities: dict[str, JsonValue] = {
        name: {**before["entities"].get(name, {}), **status.to_json()}
        for name, status in run.entities.items()
    }
    return {
        **before,
        **run.to_json(),
        "request": {**before["request"], **run.request.to_json()},
        "entities": {**before["entities"], **entities},
    }


def new_run_id(now: datetime) -> str:
    """Sorts by time, within a second too: the last part begins with the fraction of the second, in 4096ths.
    The rest of it is random and keeps two requests of one moment apart."""
    fraction = now.microsecond * 4096 // 1_000_000
    return f"{now:%Y%m%d-%H%M%S}-{fraction:03x}{secrets.token_hex(2)[:3]}"


def requested_at(run_id: str) -> str:
    """When a run was asked for, as its id says."""
    return datetime.strptime(run_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC).isoformat()


def is_good(run: Run) -> bool:
    """A run of single records says nothing of the others: "the last good run" must not get younger by it."""
    return run.phase == "done" and not run.request.keys


def run_ids(documents: Documents) -> list[str]:
    """The ids of all runs that are kept, newest first."""
    return sorted((name for name in documents.folders(RUNS_FOLDER) if RUN_ID.fullmatch(name)), reverse=True)


def read_run(documents: Documents, run_id: str) -> Run | None:
    """The run's document, None when there is none. Raises UnreadableDocument."""
    path = paths.run(run_id)
    document = documents.read(path)
    if document is None:
        return None
    if not document.data:
        raise UnreadableDocument(path, "it is empty")
    run = run_from_json(from_json(document.data, path), path)
    run.read_from = document
    return run


def get_run(documents: Documents, run_id: str) -> Run:
    """The run's document; raises UnknownRun."""
    run = read_run(documents, run_id)
    if run is None:
        raise UnknownRun(f"there is no run {run_id}")
    return run


def change_run(documents: Documents, known: Run | str, change: Callable[[Run], None]) -> Run:
    """Compare-and-swap on the run document; `change` may be called again on a newer version. `known` is the
    run's id, or the run as it was read: then it is not read again unless somebody has changed it since.
    Raises UnknownRun and UnreadableDocument."""

    run_id, version = (known, None) if isinstance(known, str) else (known.run_id, known.read_from)
    path = paths.run(run_id)

    def apply(value: JsonValue) -> JsonValue:
        if value is None:
            raise UnknownRun(f"there is no run {run_id}")
        run = run_from_json(value, path)
        change(run)
        after = _with_what_is_new(decode(_RunDocument, value, path), run)
        return None if after == value else after

    return run_from_json(update_json(documents, path, apply, known=version), path)

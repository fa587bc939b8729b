"""Runs: requesting one, its document, and which may go on.

At most one run is active at a time (`runs/active.json`, compare-and-swap). Everything that must survive a
crash is in the documents; messages only make things go on sooner.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypedDict, cast, get_args

from shared.clients.http.call_meter import folded
from shared.errors import BusError, Paused, RunConflict, UnknownRun, UnreadableDocument
from shared.storage.decoding import Time, decode
from shared.storage.documents import Documents, create_json, read_document, update_json
from shared.storage.paths import checked_path
from shared.sync import paths
from shared.sync.documents.control import Pause, read_pauses
from shared.sync.documents.plans import plan_at
from shared.sync.entities.keys import normal_key
from shared.sync.messages import EntityMessage
from shared.sync.model import ENTITIES, ENTITY_NEEDS, EntityName
from shared.sync.services import Services
from shared.telemetry.context import bound

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
    judged beside the others (a shared e-mail), and the guard by their number."""

    mode: Mode = "apply"
    entities: tuple[EntityName, ...] = ENTITIES
    refresh: bool = False
    retry_failed: bool = False
    cause: str = "manual"
    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.keys and len(self.entities) == 1:
            (entity,) = self.entities
            keys = dict.fromkeys(normal_key(entity, key) for key in self.keys)
            object.__setattr__(self, "keys", tuple(keys))

    @property
    def one_record(self) -> str | None:
        """The key of the one record that is asked for: somebody waits for it."""
        return self.keys[0] if len(self.keys) == 1 else None


@dataclass
class EntityStatus:
    """Where an entity of a run stands. `reason` says why it failed or is held or off; `stop_reason` is set
    while its remaining batches are being ended without calls, `cancelled` when an operator wished so.
    `requests` are the calls by `UpstreamCall.key`; `failing` is how many records SafetyAmp refuses until
    their data changes or that failed in this run, None while nobody has counted.

    `approval` is the last approval of its plan, since `approved_at`, which the guard had `held_because`: the
    plan is made again for it.
    `approved` alone was written by release 0.1.0, which let the held plan go on as it was."""

    phase: EntityPhase = "pending"
    reason: str | None = None
    stop_reason: str | None = None
    cancelled: bool = False
    approved: bool = False
    approval: str | None = None
    approved_at: str | None = None
    held_because: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    planned: dict[str, int] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    failing: int | None = None
    waited_seconds: float = 0.0
    finished_at: Time | None = None

    @property
    def ended(self) -> bool:
        return self.phase in ENDED

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

    def to_json(self) -> dict[str, Any]:
        """The document."""
        value = {"version": RUN_VERSION, **asdict(self)}
        # As JSON gives it back: a tuple never equals a list, and every update would write the document.
        value["request"]["entities"] = list(self.request.entities)
        value["request"]["keys"] = list(self.request.keys)
        return value


def run_from_json(value: Any, path: str = "runs/run.json") -> Run:
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

    request: _Request
    entities: dict[str, _Status]


class _Request(TypedDict):
    mode: str
    entities: list[str]


class _Status(TypedDict):
    phase: str


def _known(entities: Mapping[str, Any]) -> dict[str, Any]:
    return {name: status for name, status in entities.items() if name in ENTITY_NEEDS}


def _known_request(request: Mapping[str, Any]) -> dict[str, Any]:
    return {**request, "entities": [name for name in request["entities"] if name in ENTITIES]}


def request_of(active: Mapping[str, Any]) -> RunRequest:
    """What the active run is to do."""
    return _request_from_json(active["request"])


def _request_from_json(value: Mapping[str, Any]) -> RunRequest:
    return decode(RunRequest, _known_request(value), paths.ACTIVE)


def _with_what_is_new(before: Any, after: dict[str, Any]) -> dict[str, Any]:
    """The document of `after` with what a newer version keeps in it beside."""
    entities = {
        name: {**before["entities"].get(name, {}), **status} for name, status in after["entities"].items()
    }
    return {
        **before,
        **after,
        "request": {**before["request"], **after["request"]},
        "entities": {**before["entities"], **entities},
    }


def new_run_id(now: datetime) -> str:
    """Sorts by time, within a second too: the last part begins with the fraction of the second, in 4096ths.
    The rest of it is random and keeps two requests of one moment apart."""
    fraction = now.microsecond * 4096 // 1_000_000
    return f"{now:%Y%m%d-%H%M%S}-{fraction:03x}{secrets.token_hex(2)[:3]}"


class _ActiveLater(TypedDict, total=False):
    request: _Request
    at: Time
    approves: list[str]
    token: str
    last_done_at: Time | None


class _Active(_ActiveLater):
    run_id: Annotated[str, checked_path] | None


def requested_at(run_id: str) -> str:
    """When a run was asked for, as its id says."""
    return datetime.strptime(run_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC).isoformat()


def read_active(documents: Documents) -> dict[str, Any] | None:
    """The document that says which run is active, if any, and when one last ended well. One that cannot be
    read is made anew from the runs."""
    try:
        return peek_active(documents)
    except UnreadableDocument:

        def change(value: Any) -> Any:
            return None if value is not None and _checked_active(value) else _active_from_runs(documents)

        return cast("dict[str, Any]", update_json(documents, paths.ACTIVE, change, lost=_tell_lost))


def peek_active(documents: Documents) -> dict[str, Any] | None:
    """The same as it is. Raises UnreadableDocument."""
    return _checked_active(read_document(documents, paths.ACTIVE, _Active))


def _checked_active(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    active: dict[str, Any] = dict(decode(_Active, value, paths.ACTIVE))
    if active["run_id"] is None:
        return active
    if not {"at", "request"} <= active.keys():
        raise UnreadableDocument(paths.ACTIVE, "has no request")
    _request_from_json(active["request"])
    return active


def _tell_lost(error: UnreadableDocument) -> None:
    logger.error("%s; it is made anew", error, extra={"event": "document_unreadable"})


def _active_from_runs(documents: Documents) -> dict[str, Any]:
    """What the document would say: only one run has not ended, if any. Of a run whose own document is lost
    too and that has no report, everything is taken to be asked for; it is given up next."""
    claim: dict[str, Any] = {"run_id": None}
    last_done_at = None
    for run_id in run_ids(documents):
        try:
            run = read_run(documents, run_id)
        except UnreadableDocument:
            if documents.read(paths.report(run_id)) is not None:
                continue
            run = Run(run_id, RunRequest(), requested_at(run_id), {})
        if run is not None and not run.ended and claim["run_id"] is None:
            request = run.to_json()["request"]
            claim = {"run_id": run_id, "request": request, "at": run.requested_at, "approves": []}
        elif run is not None and last_done_at is None and _is_good(run):
            last_done_at = run.finished_at
    return {**claim, "last_done_at": last_done_at}


def _is_good(run: Run) -> bool:
    """A run of single records says nothing of the others: "the last good run" must not get younger by it."""
    return run.phase == "done" and not run.request.keys


def run_ids(documents: Documents) -> list[str]:
    """The ids of all runs that are kept, newest first."""
    return sorted((name for name in documents.folders(RUNS_FOLDER) if RUN_ID.fullmatch(name)), reverse=True)


def active_run_id(documents: Documents) -> str | None:
    """The run under way, if there is one."""
    active = read_active(documents)
    return active["run_id"] if active else None


def read_run(documents: Documents, run_id: str) -> Run | None:
    """The run's document, None when there is none. Raises UnreadableDocument."""
    path = paths.run(run_id)
    value = read_document(documents, path, dict[str, Any])
    return None if value is None else run_from_json(value, path)


def get_run(documents: Documents, run_id: str) -> Run:
    """The run's document; raises UnknownRun."""
    run = read_run(documents, run_id)
    if run is None:
        raise UnknownRun(f"there is no run {run_id}")
    return run


def change_run(documents: Documents, run_id: str, change: Callable[[Run], None]) -> Run:
    """Compare-and-swap on the run document; `change` may be called again on a newer version. Raises
    UnknownRun and UnreadableDocument."""

    path = paths.run(run_id)

    def apply(value: Any) -> Any:
        if value is None:
            raise UnknownRun(f"there is no run {run_id}")
        run = run_from_json(value, path)
        change(run)
        after = _with_what_is_new(value, run.to_json())
        return None if after == value else after

    return run_from_json(update_json(documents, path, apply), path)


def request_run(services: Services, request: RunRequest) -> str:
    """Start a run and return its id.

    Raises as `claim_run`. When Service Bus cannot be reached the run stands nevertheless: the sweep sends
    its messages later.
    """
    run_id = claim_run(services, request)
    with bound(run=run_id):
        try:
            send_entities(services, run_id, request.entities, "start")
        except BusError as error:
            logger.warning("run %s waits for the sweep, its messages could not be sent: %s", run_id, error)
    return run_id


def claim_run(services: Services, request: RunRequest) -> str:
    """Make a run the active one and return its id, without sending its messages: for a caller that handles
    them itself. Should it die of that, the sweep sends them.

    Raises Paused when an operator paused all of its entities, and RunConflict with the active run's id when
    one is under way.
    """
    _refuse_paused(services.documents, request.entities)
    now = services.clock.now()
    run_id = new_run_id(now)
    while services.documents.read(paths.run(run_id)) is not None:
        run_id = new_run_id(now)  # a run of the very same moment has it
    _claim(services.documents, run_id, request, now.isoformat())
    with bound(run=run_id):
        facts = {"event": "run_requested", "mode": request.mode, "cause": request.cause}
        logger.info("run %s was requested", run_id, extra={**facts, "entities": list(request.entities)})
        ensure_run(services)
    return run_id


def ensure_run(services: Services) -> str | None:
    """Make sure that the active run has its document (the claim comes first, a crash may separate them).

    Pauses are read here, after the claim: one that comes later finds the run active and stops it. An
    approval that was claimed is completed here too. Returns the active run's id."""
    active = read_active(services.documents)
    if not active or active["run_id"] is None:
        return None
    run_id = cast(str, active["run_id"])
    if services.documents.read(paths.run(run_id)) is None:
        _create_run(services, active)
    try:
        _reopen(services.documents, active)
    except (RunConflict, Paused) as error:
        logger.warning("the approval of run %s is void: %s", run_id, error)
        release_active(services.documents, get_run(services.documents, run_id))
        return None
    return run_id


def _create_run(services: Services, active: Mapping[str, Any]) -> None:
    request = _request_from_json(active["request"])
    pauses = read_pauses(services.documents)
    run = Run(
        run_id=active["run_id"],
        request=request,
        requested_at=active["at"],
        entities={
            name: _first_status(services, name, pauses) for name in ENTITIES if name in request.entities
        },
    )
    create_json(services.documents, paths.run(run.run_id), run.to_json())


def _refuse_paused(documents: Documents, entities: Sequence[EntityName]) -> None:
    pauses = read_pauses(documents)
    if all(name in pauses for name in entities):
        raise Paused("; ".join(pauses[name].about(name) for name in entities))


def _first_status(services: Services, entity: EntityName, pauses: Mapping[EntityName, Pause]) -> EntityStatus:
    if entity in pauses:
        return EntityStatus("off", reason=pauses[entity].about(entity))
    if entity == "vehicles" and not services.settings.vehicles_enabled:
        return EntityStatus(
            "off",
            reason="vehicles are off: set SAFETYAMP_VEHICLE_SITE_ID and SAFETYAMP_VEHICLE_ASSET_TYPE_ID",
        )
    return EntityStatus()


def _claim(
    documents: Documents,
    run_id: str,
    request: RunRequest,
    at: str,
    approves: Sequence[EntityName] = (),
    approved_at: str | None = None,
) -> dict[str, Any]:
    """Make the run the active one; returns the claim. Raises RunConflict."""
    # The token tells our own claim, whose confirmation got lost, from somebody else's of the same run.
    claim = {
        **{"run_id": run_id, "request": asdict(request), "at": at, "approves": list(approves)},
        **{"approved_at": approved_at, "token": secrets.token_hex(8)},
    }

    def change(value: Any) -> Any:
        active = _active_now(documents, value)
        if active and active["run_id"] is not None and active.get("token") != claim["token"]:
            raise RunConflict(f"run {active['run_id']} is under way", active["run_id"])
        return {**claim, "last_done_at": (active or {}).get("last_done_at")}

    update_json(documents, paths.ACTIVE, change, lost=_tell_lost)
    return claim


def _active_now(documents: Documents, value: Any) -> dict[str, Any] | None:
    """The document's value; where there is none, or none that can be read, what the runs say."""
    return _checked_active(value) if value is not None else _active_from_runs(documents)


def release_active(documents: Documents, run: Run) -> bool:
    """Let the next run start. Whether this call did it: of many, only one does."""
    released = False

    def change(value: Any) -> Any:
        nonlocal released
        active = _active_now(documents, value)
        if active is None or active["run_id"] != run.run_id:
            released = False
            return None
        released = True
        return {
            "run_id": None,
            "last_done_at": run.finished_at if _is_good(run) else active.get("last_done_at"),
        }

    update_json(documents, paths.ACTIVE, change, lost=_tell_lost)
    return released


def send_entities(services: Services, run_id: str, entities: Sequence[EntityName], cause: str) -> None:
    """Send one message per entity. Raises BusError."""
    queue = services.settings.entity_queue
    services.bus.send([EntityMessage(run_id, entity, cause).to(queue) for entity in entities])


def approve(services: Services, run_id: str) -> None:
    """Let the held plans of an ended run go on, as far as they are still true: each is made again from the
    sources as they are now, and only what both plans want in the same form is applied.

    Raises UnknownRun, Paused, and RunConflict when nothing is held, another run is active, or a plan is no
    longer kept.
    """
    run = get_run(services.documents, run_id)
    held = [name for name, status in run.entities.items() if status.phase == "held"]
    if not held:
        raise RunConflict(f"run {run_id} holds no plan", run_id)
    _refuse_paused(services.documents, held)
    at = services.clock.now().isoformat()
    claim = _claim(services.documents, run_id, run.request, run.requested_at, approves=held, approved_at=at)
    try:
        _reopen(services.documents, claim)
    except (RunConflict, Paused):
        release_active(services.documents, run)
        raise
    send_entities(services, run_id, held, f"approve/{claim['token']}")


def _reopen(documents: Documents, claim: Mapping[str, Any]) -> None:
    """Let the entities that the claim approves and that are still held go on; only while the claim stands,
    when no other run changes a state. Whoever finds the claim may do it: an approver can be slow, or gone.

    Raises RunConflict when a plan is no longer kept, Paused when one of the entities is paused.
    """
    run_id, approval = claim["run_id"], claim.get("token")

    def still_held(run: Run) -> list[EntityName]:
        """Without those whose plan could not be made again: the same approval does not try once more."""
        return [
            name
            for name in claim.get("approves", ())
            if run.entities[name].phase == "held" and run.entities[name].approval != approval
        ]

    held = still_held(get_run(documents, run_id))
    if not held:
        return
    pauses = read_pauses(documents)
    for name in held:
        if name in pauses:
            raise Paused(pauses[name].about(name))
        try:
            plan = plan_at(documents, paths.plan(run_id, name))
        except UnreadableDocument as error:
            raise RunConflict(f"{error}: start a new run", run_id) from error
        if plan is None:
            raise RunConflict(
                f"the plan of {name} in run {run_id} is no longer kept: start a new run", run_id
            )

    def reopen(run: Run) -> None:
        for entity in still_held(run):
            run.phase, run.finished_at = "running", None
            approved_at = claim.get("approved_at") or claim["at"]
            # Its figures stay until there are others: the plan may come to be held as before.
            status = run.entities[entity]
            status.held_because = status.held_because or status.reason
            status.phase, status.reason, status.finished_at = "pending", None, None
            status.approval, status.approved_at = approval, approved_at

    change_run(documents, run_id, reopen)

"""What planning would do with one record now: the planner's own steps, without a run and without a call to
SafetyAmp."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.errors import (
    APIError,
    ConfigurationError,
    DatabaseError,
    IncompleteRead,
    RetryLater,
    UnreadableDocument,
)
from shared.sync.bulk import bulk_work
from shared.sync.documents.change import Change
from shared.sync.documents.runs import Run, RunRequest
from shared.sync.documents.state import EntityState, Entry, read_state
from shared.sync.entities import mappings
from shared.sync.model import EntityName
from shared.sync.planning.drafting import draft_changes
from shared.sync.planning.planner import judgement_of_all
from shared.sync.planning.reader import SourceReader, with_known_regions
from shared.sync.planning.record_view import RecordView, view_record
from shared.sync.planning.resolver import Resolver
from shared.sync.planning.rules_in_force import options_in_force
from shared.sync.services import Services

UNREADABLE = (IncompleteRead, DatabaseError, APIError, RetryLater, ConfigurationError)
"""Why a source cannot be read just now."""

NO_RUN = "none"
"""Stands for the run's id where there is no run: no document has it."""


@dataclass(frozen=True)
class DryRun:
    """What would be done. `problem` set: the source could not be read, and then nothing else is known but
    `entry`, what the state says of the record.

    `notes` are the reasons why it is not sent, or what else should be known, `causes` the codes of their
    causes. `held` are the guard's reasons to hold such changes, in a plan of all records. `left_out` says
    which values of the source are not sent, and why.
    `passed_over`: the record has not changed since SafetyAmp was last made equal to it, so that only a run
    that lists SafetyAmp anew would look at it. `state_known` False: SafetyAmp is listed before anything is
    planned. `missing_since`: the run whose listing first lacked the record.
    """

    problem: str | None = None
    view: RecordView | None = None
    entry: Entry | None = None
    ambiguous: tuple[int | str, ...] = ()
    change: Change | None = None
    notes: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    causes: frozenset[str] = frozenset()
    passed_over: bool = False
    state_known: bool = True
    updated_by: str | None = None
    missing_since: str | None = None


def dry_run(services: Services, entity: EntityName, key: str) -> DryRun:
    """What a run that began now would do with the record. Raises StorageError."""
    with bulk_work():
        try:
            return _dry_run(services, entity, key, read_state(services.documents, entity))
        except UnreadableDocument:
            # Damage that is only met at a record. Planning lists SafetyAmp then, as without any state.
            return _dry_run(services, entity, key, None)


def _dry_run(services: Services, entity: EntityName, key: str, known: EntityState | None) -> DryRun:
    resolver = Resolver(services, NO_RUN, entity)
    state = known or EntityState(entity)
    entry = state.entry(key)
    about_state = DryRun(
        entry=entry,
        ambiguous=tuple(state.ambiguous.get(key, ())),
        state_known=known is not None,
        updated_by=state.updated_by,
        missing_since=state.missing_since(entry.target_id) if entry else None,
    )
    resolver.provide(state)
    try:
        options = options_in_force(services)
        read = SourceReader(services, resolver, options, refresh=False).read(entity, state.source_counts)
    except UNREADABLE as error:
        return replace(about_state, problem=str(error))
    read = replace(read, source=with_known_regions(read.source, state))
    mapping = mappings(options)[entity]
    view = view_record(mapping, state, read.source, key, listed=False)
    run = _run(services, entity, key)
    judged = judgement_of_all(services, mapping, state, run, read, listed=False, known=known)
    draft = draft_changes(services, mapping, state, resolver, run, read.source, trust_digests=False)
    change = draft.changes[0] if draft.changes else None
    return replace(
        about_state,
        view=view,
        change=change,
        notes=tuple(problem["reason"] for problem in draft.problems if problem["key"] == key),
        causes=frozenset(
            cause for one in draft.problems if one["key"] == key and (cause := one.get("cause")) is not None
        ),
        held=tuple(judged.reasons_for(change.action)) if change else (),
        left_out=tuple(
            problem["reason"]
            for problem in draft.problems
            if problem["key"] == key and problem["kind"] in ("invalid", "waiting") and problem["field"]
        ),
        passed_over=bool(change and entry and entry.digest == change.digest),
    )


def _run(services: Services, entity: EntityName, key: str) -> Run:
    request = RunRequest(mode="plan", entities=(entity,), keys=(key,))
    return Run(NO_RUN, request, services.clock.now().isoformat(), {})

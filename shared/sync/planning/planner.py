"""Planning an entity: read, compare, ask the guard, and commit the plan."""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import cast

from shared.errors import RateLimited, SafetyAmpError, UnreadableDocument
from shared.storage.documents import Document, Documents, create_json, from_json, to_json
from shared.sync import paths
from shared.sync.documents.plans import (
    Earlier,
    HeldPart,
    LeftOutChange,
    Plan,
    RecordLook,
    Vanished,
    batch_to_json,
    plan_path,
    read_plan,
)
from shared.sync.documents.runs import Run
from shared.sync.documents.state import (
    KEPT_UNASKED,
    EntityState,
    decode_state,
    distrust_state,
    forget_rekeyed,
    gone_anyway,
    missed_again,
    not_listed,
    rebuild,
)
from shared.sync.entities import mappings
from shared.sync.entities.jobs import sites_of_jobs
from shared.sync.findings.causes import NOT_LISTED
from shared.sync.lost_answers import settled_after
from shared.sync.mapping import EntityMapping
from shared.sync.model import ACCESS, ACTIONS, Action, EntityName, Source
from shared.sync.planning.approval import (
    approved_changes,
    approved_plan,
    baselines,
    keep_approved,
    refuse_other_sizes,
    what_it_found,
)
from shared.sync.planning.drafting import FIRST_THINGS_FIRST, Draft, draft_changes
from shared.sync.planning.guard import (
    FEWEST_EXCHANGED,
    GuardLimits,
    Judgement,
    guard,
    keys_exchanged,
    source_doubled,
)
from shared.sync.planning.limits import limits_of
from shared.sync.planning.listing import UNIQUE_VALUE, TargetLister
from shared.sync.planning.lookups import forget_lookups
from shared.sync.planning.prerequisites import check_prerequisites
from shared.sync.planning.reader import SourceRead, SourceReader, mapping_options, with_known_regions
from shared.sync.planning.record_view import view_record
from shared.sync.planning.renamed_regions import keep_renamed_regions
from shared.sync.planning.resolver import Resolver
from shared.sync.planning.rules_in_force import rules_text
from shared.sync.services import Services

logger = logging.getLogger(__name__)

MOST_VANISHED_NAMED = 100
LONG_AGO = timedelta(days=3)
"""After so many nights a user that no listing has is gone, whatever SafetyAmp answers when asked for it; and
one of these nights has compared whoever refers to a record that got another key."""

OWN_READ: dict[EntityName, str] = {
    "departments": "Vista departments",
    "jobs": "Vista open jobs",
    "titles": "Vista titles",
    "employees": "Vista employees",
    "vehicles": "Samsara vehicles",
}
"""The read that each entity's records come from, as its receipt calls it; it needs others besides."""


MADE_WITHOUT_CODE = ("departments",)
"""Entities of which SafetyAmp takes a second record when hands have made the first, without the code that it
refuses twice. All clusters are one call; of sites, which are many, this is left to the next listing."""


JudgeWithState = Callable[[EntityState, Draft], Judgement]
"""What the guard says of a draft that was made from this state."""


@dataclass(frozen=True)
class OnlyLeavers:
    """Only leavers are planned, and the entity ends as failed for the `reason`: Graph cannot be read, or
    SafetyAmp cannot be listed (`unlisted`): then by the ids that the state knows."""

    reason: str
    unlisted: bool = False


def make_plan(
    services: Services,
    run: Run,
    entity: EntityName,
    lister: TargetLister,
    only_leavers: OnlyLeavers | None = None,
) -> Plan:
    """Plan `entity` and commit the plan document; a plan that is there already stays. Returns the one that
    is there then.

    Raises RetryLater when a listing has to go on later (its pages are kept), and the errors of reading
    (IncompleteRead, DatabaseError, APIError, ConfigurationError): then nothing was concluded.
    """
    path = paths.state(entity)
    document = services.documents.read(path)
    try:
        known = decode_state(entity, from_json(document.data, path)) if document else None
        return _make_plan(services, run, entity, lister, document, known, only_leavers)
    except UnreadableDocument as error:
        if error.path != path:
            raise
        # A record's fields are read when they are needed: what cannot be read may show late, too.
        logger.error(
            "%s; it is made anew by listing SafetyAmp", error, extra={"event": "document_unreadable"}
        )
        return _make_plan(services, run, entity, lister, document, None, only_leavers)


def _make_plan(
    services: Services,
    run: Run,
    entity: EntityName,
    lister: TargetLister,
    document: Document | None,
    known: EntityState | None,
    leavers: OnlyLeavers | None,
) -> Plan:
    """`document` is the state's, `known` what it says."""
    started = services.clock.monotonic()
    documents, meter = services.documents, services.work.meter
    if _must_list(known, run):
        # Before the sources are read: while somebody lists, that would be for nothing.
        lister.take_lease()
    resolver = Resolver(services, run.run_id, entity, mode=run.request.mode)
    approved = approved_plan(documents, run, entity)
    # Rules that came after a held plan hold for it: they may protect whom it changes.
    rules = rules_text(services, run if approved is None else None)
    mapping = mappings(mapping_options(services.settings, rules))[entity]
    last_counts = known.source_counts if known else {}
    only_leavers = leavers is not None
    # Who approves wants to know how the sources are now, not how they were an hour ago.
    refresh = run.request.refresh or approved is not None
    reader = SourceReader(services, resolver, mapping.options, refresh=refresh, without_graph=only_leavers)
    read = reader.read(entity, last_counts)
    # What was not read this time keeps its size for the guard.
    source_counts = {**last_counts, **read.counts} if only_leavers else read.counts
    if approved is not None:
        refuse_other_sizes(approved, read.counts, last_counts, _limits(services))
    found = approved and what_it_found(
        documents, run, entity, approved, known, document.etag if document else None
    )
    if found:
        state, listed = found, True
    elif leavers and leavers.unlisted and known:
        state, listed = known, False
    else:
        state, listed = _current_state(services, mapping, known, lister, run, read.source)
    read = replace(read, source=with_known_regions(read.source, state))
    drafted = _drafted(
        services,
        mapping,
        state,
        resolver,
        run,
        read.source,
        before=known,
        listed=listed,
        just_listed=listed and not found,
        only_leavers=only_leavers,
        judge=None if approved else _judge(services, mapping, state, run, read, listed, known, only_leavers),
        list_now=partial(_listed_state, services, mapping, known, lister, run, read.source),
    )
    state, draft = drafted.state, drafted.draft
    left_out: list[LeftOutChange] = []
    sizes: tuple[dict[str, int], dict[str, int]] = source_counts, {}
    if approved is not None:
        if not approved.held_batches:  # else they are among those of what was applied
            meter.add(approved.calls, approved.requests, approved.waited_seconds)
        left_out = keep_approved(draft, approved_changes(documents, run.run_id, entity, approved))
        sizes = baselines(run, approved, source_counts, state, _limits(services))
    _report_missing(state, draft)
    if draft.changes:
        check_prerequisites(services, entity)
    plan_id = secrets.token_hex(4)
    base = (
        _store_base(services, run, entity, plan_id, state) if drafted.listed or draft.state_changed else None
    )
    earlier = _earlier(approved)
    batches, held_batches = _store_changes(services, run, entity, plan_id, draft, earlier)
    plan = Plan(
        plan_id=plan_id,
        mode=run.request.mode,
        created_at=services.clock.now().isoformat(),
        state_etag=document.etag if document else None,
        state_by=known.updated_by if known else None,
        base=base,
        batches=batches,
        held_batches=held_batches,
        earlier=earlier,
        counts=dict(draft.counts),
        source_counts=sizes[0],
        approved_counts=sizes[1],
        counts_changed=sizes != (state.source_counts, state.approved_counts),
        failed=leavers.reason if leavers else None,
        held=_reasons_to_hold_all(draft),
        held_parts=_held_parts(draft),
        left_out=left_out,
        problems=draft.problems,
        vanished=_vanished(state, draft),
        refused=state.refused(),
        looks=drafted.looks,
        calls=dict(meter.calls),
        requests=dict(meter.requests),
        waited_seconds=round(meter.waited_seconds, 3),
        listed=drafted.just_listed,
    )
    if entity == "titles" and plan.batches and not plan.held and run.request.mode == "apply":
        # A process of release 0.1.0 may apply the plan, and cannot note it in the state of titles. Until this
        # release has, the state does not say what is there.
        distrust_state(documents, entity)
    # The entity is for people: programs know it by the path.
    is_ours = create_json(documents, plan_path(run, entity), {"entity": entity, **plan.to_json()})
    duration_ms = round((services.clock.monotonic() - started) * 1000)
    facts = {"counts": plan.counts, "batches": plan.batches, "duration_ms": duration_ms}
    text = "%s of run %s is planned"
    logger.info(text, entity, run.run_id, extra={"event": "entity_planned", "entity": entity, **facts})
    return plan if is_ours else _committed(documents, run, entity)


def _committed(documents: Documents, run: Run, entity: EntityName) -> Plan:
    """The plan of somebody who was quicker."""
    plan = read_plan(documents, run, entity)
    if plan is None:
        raise UnreadableDocument(plan_path(run, entity), "it is gone")
    return plan


@dataclass(frozen=True)
class _Drafted:
    """The state, whether SafetyAmp was listed for it, and just now, what is seen of the one record that is
    asked for, and what is to be done."""

    state: EntityState
    listed: bool
    just_listed: bool
    looks: list[RecordLook]
    draft: Draft


def _drafted(
    services: Services,
    mapping: EntityMapping,
    state: EntityState,
    resolver: Resolver,
    run: Run,
    source: Source,
    *,
    before: EntityState | None,
    listed: bool,
    just_listed: bool,
    only_leavers: bool,
    judge: JudgeWithState | None,
    list_now: Callable[[], EntityState],
) -> _Drafted:
    """Before something is made of which SafetyAmp would take a second one without a word, it is listed: hands
    may have made it since the last time.
    """

    def drafted(state: EntityState, *, listed: bool, just_listed: bool) -> _Drafted:
        resolver.provide(state)
        looks = _looks(run, mapping, state, source, listed)
        draft = draft_changes(
            services,
            mapping,
            state,
            resolver,
            run,
            with_known_regions(source, state),  # as SafetyAmp spells them now
            # A digest tells that nothing has changed since; whoever asks for a record wants it looked at.
            trust_digests=not listed and not run.request.keys,
            listed=listed,
            before=before,
            only_leavers=only_leavers,
            judge=judge and partial(judge, state),
        )
        return _Drafted(state, listed, just_listed, looks, draft)

    first = drafted(state, listed=listed, just_listed=just_listed)
    refuses_a_second = mapping.name in UNIQUE_VALUE and mapping.name not in MADE_WITHOUT_CODE
    if just_listed or refuses_a_second or not first.draft.counts["create"]:
        return first
    return drafted(list_now(), listed=True, just_listed=True)


def _looks(
    run: Run, mapping: EntityMapping, state: EntityState, source: Source, listed: bool
) -> list[RecordLook]:
    """What is seen of the one record that is asked for, before drafting changes the state."""
    key = run.request.one_record
    return [] if key is None else [view_record(mapping, state, source, key, listed=listed).to_json()]


def _current_state(
    services: Services,
    mapping: EntityMapping,
    known: EntityState | None,
    lister: TargetLister,
    run: Run,
    source: Source,
) -> tuple[EntityState, bool]:
    """The state to compare with, and whether SafetyAmp was listed for it."""
    if known is not None and not _must_list(known, run):
        return known, False
    try:
        return _listed_state(services, mapping, known, lister, run, source), True
    except SafetyAmpError as error:
        if known is not None:
            error.only = "listing"  # whom the state knows can lose access without
        raise


def _must_list(known: EntityState | None, run: Run) -> bool:
    return known is None or run.request.refresh or known.needs_listing()


def _listed_state(
    services: Services,
    mapping: EntityMapping,
    known: EntityState | None,
    lister: TargetLister,
    run: Run,
    source: Source,
) -> EntityState:
    if run.request.refresh:
        forget_lookups(services)
    if known is None:
        # Nobody is known: whom one shifted listing hides would be created a second time.
        targets = lister.believable_targets(mapping, None, twice=True)
        return rebuild(mapping.name, sites_of_jobs(targets, source), None, run.run_id)
    # A second user or site SafetyAmp refuses itself; of a title that one reading hides there would be two.
    twice = mapping.name not in UNIQUE_VALUE
    if twice:
        _wait_until_settled(services, known)
    targets = lister.believable_targets(mapping, known.listed, twice=twice)
    missing = missed_again(known, targets, run.run_id)
    sure = gone_anyway(known, missing, services.clock.now() - LONG_AGO) if missing else ()
    found, gone = lister.ask_for(mapping, missing, beyond_doubt=sure)
    state = rebuild(mapping.name, sites_of_jobs([*targets, *found], source), known, run.run_id, gone)
    forget_rekeyed(state, services.clock.now() - LONG_AGO)
    keep_renamed_regions(state, source)
    return state


def _wait_until_settled(services: Services, known: EntityState) -> None:
    """What was sent without an answer may still be carried out, and no listing shows it before. Raises
    RateLimited: another process has the time meanwhile."""
    if (at := known.unsure_at()) is None:
        return
    settled = settled_after(services)
    left = at + settled - services.clock.now()
    # A time that lies far ahead is none that a clock of ours can have noted: nobody waits a day for it.
    if timedelta() < left <= 2 * settled:
        raise RateLimited("a creation without an answer may still be carried out", left.total_seconds())


def _report_missing(state: EntityState, draft: Draft) -> None:
    for key, target_id in sorted(state.missing_keys().items()):
        draft.report(key, not_listed(target_id), NOT_LISTED)


def _judge(
    services: Services,
    mapping: EntityMapping,
    state: EntityState,
    run: Run,
    read: SourceRead,
    listed: bool,
    known: EntityState | None,
    only_leavers: bool,
) -> JudgeWithState:
    judge = partial(_judged, services, mapping, known, read.counts)
    if not run.request.keys:
        return judge
    of_all = judgement_of_all(services, mapping, state, run, read, listed, known, only_leavers=only_leavers)
    return partial(_as_of_all, of_all, judge)


def judgement_of_all(
    services: Services,
    mapping: EntityMapping,
    state: EntityState,
    run: Run,
    read: SourceRead,
    listed: bool,
    known: EntityState | None,
    *,
    only_leavers: bool = False,
) -> Judgement:
    """What the guard would hold of a plan of all records. `state` stays as it is;
    `known` is what was known before SafetyAmp was listed.

    For a run of single records: a wrong read that makes everybody a leaver must not lock out the one whom
    somebody asks for, only because a plan of one person is a small one.
    """
    everything = replace(run, request=replace(run.request, keys=()))
    resolver = Resolver(services, run.run_id, mapping.name, mode=run.request.mode)
    # Drafting changes the state in place.
    copied = deepcopy(state)
    resolver.provide(copied)
    return draft_changes(
        services,
        mapping,
        copied,
        resolver,
        everything,
        read.source,
        trust_digests=not listed,
        listed=listed,
        only_leavers=only_leavers,
        judge=partial(_judged, services, mapping, known, read.counts, copied),
    ).judgement


def _as_of_all(of_all: Judgement, judge: JudgeWithState, state: EntityState, draft: Draft) -> Judgement:
    """What the guard says of these few records, by what it says of all; where nothing is to be done for them,
    only whether the sources are to be believed."""
    if not draft.changes:
        return judge(state, draft)
    parts = {action: reasons for action, reasons in of_all.parts.items() if draft.counts[action]}
    return Judgement(of_all.everything, parts)


def _judged(
    services: Services,
    mapping: EntityMapping,
    known: EntityState | None,
    source_counts: dict[str, int],
    state: EntityState,
    draft: Draft,
) -> Judgement:
    limits, rules = limits_of(services.settings, mapping.rules), mapping.rules
    there = {key for key, record in state.records.items() if record[0] is not None}
    # A share is one of those who are synced: three of a pilot of eight are many in any company.
    synced = len(there - draft.outside.keys())
    wanted = sum(draft.counts[name] for name in ("unchanged", *FIRST_THINGS_FIRST))
    read = OWN_READ[cast(EntityName, state.entity)]
    judgement = guard(
        limits,
        draft.counts,
        size=max(synced, wanted),
        source_counts=source_counts,
        last_counts=state.source_counts,
        approved_counts=state.approved_counts,
        recent=state.unasked_since(services.clock.now() - KEPT_UNASKED),
        always=[action for action in ACTIONS if rules.actions.of(action) == "hold"],
    )
    doubled = source_doubled(read, source_counts.get(read, 0), state.source_counts.get(read))
    everything = [
        *judgement.everything,
        *doubled,
        *_exchanged(limits, draft, known),
        *_nobody_in_scope(draft, len(there), has_filters=bool(rules.scope or rules.pilot)),
    ]
    return replace(judgement, everything=everything)


def _nobody_in_scope(draft: Draft, there: int, *, has_filters: bool) -> list[str]:
    """A filter that admits nobody is a typing error: it would leave everybody alone, or switch them off."""
    if draft.admitted or not has_filters or not there:
        return []
    return [f"the rules would leave 0 of {len(draft.seen)} in scope: check scope and pilot of rules.toml"]


def _exchanged(limits: GuardLimits, draft: Draft, known: EntityState | None) -> list[str]:
    created = draft.counts["create"]
    if known is None or created < FEWEST_EXCHANGED:
        return []
    # A digest is what a record has that a good run saw in the source: neither what somebody made in SafetyAmp
    # by hand nor what was closed long ago, and was listed since, counts.
    settled = [key for key, record in known.records.items() if record[1] is not None]
    vanished = sum(1 for key in settled if key not in draft.seen and _is_active(known, key))
    return keys_exchanged(limits, known=len(settled), vanished=vanished, created=created)


def _is_active(known: EntityState, key: str) -> bool:
    entry = known.entry(key)
    return entry is not None and entry.fields.get(ACCESS) != 0


def _limits(services: Services) -> GuardLimits:
    return limits_of(services.settings)


def _reasons_to_hold_all(draft: Draft) -> list[str]:
    """Where nothing is left beside the parts that are held, the plan is held as a whole."""
    if draft.held:
        return []
    judgement = draft.judgement
    return [*judgement.everything, *(reason for found in judgement.parts.values() for reason in found)]


def _held_parts(draft: Draft) -> dict[Action, HeldPart]:
    """Those of the plan, in the order of its parts."""
    if not draft.held and not _reasons_to_hold_all(draft):
        return {}
    counts = Counter(change.action for change in draft.held or draft.changes)
    return {
        action: {"count": counts[action], "reasons": draft.judgement.parts.get(action, [])}
        for action in ACTIONS
        if counts[action]
    }


def _earlier(approved: Plan | None) -> Earlier | None:
    if approved is None or not approved.held_batches:
        return None
    return {"plan_id": approved.plan_id, "batches": approved.batches}


def _store_base(services: Services, run: Run, entity: EntityName, plan_id: str, state: EntityState) -> str:
    path = paths.base(run.run_id, entity, plan_id)
    services.documents.write(path, to_json(state.to_json()))
    return path


def _store_changes(
    services: Services, run: Run, entity: EntityName, plan_id: str, draft: Draft, earlier: Earlier | None
) -> tuple[int, int]:
    """Store the changes in batches of about one window of calls, behind those that were applied `earlier`;
    returns how many batches are to be applied, and how many are held behind them."""
    size, first = batch_size(services), earlier["batches"] if earlier else 0
    applied, held = list(draft.batches(size)), list(draft.held_batches(size))
    for number, batch in enumerate([*applied, *held], start=first + 1):
        path = paths.batch(run.run_id, entity, plan_id, number)
        create_json(services.documents, path, batch_to_json(entity, batch))
    return len(applied), len(held)


def batch_size(services: Services) -> int:
    """About one window of calls, less what is kept for interactive work."""
    return services.settings.api_rate_limit_calls - services.settings.api_rate_limit_reserve


def _vanished(state: EntityState, draft: Draft) -> Vanished:
    """Records of SafetyAmp that have no source record: reported, never removed."""
    gone = sorted(
        key
        for key in state.keys_in_target()
        if key not in draft.seen and key != "root" and not key.startswith("office:")
    )
    if state.entity != "employees":
        return {"count": len(gone), "keys": gone[:MOST_VANISHED_NAMED]}
    # Most have left long ago and are off: among them, nobody would find the one who still signs in.
    with_access = [key for key in gone if state.may_sign_in(key)]
    first = dict.fromkeys([*with_access, *gone])
    return {"count": len(gone), "keys": [*first][:MOST_VANISHED_NAMED], "with_access": len(with_access)}

"""What of an approved plan is still true.

Whoever approves a held plan approves its changes, not its age: the plan is made again from the sources as
they are now, and of it only those changes are kept that were approved in the same form. What was approved
and is not among them is left out by name; what is new since waits for the next run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from shared.errors import IncompleteRead
from shared.storage.documents import Documents, read_json
from shared.sync import paths
from shared.sync.documents.plans import LeftOutChange, OtherForm, Plan, plan_at, read_batch
from shared.sync.documents.state import EntityState, decode_state
from shared.sync.findings.causes import NOT_APPLIED
from shared.sync.planning.guard import GuardLimits, lost_much

if TYPE_CHECKING:
    from shared.sync.documents.change import Change
    from shared.sync.documents.runs import Run
    from shared.sync.model import EntityName
    from shared.sync.planning.drafting import Draft

NOT_WANTED = "there is nothing to be done for it any more: SafetyAmp holds what the source says"
NOT_APPROVED = "it is not among what was approved: the next run does what is to be done for it"
GONE = "the source does not have it any more"

PAST = {"create": "created", "update": "updated", "deactivate": "deactivated", "reactivate": "reactivated"}


def approved_plan(documents: Documents, run: Run, entity: EntityName) -> Plan | None:
    """The held plan whose approval is being carried out, None when nobody approved one."""
    if run.entities[entity].approval_in_force is None:
        return None
    plan = plan_at(documents, paths.plan(run.run_id, entity))
    if plan is None:
        raise IncompleteRead(f"the plan of {entity} is no longer kept: start a new run")
    return plan


def approved_changes(documents: Documents, run_id: str, entity: EntityName, plan: Plan) -> Iterator[Change]:
    """The changes that the plan holds."""
    for number in plan.held_numbers:
        yield from read_batch(documents, run_id, entity, plan.plan_id, number)


def what_it_found(
    documents: Documents,
    run: Run,
    entity: EntityName,
    plan: Plan,
    state: EntityState | None,
    etag: str | None,
) -> EntityState | None:
    """What the held plan's listing found in SafetyAmp; None when it found nothing new, or when the state has
    changed since and SafetyAmp has to be asked again. Of a plan of which only a part is held it was merged
    into the `state`, with what the other parts did."""
    if not plan.base:
        return None
    if plan.held_batches:
        is_of_plan = state is not None and state.updated_by == plan.name_in(run.run_id)
        return state if state is not None and is_of_plan and not state.needs_listing() else None
    if plan.state_etag != etag:
        return None
    return decode_state(entity, read_json(documents, plan.base), plan.base)


def refuse_other_sizes(
    plan: Plan, counts: Mapping[str, int], known: Mapping[str, int], limits: GuardLimits
) -> None:
    """Somebody approved what these reads said: raises IncompleteRead when one of them has lost much since."""
    approved = plan.source_counts
    if reasons := lost_much(limits, counts, {**approved, **known}, approved):
        raise IncompleteRead(f"{'; '.join(reasons)}: if that is right, start a new run and approve its plan")


def baselines(
    run: Run, plan: Plan, counts: Mapping[str, int], state: EntityState, limits: GuardLimits
) -> tuple[dict[str, int], dict[str, int]]:
    """The sizes of the last good reads, and of reads that somebody approved, as they are after this approval.

    Two reads and a person agree that a source is so small now, and a company that really shrank must not be
    held for ever: so the larger of the two reads is good enough for the next one. But it becomes what later
    reads are compared with only when that has seen it too. Who approves single records says nothing of sizes.
    """
    last = state.source_counts
    if run.request.keys:
        return {**counts, **last}, state.approved_counts
    small = {name for name, count in counts.items() if lost_much(limits, {name: count}, last, {})}
    sizes = {name: last[name] if name in small else count for name, count in counts.items()}
    return sizes, {name: max(counts[name], plan.source_counts.get(name, 0)) for name in small}


def keep_approved(draft: Draft, approved: Iterable[Change]) -> list[LeftOutChange]:
    """Take from the draft, in place, what was not approved in this form, and what belongs together with it:
    who takes a value without its holder giving it up would be refused, and who has given one up for an
    exchange would be left without. Returns what was approved and is left out: its key and action, the reason,
    and what it would be now."""
    before = {_form(change): change for change in approved}
    drafted = {_form(change): change for change in draft.changes}
    broken: dict[int, str] = {}
    for form, change in drafted.items():
        if form not in before and change.key in draft.together:
            broken.setdefault(draft.together[change.key], change.key)
    alone = {form: change for form, change in drafted.items() if draft.together.get(change.key) not in broken}
    draft.changes = [change for form, change in alone.items() if form in before]
    others = {form: change for form, change in drafted.items() if form not in before or form not in alone}
    named = {change.key for change in before.values()}
    for change in others.values():
        # Each record is in one count: these are left to the next run.
        draft.counts[change.action] -= 1
        draft.counts["skipped"] += 1
        if change.key not in named:
            draft.report(change.key, NOT_APPROVED, NOT_APPLIED)
    now = {change.key: change for change in others.values()}
    rejected = {one["key"]: one["reason"] for one in draft.problems if one["kind"] != "reported"}
    rejected |= {key: cause.name for key, cause in draft.outside.items()}
    return [
        _left_out(change, now.get(change.key), rejected.get(change.key), draft.seen)
        if form not in drafted
        else _left_with(drafted[form], broken[draft.together[change.key]])
        for form, change in before.items()
        if form not in drafted or form not in alone
    ]


def _form(change: Change) -> tuple[str, str, str]:
    """What somebody who approves a change has seen of it; what an update repeats besides may differ."""
    beside = [[one["target_id"], one["fields"]] for one in change.beside]
    fill = [change.fill] if change.fill else []
    sent = json.dumps([change.target_id, change.fields, beside, *fill], sort_keys=True)
    return change.key, change.action, sent


def _left_out(change: Change, now: Change | None, rejected: str | None, seen: set[str]) -> LeftOutChange:
    """Without values: reports name fields only."""
    key, fields = change.key, sorted(now.fields) if now else []
    if now is not None:
        reason = (
            f"it would be {PAST[now.action]} in another form now ({', '.join(fields)}): the next run plans it"
        )
    else:
        reason = (rejected or NOT_WANTED) if key in seen else GONE
    instead: OtherForm | None = {"action": now.action, "fields": fields} if now else None
    return {"key": key, "action": change.action, "reason": reason, "now": instead}


def _left_with(change: Change, other: str) -> LeftOutChange:
    reason = (
        f"it exchanges a value with {other}, whose change was not approved as it would be now: the next run"
        " plans both"
    )
    instead: OtherForm = {"action": change.action, "fields": sorted(change.fields)}
    return {"key": change.key, "action": change.action, "reason": reason, "now": instead}


def reasons_to_hold(plan: Plan) -> list[str]:
    """Of all of the plan, or of its parts; empty when nothing is held."""
    return plan.held or [reason for part in plan.held_parts.values() for reason in part["reasons"]]


def why_held(plan: Plan) -> str | None:
    """The same as one text."""
    return "; ".join(reasons_to_hold(plan)) or None


def about_left_out(plan: Plan) -> str | None:
    """What a finished entity says of its approval; None when nothing was left out."""
    count = len(plan.left_out)
    if not count:
        return None
    if not plan.batches:
        return f"nothing that was approved is wanted any more: nothing was changed, {count} left out"
    return f"of what was approved, {count} left out: no longer wanted in that form"

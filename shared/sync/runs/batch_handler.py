"""Handling a batch message: apply its changes under a lease, one after the other, and store the outcomes."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from math import ceil

from shared.clients.http.call_meter import Meter
from shared.context import bound
from shared.errors import (
    AccessRefused,
    APIError,
    CircuitOpen,
    ConfigurationError,
    IncompleteRead,
    LeaseHeld,
    RateLimited,
    RetryLater,
    SafetyAmpError,
    Stopping,
    UnreadableDocument,
    UpstreamUnavailable,
)
from shared.storage.documents import create_json
from shared.sync import paths
from shared.sync.applying.applier import AlreadyThere, ChangeApplier, Unresolved, is_ambiguous
from shared.sync.applying.batches import good_until
from shared.sync.applying.looking_up import LookUp, TooEarly
from shared.sync.applying.settled import unknown_outcomes
from shared.sync.documents.change import Change, reference
from shared.sync.documents.outcome import (
    NOT_TRIED,
    BatchOutcomes,
    Outcome,
    Result,
    in_doubt,
    outcomes_to_json,
    read_outcomes,
)
from shared.sync.documents.plans import Plan, may_be_applied, read_batch, read_plan
from shared.sync.documents.progress import HalfDone, OpenCreation, ProgressKeeper, begin_progress
from shared.sync.documents.runs import Run, get_run
from shared.sync.documents.switched_off import note_to_be_switched_off
from shared.sync.entities import mappings
from shared.sync.lease import LEASE_SECONDS, Lease, held_lease
from shared.sync.lost_answers import settled_after
from shared.sync.mapping import EntityMapping
from shared.sync.messages import BatchMessage
from shared.sync.model import EntityName, Ref, Target
from shared.sync.planning.listing import UNIQUE_VALUE
from shared.sync.planning.planner import batch_size
from shared.sync.planning.reader import mapping_options
from shared.sync.planning.resolver import Resolver
from shared.sync.planning.rules_in_force import rules_text
from shared.sync.runs.abandoning import readable_run
from shared.sync.runs.finish import advance, finish_entity, give_up_entity
from shared.sync.runs.stopping import stop_entity
from shared.sync.services import Bound, Services

logger = logging.getLogger(__name__)

HANDLER_SECONDS = 240.0
"""After so long a batch is handed on: well below host.json's functionTimeout of 10 minutes, which would
restart the whole worker process."""

GIVE_UP_AFTER = timedelta(minutes=30)
"""A SafetyAmp that has not answered for so long ends the entity: the next run tries again."""

LOOK_AGAIN_SECONDS = 5.0
"""How long it takes at most until a batch at work hears that its entity was stopped."""

LATER_THAN_A_SLOT = 0.25
"""How much later than the next slot a batch goes on, in average distances between calls: at the very moment
each execution would find one slot; at 0.25 it makes 8 changes and the window is used to 98 %."""

MAY_BE_THERE = "may have been created, no answer came"
"""What is said of a creation until it is settled, by a later attempt, by a listing or by the next run."""

MAY_BE_OFF = "may have been switched off, no answer came"
MAY_BE_CHANGED = "may have been changed, no answer came"

ANSWERED = frozenset(range(300, 500)) - {400, 404, 408, 410, 422}
"""Statuses of a SafetyAmp that is there, though what they say leaves open what became of a creation. The
others come from something in between when they are no proper answer, and pass."""

STORE_EVERY = 10
"""Updates can be repeated, so their progress is stored now and then; before each creation it must be."""


MOST_TRIES = 3
"""How often a batch is begun again after an error that nobody thought of. They are counted in its progress:
the delivery count of its message starts anew with every copy that goes on later."""


class HandOn(Exception):
    """The batch cannot go on now; `delay_seconds` says when it can."""

    def __init__(self, delay_seconds: float) -> None:
        super().__init__(f"go on in {delay_seconds:.3f} s")
        self.delay_seconds = delay_seconds


def apply_batch(services: Services, message: BatchMessage) -> None:
    """Apply a batch as far as it can come now. Safe to repeat at any time, from the start.

    Returns normally when the message is done with, also when the rest has been handed on to a scheduled
    copy; raises StorageError or BusError when the message must be delivered again.
    """
    with bound(run=message.run_id, entity=message.entity, batch=message.batch):
        _apply_batch(services, message)


def _apply_batch(services: Services, message: BatchMessage) -> None:
    documents = services.documents
    run = readable_run(services, message.run_id)
    if run is None or run.ended or message.entity not in run.entities:
        logger.info("nothing to do for %s", message.message_id)
        return
    if run.entities[message.entity].ended:
        advance(services, run)
        return
    try:
        plan = read_plan(documents, run, message.entity)
    except UnreadableDocument as error:
        give_up_entity(services, run, message.entity, str(error))
        return
    if plan is None or message.batch not in plan.numbers:
        logger.warning("%s belongs to no committed plan", message.message_id)
        return
    if not may_be_applied(run, message.entity, plan):
        logger.warning("%s belongs to a plan that is not to be applied", message.message_id)
        return
    if documents.read(paths.outcome(message.run_id, message.entity, message.batch)) is None:
        if (mapping := _mapping(services, run, message.entity)) is None:
            return
        try:
            _work_on(services, run, plan, message, mapping)
        except LeaseHeld:
            # Somebody works on it, or died while working: look again when the lease has run out.
            _hand_on(services, message, LEASE_SECONDS)
            return
        except HandOn as later:
            _hand_on(services, message, later.delay_seconds)
            return
    finish_entity(services, run, message.entity, plan)


def _mapping(services: Services, run: Run, entity: EntityName) -> EntityMapping | None:
    """The entity's mapping under the rules of the run; None where these cannot be read: then the entity is
    given up, for nothing is applied under others."""
    try:
        return mappings(mapping_options(services.settings, rules_text(services, run)))[entity]
    except (UnreadableDocument, ConfigurationError) as error:
        give_up_entity(services, run, entity, str(error))
        return None


def _work_on(
    services: Services,
    run: Run,
    plan: Plan,
    message: BatchMessage,
    mapping: EntityMapping,
    stop_reason: str | None = None,
) -> None:
    """Complete the batch under its lease, one way or another; raises HandOn when it has to go on later."""
    begin_progress(services.documents, message)
    with held_lease(services, paths.progress(message.run_id, message.entity, message.batch)) as lease:

        def work(reason: str | None) -> None:
            # Anew each time: of what an attempt that failed left in memory only the documents are believed.
            _BatchWork(lease, run, plan, message, mapping).complete(reason)

        try:
            work(stop_reason)
        except UnreadableDocument as error:
            if error.path == paths.run(message.run_id):
                raise
            work(str(error))
        except (SafetyAmpError, HandOn):
            raise
        except Exception as error:
            text = "batch %d of %s in run %s met an unexpected error"
            logger.exception(text, message.batch, message.entity, message.run_id)
            reason = f"unexpected {type(error).__name__} while applying, see the log"
            try:
                if stop_reason is None:
                    _count_try(services, message, lease.take())
                    work(reason)
                else:
                    _end_unknown(services, plan, message, f"{stop_reason}; {reason}")
            except (SafetyAmpError, HandOn):
                raise
            except Exception:
                logger.exception(text, message.batch, message.entity, message.run_id)
                _end_unknown(services, plan, message, reason)


def _count_try(services: Services, message: BatchMessage, lease_id: str) -> None:
    """Raises HandOn until the batch has been tried often enough."""
    keeper = ProgressKeeper(services, message, lease_id, Meter())
    keeper.progress.tries += 1
    keeper.store()
    if keeper.progress.tries < MOST_TRIES:
        raise HandOn(services.settings.retry_delay_seconds)


def _end_unknown(services: Services, plan: Plan, message: BatchMessage, reason: str) -> None:
    """End a batch of which nobody can tell how far it came; creations may have happened."""
    unknown = unknown_outcomes(
        services.documents, message.run_id, message.entity, plan.plan_id, message.batch, reason
    )
    _store(services, message, unknown)


def _store(services: Services, message: BatchMessage, outcomes: BatchOutcomes) -> None:
    create_json(
        services.documents,
        paths.outcome(message.run_id, message.entity, message.batch),
        {
            "batch": message.batch,
            "attempts": message.attempt,
            **outcomes_to_json(outcomes.outcomes),
            "calls": outcomes.calls,
            "requests": outcomes.requests,
            "waited_seconds": outcomes.waited_seconds,
            **({"reason": outcomes.reason} if outcomes.reason else {}),
            **({"list_anew": True} if outcomes.list_anew else {}),
        },
    )


def give_up_batch(services: Services, message: BatchMessage, reason: str) -> None:
    """Note for every change of the batch that is left that it was not tried. Does nothing when the batch has
    its outcomes, or when somebody is at work on it: the sweep sends it again if they do not end it.

    Raises StorageError or BusError when this has to be done again.
    """
    run = readable_run(services, message.run_id)
    if run is None or message.entity not in run.entities or run.entities[message.entity].ended:
        return
    try:
        plan = read_plan(services.documents, run, message.entity)
    except UnreadableDocument as error:
        give_up_entity(services, run, message.entity, str(error))
        return
    if plan is None or message.batch not in plan.numbers or not may_be_applied(run, message.entity, plan):
        return
    if (mapping := _mapping(services, run, message.entity)) is None:
        return
    with suppress(LeaseHeld):
        if services.documents.read(paths.outcome(message.run_id, message.entity, message.batch)) is None:
            _work_on(services, run, plan, message, mapping, reason)
        finish_entity(services, run, message.entity, plan)


def _hand_on(services: Services, message: BatchMessage, delay_seconds: float) -> None:
    at = services.clock.now() + timedelta(seconds=delay_seconds)
    cause = f"go-on/{at:%Y%m%d%H%M%S%f}"
    copy = BatchMessage(message.run_id, message.entity, message.batch, message.attempt + 1, cause)
    services.bus.send([copy.to(services.settings.batch_queue, at)])


def _shows_another_number(outcome: Outcome) -> bool:
    """Whether it may be that of anybody. What a creation found is about its own number or phone."""
    return outcome.list_anew and outcome.action != "create"


LISTED_FIRST = "a user has another number in SafetyAmp than was known: the next run lists SafetyAmp first"


class UpstreamDown(Exception):
    """SafetyAmp has been away for too long to wait for it in this run."""


class _BatchWork:
    """The work on one batch within one handler."""

    def __init__(
        self, lease: Lease, run: Run, plan: Plan, message: BatchMessage, mapping: EntityMapping
    ) -> None:
        work = replace(lease.services.work, lane=run.request.lane, meter=Meter())
        services = Bound(lease.services, work)
        self._services = services
        self._run = run
        self._plan = plan
        self._message = message
        self._lease_id = lease.take()
        self._resolver = Resolver(services, run.run_id, message.entity, plan, mode=run.request.mode)
        self._applier = ChangeApplier(services, mapping, self._resolver, listed=plan.listed)
        self._look_up = LookUp(services, run, plan, message, mapping)
        self._why_lost = MAY_BE_THERE
        self._was_answered = False
        self._tried = 0
        self._late: str | None = None
        self._looked_at = self._began = services.clock.monotonic()
        self._until = self._looked_at + HANDLER_SECONDS

    def complete(self, stop_reason: str | None = None) -> None:
        """Apply what is left and store the outcomes; raises HandOn when it has to go on later. With a
        `stop_reason` nothing is applied any more."""
        meter = self._services.work.meter
        try:
            self._keeper = ProgressKeeper(self._services, self._message, self._lease_id, meter)
        except UnreadableDocument as error:
            _end_unknown(self._services, self._plan, self._message, str(error))
            return
        try:
            self._all = changes = self._changes()
        except UnreadableDocument as error:
            self._tried = self._keeper.progress.tried
            self._store_outcomes(meter, str(error))
            return
        self._tried = self._keeper.progress.tried
        if stop_reason is None:
            note_to_be_switched_off(
                self._services.documents,
                changes[len(self._keeper.progress.outcomes) :],
                self._run.run_id,
                self._services.clock.now().isoformat(),
            )
            self._remember_earlier(changes)
        while len(self._keeper.progress.outcomes) < len(changes):
            change = changes[len(self._keeper.progress.outcomes)]
            stop_reason = stop_reason or self._stopped_by_others() or self._too_old()
            if stop_reason:
                self._record(self._not_applied(change, stop_reason))
                continue
            if self._services.clock.monotonic() > self._until:
                self._pause(0.0)
            try:
                self._record(self._apply(change))
            except (AccessRefused, ConfigurationError, UpstreamDown) as error:
                stop_reason = str(error)
                self._stop_entity(stop_reason)
        if self._keeper.progress.open and not stop_reason:
            # What the last change became is known so far to this process alone.
            self._keeper.store()
            try:
                stop_reason = self._settle()
            except (AccessRefused, ConfigurationError, UpstreamDown) as error:
                stop_reason = str(error)
                self._stop_entity(stop_reason)
        self._leave_open(stop_reason)
        self._store_outcomes(meter)

    def _stopped_by_others(self) -> str | None:
        """Why the entity was stopped meanwhile, looked up every few seconds."""
        now = self._services.clock.monotonic()
        if now - self._looked_at >= LOOK_AGAIN_SECONDS:
            self._looked_at = now
            self._run = get_run(self._services.documents, self._run.run_id)
        return self._run.entities[self._message.entity].stop_reason

    def _too_old(self) -> str | None:
        """Why nothing is sent any more: what was planned so long ago may be untrue now."""
        services = self._services
        if services.clock.now() <= good_until(services.settings, self._plan):
            return None
        planned_at = datetime.fromisoformat(self._plan.created_at)
        self._late = f"planned at {planned_at:%Y-%m-%d %H:%M} UTC, too long ago: the next run plans it anew"
        return self._late

    def _changes(self) -> list[Change]:
        message = self._message
        documents, plan_id = self._services.documents, self._plan.plan_id
        return read_batch(documents, message.run_id, message.entity, plan_id, message.batch)

    def _apply(self, change: Change) -> Outcome:
        progress = self._keeper.progress
        index = len(progress.outcomes)
        if progress.started == index:
            # Whoever had the batch before died between sending it and noting the answer.
            self._why_lost = MAY_BE_THERE
            return self._put_off(change, index)
        if change.action == "create" and self._has_met_another_number():
            # Of a user: perhaps of the very one that this would make a second time.
            return Outcome(change.key, change.action, "waiting", change.digest, reason=LISTED_FIRST)
        if change.action == "create":
            progress.started = index
            self._keeper.store()
        elif index >= progress.tried:
            progress.tried = index + STORE_EVERY
            self._keeper.store()
        sent_before = index < self._tried
        self._tried = max(self._tried, index + 1)
        outcome = self._attempt(change)
        if outcome is None:
            return self._put_off(change, index)
        if (sent_before or self._applier.repeated) and change.target_id is not None:
            # An attempt without an answer may have done what this one did not.
            outcome.target_id = change.target_id
            unanswered = {name: value for name, value in change.fields.items() if name not in outcome.fields}
            outcome.unknown = {**outcome.unknown, **unanswered}
        return outcome

    def _has_met_another_number(self) -> bool:
        """Whether somebody who is switched off, or changed, has another number than was known, in this batch
        or one before it that switches people off: those come first in a plan."""
        return self._met_before or any(map(_shows_another_number, self._keeper.progress.outcomes))

    @cached_property
    def _met_before(self) -> bool:
        off = self._plan.counts.get("deactivate", 0)
        earlier = min(self._message.batch - 1, ceil(off / batch_size(self._services)))
        return any(map(self._is_listed_after, range(1, earlier + 1)))

    def _is_listed_after(self, batch: int) -> bool:
        try:
            ended = read_outcomes(self._services.documents, self._message.run_id, self._message.entity, batch)
        except UnreadableDocument:
            return True
        return ended is not None and (ended.list_anew or any(map(_shows_another_number, ended.outcomes)))

    def _attempt(self, change: Change, *, again: bool = False, in_doubt: bool = False) -> Outcome | None:
        """What became of the change; None for a creation whose answer was lost. `in_doubt`: not tried for the
        first time, so that it may be there whatever is answered now; `again` as in `ChangeApplier.apply`."""
        progress = self._keeper.progress
        try:
            return self._applier.apply(change, again=again, half_done=self._half_done(change))
        except (RateLimited, Stopping) as error:
            # Raised before a call is made, or for a 429: nothing happened by this attempt.
            self._pause_for_the_window(error)
        except CircuitOpen as error:
            progress.started = progress.half_done = None
            self._note_blocked(str(error))
            self._pause(error.delay_seconds)
        except RetryLater as error:
            return self._unavailable(change, error, error.delay_seconds, unsure=in_doubt)
        except Unresolved as error:
            progress.started = None
            if in_doubt:
                return _failed(change, MAY_BE_THERE, unsure=True)
            return self._waiting(change, error.ref)
        except (UpstreamUnavailable, IncompleteRead) as error:
            if is_ambiguous(change, error):
                self._note_lost(change, error)
                return None
            # Only for the window's sake is a part not done again: what got no answer begins anew.
            progress.half_done = None
            delay = self._services.settings.retry_delay_seconds
            return self._unavailable(change, error, delay, unsure=in_doubt)
        except (AccessRefused, ConfigurationError):
            # An answer, or nothing was sent: only an earlier attempt may have happened.
            progress.started = None
            raise
        except APIError as error:
            return _failed(change, str(error), unsure=in_doubt)
        except (SafetyAmpError, AlreadyThere, HandOn, UpstreamDown):
            raise
        except Exception as error:
            # One record that nobody thought of must not stop the others, or come back for ever.
            about = {"key": change.key, "operation": change.action}
            logger.exception("%s %s met an unexpected error", self._message.entity, change.key, extra=about)
            reason = f"unexpected {type(error).__name__} while applying, see the log"
            return _failed(change, reason, unsure=change.action == "create")
        raise AssertionError("unreachable: _pause always raises")

    def _half_done(self, change: Change) -> HalfDone:
        progress = self._keeper.progress
        if progress.half_done is None or progress.half_done.key != change.key:
            progress.half_done = HalfDone(change.key)
        return progress.half_done

    def _note_lost(self, change: Change, error: Exception) -> None:
        self._warn(change, error)
        self._why_lost = f"{MAY_BE_THERE}: {error}"
        self._was_answered = getattr(error, "status_code", None) in ANSWERED
        if not self._was_answered:
            self._note_blocked(str(error))

    def _pause_for_the_window(self, error: RateLimited | Stopping) -> None:
        self._pause(error.delay_seconds + LATER_THAN_A_SLOT * self._services.settings.seconds_per_call)

    def _put_off(self, change: Change, index: int) -> Outcome:
        """The creation may have happened: the others go on, and it is settled when they are done."""
        now = self._services.clock.now().isoformat()
        self._keeper.progress.open[str(index)] = OpenCreation(change.key, at=now, since=now)
        return _failed(change, self._why_lost, unsure=True)

    def _settle(self) -> str | None:
        """Find out what became of the open creations, or leave them to the next run; returns why the entity
        was stopped meanwhile, if it was."""
        progress = self._keeper.progress
        while (index := self._next_repetition()) is not None:
            if reason := self._before_a_call():
                return reason
            self._repeat(index)
        if progress.open:
            if reason := self._before_a_call():
                return reason
            progress.waiting = True
            targets = self._found_since()
            if self._message.entity not in UNIQUE_VALUE:
                # What an earlier batch created is not what a later one looks for.
                self._remember_earlier_batches()
            for index in list(progress.open):
                if reason := self._before_a_call():
                    return reason
                self._look_for(index, targets)
        return None

    def _before_a_call(self) -> str | None:
        if self._services.clock.monotonic() > self._until:
            self._pause(0.0)
        return self._stopped_by_others() or self._too_old()

    def _next_repetition(self) -> str | None:
        """The index of the creation that is sent again next; raises HandOn when it is too early for that."""
        progress = self._keeper.progress
        if self._message.entity not in UNIQUE_VALUE:
            return None
        repeatable = [index for index in progress.open if not progress.open[index].refused]
        index = min(repeatable, key=lambda one: progress.open[one].at, default=None)
        if index is not None:
            due = datetime.fromisoformat(progress.open[index].at) + settled_after(self._services)
            if (left := (due - self._services.clock.now()).total_seconds()) > 0:
                self._pause(left)
        return index

    def _repeat(self, index: str) -> None:
        """Send the creation again: SafetyAmp takes it if it has not happened, and refuses it if it has."""
        progress = self._keeper.progress
        try:
            outcome = self._send_again(index, again=True)
        except AlreadyThere as error:
            progress.open[index].refused = error.errors
            progress.blocked_since = None
            return
        if outcome is not None:
            self._close(index, outcome)
            return
        creation = progress.open[index]
        creation.lost += 1
        # Time alone says little: among a hundred batches the turn to send it again comes late.
        too_often = creation.lost >= self._services.settings.max_retry_attempts
        too_long = self._services.clock.now() - datetime.fromisoformat(creation.since) >= GIVE_UP_AFTER
        if too_often and (too_long or self._was_answered):
            progress.outcomes[int(index)].reason = self._why_lost
            del progress.open[index]

    def _found_since(self) -> list[Target]:
        progress = self._keeper.progress
        try:
            return self._look_up.targets(progress)
        except TooEarly as early:
            self._pause(early.delay_seconds)
        except (RateLimited, Stopping) as error:
            self._pause_for_the_window(error)
        except AccessRefused:
            raise
        except (RetryLater, APIError, IncompleteRead) as error:
            self._note_blocked(str(error))
            self._pause(getattr(error, "delay_seconds", self._services.settings.retry_delay_seconds))
        raise AssertionError("unreachable: _pause always raises")

    def _look_for(self, index: str, targets: list[Target]) -> None:
        """Adopt what is there, create what is not. A creation that was sent after the listing is left to the
        next run: one listing is all that an entity costs."""
        progress, change = self._keeper.progress, self._all[int(index)]
        creation = progress.open[index]
        outcome = None
        if not creation.sent_anew:
            try:
                outcome = self._applier.look_for(change, targets, creation.refused)
            except Unresolved:
                outcome = progress.outcomes[int(index)]
            if outcome is None:
                outcome = self._send_again(index, again=False)
        self._close(index, outcome or progress.outcomes[int(index)])

    def _send_again(self, index: str, *, again: bool) -> Outcome | None:
        """Noted before it is sent, like any creation. A HandOn says that it was not."""
        creation = self._keeper.progress.open[index]
        before = creation.at
        creation.at, creation.sent_anew = self._services.clock.now().isoformat(), not again
        self._keeper.store()
        try:
            return self._attempt(self._all[int(index)], again=again, in_doubt=True)
        except HandOn:
            creation.at, creation.sent_anew = before, False
            self._keeper.store()
            raise

    def _close(self, index: str, outcome: Outcome) -> None:
        progress = self._keeper.progress
        # What was written beside was written before the attempt that is settled now.
        outcome.beside = outcome.beside or progress.outcomes[int(index)].beside
        progress.outcomes[int(index)] = outcome
        del progress.open[index]
        progress.attempts = 0
        if not outcome.unsure:
            progress.blocked_since = None
        self._remember(outcome)

    def _leave_open(self, stop_reason: str | None) -> None:
        """What is still open when the batch ends is left to the next run."""
        progress = self._keeper.progress
        for index in progress.open if stop_reason else ():
            progress.outcomes[int(index)].reason = f"{MAY_BE_THERE}: {stop_reason}"
        progress.open.clear()

    def _warn(self, change: Change, error: Exception) -> None:
        about = {"key": change.key, "operation": change.action}
        text = "%s %s is tried again later: %s"
        logger.warning(text, self._message.entity, change.key, error, extra=about)

    def _unavailable(self, change: Change, error: Exception, delay: float, *, unsure: bool) -> Outcome:
        progress = self._keeper.progress
        progress.attempts += 1
        if progress.attempts >= self._services.settings.max_retry_attempts and not unsure:
            return _failed(change, str(error))
        self._warn(change, error)
        progress.started = None
        self._note_blocked(str(error))
        self._pause(delay)
        raise AssertionError("unreachable: _pause always raises")

    def _note_blocked(self, reason: str) -> None:
        """Raises UpstreamDown when SafetyAmp has not answered for too long."""
        progress, now = self._keeper.progress, self._services.clock.now()
        if progress.blocked_since is None:
            progress.blocked_since = now.isoformat()
        since = datetime.fromisoformat(progress.blocked_since)
        if now - since >= GIVE_UP_AFTER:
            raise UpstreamDown(f"no usable answer since {since:%Y-%m-%d %H:%M} UTC, last: {reason}")

    def _waiting(self, change: Change, ref: Ref) -> Outcome:
        """A reference into the same entity may still be created by an earlier batch; any other waits for
        the next run."""
        if ref.entity == self._message.entity:
            if not self._earlier_batches_ended():
                self._pause(self._services.settings.retry_delay_seconds)
            # One of them may have ended after this handler had begun.
            self._remember_earlier_batches()
            if any(creation.key == ref.key for creation in self._keeper.progress.open.values()):
                reason = self._settle()
                self._keeper.progress.waiting = False
                return self._not_applied(change, reason) if reason else self._apply(change)
            if self._resolver.resolve(ref) is not None:
                return self._apply(change)
        return Outcome(
            change.key,
            change.action,
            "waiting",
            change.digest,
            reason=f"waiting for {ref.entity} {ref.key}, which SafetyAmp does not have yet",
        )

    def _earlier_batches_ended(self) -> bool:
        run_id, entity, batch = self._message.run_id, self._message.entity, self._message.batch
        earlier = {paths.outcome(run_id, entity, number) for number in range(1, batch)}
        return earlier <= set(self._services.documents.list(paths.outcomes(run_id, entity)))

    def _remember_earlier(self, changes: list[Change]) -> None:
        """What this run has created already can be referred to."""
        for outcome in self._keeper.progress.outcomes:
            self._remember(outcome)
        if self._message.batch > 1 and self._looks_back(changes):
            self._remember_earlier_batches()

    def _remember_earlier_batches(self) -> None:
        prefix = paths.outcomes(self._message.run_id, self._message.entity)
        for path in self._services.documents.list(prefix):
            number = int(path.removeprefix(prefix).removesuffix(".json"))
            if number not in self._plan.numbers:
                continue  # applied before an approval, and merged since
            stored = read_outcomes(
                self._services.documents, self._message.run_id, self._message.entity, number
            )
            for outcome in stored.outcomes if stored else ():
                self._remember(outcome)

    def _looks_back(self, changes: list[Change]) -> bool:
        """Whether it matters what earlier batches created: for references into the same entity. Every batch
        reading all batches before it would make thousands of batches quadratic."""
        refs = (reference(value) for change in changes for value in change.fields.values())
        return any(ref is not None and ref.entity == self._message.entity for ref in refs)

    def _remember(self, outcome: Outcome) -> None:
        if outcome.target_id is not None:
            self._resolver.created[Ref(self._message.entity, outcome.key)] = outcome.target_id

    def _record(self, outcome: Outcome) -> None:
        progress = self._keeper.progress
        progress.outcomes.append(outcome)
        progress.started, progress.attempts, progress.half_done = None, 0, None
        if str(len(progress.outcomes) - 1) not in progress.open:
            progress.blocked_since, progress.tries = None, 0

    def _pause(self, delay_seconds: float) -> None:
        """Store the progress and hand the batch on; always raises HandOn."""
        progress = self._keeper.progress
        progress.started, progress.tried = None, self._tried
        progress.next_at = (self._services.clock.now() + timedelta(seconds=delay_seconds)).isoformat()
        self._keeper.store()
        raise HandOn(delay_seconds)

    def _not_applied(self, change: Change, reason: str) -> Outcome:
        """The entity has stopped; what was sent before may have been done nevertheless."""
        index = len(self._keeper.progress.outcomes)
        if self._keeper.progress.started == index:
            return _failed(change, f"{MAY_BE_THERE}: {reason}", unsure=True)
        if change.action == "deactivate" and index < self._tried:
            return _failed(change, f"{MAY_BE_OFF}: {reason}")
        result: Result = "cancelled" if self._run.entities[self._message.entity].cancelled else "failed"
        if index < self._tried:
            known = change.target_id is not None
            outcome = in_doubt(change, result, f"{MAY_BE_CHANGED if known else NOT_TRIED}: {reason}")
            return replace(outcome, not_tried=not known)
        text = f"{NOT_TRIED}: {reason}"
        return Outcome(change.key, change.action, result, change.digest, reason=text, not_tried=True)

    def _stop_entity(self, reason: str) -> None:
        message = self._message
        stop_entity(self._services, message.run_id, message.entity, reason, at_hand=message.batch)

    def _store_outcomes(self, meter: Meter, unreadable: str | None = None) -> None:
        """`unreadable`: why it is not known which changes there are beside those that have an outcome."""
        message, progress = self._message, self._keeper.progress
        # Under the lease: who has lost it must not have the last word.
        self._keeper.store()
        outcomes = BatchOutcomes(
            progress.outcomes,
            dict(meter.calls),
            dict(meter.requests),
            round(meter.waited_seconds, 3),
            reason=unreadable or self._late,
            # Which change was under way is not known, if one was.
            list_anew=unreadable is not None
            and (progress.started is not None or len(progress.outcomes) < self._tried),
        )
        _store(self._services, message, outcomes)
        results = Counter(outcome.result for outcome in progress.outcomes)
        facts = {"event": "batch_applied", "counts": dict(results), "attempts": message.attempt}
        duration = {"duration_ms": round((self._services.clock.monotonic() - self._began) * 1000)}
        text = "batch %d of %s in run %s is done"
        logger.info(text, message.batch, message.entity, message.run_id, extra={**facts, **duration})


def _failed(change: Change, reason: str, *, unsure: bool = False) -> Outcome:
    failed = in_doubt(change, "failed", reason)
    failed.unsure = unsure
    return failed

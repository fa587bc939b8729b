"""Handling a batch message: apply its changes under a lease, one after the other, and store the outcomes."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from shared.clients.call_meter import Meter, metered
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
    UnreadableDocument,
    UpstreamUnavailable,
)
from shared.storage.documents import create_json
from shared.sync import paths
from shared.sync.abandoning import readable_run
from shared.sync.applier import ChangeApplier, Unresolved, is_ambiguous
from shared.sync.compare import Change, reference
from shared.sync.entities import mappings
from shared.sync.finish import advance, finish_entity, give_up_entity
from shared.sync.lease import LEASE_SECONDS, held_lease
from shared.sync.listing import TargetLister
from shared.sync.messages import BatchMessage
from shared.sync.model import Ref
from shared.sync.outcome import BatchOutcomes, Outcome, Result, read_outcomes
from shared.sync.plans import read_batch, read_plan
from shared.sync.priority import priority
from shared.sync.progress import ProgressKeeper, begin_progress
from shared.sync.reader import mapping_options
from shared.sync.resolver import Resolver
from shared.sync.runs import Run, get_run
from shared.sync.services import Services
from shared.sync.settled import unknown_outcomes
from shared.sync.stopping import stop_entity
from shared.telemetry.context import bound

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
    if plan is None or message.batch > plan["batches"]:
        logger.warning("%s belongs to no committed plan", message.message_id)
        return
    if documents.read(paths.outcome(message.run_id, message.entity, message.batch)) is None:
        try:
            _work_on(services, run, plan, message)
        except LeaseHeld:
            # Somebody works on it, or died while working: look again when the lease has run out.
            _hand_on(services, message, LEASE_SECONDS)
            return
        except HandOn as later:
            _hand_on(services, message, later.delay_seconds)
            return
    finish_entity(services, run, message.entity)


def _work_on(
    services: Services, run: Run, plan: dict[str, Any], message: BatchMessage, stop_reason: str | None = None
) -> None:
    """Complete the batch under its lease, one way or another; raises HandOn when it has to go on later."""
    begin_progress(services.documents, message)
    with held_lease(services, paths.progress(message.run_id, message.entity, message.batch)) as lease:

        def work(reason: str | None) -> None:
            # Anew each time: of what an attempt that failed left in memory only the documents are believed.
            _BatchWork(services, run, plan, message, lease.lease_id).complete(reason)

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
                    _count_try(services, message, lease.lease_id)
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
    with metered() as meter:
        keeper = ProgressKeeper(services, message, lease_id, meter)
        keeper.progress.tries += 1
        keeper.store()
    if keeper.progress.tries < MOST_TRIES:
        raise HandOn(services.settings.retry_delay_seconds)


def _end_unknown(services: Services, plan: dict[str, Any], message: BatchMessage, reason: str) -> None:
    """End a batch of which nobody can tell how far it came; creations may have happened."""
    unknown = unknown_outcomes(
        services.documents, message.run_id, message.entity, plan["plan_id"], message.batch, reason
    )
    _store(services, message, unknown)


def _store(services: Services, message: BatchMessage, outcomes: BatchOutcomes) -> None:
    create_json(
        services.documents,
        paths.outcome(message.run_id, message.entity, message.batch),
        {
            "batch": message.batch,
            "attempts": message.attempt,
            "outcomes": [outcome.to_json() for outcome in outcomes.outcomes],
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
    if plan is None or message.batch > plan["batches"]:
        return
    with suppress(LeaseHeld):
        if services.documents.read(paths.outcome(message.run_id, message.entity, message.batch)) is None:
            _work_on(services, run, plan, message, reason)
        finish_entity(services, run, message.entity)


def _hand_on(services: Services, message: BatchMessage, delay_seconds: float) -> None:
    at = services.clock.now() + timedelta(seconds=delay_seconds)
    cause = f"go-on/{at:%Y%m%d%H%M%S%f}"
    copy = BatchMessage(message.run_id, message.entity, message.batch, message.attempt + 1, cause)
    services.bus.send([copy.to(services.settings.batch_queue, at)])


class UpstreamDown(Exception):
    """SafetyAmp has been away for too long to wait for it in this run."""


class _BatchWork:
    """The work on one batch within one handler."""

    def __init__(
        self, services: Services, run: Run, plan: dict[str, Any], message: BatchMessage, lease_id: str
    ) -> None:
        self._services = services
        self._run = run
        self._plan = plan
        self._message = message
        self._lease_id = lease_id
        self._resolver = Resolver(services, run.run_id, message.entity, plan)
        mapping = mappings(mapping_options(services.settings))[message.entity]
        lister = TargetLister(services, paths.look_up(run.run_id, message.entity, message.batch))
        self._applier = ChangeApplier(services, mapping, self._resolver, lister)
        self._looked_at = self._began = services.clock.monotonic()
        self._until = self._looked_at + HANDLER_SECONDS

    def complete(self, stop_reason: str | None = None) -> None:
        """Apply what is left and store the outcomes; raises HandOn when it has to go on later. With a
        `stop_reason` nothing is applied any more."""
        with metered() as meter, priority(self._run):
            try:
                self._keeper = ProgressKeeper(self._services, self._message, self._lease_id, meter)
            except UnreadableDocument as error:
                _end_unknown(self._services, self._plan, self._message, str(error))
                return
            try:
                changes = self._changes()
            except UnreadableDocument as error:
                self._store_outcomes(meter, str(error))
                return
            if stop_reason is None:
                self._remember_earlier(changes)
            while len(self._keeper.progress.outcomes) < len(changes):
                change = changes[len(self._keeper.progress.outcomes)]
                stop_reason = stop_reason or self._stopped_by_others()
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
            self._store_outcomes(meter)

    def _stopped_by_others(self) -> str | None:
        """Why the entity was stopped meanwhile, looked up every few seconds."""
        now = self._services.clock.monotonic()
        if now - self._looked_at >= LOOK_AGAIN_SECONDS:
            self._looked_at = now
            self._run = get_run(self._services.documents, self._run.run_id)
        return self._run.entities[self._message.entity].stop_reason

    def _changes(self) -> list[Change]:
        message = self._message
        documents, plan_id = self._services.documents, self._plan["plan_id"]
        return read_batch(documents, message.run_id, message.entity, plan_id, message.batch)

    def _apply(self, change: Change) -> Outcome:
        progress = self._keeper.progress
        index = len(progress.outcomes)
        may_have_happened = progress.started == index
        started_before = progress.started
        looked_up, progress.looked_up = may_have_happened and progress.looked_up, False
        if change.action == "create":
            progress.started = index
            self._keeper.store()
        elif index % STORE_EVERY == 0:
            self._keeper.store()
        try:
            return self._applier.apply(change, may_have_happened=may_have_happened, looked_up=looked_up)
        except RateLimited as error:
            # Raised before a call is made, or for a 429: nothing happened by this attempt. A look-up that
            # used up the window must not be repeated, or it would use up the next one too.
            progress.looked_up = self._applier.looked_up
            later = LATER_THAN_A_SLOT * self._services.settings.seconds_per_call
            self._pause(error.delay_seconds + later, started_before)
        except CircuitOpen as error:
            progress.looked_up = self._applier.looked_up
            progress.started = started_before
            self._note_blocked(str(error))
            self._pause(error.delay_seconds, started=started_before)
        except RetryLater as error:
            return self._unavailable(change, error, error.delay_seconds, unsure=may_have_happened)
        except Unresolved as error:
            progress.started = started_before
            return self._waiting(change, error.ref)
        except (UpstreamUnavailable, IncompleteRead) as error:
            delay = self._services.settings.retry_delay_seconds
            unsure = may_have_happened or is_ambiguous(change, error)
            return self._unavailable(change, error, delay, unsure=unsure)
        except (AccessRefused, ConfigurationError):
            # An answer, or nothing was sent: only an earlier attempt may have happened.
            progress.started = started_before
            raise
        except APIError as error:
            return _failed(change, str(error), unsure=may_have_happened)
        except (SafetyAmpError, HandOn, UpstreamDown):
            raise
        except Exception as error:
            # One record that nobody thought of must not stop the others, or come back for ever.
            about = {"key": change.key, "operation": change.action}
            logger.exception("%s %s met an unexpected error", self._message.entity, change.key, extra=about)
            reason = f"unexpected {type(error).__name__} while applying, see the log"
            return _failed(change, reason, unsure=change.action == "create")
        raise AssertionError("unreachable: _pause always raises")

    def _unavailable(self, change: Change, error: Exception, delay: float, *, unsure: bool) -> Outcome:
        progress = self._keeper.progress
        progress.attempts += 1
        # What SafetyAmp answers to this one record again and again must not hold up all those behind it.
        answered = getattr(error, "status_code", None) in ANSWERED
        if progress.attempts >= self._services.settings.max_retry_attempts and (not unsure or answered):
            failed = _failed(change, str(error), unsure=unsure)
            if change.action == "deactivate":
                # It may have been done: then it was our doing.
                failed.target_id = change.target_id
            return failed
        about = {"key": change.key, "operation": change.action}
        text = "%s %s is tried again later: %s"
        logger.warning(text, self._message.entity, change.key, error, extra=about)
        progress.started = len(progress.outcomes) if unsure else None
        self._note_blocked(str(error))
        self._pause(delay, started=progress.started)
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
            stored = read_outcomes(
                self._services.documents, self._message.run_id, self._message.entity, number
            )
            for outcome in stored.outcomes if stored else ():
                self._remember(outcome)

    def _looks_back(self, changes: list[Change]) -> bool:
        """Whether it matters what earlier batches created: for references into the same entity, and for a
        look-up, which must not take their records for its own. Every batch reading all batches before it
        would make thousands of batches quadratic."""
        refs = (reference(value) for change in changes for value in change.fields.values())
        return self._keeper.progress.started is not None or any(
            ref is not None and ref.entity == self._message.entity for ref in refs
        )

    def _remember(self, outcome: Outcome) -> None:
        if outcome.target_id is not None:
            self._resolver.created[Ref(self._message.entity, outcome.key)] = outcome.target_id

    def _record(self, outcome: Outcome) -> None:
        progress = self._keeper.progress
        progress.outcomes.append(outcome)
        progress.started, progress.attempts, progress.blocked_since = None, 0, None
        progress.looked_up, progress.tries = False, 0

    def _pause(self, delay_seconds: float, started: int | None = None) -> None:
        """Store the progress and hand the batch on; always raises HandOn."""
        progress = self._keeper.progress
        progress.started = started
        progress.next_at = (self._services.clock.now() + timedelta(seconds=delay_seconds)).isoformat()
        self._keeper.store()
        raise HandOn(delay_seconds)

    def _not_applied(self, change: Change, reason: str) -> Outcome:
        """The entity has stopped; a creation that was sent before may be there nevertheless."""
        if self._keeper.progress.started == len(self._keeper.progress.outcomes):
            return _failed(change, f"may have been created, no answer came: {reason}", unsure=True)
        result: Result = "cancelled" if self._run.entities[self._message.entity].cancelled else "failed"
        return Outcome(change.key, change.action, result, change.digest, reason=f"not tried: {reason}")

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
            reason=unreadable,
            list_anew=unreadable is not None and progress.started is not None,
        )
        _store(self._services, message, outcomes)
        results = Counter(outcome.result for outcome in progress.outcomes)
        facts = {"event": "batch_applied", "counts": dict(results), "attempts": message.attempt}
        duration = {"duration_ms": round((self._services.clock.monotonic() - self._began) * 1000)}
        text = "batch %d of %s in run %s is done"
        logger.info(text, message.batch, message.entity, message.run_id, extra={**facts, **duration})


def _failed(change: Change, reason: str, *, unsure: bool = False) -> Outcome:
    return Outcome(change.key, change.action, "failed", change.digest, unsure=unsure, reason=reason)

"""Runs the function app's own functions without Core Tools: timers, queues, and HTTP by `http.py`."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from azure.functions.servicebus import ServiceBusMessage
from azure.functions.timer import TimerRequest

from local.bus.in_process import DEAD_LETTER_QUEUE, LockedMessage, LockLost, Receiver
from local.documents.folder import FolderUnusable
from local.host.index import HostFunction, HostOptions
from shared.clock import Clock
from shared.errors import BusError
from shared.ncrontab import next_time

logger = logging.getLogger(__name__)

LONGEST_SLEEP_SECONDS = 1.0
AWAY_SECONDS = 2.0
"""Pause after an attempt to receive from a bus that is away."""


@dataclass
class _InHand:
    """A message at work: its lock is renewed at `next_renewal`, when half its time is over, no later than
    `renew_until`."""

    locked: LockedMessage
    renew_until: datetime
    next_renewal: datetime


class LocalHost:
    """Delivers messages and ticks to the functions, with the real host's rules: returning completes a
    message, raising gives it back at once, a returned value is an error.

    `start`/`stop` run worker threads, host.json's maxConcurrentCalls per queue and one per queue of dead
    letters; `step` handles one due message in the calling thread, for tests on a fake clock.
    """

    def __init__(
        self, functions: list[HostFunction], bus: Receiver, clock: Clock, options: HostOptions
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._options = options
        self._queues = {f.trigger["queueName"]: f for f in functions if f.kind == "serviceBusTrigger"}
        self._timers = [f for f in functions if f.kind == "timerTrigger"]
        self._running = threading.Event()
        self._threads: list[threading.Thread] = []
        self._in_hand: dict[str, _InHand] = {}
        self._in_hand_lock = threading.Lock()
        self._told = ""

    def start(self, *, timers: bool = True) -> None:
        """Start the workers, and the timers unless told otherwise."""
        self._running.set()
        for queue in self._queues:
            dead_letters = queue.lower().endswith(DEAD_LETTER_QUEUE)
            for number in range(1 if dead_letters else self._options.max_concurrent_calls):
                self._spawn(f"{queue}-{number}", self._work, queue)
        self._spawn("lock-renewal", self._keep_locks)
        if timers:
            for timer in self._timers:
                self._spawn(f"timer-{timer.name}", self._tick, timer)

    def stop(self, timeout_seconds: float = 60.0) -> None:
        """Take no more messages and wait until the functions at work have returned."""
        self._running.clear()
        for thread in self._threads:
            thread.join(timeout_seconds)
        self._threads.clear()

    def step(self) -> bool:
        """Handle one message that is due; False when none is."""
        for queue, function in self._queues.items():
            locked = self._bus.receive(queue)
            if locked is not None:
                self._deliver(function, locked)
                return True
        return False

    def run_timer(self, name: str) -> None:
        """Run a timer function now."""
        function = next(timer for timer in self._timers if timer.name == name)
        self._invoke(function, {function.trigger["name"]: TimerRequest(past_due=False)})

    def renew_locks(self) -> None:
        """Renew the locks that are half over, host.json's maxAutoLockRenewalDuration long."""
        with self._in_hand_lock:
            in_hand = list(self._in_hand.values())
        now = self._clock.now()
        for one in in_hand:
            if one.next_renewal <= now < one.renew_until:
                self._renew(one)

    def _spawn(self, name: str, target: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _work(self, queue: str) -> None:
        away = False
        while self._running.is_set():
            try:
                locked = self._bus.receive(queue)
                away = False
                if locked is not None:
                    self._deliver(self._queues[queue], locked)
                else:
                    self._bus.wait(self._seconds_until(self._bus.next_due(queue)))
            except BusError as error:
                logger.log(logging.DEBUG if away else logging.WARNING, "%s", error)
                away = True
                self._clock.sleep(AWAY_SECONDS)
        self._bus.leave()

    def _seconds_until(self, moment: datetime | None) -> float:
        if moment is None:
            return LONGEST_SLEEP_SECONDS
        seconds = (moment - self._clock.now()).total_seconds()
        return min(max(seconds, 0.005), LONGEST_SLEEP_SECONDS)

    def _deliver(self, function: HostFunction, locked: LockedMessage) -> None:
        now = self._clock.now()
        in_hand = _InHand(locked, now + self._options.max_lock_renewal, _half_way(now, locked.locked_until))
        with self._in_hand_lock:
            self._in_hand[locked.lock_token] = in_hand
        try:
            done = self._invoke(function, {function.trigger["name"]: _native(locked)})
            (self._bus.complete if done else self._bus.abandon)(locked)
        except LockLost as error:
            logger.warning("%s", error)
        finally:
            with self._in_hand_lock:
                self._in_hand.pop(locked.lock_token, None)

    def _invoke(self, function: HostFunction, arguments: dict[str, Any]) -> bool:
        """Call a function; False when it failed. The host is the edge where any error becomes a verdict."""
        try:
            value = function.call(**arguments)
        except FolderUnusable as error:
            # Every function meets it again and again until somebody has mended it: said once.
            if str(error) != self._told:
                self._told = str(error)
                logger.error("%s", error)
            return False
        except Exception:
            logger.exception("function %s failed", function.name)
            return False
        if value is not None:
            logger.error("function %s returned a value, which the real host refuses", function.name)
            return False
        return True

    def _keep_locks(self) -> None:
        # Also while the host stops: until the last function has returned its message is at work.
        while self._running.is_set() or self._in_hand:
            self._clock.sleep(LONGEST_SLEEP_SECONDS)
            self.renew_locks()

    def _renew(self, one: _InHand) -> None:
        try:
            end = self._bus.renew_lock(one.locked)
            one.next_renewal = _half_way(self._clock.now(), end)
        except LockLost:
            logger.debug("%s was settled before its lock was renewed", one.locked.message.message_id)
        except BusError as error:
            logger.warning("%s", error)

    def _tick(self, timer: HostFunction) -> None:
        """Run a timer by its schedule; ticks that passed while it was at work are left out."""
        due = next_time(timer.trigger["schedule"], self._clock.now())
        while self._running.is_set() and due is not None:
            if self._clock.now() < due:
                self._clock.sleep(self._seconds_until(due))
                continue
            self.run_timer(timer.name)
            due = next_time(timer.trigger["schedule"], self._clock.now())


def _native(locked: LockedMessage) -> ServiceBusMessage:
    """The message as the worker hands it to a function; only its properties tell why it is a dead letter."""
    message = locked.message
    told = {
        "DeadLetterReason": locked.dead_letter_reason,
        "DeadLetterErrorDescription": locked.dead_letter_description,
    }
    properties: dict[str, object] = {
        **message.properties,
        **{name: text for name, text in told.items() if text},
    }
    return ServiceBusMessage(
        body=message.body.encode(errors="surrogateescape"),
        message_id=message.message_id,
        correlation_id=message.correlation_id,
        content_type=message.content_type,
        delivery_count=locked.delivery_count,
        enqueued_time_utc=locked.enqueued,
        expires_at_utc=locked.expires,
        lock_token=locked.lock_token,
        locked_until=locked.locked_until,
        sequence_number=locked.sequence_number,
        scheduled_enqueue_time_utc=message.deliver_at,
        application_properties=properties,
        user_properties=properties,
    )


def _half_way(now: datetime, end: datetime) -> datetime:
    return now + max((end - now) / 2, timedelta(seconds=1))

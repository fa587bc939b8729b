"""Runs the function app's own functions without Core Tools: timers, queues, and HTTP by `http_host.py`."""

from __future__ import annotations

import logging
import threading
from datetime import datetime
from typing import Any

from azure.functions.servicebus import ServiceBusMessage
from azure.functions.timer import TimerRequest
from croniter import croniter

from local.bus import LockedMessage, LockLost, Receiver
from local.host_index import HostFunction, HostOptions
from shared.clock import Clock

logger = logging.getLogger(__name__)

LONGEST_SLEEP_SECONDS = 1.0


class LocalHost:
    """Delivers messages and ticks to the functions, with the real host's rules: returning completes a
    message, raising gives it back at once, a returned value is an error.

    `start`/`stop` run worker threads, host.json's maxConcurrentCalls per queue; `step` handles one due
    message in the calling thread, for tests on a fake clock.
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
        self._in_hand: dict[str, tuple[LockedMessage, datetime]] = {}
        self._in_hand_lock = threading.Lock()

    def start(self, *, timers: bool = True) -> None:
        """Start the workers, and the timers unless told otherwise."""
        self._running.set()
        for queue in self._queues:
            for number in range(self._options.max_concurrent_calls):
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
        """Renew the lock of every message at work, host.json's maxAutoLockRenewalDuration long."""
        with self._in_hand_lock:
            in_hand = list(self._in_hand.values())
        now = self._clock.now()
        for locked, renew_until in in_hand:
            if now < renew_until:
                self._renew(locked)

    def _spawn(self, name: str, target: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _work(self, queue: str) -> None:
        while self._running.is_set():
            locked = self._bus.receive(queue)
            if locked is not None:
                self._deliver(self._queues[queue], locked)
            else:
                self._bus.wait(self._seconds_until(self._bus.next_due(queue)))

    def _seconds_until(self, moment: datetime | None) -> float:
        if moment is None:
            return LONGEST_SLEEP_SECONDS
        seconds = (moment - self._clock.now()).total_seconds()
        return min(max(seconds, 0.005), LONGEST_SLEEP_SECONDS)

    def _deliver(self, function: HostFunction, locked: LockedMessage) -> None:
        renew_until = self._clock.now() + self._options.max_lock_renewal
        with self._in_hand_lock:
            self._in_hand[locked.lock_token] = (locked, renew_until)
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
        except Exception:
            logger.exception("function %s failed", function.name)
            return False
        if value is not None:
            logger.error("function %s returned a value, which the real host refuses", function.name)
            return False
        return True

    def _keep_locks(self) -> None:
        while self._running.is_set():
            self._clock.sleep(LONGEST_SLEEP_SECONDS)
            self.renew_locks()

    def _renew(self, locked: LockedMessage) -> None:
        try:
            self._bus.renew_lock(locked)
        except LockLost:
            logger.debug("%s was settled before its lock was renewed", locked.message.message_id)

    def _tick(self, timer: HostFunction) -> None:
        """Run a timer by its schedule; ticks that passed while it was at work are left out."""
        due = next_tick(timer.trigger["schedule"], self._clock.now())
        while self._running.is_set():
            if self._clock.now() < due:
                self._clock.sleep(self._seconds_until(due))
                continue
            self.run_timer(timer.name)
            due = next_tick(timer.trigger["schedule"], self._clock.now())


def next_tick(schedule: str, after: datetime) -> datetime:
    """The first moment of an NCRONTAB schedule (six fields, the first is the second) after `after`, which is
    in UTC, as Azure reads schedules."""
    moment: datetime = croniter(schedule, after, second_at_beginning=True).get_next(datetime)
    return moment


def _native(locked: LockedMessage) -> ServiceBusMessage:
    """The message as the worker hands it to a function."""
    message = locked.message
    return ServiceBusMessage(
        body=message.body.encode(),
        message_id=message.message_id,
        correlation_id=message.correlation_id,
        content_type="application/json",
        dead_letter_reason=locked.dead_letter_reason,
        delivery_count=locked.delivery_count,
        enqueued_time_utc=locked.enqueued,
        expires_at_utc=locked.expires,
        lock_token=locked.lock_token,
        locked_until=locked.locked_until,
        sequence_number=locked.sequence_number,
        scheduled_enqueue_time_utc=message.deliver_at,
        application_properties=dict(message.properties),
        user_properties=dict(message.properties),
    )

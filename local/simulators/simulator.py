"""What the simulators share: one lock, a record of the calls, and faults on demand."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from local.simulators.exchange import AnswerLost, Lost, SimRequest, SimResponse
from local.simulators.faults import SERVER_ERROR, Fault, FaultPlan
from shared.clock import Clock

NO_ANSWER = 0


class Call(NamedTuple):
    """One call as it ended; `status` is 0 when the answer was lost. `at` is when it came, in seconds of the
    simulator's monotonic clock."""

    method: str
    path: str
    status: int
    at: float


class Simulator:
    """An upstream in memory. Requests are answered one at a time, whatever the number of threads.

    Subclasses answer in `_admit` (credentials and limits) and `_answer` (everything else).
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.calls: list[Call] = []
        self._lock = threading.RLock()
        self._faults = FaultPlan()

    def handle(self, request: SimRequest) -> SimResponse:
        """Answer one request; raises AnswerLost where a fault says so."""
        with self._lock:
            at = self.clock.monotonic()
            try:
                response = self._handle(request)
            except AnswerLost:
                self.calls.append(Call(request.method, request.path, NO_ANSWER, at))
                raise
            self.calls.append(Call(request.method, request.path, response.status, at))
            return response

    def put_off(self, request: SimRequest) -> Callable[[], None] | SimResponse:
        """Let a request in that will be carried out later, when nobody waits for its answer any more: gives
        what does it, or the refusal."""
        with self._lock:
            refusal = self._admit(request)
            if refusal is not None:
                return refusal
            self.calls.append(Call(request.method, request.path, NO_ANSWER, self.clock.monotonic()))
            return lambda: self._carry_out(request)

    def _carry_out(self, request: SimRequest) -> None:
        with self._lock:
            self._answer(request)

    def fail_next(
        self,
        count: int = 1,
        status: int = 500,
        body: bytes | str = SERVER_ERROR,
        match: str = "*",
        *,
        headers: Mapping[str, str] | None = None,
        after_write: bool = False,
        lose: Lost | None = None,
    ) -> None:
        """Plan a fault for the next `count` admitted requests whose "METHOD /path" matches `match`.

        `after_write` carries the request out first, then gives the false answer; `lose` breaks the
        connection ("connection") or lets the client wait in vain ("timeout") instead of answering.
        """
        content = body.encode() if isinstance(body, str) else body
        self.plan(Fault(count, match, status, content, dict(headers or {}), after_write, lose))

    def plan(self, fault: Fault) -> None:
        """Let the next admitted requests that fit meet it."""
        with self._lock:
            self._faults.add(fault)

    def heal(self) -> None:
        """Forget all planned faults."""
        with self._lock:
            self._faults.clear()

    def call_counts(self) -> dict[str, int]:
        """Number of calls by "METHOD /path" with the ids left out of the paths."""
        with self._lock:
            calls = list(self.calls)
        return dict(Counter(f"{call.method} {_resource(call.path)}" for call in calls))

    def _handle(self, request: SimRequest) -> SimResponse:
        refusal = self._admit(request)
        if refusal is not None:
            return refusal
        fault = self._faults.take(request)
        if fault is None:
            return self._answer(request)
        if fault.after_write:
            self._answer(request)
        return fault.answer()

    def _admit(self, request: SimRequest) -> SimResponse | None:
        raise NotImplementedError

    def _answer(self, request: SimRequest) -> SimResponse:
        raise NotImplementedError


def _resource(path: str) -> str:
    parts = path.split("/")
    return "/".join(parts[:3] + ["{id}" for _ in parts[3:]])

"""Faults on demand: the next calls fail, with or without having been carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from local.simulators.exchange import AnswerLost, Lost, SimRequest, SimResponse

SERVER_ERROR = b'{"message":"Server Error"}'


@dataclass
class Fault:
    """What happens to the next `remaining` requests whose "METHOD /path" matches the shell pattern.

    `after_write`: the request is carried out first, and its answer replaced. `lose`: no answer arrives.
    """

    remaining: int
    match: str = "*"
    status: int = 500
    body: bytes = SERVER_ERROR
    headers: Mapping[str, str] = field(default_factory=dict)
    after_write: bool = False
    lose: Lost | None = None

    def answer(self) -> SimResponse:
        """The answer instead of the true one; raises AnswerLost where there is none."""
        if self.lose is not None:
            raise AnswerLost(self.lose, written=self.after_write)
        return SimResponse(self.status, {"Content-Type": "application/json", **self.headers}, self.body)


class FaultPlan:
    """Faults waiting for their requests, used up in the order in which they were planned."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def take(self, request: SimRequest) -> Fault | None:
        """The fault that this request meets, if any, counted as used."""
        target = f"{request.method} {request.path}"
        for fault in self._faults:
            if fault.remaining > 0 and fnmatchcase(target, fault.match):
                fault.remaining -= 1
                return fault
        return None

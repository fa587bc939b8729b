"""What a check found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from shared.clock import Clock
from shared.errors import Advised, ConfigurationError, RateLimited, SafetyAmpError

if TYPE_CHECKING:
    from shared.runtime import Runtime

Status = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    `check` is a stable name such as "vista" or "vista.login"; `seen` is one sentence, `advice` says what to
    do (empty when there is nothing to do), `settings` are the settings concerned. `latency_ms` is how long
    the dependency took where it was asked. Never holds a secret or personal data.
    """

    check: str
    status: Status
    seen: str
    advice: str = ""
    latency_ms: int | None = None
    settings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The finding as a JSON object."""
        return {**asdict(self), "settings": list(self.settings)}


@dataclass(frozen=True)
class Check:
    """One concern. `run` yields its findings, and may raise: what it yielded before counts.

    `advice` and `settings` stand in findings that the check did not come to make: it hung or raised.
    """

    name: str
    run: Callable[[Runtime], Iterator[Finding]]
    advice: str = ""
    settings: tuple[str, ...] = ()


def ms_since(clock: Clock, started: float) -> int:
    """Whole milliseconds since `started`, a reading of `clock.monotonic()`."""
    return round((clock.monotonic() - started) * 1000)


def seen_and_advice(text: str) -> tuple[str, str]:
    """An error's text as what is wrong and what to do; the latter is empty when the text does not say."""
    if not isinstance(text, Advised):
        return text, ""
    return text.seen, text.advice[:1].upper() + text.advice[1:]


def of_error(check: str, error: Exception, advice: str = "", settings: tuple[str, ...] = ()) -> Finding:
    """The finding for what a check met. `advice` and `settings` stand where the error names none.

    A full window of calls is no fault: the check could not be made now. Texts of errors that are not ours
    may quote data or secrets, so only their type is told.
    """
    if isinstance(error, RateLimited):
        again = f"Ask again in {error.delay_seconds:.0f} s"
        return Finding(check, "warning", f"not looked at: {error}", again, settings=settings)
    if isinstance(error, ConfigurationError):
        settings = tuple(problem.setting for problem in error.problems)
    if isinstance(error, SafetyAmpError):
        seen, own = seen_and_advice(error.text)
        return Finding(check, "failed", seen, own or advice, settings=settings)
    unexpected = f"unexpected {type(error).__name__}, see the log"
    return Finding(check, "failed", unexpected, advice, settings=settings)

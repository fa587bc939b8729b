"""Every error of this project, named by what has to happen next.

    SafetyAmpError
     +-- ConfigurationError      settings are wrong or missing; an operator must act
     +-- RetryLater              nothing is wrong with the work: come back after a delay
     |    +-- RateLimited            the upstream's window is full
     |    +-- Stopping               this process is about to end, or the time for the work is over
     |    +-- CircuitOpen            the upstream's breaker is open
     +-- APIError                an upstream's answer, or the lack of one
     |    +-- InvalidRecord          400, 422: this record, until its data changes
     |    +-- AccessRefused          401, 403: everything to this upstream; an operator must act
     |    +-- NotFound               404, 410
     |    +-- UpstreamUnavailable    5xx, timeouts, broken connections, answers that cannot be read
     +-- IncompleteRead          a read that did not earn its receipt: nothing may be concluded from it
     +-- DatabaseError           Vista: connection, statement; some are a ConfigurationError too
     +-- CacheError              Redis: never fatal, callers go on without it
     +-- StorageError            documents
     |    +-- DocumentExists         write-once document is there already
     |    +-- DocumentChanged        compare-and-swap lost
     |    +-- LeaseHeld              somebody else works on it
     |    +-- LeaseLost              our lease ran out: stop at once
     |    +-- UnreadableDocument     damaged: reading it again cannot help
     +-- BusError                Service Bus
     +-- MessageError            a message that can never be handled
     +-- RunConflict             the run's state does not allow what was asked (its run id is kept)
     +-- UnknownRun              there is no such run
     +-- RulesConflict           the rules in force do not allow what was asked of them
     +-- UnknownRules            there is no such version of the rules
     +-- IdentityUnreadable      a caller's identity that is not what Azure sends
     +-- Paused                  an operator paused what was asked for

Facts travel as attributes, the text is for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

EXCERPT_CHARACTERS = 500


Part = Literal["accounts", "listing"]
"""A part of what an entity is planned from: Microsoft's accounts, SafetyAmp's listing."""


class SafetyAmpError(Exception):
    """Root of all errors that this project raises on purpose.

    The text may be `Advised`. ``only``: what alone could not be read, so that leavers can be planned in spite
    of it.
    """

    only: Part | None = None

    @property
    def text(self) -> str:
        """What `str` gives, as it was given: with its advice."""
        return self.args[0] if self.args and isinstance(self.args[0], str) else str(self)


class Advised(str):
    """A text that knows where it goes over from what is wrong (``seen``) to what to do (``advice``)."""

    def __new__(cls, seen: str, advice: str, link: str = ": ") -> Advised:
        text = super().__new__(cls, f"{seen}{link}{advice}")
        text.seen, text.advice, text.link = seen, advice, link
        return text

    seen: str
    advice: str
    link: str

    def __getnewargs__(self) -> tuple[str, str, str]:  # type: ignore[override]
        return self.seen, self.advice, self.link  # errors travel between processes


def framed(text: str, before: str = "", after: str = "") -> str:
    """The text within a longer one, which still knows its advice."""
    if isinstance(text, Advised):
        return Advised(f"{before}{text.seen}", f"{text.advice}{after}", text.link)
    return f"{before}{text}{after}"


def filled(text: str, *values: object, **named: object) -> str:
    """As `str.format`, of a text that still knows its advice."""
    if isinstance(text, Advised):
        return Advised(text.seen.format(*values, **named), text.advice.format(*values, **named), text.link)
    return text.format(*values, **named)


@dataclass(frozen=True)
class SettingProblem:
    """One thing wrong with one setting.

    ``setting`` is the name of the environment variable; ``text`` says what is wrong and what to do,
    and never contains a secret's value.
    """

    setting: str
    text: str

    def __str__(self) -> str:
        return self.told

    @property
    def told(self) -> str:
        """The whole sentence."""
        return framed(self.text, f"{self.setting}: ")


class ConfigurationError(SafetyAmpError):
    """Settings are missing or malformed; ``problems`` lists all of them, not only the first."""

    def __init__(self, problems: Iterable[SettingProblem]) -> None:
        self.problems = tuple(problems)
        told = [problem.told for problem in self.problems]
        super().__init__(told[0] if len(told) == 1 else "; ".join(told))

    @classmethod
    def of(cls, setting: str, text: str) -> ConfigurationError:
        """The error of a single problem."""
        return cls([SettingProblem(setting, text)])


class RetryLater(SafetyAmpError):
    """The work is fine but cannot go on now.

    ``delay_seconds`` is the time after which trying again makes sense.
    """

    def __init__(self, message: str, delay_seconds: float) -> None:
        super().__init__(message)
        self.delay_seconds = delay_seconds


class RateLimited(RetryLater):
    """The upstream's window of calls is full (our limiter says so, or a 429 did)."""


class Stopping(RetryLater):
    """No other call is begun, because the process is about to end, or nobody waits any longer."""


class CircuitOpen(RetryLater):
    """The upstream failed repeatedly and is left alone until the breaker lets a probe through."""


class APIError(SafetyAmpError):
    """An upstream answered with an error, or not at all.

    ``status_code`` is None when there was no answer. ``response_text`` is a bounded excerpt. ``repeated``:
    before this answer the same call was made without one, and may have been carried out.
    """

    repeated = False

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        response_text: str | None = None,
        *,
        upstream: str = "",
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.response_text = response_text[:EXCERPT_CHARACTERS] if response_text else response_text
        self.upstream = upstream


class InvalidRecord(APIError):
    """400 or 422. ``field_errors`` maps field to the upstream's texts; only the names are dependable
    (docs/contracts/safetyamp.md#errors)."""

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        response_text: str | None = None,
        *,
        upstream: str = "",
        field_errors: Mapping[str, list[str]] | None = None,
    ) -> None:
        super().__init__(message, status_code, response_text, upstream=upstream)
        self.field_errors = dict(field_errors or {})


class AccessRefused(APIError):
    """401 or 403: the credential is wrong or lacks a permission. Retrying cannot help."""


class NotFound(APIError):
    """404 or 410."""


class UpstreamUnavailable(APIError):
    """5xx, a timeout, a broken connection, or an answer that is not what was promised.

    ``may_have_happened`` is True when the request may have reached the upstream, so that a POST must
    not be repeated blindly.
    """

    def __init__(
        self,
        message: str,
        status_code: int | None = None,
        response_text: str | None = None,
        *,
        upstream: str = "",
        may_have_happened: bool = True,
    ) -> None:
        super().__init__(message, status_code, response_text, upstream=upstream)
        self.may_have_happened = may_have_happened


class IncompleteRead(SafetyAmpError):
    """A listing or query did not earn its receipt; nothing may be concluded from what is missing."""


class DatabaseError(SafetyAmpError):
    """Vista could not be reached or refused a statement. Texts carry no password and no data."""


class CacheError(SafetyAmpError):
    """Redis is away or answered with an error."""


class StorageError(SafetyAmpError):
    """A document could not be read or written."""


class DocumentExists(StorageError):
    """A write-once document is there already; somebody has done this before."""


class DocumentChanged(StorageError):
    """The document is not the one that was read (its ETag differs): read again and decide anew."""


class LeaseHeld(StorageError):
    """Somebody else holds the lease."""


class LeaseLost(StorageError):
    """The lease is no longer ours; whatever it protected must stop at once."""


class UnreadableDocument(StorageError):
    """The document at `path` is there and cannot be understood, `why` says what is wrong with it.

    Whoever meets one ends what depends on it with this text, or makes the document anew; nobody waits for it
    to get better. `remedy` is what an operator can do where nothing ends it by itself.
    """

    def __init__(self, path: str, why: str, remedy: str = "") -> None:
        super().__init__(f"the document {path} cannot be read ({why}){'. ' if remedy else ''}{remedy}")
        self.path = path
        self.why = why


BusFailure = Literal[
    "connection", "name", "refused", "unauthorized", "not found", "too large", "full", "busy", "timeout",
    "malformed", "lock lost",
]  # fmt: skip
"""Why Service Bus did not do what was asked."""


class BusError(SafetyAmpError):
    """A message could not be sent, received or settled; ``failure`` says why."""

    def __init__(self, message: str, failure: BusFailure = "connection") -> None:
        super().__init__(message)
        self.failure = failure

    def __reduce__(self) -> tuple[type[BusError], tuple[str, BusFailure]]:
        return type(self), (self.text, self.failure)  # it travels between processes


class MessageError(SafetyAmpError):
    """A message that no retry can make readable."""


class RunConflict(SafetyAmpError):
    """The state of ``run_id`` does not allow what was asked."""

    def __init__(self, message: str, run_id: str) -> None:
        super().__init__(message)
        self.run_id = run_id


class UnknownRun(SafetyAmpError):
    """No document of this run exists."""


class RulesConflict(SafetyAmpError):
    """What is in force does not allow what was asked: somebody else was quicker, or a file rules here."""


class UnknownRules(SafetyAmpError):
    """No version of the rules has this number."""


class IdentityUnreadable(SafetyAmpError):
    """A caller's identity is there and is not what Azure sends. The text names the header, not its value."""


class Paused(SafetyAmpError):
    """An operator paused everything that was asked for."""

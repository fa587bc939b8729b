"""The report of a run as a document: what `runs/report.py` makes of the others."""

from __future__ import annotations

from typing import Literal, TypedDict, get_args

from shared.sync.documents.plans import LeftOutChange, Problem, Vanished
from shared.sync.documents.runs import EntityPhase, Mode, RunPhase

CountName = Literal[
    "source",
    "unchanged",
    "created",
    "updated",
    "deactivated",
    "skipped",
    "invalid",
    "failed",
    "waiting",
    "unapproved",
]
COUNTS: tuple[CountName, ...] = get_args(CountName)


class OutcomeProblem(TypedDict):
    """What became of a change that was not carried out, or not whole: a `Problem` of applying."""

    key: str
    kind: str
    reason: str | None
    field: str | None
    cause: str


RecordProblem = Problem | OutcomeProblem


class LeftOut(TypedDict):
    """What somebody approved and what was no longer wanted in the same form by then."""

    count: int
    changes: list[LeftOutChange]


class Counts(TypedDict, total=False):
    """Records by what became of them, as far as they have been counted."""

    source: int
    unchanged: int
    created: int
    updated: int
    deactivated: int
    skipped: int
    invalid: int
    failed: int
    waiting: int
    unapproved: int


class _Later(TypedDict, total=False):
    """Reports of release 0.1.0 do not have these. `held_changes`: how many wait for somebody, by action."""

    left_out: LeftOut
    held_changes: dict[str, int]


class Findings(_Later):
    """What an operator has to look at; long lists are cut, and counted whole."""

    problems: list[RecordProblem]
    problems_total: int
    problems_by_kind: dict[str, int]
    vanished: Vanished


class EntityReport(Counts, Findings):
    """How an entity of the run ended, or stands."""

    phase: EntityPhase
    held: bool
    reason: str | None
    planned: dict[str, int]


class Report(TypedDict):
    """One run: per entity status, counts and problems; calls, waits, duration."""

    run_id: str
    phase: RunPhase
    mode: Mode
    cause: str
    refresh: bool
    keys: list[str]
    requested_at: str
    finished_at: str | None
    duration_seconds: float | None
    calls: dict[str, int]
    waited_seconds: float
    entities: dict[str, EntityReport]

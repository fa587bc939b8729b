"""Where each document lives (docs/architecture.md#documents)."""

from __future__ import annotations

import re

ACTIVE = "runs/active.json"
CONTROL = "control.json"
SWITCHED_OFF = "state/switched-off.json"
DEAD_LETTERS = "dead-letters/"
DECISIONS = "decisions/"
RULES = "rules/active.json"
RULES_VERSIONS = "rules/versions/"
UNUSUAL = re.compile(r"[^A-Za-z0-9_=-]")


def run(run_id: str) -> str:
    """The run document."""
    return f"runs/{run_id}/run.json"


def report(run_id: str) -> str:
    """The run's report, written once at its end."""
    return f"runs/{run_id}/report.json"


def report_page(run_id: str) -> str:
    """The same for people: one HTML document that needs nothing else."""
    return f"runs/{run_id}/report.html"


def plan(run_id: str, entity: str) -> str:
    """The plan document: the commit point of planning."""
    return f"runs/{run_id}/{entity}/plan.json"


def planning(run_id: str, entity: str) -> str:
    """What planners of an entity lease to list SafetyAmp, and where a long listing keeps its pages."""
    return f"runs/{run_id}/{entity}/planning.json"


def approved(run_id: str, entity: str, approval: str) -> str:
    """The plan that was made again when the held one was approved; it is in force then."""
    return f"runs/{run_id}/{entity}/approved/{approval}/plan.json"


def approving(run_id: str, entity: str, approval: str) -> str:
    """The same as `planning`, for that plan."""
    return f"runs/{run_id}/{entity}/approved/{approval}/planning.json"


def batch(run_id: str, entity: str, plan_id: str, number: int) -> str:
    """A batch of changes. The path holds the plan's id, so that two attempts at planning never mix."""
    return f"runs/{run_id}/{entity}/batches/{plan_id}/{number:04d}.json"


def base(run_id: str, entity: str, plan_id: str) -> str:
    """The state that the outcomes are merged into, when planning found it changed."""
    return f"runs/{run_id}/{entity}/base/{plan_id}.json.gz"


def progress(run_id: str, entity: str, number: int) -> str:
    """How far a batch has come; appliers lease it."""
    return f"{progresses(run_id, entity)}{number:04d}.json"


def progresses(run_id: str, entity: str) -> str:
    """Prefix of the progress of all batches of an entity."""
    return f"runs/{run_id}/{entity}/progress/"


def look_up(run_id: str, entity: str) -> str:
    """What one listing has of the records of creations that got no answer, for all batches."""
    return f"runs/{run_id}/{entity}/look-up.json"


def look_up_pages(run_id: str, entity: str) -> str:
    """Where that listing keeps its pages while it is read; who reads leases it."""
    return f"runs/{run_id}/{entity}/look-up-pages.json"


def outcomes(run_id: str, entity: str) -> str:
    """Prefix of the outcomes of an entity."""
    return f"runs/{run_id}/{entity}/outcomes/"


def outcome(run_id: str, entity: str, number: int) -> str:
    """The outcomes of a batch, written once."""
    return f"{outcomes(run_id, entity)}{number:04d}.json"


def lookup(resource: str) -> str:
    """A small listing of SafetyAmp that is kept."""
    return f"state/lookups/{resource}.json"


def lookup_pages(resource: str) -> str:
    """The pages of it that were read before its reading had to go on later."""
    return f"state/lookups/{resource}.pages.json"


def state(entity: str) -> str:
    """What is known of an entity in SafetyAmp."""
    return f"state/{entity}.json.gz"


def dead_letter(queue: str, message_id: str) -> str:
    """A message that could not be handled; `message_id` is anything that a sender made up."""
    name = UNUSUAL.sub("+", message_id)
    # A part of a path begins with a letter, a digit or `_`.
    return f"{DEAD_LETTERS}{queue}/{name if name[:1].isalnum() else '_' + name}.json"


def decision(decision_id: str) -> str:
    """What an operator decided, in the folder of its month; the id begins with the time."""
    return f"{DECISIONS}{decision_id[:4]}-{decision_id[4:6]}/{decision_id}.json"


def decision_ending(decision_id: str) -> str:
    """How it ended."""
    return decision(decision_id).removesuffix(".json") + ".ending.json"


def rules_version(digest: str) -> str:
    """The text of a `rules.toml`, written once under the digest of its bytes."""
    return f"{RULES_VERSIONS}{digest}.toml"

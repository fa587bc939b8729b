"""What operators decided, newest first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.errors import UnreadableDocument
from shared.queries import answers
from shared.queries.paging import Page
from shared.storage.documents import Documents, read_document
from shared.sync import paths
from shared.sync.decisions.record import Decision, Ending
from shared.sync.entities.keys import normal_key
from shared.sync.model import ENTITIES, EntityName

DECISION_ID = re.compile(r"\d{8}-\d{6}-\d{6}-[0-9a-f]{6}", re.ASCII)
MOST_EXAMINED = 300
"""Decisions that one request reads, at a few milliseconds each."""

MOST_ABOUT = 100


@dataclass(frozen=True)
class DecisionFilter:
    """Which decisions; None matches all. `who` is part of the name or the id, in any letter case; `key`
    matches decisions that name the record."""

    action: str | None = None
    who: str | None = None
    run_id: str | None = None
    entity: EntityName | None = None
    key: str | None = None

    def may_match(self, decision: Decision) -> bool:
        """As far as the decision says it without its ending."""
        return (
            self.action in (None, decision.action)
            and (self.who is None or _is_part(self.who, decision.who, decision.who_id))
            and (self.entity is None or self.entity in decision.entities)
            and (self.key is None or _names(decision, self.key))
        )

    def matches_run(self, decision: Decision, ending: Ending | None) -> bool:
        return self.run_id is None or self.run_id in (decision.run_id, ending.run_id if ending else None)


def list_decisions(
    documents: Documents,
    wanted: DecisionFilter,
    limit: int,
    cursor: str | None,
    *,
    most_examined: int | None = None,
) -> Page[answers.Decision]:
    """The decisions that match, newest first; `cursor` is the id of the last that was looked at before. What
    cannot be read is named in `problems`."""
    found: list[answers.Decision] = []
    problems: list[str] = []
    last = None
    most_examined = most_examined or MOST_EXAMINED
    for examined, decision_id in enumerate(decision_ids(documents, before=cursor)):
        if len(found) == limit or examined == most_examined:
            return Page(found, last, problems)
        last = decision_id
        try:
            told = _told(documents, wanted, decision_id)
        except UnreadableDocument as error:
            problems.append(str(error))
            continue
        found += [] if told is None else [told]
    return Page(found, None, problems)


def decisions_about(documents: Documents, entity: EntityName, key: str) -> list[answers.Decision]:
    """Those among the last hundred that name the record, newest first; what cannot be read is passed over."""
    wanted = DecisionFilter(entity=entity, key=key)
    return list_decisions(documents, wanted, MOST_ABOUT, None, most_examined=MOST_ABOUT).items


def decision_ids(documents: Documents, before: str | None = None) -> Iterator[str]:
    """The ids, newest first, a month at a time."""
    newest_month = f"{before[:4]}-{before[4:6]}" if before else None
    for month in sorted(documents.folders(paths.DECISIONS), reverse=True):
        if newest_month is not None and month > newest_month:
            continue
        names = (path.rpartition("/")[2] for path in documents.list(f"{paths.DECISIONS}{month}/"))
        ids = {name.removesuffix(".json") for name in names}
        for decision_id in sorted(filter(DECISION_ID.fullmatch, ids), reverse=True):
            if before is None or decision_id < before:
                yield decision_id


def _told(documents: Documents, wanted: DecisionFilter, decision_id: str) -> answers.Decision | None:
    decision = read_document(documents, paths.decision(decision_id), Decision)
    if decision is None or not wanted.may_match(decision):
        return None
    ending = read_document(documents, paths.decision_ending(decision_id), Ending)
    if not wanted.matches_run(decision, ending):
        return None
    return {
        "id": decision_id,
        "at": decision.at,
        "action": decision.action,
        "who": decision.who,
        "who_id": decision.who_id,
        "known": decision.known,
        "reason": decision.reason,
        "run_id": decision.run_id or (ending.run_id if ending else None),
        "entities": list(decision.entities),
        "keys": list(decision.keys),
        "given": dict(decision.given),
        "done": ending.done if ending else None,
        "ended_at": ending.at if ending else None,
        "detail": ending.detail if ending else None,
    }


def _is_part(text: str, *of: str | None) -> bool:
    return any(text.casefold() in value.casefold() for value in of if value)


def _names(decision: Decision, key: str) -> bool:
    """Keys are of one entity; a newer release may know more of these."""
    return any(
        normal_key(entity, named) == normal_key(entity, key)
        for entity in ENTITIES
        if entity in decision.entities
        for named in decision.keys
    )

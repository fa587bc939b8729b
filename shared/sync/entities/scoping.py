"""Which records the rules leave to others: out of scope, or not in the pilot."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from shared.sync.entities import cleaning
from shared.sync.entities.conditions import compile_scope
from shared.sync.entities.keys import normal_key
from shared.sync.findings.causes import NOT_IN_PILOT, OUT_OF_SCOPE, UNEXPECTED_DATA
from shared.sync.model import EntityName, Rejected
from shared.sync.rules.columns import Columns
from shared.sync.rules.model import EntityRules, Pilot

logger = logging.getLogger(__name__)

Row = Any
"""A row of Vista, or a vehicle of Samsara."""
Outside = Callable[[Row], str | None]
"""Why a row is out of scope; None when it belongs."""


def outside(rules: EntityRules, columns: Columns) -> Outside | None:
    """How to tell it; None where no rule says so and everybody belongs."""
    if not rules.scope:
        return None
    judge = compile_scope(rules.scope)
    getters = {
        condition.column: columns.getter(condition.column) for scope in rules.scope for condition in scope.all
    }

    def why(row: Row) -> str | None:
        reason = judge(lambda column: getters[column](row)).why_not
        return None if reason is None else f"out of scope by the rules: {reason}"

    return why


def admitted_rows(
    rows: Mapping[str, Row],
    entity: EntityName,
    rules: EntityRules,
    outside: Outside | None,
    department: str,
    columns: Columns,
) -> tuple[list[str], list[Rejected]]:
    """The keys of the rows that the rules let be synced, in their order, and a rejection for every other one.
    `department`: the column that a pilot's departments mean."""
    ours, others = sorted(rows), list[Rejected]()
    if outside is not None:
        why = {key: _why(entity, key, rows[key], outside) for key in ours}
        others = [reason for reason in why.values() if reason is not None]
        ours = [key for key in ours if why[key] is None]
    if rules.pilot is not None:
        get = columns.getter(department)
        chosen = pilot_keys(entity, rules.pilot, ours, lambda key: get(rows[key]))
        others += [not_in_pilot(key) for key in ours if key not in chosen]
        ours = [key for key in ours if key in chosen]
    return ours, others


def _why(entity: EntityName, key: str, row: Row, outside: Outside) -> Rejected | None:
    try:
        reason = outside(row)
    except Exception:
        logger.exception("whether %s %s is in scope cannot be told", entity, key)
        return unclear(key)
    return None if reason is None else Rejected(key, "skipped", reason, cause=OUT_OF_SCOPE)


def unclear(key: str) -> Rejected:
    """For a record of which the rules cannot say whether it belongs."""
    reason = "whether the rules admit this record cannot be told, see the log: it is left as it is"
    return Rejected(key, "invalid", reason, cause=UNEXPECTED_DATA)


def not_in_pilot(key: str) -> Rejected:
    """For a record that others than the pilot's wait with."""
    reason = "not in the pilot: the rules leave everybody else as they are"
    return Rejected(key, "skipped", reason, cause=NOT_IN_PILOT)


def pilot_keys(
    entity: EntityName, pilot: Pilot, keys: Iterable[str], department_of: Callable[[str], object]
) -> frozenset[str]:
    """Those of `keys`, which are in their order, that take part in the pilot."""
    keys = list(keys)
    named = {normal_key(entity, key) for key in pilot.keys or ()}
    departments = {cleaning.code(code) for code in pilot.departments or ()}
    chosen = {key for key in keys if key in named}
    if departments:
        chosen |= {key for key in keys if cleaning.code(department_of(key)) in departments}
    return frozenset(chosen.union(keys[: pilot.first or 0]))

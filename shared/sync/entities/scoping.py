"""Which records the rules leave to others: out of scope, or not in the pilot."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from shared.sync.entities import cleaning
from shared.sync.entities.conditions import compile_scope
from shared.sync.entities.keys import normal_key
from shared.sync.findings.causes import NOT_IN_PILOT, OUT_OF_SCOPE, UNEXPECTED_DATA
from shared.sync.model import EntityName, Rejected
from shared.sync.rules.columns import Columns

if TYPE_CHECKING:
    from shared.sync.entities.fields import Row
    from shared.sync.rules.model import EntityRules, Pilot

logger = logging.getLogger(__name__)

Outside = Callable[["Row"], str | None]
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
    ours, others = list[str](), list[Rejected]()
    for key in sorted(rows):
        left_out = why_left_out(entity, key, rows[key], outside)
        if left_out is None:
            ours.append(key)
        else:
            others.append(left_out)
    if rules.pilot is not None:
        get = columns.getter(department)
        chosen = named_by_pilot(entity, rules.pilot, {key: get(rows[key]) for key in ours})
        chosen |= set(ours[: rules.pilot.first or 0])
        others += [not_in_pilot(key) for key in ours if key not in chosen]
        ours = [key for key in ours if key in chosen]
    return ours, others


def why_left_out(entity: EntityName, key: str, row: Row, outside: Outside | None) -> Rejected | None:
    """Why a row is out of scope; None for one that belongs. One odd value leaves its own record alone."""
    if outside is None:
        return None
    try:
        reason = outside(row)
    except Exception:
        logger.exception("whether %s %s is in scope cannot be told", entity, key)
        text = "whether the rules admit this record cannot be told, see the log: it is left as it is"
        return Rejected(key, "invalid", text, cause=UNEXPECTED_DATA)
    return None if reason is None else Rejected(key, "skipped", reason, cause=OUT_OF_SCOPE)


def not_in_pilot(key: str) -> Rejected:
    """For a record that others than the pilot's wait with."""
    reason = "not in the pilot: the rules leave everybody else as they are"
    return Rejected(key, "skipped", reason, cause=NOT_IN_PILOT)


def named_by_pilot(entity: EntityName, pilot: Pilot, departments: Mapping[str, object]) -> set[str]:
    """Who takes part in the pilot by key, or by department; `departments`: key -> the department's code."""
    named = {normal_key(entity, key) for key in pilot.keys or ()} & departments.keys()
    codes = {cleaning.code(code) for code in pilot.departments or ()}
    return named | {key for key, code in departments.items() if codes and cleaning.code(code) in codes}

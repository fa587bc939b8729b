"""Changes as CSV that a spreadsheet shows and does not run."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence

from shared.queries import answers
from shared.sync.entities import cleaning

COLUMNS = (
    *("entity", "key", "action", "result", "target_id", "field", "before", "after"),
    *("reason", "errors", "at"),
)

HISTORY_COLUMNS = ("run_id", "requested_at", *COLUMNS)

PLAN_COLUMNS = ("entity", "action", "key", "name", "why", "field", "before", "after", "held")

FIX_COLUMNS = (
    *("owner", "entity", "key", "name", "what", "field", "value", "enter", "where"),
    *("since", "blocks", "reason", "cause"),
)

BLOCKED: Mapping[answers.Blocks, str] = {
    "creation": "the record is not created",
    "changes": "no change reaches SafetyAmp",
    "access": "who may sign in",
    "field": "this field",
    "nothing": "",
}

FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes spreadsheets take a cell for a formula (OWASP, "CSV Injection"); the last four are full-width
signs, which some of them read as the others."""


def changes_csv(changes: Iterable[answers.Change], columns: Sequence[str] = COLUMNS) -> str:
    """One row per changed field; a change without fields has one row too."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for change in changes:
        for name in change["after"] or [None]:
            cells: dict[str, object] = {
                **change,
                "field": name,
                "before": None if name is None else change["before"].get(name),
                "after": None if name is None else change["after"][name],
                "errors": change["errors"] or None,
            }
            writer.writerow([cell(cells[column]) for column in columns])
    return text.getvalue()


def plan_csv(plan: answers.RunPlan) -> str:
    """One row per planned field, what is dangerous first; a change without fields has one too."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(PLAN_COLUMNS)
    for entity in plan["entities"]:
        for part in entity["parts"]:
            for record in part["records"]:
                about = (entity["entity"], part["action"], record["key"], record["name"], record["why"])
                fields: list[tuple[object, ...]] = [
                    (field["field"], field["before"], field["after"]) for field in record["fields"]
                ]
                for values in fields or [(None, None, None)]:
                    held = "held" if record["held"] else None
                    writer.writerow([cell(value) for value in (*about, *values, held)])
    return text.getvalue()


def fix_list_csv(found: answers.FixList) -> str:
    """One row per thing to mend, without line ends and signs that nobody sees: it is handed on and read."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(FIX_COLUMNS)
    for row in found["rows"]:
        since = row["since"][:10] + (" or earlier" if row["since_at_least"] else "")
        cells: dict[str, object] = {**row, "since": since, "blocks": BLOCKED[row["blocks"]]}
        writer.writerow([cell(_visible(cells[column])) for column in FIX_COLUMNS])
    return text.getvalue()


def _visible(value: object) -> object:
    return cleaning.text(value) if isinstance(value, str) else value


def cell(value: object) -> str:
    """The value as text; what would be a formula gets an apostrophe before it, which spreadsheets take for
    "this is text"."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    is_number = isinstance(value, int | float)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA_BEGINS) and not is_number else text

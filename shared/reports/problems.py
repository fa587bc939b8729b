"""The part of the report's page about single records: by kind, with what to do."""

from __future__ import annotations

from collections.abc import Sequence

from shared.reports.elements import Html, data, joined, tag
from shared.sync.documents.plans import Vanished
from shared.sync.documents.report import EntityReport, LeftOut, RecordProblem
from shared.sync.suggestions import suggestion_for

MOST_OF_A_KIND = 50
"""Rows per entity and kind of problem; all are counted."""

MOST_KEYS = 50

MORE = "GET /api/runs/{id}/changes and GET /api/failures name the others."


def problems_section(name: str, entity: EntityReport) -> Html | None:
    """What is wrong with records of this entity; None when nothing is."""
    vanished = entity["vanished"]
    if not entity["problems_total"] and not vanished["count"]:
        return None
    by_kind: dict[str, list[RecordProblem]] = {kind: [] for kind in entity["problems_by_kind"]}
    for problem in entity["problems"]:
        by_kind.setdefault(problem["kind"], []).append(problem)
    # The report has the most urgent first; kinds of which it names none come after.
    order = sorted(by_kind, key=lambda kind: not by_kind[kind])
    parts = [
        _kind(kind, by_kind[kind], entity["problems_by_kind"].get(kind, len(by_kind[kind]))) for kind in order
    ]
    gone = _vanished(vanished) if vanished["count"] else None
    return tag("section", tag("h2", f"Problems of {name}"), *parts, gone)


def left_out_section(name: str, entity: EntityReport) -> Html | None:
    """What somebody approved and what was not applied; None when nothing was left out."""
    left_out: LeftOut = entity.get("left_out") or {"count": 0, "changes": []}
    if not left_out["count"]:
        return None
    rows = [
        tag(
            "tr",
            tag("td", data(change["key"]), class_="id key"),
            tag("td", data(change["action"])),
            tag("td", data(change["reason"])),
        )
        for change in left_out["changes"][:MOST_OF_A_KIND]
    ]
    headings = [tag("th", text, scope="col") for text in ("Key", "Approved", "Reason")]
    table = tag("table", tag("thead", tag("tr", *headings)), tag("tbody", *rows))
    left = left_out["count"] - len(rows)
    return tag(
        "section",
        tag("h2", f"Approved and left out of {name}: {left_out['count']:,}"),
        tag("div", table, class_="scroll"),
        tag("p", f"{left:,} more are not listed here.", class_="muted") if left > 0 else None,
    )


def keys_line(keys: Sequence[str], total: int) -> Html:
    """Keys in one line, cut with a count."""
    named = keys[:MOST_KEYS]
    pieces = [joined(", " if number else None, data(key)) for number, key in enumerate(named)]
    left = total - len(named)
    return joined(*pieces, f" and {left:,} more" if left > 0 else None)


def _kind(kind: str, problems: list[RecordProblem], total: int) -> Html:
    listed = problems[:MOST_OF_A_KIND]
    rows = [
        tag(
            "tr",
            tag("td", data(problem["key"]), class_="id key"),
            tag("td", data(problem["field"]), class_="field"),
            tag("td", data(problem["reason"])),
        )
        for problem in listed
    ]
    headings = [tag("th", text, scope="col") for text in ("Key", "Field", "Reason")]
    table = tag("table", tag("thead", tag("tr", *headings)), tag("tbody", *rows))
    left = total - len(listed)
    return joined(
        tag("h3", data(f"{kind.capitalize()}: {total:,}")),
        tag("p", "What to do: ", suggestion_for(kind), class_="muted"),
        tag("div", table, class_="scroll") if rows else None,
        tag("p", f"{left:,} more are not listed here. {MORE}", class_="muted") if left > 0 else None,
    )


def _vanished(vanished: Vanished) -> Html:
    count, with_access = f"{vanished['count']:,}", vanished.get("with_access", 0)
    still = f", {with_access:,} of them with access, named first" if with_access else ""
    return joined(
        tag("h3", f"In SafetyAmp without a source record: {count}{still}"),
        tag("p", "They are told, never removed: nothing is concluded from their absence.", class_="muted"),
        tag("p", keys_line(vanished["keys"], vanished["count"])),
    )

"""A plan as one HTML document, to read, print or send to whoever has to decide: it names people."""

from __future__ import annotations

from typing import Any

from shared.queries import answers
from shared.queries.plan_view import IN_ORDER_OF_DANGER
from shared.reports.document import html_document
from shared.reports.elements import Html, data, joined, tag
from shared.sync.model import Action

HEADINGS: dict[Action, str] = {
    "deactivate": "Lose access",
    "reactivate": "Get access back",
    "update": "Change",
    "create": "Are new",
}


def plan_page(plan: answers.RunPlan) -> bytes:
    """The document, UTF-8: what is dangerous first. A part that names only its first records says so."""
    entities = plan["entities"]
    parts = [
        _part(entity, part)
        for action in IN_ORDER_OF_DANGER
        for entity in entities
        for part in entity["parts"]
        if part["action"] == action
    ]
    return html_document(
        f"Plan of run {plan['run_id']}",
        _header(plan),
        _held(entities),
        *parts,
        *(_problems(entity) for entity in entities if entity["problems"]),
    )


def _header(plan: answers.RunPlan) -> Html:
    state = "nothing was changed" if plan["mode"] == "plan" else plan["phase"]
    rows = [
        tag("tr", tag("th", entity["entity"].capitalize(), scope="row"), *_counts(entity))
        for entity in plan["entities"]
    ]
    headings = [
        tag("th", text, scope="col", class_="number" if text else None)
        for text in ("", *(HEADINGS[action] for action in IN_ORDER_OF_DANGER))
    ]
    return tag(
        "header",
        tag("h1", "Plan of run ", tag("span", plan["run_id"], class_="id")),
        tag("p", state, class_="badge"),
        tag("p", f"asked for {plan['requested_at'][:16].replace('T', ' ')} UTC", class_="muted"),
        *(tag("p", data(note), class_="muted") for note in plan["notes"]),
        tag("div", tag("table", tag("thead", tag("tr", *headings)), tag("tbody", *rows)), class_="scroll"),
    )


def _counts(entity: answers.EntityPlan) -> list[Html]:
    if not entity["planned"]:
        # One cell a column, so that no row is shorter than the others.
        reason = data(f"{entity['phase']}: {entity['reason'] or 'there is no plan'}")
        return [tag("td", reason), *(tag("td") for _ in IN_ORDER_OF_DANGER[1:])]
    counts = {part["action"]: part["count"] for part in entity["parts"]}
    return [
        tag("td", f"{counts.get(action, 0):,}", class_="number" if counts.get(action) else "number zero")
        for action in IN_ORDER_OF_DANGER
    ]


def _held(entities: list[answers.EntityPlan]) -> Html | None:
    reasons = [
        tag(
            "div",
            tag("p", f"{entity['entity'].capitalize()}: held", class_="badge"),
            tag("p", data(reason)),
            class_="note held",
        )
        for entity in entities
        for reason in entity["held"]
    ]
    return tag("section", tag("h2", "Held: waits for somebody's approval"), *reasons) if reasons else None


def _part(entity: answers.EntityPlan, part: answers.PlannedPart) -> Html:
    records = part["records"]
    is_about_fields = part["action"] in ("update", "create")
    third = "Fields" if is_about_fields else "Why"
    headings = [tag("th", text, scope="col") for text in ("Key", "Name", third)]
    rows = [
        tag(
            "tr",
            tag("td", data(record["key"]), class_="id key"),
            tag(
                "td",
                data(record["name"]),
                tag("span", "held", class_="badge held") if record["held"] else None,
            ),
            tag("td", _fields(record, part["action"]) if is_about_fields else data(record["why"])),
        )
        for record in records
    ]
    left = part["count"] - len(records)
    return tag(
        "section",
        tag("h2", f"{HEADINGS[part['action']]}: {part['count']:,} {entity['entity']}"),
        tag("div", tag("table", tag("thead", tag("tr", *headings)), tag("tbody", *rows)), class_="scroll"),
        tag("p", f"{left:,} more are not listed here.", class_="muted") if left > 0 else None,
    )


def _fields(record: answers.PlannedRecord, action: Action) -> Html:
    """One line per field: what it is and what it becomes; of what is new only the latter."""
    return joined(
        *(
            tag(
                "div",
                tag("span", data(field["field"]), class_="muted"),
                " ",
                *((data(_text(field["before"])), " → ") if action == "update" else ()),
                data(_text(field["after"])),
            )
            for field in record["fields"]
        )
    )


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(str(part) for part in value.values())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return "–" if value is None else str(value)


def _problems(entity: answers.EntityPlan) -> Html:
    headings = [tag("th", text, scope="col") for text in ("Key", "Name", "Field", "Reason")]
    rows = [
        tag(
            "tr",
            tag("td", data(problem["key"]), class_="id key"),
            tag("td", data(problem.get("name"))),
            tag("td", data(problem.get("field")), class_="field"),
            tag("td", data(f"{problem['kind']}: {problem['reason']}")),
        )
        for problem in entity["problems"]
    ]
    return tag(
        "section",
        tag("h2", f"To look at: {len(rows):,} {entity['entity']}"),
        tag("div", tag("table", tag("thead", tag("tr", *headings)), tag("tbody", *rows)), class_="scroll"),
    )

"""The report of a run as one HTML document.

It says what report.json says and no more; long lists are cut, with a count of what is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from shared.reports.document import html_document
from shared.reports.elements import Html, data, joined, tag
from shared.reports.problems import keys_line, left_out_section, problems_section
from shared.sync.documents.report import CountName, EntityReport, Report
from shared.sync.suggestions import suggestion_for

COUNTS: Mapping[CountName, str] = {
    "source": "In the source",
    "unchanged": "Unchanged",
    "created": "Created",
    "updated": "Updated",
    "deactivated": "Switched off",
    "waiting": "Waiting",
    "invalid": "Invalid",
    "failed": "Failed",
    "skipped": "Left out",
    "unapproved": "Unapproved",
}
"""The counts of report.json with their headings."""

PHASES = {
    "running": "under way: this is how it stands",
    "done": "done",
    "planned": "planned only, nothing was changed",
    "held": "held: a plan, or a part of it, waits for somebody's approval",
    "failed": "failed",
    "cancelled": "cancelled",
}


def report_page(report: Report) -> bytes:
    """The document, UTF-8, of a report as `make_report` makes it."""
    title = f"Run {report['run_id']}: {report['phase']}"
    entities = report["entities"]
    return html_document(
        title,
        _header(report),
        _troubles(entities),
        _counts(entities),
        *_left_out(entities),
        *_problems(entities),
    )


def _header(report: Report) -> Html:
    phase = report["phase"]
    kind = "compare only" if report["mode"] == "plan" else "apply changes"
    facts: list[tuple[str, Html | str | None]] = [
        ("Requested", _time(report["requested_at"])),
        ("Ended", _time(report["finished_at"])),
        ("Took", _duration(report["duration_seconds"])),
        ("Kind", joined(kind, ", SafetyAmp listed anew" if report["refresh"] else None)),
        ("Cause", data(report["cause"])),
        ("Only records", keys_line(report["keys"], len(report["keys"])) if report["keys"] else None),
        (
            "Calls",
            ", ".join(f"{name} {count:,}" for name, count in sorted(report["calls"].items())) or "none",
        ),
        ("Waited for limits", _duration(report["waited_seconds"])),
    ]
    rows = [joined(tag("dt", name), tag("dd", value)) for name, value in facts if value is not None]
    return tag(
        "header",
        tag("h1", "Run ", tag("span", report["run_id"], class_="id")),
        tag("p", tag("span", PHASES.get(phase, phase), class_=f"badge {phase}")),
        tag("dl", *rows),
    )


def _troubles(entities: Mapping[str, EntityReport]) -> Html | None:
    """The entities that somebody has to look at as a whole."""
    notes = [
        tag(
            "div",
            tag("p", f"{name.capitalize()}: {entity['phase']}", class_="badge"),
            tag("p", data(entity["reason"])) if entity["reason"] else None,
            _held_changes(entity),
            tag("p", "What to do: ", suggestion_for("held" if entity["phase"] == "held" else "entity"))
            if entity["phase"] in ("held", "failed")
            else None,
            class_=f"note {entity['phase']}",
        )
        for name, entity in entities.items()
        if entity["phase"] in ("held", "failed", "cancelled")
        or (entity["phase"] == "off" and entity["reason"])
    ]
    return tag("section", tag("h2", "What was not finished"), *notes) if notes else None


def _held_changes(entity: EntityReport) -> Html | None:
    """Which part waits, and how many."""
    held = entity.get("held_changes", {}) if entity["phase"] == "held" else {}
    told = ", ".join(f"{count:,} to {action}" for action, count in held.items())
    return tag("p", f"Waits for an approval: {told}") if told else None


def _counts(entities: Mapping[str, EntityReport]) -> Html:
    headings = [tag("th", "Entity", scope="col"), tag("th", "End", scope="col")]
    headings += [tag("th", text, scope="col", class_="number") for text in COUNTS.values()]
    rows = [
        tag(
            "tr",
            tag("th", name.capitalize(), scope="row"),
            tag("td", tag("span", entity["phase"], class_=f"badge {entity['phase']}")),
            *(_figure(entity.get(count)) for count in COUNTS),
        )
        for name, entity in entities.items()
    ]
    table = tag("table", tag("thead", tag("tr", *headings)), tag("tbody", *rows))
    return tag("section", tag("h2", "Records"), tag("div", table, class_="scroll"))


def _figure(count: int | None) -> Html:
    if count is None:
        return tag("td", "–", class_="number zero")
    return tag("td", f"{count:,}", class_="number" if count else "number zero")


def _left_out(entities: Mapping[str, EntityReport]) -> list[Html]:
    sections = [left_out_section(name, entity) for name, entity in entities.items()]
    return [section for section in sections if section is not None]


def _problems(entities: Mapping[str, EntityReport]) -> list[Html]:
    sections = [problems_section(name, entity) for name, entity in entities.items()]
    found = [section for section in sections if section is not None]
    return found or [tag("section", tag("h2", "Problems"), tag("p", "There are none.", class_="muted"))]


def _time(moment: str | None) -> Html | None:
    if moment is None:
        return None
    return tag("time", f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M:%S} UTC", datetime=moment)


def _duration(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if hours or minutes else "", f"{rest} s"]
    return " ".join(part for part in parts if part)

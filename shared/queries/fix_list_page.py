"""A fix list as one HTML document, to read, print or send to whoever mends it: it names people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.queries import answers
from shared.queries.csv_text import BLOCKED
from shared.reports.document import html_document
from shared.reports.elements import Html, data, tag
from shared.sync.findings.causes import OWNERS, Owner

MOST_OF_A_CAUSE = 500
"""Rows of a cause that are shown; the file for a spreadsheet has all."""

OWNER_NAMES: Mapping[str, str] = {
    "hr": "HR",
    "payroll": "Payroll",
    "it": "IT",
    "fleet": "Fleet",
    "operations": "Operations",
    "safetyamp": "SafetyAmp's administrator",
}
HEADINGS = ("Key", "Name", "Now", "Since", "Keeps back", "Reason")


def fix_list_page(found: answers.FixList) -> bytes:
    """The document, UTF-8: by owner, and then by cause, the largest first."""
    owner = found["owner"]
    whose = OWNER_NAMES[owner] if owner else "everybody"
    sections = [section for one in OWNERS for section in _sections(one, found)]
    empty = None if sections else tag("p", "Nothing has to be mended.")
    return html_document(f"To mend: {whose}", _header(whose, found), empty, *sections)


def _header(whose: str, found: answers.FixList) -> Html:
    seen = ", ".join(f"{one['entity']} {_day(one['at'])}" for one in found["looked_at"] if one["at"])
    return tag(
        "header",
        tag("h1", f"To mend: {whose}"),
        tag("p", f"{found['total']:,} as of {_day(found['at'])}", class_="badge"),
        tag("p", f"Last looked at: {seen}", class_="muted") if seen else None,
        *(
            tag("p", data(f"Names and values are missing: {problem}"), class_="muted")
            for problem in found["problems"]
        ),
    )


def _sections(owner: Owner, found: answers.FixList) -> Iterator[Html]:
    groups = [group for group in found["groups"] if group["owner"] == owner]
    for group in groups:
        rows = [
            row
            for row in found["rows"]
            if (row["owner"], row["cause"], row["what"]) == (owner, group["cause"], group["what"])
        ]
        todo = f"{group['where']}: {group['enter']}" if group["where"] else None
        left = len(rows) - MOST_OF_A_CAUSE
        yield tag(
            "section",
            tag("h2", f"{OWNER_NAMES[owner]}: {group['what']}, {group['count']:,}"),
            tag("p", data(todo)) if todo else None,
            tag("div", _table(rows[:MOST_OF_A_CAUSE]), class_="scroll"),
            tag("p", f"{left:,} more are in the file for a spreadsheet.", class_="muted")
            if left > 0
            else None,
        )


def _table(rows: list[answers.FixRow]) -> Html:
    headings = [tag("th", text, scope="col") for text in HEADINGS]
    return tag("table", tag("thead", tag("tr", *headings)), tag("tbody", *map(_row, rows)))


def _row(row: answers.FixRow) -> Html:
    since = _day(row["since"]) + (" or earlier" if row["since_at_least"] else "")
    return tag(
        "tr",
        tag("td", data(row["key"]), class_="id key"),
        tag("td", data(row["name"])),
        tag("td", data(None if row["value"] is None else str(row["value"]))),
        tag("td", since),
        tag("td", BLOCKED[row["blocks"]]),
        tag("td", data(row["reason"])),
    )


def _day(moment: str | None) -> str:
    return (moment or "")[:10]

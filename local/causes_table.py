"""The tables of docs/findings.md, made from the code: `make findings` writes them, a test compares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from shared.queries.fix_list_page import OWNER_NAMES
from shared.sync.findings.causes import CAUSES, OWNERS, Cause, Severity

PAGE = Path(__file__).resolve().parent.parent / "docs" / "findings.md"
BEGIN = "<!-- From here on `make findings` writes. -->"
HEADER = "| cause | what | costs | where | what to enter | trying again helps |"
RULE = "|---|---|---|---|---|---|"
COSTS: dict[Severity, str] = {
    "blocks": "the record",
    "access": "access",
    "field": "a field",
    "know": "nothing",
}


def updated(text: str) -> str:
    """The page with its tables as the code has them."""
    return text[: text.index(BEGIN)] + "\n".join([BEGIN, *_tables()]) + "\n"


def _tables() -> Iterator[str]:
    for owner in OWNERS:
        yield from ("", f"## {OWNER_NAMES[owner]}", "", HEADER, RULE)
        yield from (_row(cause) for cause in CAUSES.values() if cause.owner == owner)


def _row(cause: Cause) -> str:
    cells = [
        f"`{cause.code}`",
        cause.name,
        COSTS[cause.severity],
        cause.where or "",
        cause.enter or "nothing to do",
        "yes" if cause.again else "",
    ]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

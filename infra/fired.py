"""The alerts of severity 0 or 1 that fired since a time, from Azure's list of alerts on standard input.

    az rest ... | python3 infra/fired.py 2026-11-26T03:00:00     (UTC)

Prints the name and severity of each, a line per alert; nothing when there is none.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

URGENT = ("Sev0", "Sev1")


def fired_since(answer: dict[str, Any], since: datetime) -> list[str]:
    """Lines for those in `answer` (the list of Microsoft.AlertsManagement/alerts) that fired since then."""
    lines = []
    for alert in answer["value"]:
        essentials = alert["properties"]["essentials"]
        if essentials["severity"] in URGENT and datetime.fromisoformat(essentials["startDateTime"]) >= since:
            lines.append(f"{essentials['severity']} {alert['name']} at {essentials['startDateTime']}")
    return lines


if __name__ == "__main__":
    for line in fired_since(json.load(sys.stdin), datetime.fromisoformat(sys.argv[1]).replace(tzinfo=UTC)):
        print(line)

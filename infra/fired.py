"""The alerts since a time that a release answers for, from Azure's list of alerts on standard input.

    az rest ... | python3 infra/fired.py 2026-11-26T03:00:00     (UTC)

Prints the name and severity of each, a line per alert; nothing when there is none.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

WATCHED = ("Sev0", "Sev1", "Sev2")
NOT_THE_RELEASE = {"alert-run-held", "alert-redis-memory"}
"""Of severity 2, but no reason to go back: a held plan waits for a person (the release's own plan-only run
has shown what the new version wants), and memory fills up over weeks."""


def fired_since(answer: dict[str, Any], since: datetime) -> list[str]:
    """Lines for those in `answer` (the list of Microsoft.AlertsManagement/alerts) that fired since then."""
    lines = []
    for alert in answer["value"]:
        essentials = alert["properties"]["essentials"]
        # The rule's name or resource id, by the service that fired; the alert's own name may be any id.
        rule = (essentials.get("alertRule") or alert["name"]).rpartition("/")[2]
        counts = essentials["severity"] in WATCHED and rule not in NOT_THE_RELEASE
        if counts and datetime.fromisoformat(essentials["startDateTime"]) >= since:
            lines.append(f"{essentials['severity']} {rule} at {essentials['startDateTime']}")
    return lines


if __name__ == "__main__":
    for line in fired_since(json.load(sys.stdin), datetime.fromisoformat(sys.argv[1]).replace(tzinfo=UTC)):
        print(line)

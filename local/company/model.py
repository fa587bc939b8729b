"""A company as its source systems hold it, and what its SafetyAmp tenant holds beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from local.simulators.safetyamp_seed import SafetyAmpSeed

Row = dict[str, Any]

OWN_COMPANY = 1
OTHER_COMPANY = 2
OPEN = 1


@dataclass
class Company:
    """`tables` are Vista's rows by table name (bPREH, bPRDP, bJCJM, bJCCM, bPRJC), columns by name;
    `drivers` are active and deactivated ones together; dates are relative to `today`."""

    name: str
    today: date
    tables: dict[str, list[Row]]
    graph_users: list[Row]
    vehicles: list[Row]
    drivers: list[Row]
    seed: SafetyAmpSeed

    def own_employees(self) -> list[Row]:
        """Rows of bPREH of the company that is synchronised, former and future employees included."""
        return [row for row in self.tables["bPREH"] if row["PRCo"] == OWN_COMPANY]


def vista_date(day: date) -> str:
    """The text in which the database file holds a smalldatetime."""
    return f"{day.isoformat()} 00:00:00"


def last_week_end(today: date) -> date:
    """The Sunday that ended the last payroll week."""
    return today - timedelta(days=(today.weekday() + 1) % 7)

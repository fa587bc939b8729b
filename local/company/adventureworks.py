"""A company from a folder of CSV and JSON files, one per table or listing (AdventureWorks in our shape)."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from local.company.model import Company, Row
from local.company.vista_database import TABLES
from local.simulators.safetyamp_seed import SafetyAmpSeed

NAME = "Adventure Works"


def load_company(folder: Path, today: date | None = None) -> Company:
    """The company in `folder`: bPREH.csv, bPRDP.csv, bJCJM.csv, bJCCM.csv, bPRJC.csv (empty field: NULL),
    graph_users.json, samsara_vehicles.json and samsara_drivers.json (answers of the listings).

    Every region of bPRDP gets a cluster with an office in SafetyAmp. Without `today` it is the end of the
    last payroll week. Raises FileNotFoundError naming the missing file.
    """
    tables = {table: _rows(folder / f"{table}.csv", table) for table in TABLES}
    regions = dict.fromkeys(row["udRegion"] for row in tables["bPRDP"] if row["udRegion"])
    last_day = max((row["PREndDate"] for row in tables["bPRJC"]), default=None)
    if today is None:
        if last_day is None:
            raise ValueError(f"{folder / 'bPRJC.csv'} has no rows to take the day from: pass today")
        today = date.fromisoformat(last_day[:10])
    return Company(
        name=NAME,
        today=today,
        tables=tables,
        graph_users=_listing(folder / "graph_users.json", "value"),
        vehicles=_listing(folder / "samsara_vehicles.json", "data"),
        drivers=_listing(folder / "samsara_drivers.json", "data"),
        seed=SafetyAmpSeed(NAME, tuple(regions)),
    )


def _rows(path: Path, table: str) -> list[Row]:
    kinds = _kinds(table)
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {name: kinds[name](text) if text else None for name, text in row.items()}
            for row in csv.DictReader(file)
        ]


def _kinds(table: str) -> dict[str, Callable[[str], Any]]:
    """How to read each column's text; codes and dates stay text."""
    readers: dict[str, Callable[[str], Any]] = {"INTEGER": int, "NUMERIC": float, "TEXT": str}
    return {column.split()[0]: readers[column.split()[1]] for column in TABLES[table]}


def _listing(path: Path, key: str) -> list[Row]:
    rows: list[Row] = json.loads(path.read_text("utf-8"))[key]
    return rows

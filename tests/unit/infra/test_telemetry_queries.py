"""What alerts and workbook ask for is what the product really sends: tables, names, members and types."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.real_parts import PROJECT
from tests.unit.infra.kusto import TABLES, Query, alert_rules, charts, parsed, queries
from tests.unit.infra.telemetry_rows import Rows, holds, rows_of_real_telemetry, value_at

NUMBERS = ("todouble", "tolong", "toint")
PYTHON = {"datetime": "datetime", "string": "str", "real": "float", "int": "int", "dynamic": "dict"}
"""The types of Kusto, as rows have them."""

OF_AZURE = {"_LogOperation"}
"""Tables that Azure fills by itself."""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return rows_of_real_telemetry(tmp_path_factory.mktemp("company"))


def test_the_tables_are_those_that_telemetry_fills(rows: Rows) -> None:
    assert set(rows) == TABLES.keys() - OF_AZURE
    for table, columns in TABLES.items():
        for row in rows.get(table, []):
            assert {name: type(value).__name__ for name, value in row.items()} == {
                name: PYTHON[kind] for name, kind in columns.items()
            }


def asking_the_product() -> list[str]:
    """The alerts and charts whose rows do not come from Azure."""
    asked = {**alert_rules(), **charts()}
    return [name for name, one in asked.items() if one["query"].split(" ")[0] not in OF_AZURE]


@pytest.mark.parametrize("name", asking_the_product())
def test_a_query_finds_what_the_product_sends(rows: Rows, name: str) -> None:
    assert complaints_of(queries()[name], rows) == []


def complaints_of(query: Query, rows: Rows) -> list[str]:
    """What a query asks for and the product does not send."""
    (table,) = query.tables
    chosen = [row for row in rows[table] if all(holds(row, *one) for one in query.compared)]
    if not chosen:
        return [f"no row of {table} has {query.compared}"]
    # Each row of a name has what is read of it; of all lines only some have a batch.
    by_name = any(operator == "==" for _, operator, _ in query.compared)
    found = []
    for path, function in query.read:
        values = [value_at(row, path) for row in (chosen if by_name else rows[table])]
        known = [value for value in values if value is not None]
        if not known or (by_name and len(known) < len(values)):
            found.append(f"{path} is not sent")
        elif function in NUMBERS and not all(isinstance(value, int | float) for value in known):
            found.append(f"{path} is no number")
    return found


def test_a_name_that_is_not_sent_is_noticed(rows: Rows) -> None:
    record = "traces | extend record = parse_json(message) | where tostring(record.event)"
    wrong = {
        "metric": 'customMetrics | where name == "redis_is_up"',
        "dimension": 'customMetrics | where name == "dead_letters" | project customDimensions["Queue"]',
        "function": 'requests | where name == "sweeper"',
        "event": f'{record} == "run_finished"',
        "member": f'{record} == "run_ended" | project record.seconds',
        "type": f'{record} == "run_ended" | project todouble(record.run)',
    }
    for name, query in parsed(wrong).items():
        assert query.errors == []
        assert complaints_of(query, rows) != [], name


def test_no_line_that_an_alert_looks_for_is_sampled_away() -> None:
    """The host samples what it sends; our own exporter sends figures and calls past it, all of them."""
    of_the_host = {"requests": "Request", "exceptions": "Exception", "traces": "Trace"}
    host: dict[str, Any] = json.loads((PROJECT / "host.json").read_text())
    kept = host["logging"]["applicationInsights"]["samplingSettings"]["excludedTypes"].split(";")
    asked = {table for anchor in alert_rules() for table in queries()[anchor].tables}
    assert {of_the_host[table] for table in asked & of_the_host.keys()} <= set(kept)

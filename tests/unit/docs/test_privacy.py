"""docs/privacy.md names the fields and the times that the code and the Bicep files have."""

from __future__ import annotations

import re

from shared.clients.graph import USER_QUERY
from shared.clients.vista.queries import EMPLOYEES
from shared.sync.rules.fields import FIELDS
from tests.real_parts import PROJECT
from tests.unit.docs.pages import page, spans, table


def read_from(source: str) -> list[str]:
    """The fields that are read of people there."""
    (row,) = [row for row in table("docs/privacy.md", "from", "of whom", "what") if source in row[0]]
    return spans(row[2])


def section(heading: str) -> str:
    return page("docs/privacy.md").partition(f"## {heading}\n")[2].partition("\n## ")[0]


def test_vistas_columns_are_those_that_are_selected() -> None:
    selected = re.findall(r"H\.(\w+)", EMPLOYEES.partition("FROM")[0])
    assert read_from("bPREH") == [*selected, "VISTA_TITLE_COLUMN"]


def test_graphs_fields_are_those_that_are_selected() -> None:
    assert read_from("Graph") == str(USER_QUERY["$select"]).split(",")


def test_what_is_sent_is_what_a_user_is_made_of() -> None:
    sent = section("What is sent").partition("Of a leaver")[0]
    assert set(spans(sent)) == FIELDS["employees"].keys() | {"emp_id", "system_access"}


def test_the_times_are_the_defaults_of_the_deployment() -> None:
    bicep = (PROJECT / "infra" / "main.bicep").read_text()
    told = {
        row[0].strip("`"): row[1]
        for row in table("docs/privacy.md", "parameter", "default", "days that are kept")
    }
    assert told == {name: re.findall(rf"^param {name} int = (\d+)$", bicep, re.MULTILINE)[0] for name in told}
    account = (PROJECT / "infra" / "modules" / "storage-account.bicep").read_text()
    assert "softDeleteDays int = 14" in account
    assert "14 days more (soft delete)" in section("What is kept")

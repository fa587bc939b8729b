"""docs/settings.md says what the code says."""

from __future__ import annotations

import pytest

from local.settings_table import HEADER, PAGE, updated
from shared.config import Settings
from tests.unit.docs.pages import table

COLUMNS = HEADER.strip("| ").split(" | ")
TEXT = PAGE.read_text(encoding="utf-8")


def cells(text: str, name: str) -> list[str]:
    """The one row of a setting, split."""
    (row,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_tables_are_those_that_make_settings_writes() -> None:
    assert updated(TEXT) == TEXT, "make settings writes them anew"


def test_every_setting_has_one_row_and_a_meaning() -> None:
    rows = table("docs/settings.md", *COLUMNS)
    assert sorted(row[0].strip("`").lower() for row in rows) == sorted(Settings.model_fields)
    assert [row[0] for row in rows if not row[3]] == []


def test_default_secrecy_and_readers_are_taken_from_the_code() -> None:
    assert cells(TEXT, "VISTA_COMPANY")[1:3] == ["`1`", ""]
    assert cells(TEXT, "VEHICLE_ASSIGN_DRIVER")[1] == "`false`"
    assert cells(TEXT, "SAFETYAMP_TOKEN")[1:3] == ["required", "vault"]
    assert cells(TEXT, "SERVICE_BUS_CONNECTION")[1:] == [
        "none",
        "yes",
        cells(TEXT, "SERVICE_BUS_CONNECTION")[3],
        "functions, storage",
    ]
    assert cells(TEXT, "SIGN_IN")[4] == "sign_in"
    assert cells(TEXT, "AZURE_KEY_VAULT_URL")[4] == "config"


@pytest.mark.parametrize("spoilt", ["`9`", "none", ""])
def test_a_wrong_cell_is_put_right_and_the_meaning_stays(spoilt: str) -> None:
    right = "| `VISTA_COMPANY` | `1` |"
    assert right in TEXT
    assert updated(TEXT.replace(right, f"| `VISTA_COMPANY` | {spoilt} |")) == TEXT


def test_a_setting_without_a_row_gets_one_to_fill_in_and_an_unknown_one_goes() -> None:
    (row,) = [line for line in TEXT.splitlines(keepends=True) if line.startswith("| `LOG_LEVEL` |")]
    made = updated(TEXT.replace(row, "| `LOG_LEVELS` | `x` |  | not one of ours | |\n"))
    assert "LOG_LEVELS" not in made
    assert cells(made, "LOG_LEVEL") == ["`LOG_LEVEL`", "`INFO`", "", "", "telemetry"]

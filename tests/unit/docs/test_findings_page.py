"""docs/findings.md says what the list of causes says."""

from __future__ import annotations

from local.causes_table import BEGIN, HEADER, PAGE, updated
from shared.sync.findings.causes import CAUSES
from tests.unit.docs.pages import table

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_tables_are_those_that_make_findings_writes() -> None:
    assert updated(TEXT) == TEXT, "make findings writes them anew"


def test_every_cause_has_one_row() -> None:
    rows = table("docs/findings.md", *HEADER.strip("| ").split(" | "))
    assert sorted(row[0].strip("`") for row in rows) == sorted(CAUSES)


def test_what_is_written_by_hand_above_the_tables_stays() -> None:
    above, _, below = TEXT.partition(BEGIN)
    assert updated(f"{above}{BEGIN}\n| an old table |\n") == above + BEGIN + below

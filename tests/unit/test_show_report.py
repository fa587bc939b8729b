"""A run's report at a terminal: what is nothing takes no column, and no word is broken."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from cli.show import show_report
from shared.sync.documents.report import COUNTS


def a_report(**counts: int) -> dict[str, Any]:
    entity: dict[str, Any] = {
        **{"phase": "done", "held": False, "reason": None, "planned": {}, "problems": []},
        **dict.fromkeys(COUNTS, 0),
    }
    entities = {"jobs": dict(entity), "employees": {**entity, **counts}}
    return {
        **{"run_id": "20260105-120000-0a1b2c", "phase": "done", "mode": "apply", "calls": {"safetyamp": 3}},
        **{"waited_seconds": 0.0, "duration_seconds": 2.0, "entities": entities},
    }


def printed(report: dict[str, Any], width: int) -> str:
    file = io.StringIO()
    show_report(Console(file=file, width=width, color_system=None), report)
    return file.getvalue()


def test_only_columns_with_something_in_them_are_shown() -> None:
    text = printed(a_report(source=5, created=3), 80)
    assert "created" in text
    assert "deactivated" not in text
    assert "calls: safetyamp 3" in text


def test_the_part_that_waits_is_named_with_its_number() -> None:
    report = a_report(source=5, created=3, unapproved=53)
    report["entities"]["employees"] |= {
        **{"phase": "held", "held": True, "reason": "53 people would be deactivated"},
        "held_changes": {"deactivate": 53},
    }
    text = printed(report, 80)
    assert "employees is held: 53 people would be deactivated" in text
    assert "  waits for an approval: 53 to deactivate" in text
    assert "unapproved" in text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_heading_is_broken_and_no_count_lost_at_any_width(width: int) -> None:
    counts = {name: 90_000 + number for number, name in enumerate(COUNTS)}
    text = printed(a_report(**counts), width)
    for name, count in counts.items():
        assert name in text
        assert str(count) in text

"""fired.py: a release goes back for the alerts that may be its doing, by their names in Azure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.infra.bicep import read
from tests.unit.infra.programs import load_program
from tests.unit.infra.test_alerts import alerts

fired = load_program("fired")
START = datetime(2026, 11, 26, 3, tzinfo=UTC)
URGENT = {f"alert-{anchor}": severity for anchor, severity in alerts().items() if severity <= 2}


def an_alert(rule: str, severity: int, at: str = "2026-11-26T03:00:01.1234567Z") -> dict[str, Any]:
    """As the list has it: of a metric alert the rule's id, of others perhaps its name."""
    essentials = {"severity": f"Sev{severity}", "startDateTime": at, "alertRule": f"/subscriptions/s/{rule}"}
    return {"value": [{"name": "an id", "properties": {"essentials": essentials}}]}


@pytest.mark.parametrize("name", URGENT)
def test_every_alert_that_matters_counts_unless_it_is_none_of_a_releases_doing(name: str) -> None:
    found = fired.fired_since(an_alert(name, URGENT[name]), START)
    assert bool(found) == (name not in fired.NOT_THE_RELEASE)
    assert all(name in line for line in found)


def test_what_does_not_count_exists_and_is_not_urgent() -> None:
    assert {name for name in fired.NOT_THE_RELEASE if URGENT.get(name) == 2} == fired.NOT_THE_RELEASE


def test_the_alerts_names_are_those_that_azure_is_given() -> None:
    for module in ("log-alerts", "metric-alerts"):
        assert read(f"modules/{module}.bicep").resource("alerts").body["name"] == "'alert-${rule.anchor}'"


@pytest.mark.parametrize("anchor", ["exceptions", "run-failed"])
def test_what_a_bad_version_shows_first_is_looked_at_often_enough_for_a_watch(anchor: str) -> None:
    (rule,) = (one for one in read("modules/log-alerts.bicep").variables["rules"] if one["anchor"] == anchor)
    assert rule["frequency"] == "PT5M"
    assert f"alert-{anchor}" not in fired.NOT_THE_RELEASE


def test_a_name_alone_will_do_and_what_fired_before_does_not_count() -> None:
    answer = an_alert("x", 1)
    answer["value"][0]["properties"]["essentials"]["alertRule"] = "alert-exceptions"
    assert fired.fired_since(answer, START) == ["Sev1 alert-exceptions at 2026-11-26T03:00:01.1234567Z"]
    assert not fired.fired_since(an_alert("alert-exceptions", 2, "2026-11-26T02:59:59Z"), START)
    assert not fired.fired_since(an_alert("alert-queue-backlog", 3), START)

"""The table of costs: printed by the script, true to the Bicep files, and as low as promised."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.infra.bicep import INFRA, read
from tests.unit.infra.costs_script import costs
from tests.unit.infra.deployed import deployment

BY_NAME = {one.name: one for one in costs.INSTALLATIONS}
SMALL, SMALL_WITHOUT_REDIS = BY_NAME["`small`"], BY_NAME["`small`, `redis=none`"]


def test_the_table_of_the_readme_is_the_scripts() -> None:
    readme = (INFRA / "README.md").read_text()
    assert "\n".join(costs.lines()) in readme, "python3 infra/costs.py prints it anew"
    assert costs.PRICES_OF in readme.partition("## Costs")[2]


def test_a_small_company_pays_thirty_dollars_at_most_and_fifteen_without_redis() -> None:
    assert costs.total(SMALL, costs.PEOPLE[0]) <= 30
    assert costs.total(SMALL_WITHOUT_REDIS, costs.PEOPLE[0]) <= 15


def test_each_column_adds_up() -> None:
    for line in costs.lines():
        assert line.count("|") == len(costs.INSTALLATIONS) + 3
    for one in costs.INSTALLATIONS:
        assert costs.total(one, 400) == sum(costs.costs(one, 400).values())


def test_the_alerts_are_those_of_the_bicep_files() -> None:
    rules = read("modules/log-alerts.bicep").variables["rules"]
    log = sum(costs.LOG_ALERT.get(rule["frequency"], costs.LOG_ALERT_SLOWER) for rule in rules)
    metric = (len(read("modules/metric-alerts.bicep").variables["rules"]) + 1) * costs.METRIC_ALERT
    assert costs.alerts_cost(SMALL, 400) == pytest.approx(log + metric)


@pytest.mark.parametrize("installation", costs.INSTALLATIONS, ids=lambda one: one.name)
def test_what_is_counted_is_what_the_size_deploys(installation: Any) -> None:
    size, _, redis = installation.name.replace("`", "").partition(", redis=")
    main = deployment(size, redis=redis or "single")
    assert ("cache" in main.modules()) == installation.redis
    assert ("endpoints" in main.modules()) == installation.private
    assert main.name("hosting") == installation.plan
    assert (main.name("serviceBusSku") == "Basic") == (not installation.private)
    availability = main.inner("watching").inner("availability")
    assert len(availability.name("places")) == installation.places
    if installation.private:
        endpoints = main.inner("endpoints")
        count = len(endpoints.file.variables["always"]) + installation.redis
        assert costs.endpoints_cost(installation, 400) == pytest.approx(
            count * costs.ENDPOINT_HOUR * costs.HOURS + len(endpoints.name("services")) * costs.ZONE_MONTH
        )


def test_schedules_are_those_that_are_deployed() -> None:
    settings = read("modules/settings.bicep").variables["settings"]
    assert read("main.bicep").params["syncSchedule"][1] == "0 0 * * * *"
    assert costs.RUNS == 24 * 30
    assert settings["SWEEP_SCHEDULE"] == "0 */5 * * * *"
    assert costs.SWEEPS == 12 * 24 * 30
    assert settings["REFRESH_SCHEDULE"] == "0 30 8 * * *"
    assert costs.NIGHTS == 30
    test = read("modules/availability.bicep").resource("test").body["properties"]
    assert 30 * 86_400 // test["Frequency"] == costs.READY_TESTS
    flex = read("modules/function-flex.bicep").resource("app").body["properties"]["functionAppConfig"]
    assert flex["scaleAndConcurrency"]["instanceMemoryMB"] == costs.MEMORY_GB * 1024

"""Deploying, releasing, going back: what the scripts do to slots and packages."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.infra.bicep import INFRA
from tests.unit.infra.script_rig import NEW, OLD, ScriptRig

PRODUCTION, STAGING = "https://func-x.azurewebsites.net", "https://func-x-staging.azurewebsites.net"


@pytest.fixture
def rig(tmp_path: Path) -> ScriptRig:
    return ScriptRig(tmp_path)


def an_alert(severity: str = "Sev1", *, minutes_ago: float = -1) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    essentials = {"severity": severity, "startDateTime": at.isoformat().replace("+00:00", "Z")}
    return {"name": "alert-run-failed", "properties": {"essentials": essentials}}


def a_package(rig: ScriptRig) -> str:
    (rig.folder / "app.zip").write_text("newest")
    return "app.zip"


def test_a_release_swaps_what_was_smoked_in_staging_and_smokes_production_with_a_plan(rig: ScriptRig) -> None:
    done = rig.run("release")
    assert done.returncode == 0, done.stderr
    assert rig.azure["slots"] == {"production": NEW, "staging": OLD}
    assert rig.azure["synchronised"] == ["production"]
    assert rig.smokes == [f"{STAGING} key=key-of-staging", f"{PRODUCTION} --plan key=key-of-production"]


def test_a_release_gives_staging_a_tenth_of_the_traffic_before_the_swap_and_takes_it_back(
    rig: ScriptRig,
) -> None:
    rig.run("release")
    calls = rig.azure["calls"]
    order = [
        "webapp traffic-routing set",
        "rest",
        "webapp traffic-routing clear",
        "functionapp deployment slot swap",
    ]
    assert [call for call in calls if call in order][:4] == order
    assert rig.azure["traffic"] is None


def test_a_staging_slot_that_is_not_ready_ends_the_release_before_production_is_touched(
    rig: ScriptRig,
) -> None:
    rig.set_smokes(1)
    done = rig.run("release")
    assert done.returncode == 1
    assert "production was not touched" in done.stderr
    assert rig.azure["slots"] == {"production": OLD, "staging": NEW}
    assert "webapp traffic-routing set" not in rig.azure["calls"]


@pytest.mark.parametrize("severity", ["Sev0", "Sev1"])
def test_an_alert_while_watching_ends_the_release_and_its_canary(rig: ScriptRig, severity: str) -> None:
    rig.set_azure(alerts=[an_alert(severity)])
    done = rig.run("release")
    assert done.returncode == 1
    assert "alert-run-failed" in done.stderr
    assert "production was not touched" in done.stderr
    assert "functionapp deployment slot swap" not in rig.azure["calls"]
    assert rig.azure["slots"] == {"production": OLD, "staging": NEW}
    assert rig.azure["traffic"] is None


def test_alerts_of_before_and_of_little_weight_do_not_end_a_release(rig: ScriptRig) -> None:
    rig.set_azure(alerts=[an_alert(minutes_ago=5), an_alert("Sev2")])
    assert rig.run("release").returncode == 0


def test_a_plan_that_is_not_to_be_trusted_goes_back_by_itself(rig: ScriptRig) -> None:
    rig.set_smokes(0, 1)
    done = rig.run("release")
    assert done.returncode == 1
    assert "going back" in done.stderr
    assert rig.azure["slots"] == {"production": OLD, "staging": NEW}


def test_a_rollback_swaps_back_and_smokes(rig: ScriptRig) -> None:
    rig.set_azure(slots={"production": NEW, "staging": OLD})
    done = rig.run("rollback")
    assert done.returncode == 0, done.stderr
    assert rig.azure["slots"] == {"production": OLD, "staging": NEW}
    assert f"production runs {OLD}" in done.stdout
    assert rig.azure["synchronised"] == ["production"]
    assert rig.smokes == [f"{PRODUCTION} key="]


def test_a_rollback_does_not_roll_forward(rig: ScriptRig) -> None:
    done = rig.run("rollback")
    assert done.returncode == 1
    assert "name the package: --to" in done.stderr
    assert rig.azure["slots"] == {"production": OLD, "staging": NEW}


def test_a_rollback_to_a_package_named_leaves_staging_alone(rig: ScriptRig) -> None:
    done = rig.run("rollback", "--to", NEW)
    assert done.returncode == 0, done.stderr
    assert rig.azure["slots"] == {"production": NEW, "staging": NEW}
    assert rig.azure["synchronised"] == ["production"]


def test_a_rollback_to_a_package_that_does_not_exist_changes_nothing(rig: ScriptRig) -> None:
    done = rig.run("rollback", "--to", "20250101-000000-nothing.zip")
    assert done.returncode == 1
    assert "there is no package" in done.stderr
    assert rig.azure["slots"] == {"production": OLD, "staging": NEW}


def test_packages_are_listed_newest_first(rig: ScriptRig) -> None:
    rig.set_azure(blobs={OLD: "", "released-package.zip": "", NEW: ""})
    listed = rig.run("rollback", "--list").stdout.splitlines()
    assert [line for line in listed if line.startswith("2")] == [NEW, OLD]


def test_a_deployment_goes_to_staging_under_a_name_that_sorts_by_age(rig: ScriptRig) -> None:
    done = rig.run("deploy", a_package(rig))
    assert done.returncode == 0, done.stderr
    name = done.stdout.strip()
    assert re.fullmatch(r"\d{8}-\d{6}-([0-9a-f]{12}|unknown)\.zip", name)
    assert name > NEW
    assert rig.azure["blobs"][name] == "newest"
    assert rig.azure["slots"] == {"production": OLD, "staging": name}
    assert rig.azure["synchronised"] == ["staging"]


def test_the_first_deployment_goes_to_production(rig: ScriptRig) -> None:
    rig.set_azure(slots={"production": "", "staging": ""}, blobs={})
    done = rig.run("deploy", "--slot", "production", a_package(rig))
    assert rig.azure["slots"] == {"production": done.stdout.strip(), "staging": ""}
    assert rig.azure["synchronised"] == ["production"]


def test_a_deployment_of_nothing_says_how_to_make_it(rig: ScriptRig) -> None:
    done = rig.run("deploy", "nothing.zip")
    assert done.returncode == 1
    assert "infra/package makes it" in done.stderr
    assert "storage blob upload" not in rig.azure["calls"]


def test_on_flex_a_release_deploys_the_package_and_goes_back_when_its_plan_is_wrong(rig: ScriptRig) -> None:
    rig.set_azure(plan="flex", blobs={OLD: "old", NEW: "current"})
    rig.set_smokes(1)
    done = rig.run("release", a_package(rig))
    assert done.returncode == 1
    assert rig.azure["deployed"] == "current"
    assert rig.smokes[0] == f"{PRODUCTION} --plan key=key-of-production"


def test_on_flex_a_release_needs_the_package(rig: ScriptRig) -> None:
    rig.set_azure(plan="flex")
    assert "name the package" in rig.run("release").stderr


def test_on_flex_a_rollback_needs_something_to_go_back_to(rig: ScriptRig) -> None:
    rig.set_azure(plan="flex", blobs={NEW: "new"})
    assert "nothing to go back to" in rig.run("rollback").stderr


def test_the_packages_that_run_are_told_to_the_next_deployment_of_the_template(rig: ScriptRig) -> None:
    assert rig.run("packages").stdout.splitlines() == [
        f"export PRODUCTION_PACKAGE={OLD}",
        f"export STAGING_PACKAGE={NEW}",
    ]


def test_before_the_first_provisioning_azd_has_no_packages_to_tell(rig: ScriptRig) -> None:
    rig.set_azure(plan="")
    assert rig.run("packages", "--azd", AZURE_RESOURCE_GROUP="").returncode == 0
    assert rig.run("packages", "--azd").returncode == 0


@pytest.mark.parametrize("script", ["packages", "deploy", "release", "rollback", "watch"])
def test_without_a_resource_group_or_an_app_the_scripts_say_so(rig: ScriptRig, script: str) -> None:
    done = rig.run(script, "x.zip", AZURE_RESOURCE_GROUP="")
    assert done.returncode == 1
    assert "AZURE_RESOURCE_GROUP" in done.stderr


def test_no_key_is_printed(rig: ScriptRig) -> None:
    done = rig.run("release")
    assert "key-of" not in done.stdout + done.stderr


def test_after_provisioning_nothing_is_deployed_where_something_runs(rig: ScriptRig) -> None:
    done = rig.run("first-release")
    assert done.returncode == 0, done.stderr
    assert f"production runs {OLD}" in done.stdout
    assert rig.azure["slots"] == {"production": OLD, "staging": NEW}


def test_after_provisioning_on_flex_nothing_is_deployed_where_packages_are(rig: ScriptRig) -> None:
    rig.set_azure(plan="flex")
    assert f"production runs {NEW}" in rig.run("first-release").stdout
    assert rig.azure["deployed"] is None


def test_scripts_can_be_run_and_stop_at_the_first_error() -> None:
    scripts = [path for path in INFRA.iterdir() if path.is_file() and not path.suffix]
    assert {"deploy", "release", "rollback", "watch"} <= {path.name for path in scripts}
    for path in scripts:
        assert os.access(path, os.X_OK), path.name
        assert "set -euo pipefail" in path.read_text(), path.name

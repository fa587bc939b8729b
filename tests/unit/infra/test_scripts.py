"""Deploying, releasing, going back: what the scripts do to slots and packages."""

from __future__ import annotations

import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.real_parts import PROJECT
from tests.unit.infra.bicep import INFRA
from tests.unit.infra.script_rig import NEW, OLD, OLDER, ScriptRig

PRODUCTION, STAGING = "https://func-x.azurewebsites.net", "https://func-x-staging.azurewebsites.net"


@pytest.fixture
def rig(tmp_path: Path) -> ScriptRig:
    return ScriptRig(tmp_path)


def an_alert(
    severity: str = "Sev1", *, at: str = "2999-01-01T00:00:00Z", name: str = "alert-run-failed"
) -> dict[str, Any]:
    """One that fires while the release is watched, unless `at` says otherwise."""
    essentials = {
        "severity": severity,
        "startDateTime": at,
        "alertRule": f"/subscriptions/s1/resourceGroups/rg1/providers/microsoft.insights/rules/{name}",
    }
    return {"name": "5c8dd2f5-0d3c-4b8c-8d30-000000000000", "properties": {"essentials": essentials}}


def a_package(rig: ScriptRig, stamp: dict[str, str] | None = None) -> str:
    with zipfile.ZipFile(rig.folder / "app.zip", "w") as package:
        package.writestr("host.json", "{}")
        if stamp:
            package.writestr("shared/build.json", json.dumps(stamp))
    return "app.zip"


def test_a_release_swaps_what_was_smoked_in_staging_and_smokes_production_with_a_plan(rig: ScriptRig) -> None:
    done = rig.run("release")
    assert done.returncode == 0, done.stderr
    assert rig.azure["slots"] == {"production": NEW, "staging": OLD}
    assert rig.azure["synchronised"] == ["production"]
    # Each answers with the package that it should run: for a while after a swap it may be the one before.
    assert rig.smokes == [
        f"{STAGING} --package {NEW} key=key-of-staging",
        f"{PRODUCTION} --plan --package {NEW} key=key-of-production",
    ]


def test_a_release_gives_staging_a_tenth_of_the_traffic_before_the_swap_and_takes_it_back(
    rig: ScriptRig,
) -> None:
    rig.run("release")
    calls = rig.azure["calls"]
    order = [
        "webapp traffic-routing set",
        "rest get",
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


@pytest.mark.parametrize("severity", ["Sev0", "Sev1", "Sev2"])
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
    rig.set_azure(
        alerts=[
            an_alert(at="2026-01-01T00:00:00Z"),
            an_alert("Sev3"),
            an_alert("Sev2", name="alert-run-held"),
        ]
    )
    assert rig.run("release").returncode == 0


SWAP = "functionapp deployment slot swap"


@pytest.mark.parametrize(
    ("trouble", "smokes"),
    [
        pytest.param({}, (1,), id="the plan is not to be trusted"),
        pytest.param({"alerts": [an_alert()]}, (), id="an alert fires"),
        pytest.param({"lost": SWAP}, (), id="the swap was done, its answer lost"),
        pytest.param({"failing": {SWAP: 1}}, (), id="the swap was not done"),
        pytest.param({"failing": {"rest post": 3}}, (), id="triggers cannot be synchronised"),
        pytest.param({"failing": {"rest get": 3}}, (), id="alerts cannot be read"),
        pytest.param({"failing": {"functionapp keys list": 3}}, (), id="production's key cannot be read"),
    ],
)
def test_whatever_fails_after_the_swap_leads_back(
    rig: ScriptRig, trouble: dict[str, Any], smokes: tuple[int, ...]
) -> None:
    rig.set_azure(**trouble)
    rig.set_smokes(*smokes)
    done = rig.run("release", "--only", "swap")
    assert done.returncode == 1
    assert f"going back to {OLD}" in done.stderr
    assert rig.azure["slots"] == {"production": OLD, "staging": NEW}
    assert rig.azure["synchronised"][-1] == "production"
    assert rig.smokes[-1] == f"{PRODUCTION} --package {OLD} --unstamped key="


@pytest.mark.parametrize(
    "failing",
    [
        {"rest post": 2},
        {"rest get": 1},
        {"functionapp keys list": 2},
        {"webapp traffic-routing clear": 1},
    ],
    ids=str,
)
def test_what_a_restarting_host_or_a_passing_fault_refuses_is_asked_again(
    rig: ScriptRig, failing: dict[str, int]
) -> None:
    rig.set_azure(failing=failing)
    done = rig.run("release")
    assert done.returncode == 0, done.stderr
    assert rig.azure["slots"] == {"production": NEW, "staging": OLD}
    assert rig.azure["synchronised"] == ["production"]


def test_alerts_that_cannot_be_read_are_no_success(rig: ScriptRig) -> None:
    rig.set_azure(failing={"rest get": -1})
    done = rig.run("release")
    assert done.returncode == 1
    assert "nobody watches this release" in done.stderr
    assert "production was not touched" in done.stderr
    assert rig.azure["traffic"] is None


def test_a_release_that_is_stopped_in_its_canary_takes_the_traffic_back(rig: ScriptRig) -> None:
    rig.set_azure(stopped_at="rest get")
    done = rig.run("release")
    assert done.returncode == 143
    assert "production was not touched" in done.stderr
    assert rig.azure["traffic"] is None
    assert SWAP not in rig.azure["calls"]


@pytest.mark.parametrize("when", [SWAP, "rest post", "rest get"])
def test_a_release_that_is_stopped_after_the_swap_goes_back(rig: ScriptRig, when: str) -> None:
    rig.set_azure(stopped_at=when)
    done = rig.run("release", "--only", "swap")
    assert done.returncode == 143
    assert rig.azure["slots"] == {"production": OLD, "staging": NEW}
    assert f"production runs {OLD}" in done.stdout


def test_where_the_traffic_cannot_be_taken_back_the_way_is_said(rig: ScriptRig) -> None:
    rig.set_azure(signed_out_after="webapp traffic-routing set")
    done = rig.run("release")
    assert done.returncode == 1
    assert f"staging may still get 10 % of the traffic; to end that: infra/rollback -g rg1 --to {OLD}" in (
        done.stderr
    )


def test_a_sign_in_that_expires_after_the_swap_says_what_runs_and_the_one_command(rig: ScriptRig) -> None:
    rig.set_azure(signed_out_after=SWAP)
    done = rig.run("release")
    assert done.returncode == 1
    assert "AADSTS700024" in done.stderr
    assert "az login" in done.stderr
    assert done.stderr.endswith(f"infra/rollback -g rg1 --to {OLD}\n")
    rig.set_azure(slots=rig.azure["slots"])  # signed in again
    assert rig.run("rollback", "--to", OLD).returncode == 0
    assert rig.azure["slots"] == {"production": OLD, "staging": NEW}


@pytest.mark.parametrize(
    ("trouble", "smokes", "state"),
    [
        ({"failing": {SWAP: 1}}, (), f"production ran {NEW} when it was last seen"),
        ({"failing": {"rest post": -1}}, (), f"production runs {OLD}, but perhaps not its timers"),
        ({}, (1,), f"production runs {OLD} and does not answer as it should"),
        ({"failing": {"functionapp config appsettings list": 1}}, (), "could not be read"),
    ],
)
def test_a_rollback_that_fails_says_what_runs_and_the_one_command(
    rig: ScriptRig, trouble: dict[str, Any], smokes: tuple[int, ...], state: str
) -> None:
    rig.set_azure(slots={"production": NEW, "staging": OLD}, **trouble)
    rig.set_smokes(*smokes)
    done = rig.run("rollback", "--to", OLD)
    assert done.returncode == 1
    assert state in done.stderr
    assert done.stderr.endswith(f"infra/rollback -g rg1 --to {OLD}\n")


def test_a_release_in_two_steps_swaps_in_the_second(rig: ScriptRig) -> None:
    assert rig.run("release", "--only", "canary").returncode == 0
    assert rig.azure["slots"] == {"production": OLD, "staging": NEW}
    assert rig.azure["traffic"] is None
    assert rig.run("release", "--only", "swap").returncode == 0
    assert rig.azure["slots"] == {"production": NEW, "staging": OLD}


def test_a_machine_that_the_app_does_not_let_in_releases_nothing(rig: ScriptRig) -> None:
    done = rig.run("release", REFUSED="1")
    assert done.returncode == 1
    assert "production was not touched" in done.stderr
    assert "webapp traffic-routing set" not in rig.azure["calls"]


def test_a_rollback_swaps_back_and_smokes(rig: ScriptRig) -> None:
    rig.set_azure(slots={"production": NEW, "staging": OLD})
    done = rig.run("rollback")
    assert done.returncode == 0, done.stderr
    assert rig.azure["slots"] == {"production": OLD, "staging": NEW}
    assert f"production runs {OLD}" in done.stdout
    assert rig.azure["synchronised"] == ["production"]
    assert rig.smokes == [f"{PRODUCTION} --package {OLD} --unstamped key="]


def test_a_rollback_does_not_roll_forward(rig: ScriptRig) -> None:
    done = rig.run("rollback")
    assert done.returncode == 1
    assert "name the package: --to" in done.stderr
    assert rig.azure["slots"] == {"production": OLD, "staging": NEW}


def test_a_rollback_to_a_package_that_no_slot_holds_leaves_staging_alone(rig: ScriptRig) -> None:
    rig.set_azure(blobs={OLDER: "older", OLD: "old", NEW: "new"})
    done = rig.run("rollback", "--to", OLDER)
    assert done.returncode == 0, done.stderr
    assert rig.azure["slots"] == {"production": OLDER, "staging": NEW}
    assert rig.azure["synchronised"] == ["production"]


def test_a_rollback_may_be_repeated(rig: ScriptRig) -> None:
    rig.set_azure(slots={"production": NEW, "staging": OLD})
    for _ in range(2):
        assert rig.run("rollback", "--to", OLD).returncode == 0
        assert rig.azure["slots"] == {"production": OLD, "staging": NEW}
    assert rig.azure["synchronised"] == ["production", "production"]


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
    assert re.fullmatch(r"\d{8}-\d{6}-unknown\.zip", name)
    assert name > NEW
    assert rig.azure["blobs"][name] == (rig.folder / "app.zip").read_text("latin-1")
    assert rig.azure["slots"] == {"production": OLD, "staging": name}
    assert rig.azure["synchronised"] == ["staging"]


def test_a_package_has_the_name_of_the_commit_that_it_was_made_of_not_of_the_checkout(rig: ScriptRig) -> None:
    commit = "0123456789ab.changed"
    name = rig.run("deploy", a_package(rig, {"commit": commit, "date": "2026-11-29"})).stdout.strip()
    assert re.fullmatch(rf"\d{{8}}-\d{{6}}-{commit}\.zip", name)


DAMAGED = "error: app.zip is no package, or a damaged one; infra/package makes one\n"


@pytest.mark.parametrize("stamp", ["{", "[]"])
def test_a_package_with_a_damaged_stamp_is_not_deployed(rig: ScriptRig, stamp: str) -> None:
    with zipfile.ZipFile(rig.folder / "app.zip", "w") as package:
        package.writestr("shared/build.json", stamp)
    assert rig.run("deploy", "app.zip").stderr == DAMAGED


def test_a_file_that_is_no_package_is_not_deployed(rig: ScriptRig) -> None:
    (rig.folder / "app.zip").write_text("half a downloa")
    done = rig.run("deploy", "app.zip")
    assert (done.returncode, done.stderr) == (1, DAMAGED)
    assert "storage blob upload" not in rig.azure["calls"]


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
    assert f"going back to {NEW}" in done.stderr
    assert rig.azure["deployed"] == "current"
    deployed = max(rig.azure["blobs"])
    assert rig.smokes[0] == f"{PRODUCTION} --plan --package {deployed} key=key-of-production"


def test_on_flex_a_release_needs_the_package_and_with_a_slot_it_takes_none(rig: ScriptRig) -> None:
    assert "infra/deploy FILE.zip first" in rig.run("release", a_package(rig)).stderr
    assert rig.azure["slots"] == {"production": OLD, "staging": NEW}
    rig.set_azure(plan="flex")
    assert "name the package" in rig.run("release").stderr


@pytest.mark.parametrize("trouble", ["lost", "stopped_at"])
def test_on_flex_a_deployment_that_ends_half_way_is_followed_by_the_package_of_before(
    rig: ScriptRig, trouble: str
) -> None:
    rig.set_azure(plan="flex", **{trouble: "functionapp deployment source config-zip"})
    assert rig.run("release", a_package(rig)).returncode != 0
    assert rig.azure["deployed"] == "new"


def test_on_flex_a_rollback_takes_the_older_package_that_ran_last(rig: ScriptRig) -> None:
    """Not one that was released between them and taken back."""
    failed = "20260102-090000-cccccccccccc.zip"
    rig.set_azure(
        plan="flex",
        blobs={OLD: "old", failed: "failed", NEW: "new"},
        deployed_at={failed: "20260102090000", OLD: "20260102091500", NEW: "20260102100000"},
    )
    done = rig.run("rollback")
    assert done.returncode == 0, done.stderr
    assert rig.azure["deployed"] == "old"


def test_on_flex_a_rollback_needs_something_to_go_back_to(rig: ScriptRig) -> None:
    rig.set_azure(plan="flex", blobs={NEW: "new"}, deployed_at={NEW: "20260102100000"})
    assert "nothing to go back to" in rig.run("rollback").stderr


def test_the_packages_that_run_are_told_to_the_next_deployment_of_the_template(rig: ScriptRig) -> None:
    assert rig.run("packages").stdout.splitlines() == [
        f"export PRODUCTION_PACKAGE={OLD}",
        f"export STAGING_PACKAGE={NEW}",
    ]


AZD = {"AZURE_SUBSCRIPTION_ID": "s1", "AZURE_RESOURCE_GROUP": "rg1"}


def test_azd_is_told_the_packages_and_before_the_first_provisioning_that_there_are_none(
    rig: ScriptRig,
) -> None:
    rig.run("packages", "--azd", **AZD)
    assert rig.azd == [f"env set PRODUCTION_PACKAGE {OLD}", f"env set STAGING_PACKAGE {NEW}"]
    rig.set_azure(plan="")
    assert rig.run("packages", "--azd", **AZD).returncode == 0
    assert rig.azd[2:] == ["env set PRODUCTION_PACKAGE ", "env set STAGING_PACKAGE "]


@pytest.mark.parametrize("missing", AZD)
def test_azd_does_not_provision_where_it_cannot_be_known_what_runs(rig: ScriptRig, missing: str) -> None:
    done = rig.run("packages", "--azd", **AZD | {missing: ""})
    assert done.returncode == 1
    assert f"azd env set {missing}" in done.stderr
    assert not rig.azd


@pytest.mark.parametrize("script", ["packages", "first-release"])
def test_hooks_work_in_azds_subscription_and_say_when_az_does_not_know_it(
    rig: ScriptRig, script: str
) -> None:
    assert rig.run(script, **AZD).returncode == 0
    done = rig.run(script, **AZD | {"AZURE_SUBSCRIPTION_ID": "s2"})
    assert done.returncode == 1
    assert "the Azure CLI is not signed in to subscription s2" in done.stderr


@pytest.mark.parametrize("page", ["infra/README.md", "docs/runbook.md"])
def test_documentation_deploys_by_the_script_that_reads_what_runs(page: str) -> None:
    text = (PROJECT / page).read_text()
    assert "infra/provision" in text
    assert "deployment group create" not in text


def a_parameter_file(rig: ScriptRig, text: str | None = None) -> str:
    example = (INFRA / "example.bicepparam").read_text()
    (rig.folder / "x.bicepparam").write_text(example if text is None else text)
    return "x.bicepparam"


def test_the_template_is_deployed_again_with_the_packages_that_run(rig: ScriptRig) -> None:
    done = rig.run("provision", a_parameter_file(rig))
    assert done.returncode == 0, done.stderr
    assert rig.azure["deployments"] == [["create", OLD, NEW]]
    rig.run("provision", "x.bicepparam", "--what-if")
    assert rig.azure["deployments"][1:] == [["what-if", OLD, NEW]]


def test_the_template_is_deployed_the_first_time_without_packages(rig: ScriptRig) -> None:
    rig.set_azure(plan="")
    assert "first deployment" in rig.run("provision", a_parameter_file(rig)).stdout
    assert rig.azure["deployments"] == [["create", "", ""]]


@pytest.mark.parametrize("failing", ["functionapp list", "functionapp config appsettings list"])
@pytest.mark.parametrize("arguments", [("provision", "x.bicepparam"), ("packages", "--azd")])
def test_a_deployment_that_cannot_learn_what_runs_does_not_take_place(
    rig: ScriptRig, arguments: tuple[str, ...], failing: str
) -> None:
    a_parameter_file(rig)
    rig.set_azure(failing={failing: 1})
    done = rig.run(*arguments, **AZD)
    assert done.returncode == 1
    assert rig.azure["deployments"] == []
    assert not rig.azd


def test_a_parameter_file_that_names_the_packages_itself_is_refused(rig: ScriptRig) -> None:
    done = rig.run("provision", a_parameter_file(rig, "param packages = { production: '', staging: '' }"))
    assert done.returncode == 1
    assert "PRODUCTION_PACKAGE" in done.stderr
    assert rig.azure["deployments"] == []


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


NOT_ON_MACOS = {
    "GNU's realpath": r"\brealpath\b",
    "GNU's readlink -f": r"readlink -f",
    "GNU's date -d": r"\bdate\b.* (-d|--date)\b",
    "timeout": r"(^|[;&|(] *|\s)timeout \d",
    "GNU's sed -i": r"\bsed -i\b",
    "bash 4: arrays by name": r"\b(declare|local|typeset) -[A-Za-z]*[An]",
    "bash 4: mapfile": r"\b(mapfile|readarray)\b",
    "bash 4: case of letters": r"\$\{\w+(\^|,)",
    "bash 4: both outputs": r"&>>|\|&",
    "bash 4.2: -v": r"\[\[? -v ",
    "bash 4.3: wait -n": r"\bwait -n\b",
    "bash 4.4: an empty array is an unset variable before": r'(?<!\+)"\$\{\w+\[@\]\}"',
}
"""What macOS's bash 3.2 and its tools do not have."""


@pytest.mark.parametrize("what", NOT_ON_MACOS)
def test_scripts_run_on_macos(what: str) -> None:
    scripts = [path for path in INFRA.iterdir() if path.is_file() and path.suffix in ("", ".sh")]
    found = [
        f"{path.name}: {line}"
        for path in scripts
        for line in path.read_text().splitlines()
        if re.search(NOT_ON_MACOS[what], line.partition("# ")[0])
    ]
    assert not found

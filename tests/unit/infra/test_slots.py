"""Slots: staging never starts, plans or applies a run, and a swap leaves it so."""

from __future__ import annotations

import re

from shared.sync import paths
from tests.unit.infra.bicep import INFRA, Expr, read
from tests.unit.infra.functions import background_functions

PREMIUM = read("modules/function-premium.bicep")


def test_the_list_of_background_functions_is_the_apps() -> None:
    listed = read("modules/types.bicep").variables["backgroundFunctions"]
    assert set(listed) == background_functions()
    assert len(listed) == len(set(listed))


def test_staging_has_all_of_them_off_and_production_none() -> None:
    assert PREMIUM.variables["disabled"] == (
        "toObject(backgroundFunctions, name => 'AzureWebJobs.${name}.Disabled', name => 'true')"
    )
    (production,) = (one for one in PREMIUM.resource("app").children if one.symbol == "productionSettings")
    (staging,) = (one for one in PREMIUM.resource("staging").children if one.symbol == "stagingSettings")
    assert production.body["properties"] == Expr("union(settings, common, productionPackage)")
    assert staging.body["properties"] == Expr(
        "union(settings, common, stagingPackage, disabled, { ENVIRONMENT: 'staging' })"
    )


def test_a_swap_does_not_move_them() -> None:
    (names,) = (one for one in PREMIUM.resource("app").children if one.symbol == "slotNames")
    assert names.body == {"name": "slotConfigNames", "properties": {"appSettingNames": Expr("sticky")}}
    assert PREMIUM.variables["sticky"] == (
        "concat(map(backgroundFunctions, name => 'AzureWebJobs.${name}.Disabled'),"
        " ['ENVIRONMENT', 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'])"
    )
    assert PREMIUM.resource("staging").body["dependsOn"] == [Expr("app::slotNames")]


def test_a_swap_does_move_the_package() -> None:
    assert "WEBSITE_RUN_FROM_PACKAGE" not in str(PREMIUM.variables["sticky"])
    assert "WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID" in PREMIUM.variables["common"]


def test_a_deployment_cannot_forget_the_packages() -> None:
    assert read("main.bicep").params["packages"][:2] == ("Packages", None)
    # Nor by the file that everybody copies: a variable that is not there stops it.
    example = (INFRA / "example.bicepparam").read_text()
    for name in ("PRODUCTION_PACKAGE", "STAGING_PACKAGE"):
        assert f"readEnvironmentVariable('{name}')" in example


def test_names_leave_the_hosts_id_whole() -> None:
    """The host cuts its id, the site's name with `-staging`, off after 32 characters."""
    name = read("main.bicep").variables["names"]["app"]
    assert name == "'func-${environmentName}-${take(token, 6)}'"
    decorators = read("main.bicep").params["environmentName"][2]
    (longest,) = (int(found[1]) for one in decorators if (found := re.fullmatch(r"@maxLength\((\d+)\)", one)))
    assert len("func-") + longest + len("-") + 6 + len("-staging") <= 32


def test_instances_are_evicted_for_their_own_fault_only() -> None:
    assert PREMIUM.variables["siteConfig"]["healthCheckPath"] == "/health"


def test_the_apps_code_runs_on_linux_with_the_newest_python_that_is_tested() -> None:
    assert PREMIUM.variables["siteConfig"]["linuxFxVersion"] == Expr("'Python|${pythonVersion}'")
    assert read("modules/types.bicep").variables["pythonVersion"] == "3.13"


def test_a_swap_waits_for_the_new_version_to_live_but_not_for_vista() -> None:
    """With /ready there would be no way back while Vista is away; infra/release asks it before the swap."""
    assert PREMIUM.variables["common"]["WEBSITE_SWAP_WARMUP_PING_PATH"] == "/health"
    assert PREMIUM.variables["common"]["WEBSITE_SWAP_WARMUP_PING_STATUSES"] == "200"
    assert "WEBSITE_SWAP" not in str(PREMIUM.variables["sticky"])


def test_the_documents_that_expire_are_those_of_runs() -> None:
    prefix = "runs/2"
    assert paths.run("20260131-120000-0a1b2c").startswith(prefix)
    assert not paths.ACTIVE.startswith(prefix)
    assert not paths.state("employees").startswith("runs/")
    assert paths.DEAD_LETTERS == "dead-letters/"

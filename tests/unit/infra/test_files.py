"""The Bicep files as a whole: described, current, complete, and without secrets in what they give out."""

from __future__ import annotations

import json
import re

import pytest

from tests.unit.infra.bicep import INFRA, Expr, File, files, read

API_VERSIONS = {
    "Microsoft.Web": "2025-03-01",
    "Microsoft.ServiceBus": "2026-01-01",
    "Microsoft.KeyVault": "2026-02-01",
    "Microsoft.Storage": "2026-04-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.Insights/metricAlerts": "2026-01-01",
    "Microsoft.Insights/activityLogAlerts": "2026-01-01",
    "Microsoft.Insights/scheduledQueryRules": "2026-03-01",
    "Microsoft.Insights/actionGroups": "2023-01-01",
    "Microsoft.Insights/webtests": "2022-06-15",
    "Microsoft.Insights/workbooks": "2023-06-01",
    "Microsoft.Insights/diagnosticSettings": "2021-05-01-preview",
    "Microsoft.OperationalInsights": "2026-03-01",
    "Microsoft.Cache/redisEnterprise": "2025-07-01",
    "Microsoft.ManagedIdentity": "2024-11-30",
    "Microsoft.Network/privateDnsZones": "2024-06-01",
    "Microsoft.Network": "2025-09-01",
    "Microsoft.Authorization": "2022-04-01",
    "Microsoft.App": "2026-01-01",
    "Microsoft.ContainerRegistry": "2025-11-01",
    "Microsoft.Consumption": "2026-06-01",
}
"""The newest stable ones of August 2026, one per service: a mixture is how properties get lost."""

LONGEST_FILE = 400
SECRET = re.compile(r"secret|password|token|sharedkey|webhook|connectionstring", re.IGNORECASE)


def ids(file: File) -> str:
    return file.path.name


@pytest.mark.parametrize("file", files(), ids=ids)
def test_every_parameter_is_described(file: File) -> None:
    undescribed = [
        name
        for name, (_, _, decorators) in file.params.items()
        if not any(one.startswith("@description(") for one in decorators)
    ]
    assert not undescribed


@pytest.mark.parametrize("file", files(), ids=ids)
def test_api_versions_are_the_newest_stable_ones(file: File) -> None:
    for resource in file.resources:
        service = max((one for one in API_VERSIONS if resource.type.startswith(one)), key=len)
        assert resource.version == API_VERSIONS[service], f"{resource.symbol}: {resource.type}"


@pytest.mark.parametrize("file", files(), ids=ids)
def test_secrets_come_in_marked_and_do_not_go_out(file: File) -> None:
    for name, (_, default, decorators) in file.params.items():
        if SECRET.search(name) and not name.startswith("secret"):
            assert "@secure()" in decorators, name
            assert default in (None, "")
    secure = {name for name, (_, _, decorators) in file.params.items() if "@secure()" in decorators}
    for name, value in file.outputs.items():
        assert not SECRET.search(name)
        assert not re.search(r"list\w+\(", str(value))
        assert not secure & set(re.findall(r"\w+", str(value)))


def test_settings_go_from_module_to_module_but_not_out_of_the_deployment() -> None:
    assert not [value for value in read("main.bicep").outputs.values() if "settings" in str(value)]


@pytest.mark.parametrize("file", files(), ids=ids)
def test_files_are_short(file: File) -> None:
    assert len(file.path.read_text().splitlines()) <= LONGEST_FILE


def test_every_module_is_used_and_every_parameter_of_a_module_exists() -> None:
    used = set()
    for file in files():
        for module in file.modules:
            path = (file.path.parent / module.path).resolve()
            used.add(path)
            target = read(str(path.relative_to(INFRA)))
            assert module.params.keys() <= target.params.keys(), f"{file.path.name}: {module.symbol}"
            required = {name for name, (_, default, _) in target.params.items() if default is None}
            assert required <= module.params.keys(), f"{file.path.name}: {module.symbol}"
    imported = {INFRA / "modules" / "types.bicep", INFRA / "modules" / "telemetry-names.bicep"}
    assert used | imported | {INFRA / "main.bicep"} == {file.path for file in files()}


def test_the_parameter_files_name_parameters_that_exist_and_all_that_have_no_default() -> None:
    parameters = read("main.bicep").params
    required = {name for name, (_, default, _) in parameters.items() if default is None}
    for_azd = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    example = (INFRA / "example.bicepparam").read_text()
    for_az = set(re.findall(r"^(?:// )?param (\w+) =", example, re.MULTILINE))
    for given in (set(for_azd), for_az):
        assert required <= given <= parameters.keys()


def test_the_three_kinds_of_hosting_exclude_each_other() -> None:
    app = read("modules/app.bicep")
    conditions = {module.symbol: module.condition for module in app.modules}
    assert conditions == {
        "settings": None,
        "signInIdentity": Expr("withSignIn"),
        "signIn": Expr("withSignIn && hosting != 'container'"),
        "premium": Expr("hosting == 'premium'"),
        "flex": Expr("hosting == 'flex'"),
        "container": Expr("hosting == 'container'"),
    }


def test_containers_are_scaled_on_both_queues_and_never_to_none() -> None:
    scale = read("modules/container-app.bicep").resource("app").body["properties"]["template"]["scale"]
    assert scale["minReplicas"] == Expr("zoneRedundant ? 2 : 1")
    assert scale["rules"].over == [Expr("queues.entity"), Expr("queues.batch")]
    assert scale["rules"].body["custom"]["type"] == "azure-servicebus"
    assert scale["rules"].body["custom"]["identity"] == Expr("identityId")


def test_flex_is_given_no_property_that_it_refuses() -> None:
    """Error 51021 names ftpsState and others, in some regions only; these three are taken everywhere. One
    more is sent where callers are restricted only."""
    site = read("modules/function-flex.bicep").resource("app").body["properties"]["siteConfig"]
    restrictions = {"ipSecurityRestrictions", "ipSecurityRestrictionsDefaultAction"}
    assert site.keys() <= {"minTlsVersion", "http20Enabled", *restrictions, "..."}
    assert site["..."] == ["(empty(restrictions) ? {} : { scmIpSecurityRestrictionsUseMain: true })"]


def test_replicas_of_a_container_share_one_host_id() -> None:
    variables = read("modules/container-app.bicep").variables
    assert "AzureFunctionsWebHost__hostid" in variables["hostId"]
    assert "hostId" in str(variables["environmentVariables"])


def test_nothing_that_azure_keeps_for_ever_comes_from_the_date_of_a_deployment() -> None:
    """A budget's start cannot be changed: a default of today would fail every deployment of a later month."""
    assert not [file.path.name for file in files() if "utcNow" in file.path.read_text()]


def test_the_repository_may_sign_in_with_another_prefix_than_its_name() -> None:
    (release,) = (one for one in read("main.bicep").modules if one.symbol == "release")
    assert "githubSubjectPrefix" in str(release.params["subjectPrefix"])

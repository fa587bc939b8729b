"""Role assignments: those that the app needs, each on the smallest thing that holds it, and no others."""

from __future__ import annotations

import json
import re

from tests.unit.infra.bicep import INFRA, Expr, File, Resource, files, read

ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
ROLE_ID = {
    "serviceBusDataOwner": "090c5cfd-751d-490a-894a-3ce6f1109419",
    "serviceBusDataReceiver": "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0",
    "serviceBusDataSender": "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
    "blobDataOwner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "blobDataContributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "blobDataReader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "queueDataContributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "tableDataContributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "secretsUser": "4633458b-17de-408a-b874-0445c86b69e6",
    "secretsOfficer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "metricsPublisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "websiteContributor": "de139f84-1756-47ae-9be6-808fbbe84772",
    "monitoringReader": "43d0d8ad-25c7-4714-9337-8ba259a9fe05",
    "reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "acrPull": "7f951dda-4ed3-4680-a7ca-43fe172d538d",
}
"""Azure's built-in roles. Owner, Contributor and User Access Administrator are not among them."""

QUEUE_ROLES = "serviceBusDataReceiver serviceBusDataSender, container: serviceBusDataOwner"

EXPECTED = {
    ("principalId", "hostStorage", "blobDataOwner queueDataContributor tableDataContributor"),
    ("principalId", "entityQueue", QUEUE_ROLES),
    ("principalId", "batchQueue", QUEUE_ROLES),
    ("principalId", "documents", "blobDataContributor"),
    ("principalId", "packages", "blobDataReader, flex: blobDataContributor"),
    ("principalId", "vault", "secretsUser"),
    ("principalId", "insights", "metricsPublisher"),
    ("principalId", "registry", "acrPull"),
    ("operatorId", "vault", "secretsOfficer"),
    ("operatorId", "documents", "blobDataReader"),
    ("operatorId", "packages", "blobDataContributor"),
    ("staging!.properties.principalId", "slot", "fill-slot"),
    ("staging!.properties.principalId", "app", "reader"),
    ("staging!.properties.principalId", "packagesAccount", "reader"),
    ("staging!.properties.principalId", "packages", "blobDataContributor"),
    ("production.properties.principalId", "app", "websiteContributor"),
    ("production.properties.principalId", "packages", "blobDataContributor"),
    ("production.properties.principalId", "the resource group", "monitoringReader"),
    ("validate.properties.principalId", "the resource group", "reader"),
    ("validate.properties.principalId", "the resource group", "what-if"),
}

LISTS = {
    "hostRoles": "blobDataOwner queueDataContributor tableDataContributor",
    "queueRoles": QUEUE_ROLES,
    "packagesRole": "blobDataReader, flex: blobDataContributor",
    "whatIf.id": "what-if",
    "fillSlot.id": "fill-slot",
}


def assignments() -> list[tuple[File, Resource]]:
    return [(file, one) for file in files() for one in file.of_type(ASSIGNMENT)]


def described(assignment: Resource) -> tuple[str, str, str]:
    """Who, on what, which roles."""
    properties = assignment.body["properties"]
    role = properties["roleDefinitionId"]
    found = re.fullmatch(r"subscriptionResourceId\('Microsoft.Authorization/roleDefinitions', (\S+)\)", role)
    name = found[1] if found else role
    if assignment.loop is not None:
        assert name == assignment.loop.variable
        name = assignment.loop.over
    return (
        str(properties["principalId"]),
        str(assignment.body.get("scope", "the resource group")),
        LISTS.get(name, name.removeprefix("role.")),
    )


def test_the_assignments_are_those_listed_and_no_others() -> None:
    assert {described(assignment) for _, assignment in assignments()} == EXPECTED
    assert len(assignments()) == len(EXPECTED)


def test_lists_of_roles_hold_what_they_are_taken_for() -> None:
    variables = read("modules/roles.bicep").variables
    assert variables["hostRoles"] == [
        Expr("role.blobDataOwner"),
        Expr("role.queueDataContributor"),
        Expr("role.tableDataContributor"),
    ]
    assert variables["queueRoles"] == (
        "hosting == 'container' ? [role.serviceBusDataReceiver, role.serviceBusDataSender, "
        "role.serviceBusDataOwner] : [role.serviceBusDataReceiver, role.serviceBusDataSender]"
    )
    assert variables["packagesRole"] == "hosting == 'flex' ? role.blobDataContributor : role.blobDataReader"


def test_ids_of_roles_are_azures() -> None:
    for name in ("roles", "release", "registry-role"):
        roles = read(f"modules/{name}.bicep").variables["role"]
        assert roles == {role: ROLE_ID[role] for role in roles}


def test_scopes_are_queues_and_containers_where_the_role_would_fit_a_whole_account() -> None:
    roles = read("modules/roles.bicep")
    types = {
        name: roles.resource(name).type for name in ("entityQueue", "batchQueue", "documents", "packages")
    }
    container = "Microsoft.Storage/storageAccounts/blobServices/containers"
    queue = "Microsoft.ServiceBus/namespaces/queues"
    assert types == {"entityQueue": queue, "batchQueue": queue, "documents": container, "packages": container}


def test_names_are_the_same_at_every_deployment_and_say_what_the_principal_is() -> None:
    for _, assignment in assignments():
        properties = assignment.body["properties"]
        assert re.fullmatch(r"guid\(.+\.id, .+\)", assignment.body["name"]), assignment.symbol
        wanted = Expr("operatorType") if properties["principalId"] == "operatorId" else "ServicePrincipal"
        assert properties["principalType"] == wanted


def test_the_what_if_role_changes_nothing() -> None:
    (permission,) = read("modules/release.bicep").resource("whatIf").body["properties"]["permissions"]
    assert permission["actions"] == [
        "Microsoft.Resources/deployments/read",
        "Microsoft.Resources/deployments/validate/action",
        "Microsoft.Resources/deployments/whatIf/action",
    ]


def test_staging_cannot_touch_production() -> None:
    """Neither by its own role, which is on the slot and swaps nothing, nor by a role on the app."""
    release = read("modules/release.bicep")
    (permission,) = release.resource("fillSlot").body["properties"]["permissions"]
    assert permission["actions"] == [
        "Microsoft.Web/sites/slots/read",
        "Microsoft.Web/sites/slots/config/*",
        "Microsoft.Web/sites/slots/host/*",
    ]
    slot = release.resource("slot").body
    assert (slot["parent"], slot["name"]) == ("app", "staging")
    on_app = {who: roles for who, what, roles in EXPECTED if what == "app"}
    assert on_app["staging!.properties.principalId"] == "reader"


def test_each_environment_signs_in_as_an_identity_of_its_own() -> None:
    release = read("modules/release.bicep")
    for name in ("staging", "production"):
        credential = release.resource(f"{name}SignIn").body
        assert credential["parent"] == name
        assert credential["properties"]["subject"] == f"'${{subjectPrefix}}:environment:{name}'"


def test_an_operator_may_be_a_service_principal() -> None:
    for name in ("main.bicep", "modules/roles.bicep"):
        _, _, decorators = read(name).params["operatorType"]
        assert "@allowed(['User', 'Group', 'ServicePrincipal'])" in [str(one) for one in decorators]
    for_azd = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    assert for_azd["operatorType"]["value"] == "${AZURE_PRINCIPAL_TYPE=User}"


def test_only_the_apps_identity_may_use_redis() -> None:
    redis = read("modules/redis.bicep")
    assert redis.resource("access").body["properties"] == {
        "accessPolicyName": "default",
        "user": {"objectId": Expr("principalId")},
    }
    (module,) = (one for one in read("main.bicep").modules if one.symbol == "cache")
    assert module.params["principalId"] == Expr("identity.outputs.principalId")

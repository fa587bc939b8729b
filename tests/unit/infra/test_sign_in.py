"""Signing in, in Azure: what stands before the app in each size, and that the app is told the truth of it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from shared.config import load_settings
from shared.sign_in import ROLES, is_entra, platform_signs_in
from tests.unit.infra.bicep import INFRA, Expr, Resource, read
from tests.unit.infra.bicep_values import Refused
from tests.unit.infra.deployed import SIZES, Scope, deployment
from tests.unit.infra.test_settings import SETTINGS

CLIENT_ID = "11111111-2222-4333-8444-555555555555"
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
SIGN_IN = read("modules/sign-in.bicep")
CONTAINER = read("modules/container-app.bicep")


def with_sign_in(size: str, **parameters: Any) -> Scope:
    return deployment(size, signIn="entra", signInClientId=CLIENT_ID, **parameters)


def app_of(main: Scope) -> Scope:
    return main.inner("app", identityId="/identity", workspaceId="/w", subnetId="", redisHost="")


def before_the_app(size: str) -> dict[str, Any]:
    """The authentication that a size has."""
    if size == "container":
        return dict(CONTAINER.resource("signIn").body["properties"])
    return dict(SIGN_IN.variables["authentication"])


@pytest.mark.parametrize("size", SIZES)
def test_by_default_nothing_of_it_is_there(size: str) -> None:
    main = deployment(size)
    assert (main.name("signIn"), main.name("signInClientId")) == ("keys", "")
    app = app_of(main)
    assert not {"signIn", "signInIdentity"} & app.modules()
    assert app.name("signInSettings") == {}
    assert app.name("withSignIn") is False
    for given in (value for key, value in app.file.variables["registration"].items() if key != "clientId"):
        assert re.fullmatch(r"withSignIn \? signInIdentity!\.outputs\.\w+ : ''", given)


@pytest.mark.parametrize("size", SIZES)
def test_every_size_signs_people_in_when_asked_to(size: str) -> None:
    app = app_of(with_sign_in(size))
    assert "signInIdentity" in app.modules()
    assert ("signIn" in app.modules()) == (size != "container")
    if size != "container":
        assert app.inner("signIn", names={}).name("hasStaging") is (size == "slots")


@pytest.mark.parametrize("size", SIZES)
def test_everybody_is_let_through_to_the_apps_own_guard(size: str) -> None:
    """Else a caller with only a key would get 401 before the host sees the key, and probes too."""
    found = before_the_app(size)
    assert found["platform"]["enabled"] is True
    assert found["globalValidation"]["unauthenticatedClientAction"] == "AllowAnonymous"
    assert found["globalValidation"].get("requireAuthentication", False) is False
    assert found["httpSettings"] == {"requireHttps": True}
    assert set(found["identityProviders"]) == {"azureActiveDirectory"}
    entra = found["identityProviders"]["azureActiveDirectory"]
    client = "registration.clientId" if size == "container" else "clientId"
    assert entra["registration"]["clientId"] == client
    assert "tenant().tenantId" in entra["registration"]["openIdIssuer"]
    assert entra["validation"] == {"allowedAudiences": [f"'api://${{{client}}}'"]}


def test_both_slots_have_the_same_whether_or_not_a_swap_moves_it() -> None:
    on_app, on_staging = SIGN_IN.resource("onApp"), SIGN_IN.resource("onStaging")
    for one, kind in ((on_app, "sites/config"), (on_staging, "sites/slots/config")):
        assert one.type == f"Microsoft.Web/{kind}"
        assert one.body["name"] == "authsettingsV2"
        assert one.body["properties"] == Expr("authentication")
    assert (on_app.condition, on_staging.condition) == (None, Expr("hasStaging"))


def test_no_secret_is_anywhere_but_an_identity_of_its_own() -> None:
    setting = SIGN_IN.variables["authentication"]["identityProviders"]["azureActiveDirectory"]
    name = setting["registration"]["clientSecretSettingName"]
    settings = read("modules/app.bicep").variables["signInSettings"]
    assert f"{name}: registration.identityClientId" in settings
    assert name in read("modules/function-premium.bicep").variables["sticky"]
    assert CONTAINER.resource("signIn").body["properties"]["identityProviders"]["azureActiveDirectory"][
        "registration"
    ]["clientSecretSettingName"] == Expr("identitySecret")
    secrets = CONTAINER.resource("app").body["properties"]["configuration"]["secrets"]
    assert secrets == "withSignIn ? [{ name: identitySecret, value: registration.identityClientId }] : []"
    assert (
        read("main.bicep").variables["names"]["signInIdentity"]
        != read("main.bicep").variables["names"]["identity"]
    )
    assert "signInIdentity" not in (INFRA / "modules" / "roles.bicep").read_text()


@pytest.mark.parametrize(
    ("file", "symbols"),
    [("function-flex", ["app"]), ("function-premium", ["app", "staging"]), ("container-app", ["app"])],
)
def test_the_app_has_that_identity_too_where_people_sign_in(file: str, symbols: list[str]) -> None:
    found = read(f"modules/{file}.bicep")
    for symbol in symbols:
        given = found.resource(symbol).body["identity"]["userAssignedIdentities"]
        text = found.variables["identities"] if given == "identities" else given
        assert "'${identityId}': {}" in text
        assert "ignInIdentityId" in text or "registration.identityId" in text


@pytest.mark.parametrize("size", SIZES)
def test_the_app_lets_nobody_sign_in_until_the_platform_says_that_it_does(size: str) -> None:
    """Settings are there before the authentication is: until then headers come from anybody."""
    app = app_of(with_sign_in(size))
    module = app.module("settings")
    assert module is not None
    assert module.params["syncSettings"] == "union(signInSettings, syncSettings)"
    text = read("modules/app.bicep").variables["signInSettings"]
    assert text.count("SIGN_IN: 'entra'") == 2
    given = {**{name: "x" for name in SETTINGS}, "SIGN_IN": "entra"}
    assert is_entra(given)
    assert not platform_signs_in(given)
    assert "SIGN_IN_PROXY" not in text
    assert "WEBSITE_AUTH_ENABLED" not in "".join(path.read_text() for path in INFRA.rglob("modules/*.bicep"))


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"signIn": "entra"}, "signInClientId"),
        ({"signIn": "entra", "signInClientId": "my-app"}, "signInClientId"),
        ({"signInClientId": CLIENT_ID}, "signInClientId"),
        ({"syncSettings": {"SIGN_IN": "entra"}}, "syncSettings"),
        ({"syncSettings": {"WEBSITE_AUTH_ENABLED": "true"}}, "syncSettings"),
        ({"syncSettings": {"SIGN_IN_PROXY": "container-apps"}}, "syncSettings"),
        (
            {
                "signIn": "entra",
                "signInClientId": CLIENT_ID,
                "syncSettings": {"SIGN_IN_PROXY": "container-apps"},
            },
            "syncSettings",
        ),
    ],
)
def test_what_would_not_be_done_is_refused_by_its_name(parameters: dict[str, Any], named: str) -> None:
    with pytest.raises(Refused, match=f"^{named}: "):
        deployment("small", **parameters).name("tags")


def test_a_container_app_is_told_once_somebody_has_looked() -> None:
    proxy = {"SIGN_IN_PROXY": "container-apps"}
    assert with_sign_in("container", syncSettings=proxy).name("tags")
    settings = load_settings(
        {
            "SIGN_IN": "entra",
            **proxy,
            "SAFETYAMP_FQDN": "a",
            "SAFETYAMP_TOKEN": "a",
            "MS_GRAPH_TENANT_ID": "a",
            "MS_GRAPH_CLIENT_ID": "a",
            "MS_GRAPH_CLIENT_SECRET": "a",
            "VISTA_CONNECTION_STRING": "a",
        }
    )
    assert (settings.sign_in, settings.sign_in_proxy) == ("entra", "container-apps")


class TestRegistration:
    """`infra/registration*.json`, which the steps of infra/README.md send to Microsoft Graph."""

    FIRST, SECOND = (json.loads((INFRA / f"registration{part}.json").read_text()) for part in ("", "-cli"))

    def test_its_roles_are_the_apps_for_people_and_applications(self) -> None:
        roles = self.FIRST["appRoles"]
        assert [role["value"] for role in roles] == list(ROLES)
        assert len({role["id"] for role in roles}) == len(ROLES)
        for role in roles:
            assert role["isEnabled"] is True
            assert role["allowedMemberTypes"] == ["User", "Application"]
            assert role["displayName"]
            assert role["description"]

    def test_its_tokens_are_of_the_version_whose_issuer_is_trusted(self) -> None:
        for part in (self.FIRST, self.SECOND):
            assert part["api"]["requestedAccessTokenVersion"] == 2
        assert "/v2.0'" in (INFRA / "modules" / "sign-in.bicep").read_text()

    def test_the_sign_in_page_may_send_what_the_platform_asks_it_for(self) -> None:
        """With a secret, or an identity instead, App Service uses the hybrid flow, which wants ID tokens
        (azure-docs, configure-authentication-provider-aad.md); Graph's default is not to give any."""
        steps = (INFRA / "README.md").read_text().partition("## Signing in")[2]
        (update,) = re.findall(r"az ad app update [^`]*--web-redirect-uris[^`\n]*", steps)
        assert "--enable-id-token-issuance true" in update

    def test_the_command_line_may_ask_for_the_one_scope(self) -> None:
        (scope,) = self.FIRST["api"]["oauth2PermissionScopes"]
        assert (scope["value"], scope["isEnabled"]) == ("user_impersonation", True)
        assert self.SECOND["api"]["oauth2PermissionScopes"] == [scope]
        allowed = [{"appId": AZURE_CLI, "delegatedPermissionIds": [scope["id"]]}]
        assert self.SECOND["api"]["preAuthorizedApplications"] == allowed


def test_the_authentication_is_made_after_the_app() -> None:
    """Its parent is only named there."""
    parent: Resource = SIGN_IN.resource("app")
    assert parent.existing
    (module,) = (one for one in read("modules/app.bicep").modules if one.symbol == "signIn")
    text = (INFRA / "modules" / "app.bicep").read_text()
    assert "dependsOn: [premium, flex]" in text[text.index("module signIn '") :]
    assert module.condition == "withSignIn && hosting != 'container'"

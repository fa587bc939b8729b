"""What is promised to be private is, and nothing takes keys."""

from __future__ import annotations

import pytest

from tests.unit.infra.bicep import Expr, Resource, files, read, walk
from tests.unit.infra.deployed import PEERING, SIZES, WITH_PRIVATE_ENDPOINTS, deployment


@pytest.mark.parametrize("size", SIZES)
def test_everything_that_can_be_is_private_in_every_size_but_the_small_one(size: str) -> None:
    main, private = deployment(size), size in WITH_PRIVATE_ENDPOINTS
    assert main.inner("vault").name("private") is private
    assert main.inner("cache").name("private") is private
    storage = main.inner("storage")
    assert storage.inner("host").name("private") is private
    assert storage.inner("documents").name("private") is private
    assert storage.inner("packages").name("private") is False
    assert ("endpoints" in main.modules()) is private
    assert read("main.bicep").params["operatorAddresses"][1] == []


@pytest.mark.parametrize("size", SIZES)
def test_the_bus_is_private_where_it_is_premium(size: str) -> None:
    assert deployment(size).inner("bus").name("private") is False
    if size in WITH_PRIVATE_ENDPOINTS:
        premium = deployment(size, serviceBusSku="Premium")
        assert premium.inner("bus").name("private") is True
        assert "namespace" in premium.inner("endpoints").name("services")


@pytest.mark.parametrize(
    ("file", "symbol", "wanted"),
    [
        ("storage-account", "account", "private && empty(allowedAddresses) ? 'Disabled' : 'Enabled'"),
        ("key-vault", "vault", "private && empty(allowedAddresses) ? 'Disabled' : 'Enabled'"),
        ("redis", "cluster", "private ? 'Disabled' : 'Enabled'"),
        ("service-bus", "namespace", "private && sku == 'Premium' ? 'Disabled' : 'Enabled'"),
    ],
)
def test_what_is_private_has_no_public_endpoint(file: str, symbol: str, wanted: str) -> None:
    properties = read(f"modules/{file}.bicep").resource(symbol).body["properties"]
    assert properties["publicNetworkAccess"] == Expr(wanted)
    if "networkAcls" in properties:
        rules = properties["networkAcls"]
        assert rules["defaultAction"] == Expr("private ? 'Deny' : 'Allow'")
        assert rules["bypass"] == "None"
        assert rules["ipRules"].over == Expr("allowedAddresses")


def test_the_host_storage_has_no_public_exception() -> None:
    (host,) = (one for one in read("modules/storage.bicep").modules if one.symbol == "host")
    assert "allowedAddresses" not in host.params


def test_everything_private_has_an_endpoint() -> None:
    variables = read("modules/private-endpoints.bicep").variables
    assert {(one["target"], one["service"]) for one in variables["always"]} == {
        ("names.hostStorage", "blob"),
        ("names.hostStorage", "queue"),
        ("names.hostStorage", "table"),
        ("names.documentsStorage", "blob"),
        ("names.vault", "vault"),
    }
    assert [(one["target"], one["service"]) for one in variables["redis"]] == [
        ("names.redis", "redisEnterprise")
    ]
    assert [(one["target"], one["service"]) for one in variables["bus"]] == [("names.bus", "namespace")]


@pytest.mark.parametrize("redis", ["none", "single"])
@pytest.mark.parametrize("sku", ["Standard", "Premium"])
def test_each_endpoint_has_its_zone_and_no_zone_is_without_one(redis: str, sku: str) -> None:
    """A zone without an endpoint would hide the public name from the network."""
    endpoints = deployment("private", redis=redis, serviceBusSku=sku).inner("endpoints")
    services = endpoints.name("services")
    always = read("modules/private-endpoints.bicep").variables["always"]
    wanted = {one["service"] for one in always}
    wanted |= {"redisEnterprise"} if redis == "single" else set()
    wanted |= {"namespace"} if sku == "Premium" else set()
    assert set(services) == wanted
    assert len(services) == len(wanted)
    assert wanted <= endpoints.file.variables["allZones"].keys()
    assert endpoints.file.variables["endpoints"] == (
        "concat(always, withRedis ? redis : [], withBus ? bus : [])"
    )


def test_nothing_takes_keys_or_passwords() -> None:
    storage = read("modules/storage-account.bicep").resource("account").body["properties"]
    assert storage["allowSharedKeyAccess"] is False
    assert storage["allowBlobPublicAccess"] is False
    assert (
        read("modules/redis.bicep").resource("database").body["properties"]["accessKeysAuthentication"]
        == "Disabled"
    )
    assert (
        read("modules/service-bus.bicep").resource("namespace").body["properties"]["disableLocalAuth"] is True
    )
    assert (
        read("modules/key-vault.bicep").resource("vault").body["properties"]["enableRbacAuthorization"]
        is True
    )
    for name in ("premium", "flex"):
        file = read(f"modules/function-{name}.bicep")
        for site in (
            one for one in file.resources if one.type in ("Microsoft.Web/sites", "Microsoft.Web/sites/slots")
        ):
            policies = {child.body["name"]: child.body["properties"] for child in site.children}
            assert policies["ftp"] == policies["scm"] == {"allow": False}


@pytest.mark.parametrize(("hosting", "site"), [("premium", None), ("flex", "app")])
def test_whoever_is_not_among_the_allowed_addresses_is_kept_out(hosting: str, site: str | None) -> None:
    app = read("modules/app.bicep")
    (module,) = (one for one in app.modules if one.symbol == hosting)
    assert module.params["restrictions"] == Expr("restrictions")
    assert app.variables["restrictions"] == (
        "empty(allowedAddresses) ? [] : concat(callers, availabilityTests)"
    )
    file = read(f"modules/function-{hosting}.bicep")
    config = file.resource(site).body["properties"]["siteConfig"] if site else file.variables["siteConfig"]
    assert config["ipSecurityRestrictions"] == Expr("restrictions")
    assert config["ipSecurityRestrictionsDefaultAction"] == Expr("empty(restrictions) ? 'Allow' : 'Deny'")
    assert "scmIpSecurityRestrictionsUseMain" in str(config), "the site that takes packages is open"


def test_no_file_asks_for_a_key() -> None:
    for file in files():
        for value in walk([one.body for one in file.resources] + [file.variables, file.outputs]):
            if isinstance(value, Expr):
                assert "listKeys" not in value, file.path.name
                assert "listAccountSas" not in value, file.path.name


def test_secrets_survive_and_documents_of_runs_expire_but_not_the_state() -> None:
    vault = read("modules/key-vault.bicep").resource("vault").body["properties"]
    assert vault["enablePurgeProtection"] is True
    assert vault["enableSoftDelete"] is True
    runs, decisions = read("modules/storage.bicep").resource("expiry").body["properties"]["policy"]["rules"]
    for rule, days, folders in (
        (runs, "runRetentionDays", ["runs/2", "dead-letters/"]),
        (decisions, "decisionRetentionDays", ["decisions/"]),
    ):
        assert rule["definition"]["filters"]["prefixMatch"] == [
            Expr(f"'${{documentsContainer}}/{folder}'") for folder in folders
        ]
        assert rule["definition"]["actions"] == {
            "baseBlob": {"delete": {"daysAfterModificationGreaterThan": Expr(days)}}
        }
    blobs = read("modules/storage-account.bicep").resource("account").children[0].body["properties"]
    assert blobs["deleteRetentionPolicy"]["enabled"] is True
    assert blobs["containerDeleteRetentionPolicy"]["enabled"] is True


def test_redis_keeps_the_keys_of_limiter_and_breaker_and_suits_a_plain_client() -> None:
    assert read("modules/redis.bicep").resource("database").body["properties"] == {
        "clientProtocol": "Encrypted",
        "port": 10000,
        "clusteringPolicy": "EnterpriseCluster",
        "evictionPolicy": "NoEviction",
        "accessKeysAuthentication": "Disabled",
    }


class TestNetwork:
    GROUPS = read("modules/security-groups.bicep")

    def rules(self, symbol: str) -> list[dict[str, object]]:
        found: list[dict[str, object]] = [
            rule["properties"] for rule in self.GROUPS.resource(symbol).body["properties"]["securityRules"]
        ]
        return sorted(found, key=lambda rule: str(rule["priority"]).zfill(5))

    def test_its_subnets_are_closed_where_there_are_private_endpoints(self) -> None:
        for size in ("private", "slots"):
            assert "groups" in deployment(size).inner("network").modules()
            assert "groups" not in deployment(size, securityGroups=False).inner("network").modules()
        assert "groups" not in deployment("container").inner("network").modules()
        assert "groups" not in deployment("small", onPremises=PEERING).inner("network").modules()
        subnets = read("modules/network.bicep").resource("network").body["properties"]["subnets"]
        groups = {one["name"]: one["properties"].get("networkSecurityGroup") for one in subnets}
        assert groups == {
            "app": Expr("withGroups ? { id: groups!.outputs.appId } : null"),
            "endpoints": Expr("withGroups ? { id: groups!.outputs.endpointsId } : null"),
            "GatewaySubnet": None,
        }

    def test_out_go_the_network_https_and_the_bus_and_nothing_else(self) -> None:
        network, internet, rest = self.rules("app")
        assert all(rule["direction"] == "Outbound" for rule in (network, internet, rest))
        assert network["destinationAddressPrefix"] == "VirtualNetwork"
        assert internet["destinationPortRanges"] == Expr("outgoingPorts")
        assert (rest["access"], rest["destinationAddressPrefix"]) == ("Deny", "*")

    def test_a_vista_in_the_internet_is_reached_at_its_port_and_only_there(self) -> None:
        ports = {}
        for parameters in ({}, {"vistaPort": 14330}, {"onPremises": PEERING}):
            groups = deployment("private", **parameters).inner("network").inner("groups", networkName="n")
            ports[str(parameters)] = groups.name("outgoingPorts")[3:]
            assert groups.name("outgoingPorts")[:3] == ["443", "5671", "5672"]
        assert list(ports.values()) == [["1433"], ["14330"], []]

    def test_only_the_app_reaches_the_endpoints(self) -> None:
        app, rest = self.rules("endpoints")
        assert (app["access"], app["sourceAddressPrefix"]) == ("Allow", Expr("appPrefix"))
        assert app["destinationPortRanges"] == ["443", "5671", "5672", "10000"]
        assert (rest["access"], rest["sourceAddressPrefix"]) == ("Deny", "*")


def test_application_insights_takes_strangers_telemetry_only_while_nobody_turns_it_off() -> None:
    """Whether availability tests arrive without is not known, and an alert of severity 1 hangs on them."""
    insights: Resource = read("modules/monitoring.bicep").resource("insights")
    assert insights.body["properties"]["DisableLocalAuth"] == Expr("!localAuth")
    assert deployment().inner("monitoring").name("localAuth") is True
    assert deployment(insightsLocalAuth=False).inner("monitoring").name("localAuth") is False
    workspace = read("modules/monitoring.bicep").resource("workspace")
    assert workspace.body["properties"]["features"] == {"disableLocalAuth": True}

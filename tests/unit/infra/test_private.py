"""What is promised to be private is, and nothing takes keys."""

from __future__ import annotations

import pytest

from tests.unit.infra.bicep import Expr, files, read, walk


def module_params(file: str, symbol: str) -> dict[str, object]:
    (module,) = (one for one in read(file).modules if one.symbol == symbol)
    return module.params


def test_private_networking_is_on_unless_somebody_turns_it_off() -> None:
    assert read("main.bicep").params["privateNetworking"][1] is True
    assert read("main.bicep").params["operatorAddresses"][1] == []


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


@pytest.mark.parametrize(
    ("file", "symbol", "wanted"),
    [
        ("main.bicep", "vault", "privateNetworking"),
        ("main.bicep", "redis", "privateNetworking"),
        ("main.bicep", "bus", "privateBus"),
        ("modules/storage.bicep", "host", "privateNetworking"),
        ("modules/storage.bicep", "documents", "privateNetworking"),
    ],
)
def test_the_parameter_reaches_everything_that_it_promises(file: str, symbol: str, wanted: str) -> None:
    assert module_params(file, symbol)["private"] == Expr(wanted)


def test_only_the_account_of_the_packages_stays_public() -> None:
    public = [
        module.symbol for module in read("modules/storage.bicep").modules if not module.params["private"]
    ]
    assert public == ["packages"]
    assert module_params("main.bicep", "storage")["privateNetworking"] == Expr("privateNetworking")


def test_the_host_storage_has_no_public_exception() -> None:
    assert "allowedAddresses" not in module_params("modules/storage.bicep", "host")


def test_everything_private_has_an_endpoint() -> None:
    variables = read("modules/private-endpoints.bicep").variables
    assert {(one["target"], one["service"]) for one in variables["always"]} == {
        ("names.hostStorage", "blob"),
        ("names.hostStorage", "queue"),
        ("names.hostStorage", "table"),
        ("names.documentsStorage", "blob"),
        ("names.vault", "vault"),
        ("names.redis", "redisEnterprise"),
    }
    assert {one["service"] for one in variables["always"] + variables["bus"]} == variables["zoneNames"].keys()
    assert module_params("main.bicep", "endpoints")["withBus"] == Expr("privateBus")
    assert read("main.bicep").variables["privateBus"] == "privateNetworking && serviceBusSku == 'Premium'"


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
    (rule,) = read("modules/storage.bicep").resource("expiry").body["properties"]["policy"]["rules"]
    assert rule["definition"]["filters"]["prefixMatch"] == [
        Expr("'${documentsContainer}/runs/2'"),
        Expr("'${documentsContainer}/dead-letters/'"),
    ]
    assert rule["definition"]["actions"] == {
        "baseBlob": {"delete": {"daysAfterModificationGreaterThan": Expr("runRetentionDays")}}
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

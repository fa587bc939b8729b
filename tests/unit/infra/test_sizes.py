"""One parameter, `size`, decides what is deployed; nothing that was asked for is silently left out."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from local.fake_clock import FakeClock
from shared.config import Settings
from shared.errors import RateLimited
from shared.resilience.local_rate_limiter import LocalRateLimiter
from tests.real_parts import PROJECT
from tests.unit.infra.bicep import INFRA, Expr, read
from tests.unit.infra.bicep_values import Refused, value_of
from tests.unit.infra.deployed import PEERING, SIZES, VPN, WITH_PRIVATE_ENDPOINTS, Scope, deployment

ALWAYS = {"identity", "monitoring", "storage", "bus", "vault", "roles", "app", "watching"}
PLAN = {"small": "flex", "private": "flex", "slots": "premium", "container": "container"}
CALLS = Settings.model_fields["api_rate_limit_calls"].default
PERIOD = Settings.model_fields["api_rate_limit_period"].default
RESERVE = Settings.model_fields["api_rate_limit_reserve"].default


def app_of(main: Scope) -> Scope:
    return main.inner("app", redisHost="redis.example" if main.name("withRedis") else "")


def test_the_default_is_the_small_one() -> None:
    assert deployment().name("size") == "small"
    assert deployment().modules() == ALWAYS | {"cache"}


@pytest.mark.parametrize("size", WITH_PRIVATE_ENDPOINTS)
def test_the_other_sizes_add_the_network_and_its_private_endpoints(size: str) -> None:
    assert deployment(size).modules() == ALWAYS | {"cache", "network", "endpoints"}


@pytest.mark.parametrize("size", SIZES)
def test_each_size_has_its_plan_and_no_other(size: str) -> None:
    main = deployment(size)
    assert main.name("hosting") == PLAN[size]
    assert app_of(main).modules() == {"settings", PLAN[size]}
    assert read("main.bicep").outputs["HOSTING"] == Expr("hosting"), "scripts and workflows read it"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("way", [PEERING, VPN])
def test_a_way_to_vista_is_never_ignored(size: str, way: dict[str, Any]) -> None:
    """Every size makes the network that it needs; the small one without private endpoints."""
    main = deployment(size, onPremises=way, vpnSharedKey="0123456789abcdef")
    assert "network" in main.modules()
    assert ("vpn" in main.modules()) == (way is VPN)
    assert ("endpoints" in main.modules()) == (size != "small")
    assert main.value(Expr("empty(refusals)")) is True
    params = (
        read("main.bicep").modules[[one.symbol for one in read("main.bicep").modules].index("app")].params
    )
    assert params["subnetId"] == "withNetwork ? network!.outputs.appSubnetId : ''"


def test_a_fixed_outgoing_address_makes_the_network_too() -> None:
    assert "network" in deployment("small", fixedOutgoingAddress=True).modules()


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"onPremises": VPN, "vpnSharedKey": "too short"}, "vpnSharedKey"),
        ({"dnsServers": ["10.0.0.4"]}, "dnsServers"),
        ({"serviceBusSku": "Premium"}, "serviceBusSku"),
        ({"containerImage": "r.azurecr.io/x:1"}, "containerImage"),
        ({"size": "container", "containerImage": ""}, "containerImage"),
        ({"zoneRedundant": True, "redis": "none"}, "maximumInstances"),
        ({"size": "slots", "zoneRedundant": True, "maximumInstances": 1}, "maximumInstances"),
    ],
)
def test_what_would_not_be_done_is_refused_by_its_name(parameters: dict[str, Any], named: str) -> None:
    size = parameters.pop("size", "small")
    with pytest.raises(Refused, match=f"^{named}: "):
        deployment(size, **parameters).name("tags")


@pytest.mark.parametrize("size", SIZES)
def test_every_size_is_taken_with_its_defaults(size: str) -> None:
    assert deployment(size).name("tags")["application"] == "safetyamp-sync"


def test_a_refusal_keeps_everything_from_being_made() -> None:
    """Every module has the tags, or is about roles alone."""
    without = {one.symbol for one in read("main.bicep").modules if one.params.get("tags") != Expr("tags")}
    assert without == {"roles", "pull"}


class TestRedis:
    def test_it_is_in_every_size_unless_somebody_leaves_it_out(self) -> None:
        for size in SIZES:
            assert deployment(size).name("redis") == "single"
            assert "cache" in deployment(size).modules()
            assert "cache" not in deployment(size, redis="none").modules()

    def test_two_nodes_only_on_request(self) -> None:
        for nodes, two in (("single", False), ("replicated", True)):
            main = deployment("small", redis=nodes)
            assert main.inner("cache", principalId="x").name("highAvailability") is two

    def test_nothing_points_at_it_or_watches_it_when_it_is_not_there(self) -> None:
        main = deployment("private", redis="none")
        endpoints = main.inner("endpoints")
        assert "redisEnterprise" not in endpoints.name("services")
        watching = main.inner("watching")
        for symbol, anchor in (("logAlerts", "redis-away"), ("metricAlerts", "redis-memory")):
            assert watching.inner(symbol).name("withRedis") is False
            file = read(
                {"logAlerts": "modules/log-alerts.bicep", "metricAlerts": "modules/metric-alerts.bicep"}[
                    symbol
                ]
            )
            loop = file.resource("alerts").loop
            assert loop is not None
            assert loop.over == f"filter(rules, rule => withRedis || rule.anchor != '{anchor}')"
            assert anchor in str(file.variables["rules"])

    @pytest.mark.parametrize(
        ("size", "redis", "parameters", "wanted"),
        [
            ("small", "single", {}, 120),
            ("small", "single", {"maximumInstances": 3}, 9),
            ("small", "none", {}, 6),
            ("small", "none", {"maximumInstances": 40}, 240),
            ("private", "none", {}, 6),
            ("slots", "single", {}, 4),
            ("slots", "none", {}, 4),
            ("container", "single", {}, 3),
            ("container", "none", {}, 2),
        ],
    )
    def test_the_share_of_a_process_is_this(
        self, size: str, redis: str, parameters: dict[str, int], wanted: int
    ) -> None:
        """Flex: three groups of functions may call SafetyAmp, each scaling by itself. Staging: one."""
        assert app_of(deployment(size, redis=redis, **parameters)).name("maxProcesses") == wanted

    @pytest.mark.parametrize("size", SIZES)
    def test_without_redis_the_limit_is_kept_while_every_process_is_replaced(self, size: str) -> None:
        """All that can run call as often as they may, each is replaced by one that knows nothing of it, and
        these call at once too: SafetyAmp still sees no more than its limit."""
        app = app_of(deployment(size, redis="none"))
        clock, share = FakeClock(), 1 / app.name("maxProcesses")
        calls = sum(
            calls_at_once(LocalRateLimiter(clock, CALLS, PERIOD, RESERVE, share))
            for _ in range(2 * app.name("processes"))
        )
        assert 0 < calls <= CALLS


def calls_at_once(limiter: LocalRateLimiter) -> int:
    for made in itertools.count():
        try:
            limiter.acquire(interactive=True)
        except RateLimited:
            return made
    raise AssertionError


def test_flex_asks_for_as_many_instances_as_every_region_takes() -> None:
    """Some regions refuse a maximum below 40; without Redis each instance costs a share of the limit."""
    assert (
        deployment("small").name("maximumInstances") == deployment("private").name("maximumInstances") == 40
    )
    assert {deployment(size, redis="none").name("maximumInstances") for size in SIZES} == {1}
    assert (
        deployment("slots").name("maximumInstances") == deployment("container").name("maximumInstances") == 3
    )


def test_one_place_asks_a_small_installation_whether_it_is_ready_and_five_the_others() -> None:
    places = {}
    for size in SIZES:
        test = deployment(size).inner("watching").inner("availability")
        places[size] = (len(test.name("places")), test.name("failedPlaces"))
    assert places == {"small": (1, 1), "private": (5, 3), "slots": (5, 3), "container": (5, 3)}
    alert = read("modules/availability.bicep").resource("alert").body["properties"]["criteria"]
    assert alert["failedLocationCount"] == Expr("failedPlaces")
    assert (
        read("modules/availability.bicep").resource("test").body["properties"]["Locations"].over == "places"
    )


class TestZones:
    @pytest.mark.parametrize("size", SIZES)
    def test_nothing_is_spread_over_zones_unless_somebody_asks(self, size: str) -> None:
        for asked in (False, True):
            main = deployment(size, zoneRedundant=asked)
            assert app_of(main).inner(PLAN[size]).name("zoneRedundant") is asked
            storage = main.inner("storage")
            assert storage.name("sku") == ("Standard_ZRS" if asked else "Standard_LRS")

    def test_premium_then_has_two_instances(self) -> None:
        premium = read("modules/function-premium.bicep")
        assert premium.variables["alwaysOn"] == "zoneRedundant ? 2 : 1"
        assert premium.resource("plan").body["sku"]["capacity"] == Expr("alwaysOn")
        assert premium.resource("plan").body["properties"]["zoneRedundant"] == Expr("zoneRedundant")
        assert premium.variables["siteConfig"]["minimumElasticInstanceCount"] == Expr("alwaysOn")
        flex = read("modules/function-flex.bicep")
        assert flex.resource("plan").body["properties"]["zoneRedundant"] == Expr("zoneRedundant")


class TestContainers:
    def test_the_app_may_pull_its_first_image(self) -> None:
        main = deployment(
            "container", containerRegistryId="/subscriptions/s/resourceGroups/g/providers/p/t/reg"
        )
        assert main.inner("pull", principalId="x").name("registryName") == "reg"
        app = next(one for one in read("main.bicep").modules if one.symbol == "app")
        assert app_of(main).name("containerRegistry") is True
        assert "dependsOn: [roles, pull," in read("main.bicep").path.read_text()
        assert app.condition is None

    def test_a_public_registry_is_asked_without_the_identity(self) -> None:
        main = deployment("container")
        assert "pull" not in main.modules()
        assert (main.name("registry")[2], main.name("registry")[4]) == ("s", "g"), "Azure looks all the same"
        configuration = (
            read("modules/container-app.bicep").resource("app").body["properties"]["configuration"]
        )
        server = "[{ server: split(image, '/')[0], identity: identityId }]"
        assert configuration["registries"] == f"identityPulls ? {server} : []"


def test_the_readmes_table_of_sizes_is_true() -> None:
    table = (INFRA / "README.md").read_text().partition("## Sizes")[2].partition("\n- ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line]
    rows = [row for row in rows if len(row) == len(SIZES) + 1]
    assert [size in head for size, head in zip(SIZES, rows[0][1:], strict=True)] == [True] * 4
    said = {row[0]: dict(zip(SIZES, row[1:], strict=True)) for row in rows}
    for size in SIZES:
        main = deployment(size)
        places = main.inner("watching").inner("availability").name("places")
        assert said["output `HOSTING`"][size] == f"`{main.name('hosting')}`"
        assert said["Service Bus (`serviceBusSku`)"][size] == main.name("serviceBusSku")
        assert said["asked for `/ready` from"][size].split()[0] == str(len(places))
        most = said["instances, at most (`maximumInstances`)"][size]
        assert most.split()[0].strip(",") == str(main.name("maximumInstances"))
        assert said["storage, vault, Redis"][size].startswith("private") == main.name("privateEndpoints")
        assert said["virtual network"][size].startswith("yes") == main.name("withNetwork")
        assert said["Python"][size] == read("modules/types.bicep").variables["pythonVersion"]


def test_the_plans_run_the_python_that_packages_are_made_for() -> None:
    version = read("modules/types.bicep").variables["pythonVersion"]
    package = (PROJECT / "infra" / "package").read_text()
    assert f"--python-version {version} " in package
    assert "pythonVersion" not in read("main.bicep").params
    for plan in ("flex", "premium"):
        assert "pythonVersion" in read(f"modules/function-{plan}.bicep").path.read_text()


class TestValues:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("a == 'x' && !b || c > 2", True),
            ("b ? fail('no') : c * 2 + 1", 7),
            ("concat([c], b ? [1] : [], ['it\\'s'])", [3, "it's"]),
            ("{ one: c, 'two': [a] }.two[0]", "x"),
        ],
    )
    def test_expressions_have_the_values_that_bicep_gives_them(self, text: str, value: Any) -> None:
        assert value_of(text, {"a": "x", "b": False, "c": 3}.__getitem__) == value

    @pytest.mark.parametrize("text", ["a ==", "'${a}' ++", "map(a, b => c)", "unknown(a)", "a b"])
    def test_what_is_not_understood_is_an_error(self, text: str) -> None:
        with pytest.raises(SyntaxError):
            value_of(text, {"a": "x", "b": False, "c": 3}.__getitem__)

"""Service Bus: the queues of the code, with the limits that its handlers rely on, and no keys."""

from __future__ import annotations

from tests.unit.infra.bicep import Expr, read
from tests.unit.infra.deployed import SIZES, deployment

BUS = read("modules/service-bus.bicep")


def test_both_queues_are_made_and_no_other() -> None:
    queue = BUS.resource("queue")
    assert queue.loop is not None
    assert queue.loop.over == [Expr("queues.entity"), Expr("queues.batch")]
    assert queue.body["name"] == Expr(queue.loop.variable)
    assert len(BUS.of_type("Microsoft.ServiceBus/namespaces/queues")) == 1


def test_the_queues_have_the_limits_that_the_handlers_rely_on() -> None:
    wanted = {
        "lockDuration": "PT1M",
        "maxDeliveryCount": 10,
        "defaultMessageTimeToLive": "P2D",
        "deadLetteringOnMessageExpiration": True,
    }
    properties = BUS.resource("queue").body["properties"]
    assert {name: properties[name] for name in wanted} == wanted
    assert properties["..."] == [Expr("beyondBasic")]


def test_repeats_are_dropped_where_the_tier_can_and_basic_is_not_asked_to() -> None:
    """What the app does without is in tests/chaos/test_simulation.py."""
    for size in SIZES:
        sku = "Basic" if size == "small" else "Standard"
        assert deployment(size).inner("bus").name("sku") == sku
        beyond = deployment(size).inner("bus").name("beyondBasic")
        assert beyond == (
            {}
            if size == "small"
            else {
                "requiresDuplicateDetection": True,
                "duplicateDetectionHistoryTimeWindow": "P1D",
                "requiresSession": False,
                "enablePartitioning": False,
            }
        )
    assert deployment("small", serviceBusSku="Standard").inner("bus").name("beyondBasic")
    assert BUS.resource("namespace").body["sku"] == Expr(
        "sku == 'Premium' ? { name: sku, tier: sku, capacity: 1 } : { name: sku, tier: sku }"
    )


def test_the_bus_takes_no_keys() -> None:
    assert BUS.resource("namespace").body["properties"]["disableLocalAuth"] is True

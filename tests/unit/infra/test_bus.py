"""Service Bus: the queues of the code, with the limits that its handlers rely on, and no keys."""

from __future__ import annotations

from tests.unit.infra.bicep import Expr, read

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
        "requiresDuplicateDetection": True,
        "duplicateDetectionHistoryTimeWindow": "P1D",
        "defaultMessageTimeToLive": "P2D",
        "deadLetteringOnMessageExpiration": True,
        "requiresSession": False,
        "enablePartitioning": False,
    }
    properties = BUS.resource("queue").body["properties"]
    assert {name: properties[name] for name in wanted} == wanted


def test_the_bus_takes_no_keys() -> None:
    assert BUS.resource("namespace").body["properties"]["disableLocalAuth"] is True

"""What the doctor says of Service Bus: each queue on its own, and no message more in any of them."""

from __future__ import annotations

from typing import Any

import pytest

from local.fake_clock import FakeClock
from shared.doctor.service_bus import ADVICE, DEEP, QUICK
from shared.errors import Advised, BusError
from shared.runtime import Runtime
from shared.storage.service_bus import ServiceBusBus
from tests.unit.doctor_rig import DoctorRig
from tests.unit.engine_rig import REQUIRED

SETTINGS = {"entity-sync": "ENTITY_QUEUE", "change-batches": "BATCH_QUEUE"}


class AskedBus(ServiceBusBus):
    """A bus that is asked about its queues; `problems` are the errors of some. `asked` notes queue, and
    whether receiving was tried. A message cannot be sent."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.problems: dict[str, str] = {}
        self.asked: list[tuple[str, bool]] = []

    def check(self, queue: str, *, receive: bool) -> None:
        self.asked.append((queue, receive))
        self.clock.advance(0.2)
        if queue in self.problems:
            raise BusError(self.problems[queue])

    def send(self, messages: Any) -> None:
        raise NotImplementedError


class Rig(DoctorRig):
    def __init__(self, **settings: str) -> None:
        super().__init__(**settings)
        self.bus = AskedBus(self.clock)
        self.put(bus=self.bus)


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize(
    ("check", "receive", "told"),
    [(QUICK, False, "can be sent to"), (DEEP, True, "can be sent to and received from")],
    ids=["quick", "deep"],
)
def test_both_queues_are_tried_and_receiving_only_when_looked_at_deeply(
    rig: Rig, check: Any, receive: bool, told: str
) -> None:
    found = rig.findings(check)
    assert [(finding.check, finding.status, finding.seen) for finding in found] == [
        ("service_bus", "ok", f"queue {queue} {told}") for queue in SETTINGS
    ]
    assert [finding.latency_ms for finding in found] == [200, 200]
    assert [finding.settings for finding in found] == [("ENTITY_QUEUE",), ("BATCH_QUEUE",)]
    assert rig.bus.asked == [(queue, receive) for queue in SETTINGS]


def test_the_queues_are_those_of_the_settings() -> None:
    rig = Rig(ENTITY_QUEUE="one", BATCH_QUEUE="two")
    rig.findings(QUICK)
    assert [queue for queue, _ in rig.bus.asked] == ["one", "two"]


@pytest.mark.parametrize("queue", SETTINGS)
def test_a_queue_that_cannot_be_used_is_named_with_its_setting_and_the_other_is_still_tried(
    rig: Rig, queue: str
) -> None:
    rig.bus.problems[queue] = f"queue '{queue}' does not exist"
    found = rig.findings(DEEP)
    (failed,) = [finding for finding in found if finding.status == "failed"]
    assert failed.seen == f"queue '{queue}' does not exist"
    assert (failed.advice, failed.settings) == (ADVICE, ("SERVICE_BUS_CONNECTION", SETTINGS[queue]))
    assert len(found) == len(SETTINGS)


def test_an_error_that_says_itself_what_to_do_is_not_talked_over(rig: Rig) -> None:
    rig.bus.problems["entity-sync"] = Advised("no token", "give the app's identity a role")
    (failed,) = [finding for finding in rig.findings(QUICK) if finding.status == "failed"]
    assert (failed.seen, failed.advice) == ("no token", "Give the app's identity a role")


def test_a_bus_of_the_hosts_own_is_said_to_be_one() -> None:
    found = DoctorRig().only(QUICK)
    assert found.status == "ok"
    assert found.seen == "embedded bus: messages stay in this process and are sent again after a restart"


@pytest.mark.parametrize("check", [QUICK, DEEP], ids=["quick", "deep"])
def test_a_bus_that_the_settings_do_not_name_is_a_failure(check: Any) -> None:
    rig = DoctorRig()
    rig.runtime = Runtime(REQUIRED)
    found = rig.only(check)
    assert (found.check, found.status, found.settings) == (
        "service_bus",
        "failed",
        ("SERVICE_BUS_CONNECTION",),
    )
    assert "SERVICE_BUS_CONNECTION" in found.seen

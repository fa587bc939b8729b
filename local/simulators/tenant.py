"""The three upstreams together, with the keys that open them and the settings that point at them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from local.probe.recording import SafetyAmpSeen
from local.simulators.alike import SafetyAmpAlike
from local.simulators.faults import Fault
from local.simulators.graph import GraphSimulator
from local.simulators.safetyamp import PAGE_RECORDS, SafetyAmpSimulator
from local.simulators.safetyamp_seed import SafetyAmpSeed, Seeded
from local.simulators.samsara import SamsaraSimulator
from local.simulators.simulator import Simulator
from shared.clock import Clock


@dataclass(frozen=True)
class AccessKeys:
    """What a client must show; nothing outside this machine takes these values."""

    safetyamp_fqdn: str = "pelicanfork.safetyamp.example"
    safetyamp_key: str = "local-safetyamp"
    samsara_key: str = "local-samsara"
    graph_tenant: str = "11111111-2222-4333-8444-555555555555"
    graph_client: str = "66666666-7777-4888-9999-aaaaaaaaaaaa"
    graph_client_key: str = "local-graph"


KEYS = AccessKeys()


@dataclass(frozen=True)
class Tenant:
    """The simulators of one company."""

    safetyamp: SafetyAmpSimulator
    samsara: SamsaraSimulator
    graph: GraphSimulator
    seeded: Seeded
    keys: AccessKeys = KEYS

    def replace_content(
        self,
        vehicles: Iterable[dict[str, Any]],
        drivers: Iterable[dict[str, Any]],
        graph_users: Iterable[dict[str, Any]],
    ) -> None:
        """Put other content into Samsara and Graph."""
        self.samsara.replace_fleet(vehicles, drivers)
        self.graph.replace_users(graph_users)

    def plan(self, system: str, fault: Fault) -> None:
        """Let the next calls of `safetyamp`, `samsara` or `graph` that fit meet the fault."""
        simulator: Simulator = getattr(self, system)
        simulator.plan(fault)

    def heal(self) -> None:
        """Forget all planned faults."""
        for simulator in (self.safetyamp, self.samsara, self.graph):
            simulator.heal()

    def settings(self) -> dict[str, str]:
        """The settings that do not depend on where the simulators listen."""
        return {
            "SAFETYAMP_FQDN": self.keys.safetyamp_fqdn,
            "SAFETYAMP_TOKEN": self.keys.safetyamp_key,
            "SAFETYAMP_VEHICLE_SITE_ID": str(self.seeded.vehicle_site_id),
            "SAFETYAMP_VEHICLE_ASSET_TYPE_ID": str(self.seeded.vehicle_asset_type_id),
            "SAMSARA_API_KEY": self.keys.samsara_key,
            "MS_GRAPH_TENANT_ID": self.keys.graph_tenant,
            "MS_GRAPH_CLIENT_ID": self.keys.graph_client,
            "MS_GRAPH_CLIENT_SECRET": self.keys.graph_client_key,
        }


def build_tenant(
    clock: Clock,
    seed: SafetyAmpSeed,
    *,
    calls: int | None = 60,
    period: float = 61.0,
    page_records: int = PAGE_RECORDS,
    like: SafetyAmpSeen | None = None,
) -> Tenant:
    """Simulators with the seed in SafetyAmp and nothing in Samsara and Graph; `calls` in `period` seconds
    is SafetyAmp's limit (None: none), `page_records` the most that its pages hold. With `like` it answers as
    that one was seen to."""
    make = SafetyAmpSimulator if like is None else partial(SafetyAmpAlike, like)
    safetyamp = make(
        clock,
        key=KEYS.safetyamp_key,
        fqdn=KEYS.safetyamp_fqdn,
        calls=calls,
        period=period,
        page_records=page_records,
    )
    graph = GraphSimulator(
        clock, tenant=KEYS.graph_tenant, client_id=KEYS.graph_client, client_key=KEYS.graph_client_key
    )
    samsara = SamsaraSimulator(clock, key=KEYS.samsara_key)
    return Tenant(safetyamp, samsara, graph, safetyamp.seed(seed))

"""The weather: how likely each fault is now. It changes over time and ends in calm."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

HTTP_FAULTS = (
    "refused",
    "timeout before",
    "500 before",
    "429",
    "reset after",
    "timeout after",
    "500 after",
    "html after",
)
# In all weathers of a world that knows "redis", Redis vanishes, comes back, or loses its data or scripts.
CLIMATES: dict[str, dict[str, float]] = {
    "calm": {},
    "crashes": {"crash": 0.01, "lock": 0.2},
    "redeployment": {"sigterm": 0.01},
    "network": {"http": 0.15, "vista": 0.1},
    "storage": {"documents": 0.01, "bus": 0.05, "conflict": 0.1},
    "no storage": {"documents": 0.5, "bus": 0.5},
    "doom": {"doom": 0.05, "crash": 0.002},
    "source": {"fewer rows": 0.5, "mass termination": 0.5, "vista": 0.1},
    "outage": {"http": 1.0},
    "redis": {},
    "slow": {"slow": 0.1, "lock": 0.3, "crash": 0.002},
    "stalled": {"slow": 0.4, "lock": 0.3, "fewer rows": 0.2},
    "everything": {
        **{
            "sigterm": 0.002,
            "doom": 0.005,
            "crash": 0.004,
            "lock": 0.2,
            "http": 0.08,
            "documents": 0.005,
            "bus": 0.03,
        },
        **{"conflict": 0.05, "vista": 0.05, "slow": 0.03, "fewer rows": 0.05, "mass termination": 0.05},
    },
}


@dataclass
class Weather:
    """Draws faults from the scheduler's dice with the probabilities of the current climate."""

    dice: random.Random
    climate: str = "calm"
    struck: dict[str, int] = field(default_factory=dict)

    def strikes(self, kind: str) -> bool:
        """Whether the fault happens now."""
        probability = CLIMATES[self.climate].get(kind, 0.0)
        if probability and self.dice.random() < probability:
            self.struck[kind] = self.struck.get(kind, 0) + 1
            return True
        return False

    def http_fault(self) -> str | None:
        """Which fault this call meets, if any."""
        return self.dice.choice(HTTP_FAULTS) if self.strikes("http") else None

    def latency(self, usual_seconds: float) -> float:
        """How long an operation takes."""
        if self.strikes("slow"):
            return self.dice.uniform(5.0, 33.0)
        return self.dice.uniform(0.1, 1.0) * usual_seconds

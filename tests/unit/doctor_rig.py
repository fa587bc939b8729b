"""The doctor's checks on an app whose parts are all in this process."""

from __future__ import annotations

from typing import Any

import requests
from fakeredis import FakeServer

from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from shared.doctor.finding import Check, Finding
from shared.doctor.running import run_checks
from shared.runtime import Parts, Runtime
from tests.unit.engine_rig import REQUIRED, KeptBus
from tests.unit.redis_rig import client_of

SECRET = "5ecret"
"""Part of every secret of `REQUIRED`, and of what tests add to them."""

LONGEST_SECONDS = 60.0


class DoctorRig:
    """An app with documents and a Redis in memory. `put` replaces a part of the runtime by another."""

    def __init__(self, **settings: str) -> None:
        self.clock = FakeClock()
        self.documents = MemoryDocuments(self.clock)
        self.redis = FakeServer()
        parts = Parts(
            clock=self.clock,
            documents=lambda _: self.documents,
            bus=lambda _: KeptBus(),
            redis=lambda _: lambda: client_of(self.redis),
            session=lambda: self.session(),
        )
        self.runtime = Runtime({**REQUIRED, **settings}, parts)

    def session(self) -> requests.Session:
        """What upstreams are called over; none is, unless a rig says so."""
        raise AssertionError("no upstream is to be called")

    def put(self, **parts: Any) -> None:
        """Parts of the runtime by name: what an instance has goes before what the class would build."""
        vars(self.runtime).update(parts)

    def findings(self, check: Check) -> list[Finding]:
        """What a check finds, in order; none of it quotes a secret."""
        found = run_checks(self.runtime, [check], LONGEST_SECONDS)
        assert SECRET not in " ".join(str(finding.to_json()) for finding in found)
        return found

    def look(self, check: Check) -> dict[str, Finding]:
        """The same by what was looked at; each of them once."""
        found = self.findings(check)
        by_name = {finding.check: finding for finding in found}
        assert len(by_name) == len(found)
        return by_name

    def only(self, check: Check) -> Finding:
        """The one finding."""
        (found,) = self.findings(check)
        return found

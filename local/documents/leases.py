"""The rules of leases, as Blob Storage has them, for documents that are kept locally.

Source: the platform's lease page ("Lease Blob", table of lease states and results). A lapsed lease still
stands until somebody writes or takes the lease: its owner may renew it, but no longer write with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.errors import LeaseHeld, LeaseLost

SHORTEST_SECONDS = 15
LONGEST_SECONDS = 60


@dataclass(frozen=True)
class Lease:
    """Who may write a document until when. `owner` identifies the process that took it."""

    lease_id: str
    seconds: int
    expires_at: datetime
    owner: str = ""

    def holds(self, now: datetime) -> bool:
        return now < self.expires_at

    def renewed(self, now: datetime) -> Lease:
        return replace(self, expires_at=now + timedelta(seconds=self.seconds))


def checked_seconds(seconds: int) -> int:
    """`seconds` when Azure would accept it as a lease's length; raises ValueError otherwise."""
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise ValueError(f"a lease lasts {SHORTEST_SECONDS} to {LONGEST_SECONDS} seconds, not {seconds}")
    return seconds


def check_write(path: str, lease: Lease | None, lease_id: str | None, now: datetime) -> None:
    """Raises LeaseHeld or LeaseLost when a write with `lease_id` (None: without one) is not allowed."""
    held = lease is not None and lease.holds(now)
    if lease_id is None:
        if held:
            raise LeaseHeld(f"{path} is leased by somebody else")
    elif lease is None or not held or lease.lease_id != lease_id:
        raise LeaseLost(f"the lease of {path} ran out or was taken over")

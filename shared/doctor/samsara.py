"""Samsara: whether the key may list what the sync reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from shared.clients.http.work import Work
from shared.clients.receipts import Reading
from shared.doctor.clocks import skew
from shared.doctor.finding import Check, Finding, ms_since
from shared.errors import AccessRefused
from shared.sync.planning.reader import CHECK_SAMSARA

if TYPE_CHECKING:
    from shared.runtime import Runtime

SETTINGS = ("SAMSARA_API_KEY",)
ADVICE = "Check SAMSARA_BASE_URL (customers in the EU have another) and that it can be reached from here"
FORBIDDEN = 403


def deep(runtime: Runtime) -> Iterator[Finding]:
    """One listing of vehicles, and of drivers where they are needed."""
    settings = runtime.settings
    if not settings.vehicles_enabled:
        seen = "not used: vehicles are off (SAFETYAMP_VEHICLE_SITE_ID is not set)"
        yield Finding("samsara", "skipped", seen, settings=("SAFETYAMP_VEHICLE_SITE_ID",))
        return
    work = Work()
    client = runtime.samsara.under(work)
    yield _listed(runtime, "samsara", "Read Vehicles", client.list_vehicles)
    if settings.vehicle_assign_driver:
        yield _listed(runtime, "samsara.drivers", "Read Drivers", client.list_active_drivers)
    if "samsara" in work.meter.seconds_ahead:
        yield skew("samsara.clock", "Samsara's", work.meter.seconds_ahead["samsara"])
    seen = "whether the key may write cannot be seen from outside; nothing is ever written to Samsara"
    yield Finding("samsara.permissions", "skipped", seen, "Give the key its Read scopes only", None, SETTINGS)


def _listed(runtime: Runtime, check: str, scope: str, read: Callable[[], Reading[dict[str, Any]]]) -> Finding:
    started = runtime.clock.monotonic()
    try:
        receipt = read().receipt
    except AccessRefused as error:
        seen, advice = f"{error.status_code}: the key is not accepted", "Copy SAMSARA_API_KEY again"
        if error.status_code == FORBIDDEN:
            seen, advice = f"{FORBIDDEN}: the key lacks the scope {scope}", f"Give it the scope {scope}"
        return Finding(check, "failed", f"Samsara answered {seen}", advice, settings=SETTINGS)
    took = ms_since(runtime.clock, started)
    seen = f"{receipt.source}: {receipt.records} listed"
    if receipt.records == 0 and check == "samsara":
        return Finding(check, "failed", seen, CHECK_SAMSARA, took, SETTINGS)
    return Finding(check, "ok", seen, "", took, SETTINGS)


DEEP = Check("samsara", deep, ADVICE, (*SETTINGS, "SAMSARA_BASE_URL"))

"""SafetyAmp: the token, and what must exist there before a run can work.

Costs nine calls of the window (six without vehicles), at the priority of an operator who waits. Nothing is
written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from shared.clients.http.work import Work
from shared.doctor.clocks import skew
from shared.doctor.finding import Check, Finding, ms_since, of_error
from shared.errors import AccessRefused, ConfigurationError, RetryLater, SafetyAmpError, UpstreamUnavailable
from shared.sync.planning.listing import RESOURCES, within_root
from shared.sync.planning.lookups import role_ids, sites_of_asset_types
from shared.sync.planning.prerequisites import check_prerequisites
from shared.sync.services import Bound, Services

if TYPE_CHECKING:
    from shared.runtime import Runtime

NAME = "safetyamp"
SETTINGS = ("SAFETYAMP_TOKEN", "SAFETYAMP_FQDN", "SAFETYAMP_BASE_URL")
VEHICLE_SETTINGS = ("SAFETYAMP_VEHICLE_SITE_ID", "SAFETYAMP_VEHICLE_ASSET_TYPE_ID")
ADVICE = "Check SAFETYAMP_BASE_URL and that it can be reached from here"
MEND = "Make it in SafetyAmp, or mend the setting"
HOPELESS = (RetryLater, UpstreamUnavailable)
"""After one of these the next call would only spend time, or a slot that others need."""


def deep(runtime: Runtime) -> Iterator[Finding]:
    """The token, the prerequisites, and the listings of a run."""
    services = Bound(runtime, Work("interactive"))
    started = runtime.clock.monotonic()
    rows = services.safetyamp.list_site_clusters().records
    took = ms_since(runtime.clock, started)
    seen = f"the token works; {len(rows)} site clusters"
    yield Finding(NAME, "ok", seen, latency_ms=took, settings=SETTINGS)
    if (ahead := services.work.meter.seconds_ahead.get(NAME)) is not None:
        yield skew("safetyamp.clock", "SafetyAmp's", ahead)
    root = runtime.settings.safetyamp_root_cluster
    looks: tuple[tuple[str, Callable[[], str], tuple[str, ...]], ...] = (
        ("safetyamp.root", lambda: _root(rows, root), ("SAFETYAMP_ROOT_CLUSTER",)),
        ("safetyamp.role", lambda: _role(services), ("SAFETYAMP_DEFAULT_ROLE",)),
        ("safetyamp.vehicles", lambda: _vehicles(services), VEHICLE_SETTINGS),
    )
    for check, look, names in looks:
        if check == "safetyamp.vehicles" and not runtime.settings.vehicles_enabled:
            yield Finding(check, "skipped", "vehicles are off", settings=names)
            continue
        try:
            yield Finding(check, "ok", look(), settings=names)
        except HOPELESS:
            raise
        except SafetyAmpError as error:
            yield of_error(check, error, MEND, names)
    yield from _lists(services)
    seen = "that the token may create and update cannot be seen without doing it"
    advice = "The first run shows it; a refusal changes nothing else"
    yield Finding("safetyamp.permissions", "skipped", seen, advice, None, ("SAFETYAMP_TOKEN",))


def _root(rows: list[dict[str, object]], name: str | None) -> str:
    inside = within_root(rows, name)
    return f"the root cluster is {str(inside[0].get('name'))!r}, with {len(inside) - 1} clusters below it"


def _role(services: Services) -> str:
    name, known = services.settings.safetyamp_default_role, role_ids(services, refresh=True)
    if name not in known:
        text = f"SafetyAmp has no role {name!r}; it has: {', '.join(sorted(known)) or 'none'}"
        raise ConfigurationError.of("SAFETYAMP_DEFAULT_ROLE", text)
    return f"new users get the role {name!r}, which exists"


def _vehicles(services: Services) -> str:
    settings = services.settings
    sites_of_asset_types(services, refresh=True)
    check_prerequisites(services, "vehicles")
    return (
        f"asset type {settings.safetyamp_vehicle_asset_type_id} exists and belongs to site "
        f"{settings.safetyamp_vehicle_site_id}"
    )


def _lists(services: Services) -> Iterator[Finding]:
    """The first page of each listing that a run may need."""
    check, listed = "safetyamp.lists", []
    for resource in RESOURCES.values():
        if resource == "site_clusters" or (resource == "assets" and not services.settings.vehicles_enabled):
            continue
        try:
            next(services.safetyamp.list_pages(resource), [])
        except AccessRefused as error:
            advice = f"Let the key of SAFETYAMP_TOKEN read {resource}"
            seen = f"{resource} may not be listed ({error.status_code})"
            yield Finding(check, "failed", seen, advice, settings=("SAFETYAMP_TOKEN",))
            continue
        listed.append(resource)
    if listed:
        yield Finding(check, "ok", f"can be listed: {', '.join(listed)}")


DEEP = Check(NAME, deep, ADVICE, SETTINGS)

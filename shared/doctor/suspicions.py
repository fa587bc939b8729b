"""Settings that are allowed, and hardly what somebody wanted. Pure: no call, no clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import urlsplit

from pydantic import SecretStr

from shared.clients.vista.connection import SQLITE_PREFIX
from shared.config import LOOPBACK, Settings

VENDOR_CALLS_PER_SECOND = 60 / 61
"""SafetyAmp's limit as others keep it; its own figure is not known (docs/contracts/safetyamp.md#limit)."""

NO_GUARD_PERCENT = 100
SIMILAR = 0.85
ALIKE_BUT_OTHERS = re.compile(r"__|\AAzure|\AFUNCTIONS_|\AWEBSITE_")
ODBC_KEYWORD = r"(?:^|;)\s*{}\s*=\s*\{{?\s*(?:{})\s*\}}?\s*(?:;|$)"
UNCHECKED = re.compile(ODBC_KEYWORD.format("TrustServerCertificate", "yes|true|1"), re.IGNORECASE)
UNENCRYPTED = re.compile(ODBC_KEYWORD.format("Encrypt", "no|false|0|optional"), re.IGNORECASE)
TLS_ONLY_REDIS = (".redis.azure.net", ".redis.cache.windows.net", ".redisenterprise.cache.azure.net")


@dataclass(frozen=True)
class Suspicion:
    """`seen` is one sentence, `advice` what to do about it."""

    seen: str
    advice: str
    settings: tuple[str, ...]


def suspicions(settings: Settings) -> list[Suspicion]:
    """All that is suspicious."""
    return [found for look in LOOKS for found in look(settings)]


def unknown_names(names: Iterable[str]) -> list[Suspicion]:
    """Variables of the environment that no setting has, but whose names look much like one's."""
    known = {name.upper() for name in Settings.model_fields}
    found = []
    for name in sorted(names):
        if name.upper() in known or ALIKE_BUT_OTHERS.search(name):
            continue
        for meant in get_close_matches(name.upper(), known, n=1, cutoff=SIMILAR):
            seen = f"{name} is no setting and is not read; did you mean {meant}?"
            found.append(Suspicion(seen, f"Rename it to {meant}, or remove it", (name,)))
    return found


def _documents(settings: Settings) -> Iterator[Suspicion]:
    if settings.documents_connection and settings.documents_connection__blobserviceuri:
        yield Suspicion(
            "DOCUMENTS_CONNECTION and DOCUMENTS_CONNECTION__blobServiceUri are both set; the former is used",
            "Keep one: the second one where the app has a managed identity",
            ("DOCUMENTS_CONNECTION", "DOCUMENTS_CONNECTION__BLOBSERVICEURI"),
        )


def _redis(settings: Settings) -> Iterator[Suspicion]:
    if settings.redis_ssl or settings.redis_host in LOOPBACK:
        return
    if settings.redis_host.endswith(TLS_ONLY_REDIS):
        seen = "REDIS_SSL is false, but Redis in Azure takes encrypted connections only"
    elif settings.redis_password:
        seen = "REDIS_SSL is false: the password travels unencrypted to another machine"
    else:
        return
    yield Suspicion(seen, "Set REDIS_SSL=true and the TLS port in REDIS_PORT", ("REDIS_SSL", "REDIS_PORT"))


def _vista(settings: Settings) -> Iterator[Suspicion]:
    text, names = settings.vista_connection_string.get_secret_value(), ("VISTA_CONNECTION_STRING",)
    if text.startswith(SQLITE_PREFIX):
        if settings.environment != "local":
            seen = "VISTA_CONNECTION_STRING is an SQLite file, although ENVIRONMENT is not local"
            yield Suspicion(
                seen, "Set the ODBC connection string of Vista", ("ENVIRONMENT", "VISTA_CONNECTION_STRING")
            )
        return
    if UNENCRYPTED.search(text):
        seen = "VISTA_CONNECTION_STRING has Encrypt=no: the login and people's data travel unencrypted"
        yield Suspicion(seen, "Set Encrypt=yes", names)
    if UNCHECKED.search(text):
        seen = "VISTA_CONNECTION_STRING has TrustServerCertificate=yes: anybody between can read and change"
        yield Suspicion(seen, "Trust the server's certificate authority, or set HostnameInCertificate", names)


def _limits(settings: Settings) -> Iterator[Suspicion]:
    if settings.seconds_per_call * VENDOR_CALLS_PER_SECOND < 1 - 1e-9:
        yield Suspicion(
            f"{settings.api_rate_limit_calls} calls in {settings.api_rate_limit_period:g} s are more than"
            " SafetyAmp's 60 in 61 s",
            "Set back both, unless SafetyAmp granted you more",
            ("API_RATE_LIMIT_CALLS", "API_RATE_LIMIT_PERIOD"),
        )
    if settings.guard_max_percent >= NO_GUARD_PERCENT:
        seen = "GUARD_MAX_PERCENT is 100: a source that is nearly empty passes the guard"
        yield Suspicion(seen, "Set it to what a bad week can bring, 20 for instance", ("GUARD_MAX_PERCENT",))


def _vehicles(settings: Settings) -> Iterator[Suspicion]:
    if settings.vehicles_enabled or not (settings.samsara_api_key or settings.vehicle_assign_driver):
        return
    yield Suspicion(
        "Samsara is set up, but vehicles are off",
        "Set SAFETYAMP_VEHICLE_SITE_ID and SAFETYAMP_VEHICLE_ASSET_TYPE_ID, or unset Samsara's settings",
        ("SAFETYAMP_VEHICLE_SITE_ID", "SAMSARA_API_KEY", "VEHICLE_ASSIGN_DRIVER"),
    )


def _clouds(settings: Settings) -> Iterator[Suspicion]:
    graph, login = (
        (urlsplit(url).hostname or "").rpartition(".")[2]
        for url in (settings.ms_graph_base_url, settings.ms_graph_authority)
    )
    if {graph, login} <= {"com", "us", "cn"} and graph != login:
        yield Suspicion(
            "MS_GRAPH_BASE_URL and MS_GRAPH_AUTHORITY belong to different clouds",
            "Set both to the same cloud",
            ("MS_GRAPH_BASE_URL", "MS_GRAPH_AUTHORITY"),
        )


def _texts(settings: Settings) -> Iterator[Suspicion]:
    if "/" in settings.safetyamp_fqdn or "." not in settings.safetyamp_fqdn:
        seen = "SAFETYAMP_FQDN is no host name"
        yield Suspicion(seen, "Set the bare name, such as yourcompany.safetyamp.com", ("SAFETYAMP_FQDN",))
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(text, str) and len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            seen = f"{name.upper()} stands in quotes, which are taken as part of the value"
            yield Suspicion(seen, "Remove the quotes", (name.upper(),))


LOOKS: tuple[Callable[[Settings], Iterator[Suspicion]], ...] = (
    _documents,
    _redis,
    _vista,
    _limits,
    _vehicles,
    _clouds,
    _texts,
)

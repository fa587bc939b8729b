"""Which checks there are, and all of them in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.doctor import (
    documents,
    graph,
    host_file,
    kept_documents,
    machine,
    odbc,
    redis,
    safetyamp,
    samsara,
    service_bus,
    settings,
    sign_in,
    telemetry,
    upstreams,
    vista,
)
from shared.doctor.finding import Finding
from shared.doctor.running import Wait, run_checks

if TYPE_CHECKING:
    from shared.runtime import Runtime

QUICK_SECONDS = 4.0
DEEP_SECONDS = 60.0
SETTINGS_SECONDS = 3.0
"""Reading the settings comes first, because all else needs them. With a Key Vault it is a call, at least the
first time: so an answer takes three seconds more than the figures above at worst."""

QUICK = (documents.QUICK, service_bus.QUICK, redis.QUICK, vista.QUICK, upstreams.CHECK, sign_in.CHECK)
DEEP = (
    settings.PLAUSIBLE,
    settings.KEY_VAULT,
    documents.DEEP,
    kept_documents.CHECK,
    service_bus.DEEP,
    redis.DEEP,
    odbc.CHECK,
    vista.DEEP,
    graph.DEEP,
    samsara.DEEP,
    safetyamp.DEEP,
    upstreams.CHECK,
    telemetry.CHECK,
    sign_in.CHECK,
)
WITHOUT_SETTINGS = (machine.CHECK, host_file.CHECK)
"""Deep checks that say something even when the settings are wrong."""


def check_everything(runtime: Runtime, *, deep: bool, wait: Wait | None = None) -> list[Finding]:
    """All findings, in a fixed order; never raises because of what is checked.

    Quick checks cost one read or ping per dependency and no call to SafetyAmp, Samsara or Graph; they end
    within `SETTINGS_SECONDS` + `QUICK_SECONDS`. Deep ones end within `SETTINGS_SECONDS` + `DEEP_SECONDS` and
    cost up to nine calls of SafetyAmp's window; nothing is written anywhere but a document under `doctor/`
    (removed again) and the kept lists of roles and asset types. With wrong settings only those are told.
    """
    findings = run_checks(runtime, [settings.READABLE], SETTINGS_SECONDS, wait)
    if deep:
        findings += run_checks(runtime, WITHOUT_SETTINGS, QUICK_SECONDS, wait)
    if any(finding.status == "failed" for finding in findings if finding.check == settings.NAME):
        if deep:
            seen = "no connection was tried: the settings are wrong"
            findings.append(Finding("connections", "skipped", seen, "Mend the settings first"))
        return findings
    checks, seconds = (DEEP, DEEP_SECONDS) if deep else (QUICK, QUICK_SECONDS)
    return findings + run_checks(runtime, checks, seconds, wait)

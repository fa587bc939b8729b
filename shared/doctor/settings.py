"""The settings: every problem by name, and combinations that are allowed but hardly meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.config import SECRET_SETTINGS
from shared.doctor.finding import Check, Finding, ms_since, seen_and_advice
from shared.doctor.suspicions import suspicions, unknown_names
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from shared.runtime import Runtime

NAME = "settings"
MEND = "Mend this setting; the README's table of settings says what it means"


def readable(runtime: Runtime) -> Iterator[Finding]:
    """Each problem by its setting, or that there is none."""
    try:
        settings = runtime.settings
    except ConfigurationError as error:
        for problem in error.problems:
            seen, advice = seen_and_advice(problem.told)
            yield Finding(NAME, "failed", seen, advice or MEND, settings=(problem.setting,))
        return
    yield Finding(NAME, "ok", f"all settings can be read (ENVIRONMENT is {settings.environment})")


def plausible(runtime: Runtime) -> Iterator[Finding]:
    """A warning for each suspicious combination, and for each variable whose name looks mistyped."""
    found = [*suspicions(runtime.settings), *unknown_names(runtime.environment)]
    for suspicion in found:
        yield Finding(
            "settings.plausible", "warning", suspicion.seen, suspicion.advice, settings=suspicion.settings
        )
    if not found:
        yield Finding("settings.plausible", "ok", "no suspicious combination of settings")


def key_vault(runtime: Runtime) -> Iterator[Finding]:
    """Whether the vault answers. It matters at the next start, so what it lacks is a warning at most:
    the settings at hand are complete."""
    from shared.key_vault import key_vault_secrets

    settings, setting = runtime.settings, "AZURE_KEY_VAULT_URL"
    if settings.azure_key_vault_url is None:
        seen = "not used: all secrets come from the environment"
        yield Finding("key_vault", "skipped", seen, settings=(setting,))
        return
    started = runtime.clock.monotonic()
    try:
        key_vault_secrets(settings.azure_key_vault_url, settings.azure_client_id)(SECRET_SETTINGS[0])
    except ConfigurationError as error:
        seen, advice = seen_and_advice(error.text)
        yield Finding("key_vault", "warning", seen, advice, settings=(setting,))
        return
    took = ms_since(runtime.clock, started)
    yield Finding("key_vault", "ok", "the vault answers", latency_ms=took, settings=(setting,))


READABLE = Check(NAME, readable, "Is the Key Vault slow to answer?", ("AZURE_KEY_VAULT_URL",))
PLAUSIBLE = Check("settings.plausible", plausible)
KEY_VAULT = Check("key_vault", key_vault, "Check the vault's network rules and DNS", ("AZURE_KEY_VAULT_URL",))

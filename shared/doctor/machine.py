"""This process: Python, and the packages that are deployed with the app."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from shared.doctor.finding import Check, Finding
from shared.version import FULL_VERSION

if TYPE_CHECKING:
    from shared.runtime import Runtime

OLDEST, NEWEST = (3, 11), (3, 13)
WORKER_SINCE = (3, 13)
"""From this Python on the Functions worker is a library that the app brings
(learn.microsoft.com/azure/azure-functions/python-313-changes)."""

PACKAGES = (
    "azure-functions",
    "azure-identity",
    "azure-keyvault-secrets",
    "azure-servicebus",
    "azure-storage-blob",
    "email-validator",
    "googleapis-common-protos",
    "msal",
    "opencensus-ext-azure",
    "phonenumbers",
    "pydantic",
    "pyodbc",
    "redis",
    "requests",
    "typing-extensions",
    "tzdata",
)
"""The distributions of requirements.txt that every Python needs."""

WORKER = "azure-functions-runtime"


def check(runtime: Runtime) -> Iterator[Finding]:  # noqa: ARG001 - every check is given the runtime
    """Versions of everything."""
    running = sys.version_info[:2]
    seen = f"SafetyAmp Sync {FULL_VERSION} on Python {platform.python_version()}, {platform.system()}"
    if OLDEST <= running <= NEWEST:
        yield Finding("python", "ok", seen)
    else:
        advice = f"Use Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
        yield Finding("python", "warning", f"{seen}, which is not tested", advice)
    found, missing = [], []
    for name in (*PACKAGES, *([WORKER] if running >= WORKER_SINCE else [])):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        advice = "Install requirements.txt again, or deploy with a remote build"
        yield Finding("packages", "failed", f"not installed: {', '.join(missing)}", advice)
    else:
        yield Finding("packages", "ok", ", ".join(found))


CHECK = Check("python", check)

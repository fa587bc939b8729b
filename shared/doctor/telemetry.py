"""The connection string of Application Insights: whether it can be read. Nothing is sent."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.doctor.finding import Check, Finding

if TYPE_CHECKING:
    from shared.runtime import Runtime

NAME = "telemetry"
SETTING = "APPLICATIONINSIGHTS_CONNECTION_STRING"
ADVICE = "Copy it again from the overview page of Application Insights"


def check(runtime: Runtime) -> Iterator[Finding]:
    """Whether telemetry has somewhere to go."""
    settings = runtime.settings
    if settings.applicationinsights_connection_string is None:
        if settings.environment == "local":
            yield Finding(NAME, "skipped", f"{SETTING} is not set: nothing is sent", settings=(SETTING,))
        else:
            seen = f"{SETTING} is not set: nobody sees what happens here"
            yield Finding(NAME, "warning", seen, "Set it", settings=(SETTING,))
        return
    problem = problem_of(settings.applicationinsights_connection_string.get_secret_value())
    if problem:
        yield Finding(NAME, "failed", problem, ADVICE, settings=(SETTING,))
    else:
        yield Finding(NAME, "ok", "the connection string can be read", settings=(SETTING,))


def problem_of(text: str) -> str | None:
    """What is wrong with a connection string (`Name=value;...`); None when nothing is. Quotes none of it."""
    values: dict[str, str] = {}
    for part in text.split(";"):
        if not part.strip():
            continue  # a `;` at the end, as the portal's own copy button sometimes leaves one
        name, equals, value = part.partition("=")
        if not equals:
            return "a part of it is no NAME=value"
        values[name.strip().lower()] = value.strip()
    try:
        uuid.UUID(values.get("instrumentationkey", ""))
    except ValueError:
        return "it has no InstrumentationKey, or one that is no GUID"
    endpoint = values.get("ingestionendpoint")
    if endpoint is not None and (urlsplit(endpoint).scheme != "https" or not urlsplit(endpoint).hostname):
        return "its IngestionEndpoint is no https address"
    return None


CHECK = Check(NAME, check, ADVICE, (SETTING,))

"""The connection string of Application Insights: whether it can be read. Nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.doctor.finding import Check, Finding
from shared.telemetry.connection_string import parse

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
    try:
        _, endpoint = parse(text)
    except ValueError as error:
        return str(error)
    return None if endpoint.startswith("https://") else "its IngestionEndpoint is no https address"


CHECK = Check(NAME, check, ADVICE, (SETTING,))

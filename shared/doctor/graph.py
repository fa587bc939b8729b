"""Microsoft Graph: the login, the permission, and whether accounts carry employee numbers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.clients.http.work import Work
from shared.doctor.clocks import skew
from shared.doctor.finding import Check, Finding, ms_since
from shared.errors import AccessRefused

if TYPE_CHECKING:
    from shared.runtime import Runtime

NEEDED = "User.Read.All"
LOGIN_SETTINGS = ("MS_GRAPH_TENANT_ID", "MS_GRAPH_CLIENT_ID", "MS_GRAPH_CLIENT_SECRET")
CONSENT = (
    f"In Entra ID, app registration of MS_GRAPH_CLIENT_ID, API permissions: add {NEEDED} as application "
    "permission of Microsoft Graph and grant admin consent"
)
ADVICE = "Check that login.microsoftonline.com and graph.microsoft.com can be reached from here"


def deep(runtime: Runtime) -> Iterator[Finding]:
    """A login and one page of accounts."""
    started = runtime.clock.monotonic()
    token = runtime.graph.token()
    took = ms_since(runtime.clock, started)
    seen = "Microsoft's login server gives the app a token"
    yield Finding("graph", "ok", seen, latency_ms=took, settings=LOGIN_SETTINGS)
    yield _permissions(granted_roles(token))
    yield from _users(runtime)


def _users(runtime: Runtime) -> Iterator[Finding]:
    started = runtime.clock.monotonic()
    work = Work()
    try:
        users = runtime.graph.under(work).first_users()
    except AccessRefused as error:
        seen = f"users may not be listed: {NEEDED} or its admin consent is missing ({error.status_code})"
        yield Finding("graph.users", "failed", seen, CONSENT, settings=("MS_GRAPH_CLIENT_ID",))
        return
    took = ms_since(runtime.clock, started)
    numbered = sum(1 for user in users if str(user.get("employeeId") or "").strip())
    seen = f"users can be listed; {numbered} of the first {len(users)} accounts have an employee number"
    if numbered:
        yield Finding("graph.users", "ok", seen, latency_ms=took)
    else:
        advice = "Fill in Employee ID in Entra ID; until then Vista's e-mail addresses are used"
        yield Finding("graph.users", "warning", seen, advice, took)
    if "graph" in work.meter.seconds_ahead:
        yield skew("graph.clock", "Microsoft Graph's", work.meter.seconds_ahead["graph"])


def _permissions(roles: frozenset[str] | None) -> Finding:
    check = "graph.permissions"
    if roles is None:
        return Finding(check, "skipped", "the token does not show its permissions")
    writing = sorted(role for role in roles if "Write" in role)
    if writing:
        seen = f"the app may write in the tenant: {', '.join(writing)}"
        return Finding(check, "warning", seen, f"Remove these: {NEEDED} is enough", None, LOGIN_SETTINGS)
    if NEEDED not in roles:
        seen = f"the token has {', '.join(sorted(roles)) or 'no permission'}, not {NEEDED}"
        return Finding(check, "warning", seen, CONSENT, settings=LOGIN_SETTINGS)
    return Finding(check, "ok", f"the token reads only: {', '.join(sorted(roles))}")


def granted_roles(token: str) -> frozenset[str] | None:
    """The application permissions in a token; None when it does not show them.

    Microsoft promises nothing about the form of Graph's tokens. So far they are JWTs whose claim `roles`
    lists the permissions: good enough for a hint, and nothing but a hint is made of it.
    """
    try:
        _, payload, _ = token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return frozenset(str(role) for role in claims.get("roles", []))
    except (ValueError, AttributeError, TypeError):
        return None


DEEP = Check("graph", deep, ADVICE, (*LOGIN_SETTINGS, "MS_GRAPH_BASE_URL", "MS_GRAPH_AUTHORITY"))

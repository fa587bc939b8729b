"""Who calls, as Azure's authentication in front of the app says it, and what the roles allow.

App Service Authentication signs people and applications in and tells the app by headers; it checks no role.
Where it does not stand in front, the same headers come from anybody: so they are believed only where the
platform says that it does (`platform_signs_in`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.config import trimmed
from shared.errors import IdentityUnreadable

Role = Literal["viewer", "operator", "approver"]
ROLES: tuple[Role, ...] = ("viewer", "operator", "approver")
"""Each includes those before it."""

PRINCIPAL, PRINCIPAL_ID, PRINCIPAL_NAME = (
    "X-MS-CLIENT-PRINCIPAL",
    "X-MS-CLIENT-PRINCIPAL-ID",
    "X-MS-CLIENT-PRINCIPAL-NAME",
)
SCHEMAS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
ROLE_CLAIMS = ("roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role")
"""Beside the one that the principal names itself, under which they need not come: with a v2 issuer it names
the long one and sends the short one (AzureAD/microsoft-identity-web#1983)."""
ID_CLAIMS = ("http://schemas.microsoft.com/identity/claims/objectidentifier", "oid")
NAME_CLAIMS = ("preferred_username", f"{SCHEMAS}upn", f"{SCHEMAS}emailaddress", "name")
APP_CLAIMS = ("azp", "appid")
LONGEST = 200


@dataclass(frozen=True)
class Caller:
    """Who calls. `id` is the object id in Entra, which does not change as names do; None for a function key,
    of which nobody knows whose it is."""

    kind: Literal["key", "person", "app"]
    id: str | None
    name: str | None
    roles: frozenset[Role]

    def may(self, needed: Role | None) -> bool:
        """Whether one of the roles is the needed one or includes it; None needs no role."""
        return needed is None or any(ROLES.index(role) >= ROLES.index(needed) for role in self.roles)


BY_KEY = Caller("key", None, None, frozenset({"operator"}))
"""A function key where people sign in: it is for scripts, and approves nothing, for it is nobody."""


def is_entra(environment: Mapping[str, str]) -> bool:
    """Whether SIGN_IN is entra. Not by the settings as a whole: one of them that is wrong must change nothing
    about who is let in. What is neither keys nor entra is told by `/ready`, and lets nobody in but keys."""
    return _setting(environment, "SIGN_IN") == "entra"


def platform_signs_in(environment: Mapping[str, str]) -> bool:
    """Whether Azure's authentication stands in front, so that the headers are its own.

    App Service says so itself, and the Functions host trusts it in the same way (Azure/azure-functions-host,
    EnvironmentExtensions.IsEasyAuthEnabled). Container Apps says nothing: there an operator says it, having
    looked.
    """
    if _setting(environment, "WEBSITE_AUTH_ENABLED").lower() == "true":
        return True
    told = _setting(environment, "SIGN_IN_PROXY") == "container-apps"
    return told and bool(_setting(environment, "CONTAINER_APP_NAME"))


def caller_of(headers: Mapping[str, str]) -> Caller | None:
    """Whom the platform has signed in, None for nobody. `headers` are asked in any letter case.

    Raises IdentityUnreadable for a header that is there and is not what App Service sends: whoever sends it
    must not be taken for somebody who sent none.
    """
    text = headers.get(PRINCIPAL)
    if text is None:
        return None
    principal = _decoded(text)
    claims = _claims(principal)
    role_claims = (str(principal.get("role_typ") or ""), *ROLE_CLAIMS)
    given = {value for kind in role_claims for value in claims.get(kind, ())}
    object_id = _first(claims, ID_CLAIMS) or headers.get(PRINCIPAL_ID)
    if not object_id:
        raise IdentityUnreadable(f"{PRINCIPAL} has no object id")
    name, app = _first(claims, NAME_CLAIMS), _first(claims, APP_CLAIMS)
    # A person's token has the id of the application that asked for it too.
    kind: Literal["app", "person"] = "app" if app and not name else "person"
    shown = f"app:{app}" if kind == "app" else name or headers.get(PRINCIPAL_NAME) or object_id
    roles = frozenset(role for role in ROLES if role in given)
    return Caller(kind, object_id[:LONGEST], shown[:LONGEST], roles)


def _decoded(text: str) -> dict[str, Any]:
    # Two headers of one name arrive as one text with a comma, which is no base64.
    try:
        principal = json.loads(base64.b64decode(text, validate=True))
    except (ValueError, RecursionError):
        raise IdentityUnreadable(f"{PRINCIPAL} is no JSON in base64") from None
    if not isinstance(principal, dict) or principal.get("auth_typ") != "aad":
        raise IdentityUnreadable(f"{PRINCIPAL} is not of Entra: auth_typ is not aad")
    return principal


def _claims(principal: Mapping[str, Any]) -> dict[str, list[str]]:
    """The values of each claim: one that has several is repeated. What is no claim takes no other away."""
    claims: dict[str, list[str]] = {}
    found = principal.get("claims")
    for claim in found if isinstance(found, list) else ():
        kind, value = (claim.get("typ"), claim.get("val")) if isinstance(claim, dict) else (None, None)
        if isinstance(kind, str) and isinstance(value, str):
            claims.setdefault(kind, []).append(value)
    return claims


def _first(claims: Mapping[str, list[str]], kinds: tuple[str, ...]) -> str | None:
    return next((value for kind in kinds for value in claims.get(kind, ()) if value), None)


def _setting(environment: Mapping[str, str], name: str) -> str:
    """As `load_settings` reads it: without blanks, and whatever the name's letter case."""
    found = (text for known, text in environment.items() if known.upper() == name)
    return trimmed(next(found, ""))

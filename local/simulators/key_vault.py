"""Azure Key Vault's secrets in memory, as far as a reader of them sees the service.

Host names matter to its SDK: the challenge's resource must be the domain of the vault's own name, so that a
client is to reach this simulator as NAME.DOMAIN (and the port), never as plain `localhost`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from local.simulators.exchange import SimRequest, SimResponse, json_response
from local.simulators.simulator import Simulator
from shared.clock import Clock

SECRET_PATH = re.compile(r"/secrets/([0-9A-Za-z-]{1,127})(?:/([0-9a-f]*))?/?\Z")
TENANT = "00000000-0000-0000-0000-00000000aaaa"
Accepts = Callable[[str, str], bool]
"""Whether a bearer token is good for a resource."""


@dataclass(frozen=True)
class Version:
    """One value of a secret."""

    name: str
    number: str
    value: str
    enabled: bool


class KeyVaultSimulator(Simulator):
    """Secrets by name, each with its versions; names are compared without case, as the service does.

    `denied` is the service's reason to refuse everything (`ForbiddenByRbac`, `ForbiddenByFirewall`), None
    when nothing is. `resource` is what its challenge asks a token for; None: its own domain, as it should be.
    """

    def __init__(self, clock: Clock, accepts: Accepts) -> None:
        super().__init__(clock)
        self.denied: str | None = None
        self.resource: str | None = None
        self._accepts = accepts
        self._versions: list[Version] = []

    def put(self, name: str, value: str, *, enabled: bool = True) -> str:
        """Add the newest version of a secret; returns its number."""
        with self._lock:
            number = f"{len(self._versions) + 1:032x}"
            self._versions.append(Version(name, number, value, enabled))
            return number

    def _admit(self, request: SimRequest) -> SimResponse | None:
        resource = self.resource or _domain(request.root)
        bearer = request.headers.get("Authorization").removeprefix("Bearer ")
        if not self._accepts(bearer, resource):
            challenge = (
                f'Bearer authorization="https://login.microsoftonline.com/{TENANT}", resource="{resource}"'
            )
            text = "AKV10000: Request is missing a Bearer or PoP token."
            return _error(401, "Unauthorized", text, headers={"WWW-Authenticate": challenge})
        if self.denied:
            return _error(403, "Forbidden", "Caller is not authorized to perform the action.", self.denied)
        return None

    def _answer(self, request: SimRequest) -> SimResponse:
        found = SECRET_PATH.match(request.path)
        if found is None or request.method != "GET":
            return _error(400, "BadParameter", "The request URI contains an invalid name.")
        name, number = found[1], found[2]
        versions = [each for each in self._versions if each.name.lower() == name.lower()]
        if number:
            versions = [each for each in versions if each.number == number]
        if not versions:
            text = f"A secret with (name/id) {name} was not found in this key vault."
            return _error(404, "SecretNotFound", text)
        newest = versions[-1]
        if not newest.enabled:
            # With an older version that is enabled it is the same: the newest is the one that is asked for.
            text = "Operation get is not allowed on a disabled secret."
            return _error(403, "Forbidden", text, "SecretDisabled")
        address = f"{request.root}/secrets/{newest.name}/{newest.number}"
        attributes = {"enabled": True, "created": 1700000000, "updated": 1700000000}
        return json_response(200, {"value": newest.value, "id": address, "attributes": attributes})


def _domain(root: str) -> str:
    parts = urlsplit(root)
    return f"{parts.scheme}://{parts.netloc.partition('.')[2]}"


def _error(
    status: int, code: str, text: str, inner: str | None = None, headers: dict[str, str] | None = None
) -> SimResponse:
    error: dict[str, object] = {"code": code, "message": text}
    if inner:
        error["innererror"] = {"code": inner}
    return json_response(status, {"error": error}, headers)

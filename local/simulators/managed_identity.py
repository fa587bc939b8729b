"""The endpoint from which an app on App Service and Functions gets tokens for its managed identities."""

from __future__ import annotations

from local.simulators.exchange import SimRequest, SimResponse, json_response
from local.simulators.simulator import Simulator
from shared.clock import Clock

TOKEN_PATH = "/msi/token"  # noqa: S105  a path
API_VERSION = "2019-08-01"
SYSTEM_ASSIGNED = ""
LIFETIME_SECONDS = 86_400


class ManagedIdentitySimulator(Simulator):
    """Gives tokens to the app's identities; `identities` holds the client ids of the user-assigned ones, and
    the empty text when the app has a system-assigned one.

    An app finds it by IDENTITY_ENDPOINT and shows IDENTITY_HEADER (Microsoft's page "How to use managed
    identities for App Service", REST endpoint reference).
    """

    def __init__(self, clock: Clock, header: str, identities: set[str]) -> None:
        super().__init__(clock)
        self.identities = identities
        self.issued: list[tuple[str, str]] = []
        """Client id and resource of each token."""
        self._header = header

    def accepts(self, bearer: str, resource: str) -> bool:
        """Whether the token is one of these and for that resource."""
        name, _, number = bearer.rpartition("-")
        if name != "identity-token" or not number.isdecimal() or int(number) >= len(self.issued):
            return False
        return self.issued[int(number)][1] == resource

    def _admit(self, request: SimRequest) -> SimResponse | None:
        if request.headers.get("X-IDENTITY-HEADER") != self._header:
            return _refused(401, "The identity header is missing or wrong.")
        return None

    def _answer(self, request: SimRequest) -> SimResponse:
        if request.path != TOKEN_PATH or request.query.get("api-version") != API_VERSION:
            return _refused(404, "Not found.")
        client_id = request.query.get("client_id", SYSTEM_ASSIGNED)
        if client_id not in self.identities:
            return _refused(
                400, "No User Assigned or Delegated Managed Identity found for specified ClientId."
            )
        resource = request.query.get("resource", "")
        self.issued.append((client_id, resource))
        answer = {
            "access_token": f"identity-token-{len(self.issued) - 1}",
            "expires_on": str(int(self.clock.now().timestamp()) + LIFETIME_SECONDS),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": client_id,
        }
        return json_response(200, answer)


def _refused(status: int, text: str) -> SimResponse:
    return json_response(status, {"statusCode": status, "message": text})

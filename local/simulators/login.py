"""The login authority of Microsoft Entra ID in memory, as far as client credentials need it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from local.simulators.exchange import SimRequest, SimResponse, json_response
from shared.clock import Clock

DISCOVERY = "/v2.0/.well-known/openid-configuration"
TOKEN = "/oauth2/v2.0/token"  # noqa: S105  a path
SCOPE_SUFFIX = "/.default"
LIFETIME_SECONDS = 3599


class Login:
    """Issues bearer tokens to one application of one tenant, and knows which of them still hold."""

    def __init__(self, clock: Clock, *, tenant: str, client_id: str, client_key: str) -> None:
        self.expired_key = False
        """True: the client's secret is answered as expired."""
        self._clock = clock
        self._tenant = tenant
        self._client_id = client_id
        self._client_key = client_key
        self._issued = 0
        self._valid_until: dict[str, float] = {}

    @property
    def issued(self) -> int:
        """Number of tokens given out so far."""
        return self._issued

    def serves(self, path: str) -> bool:
        """Whether the path is the authority's rather than the Graph's."""
        return path.endswith((DISCOVERY, TOKEN))

    def accepts(self, bearer: str) -> bool:
        """Whether an `Authorization` header holds a token of ours that is still good."""
        until = self._valid_until.get(bearer.removeprefix("Bearer "))
        return until is not None and self._clock.monotonic() < until

    def revoke(self) -> None:
        """Make all tokens invalid at once."""
        self._valid_until.clear()

    def issue(self) -> str:
        """A new token, as a login that went well gives it."""
        self._issued += 1
        bearer = f"graph-{self._issued:04d}"
        self._valid_until[bearer] = self._clock.monotonic() + LIFETIME_SECONDS
        return bearer

    def answer(self, request: SimRequest) -> SimResponse:
        """The openid-configuration or a token."""
        suffix, method = (DISCOVERY, "GET") if request.path.endswith(DISCOVERY) else (TOKEN, "POST")
        if request.method != method:
            return json_response(405, {"error": "invalid_request"})
        if request.path.removesuffix(suffix).strip("/") != self._tenant:
            return _refused(400, "invalid_tenant", 90002, "The tenant was not found.")
        return self._discovery(request) if suffix == DISCOVERY else self._token(request)

    def _discovery(self, request: SimRequest) -> SimResponse:
        authority = f"{request.root}/{self._tenant}"
        return json_response(
            200,
            {
                "issuer": f"{authority}/v2.0",
                "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
                "token_endpoint": f"{authority}{TOKEN}",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                "response_types_supported": ["code"],
            },
        )

    def _token(self, request: SimRequest) -> SimResponse:
        form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
        refusal = self._refusal(form)
        if refusal is not None:
            return refusal
        answer = {"token_type": "Bearer", "expires_in": LIFETIME_SECONDS, "access_token": self.issue()}
        return json_response(200, {**answer, "ext_expires_in": LIFETIME_SECONDS})

    def _refusal(self, form: dict[str, Any]) -> SimResponse | None:
        if form.get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type", 70003, "The grant type is not supported.")
        if form.get("client_id") != self._client_id:
            return _refused(400, "unauthorized_client", 700016, "The application was not found.")
        if form.get("client_secret") != self._client_key:
            return _refused(401, "invalid_client", 7000215, "Invalid client secret provided.")
        if self.expired_key:
            return _refused(401, "invalid_client", 7000222, "The provided client secret keys are expired.")
        if not str(form.get("scope", "")).endswith(SCOPE_SUFFIX):
            return _refused(
                400, "invalid_scope", 1002012, "The scope is not valid: it must end in /.default."
            )
        return None


def _refused(status: int, error: str, code: int, text: str) -> SimResponse:
    body = {
        "error": error,
        "error_description": f"AADSTS{code}: {text} Trace ID: 00000000-0000-0000-0000-000000000000",
        "error_codes": [code],
        "correlation_id": "00000000-0000-0000-0000-000000000000",
    }
    return json_response(status, body)

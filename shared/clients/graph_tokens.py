"""Tokens for Microsoft Graph by client credentials, through MSAL."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shared.clients.http.failures import may_pass, wrong_setting
from shared.clients.http.transport import new_session
from shared.errors import (
    AccessRefused,
    Advised,
    APIError,
    ConfigurationError,
    SafetyAmpError,
    SettingProblem,
    UpstreamUnavailable,
    framed,
)

if TYPE_CHECKING:
    from msal import ConfidentialClientApplication
    from requests import Response

LOGIN_TIMEOUT_SECONDS = 15
DEFAULT_GRAPH_HOST = "graph.microsoft.com"

GRAPH_HOSTS = frozenset(
    {DEFAULT_GRAPH_HOST, "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"}
)
KNOWN_LOGIN_HOSTS = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.chinacloudapi.cn",
        "login.partner.microsoftonline.cn",
    }
)
"""For any other host MSAL would ask login.microsoftonline.com whether it is genuine, so discovery is off
(docs/contracts/msgraph.md#token)."""

AADSTS = re.compile(r"AADSTS(\d+)")
ADVICE: dict[str, str] = {
    "7000215": Advised("MS_GRAPH_CLIENT_SECRET is wrong", "set the secret's value, not its id"),
    "7000222": Advised("MS_GRAPH_CLIENT_SECRET has expired", "make a new secret in the app registration"),
    "700016": Advised("MS_GRAPH_CLIENT_ID is unknown in the tenant MS_GRAPH_TENANT_ID", "check both"),
    "90002": Advised(
        "MS_GRAPH_TENANT_ID is not a tenant of this login server", "check it and MS_GRAPH_AUTHORITY"
    ),
    "900023": "MS_GRAPH_TENANT_ID is neither a domain name nor a GUID",
}
GENERAL_ADVICE = "check MS_GRAPH_TENANT_ID, MS_GRAPH_CLIENT_ID and MS_GRAPH_CLIENT_SECRET"
TOO_MANY_REQUESTS = 429
MOMENTARY = frozenset({"temporarily_unavailable", "server_error"})


def graph_scope(base_url: str) -> str:
    """The scope for a Graph base URL: the national cloud's own, the global one for any other host."""
    host = urlsplit(base_url).hostname
    return f"https://{host if host in GRAPH_HOSTS else DEFAULT_GRAPH_HOST}/.default"


class GraphTokens:
    """One MSAL application per process; it keeps the token and renews it before it runs out.

    `authority` is the login server without the tenant. Nothing is asked of it before the first token
    is needed. `build` makes the MSAL application, for tests.
    """

    def __init__(
        self,
        tenant: str,
        client_id: str,
        secret: str,
        authority: str = "https://login.microsoftonline.com",
        scope: str = graph_scope(""),
        build: Callable[..., ConfidentialClientApplication] | None = None,
    ) -> None:
        self._tenant = tenant
        self._client_id = client_id
        self._secret = secret
        self._authority = authority.rstrip("/")
        self._scope = scope
        self._build = build or _msal_application
        self._application: ConfidentialClientApplication | None = None
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, str]:
        """Headers of one call, with a fresh `client-request-id`.

        Raises AccessRefused (without a status: it was the login) or ConfigurationError when an operator must
        act (also for an unknown host and a certificate that is not trusted), UpstreamUnavailable when the
        login server cannot be reached.
        """
        return {
            "Authorization": f"Bearer {self.token()}",
            "Accept": "application/json",
            "client-request-id": str(uuid.uuid4()),
        }

    def token(self) -> str:
        """A token that is valid for some minutes at least, from memory if possible; errors as `headers`."""
        # One at a time, so that many threads at the start make one login and not one each.
        with self._lock:
            result = self._ask_login(lambda: self._ready().acquire_token_for_client(scopes=[self._scope]))
        token = result.get("access_token")
        if isinstance(token, str) and token:
            return token
        raise self._refusal(result)

    def renew(self) -> None:
        """Forget the token at hand, because Graph refused it."""
        with self._lock:
            if self._application is not None:
                self._application.remove_tokens_for_client()

    def _ready(self) -> ConfidentialClientApplication:
        if self._application is None:
            host = urlsplit(self._authority).hostname
            self._application = self._build(
                self._client_id,
                client_credential=self._secret,
                authority=f"{self._authority}/{self._tenant}",
                instance_discovery=None if host in KNOWN_LOGIN_HOSTS else False,
                timeout=LOGIN_TIMEOUT_SECONDS,
            )
        return self._application

    def _ask_login(self, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        from msal.exceptions import MsalError
        from urllib3.exceptions import HTTPError

        try:
            return ask()
        except (
            OSError,  # all that requests raises is one
            HTTPError,
            MsalError,
            JSONDecodeError,
            LookupError,
            TypeError,
            AttributeError,
            RuntimeError,
        ) as error:
            # MsalError is its word for a 5xx. A page that is not JSON comes from something in between, and
            # the exception would carry it; so does JSON without what MSAL takes for granted. RuntimeError is
            # for a discovery page that is elsewhere (3xx).
            raise self._no_login(error) from None
        except ValueError:
            # MSAL's answer to an authority that is not https, or that does not know the tenant (a 4xx of
            # its discovery page). Its text holds the tenant.
            text = Advised("no login page for this tenant there", "check it and MS_GRAPH_AUTHORITY")
            raise ConfigurationError([SettingProblem("MS_GRAPH_TENANT_ID", text)]) from None

    def _no_login(self, error: Exception) -> SafetyAmpError:
        # With an application there was an answer before.
        passing = self._application is not None and may_pass(error)
        wrong = None if passing else wrong_setting(error, self._authority, "MS_GRAPH_AUTHORITY")
        if wrong is not None:
            return wrong
        text = f"Microsoft's login server (MS_GRAPH_AUTHORITY) gave no proper answer ({type(error).__name__})"
        return UpstreamUnavailable(text, upstream="graph", may_have_happened=False)

    def _refusal(self, result: Mapping[str, Any]) -> APIError:
        description = str(result.get("error_description") or "")
        found = AADSTS.search(description)
        code = found[1] if found else ""
        error = str(result.get("error") or "no token")
        name = f"AADSTS{code}" if code else self._masked(error)
        if error in MOMENTARY:
            text = f"Microsoft's login server (MS_GRAPH_AUTHORITY) is not itself ({name})"
            return UpstreamUnavailable(text, upstream="graph", may_have_happened=False)
        refused = f"Microsoft's login server refused a token ({name})"
        known = ADVICE.get(code)
        text = Advised(refused, GENERAL_ADVICE) if known is None else framed(known, f"{refused}: ")
        return AccessRefused(text, response_text=self._masked(description), upstream="graph")

    def _masked(self, text: str) -> str:
        for private in (self._secret, self._client_id, self._tenant):
            text = re.sub(re.escape(private), "***", text, flags=re.IGNORECASE) if private else text
        return text


def _msal_application(*arguments: Any, timeout: float, **options: Any) -> ConfidentialClientApplication:
    """With a session of ours: the one that MSAL makes sleeps out any Retry-After, be it an hour."""
    from msal import ConfidentialClientApplication

    session = new_session()
    session.request = partial(session.request, timeout=timeout)  # type: ignore[method-assign]
    session.hooks["response"].append(_raise_if_throttled)
    return ConfidentialClientApplication(*arguments, http_client=session, **options)


def _raise_if_throttled(response: Response, *_arguments: Any, **_options: Any) -> None:
    # MSAL takes a 429 for a refusal like any other, or for an unknown tenant.
    if response.status_code == TOO_MANY_REQUESTS:
        from requests import HTTPError

        raise HTTPError(f"{TOO_MANY_REQUESTS}", response=response)

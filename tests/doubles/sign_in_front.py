"""A stand-in for Azure's authentication in front of the app: it signs people in by a click and tells the app
as App Service does. What it does not know is how Microsoft's own decides: tokens here are names."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

COOKIE = "AppServiceAuthSession"
FORGEABLE = ("HTTP_X_MS_CLIENT_PRINCIPAL", "HTTP_X_MS_TOKEN_")
OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
LONG_ROLE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"

IN_FRONT = {"SIGN_IN": "entra", "WEBSITE_AUTH_ENABLED": "True"}
"""The environment of an app behind it."""


@dataclass(frozen=True)
class Person:
    """Somebody, or an application, with the values of the roles that are assigned in Entra."""

    object_id: str
    name: str | None
    roles: tuple[str, ...] = ()
    app_id: str | None = None

    def headers(self, role_claim: str = "roles", role_typ: str = LONG_ROLE) -> dict[str, str]:
        """What App Service adds to a request of theirs."""
        claims = [(OBJECT_ID, self.object_id), *((role_claim, role) for role in self.roles)]
        claims += [("preferred_username", self.name)] if self.name else []
        claims += [("azp", self.app_id)] if self.app_id else []
        principal = {
            "auth_typ": "aad",
            "name_typ": "preferred_username",
            "role_typ": role_typ,
            "claims": [{"typ": kind, "val": value} for kind, value in claims],
        }
        return {
            "X-MS-CLIENT-PRINCIPAL": encoded(principal),
            "X-MS-CLIENT-PRINCIPAL-ID": self.object_id,
            "X-MS-CLIENT-PRINCIPAL-NAME": self.name or "",
            "X-MS-CLIENT-PRINCIPAL-IDP": "aad",
        }


def encoded(principal: Any) -> str:
    """As the header has it."""
    return base64.b64encode(json.dumps(principal).encode()).decode()


VERA = Person("0000000a-0000-4000-8000-000000000001", "vera@example.com", ("viewer",))
OLGA = Person("0000000a-0000-4000-8000-000000000002", "olga@example.com", ("operator",))
ANA = Person("0000000a-0000-4000-8000-000000000003", "ana@example.com", ("approver",))
NOBODY = Person("0000000a-0000-4000-8000-000000000004", "nick@example.com")
ROBOT = Person(
    "0000000a-0000-4000-8000-000000000005", None, ("operator",), "11111111-1111-4111-8111-111111111111"
)
WILHELMINA = Person(
    "0000000a-0000-4000-8000-000000000006",
    "wilhelmina.featherstonehaugh-cholmondeley@subsidiary.construction.example.com",
    ("viewer",),
)
EVERYBODY = {
    "vera": VERA,
    "olga": OLGA,
    "ana": ANA,
    "nobody": NOBODY,
    "robot": ROBOT,
    "wilhelmina": WILHELMINA,
}


class SignInFront:
    """A WSGI application before another one. `next_person` is who a sign-in page would sign in."""

    def __init__(self, app: WSGIApplication, people: Mapping[str, Person] = EVERYBODY) -> None:
        self._app = app
        self._people = people
        self.next_person = "vera"

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        for name in [name for name in environ if name.startswith(FORGEABLE)]:
            del environ[name]
        request = Request(environ)
        own = self._own(request)
        if own is not None:
            return own(environ, start_response)
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if bearer and bearer not in self._people:
            return Response(status=401)(environ, start_response)
        person = self._people.get(bearer) or self._signed_in(request)
        for name, value in (person.headers() if person else {}).items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        return self._app(environ, start_response)

    def _own(self, request: Request) -> Response | None:
        """The answers below /.auth."""
        if request.path == "/.auth/login/aad":
            answer = _redirect(request.args.get("post_login_redirect_uri", "/"))
            answer.set_cookie(COOKIE, self.next_person, httponly=True)
            return answer
        if request.path == "/.auth/logout":
            answer = _redirect(request.args.get("post_logout_redirect_uri", "/"))
            answer.delete_cookie(COOKIE)
            return answer
        if request.path == "/.auth/me":
            person = self._signed_in(request)
            if person is None:
                return Response(status=401)
            told = [{"provider_name": "aad", "user_id": person.name}]
            return Response(json.dumps(told), mimetype="application/json")
        return None

    def _signed_in(self, request: Request) -> Person | None:
        return self._people.get(request.cookies.get(COOKIE, ""))


def _redirect(to: str) -> Response:
    parts = urlsplit(to)
    assert not parts.scheme, "to this app only"
    assert not parts.netloc, "to this app only"
    return Response(status=302, headers={"Location": to})

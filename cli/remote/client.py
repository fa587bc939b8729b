"""Asking a running app. Whatever goes wrong becomes one sentence and a hint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Generic, TypeVar, cast

import requests
from requests.adapters import BaseAdapter
from urllib3.exceptions import NewConnectionError

from cli.remote.address import CLIENT_SETTING, KEY_SETTING, URL_SETTING, Address
from shared.errors import SafetyAmpError
from shared.queries import answers
from shared.version import PROGRAM

Value = TypeVar("Value")

KEY_HEADER = "x-functions-key"
SIGNED_IN = "/entra"
"""Before the paths of whoever has signed in."""
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
"""Explaining a record may take ten seconds for its history, and as long as Vista takes."""

RECORD_SECONDS = 240.0
"""The app works on one record for two minutes at most; Azure's front end gives up after 230 s."""

WRONG_SIGN_IN = (
    f"Check the client id (--client-id, {CLIENT_SETTING}): of the app registration by which people sign in"
    " there, in the tenant that az account show names, with tokens of version 2 (infra/README.md, section"
    " Signing in). A stopped app answers 403 as well."
)
COLD = "The app may be starting or stopped: try again in a minute; in Azure look at its overview page."


class RemoteError(SafetyAmpError):
    """The app did not do what it was asked. `problem` is its problem document, where there is one."""

    def __init__(self, text: str, hint: str, problem: answers.Problem | None = None) -> None:
        super().__init__(text)
        self.hint = hint
        self.problem = problem

    def to_json(self) -> Mapping[str, object]:
        """The problem document, or one like it."""
        return self.problem or {"title": "Not done", "detail": str(self), "hint": self.hint}


class NothingAnswers(RemoteError):
    """Nobody listens at the address."""


@dataclass(frozen=True)
class Answer(Generic[Value]):
    """A good answer, as it came and read."""

    text: str
    value: Value


@dataclass(frozen=True)
class Expected(Generic[Value]):
    """What kind of answer is expected. One that lacks `members` is somebody else's; whether it has all others
    is left to who reads it, for the app may be of another version."""

    kind: type[Value]
    members: tuple[str, ...]


class RemoteApp:
    """The API of the app at an address."""

    def __init__(
        self, address: Address, token: str | None = None, adapter: BaseAdapter | None = None
    ) -> None:
        """`token` is an access token for the registration that the address names; `adapter` sends the
        requests, if the network should not."""
        self._address = address
        self._base = address.url + ("" if token is None else SIGNED_IN)
        self._session = requests.Session()
        if adapter is not None:
            self._session.mount(self._base, adapter)
        # A proxy of the company's network leads nowhere from this machine to itself.
        self._session.trust_env = not address.is_this_machine
        self._session.headers["Accept"] = "application/json"
        if token is not None:
            self._session.headers["Authorization"] = f"Bearer {token}"
        if address.key is not None:
            self._session.headers[KEY_HEADER] = address.key

    def __enter__(self) -> RemoteApp:
        return self

    def __exit__(self, *error: object) -> None:
        self._session.close()

    def get(self, path: str, expected: Expected[Value], **query: str | int | None) -> Answer[Value]:
        """A GET; parameters that are None are left out. Raises RemoteError, also for an answer without the
        members that are expected: somebody else's."""
        return self._ask("GET", path, expected, query, None, ANSWER_SECONDS)

    def post(
        self,
        path: str,
        expected: Expected[Value],
        body: Mapping[str, object] | None = None,
        *,
        seconds: float = ANSWER_SECONDS,
        **query: str | int | None,
    ) -> Answer[Value]:
        """A POST. It is never repeated: nobody knows what became of one without an answer."""
        return self._ask("POST", path, expected, query, body, seconds)

    def _ask(
        self,
        method: str,
        path: str,
        expected: Expected[Value],
        query: Mapping[str, str | int | None],
        body: Mapping[str, object] | None,
        seconds: float,
    ) -> Answer[Value]:
        try:
            # A redirection is not followed: it would take the key along, to whoever is there.
            response = self._session.request(
                method,
                self._base + path,
                params=query,
                json=body,
                timeout=(CONNECT_SECONDS, seconds),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise self._away(error, seconds) from error
        value = _json_object(response)
        if response.ok and value is not None and all(name in value for name in expected.members):
            return Answer(response.text, cast(Value, value))
        raise self._refused(response, value)

    def _away(self, error: requests.RequestException, seconds: float) -> RemoteError:
        url = self._address.url
        if isinstance(error, requests.exceptions.SSLError):
            hint = "Check the address: the certificate must be the app's own, and this machine must trust it."
            return RemoteError(f"no safe connection to {url} can be made: its certificate is not valid", hint)
        if isinstance(error, requests.ReadTimeout):
            hint = f"What it was asked may still happen: {PROGRAM} runs shows whether a run has begun."
            return RemoteError(f"{url} has not answered for {seconds:.0f} s", hint)
        hint = f"Is the app running ({PROGRAM} up), and is the address right (--url, {URL_SETTING})?"
        kind = NothingAnswers if _is_nobody_there(error) else RemoteError
        return kind(f"nothing answers at {url}", hint)

    def _refused(self, response: requests.Response, value: dict[str, object] | None) -> RemoteError:
        status, url = response.status_code, self._address.url
        if value is not None and {"title", "detail", "hint"} <= value.keys() and not response.ok:
            return RemoteError(str(value["detail"]), str(value["hint"]), cast("answers.Problem", value))
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return self._locked(status)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            return RemoteError(f"{url} answered {status} and did not say why", COLD)
        kind = response.headers.get("Content-Type", "").partition(";")[0] or "nothing"
        text = f"what answers at {url} is not SafetyAmp Sync, or an older one: status {status} with {kind}"
        return RemoteError(
            text, f"Check the address (--url, {URL_SETTING}); its /dashboard shows the app's page."
        )

    def _locked(self, status: int) -> RemoteError:
        url = self._address.url
        if self._address.client_id is not None:
            return RemoteError(f"{url} did not accept the sign-in (status {status})", WRONG_SIGN_IN)
        where = f"a function key of the app, in {KEY_SETTING} or with --function-key"
        if self._address.key is None:
            return RemoteError(f"{url} wants a key (status {status})", f"Give {where}.")
        hint = f"Give {where}; in Azure: App keys of the function app. A stopped app answers 403 as well."
        return RemoteError(f"{url} did not accept the key (status {status})", hint)


def _is_nobody_there(error: requests.RequestException) -> bool:
    """Whether no connection came about; one that was broken off had somebody at its end."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)


def _json_object(response: requests.Response) -> dict[str, object] | None:
    # JSON is UTF-8 whatever the header says or leaves out (RFC 8259).
    response.encoding = "utf-8"
    try:
        value = json.loads(response.text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None

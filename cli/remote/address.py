"""Where the app is, and the key or the sign-in to it: checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from local.host.own_pages import is_loopback
from shared.errors import ConfigurationError

DEFAULT_URL = "http://127.0.0.1:7071"
URL_SETTING, KEY_SETTING = "SAFETYAMP_SYNC_URL", "SAFETYAMP_SYNC_KEY"
CLIENT_SETTING = "SAFETYAMP_SYNC_CLIENT_ID"
OWN_PATHS = ("/dashboard", "/api", "/health", "/ready")
"""What people copy out of the browser's address line behind the app's address."""

CLIENT_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
EXAMPLE_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
FUNCTION_KEY = re.compile(r"[A-Za-z0-9_\-+/]{40,}={0,2}")
"""The keys that Azure makes have 54 to 56 characters of this kind; no record's key is so long without a
blank."""


@dataclass(frozen=True)
class Address:
    """The app's address without a slash at the end, and its function key, which no text may show; or the
    client id of the registration by which people sign in there."""

    url: str
    key: str | None = field(default=None, repr=False)
    client_id: str | None = None
    is_named: bool = True
    """Whether anybody has said that the app is there, not only the default."""

    @property
    def is_this_machine(self) -> bool:
        """Whether what is sent there stays on this machine."""
        host = urlsplit(self.url).hostname or ""
        return is_loopback(host)

    @property
    def shows_secret(self) -> bool:
        """Whether key or token would go over a network that anybody on it can read."""
        return (
            (self.key or self.client_id) is not None
            and self.url.startswith("http:")
            and not self.is_this_machine
        )


def address_of(
    url: str | None, key: str | None, client_id: str | None, environment: Mapping[str, str]
) -> Address:
    """What the options say, else the environment; a client id goes before a key of the same origin. Raises
    ConfigurationError, whose text never has the key, nor a URL in which one may be."""
    url_from, key_from = ("--url" if url else URL_SETTING), ("the function key" if key else KEY_SETTING)
    named = url or environment.get(URL_SETTING)
    url = (named or DEFAULT_URL).strip()
    client_from = "--client-id" if client_id else CLIENT_SETTING
    client_id = _checked_id(client_id or (None if key else environment.get(CLIENT_SETTING)), client_from)
    key = None if client_id else checked_key(key or environment.get(KEY_SETTING), key_from)
    return Address(_checked(url, url_from), key, client_id, bool(named))


def _checked_id(client_id: str | None, setting: str) -> str | None:
    client_id = (client_id or "").strip().removeprefix("api://") or None
    if client_id is not None and not CLIENT_ID.fullmatch(client_id):
        raise ConfigurationError.of(setting, f"is no client id such as {EXAMPLE_ID}")
    return client_id


def checked_key(key: str | None, setting: str) -> str | None:
    """A key without blanks around it, None for an empty one. Raises ConfigurationError."""
    key = (key or "").strip() or None
    if key is not None and not (key.isascii() and key.isprintable()):
        raise ConfigurationError.of(setting, "has characters that no key has: copy it again")
    return key


def _checked(url: str, setting: str) -> str:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or not url.isprintable() or " " in url:
        raise ConfigurationError.of(
            setting, f"is no address such as {DEFAULT_URL} or https://app.example.com"
        )
    if parts.query or parts.fragment or "@" in parts.netloc:
        text = f"must be the address alone; the key goes into {KEY_SETTING}, where no log keeps it"
        raise ConfigurationError.of(setting, text)
    path = parts.path.rstrip("/")
    own = next((own for own in OWN_PATHS if path.endswith(own)), "")
    return f"{parts.scheme}://{parts.netloc}{path.removesuffix(own)}"


def looks_like_function_key(text: str, address: Address) -> bool:
    """Whether somebody gave the function key where a record's key belongs, which servers log."""
    return text == address.key or FUNCTION_KEY.fullmatch(text) is not None

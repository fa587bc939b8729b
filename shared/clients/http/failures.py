"""What it means that an HTTP exchange failed: a setting is wrong, or the upstream is away."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPException
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies
from urllib3.exceptions import (
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ReadTimeoutError,
)

from shared.clients.http.origins import origin_of
from shared.clients.http.server_probe import UNKNOWN_NAME
from shared.errors import Advised, ConfigurationError

EXCHANGE_ERRORS = (requests.RequestException, HTTPError, HTTPException, OSError, ValueError)
"""What requests lets through while it sends and reads: its own errors, and a few of those below it."""

OF_THE_NAME = frozenset({62, 64})  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
OF_THE_DATE = frozenset({9, 10})  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
PROXY = "HTTPS_PROXY"
NO_URL = (LocationValueError, requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)
CA_BUNDLE = "REQUESTS_CA_BUNDLE"
CA_BUNDLES = (CA_BUNDLE, "CURL_CA_BUNDLE")
NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST")
OF_A_BUNDLE = ("X509", "PEM", "ASN1")
"""OpenSSL's libraries that complain of a file without certificates, before a connection is made."""


def wrong_setting(error: Exception, url: str, setting: str) -> ConfigurationError | None:
    """The error for an exchange that failed, before anything was sent, because of a setting; else None.

    `setting` names the one that `url` comes from. Its host is told: an operator must see which one it was.
    """
    causes = list(_causes(error))
    if any(isinstance(cause, NO_URL) for cause in causes):
        if _has_proxy(url):
            return ConfigurationError.of(PROXY, "must be the URL of an HTTP proxy, such as http://HOST:3128")
        return ConfigurationError.of(_setting_of(error, setting), "is not the URL of an HTTP server")
    if any(_is_unknown_name(cause) for cause in causes):
        return _unknown_name(error, url, setting)
    if any(_is_no_tls(cause) for cause in causes):
        seen = f"what answers at {_host(url)} speaks no TLS"
        text = Advised(seen, "check the address, its https and its port")
        return ConfigurationError.of(_setting_of(error, setting), text)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause, url, setting)
    if _is_of_the_bundle(error, causes):
        name = next((name for name in CA_BUNDLES if os.environ.get(name)), CA_BUNDLE)
        return ConfigurationError.of(name, "must be a file of certificates in PEM form that can be read here")
    return None


def never_connected(error: Exception) -> bool:
    """Whether no connection was established, so that nothing can have happened."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    return any(isinstance(cause, NewConnectionError) for cause in _causes(error))


def out_of_time(error: Exception) -> bool:
    """Whether the upstream did not say all that it had to say in time."""
    return any(isinstance(cause, requests.Timeout | ReadTimeoutError) for cause in _causes(error))


def may_pass(error: Exception) -> bool:
    """Whether this is a passing fault for who has reached this host before: its name did not come to be a
    wrong one, nor its port, so that a name server or something in between is not itself."""
    return any(_is_unknown_name(cause) or _is_no_tls(cause) for cause in _causes(error))


def _is_unknown_name(cause: BaseException) -> bool:
    return isinstance(cause, socket.gaierror) and cause.errno in UNKNOWN_NAME


def _is_no_tls(cause: BaseException) -> bool:
    return isinstance(cause, ssl.SSLError) and getattr(cause, "reason", "") in NO_TLS


def _unknown_name(error: Exception, url: str, setting: str) -> ConfigurationError:
    of_proxy = isinstance(error, requests.exceptions.ProxyError)
    host = "the proxy's host" if of_proxy else f"the host {_host(url)}"
    advice = "check its spelling, and which name servers this machine asks"
    text = Advised(f"{host} is not known here", advice)
    return ConfigurationError.of(_setting_of(error, setting), text)


def _setting_of(error: Exception, setting: str) -> str:
    of_proxy = requests.exceptions.ProxyError | requests.exceptions.InvalidProxyURL
    return PROXY if isinstance(error, of_proxy) else setting


def _has_proxy(url: str) -> bool:
    """Whether a proxy is to be asked for a URL that is one, so that it is the proxy's that is none."""
    return origin_of(url) is not None and bool(get_environ_proxies(url))


def _certificate(error: ssl.SSLCertVerificationError, url: str, setting: str) -> ConfigurationError:
    host, code = _host(url), getattr(error, "verify_code", 0)
    if code in OF_THE_NAME:
        text = (
            f"the certificate that {host} shows is for another name: use the name that it is for, or look "
            f"who answers there; {CA_BUNDLE} does not help"
        )
        return ConfigurationError.of(setting, text)
    if code in OF_THE_DATE:
        text = Advised(
            f"the certificate that {host} shows is not valid today",
            f"check this machine's clock, and tell who runs {host}; {CA_BUNDLE} does not help",
        )
        return ConfigurationError.of(setting, text)
    text = (
        f"the certificate that {host} shows is not trusted here: where a proxy looks into connections, or "
        "the server has an authority of its own, set it to a PEM file with that authority's certificate and "
        f"the public ones; else check {setting}"
    )
    return ConfigurationError.of(CA_BUNDLE, text)


def _is_of_the_bundle(error: Exception, causes: list[BaseException]) -> bool:
    # requests says of a file that is not there with a plain OSError, before it does anything.
    missing = isinstance(error, OSError) and not isinstance(error, requests.RequestException | TimeoutError)
    unreadable = any(
        isinstance(cause, ssl.SSLError) and getattr(cause, "library", "") in OF_A_BUNDLE for cause in causes
    )
    # A connection that is not permitted is no SSLError.
    denied = isinstance(error, requests.exceptions.SSLError) and any(
        isinstance(cause, PermissionError) for cause in causes
    )
    return (missing and "certificate" in str(error)) or unreadable or denied


def _host(url: str) -> str:
    return urlsplit(url).hostname or "unknown"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it wraps: requests and urllib3 keep one another's errors in three places."""
    waiting, seen = [error], set()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        wrapped = (cause.__cause__, getattr(cause, "reason", None), *cause.args)
        waiting += [inner for inner in wrapped if isinstance(inner, BaseException)]
